"""Which experiments a validation consists of, and how their counts are summed.

Every design (one null in one scenario with one number of sources, one interval for one size of sample, ...)
is cut into blocks of experiments. An experiment has a random stream of its own, which depends on the seed,
the name of the design and the number of the experiment. So counts depend neither on the process that makes
a block nor on the order of the blocks: a validation can be interrupted, resumed, shared among processes and
enlarged.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.errors import OptionError
from attnxai.jobs.runner import run_jobs
from attnxai.jobs.store import ResultStore
from attnxai.jobs.worker import Job, Report
from attnxai.statistics.bootstrap import IntervalKind
from attnxai.validation.coverage import CoverageDesign, Distribution
from attnxai.validation.experiments import Counts, Design, added
from attnxai.validation.rejections import (
    POWER_NULLS,
    FalsePositiveDesign,
    NullKind,
    PowerDesign,
)

N_EXPERIMENTS, N_EXPERIMENTS_QUICK = 1000, 100
N_SOURCES = (10, 20, 50, 150)
CROSSED_SOURCES, CROSSED_ANNOTATORS = (20, 50, 100), (2, 3, 5, 10)
SINGLE_SOURCES = (8, 10, 20, 50, 100)
STRENGTHS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
# the costliest designs get fewer experiments
COSTLY_SHARE, POWER_SHARE = 0.4, 0.5


class Part(enum.StrEnum):
    """Parts of a validation."""

    FALSE_POSITIVES = "false-positives"
    COVERAGE = "coverage"
    POWER = "power"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Experiments of a design from ``start`` up to ``stop``, and the seed of the validation."""

    design: Design
    start: int
    stop: int
    seed: int

    @property
    def key(self) -> str:
        """Name of the block."""
        return f"{self.design.key}:{self.start}-{self.stop}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ValidationPlan:
    """The experiments of a validation.

    Parameters
    ----------
    seed : int
        Of all random streams.
    n_experiments : int
        Experiments per design. Costly nulls get two fifths of them, power half.
    parts : tuple of Part
        What is measured.
    nulls : tuple of NullKind
        Nulls whose false positive rate is measured, and whose power, where that is measured.
    quick : bool
        Numbers of sources up to 20, up to 5 annotators, and fewer strengths.

    Raises
    ------
    OptionError
        If there is nothing to do, or the number of experiments is below 10.

    Examples
    --------
    >>> plan = ValidationPlan(
    ...     n_experiments=100, parts=(Part.FALSE_POSITIVES,), nulls=(NullKind.MORAN,)
    ... )
    >>> len(plan.designs), plan.designs[0].key, plan.experiments(plan.designs[0])
    (16, 'levels/Moran spectral/nothing/10', 40)
    """

    seed: int = 0
    n_experiments: int = N_EXPERIMENTS
    parts: tuple[Part, ...] = tuple(Part)
    nulls: tuple[NullKind, ...] = tuple(NullKind)
    quick: bool = False

    def __post_init__(self) -> None:
        if self.n_experiments < 10:
            raise OptionError(f"n_experiments has to be 10 or more, got {self.n_experiments}")
        if not self.designs:
            raise OptionError(
                "there is nothing to validate: power is measured for "
                f"{', '.join(POWER_NULLS)} only, and no other part is asked for"
            )

    @property
    def n_sources(self) -> tuple[int, ...]:
        """Numbers of sources for which false positive rates and power are measured."""
        return tuple(n for n in N_SOURCES if n <= 20 or not self.quick)

    @property
    def false_positive_designs(self) -> tuple[FalsePositiveDesign, ...]:
        """By null, scenario and number of sources."""
        if Part.FALSE_POSITIVES not in self.parts:
            return ()
        return tuple(
            FalsePositiveDesign(null=null, scenario=scenario, n_sources=n)
            for null in self.nulls
            for scenario in null.scenarios
            for n in self.n_sources
        )

    @property
    def coverage_designs(self) -> tuple[CoverageDesign, ...]:
        """By distribution, size of the sample and method."""
        if Part.COVERAGE not in self.parts:
            return ()
        found = []
        for distribution in Distribution:
            sizes = [(n, 1) for n in SINGLE_SOURCES]
            methods: list[CrossedMethod | IntervalKind] = list(IntervalKind)
            if distribution.crossed:
                sizes = [(n, k) for n in CROSSED_SOURCES for k in CROSSED_ANNOTATORS]
                methods = [*CrossedMethod, *IntervalKind]
            found += [
                CoverageDesign(
                    distribution=distribution, n_sources=n, n_annotators=k, method=method
                )
                for n, k in sizes
                if not self.quick or (n <= 20 and k <= 5)
                for method in methods
            ]
        return tuple(found)

    @property
    def power_designs(self) -> tuple[PowerDesign, ...]:
        """By null, number of sources and strength."""
        if Part.POWER not in self.parts:
            return ()
        return tuple(
            PowerDesign(null=null, n_sources=n, strength=strength)
            for null in POWER_NULLS
            if null in self.nulls
            for n in self.n_sources
            for strength in (STRENGTHS[::2] if self.quick else STRENGTHS)
        )

    @property
    def designs(self) -> tuple[Design, ...]:
        """All designs."""
        return (*self.false_positive_designs, *self.coverage_designs, *self.power_designs)

    def experiments(self, design: Design) -> int:
        """Number of experiments of a design."""
        share = 1.0
        if isinstance(design, FalsePositiveDesign) and design.null.is_costly:
            share = COSTLY_SHARE
        elif isinstance(design, PowerDesign):
            share = POWER_SHARE
        return max(1, round(share * self.n_experiments))

    def blocks_of(self, design: Design) -> Iterator[Block]:
        """Blocks of a design, in order."""
        n = self.experiments(design)
        for start in range(0, n, design.block):
            stop = min(start + design.block, n)
            yield Block(design=design, start=start, stop=stop, seed=self.seed)

    def blocks(self) -> tuple[Block, ...]:
        """All blocks, shuffled so that the time left can be estimated from those that are finished."""
        blocks = [block for design in self.designs for block in self.blocks_of(design)]
        return tuple(blocks[i] for i in np.random.default_rng(0).permutation(len(blocks)))

    def total(self, design: Design, counts: Mapping[str, Counts]) -> Counts:
        """Sum of the counts of a design's blocks."""
        return added(counts[block.key] for block in self.blocks_of(design))


def count_block(block: Block, _: Report) -> Counts:
    """Run the experiments of a block: the function of its job."""
    return block.design.count(block.seed, block.start, block.stop)


def run_validation(
    plan: ValidationPlan,
    store: ResultStore | None = None,
    *,
    n_workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Counts]:
    """Run all experiments that are not finished yet.

    Parameters
    ----------
    plan : ValidationPlan
        The experiments.
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

    Examples
    --------
    >>> import attnxai
    >>> from attnxai.validation.plan import Part
    >>> from attnxai.validation.rejections import NullKind
    >>> plan = attnxai.validation.ValidationPlan(
    ...     n_experiments=10, parts=(Part.FALSE_POSITIVES,), nulls=(NullKind.POOLED,), quick=True
    ... )
    >>> counts = attnxai.validation.run_validation(plan)
    >>> len(counts)
    12
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
