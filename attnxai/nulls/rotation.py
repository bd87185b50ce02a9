"""Rotations of maps about the centre of their field.

What depends on the distance from the centre alone stays, and with it the centre bias that map and annotation
share; orientation is broken. :class:`GridSymmetries` takes pixels to pixels and is the one to use.
:class:`Rotation` takes any angle and has to interpolate, so a rotated map differs from an original one in more
than its orientation. Therefore map and annotation are first turned together by one random angle, and every
surrogate, that with the observed orientation as well, is interpolated once from the original map. The
documentation has what was measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics import TargetKind
from attnxai.nulls.footprints import centred_disc
from attnxai.nulls.null_model import register_null
from attnxai.nulls.surrogates import SurrogateNull

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Symmetry = Callable[[NDArray[Any]], NDArray[Any]]


def grid_symmetries(shape: tuple[int, int], *, reflections: bool) -> list[Symmetry]:
    """Symmetries of a field that take pixels to pixels, the identity first; each acts on the last two axes.

    Fields that are not square turn by half turns only.
    """
    turns = range(4) if shape[0] == shape[1] else (0, 2)

    def turn(n: int, step: int) -> Symmetry:
        return lambda array: np.rot90(array[..., ::step], n, axes=(-2, -1))

    return [turn(n, step) for step in ((1, -1) if reflections else (1,)) for n in turns]


@register_null
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GridSymmetries(SurrogateNull):
    """Rotate maps by right angles and reflect them, without interpolation.

    Pixels that some symmetry takes to a pixel that is not valid are left out of all surrogates.

    Parameters
    ----------
    reflections : bool
        Whether maps are reflected as well.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> null = attnxai.nulls.GridSymmetries(reflections=False)
    >>> rng = np.random.default_rng(0)
    >>> used, turned = null.surrogates(np.arange(4.0).reshape(2, 2), np.ones((2, 2), bool), rng)
    >>> turned
    array([[0., 1., 2., 3.],
           [1., 3., 0., 2.],
           [3., 2., 1., 0.],
           [2., 0., 3., 1.]])
    """

    name = "symmetries"
    label = "grid symmetries"
    question = (
        "Does the map lie in the same direction from the centre as the annotation, and not only at the same "
        "distance?"
    )
    assumes = (
        "Orientation of map and annotation is free: seen from the field's centre, no direction is preferred. "
        "Rejects too often when they share a direction, such as an elongated beam, sidelobes, or "
        "sources that were turned to one position angle."
    )

    reflections: bool = True

    def surrogates(
        self,
        map: NDArray[np.float64],
        where: NDArray[np.bool_],
        rng: np.random.Generator,  # noqa: ARG002  nothing is drawn: these are all
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """The map under every symmetry of the grid, on the pixels that all of them share."""
        shape = (map.shape[0], map.shape[1])
        symmetries = grid_symmetries(shape, reflections=self.reflections)
        used = np.logical_and.reduce([turned(where) for turned in symmetries])
        return used, np.stack([turned(map)[used] for turned in symmetries])


def turned_coordinates(
    where: NDArray[np.bool_], angles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where the values of a field come from that is turned about its centre.

    For the pixels ``where``, rows and columns (2, n_angles, n_pixels) in the original field. A field that is
    turned by a right angle equals :func:`numpy.rot90`.
    """
    centre = (np.array(where.shape) - 1) / 2
    y, x = np.argwhere(where).T - centre[:, None]
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.stack([cos * y + sin * x + centre[0], cos * x - sin * y + centre[1]])


@register_null
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rotation(SurrogateNull):
    """Rotate maps by equally spaced angles, with interpolation.

    Maps are compared in a disc about the field's centre that stays on valid pixels at every angle. Map and
    annotation are first rotated together by a random angle, so that every surrogate, the observed map as well, is
    interpolated once.

    Parameters
    ----------
    n_angles : int
        Number of angles, that of the observed orientation among them.
    order : int
        Order of interpolation of maps: 1 linear, 3 cubic splines, which keep peaks better but overshoot
        into negative values at edges. Densities are interpolated linearly, masks take the nearest pixel.

    Raises
    ------
    OptionError
        If there are fewer than 2 angles or the order is neither 1 nor 3.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> rng = np.random.default_rng(0)
    >>> used, maps = attnxai.nulls.Rotation(n_angles=4).surrogates(rng.random((9, 9)), np.ones((9, 9), bool), rng)
    >>> used.shape, len(maps)
    ((2, 37), 4)
    """

    name = "rotation"
    label = "rotation"
    question = GridSymmetries.question
    assumes = GridSymmetries.assumes

    n_angles: int = 36
    order: int = 1

    def __post_init__(self) -> None:
        if self.n_angles < 2:
            raise OptionError(f"n_angles has to be 2 or more, got {self.n_angles}")
        if self.order not in {1, 3}:
            raise OptionError(f"order has to be 1 (linear) or 3 (cubic splines), got {self.order}")

    def surrogates(
        self, map: NDArray[np.float64], where: NDArray[np.bool_], rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The map at every angle, and where the annotation is taken, shape (2, n_pixels)."""
        from scipy.ndimage import map_coordinates, spline_filter

        # what interpolation reaches for has to be valid: the neighbours of a point, two deep if cubic
        disc = centred_disc(where, margin=np.sqrt(2.0) * (self.order + 1) / 2)
        if not disc.any():
            return np.empty((2, 0)), np.empty((self.n_angles, 0))
        steps = 2 * np.pi * np.arange(self.n_angles) / self.n_angles
        coordinates = turned_coordinates(disc, rng.uniform(0, 2 * np.pi) + steps)
        # from the lowest value, so that a flat background stays flat to the last digit
        lowest = float(map.min())
        filtered = map - lowest
        if self.order > 1:
            filtered = spline_filter(filtered, order=self.order, mode="mirror")
        surrogates = lowest + map_coordinates(
            filtered, coordinates, order=self.order, mode="mirror", prefilter=False
        )
        return coordinates[:, 0], surrogates

    def target_values(
        self, fields: NDArray[Any], kind: TargetKind, used: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Targets at the places used: of masks the nearest pixel, of densities linear."""
        from scipy.ndimage import map_coordinates

        order = 0 if kind is TargetKind.MASK else 1
        return np.stack(
            [
                map_coordinates(field.astype(np.float64), used, order=order, mode="mirror")
                for field in fields
            ]
        )
