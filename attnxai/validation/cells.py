"""Counts of a calibration, each beside what it should be, with the verdict."""

from __future__ import annotations

import dataclasses
import enum
import math

from attnxai.statistics.exact import clopper_pearson_ends
from attnxai.statistics.interval import CONFIDENCE_LEVEL, SIGNIFICANCE_LEVEL
from attnxai.validation.coverage import Values
from attnxai.validation.rejections import NullKind
from attnxai.validation.scenes import Scene

SOURCES, SOURCES_AND_ANNOTATORS = "sources", "sources and annotators"
BAND = 0.998
"""Share of chance within the binomial bands: one in a thousand lies below, and one above."""


class Verdict(enum.StrEnum):
    """How a count compares with what was promised."""

    HELD = "held"
    TOO_OFTEN = "too often"
    TOO_RARELY = "too rarely"
    TOO_NARROW = "too narrow"
    TOO_WIDE = "too wide"

    @property
    def misleads(self) -> bool:
        """Whether results look surer than they are."""
        return self in {Verdict.TOO_OFTEN, Verdict.TOO_NARROW}

    @property
    def mark(self) -> str:
        """A sign for it, which does not need colour."""
        return _MARKS[self]


_MARKS = {
    Verdict.HELD: "",
    Verdict.TOO_OFTEN: "▲",
    Verdict.TOO_RARELY: "▽",
    Verdict.TOO_NARROW: "▲",
    Verdict.TOO_WIDE: "▽",
}


def binomial_band(n: int, share: float) -> tuple[int, int]:
    """Smallest and largest count that chance leaves within the band.

    Parameters
    ----------
    n : int
        Experiments.
    share : float
        Probability of each.

    Returns
    -------
    (int, int)

    Examples
    --------
    >>> binomial_band(1000, 0.05)
    (30, 73)
    """
    from scipy.stats import binom

    low, high = binom.ppf([(1 - BAND) / 2, (1 + BAND) / 2], n, share)
    return int(low), int(high)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LevelCell:
    """Rejections of maps that share nothing with annotations but what the scene says.

    Parameters
    ----------
    null : NullKind
        The null.
    scene : Scene
        What maps and annotations share.
    n_sources : int
        Sources of an experiment.
    metric : str
        The metric.
    level : float
        Level of the test.
    n_experiments, rejections : int
        How many, and how many rejected.
    smallest_p : float
        The smallest p-value that could have come out.
    """

    null: NullKind
    scene: Scene
    n_sources: int
    metric: str
    level: float
    n_experiments: int
    rejections: int
    smallest_p: float

    @property
    def share(self) -> float:
        """Share of rejections."""
        return self.rejections / self.n_experiments

    @property
    def promised(self) -> bool:
        """Whether what the null assumes is so in this scene."""
        return self.null.holds_in(self.scene)

    @property
    def attainable(self) -> float:
        """The largest p-value that can come out up to the level; below it where arrangements are few."""
        return math.floor(self.level / self.smallest_p * (1 + 1e-9)) * self.smallest_p

    @property
    def band(self) -> tuple[int, int]:
        """Rejections that are within chance of the level."""
        return binomial_band(self.n_experiments, self.level)

    @property
    def verdict(self) -> Verdict:
        """How the rejections compare with the level."""
        low, high = self.band
        if self.rejections > high:
            return Verdict.TOO_OFTEN
        return Verdict.TOO_RARELY if self.rejections < low else Verdict.HELD

    @property
    def note(self) -> str:
        """What a reader should know about the number."""
        if self.attainable < self.level * (1 - 1e-6):
            return f"so few arrangements that at most {self.attainable:.1%} can be rejected"
        return ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CoverageCell:
    """Intervals that hold the true mean.

    Parameters
    ----------
    values : Values
        What the values are made of.
    n_sources, n_annotators : int
        The design.
    method : str
        How the interval is made.
    over : str
        What it is an interval over: ``sources`` or ``sources and annotators``.
    n_experiments, covered : int
        How many, and how many held the true mean.
    width : float
        Mean width.
    """

    values: Values
    n_sources: int
    n_annotators: int
    method: str
    over: str
    n_experiments: int
    covered: int
    width: float

    @property
    def share(self) -> float:
        """Share of intervals that hold the true mean."""
        return self.covered / self.n_experiments

    @property
    def band(self) -> tuple[int, int]:
        """Counts that are within chance of the nominal share."""
        return binomial_band(self.n_experiments, CONFIDENCE_LEVEL)

    @property
    def verdict(self) -> Verdict:
        """How the count compares with the nominal share."""
        low, high = self.band
        if self.covered < low:
            return Verdict.TOO_NARROW
        return Verdict.TOO_WIDE if self.covered > high else Verdict.HELD


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PowerCell:
    """Rejections of maps with planted agreement.

    Parameters
    ----------
    null : NullKind
        The null.
    n_sources : int
        Sources of an experiment.
    strength : float
        How much of its annotation's field a map holds.
    metric : str
        The metric.
    n_experiments, rejections : int
        How many, and how many rejected at 5 %.
    """

    null: NullKind
    n_sources: int
    strength: float
    metric: str
    n_experiments: int
    rejections: int

    @property
    def share(self) -> float:
        """The power; without planted agreement, the level."""
        return self.rejections / self.n_experiments

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the power, for the number of experiments (Clopper & Pearson 1934)."""
        return clopper_pearson_ends(self.rejections, self.n_experiments)

    @property
    def band(self) -> tuple[int, int]:
        """Rejections that are within chance of the level."""
        return binomial_band(self.n_experiments, SIGNIFICANCE_LEVEL)
