"""How often intervals contain the true mean, over sources alone and over sources and annotators."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from attnxai.agreement.intervals.crossed import CrossedMethod, crossed_interval
from attnxai.statistics.bootstrap import IntervalKind, bootstrap_counts, mean_interval
from attnxai.statistics.interval import CONFIDENCE_LEVEL
from attnxai.validation.experiments import Counts, Design, stream_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.statistics.interval import Interval

N_BOOTSTRAP = 1000


class Distribution(enum.StrEnum):
    """Distributions of simulated values; their true mean is 0."""

    EQUAL = "equal variances"
    ALIKE = "annotators alike"
    SKEWED = "skewed"
    NORMAL = "normal"
    EXPONENTIAL = "exponential"
    LOG_NORMAL = "log-normal"

    @property
    def crossed(self) -> bool:
        """Whether annotators are a second factor, crossed with sources."""
        return self in {Distribution.EQUAL, Distribution.ALIKE, Distribution.SKEWED}

    @property
    def words(self) -> str:
        """What it is made of."""
        return _WORDS[self]


_WORDS = {
    Distribution.EQUAL: "sources, annotators and residuals of variance 1 each, normal",
    Distribution.ALIKE: "annotators of variance 0.1, sources and residuals of variance 1, normal",
    Distribution.SKEWED: "sources, annotators and residuals of variance 1 each, exponential",
    Distribution.NORMAL: "one value per source, normal",
    Distribution.EXPONENTIAL: "one value per source, exponential",
    Distribution.LOG_NORMAL: "one value per source, log-normal",
}


def draw_values(
    distribution: Distribution, n_annotators: int, n_sources: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Simulated values with a true mean of 0, shape (n_annotators, n_sources)."""
    shape = (n_annotators, n_sources)
    if distribution is Distribution.NORMAL:
        return rng.normal(size=shape)
    if distribution is Distribution.EXPONENTIAL:
        return rng.exponential(size=shape) - 1.0
    if distribution is Distribution.LOG_NORMAL:
        return np.exp(rng.normal(size=shape)) - math.exp(0.5)

    def part(*shape: int) -> NDArray[np.float64]:
        return (
            rng.exponential(size=shape) - 1.0
            if distribution is Distribution.SKEWED
            else rng.normal(size=shape)
        )

    annotators = math.sqrt(0.1 if distribution is Distribution.ALIKE else 1.0)
    return np.asarray(
        part(1, n_sources) + annotators * part(n_annotators, 1) + part(n_annotators, n_sources)
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CoverageDesign(Design):
    """Experiments on the coverage of one kind of interval.

    The method is one for intervals over sources and annotators, or one for intervals over sources alone, of
    means over annotators.
    """

    distribution: Distribution
    n_sources: int
    n_annotators: int
    method: CrossedMethod | IntervalKind

    block: ClassVar[int] = 50

    @property
    def key(self) -> str:
        """Name of the design, which seeds its random streams."""
        return f"{self._data}/{self.method}"

    @property
    def _data(self) -> str:
        return f"coverage/{self.distribution}/{self.n_sources}x{self.n_annotators}"

    def run(self, seed: int, experiment: int) -> Counts:
        """Whether the interval contains the true mean, and its width."""
        # the same values for all methods
        data = stream_of(seed, self._data, experiment)
        values = draw_values(self.distribution, self.n_annotators, self.n_sources, data)
        found = self._interval(values, stream_of(seed, self.key, experiment))
        return {"covered": [found.low <= 0 <= found.high], "width": [found.high - found.low]}

    def _interval(self, values: NDArray[np.float64], rng: np.random.Generator) -> Interval:
        if isinstance(self.method, CrossedMethod):
            return crossed_interval(
                values, method=self.method, level=CONFIDENCE_LEVEL, n_bootstrap=N_BOOTSTRAP, rng=rng
            )
        counts = bootstrap_counts(self.n_sources, N_BOOTSTRAP, rng)
        return mean_interval(values.mean(axis=0), counts, kind=self.method, level=CONFIDENCE_LEVEL)
