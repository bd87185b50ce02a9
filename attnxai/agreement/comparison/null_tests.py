"""The tests of a comparison: permutation across sources, and nulls of surrogate maps of each source."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from attnxai.agreement.estimates import FurtherTest
from attnxai.errors import OptionError
from attnxai.nulls import (
    NullDraws,
    NullTest,
    SourcePermutation,
    emission_footprint,
    quantile_strata,
    run_null_test,
    usable_sources,
)
from attnxai.nulls.p_values import NullMeans, null_means, p_values_of
from attnxai.statistics.bootstrap import mean_over_annotators
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.comparison.streams import Streams
    from attnxai.agreement.comparison.tables import Inputs
    from attnxai.metrics import Metric
    from attnxai.metrics.targets import Targets
    from attnxai.nulls import Alternative, NullModel

_Means = TypeVar("_Means", "NullMeans", "Pairings")
N_PAIRINGS = 20
"""Pairings of maps with annotations of other sources, by which a null is checked on the data."""
N_PERMUTATION_PAIRINGS = 200
"""The same for the permutation across sources, of which all values are known."""
N_REFERENCE_PAIRINGS = 2_000
"""Pairings within strata that those are judged by."""
MIN_PARTNERS = 8
"""Sources that strata need on average for such pairings: fewer have the same few pairs again and again."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PermutationTests:
    """The permutation across sources for one map and metric; a test is None where it does not apply.

    Each test has its false positive rate with the pairing broken: among pairings that keep what sources of a stratum (for
    the test within strata, those of similar size in it) have in common, the share that lies beyond 95 % of the pairings
    that the test compares with. Nobody has its own annotation in either. It is 5 % where sources have nothing more in
    common, and None where strata are too small to tell or cannot be divided. ``p_within_size`` is the p-value of the
    permutation within halves of size of each stratum. ``left_out`` are ids of sources that have no value with some
    partner.
    """

    pooled: NullTest | None = None
    within_strata: NullTest | None = None
    pooled_rejections_pairing_broken: float | None = None
    within_rejections_pairing_broken: float | None = None
    p_within_size: float | None = None
    left_out: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairings:
    """Means of pairings of a test, and of those of sources that have more in common."""

    reference: NDArray[np.float64]
    paired: NDArray[np.float64]
    weight: float

    def __add__(self, other: Pairings) -> Pairings:
        weight = self.weight + other.weight
        own, theirs = self.weight / weight, other.weight / weight
        return Pairings(
            reference=own * self.reference + theirs * other.reference,
            paired=own * self.paired + theirs * other.paired,
            weight=weight,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PermutationMeans:
    """What :class:`PermutationTests` are made of, over the sources of a block; those of blocks can be added.

    ``strata`` are those of the sources, which are ``of_class`` if they are of one class.
    """

    pooled: NullMeans | None = None
    within_strata: NullMeans | None = None
    within_size: NullMeans | None = None
    pooled_pairings: Pairings | None = None
    within_pairings: Pairings | None = None
    left_out: tuple[str, ...] = ()
    strata: frozenset[Hashable] = frozenset()
    of_class: bool = False

    def __add__(self, other: PermutationMeans) -> PermutationMeans:
        by_size = None
        if self.within_size or other.within_size:  # a stratum that has no halves is permuted whole
            by_size = _add(
                self.within_size or self.within_strata, other.within_size or other.within_strata
            )
        return PermutationMeans(
            pooled=_add(self.pooled, other.pooled),
            within_strata=_add(self.within_strata, other.within_strata),
            within_size=by_size,
            pooled_pairings=_add(self.pooled_pairings, other.pooled_pairings),
            within_pairings=_add(self.within_pairings, other.within_pairings),
            left_out=tuple(sorted((*self.left_out, *other.left_out))),
            strata=self.strata | other.strata,
            of_class=self.of_class,
        )

    def tests(self, alternative: Alternative) -> PermutationTests:
        """The tests over all sources of these means."""
        if self.pooled is None or self.pooled.n_sources < 2:
            return PermutationTests(left_out=self.left_out)
        pooled = self.pooled.test(alternative)
        # of one stratum alone, permuting within strata is permuting all
        stratified = self.strata != {None} and not (self.of_class and len(self.strata) < 2)
        within = by_size = None
        if stratified and self.within_strata is not None:
            within = self.within_strata.test(alternative)
            by_size = self.within_size
        return PermutationTests(
            pooled=pooled,
            within_strata=within,
            pooled_rejections_pairing_broken=_rejections(pooled, self.pooled_pairings),
            within_rejections_pairing_broken=_rejections(within, self.within_pairings),
            p_within_size=by_size.test(alternative).p_value if by_size else None,
            left_out=self.left_out,
        )


def _add(first: _Means | None, second: _Means | None) -> _Means | None:
    return first + second if first and second else first or second


def _rejections(test: NullTest | None, pairings: Pairings | None) -> float | None:
    """How often a test rejects for maps paired with annotations of others that have more in common."""
    if test is None or pairings is None or not test.can_reject():
        return None
    # not by the permutations of the test, in which some sources have their own annotation
    p_values = p_values_of(pairings.paired, pairings.reference, False, test.alternative)
    return float((p_values <= SIGNIFICANCE_LEVEL).mean())


class SourcePermutationTests:
    """Permutes the sources of one scope (names of split and class); all maps and metrics share the draws.

    Unless the inputs are the ``whole``, their means are to be added to those of other blocks of sources.
    """

    def __init__(
        self,
        inputs: Inputs,
        settings: ComparisonSettings,
        streams: Streams,
        scope: tuple[str, str],
        *,
        whole: bool = True,
    ) -> None:
        self._inputs, self._settings = inputs, settings
        self._streams, self._scope, self._whole = streams, scope, whole
        self._draws: dict[tuple[str, bytes], NullDraws] = {}
        self._pairings: dict[tuple[str, bytes], list[NDArray[np.intp]] | None] = {}

    def run(
        self,
        matrix: NDArray[np.float64],
        members: NDArray[np.intp],
        *,
        in_strata: bool,
        of_class: bool = False,
    ) -> PermutationMeans:
        """Permute the members (positions of sources, which may be ``of_class``), pooled and, if asked for, within strata.

        ``matrix``, shape (n_sources, n_sources), holds the metric of every source's map with every source's annotation.
        """
        counted = members[self._inputs.pairs.source_weights[members] > 0]
        usable = usable_sources(matrix, counted, permutes_sources=True)
        sources = self._inputs.pairs.sources
        left_out = tuple(sources[i] for i in np.setdiff1d(counted, usable))
        # one source of a block keeps its own annotation, beside those of other blocks
        strata = frozenset(self._inputs.stratified.of_sources[i] for i in members)
        if self._whole and (strata == {None} or (of_class and len(strata) < 2)):
            in_strata = False
        about = PermutationMeans(left_out=left_out, strata=strata, of_class=of_class)
        if usable.size < (2 if self._whole else 1):
            return about
        pooled = self._test(SourcePermutation(within_strata=False), matrix, usable)
        if not in_strata:
            return dataclasses.replace(about, pooled=pooled)
        within = self._test(SourcePermutation(keys=self._inputs.stratified.keys), matrix, usable)
        return dataclasses.replace(
            about,
            pooled=pooled,
            within_strata=within,
            within_size=self._within_size(matrix, usable),
            pooled_pairings=self._means_of_pairings(pooled.null, matrix, usable),
            within_pairings=self._means_of_pairings(within.null, matrix, usable),
        )

    def _means_of_pairings(
        self, null: str, matrix: NDArray[np.float64], usable: NDArray[np.intp]
    ) -> Pairings | None:
        key = (null, usable.tobytes())
        if key not in self._pairings:
            self._pairings[key] = self._pairings_of(null, usable)
        pairings = self._pairings[key]
        if pairings is None:
            return None
        table, weights = matrix[np.ix_(usable, usable)], self._inputs.pairs.source_weights[usable]
        means = []
        for partners in pairings:
            # weights go with annotations, as in the test itself
            values = table[np.arange(usable.size), partners]
            weighted = weights[partners]
            means.append((values * weighted).sum(axis=1) / weighted.sum(axis=1))
        return Pairings(reference=means[0], paired=means[1], weight=float(weights.sum()))

    def _pairings_of(self, null: str, usable: NDArray[np.intp]) -> list[NDArray[np.intp]] | None:
        """Pairings as a test makes them, and those of sources that have more in common; None where there are none."""
        strata = [self._inputs.stratified.of_sources[i] for i in usable]
        pooled = null == SourcePermutation(within_strata=False).label
        wide: Sequence[Hashable] = [None] * len(strata) if pooled else strata
        narrow = strata if pooled else self._halves(usable)
        if not large_enough(narrow) or (not pooled and len(set(narrow)) == len(set(wide))):
            return None
        rng = self._streams.of("pairings", null, *self._scope)
        return [
            pair_with_others(kinds, n, rng, keep_single=not pooled)
            for kinds, n in ((wide, N_REFERENCE_PAIRINGS), (narrow, N_PERMUTATION_PAIRINGS))
        ]

    def _halves(self, usable: NDArray[np.intp]) -> list[tuple[Hashable, int | None]]:
        """Strata and halves of size: what sources of one stratum can still share, and what every image shows."""
        strata = [self._inputs.stratified.of_sources[i] for i in usable]
        return halve_strata(strata, [self._inputs.sizes[i] for i in usable])

    def _within_size(
        self, matrix: NDArray[np.float64], usable: NDArray[np.intp]
    ) -> NullMeans | None:
        halves = self._halves(usable)
        if not any(half is not None for _, half in halves):
            return None
        null = SourcePermutation(keys=(*self._inputs.stratified.keys, "half of size"))
        return self._test(null, matrix, usable, halves)

    def _test(
        self,
        null: SourcePermutation,
        matrix: NDArray[np.float64],
        usable: NDArray[np.intp],
        strata: Sequence[Hashable] | None = None,
    ) -> NullMeans:
        key = (null.label, usable.tobytes())
        if key not in self._draws:
            self._draws[key] = null.draw(
                strata or [self._inputs.stratified.of_sources[i] for i in usable],
                n_draws=self._settings.n_permutations,
                rng=self._streams.of("exchange", null.label, *self._scope),
                all_if_few=self._whole,
            )
        return null_means(
            matrix[np.ix_(usable, usable)],
            self._draws[key],
            null=null.label,
            weights=self._inputs.pairs.source_weights[usable],
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NullTables:
    """All surrogate maps of every source, by one null, for one map.

    ``tables``, shape (n_metrics, n_sources, n_columns), are means over annotators, NaN where undefined.
    ``pairing_broken``, shape (n_pairings, n_sources, n_columns), is the same for the first metric and maps paired with
    annotations of other sources, of their stratum where strata are large enough.
    """

    null: NullModel
    tables: NDArray[np.float64]
    pairing_broken: NDArray[np.float64]


def null_tables(inputs: Inputs, null: NullModel, index: int, streams: Streams) -> NullTables:
    """Compute the tables of a null that has surrogate maps of every source, for the map at this position."""
    maps, valid = inputs.maps[index], inputs.pairs.valid
    if null.within_emission:
        valid = emission_footprint(inputs.pairs.brightness, valid)

    def values(
        metrics: Sequence[Metric], targets: Targets, present: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        # the same surrogates in every call: the stream is the same
        rng = streams.of("null", null.name, inputs.names[index])
        try:
            tables = np.array(null.tables(metrics, maps, targets, valid, rng=rng), np.float64)
        except OptionError as error:
            raise OptionError(f"null {null.name}: {error}") from error
        shape = (len(metrics), *present.shape)
        if tables.shape[:-1] != shape or not tables.size:
            raise OptionError(
                f"null {null.name}: tables returned an array of shape {tables.shape}; it should be (n_metrics, "
                f"n_annotators, n_sources, n_columns), here ({', '.join(map(str, shape))}, n_columns)"
            )
        tables[:, ~present] = np.nan
        return tables

    tables = values(inputs.metrics, inputs.targets, inputs.pairs.present)
    pairing_broken = np.empty((0, *tables.shape[2:]))
    if len(inputs.pairs.sources) > 1:
        pairing_broken = values(inputs.metrics[:1], *_targets_of_others(inputs, streams))[0]
    return NullTables(
        null=null,
        tables=mean_over_annotators(tables.transpose(1, 0, 2, 3)),
        pairing_broken=pairing_broken,
    )


def _targets_of_others(inputs: Inputs, streams: Streams) -> tuple[Targets, NDArray[np.bool_]]:
    """Annotations of other sources, of the same stratum where strata are large enough, and which exist.

    Each row is one pairing, of one annotator each.
    """
    kind = inputs.metrics[0].target
    targets, present = inputs.targets[kind], inputs.pairs.present
    strata = (
        inputs.stratified.of_sources
        if large_enough(inputs.stratified.of_sources)
        else [None] * len(inputs.stratified.of_sources)
    )
    partners = pair_with_others(strata, N_PAIRINGS, streams.of("pairings"))
    # annotators who marked a source come first, and take turns
    who = np.argsort(~present, axis=0, kind="stable")
    turns = np.arange(N_PAIRINGS)[:, None] % np.maximum(present.sum(axis=0)[partners], 1)
    annotators = who[turns, partners]
    made = np.stack([targets[a, row] for a, row in zip(annotators, partners, strict=True)])
    return {kind: made}, np.asarray(present[annotators, partners])


def large_enough(strata: Sequence[Hashable]) -> bool:
    """Whether strata of two sources or more hold :data:`MIN_PARTNERS` on average, to pair within them."""
    sizes = [n for n in Counter(strata).values() if n > 1]
    return bool(sizes) and sum(sizes) >= MIN_PARTNERS * len(sizes)


def halve_strata(
    strata: Sequence[Hashable], sizes: Sequence[float]
) -> list[tuple[Hashable, int | None]]:
    """Strata divided at the median size of each, except where sizes are equal or a part would be a single source."""
    halves: list[int | None] = [None] * len(strata)
    for stratum in dict.fromkeys(strata):
        members = [i for i, other in enumerate(strata) if other == stratum]
        parts = quantile_strata([sizes[i] for i in members], n_bins=2)
        sources_of_part = Counter(parts)
        if len(sources_of_part) > 1 and 1 not in sources_of_part.values():
            for i, part in zip(members, parts, strict=True):
                halves[i] = part
    return list(zip(strata, halves, strict=True))


def pair_with_others(
    strata: Sequence[Hashable],
    n_pairings: int,
    rng: np.random.Generator,
    *,
    keep_single: bool = False,
) -> NDArray[np.intp]:
    """Pair every source with another one of its stratum, shape (n_pairings, n_sources).

    A source that is alone in its stratum is paired with any other or, with ``keep_single``, with itself, as it is
    in every permutation within strata.
    """
    n = len(strata)
    partners = np.empty((n_pairings, n), dtype=np.intp)
    groups = [[i for i in range(n) if strata[i] == stratum] for stratum in dict.fromkeys(strata)]
    for group in groups:
        if len(group) == 1:
            steps = 0 if keep_single else rng.integers(1, n, size=n_pairings)
            partners[:, group[0]] = (group[0] + steps) % n
            continue
        rings = rng.permuted(np.tile(group, (n_pairings, 1)), axis=1)
        np.put_along_axis(partners, rings, np.roll(rings, 1, axis=1), axis=1)
    return partners


def run_sourcewise_test(
    made: NullTables,
    inputs: Inputs,
    settings: ComparisonSettings,
    streams: Streams,
    members: NDArray[np.intp],
    metric_index: int,
    scope: tuple[str, str],
) -> FurtherTest:
    """Test one map and metric against a null of surrogate maps."""
    null = made.null
    counted = members[inputs.pairs.source_weights[members] > 0]
    table = made.tables[metric_index]
    usable = usable_sources(table, counted, permutes_sources=False)
    if not usable.size:
        return FurtherTest(
            null=null.name,
            label=null.label,
            test=None,
            reason="no source has a defined value for all of its surrogate maps",
            rejections_pairing_broken=None,
        )
    draws = null.draw(
        [None] * usable.size,
        n_columns=table.shape[1],
        n_draws=settings.n_permutations,
        rng=streams.of("rearranged", null.name, *scope),
    )

    def test(rows: NDArray[np.float64], kept: NDArray[np.bool_]) -> NullTest:
        return run_null_test(
            rows[usable][kept],
            dataclasses.replace(draws, choices=draws.choices[:, kept]),
            null=null.label,
            weights=inputs.pairs.source_weights[usable][kept],
            alternative=settings.alternative,
        )

    rejections_pairing_broken, p_values = None, []
    if metric_index == 0 and draws.smallest_p <= SIGNIFICANCE_LEVEL:
        for rows in made.pairing_broken:
            kept = np.isfinite(rows[usable]).all(axis=1)
            # a pairing of fewer than half the sources says little about the test of all
            if 2 * kept.sum() >= usable.size:
                p_values.append(test(rows, kept).p_value)
        if p_values:
            rejections_pairing_broken = float((np.array(p_values) <= SIGNIFICANCE_LEVEL).mean())
    return FurtherTest(
        null=null.name,
        label=null.label,
        test=test(table, np.ones(usable.size, dtype=bool)),
        reason="",
        rejections_pairing_broken=rejections_pairing_broken,
        n_pairings=len(p_values),
        within_strata=large_enough(inputs.stratified.of_sources)
        and len(set(inputs.stratified.of_sources)) > 1,
    )
