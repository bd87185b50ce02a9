"""Temperature scaling: one number that calibrates the probabilities of a trained model.

Class scores are divided by a temperature before they become probabilities (Guo et al. 2017,
arXiv 1706.04599). The order of the scores and so every predicted class stays the same.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.classification.scoring import checked_scores, image_log_losses
from attnxai.data.wording import counted
from attnxai.errors import FewSourcesWarning, OptionError
from attnxai.statistics.interval import CONFIDENCE_LEVEL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TEMPERATURE_RANGE = (0.01, 1000.0)
"""Temperatures are sought between these; a published network that sums its features needs 16."""

LEAST_IMAGES = 15
"""No temperature is fitted to fewer images: of those fitted to 10, a third have an interval without an end."""

# Of log T; the loss is flat at its minimum, so this is far more than the data can tell.
_TOLERANCE = 1e-7
_NEWTON_STEPS = 12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureFit:
    """A fitted temperature, its interval, and how much it improves the log loss.

    Parameters
    ----------
    temperature : float
        The temperature with the lowest log loss in :data:`TEMPERATURE_RANGE`.
    low, high : float
        Its profile-likelihood interval; 0 or infinity where it is open.
    level : float
        Level of the interval.
    at_bound : bool
        Whether the loss falls up to an end of the range, so that the images fix no temperature.
    log_loss_before, log_loss_after : float
        Mean log loss (nats) with temperature 1 and with the fitted one, on the images it was fitted to.
    log_loss_cross_validated : float
        The same with each image's temperature fitted to all others: what to expect of new images.
    gain_error : float
        Standard error over images of ``log_loss_before - log_loss_cross_validated``.
    n_images, n_wrong : int
        Images that it was fitted to, and how many of them are misclassified.

    Examples
    --------
    >>> import attnxai
    >>> fit = attnxai.classification.fit_temperature([[2, -2], [2, -2], [2, -2], [-2, 2]] * 25, [0] * 100)
    >>> fit.n_wrong, bool(fit.log_loss_after < fit.log_loss_before), fit.at_bound
    (25, True, False)
    """

    temperature: float
    low: float
    high: float
    level: float
    at_bound: bool
    log_loss_before: float
    log_loss_after: float
    log_loss_cross_validated: float
    gain_error: float
    n_images: int
    n_wrong: int

    @property
    def gain(self) -> float:
        """Expected decrease of the log loss on new images; negative if scaling makes it worse."""
        return self.log_loss_before - self.log_loss_cross_validated

    @property
    def obstacle(self) -> str:
        """Why no usable temperature can be fitted to the images, or empty."""
        if self.at_bound and self.temperature < 1:
            right = self.n_images - self.n_wrong
            return (
                f"{right} of {self.n_images} images are classified correctly, and the log loss falls "
                f"with the temperature down to {TEMPERATURE_RANGE[0]:g}, the end of the search; give more images, "
                "or images that are harder to classify"
            )
        if self.n_images < LEAST_IMAGES:
            return f"{counted(self.n_images, 'image')} cannot determine it, at least {LEAST_IMAGES} are needed"
        if not self.at_bound:
            return ""
        return (
            f"the scores contain no information about the classes of the {self.n_images} images: the log loss "
            f"falls as the temperature rises to {TEMPERATURE_RANGE[1]:g}, the end of the search; check that the labels belong to this model"
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values; None for the open end of an interval."""
        values = dataclasses.asdict(self)
        return values | {"high": self.high if math.isfinite(self.high) else None}


def fit_temperature(
    scores: ArrayLike, labels: ArrayLike, *, level: float = CONFIDENCE_LEVEL
) -> TemperatureFit:
    """Find the temperature with the lowest log loss.

    Parameters
    ----------
    scores : array_like, shape (n_images, n_classes)
        Class scores (logits) of images that the model was not trained on.
    labels : array_like of int, shape (n_images,)
        True classes, as positions among the columns.
    level : float
        Level of the interval: temperatures whose log likelihood lies within half a quantile of
        chi-squared with one degree of freedom of the best.

    Returns
    -------
    TemperatureFit
        A warning says so when it lies at an end of its range, or is fitted to fewer than
        :data:`LEAST_IMAGES` images; it is then of no use.

    Raises
    ------
    OptionError
        If scores and labels do not fit together, or all scores of each image are equal.

    Examples
    --------
    Scores of 2 and -2 claim 98 % for what is right in 3 of 4 cases; divided by 4 / log 3 they claim 75 %.

    >>> fit = fit_temperature([[2, -2], [2, -2], [2, -2], [-2, 2]] * 25, [0] * 100)
    >>> round(fit.temperature, 3), round(4 / math.log(3), 3)
    (3.641, 3.641)
    """
    values, positions = checked_scores(scores, labels)
    if np.ptp(values, axis=1).max() == 0:
        raise OptionError(
            "all classes have the same score in every image, so that no temperature changes anything"
        )
    if not 0 < level < 1:
        raise OptionError(f"level has to be between 0 and 1, got {level}")
    temperature, at_bound = _best_temperature(values, positions)
    before = image_log_losses(values, positions)
    held_out = _held_out_losses(values, positions, temperature)
    after = image_log_losses(values, positions, temperature=temperature)
    n = len(values)
    low, high = _profile_interval(values, positions, temperature, level)
    fit = TemperatureFit(
        temperature=temperature,
        low=low,
        high=high,
        level=level,
        at_bound=at_bound,
        log_loss_before=float(before.mean()),
        log_loss_after=float(after.mean()),
        log_loss_cross_validated=float(held_out.mean()),
        gain_error=float((before - held_out).std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan,
        n_images=n,
        n_wrong=int((values.argmax(axis=1) != positions).sum()),
    )
    if fit.obstacle:
        warnings.warn(
            f"no temperature can be fitted: {fit.obstacle}", FewSourcesWarning, stacklevel=2
        )
    return fit


def _best_temperature(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, bool]:
    """Temperature of the lowest loss, and whether it lies at an end of the range."""
    from scipy.optimize import minimize_scalar

    # the loss is convex in 1 / T and so has one minimum in log T
    ends = np.log(TEMPERATURE_RANGE)
    found = minimize_scalar(
        lambda log_t: _loss(scores, labels, log_t),
        bounds=tuple(ends),
        method="bounded",
        options={"xatol": _TOLERANCE},
    )
    losses = [_loss(scores, labels, end) for end in ends]
    nearest = int(np.argmin(losses))
    if losses[nearest] <= found.fun:
        return TEMPERATURE_RANGE[nearest], True
    return float(np.exp(found.x)), False


def _loss(scores: NDArray[np.float64], labels: NDArray[np.int64], log_t: float) -> float:
    return float(image_log_losses(scores, labels, temperature=math.exp(log_t)).mean())


def _held_out_losses(
    scores: NDArray[np.float64], labels: NDArray[np.int64], temperature: float
) -> NDArray[np.float64]:
    """Log loss of every image with the temperature that all others give."""
    n = len(labels)
    if n == 1:
        return np.full(1, np.nan)
    losses = np.empty(n)
    for index in range(n):
        without = _temperature_without(scores, labels, index, start=1.0 / temperature)
        one = slice(index, index + 1)
        losses[index] = image_log_losses(scores[one], labels[one], temperature=without)[0]
    return losses


def _temperature_without(
    scores: NDArray[np.float64], labels: NDArray[np.int64], index: int, *, start: float
) -> float:
    """Temperature of all images but one, by Newton's method in 1 / T from that of all images.

    One image changes little, so that a few steps do; where they do not, the range is searched.
    """
    least, most = 1.0 / TEMPERATURE_RANGE[1], 1.0 / TEMPERATURE_RANGE[0]
    inverse = start
    for _ in range(_NEWTON_STEPS):
        slope, curvature = _derivatives(scores, labels, inverse)
        step = (slope.sum() - slope[index]) / max(curvature.sum() - curvature[index], 1e-300)
        moved = min(max(inverse - step, least), most)
        if abs(moved - inverse) <= _TOLERANCE * moved:
            return float(1.0 / moved)
        inverse = moved
    kept = np.arange(len(labels)) != index
    return _best_temperature(scores[kept], labels[kept])[0]


def _derivatives(
    scores: NDArray[np.float64], labels: NDArray[np.int64], inverse: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and second derivative of each image's log loss by 1 / T."""
    powers = np.exp(inverse * (scores - scores.max(axis=1, keepdims=True)))
    shares = powers / powers.sum(axis=1, keepdims=True)
    mean = (shares * scores).sum(axis=1)
    variance = (shares * (scores - mean[:, None]) ** 2).sum(axis=1)
    return mean - scores[np.arange(len(labels)), labels], variance


def _profile_interval(
    scores: NDArray[np.float64], labels: NDArray[np.int64], temperature: float, level: float
) -> tuple[float, float]:
    from scipy.optimize import brentq
    from scipy.stats import chi2

    best = math.log(temperature)
    allowed = _loss(scores, labels, best) + float(chi2.ppf(level, 1)) / 2 / len(labels)

    def excess(log_t: float) -> float:
        return _loss(scores, labels, log_t) - allowed

    lower, upper = np.log(TEMPERATURE_RANGE)
    low = math.exp(brentq(excess, lower, best)) if excess(lower) > 0 else 0.0
    high = math.exp(brentq(excess, best, upper)) if excess(upper) > 0 else math.inf
    return low, high
