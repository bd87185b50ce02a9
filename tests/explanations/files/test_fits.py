"""Maps in FITS: where DS9 and CARTA show them, and where the maps of other programs lie on images."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from attnxai.data.grid import GridTransform, PixelGrid, RowZero
from attnxai.data.images import SourceImage, SourceSet, from_array
from attnxai.data.regridding import square_pixels
from attnxai.data.sky import wcs_of_grid
from attnxai.errors import AlignmentError, AssumptionWarning, ImageError, MapFileError, OptionError
from attnxai.explanations.files.formats import read_maps
from attnxai.explanations.stack import MapStack, Split
from attnxai.models.preprocessing import Preprocessing
from tests.explanations.files.skies import SHAPE, images, sky, stack

RNG = np.random.default_rng(6)
SMALL = "by their coordinates the maps cover"
pytestmark = pytest.mark.filterwarnings(f"ignore:{SMALL}")


def place(wcs: Any, x: float, y: float) -> np.ndarray:
    sky_place = wcs.pixel_to_world(x, y).icrs
    return np.array([sky_place.ra.deg, sky_place.dec.deg])


@pytest.mark.parametrize("angle", [0.0, 33.0])
@pytest.mark.parametrize("name", ["maps.fits", "maps"])
def test_a_bright_pixel_lies_on_the_sky_where_it_lies_on_the_image(
    name: str, angle: float, tmp_path: Path
) -> None:
    written, of = stack(), images(angle=angle)
    bright = {layer: np.zeros_like(maps) for layer, maps in written.layers.items()}
    for maps in bright.values():
        maps[:, 5, 2] = 1.0
    made = stack(layers=bright)
    made.write(tmp_path / name, of)
    for i, image in enumerate(of):
        with fits.open(
            tmp_path / name if name == "maps.fits" else tmp_path / name / f"J{i}+4.fits"
        ) as file:
            for layer, shown in (("gate1", "gate1"), ("grad cam 3.6″", "grad cam 3.6?")):
                (hdu,) = (
                    h
                    for h in file
                    if h.header.get("EXTNAME") == shown and h.header["EXTVER"] == i + 1
                )
                assert hdu.header["OBJECT"] == image.source
                row, column = np.unravel_index(hdu.data.argmax(), hdu.data.shape)
                assert (row, column) == (5, 2)
                at = WCS(hdu.header).pixel_to_world(column, row)
                x, y = sky(i, angle=angle).world_to_pixel(at)
                grid = made.geometry[layer].within(made.field[i])
                expected = (grid.origin_x + 2 * grid.step, grid.origin_y + 5 * grid.step)
                np.testing.assert_allclose((x, y), expected, atol=1e-6)


def test_each_map_says_what_it_explains(tmp_path: Path) -> None:
    explained = [{"name": "gradcam", "title": "maps", "target": ["FR I", "FR II"]}]
    replaced = dataclasses.replace(stack(), provenance={"explanations": explained})
    replaced.write(tmp_path / "maps.fits", images())
    with fits.open(tmp_path / "maps.fits") as file:
        header = file["gate1", 1].header
        assert header["MODEL"] == stack().model_name
        assert (header["METHOD"], header["TARGET"]) == ("gradcam", "FR I minus FR II")
        assert header["CREATOR"].startswith("attnxai ")
        assert "METHOD" not in file["brightness", 1].header
    assert read_maps(tmp_path / "maps.fits").provenance == replaced.provenance


def test_a_table_lists_the_sources(tmp_path: Path) -> None:
    stack().write(tmp_path / "maps.fits", images())
    with fits.open(tmp_path / "maps.fits") as file:
        table = file["SOURCES"].data
    assert list(table["SOURCE"]) == list(stack().sources)
    assert list(table["SPLIT"]) == ["training", "held-out", "unknown", "validation"]
    np.testing.assert_array_equal(table["SCORE_FR_II"], np.asarray(stack().scores)[:, 1])
    assert list(table["EXTVER"]) == [1, 2, 3, 4]


@pytest.mark.parametrize("cd", [False, True], ids=["PC", "CD"])
def test_distortions_are_carried_over(cd: bool) -> None:
    cards: dict[str, Any] = {
        "A_ORDER": 2,
        "B_ORDER": 2,
        "A_2_0": 1e-4,
        "A_1_1": -2e-4,
        "B_0_2": 3e-4,
    }
    header = sky(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP").to_header()
    header.update(cards)
    if cd:
        for i, j in ((1, 2), (2, 1)):
            header[f"CD{i}_{i}"], header[f"CD{i}_{j}"] = header[f"CDELT{i}"], 0.1 * header["CDELT1"]
        for name in ("CDELT1", "CDELT2", "PC1_1", "PC1_2", "PC2_1", "PC2_2"):
            header.remove(name, ignore_missing=True)
    wcs = WCS(header)
    grid = GridTransform(step=3.0, origin_x=2.5, origin_y=-1.0)
    found = wcs_of_grid(wcs, grid)
    again = WCS(found.to_header(relax=True))
    for x, y in ((0.0, 0.0), (7.0, 3.0), (12.0, 13.0)):
        expected = place(wcs, grid.origin_x + 3 * x, grid.origin_y + 3 * y)
        np.testing.assert_allclose(place(found, x, y), expected, atol=1e-10)
        np.testing.assert_allclose(place(again, x, y), expected, atol=1e-9)


def test_maps_of_pictures_are_upright_and_read_back(tmp_path: Path) -> None:
    """Row 0 of a PNG image is at the top, and row 0 of a FITS image at the bottom."""
    grid = PixelGrid(shape=SHAPE, pixel_scale_arcsec=1.8, row_zero=RowZero.TOP)
    pictures = [SourceImage(source=i.source, pixels=i.pixels, grid=grid) for i in images()]
    written = stack()
    written.write(tmp_path / "maps.fits", pictures)
    with fits.open(tmp_path / "maps.fits") as file:
        np.testing.assert_array_equal(file[1].data[::-1], written.layers["gate1"][0])
        assert file[1].header["ROWZERO"] == "top"
    np.testing.assert_array_equal(
        read_maps(tmp_path / "maps.fits").layers["gate1"], written.layers["gate1"]
    )


def save(path: Path, values: Any, wcs: WCS | None = None, **cards: Any) -> None:
    header = fits.Header() if wcs is None else wcs.to_header()
    header.update(cards)
    fits.PrimaryHDU(np.asarray(values), header).writeto(path)


def folder_of_maps(path: Path, grid: GridTransform, shape: tuple[int, int], **kwargs) -> np.ndarray:
    """Maps on a grid that lies on the images, one file a source; ``turn`` changes array and coordinates."""
    path.mkdir()
    maps = RNG.random((4, *shape)).astype(np.float32)
    for image, values in zip(images(), maps, strict=True):
        wcs = wcs_of_grid(image.grid.wcs, grid)
        save(path / f"{image.source}.fits", values, wcs, **kwargs)
    return maps


@pytest.mark.parametrize(
    ("grid", "shape"),
    [
        (GridTransform(), SHAPE),
        (GridTransform(origin_x=6.0, origin_y=3.0), (30, 32)),
        (GridTransform(step=4.0, origin_x=7.5, origin_y=5.5), (8, 7)),
        (GridTransform(step=2.5, origin_x=5.25, origin_y=4.0), (12, 12)),
        (GridTransform(step=0.5, origin_x=3.0, origin_y=2.0), (60, 60)),
        (GridTransform(origin_x=-2.0, origin_y=-2.0), (44, 48)),
    ],
    ids=["whole", "crop", "coarse", "fractional", "fine", "padded"],
)
def test_maps_with_coordinates_lie_where_these_say(grid, shape, tmp_path: Path) -> None:
    maps = folder_of_maps(tmp_path / "maps", grid, shape)
    found = read_maps(tmp_path / "maps", images())
    np.testing.assert_array_equal(found.layers["map"], maps)
    assert found.splits == (Split.UNKNOWN,) * 4
    at = found.geometry["map"].within(found.field[2])
    np.testing.assert_allclose(
        (at.step, at.origin_x, at.origin_y), (grid.step, grid.origin_x, grid.origin_y), atol=1e-4
    )
    assert found.field[2].step == 1.0
    assert found.field_scale_arcsec == pytest.approx(1.8, rel=1e-4)


def test_the_brightness_is_that_of_the_image_where_the_maps_lie(tmp_path: Path) -> None:
    folder_of_maps(tmp_path / "maps", GridTransform(origin_x=6.0, origin_y=3.0), (30, 32))
    found = read_maps(tmp_path / "maps", images())
    whole = images()[1].pixels[3:33, 6:38]
    at = whole > 0.1
    np.testing.assert_allclose(found.brightness[1][at], (whole / whole.max())[at], atol=1 / 254)


def test_maps_of_a_part_of_the_image_are_noted(tmp_path: Path) -> None:
    """As if the pixels of maps of the whole image had 0.6 of their true side."""
    shrunk = GridTransform(step=0.6, origin_x=8.6, origin_y=7.8)
    folder_of_maps(tmp_path / "maps", shrunk, SHAPE)
    with pytest.warns(AssumptionWarning, match=f"{SMALL} 24 x 26 pixels of the images, 35% of 'J0"):
        read_maps(tmp_path / "maps", images())


def test_a_preprocessing_gives_the_field(tmp_path: Path) -> None:
    folder_of_maps(tmp_path / "maps", GridTransform(step=4.0, origin_x=7.5, origin_y=5.5), (8, 8))
    rule = Preprocessing(size=32, pixel_scale_arcsec=1.8)
    found = read_maps(tmp_path / "maps", images(), preprocessing=rule, splits="held-out")
    assert found.field_shape == (32, 32)
    assert found.geometry["map"] == GridTransform(step=4.0, origin_x=1.5, origin_y=1.5)
    assert found.splits == (Split.HELD_OUT,) * 4


@pytest.mark.parametrize("n_turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_maps_turned_by_quarters_or_mirrored_are_turned_back(n_turns, mirrored, tmp_path) -> None:
    """Coordinates say where every pixel lies, in any orientation of the array."""
    (tmp_path / "maps").mkdir()
    maps = RNG.random((4, 20, 24)).astype(np.float32)
    for image, values in zip(images(), maps, strict=True):
        wcs = wcs_of_grid(image.grid.wcs, GridTransform(origin_x=10.0, origin_y=9.0))
        turned = np.rot90(values, n_turns)
        turned = turned[:, ::-1] if mirrored else turned
        # where each pixel of the turned array came from, as a linear rule
        columns, rows = np.meshgrid(np.arange(24.0), np.arange(20.0))
        x, y = (np.rot90(a, n_turns)[:, :: -1 if mirrored else 1] for a in (columns, rows))
        matrix = np.array(
            [[x[0, 1] - x[0, 0], x[1, 0] - x[0, 0]], [y[0, 1] - y[0, 0], y[1, 0] - y[0, 0]]]
        )
        own = wcs.deepcopy()
        own.wcs.pc = wcs.wcs.get_pc() @ matrix
        own.wcs.crpix = np.linalg.inv(matrix) @ (wcs.wcs.crpix - 1 - (x[0, 0], y[0, 0])) + 1
        save(tmp_path / "maps" / f"{image.source}.fits", turned, own)
    found = read_maps(tmp_path / "maps", images())
    np.testing.assert_array_equal(found.layers["map"], maps)
    assert found.field[0] == GridTransform(origin_x=10.0, origin_y=9.0)


def test_rotated_maps_are_refused_with_their_angle(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    for i, image in enumerate(images()):
        save(tmp_path / "maps" / f"{image.source}.fits", RNG.random(SHAPE), sky(i, angle=12.5))
    with pytest.raises(
        AlignmentError, match=r"'J0\+4' is not parallel to its image: .* by -?12.50 deg"
    ):
        read_maps(tmp_path / "maps", images())


def test_maps_elsewhere_on_the_sky_are_refused(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    for i, image in enumerate(images()):
        save(tmp_path / "maps" / f"{image.source}.fits", RNG.random(SHAPE), sky(i + (i == 2)))
    with pytest.raises(AlignmentError, match=r"100 % of the maps of 'J2\+4' lie outside"):
        read_maps(tmp_path / "maps", images())


def test_layers_in_extensions_and_sources_by_object(tmp_path: Path) -> None:
    maps = RNG.random((2, 4, 10, 11)).astype(np.float32)
    hdus: list[Any] = [fits.PrimaryHDU()]
    grid = GridTransform(step=4.0, origin_x=1.5, origin_y=1.5)
    for i, image in enumerate(images()):
        for layer, of_layer in zip(("GRADCAM", "IG"), maps, strict=True):
            hdu = fits.ImageHDU(of_layer[i], wcs_of_grid(image.grid.wcs, grid).to_header())
            hdu.header["EXTNAME"], hdu.header["OBJECT"] = layer, image.source
            hdus.append(hdu)
    fits.HDUList(hdus).writeto(tmp_path / "theirs.fits")
    found = read_maps(tmp_path / "theirs.fits", images())
    assert found.model_name == "theirs.fits"
    assert list(found.layers) == ["GRADCAM", "IG"]
    np.testing.assert_array_equal(found.layers["IG"], maps[1])
    assert found.provenance["maps_file"] == "theirs.fits"
    with pytest.raises(OptionError, match="does not say what its maps are of; give their images"):
        read_maps(tmp_path / "theirs.fits")


def test_maps_without_coordinates_cover_the_images_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    for image in images():
        save(tmp_path / "maps" / f"{image.source}.fits", image.pixels)
    with pytest.warns(AssumptionWarning, match="4 sources: the maps state no coordinates"):
        found = read_maps(tmp_path / "maps", images())
    assert found.geometry["map"] == GridTransform()
    for image in images():
        save_again(tmp_path / "maps" / f"{image.source}.fits", image.pixels[::-1])
    with (
        pytest.warns(AssumptionWarning, match=r"may be turned .* after maps\[:, ::-1\]"),
        pytest.warns(AssumptionWarning, match="state no coordinates"),
    ):
        read_maps(tmp_path / "maps", images())


def save_again(path: Path, values: Any) -> None:
    path.unlink()
    save(path, values)


def test_images_without_coordinates_and_maps_without_them_agree(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    plain = [from_array(i.pixels, source=i.source, pixel_scale_arcsec=1.8) for i in images()]
    for image in plain:
        save(tmp_path / "maps" / f"{image.source}.fits", image.pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(read_maps(tmp_path / "maps", plain), MapStack)
    save_again(tmp_path / "maps" / "J1+4.fits", np.zeros((3, *SHAPE)))
    with pytest.raises(MapFileError, match=r"holds an image of shape \(3, 40, 44\); each map"):
        read_maps(tmp_path / "maps", plain)


def test_maps_partly_without_coordinates_or_of_different_places_are_refused(tmp_path: Path) -> None:
    folder_of_maps(tmp_path / "maps", GridTransform(), SHAPE)
    save_again(tmp_path / "maps" / "J1+4.fits", np.zeros(SHAPE))
    with pytest.raises(AlignmentError, match="1 of 4 maps state no coordinates and the others do"):
        read_maps(tmp_path / "maps", images())
    (tmp_path / "maps" / "J1+4.fits").unlink()
    coarse = wcs_of_grid(sky(1), GridTransform(step=2.0, origin_x=0.5, origin_y=0.5))
    save(tmp_path / "maps" / "J1+4.fits", RNG.random(SHAPE), coarse)
    with pytest.raises(AlignmentError, match=r"1 times .* for 'J0\+4' and 2 times for 'J1\+4'"):
        read_maps(tmp_path / "maps", images())


def test_two_maps_under_one_name_and_compressed_files_are_refused(tmp_path: Path) -> None:
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(np.ones((3, 3)), name="cam") for _ in range(2))]
    fits.HDUList(hdus).writeto(tmp_path / "J0+4.fits")
    with pytest.raises(MapFileError, match=r"two maps 'CAM' of the source 'J0\+4'"):
        read_maps(tmp_path / "J0+4.fits", images(1))
    fits.HDUList(hdus).writeto(tmp_path / "J0+4.fits.gz")
    with pytest.raises(ImageError, match="is compressed by gzip; unpack it by gunzip"):
        read_maps(tmp_path / "J0+4.fits.gz", images(1))


def test_text_that_fits_does_not_allow_is_refused_by_its_card(tmp_path: Path) -> None:
    save(tmp_path / "J0+4.fits", images(1)[0].pixels, sky())
    content = (tmp_path / "J0+4.fits").read_bytes()
    (tmp_path / "J0+4.fits").write_bytes(content.replace(b"RADESYS = ", b"RADESYS =\xa0"))
    with pytest.raises(ImageError, match=r"its card RADESYS is .* should be text in quotation"):
        read_maps(tmp_path / "J0+4.fits", images(1))


def squared_images() -> SourceSet:
    """Images of 40 x 44 pixels in files that are twice as long along y as along x, with one bright pixel each."""
    found = []
    for i in range(4):
        pixels = RNG.normal(0, 0.01, SHAPE)
        pixels[12 + i, 14] = 9.0
        made = square_pixels(pixels, sky(i, angle=25.0, CDELT2=2 * 1.8 / 3600))
        assert made is not None
        found.append(SourceImage(source=f"J{i}+4", pixels=made.pixels, grid=made.grid))
    return SourceSet(found, origin="made up")


def test_maps_of_resampled_images_state_the_pixels_of_the_file_as_well(tmp_path: Path) -> None:
    of = squared_images()
    stack().write(tmp_path / "maps.fits", of)
    with fits.open(tmp_path / "maps.fits") as file:
        for i, image in enumerate(of):
            hdu = next(h for h in file if h.header.get("EXTVER") == i + 1)
            on_file, on_sky = WCS(hdu.header, key="A"), WCS(hdu.header)
            assert on_file.wcs.name == "FILE PIXELS"
            x, y = on_file.wcs_pix2world([[2.0, 5.0]], 0)[0] - 1  # CRVAL counts from 1
            np.testing.assert_allclose(
                place(sky(i, angle=25.0, CDELT2=2 * 1.8 / 3600), x, y),
                place(on_sky, 2.0, 5.0),
                atol=1e-9,
            )
            grid = stack().geometry["gate1"].within(stack().field[i])
            on_image = grid.origin_x + 2 * grid.step, grid.origin_y + 5 * grid.step
            assert image.grid.file_pixels is not None
            np.testing.assert_allclose(image.grid.file_pixels.to_grid(x, y), on_image, atol=1e-6)
    read_maps(tmp_path / "maps.fits", of)


def test_maps_on_pixels_that_are_not_square_are_resampled_as_their_images(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    of = squared_images()
    for i, image in enumerate(of):
        values = np.zeros(SHAPE)
        values[12 + i, 14] = 1.0
        wcs = sky(i, angle=25.0, CDELT2=2 * 1.8 / 3600)
        save(tmp_path / "maps" / f"{image.source}.fits", values, wcs)
    found = read_maps(tmp_path / "maps", of)
    for i, image in enumerate(of):
        brightest = image.pixels.argmax()
        assert found.layers["map"][i].argmax() == brightest
        assert found.brightness[i].argmax() == brightest
