"""The tests of a comparison: the exchange of sources, and the nulls that rearrange each by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.estimates import FurtherTest
from attnxai.agreement.nulls import (
    NULLS,
    NullDraws,
    NullTest,
    SourcePermutation,
    emission_footprint,
    run_null_test,
    usable_sources,
)
from attnxai.agreement.nulls.base import p_values_of
from attnxai.agreement.results import mean_over_annotators
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.comparison.streams import Streams
    from attnxai.agreement.comparison.tables import Inputs
    from attnxai.agreement.metrics.targets import Targets
    from attnxai.agreement.nulls import NullChoice

N_PAIRINGS = 20
"""Pairings of maps with annotations of other sources, by which it is seen whether a null suits the data."""
N_EXCHANGE_PAIRINGS = 200
"""The same for the pooled exchange, of which all values are at hand."""
MIN_PARTNERS = 8
"""Strata of fewer sources on average are no use for that: the same few pairs would come again and again."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeTests:
    """The exchange of sources for one map and metric.

    Parameters
    ----------
    pooled, within_strata : NullTest or None
        The tests; None where they make no sense.
    pooled_rejections_pairing_broken : float or None
        Share of pairings with other sources of the stratum that the pooled test would call significant; None
        where strata are too small to tell.
    within_rejections_pairing_broken : float or None
        Share of pairings with other sources of the stratum and of like size that the test within strata would
        call significant; None where these are too few to tell.
    left_out : ndarray of int
        Positions of the sources that have no value with some partner.
    """

    pooled: NullTest | None
    within_strata: NullTest | None
    pooled_rejections_pairing_broken: float | None
    within_rejections_pairing_broken: float | None
    left_out: NDArray[np.intp]


class SourcePermutationTests:
    """Exchanges sources of one group and class; all maps and metrics share the draws.

    Parameters
    ----------
    inputs : Inputs
        The sources.
    settings : ComparisonSettings
        Number of draws, strata, alternative.
    streams : Streams
        Source of randomness.
    scope : tuple of str
        Names of group and class, for the streams.
    """

    def __init__(
        self, inputs: Inputs, settings: ComparisonSettings, streams: Streams, scope: tuple[str, str]
    ) -> None:
        self._inputs, self._settings = inputs, settings
        self._streams, self._scope = streams, scope
        self._draws: dict[tuple[str, bytes], NullDraws] = {}

    def run(
        self, matrix: NDArray[np.float64], members: NDArray[np.intp], *, in_strata: bool
    ) -> ExchangeTests:
        """Exchange the members, pooled and, if asked for, within strata.

        Parameters
        ----------
        matrix : ndarray, shape (n_sources, n_sources)
            Metric of every source's map with every source's annotation.
        members : ndarray of int
            Positions of the sources.
        in_strata : bool
            Whether to test within strata too.
        """
        counted = members[self._inputs.weights[members] > 0]
        usable = usable_sources(matrix, counted, permutes_sources=True)
        left_out = np.setdiff1d(counted, usable)
        if usable.size < 2:
            return ExchangeTests(
                pooled=None,
                within_strata=None,
                pooled_rejections_pairing_broken=None,
                within_rejections_pairing_broken=None,
                left_out=left_out,
            )
        keys = self._inputs.strata_keys
        pooled = self._test(SourcePermutation(within_strata=False), matrix, usable)
        within = pooled_share = within_share = None
        if in_strata:
            within = self._test(SourcePermutation(within_strata=True, keys=keys), matrix, usable)
            strata = [self._inputs.strata[i] for i in usable]
            pooled_share = self._with_pairing_broken(pooled, matrix, usable, strata)
            # what sources of one stratum can still share, and what every image shows
            halves = [self._inputs.size_halves[i] for i in usable]
            finer = list(zip(strata, halves, strict=True))
            within_share = self._with_pairing_broken(within, matrix, usable, finer)
        return ExchangeTests(
            pooled=pooled,
            within_strata=within,
            pooled_rejections_pairing_broken=pooled_share,
            within_rejections_pairing_broken=within_share,
            left_out=left_out,
        )

    def _with_pairing_broken(
        self,
        test: NullTest,
        matrix: NDArray[np.float64],
        usable: NDArray[np.intp],
        strata: Sequence[Hashable],
    ) -> float | None:
        """How often a test calls maps with annotations of others of their stratum significant."""
        if not large_enough(strata):
            return None
        partners = pair_with_others(
            strata, N_EXCHANGE_PAIRINGS, self._streams.of("pairings", test.null, *self._scope)
        )
        # weights go where annotations go, as in the test itself
        weights = self._inputs.weights[usable][partners]
        values = matrix[np.ix_(usable, usable)][np.arange(usable.size), partners]
        unlinked = (values * weights).sum(axis=1) / weights.sum(axis=1)
        p_values = p_values_of(unlinked, test.values, test.exhaustive, test.alternative)
        return float((p_values <= SIGNIFICANCE_LEVEL).mean())

    def _test(
        self, null: SourcePermutation, matrix: NDArray[np.float64], usable: NDArray[np.intp]
    ) -> NullTest:
        key = (null.name, usable.tobytes())
        if key not in self._draws:
            self._draws[key] = null.draw(
                [self._inputs.strata[i] for i in usable],
                n_draws=self._settings.n_permutations,
                rng=self._streams.of("exchange", null.name, *self._scope),
            )
        return run_null_test(
            matrix[np.ix_(usable, usable)],
            self._draws[key],
            null=null.name,
            weights=self._inputs.weights[usable],
            alternative=self._settings.alternative,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rearranged:
    """The tables of one null and one map: every source under every rearrangement of it.

    Parameters
    ----------
    choice : NullChoice
        The null.
    explanation : str
        The map.
    tables : ndarray, shape (n_metrics, n_sources, n_columns)
        Averaged over annotators; NaN where undefined.
    unlinked : ndarray, shape (n_pairings, n_sources, n_columns)
        The same for the first metric, of maps paired with the annotations of other sources, of their stratum
        where strata are large enough.
    """

    choice: NullChoice
    explanation: str
    tables: NDArray[np.float64]
    unlinked: NDArray[np.float64]


def rearrange(inputs: Inputs, choice: NullChoice, index: int, streams: Streams) -> Rearranged:
    """Make the tables of a null for one map.

    Parameters
    ----------
    inputs : Inputs
        Maps and annotations.
    choice : NullChoice
        The null.
    index : int
        Which map.
    streams : Streams
        Source of randomness.
    """
    name = inputs.names[index]
    valid = inputs.valid
    if choice.within_emission:
        valid = emission_footprint(inputs.pairs.brightness[inputs.order], valid)
    # the same surrogates of every map in both calls: the stream is the same
    tables = choice.model.tables(
        inputs.metrics,
        inputs.maps[index],
        inputs.targets,
        valid,
        rng=streams.of("null", choice.name, name),
    )
    tables[:, ~inputs.present] = np.nan
    unlinked = np.empty((0, *tables.shape[2:]))
    if len(inputs.sources) > 1:
        targets, partners_present = _targets_of_others(inputs, streams)
        unlinked = choice.model.tables(
            inputs.metrics[:1],
            inputs.maps[index],
            targets,
            valid,
            rng=streams.of("null", choice.name, name),
        )[0]
        unlinked[~partners_present] = np.nan
    return Rearranged(
        choice=choice,
        explanation=name,
        tables=mean_over_annotators(tables.transpose(1, 0, 2, 3)),
        unlinked=unlinked,
    )


def _targets_of_others(inputs: Inputs, streams: Streams) -> tuple[Targets, NDArray[np.bool_]]:
    """Annotations of other sources, of the same stratum where these are large enough.

    One pairing a row, one annotator each.
    """
    kind = inputs.metrics[0].target
    targets, present = inputs.targets[kind], inputs.present
    strata = inputs.strata if large_enough(inputs.strata) else [None] * len(inputs.strata)
    partners = pair_with_others(strata, N_PAIRINGS, streams.of("pairings"))
    # those who marked a source come first, and take turns
    who = np.argsort(~present, axis=0, kind="stable")
    turns = np.arange(N_PAIRINGS)[:, None] % np.maximum(present.sum(axis=0)[partners], 1)
    annotators = who[turns, partners]
    made = np.stack([targets[a, row] for a, row in zip(annotators, partners, strict=True)])
    return {kind: made}, np.asarray(present[annotators, partners])


def large_enough(strata: Sequence[Hashable]) -> bool:
    """Whether strata hold enough sources to pair within them, :data:`MIN_PARTNERS` on average.

    Examples
    --------
    >>> large_enough("a" * 8 + "b" * 8), large_enough("a" * 8 + "b" * 7)
    (True, False)
    """
    return len(strata) >= MIN_PARTNERS * len(set(strata))


def pair_with_others(
    strata: Sequence[Hashable], n_pairings: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Pair every source with another one of its stratum, where it can be.

    Parameters
    ----------
    strata : sequence of hashable
        Stratum of every source, two or more. A source that is alone in its stratum is paired with any other.
    n_pairings : int
        How many times.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (n_pairings, n_sources)
        No source is paired with itself.

    Examples
    --------
    >>> pair_with_others("ab", 2, np.random.default_rng(0))
    array([[1, 0],
           [1, 0]])
    """
    n = len(strata)
    partners = np.empty((n_pairings, n), dtype=np.intp)
    groups = [[i for i in range(n) if strata[i] == stratum] for stratum in dict.fromkeys(strata)]
    for group in groups:
        if len(group) == 1:
            partners[:, group[0]] = (group[0] + rng.integers(1, n, size=n_pairings)) % n
            continue
        rings = rng.permuted(np.tile(group, (n_pairings, 1)), axis=1)
        np.put_along_axis(partners, rings, np.roll(rings, 1, axis=1), axis=1)
    return partners


def run_rearranged(
    made: Rearranged,
    inputs: Inputs,
    settings: ComparisonSettings,
    streams: Streams,
    members: NDArray[np.intp],
    metric_index: int,
    scope: tuple[str, str],
) -> FurtherTest:
    """Test one map and metric against a null that rearranges every source by itself."""
    model = made.choice.model
    counted = members[inputs.weights[members] > 0]
    table = made.tables[metric_index]
    usable = usable_sources(table, counted, permutes_sources=False)
    if not usable.size:
        return FurtherTest(
            null=made.choice.name,
            label=made.choice.label,
            test=None,
            reason="no source has a defined value under every rearrangement",
            rejections_pairing_broken=None,
        )
    draws = model.draw(
        [None] * usable.size,
        n_columns=table.shape[1],
        n_draws=settings.n_permutations,
        rng=streams.of("rearranged", made.choice.name, *scope),
    )

    def test(rows: NDArray[np.float64], kept: NDArray[np.bool_]) -> NullTest:
        return run_null_test(
            rows[usable][kept],
            dataclasses.replace(draws, choices=draws.choices[:, kept]),
            null=model.name,
            weights=inputs.weights[usable][kept],
            alternative=settings.alternative,
        )

    rejections_pairing_broken = None
    if metric_index == 0 and draws.smallest_p <= SIGNIFICANCE_LEVEL:
        p_values = []
        for rows in made.unlinked:
            kept = np.isfinite(rows[usable]).all(axis=1)
            # of fewer sources than half a pairing says little about the test of all
            if 2 * kept.sum() >= usable.size:
                p_values.append(test(rows, kept).p_value)
        if p_values:
            rejections_pairing_broken = float((np.array(p_values) <= SIGNIFICANCE_LEVEL).mean())
    tested = test(table, np.ones(usable.size, dtype=bool))
    return FurtherTest(
        null=made.choice.name,
        label=made.choice.label,
        test=tested,
        reason="",
        rejections_pairing_broken=rejections_pairing_broken,
        within_strata=large_enough(inputs.strata) and len(set(inputs.strata)) > 1,
    )


def chosen_nulls(settings: ComparisonSettings) -> list[NullChoice]:
    """The nulls beside the exchange of sources."""
    return [NULLS[name] for name in settings.nulls]
