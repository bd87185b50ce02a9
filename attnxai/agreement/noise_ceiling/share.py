"""A model's agreement as a share of the noise ceiling, with both resampled together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.crossed import UNBOUNDED, crossed_interval
from attnxai.agreement.intervals.dual_bootstrap import crossed_bootstrap_intervals
from attnxai.errors import OptionError
from attnxai.statistics.interval import CONFIDENCE_LEVEL, Interval, no_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.noise_ceiling.ceiling import NoiseCeiling


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoiseCeilingShare:
    """A model's score as a share of the noise ceiling, ``(score - chance) / (ceiling - chance)``.

    ``raw`` is the score over the cells that have a ceiling. Shares are NaN with a note where there is none.
    """

    raw: Interval
    of_lower: Interval
    of_upper: Interval


def shares_of_noise_ceiling(
    values: NDArray[np.float64],
    ceiling: NoiseCeiling,
    *,
    chance: NDArray[np.float64] | float = 0.0,
    weights: NDArray[np.float64] | None = None,
    level: float = CONFIDENCE_LEVEL,
    n_bootstrap: int = 10_000,
    rng: np.random.Generator | int = 0,
    bounds: tuple[float, float] = UNBOUNDED,
) -> list[NoiseCeilingShare]:
    """Scores of several maps as shares of the ceiling, above chance, under the same resamples.

    An AUC of 0.5 is no agreement, not 56 % of a ceiling of 0.9: chance is subtracted from both.

    Parameters
    ----------
    values : ndarray, shape (n_maps, n_annotators, n_sources)
        Score of each map with each annotator on each source.
    ceiling : NoiseCeiling
        Of the same metric, annotators and sources.
    chance : float or ndarray, shape (n_annotators, n_sources)
        Value without agreement (:func:`~attnxai.metrics.chance_values`); NaN for a metric that has none.
    weights, level, n_bootstrap, rng, bounds
        See :func:`~attnxai.agreement.intervals.crossed.crossed_interval`; ``bounds`` are those of the score.
        Shares are always bootstrapped: sources and annotators are drawn for score and ceiling together. The
        consensus is not computed anew from the annotators drawn, of whom some would meet themselves in it.

    Returns
    -------
    list of NoiseCeilingShare
        One for each map.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> from attnxai.agreement.noise_ceiling import noise_ceilings
    >>> from attnxai.metrics import METRICS
    >>> rng = np.random.default_rng(0)
    >>> density = rng.random((1, 12, 6, 6)) + 0.5 * rng.random((3, 12, 6, 6))
    >>> found = noise_ceilings(
    ...     [METRICS["spearman"]], density, density > 1, np.ones((3, 12), bool), np.ones((12, 6, 6), bool)
    ... )
    >>> values = 0.5 * found["spearman"].upper_values[None]  # a map that agrees half as well
    >>> (share,) = attnxai.agreement.noise_ceiling.shares_of_noise_ceiling(values, found["spearman"], n_bootstrap=100)
    >>> round(share.raw.value, 2), round(share.of_upper.value, 2)
    (0.46, 0.5)
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.shape[1:] != ceiling.lower_values.shape:
        raise OptionError(
            f"values need one score for each annotator and source of the ceiling "
            f"{ceiling.lower_values.shape}, got {scores.shape[1:]}"
        )
    base = np.broadcast_to(np.asarray(chance, dtype=np.float64), scores.shape[1:])
    scores = np.where(np.isfinite(ceiling.lower_values), scores, np.nan)
    raw_rng, check_rng, share_rng = np.random.default_rng(rng).spawn(3)
    raw = [
        crossed_interval(
            score,
            weights=weights,
            level=level,
            n_bootstrap=n_bootstrap,
            rng=stream,
            bounds=bounds,
        )
        for score, stream in zip(scores, raw_rng.spawn(len(scores)), strict=True)
    ]
    references = np.stack([ceiling.lower_values, ceiling.upper_values]) - base
    seed = int(share_rng.integers(2**63))
    found: dict[tuple[int, int], Interval] = {}
    # maps that are defined on the same cells share their resamples
    alike: dict[bytes, list[int]] = {}
    for index, score in enumerate(scores):
        alike.setdefault(np.isfinite(score - base).tobytes(), []).append(index)
    for members in alike.values():
        cells = np.isfinite(scores[members[0]] - base)
        heights = [
            _height(np.where(cells, reference, np.nan), weights, level, n_bootstrap, check_rng)
            for reference in references
        ]
        found |= {(i, r): height for r, height in enumerate(heights) for i in members}
        wanted = [
            (position, r)
            for r, height in enumerate(heights)
            if not np.isnan(height.value)
            for position in range(len(members))
        ]
        if not wanted:
            continue
        intervals = crossed_bootstrap_intervals(
            np.concatenate([scores[members] - base, references]),
            [_ratio_of(position, len(members) + r) for position, r in wanted],
            weights=weights,
            level=level,
            n_bootstrap=n_bootstrap,
            rng=seed,
        )
        for (position, r), interval in zip(wanted, intervals, strict=True):
            found[members[position], r] = interval
    return [
        NoiseCeilingShare(raw=raw[i], of_lower=found[i, 0], of_upper=found[i, 1])
        for i in range(len(scores))
    ]


def _height(
    reference: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    level: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Interval:
    """The ceiling above chance where a share of it means something; else no interval, and why."""
    if not np.isfinite(reference).any():
        reason = "the metric has no value for chance, or no source has a score and a ceiling"
        return no_interval(np.nan, 0, level=level, reason=reason)
    height = crossed_interval(
        reference, weights=weights, level=level, n_bootstrap=n_bootstrap, rng=rng
    )
    if not height.value > 0 or (height.known and height.low <= 0):
        reason = (
            "inter-annotator agreement is not clearly above chance, so a share of it means nothing"
        )
        return no_interval(np.nan, height.n_units, level=level, reason=reason)
    return height


def _ratio_of(score: int, reference: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    def ratio(means: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.where(means[:, reference] > 0, means[:, reference], np.nan)
        return np.asarray(means[:, score] / below)

    return ratio
