"""Which image a position on the sky belongs to, or is shown by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.images import SourceImage
from attnxai.data.positions import centres_of
from attnxai.data.sky import sky_to_pixel
from attnxai.data.wording import counted
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SkyMatch:
    """Positions, by number, and the images that they belong to, in the order of the images.

    ``too_far`` have no image within the radius, ``not_nearest`` are farther from their image than another
    position. ``note`` says how many images have no celestial coordinates; it is empty where all have.
    """

    image_of: Mapping[int, SourceImage]
    too_far: tuple[int, ...]
    not_nearest: tuple[int, ...]
    note: str


def match_positions(
    positions_deg: ArrayLike,
    images: Sequence[SourceImage],
    *,
    radius_arcsec: float,
    path: str,
) -> SkyMatch:
    """Give every position its nearest image within the radius, and every image the nearest of its positions.

    Positions are right ascension and declination (ICRS degrees), shape (n_positions, 2); distances are from the
    centre of the image. Images without celestial coordinates are left out and counted.
    """
    from astropy.coordinates import SkyCoord

    located, centres = _located(images, path)
    positions = SkyCoord(*np.asarray(positions_deg).T, unit="deg")
    nearest, separation, _ = positions.match_to_catalog_sky(SkyCoord(*centres.T, unit="deg"))
    distance = separation.arcsec
    found: dict[int, int] = {}
    not_nearest = []
    for position in np.argsort(distance, kind="stable").tolist():
        if distance[position] > radius_arcsec:
            break
        if int(nearest[position]) in found:
            not_nearest.append(position)
        else:
            found[int(nearest[position])] = position
    n_without = len(images) - len(located)
    note = (
        f"{n_without} of {counted(len(images), 'image')} {'has' if n_without == 1 else 'have'} no celestial "
        "coordinates and could not be matched."
    )
    return SkyMatch(
        image_of={found[number]: located[number] for number in sorted(found)},
        too_far=tuple(np.flatnonzero(distance > radius_arcsec).tolist()),
        not_nearest=tuple(not_nearest),
        note=note if n_without else "",
    )


def images_at(
    positions_deg: ArrayLike, images: Sequence[SourceImage], *, path: str
) -> tuple[list[SourceImage | None], int]:
    """The image that shows each position, None where none does, and how many positions several show.

    Of several images it is the one with the nearest centre. Positions are right ascension and declination (ICRS degrees),
    shape (n_positions, 2).
    """
    import astropy.units as u
    from astropy.coordinates import SkyCoord

    located, centres = _located(images, path)
    positions = SkyCoord(*np.asarray(positions_deg, dtype=np.float64).reshape(-1, 2).T, unit="deg")
    radii = [
        max(image.shape) * (image.grid.pixel_scale_arcsec or 0.0) for image in located
    ]  # beyond the corners
    of_image, of_position, separation, _ = positions.search_around_sky(
        SkyCoord(*centres.T, unit="deg"), max(radii) * u.arcsec
    )
    best: dict[int, tuple[float, SourceImage]] = {}
    shared: set[int] = set()
    for number in np.unique(of_image).tolist():
        here = of_image == number
        image, candidates = located[number], of_position[here]
        chosen = positions[candidates]
        x, y = sky_to_pixel(image.grid.wcs, chosen.ra.deg, chosen.dec.deg)
        shown = image.grid.covers(x, y)
        for position, distance in zip(
            candidates[shown].tolist(), separation[here][shown].deg.tolist(), strict=True
        ):
            if position in best:
                shared.add(position)
            if position not in best or distance < best[position][0]:
                best[position] = distance, image
    return [best[i][1] if i in best else None for i in range(len(positions))], len(shared)


def _located(
    images: Sequence[SourceImage], path: str
) -> tuple[list[SourceImage], NDArray[np.float64]]:
    """Images with celestial coordinates, and right ascension and declination of their centres."""
    located = [image for image in images if image.grid.wcs is not None]
    if not located:
        raise AnnotationError(
            f"{path} lists positions on the sky, but none of the {len(images)} images has celestial "
            "coordinates (WCS)"
        )
    return located, centres_of([image.grid for image in located])
