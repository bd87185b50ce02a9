"""Noise ceilings: how well a map could agree with annotators who do not agree with each other.

Each annotator is scored against the consensus of the others (the lower figure: what one more annotator
reaches) and against the consensus of all, which contains them (the upper one: what the best possible map
reaches). Model and consensus are scored alike: as predictions, against each individual annotator, over the
same pixels.

The consensus is made for the metric (Nili et al. 2014). For the linear correlation it is the mean of the
standardised densities, for rank correlations that of their standardised ranks, for NSS and other metrics of
distributions that of densities that add up to 1, else the plain mean of the densities. For NSS and the linear
correlation no map has a higher mean score with these annotators, so the upper figure is a bound. For other
metrics it is a reference, which a map can exceed: by Spearman's correlation only a map with other ties can.

The scores of two annotators share most of their consensus and are not independent, which the intervals
ignore; with two annotators they are of the same pair, and the interval is over sources.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.intervals.crossed import UNBOUNDED, crossed_interval
from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError
from attnxai.metrics import Consensus, TargetKind, own_tables
from attnxai.metrics.pixels import PixelRows, is_constant, pixels_of
from attnxai.metrics.ranking import centred_ranks
from attnxai.statistics.bootstrap import mean_over_annotators
from attnxai.statistics.interval import CONFIDENCE_LEVEL, Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.metrics import Metric


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoiseCeiling:
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

    Examples
    --------
    >>> import numpy as np
    >>> from attnxai.agreement.noise_ceiling import noise_ceilings
    >>> from attnxai.metrics import METRICS
    >>> rng = np.random.default_rng(0)
    >>> density = rng.random((1, 12, 6, 6)) + 0.5 * rng.random((3, 12, 6, 6))
    >>> found = noise_ceilings(
    ...     [METRICS["spearman"]], density, density > 1, np.ones((3, 12), bool), np.ones((12, 6, 6), bool)
    ... )
    >>> found["spearman"].n_annotators, found["spearman"].lower_values.shape
    (3, (3, 12))
    """

    metric: str
    lower: Interval
    upper: Interval
    lower_values: NDArray[np.float64]
    upper_values: NDArray[np.float64]
    upper_is_bound: bool
    n_annotators: int
    note: str = ""

    __repr__ = short_repr

    def over(
        self,
        columns: NDArray[np.intp],
        *,
        weights: NDArray[np.float64] | None = None,
        level: float = CONFIDENCE_LEVEL,
        n_bootstrap: int = 10_000,
        rng: np.random.Generator | int = 0,
        bounds: tuple[float, float] = UNBOUNDED,
    ) -> NoiseCeiling:
        """The ceiling over some of the sources.

        Parameters
        ----------
        columns : ndarray of int
            Positions of the sources.
        weights : ndarray, one for each of these sources, optional
            Weight of each source.
        level, n_bootstrap, rng, bounds
            See :func:`~attnxai.agreement.intervals.crossed.crossed_interval`.

        Returns
        -------
        NoiseCeiling
        """
        return _of_values(
            self.metric,
            self.lower_values[:, columns],
            self.upper_values[:, columns],
            self.upper_is_bound,
            rng,
            weights=weights,
            level=level,
            n_bootstrap=n_bootstrap,
            bounds=bounds,
        )


def noise_ceilings(
    metrics: Sequence[Metric],
    density: NDArray[np.floating],
    mask: NDArray[np.bool_],
    present: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    *,
    weights: NDArray[np.float64] | None = None,
    level: float = CONFIDENCE_LEVEL,
    n_bootstrap: int = 10_000,
    rng: np.random.Generator | int = 0,
    elsewhere: Mapping[TargetKind, NDArray[np.float64]] | None = None,
) -> dict[str, NoiseCeiling]:
    """Lower and upper noise ceilings of metrics, which share consensuses and ranks.

    Parameters
    ----------
    metrics : sequence of Metric
        What to compute.
    density, mask : ndarray, shape (n_annotators, n_sources, rows, columns)
        How strongly, and whether, each pixel is marked.
    present : ndarray of bool, shape (n_annotators, n_sources)
        Which annotator marked which source.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Pixels that count.
    weights, level, n_bootstrap, rng
        See :func:`~attnxai.agreement.intervals.crossed.crossed_interval`; intervals stay within the bounds of
        their metric.
    elsewhere
        As in :func:`~attnxai.metrics.agreement_tables`.

    Returns
    -------
    dict of str to NoiseCeiling
        By the name of the metric; without values when no source was marked by two annotators.

    Examples
    --------
    >>> from attnxai.metrics import METRICS
    >>> rng = np.random.default_rng(0)
    >>> density = rng.random((1, 12, 6, 6)) + 0.5 * rng.random((3, 12, 6, 6))
    >>> found = noise_ceilings([METRICS["spearman"]], density, density > 1, np.ones((3, 12), bool),
    ...                        np.ones((12, 6, 6), bool))["spearman"]
    >>> 0 < found.lower.value < found.upper.value < 1
    True
    """
    there, where = np.asarray(present, dtype=bool), np.asarray(valid, dtype=bool)
    if density.shape != mask.shape or there.shape != mask.shape[:2]:
        raise OptionError(
            "density and mask need the shape (n_annotators, n_sources, rows, columns) and present its "
            f"first two, got {density.shape}, {mask.shape} and {there.shape}"
        )
    if where.shape != mask.shape[1:]:
        raise OptionError(f"valid needs the shape {mask.shape[1:]}, got {where.shape}")
    # nothing is predicted on sources that an annotator did not mark
    fields = there[:, :, None, None]
    targets = {
        TargetKind.DENSITY: np.where(fields, density, np.zeros((), density.dtype)),
        TargetKind.MASK: mask & fields,
    }
    alike: dict[Consensus, list[Metric]] = {}
    for metric in metrics:
        alike.setdefault(metric.consensus, []).append(metric)
    found = {}
    for kind, members in alike.items():
        predictions, voted = _predictions(density, there, where, kind)
        tables = own_tables(members, predictions, targets, where, elsewhere=elsewhere)
        for metric, values in zip(members, tables, strict=True):
            found[metric.name] = _of_values(
                metric.name,
                *_lower_and_upper(values, voted),
                metric.consensus_is_bound,
                rng,
                weights=weights,
                level=level,
                n_bootstrap=n_bootstrap,
                bounds=metric.bounds,
            )
    return {metric.name: found[metric.name] for metric in metrics}


def _lower_and_upper(
    values: NDArray[np.float64], voted: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each annotator against the others' consensus and that of all; NaN unless both are defined."""
    annotators = np.arange(len(voted))
    lower = np.where(voted, values[annotators, annotators], np.nan)
    upper = np.where(voted, values[len(annotators)], np.nan)
    together = np.isfinite(lower) & np.isfinite(upper)
    lower[~together] = upper[~together] = np.nan
    return lower, upper


def _of_values(
    metric: str,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    upper_is_bound: bool,
    rng: np.random.Generator | int,
    **options: Any,
) -> NoiseCeiling:
    """The ceiling of these cells, with the options of :func:`~.crossed.crossed_interval`."""
    n_annotators = int(np.isfinite(lower).any(axis=1).sum())
    intervals = [
        crossed_interval(
            mean_over_annotators(values) if n_annotators == 2 else values, rng=stream, **options
        )
        for values, stream in zip((lower, upper), np.random.default_rng(rng).spawn(2), strict=True)
    ]
    return NoiseCeiling(
        metric=metric,
        lower=intervals[0],
        upper=intervals[1],
        lower_values=lower,
        upper_values=upper,
        upper_is_bound=upper_is_bound,
        n_annotators=n_annotators,
        note=_note(n_annotators),
    )


def _predictions(
    density: NDArray[np.floating],
    present: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    kind: Consensus,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Consensus without each annotator and that of all, and whose marks are in them.

    Constant, so without a score, where fewer than two annotators have a vote.
    """
    n_annotators = len(present)
    predictions = np.zeros((n_annotators + 1, *density.shape[1:]))
    voted = np.zeros(present.shape, dtype=bool)
    for source, where in enumerate(valid):
        annotators = np.flatnonzero(present[:, source])
        if annotators.size < 2 or not where.any():
            continue
        votes = votes_of(pixels_of(density[annotators, source], where).astype(np.float64), kind)
        usable = np.isfinite(votes).all(axis=1)
        annotators, votes = annotators[usable], votes[usable]
        if annotators.size < 2:
            continue
        voted[annotators, source] = True
        predictions[n_annotators, source, where] = mean_vote(votes)
        for row, annotator in enumerate(annotators):
            predictions[annotator, source, where] = mean_vote(np.delete(votes, row, axis=0))
    return predictions, voted


def votes_of(marked: NDArray[np.float64], kind: Consensus) -> NDArray[np.float64]:
    """What each annotator adds to the consensus; NaN for one whose marks are constant."""
    rows = PixelRows(marked)
    constant, marked = is_constant(rows)[:, None], rows.values
    if kind is Consensus.MEAN:
        return np.where(constant, np.nan, marked)
    if kind is Consensus.EQUAL_SUMS:
        sums = marked.sum(axis=1, keepdims=True)
        return np.where(constant, np.nan, marked / np.where(constant, 1.0, sums))
    if kind is Consensus.RANKS:
        marked = centred_ranks(rows)
    centred = marked - marked.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.where(constant, np.nan, centred / np.where(constant, 1.0, spread))


def mean_vote(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean vote; pixels that differ by rounding alone are tied, which rank metrics would not see."""
    mean = votes.mean(axis=0)
    largest = np.abs(mean).max()
    return np.asarray(np.round(mean / (largest if largest > 0 else 1.0), 12))


def _note(n_annotators: int) -> str:
    if n_annotators < 2:
        return "there is no ceiling: no source was marked by two annotators"
    if n_annotators == 2:
        return (
            "with two annotators the consensus of the others is one annotator, so the two scores of a source "
            "are of the same pair, and the interval is over sources"
        )
    return ""
