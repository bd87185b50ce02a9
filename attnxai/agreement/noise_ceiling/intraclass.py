"""Intraclass correlations: how much of the variance of annotators' numbers is due to sources.

The six forms of Shrout & Fleiss (1979), with the intervals of McGraw & Wong (1996). The package that has
them, pingouin, is under the GPL; the tests compare every form and its interval with it.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics.pixels import numbers_of
from attnxai.statistics.interval import CONFIDENCE_LEVEL, Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class IntraclassForm(enum.StrEnum):
    """The six forms.

    1: each source has annotators of its own. 2: the same annotators, as a sample of annotators, absolute
    agreement. 3: these annotators alone, consistency, so that constant offsets between them do not count.
    ``k``: reliability of the mean over the annotators instead of a single one.
    """

    ICC1 = "ICC1"
    ICC2 = "ICC2"
    ICC3 = "ICC3"
    ICC1K = "ICC1k"
    ICC2K = "ICC2k"
    ICC3K = "ICC3k"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IntraclassCorrelation:
    """One form of the intraclass correlation, with the F test that sources do not differ.

    The estimate is below 0 when sources differ less than by chance. Its interval rests on normal values, and
    has no ends when annotators never differ. Sources without a number from every annotator are left out.
    """

    form: IntraclassForm
    interval: Interval
    f_value: float
    df1: int
    df2: int
    p_value: float
    n_annotators: int
    n_left_out: int = 0


def intraclass_correlations(
    ratings: ArrayLike, *, level: float = CONFIDENCE_LEVEL
) -> dict[IntraclassForm, IntraclassCorrelation]:
    """All six intraclass correlations of a table.

    Parameters
    ----------
    ratings : array_like, shape (n_annotators, n_sources)
        A number for each; sources with a NaN are left out and counted.
    level : float
        Confidence level.

    Returns
    -------
    dict of IntraclassForm to IntraclassCorrelation

    Raises
    ------
    OptionError
        With fewer than two annotators or two complete sources.

    Examples
    --------
    The table of Shrout & Fleiss (1979):

    >>> judges = [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
    >>> {str(form): round(icc.interval.value, 2) for form, icc in intraclass_correlations(judges).items()}
    {'ICC1': 0.17, 'ICC2': 0.29, 'ICC3': 0.71, 'ICC1k': 0.44, 'ICC2k': 0.62, 'ICC3k': 0.91}
    """
    table = numbers_of("ratings", ratings)
    if table.ndim != 2:
        raise OptionError(f"ratings need the shape (n_annotators, n_sources), got {table.shape}")
    complete = np.isfinite(table).all(axis=0)
    kept = table[:, complete]
    k, n = kept.shape
    if k < 2 or n < 2:
        raise OptionError(
            f"an intraclass correlation needs two annotators and two sources with a number from each "
            f"of them, got {k} annotators and {n} such sources"
        )
    if not 0.5 <= level < 1:
        raise OptionError(f"level has to lie between 0.5 and 1, got {level}")
    with np.errstate(divide="ignore", invalid="ignore"):
        found = _all_forms(kept, level)
    return {
        form: IntraclassCorrelation(
            form=form,
            interval=Interval(
                value=float(value),
                low=float(low),
                high=float(high),
                n_units=n,
                level=level,
                method="F distribution of normal values (McGraw & Wong 1996)",
            ),
            f_value=float(f_value),
            df1=n - 1,
            df2=df2,
            p_value=float(p_value),
            n_annotators=k,
            n_left_out=int((~complete).sum()),
        )
        for form, (value, low, high, f_value, df2, p_value) in found.items()
    }


class _MeanSquares(NamedTuple):
    """The table of a two-way analysis of variance with one value for each cell."""

    sources: np.float64
    within: np.float64
    annotators: np.float64
    rest: np.float64


def _mean_squares(table: NDArray[np.float64]) -> _MeanSquares:
    k, n = table.shape
    grand = table.mean()
    of_sources, of_annotators = table.mean(axis=0), table.mean(axis=1)
    rest = ((table - of_sources - of_annotators[:, None] + grand) ** 2).sum()
    return _MeanSquares(
        sources=k * ((of_sources - grand) ** 2).sum() / (n - 1),
        within=((table - of_sources) ** 2).sum() / (n * (k - 1)),
        annotators=n * ((of_annotators - grand) ** 2).sum() / (k - 1),
        rest=rest / ((n - 1) * (k - 1)),
    )


def _all_forms(
    table: NDArray[np.float64], level: float
) -> dict[IntraclassForm, tuple[float, float, float, float, int, float]]:
    """Value, low, high, F, its second degrees of freedom and p of each form."""
    from scipy import stats

    (k, n), ms = table.shape, _mean_squares(table)
    tail = 1.0 - (1.0 - level) / 2
    df1 = n - 1
    result = {}
    for single, mean, error, df2 in (
        (IntraclassForm.ICC1, IntraclassForm.ICC1K, ms.within, n * (k - 1)),
        (IntraclassForm.ICC3, IntraclassForm.ICC3K, ms.rest, (n - 1) * (k - 1)),
    ):
        f_value = ms.sources / error
        low = f_value / stats.f.ppf(tail, df1, df2)
        high = f_value * stats.f.ppf(tail, df2, df1)
        test = (f_value, df2, stats.f.sf(f_value, df1, df2))
        value = (ms.sources - error) / (ms.sources + (k - 1) * error)
        result[single] = (value, (low - 1) / (low + k - 1), (high - 1) / (high + k - 1), *test)
        result[mean] = ((ms.sources - error) / ms.sources, 1 - 1 / low, 1 - 1 / high, *test)
    offset = k * (ms.annotators - ms.rest) / n
    value = (ms.sources - ms.rest) / (ms.sources + (k - 1) * ms.rest + offset)
    low, high = _absolute_agreement_ends(ms, n, k, value, tail)
    test = result[IntraclassForm.ICC3][3:]
    result[IntraclassForm.ICC2] = (value, low, high, *test)
    result[IntraclassForm.ICC2K] = (
        (ms.sources - ms.rest) / (ms.sources + offset / k),
        low * k / (1 + low * (k - 1)),
        high * k / (1 + high * (k - 1)),
        *test,
    )
    return {form: result[form] for form in IntraclassForm}


def _absolute_agreement_ends(
    ms: _MeanSquares, n: int, k: int, value: float, tail: float
) -> tuple[float, float]:
    """Interval of ICC2 with Satterthwaite's degrees of freedom (McGraw & Wong 1996, table 7)."""
    from scipy import stats

    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    freedom = (a * ms.annotators + b * ms.rest) ** 2 / (
        (a * ms.annotators) ** 2 / (k - 1) + (b * ms.rest) ** 2 / ((n - 1) * (k - 1))
    )
    upper, lower = stats.f.ppf(tail, n - 1, freedom), stats.f.ppf(tail, freedom, n - 1)
    others = k * ms.annotators + (k * n - k - n) * ms.rest
    return (
        n * (ms.sources - upper * ms.rest) / (upper * others + n * ms.sources),
        n * (lower * ms.sources - ms.rest) / (others + n * lower * ms.sources),
    )
