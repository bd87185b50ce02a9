"""Which image a position on the sky belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.images import SourceImage
from attnxai.data.sky import pixel_to_sky
from attnxai.data.wording import counted
from attnxai.errors import AnnotationError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


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

    located = [image for image in images if image.grid.wcs is not None]
    if not located:
        raise AnnotationError(
            f"{path} lists positions on the sky, but none of the {len(images)} images has celestial "
            "coordinates (WCS)"
        )
    centres = np.array(
        [
            pixel_to_sky(image.grid.wcs, (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2)
            for image in located
        ]
    )
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
