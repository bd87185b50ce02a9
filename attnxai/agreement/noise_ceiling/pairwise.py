"""Who disagrees with whom: agreement of every two annotators about the sources that both marked."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.short_repr import ArrayResult
from attnxai.data.wording import counted, printable
from attnxai.errors import OptionError
from attnxai.statistics.formats import format_number
from attnxai.statistics.interval import finite_or_none

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from attnxai.alignment.looks import Look


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PairwiseAgreement(ArrayResult):
    """Agreement of every two annotators, and on the diagonal of every annotator's later looks with the own first ones.

    Parameters
    ----------
    annotators : tuple of str
        Names, in the order of both axes.
    iou : ndarray, shape (n_annotators, n_annotators)
        Mean over the shared sources of the intersection over union of the marked pixels; NaN without any.
    similarity : ndarray, same shape
        Mean over them of the overlap of the densities, each scaled to sum 1: for points and lines, whose masks are
        discs and bands of a chosen width.
    n_sources : ndarray of int, same shape
        Shared sources. Annotations without a marked pixel do not count.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> found = attnxai.agreement.noise_ceiling.PairwiseAgreement(
    ...     annotators=("Ann", "Bob"),
    ...     iou=np.array([[np.nan, 0.6], [0.6, np.nan]]),
    ...     similarity=np.array([[np.nan, 0.7], [0.7, np.nan]]),
    ...     n_sources=np.array([[0, 12], [12, 0]]),
    ... )
    >>> list(found.to_frame().columns)
    ['first', 'second', 'n_sources', 'iou', 'similarity']
    """

    annotators: tuple[str, ...]
    iou: NDArray[np.float64]
    similarity: NDArray[np.float64]
    n_sources: NDArray[np.intp]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Positions of all pairs that share a source, those that agree least first."""
        every = itertools.combinations(range(len(self.annotators)), 2)
        shared = [pair for pair in every if self.n_sources[pair]]
        yield from sorted(shared, key=lambda pair: float(self.iou[pair]))

    def to_record(self) -> list[dict[str, Any]]:
        """Plain values of all pairs under their documented names, those that agree least first."""
        return [
            {
                "first": self.annotators[a],
                "second": self.annotators[b],
                "n_sources": int(self.n_sources[a, b]),
                "iou": finite_or_none(self.iou[a, b]),
                "similarity": finite_or_none(self.similarity[a, b]),
            }
            for a, b in self.pairs()
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row for every pair, with the keys of :meth:`to_record` as columns."""
        import pandas as pd

        return pd.DataFrame(
            self.to_record(), columns=["first", "second", "n_sources", "iou", "similarity"]
        )

    def summary(self) -> str:
        """One line for each pair, those that agree least first."""
        return "\n".join(
            f"{printable(self.annotators[a])} and {printable(self.annotators[b])}: mean IoU "
            f"{format_number(self.iou[a, b])}, similarity {format_number(self.similarity[a, b])} over "
            f"{counted(int(self.n_sources[a, b]), 'source')}"
            for a, b in self.pairs()
        )


def pairwise_agreement(
    annotators: Sequence[str],
    density: NDArray[np.floating],
    mask: NDArray[np.bool_],
    present: NDArray[np.bool_],
    looks: Sequence[Look] = (),
) -> PairwiseAgreement:
    """Agreement of every two annotators over the sources that both marked.

    Parameters
    ----------
    annotators : sequence of str
        Names.
    density, mask : ndarray, shape (n_annotators, n_sources, rows, columns)
        How strongly, and whether, each pixel is marked.
    present : ndarray of bool, shape (n_annotators, n_sources)
        Which annotator marked which source.
    looks : sequence of Look
        Later looks of the annotators, for the diagonal.

    Returns
    -------
    PairwiseAgreement

    Examples
    --------
    >>> mask = np.array([[[1, 1, 0]], [[1, 0, 0]], [[0, 0, 1]]], bool)[:, None]
    >>> found = pairwise_agreement(["ann", "bob", "eve"], mask * 1.0, mask, np.ones((3, 1), bool))
    >>> print(found.summary())
    ann and eve: mean IoU 0.00, similarity 0.00 over 1 source
    bob and eve: mean IoU 0.00, similarity 0.00 over 1 source
    ann and bob: mean IoU 0.50, similarity 0.50 over 1 source
    """
    n = len(annotators)
    if mask.shape != density.shape or mask.shape[:2] != present.shape or len(mask) != n:
        raise OptionError(
            f"density and mask need one field for each of {n} annotators and each source, got {density.shape}, "
            f"{mask.shape} and present {present.shape}"
        )
    return PairwiseParts.of(density, mask, present, looks).agreement(annotators)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairwiseParts:
    """What :class:`PairwiseAgreement` is made of, over some sources; those of other sources can be joined.

    ``shared`` has for every two annotators IoU and similarity (2, n) of the sources that both marked, and ``again`` for
    every annotator their sums over later looks, the number of looks and that of sources.
    """

    shared: Mapping[tuple[int, int], NDArray[np.float64]]
    again: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        density: NDArray[np.floating],
        mask: NDArray[np.bool_],
        present: NDArray[np.bool_],
        looks: Sequence[Look] = (),
    ) -> PairwiseParts:
        """Parts of drawings as :func:`pairwise_agreement` takes them."""
        n = len(mask)
        used = present & mask.any(axis=(2, 3))
        found: dict[tuple[int, int], NDArray[np.float64]] = {}
        for a, b in itertools.combinations(range(n), 2):
            shared = np.flatnonzero(used[a] & used[b])
            found[a, b] = np.empty((2, 0))
            if shared.size:
                found[a, b] = _overlaps(density[[a, b]][:, shared], mask[[a, b]][:, shared])
        of_looks = np.zeros((n, 4))
        for a in range(n):
            # of several later looks at a source, each counts
            sources = set()
            for look in looks:
                again = np.flatnonzero(used[a] & look.present[a] & look.mask[a].any(axis=(1, 2)))
                if again.size:
                    values = _overlaps(
                        np.stack([density[a, again], look.density[a, again]]),
                        np.stack([mask[a, again], look.mask[a, again]]),
                    )
                    of_looks[a, :3] += (*values.sum(axis=1), again.size)
                    sources |= set(again.tolist())
            of_looks[a, 3] = len(sources)
        return cls(shared=found, again=of_looks)

    def __add__(self, other: PairwiseParts) -> PairwiseParts:
        return PairwiseParts(
            shared={key: np.hstack([v, other.shared[key]]) for key, v in self.shared.items()},
            again=self.again + other.again,
        )

    def agreement(self, annotators: Sequence[str]) -> PairwiseAgreement:
        """Agreement over all of these sources."""
        n = len(annotators)
        iou, similarity = np.full((n, n), np.nan), np.full((n, n), np.nan)
        n_sources = np.zeros((n, n), dtype=np.intp)
        for (a, b), values in self.shared.items():
            if values.size:
                iou[a, b] = iou[b, a] = values[0].mean()
                similarity[a, b] = similarity[b, a] = values[1].mean()
            n_sources[a, b] = n_sources[b, a] = values.shape[1]
        for a, total in enumerate(self.again):
            if total[2]:
                iou[a, a], similarity[a, a] = total[:2] / total[2]
            n_sources[a, a] = int(total[3])
        return PairwiseAgreement(
            annotators=tuple(annotators), iou=iou, similarity=similarity, n_sources=n_sources
        )


def _overlaps(density: NDArray[np.floating], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """IoU and similarity (2, n_sources) of two drawings (2, n_sources, rows, columns) of every source."""
    first, second = mask
    union = (first | second).sum(axis=(1, 2))
    fields = density.astype(np.float64)
    totals = fields.sum(axis=(2, 3), keepdims=True)
    fields /= np.where(totals > 0, totals, 1.0)
    return np.stack(
        [(first & second).sum(axis=(1, 2)) / union, np.minimum(*fields).sum(axis=(1, 2))]
    )
