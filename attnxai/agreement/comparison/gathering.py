"""What a comparison keeps of the pixels: measured for all sources at once, or block by block."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from attnxai.agreement.comparison.blocks import BLOCK_SIZE, deal_blocks
from attnxai.agreement.comparison.estimating import ScopeTests, scopes_of
from attnxai.agreement.comparison.null_tests import NullTables, null_tables
from attnxai.agreement.comparison.once import (
    Once,
    annotators_of,
    ceilings_of,
    self_consistencies_of,
)
from attnxai.agreement.comparison.strata import ANNOTATORS
from attnxai.agreement.comparison.streams import Streams
from attnxai.agreement.comparison.tables import Inputs, Values, measure, undefined_values
from attnxai.agreement.comparison.totals import TargetTotals
from attnxai.agreement.results import ALL
from attnxai.alignment.consensus import with_consensus
from attnxai.alignment.own_emission import left_out_within

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from attnxai.agreement.comparison.once import AnnotatorsOfVerdict
    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.estimates import UndefinedValue
    from attnxai.agreement.noise_ceiling.ceiling import NoiseCeiling
    from attnxai.alignment.pairs import AlignedPairs


class PairSource(Protocol):
    """Aligned pairs of many sources, of which those of a block are made when they are wanted."""

    @property
    def whole(self) -> AlignedPairs:
        """All sources in the order of their ids; their pixels may be missing."""

    def block(self, positions: NDArray[np.intp]) -> AlignedPairs:
        """Some of them, with their pixels."""

    def notes(self) -> tuple[str, ...]:
        """What was left out or assumed, once all blocks were made."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PairsInMemory:
    """Aligned pairs that are there already."""

    whole: AlignedPairs

    def block(self, positions: NDArray[np.intp]) -> AlignedPairs:
        """Some of the sources, by their positions."""
        return self.whole if positions.size == len(self.whole) else self.whole.select(positions)

    def notes(self) -> tuple[str, ...]:
        """Those of the pairs."""
        return self.whole.notes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gathered:
    """Everything that estimates are made of.

    ``inputs`` have the pixels where all sources were together; ``looks`` are values of later looks (n_metrics,
    n_annotators, n_sources). ``tests`` are by the names of group and class. ``footprint`` says how many pixels are valid
    for all sources and for any, at most; ``left_out`` (reason, source) which sources have no pixels to compare.
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
    left_out: tuple[tuple[str, str], ...] = ()
    n_blocks: int = 1


def blocks_of(
    source: PairSource, settings: ComparisonSettings, streams: Streams
) -> list[NDArray[np.intp]]:
    """Positions of the sources of every block; a single one of all sources where they are few enough."""
    whole = source.whole
    if len(whole) <= settings.most_together:
        return [np.arange(len(whole))]
    keys: list[Sequence[Hashable]] = [whole.classes, whole.splits]
    for name in settings.strata:
        if name in whole.columns:
            keys.append(whole.columns[name])
        elif name == ANNOTATORS:
            keys.append([marked.tobytes() for marked in whole.present.T])
    groups = list(zip(*keys, strict=True))
    return deal_blocks(groups, streams.of("blocks"), size=min(BLOCK_SIZE, settings.most_together))


def gather(
    source: PairSource,
    settings: ComparisonSettings,
    streams: Streams,
    once: Once,
    *,
    verdict_group: str,
    within: bool = False,
    partial: bool = True,
    on_step: Callable[[], None] = lambda: None,
) -> Gathered | None:
    """Measure all sources, those of one block after those of another; None where ``within`` emission are fewer than two."""
    blocks = blocks_of(source, settings, streams)
    alone = len(blocks) == 1
    totals = None
    if not alone:
        totals = TargetTotals({m.target for m in settings.chosen_metrics if m.needs_others})
        for positions in blocks:
            pairs = source.block(positions)
            totals.add(
                pairs if settings.consensus is None else with_consensus(pairs, settings.consensus)
            )
    parts: list[Gathered] = []
    left_out: list[tuple[str, str]] = []
    for number, positions in enumerate(blocks):
        inputs: Inputs | None = Inputs.of(
            source.block(positions),
            settings,
            whole=None if alone else source.whole,
            totals=totals,
        )
        if within and inputs is not None:
            left_out += left_out_within(inputs.pairs)
            inputs = inputs.within_emission()
        if inputs is None:
            continue
        own = streams if alone else Streams(streams.of("block", str(number)))
        gathered = _measured(
            inputs,
            settings,
            own,
            once if alone else Once(),
            verdict_group=verdict_group,
            partial=partial,
            number=None if alone else number,
            on_step=on_step,
        )
        parts.append(gathered)
    if not parts:
        return None
    found = parts[0] if alone else _joined(parts)
    left_out.sort(key=lambda one: one[1])
    return dataclasses.replace(found, left_out=tuple(left_out), n_blocks=len(blocks))


def _measured(
    inputs: Inputs,
    settings: ComparisonSettings,
    streams: Streams,
    once: Once,
    *,
    verdict_group: str,
    partial: bool,
    number: int | None,
    on_step: Callable[[], None],
) -> Gathered:
    """What is kept of all sources, or of the block of this number."""
    whole = number is None
    values = measure(inputs, on_step, partial=partial)
    undefined = undefined_values(inputs, values)
    nulls: dict[str, list[NullTables]] = {}
    for null in settings.chosen_nulls if not inputs.within else ():
        for e, name in enumerate(inputs.names[: inputs.n_explanations]):
            nulls.setdefault(name, []).append(null_tables(inputs, null, e, streams))
            on_step()
    several = bool((inputs.individuals.present.sum(axis=0) > 1).any())
    ceilings: dict[str, NoiseCeiling] = {}
    annotators = None
    # a score against a consensus is not one against single annotators, as the ceiling is
    if several and partial and settings.consensus is None:
        ceilings = ceilings_of(inputs, settings, once)
    if several and partial and inputs.within is None:
        annotators = annotators_of(inputs, settings, verdict_group, streams, once)
    tests = {}
    for scope in scopes_of(inputs.pairs):
        main = scope.names == (verdict_group, ALL)
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


def _joined(parts: Sequence[Gathered]) -> Gathered:
    """Blocks put together, the sources in the order of their ids again."""
    first = parts[0]
    inputs, order = _joined_inputs([part.inputs for part in parts])

    def along(arrays: Iterator[NDArray[np.float64]], axis: int = -1) -> NDArray[np.float64]:
        return np.take(np.concatenate(list(arrays), axis=axis), order, axis=axis)

    tests: dict[tuple[str, str], ScopeTests] = {}
    for part in parts:
        for names, of_block in part.tests.items():
            tests.setdefault(names, ScopeTests()).join(of_block)
    annotators = None
    for part in parts:
        if part.annotators is not None:
            annotators = annotators + part.annotators if annotators else part.annotators
    ceilings = {}
    for name, ceiling in next((p.ceilings for p in parts if p.ceilings), {}).items():
        of_blocks = [p.ceilings.get(name) for p in parts]
        none = [np.full(p.inputs.pairs.present.shape, np.nan) for p in parts]
        ceilings[name] = dataclasses.replace(
            ceiling,
            lower_values=along(
                c.lower_values if c else empty for c, empty in zip(of_blocks, none, strict=True)
            ),
            upper_values=along(
                c.upper_values if c else empty for c, empty in zip(of_blocks, none, strict=True)
            ),
        )
    has_looks = any(len(part.looks) for part in parts)
    looks = along(
        part.looks
        if len(part.looks)
        else np.full((len(inputs.metrics), *part.inputs.individuals.present.shape), np.nan)
        for part in parts
    )
    place = {source: i for i, source in enumerate(inputs.pairs.sources)}
    return Gathered(
        inputs=inputs,
        values=Values(
            own=along(part.values.own for part in parts),
            chance=along(part.values.chance for part in parts),
            pair_means=(),
            pairs=np.empty(0),
            partial_correlations=along(part.values.partial_correlations for part in parts),
        ),
        undefined=tuple(
            sorted((u for part in parts for u in part.undefined), key=lambda u: place[u.source])
        ),
        nulls={
            name: [
                NullTables(
                    null=made.null,
                    tables=along((p.nulls[name][k].tables for p in parts), 1),
                    pairing_broken=along((p.nulls[name][k].pairing_broken for p in parts), 1),
                )
                for k, made in enumerate(first.nulls[name])
            ]
            for name in first.nulls
        },
        ceilings=ceilings,
        annotators=annotators,
        looks=looks if has_looks else looks[:0],
        tests=tests,
        footprint=(
            min(part.footprint[0] for part in parts),
            max(part.footprint[1] for part in parts),
        ),
    )


def _joined_inputs(parts: Sequence[Inputs]) -> tuple[Inputs, NDArray[np.intp]]:
    """The facts about all sources in the order of their ids, and that order among those of the blocks."""
    first, *others = parts
    pairs = first.pairs.join([other.pairs for other in others])
    individuals = first.individuals.join([other.individuals for other in others])
    order = np.argsort(np.array(pairs.sources), kind="stable")
    strata = [stratum for part in parts for stratum in part.stratified.of_sources]
    joined = dataclasses.replace(
        first,
        pairs=pairs.select(order),
        individuals=individuals.in_order(),
        sizes=np.concatenate([part.sizes for part in parts])[order],
        stratified=dataclasses.replace(
            first.stratified, of_sources=tuple(strata[i] for i in order)
        ),
    )
    return joined, order
