"""Resamples of many units, whose counts are drawn again whenever they are wanted instead of being kept."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts: TypeAlias = "NDArray[np.float64] | Resamples"
    StratifiedCounts: TypeAlias = "NDArray[np.int32] | Resamples"

MOST_KEPT = 10_000_000
"""Counts that are kept: 10,000 resamples of 1,000 units, which take 80 megabytes."""
_ROWS = 64


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """How often each unit occurs in each resample, as an array of shape (n_bootstrap, n_units) that is never whole.

    Rows can be picked, as can units by a mask or their positions, and the product with columns (n_units, n_columns) is
    there. Every resample has a stream of its own, and is drawn within ``strata`` (n_units,), if there are any.
    """

    n_bootstrap: int
    n_units: int
    seed: int
    keep: NDArray[np.intp] | None = None
    strata: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self.n_bootstrap

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of resamples and of units."""
        return self.n_bootstrap, self.n_units if self.keep is None else len(self.keep)

    @property
    def drawn_within(self) -> NDArray[np.int64]:
        """Stratum of each unit, all the same where there are none."""
        if self.strata is None:
            return np.zeros(self.shape[1], dtype=np.int64)
        return self.strata if self.keep is None else self.strata[self.keep]

    def __getitem__(self, index: Any) -> Any:
        """Some rows as an array, or with ``[:, mask]`` the same of some units."""
        if isinstance(index, tuple):
            kept = np.arange(self.n_units) if self.keep is None else self.keep
            return dataclasses.replace(self, keep=kept[index[1]])
        rows = range(*index.indices(self.n_bootstrap))
        counts = np.empty((len(rows), self.n_units))
        strata = self._members()
        for counted, row in zip(counts, rows, strict=True):
            rng = np.random.default_rng([self.seed, row])
            for n, members in strata:
                counted[members] = np.bincount(rng.integers(n, size=n), minlength=n)
        return counts if self.keep is None else counts[:, self.keep]

    def _members(self) -> list[tuple[int, slice | NDArray[np.intp]]]:
        """Number and positions of the units of every stratum."""
        if self.strata is None:
            return [(self.n_units, slice(None))]
        strata = [np.flatnonzero(self.strata == label) for label in np.unique(self.strata)]
        return [(len(members), members) for members in strata]

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

    if n_units * n_bootstrap <= MOST_KEPT:
        return bootstrap_counts(n_units, n_bootstrap, rng)
    return Resamples(n_bootstrap, n_units, int(rng.integers(2**63)))
