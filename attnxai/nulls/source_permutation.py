"""Permutation of annotations across sources.

Everything within a map and within an annotation stays, so smoothness, centring and brightness are as
they were; only the pairing is broken. The pooled test permutes all sources, the test within strata only
sources of the same class (or survey, or size, or all of these), which is exact when what maps and
annotations share is shared by the stratum. A permutation cannot test whether the agreement comes from
brightness, whose pairing with the annotation it breaks as well.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics import agreement_tables
from attnxai.nulls.draws import NullDraws, check_draws, smallest_int
from attnxai.nulls.null_model import NullModel, register_null

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.metrics import Metric
    from attnxai.metrics.targets import Targets

_BLOCK = 1000  # draws that are permuted at a time


@register_null
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourcePermutation(NullModel):
    """Permute annotations across sources.

    Parameters
    ----------
    within_strata : bool
        Permute only within the strata that are given.
    keys : tuple of str
        What the strata are made of, for labels and sentences.

    Raises
    ------
    OptionError
        If strata have no key.

    Examples
    --------
    >>> import attnxai
    >>> null = attnxai.nulls.SourcePermutation(keys=("class", "size"))
    >>> null.label
    'within class and size'
    """

    name = "permutation"
    permutes_sources = True

    within_strata: bool = True
    keys: tuple[str, ...] = ("class",)

    def __post_init__(self) -> None:
        if self.within_strata and not self.keys:
            raise OptionError("strata need a key, such as class; got none")

    @property
    def label(self) -> str:
        """Name in text and figures: pooled, or within the strata."""
        return f"within {self._strata}" if self.within_strata else "pooled"

    @property
    def question(self) -> str:
        """What the test asks, in words."""
        if self.within_strata:
            return (
                "Does the map agree with its own source's annotation, rather than with that of any source of "
                f"its {self._strata}?"
            )
        return "Does the map agree with its own source's annotation, rather than with that of any source?"

    @property
    def assumes(self) -> str:
        """What has to hold for its level, in words."""
        if self.within_strata:
            return (
                f"Sources of one {self._strata} are exchangeable. Rejects too often when maps and annotations "
                "share something that differs between them, such as angular size."
            )
        return (
            "All sources are exchangeable. Rejects too often when maps and annotations share what depends on "
            "their class, survey or size."
        )

    @property
    def _strata(self) -> str:
        return " and ".join(self.keys)

    def tables(
        self,
        metrics: Sequence[Metric],
        maps: NDArray[np.float64],
        targets: Targets,
        valid: NDArray[np.bool_],
        *,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """Metrics of all pairs, over the pixels valid for all sources; see :class:`NullModel`."""
        where = np.asarray(valid.all(axis=0))
        return np.asarray(agreement_tables(metrics, maps[None], targets, where)[:, 0])

    def draw(
        self,
        strata: Sequence[Hashable],
        *,
        n_columns: int | None = None,
        n_draws: int,
        rng: np.random.Generator,
        all_if_few: bool = True,
    ) -> NullDraws:
        """Draw permutations; all of them, each once, if there are no more than ``n_draws``.

        Parameters
        ----------
        strata, n_columns, n_draws, rng
            As in :meth:`NullModel.draw`; the number of columns can be left out.
        all_if_few : bool
            Whether all permutations are made where they are few; blocks of sources whose draws are added need as many
            of each.

        Returns
        -------
        NullDraws

        Raises
        ------
        OptionError
            If ``n_draws`` is below 1.
        ValueError
            If the number of columns is not that of sources.

        Examples
        --------
        >>> null = SourcePermutation(within_strata=True)
        >>> rng = np.random.default_rng(0)
        >>> draws = null.draw(["FR I"] * 3 + ["FR II"] * 2, n_draws=1000, rng=rng)
        >>> draws.exhaustive, len(draws.choices), round(1 / draws.smallest_p)
        (True, 12, 12)
        """
        check_draws(n_draws)
        n = len(strata)
        if n_columns is not None and n_columns != n:
            raise ValueError(f"{n} sources are permuted, but the table has {n_columns} columns")
        members: dict[Hashable, list[int]] = {}
        for source, stratum in enumerate(strata):
            members.setdefault(stratum if self.within_strata else None, []).append(source)
        groups: list[NDArray[np.integer]] = [
            np.array(group, dtype=smallest_int(n)) for group in members.values()
        ]
        # column after column in memory, as the tests read them
        n_all = math.prod(math.factorial(len(group)) for group in groups)
        if all_if_few and n_all <= n_draws:
            choices = np.asfortranarray(_all_permutations(groups, n))
            return NullDraws(choices=choices, exhaustive=True, permutes_sources=True)
        choices = np.empty((n_draws, n), dtype=smallest_int(n), order="F")
        for group in groups:
            for start in range(0, n_draws, _BLOCK):
                some = slice(start, start + _BLOCK)
                # numpy permutes integers of the machine's word fastest
                rows = np.tile(group.astype(np.intp), (len(choices[some]), 1))
                choices[some, group] = rng.permuted(rows, axis=1, out=rows)
        log_n_all = sum(math.lgamma(len(group) + 1) for group in groups)
        return NullDraws(
            choices=choices, exhaustive=False, permutes_sources=True, log_n_all=log_n_all
        )


def _all_permutations(groups: Sequence[NDArray[np.integer]], n: int) -> NDArray[np.integer]:
    """Every combination of a permutation of each group, the identity first."""
    arranged = [np.array(list(itertools.permutations(group.tolist()))) for group in groups]
    n_all = math.prod(len(rows) for rows in arranged)
    choices = np.empty((n_all, n), dtype=smallest_int(n))
    n_after = n_all
    for group, rows in zip(groups, arranged, strict=True):
        n_after //= len(rows)
        choices[:, group] = rows[np.arange(n_all) // n_after % len(rows)]
    return choices
