"""Ways in which all marks of an annotator can be turned over, and what turns them back."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage

    Turning = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_SAME = 0.02


class Orientation(enum.StrEnum):
    """What was done to the marks, about the middle of each image."""

    FLIP_X = "flipped in x"
    FLIP_Y = "flipped in y"
    HALF_TURN = "turned by 180 degrees"
    SWAPPED = "x and y swapped"
    QUARTER = "turned by 90 degrees from x towards y"
    THREE_QUARTERS = "turned by 90 degrees from y towards x"
    SWAPPED_HALF_TURN = "x and y swapped and turned by 180 degrees"
    EAST_WEST = "flipped from east to west"
    NORTH_SOUTH = "flipped from north to south"


# what undoes each; rows of an array are y, columns x
_OF_PIXELS: dict[Orientation, tuple[Turning, tuple[tuple[int, int], tuple[int, int]]]] = {
    Orientation.FLIP_X: (lambda cells: cells[:, ::-1], ((-1, 0), (0, 1))),
    Orientation.FLIP_Y: (lambda cells: cells[::-1], ((1, 0), (0, -1))),
    Orientation.HALF_TURN: (lambda cells: cells[::-1, ::-1], ((-1, 0), (0, -1))),
    Orientation.SWAPPED: (lambda cells: cells.T, ((0, 1), (1, 0))),
    Orientation.QUARTER: (lambda cells: np.rot90(cells, 1), ((0, -1), (1, 0))),
    Orientation.THREE_QUARTERS: (lambda cells: np.rot90(cells, -1), ((0, 1), (-1, 0))),
    Orientation.SWAPPED_HALF_TURN: (lambda cells: cells[::-1, ::-1].T, ((0, -1), (-1, 0))),
}
_OF_SQUARES = tuple(_OF_PIXELS)[3:]


def turnings(image: SourceImage, *, on_sky: bool) -> Mapping[Orientation, Turning]:
    """What undoes each orientation on a grid of cells about the middle of an image.

    ``x and y swapped`` and quarter turns are left out where the image is not square. Flips ``on_sky`` are those of
    marks with sky positions, where they differ from flips of the pixels.

    Examples
    --------
    >>> import attnxai
    >>> image = attnxai.data.from_array(np.eye(3), source="s")
    >>> turnings(image, on_sky=False)[Orientation.FLIP_Y](np.arange(4).reshape(2, 2))
    array([[2, 3],
           [0, 1]])
    """
    rows, columns = image.shape
    found: dict[Orientation, Turning] = {
        orientation: turning
        for orientation, (turning, _) in _OF_PIXELS.items()
        if rows == columns or orientation not in _OF_SQUARES
    }
    directions = image.grid.north_and_east() if on_sky else None
    if directions is None:
        return found
    axes = np.stack(directions[::-1], axis=1)  # columns: east, north, in x and y
    for orientation, signs in (
        (Orientation.EAST_WEST, (-1.0, 1.0)),
        (Orientation.NORTH_SOUTH, (1.0, -1.0)),
    ):
        matrix = axes @ np.diag(signs) @ np.linalg.inv(axes)
        if all(np.abs(matrix - known).max() > _SAME for _, known in _OF_PIXELS.values()):
            found[orientation] = _turning_of(matrix)
    return found


def _turning_of(matrix: NDArray[np.float64]) -> Turning:
    """A map of x and y, which is its own inverse, as a function of a grid of cells."""

    def turn(cells: NDArray[np.float32]) -> NDArray[np.float32]:
        from scipy.ndimage import affine_transform

        swapped = matrix[::-1, ::-1]  # of rows and columns
        middle = np.full(2, (len(cells) - 1) / 2)
        turned: Any = affine_transform(cells, swapped, middle - swapped @ middle, order=1)
        return np.asarray(turned)

    return turn
