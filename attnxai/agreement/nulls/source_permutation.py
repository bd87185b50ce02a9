"""Exchange which source's annotation goes with which source's map.

Everything within a map and within an annotation stays, so smoothness, centring and brightness are as
they were; only which belongs to which is broken. Pooled, all sources are exchanged; within strata, only
sources of the same class (or survey, or size), which is exact when what maps and annotations share is
shared by the stratum. It assumes that sources of a stratum are exchangeable; it does not ask whether the
agreement comes from brightness, since exchanging sources breaks that tie as well.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.nulls.base import NullDraws

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourcePermutation:
    """Exchange the annotations of sources.

    Parameters
    ----------
    within_strata : bool
        Exchange only within the strata that are given.
    """

    within_strata: bool

    @property
    def name(self) -> str:
        """Name in files and tables."""
        return "within class" if self.within_strata else "pooled"

    @property
    def question(self) -> str:
        """What the test asks, in words."""
        if self.within_strata:
            return (
                "Does the map look where people look in this source, beyond what sources of its "
                "class share?"
            )
        return "Does the map look where people look in this source, rather than in any source?"

    def draw(
        self, strata: Sequence[Hashable], *, n_draws: int, rng: np.random.Generator
    ) -> NullDraws:
        """Draw permutations; all of them, each once, when there are no more than ``n_draws``.

        Parameters
        ----------
        strata : sequence of hashable
            Stratum of every source.
        n_draws : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        NullDraws

        Examples
        --------
        >>> null = SourcePermutation(within_strata=True)
        >>> rng = np.random.default_rng(0)
        >>> draws = null.draw(["FR I"] * 3 + ["FR II"] * 2, n_draws=1000, rng=rng)
        >>> draws.exhaustive, len(draws.orders), round(1 / draws.smallest_p)
        (True, 12, 12)
        """
        n = len(strata)
        if self.within_strata:
            names = list(dict.fromkeys(strata))
            groups = [
                np.array([i for i, stratum in enumerate(strata) if stratum == name])
                for name in names
            ]
        else:
            groups = [np.arange(n)]
        n_possible = math.prod(math.factorial(len(group)) for group in groups)
        if n_possible <= n_draws:
            return NullDraws(orders=_all_orders(groups, n), exhaustive=True)
        orders = np.tile(np.arange(n), (n_draws, 1))
        for group in groups:
            if len(group) > 1:
                orders[:, group] = rng.permuted(np.tile(group, (n_draws, 1)), axis=1)
        return NullDraws(orders=orders, exhaustive=False)


def _all_orders(groups: Sequence[NDArray[np.intp]], n: int) -> NDArray[np.intp]:
    choices = [list(itertools.permutations(group.tolist())) for group in groups]
    orders = np.empty((math.prod(len(choice) for choice in choices), n), dtype=np.intp)
    for row, combination in enumerate(itertools.product(*choices)):
        for group, arrangement in zip(groups, combination, strict=True):
            orders[row, group] = arrangement
    return orders
