"""Blocks of sources measured as jobs, in this process, in several, or on other machines."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnxai.agreement.comparison.blocks import BLOCK_SIZE, deal_blocks
from attnxai.agreement.comparison.gathering import Found, OfBlock, Request, SourceBlock, gather
from attnxai.agreement.comparison.joining import InOrder, JoinedBlocks
from attnxai.agreement.comparison.once import Once
from attnxai.agreement.comparison.strata import ANNOTATORS, KnownOfSources
from attnxai.agreement.comparison.totals import TargetTotals
from attnxai.alignment.consensus import with_consensus
from attnxai.errors import AttnxaiError, JobError
from attnxai.jobs.runner import run_jobs
from attnxai.jobs.worker import Job, Report

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnxai.agreement.comparison.gathering import PairSource
    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.comparison.streams import Streams


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Where blocks are measured: in this process, in ``n_workers`` processes, or by those of a Dask ``scheduler``.

    What is found does not depend on it.
    """

    n_workers: int = 1
    scheduler: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Task:
    """A block of sources, what is wanted of it, and for its measurement what it has to know of all."""

    sources: SourceBlock
    request: Request
    of: OfBlock | None = None


def gather_blocks(
    comparisons: Sequence[tuple[str, PairSource, Request]],
    workers: Workers,
    on_step: Callable[[int, int], None],
) -> list[tuple[Found, TargetTotals]]:
    """Gather several comparisons, named for messages, block by block; with the totals of their sources.

    ``on_step`` is called with the numbers of finished jobs and of all.
    """
    blocks = [blocks_of(source, r.settings, r.streams) for _, source, r in comparisons]
    tasks = {
        f"block {b + 1} of {name}": (
            (c, b),
            _Task(sources=source.block(positions), request=request),
        )
        for c, (name, source, request) in enumerate(comparisons)
        for b, positions in enumerate(blocks[c])
    }
    n_done = 0

    def done(name: str) -> tuple[int, int]:
        nonlocal n_done
        n_done += 1
        on_step(n_done, 2 * len(tasks))
        return tasks[name][0]

    summed = [_Totals() for _ in comparisons]

    def add_totals(name: str, totals: TargetTotals) -> None:
        comparison, block = done(name)
        summed[comparison].in_order.add(block, totals)

    _run(_totals, {name: task for name, (_, task) in tasks.items()}, workers, add_totals)
    of_all = [
        (KnownOfSources.of(source.whole), one.total())
        for (_, source, _), one in zip(comparisons, summed, strict=True)
    ]
    measured = {
        name: dataclasses.replace(
            task, of=OfBlock(number=b, known_of_all=of_all[c][0], totals=of_all[c][1])
        )
        for name, ((c, b), task) in tasks.items()
    }
    joined = [JoinedBlocks(len(own)) for own in blocks]

    def add(name: str, found: Found) -> None:
        comparison, block = done(name)
        joined[comparison].add(block, found)

    _run(_measured, measured, workers, add)
    return [(one.joined(), totals) for one, (_, totals) in zip(joined, of_all, strict=True)]


class _Totals:
    """The sum of the totals of blocks, in the order of their numbers."""

    def __init__(self) -> None:
        self._sum: list[TargetTotals] = []
        self.in_order = InOrder(self._add)

    def _add(self, totals: TargetTotals) -> None:
        self._sum = [self._sum[0] + totals] if self._sum else [totals]

    def total(self) -> TargetTotals:
        """The sum of all of them."""
        (total,) = self._sum
        return total


def blocks_of(
    source: PairSource, settings: ComparisonSettings, streams: Streams
) -> list[NDArray[np.intp]]:
    """Positions of the sources of every block."""
    whole = source.whole
    keys: list[Sequence[Hashable]] = [whole.classes, whole.splits]
    for name in settings.strata:
        if name in whole.columns:
            keys.append(whole.columns[name])
        elif name == ANNOTATORS:
            keys.append([marked.tobytes() for marked in whole.present.T])
    size = min(BLOCK_SIZE, settings.most_together)
    groups: list[Hashable] = list(zip(*keys, strict=True))
    # a small split stays in one block, so that its sources have each other as partners whatever their class
    n_of_split = Counter(whole.splits)
    small = {split for split, n in n_of_split.items() if 2 * n <= size < len(whole)}
    groups = [
        split if split in small else group
        for split, group in zip(whole.splits, groups, strict=True)
    ]
    return deal_blocks(groups, streams.of("blocks"), size=size, undivided=small)


def _run(
    function: Callable[[_Task, Report], Any],
    tasks: Mapping[str, _Task],
    workers: Workers,
    on_result: Callable[[str, Any], None],
) -> None:
    jobs = [Job(name=name, function=function, argument=task) for name, task in tasks.items()]
    try:
        run_jobs(
            jobs,
            n_workers=workers.n_workers,
            scheduler=workers.scheduler,
            on_result=on_result,
            keep_results=False,
        )
    except JobError as error:
        # what is wrong with the request is said as it is
        cause = error.__cause__
        if isinstance(cause, AttnxaiError) and not isinstance(cause, JobError):
            raise cause from None
        raise


def _totals(task: _Task, report: Report) -> TargetTotals:
    """Sums of the targets of a block."""
    report()
    settings = task.request.settings
    pairs, n_outside = task.sources.drawn()
    kinds = {metric.target for metric in settings.chosen_metrics if metric.needs_others}
    any_visible = bool((pairs.mask & pairs.valid).any())
    if settings.consensus is not None:
        pairs = with_consensus(pairs, settings.consensus)
    return TargetTotals.of(pairs, sorted(kinds), n_outside=n_outside, any_visible=any_visible)


def _measured(task: _Task, report: Report) -> Found:
    """What is gathered of a block."""
    report()
    return gather(task.sources.pairs(), task.request, Once(), block=task.of)
