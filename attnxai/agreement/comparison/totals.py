"""Totals of targets over all sources, for what a block of sources has to know of the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

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


class TargetTotals:
    """Sums over all sources of their targets, and the pixels that are valid for all; blocks are added one by one.

    ``kinds`` are the kinds of target of which metrics need those of other sources.
    """

    def __init__(self, kinds: Iterable[TargetKind] = ()) -> None:
        self._kinds = tuple(kinds)
        self._n_sources = 0
        self._total: dict[str, _Sums] = {}
        self.common: NDArray[np.bool_] = np.ones((), bool)
        self.n_valid_most = 0

    def add(self, pairs: AlignedPairs) -> None:
        """Add the sources of a block."""
        self._n_sources += len(pairs)
        self.common = self.common & pairs.valid.all(axis=0)
        self.n_valid_most = max(self.n_valid_most, int(pairs.valid.sum(axis=(1, 2)).max()))
        for name, sums in self._sums_of(pairs).items():
            self._total[name] = self._total[name] + sums if name in self._total else sums

    def beside(
        self, pairs: AlignedPairs
    ) -> tuple[AlignedPairs, Mapping[TargetKind, NDArray[np.float64]]]:
        """A block with the centre bias of all other sources, and the sums of the targets of other blocks."""
        own = self._sums_of(pairs)
        left = {name: total.without(own[name]) for name, total in self._total.items()}
        mean_elsewhere = left.pop(CENTRE_BIAS), self._n_sources - len(pairs)
        elsewhere = {TargetKind(name): sums for name, sums in left.items()}
        if CENTRE_BIAS not in pairs.baselines:
            return pairs, elsewhere
        bias = leave_one_out_mean(pairs.density, pairs.present, mean_elsewhere)
        bias.setflags(write=False)
        baselines = {**pairs.baselines, CENTRE_BIAS: bias}
        return dataclasses.replace(pairs, baselines=baselines), elsewhere

    def _sums_of(self, pairs: AlignedPairs) -> dict[str, _Sums]:
        mean = mean_of_annotators(pairs.density, pairs.present)
        found = {CENTRE_BIAS: _Sums(sums=mean.sum(axis=0), n_above=(mean > 0).sum(axis=0))}
        targets: Targets = {TargetKind.DENSITY: pairs.density, TargetKind.MASK: pairs.mask}
        for kind in self._kinds:
            is_marked = np.not_equal(targets[kind], 0)
            found[str(kind)] = _Sums(
                sums=sums_of_targets(kind, targets[kind]), n_above=is_marked.sum(axis=1)
            )
        return found
