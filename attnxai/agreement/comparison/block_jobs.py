"""Blocks of sources measured as jobs, in this process, in several, or on other machines."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attnxai.agreement.comparison.blocks import BLOCK_SIZE, deal_blocks
from attnxai.agreement.comparison.gathering import Found, OfBlock, Request, SourceBlock, gather
from attnxai.agreement.comparison.joining import JoinedBlocks
from attnxai.agreement.comparison.kept_sums import KeptSum, SumOfBlocks
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

_Sum = TypeVar("_Sum", bound=SumOfBlocks)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Where blocks are measured: in this process, in ``n_workers`` processes, or by those of a Dask ``scheduler``.

    What is found does not depend on it. In ``resume_folder`` lies what was found of finished blocks, from which the same
    call goes on; not with code of others, such as plug-ins, which can have changed without a sign.
    """

    n_workers: int = 1
    scheduler: str | None = None
    resume_folder: str | Path | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Task:
    """A block of sources, what is wanted of it, and for its measurement what it has to know of all.

    The block is made when it is wanted; another process gets it made.
    """

    block: Callable[[], SourceBlock]
    request: Request
    of: OfBlock | None = None

    def __reduce__(self) -> Any:
        return _with_block, (self.block(), self.request, self.of)

    def made_from(self, what: str) -> tuple[Any, ...]:
        """Everything that a result of this name is made from."""
        of = self.of
        known = () if of is None else (of.number, of.known_of_all, of.totals)
        return what, self.block(), self.request, *known


def _with_block(block: SourceBlock, request: Request, of: OfBlock | None) -> _Task:
    return _Task(block=lambda: block, request=request, of=of)


def gather_blocks(
    comparisons: Sequence[tuple[str, PairSource, Request]],
    workers: Workers,
    on_step: Callable[[int, int], None],
) -> list[tuple[Callable[[], Found], TargetTotals]]:
    """Gather several comparisons, named for messages, block by block.

    For each what makes its result, once, of what was kept on disk, and the totals of its sources. ``on_step`` is called with the
    numbers of finished jobs and of all.
    """
    names = [name for name, _, _ in comparisons]
    tasks = [
        [
            _Task(block=functools.partial(source.block, positions), request=request)
            for positions in blocks_of(source, request.settings, request.streams)
        ]
        for _, source, request in comparisons
    ]
    n_blocks = sum(map(len, tasks))

    def first_step(n_done: int) -> None:
        on_step(n_done, 2 * n_blocks)

    summed = _run(_totals, names, tasks, [_Totals() for _ in names], workers, first_step)
    totals = [kept.sum.total() for kept in summed]
    measured = []
    for own, total, (_, source, _) in zip(tasks, totals, comparisons, strict=True):
        known = KnownOfSources.of(source.whole)
        measured.append(
            [
                dataclasses.replace(task, of=OfBlock(number=b, known_of_all=known, totals=total))
                for b, task in enumerate(own)
            ]
        )

    def second_step(n_done: int) -> None:
        on_step(n_blocks + n_done, 2 * n_blocks)

    joined = _run(_measured, names, measured, [JoinedBlocks() for _ in names], workers, second_step)
    return [
        (functools.partial(_joined, kept), total)
        for kept, total in zip(joined, totals, strict=True)
    ]


def _joined(kept: KeptSum[JoinedBlocks]) -> Found:
    with contextlib.closing(kept):
        return kept.sum.joined(kept.values)


class _Totals:
    """The sum of the totals of blocks."""

    def __init__(self) -> None:
        self._sum: list[TargetTotals] = []

    def add(self, totals: TargetTotals) -> None:
        """Add the next block."""
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
    names: Sequence[str],
    tasks: Sequence[Sequence[_Task]],
    sums: Sequence[_Sum],
    workers: Workers,
    on_step: Callable[[int], None],
) -> list[KeptSum[_Sum]]:
    """Run the tasks of every comparison, and add up what they find."""
    kept = []
    for new, own in zip(sums, tasks, strict=True):
        # code of others can be changed without a sign
        foreign = own[0].request.settings.to_record()["plugins"]
        folder = None if foreign else workers.resume_folder
        made_from = [functools.partial(task.made_from, function.__name__) for task in own]
        kept.append(KeptSum(new, made_from, folder))
    n_done = sum(one.n_added for one in kept)
    if n_done:
        on_step(n_done)
    jobs = {
        f"block {b + 1} of {name}": (c, b)
        for c, name in enumerate(names)
        for b in range(kept[c].n_added, len(tasks[c]))
    }

    def add(name: str, found: Any) -> None:
        nonlocal n_done
        comparison, block = jobs[name]
        kept[comparison].add(block, found)
        n_done += 1
        on_step(n_done)

    todo = [Job(name=n, function=function, argument=tasks[c][b]) for n, (c, b) in jobs.items()]
    with contextlib.ExitStack() as undone:
        for one in kept:
            undone.callback(one.abandon)
        try:
            run_jobs(
                todo,
                n_workers=workers.n_workers,
                scheduler=workers.scheduler,
                on_result=add,
                keep_results=False,
            )
        except JobError as error:
            # what is wrong with the request is said as it is
            cause = error.__cause__
            if isinstance(cause, AttnxaiError) and not isinstance(cause, JobError):
                raise cause from None
            raise
        undone.pop_all()
    return kept


def _totals(task: _Task, report: Report) -> TargetTotals:
    """Sums of the targets of a block."""
    report()
    settings = task.request.settings
    pairs, n_outside = task.block().drawn()
    kinds = {metric.target for metric in settings.chosen_metrics if metric.needs_others}
    any_visible = bool((pairs.mask & pairs.valid).any())
    if settings.consensus is not None:
        pairs = with_consensus(pairs, settings.consensus)
    return TargetTotals.of(
        pairs,
        sorted(kinds),
        within=settings.within,
        n_outside=n_outside,
        any_visible=any_visible,
    )


def _measured(task: _Task, report: Report) -> Found:
    """What is gathered of a block."""
    report()
    return gather(task.block().pairs(), task.request, Once(), block=task.of)
