"""Coordinate systems of every orientation and frame, for tests of what lies where."""

from __future__ import annotations

import math
from typing import Any

from astropy.wcs import WCS

PIXEL_ARCSEC = 1.8
RA, DEC = 150.0, 40.0
GALACTIC = {"frame": "galactic", "centre": (180.0, 50.0)}
SKIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "east right": {"east_right": True},
    "turned": {"turn_deg": 30.0},
    "turned and east right": {"turn_deg": 30.0, "east_right": True},
    "FK5 B1950": {"frame": "fk5"},
    "galactic": GALACTIC,
    "galactic, turned, east right": {**GALACTIC, "turn_deg": 30.0, "east_right": True},
}


def make_wcs(
    shape: tuple[int, int] = (61, 81),
    *,
    east_right: bool = False,
    turn_deg: float = 0.0,
    frame: str = "icrs",
    centre: tuple[float, float] = (RA, DEC),
    pixel_arcsec: float = PIXEL_ARCSEC,
) -> WCS:
    """Tangent projection about the image centre.

    ``turn_deg`` turns north anticlockwise from up; ``centre`` is in degrees of the frame's own axes.
    """
    wcs = WCS(naxis=2)
    names = ("GLON-TAN", "GLAT-TAN") if frame == "galactic" else ("RA---TAN", "DEC--TAN")
    wcs.wcs.ctype = list(names)
    wcs.wcs.crval = list(centre)
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    step = pixel_arcsec / 3600.0
    wcs.wcs.cdelt = [step if east_right else -step, step]
    a = math.radians(turn_deg)
    wcs.wcs.pc = [[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]
    if frame == "fk5":
        wcs.wcs.radesys, wcs.wcs.equinox = "FK5", 1950.0
    elif frame == "icrs":
        wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs
