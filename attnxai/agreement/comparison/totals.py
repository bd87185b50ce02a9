"""Totals of targets over all sources, for what a block of sources has to know of the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from attnxai.alignment.own_emission import within_own_emission
from attnxai.alignment.rasterise import leave_one_out_mean, mean_of_annotators
from attnxai.explanations.stack import CENTRE_BIAS
from attnxai.metrics.targets import TargetKind, sums_of_targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.metrics.targets import Targets


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sums:
    """Sums of fields, and how many are above 0: where no other is, a difference is 0 without rounding errors."""

    sums: NDArray[np.float64]
    n_above: NDArray[np.int64]

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(sums=self.sums + other.sums, n_above=self.n_above + other.n_above)

    def without(self, other: _Sums) -> NDArray[np.float64]:
        left = np.where(self.n_above > other.n_above, self.sums - other.sums, 0.0)
        return np.asarray(np.maximum(left, 0.0))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetTotals:
    """Sums over sources of their targets, and the pixels that are valid for all; those of blocks can be added.

    ``sums`` are by the names of targets of which metrics need those of other sources, and of the centre bias;
    ``within_emission`` has those of the sources and annotations that count there. ``n_outside`` marks have their centre
    outside the field, and ``any_visible`` says whether any lies on valid pixels.
    """

    n_sources: int
    sums: Mapping[str, _Sums]
    within_emission: Mapping[str, _Sums]
    common: NDArray[np.bool_]
    n_outside: int = 0
    any_visible: bool = True

    @classmethod
    def of(
        cls,
        pairs: AlignedPairs,
        kinds: Collection[TargetKind] = (),
        *,
        within: str | None = None,
        n_outside: int = 0,
        any_visible: bool = True,
    ) -> TargetTotals:
        """Those of a block of sources, also ``within`` emission if that is given."""
        on_emission = None
        if within and kinds:
            on_emission = within_own_emission(pairs, fewest=1) or pairs.select(
                np.array([], np.intp)
            )
        return cls(
            n_sources=len(pairs),
            sums={CENTRE_BIAS: _sum_of_means(pairs), **_sums_of(pairs, kinds)},
            within_emission={} if on_emission is None else _sums_of(on_emission, kinds),
            common=np.asarray(pairs.valid.all(axis=0)),
            n_outside=n_outside,
            any_visible=any_visible,
        )

    def __add__(self, other: TargetTotals) -> TargetTotals:
        return TargetTotals(
            n_sources=self.n_sources + other.n_sources,
            sums=_added(self.sums, other.sums),
            within_emission=_added(self.within_emission, other.within_emission),
            common=self.common & other.common,
            n_outside=self.n_outside + other.n_outside,
            any_visible=self.any_visible or other.any_visible,
        )

    def beside(
        self, pairs: AlignedPairs
    ) -> tuple[AlignedPairs, Mapping[TargetKind, NDArray[np.float64]]]:
        """A block with the centre bias of all other sources, and the sums of the targets of other blocks."""
        elsewhere = _elsewhere(self.sums, pairs)
        if CENTRE_BIAS not in pairs.baselines:
            return pairs, elsewhere
        others = self.sums[CENTRE_BIAS].without(_sum_of_means(pairs))
        mean_elsewhere = others, self.n_sources - len(pairs)
        bias = leave_one_out_mean(pairs.density, pairs.present, mean_elsewhere)
        bias.setflags(write=False)
        baselines = {**pairs.baselines, CENTRE_BIAS: bias}
        return dataclasses.replace(pairs, baselines=baselines), elsewhere

    def elsewhere_within(self, pairs: AlignedPairs) -> Mapping[TargetKind, NDArray[np.float64]]:
        """Sums of the targets of other blocks that count within emission, beside a block's pairs there."""
        return _elsewhere(self.within_emission, pairs)


def _elsewhere(
    totals: Mapping[str, _Sums], pairs: AlignedPairs
) -> dict[TargetKind, NDArray[np.float64]]:
    kinds = [TargetKind(name) for name in totals if name != CENTRE_BIAS]
    own = _sums_of(pairs, kinds)
    return {kind: totals[str(kind)].without(own[str(kind)]) for kind in kinds}


def _added(first: Mapping[str, _Sums], second: Mapping[str, _Sums]) -> dict[str, _Sums]:
    return {name: sums + second[name] for name, sums in first.items()}


def _sum_of_means(pairs: AlignedPairs) -> _Sums:
    mean = mean_of_annotators(pairs.density, pairs.present)
    return _Sums(sums=mean.sum(axis=0), n_above=(mean > 0).sum(axis=0))


def _sums_of(pairs: AlignedPairs, kinds: Iterable[TargetKind]) -> dict[str, _Sums]:
    found = {}
    targets: Targets = {TargetKind.DENSITY: pairs.density, TargetKind.MASK: pairs.mask}
    for kind in kinds:
        is_marked = np.not_equal(targets[kind], 0)
        found[str(kind)] = _Sums(
            sums=sums_of_targets(kind, targets[kind]), n_above=is_marked.sum(axis=1)
        )
    return found
