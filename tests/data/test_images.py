"""Image files: every format, and everything that can be wrong with one."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from attnxai.data.grid import RowZero
from attnxai.data.image_files import read_image, read_images
from attnxai.data.image_notes import collect_images
from attnxai.data.images import SourceImage, assume, source_id
from attnxai.data.sky import sky_to_pixel
from attnxai.errors import AssumptionWarning, ImageError
from tests.data.fits_files import SHAPE, write_fits
from tests.data.skies import DEC, RA, make_wcs


class TestSourceId:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("a.fits", "a"),
            ("a.FITS.GZ", "a"),
            ("a.fit", "a"),
            ("a.fts.gz", "a"),
            ("a.png", "a"),
            ("a.npy", "a"),
            ("folder.fits/a.png", "a"),
            ("C:\\images\\a.png", "a"),
            ("J1432.3+32", "J1432.3+32"),
            ("J1432.3+32.fits", "J1432.3+32"),
            ("./MiraBest_data/100_162.947+055.386_0.0739_0250.34.png",
             "100_162.947+055.386_0.0739_0250.34"),
            ("a.jpg", "a.jpg"),
            ("a.fits.bak", "a.fits.bak"),
            (".fits", ".fits"),
            ("Zoe\u0301.fits", "Zo\u00e9"),
            ("J1432.3\u221232.fits", "J1432.3-32"),
        ],
    )  # fmt: skip
    def test_name_without_folder_and_known_ending(self, name: str, expected: str) -> None:
        assert source_id(name) == expected
        assert source_id(Path(name.replace("\\", "/"))) == expected

    def test_an_id_is_its_own_id(self) -> None:
        once = source_id("x/100_142.745+003.808_0.0890_0212.98.fits.gz")
        assert source_id(once) == once


class TestFits:
    @pytest.mark.parametrize("ending", [".fits", ".fits.gz", ".fit", ".fts", ".FITS"])
    def test_pixels_come_as_they_were_written(
        self, tmp_path: Path, pixels: Any, ending: str
    ) -> None:
        image = read_image(write_fits(tmp_path / f"J12.5+03.8{ending}", pixels))
        np.testing.assert_array_equal(image.pixels, pixels)
        assert image.source == "J12.5+03.8"
        assert image.pixels.dtype == np.dtype(np.float32)
        assert image.grid.row_zero is RowZero.BOTTOM
        assert image.grid.wcs is None
        assert image.grid.pixel_scale_arcsec is None
        assert not image.prepared
        assert image.path == str(tmp_path / f"J12.5+03.8{ending}")

    def test_gzip_is_known_by_its_content(self, tmp_path: Path, pixels: Any) -> None:
        packed = write_fits(tmp_path / "a.fits.gz", pixels).rename(tmp_path / "a.fits")
        np.testing.assert_array_equal(read_image(packed).pixels, pixels)
        plain = write_fits(tmp_path / "b.fits", pixels).rename(tmp_path / "b.fits.gz")
        np.testing.assert_array_equal(read_image(plain).pixels, pixels)

    @pytest.mark.parametrize("dtype", [">f8", ">f4", ">i2", ">i4", "<f4", "u1"])
    def test_any_byte_order(self, tmp_path: Path, pixels: Any, dtype: str) -> None:
        values = np.round(pixels * 40 + 120).astype(dtype)
        image = read_image(write_fits(tmp_path / "a.fits", values))
        np.testing.assert_array_equal(image.pixels, values)
        assert image.pixels.dtype.isnative

    def test_scaled_integers_are_physical_values(self, tmp_path: Path, pixels: Any) -> None:
        hdu = fits.PrimaryHDU(pixels.astype(np.float64))
        hdu.scale("int16", bscale=0.001, bzero=2.0)
        hdu.writeto(tmp_path / "a.fits")
        np.testing.assert_allclose(read_image(tmp_path / "a.fits").pixels, pixels, atol=6e-4)

    def test_place_on_the_sky_is_kept(self, tmp_path: Path, pixels: Any) -> None:
        header = make_wcs(SHAPE, turn_deg=20).to_header()
        image = read_image(write_fits(tmp_path / "a.fits", pixels, header))
        x, y = sky_to_pixel(image.grid.wcs, RA, DEC)
        assert (float(x), float(y)) == pytest.approx((8.0, 5.5), abs=1e-6)
        assert image.grid.pixel_scale_arcsec == pytest.approx(1.8, rel=1e-6)

    def test_a_stated_scale_gives_way_to_that_of_the_file(
        self, tmp_path: Path, pixels: Any
    ) -> None:
        path = write_fits(tmp_path / "a.fits", pixels, make_wcs(SHAPE).to_header())
        with pytest.warns(
            AssumptionWarning, match=r"scale of 1.8 arcsec, which is used; .* \(3.6\)"
        ):
            image = read_image(path, pixel_scale_arcsec=3.6)
        assert image.grid.pixel_scale_arcsec == pytest.approx(1.8, rel=1e-6)
        read_image(path, pixel_scale_arcsec=1.8)  # which says the same

    def test_coordinates_that_are_not_celestial_are_no_place_on_the_sky(
        self, tmp_path: Path, pixels: Any
    ) -> None:
        header = fits.Header({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR", "CDELT1": 2.0})
        assert read_image(write_fits(tmp_path / "a.fits", pixels, header)).grid.wcs is None

    def test_axes_of_frequency_and_polarisation_of_length_one(
        self, tmp_path: Path, pixels: Any
    ) -> None:
        header = make_wcs(SHAPE).to_header()
        header.update({"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CRPIX3": 1.0, "CDELT3": 1e6})
        header.update({"CTYPE4": "STOKES", "CRVAL4": 1.0, "CRPIX4": 1.0, "CDELT4": 1.0})
        header["WCSAXES"] = 4
        image = read_image(write_fits(tmp_path / "a.fits", pixels[None, None], header))
        np.testing.assert_array_equal(image.pixels, pixels)
        x, y = sky_to_pixel(image.grid.wcs, RA, DEC)
        assert (float(x), float(y)) == pytest.approx((8.0, 5.5), abs=1e-6)

    def test_tile_compressed_image(self, tmp_path: Path, pixels: Any) -> None:
        values = np.round(pixels * 100).astype(np.int32)
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(values)]).writeto(tmp_path / "a.fits")
        np.testing.assert_array_equal(read_image(tmp_path / "a.fits").pixels, values)

    def test_table_alone_is_no_image(self, tmp_path: Path) -> None:
        table = fits.BinTableHDU.from_columns([fits.Column("n", "J", array=[1, 2])])
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "a.fits")
        with pytest.raises(ImageError, match="is a FITS file without an image"):
            read_image(tmp_path / "a.fits")

    def test_beam_is_in_arcsec(self, tmp_path: Path, pixels: Any) -> None:
        header = fits.Header({"BMAJ": 6.0 / 3600, "BMIN": 5.4 / 3600, "BPA": 12.0})
        beam = read_image(write_fits(tmp_path / "a.fits", pixels, header)).beam_arcsec
        assert beam == pytest.approx((6.0, 5.4, 12.0))
        assert read_image(write_fits(tmp_path / "b.fits", pixels)).beam_arcsec is None
        # a round beam needs no position angle
        round_beam = fits.Header({"BMAJ": 5.4 / 3600, "BMIN": 5.4 / 3600})
        beam = read_image(write_fits(tmp_path / "c.fits", pixels, round_beam)).beam_arcsec
        assert beam == pytest.approx((5.4, 5.4, 0.0))

    @pytest.mark.parametrize(("plane", "beam"), [("0,0", 6.0), ("1,0", 9.0), ("1,1", 12.0)])
    def test_the_beam_of_a_plane_is_that_in_the_table_of_casa(
        self, tmp_path: Path, pixels: Any, plane: str, beam: float
    ) -> None:
        header = fits.Header({"CTYPE3": "STOKES", "CTYPE4": "FREQ", "CASAMBM": True})
        columns = {
            "BMAJ": ([6.0, 7.0, 9.0, 12.0], "arcsec"),
            "BMIN": ([0.1] * 4, "arcmin"),
            "BPA": ([12.0] * 4, "deg"),
            "CHAN": ([0, 0, 1, 1], None),
            "POL": ([0, 1, 0, 1], None),
        }
        table = fits.BinTableHDU.from_columns(
            [fits.Column(name, "D", unit, array=of) for name, (of, unit) in columns.items()],
            name="BEAMS",
        )
        cube = np.broadcast_to(pixels, (2, 2, *SHAPE))
        for name, hdus in (("a.fits", [table]), ("b.fits", [])):
            fits.HDUList([fits.PrimaryHDU(cube, header), *hdus]).writeto(tmp_path / name)
        stokes_first = ",".join(reversed(plane.split(",")))
        image = read_image(tmp_path / "a.fits", plane=stokes_first)
        assert image.beam_arcsec == pytest.approx((beam, 6.0, 12.0))
        assert read_image(tmp_path / "b.fits", plane=stokes_first).beam_arcsec is None

    def test_a_table_of_beams_that_does_not_fit_is_noted(self, tmp_path: Path, pixels: Any) -> None:
        column = fits.Column("BMAJ", "D", "Jy", array=[1.0, 2.0])
        table = fits.BinTableHDU.from_columns([column], name="BEAMS")
        fits.HDUList([fits.PrimaryHDU(pixels), table]).writeto(tmp_path / "a.fits")
        with pytest.warns(AssumptionWarning, match="its table BEAMS states none for the plane"):
            assert read_image(tmp_path / "a.fits").beam_arcsec is None

    def test_a_beam_wider_than_the_image_is_not_used(self, tmp_path: Path, pixels: Any) -> None:
        header = make_wcs(SHAPE).to_header()
        header.update({"BMAJ": 5.4, "BMIN": 5.4})
        path = write_fits(tmp_path / "a.fits", pixels, header)
        with pytest.warns(AssumptionWarning, match=r"its beam of 1.944e\+04 arcsec is not used"):
            assert read_image(path).beam_arcsec is None

    def test_oddities_of_old_headers_do_no_harm(self, tmp_path: Path, pixels: Any) -> None:
        path = write_fits(tmp_path / "a.fits", pixels, make_wcs(SHAPE).to_header())
        content = path.read_bytes()
        end = content.index(b"END".ljust(80))
        odd = b"OBSERVER= 'J\xf6rg'".ljust(80) + b"END".ljust(80)
        path.write_bytes(content[:end] + odd + content[end + 160 :])
        image = read_image(path)
        np.testing.assert_array_equal(image.pixels, pixels)
        assert image.grid.wcs is not None


class TestPng:
    def save(self, path: Path, values: Any, mode: str | None = None) -> Path:
        picture = Image.fromarray(values)
        (picture.convert(mode) if mode else picture).save(path)
        return path

    @pytest.fixture
    def grey(self) -> Any:
        return np.random.default_rng(2).integers(0, 256, SHAPE, dtype=np.uint8)

    def test_pixels_that_do_not_fit_their_checksum(self, tmp_path: Path, grey: Any) -> None:
        content = bytearray(self.save(tmp_path / "a.png", grey).read_bytes())
        content[content.index(b"IDAT") + 60] ^= 1
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(ImageError, match=r"it is damaged: .*checksum"):
            read_image(tmp_path / "a.png")

    def test_grey(self, tmp_path: Path, grey: Any) -> None:
        image = read_image(self.save(tmp_path / "100_142.745+003.808.png", grey))
        np.testing.assert_array_equal(image.pixels, grey)
        assert image.source == "100_142.745+003.808"
        assert image.prepared
        assert image.grid.row_zero is RowZero.TOP

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
    def test_grey_saved_with_more_channels(self, tmp_path: Path, grey: Any, mode: str) -> None:
        image = read_image(self.save(tmp_path / "a.png", grey, mode))
        np.testing.assert_array_equal(image.pixels, grey)
        assert image.prepared

    def test_colour_is_refused(self, tmp_path: Path, grey: Any) -> None:
        colour = np.stack([grey, grey, grey], axis=-1)
        colour[3, 4, 1] ^= 1
        with pytest.raises(ImageError, match=r"is in colour; .* save it with one channel"):
            read_image(self.save(tmp_path / "a.png", colour))

    def test_16_bits_are_survey_brightness(self, tmp_path: Path, grey: Any) -> None:
        values = grey.astype(np.uint16) * 257
        image = read_image(self.save(tmp_path / "a.png", values))
        np.testing.assert_array_equal(image.pixels, values)
        assert not image.prepared

    @pytest.mark.parametrize("prepared", [True, False])
    def test_what_is_stated_goes_before_what_is_guessed(
        self, tmp_path: Path, grey: Any, prepared: bool
    ) -> None:
        path = self.save(tmp_path / "a.png", grey)
        assert read_image(path, prepared=prepared).prepared is prepared


class TestNpy:
    @pytest.mark.parametrize("dtype", ["f4", ">f8", "i4", "u1", "f2"])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_arrays_of_numbers(self, tmp_path: Path, pixels: Any, dtype: str, order: Any) -> None:
        values = np.asarray(np.abs(pixels * 40).astype("u1").astype(dtype), order=order)
        np.save(tmp_path / "J1.5.npy", values)
        image = read_image(tmp_path / "J1.5.npy")
        np.testing.assert_array_equal(image.pixels, values.astype(np.float32))
        assert image.source == "J1.5"
        assert image.prepared == (dtype == "u1")
        assert image.grid.row_zero is RowZero.BOTTOM

    def test_mask_of_true_and_false(self, tmp_path: Path, pixels: Any) -> None:
        np.save(tmp_path / "a.npy", pixels > 0)
        np.testing.assert_array_equal(read_image(tmp_path / "a.npy").pixels, pixels > 0)

    def test_object_array_is_refused_and_its_pickle_not_run(self, tmp_path: Path) -> None:
        class Bomb:
            def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
                return Path.touch, (tmp_path / "exploded",)

        np.save(tmp_path / "a.npy", np.array([[Bomb(), 1]], dtype=object), allow_pickle=True)
        (tmp_path / "b.npy").write_bytes(pickle.dumps(Bomb()))
        for name, words in (
            ("a.npy", "holds object values"),
            ("b.npy", "is a Python pickle, which is not read"),
        ):
            with pytest.raises(ImageError, match=f"{name} {words}"):
                read_image(tmp_path / name)
        assert not (tmp_path / "exploded").exists()

    def test_archive_of_arrays_by_the_wrong_name(self, tmp_path: Path, pixels: Any) -> None:
        np.savez(tmp_path / "a.npz", pixels)
        (tmp_path / "a.npz").rename(tmp_path / "a.npy")
        with pytest.raises(
            ImageError,
            match=r"a\.npy is a ZIP archive, which is not read; known formats are ",
        ):
            read_image(tmp_path / "a.npy")

    @pytest.mark.parametrize(
        "values",
        [
            np.arange(5.0),
            np.array(3.0),
            np.zeros((0, 5)),
            np.ones((3, 3), complex),
            np.array([["a", "b"]]),
            np.zeros((2, 2), [("x", "f4")]),
        ],
        ids=["1 axis", "0 axes", "empty", "complex", "text", "structured"],
    )
    def test_what_is_no_image_is_refused(self, tmp_path: Path, values: Any) -> None:
        np.save(tmp_path / "a.npy", values)
        with pytest.raises(ImageError, match=r"a\.npy holds .* an image holds real numbers in two"):
            read_image(tmp_path / "a.npy")


def written(folder: Path, ending: str) -> Path:
    """A good file of some format."""
    values = np.random.default_rng(1).integers(0, 256, (30, 30), dtype=np.uint8)
    path = folder / f"J1.2{ending}"
    if ending == ".png":
        Image.fromarray(values).save(path)
    elif ending == ".npy":
        np.save(path, values)
    elif ending == ".compressed.fits":
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(values.astype("i4"))]).writeto(path)
    else:
        write_fits(path, values.astype(np.float32), make_wcs((30, 30)).to_header())
    return path


FORMATS = [".fits", ".fits.gz", ".compressed.fits", ".png", ".npy"]


class TestDamage:
    @pytest.mark.parametrize("ending", FORMATS)
    def test_truncated_anywhere(self, tmp_path: Path, ending: str) -> None:
        path = written(tmp_path, ending)
        read_image(path)
        content = path.read_bytes()
        # the last bytes of a PNG come after all pixels
        for length in {int(v) for v in np.linspace(0, len(content) - 24, 40)}:
            path.write_bytes(content[:length])
            with pytest.raises(ImageError) as caught:
                read_image(path)
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("shape", ["(0, 99999999999999999999)", "(2000000, 0, 4000)"])
    def test_an_npy_file_without_values_that_claims_a_long_axis(
        self, tmp_path: Path, shape: str
    ) -> None:
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        path = tmp_path / "a.npy"
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        with pytest.raises(ImageError, match=r"a\.npy holds float32 values of shape \("):
            read_image(path)

    @pytest.mark.parametrize("ending", [".fits", ".fits.gz", ".png", ".npy"])
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is empty, which is not read; known formats are "),
            (b"not an image", "is a text, which is not read"),
            (b"\x1f\x8b", "its gzip compression is truncated or damaged"),
            (b"\x89PNG\r\n\x1a\n", "its header is damaged"),
            (b"\x93NUMPY", "its NPY header is damaged"),
            (b"SIMPLE  =", "is truncated within a header"),
        ],
    )
    def test_other_content(self, tmp_path: Path, ending: str, content: bytes, words: str) -> None:
        path = tmp_path / f"a{ending}"
        path.write_bytes(content)
        with pytest.raises(ImageError, match=words):
            read_image(path)

    @pytest.mark.parametrize("ending", [".fits", ".png", ".npy", ""])
    def test_missing_file(self, tmp_path: Path, ending: str) -> None:
        with pytest.raises(ImageError, match=f"image .*gone{ending} does not exist"):
            read_image(tmp_path / f"gone{ending}")

    @pytest.mark.parametrize("ending", [".fits", ".fits.gz", ".png", ".npy"])
    def test_content_decides_not_the_ending(self, tmp_path: Path, ending: str) -> None:
        path = written(tmp_path, ending)
        pixels, row_zero = read_image(path).pixels, read_image(path).grid.row_zero
        for other in (".fits", ".png", ".npy", ".jpg", ""):
            renamed = path.rename(tmp_path / f"J1.2{other}")
            np.testing.assert_array_equal(read_image(renamed).pixels, pixels)
            assert read_image(renamed).grid.row_zero is row_zero
            path = renamed


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path: Path, pixels: Any) -> Path:
        write_fits(tmp_path / "b.1.fits.gz", pixels)
        np.save(tmp_path / "c.npy", pixels + 1)
        Image.fromarray(np.arange(204, dtype=np.uint8).reshape(SHAPE)).save(tmp_path / "a.png")
        (tmp_path / "notes.txt").write_text("not an image", encoding="utf-8")
        (tmp_path / "folder.fits").mkdir()
        return tmp_path

    def test_all_images_in_the_order_of_their_names(self, folder: Path) -> None:
        images = read_images(folder)
        assert images.sources == ("a", "b.1", "c")
        assert images.origin == str(folder)

    def test_listed_files_in_the_order_of_the_list(self, folder: Path) -> None:
        assert read_images([folder / "c.npy", str(folder / "a.png")]).sources == ("c", "a")

    def test_one_file(self, folder: Path) -> None:
        assert read_images(folder / "c.npy").sources == ("c",)

    def test_same_id_twice(self, folder: Path, pixels: Any) -> None:
        np.save(folder / "a.npy", pixels)
        with pytest.raises(ImageError, match=r"source id 'a': .*a\.npy and .*a\.png; .* rename"):
            read_images(folder)

    def test_folder_without_images(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
        with pytest.raises(ImageError, match="holds no images; known extensions are"):
            read_images(tmp_path)

    def test_options_reach_every_file(self, folder: Path, pixels: Any) -> None:
        pixels[0, 0] = np.nan
        np.save(folder / "c.npy", pixels)
        images = read_images(folder, fill_blank=True, prepared=True)
        assert images["c"].footprint is not None
        assert all(image.prepared for image in images)

    def test_all_bad_files_are_reported_together(self, folder: Path) -> None:
        np.save(folder / "c.npy", np.zeros(SHAPE))
        (folder / "d.fits").write_bytes(b"SIMPLE")
        with pytest.raises(ImageError) as caught:
            read_images(folder)
        lines = str(caught.value).splitlines()
        assert lines[0] == "2 images cannot be used:"
        assert "c.npy is constant" in lines[1]
        assert "d.fits is truncated within a header" in lines[2]
        assert len(lines) == 3

    def test_a_single_bad_file_gets_a_single_sentence(self, folder: Path) -> None:
        (folder / "d.fits").write_bytes(b"SIMPLE")
        with pytest.raises(ImageError) as caught:
            read_images(folder)
        assert str(caught.value).startswith("image ")
        assert "\n" not in str(caught.value)

    def test_long_lists_are_cut_and_counted(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError) as caught:
            read_images([tmp_path / f"{i:02d}.png" for i in range(14)])
        lines = str(caught.value).splitlines()
        assert lines[0] == "14 images cannot be used:"
        assert lines[-1] == "  and 4 more"
        assert len(lines) == 12

    def test_other_errors_are_not_swallowed(self) -> None:
        def broken() -> SourceImage:
            raise RuntimeError("a fault of ours")

        with pytest.raises(RuntimeError, match="a fault of ours"):
            collect_images([broken])


def test_assumptions_are_warnings() -> None:
    with pytest.warns(AssumptionWarning, match="taken as read"):
        assume("taken as read")


def test_files_are_closed_after_errors(tmp_path: Path) -> None:
    path = written(tmp_path, ".fits")
    path.write_bytes(path.read_bytes()[:4000])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for _ in range(3):
            with pytest.raises(ImageError):
                read_image(path)
