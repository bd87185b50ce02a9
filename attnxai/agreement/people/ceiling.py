"""People against people: how well one could agree with annotators who do not agree with each other.

Each annotator is scored against the consensus of the others (the lower figure: what one more annotator
reaches) and against the consensus of all, which contains them (the upper one: what the best possible map
reaches). Model and consensus are scored alike: as predictions, against each individual annotator, over
the same pixels.

The consensus is made for the metric (Nili et al. 2014). For the linear correlation it is the mean of the
standardised densities, for rank correlations that of their standardised ranks, for NSS and other metrics of
distributions that of densities that add up to 1, else the plain mean of the densities. For NSS and the linear
correlation no map has a higher mean score with these annotators, so the upper figure is a bound; for Spearman's
correlation it is one among maps with the same ties. For other metrics it is a reference, which a map can
exceed.

The scores of two annotators share most of their consensus and are not independent, which no interval here knows
about; with two annotators they are of the same pair, and the interval is over sources.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.crossed import UNBOUNDED, CrossedMethod, crossed_interval
from attnxai.agreement.intervals.dual_bootstrap import crossed_bootstrap_interval
from attnxai.agreement.intervals.over_sources import Interval, no_interval
from attnxai.agreement.metrics import TargetKind, own_values
from attnxai.agreement.metrics.ranking import mid_ranks
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.metrics import Metric

    Score = Callable[
        [NDArray[np.float64], NDArray[np.floating] | NDArray[np.bool_]], NDArray[np.float64]
    ]


class Consensus(enum.StrEnum):
    """How the densities of several annotators become one prediction."""

    MEAN = "mean"
    EQUAL_SUMS = "equal-sums"
    STANDARDISED = "standardised"
    RANKS = "ranks"


_CONSENSUS = {
    "nss": Consensus.EQUAL_SUMS,
    "similarity": Consensus.EQUAL_SUMS,
    "negative_kl": Consensus.EQUAL_SUMS,
    "information_gain": Consensus.EQUAL_SUMS,
    "correlation": Consensus.STANDARDISED,
    "spearman": Consensus.RANKS,
    "partial_spearman": Consensus.RANKS,
    "kendall": Consensus.RANKS,
}
# Metrics of which the consensus above has the highest mean score that there is.
_BOUNDED = ("nss", "correlation", "spearman")


def consensus_for(metric_name: str) -> Consensus:
    """The consensus that a metric is given.

    Examples
    --------
    >>> str(consensus_for("spearman")), str(consensus_for("auc"))
    ('ranks', 'mean')
    """
    return _CONSENSUS.get(metric_name, Consensus.MEAN)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ceiling:
    """Agreement of annotators with each other, by one metric.

    Parameters
    ----------
    metric : str
        Its name.
    lower, upper : Interval
        Mean over sources of each annotator against the others' consensus, and against that of all.
    lower_values, upper_values : ndarray, shape (n_annotators, n_sources)
        The same, cell by cell; NaN where undefined, and on sources that fewer than two marked.
    upper_is_bound : bool
        Whether no map can have a higher mean score with these annotators; see the module.
    n_annotators : int
        Annotators who share a source with another.
    note : str
        What a reader should know, or why there is no ceiling.
    """

    metric: str
    lower: Interval
    upper: Interval
    lower_values: NDArray[np.float64]
    upper_values: NDArray[np.float64]
    upper_is_bound: bool
    n_annotators: int
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CeilingShare:
    """A model's score as a share of what people reach.

    Parameters
    ----------
    raw : Interval
        The model's score over the cells that have a ceiling.
    of_lower, of_upper : Interval
        ``(score - chance) / (ceiling - chance)``, with score and ceiling resampled together; NaN with a
        note where there is no share.
    """

    raw: Interval
    of_lower: Interval
    of_upper: Interval


def people_ceiling(
    metric: Metric,
    density: NDArray[np.floating],
    mask: NDArray[np.bool_],
    present: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    *,
    method: CrossedMethod | None = None,
    level: float = 0.95,
    n_resamples: int = 10_000,
    rng: np.random.Generator | int = 0,
    bounds: tuple[float, float] = UNBOUNDED,
    consensus: Consensus | None = None,
    score: Score | None = None,
) -> Ceiling:
    """Lower and upper ceiling of a metric.

    Parameters
    ----------
    metric : Metric
        What to compute.
    density, mask : ndarray, shape (n_annotators, n_sources, rows, columns)
        How strongly, and whether, each pixel is marked.
    present : ndarray of bool, shape (n_annotators, n_sources)
        Who marked which source.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Pixels that count.
    method, level, n_resamples, rng, bounds
        See :func:`~.crossed.crossed_interval`.
    consensus : Consensus, optional
        How densities are averaged; what :func:`consensus_for` says when left out.
    score : callable, optional
        From maps (n, n_sources, rows, columns) and targets (n_annotators, n_sources, rows, columns) to values
        (n, n_annotators, n_sources), for metrics that need more than both; :func:`~.metrics.own_values`
        when left out.

    Returns
    -------
    Ceiling
        Without values when no source was marked by two annotators.

    Examples
    --------
    >>> from attnxai.agreement.metrics import METRICS
    >>> rng = np.random.default_rng(0)
    >>> density = rng.random((1, 12, 6, 6)) + 0.5 * rng.random((3, 12, 6, 6))
    >>> found = people_ceiling(METRICS["spearman"], density, density > 1, np.ones((3, 12), bool),
    ...                        np.ones((12, 6, 6), bool))
    >>> 0 < found.lower.value < found.upper.value < 1
    True
    """
    there = np.asarray(present, dtype=bool)
    if density.shape != mask.shape or there.shape != mask.shape[:2]:
        raise OptionError(
            "density and mask need the shape (n_annotators, n_sources, rows, columns) and present its "
            f"first two, got {density.shape}, {mask.shape} and {there.shape}"
        )
    if valid.shape != mask.shape[1:]:
        raise OptionError(f"valid needs the shape {mask.shape[1:]}, got {valid.shape}")
    kind = consensus_for(metric.name) if consensus is None else Consensus(consensus)
    where = np.asarray(valid, dtype=bool)
    predictions, voted = _predictions(density, there, where, kind)
    targets = density if metric.target is TargetKind.DENSITY else mask
    targets = np.where(there[:, :, None, None], targets, np.zeros((), targets.dtype))
    if score is None:
        values = own_values(metric, predictions, targets, where)
    else:
        values = np.asarray(score(predictions, targets), dtype=np.float64)
    people = np.arange(len(there))
    lower = np.where(voted, values[people, people], np.nan)
    upper = np.where(voted, values[len(people)], np.nan)
    together = np.isfinite(lower) & np.isfinite(upper)
    lower[~together] = upper[~together] = np.nan
    n_annotators = int(together.any(axis=1).sum())
    lower_rng, upper_rng = np.random.default_rng(rng).spawn(2)

    def interval(values: NDArray[np.float64], generator: np.random.Generator) -> Interval:
        if n_annotators == 2:
            values = _mean_over_annotators(values)
        return crossed_interval(
            values,
            method=method,
            level=level,
            n_resamples=n_resamples,
            rng=generator,
            bounds=bounds,
        )

    return Ceiling(
        metric=metric.name,
        lower=interval(lower, lower_rng),
        upper=interval(upper, upper_rng),
        lower_values=lower,
        upper_values=upper,
        upper_is_bound=metric.name in _BOUNDED and kind is consensus_for(metric.name),
        n_annotators=n_annotators,
        note=_note(n_annotators),
    )


def share_of_ceiling(
    values: NDArray[np.float64],
    ceiling: Ceiling,
    *,
    chance: NDArray[np.float64] | float = 0.0,
    method: CrossedMethod | None = None,
    level: float = 0.95,
    n_resamples: int = 10_000,
    rng: np.random.Generator | int = 0,
    bounds: tuple[float, float] = UNBOUNDED,
) -> CeilingShare:
    """A model's score as a share of the ceiling, above chance.

    An AUC of 0.5 is no agreement, not 56 % of a ceiling of 0.9: both are taken from chance.

    Parameters
    ----------
    values : ndarray, shape (n_annotators, n_sources)
        The model's score with each annotator on each source.
    ceiling : Ceiling
        Of the same metric, annotators and sources.
    chance : float or ndarray, shape (n_annotators, n_sources)
        Value without agreement (:func:`~.metrics.chance_values`); NaN for a metric that has none.
    method, level, n_resamples, rng, bounds
        See :func:`~.crossed.crossed_interval`; ``bounds`` are those of the score. The shares are always bootstrapped: sources and annotators
        are drawn for score and ceiling together, each with what was computed for them; the consensus
        is not made anew from the annotators drawn, of whom some would meet themselves in it.

    Returns
    -------
    CeilingShare
    """
    method = None if method is None else CrossedMethod(method)
    scores = np.asarray(values, dtype=np.float64)
    if scores.shape != ceiling.lower_values.shape:
        raise OptionError(
            f"values need one score for each annotator and source of the ceiling "
            f"{ceiling.lower_values.shape}, got {scores.shape}"
        )
    base = np.broadcast_to(np.asarray(chance, dtype=np.float64), scores.shape)
    usable = np.isfinite(scores) & np.isfinite(ceiling.lower_values)
    scores = np.where(usable, scores, np.nan)
    raw_rng, lower_rng, upper_rng = np.random.default_rng(rng).spawn(3)

    def share(reference: NDArray[np.float64], generator: np.random.Generator) -> Interval:
        return _share(scores - base, reference - base, method, level, n_resamples, generator)

    return CeilingShare(
        raw=crossed_interval(
            scores,
            method=method,
            level=level,
            n_resamples=n_resamples,
            rng=raw_rng,
            bounds=bounds,
        ),
        of_lower=share(ceiling.lower_values, lower_rng),
        of_upper=share(ceiling.upper_values, upper_rng),
    )


def _share(
    scores: NDArray[np.float64],
    reference: NDArray[np.float64],
    method: CrossedMethod | None,
    level: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> Interval:
    both = np.isfinite(scores) & np.isfinite(reference)
    if not both.any():
        reason = (
            "no share: the metric has no value for chance, or no source has a score and a ceiling"
        )
        return no_interval(np.nan, 0, level=level, reason=reason)
    check_rng, share_rng = rng.spawn(2)
    height = crossed_interval(
        np.where(both, reference, np.nan),
        method=method,
        level=level,
        n_resamples=n_resamples,
        rng=check_rng,
    )
    if not height.value > 0 or (height.known and height.low <= 0):
        reason = "no share: agreement between people is not clearly above chance, so a share of it means nothing"
        return no_interval(np.nan, height.n_sources, level=level, reason=reason)
    return crossed_bootstrap_interval(
        np.stack([scores, reference]),
        _ratio,
        level=level,
        n_resamples=n_resamples,
        rng=share_rng,
    )


def _ratio(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(means[:, 0] / np.where(means[:, 1] > 0, means[:, 1], np.nan))


def _predictions(
    density: NDArray[np.floating],
    present: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    kind: Consensus,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Consensus without each annotator and that of all, and whose marks are in them.

    Constant, so without a score, where fewer than two annotators say something.
    """
    n_annotators = len(present)
    predictions = np.zeros((n_annotators + 1, *density.shape[1:]))
    voted = np.zeros(present.shape, dtype=bool)
    for source, where in enumerate(valid):
        people = np.flatnonzero(present[:, source])
        if people.size < 2 or not where.any():
            continue
        votes = _votes(density[people, source][:, where].astype(np.float64), kind)
        usable = np.isfinite(votes).all(axis=1)
        people, votes = people[usable], votes[usable]
        if people.size < 2:
            continue
        voted[people, source] = True
        predictions[n_annotators, source, where] = _consensus(votes)
        for row, person in enumerate(people):
            predictions[person, source, where] = _consensus(np.delete(votes, row, axis=0))
    return predictions, voted


def _votes(marked: NDArray[np.float64], kind: Consensus) -> NDArray[np.float64]:
    """What each annotator adds to the consensus; NaN for an annotator whose marks say nothing."""
    constant = (marked.max(axis=1) == marked.min(axis=1))[:, None]
    if kind is Consensus.MEAN:
        return np.where(constant, np.nan, marked)
    if kind is Consensus.EQUAL_SUMS:
        return np.where(constant, np.nan, marked / np.where(constant, 1.0, _sums(marked)))
    if kind is Consensus.RANKS:
        marked = mid_ranks(marked)
    centred = marked - marked.mean(axis=1, keepdims=True)
    spread = np.sqrt(_sums(centred**2))
    return np.where(constant, np.nan, centred / np.where(constant, 1.0, spread))


def _consensus(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean vote; pixels that differ by rounding alone are tied, which rank metrics would not see."""
    mean = votes.mean(axis=0)
    largest = np.abs(mean).max()
    return np.asarray(np.round(mean / (largest if largest > 0 else 1.0), 12))


def _mean_over_annotators(values: NDArray[np.float64]) -> NDArray[np.float64]:
    defined = np.isfinite(values)
    number = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _sums(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows.sum(axis=1, keepdims=True))


def _note(n_annotators: int) -> str:
    if n_annotators < 2:
        return "there is no ceiling: no source was marked by two annotators"
    if n_annotators == 2:
        return (
            "with two annotators the consensus of the others is one person, so the two scores of a source "
            "are of the same pair, and the interval is over sources"
        )
    return ""
