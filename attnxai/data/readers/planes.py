"""One plane of an array with more than two axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.wording import counted, listed
from attnxai.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_AXES = 32
"""Axes of an array, as many as any version of NumPy has."""


def axes_of_image(shape: Sequence[int]) -> tuple[int, int]:
    """The axes of rows and columns where nothing names them: the last two that are longer than 1.

    Axes of length 1 stand in where there are fewer.
    """
    short = [axis for axis, side in enumerate(shape) if side == 1]
    long = [axis for axis, side in enumerate(shape) if side != 1]
    rows, columns = sorted([*short, *long][-2:])
    return rows, columns


def pick_plane(
    values: NDArray[Any], names: Mapping[int, str], plane: Sequence[int] | None, where: str
) -> NDArray[Any]:
    """The plane of an array that lies along the two axes without a name; see :func:`index_of_plane`."""
    index: list[Any] = [slice(None)] * values.ndim
    for axis, at in index_of_plane(values.shape, names, plane, where).items():
        index[axis] = at
    return np.asarray(values[tuple(index)])


def index_of_plane(
    shape: Sequence[int], names: Mapping[int, str], plane: Sequence[int] | None, where: str
) -> dict[int, int]:
    """Where the plane that is meant lies along every axis with a name.

    Parameters
    ----------
    shape : sequence of int
        Of the array, which has two axes or more.
    names : mapping from int to str
        What to call all other axes, as ``"axis 3 (FREQ)"``, in the order in which planes are counted.
    plane : sequence of int, optional
        Index along every axis with a name, or along those that are longer than 1.
    where : str
        The file, for errors.

    Raises
    ------
    ImageError
        If there are several planes and none is chosen, or one that is not there.
    """
    several = [axis for axis in names if shape[axis] != 1]
    sides = listed([f"{shape[axis]} along {names[axis]}" for axis in several])
    if not several and not any(plane or ()):
        plane, axes = (0,) * len(names), list(names)  # the only plane may be called the first
    elif plane is None:
        n_planes = math.prod(shape[axis] for axis in several)
        example = ",".join("0" * len(several))
        raise ImageError(
            f"{where} is a cube of {counted(n_planes, 'plane')}, {sides}; choose one, counted from 0, such as "
            f"the first by plane={example!r}"
        )
    else:
        axes = list(names) if len(plane) == len(names) else several
    if not several and any(plane):
        raise ImageError(f"{where} has a single plane; leave plane out, or give 0")
    if len(plane) != len(axes):
        raise ImageError(
            f"{where} has planes {sides}, for which plane needs {counted(len(axes), 'number')}, not {len(plane)}"
        )
    for axis, at in zip(axes, plane, strict=True):
        if at >= shape[axis]:
            raise ImageError(
                f"{where} has no plane {at} along {names[axis]}, whose {counted(shape[axis], 'plane')} are "
                "counted from 0"
            )
    return {**dict.fromkeys(names, 0), **dict(zip(axes, plane, strict=True))}
