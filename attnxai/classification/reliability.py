"""Calibration of probabilities: reliability curve and expected calibration error.

Calibration is that of the predicted class: of the images whose predicted class has a probability of 80 %, 80 %
should be classified correctly. The *confidence* of an image is the probability of its predicted class.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.classification.scoring import checked_probabilities
from attnxai.data.short_repr import ArrayResult
from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import IntervalKind, over_resamples, resampled_interval
from attnxai.statistics.exact import wilson_ends
from attnxai.statistics.interval import CONFIDENCE_LEVEL, MIN_UNITS, Interval, no_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

N_BINS = 5
"""Bins of confidence when nothing else is asked for.

Of 3, 5, 8, 10 and 15 bins, 3 and 5 came nearest to the true error in simulations of 153 images, and the
bias of a calibrated model grows with every bin (docs/explanation/calibration.md). Five show a shape, with about thirty
images in each.
"""

# Draws at a time, so that memory does not grow with their number.
_ROWS = 512
# Differences that rounding alone can make.
_TIE = 1e-12


class Binning(enum.StrEnum):
    """How images are put into bins of confidence."""

    EQUAL_MASS = "equal-mass"
    EQUAL_WIDTH = "equal-width"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ReliabilityCurve(ArrayResult):
    """Confidence and accuracy, bin by bin; bins without images are left out.

    Arrays have the shape (n_bins,): mean and range of the confidences, ascending; accuracy, and the ends of its
    Wilson interval; number of images. No confidence is below 1 / ``n_classes``.
    """

    confidence: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_images: NDArray[np.int64]
    n_classes: int
    binning: Binning
    level: float

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of accuracy from confidence, bins weighed by their images."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((self.n_images * gaps).sum() / self.n_images.sum())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedReference:
    """Calibration errors that a perfectly calibrated model with the same confidences would show.

    Their mean, the quantile at ``level``, and the share of them that reach the model's own error,
    ``(b + 1) / (n_draws + 1)``.
    """

    mean: float
    high: float
    p_value: float
    n_draws: int
    level: float

    @property
    def rejected(self) -> bool:
        """Whether the model is shown not to be calibrated."""
        return self.p_value <= 1.0 - self.level + _TIE


def reliability_curve(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    n_bins: int = N_BINS,
    binning: Binning = Binning.EQUAL_MASS,
    level: float = CONFIDENCE_LEVEL,
) -> ReliabilityCurve:
    """Compare confidence with accuracy, bin by bin.

    Parameters
    ----------
    probabilities : array_like, shape (n_images, n_classes)
        Class probabilities.
    labels : array_like of int, shape (n_images,)
        True classes.
    n_bins : int
        Number of bins.
    binning : Binning
        ``EQUAL_MASS``: as nearly the same number of images in each as ties allow, for images of equal
        confidence are never parted. ``EQUAL_WIDTH``: bins (0, 1/n], (1/n, 2/n], ... as in Guo et al.
        (2017), those below 1 / n_classes being empty.
    level : float
        Confidence level of the bins' intervals.

    Returns
    -------
    ReliabilityCurve

    Raises
    ------
    OptionError
        If arrays do not fit together or there is no bin.

    Examples
    --------
    >>> curve = reliability_curve([[0.6, 0.4], [0.3, 0.7], [0.1, 0.9]], [0, 0, 1], n_bins=3)
    >>> curve.confidence.round(2), curve.accuracy
    (array([0.6, 0.7, 0.9]), array([1., 0., 1.]))
    """
    values, positions = checked_probabilities(probabilities, labels)
    confidence, right = _confidence_and_right(values, positions)
    counts = np.ones((1, len(confidence)))
    bins = _bins(confidence, counts, n_bins, binning)[0]
    n_images = np.bincount(bins, minlength=n_bins)
    used = np.flatnonzero(n_images)
    n_correct = np.bincount(bins, weights=right, minlength=n_bins)[used]
    low, high = wilson_ends(n_correct, n_images[used], level=level)
    lowest, highest = np.full(n_bins, np.inf), np.full(n_bins, -np.inf)
    np.minimum.at(lowest, bins, confidence)
    np.maximum.at(highest, bins, confidence)
    return ReliabilityCurve(
        confidence=np.bincount(bins, weights=confidence, minlength=n_bins)[used] / n_images[used],
        lowest=lowest[used],
        highest=highest[used],
        accuracy=n_correct / n_images[used],
        low=low,
        high=high,
        n_images=n_images[used],
        n_classes=values.shape[1],
        binning=binning,
        level=level,
    )


def expected_calibration_error(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    n_bins: int = N_BINS,
    binning: Binning = Binning.EQUAL_MASS,
) -> float:
    """Mean distance of accuracy from confidence, over bins of confidence.

    Defined by Naeini et al. (2015) and Guo et al. (2017). By chance the two differ in every bin even for a
    perfectly calibrated model, so this number is biased upwards, the more so the fewer the images and the more
    the bins: compare it with that of a calibrated model
    (:attr:`attnxai.classification.ClassificationMetrics.calibrated`).

    Parameters
    ----------
    probabilities : array_like, shape (n_images, n_classes)
        Class probabilities.
    labels : array_like of int, shape (n_images,)
        True classes.
    n_bins, binning
        As in :func:`reliability_curve`.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> sure = [[0.9, 0.1]] * 10
    >>> round(expected_calibration_error(sure, [0] * 7 + [1] * 3), 6)
    0.2
    """
    curve = reliability_curve(probabilities, labels, n_bins=n_bins, binning=binning)
    return curve.expected_calibration_error


def calibrated_reference(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    n_bins: int = N_BINS,
    binning: Binning = Binning.EQUAL_MASS,
    n_draws: int = 10_000,
    level: float = CONFIDENCE_LEVEL,
    rng: np.random.Generator,
) -> CalibratedReference:
    """Calibration errors of a perfectly calibrated model with the confidences of this one.

    Each draw makes every prediction correct with the probability that the model gives for it and computes the
    expected calibration error again (consistency resampling: Bröcker & Smith 2007; as a test, Vaicenavicius
    et al. 2019). Given the confidences this is how a calibrated model behaves, so that the test keeps its
    level for any number of images.
    """
    values, positions = checked_probabilities(probabilities, labels)
    if n_draws < 1:
        raise OptionError(f"n_draws has to be 1 or more, got {n_draws}")
    confidence, right = _confidence_and_right(values, positions)
    n = len(confidence)
    bins = _bins(confidence, np.ones((1, n)), n_bins, binning)[0]
    members = np.zeros((n, n_bins))
    members[np.arange(n), bins] = 1.0 / n

    def errors(rows: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.abs((rows - confidence) @ members).sum(axis=1))

    own = errors(right[None])[0]
    blocks = [min(_ROWS, n_draws - start) for start in range(0, n_draws, _ROWS)]
    drawn = np.concatenate([errors(rng.random((rows, n)) < confidence) for rows in blocks])
    reached = int(np.count_nonzero(drawn >= own - _TIE))
    return CalibratedReference(
        mean=float(drawn.mean()),
        high=float(np.quantile(drawn, level)),
        p_value=(reached + 1) / (n_draws + 1),
        n_draws=n_draws,
        level=level,
    )


def calibration_error_interval(
    probabilities: ArrayLike,
    labels: ArrayLike,
    counts: NDArray[np.int32],
    reference: CalibratedReference,
    *,
    n_bins: int = N_BINS,
    binning: Binning = Binning.EQUAL_MASS,
    level: float = CONFIDENCE_LEVEL,
) -> Interval:
    """Interval of the expected calibration error.

    A bootstrap alone never contains 0 and so misses every calibrated model, since resamples have the bias
    of the estimate and their own once more. Here the interval begins at 0 unless the reference shows the
    model not to be calibrated; then it begins at the lower percentile less twice the bias that the
    resamples show. It ends at the upper percentile. In simulations it covered the true error in 90 to 97 %
    of the cases, the percentiles alone in 0 to 96 % (docs/explanation/calibration.md).
    ``counts``, shape (n_bootstrap, n_images), says how often each image occurs in each resample.
    """
    values, positions = checked_probabilities(probabilities, labels)
    confidence, right = _confidence_and_right(values, positions)

    def statistic(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return _resampled_error(confidence, right, rows, n_bins, binning)

    value = float(statistic(np.ones((1, len(confidence))))[0])
    if len(confidence) < MIN_UNITS:
        return no_interval(value, len(confidence), unit="image", level=level)
    drawn = over_resamples(statistic, counts)
    found = resampled_interval(
        value,
        drawn,
        np.empty(0),
        n_units=len(confidence),
        unit="image",
        kind=IntervalKind.PERCENTILE,
        level=level,
    )
    bias = max(0.0, float(drawn.mean()) - value)
    return dataclasses.replace(
        found,
        low=max(0.0, found.low - 2.0 * bias) if reference.rejected else 0.0,
        method=f"{found.method}, joined with the test of calibration",
    )


def _confidence_and_right(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    confidence = np.minimum(probabilities.max(axis=1), 1.0)
    return confidence, (probabilities.argmax(axis=1) == labels).astype(np.float64)


def _bins(
    confidence: NDArray[np.float64], counts: NDArray[np.float64], n_bins: int, binning: Binning
) -> NDArray[np.int64]:
    """Bin of every image in every resample, shape (n_bootstrap, n_images)."""
    if n_bins < 1:
        raise OptionError(f"n_bins has to be 1 or more, got {n_bins}")
    if binning is Binning.EQUAL_WIDTH:
        edges = np.arange(n_bins + 1) / n_bins
        fixed = np.searchsorted(edges, confidence, side="left") - 1
        return np.broadcast_to(np.clip(fixed, 0, n_bins - 1), counts.shape)
    order = np.argsort(confidence, kind="stable")
    ascending = confidence[order]
    starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])
    # images of equal confidence go together, by the middle of their ranks
    group = np.cumsum(np.r_[False, ascending[1:] != ascending[:-1]])
    weights = np.add.reduceat(counts[:, order], starts, axis=1)
    middle = np.cumsum(weights, axis=1) - weights / 2
    total = counts.sum(axis=1, keepdims=True)
    by_group = np.minimum((middle * n_bins / total).astype(np.int64), n_bins - 1)
    bins = np.empty(counts.shape, dtype=np.int64)
    bins[:, order] = by_group[:, group]
    return bins


def _resampled_error(
    confidence: NDArray[np.float64],
    right: NDArray[np.float64],
    counts: NDArray[np.float64],
    n_bins: int,
    binning: Binning,
) -> NDArray[np.float64]:
    """Expected calibration error of every resample, with bins of its own."""
    rows = len(counts)
    bins = _bins(confidence, counts, n_bins, binning) + n_bins * np.arange(rows)[:, None]
    gaps = np.bincount(
        bins.ravel(), weights=(counts * (right - confidence)).ravel(), minlength=rows * n_bins
    )
    total = counts.sum(axis=1)
    return np.asarray(np.abs(gaps.reshape(rows, n_bins)).sum(axis=1) / total)
