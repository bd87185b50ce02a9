"""Measured rates of rejection and coverage beside their nominal values, with a verdict."""

from __future__ import annotations

import dataclasses
import enum
import math

from attnxai.statistics.exact import clopper_pearson_ends
from attnxai.statistics.interval import CONFIDENCE_LEVEL, SIGNIFICANCE_LEVEL
from attnxai.validation.coverage import Distribution
from attnxai.validation.rejections import NullKind
from attnxai.validation.simulated_data import Scenario

SOURCES, SOURCES_AND_ANNOTATORS = "sources", "sources and annotators"
BAND = 0.998
"""Probability of the binomial bands: one count in a thousand lies below by chance, and one above."""


class Verdict(enum.StrEnum):
    """How a rate compares with its nominal value."""

    NOMINAL = "nominal"
    TOO_OFTEN = "too often"
    TOO_RARELY = "too rarely"
    TOO_NARROW = "too narrow"
    TOO_WIDE = "too wide"

    @property
    def misleads(self) -> bool:
        """Whether results look more certain than they are."""
        return self in {Verdict.TOO_OFTEN, Verdict.TOO_NARROW}

    @property
    def mark(self) -> str:
        """A sign for it, which does not need colour."""
        if self is Verdict.NOMINAL:
            return ""
        return "▲" if self.misleads else "▽"


def binomial_band(n: int, share: float) -> tuple[int, int]:
    """Smallest and largest count in ``n`` experiments that is compatible with a probability."""
    from scipy.stats import binom

    low, high = binom.ppf([(1 - BAND) / 2, (1 + BAND) / 2], n, share)
    return int(low), int(high)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FalsePositiveRate:
    """How often a null rejects at a significance level where no map is related to its own annotation."""

    null: NullKind
    scenario: Scenario
    n_sources: int
    metric: str
    level: float
    n_experiments: int
    rejections: int
    smallest_p: float

    @property
    def rate(self) -> float:
        """Rejections per experiment."""
        return self.rejections / self.n_experiments

    @property
    def assumptions_met(self) -> bool:
        """Whether the assumptions of the null hold in this scenario."""
        return self.null.is_valid_for(self.scenario)

    @property
    def attainable(self) -> float:
        """The largest attainable p-value up to the level; below it where permutations are few."""
        return math.floor(self.level / self.smallest_p * (1 + 1e-9)) * self.smallest_p

    @property
    def band(self) -> tuple[int, int]:
        """Counts of rejections that are compatible with the level."""
        return binomial_band(self.n_experiments, self.level)

    @property
    def verdict(self) -> Verdict:
        """How the rejections compare with the level."""
        low, high = self.band
        if self.rejections > high:
            return Verdict.TOO_OFTEN
        return Verdict.TOO_RARELY if self.rejections < low else Verdict.NOMINAL

    @property
    def note(self) -> str:
        """What a reader should know about the number."""
        if self.attainable < self.level * (1 - 1e-6):
            return (
                f"at most {self.attainable:.1%} can be rejected, as there are so few permutations"
            )
        return ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRate:
    """How often intervals contain the true mean, and their mean width."""

    distribution: Distribution
    n_sources: int
    n_annotators: int
    method: str
    over: str  # SOURCES or SOURCES_AND_ANNOTATORS
    n_experiments: int
    covered: int
    width: float

    @property
    def rate(self) -> float:
        """The coverage."""
        return self.covered / self.n_experiments

    @property
    def band(self) -> tuple[int, int]:
        """Counts that are compatible with the nominal coverage."""
        return binomial_band(self.n_experiments, CONFIDENCE_LEVEL)

    @property
    def verdict(self) -> Verdict:
        """How the coverage compares with the nominal one."""
        low, high = self.band
        if self.covered < low:
            return Verdict.TOO_NARROW
        return Verdict.TOO_WIDE if self.covered > high else Verdict.NOMINAL


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PowerEstimate:
    """How often a null rejects at 5 % where maps are related to their own annotations."""

    null: NullKind
    n_sources: int
    strength: float
    metric: str
    n_experiments: int
    rejections: int

    @property
    def rate(self) -> float:
        """The power; at strength 0 the false positive rate."""
        return self.rejections / self.n_experiments

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the power, for the number of experiments (Clopper & Pearson 1934)."""
        return clopper_pearson_ends(self.rejections, self.n_experiments)

    @property
    def band(self) -> tuple[int, int]:
        """Counts of rejections that are compatible with the level, for strength 0."""
        return binomial_band(self.n_experiments, SIGNIFICANCE_LEVEL)
