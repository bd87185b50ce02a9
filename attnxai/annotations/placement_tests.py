"""Tests of whether marks are turned over or shifted, over sources.

Marks and reference are smooth densities of equal norm; their inner product, the similarity, is 1 where they are alike.

**Orientation.** Turning an annotator's marks back changes their similarity with the reference by the gain, d. How much it can
change is known: turning the reference itself, or the marks themselves, lowers their similarity by w, its asymmetry,
which is 0 for a source with that symmetry. Where marks are as they should be d is about -w, and where they are turned
over it is about w. The slope b of d on w, through the origin, so lies near -1 or 1; with the standard error that allows for unequal
variances (HC3), marks are turned over if b lies above 0, and are not if it lies below.

**Shift.** The sum over sources of the similarities, as a function of the shift, has its maximum at the estimate. It is an
M-estimator: parts that one of the two did not mark do not move it. Its covariance is the sandwich estimate, with sources
as units; the confidence region is Hotelling's.

Both are two-sided: a test that finds nothing says whether it could have.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from attnxai.annotations.orientation import Orientation
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_SOURCES = 4
"""Fewer sources than this can show nothing."""
ALLOWED_SHIFT_PIXELS = 0.25
"""Shifts below this do not matter, however clearly they are seen."""
SHARE_MISPLACED = 0.05
"""Share of sources on which the marks of a clean annotator may fit better when they are turned over."""
POWER = 0.95
"""Probability with which the smallest shift that is stated would be found."""
_LEAST_ERROR = 0.05
_LEAST_ASYMMETRY = 0.15
_MOST_SHIFT = 24


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrientationTest:
    """Whether marks are turned over in one way.

    Parameters
    ----------
    orientation : Orientation
        The way.
    slope, low, high : float
        Near -1 where marks are as they should be, near 1 where they are turned over, with its two one-sided bounds.
    similarity, similarity_turned : float
        Mean similarity with the reference, as they are and turned back.
    n_sources : int
        Sources that were used.
    turned : tuple of str
        Sources that fit better when they are turned back.
    n_informative : int
        Sources that could have: they are not symmetric.
    p_turned : float
        Probability that a clean annotator has as many of these.
    alpha : float
        Level of the tests.
    """

    orientation: Orientation
    slope: float
    low: float
    high: float
    similarity: float
    similarity_turned: float
    n_sources: int
    turned: tuple[str, ...]
    n_informative: int
    p_turned: float
    alpha: float

    @property
    def some_turned(self) -> bool:
        """Whether more sources fit better when they are turned back than a clean annotator has."""
        return len(self.turned) >= MIN_SOURCES - 1 and self.p_turned < self.alpha

    @property
    def suspicious(self) -> bool:
        """Whether these are too many for the annotator to be called clean."""
        return self.p_turned < SIGNIFICANCE_LEVEL

    @property
    def found(self) -> bool:
        """Whether the marks are turned over, all or some."""
        return self.low > 0 or self.some_turned

    @property
    def excluded(self) -> bool:
        """Whether they are not."""
        return self.high < 0 and not self.suspicious


def slope_bounds(
    gain: NDArray[np.float64], asymmetry: NDArray[np.float64], alpha: float
) -> tuple[float, float, float]:
    """Slope of gain on asymmetry through the origin, and its two one-sided bounds at ``alpha``.

    Examples
    --------
    >>> asymmetry = np.array([0.4, 0.6, 0.5, 0.8, 0.7])
    >>> [round(value, 2) for value in slope_bounds(-0.9 * asymmetry, asymmetry, 0.001)]
    [-0.9, -1.06, -0.74]
    """
    from scipy import stats

    n, total = len(gain), float(asymmetry @ asymmetry)
    if n < MIN_SOURCES or total <= 0:
        return math.nan, -math.inf, math.inf
    slope = float(asymmetry @ gain) / total
    leverage = np.minimum(asymmetry**2 / total, 0.99)
    residual = (gain - slope * asymmetry) / (1 - leverage)
    error = math.sqrt(float(((asymmetry * residual) ** 2).sum())) / total
    # sources that are few can agree by chance
    error = max(error, _LEAST_ERROR / math.sqrt(n))
    reach = float(stats.t.ppf(1 - alpha, n - 1)) * error
    return slope, slope - reach, slope + reach


def measure_orientation(
    orientation: Orientation,
    sources: tuple[str, ...],
    similarity: NDArray[np.float64],
    turned: NDArray[np.float64],
    asymmetry: NDArray[np.float64],
    alpha: float,
) -> OrientationTest:
    """Test one orientation from similarities as they are and turned back, and the asymmetry, of each source."""
    from scipy import stats

    gain = turned - similarity
    slope, low, high = slope_bounds(gain, asymmetry, alpha)
    informative = asymmetry > _LEAST_ASYMMETRY
    misplaced = informative & (gain > np.maximum(asymmetry / 2, _LEAST_ASYMMETRY))
    n_informative = int(informative.sum())
    return OrientationTest(
        orientation=orientation,
        slope=slope,
        low=low,
        high=high,
        similarity=float(similarity.mean()),
        similarity_turned=float(turned.mean()),
        n_sources=len(sources),
        turned=tuple(name for name, found in zip(sources, misplaced, strict=True) if found),
        n_informative=n_informative,
        p_turned=float(stats.binom.sf(misplaced.sum() - 1, n_informative, SHARE_MISPLACED)),
        alpha=alpha,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShiftTest:
    """Where marks lie from where they should.

    Parameters
    ----------
    x, y : float
        Shift in pixels; NaN where there is no estimate.
    error_x, error_y, correlation : float
        Standard errors, and the correlation of the two.
    n_sources : int
        Sources that were used.
    alpha : float
        Level of the confidence region.
    """

    x: float
    y: float
    error_x: float
    error_y: float
    correlation: float
    n_sources: int
    alpha: float

    @property
    def reach(self) -> float:
        """Standard errors that the confidence region reaches in every direction."""
        return hotelling_reach(self.n_sources, self.alpha)

    @property
    def length(self) -> float:
        """Length of the shift, in pixels."""
        return math.hypot(self.x, self.y)

    def error_along(self, x: float, y: float) -> float:
        """Standard error along a direction."""
        covariance = self.correlation * self.error_x * self.error_y
        square = (x * self.error_x) ** 2 + (y * self.error_y) ** 2 + 2 * x * y * covariance
        return math.sqrt(max(square, 0.0)) / math.hypot(x, y)

    @property
    def found(self) -> bool:
        """Whether the whole confidence region lies farther out than small shifts that do not matter."""
        if not self.length > 0:
            return False
        nearest = self.length - self.reach * self.error_along(self.x, self.y)
        return nearest > ALLOWED_SHIFT_PIXELS

    def contains(self, x: float, y: float) -> bool:
        """Whether the confidence region holds a shift."""
        away = math.hypot(self.x - x, self.y - y)
        return away == 0 or away <= self.reach * self.error_along(self.x - x, self.y - y)

    @property
    def smallest(self) -> float:
        """The smallest shift, in pixels along an axis, that is found with a probability of 0.95."""
        return self.smallest_with(self.n_sources)

    def smallest_with(self, n_sources: int) -> float:
        """The same for another number of sources like these."""
        from scipy import stats

        error = max(self.error_x, self.error_y) * math.sqrt(self.n_sources / n_sources)
        power = float(stats.norm.ppf(POWER))
        return ALLOWED_SHIFT_PIXELS + (hotelling_reach(n_sources, self.alpha) + power) * error

    def n_for(self, pixels: float) -> int | None:
        """Sources like these from which a shift is found with a probability of 0.95; None above 10,000."""
        low, high = MIN_SOURCES, 10_000
        if not self.smallest_with(high) <= pixels:
            return None
        while low < high:
            middle = (low + high) // 2
            if self.smallest_with(middle) <= pixels:
                high = middle
            else:
                low = middle + 1
        return low


def hotelling_reach(n_sources: int, alpha: float) -> float:
    """Standard errors that the confidence region of a shift reaches: the root of Hotelling's T² at ``alpha``."""
    from scipy import stats

    quantile = float(stats.f.ppf(1 - alpha, 2, n_sources - 2))
    return math.sqrt(2 * (n_sources - 1) / (n_sources - 2) * quantile)


def measure_shift(
    surfaces: NDArray[np.floating], cell_pixels: float, alpha: float
) -> ShiftTest | None:
    """The shift at which the sum over sources of similarities is largest; None where there is no such place.

    Parameters
    ----------
    surfaces : ndarray, shape (n_sources, 2 * reach + 1, 2 * reach + 1)
        From :func:`similarity_surface`.
    cell_pixels : float
        Side of a cell in pixels.
    alpha : float
        Level of the confidence region.

    Returns
    -------
    ShiftTest or None
        None for fewer than ``MIN_SOURCES`` sources, or a maximum at the border.
    """
    n, side = len(surfaces), surfaces.shape[-1]
    total = surfaces.sum(axis=0, dtype=np.float64)
    row, column = (int(i) for i in np.unravel_index(total.argmax(), total.shape))
    if n < MIN_SOURCES or not (0 < row < side - 1 and 0 < column < side - 1):
        return None
    about = surfaces[:, row - 1 : row + 2, column - 1 : column + 2].astype(np.float64)
    slopes = (
        np.stack([about[:, 1, 2] - about[:, 1, 0], about[:, 2, 1] - about[:, 0, 1]], axis=1) / 2
    )
    curves = np.empty((n, 2, 2))
    curves[:, 0, 0] = about[:, 1, 2] + about[:, 1, 0] - 2 * about[:, 1, 1]
    curves[:, 1, 1] = about[:, 2, 1] + about[:, 0, 1] - 2 * about[:, 1, 1]
    corners = about[:, 2, 2] + about[:, 0, 0] - about[:, 2, 0] - about[:, 0, 2]
    curves[:, 0, 1] = curves[:, 1, 0] = corners / 4
    bend = curves.sum(axis=0)
    if not (bend[0, 0] < 0 and np.linalg.det(bend) > 0):
        return None
    inverse = np.linalg.inv(bend)
    step = np.clip(-inverse @ slopes.sum(axis=0), -1.0, 1.0)
    scores = slopes + curves @ step
    # as in HC3, for a source without which the maximum would lie elsewhere
    leverage = np.clip(np.trace(curves, axis1=1, axis2=2) / np.trace(bend), 0.0, 0.9)
    scores = scores / (1 - leverage)[:, None]
    covariance = inverse @ (scores.T @ scores) @ inverse * cell_pixels**2
    errors = np.maximum(np.sqrt(np.diag(covariance)), _LEAST_ERROR / math.sqrt(n) * cell_pixels)
    x, y = (np.array([column, row]) - (side - 1) / 2 + step) * cell_pixels
    return ShiftTest(
        x=float(x),
        y=float(y),
        error_x=float(errors[0]),
        error_y=float(errors[1]),
        correlation=float(covariance[0, 1] / (errors[0] * errors[1])),
        n_sources=n,
        alpha=alpha,
    )


def similarity_surface(
    own: NDArray[np.float32], reference: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Similarity of two densities as a function of how far the first is moved back, in cells.

    Returns
    -------
    ndarray, shape (2 * reach + 1, 2 * reach + 1)
        The middle is for no shift; shifts reach a quarter of the field, 24 cells at most.
    """
    from scipy import fft

    side = len(own)
    reach = min(side // 4, _MOST_SHIFT)
    size = fft.next_fast_len(side + reach, real=True)
    spectrum = fft.rfft2(own, (size, size)) * np.conj(fft.rfft2(reference, (size, size)))
    similarity = np.roll(fft.irfft2(spectrum, (size, size)), (reach, reach), (0, 1))
    return np.asarray(similarity[: 2 * reach + 1, : 2 * reach + 1], np.float32)
