from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from attnxai.alignment.rasterise import rasterise_annotations
from attnxai.annotations import Annotation
from attnxai.annotations.shapes import Frame, Shape, ShapeKind
from attnxai.data.grid import FilePixels, GridTransform, PixelGrid
from attnxai.data.image_files import read_image
from attnxai.data.regridding import square_pixels
from attnxai.data.sky import pixel_matrix, pixel_to_sky, sky_to_pixel, wcs_of_grid
from attnxai.errors import AssumptionWarning, ImageError, OptionError

SHAPE = (90, 110)  # rows, columns
SCALE = 1.8 / 3600


def turn(angle_deg: float) -> np.ndarray:
    a = np.radians(angle_deg)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


def cards(matrix: Any, **other: Any) -> dict[str, Any]:
    """Header cards of a tangent plane whose pixels have a matrix in units of 1.8 arcsec."""
    (a, b), (c, d) = np.asarray(matrix) * SCALE
    found: dict[str, Any] = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 40.0,
        "CRPIX1": (SHAPE[1] + 1) / 2, "CRPIX2": (SHAPE[0] + 1) / 2, "RADESYS": "ICRS",
        "CD1_1": a, "CD1_2": b, "CD2_1": c, "CD2_2": d, "CUNIT1": "deg", "CUNIT2": "deg",
    }  # fmt: skip
    return found | other


TALL, WIDE = np.diag([-1.0, 2.0]), np.diag([-1.7, 1.0])
SKEWED = np.array([[-1.0, 0.4], [0.0, 1.0]])
SIP = {
    "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "B_ORDER": 2, "A_2_0": 2e-5,
    "A_1_1": -1e-5, "B_0_2": 3e-5, "B_1_1": 1e-5,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "tall": cards(TALL),
    "wide": cards(WIDE),
    "mirrored": cards(np.diag([1.0, 2.5])),
    "turned": cards(turn(35) @ TALL),
    "turned by a quarter": cards(turn(90) @ WIDE),
    "skewed": cards(SKEWED),
    "skewed and turned": cards(turn(-70) @ SKEWED @ np.diag([1.0, 1.5])),
    "SIP": cards(TALL, **SIP),
    "skewed, SIP": cards(turn(20) @ SKEWED, **SIP),
    "galactic": cards(TALL, CTYPE1="GLON-TAN", CTYPE2="GLAT-TAN"),
    "declination first": cards(
        np.array([[0.0, 2.0], [-1.0, 0.0]]), CTYPE1="DEC--TAN", CTYPE2="RA---TAN", CRVAL1=40.0, CRVAL2=150.0
    ),
    # square in the plane, but the projection has another scale along the parallels here
    "CAR": cards(np.diag([-1.0, 1.0]), CTYPE1="RA---CAR", CTYPE2="DEC--CAR", CRVAL2=0.0,
                 CRPIX2=(SHAPE[0] + 1) / 2 - 55.0 / SCALE),
    "SIN, far off": cards(np.diag([-1.0, 1.0]), CTYPE1="RA---SIN", CTYPE2="DEC--SIN",
                          CRPIX2=(SHAPE[0] + 1) / 2 - 40.0 / SCALE * 57.29578 * np.sin(np.radians(30)) / 40.0),
}  # fmt: skip


@pytest.fixture(params=list(KINDS))
def wcs(request: pytest.FixtureRequest) -> WCS:
    found = WCS(fits.Header(KINDS[request.param]))
    found.wcs.set()
    return found


def squared(wcs: WCS, pixels: np.ndarray | None = None, **options: Any) -> Any:
    found = square_pixels(np.zeros(SHAPE) if pixels is None else pixels, wcs, **options)
    assert found is not None
    return found


def separation_arcsec(ra: Any, dec: Any, ra_0: Any, dec_0: Any) -> Any:
    """Great circles by the haversine formula."""
    ra, dec, ra_0, dec_0 = map(np.radians, (ra, dec, ra_0, dec_0))
    chord = (
        np.sin((dec - dec_0) / 2) ** 2 + np.cos(dec) * np.cos(dec_0) * np.sin((ra - ra_0) / 2) ** 2
    )
    return np.degrees(2 * np.arcsin(np.sqrt(chord))) * 3600


def test_new_pixels_are_square_and_of_the_finer_side(wcs: WCS) -> None:
    grid = squared(wcs).grid
    middle = (grid.shape[1] - 1) / 2, (grid.shape[0] - 1) / 2
    here = pixel_matrix(grid.wcs, *middle)
    side = grid.pixel_scale_arcsec
    np.testing.assert_allclose(here.T @ here, np.eye(2) * side**2, atol=1e-4 * side**2)
    before = pixel_matrix(wcs, (SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2)
    sides = np.linalg.norm(before, axis=0)
    assert side == pytest.approx(abs(np.linalg.det(before)) / sides.max(), rel=1e-3)


def test_pixels_keep_their_place_on_the_sky(wcs: WCS) -> None:
    grid = squared(wcs).grid
    x, y = (
        v.ravel() for v in np.meshgrid(np.arange(0, SHAPE[1], 7.0), np.arange(0, SHAPE[0], 7.0))
    )
    there = pixel_to_sky(grid.wcs, *grid.file_pixels.to_grid(x, y))
    assert separation_arcsec(*there, *pixel_to_sky(wcs, x, y)).max() < 1e-5
    back = grid.file_pixels.from_grid(*sky_to_pixel(grid.wcs, *pixel_to_sky(wcs, x, y)))
    np.testing.assert_allclose(back, [x, y], atol=1e-4)
    np.testing.assert_allclose(
        grid.file_pixels.to_grid((SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2), grid.middle, atol=1e-9
    )


@pytest.mark.parametrize("place", [(0, 0), (109, 89), (31, 64), (70, 11)])
def test_a_bright_pixel_lies_where_it_was(wcs: WCS, place: tuple[int, int]) -> None:
    pixels = np.zeros(SHAPE)
    pixels[place[1], place[0]] = 1.0
    found = squared(wcs, pixels)
    y, x = np.indices(found.grid.shape)
    weights = found.pixels / found.pixels.sum()
    centre = float((weights * x).sum()), float((weights * y).sum())
    if 0 < place[0] < SHAPE[1] - 1:  # at the border a part is beyond it
        file = found.grid.file_pixels
        # the middle of what a pixel became is off by what sampling leaves, less than half a pixel
        np.testing.assert_allclose(centre, file.to_grid(*place), atol=0.3)
    ra, dec = pixel_to_sky(wcs, *place)
    row, column = np.unravel_index(found.pixels.argmax(), found.grid.shape)
    at = pixel_to_sky(found.grid.wcs, column, row)
    assert separation_arcsec(*at, float(ra), float(dec)) < found.grid.pixel_scale_arcsec


def test_a_plane_stays_a_plane(wcs: WCS) -> None:
    y, x = np.indices(SHAPE, dtype=float)
    found = squared(wcs, 3.0 + 0.5 * x - 0.25 * y)
    ny, nx = np.indices(found.grid.shape)
    fx, fy = found.grid.file_pixels.from_grid(nx, ny)
    inside = (fx >= 0) & (fx <= SHAPE[1] - 1) & (fy >= 0) & (fy <= SHAPE[0] - 1)
    np.testing.assert_allclose(
        found.pixels[inside], (3 + 0.5 * fx - 0.25 * fy)[inside], rtol=1e-4, atol=1e-4
    )
    assert inside.mean() > 0.6


def test_what_lies_beyond_a_skewed_image_is_no_part_of_it() -> None:
    found = squared(WCS(fits.Header(cards(SKEWED))), np.ones(SHAPE))
    assert found.footprint is not None
    y, x = np.indices(found.grid.shape)
    fx, fy = found.grid.file_pixels.from_grid(x, y)
    inside = (abs(fx - 54.5) < 55) & (abs(fy - 44.5) < 45)
    assert (found.footprint & ~inside).sum() < 0.02 * inside.sum()
    assert not (inside & ~found.footprint).any()
    assert (found.pixels[~found.footprint] == 0).all()


def test_blanks_stay_blank() -> None:
    footprint = np.ones(SHAPE, bool)
    footprint[20:30, 40:60] = False
    pixels = np.where(footprint, 5.0, 0.0)
    found = squared(WCS(fits.Header(cards(TALL))), pixels, footprint=footprint)
    assert found.grid.shape == (180, 110)
    assert not found.footprint[40:60, 40:60].any()
    # rows between an observed and a blank one are blank as well
    assert found.footprint[:39].all()
    assert found.footprint[61:].all()
    assert (found.pixels[found.footprint] == 5.0).all()
    assert (found.pixels[~found.footprint] == 0).all()
    assert squared(WCS(fits.Header(cards(TALL))), pixels).footprint is None


@pytest.mark.parametrize(
    "matrix",
    [
        np.diag([-1.0, 1.0]),
        turn(33),
        turn(90),
        np.diag([1.0, 1.008]),
        SKEWED.round(0),
        np.diag([-1, -1]),
    ],
)
def test_square_pixels_stay_as_they_are(matrix: Any) -> None:
    wcs = WCS(fits.Header(cards(matrix)))
    assert square_pixels(np.zeros(SHAPE), wcs) is None
    assert PixelGrid(shape=SHAPE, wcs=wcs).pixel_scale_arcsec == pytest.approx(1.8, rel=0.005)


def test_pixels_that_no_image_has_are_refused() -> None:
    with pytest.raises(
        ImageError,
        match=r"a.fits has pixels of 1.8 x 45 arcsec, and as square ones .* correct its sc",
    ):
        square_pixels(
            np.zeros(SHAPE), WCS(fits.Header(cards(np.diag([1.0, 25.0])))), what="image a.fits"
        )
    with pytest.raises(ImageError, match=r"1.8 x 18.1 arcsec at an angle of 6 degrees"):
        square_pixels(np.zeros(SHAPE), WCS(fits.Header(cards([[1.0, 10.0], [0.0, 1.0]]))))
    with pytest.raises(
        OptionError, match=r"of 1.8 x 3.6 arcsec are not square; attnxai.data.square_pixels"
    ):
        PixelGrid(shape=SHAPE, wcs=WCS(fits.Header(cards(TALL))))
    with pytest.raises(OptionError, match="a matrix that can be inverted"):
        FilePixels(shape=SHAPE, matrix=((1.0, 2.0), (2.0, 4.0)), origin=(0.0, 0.0))


@pytest.mark.parametrize("form", ["CDELT", "PC", "CROTA", "CD"])
def test_every_way_of_stating_pixels(form: str) -> None:
    header = fits.Header(cards(turn(30) @ np.diag([-1.0, 1.6])))
    if form != "CD":
        del header["CD*"]
        header["CDELT1"], header["CDELT2"] = -SCALE, 1.6 * SCALE
    if form == "CROTA":
        header["CROTA2"] = 30.0
    if form == "PC":
        (header["PC1_1"], header["PC1_2"]), (header["PC2_1"], header["PC2_2"]) = turn(30)
    wcs = WCS(header)
    grid = squared(wcs).grid
    there = pixel_to_sky(grid.wcs, *grid.file_pixels.to_grid(3.0, 80.0))
    assert separation_arcsec(*there, *(pixel_to_sky(wcs, 3.0, 80.0))) < 1e-5
    again = WCS(grid.wcs.to_header(relax=True))
    assert separation_arcsec(*pixel_to_sky(again, 9, 9), *(pixel_to_sky(grid.wcs, 9, 9))) < 1e-5


def write(path: Path, header: dict[str, Any]) -> Path:
    pixels = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    fits.PrimaryHDU(pixels, fits.Header(header)).writeto(path)
    return path


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.filterwarnings("ignore::attnxai.errors.AssumptionWarning")
def test_circles_on_the_sky_against_great_circles(tmp_path: Path, kind: str) -> None:
    image = read_image(write(tmp_path / "a.fits", KINDS[kind]))
    y, x = np.indices(image.shape)
    ra, dec = pixel_to_sky(image.grid.wcs, x, y)
    for at, radius in (((0.5, 0.5), 40.0), ((0.4, 0.6), 25.0)):
        ra_0, dec_0 = map(float, pixel_to_sky(
            image.grid.wcs, at[0] * image.shape[1], at[1] * image.shape[0]
        ))  # fmt: skip
        truth = separation_arcsec(ra, dec, ra_0, dec_0) <= radius
        circle = Shape(kind=ShapeKind.CIRCLE, frame=Frame.ICRS, x=ra_0, y=dec_0, radius=radius)
        mark = Annotation(source="a", annotator="b", shape=circle)
        drawn = rasterise_annotations([mark], image.grid, fwhm=3.0).density > 0.5
        assert (drawn & truth).sum() / (drawn | truth).sum() > 0.99


@pytest.mark.filterwarnings("ignore::attnxai.errors.AssumptionWarning")
def test_one_image_from_its_file_to_a_grid_of_maps(tmp_path: Path) -> None:
    header = cards(turn(20) @ np.diag([-1.0, 2.0]))
    path = tmp_path / "a.fits"
    pixels = np.zeros(SHAPE, np.float32)
    pixels[40, 71] = 1.0
    fits.PrimaryHDU(pixels, fits.Header(header)).writeto(path)
    with pytest.warns(
        AssumptionWarning,
        match="pixels of 1.8 x 3.6 arcsec, which are resampled to square ones of 1.8 ar",
    ):
        image = read_image(path)
    assert image.shape == (180, 110)
    assert image.grid.pixel_scale_arcsec == pytest.approx(1.8, rel=1e-6)
    assert image.grid.file_pixels is not None
    coarse = GridTransform(step=2.0, origin_x=5.5, origin_y=20.5)
    x, y = coarse.to_inner(*image.grid.file_pixels.to_grid(71.0, 40.0))
    there = pixel_to_sky(wcs_of_grid(image.grid.wcs, coarse), x, y)
    assert separation_arcsec(*there, *(pixel_to_sky(WCS(fits.Header(header)), 71, 40))) < 1e-5


def test_blanks_are_refused_before_pixels_are_resampled(tmp_path: Path) -> None:
    pixels = np.ones(SHAPE, np.float32)
    pixels[3, 4] = np.nan
    fits.PrimaryHDU(pixels, fits.Header(cards(TALL))).writeto(tmp_path / "a.fits")
    with pytest.raises(ImageError, match="has 1 of 9900 pixels that are NaN"):
        read_image(tmp_path / "a.fits")
