"""Frames in every spelling, and beams, odd ones among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnxai.data.image_files import read_image
from attnxai.data.sky import pixel_to_sky
from attnxai.errors import AssumptionWarning, ImageError
from tests.data.readers.test_fits import sky_header, written


def place(path: Path, **cards: Any) -> Any:
    image = read_image(written(path, sky_header(**cards)))
    return np.array(pixel_to_sky(image.grid.wcs, 5.0, 5.0))


@pytest.mark.parametrize(
    ("cards", "right", "words"),
    [
        ({"RADESYS": "J2000"}, {"RADESYS": "FK5", "EQUINOX": 2000.0}, "RADESYS 'J2000' is read as FK5"),
        ({"RADESYS": "fk5"}, {"RADESYS": "FK5"}, "'fk5' is read as FK5"),
        ({"RADESYS": "FK5/J2000"}, {"RADESYS": "FK5"}, "'FK5/J2000' is read as FK5"),
        ({"RADESYS": "ICRF"}, {"RADESYS": "ICRS"}, "'ICRF' is read as ICRS"),
        ({"RADECSYS": "B1950"}, {"RADESYS": "FK4", "EQUINOX": 1950.0}, "RADECSYS 'B1950' is read"),
        ({"EQUINOX": "B1950"}, {"RADESYS": "FK4", "EQUINOX": 1950.0}, "'B1950' is read as 1950"),
        ({"EQUINOX": "B1950", "RADESYS": "FK4"}, {"RADESYS": "FK4", "EQUINOX": 1950.0}, "EQUINOX"),
        ({"EQUINOX": "J2000"}, {"RADESYS": "FK5", "EQUINOX": 2000.0}, "read as 2000 .FK5"),
        ({"EPOCH": "2000.0"}, {"RADESYS": "FK5", "EQUINOX": 2000.0}, "EPOCH '2000.0' is read as 2"),
    ],
)  # fmt: skip
def test_spellings_are_read_with_a_note(
    tmp_path: Path, cards: dict[str, Any], right: dict[str, Any], words: str
) -> None:
    with pytest.warns(AssumptionWarning, match=words):
        found = place(tmp_path / "a.fits", **cards)
    np.testing.assert_allclose(found, place(tmp_path / "b.fits", **right), atol=1e-12)


def rotation(angle_arcsec: float, axis: str) -> Any:
    a = np.radians(angle_arcsec / 3600)
    c, s = np.cos(a), np.sin(a)
    return np.array(
        {"y": [[c, 0, -s], [0, 1, 0], [s, 0, c]], "z": [[c, s, 0], [-s, c, 0], [0, 0, 1]]}[axis]
    )


def unit(place_deg: Any) -> Any:
    ra, dec = np.radians(place_deg)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def distance_arcsec(one: Any, other: Any) -> float:
    return float(np.degrees(np.linalg.norm(one - other)) * 3600)


def test_equinox_1950_of_fk5_by_its_precession(tmp_path: Path) -> None:
    """Capitaine, Wallace & Chapront (2003), eq. 40, half a Julian century back; Lieske (1977) differs by 0.16 arcsec."""
    t = -0.5
    zeta = 2.650545 + 2306.083227 * t + 0.2988499 * t**2 + 0.01801828 * t**3
    z = -2.650545 + 2306.077181 * t + 1.0927348 * t**2 + 0.01826837 * t**3
    theta = 2004.191903 * t - 0.4294934 * t**2 - 0.04182264 * t**3
    matrix = rotation(-z, "z") @ rotation(theta, "y") @ rotation(-zeta, "z")
    found = place(tmp_path / "a.fits", RADESYS="FK5", EQUINOX=1950.0)
    # FK5 at J2000 lies within 0.03 arcsec of ICRS
    assert distance_arcsec(unit(found), matrix.T @ unit((150.0, 30.0))) < 0.05


def test_galactic_coordinates_by_their_matrix(tmp_path: Path) -> None:
    """The matrix of the Hipparcos catalogue (ESA 1997), vol. 1, eq. 1.5.11."""
    matrix = np.array(
        [
            [-0.0548755604, -0.8734370902, -0.4838350155],
            [0.4941094279, -0.4448296300, 0.7469822445],
            [-0.8676661490, -0.1980763734, 0.4559837762],
        ]
    )
    found = place(tmp_path / "a.fits", CTYPE1="GLON-SIN", CTYPE2="GLAT-SIN", RADESYS="whatever")
    assert distance_arcsec(unit(found), matrix.T @ unit((150.0, 30.0))) < 0.05


def test_fk4_by_the_matrix_of_standish(tmp_path: Path) -> None:
    """B1950 to J2000 without proper motion (Standish 1982), to the half second of the E-terms."""
    matrix = np.array(
        [
            [0.9999256782, -0.0111820611, -0.0048579477],
            [0.0111820610, 0.9999374784, -0.0000271765],
            [0.0048579479, -0.0000271474, 0.9999881997],
        ]
    )
    found = place(tmp_path / "a.fits", RADESYS="FK4", EQUINOX=1950.0)
    assert distance_arcsec(unit(found), matrix @ unit((150.0, 30.0))) < 0.6


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"RADESYS": "J2000", "EQUINOX": 1950.0}, "RADESYS is 'J2000': EQUINOX states the equinox"),
        ({"RADESYS": "FK5", "EQUINOX": "B1950"}, "EQUINOX is 'B1950': RADESYS states FK5"),
        ({"EQUINOX": "J1066"}, "EQUINOX is 'J1066' but should be a year from 1850"),
        ({"EQUINOX": "now"}, "EQUINOX is 'now' but should be a finite number"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, cards: dict[str, Any], words: str) -> None:
    with pytest.raises(ImageError, match=words):
        place(tmp_path / "a.fits", **cards)


class TestBeams:
    @pytest.mark.parametrize(
        "cards",
        [
            {"BMAJ": "5.4 arcsec"},
            {"BMAJ": 0.0, "BMIN": 0.0, "BPA": 0.0},
            {"BMAJ": -1.0, "BMIN": 0.001},
            {"BMAJ": 0.002, "BMIN": "", "BPA": "n/a"},
            {"BMAJ": 0.002, "BMIN": 0.001, "BPA": "north"},
            {"BMAJ": 1e300, "BMIN": 1e300},
            {"BMAJ": True, "BMIN": 0.001},
        ],
    )
    def test_odd_ones_are_left_out_with_a_note(self, tmp_path: Path, cards: Any) -> None:
        path = written(tmp_path / "a.fits", sky_header(**cards))
        with pytest.warns(AssumptionWarning, match="its beam is not used, since its cards state n"):
            assert read_image(path).beam_arcsec is None

    def test_the_last_one_in_the_history_of_aips(self, tmp_path: Path) -> None:
        header = sky_header()
        for major in ("1.0000E-03", "1.5000E-03"):
            header.add_history(f"AIPS   CLEAN BMAJ=  {major} BMIN=  1.2000E-03 BPA=  -12.50")
        beam = read_image(written(tmp_path / "a.fits", header)).beam_arcsec
        assert beam == pytest.approx((5.4, 4.32, -12.5))

    def test_the_header_goes_before_the_history(self, tmp_path: Path) -> None:
        header = sky_header(BMAJ=0.001, BMIN=0.001, BPA="round")
        header.add_history("AIPS   CLEAN BMAJ=  2.0E-03 BMIN=  1.2000E-03 BPA=  -12.50")
        beam = read_image(written(tmp_path / "a.fits", header)).beam_arcsec
        assert beam == pytest.approx((3.6, 3.6, 0.0))
