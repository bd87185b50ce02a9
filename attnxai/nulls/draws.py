"""Tables of values under a null, and draws from them.

Row s of a table holds the metric of source s. A draw picks one column for each source, and the statistic is
the (weighted) mean over sources of what was picked. In a permutation across sources the columns are the
sources' annotations, what was observed is the diagonal, and a draw is a permutation. Otherwise columns are
surrogate maps of the source, what was observed is column 0, and a draw picks columns freely, column 0 among
them: under the null all are equally probable.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NullDraws:
    """The column of a table that every draw picks for every source.

    Parameters
    ----------
    choices : ndarray of int, shape (n_draws, n_sources)
        Draw b picks column ``choices[b, s]`` for source s.
    exhaustive : bool
        Whether these are all that the null allows, the observed one among them.
    permutes_sources : bool
        Whether columns are the annotations of sources. What was observed is then the diagonal, and weights
        go with the annotations; otherwise it is column 0, and weights stay with the sources.
    log_n_all : float
        Natural logarithm of how many the null allows; infinite where draws are known to be fewer.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> draws = attnxai.nulls.NullDraws(choices=np.array([[0, 1], [1, 0]]), exhaustive=True, permutes_sources=True)
    >>> draws.smallest_p
    0.5
    """

    choices: NDArray[np.integer]
    exhaustive: bool
    permutes_sources: bool = False
    log_n_all: float = math.inf

    __repr__ = short_repr

    @property
    def smallest_p(self) -> float:
        """The smallest attainable one-sided p-value."""
        n = len(self.choices)
        return 1.0 / n if self.exhaustive else 1.0 / (n + 1)


def draw_choices(
    n_sources: int, n_columns: int, *, n_draws: int, rng: np.random.Generator
) -> NullDraws:
    """Pick a column for every source, independently and uniformly.

    Parameters
    ----------
    n_sources, n_columns : int
        Shape of the table.
    n_draws : int
        Number of draws. If there are no more choices than that, each is made once.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    NullDraws

    Raises
    ------
    OptionError
        If ``n_draws`` or ``n_columns`` is below 1.

    Examples
    --------
    >>> draw_choices(2, 8, n_draws=1000, rng=np.random.default_rng(0)).choices.shape
    (64, 2)
    """
    check_draws(n_draws)
    if n_columns < 1:
        raise OptionError(f"n_columns has to be 1 or more, got {n_columns}")
    dtype = smallest_int(n_columns)
    if n_columns**n_sources <= n_draws:
        every = list(itertools.product(range(n_columns), repeat=n_sources))
        choices = np.array(every, dtype=dtype).reshape(len(every), n_sources)
        return NullDraws(choices=np.asfortranarray(choices), exhaustive=True)
    choices = rng.integers(n_columns, size=(n_draws, n_sources), dtype=dtype)
    return NullDraws(choices=np.asfortranarray(choices), exhaustive=False)


def check_draws(n_draws: int) -> None:
    """Raise an error if the number of draws is below 1."""
    if n_draws < 1:
        raise OptionError(f"n_draws has to be 1 or more, got {n_draws}")


def smallest_int(n_columns: int) -> type[np.int16 | np.int32]:
    """Integer type that holds every column: draws of many sources are large."""
    return np.int16 if n_columns <= np.iinfo(np.int16).max else np.int32


def usable_sources(
    table: NDArray[np.float64],
    members: NDArray[np.intp] | None = None,
    *,
    permutes_sources: bool,
) -> NDArray[np.intp]:
    """Sources whose values are defined in every column.

    In a permutation across sources a source has to be defined with every partner, in both roles. The source with
    the most undefined values is left out first, until none is undefined, so that one constant map does not
    exclude every annotation.

    Parameters
    ----------
    table : ndarray, shape (n_sources, n_columns)
        Values, NaN where undefined.
    members : ndarray of int, optional
        The sources to choose from; all if not given.
    permutes_sources : bool
        Whether columns are the annotations of sources.

    Returns
    -------
    ndarray of int
        Positions, in the order of ``members``.

    Examples
    --------
    >>> table = np.array([[1.0, 2.0, np.nan], [1.0, 2.0, np.nan], [1.0, 2.0, np.nan]])
    >>> usable_sources(table, permutes_sources=True)
    array([0, 1])
    >>> usable_sources(table, permutes_sources=False)
    array([], dtype=int64)
    """
    keep = np.arange(len(table)) if members is None else np.array(members, dtype=np.intp)
    if not permutes_sources:
        return keep[np.isfinite(table[keep]).all(axis=1)]
    while keep.size:
        missing = ~np.isfinite(table[np.ix_(keep, keep)])
        if not missing.any():
            break
        keep = np.delete(keep, int((missing.sum(axis=0) + missing.sum(axis=1)).argmax()))
    return keep
