"""Every value that a comparison needs, as arrays: maps with their own and with other sources' annotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.comparison.strata import Strata, angular_sizes, strata_of
from attnxai.agreement.estimates import UndefinedValue
from attnxai.alignment.consensus import with_consensus
from attnxai.alignment.own_emission import within_own_emission
from attnxai.data.emission import emission_mask
from attnxai.metrics import (
    METRICS,
    PixelRows,
    TargetKind,
    agreement_tables,
    chance_values,
    own_tables,
    partial_spearman,
)
from attnxai.metrics.evaluation import centre_biases
from attnxai.metrics.metric import NO_REASON
from attnxai.metrics.partial import partial_correlations
from attnxai.metrics.pixels import is_constant
from attnxai.nulls.emission_frames import frame_pixels, in_frames, less_emission
from attnxai.statistics.bootstrap import mean_over_annotators

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.comparison.strata import KnownOfSources
    from attnxai.agreement.comparison.totals import TargetTotals
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.metrics import Metric
    from attnxai.metrics.evaluation import SourceRows
    from attnxai.metrics.targets import Targets


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """The arrays of aligned pairs, with the sources in the order of their ids: all of them, or a block.

    ``maps`` (arrays of shape (n_sources, rows, columns)) are explanations, then baselines. ``sizes`` (n_sources,) are those
    of the emission of each, in arcsec (``on_emission`` in pixels), NaN where not known. Annotations are permuted over the
    ``common`` pixels of ``permuted_maps`` and ``permuted_targets``: the pixels valid for all, or ``on_emission`` the places
    of the common frame (:mod:`attnxai.nulls.emission_frames`). ``individuals`` are the pairs with every annotator, also where
    ``pairs`` has their consensus. ``elsewhere`` are sums of the targets of other blocks.
    """

    pairs: AlignedPairs
    metrics: tuple[Metric, ...]
    names: tuple[str, ...]
    maps: tuple[NDArray[np.float64], ...]
    targets: Targets
    stratified: Strata
    sizes: NDArray[np.float64]
    common: NDArray[np.bool_]
    permuted_maps: Sequence[NDArray[np.float64]]
    permuted_targets: Targets
    individuals: AlignedPairs
    on_emission: bool = False
    elsewhere: Mapping[TargetKind, NDArray[np.float64]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        pairs: AlignedPairs,
        settings: ComparisonSettings,
        *,
        known_of_all: KnownOfSources | None = None,
        totals: TargetTotals | None = None,
    ) -> Inputs:
        """Put the sources in order, so that no result depends on the order of the files.

        Pairs of a block come with what is known of all sources, and with the totals of their targets.
        """
        individuals = pairs = pairs.in_order()
        if settings.consensus is not None:
            pairs = with_consensus(pairs, settings.consensus)
        elsewhere: Mapping[TargetKind, NDArray[np.float64]] = {}
        if totals is not None:
            pairs, elsewhere = totals.beside(pairs)
        sizes = angular_sizes(pairs.brightness, pairs.valid, pairs.pixel_scale_arcsec)
        maps, targets = _arrays_of(pairs)
        return cls(
            pairs=pairs,
            metrics=settings.chosen_metrics,
            names=(*pairs.explanations, *pairs.baselines),
            maps=maps,
            targets=targets,
            stratified=strata_of(pairs, settings.strata, known_of_all=known_of_all),
            sizes=np.asarray(sizes, dtype=np.float64),
            common=np.asarray(pairs.valid.all(axis=0)) if totals is None else totals.common,
            permuted_maps=maps,
            permuted_targets=targets,
            individuals=individuals,
            elsewhere=elsewhere,
        )

    def within_emission(
        self, *, fewest: int = 2, totals: TargetTotals | None = None
    ) -> Inputs | None:
        """The same on each source's own emission; None where fewer sources than that have enough of it."""
        pairs = within_own_emission(self.pairs, fewest=fewest)
        if pairs is None:
            return None
        kept = [self.pairs.sources.index(source) for source in pairs.sources]
        maps, targets = _arrays_of(pairs)
        places = np.stack([frame_pixels(where) for where in pairs.valid])
        left = less_emission(np.stack(maps), emission_mask(pairs.brightness), pairs.valid)
        n_pixels = pairs.valid.sum(axis=(1, 2))
        return dataclasses.replace(
            self,
            pairs=pairs,
            names=(*pairs.explanations, *pairs.baselines),
            maps=maps,
            targets=targets,
            stratified=dataclasses.replace(
                self.stratified, of_sources=tuple(self.stratified.of_sources[i] for i in kept)
            ),
            sizes=n_pixels.astype(np.float64),
            common=np.ones(places.shape[1:], bool),
            permuted_maps=tuple(in_frames(left, places)),
            permuted_targets={kind: in_frames(fields, places) for kind, fields in targets.items()},
            on_emission=True,
            elsewhere={} if totals is None else totals.elsewhere_within(pairs),
        )

    @property
    def n_explanations(self) -> int:
        """How many of the maps are the model's."""
        return len(self.pairs.explanations)


def _arrays_of(pairs: AlignedPairs) -> tuple[tuple[NDArray[np.float64], ...], Targets]:
    """All maps and the annotations."""
    maps = (*pairs.explanations.values(), *pairs.baselines.values())
    return maps, {TargetKind.DENSITY: pairs.density, TargetKind.MASK: pairs.mask}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Values:
    """Metrics of all sources; NaN where undefined or not marked.

    ``own``, shape (n_metrics, n_maps, n_annotators, n_sources), has each source's maps with its own annotations, over its
    own pixels; ``chance`` (n_metrics, n_annotators, n_sources) the values without agreement; ``pairs``
    (n_metrics, n_paired, n_annotators, n_sources, n_sources) those of every source's maps with every source's annotation, over
    the pixels that are valid for all, where ``n_paired`` is the number of all maps or of the explanations alone;
    ``pair_means`` the same averaged over annotators; ``partial_correlations`` (n_explanations, n_annotators, n_sources) the
    rank correlations controlling for brightness.
    """

    own: NDArray[np.float64]
    chance: NDArray[np.float64]
    pair_means: tuple[NDArray[np.float64], ...]
    pairs: NDArray[np.float64]
    partial_correlations: NDArray[np.float64]


def measure(
    inputs: Inputs, on_step: Callable[[], None] = lambda: None, *, of_label: bool = False
) -> Values:
    """Compute all values; ``on_step`` is called twice.

    For the marks of a label neither partial correlations nor pairs of the baselines.
    """
    absent = ~inputs.pairs.present
    common = inputs.common
    n_paired = inputs.n_explanations if of_label else len(inputs.maps)
    # within emission every source has pixels of its own, and so no others to compare with elsewhere
    elsewhere = None if inputs.on_emission else inputs.elsewhere
    tables = agreement_tables(
        inputs.metrics,
        inputs.permuted_maps[:n_paired],
        inputs.permuted_targets,
        common,
        elsewhere=elsewhere,
    )
    # what an annotator did not mark is missing, not an empty annotation
    tables[:, :, np.broadcast_to(absent[:, None, :], tables.shape[2:])] = np.nan
    on_step()
    same_pixels = not inputs.on_emission and (inputs.pairs.valid == common).all()
    n_from_tables = n_paired if same_pixels else 0
    own = [np.diagonal(tables[:, :n_from_tables], axis1=3, axis2=4)]
    # maps that come without brightness have nothing to control for
    controlled = {
        e: [inputs.names.index(b) for b in inputs.pairs.brightness_of(name)]
        for e, name in enumerate(inputs.names[: inputs.n_explanations])
        if not of_label and inputs.pairs.brightness_of(name)
    }
    partial = np.full((inputs.n_explanations, *inputs.pairs.present.shape), np.nan)

    def add_partial(rows: SourceRows) -> None:
        density = rows.targets(TargetKind.DENSITY)
        found = partial_correlations(rows.maps, density, controlled)
        partial[list(controlled), :, rows.source] = found

    n_further = len(inputs.maps) - n_from_tables
    if n_further or controlled:
        # metrics and partial correlations share the ranks of a source
        from_own_pixels = own_tables(
            inputs.metrics if n_further else (),
            inputs.maps if controlled else inputs.maps[n_from_tables:],
            inputs.targets,
            inputs.pairs.valid,
            elsewhere=inputs.elsewhere,
            on_source=add_partial if controlled else None,
        )
        from_own_pixels[:, :, absent] = np.nan
        if n_further:
            own.append(from_own_pixels[:, -n_further:])
    chance = np.stack(
        [
            chance_values(metric, inputs.targets[metric.target], inputs.pairs.valid)
            for metric in inputs.metrics
        ]
    )
    partial[:, absent] = np.nan
    on_step()
    return Values(
        own=np.concatenate(own, axis=1),
        chance=chance,
        pair_means=tuple(mean_over_annotators(table.transpose(1, 0, 2, 3)) for table in tables),
        pairs=tables,
        partial_correlations=partial,
    )


def undefined_values(inputs: Inputs, values: Values) -> list[UndefinedValue]:
    """Every value that is missing although the source was marked, and why."""
    own = values.own
    missing = ~np.isfinite(own) & inputs.pairs.present[None, None]
    without_value = [m for m, gaps in zip(inputs.metrics, missing, strict=True) if gaps.any()]
    others = centre_biases(without_value, inputs.targets, inputs.elsewhere)
    found = []
    for m, e, a, s in np.argwhere(missing):
        metric, where = inputs.metrics[m], inputs.pairs.valid[s]
        reason = metric.reason_undefined(
            inputs.maps[e][s][where],
            inputs.targets[metric.target][a, s][where],
            others[metric.target][a, s][where] if metric.needs_others else None,
        )
        found.append(
            UndefinedValue(
                source=inputs.pairs.sources[s],
                annotator=inputs.pairs.annotators[a],
                explanation=inputs.names[e],
                metric=metric.name,
                reason=reason,
            )
        )
    return found + _undefined_partial_correlations(inputs, values.partial_correlations)


def _undefined_partial_correlations(
    inputs: Inputs, found: NDArray[np.float64]
) -> list[UndefinedValue]:
    by_name = dict(zip(inputs.names, inputs.maps, strict=True))
    undefined = []
    for e, a, s in np.argwhere(~np.isfinite(found) & inputs.pairs.present):
        name, where = inputs.names[e], inputs.pairs.valid[s]
        controls = inputs.pairs.brightness_of(name)
        if not controls:
            continue
        reason = METRICS["spearman"].reason_undefined(
            inputs.maps[e][s][where], inputs.pairs.density[a, s][where]
        )
        if reason == NO_REASON:
            varies = [not is_constant(PixelRows(by_name[b][s][where][None]))[0] for b in controls]
            reason = (
                "the brightness determines the ranks of the map or the annotation"
                if any(varies)
                else "the brightness is constant"
            )
        undefined.append(
            UndefinedValue(
                source=inputs.pairs.sources[s],
                annotator=inputs.pairs.annotators[a],
                explanation=name,
                metric=partial_spearman.__name__,
                reason=reason,
            )
        )
    return undefined
