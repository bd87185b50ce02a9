"""What every null model gives: rearrangements that leave the hypothesis of no link unchanged."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Values closer than this count as equal: sums in another order must not decide a test.
RELATIVE_TIE = 1e-12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NullDraws:
    """Rearrangements of sources.

    Parameters
    ----------
    orders : ndarray of int, shape (n_draws, n_sources)
        Draw b pairs the map of source s with the annotation of source ``orders[b, s]``.
    exhaustive : bool
        Whether these are all that the null allows, the observed one among them.
    """

    orders: NDArray[np.intp]
    exhaustive: bool

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that could come out."""
        n = len(self.orders)
        return 1.0 / n if self.exhaustive else 1.0 / (n + 1)


class NullModel(Protocol):
    """A way to break the link between maps and annotations."""

    name: str
    question: str

    def draw(
        self, strata: Sequence[Hashable], *, n_draws: int, rng: np.random.Generator
    ) -> NullDraws:
        """Draw rearrangements of the sources whose strata are given."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NullTest:
    """An observed mean against its null distribution.

    Parameters
    ----------
    null : str
        Name of the null model.
    observed : float
        The mean over sources.
    p_value : float
        One-sided, for larger values: (b + 1) / (B + 1) for sampled nulls, b / M for exhaustive ones.
    smallest_p : float
        The smallest p-value that could have come out.
    n_sources : int
        Sources that were exchanged.
    n_draws : int
        Rearrangements.
    exhaustive : bool
        Whether these were all.
    values : ndarray, shape (n_draws,)
        The mean under every rearrangement.
    """

    null: str
    observed: float
    p_value: float
    smallest_p: float
    n_sources: int
    n_draws: int
    exhaustive: bool
    values: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean of the null distribution."""
        return float(self.values.mean())

    def range(self, level: float = 0.95) -> tuple[float, float]:
        """Central range of the null distribution."""
        tail = (1.0 - level) / 2
        low, high = np.quantile(self.values, [tail, 1.0 - tail])
        return float(low), float(high)


def run_null_test(
    matrix: NDArray[np.float64],
    draws: NullDraws,
    *,
    null: str,
    weights: NDArray[np.float64] | None = None,
) -> NullTest:
    """Compare the mean of a matrix's diagonal with its mean under rearrangements.

    Parameters
    ----------
    matrix : ndarray, shape (n_sources, n_sources)
        Metric of the map of each source (rows) with the annotation of each (columns); no NaN.
    draws : NullDraws
        The rearrangements.
    null : str
        Name of the null model.
    weights : ndarray, shape (n_sources,), optional
        Weight of each source's annotation; it goes where the annotation goes.

    Returns
    -------
    NullTest
    """
    if not np.isfinite(matrix).all():
        raise ValueError("matrix has undefined values; leave their sources out before testing")
    n = len(matrix)
    if weights is not None and not weights.sum() > 0:
        raise ValueError("weights need a positive sum")
    share = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
    weighted = matrix * share[None, :]
    observed = float(np.trace(weighted))
    values = weighted[np.arange(n), draws.orders].sum(axis=1)
    tie = RELATIVE_TIE * max(abs(observed), float(np.abs(values).max(initial=0.0)))
    n_extreme = int(np.count_nonzero(values >= observed - tie))
    added = 0 if draws.exhaustive else 1  # the observed order counts among sampled ones
    p_value = (n_extreme + added) / (len(values) + added)
    return NullTest(
        null=null,
        observed=observed,
        p_value=p_value,
        smallest_p=draws.smallest_p,
        n_sources=n,
        n_draws=len(values),
        exhaustive=draws.exhaustive,
        values=values,
    )
