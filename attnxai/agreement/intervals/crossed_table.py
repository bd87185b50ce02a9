"""Values of sources, annotators and seeds as crossed factors, tidied for an interval."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.statistics.interval import Interval, counted_units, effective_number, no_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTORS = ("seed", "annotator", "source")


class CrossedMethod(enum.StrEnum):
    """How the interval of a mean over crossed factors is made."""

    COMPONENTS = "components"
    MEAN_SQUARES = "mean-squares"
    DUAL_BOOTSTRAP = "dual-bootstrap"


METHOD_WORDS = {
    CrossedMethod.COMPONENTS: "crossed variance components with a t quantile for each",
    CrossedMethod.MEAN_SQUARES: "crossed mean squares with Satterthwaite's degrees of freedom",
    CrossedMethod.DUAL_BOOTSTRAP: "corrected dual bootstrap with Satterthwaite's degrees of freedom",
}
NOT_DRAWN = ", without resamples"
"""What the method says where a bootstrap draws none."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossedTable:
    """Values without empty sources and levels, and without factors that have one level.

    Values have one axis for each factor, called ``names``, sources last; NaN where a cell is missing.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        values: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
        level: float,
    ) -> CrossedTable:
        """Check and tidy what :func:`~.crossed.crossed_interval` was given."""
        array = np.asarray(values, dtype=np.float64)
        if not 1 <= array.ndim <= len(FACTORS):
            raise OptionError(f"values need 1 to 3 axes, sources last; got shape {array.shape}")
        names = FACTORS[-array.ndim :]
        if not 0.5 <= level < 1:
            raise OptionError(f"level has to lie between 0.5 and 1, got {level}")
        share = np.ones(array.shape[-1]) if weights is None else np.asarray(weights, np.float64)
        if share.shape != array.shape[-1:] or (share < 0).any():
            raise OptionError(
                f"weights need one number from 0 for each of {array.shape[-1]} sources, got shape "
                f"{share.shape}"
            )
        array = np.where(share > 0, array, np.nan)
        for axis in range(array.ndim):
            others = tuple(a for a in range(array.ndim) if a != axis)
            filled = np.flatnonzero(np.isfinite(array).any(axis=others))
            array = np.take(array, filled, axis=axis)
            if axis == array.ndim - 1:
                share = share[filled]
        kept = [a for a in range(array.ndim) if array.shape[a] > 1 or a == array.ndim - 1]
        shape = tuple(array.shape[a] for a in kept)
        return cls(values=array.reshape(shape), weights=share, names=tuple(names[a] for a in kept))

    @property
    def n_sources(self) -> int:
        """Sources that have a value."""
        return int(self.values.shape[-1])

    @property
    def n_effective(self) -> float | None:
        """Sources of equal weight that say as much; None where all weigh the same."""
        return effective_number(self.weights)

    @property
    def n_counted(self) -> int:
        """Sources as rules count them."""
        return counted_units(self.n_sources, self.n_effective)

    @property
    def sizes(self) -> tuple[float, ...]:
        """Levels of every factor, sources by their effective number."""
        return (*self.values.shape[:-1], self.n_effective or self.n_sources)

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """How much each cell counts in the estimate; they add up to 1."""
        defined = np.isfinite(self.values)
        per_source = defined.reshape(-1, self.n_sources).sum(axis=0)
        return np.asarray(defined * (self.weights / self.weights.sum() / per_source))

    @property
    def mean(self) -> float:
        """The estimate: mean over sources of each source's mean."""
        if not self.n_sources:
            return float("nan")
        return float((np.nan_to_num(self.values) * self.coefficients).sum())

    def interval(
        self,
        half: float,
        freedom: float,
        method: CrossedMethod,
        level: float,
        *,
        drawn: bool = True,
    ) -> Interval:
        """The estimate with an interval of this half-width; a bootstrap says if no resamples were ``drawn``."""
        value = self.mean
        words = METHOD_WORDS[method]
        if method is CrossedMethod.DUAL_BOOTSTRAP and not drawn:
            words += NOT_DRAWN
        sizes = [f"{n} {name}s" for n, name in zip(self.values.shape, self.names, strict=True)]
        return Interval(
            value=value,
            low=value - half,
            high=value + half,
            n_units=self.n_sources,
            level=level,
            method=f"{words} ({' x '.join(reversed(sizes))})",
            degrees_of_freedom=freedom,
            n_effective=self.n_effective,
        )

    def no_interval(
        self, level: float, reason: str = "", *, value: float | None = None
    ) -> Interval:
        """The estimate, or another value, without an interval, and why; else that sources are too few."""
        return no_interval(
            self.mean if value is None else value,
            self.n_sources,
            level=level,
            n_effective=self.n_effective,
            reason=reason,
        )
