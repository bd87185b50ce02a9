"""Which experiments the calibration suite makes, and how their counts come together.

Every case (one null in one scene with one number of sources, one interval for one design, ...) is cut into
blocks of experiments. An experiment has a stream of random numbers of its own, which depends on the seed,
the case and the number of the experiment, so that counts do not depend on who makes which block, nor on
what was made before: a suite can be interrupted, gone on with, shared among processes and enlarged.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np

from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.errors import OptionError
from attnxai.jobs.runner import run_jobs
from attnxai.jobs.store import ResultStore
from attnxai.jobs.worker import Job, Report
from attnxai.statistics.bootstrap import IntervalKind
from attnxai.validation.coverage import CoverageCase, Values
from attnxai.validation.rejections import (
    POWER_NULLS,
    LevelCase,
    NullKind,
    PowerCase,
)

Counts = dict[str, list[float]]

N_EXPERIMENTS, N_EXPERIMENTS_QUICK = 1000, 100
N_SOURCES = (10, 20, 50, 150)
DESIGN_SOURCES, DESIGN_ANNOTATORS = (20, 50, 100), (2, 3, 5, 10)
SINGLE_SOURCES = (8, 10, 20, 50, 100)
STRENGTHS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
# what costs most gets fewer experiments
COSTLY_SHARE, POWER_SHARE = 0.4, 0.5


class Part(enum.StrEnum):
    """Parts of the suite."""

    LEVELS = "levels"
    COVERAGE = "coverage"
    POWER = "power"


class Case(Protocol):
    """Experiments of one kind that are counted together."""

    @property
    def key(self) -> str:
        """Name of the case."""
        ...

    @property
    def block(self) -> int:
        """Experiments of a block."""
        ...

    def count(self, seed: int, start: int, stop: int) -> Counts:
        """Make some experiments, and count what came out."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some experiments of a case.

    Parameters
    ----------
    case : Case
        The case.
    start, stop : int
        First experiment, and the one after the last.
    seed : int
        Of the whole suite.
    """

    case: Case
    start: int
    stop: int
    seed: int

    @property
    def key(self) -> str:
        """Name of the block."""
        return f"{self.case.key}:{self.start}-{self.stop}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SuitePlan:
    """What a calibration consists of.

    Parameters
    ----------
    seed : int
        Of all random numbers.
    n_experiments : int
        Experiments of a case. Nulls that move maps about get two fifths of them, power half.
    parts : tuple of Part
        Parts of the suite.
    nulls : tuple of NullKind
        Nulls whose level is measured, and power, where that is.
    quick : bool
        Numbers of sources up to 20, designs of up to 5 annotators, and fewer strengths.

    Raises
    ------
    OptionError
        If there is nothing to do, or the number of experiments is below 10.

    Examples
    --------
    >>> plan = SuitePlan(n_experiments=100, parts=(Part.LEVELS,), nulls=(NullKind.POOLED,))
    >>> len(plan.cases), plan.cases[0].key, plan.experiments(plan.cases[0])
    (24, 'levels/exchange, pooled/nothing/10', 100)
    """

    seed: int = 0
    n_experiments: int = N_EXPERIMENTS
    parts: tuple[Part, ...] = tuple(Part)
    nulls: tuple[NullKind, ...] = tuple(NullKind)
    quick: bool = False

    def __post_init__(self) -> None:
        if self.n_experiments < 10:
            raise OptionError(f"n_experiments has to be 10 or more, got {self.n_experiments}")
        if not self.cases:
            raise OptionError(
                "there is nothing to calibrate: power is measured for "
                f"{', '.join(POWER_NULLS)} only, and parts name nothing else"
            )

    @property
    def n_sources(self) -> tuple[int, ...]:
        """Numbers of sources of which levels and power are measured."""
        return tuple(n for n in N_SOURCES if n <= 20 or not self.quick)

    @property
    def level_cases(self) -> tuple[LevelCase, ...]:
        """Cases of levels, by null, scene and number of sources."""
        if Part.LEVELS not in self.parts:
            return ()
        return tuple(
            LevelCase(null=null, scene=scene, n_sources=n)
            for null in self.nulls
            for scene in null.scenes
            for n in self.n_sources
        )

    @property
    def coverage_cases(self) -> tuple[CoverageCase, ...]:
        """Cases of intervals, by values, design and method."""
        if Part.COVERAGE not in self.parts:
            return ()
        found = []
        for values in Values:
            designs = [(n, 1) for n in SINGLE_SOURCES]
            methods: list[CrossedMethod | IntervalKind] = list(IntervalKind)
            if values.crossed:
                designs = [(n, k) for n in DESIGN_SOURCES for k in DESIGN_ANNOTATORS]
                methods = [*CrossedMethod, *IntervalKind]
            found += [
                CoverageCase(values=values, n_sources=n, n_annotators=k, method=method)
                for n, k in designs
                if not self.quick or (n <= 20 and k <= 5)
                for method in methods
            ]
        return tuple(found)

    @property
    def power_cases(self) -> tuple[PowerCase, ...]:
        """Cases of power, by null, number of sources and strength."""
        if Part.POWER not in self.parts:
            return ()
        strengths = STRENGTHS[::2] if self.quick else STRENGTHS
        return tuple(
            PowerCase(null=null, n_sources=n, strength=strength)
            for null in POWER_NULLS
            if null in self.nulls
            for n in self.n_sources
            for strength in strengths
        )

    @property
    def cases(self) -> tuple[Case, ...]:
        """All cases."""
        return (*self.level_cases, *self.coverage_cases, *self.power_cases)

    def experiments(self, case: Case) -> int:
        """How many experiments a case gets."""
        share = 1.0
        if isinstance(case, LevelCase) and case.null.is_costly:
            share = COSTLY_SHARE
        elif isinstance(case, PowerCase):
            share = POWER_SHARE
        return max(1, round(share * self.n_experiments))

    def blocks_of(self, case: Case) -> Iterator[Block]:
        """Blocks of a case, in order."""
        n = self.experiments(case)
        for start in range(0, n, case.block):
            stop = min(start + case.block, n)
            yield Block(case=case, start=start, stop=stop, seed=self.seed)

    def blocks(self) -> tuple[Block, ...]:
        """All blocks, mixed so that any part of them takes about its share of the time."""
        blocks = [block for case in self.cases for block in self.blocks_of(case)]
        return tuple(blocks[i] for i in np.random.default_rng(0).permutation(len(blocks)))

    def total(self, case: Case, kept: Mapping[str, Counts]) -> Counts:
        """Sum of the counts of a case's blocks.

        Parameters
        ----------
        case : Case
            The case.
        kept : mapping of str to Counts
            Counts of all its blocks, by their keys.
        """
        total: Counts = {}
        for block in self.blocks_of(case):
            for name, values in kept[block.key].items():
                before = total.get(name, [0.0] * len(values))
                total[name] = [a + b for a, b in zip(before, values, strict=True)]
        return total


def count_block(block: Block, _: Report) -> Counts:
    """Make the experiments of a block: the function of its job."""
    return block.case.count(block.seed, block.start, block.stop)


def run_suite(
    plan: SuitePlan,
    store: ResultStore | None = None,
    *,
    n_workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Counts]:
    """Run all experiments that are not finished yet.

    Parameters
    ----------
    plan : SuitePlan
        What the calibration consists of.
    store : ResultStore, optional
        Counts of finished blocks, which are used again; those of others are added as they come.
    n_workers : int
        Worker processes; see :func:`~attnxai.jobs.runner.run_jobs`.
    on_progress : callable, optional
        Called with the numbers of finished and of all blocks, before the first and after each.

    Returns
    -------
    dict of str to Counts
        Counts of all blocks, by their keys.

    Raises
    ------
    OptionError
        If ``n_workers`` is below 1.
    JobError
        If a worker process ends, as when memory runs out.
    """
    jobs = [Job(name=block.key, function=count_block, argument=block) for block in plan.blocks()]
    finished = store.results if store is not None else {}
    n_finished = sum(job.name in finished for job in jobs)

    def keep(key: str, counts: Counts) -> None:
        nonlocal n_finished
        if store is not None:
            store.add(key, counts)
        n_finished += 1
        if on_progress is not None:
            on_progress(n_finished, len(jobs))

    if on_progress is not None:
        on_progress(n_finished, len(jobs))
    return run_jobs(jobs, n_workers=n_workers, finished=dict(finished), on_result=keep)
