"""Places of pixels against the formulas of Greisen & Calabretta (2002, Papers I and II), written out here.

Nothing here is astropy's or wcslib's: the header is turned into numbers by hand. Everything agrees far better than
to the 0.02 pixels that are promised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from attnxai.data.image_files import read_image
from attnxai.data.sky import pixel_to_sky, sky_to_pixel
from attnxai.errors import AssumptionWarning, ImageError

SHAPE = (80, 100)
STEP = 1.8 / 3600
TOLERANCE = 2e-4  # pixels
PLACES = [(0.0, 0.0), (99.0, 0.0), (0.0, 79.0), (99.0, 79.0), (49.5, 39.5), (12.0, 70.5), (80.25, 33.0)]  # fmt: skip


def header(projection: str = "TAN", **cards: Any) -> dict[str, Any]:
    return {
        "CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}", "CRVAL1": 150.0, "CRVAL2": 40.0,
        "CRPIX1": 40.5, "CRPIX2": 52.25, "CDELT1": -STEP, "CDELT2": STEP, "RADESYS": "ICRS",
    } | cards  # fmt: skip


def matrix_of(h: dict[str, Any]) -> Any:
    """Degrees of intermediate coordinates a pixel (Paper I, eq. 3; Paper II, eqs. 188 and 189)."""
    if any(name.startswith("CD") and "_" in name for name in h):
        return np.array([[h.get(f"CD{i}_{j}", 0.0) for j in (1, 2)] for i in (1, 2)])
    scale = np.array([[h["CDELT1"]], [h["CDELT2"]]])
    if "CROTA2" in h:
        turn = np.radians(h["CROTA2"])
        ratio = h["CDELT2"] / h["CDELT1"]
        turned = [[np.cos(turn), -ratio * np.sin(turn)], [np.sin(turn) / ratio, np.cos(turn)]]
        return scale * np.array(turned)
    turned = [[h.get(f"PC{i}_{j}", float(i == j)) for j in (1, 2)] for i in (1, 2)]
    return scale * np.array(turned)


def distorted(h: dict[str, Any], u: Any, v: Any) -> tuple[Any, Any]:
    """SIP (Shupe et al. 2005, eqs. 1 to 3)."""
    found = [np.array(u), np.array(v)]
    for axis, name in enumerate("AB"):
        order = h.get(f"{name}_ORDER", 0)
        for p in range(order + 1):
            for q in range(order + 1 - p):
                found[axis] = found[axis] + h.get(f"{name}_{p}_{q}", 0.0) * u**p * v**q
    return found[0], found[1]


def native(h: dict[str, Any], x: Any, y: Any) -> tuple[Any, Any]:
    """Native longitude and latitude in radians (Paper II, section 5)."""
    projection = h["CTYPE1"][5:8]
    if projection == "CAR":
        return np.radians(x), np.radians(y)
    x, y = np.radians(x), np.radians(y)
    r, phi = np.hypot(x, y), np.arctan2(x, -y)
    if projection == "TAN":
        return phi, np.arctan2(1.0, r)
    if projection == "ARC":
        return phi, np.pi / 2 - r
    if projection == "STG":
        return phi, np.pi / 2 - 2 * np.arctan(r / 2)
    if projection == "ZEA":
        return phi, np.pi / 2 - 2 * np.arcsin(r / 2)
    xi, eta = h.get("PV2_1", 0.0), h.get("PV2_2", 0.0)
    if projection == "NCP":
        xi, eta = 0.0, 1 / np.tan(np.radians(h["CRVAL2"]))
    # slant orthographic: x = cos(t) sin(p) + xi (1 - sin t), y = -cos(t) cos(p) + eta (1 - sin t), with s = sin(t)
    # and (x - xi (1 - s))^2 + (y - eta (1 - s))^2 = 1 - s^2
    a = 1 + xi**2 + eta**2
    b = xi * (x - xi) + eta * (y - eta)
    c = (x - xi) ** 2 + (y - eta) ** 2 - 1
    s = (-b + np.sqrt(b**2 - a * c)) / a
    return np.arctan2(x - xi * (1 - s), -(y - eta * (1 - s))), np.arcsin(s)


def celestial(h: dict[str, Any], phi: Any, theta: Any) -> tuple[Any, Any]:
    """Longitude and latitude in degrees (Paper II, eqs. 2 and 8 to 10), the reference being native (0, 90) or (0, 0)."""
    alpha, delta = np.radians([h["CRVAL1"], h["CRVAL2"]])
    if h["CTYPE1"][5:8] != "CAR":
        pole = np.radians(h.get("LONPOLE", 180.0))
    else:
        # the pole lies 90 degrees from the reference, nearest to latitude 90
        pole = np.radians(h.get("LONPOLE", 0.0 if h["CRVAL2"] >= 0 else 180.0))
        reference, delta = delta, np.arccos(np.sin(delta) / np.cos(pole))
        sine = np.sin(pole) / np.cos(reference)
        cosine = (
            -np.sin(delta) * np.sin(reference) / (np.cos(delta) * np.cos(reference))
            if reference
            else -1.0
        )
        # at the equator the pole of the system is that of the projection
        alpha = alpha - (np.arctan2(sine, cosine) if reference else np.pi - pole - np.pi)
        if not reference:
            return np.degrees(alpha + phi), np.degrees(theta)
    turn = phi - pole
    longitude = alpha + np.arctan2(
        -np.cos(theta) * np.sin(turn),
        np.sin(theta) * np.cos(delta) - np.cos(theta) * np.sin(delta) * np.cos(turn),
    )
    sine = np.sin(theta) * np.sin(delta) + np.cos(theta) * np.cos(delta) * np.cos(turn)
    return np.degrees(longitude), np.degrees(np.arcsin(sine))


def expected(h: dict[str, Any], x: Any, y: Any) -> tuple[Any, Any]:
    """Position of pixels that are counted from 0."""
    u, v = distorted(h, x + 1 - h["CRPIX1"], y + 1 - h["CRPIX2"])
    places = matrix_of(h) @ np.array([u, v])
    return celestial(h, *native(h, *places))


def check(tmp_path: Path, h: dict[str, Any], *, to_icrs: Any = None) -> Any:
    """Every place from the file to the sky and back, in pixels of the file."""
    pixels = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    fits.PrimaryHDU(pixels, fits.Header(h)).writeto(tmp_path / "a.fits")
    grid = read_image(tmp_path / "a.fits").grid
    x, y = np.array(PLACES).T
    ra, dec = expected(h, x, y)
    if to_icrs is not None:
        ra, dec = to_icrs(ra, dec)
    on_grid = (x, y) if grid.file_pixels is None else grid.file_pixels.to_grid(x, y)
    found_ra, found_dec = pixel_to_sky(grid.wcs, *on_grid)
    scale = float(np.sqrt(abs(np.linalg.det(matrix_of(h)))))
    off = np.hypot(
        (np.mod(found_ra - ra + 180, 360) - 180) * np.cos(np.radians(dec)), found_dec - dec
    )
    assert (off / scale).max() < TOLERANCE
    np.testing.assert_allclose(sky_to_pixel(grid.wcs, ra, dec), on_grid, atol=TOLERANCE)
    return grid


WIDE: dict[str, Any] = {"CDELT1": -1 / 12, "CDELT2": 1 / 12}
SLANTS = {"PV2_1": 0.05, "PV2_2": -0.4}
TURN: dict[str, Any] = {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8}
CENTRES = [(150.0, 40.0), (359.999, -60.0), (10.0, 86.5)]


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("projection", ["TAN", "SIN", "slant SIN", "NCP", "ARC", "STG", "ZEA"])
def test_zenithal_projections(tmp_path: Path, projection: str, centre: tuple[float, float]) -> None:
    cards = dict(zip(("CRVAL1", "CRVAL2"), centre, strict=True)) | TURN
    if projection.startswith("slant"):
        cards |= SLANTS
    # pixels of five arcminutes, so that projections differ by pixels and not by their thousandths
    cards |= WIDE if projection != "NCP" else {"CDELT1": -1 / 60, "CDELT2": 1 / 60}
    check(tmp_path, header(projection[-3:], **cards))


def test_projections_differ_by_more_than_what_is_promised() -> None:
    """Or the tests above could not fail."""
    x, y = np.array([[99.0], [0.0]])
    places = [
        expected(header(name, **WIDE), x, y) for name in ("TAN", "SIN", "NCP", "ARC", "STG", "ZEA")
    ]
    for i, one in enumerate(places):
        for other in places[:i]:
            off = np.hypot((one[0] - other[0]) * np.cos(np.radians(one[1])), one[1] - other[1])
            assert off.max() / WIDE["CDELT2"] > 0.02


@pytest.mark.parametrize(
    "cards",
    [
        {"CRVAL2": 0.0, "CRVAL1": 210.0, "CRPIX1": 300.0, "CRPIX2": -900.0},  # as mosaics of the whole sky have it
        {"CRVAL2": 0.0, **TURN},
        {"CRVAL2": 25.0},
        {"CRVAL2": 60.0, **TURN},
    ],
)  # fmt: skip
def test_plate_carree(tmp_path: Path, cards: dict[str, Any]) -> None:
    check(tmp_path, header("CAR", **{"CDELT1": -1 / 120, "CDELT2": 1 / 120, **cards}))


@pytest.mark.parametrize("angle", [0.0, 33.0, 90.0, -120.0])
@pytest.mark.parametrize("form", ["CROTA2", "PC", "CD"])
def test_rotated_images(tmp_path: Path, form: str, angle: float) -> None:
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    cards = {
        "CROTA2": {"CROTA2": angle},
        "PC": {"PC1_1": c, "PC1_2": -s, "PC2_1": s, "PC2_2": c},
        "CD": {"CD1_1": -STEP * c, "CD1_2": -STEP * s, "CD2_1": -STEP * s, "CD2_2": STEP * c},
    }[form]
    h = header("SIN", **cards)
    if form == "CD":
        del h["CDELT1"], h["CDELT2"]
    assert check(tmp_path, h).file_pixels is None


@pytest.mark.filterwarnings("ignore:images have pixels of:attnxai.errors.AssumptionWarning")
@pytest.mark.parametrize(
    "cards",
    [
        {"CDELT2": 3 * STEP},
        {"CDELT1": -2.5 * STEP, "CROTA2": 25.0},
        {"PC1_2": 0.4},
        {"PC1_1": 0.9, "PC1_2": -0.2, "PC2_1": 0.5, "PC2_2": 1.1},
    ],
)
@pytest.mark.parametrize("projection", ["TAN", "SIN", "NCP"])
def test_pixels_that_are_not_square(tmp_path: Path, projection: str, cards: dict[str, Any]) -> None:
    assert check(tmp_path, header(projection, **cards)).file_pixels is not None


SIP: dict[str, Any] = {
    "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 3, "B_ORDER": 2,
    "A_2_0": 3e-5, "A_1_1": -2e-5, "A_0_3": 1e-7, "B_0_2": -4e-5, "B_1_1": 1e-5,
}  # fmt: skip


def test_distortion_by_sip(tmp_path: Path) -> None:
    grid = check(tmp_path, header(**SIP, **TURN))
    assert grid.wcs.sip is not None
    x, y = np.array([[99.0], [0.0]])
    plain = expected(header(**TURN), x, y)
    assert np.hypot(*np.subtract(expected(header(**SIP, **TURN), x, y), plain)) > 0.05 * STEP


def test_distortion_that_the_type_does_not_name_is_noted(tmp_path: Path) -> None:
    cards: dict[str, Any] = {n: value for n, value in SIP.items() if not n.startswith("CTYPE")}
    fits.PrimaryHDU(np.eye(9), fits.Header(header(**cards))).writeto(tmp_path / "b.fits")
    with pytest.warns(AssumptionWarning, match="A_ORDER and B_ORDER is not used, since CTYPE1"):
        grid = read_image(tmp_path / "b.fits").grid
    assert grid.wcs is not None
    assert grid.wcs.sip is None


def by_matrix(matrix: Any) -> Any:
    """Positions in another frame, whose axes are the rows of the matrix."""

    def turned(longitude: Any, latitude: Any) -> tuple[Any, Any]:
        a, d = np.radians(longitude), np.radians(latitude)
        x, y, z = np.array(matrix).T @ [np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)]
        return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z))

    return turned


# the matrix of the Hipparcos catalogue (ESA 1997), vol. 1, eq. 1.5.11
GALACTIC = [
    [-0.0548755604162154, -0.8734370902348850, -0.4838350155487132],
    [0.4941094278755837, -0.4448296299600112, 0.7469822444972189],
    [-0.8676661490190047, -0.1980763734312015, 0.4559837761750669],
]


@pytest.mark.parametrize("projection", ["TAN", "SIN", "CAR"])
def test_galactic_images(tmp_path: Path, projection: str, monkeypatch: Any) -> None:
    # astropy's pole of the Galaxy is that of FK5, 0.02 arcsec away
    monkeypatch.setattr("tests.data.readers.test_fits_projections.TOLERANCE", 0.02)
    names = {"CTYPE1": f"GLON-{projection}", "CTYPE2": f"GLAT-{projection}"}
    latitude = 0.0 if projection == "CAR" else 40.0
    h = header(projection, **names, CRVAL1=30.0, CRVAL2=latitude, **TURN)
    check(tmp_path, h, to_icrs=by_matrix(GALACTIC))


def test_fk5_of_2000_is_icrs_to_two_hundredths_of_a_pixel(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tests.data.readers.test_fits_projections.TOLERANCE", 0.02)
    check(tmp_path, header("SIN", RADESYS="FK5", EQUINOX=2000.0, CROTA2=40.0))


@pytest.mark.parametrize(
    "types", [("RA", "DEC"), ("GLON", "GLAT"), ("RA--TAN", "DEC-TAN"), ("RA_TAN", "DEC_TAN"), ("RA---", "DEC--"), ("RA", "DEC--TAN"), ("RA---TAN-TPV", "DEC--TAN-TPV")]
)  # fmt: skip
def test_axes_without_a_projection_are_refused(tmp_path: Path, types: tuple[str, str]) -> None:
    h = header(CTYPE1=types[0], CTYPE2=types[1])
    fits.PrimaryHDU(np.eye(9), fits.Header(h)).writeto(tmp_path / "b.fits")
    words = f"its card CTYPE1 is '{types[0]}' but should be .* such as RA---SIN and DEC--SIN"
    with pytest.raises(ImageError, match=words):
        read_image(tmp_path / "b.fits")


@pytest.mark.parametrize("projection", ["TPV", "TNX", "ZPX", "DSS", "XXX"])
def test_projections_that_are_none_of_the_standard_are_refused(
    tmp_path: Path, projection: str
) -> None:
    fits.PrimaryHDU(np.eye(9), fits.Header(header(projection))).writeto(tmp_path / "b.fits")
    with pytest.raises(ImageError, match=f"RA---{projection}': known projections are TAN, SIN"):
        read_image(tmp_path / "b.fits")


def test_a_distortion_by_scamp_is_refused_unless_it_distorts_nothing(tmp_path: Path) -> None:
    plain = {f"PV{axis}_{m}": float(m == 1) for axis in (1, 2) for m in (0, 1, 2, 4)}
    check(tmp_path, header("TAN", **plain))
    path = tmp_path / "b.fits"
    distorted = fits.Header(header("TAN", **plain, PV2_7=1e-3))
    fits.PrimaryHDU(np.eye(9), distorted).writeto(path)
    with pytest.raises(ImageError, match=r"its card PV2_7 is 0.001: parameters of TAN are a dist"):
        read_image(path)
