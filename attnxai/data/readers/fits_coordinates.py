"""The celestial coordinate system of a FITS header, read strictly."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.image_notes import note
from attnxai.data.readers.fits_cards import Cards
from attnxai.data.readers.fits_frames import equatorial_frame

if TYPE_CHECKING:
    from astropy.wcs import WCS

_CELESTIAL = re.compile(r"(RA--|DEC-|[A-Z](?:LON|LAT)|[A-Z]{2}L[NT])-([A-Z]{3})(-SIP)?")
_ALMOST = re.compile(r"(RA|DEC|[A-Z]LON|[A-Z]LAT)\b.*|(RA|DEC)_.*")
_PROJECTIONS = frozenset({
    "AZP", "SZP", "TAN", "STG", "SIN", "NCP", "ARC", "ZPN", "ZEA", "AIR", "CYP", "CEA", "CAR", "MER", "SFL",
    "GLS", "PAR", "MOL", "AIT", "COP", "COE", "COD", "COO", "BON", "PCO", "TSC", "CSC", "QSC", "HPX", "XPH",
})  # fmt: skip
_UNITS = {"": "deg", "deg": "deg", "degree": "deg", "degrees": "deg", "arcsec": "arcsec", "arcmin": "arcmin", "rad": "rad"}  # fmt: skip
_MOST_AXES = 9
_LARGEST = 1e9  # of pixels and degrees, for cards that have no narrower range
_HIGHEST_SIP_ORDER = 9
_SMALLEST_SCALE_DEG = 1e-9 / 3600
_DISTORTIONS = ("CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2", "DP1", "DP2")


def celestial_axes(cards: Cards) -> tuple[int, int] | None:
    """The two axes of an array that lie on the sky, counted from 1, the lower first; None where there are none."""
    types = _types(cards)
    found = [axis for axis, name in types.items() if _CELESTIAL.fullmatch(name)]
    for axis, name in types.items():
        if axis in found:
            _check_projection(cards, axis, name)
        elif _ALMOST.fullmatch(name):
            raise cards.refuse(
                f"CTYPE{axis}",
                "the kind of the axis, filled up to five characters by -, and the projection, such as RA---SIN and DEC--SIN",
            )
    if not found:
        return None
    if len(found) != 2:
        raise cards.refuse(
            f"CTYPE{found[0]}",
            reason=f"the sky has two axes, a longitude and a latitude, and not {', '.join(map(str, found))}",
        )
    return found[0], found[1]


def _types(cards: Cards) -> dict[int, str]:
    return {axis: (cards.text(f"CTYPE{axis}") or "").upper() for axis in range(1, _MOST_AXES + 1)}


def _check_projection(cards: Cards, axis: int, name: str) -> None:
    """Refuse a projection that the standard does not have, or whose distortion is stated in cards of a convention."""
    projection = name[5:8]
    if projection not in _PROJECTIONS:
        raise cards.refuse(
            f"CTYPE{axis}",
            reason="known projections are TAN, SIN, NCP, ARC, STG, ZEA, CAR and others of the FITS standard, without a "
            "distortion or with one by SIP; resample the image to one of them",
        )


def celestial_wcs(
    cards: Cards, shape: tuple[int, int], axes: tuple[int, int] = (1, 2)
) -> WCS | None:
    """Coordinate system of two axes of an array; None where no axis is celestial.

    It is built anew from the cards that matter, each of which is checked, so that nothing is filled in or
    corrected on the way. ``shape`` has rows and columns, and ``axes`` those of columns and rows in the header.
    """
    found = celestial_axes(cards)
    if found is None:
        return None
    if found != axes:
        first, second = "the first", "two" if axes == (1, 2) else f"{axes[0]} and {axes[1]}"
        raise cards.refuse(
            f"CTYPE{found[0]}",
            reason=f"the axes of the sky have to be {first} {second}, and they are {found[0]} and {found[1]}",
        )
    header: dict[str, Any] = {"WCSAXES": 2}
    types = _types(cards)
    for to, axis in enumerate(axes, start=1):
        header[f"CTYPE{to}"] = types[axis]
        header[f"CUNIT{to}"] = _unit(cards, axis)
        for name in ("CRVAL", "CRPIX"):
            if not _copy(cards, header, f"{name}{axis}", to=f"{name}{to}"):
                raise cards.refuse(
                    f"{name}{axis}", reason="it has to state where the image lies on the sky"
                )
    _copy_matrix(cards, header, axes)
    _copy_projection(cards, header, axes)
    _copy_sip(cards, header, types[axes[0]])
    wcs = _built(cards, header)
    _check_place(cards, wcs, shape)
    return wcs


def _unit(cards: Cards, axis: int) -> str:
    unit = _UNITS.get((cards.text(f"CUNIT{axis}") or "").lower())
    if unit is None:
        raise cards.refuse(f"CUNIT{axis}", "deg, arcmin, arcsec or rad")
    return unit


def _copy(
    cards: Cards,
    header: dict[str, Any],
    name: str,
    *,
    to: str | None = None,
    limit: float = _LARGEST,
) -> bool:
    """Copy a number, if there is one, and tell whether there is."""
    value = cards.number(name, low=-limit, high=limit)
    if value is not None:
        header[to or name] = value
    return value is not None


def _copy_matrix(cards: Cards, header: dict[str, Any], axes: tuple[int, int]) -> None:
    """Scale and rotation; without any the standard's scale is 1 degree a pixel, which nobody means.

    An axis whose row of the CD matrix is zero would be given that scale too.
    """
    for to, axis in enumerate(axes, start=1):
        _copy(cards, header, f"CDELT{axis}", to=f"CDELT{to}")
        _copy(cards, header, f"CROTA{axis}", to=f"CROTA{to}")
    numbered = list(enumerate(axes, start=1))
    for (i, row), (j, column), name in itertools.product(numbered, numbered, ("PC", "CD")):
        # the second is how CASA wrote them until 2013, which the standard's parsers take for the same
        for spelled in (f"{row}_{column}", f"{row:02}_{column:02}", f"{row:03}{column:03}"):
            _copy(cards, header, f"{name}{spelled}", to=f"{name}{i}_{j}")
    has_cd = any(name.startswith("CD") and "_" in name for name in header)
    kind = "CD" if has_cd else "PC"
    for to, axis in numbered:
        stated = {} if has_cd else {f"CDELT{to}": f"CDELT{axis}"}
        stated |= {f"{kind}{to}_{j}": f"{kind}{axis}_{column}" for j, column in numbered}
        if not any(header.get(name) for name in stated):
            named = next((name for name in stated.values() if name in cards), f"CDELT{axis}")
            raise cards.refuse(named, reason="it has to state the size of a pixel")
    for name in _DISTORTIONS:
        if name in cards:
            raise cards.refuse(
                name, reason="tables of distortions are not read; resample the image without them"
            )


def _copy_projection(cards: Cards, header: dict[str, Any], axes: tuple[int, int]) -> None:
    for name in ("LONPOLE", "LATPOLE"):
        _copy(cards, header, name, limit=999.0)
    parameters = {
        f"PV{axis}_{m}": f"PV{to}_{m}"
        for (to, axis), m in itertools.product(enumerate(axes, start=1), range(40))
    }
    if header["CTYPE1"][5:8] == "TAN" and "PV1_1" in cards:
        # TAN has no parameters; they are a polynomial of SCAMP, which may be without effect
        if odd := [name for name in parameters if cards.number(name) not in _plain_parameter(name)]:
            raise cards.refuse(
                odd[0],
                reason="parameters of TAN are a distortion by SCAMP, which is not read; resample the image without it",
            )
        parameters = {}
    for name, to_name in parameters.items():
        _copy(cards, header, name, to=to_name)
    if not header["CTYPE1"].startswith(("RA", "DEC")):
        return  # the frame of equatorial axes alone
    frame, equinox, notes = equatorial_frame(cards)
    if frame:
        header["RADESYS"] = frame
    if equinox is not None:
        header["EQUINOX"] = equinox
    for text in notes:
        note(text, cards.where.removeprefix("image "))


def _plain_parameter(name: str) -> tuple[float | None, ...]:
    """Values of a parameter of SCAMP's polynomials with which they distort nothing."""
    return (None, 1.0) if name.endswith("_1") else (None, 0.0)


def _copy_sip(cards: Cards, header: dict[str, Any], longitude: str) -> None:
    """Coefficients of a SIP distortion, where the type of the axes says that there is one."""
    if not longitude.endswith("-SIP"):
        if any(cards.whole(f"{name}_ORDER", low=0, high=_HIGHEST_SIP_ORDER) for name in ("A", "B")):
            text = "the distortion of its cards A_ORDER and B_ORDER is not used, since CTYPE1 does not end with -SIP"
            note(text, cards.where.removeprefix("image "))
        return
    for name in ("A", "B", "AP", "BP"):
        order = cards.whole(f"{name}_ORDER", low=0, high=_HIGHEST_SIP_ORDER)
        if order is None:
            continue
        header[f"{name}_ORDER"] = order
        for p, q in itertools.product(range(order + 1), repeat=2):
            _copy(cards, header, f"{name}_{p}_{q}")


def _built(cards: Cards, header: dict[str, Any]) -> WCS:
    """The system of checked cards; a contradiction between them is refused, with all of them."""
    from astropy.wcs.utils import wcs_to_celestial_frame

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what has been checked
            wcs = _parsed(header)
            wcs.wcs.set()
    except Exception as error:  # wcslib's errors have many types
        stated = ", ".join(f"{name} = {value!r}" for name, value in list(header.items())[1:12])
        raise cards.refuse(
            "CTYPE1", reason=f"the cards of its coordinates do not fit together ({stated})"
        ) from error
    try:
        wcs_to_celestial_frame(wcs)
    except Exception as error:
        name = next(n for n in ("RADESYS", "RADECSYS", "CTYPE1") if n in cards)
        raise cards.refuse(
            name, reason="known frames are ICRS, FK5, FK4, FK4-NO-E and Galactic"
        ) from error
    return wcs


def _parsed(header: dict[str, Any]) -> WCS:
    """The system of some cards, by wcslib alone where there is no distortion: headers of astropy take ten times as long."""
    from astropy.wcs import WCS, Wcsprm

    if any(name.endswith("_ORDER") for name in header):
        return WCS(header)
    texts = (
        f"{name:8}= '{value:8}'" if isinstance(value, str) else f"{name:8}= {value!r}"
        for name, value in header.items()
    )
    wcs = WCS(naxis=2)
    wcs.wcs = Wcsprm("".join(text.ljust(80) for text in texts).encode("ascii"), relax=True)
    wcs.fix()
    return wcs


def _check_place(cards: Cards, wcs: WCS, shape: tuple[int, int]) -> None:
    """Refuse pixels of absurd size, and an image whose centre is nowhere on the sky."""
    from astropy.wcs.utils import proj_plane_pixel_scales

    from attnxai.data.sky import pixel_directions, pixel_to_sky

    def named(axis: int) -> str:
        names = (f"CDELT{axis}", f"CD{axis}_{axis}", f"CD1_{axis}", f"PC{axis}_{axis}", "CTYPE1")
        return next(name for name in names if name in cards)

    with np.errstate(all="ignore"):  # what is not finite is refused below
        scales, matrix = proj_plane_pixel_scales(wcs), wcs.pixel_scale_matrix
    for axis, (scale, side) in enumerate(zip(scales, shape[::-1], strict=True), start=1):
        if not (scale >= _SMALLEST_SCALE_DEG and scale * side <= 360.0):
            raise cards.refuse(
                named(axis),
                reason=f"{side} pixels of {scale * 3600:.3g} arcsec cannot be an image of the sky",
            )
    # each axis may have a scale although both lie along one line
    if np.linalg.svd(matrix, compute_uv=False)[-1] < _SMALLEST_SCALE_DEG:
        raise cards.refuse(
            named(1 + int(np.abs(matrix).sum(axis=1).argmin())),
            reason="its rows and columns lie along one line of the sky; correct CDELT, CD or PC",
        )
    place = north = np.full(2, math.nan)
    with contextlib.suppress(Exception), warnings.catch_warnings():
        # astropy's conversions raise what they like
        warnings.simplefilter("ignore")
        centre = (shape[1] - 1) / 2, (shape[0] - 1) / 2
        place = np.array(pixel_to_sky(wcs, *centre))
        north = pixel_directions(wcs, *centre, [0.0]) if wcs.sip is not None else np.zeros(2)
    if not np.isfinite(place).all():
        raise cards.refuse(
            "CRPIX1", reason="its centre lies nowhere on the sky; correct CRPIX and CRVAL"
        )
    if not np.isfinite(north).all():
        raise cards.refuse(
            "CTYPE1", reason="its distortion (SIP) cannot be inverted; correct A_ and B_"
        )
