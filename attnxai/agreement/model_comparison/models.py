"""Models against each other: differences paired by source.

The test flips the sign of each source's difference at random: without a difference between the models, it is as likely
one way as the other. It is exact where differences are symmetric about zero, as they are when a source's two values could be
swapped, and approximate for many sources otherwise.

All pairs are flipped together: a draw has one sign for each source. Each pair's statistic is the sum of its differences
over the root of the sum of their squares, which no flip changes, so pairs of wide and of narrow differences are on one
scale. Of a single pair it orders the flips as the mean and as Student's t do; between pairs, the largest of them (max-T,
Westfall & Young 1993) holds the family-wise error at the level for many sources, and exactly where all differences
together are symmetric about zero.

Flipping signs conditions on the annotators, so with several annotators a second p-value comes from inverting the crossed
interval, in its strict form. Conclusions are about these trained networks; for kinds of network see :mod:`~.trend`.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.crossed import crossed_interval, crossed_p_value
from attnxai.agreement.model_comparison.contrast import Contrast, ModelContrasts
from attnxai.agreement.multiplicity import (
    Correction,
    adjust,
    correction_without_draws,
    max_t,
    permutation_p,
)
from attnxai.errors import FewSourcesWarning, OptionError, UndefinedValuesWarning
from attnxai.nulls.p_values import Alternative
from attnxai.statistics.bootstrap import mean_interval, mean_over_annotators
from attnxai.statistics.exact import monte_carlo_ends
from attnxai.statistics.formats import format_p
from attnxai.statistics.interval import (
    CONFIDENCE_LEVEL,
    SIGNIFICANCE_LEVEL,
    Interval,
    finite_or_none,
)
from attnxai.statistics.resamples import resamples_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def paired_differences(
    values: Mapping[str, ArrayLike],
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    weights: ArrayLike | None = None,
    alternative: Alternative = Alternative.TWO_SIDED,
    correction: Correction = Correction.MAX_T,
    n_draws: int = 10_000,
    n_bootstrap: int = 10_000,
    level: float = CONFIDENCE_LEVEL,
    rng: np.random.Generator | int = 0,
) -> ModelContrasts:
    """Differences between models over the same sources, tested by flipping signs.

    Parameters
    ----------
    values : mapping of str to array_like, shape (n_sources,) or (n_annotators, n_sources)
        For each model its values for the same sources in the same order, and the same annotators. NaN where
        undefined: a source's difference is the mean over the annotators who have both values.
    pairs : sequence of (str, str), optional
        The contrasts, each the first minus the second; all pairs when left out. They are the family that
        p-values are adjusted over.
    weights : array_like, shape (n_sources,), optional
        Weight of each source.
    alternative, n_draws, n_bootstrap, level, rng
        As in :func:`attnxai.contrast_results`; the flips and the resamples have streams of their own.
    correction : Correction
        How p-values are adjusted over the contrasts. Those about other annotators have no draws, and are
        adjusted by Holm's method in place of max-T.

    Returns
    -------
    ModelContrasts

    Raises
    ------
    OptionError
        If there are fewer than two models, a pair is not among them or comes twice, or numbers of draws are too
        small.
    ValueError
        If the models' values differ in shape.

    Warns
    -----
    UndefinedValuesWarning
        When sources are left out of a pair.
    FewSourcesWarning
        When the smallest attainable p-value is above 0.05.

    Examples
    --------
    >>> c1 = np.array([0.1, 0.3, 0.2, 0.4, 0.2, 0.1, 0.3, 0.2, 0.4, 0.1])
    >>> d8 = c1 + [0.2, 0.1, 0.3, 0.1, 0.2, 0.2, 0.1, 0.4, -0.1, 0.2]
    >>> result = paired_differences({"D8": d8, "C1": c1})
    >>> found = result.contrast("D8", "C1")
    >>> round(found.difference.value, 2), result.exhaustive, round(found.p_value, 4)
    (0.17, True, 0.0098)
    """
    alternative, correction = Alternative(alternative), Correction(correction)
    names, tables, share = _checked(values, weights, n_draws, n_bootstrap)
    flip_rng, resample_rng, crossed_rng = np.random.default_rng(rng).spawn(3)
    n_sources = tables.shape[2]
    counts = resamples_of(n_sources, n_bootstrap, resample_rng)
    pairs = _pairs(names, pairs)
    positions = {name: index for index, name in enumerate(names)}
    by_annotator = [tables[positions[a]] - tables[positions[b]] for a, b in pairs]
    differences = np.stack([mean_over_annotators(values) for values in by_annotator])
    compared: NDArray[np.bool_] = np.isfinite(differences) & (share > 0)
    _warn_of_dropped(pairs, compared, share > 0)

    # what is flipped: the weighted difference of each source, 0 where there is none
    terms = np.where(compared, differences * share, 0.0).T
    length = np.sqrt((terms**2).sum(axis=0))
    terms = terms / np.where(length > 0, length, 1.0)
    members = np.flatnonzero(compared.any(axis=0))
    signs, exhaustive = _draw_signs(members.size, n_draws, flip_rng)
    tested = np.asarray(compared.any(axis=1))
    observed = np.where(tested, _evidence(terms.sum(axis=0), alternative), np.nan)
    null = _evidence(signs @ terms[members], alternative)
    p_values = np.full(len(pairs), np.nan)
    p_values[tested] = permutation_p(observed[tested], null[:, tested], exhaustive=exhaustive)
    if correction is Correction.MAX_T:
        adjusted = max_t(observed, null, exhaustive=exhaustive)
    else:
        adjusted = adjust(p_values, correction)
    drawn = p_values if correction is not Correction.MAX_T else adjusted
    own, of_family = (
        np.array([monte_carlo_ends(float(p), len(signs)) for p in shares])
        for shares in (p_values, drawn)
    )
    if correction is not Correction.MAX_T:
        of_family = adjust(of_family.T, correction).T  # these corrections rise with each p-value
    smallest = _smallest(null, exhaustive=exhaustive)
    _warn_of_few(members.size, smallest[tested])
    others, p_others = _about_others(
        by_annotator,
        alternative,
        weights=share,
        level=level,
        n_bootstrap=n_bootstrap,
        rng=crossed_rng,
    )
    p_others_adjusted = adjust(p_others, correction_without_draws(correction))
    return ModelContrasts(
        contrasts=tuple(
            Contrast(
                first=first,
                second=second,
                difference=mean_interval(differences[i], counts, weights=share, level=level),
                difference_others=others[i],
                statistic=float(terms[:, i].sum()) if tested[i] else float("nan"),
                p_value=float(p_values[i]),
                p_adjusted=float(adjusted[i]),
                smallest_p=float(smallest[i]) if tested[i] else float("nan"),
                n_sources=int(compared[i].sum()),
                n_dropped=int((share > 0).sum() - compared[i].sum()),
                p_others=finite_or_none(p_others[i]),
                p_others_adjusted=finite_or_none(p_others_adjusted[i]),
                p_monte_carlo=None if exhaustive else (float(own[i, 0]), float(own[i, 1])),
                p_adjusted_monte_carlo=None
                if exhaustive
                else (float(of_family[i, 0]), float(of_family[i, 1])),
            )
            for i, (first, second) in enumerate(pairs)
        ),
        correction=correction,
        alternative=alternative,
        n_draws=len(signs),
        exhaustive=exhaustive,
        level=level,
    )


def _about_others(
    differences: Sequence[NDArray[np.float64]],
    alternative: Alternative,
    *,
    weights: NDArray[np.float64],
    level: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> tuple[list[Interval | None], NDArray[np.float64]]:
    """Crossed intervals and their p-values; None and NaN where fewer than two annotators have a value."""
    intervals: list[Interval | None] = []
    p_values = np.full(len(differences), np.nan)
    for i, values in enumerate(differences):
        if np.count_nonzero(np.isfinite(values).any(axis=1)) < 2:
            intervals.append(None)
            continue
        # where resamples are drawn, the interval and its p-value have to see the same
        seed = int(rng.integers(2**63))
        found = crossed_interval(
            values, weights=weights, level=level, n_bootstrap=n_bootstrap, rng=seed
        )
        intervals.append(found)
        # strict, since a family compares it with a small part of the level
        p = crossed_p_value(values, weights=weights, n_bootstrap=n_bootstrap, rng=seed, strict=True)
        if alternative is not Alternative.TWO_SIDED:
            expected = 1 if alternative is Alternative.GREATER else -1
            p = p / 2 if np.sign(found.value) == expected else 1 - p / 2
        p_values[i] = p
    return intervals, p_values


def _checked(
    values: Mapping[str, ArrayLike],
    weights: ArrayLike | None,
    n_draws: int,
    n_bootstrap: int,
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    names = list(values)
    if len(names) < 2:
        raise OptionError(f"comparing models needs two or more, got {', '.join(names) or 'none'}")
    if n_draws < 1 or n_bootstrap < 100:
        raise OptionError(
            f"n_draws has to be 1 or more (got {n_draws}) and n_bootstrap 100 or more "
            f"(got {n_bootstrap})"
        )
    tables = [np.atleast_2d(np.asarray(values[name], dtype=np.float64)) for name in names]
    shapes = {table.shape for table in tables}
    if len(shapes) > 1 or tables[0].ndim != 2:
        raise ValueError(
            "all models need values for the same annotators and sources, got the shapes "
            f"{sorted(shapes)}"
        )
    n_sources = tables[0].shape[1]
    share = np.ones(n_sources) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (n_sources,) or not (np.isfinite(share) & (share >= 0)).all():
        raise ValueError(f"weights need {n_sources} finite numbers that are not negative")
    return names, np.stack(tables), share


def _pairs(names: Sequence[str], wanted: Sequence[tuple[str, str]] | None) -> list[tuple[str, str]]:
    if wanted is None:
        return list(itertools.combinations(names, 2))
    pairs = [(first, second) for first, second in wanted]
    if not pairs:
        raise OptionError("pairs is empty; leave it out to compare all models with each other")
    seen: set[frozenset[str]] = set()
    for first, second in pairs:
        unknown = [name for name in (first, second) if name not in names]
        if unknown:
            raise OptionError(
                f"the pair of {first} and {second} names {unknown[0]}, which is not among the models "
                f"{', '.join(names)}"
            )
        if first == second or frozenset((first, second)) in seen:
            fault = "compares a model with itself" if first == second else "comes twice"
            raise OptionError(f"the pair of {first} and {second} {fault}; leave it out")
        seen.add(frozenset((first, second)))
    return pairs


def _draw_signs(n: int, n_draws: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], bool]:
    """Signs of shape (draws, n): all of them, each once, where there are no more than asked for."""
    exhaustive = 2**n <= n_draws
    if exhaustive:
        flipped = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    else:
        flipped = rng.integers(0, 2, size=(n_draws, n), dtype=np.int64)
    return np.where(flipped == 1, -1.0, 1.0), exhaustive


def _evidence(statistics: NDArray[np.float64], alternative: Alternative) -> NDArray[np.float64]:
    """Statistics so that large ones count as evidence.

    Flipping all signs flips the sum, so the flips lie evenly about zero and the larger of both sides, twice
    over, is the share of those that are as far from zero.
    """
    if alternative is Alternative.TWO_SIDED:
        return np.abs(statistics)
    return statistics if alternative is Alternative.GREATER else -statistics


def _smallest(null: NDArray[np.float64], *, exhaustive: bool) -> NDArray[np.float64]:
    if exhaustive:
        return permutation_p(null.max(axis=0), null, exhaustive=True)
    return np.full(null.shape[1], 1.0 / (len(null) + 1))


def _warn_of_dropped(
    pairs: Sequence[tuple[str, str]], compared: NDArray[np.bool_], counted: NDArray[np.bool_]
) -> None:
    n_dropped = counted.sum() - compared.sum(axis=1)
    if not n_dropped.any():
        return
    worst = int(n_dropped.argmax())
    first, second = pairs[worst]
    warnings.warn(
        f"{np.count_nonzero(n_dropped)} of {len(pairs)} pairs of models leave out sources where one "
        f"of the two has no value, at most {n_dropped[worst]} of {counted.sum()} ({first} and "
        f"{second})",
        UndefinedValuesWarning,
        stacklevel=3,
    )


def _warn_of_few(n_sources: int, smallest: NDArray[np.float64]) -> None:
    if smallest.size and smallest.min() <= SIGNIFICANCE_LEVEL:
        return
    warnings.warn(
        f"with {n_sources} sources "
        + (
            f"the smallest attainable p-value is {format_p(smallest.min())}, which is above "
            f"{SIGNIFICANCE_LEVEL}: this test cannot distinguish models, however large their difference"
            if smallest.size
            else "no pair of models has a value in common, so none is tested"
        ),
        FewSourcesWarning,
        stacklevel=3,
    )
