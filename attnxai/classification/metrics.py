"""All numbers of a classifier on some images, each with its interval, as one result."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.classification.reliability import (
    N_BINS,
    Binning,
    CalibratedReference,
    ReliabilityCurve,
    calibrated_reference,
    calibration_error_interval,
    reliability_curve,
)
from attnxai.classification.scoring import (
    check_temperature,
    checked_scores,
    class_probabilities,
    confusion_matrix,
    image_brier_scores,
    image_log_losses,
    resampled_f1,
    resampled_roc_auc,
)
from attnxai.data.short_repr import ArrayResult
from attnxai.errors import FewSourcesWarning, OptionError, UndefinedValuesWarning
from attnxai.statistics.bootstrap import statistic_interval, stratified_counts
from attnxai.statistics.exact import share_interval
from attnxai.statistics.formats import format_compared, format_share, p_equals, with_interval
from attnxai.statistics.interval import CONFIDENCE_LEVEL, MIN_UNITS, Interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


_OF_ALL_CLASSES = ("roc_auc", "log_loss", "brier_score", "expected_calibration_error")
NO_METHOD = "none"
"""What records say of an interval that does not exist."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassificationMetrics(ArrayResult):
    """How well a model distinguishes classes on some images, and whether its probabilities are calibrated.

    Parameters
    ----------
    class_names : tuple of str
        Names of the classes, in the order of the scores.
    n_images : int
        Number of images.
    temperature : float
        What scores were divided by.
    confusion : ndarray of int, shape (n_classes, n_classes)
        Images by true (rows) and predicted (columns) class.
    accuracy : Interval
        Share of the images whose predicted class is the true one.
    f1 : mapping of str to Interval
        Harmonic mean of precision and recall, by class name.
    roc_auc : Interval
        Area under the ROC curve, see :func:`~attnxai.classification.scoring.roc_auc`.
    log_loss : Interval
        Cross entropy in nats.
    brier_score : Interval
        Half the mean squared distance of the probabilities from the true class.
    expected_calibration_error : Interval
        See :func:`~attnxai.classification.reliability.expected_calibration_error`.
    calibrated : CalibratedReference
        The same of a perfectly calibrated model with these confidences.
    reliability : ReliabilityCurve
        Bins that the calibration error is made of.
    n_bootstrap : int
        Resamples and draws.
    level : float
        Confidence level.

    Examples
    --------
    >>> import attnxai
    >>> scores = [[2, 0], [1, 0], [0, 1], [0, 2], [1, 0]] * 4
    >>> labels = [0, 0, 1, 1, 1] * 4
    >>> found = attnxai.classification.classification_metrics(
    ...     scores, labels, class_names=("FR I", "FR II"), n_bootstrap=100, rng=0
    ... )
    >>> found.accuracy.value, found.confusion.tolist()
    (0.8, [[8, 0], [4, 8]])
    """

    class_names: tuple[str, ...]
    n_images: int
    temperature: float
    confusion: NDArray[np.int64]
    accuracy: Interval
    f1: Mapping[str, Interval]
    roc_auc: Interval
    log_loss: Interval
    brier_score: Interval
    expected_calibration_error: Interval
    calibrated: CalibratedReference
    reliability: ReliabilityCurve
    n_bootstrap: int
    level: float

    def __repr__(self) -> str:
        return f"ClassificationMetrics({self.n_images} images, accuracy {with_interval(self.accuracy)})"

    @property
    def intervals(self) -> dict[tuple[str, str], Interval]:
        """Every number by its name and its class (``all`` where it is of all classes)."""
        found = {("accuracy", "all"): self.accuracy}
        found |= {("f1", name): interval for name, interval in self.f1.items()}
        return found | {(name, "all"): getattr(self, name) for name in _OF_ALL_CLASSES}

    def calibrated_errors(self) -> tuple[str, str]:
        """Mean and quantile of ``calibrated`` as text, with the decimals of the calibration error."""
        own = self.expected_calibration_error
        mean, high = (
            format_compared(end, own, 3) for end in (self.calibrated.mean, self.calibrated.high)
        )
        return mean, high

    def to_record(self) -> dict[str, Any]:
        """Plain values under documented names; None where a number is undefined."""
        curve = self.reliability
        columns = (curve.confidence, curve.accuracy, curve.low, curve.high, curve.n_images)
        names = ("confidence", "accuracy", "ci_low", "ci_high", "n_images")
        return {
            "n_images": self.n_images,
            "class_names": list(self.class_names),
            "temperature": float(self.temperature),
            "level": self.level,
            "n_bootstrap": self.n_bootstrap,
            "accuracy": _plain(self.accuracy),
            "f1": {name: _plain(interval) for name, interval in self.f1.items()},
            **{name: _plain(getattr(self, name)) for name in _OF_ALL_CLASSES},
            "calibrated_model": {
                name: getattr(self.calibrated, name) for name in ("mean", "high", "p_value")
            },
            "confusion": self.confusion.tolist(),
            "binning": str(curve.binning),
            "reliability": [
                dict(zip(names, row, strict=True))
                for row in zip(*(column.tolist() for column in columns), strict=True)
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per number, with its interval."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "metric": metric,
                    "class": class_name,
                    "value": interval.value,
                    "ci_low": interval.low,
                    "ci_high": interval.high,
                    "interval": interval.method or NO_METHOD,
                    "n_images": self.n_images,
                }
                for (metric, class_name), interval in self.intervals.items()
            ]
        )

    def summary(self) -> str:
        """Every number with its interval, as plain text."""
        lines = [f"{self.n_images} images, temperature {self.temperature:.3g}"]
        for (metric, class_name), interval in self.intervals.items():
            name = metric.replace("_", " ") + (f" {class_name}" if class_name != "all" else "")
            lines.append(f"{name:>26} {with_interval(interval, 3)}")
        reference, (mean, high) = self.calibrated, self.calibrated_errors()
        lines.append(
            f"{'of a calibrated model':>26} {mean}, {format_share(reference.level)} below {high}; "
            f"{p_equals(reference.p_value)}"
        )
        return "\n".join(lines)

    to_latex = presenters.to_latex
    _repr_html_ = presenters.repr_html
    plot = presenters.plot


def _plain(interval: Interval) -> dict[str, float | str | None]:
    return {**interval.to_record(), "interval": interval.method or NO_METHOD}


def classification_metrics(
    scores: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    temperature: float = 1.0,
    n_bootstrap: int = 10_000,
    n_bins: int = N_BINS,
    binning: Binning = Binning.EQUAL_MASS,
    level: float = CONFIDENCE_LEVEL,
    rng: np.random.Generator | int,
) -> ClassificationMetrics:
    """Measure a classifier on some images.

    The interval of the accuracy is Wilson's. Those of F1, AUC, log loss and Brier score are BCa bootstrap
    intervals over images, resampled within each class, so that they are for data with the same shares of
    classes; the same resamples serve all. That of the calibration error is described at
    :func:`~attnxai.classification.reliability.calibration_error_interval`. Intervals are about these images alone:
    a model that was trained again would give other numbers.

    Parameters
    ----------
    scores : array_like, shape (n_images, n_classes)
        Class scores (logits), not divided by the temperature.
    labels : array_like of int, shape (n_images,)
        True classes, as positions in ``class_names``.
    class_names : sequence of str
        Names of the classes.
    temperature : float
        Scores are divided by it before they become probabilities.
    n_bootstrap : int
        Resamples of the bootstrap, and draws of the calibrated reference.
    n_bins, binning
        Bins of confidence, see :func:`~attnxai.classification.reliability.reliability_curve`.
    level : float
        Confidence level.
    rng : numpy.random.Generator or int
        Source of randomness, or its seed. The same one gives the same intervals in whatever order the
        images are.

    Returns
    -------
    ClassificationMetrics

    Raises
    ------
    OptionError
        If scores, labels and names do not fit together, or an option is out of its range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(100) % 2
    >>> scores = rng.normal(size=(100, 2)) + 2 * np.eye(2)[labels]
    >>> metrics = classification_metrics(scores, labels, ["FR I", "FR II"], rng=0)
    >>> metrics
    ClassificationMetrics(100 images, accuracy 0.930 [0.863, 0.966])
    """
    values, positions = checked_scores(scores, labels)
    names = tuple(class_names)
    if len(names) != values.shape[1] or len(set(names)) != len(names):
        raise OptionError(
            f"class_names has to name each of the {values.shape[1]} columns of the scores once, got "
            f"{', '.join(names) or 'none'}"
        )
    if n_bootstrap < 1 or not 0 < level < 1:
        raise OptionError(
            f"n_bootstrap has to be 1 or more and level between 0 and 1, got {n_bootstrap} and {level}"
        )
    check_temperature(temperature)
    generator = np.random.default_rng(rng)
    # one order for all, so that the draws do not depend on that of the files
    order = np.lexsort([*values.T, positions])
    values, positions = values[order], positions[order]
    scaled = values / temperature
    probabilities = class_probabilities(scaled)
    counts = stratified_counts(positions, n_bootstrap, generator)

    def interval(statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Interval:
        return statistic_interval(statistic, counts, strata=positions, unit="image", level=level)

    def interval_of_mean(losses: NDArray[np.float64]) -> Interval:
        return interval(lambda rows: np.asarray(rows @ losses / rows.sum(axis=1)))

    predicted = values.argmax(axis=1)

    def interval_of_f1(label: int) -> Interval:
        members, found = positions == label, predicted == label
        return interval(lambda rows: resampled_f1(found, members, rows))

    n, n_correct = len(positions), int((predicted == positions).sum())
    bins: dict[str, Any] = {"n_bins": n_bins, "binning": binning, "level": level}
    reference = calibrated_reference(
        probabilities, positions, n_draws=n_bootstrap, rng=generator, **bins
    )
    metrics = ClassificationMetrics(
        class_names=names,
        n_images=n,
        temperature=float(temperature),
        confusion=confusion_matrix(values, positions),
        accuracy=share_interval(n_correct, n, level=level),
        f1={name: interval_of_f1(label) for label, name in enumerate(names)},
        roc_auc=interval(lambda rows: resampled_roc_auc(scaled, positions, rows)),
        log_loss=interval_of_mean(image_log_losses(scaled, positions)),
        brier_score=interval_of_mean(image_brier_scores(probabilities, positions)),
        expected_calibration_error=calibration_error_interval(
            probabilities, positions, counts, reference, **bins
        ),
        calibrated=reference,
        reliability=reliability_curve(probabilities, positions, **bins),
        n_bootstrap=n_bootstrap,
        level=level,
    )
    _warn_of_gaps(metrics)
    return metrics


def _warn_of_gaps(metrics: ClassificationMetrics) -> None:
    if metrics.n_images < MIN_UNITS:
        warnings.warn(
            f"{metrics.n_images} images are too few for intervals other than that of the accuracy, "
            f"which need {MIN_UNITS} or more",
            FewSourcesWarning,
            stacklevel=3,
        )
    missing = [
        f"{metric.replace('_', ' ')}" + (f" of {class_name}" if class_name != "all" else "")
        for (metric, class_name), interval in metrics.intervals.items()
        if np.isnan(interval.value)
    ]
    if missing:
        members = metrics.confusion.sum(axis=1)
        absent = [name for name, n in zip(metrics.class_names, members, strict=True) if not n]
        warnings.warn(
            f"undefined and left empty: {', '.join(missing)}, since there are no images of "
            f"{', '.join(absent)}",
            UndefinedValuesWarning,
            stacklevel=3,
        )
