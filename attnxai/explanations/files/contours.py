"""Contours of high attention as DS9 region files, one a source."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.grid import PixelGrid, RowZero
from attnxai.data.sky import pixel_to_sky
from attnxai.explanations.files.header import array_names
from attnxai.jobs.files import write_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage
    from attnxai.explanations.stack import MapStack

_QUANTILE = 0.95
HIGHEST, HALF = "highest 5 %", "half of the sum"
"""Pixels above the 95 % quantile of a map, and the fewest that hold half of the sum of its positive values."""
_COLOURS = ("cyan", "magenta", "yellow", "green", "red", "blue", "white")
_LEAST_VERTICES = 3
_TOLERANCE = 0.05
"""Pixels of the map by which a simplified contour may lie elsewhere."""
_DIGITS = 8  # of a degree: 0.04 milliarcsec


def high_levels(values: NDArray[np.floating]) -> dict[str, float]:
    """Levels whose contours enclose the pixels of high values of a map, between those and the other pixels.

    Parameters
    ----------
    values : ndarray, shape (height, width)
        A map.

    Returns
    -------
    dict of str to float
        For :data:`HIGHEST` and :data:`HALF`; without those that no pixel, or every pixel, would exceed.

    Examples
    --------
    >>> high_levels(np.array([[0.0, 0.0, 0.0], [0.0, 8.0, 1.0], [0.0, 2.0, 0.0]]))
    {'highest 5 %': 5.0, 'half of the sum': 5.0}
    """
    every = np.sort(values, axis=None)[::-1].astype(np.float64)
    above = every[every > np.quantile(every, _QUANTILE)]
    lowest = {HIGHEST: float(above[-1])} if above.size else {}
    if every[0] > 0:
        sums = np.cumsum(np.clip(every / every[0], 0.0, None))
        lowest[HALF] = float(every[np.searchsorted(sums, sums[-1] / 2)])
    levels = {}
    for name, inside in lowest.items():
        outside = every[every < inside]
        if outside.size:
            levels[name] = inside / 2 + float(outside[0]) / 2
    return levels


def contours(values: NDArray[np.floating], level: float) -> list[NDArray[np.float64]]:
    """Closed contours of a map at a level: vertices (x, y) in its pixels, each of shape (n, 2).

    Beyond its border a map is low, so that contours close there.
    """
    from skimage.measure import approximate_polygon, find_contours

    padded = np.pad(values.astype(np.float64), 1, constant_values=float(values.min()))
    found = []
    for line in find_contours(padded, level):  # type: ignore[no-untyped-call]
        # the first vertex is repeated at the end
        vertices = approximate_polygon(line, _TOLERANCE)[:-1]  # type: ignore[no-untyped-call]
        if len(vertices) >= _LEAST_VERTICES:
            found.append(vertices[:, ::-1] - 1.0)
    return found


def write_regions(
    folder: Path,
    stack: MapStack,
    images: Sequence[SourceImage] | None = None,
    *,
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """Write a DS9 region file for each source into a folder.

    The contours of every layer have a colour, and tags by which DS9 selects them; those of :data:`HALF` are dashed.
    They are in ICRS where the image has coordinates, and else in pixels of the image as DS9 shows it.

    Parameters
    ----------
    folder : Path
        Where the files are written, each named after its source.
    stack : MapStack
        The maps.
    images : sequence of SourceImage, optional
        The images of the sources; without them contours are in pixels.
    names : mapping of str to str, optional
        File names of the sources without their ending, for maps that are written in several calls.

    Returns
    -------
    list of str
        Sources without any contour, whose maps are constant.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:1])
    >>> maps = attnxai.explain(attnxai.load_model("d8"), images, "gates")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     without = write_regions(Path(folder), maps, images)
    ...     [file.name for file in Path(folder).iterdir()], without
    (['simulated_fr1_01.reg'], [])
    """
    from regions import Regions

    grids = {image.source: image.grid for image in images or ()}
    empty = []
    names = array_names(stack.sources) if names is None else names
    for i, source in enumerate(stack.sources):
        found = [
            region
            for number, layer in enumerate(stack.layers)
            for region in _regions(
                stack, layer, i, grids.get(source), _COLOURS[number % len(_COLOURS)]
            )
        ]
        if not found:
            empty.append(source)
        text = Regions(found).serialize(format="ds9", precision=_DIGITS) if found else ""
        write_file(folder / f"{names[source]}.reg", text or "# Region file format: DS9\n")
    return empty


def _regions(stack: MapStack, layer: str, i: int, grid: PixelGrid | None, colour: str) -> list[Any]:
    from regions import RegionMeta, RegionVisual

    values = stack.layers[layer][i]
    place = stack.geometry[layer].within(stack.field[i])
    label = re.sub(r"[{}\s]+", " ", layer).strip()
    found = []
    for name, level in high_levels(values).items():
        line = {"linestyle": "--"} if name == HALF else {}
        for number, vertices in enumerate(contours(values, level)):
            x, y = place.to_outer(vertices[:, 0], vertices[:, 1])
            region = _polygon(x, y, grid)
            # DS9 writes the text beside each polygon
            text = {} if number else {"text": f"{label}: {name}"}
            region.meta = RegionMeta({"tag": [label, name], **text})
            region.visual = RegionVisual({"edgecolor": colour, "linewidth": 1, **line})
            found.append(region)
    return found


def _polygon(x: NDArray[np.float64], y: NDArray[np.float64], grid: PixelGrid | None) -> Any:
    from astropy.coordinates import SkyCoord
    from regions import PixCoord, PolygonPixelRegion, PolygonSkyRegion

    if grid is not None and grid.wcs is not None:
        ra, dec = pixel_to_sky(grid.wcs, x, y)
        return PolygonSkyRegion(SkyCoord(ra, dec, unit="deg", frame="icrs"))
    if grid is not None and grid.row_zero is RowZero.TOP:
        y = grid.shape[0] - 1 - y
    return PolygonPixelRegion(PixCoord(x, y))
