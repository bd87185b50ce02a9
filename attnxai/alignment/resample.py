"""Maps from the grid of their layer to the grid of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.grid import GridTransform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from attnxai.explanations.stack import MapStack


def interpolation_matrix(
    n_inner: int, n_outer: int, step: float, origin: float
) -> NDArray[np.float64]:
    """Matrix (n_outer, n_inner) that interpolates linearly from inner pixels to outer ones along one axis.

    Inner pixel i is centred on outer pixel ``origin + step * i``. Beyond the outermost centres their value holds.
    """
    position = np.clip((np.arange(n_outer) - origin) / step, 0, n_inner - 1)
    low = np.minimum(np.floor(position).astype(int), max(n_inner - 2, 0))
    share = position - low
    weights = np.zeros((n_outer, n_inner))
    rows = np.arange(n_outer)
    weights[rows, low] += 1.0 - share
    if n_inner > 1:
        weights[rows, low + 1] += share
    return weights


def resample_to_field(
    maps: NDArray[np.floating], transform: GridTransform, field_shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Bilinear interpolation of maps to the pixels of the field.

    Parameters
    ----------
    maps : ndarray, shape (..., height, width)
        Maps on their own grid.
    transform : GridTransform
        How that grid lies on the field.
    field_shape : (int, int)
        Rows and columns of the field.

    Returns
    -------
    ndarray, shape (..., rows, columns)

    Examples
    --------
    >>> from attnxai.data.grid import GridTransform
    >>> resample_to_field(np.array([[0.0, 1.0]]), GridTransform(origin_x=0.5, origin_y=0.5, step=2.0), (2, 4))
    array([[0.  , 0.25, 0.75, 1.  ],
           [0.  , 0.25, 0.75, 1.  ]])
    """
    height, width = maps.shape[-2:]
    rows, columns = field_shape
    vertical = interpolation_matrix(height, rows, transform.step, transform.origin_y)
    horizontal = interpolation_matrix(width, columns, transform.step, transform.origin_x)
    return np.asarray(vertical @ maps.astype(np.float64) @ horizontal.T)


def maps_on_field(
    maps: MapStack, positions: Sequence[int] | NDArray[np.intp] | None = None
) -> dict[str, NDArray[np.float64]]:
    """All layers of a stack and their means on the pixels of the field.

    Parameters
    ----------
    maps : MapStack
        The maps.
    positions : sequence of int, optional
        Positions of the sources that are wanted; all when left out.

    Returns
    -------
    dict of str to ndarray, shape (n_sources, rows, columns)
        In the order of the layers, each mean after the last of its layers.
    """
    chosen = slice(None) if positions is None else positions
    found: dict[str, NDArray[np.float64]] = {}
    means = dict(maps.named_means)
    for name, layer in maps.layers.items():
        found[name] = resample_to_field(layer[chosen], maps.geometry[name], maps.field_shape)
        for mean in [mean for mean, of in means.items() if set(of) <= set(found)]:
            found[mean] = np.mean([found[layer] for layer in means.pop(mean)], axis=0)
    return found


_AT_ONCE = 8


def blocks_on_field(
    maps: MapStack, positions: Sequence[int]
) -> Iterator[tuple[Sequence[int], dict[str, NDArray[np.float64]]]]:
    """:func:`maps_on_field` of a few of the positions at a time, since coarse maps grow a hundred times on the field."""
    for start in range(0, len(positions), _AT_ONCE):
        some = positions[start : start + _AT_ONCE]
        yield some, maps_on_field(maps, some)


def smooth_to_layer(
    images: NDArray[np.floating],
    transform: GridTransform,
    layer_shape: tuple[int, int],
) -> NDArray[np.float64]:
    """What is left of field images on the grid of a coarser layer.

    Every layer pixel takes the mean of the field pixels that it covers (zeros beyond the field), and is
    then interpolated back like a map of that layer.

    Parameters
    ----------
    images : ndarray, shape (..., rows, columns)
        Images on the field.
    transform : GridTransform
        How the layer's grid lies on the field.
    layer_shape : (int, int)
        Height and width of the layer's maps.

    Returns
    -------
    ndarray, shape (..., rows, columns)

    Examples
    --------
    >>> import attnxai
    >>> layer = attnxai.data.GridTransform(step=2.0, origin_x=0.5, origin_y=0.5)
    >>> image = np.zeros((4, 4))
    >>> image[0, 0] = 1.0
    >>> smooth_to_layer(image, layer, (2, 2)).round(2)[0]
    array([0.25, 0.19, 0.06, 0.  ])
    """
    rows, columns = images.shape[-2:]
    vertical = _box_matrix(layer_shape[0], rows, transform.step, transform.origin_y)
    horizontal = _box_matrix(layer_shape[1], columns, transform.step, transform.origin_x)
    coarse = vertical @ images.astype(np.float64) @ horizontal.T
    return resample_to_field(coarse, transform, (rows, columns))


def _box_matrix(n_inner: int, n_outer: int, step: float, origin: float) -> NDArray[np.float64]:
    """Mean over the outer pixels that each inner pixel covers, by shared length."""
    low = origin + step * (np.arange(n_inner) - 0.5)
    edges = np.arange(n_outer) - 0.5
    shared = np.minimum(low[:, None] + step, edges + 1.0) - np.maximum(low[:, None], edges)
    return np.asarray(np.clip(shared, 0.0, None) / step)
