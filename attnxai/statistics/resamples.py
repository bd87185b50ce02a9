"""Resamples of many units, whose counts are drawn again whenever they are wanted instead of being kept."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts: TypeAlias = "NDArray[np.float64] | Resamples"

_MOST_KEPT = 10_000_000
"""Counts that are kept: 10,000 resamples of 1,000 units, which take 80 megabytes."""
_ROWS = 64


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """How often each unit occurs in each resample, as an array of shape (n_bootstrap, n_units) that is never whole.

    Rows can be picked, as can units by a mask, and the product with columns (n_units, n_columns) is there. Every resample
    has a stream of its own.
    """

    n_bootstrap: int
    n_units: int
    seed: int
    keep: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return self.n_bootstrap

    def __getitem__(self, index: Any) -> Any:
        """Some rows as an array, or with ``[:, mask]`` the same of some units."""
        if isinstance(index, tuple):
            return dataclasses.replace(self, keep=np.asarray(index[1]))
        rows = range(*index.indices(self.n_bootstrap))
        counts = np.empty((len(rows), self.n_units))
        for counted, row in zip(counts, rows, strict=True):
            rng = np.random.default_rng([self.seed, row])
            drawn = rng.integers(self.n_units, size=self.n_units)
            counted[:] = np.bincount(drawn, minlength=self.n_units)
        return counts if self.keep is None else counts[:, self.keep]

    def __matmul__(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        starts = range(0, self.n_bootstrap, _ROWS)
        return np.concatenate([self[start : start + _ROWS] @ columns for start in starts])


def resamples_of(n_units: int, n_bootstrap: int, rng: np.random.Generator) -> Counts:
    """Counts of each unit in each resample: those of :func:`~.bootstrap.bootstrap_counts`, or drawn when wanted if large.

    Examples
    --------
    >>> counts = resamples_of(10_000, 10_000, np.random.default_rng(0))
    >>> (counts @ np.ones((10_000, 1)))[:2, 0]
    array([10000., 10000.])
    >>> counts[:3].shape
    (3, 10000)
    """
    from attnxai.statistics.bootstrap import bootstrap_counts

    if n_units * n_bootstrap <= _MOST_KEPT:
        return bootstrap_counts(n_units, n_bootstrap, rng)
    return Resamples(n_bootstrap, n_units, int(rng.integers(2**63)))
