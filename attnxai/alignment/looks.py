"""What annotators marked when they looked at a source again, on the field of the maps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attnxai.alignment.rasterise import draw_annotations
from attnxai.data.short_repr import ArrayResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.grid import PixelGrid
    from attnxai.explanations.stack import MapStack


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Look(ArrayResult):
    """Second (or third, ...) looks of annotators at sources.

    Parameters
    ----------
    round : int
        2 for second looks.
    density, mask : ndarray, shape (n_annotators, n_sources, rows, columns)
        What was marked, as in :class:`~attnxai.alignment.pairs.AlignedPairs`.
    present : ndarray of bool, shape (n_annotators, n_sources)
        Which annotator looked at which source again.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> marks = np.zeros((1, 2, 4, 4))  # one annotator, two sources of 4 x 4 pixels
    >>> look = attnxai.alignment.Look(round=2, density=marks, mask=marks > 0, present=np.array([[True, False]]))
    >>> look.round, look.present.tolist()
    (2, [[True, False]])
    """

    round: int
    density: NDArray[np.float32]
    mask: NDArray[np.bool_]
    present: NDArray[np.bool_]

    def select(self, positions: NDArray[np.intp]) -> Look:
        """The same with some sources only, in the order of their positions."""
        return Look(
            round=self.round,
            density=self.density[:, positions],
            mask=self.mask[:, positions],
            present=self.present[:, positions],
        )


def draw_looks(
    maps: MapStack,
    positions: Sequence[int],
    annotations: AnnotationSet,
    grids: Mapping[str, PixelGrid],
    fwhm_arcsec: float,
    *,
    annotators: Sequence[str] = (),
) -> tuple[Look, ...]:
    """Draw the ``repeats`` of annotations, round by round, for the same annotators and sources as their first looks."""
    sources = {maps.sources[i] for i in positions}
    first = {(a.source, a.annotator) for a in annotations.annotations}
    found = []
    names = annotators or annotations.annotators
    for number in sorted({a.round for a in annotations.repeats}):
        marks = tuple(
            a
            for a in annotations.repeats
            if a.round == number and a.source in sources and (a.source, a.annotator) in first
        )
        if marks:
            again = dataclasses.replace(annotations, annotations=marks)
            drawn = draw_annotations(maps, positions, again, grids, fwhm_arcsec, annotators=names)
            found.append(
                Look(round=number, density=drawn.density, mask=drawn.mask, present=drawn.present)
            )
    return tuple(found)
