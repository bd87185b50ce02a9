"""Positions on the sky as tables state them: sexagesimal, and in other frames than ICRS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAMES = {
    "icrs": "icrs",
    "sky": "icrs",
    "fk5": "fk5",
    "j2000": "fk5",
    "fk5j2000": "fk5",
    "fk4": "fk4",
    "b1950": "fk4",
    "fk4b1950": "fk4",
    "galactic": "galactic",
    "gal": "galactic",
    "supergalactic": "supergalactic",
    "supergal": "supergalactic",
    # the mean ecliptic of J2000, without aberration and nutation
    "ecliptic": "barycentricmeanecliptic",
}
"""Frames by their folded names, and how astropy calls them."""
_EQUINOXES = {"fk5": "J2000", "fk4": "B1950", "barycentricmeanecliptic": "J2000"}
_NUMBERS = r"\s*[:hd°\s]\s*(\d{1,2})\s*[:m'′\s]\s*(\d{1,2}(?:\.\d*)?)\s*[s\"″]?\s*"
_RAISED = str.maketrans("ʰᵐˢ", "hms")
_LONGEST = 60
_SEXAGESIMAL = re.compile(r"\s*([+\-\u2212\u2013]?)\s*(\d{1,3})" + _NUMBERS)


def counts_hours(frame: str) -> bool:
    """Whether sexagesimal longitudes of a frame count hours, as right ascensions do."""
    return frame in ("icrs", "fk5", "fk4")


def parse_sexagesimal(text: str, *, hours: bool) -> float:
    """Degrees of a text such as ``10:00:05.1``, ``10h00m05.1s`` or ``+29d59m57s``.

    Parameters
    ----------
    text : str
        Three numbers with colons, letters or spaces between them.
    hours : bool
        Whether the first one counts hours, as in right ascensions without ``d`` or ``°``.

    Raises
    ------
    ValueError
        If it is nothing of the kind, or minutes or seconds are 60 or more.

    Examples
    --------
    >>> parse_sexagesimal("10:00:00", hours=True), parse_sexagesimal("-00d30m00s", hours=False)
    (150.0, -0.5)
    """
    match = _SEXAGESIMAL.fullmatch(text.translate(_RAISED)) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(text)
    sign, whole, minutes, seconds = match[1], float(match[2]), float(match[3]), float(match[4])
    if minutes >= 60 or seconds >= 60:
        raise ValueError(text)
    value = whole + minutes / 60 + seconds / 3600
    in_degrees = "d" in text or "°" in text
    value *= 15.0 if hours and not in_degrees else 1.0
    return -value if sign and sign != "+" else value


def to_icrs(
    frame: str, longitude: Sequence[float], latitude: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """ICRS degrees of positions in another frame, and the angle to add to position angles there.

    Parameters
    ----------
    frame : str
        One of the values of :data:`FRAMES`.
    longitude, latitude : sequence of float
        Degrees, shape (n_positions,).

    Returns
    -------
    ra, dec, turn : ndarray, shape (n_positions,)
        Degrees; ``turn`` is the ICRS position angle of the other frame's north.

    Examples
    --------
    >>> ra, dec, turn = to_icrs("galactic", [0.0], [0.0])
    >>> ra.round(3), dec.round(3), turn.round(1)
    (array([266.405]), array([-28.936]), array([-58.6]))
    """
    import astropy.units as u
    from astropy.coordinates import SkyCoord

    kwargs: dict[str, Any] = {"equinox": _EQUINOXES[frame]} if frame in _EQUINOXES else {}
    degrees = np.array(
        [longitude, latitude], dtype=np.float64
    )  # a tuple would be taken for an angle in parts
    places = SkyCoord(*degrees, unit="deg", frame=frame, **kwargs)
    north = places.directional_offset_by(0 * u.deg, 1 * u.arcsec).icrs
    found = places.icrs
    turn = found.position_angle(north).wrap_at(180 * u.deg).deg
    return found.ra.deg, found.dec.deg, np.asarray(turn)
