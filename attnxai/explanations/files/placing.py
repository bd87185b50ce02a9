"""Where maps with coordinates on the sky lie on the images of their sources."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.grid import GridTransform
from attnxai.data.images import assume
from attnxai.data.regridding import square_pixels
from attnxai.data.sky import pixel_to_sky, sky_to_pixel
from attnxai.data.wording import counted
from attnxai.errors import AlignmentError
from attnxai.explanations.from_arrays import Fields, maps_from_arrays, stack_on_fields, stacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage
    from attnxai.explanations.files.loose import LooseMaps, Plane
    from attnxai.explanations.stack import MapStack, Split
    from attnxai.models.preprocessing import Preprocessing

_MOST_OFF = 0.5
"""Image pixels by which a pixel of a map may lie elsewhere than on a grid that is parallel to the image."""
_SAME = 0.1
"""Image pixels by which the places of maps of several sources may differ."""
_LEAST_ON_IMAGE = 0.5
"""Share of a map that has to lie on its image."""
_LEAST_COVERED = 0.7
"""Share of an image that maps cover without a note."""


def stack_of_loose(
    loose: LooseMaps,
    images: Sequence[SourceImage],
    *,
    preprocessing: Preprocessing | None,
    splits: tuple[Split, ...],
    model_name: str,
    provenance: Mapping[str, Any],
) -> MapStack:
    """The stack of maps from a file, of the sources that ``images`` show.

    Maps without coordinates cover the whole field. Those with coordinates lie where these say; they are turned by
    quarters and mirrored where the image is.

    Raises
    ------
    AlignmentError
        If maps do not lie on their images on a grid that is parallel to the image, or sources differ in this.
    """
    planes = {
        layer: [by_source[image.source] for image in images]
        for layer, by_source in loose.layers.items()
    }
    every = [plane for of_layer in planes.values() for plane in of_layer]
    n_placed = sum(plane.wcs is not None for plane in every)
    facts: dict[str, Any] = {"model_name": model_name, "provenance": dict(provenance)}
    if 0 < n_placed < len(every):
        raise AlignmentError(
            f"{len(every) - n_placed} of {counted(len(every), 'map')} state no coordinates and the others do; state them "
            "for all or for none"
        )
    has_sky = [image.grid.wcs is not None for image in images]
    if not n_placed or not any(has_sky):
        if any(has_sky) if loose.states_places else n_placed:
            assume(
                f"{counted(len(images), 'source')}: the {'maps' if not n_placed else 'images'} state no coordinates, so "
                "the maps are taken to cover the whole images"
            )
        arrays = {layer: [plane.values for plane in of] for layer, of in planes.items()}
        return maps_from_arrays(images, arrays, preprocessing=preprocessing, splits=splits, **facts)
    if not all(has_sky):
        without = images[has_sky.index(False)]
        raise AlignmentError(
            f"the maps state coordinates, and image {without.path or without.source} does not; give images with them"
        )
    return _placed(planes, images, preprocessing, splits=splits, **facts)


def _placed(
    planes: Mapping[str, Sequence[Plane]],
    images: Sequence[SourceImage],
    preprocessing: Preprocessing | None,
    **facts: Any,
) -> MapStack:
    sources = tuple(image.source for image in images)
    layers: dict[str, NDArray[Any]] = {}
    places: dict[str, list[GridTransform]] = {}
    for layer, of_layer in planes.items():
        parallel = [
            place_on_image(plane, image, layer)
            for plane, image in zip(of_layer, images, strict=True)
        ]
        layers[layer] = stacked(layer, [values for values, _ in parallel], sources)
        places[layer] = [place for _, place in parallel]
        _check_steps(layer, places[layer], sources)
    if preprocessing is None:
        finest = min(places, key=lambda layer: places[layer][0].step)
        fields = _field_of(places[finest], layers[finest].shape[1:], images)
    else:
        fields = Fields.of(images, preprocessing)
    geometry = {
        layer: _shared(layer, places[layer], fields.transforms, sources) for layer in layers
    }
    return stack_on_fields(sources, layers, geometry, fields, **facts)


def place_on_image(
    plane: Plane, image: SourceImage, layer: str
) -> tuple[NDArray[Any], GridTransform]:
    """A map parallel to its image, by quarters and reflections, and its place there.

    Pixels that are not square are made so, as those of the image were.

    Raises
    ------
    AlignmentError
        If it lies elsewhere on the sky, or is rotated by another angle.
    """
    where = f"the map {layer!r} of {image.source!r}"
    values = plane.values
    height, width = values.shape
    wcs = plane.wcs
    if wcs is not None and (squared := square_pixels(values, wcs, what=where)) is not None:
        values, wcs = squared.pixels, squared.grid.wcs
        height, width = values.shape
    if min(height, width) < 2:
        raise AlignmentError(f"{where} has {height} x {width} pixels; a map needs 2 x 2 or more")
    rows, columns = (np.linspace(0.0, n - 1.0, 3) for n in (height, width))
    px, py = (grid.ravel() for grid in np.meshgrid(columns, rows))
    x, y = sky_to_pixel(image.grid.wcs, *pixel_to_sky(wcs, px, py))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise AlignmentError(
            f"{where} lies elsewhere on the sky than its image, by its coordinates"
        )
    along_x, along_y = (
        np.array([at[5] - at[3], at[7] - at[1]]) / (width - 1, height - 1) for at in (x, y)
    )
    if abs(along_x[0]) < abs(along_y[0]):
        values, px, py = values.T, py, px
        along_x, along_y = along_x[::-1], along_y[::-1]
    if along_x[0] < 0:
        values, px = values[:, ::-1], values.shape[1] - 1 - px
    if along_y[1] < 0:
        values, py = values[::-1], values.shape[0] - 1 - py
    # x = origin_x + step * px, and likewise y
    ones, zeros = np.ones_like(px), np.zeros_like(px)
    equations = np.block([[px[:, None], ones[:, None], zeros[:, None]],
                          [py[:, None], zeros[:, None], ones[:, None]]])  # fmt: skip
    at = np.concatenate([x, y])
    step, origin_x, origin_y = np.linalg.lstsq(equations, at, rcond=None)[0]
    off = float(np.abs(equations @ (step, origin_x, origin_y) - at).max())
    if off > _MOST_OFF:
        angle = math.degrees(math.atan2(along_y[0], along_x[0]))
        raise AlignmentError(
            f"{where} is not parallel to its image: it is rotated by {angle:.2f} degrees by its coordinates, and its "
            f"pixels lie up to {off:.2f} pixels of the image from a grid that is; resample the maps to the pixels of "
            "their images, as with reproject"
        )
    # what is left of round trips through the sky
    step, origin_x, origin_y = (round(float(value), 6) for value in (step, origin_x, origin_y))
    return values, GridTransform(step=step, origin_x=origin_x, origin_y=origin_y)


def _check_steps(layer: str, places: Sequence[GridTransform], sources: Sequence[str]) -> None:
    steps = np.array([place.step for place in places])
    if np.ptp(steps) > 1e-3 * steps.min():
        low, high = int(steps.argmin()), int(steps.argmax())
        raise AlignmentError(
            f"the pixels of the maps {layer!r} have {steps[low]:.4g} times the side of those of the image for "
            f"{sources[low]!r} and {steps[high]:.4g} times for {sources[high]!r}; give images, or maps, of one pixel scale"
        )


def _field_of(
    places: Sequence[GridTransform], shape: Sequence[int], images: Sequence[SourceImage]
) -> Fields:
    """Fields in the pixels of the images that maps of some shape cover."""
    step = places[0].step
    corners = np.array([(p.origin_x, p.origin_y) for p in places]) - step / 2 + 0.5
    shifts = corners - np.rint(corners)
    if (np.ptp(shifts, axis=0) < _SAME).all():  # on whole pixels, where all maps lie alike on them
        corners = np.rint(corners)
    rows, columns = (max(round(n * step), 1) for n in shape)
    # what lies on the images, along both axes
    sides = np.array([image.shape[::-1] for image in images])
    common = np.minimum(corners + np.array([columns, rows]), sides) - np.maximum(corners, 0)
    shares = np.clip(common, 0, None).prod(axis=1) / (columns * rows)
    if shares.min() < _LEAST_ON_IMAGE:
        i = int(shares.argmin())
        raise AlignmentError(
            f"{100 * (1 - shares[i]):.0f} % of the maps of {images[i].source!r} lie outside its image, by their "
            "coordinates; give larger images, or the maps of these"
        )
    covered = common.prod(axis=1) / sides.prod(axis=1)
    if covered.min() < _LEAST_COVERED:
        i = int(covered.argmin())
        assume(
            f"by their coordinates the maps cover {rows} x {columns} pixels of the images, {covered[i]:.0%} of "
            f"{images[i].source!r}; check their pixel scale if they should cover more"
        )
    transforms = [GridTransform(origin_x=float(x), origin_y=float(y)) for x, y in corners]
    return Fields.placed(images, transforms, (rows, columns))


def _shared(
    layer: str,
    places: Sequence[GridTransform],
    fields: Sequence[GridTransform],
    sources: Sequence[str],
) -> GridTransform:
    """The one place that a layer has on the fields of all sources."""
    on_field = np.array(
        [
            (
                p.step / f.step,
                (p.origin_x - f.origin_x) / f.step,
                (p.origin_y - f.origin_y) / f.step,
            )
            for p, f in zip(places, fields, strict=True)
        ]
    )
    middle = np.median(on_field, axis=0)
    off = np.abs(on_field - middle)[:, 1:].max(axis=1)
    if off.max() > _SAME:
        raise AlignmentError(
            f"the maps {layer!r} lie elsewhere on their fields for {sources[int(off.argmax())]!r} than for others, by "
            f"{off.max():.2f} pixels; maps of a layer need one place, so resample those that differ"
        )
    step, x, y = (float(round(value, 6)) for value in middle)
    return GridTransform(step=step, origin_x=x, origin_y=y)
