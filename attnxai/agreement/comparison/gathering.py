"""What a comparison keeps of the pixels of all its sources, or of a block of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from attnxai.agreement.comparison.estimating import ScopeTests, scopes_of
from attnxai.agreement.comparison.null_tests import null_tables
from attnxai.agreement.comparison.once import (
    annotators_of,
    ceilings_of,
    self_consistencies_of,
)
from attnxai.agreement.comparison.tables import Inputs, Values, measure, undefined_values
from attnxai.agreement.results import ALL
from attnxai.alignment.own_emission import left_out_within
from attnxai.explanations.stack import EMISSION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.comparison.null_tests import NullTables
    from attnxai.agreement.comparison.once import AnnotatorsOfVerdict, Once
    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.comparison.strata import KnownOfSources
    from attnxai.agreement.comparison.streams import Streams
    from attnxai.agreement.comparison.totals import TargetTotals
    from attnxai.agreement.estimates import UndefinedValue
    from attnxai.agreement.noise_ceiling.ceiling import NoiseCeiling
    from attnxai.alignment.pairs import AlignedPairs


class SourceBlock(Protocol):
    """Some sources, whose pixels are made when they are asked for; another process gets what they need alone."""

    def pairs(self) -> AlignedPairs:
        """The sources with their pixels."""

    def drawn(self) -> tuple[AlignedPairs, int]:
        """The same without maps and baselines, and the number of marks whose centre lies outside the field."""


class PairSource(Protocol):
    """Aligned pairs of many sources, of which those of a block are made when they are wanted."""

    @property
    def whole(self) -> AlignedPairs:
        """All sources in the order of their ids; their pixels may be missing."""

    def block(self, positions: NDArray[np.intp]) -> SourceBlock:
        """Some of them."""

    def notes(self, *, n_outside: int, any_visible: bool) -> tuple[str, ...]:
        """What was left out or assumed, from what drawing all blocks has shown."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PairsInMemory:
    """Aligned pairs that are there already; a block of them is the same."""

    whole: AlignedPairs

    def block(self, positions: NDArray[np.intp]) -> PairsInMemory:
        """Some of the sources, by their positions."""
        every = positions.size == len(self.whole)
        return self if every else PairsInMemory(self.whole.select(positions))

    def pairs(self) -> AlignedPairs:
        """The pairs."""
        return self.whole

    def drawn(self) -> tuple[AlignedPairs, int]:
        """The pairs; marks outside are counted in their notes already."""
        return self.whole, 0

    def notes(self, *, n_outside: int = 0, any_visible: bool = True) -> tuple[str, ...]:  # noqa: ARG002
        """Those of the pairs."""
        return self.whole.notes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """What is to be gathered of a comparison.

    The values ``within`` emission are gathered beside those of the whole field if the settings ask for them. ``of_label``
    says that the marks are those of one label, of which less is wanted: only tests of maps over the sources that conclusions
    rest on, and neither partial correlations nor noise ceilings, reliability of the annotators, and reasons of undefined values.
    """

    settings: ComparisonSettings
    streams: Streams
    verdict_group: str
    of_label: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gathered:
    """Everything that estimates are made of.

    ``inputs`` have the pixels where all sources were together; ``looks`` are values of later looks (n_metrics,
    n_annotators, n_sources). ``tests`` are by the names of group and class. ``footprint`` says how many pixels are valid
    for all sources and for any, at most.
    """

    inputs: Inputs
    values: Values
    undefined: tuple[UndefinedValue, ...]
    nulls: dict[str, list[NullTables]]
    ceilings: dict[str, NoiseCeiling]
    annotators: AnnotatorsOfVerdict | None
    looks: NDArray[np.float64]
    tests: dict[tuple[str, str], ScopeTests]
    footprint: tuple[int, int]
    n_blocks: int = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What was gathered on the whole field, and within emission if asked for and known.

    ``left_out`` (reason, source) says which sources have too few pixels of emission.
    """

    everywhere: Gathered
    within: Gathered | None
    left_out: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OfBlock:
    """The number of a block, and what its measurement has to know of all sources."""

    number: int
    known_of_all: KnownOfSources
    totals: TargetTotals


def gather(
    pairs: AlignedPairs,
    request: Request,
    once: Once,
    *,
    block: OfBlock | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Found:
    """Measure sources, all of them or those of a block."""
    settings = request.settings
    inputs = Inputs.of(
        pairs,
        settings,
        known_of_all=block.known_of_all if block else None,
        totals=block.totals if block else None,
    )
    if block is not None:
        streams = request.streams.within("block", str(block.number))
        request = dataclasses.replace(request, streams=streams)
    number = block.number if block else None
    known = block.known_of_all if block else None
    everywhere = _measured(inputs, request, once, known, number=number, on_step=on_step)
    if settings.within is None or EMISSION not in inputs.pairs.baselines:
        return Found(everywhere=everywhere, within=None)
    # of a block a single source will do, beside those of others
    on_emission = inputs.within_emission(
        fewest=2 if block is None else 1, totals=block.totals if block else None
    )
    within = None
    if on_emission is not None:
        within = _measured(on_emission, request, once, known, number=number, on_step=lambda: None)
    left_out = sorted(left_out_within(inputs.pairs), key=lambda one: one[1])
    return Found(everywhere=everywhere, within=within, left_out=tuple(left_out))


def _measured(
    inputs: Inputs,
    request: Request,
    once: Once,
    known_of_all: KnownOfSources | None,
    *,
    number: int | None,
    on_step: Callable[[], None],
) -> Gathered:
    """What is kept of all sources, or of the block of this number."""
    settings, streams, verdict_group = request.settings, request.streams, request.verdict_group
    whole, of_label = number is None, request.of_label
    values = measure(inputs, on_step, of_label=of_label)
    undefined = [] if of_label else undefined_values(inputs, values)
    nulls: dict[str, list[NullTables]] = {}
    for null in settings.chosen_nulls if not inputs.on_emission else ():
        for e, name in enumerate(inputs.names[: inputs.n_explanations]):
            nulls.setdefault(name, []).append(null_tables(inputs, null, e, streams))
            on_step()
    several = bool((inputs.individuals.present.sum(axis=0) > 1).any())
    ceilings: dict[str, NoiseCeiling] = {}
    annotators = None
    # a score against a consensus is not one against single annotators, as the ceiling is
    if several and not of_label and settings.consensus is None:
        ceilings = ceilings_of(inputs, settings, once)
    if several and not of_label and not inputs.on_emission:
        annotators = annotators_of(inputs, settings, verdict_group, streams, once)
    tests = {}
    for scope in scopes_of(inputs.pairs, known_of_all):
        main = scope.names == (verdict_group, ALL)
        if of_label and not main:
            continue
        tests[scope.names] = ScopeTests()
        tests[scope.names].run(scope, inputs, values, settings, streams, whole=whole, main=main)
    footprint = int(inputs.common.sum()), int(inputs.pairs.valid.sum(axis=(1, 2)).max())
    looks = self_consistencies_of(inputs, once)
    return Gathered(
        inputs=inputs if whole else _without_pixels(inputs, number),
        # the tables of all pairs are no longer needed
        values=dataclasses.replace(values, pair_means=(), pairs=np.empty(0)),
        undefined=tuple(undefined),
        nulls=nulls,
        ceilings=ceilings,
        annotators=annotators,
        looks=looks,
        tests=tests,
        footprint=footprint,
    )


def _without_pixels(inputs: Inputs, number: int | None) -> Inputs:
    """The facts about the sources of a block, with its number in the names of strata."""
    strata = tuple(
        None
        if s is None
        else (*(s if isinstance(s, tuple) else (s,)), f"block {(number or 0) + 1}")
        for s in inputs.stratified.of_sources
    )
    pairs = inputs.pairs.without_pixels()
    return dataclasses.replace(
        inputs,
        pairs=pairs,
        individuals=inputs.individuals.without_pixels(),
        maps=(),
        targets={},
        permuted_maps=(),
        permuted_targets={},
        elsewhere={},
        stratified=dataclasses.replace(inputs.stratified, of_sources=strata),
    )
