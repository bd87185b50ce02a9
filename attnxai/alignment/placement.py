"""Whether the field lies on the images where a stack of maps says that it does.

What a network saw is the image, resampled and perhaps clipped and stretched. So brightness and image are ordered
alike pixel by pixel where the field is where it should be, and are unrelated where it is not, as when the brightness
is a crop and the transform that of the whole image. Maps themselves cannot be checked in this way: they may show
anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.grid import GridTransform
from attnxai.data.smoothing import smoothed
from attnxai.data.wording import counted
from attnxai.errors import AlignmentError
from attnxai.models.preprocessing import kernel_on_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage
    from attnxai.explanations.stack import MapStack

_LEAST = 0.5
"""Smallest correlation of brightness and image; another stretch or resampling leaves more."""
_BETTER = 0.1
"""A place that correlates better by this is the right one."""
_EXACT = 1e-4
"""Brightness whose correlation falls short of 1 by less is where it should be."""
_REMAINING = 0.1
"""A mistake that all sources share, put right, leaves at most this share of what is missing to correlations of 1."""
_MOST_REMAINING = 3e-3
"""And no more than this, which resampling leaves; smoothed compact sources look like enlarged ones by less."""
_LEAST_MOVED = 2.0
"""Field pixels by which a corner of the field has to lie elsewhere; half a pixel is no such mistake."""
_N_SHARED = 40
"""Number of sources that are looked at for such a mistake."""
_NO_REMEDY = (
    "the maps were made from other images, or images changed since: give the images that they were made from, or make "
    "the maps again; for maps from arrays, state in field how the network's input lies on each image"
)
_N_NAMED = 3
_SAME_SCALE = 0.05
_LEAST_INSIDE = 0.75
_OF_LAYERS = "of layers, brightness and valid"
_ORIENTATIONS = {
    (1, 1): "",
    (-1, 1): (
        "upside down: row 0 is at the top of the one and at the bottom of the other, so reverse the rows "
        f"{_OF_LAYERS}"
    ),
    (1, -1): (
        "mirrored left to right: column 0 is at the left of the one and at the right of the other, so reverse "
        f"the columns {_OF_LAYERS}"
    ),
    (-1, -1): f"rotated by 180 degrees, so reverse the rows and the columns {_OF_LAYERS}",
}
"""Steps along rows and columns, and how the field then lies on its image."""


def check_placement(
    maps: MapStack, positions: Sequence[int], images: Mapping[str, SourceImage]
) -> list[str]:
    """Refuse a field that does not lie on its images as stated; a note says where that cannot be checked."""
    return notes_on_constant(n_unchecked(maps, positions, images))


def notes_on_constant(n: int) -> list[str]:
    """A note on sources whose brightness is constant, if there are any."""
    note = (
        f"The brightness of {counted(n, 'source')} is constant, so it could not be checked where the "
        "maps lie on the image."
    )
    return [note] if n else []


def n_unchecked(
    maps: MapStack,
    positions: Sequence[int],
    images: Mapping[str, SourceImage],
    *,
    shared: bool = True,
) -> int:
    """:func:`check_placement` that counts what cannot be checked, by itself or for a mistake that all sources share."""
    found: dict[int, float] = {}
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
        if valid.any() and np.ptp(seen[valid]) > 0:
            found[i] = _correlation(seen, valid, image, transform, _beam_of(maps))
    _refuse_single(maps, images, found, len(positions))
    if shared:
        _refuse_shared(maps, images, found)
    return len(positions) - len(found)


def _refuse_single(
    maps: MapStack, images: Mapping[str, SourceImage], found: Mapping[int, float], n: int
) -> None:
    """Refuse sources that lie elsewhere, each judged by itself."""
    others = {}
    for i, value in found.items():
        if value < 1.0 - _BETTER:
            alternatives = _alternatives(maps, i, images)
            best = max(one for one, _, _ in alternatives)
            if value < _LEAST or best > max(value + _BETTER, _LEAST):
                others[i] = alternatives
    if not others:
        return
    faulty = list(others)
    there = np.array([found[i] for i in faulty])
    elsewhere = np.array([[value for value, _, _ in others[i]] for i in faulty])
    agrees = elsewhere > np.maximum(there + _BETTER, _LEAST)[:, None]
    # the mistake that explains most sources; where few are explained, a match is one of chance
    mistake = int((agrees.sum(axis=0) + elsewhere.mean(axis=0) / 2).argmax())
    explained = agrees[:, mistake]
    if (2 * explained.sum() > len(faulty) and len(faulty) > 1) or (n == 1 and explained.all()):
        at = int(np.where(explained, elsewhere[:, mistake] - there, -np.inf).argmax())
        shown = [faulty[at]]
        value, _, words = others[faulty[at]][mistake]
        remedy = f"{words} (correlation {value:.2f})"
    else:
        shown = sorted(faulty, key=lambda i: found[i])[:_N_NAMED]
        remedy = _NO_REMEDY
    names = ", ".join(repr(maps.sources[i]) for i in shown)
    which = "" if len(shown) == 1 else " of the first"
    raise AlignmentError(
        f"the brightness of {len(faulty)} of {counted(n, 'source')} does not agree with the image where "
        f"field places it, such as {names} (correlation{which} {found[shown[0]]:.2f} with "
        f"{_in_words(maps.field[shown[0]])}); {remedy}"
    )


def _refuse_shared(
    maps: MapStack, images: Mapping[str, SourceImage], found: Mapping[int, float]
) -> None:
    """Refuse a mistake that all sources share, which compact or symmetric sources show only together."""
    if not found:
        return
    some = list(found)[:: math.ceil(len(found) / _N_SHARED)]
    missing = 1.0 - np.array([found[i] for i in some])
    if missing.mean() < _EXACT:
        return
    others = [_alternatives(maps, i, images) for i in some]
    remaining = np.array(
        [[1.0 - value if far else np.inf for value, far, _ in of_source] for of_source in others]
    )
    best = int(remaining.mean(axis=0).argmin())
    if remaining[:, best].mean() > min(_REMAINING * missing.mean(), _MOST_REMAINING):
        return
    shown = int((missing - remaining[:, best]).argmax())
    value, _, remedy = others[shown][best]
    i = some[shown]
    raise AlignmentError(
        f"the brightness of {counted(len(found), 'source')} agrees better with the images elsewhere than where "
        f"field places it, such as {maps.sources[i]!r} (correlation {found[i]:.3f} with "
        f"{_in_words(maps.field[i])}); "
        f"{remedy} (correlation {value:.3f})"
    )


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


def _in_words(place: GridTransform) -> str:
    return (
        f"step {place.step:.10g}, origin_x {place.origin_x:.10g} and origin_y {place.origin_y:.10g}"
    )


def _alternatives(
    maps: MapStack, i: int, images: Mapping[str, SourceImage]
) -> list[tuple[float, bool, str]]:
    """Correlations after putting right mistakes that are easily made, whether far from there, and the words."""
    image, transform = images[maps.sources[i]], maps.field[i]
    seen, valid = np.asarray(maps.brightness[i], dtype=np.float64), maps.valid[i]
    (rows, columns), (n_y, n_x) = image.shape, seen.shape

    def middle(step: float) -> GridTransform:
        return GridTransform(
            step=step,
            origin_x=(columns - 1) / 2 - step * (n_x - 1) / 2,
            origin_y=(rows - 1) / 2 - step * (n_y - 1) / 2,
        )

    def far(place: GridTransform) -> bool:
        corners = np.array([0.0, n_x - 1.0]), np.array([0.0, n_y - 1.0])
        moved = np.subtract(place.to_outer(*corners), transform.to_outer(*corners))
        return float(np.abs(moved).max()) > _LEAST_MOVED * transform.step

    across = rows / n_y
    whole = GridTransform(step=across, origin_x=(across - 1) / 2, origin_y=(across - 1) / 2)
    of_middle = "for a crop of the middle, with {}"
    # the same for every source, so that sources can be judged together
    places = [
        (transform, ""),
        (whole, f"where it covers the image, with {_in_words(whole)}"),
        *(
            (middle(step), of_middle.format(_in_words(middle(step))))
            for step in (transform.step, 1.0)
        ),
    ]
    return [
        (
            _correlation(
                seen[::down, ::right], valid[::down, ::right], image, place, _beam_of(maps)
            ),
            bool(turned) or far(place),
            f"it does {', and '.join(words for words in (where, turned) if words)}",
        )
        for (down, right), turned in _ORIENTATIONS.items()
        for place, where in places
        if where or turned
    ]


def _beam_of(maps: MapStack) -> float | None:
    """Beam of the images that the network was trained on, as far as the maps say it."""
    preprocessing = maps.provenance.get("preprocessing")
    beam = preprocessing.get("beam_arcsec") if isinstance(preprocessing, Mapping) else None
    return float(beam) if isinstance(beam, int | float) and 0 < beam < math.inf else None


def _correlation(
    seen: NDArray[np.float64],
    valid: NDArray[np.bool_],
    image: SourceImage,
    transform: GridTransform,
    beam_arcsec: float | None,
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
    # as images are smoothed before they are sampled on a coarser grid
    pixels = smoothed(image, kernel_on_field(image, transform.step, beam_arcsec))
    there = _interpolated(_interpolated(pixels, y).T, x).T[inside]
    values = seen[inside]
    ordered = np.sort(values)
    n_above = int(np.count_nonzero(values > ordered[0]))
    if not n_above or np.ptp(there) == 0:
        return 0.0
    # all others have the smallest value; a partition takes many times as long where pixels are equal
    highest = np.argsort(there, kind="stable")[-n_above:]
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
