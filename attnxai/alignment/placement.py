"""Whether the field lies on the images where a stack of maps says that it does.

What a network saw is the image, resampled and perhaps clipped and stretched. So brightness and image are ordered
alike pixel by pixel where the field is where it should be, and are unrelated where it is not, as when the brightness
is a crop and the transform that of the whole image. Maps themselves cannot be checked in this way: they may show
anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.grid import GridTransform
from attnxai.data.wording import counted
from attnxai.errors import AlignmentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage
    from attnxai.explanations.stack import MapStack

_LEAST = 0.5
"""Smallest correlation of brightness and image; another stretch or resampling leaves more."""
_SURE = 0.9
"""From this correlation on no other place is tried."""
_BETTER = 0.1
"""A place that correlates better by this is the right one."""
_NO_REMEDY = "state in field how the network's input lies on each image, and give the images that it was made from"
_SAME_SCALE = 0.05
_LEAST_INSIDE = 0.75


def check_placement(
    maps: MapStack, positions: Sequence[int], images: Mapping[str, SourceImage]
) -> list[str]:
    """Refuse a field that does not lie on its images as stated; a note says where that cannot be checked."""
    faults: list[tuple[str, float, str]] = []
    n_constant = 0
    for i in positions:
        source, transform = maps.sources[i], maps.field[i]
        image, seen = images[source], np.asarray(maps.brightness[i], dtype=np.float64)
        _check_scale(maps, source, transform, image)
        valid = maps.valid[i]
        if not np.isfinite(seen).all():
            raise AlignmentError(
                f"the brightness of {source!r} holds values that are not finite; set them to 0, and valid to "
                "False where nothing was observed"
            )
        if not valid.any() or np.ptp(seen[valid]) == 0:
            n_constant += 1
            continue
        found = _correlation(seen, valid, image, transform)
        if found >= _SURE:
            continue
        best, remedy = max(
            (_correlation(pixels, where, image, place), words)
            for pixels, where, place, words in _alternatives(seen, valid, image, transform)
        )
        if best > found + _BETTER and best > _LEAST:
            faults.append((source, found, f"{remedy} (correlation {best:.2f})"))
        elif found < _LEAST:
            faults.append((source, found, _NO_REMEDY))
    if faults:
        source, found, remedy = max(faults, key=lambda fault: bool(fault[2]))
        transform = maps.field[maps.sources.index(source)]
        raise AlignmentError(
            f"the brightness of {len(faults)} of {counted(len(positions), 'source')} does not agree with the "
            f"image where field places it, such as {source!r} (correlation {found:.2f} with {transform}); "
            + (
                remedy
                or "state in field how the network's input lies on each image, and give the images"
            )
            + ("" if remedy else " that it was made from")
        )
    note = (
        f"The brightness of {counted(n_constant, 'source')} is constant, so it could not be checked where the "
        "maps lie on the image."
    )
    return [note] if n_constant else []


def _check_scale(maps: MapStack, source: str, transform: GridTransform, image: SourceImage) -> None:
    scale = image.grid.pixel_scale_arcsec
    if scale is None:
        return
    expected = transform.step * scale
    if abs(expected / maps.field_scale_arcsec - 1) > _SAME_SCALE:
        raise AlignmentError(
            f"field pixels of {source!r} are {expected:.4g} arcsec wide by the image ({scale:.4g} arcsec a pixel) "
            f"and field (step {transform.step:g}), but field_scale_arcsec is {maps.field_scale_arcsec:.4g}; "
            "correct the one that is wrong"
        )


def _alternatives(
    seen: NDArray[np.float64],
    valid: NDArray[np.bool_],
    image: SourceImage,
    transform: GridTransform,
) -> list[tuple[NDArray[np.float64], NDArray[np.bool_], GridTransform, str]]:
    """Mistakes that are easily made, each put right, and the words for that."""
    (rows, columns), (n_y, n_x) = image.shape, seen.shape
    middle = GridTransform(
        step=transform.step,
        origin_x=(columns - 1) / 2 - transform.step * (n_x - 1) / 2,
        origin_y=(rows - 1) / 2 - transform.step * (n_y - 1) / 2,
    )
    step = rows / n_y
    whole = GridTransform(step=step, origin_x=(step - 1) / 2, origin_y=(step - 1) / 2)
    upside_down = (
        "it does upside down: row 0 is at the top of the one and at the bottom of the other, so reverse the "
        "rows of layers, brightness and valid"
    )
    return [
        (seen, valid, middle, f"it does for a crop of the middle, with field {middle}"),
        (seen, valid, whole, f"it does where it covers the image, with field {whole}"),
        (seen[::-1], valid[::-1], transform, upside_down),
    ]


def _correlation(
    seen: NDArray[np.float64],
    valid: NDArray[np.bool_],
    image: SourceImage,
    transform: GridTransform,
) -> float:
    """Correlation of the brightness with the image, whose values are replaced by those of the brightness in order.

    It is 1 for any clipping and stretch that keeps the order of the pixels.
    """
    rows, columns = (np.arange(n, dtype=np.float64) for n in seen.shape)
    x, y = transform.to_outer(columns, rows)
    inside = valid & np.outer(
        _reaches(y, image.shape[0], transform), _reaches(x, image.shape[1], transform)
    )
    if inside.sum() < _LEAST_INSIDE * valid.sum():
        return 0.0
    pixels = np.asarray(image.pixels, dtype=np.float64)
    if transform.step > 1.0:
        from scipy.ndimage import gaussian_filter

        # as images are smoothed before they are sampled on a coarser grid
        pixels = gaussian_filter(pixels, sigma=(transform.step - 1.0) / 2.0, mode="nearest")
    there = _interpolated(_interpolated(pixels, y).T, x).T[inside]
    values = seen[inside]
    ordered = np.sort(values)
    n_above = int(np.count_nonzero(values > ordered[0]))
    if not n_above or np.ptp(there) == 0:
        return 0.0
    # all others have the smallest value, so only the highest need to be put in order
    highest = np.argpartition(there, -n_above)[-n_above:]
    highest = highest[np.argsort(there[highest], kind="stable")]
    expected = np.full(values.size, ordered[0])
    expected[highest] = ordered[-n_above:]
    return float(np.corrcoef(values, expected)[0, 1])


def _reaches(places: NDArray[np.float64], n: int, transform: GridTransform) -> NDArray[np.bool_]:
    """Whether field pixels at these places overlap the n pixels of an image, along one axis."""
    half = transform.step / 2 + 0.5
    return (places > -half) & (places < n - 1 + half)


def _interpolated(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows between those of an array, linearly; the outermost hold beyond them."""
    places = np.clip(places, 0, len(values) - 1)
    low = np.minimum(places.astype(np.intp), max(len(values) - 2, 0))
    share = (places - low)[:, None]
    return np.asarray(
        (1 - share) * values[low] + share * values[np.minimum(low + 1, len(values) - 1)]
    )
