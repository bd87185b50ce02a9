"""Measures of classification: accuracy, F1, AUC, log loss and Brier score of class scores.

Scores are logits: their softmax gives probabilities. Arrays of both have the shape
(n_images, n_classes); labels are positions among the classes. The predicted class is the one of the
highest score, the first of them where several are equal.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError, UndefinedValuesWarning

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Single precision leaves sums of probabilities this far from 1.
_SUM_TOLERANCE = 1e-5


def checked_scores(
    scores: ArrayLike, labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Scores and labels as arrays that fit together; an OptionError where they do not."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or not len(values):
        raise OptionError(
            f"scores have shape {values.shape}; they need one row per image and one column for each of "
            "two or more classes"
        )
    given = np.asarray(labels)
    if given.shape != (len(values),):
        raise OptionError(f"labels have shape {given.shape} for {len(values)} rows of scores")
    if not np.isfinite(values).all():
        raise OptionError("scores hold values that are not finite")
    if given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= values.shape[1]:
        raise OptionError(
            f"labels have to be whole numbers from 0 to {values.shape[1] - 1}, one of the "
            f"{values.shape[1]} columns of the scores; got {given.min()} to {given.max()}"
            if given.dtype.kind in "iuf"
            else f"labels have to be whole numbers, got {given.dtype}"
        )
    return values, given.astype(np.int64)


def checked_probabilities(
    probabilities: ArrayLike, labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities, which add up to 1, and labels as arrays that fit together."""
    values, positions = checked_scores(probabilities, labels)
    sums = values.sum(axis=1)
    if values.min() < 0 or np.abs(sums - 1.0).max() > _SUM_TOLERANCE:
        worst = int(np.abs(sums - 1.0).argmax())
        raise OptionError(
            "probabilities have to be 0 or more and add up to 1 for each image; row "
            f"{worst} adds up to {sums[worst]:.6g} and the lowest value is {values.min():.6g} "
            "(scipy.special.softmax makes them from scores)"
        )
    return values, positions


def check_temperature(temperature: float) -> None:
    """Refuse a temperature that is not finite and above 0."""
    if not (np.isfinite(temperature) and temperature > 0):
        raise OptionError(f"a temperature has to be finite and above 0, got {temperature}")


def class_probabilities(scores: ArrayLike, *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Softmax of the scores divided by the temperature, shape (n_images, n_classes)."""
    from scipy.special import softmax

    check_temperature(temperature)
    return np.asarray(softmax(np.asarray(scores, dtype=np.float64) / temperature, axis=1))


def confusion_matrix(scores: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """How many images of each class were predicted to be of each class.

    Parameters
    ----------
    scores : array_like, shape (n_images, n_classes)
        Scores or probabilities.
    labels : array_like of int, shape (n_images,)
        True classes.

    Returns
    -------
    ndarray of int, shape (n_classes, n_classes)
        Rows are true, columns predicted classes.

    Examples
    --------
    >>> confusion_matrix([[2, 1], [0, 1], [0, 1]], [0, 0, 1])
    array([[1, 1],
           [0, 1]])
    """
    values, positions = checked_scores(scores, labels)
    n_classes = values.shape[1]
    pairs = positions * n_classes + values.argmax(axis=1)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def accuracy(scores: ArrayLike, labels: ArrayLike) -> float:
    """Share of the images whose predicted class is the true one.

    Parameters
    ----------
    scores : array_like, shape (n_images, n_classes)
        Scores or probabilities.
    labels : array_like of int, shape (n_images,)
        True classes.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> accuracy([[2, 1], [0, 1], [0, 1], [1, 3]], [0, 0, 1, 1])
    0.75
    """
    values, positions = checked_scores(scores, labels)
    return float((values.argmax(axis=1) == positions).mean())


def f1_scores(scores: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """F1 of every class: the harmonic mean of its precision and its recall.

    Parameters
    ----------
    scores : array_like, shape (n_images, n_classes)
        Scores or probabilities.
    labels : array_like of int, shape (n_images,)
        True classes.

    Returns
    -------
    ndarray, shape (n_classes,)
        From 0 to 1; NaN, with a warning, for a class that has neither members nor predictions.

    Examples
    --------
    >>> f1_scores([[2, 1], [0, 1], [0, 1], [1, 3]], [0, 0, 1, 1]).round(3)
    array([0.667, 0.8  ])
    """
    confusion = confusion_matrix(scores, labels)
    either = confusion.sum(axis=0) + confusion.sum(axis=1)
    f1 = np.where(either > 0, 2 * np.diag(confusion) / np.maximum(either, 1), np.nan)
    if np.isnan(f1).any():
        warnings.warn(
            f"F1 is undefined for the classes {', '.join(map(str, np.flatnonzero(np.isnan(f1))))}, "
            "which have neither members nor predictions",
            UndefinedValuesWarning,
            stacklevel=2,
        )
    return f1


def resampled_f1(
    predicted: NDArray[np.bool_], true: NDArray[np.bool_], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """F1 of one class in every resample, NaN where it has neither members nor predictions.

    ``counts``, shape (n_bootstrap, n_images), says how often each image occurs in each resample.
    """
    both = counts @ (predicted & true)
    either = counts @ predicted + counts @ true
    return np.asarray(np.where(either > 0, 2 * both / np.maximum(either, 1e-300), np.nan))


def log_odds(scores: NDArray[np.float64], label: int) -> NDArray[np.float64]:
    """Log of p / (1 - p) of a class, from scores, so that no probability is rounded to 1."""
    from scipy.special import logsumexp

    others = np.delete(scores, label, axis=1)
    return np.asarray(scores[:, label] - logsumexp(others, axis=1))


def roc_auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve.

    For two classes, the probability that an image of the second class has a higher score difference
    (second minus first class) than one of the first class, ties counting half. For more classes, the
    unweighted mean over classes of the same for one class against all others, by the log odds of the
    class (Fawcett 2006 weighs classes by their size; this does not).

    Parameters
    ----------
    scores : array_like, shape (n_images, n_classes)
        Scores, already divided by a temperature if there is one; with two classes the temperature
        changes nothing.
    labels : array_like of int, shape (n_images,)
        True classes.

    Returns
    -------
    float
        From 0 to 1, 0.5 by chance; NaN, with a warning, when a class has no images.

    Examples
    --------
    >>> roc_auc([[0, 1], [0, 3], [0, 2], [0, 4]], [0, 0, 1, 1])
    0.75
    """
    values, positions = checked_scores(scores, labels)
    auc = float(resampled_roc_auc(values, positions, np.ones((1, len(values))))[0])
    if np.isnan(auc):
        missing = sorted(set(range(values.shape[1])) - set(positions.tolist()))
        warnings.warn(
            f"the AUC is undefined, since there are no images of the classes "
            f"{', '.join(map(str, missing))}",
            UndefinedValuesWarning,
            stacklevel=2,
        )
    return auc


def resampled_roc_auc(
    scores: NDArray[np.float64], labels: NDArray[np.int64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Area under the ROC curve in every resample (:func:`resampled_f1`), NaN where a class has no images."""
    n_classes = scores.shape[1]
    chosen = range(1, 2) if n_classes == 2 else range(n_classes)
    areas = [_area(log_odds(scores, label), labels == label, counts) for label in chosen]
    return np.asarray(np.mean(areas, axis=0))


def left_out_roc_auc(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Area under the ROC curve without each image (n_images,), NaN where a class has no others.

    It is that of :func:`resampled_roc_auc` with a resample for each image that lacks it, for as many images as there are.
    """
    n_classes = scores.shape[1]
    chosen = range(1, 2) if n_classes == 2 else range(n_classes)
    areas = [_area_without_each(log_odds(scores, label), labels == label) for label in chosen]
    return np.asarray(np.mean(areas, axis=0))


def _area_without_each(
    values: NDArray[np.float64], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    won = np.empty(len(values))
    for own, others in ((positive, ~positive), (~positive, positive)):
        ordered = np.sort(values[others])
        below, up_to = (np.searchsorted(ordered, values[own], side) for side in ("left", "right"))
        won[own] = (below + up_to) / 2  # equal values count half
    n_others = int(np.count_nonzero(~positive))
    won[~positive] = np.count_nonzero(positive) - won[~positive]
    pairs = np.where(positive, (len(values) - n_others - 1) * n_others, 0)
    pairs = np.where(positive, pairs, (len(values) - n_others) * (n_others - 1))
    share = (won[positive].sum() - won) / np.maximum(pairs, 1)
    return np.asarray(np.where(pairs > 0, share, np.nan))


def _area(
    values: NDArray[np.float64], positive: NDArray[np.bool_], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    # source by source from the lowest value, with every step along the resamples; equal values count half, since
    # with one order they are all won, with the other all lost
    by_source = np.ascontiguousarray(counts.T)
    last, first = np.lexsort((positive, values)), np.lexsort((~positive, values))
    found = []
    for order in (last,) if np.array_equal(last, first) else (last, first):
        won, below = np.zeros((2, len(counts)))
        for source, is_positive in zip(order.tolist(), positive[order].tolist(), strict=True):
            if is_positive:
                won += by_source[source] * below
            else:
                below += by_source[source]
        found.append(won)
    pairs = by_source[positive].sum(axis=0) * below
    share = np.mean(found, axis=0) / np.maximum(pairs, 1e-300)
    return np.asarray(np.where(pairs > 0, share, np.nan))


def image_log_losses(
    scores: NDArray[np.float64], labels: NDArray[np.int64], *, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Minus the log of the probability of each image's true class, in nats, shape (n_images,)."""
    from scipy.special import logsumexp

    scaled = scores / temperature
    true = scaled[np.arange(len(labels)), labels]
    return np.asarray(logsumexp(scaled, axis=1) - true)


def log_loss(scores: ArrayLike, labels: ArrayLike, *, temperature: float = 1.0) -> float:
    """Mean of minus the log of the probability of the true class (cross entropy), in nats.

    Parameters
    ----------
    scores : array_like, shape (n_images, n_classes)
        Scores, not probabilities: the loss stays finite and exact however sure the model is.
    labels : array_like of int, shape (n_images,)
        True classes.
    temperature : float
        Scores are divided by it.

    Returns
    -------
    float
        0 or more; log(n_classes) for uniform probabilities.

    Examples
    --------
    >>> round(log_loss([[0, 0], [0, 0]], [0, 1]), 4)
    0.6931
    """
    check_temperature(temperature)
    values, positions = checked_scores(scores, labels)
    return float(image_log_losses(values, positions, temperature=temperature).mean())


def image_brier_scores(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Half the squared distance of each image's probabilities from its class, shape (n_images,)."""
    distance = probabilities.copy()
    distance[np.arange(len(labels)), labels] -= 1.0
    return np.asarray(0.5 * (distance**2).sum(axis=1))


def brier_score(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Brier score: half the mean squared distance of the probabilities from the true class.

    For two classes this is the mean squared error of the probability of either; for more it is half of
    what Brier (1950) defined, so that it lies between 0 and 1 for any number of classes.

    Parameters
    ----------
    probabilities : array_like, shape (n_images, n_classes)
        Class probabilities.
    labels : array_like of int, shape (n_images,)
        True classes.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> round(brier_score([[0.9, 0.1], [0.4, 0.6]], [0, 0]), 3)
    0.185
    """
    values, positions = checked_probabilities(probabilities, labels)
    return float(image_brier_scores(values, positions).mean())
