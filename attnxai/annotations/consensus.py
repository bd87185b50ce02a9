"""Consensus of several annotators on one grid."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.short_repr import ArrayResult
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class ConsensusRule(enum.StrEnum):
    """How annotators are combined: what any or more than half of them marked, STAPLE's probability, or the mean."""

    UNION = "union"
    MAJORITY = "majority"
    STAPLE = "staple"
    MEAN = "mean"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Staple(ArrayResult):
    """Estimates of STAPLE.

    Parameters
    ----------
    probability : ndarray, shape of one mask
        That a pixel belongs to the truth.
    sensitivity, specificity : ndarray, shape (n_annotators,)
        Share of the true pixels that each marked, and of the others that each left out.
    n_steps : int
        Steps of expectation and maximisation.
    """

    probability: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    specificity: NDArray[np.float64]
    n_steps: int


def staple(
    masks: ArrayLike, *, prior: float | None = None, tolerance: float = 1e-8, n_steps: int = 1000
) -> Staple:
    """Simultaneous truth and performance level estimation (Warfield, Zou & Wells 2004, IEEE Trans. Med. Imaging 23, 903).

    Parameters
    ----------
    masks : array_like of bool, shape (n_annotators, ...)
        What each annotator marked, of one source or of several one after the other.
    prior : float, optional
        Share of true pixels; the mean share that annotators marked when left out.
    tolerance : float
        Iteration ends where no sensitivity or specificity changes by more.
    n_steps : int
        Steps at most.

    Returns
    -------
    Staple

    Raises
    ------
    OptionError
        If there is no annotator or the prior is not between 0 and 1.

    Examples
    --------
    >>> found = staple([[1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1]])
    >>> (found.probability > 0.5).astype(int)
    array([1, 1, 0, 0, 0, 0])
    """
    marked = np.asarray(masks, dtype=bool)
    if marked.ndim < 2 or not marked.size:
        raise OptionError(f"masks need the shape (n_annotators, ...), got {marked.shape}")
    votes = marked.reshape(len(marked), -1)
    share = float(votes.mean()) if prior is None else float(prior)
    if prior is not None and not 0 < share < 1:
        raise OptionError(f"prior has to be between 0 and 1, got {prior}")
    if share in (0.0, 1.0):  # all annotators say the same of all pixels
        ones = np.ones(len(votes))
        truth = np.full(marked.shape[1:], share)
        return Staple(probability=truth, sensitivity=ones, specificity=ones.copy(), n_steps=0)
    sensitivity = specificity = np.full(len(votes), 0.9)
    step = 0
    while True:
        step += 1
        inside = share * np.where(votes.T, sensitivity, 1 - sensitivity).prod(axis=1)
        outside = (1 - share) * np.where(votes.T, 1 - specificity, specificity).prod(axis=1)
        truth = inside / np.maximum(inside + outside, np.finfo(float).tiny)
        before = np.concatenate([sensitivity, specificity])
        sensitivity = votes @ truth / max(truth.sum(), np.finfo(float).tiny)
        specificity = ~votes @ (1 - truth) / max((1 - truth).sum(), np.finfo(float).tiny)
        change = np.abs(np.concatenate([sensitivity, specificity]) - before).max()
        if change <= tolerance or step >= n_steps:
            break
    return Staple(
        probability=truth.reshape(marked.shape[1:]),
        sensitivity=sensitivity,
        specificity=specificity,
        n_steps=step,
    )


def consensus_of(
    masks: ArrayLike, densities: ArrayLike, rule: ConsensusRule | str = ConsensusRule.MEAN
) -> NDArray[np.float64]:
    """What several annotators marked on a source, as one array.

    Parameters
    ----------
    masks : array_like of bool, shape (n_annotators, rows, columns)
        Which pixels each annotator marked.
    densities : array_like, same shape
        How strongly; the mean uses these, the other rules the masks.
    rule : ConsensusRule or str
        How they are combined.

    Returns
    -------
    ndarray, shape (rows, columns)
        0 or 1 for the union and the majority, probabilities for STAPLE, densities for the mean.

    Examples
    --------
    >>> marked = [[[1, 1, 0]], [[1, 0, 0]]]
    >>> consensus_of(marked, marked, "union"), consensus_of(marked, marked, "majority")
    (array([[1., 1., 0.]]), array([[1., 0., 0.]]))
    """
    if rule not in list(ConsensusRule):
        raise OptionError(f"rule has to be one of {', '.join(ConsensusRule)}, got {rule!r}")
    marked, drawn = np.asarray(masks, bool), np.asarray(densities, np.float64)
    if marked.shape != drawn.shape or marked.ndim < 2 or not marked.size:
        raise OptionError(
            f"masks and densities need one shape (n_annotators, ...), got {marked.shape} and {drawn.shape}"
        )
    if rule == ConsensusRule.STAPLE:
        return staple(marked).probability
    if rule == ConsensusRule.MEAN:
        return np.asarray(drawn.mean(axis=0))
    n = marked.sum(axis=0)
    return np.asarray(n > (0 if rule == ConsensusRule.UNION else len(marked) / 2), np.float64)
