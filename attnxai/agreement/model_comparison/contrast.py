"""Differences between models: what one is, and a family of them that exports itself.

Tables and figures show one interval: with several annotators the crossed one, which is about other
annotators too, and otherwise the one over sources. A difference counts as found if that interval excludes 0 and the
adjusted p-value is at most 1 less the interval's level. Flipped signs take the annotators as they are, and an
interval is not adjusted for others beside it; so with several annotators the p-value about other annotators
has to be as small, adjusted over the same family.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.nulls.p_values import RELATIVE_TIE
from attnxai.statistics.exact import ends_record
from attnxai.statistics.formats import format_effective, format_p, p_equals, with_interval
from attnxai.statistics.interval import finite_or_none

if TYPE_CHECKING:
    import pandas as pd

    from attnxai.agreement.multiplicity import Correction
    from attnxai.nulls.p_values import Alternative
    from attnxai.statistics.interval import Interval

THESE, OTHERS = "these annotators", "other annotators too"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One model minus another, over the sources where both have a value.

    Parameters
    ----------
    first, second : str
        The models; positive differences are in favour of the first.
    difference : Interval
        Mean difference over sources, with its interval about these annotators.
    difference_others : Interval or None
        The same about other annotators too (sources crossed with annotators); None with a single annotator.
    statistic : float
        Sum of the differences over the root of the sum of their squares.
    p_value, p_adjusted, smallest_p : float
        Of the sign-flip test, adjusted over all contrasts, and the smallest that could have come out; NaN without a
        source.
    n_sources, n_dropped : int
        Sources compared, and left out because one of the two has no value there.
    p_others, p_others_adjusted : float or None
        About other annotators too, of the crossed interval
        (:func:`~attnxai.agreement.intervals.crossed.crossed_p_value`, strict); None without that interval.
    p_monte_carlo, p_adjusted_monte_carlo : tuple of two floats or None
        Exact 95 % intervals of ``p_value`` and ``p_adjusted`` for all flips; None where all were made.
    """

    first: str
    second: str
    difference: Interval
    difference_others: Interval | None
    statistic: float
    p_value: float
    p_adjusted: float
    smallest_p: float
    n_sources: int
    n_dropped: int
    p_others: float | None = None
    p_others_adjusted: float | None = None
    p_monte_carlo: tuple[float, float] | None = None
    p_adjusted_monte_carlo: tuple[float, float] | None = None

    @property
    def interval(self) -> Interval:
        """The difference with the interval to report: about other annotators too where several marked."""
        return self.difference if self.difference_others is None else self.difference_others

    @property
    def about(self) -> str:
        """Whom :attr:`interval` is about: ``these annotators`` or ``other annotators too``."""
        return THESE if self.difference_others is None else OTHERS

    @property
    def found(self) -> bool:
        """Whether :attr:`interval` excludes 0 and each adjusted p-value is at most 1 less its level.

        With a single annotator there is one, with several that about other annotators too.
        """
        most = 1 - self.interval.level + RELATIVE_TIE
        if not self.interval.excludes(0.0) or not self.p_adjusted <= most:
            return False
        if self.difference_others is None:
            return True
        return self.p_others_adjusted is not None and self.p_others_adjusted <= most

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names; None where there is none."""
        numbers = {
            "difference": self.interval.value,
            "ci_low": self.interval.low,
            "ci_high": self.interval.high,
            "ci_low_these": self.difference.low,
            "ci_high_these": self.difference.high,
            "statistic": self.statistic,
            "p_value": self.p_value,
            "p_adjusted": self.p_adjusted,
            "p_smallest": self.smallest_p,
            **ends_record("p_monte_carlo", self.p_monte_carlo),
            **ends_record("p_adjusted_monte_carlo", self.p_adjusted_monte_carlo),
            "p_others": self.p_others,
            "p_others_adjusted": self.p_others_adjusted,
        }
        return {
            "first": self.first,
            "second": self.second,
            **{name: finite_or_none(value) for name, value in numbers.items()},
            "ci_about": self.about,
            "found": self.found,
            "n_sources": self.n_sources,
            "n_dropped": self.n_dropped,
            "n_effective": self.difference.n_effective,
        }

    def sentence(self) -> str:
        """The difference, its interval and its p-values in one line."""
        text = f"{self.first} minus {self.second}: {with_interval(self.interval)}"
        effective = format_effective(self.interval.n_effective)
        sources = f"({self.n_sources} sources{f', {effective}' if effective else ''})"
        if not np.isfinite(self.p_value):
            return f"{text}, not tested {sources}"
        text += f", {p_equals(self.p_value)}, adjusted {format_p(self.p_adjusted)}"
        if self.p_others is not None and self.p_others_adjusted is not None:
            text += (
                f" about these annotators, {p_equals(self.p_others)}, adjusted "
                f"{format_p(self.p_others_adjusted)} about others too"
            )
        return f"{text} {sources}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelContrasts:
    """Models against each other: every pair, some pairs, or every model against a baseline.

    Parameters
    ----------
    contrasts : tuple of Contrast
        In the order of the models.
    correction : Correction
        How p-values are adjusted over them; those about other annotators by Holm's method where it is max-T,
        which needs draws.
    alternative : Alternative
        Which differences count as evidence.
    n_draws : int
        Sign flips, all of them when ``exhaustive``.
    exhaustive : bool
        Whether all flips were counted.
    level : float
        Confidence level of the intervals, each for itself.
    """

    contrasts: tuple[Contrast, ...]
    correction: Correction
    alternative: Alternative
    n_draws: int
    exhaustive: bool
    level: float

    def contrast(self, first: str, second: str) -> Contrast:
        """One contrast by its names, in the order in which it was made; a KeyError names what there is."""
        for candidate in self.contrasts:
            if (candidate.first, candidate.second) == (first, second):
                return candidate
        known = ", ".join(f"{c.first} minus {c.second}" for c in self.contrasts)
        raise KeyError(f"no contrast {first} minus {second}; there are {known}")

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "correction": str(self.correction),
            "alternative": str(self.alternative),
            "n_draws": self.n_draws,
            "exhaustive": self.exhaustive,
            "level": self.level,
            "contrasts": [contrast.to_record() for contrast in self.contrasts],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per contrast."""
        import pandas as pd

        return pd.DataFrame([contrast.to_record() for contrast in self.contrasts])

    def summary(self) -> str:
        """One line per contrast, as plain text."""
        return "\n".join(contrast.sentence() for contrast in self.contrasts)

    to_latex = presenters.to_latex
    _repr_html_ = presenters.repr_html
    plot = presenters.plot
