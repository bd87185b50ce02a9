"""Estimates of a comparison: for every split and class, every metric and map."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.comparison.null_tests import (
    NullTables,
    PermutationMeans,
    PermutationTests,
    SourcePermutationTests,
    run_sourcewise_test,
)
from attnxai.agreement.comparison.strata import CLASS, KnownOfSources
from attnxai.agreement.effect_components import EffectParts
from attnxai.agreement.estimates import (
    Estimate,
    NoiseCeilingEstimate,
    PartialCorrelation,
    SelfConsistency,
)
from attnxai.agreement.intervals.crossed import UNBOUNDED, crossed_interval
from attnxai.agreement.noise_ceiling.share import NoiseCeilingShare, shares_of_noise_ceiling
from attnxai.agreement.results import ALL
from attnxai.errors import OptionError
from attnxai.explanations.stack import CENTRE_BIAS
from attnxai.statistics.bootstrap import mean_interval, mean_over_annotators
from attnxai.statistics.interval import Interval
from attnxai.statistics.resamples import resamples_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.comparison.streams import Streams
    from attnxai.agreement.comparison.tables import Inputs, Values
    from attnxai.agreement.effect_components import Components
    from attnxai.agreement.noise_ceiling.ceiling import NoiseCeiling
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.metrics import Metric
    from attnxai.statistics.resamples import Counts

CORRELATION_BOUNDS = (-1.0, 1.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Sources, by their positions, that an estimate is over: a split and a class, or ``all``."""

    group: str
    class_name: str
    members: NDArray[np.intp]

    @property
    def names(self) -> tuple[str, str]:
        """Group and class."""
        return self.group, self.class_name


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class ScopeTests:
    """What the tests over one scope are made of, by the numbers of metric and map, added up over blocks of sources.

    ``effects`` has what a plan needs, None where some pair has no value.
    """

    means: dict[tuple[int, int], PermutationMeans] = dataclasses.field(default_factory=dict)
    effects: dict[tuple[int, int], EffectParts | None] = dataclasses.field(default_factory=dict)

    def run(
        self,
        scope: Scope,
        inputs: Inputs,
        values: Values,
        settings: ComparisonSettings,
        streams: Streams,
        *,
        whole: bool,
        main: bool,
    ) -> None:
        """Permute the sources of the scope, of all inputs or of a block of them."""
        permutations = SourcePermutationTests(inputs, settings, streams, scope.names, whole=whole)
        # of one class alone, permuting within classes is permuting all
        of_class = scope.class_name != ALL
        in_strata = not (of_class and inputs.stratified.keys == (CLASS,))
        for m, e in itertools.product(range(len(inputs.metrics)), range(len(values.pair_means[0]))):
            if inputs.names[e] != CENTRE_BIAS:
                table = values.pair_means[m][e]
                self.means[m, e] = permutations.run(
                    table, scope.members, in_strata=in_strata, of_class=of_class
                )
            if main and e < inputs.n_explanations:
                self.effects[m, e] = _effect_parts(inputs, values.pairs[m, e], scope)

    def join(self, other: ScopeTests) -> None:
        """Add the sources of another block."""
        for key, means in other.means.items():
            self.means[key] = self.means[key] + means if key in self.means else means
        for key, parts in other.effects.items():
            earlier = self.effects.get(key, parts)
            known = parts is not None and earlier is not None
            self.effects[key] = (
                parts if earlier is parts else earlier + parts if known else None  # type: ignore[operator]
            )


def _effect_parts(inputs: Inputs, tables: NDArray[np.float64], scope: Scope) -> EffectParts | None:
    """What a plan needs of the values of all pairs (n_annotators, n_sources, n_sources)."""
    members = scope.members[inputs.pairs.source_weights[scope.members] > 0]
    if inputs.on_emission or not members.size:  # plans are for the whole field
        return None
    tables = tables[:, members][:, :, members]
    strata = [inputs.stratified.of_sources[i] for i in members]
    if not np.isfinite(tables).all() or min(Counter(strata).values()) < 3:
        return None
    return EffectParts.of(tables, strata)


def scopes_of(pairs: AlignedPairs, known_of_all: KnownOfSources | None = None) -> Iterator[Scope]:
    """Every group, and all if there are several; of each every class, and all. Of a block those that all sources have."""
    known = known_of_all or KnownOfSources.of(pairs)
    groups = [*known.splits, *([ALL] if len(known.splits) > 1 else [])]
    for group in groups:
        for class_name in (ALL, *known.classes):
            members = [
                i
                for i in range(len(pairs.sources))
                if group in (ALL, pairs.splits[i]) and class_name in (ALL, pairs.classes[i])
            ]
            if members:
                yield Scope(
                    group=group, class_name=class_name, members=np.array(members, dtype=np.intp)
                )


class ScopeEstimates:
    """All estimates over the sources of one scope."""

    def __init__(
        self,
        scope: Scope,
        inputs: Inputs,
        values: Values,
        settings: ComparisonSettings,
        streams: Streams,
        tests: ScopeTests | None = None,
    ) -> None:
        self._scope, self._inputs, self._values = scope, inputs, values
        self._settings, self._streams = settings, streams
        self._tests = tests or ScopeTests()
        self._weights = inputs.pairs.source_weights[scope.members]
        self._counts: Counts | None = None

    def estimates(
        self,
        further: Mapping[str, list[NullTables]],
        ceilings: Mapping[str, NoiseCeiling],
        *,
        main: bool,
    ) -> list[Estimate]:
        """Estimates of all metrics and maps.

        ``further`` holds the tables of the further nulls for every map, ``ceilings`` the noise ceilings over these sources
        by metric, where shares of them are wanted. Only where conclusions rest on these sources (``main``), estimates hold
        what a plan needs.
        """
        inputs = self._inputs
        found = []
        for m, metric in enumerate(inputs.metrics):
            ceiling = ceilings.get(metric.name)
            shares = self._shares(m, ceiling) if ceiling is not None else {}
            for e, name in enumerate(inputs.names):
                found.append(
                    self._estimate(m, e, further.get(name, []), shares.get(name), main=main)
                )
        return found

    def _estimate(
        self,
        m: int,
        e: int,
        further: list[NullTables],
        share: NoiseCeilingShare | None,
        *,
        main: bool,
    ) -> Estimate:
        inputs, scope, members = self._inputs, self._scope, self._scope.members
        name, metric = inputs.names[e], inputs.metrics[m]
        own = self._values.own[m][:, :, members]
        is_baseline = e >= inputs.n_explanations
        tests, reason = PermutationTests(), _CENTRE_BIAS if name == CENTRE_BIAS else _OF_LABEL
        if (m, e) in self._tests.means:
            tests = self._tests.means[m, e].tests(self._settings.alternative)
            reason = inputs.stratified.missing_of(members.tolist()) if tests.pooled else _TOO_FEW
            if inputs.on_emission and not metric.signed_maps:
                reason = _SIGNED
        return Estimate(
            explanation=name,
            is_baseline=is_baseline,
            metric=metric.name,
            group=scope.group,
            class_name=scope.class_name,
            interval=dataclasses.replace(
                self.interval(own[e], metric.bounds, metric.name, name),
                reference=metric.chance or 0.0,
            ),
            above_chance=self.interval(
                own[e] - self._values.chance[m][:, members],
                _above_chance_bounds(metric),
                metric.name,
                name,
                "chance",
            ),
            n_undefined=self._n_undefined(own[e]),
            pooled=tests.pooled,
            within_strata=tests.within_strata,
            pooled_rejections_pairing_broken=tests.pooled_rejections_pairing_broken,
            within_rejections_pairing_broken=tests.within_rejections_pairing_broken,
            p_within_size=tests.p_within_size,
            further=tuple(
                run_sourcewise_test(
                    made, inputs, self._settings, self._streams, members, m, scope.names
                )
                for made in further
            ),
            differences={}
            if is_baseline
            else {
                inputs.names[b]: self.interval(
                    own[e] - own[b], UNBOUNDED, metric.name, name, inputs.names[b]
                )
                for b in range(inputs.n_explanations, len(inputs.names))
            },
            share_of_noise_ceiling=share,
            spreads=self._spreads(m, e) if main and not is_baseline else None,
            left_test=tuple(tests.left_out),
            not_tested=reason,
        )

    def _n_undefined(self, values: NDArray[np.float64]) -> int:
        """Sources that count and have no value of any annotator, of values (n_annotators, n_sources)."""
        return int((~np.isfinite(values).any(axis=0) & (self._weights > 0)).sum())

    def interval(
        self,
        values: NDArray[np.float64],
        bounds: tuple[float, float],
        *purpose: str,
    ) -> Interval:
        """Mean of values (n_annotators, n_sources) of the scope: crossed where several annotators have any."""
        settings = self._settings
        if np.isfinite(values).any(axis=1).sum() > 1:
            return crossed_interval(
                values,
                weights=self._weights,
                level=settings.level,
                n_bootstrap=settings.n_bootstrap,
                bounds=bounds,
                rng=self._streams.of("crossed", *self._scope.names, *purpose),
            )
        if self._counts is None:  # only where one annotator marked
            self._counts = resamples_of(
                self._scope.members.size,
                settings.n_bootstrap,
                self._streams.of("bootstrap", *self._scope.names),
            )
        return mean_interval(
            mean_over_annotators(values),
            self._counts,
            weights=self._weights,
            kind=settings.interval,
            level=settings.level,
        )

    def _shares(self, m: int, ceiling: NoiseCeiling) -> dict[str, NoiseCeilingShare]:
        inputs, settings, members = self._inputs, self._settings, self._scope.members
        metric = inputs.metrics[m]
        n = inputs.n_explanations
        shares = shares_of_noise_ceiling(
            self._values.own[m][:n][:, :, members],
            ceiling,
            chance=self._values.chance[m][:, members],
            weights=self._weights,
            level=settings.level,
            n_bootstrap=settings.n_bootstrap,
            bounds=metric.bounds,
            rng=self._streams.of("share", metric.name, *self._scope.names),
        )
        return dict(zip(inputs.names[:n], shares, strict=True))

    def _spreads(self, m: int, e: int) -> tuple[Components, Interval] | None:
        """Effect and spreads for a plan, where the values of all pairs give them."""
        parts = self._tests.effects.get((m, e))
        try:
            return parts.components() if parts is not None else None
        except OptionError:  # values without any spread, from which nothing can be planned
            return None

    def partial_correlations(self) -> list[PartialCorrelation]:
        """Every map's partial rank correlation with the annotations, controlling for brightness."""
        return [
            PartialCorrelation(
                explanation=name,
                group=self._scope.group,
                class_name=self._scope.class_name,
                controlling_for=self._inputs.pairs.brightness_of(name),
                interval=self.interval(
                    values[:, self._scope.members], CORRELATION_BOUNDS, "given brightness", name
                ),
                n_undefined=self._n_undefined(values[:, self._scope.members]),
            )
            for name, values in zip(
                self._inputs.names, self._values.partial_correlations, strict=False
            )
            if self._inputs.pairs.brightness_of(name)
        ]

    def ceiling(self, ceiling: NoiseCeiling, bounds: tuple[float, float]) -> NoiseCeiling:
        """The noise ceiling over the sources of this scope."""
        return ceiling.over(
            self._scope.members,
            weights=self._weights,
            level=self._settings.level,
            n_bootstrap=self._settings.n_bootstrap,
            bounds=bounds,
            rng=self._streams.of("ceiling", ceiling.metric, *self._scope.names),
        )

    def noise_ceiling(self, ceiling: NoiseCeiling) -> NoiseCeilingEstimate:
        """The same as a result."""
        return NoiseCeilingEstimate(
            metric=ceiling.metric,
            group=self._scope.group,
            class_name=self._scope.class_name,
            lower=ceiling.lower,
            upper=ceiling.upper,
            upper_is_bound=ceiling.upper_is_bound,
            n_annotators=ceiling.n_annotators,
            note=ceiling.note,
        )

    def self_consistencies(self, values: NDArray[np.float64]) -> list[SelfConsistency]:
        """Of all annotators and of each, from values (n_metrics, n_annotators, n_sources) of their later looks."""
        found = []
        for metric, table in zip(
            self._inputs.metrics, values[:, :, self._scope.members], strict=False
        ):
            who = np.flatnonzero(np.isfinite(table).any(axis=1))
            names = [self._inputs.individuals.annotators[i] for i in who]
            rows_of = {None: who} | {n: np.array([i]) for n, i in zip(names, who, strict=True)}
            for name, rows in rows_of.items():
                if who.size:
                    found.append(
                        SelfConsistency(
                            metric=metric.name,
                            group=self._scope.group,
                            class_name=self._scope.class_name,
                            annotator=name,
                            interval=self.interval(
                                mean_over_annotators(table[rows])[None], metric.bounds
                            ),
                            n_annotators=len(rows),
                        )
                    )
        return found


def _above_chance_bounds(metric: Metric) -> tuple[float, float]:
    """Bounds of a metric less its value by chance, so that both intervals end alike."""
    if metric.chance is None:
        return UNBOUNDED
    low, high = metric.bounds
    return low - metric.chance, high - metric.chance


_OF_LABEL = "baselines are not tested with the marks of a label"
_CENTRE_BIAS = (
    "the centre bias of a source is made of the other sources' annotations, so permuting these is not a test "
    "of it"
)
_SIGNED = (
    "within emission maps are tested less what emission explains of them, and this metric does not accept negative "
    "values"
)
_TOO_FEW = "fewer than two sources have a defined value with every partner, over the pixels that are valid for all"
