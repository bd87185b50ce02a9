"""What was gathered of blocks of sources, put together as if the sources had been measured at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.comparison.estimating import ScopeTests
from attnxai.agreement.comparison.gathering import Found, Gathered
from attnxai.agreement.comparison.null_tests import NullTables
from attnxai.agreement.comparison.tables import Inputs, Values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.comparison.once import AnnotatorsOfVerdict
    from attnxai.agreement.estimates import UndefinedValue
    from attnxai.agreement.noise_ceiling.ceiling import NoiseCeiling


class JoinedBlocks:
    """The sums of the tests of blocks, in the order of their numbers, and what else was gathered put together."""

    def __init__(self) -> None:
        self._n_blocks = 0
        self._everywhere, self._within = _Sums(), _Sums()

    def add(self, found: Found) -> Found:
        """Add the next block, and return what is left of it: the tests are large, and only their sums are kept."""
        self._n_blocks += 1
        return dataclasses.replace(
            found,
            everywhere=self._everywhere.add(found.everywhere),
            within=None if found.within is None else self._within.add(found.within),
        )

    def joined(self, found: Iterable[Found]) -> Found:
        """All blocks, given what :meth:`add` returned of each; the sources in the order of their ids."""
        everywhere: list[Gathered] = []
        within: list[Gathered] = []
        left_out: list[tuple[str, str]] = []
        for of_block in found:
            everywhere.append(of_block.everywhere)
            within += [] if of_block.within is None else [of_block.within]
            left_out += of_block.left_out
        several = sum(len(part.inputs.pairs) for part in within) > 1
        return Found(
            everywhere=self._everywhere.joined(everywhere, self._n_blocks),
            within=self._within.joined(within, self._n_blocks) if several else None,
            left_out=tuple(sorted(left_out, key=lambda one: one[1])),
        )


class _Sums:
    """Sums of the tests of blocks, and of the reliability of the annotators."""

    def __init__(self) -> None:
        self._tests: dict[tuple[str, str], ScopeTests] = {}
        self._annotators: AnnotatorsOfVerdict | None = None

    def add(self, part: Gathered) -> Gathered:
        """Add the next block, and return what is left of it."""
        for names, of_block in part.tests.items():
            self._tests.setdefault(names, ScopeTests()).join(of_block)
        if part.annotators is not None:
            self._annotators = (
                self._annotators + part.annotators if self._annotators else part.annotators
            )
        return dataclasses.replace(part, tests={}, annotators=None)

    def joined(self, parts: Sequence[Gathered], n_blocks: int) -> Gathered:
        first = parts[0]
        inputs, order = _joined_inputs([part.inputs for part in parts])

        def along(arrays: Iterator[NDArray[np.float64]], axis: int = -1) -> NDArray[np.float64]:
            return np.take(np.concatenate(list(arrays), axis=axis), order, axis=axis)

        has_looks = any(len(part.looks) for part in parts)
        looks = along(
            part.looks
            if len(part.looks)
            else np.full((len(inputs.metrics), *part.inputs.individuals.present.shape), np.nan)
            for part in parts
        )
        undefined = [one for part in parts for one in part.undefined]
        return Gathered(
            inputs=inputs,
            values=Values(
                own=along(part.values.own for part in parts),
                chance=along(part.values.chance for part in parts),
                pair_means=(),
                pairs=np.empty(0),
                partial_correlations=along(part.values.partial_correlations for part in parts),
            ),
            undefined=tuple(sorted(undefined, key=_order_of_undefined(inputs))),
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
            ceilings=_joined_ceilings(parts, order),
            annotators=self._annotators,
            looks=looks if has_looks else looks[:0],
            tests=self._tests,
            footprint=(
                min(part.footprint[0] for part in parts),
                max(part.footprint[1] for part in parts),
            ),
            n_blocks=n_blocks,
        )


def _order_of_undefined(inputs: Inputs) -> Callable[[UndefinedValue], tuple[int, ...]]:
    """The order of undefined values of all sources together: by metric, map, annotator and source."""
    places = [
        {name: i for i, name in enumerate(names)}
        for names in (
            [metric.name for metric in inputs.metrics],
            inputs.names,
            inputs.pairs.annotators,
            inputs.pairs.sources,
        )
    ]

    def key(one: UndefinedValue) -> tuple[int, ...]:
        found = one.metric, one.explanation, one.annotator, one.source
        # partial correlations come last
        return tuple(at.get(name, len(at)) for at, name in zip(places, found, strict=True))

    return key


def _joined_ceilings(parts: Sequence[Gathered], order: NDArray[np.intp]) -> dict[str, NoiseCeiling]:
    """Noise ceilings of all sources; a block in which nobody shares a source has none."""
    none = [np.full(part.inputs.pairs.present.shape, np.nan) for part in parts]
    ceilings = {}
    for name, ceiling in next((p.ceilings for p in parts if p.ceilings), {}).items():
        of_blocks = [part.ceilings.get(name) for part in parts]
        lower = [c.lower_values if c else e for c, e in zip(of_blocks, none, strict=True)]
        upper = [c.upper_values if c else e for c, e in zip(of_blocks, none, strict=True)]
        ceilings[name] = dataclasses.replace(
            ceiling,
            lower_values=np.take(np.concatenate(lower, axis=-1), order, axis=-1),
            upper_values=np.take(np.concatenate(upper, axis=-1), order, axis=-1),
        )
    return ceilings


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
