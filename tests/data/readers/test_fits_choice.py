"""Which HDU and which plane of a FITS file or an array is read, and the question where several could be."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from attnxai.data.image_files import read_image, read_images
from attnxai.data.image_options import ImageOptions
from attnxai.data.sky import pixel_to_sky
from attnxai.errors import AssumptionWarning, ImageError, OptionError
from tests.data.readers.test_fits import PIXELS, SHAPE, sky_header, written


def of_images(path: Path, *names: str, primary: Any = None, tiled: bool = False) -> Path:
    """A file with an extension of each name, whose pixels have its place added to them."""
    kind = fits.CompImageHDU if tiled else fits.ImageHDU
    hdus = [
        kind(PIXELS + i, sky_header(BUNIT="Jy/beam"), name=name or None)
        for i, name in enumerate(names, start=1)
    ]
    fits.HDUList([fits.PrimaryHDU(primary), *hdus]).writeto(path)
    return path


class TestHDUs:
    def test_the_question_lists_number_name_shape_and_unit(self, tmp_path: Path) -> None:
        path = of_images(tmp_path / "a.fits", "SCI", "MASK", "")
        with pytest.raises(ImageError) as caught:
            read_image(path)
        assert str(caught.value) == (
            f"image {path} has 3 images, HDU 1 SCI (12 x 17, Jy/beam), HDU 2 MASK (12 x 17, Jy/beam), HDU 3 (12 x 17, "
            "Jy/beam); choose one, such as the first by hdu=1"
        )

    @pytest.mark.parametrize("tiled", [False, True])
    @pytest.mark.parametrize("packed", [None, gzip.compress, bz2.compress])
    @pytest.mark.parametrize(
        ("hdu", "number"), [(1, 1), ("2", 2), ("SCI", 1), (" rms ", 3), (3, 3), ("Mask", 2)]
    )
    def test_chosen_by_number_or_name(
        self, tmp_path: Path, hdu: Any, number: int, packed: Any, tiled: bool
    ) -> None:
        path = of_images(tmp_path / "a.fits", "SCI", "MASK", "RMS", tiled=tiled)
        if packed is not None:
            path.write_bytes(packed(path.read_bytes()))
        expected = PIXELS + number
        # Rice keeps 1/4 of the noise in floating point
        np.testing.assert_allclose(read_image(path, hdu=hdu).pixels, expected, atol=0.3 * tiled)

    def test_coordinates_of_the_whole_file(self, tmp_path: Path) -> None:
        """INHERIT gives an extension the cards of a primary header without data (FITS standard 4.0, section 4.4.2.6)."""
        stated = sky_header(BMAJ=5.0 / 3600, BMIN=4.0 / 3600, BPA=10.0)
        expected = pixel_to_sky(read_image(written(tmp_path / "b.fits", stated)).grid.wcs, 3, 4)
        for inherits in (True, False):
            own = fits.Header({"INHERIT": inherits, "BPA": 20.0})
            hdus = [fits.PrimaryHDU(header=stated), fits.ImageHDU(PIXELS, own, name="SCI")]
            fits.HDUList(hdus).writeto(tmp_path / "a.fits", overwrite=True)
            image = read_image(tmp_path / "a.fits")
            if inherits:
                assert image.beam_arcsec == pytest.approx((5.0, 4.0, 20.0))
                np.testing.assert_allclose(pixel_to_sky(image.grid.wcs, 3, 4), expected)
            else:
                assert image.grid.wcs is None

    def test_a_primary_image_beside_others(self, tmp_path: Path) -> None:
        path = of_images(tmp_path / "a.fits", "WEIGHT", primary=PIXELS)
        with pytest.raises(ImageError, match=r"has 2 images, HDU 0 \(12 x 17\), HDU 1 WEIGHT"):
            read_image(path)
        for hdu in (0, "primary"):
            np.testing.assert_array_equal(read_image(path, hdu=hdu).pixels, PIXELS)

    def test_one_image_beside_tables_is_certain(self, tmp_path: Path) -> None:
        table = fits.BinTableHDU.from_columns([fits.Column("n", "J", array=[1, 2])], name="BEAMS")
        line = fits.ImageHDU(np.arange(5.0), name="SPECTRUM")
        image = fits.ImageHDU(PIXELS, name="ANYTHING")
        fits.HDUList([fits.PrimaryHDU(), table, line, image, table]).writeto(tmp_path / "a.fits")
        np.testing.assert_array_equal(read_image(tmp_path / "a.fits").pixels, PIXELS)
        for hdu in (1, 2, 4):
            with pytest.raises(
                ImageError, match=rf"no image in HDU {hdu}; its images are HDU 3 AN"
            ):
                read_image(tmp_path / "a.fits", hdu=hdu)
        with pytest.raises(ImageError, match=r"has no HDU BEAMS; its images are HDU 3 ANYTHING"):
            read_image(tmp_path / "a.fits", hdu="BEAMS")

    @pytest.mark.parametrize("name", ["MASK", "rms", "Weight", "ERR"])
    def test_a_lone_image_that_is_none_of_brightness(self, tmp_path: Path, name: str) -> None:
        path = of_images(tmp_path / "a.fits", name)
        with pytest.raises(ImageError, match=r"which by its name is none of brightness; .* hdu=1"):
            read_image(path)
        np.testing.assert_array_equal(read_image(path, hdu=1).pixels, PIXELS + 1)

    def test_a_name_that_occurs_twice(self, tmp_path: Path) -> None:
        path = of_images(tmp_path / "a.fits", "SCI", "ERR", "SCI")
        with pytest.raises(
            ImageError, match=r"has 2 images in HDUs of the name SCI, HDU 1 SCI .*HDU 3 SCI"
        ):
            read_image(path, hdu="SCI")

    def test_control_characters_of_names_are_not_shown(self, tmp_path: Path) -> None:
        path = of_images(tmp_path / "a.fits", "SCI", "MASK")
        path.write_bytes(path.read_bytes().replace(b"'MASK ", b"'\x1b[2J "))
        with pytest.raises(ImageError, match="has 2 images, ") as caught:
            read_image(path)
        assert "\x1b" not in str(caught.value)

    def test_formats_without_hdus(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", PIXELS)
        with pytest.raises(ImageError, match="is of the format NumPy, without HDUs; leave hdu out"):
            read_image(tmp_path / "a.npy", hdu=1)

    @pytest.mark.parametrize("pack", [None, gzip.compress, bz2.compress])
    def test_lists_of_hdus_without_end_are_not_read_to_it(self, tmp_path: Path, pack: Any) -> None:
        content = of_images(tmp_path / "a.fits", *["x"] * 2).read_bytes()
        one = (len(content) - 2880) // 2
        long = content[: 2880 + one] + content[2880 : 2880 + one] * 1200
        (tmp_path / "a.fits").write_bytes(pack(long) if pack else long)
        with pytest.raises(ImageError, match="has more than 1000 HDUs"):
            read_image(tmp_path / "a.fits", hdu="y")


def cube(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


class TestPlanes:
    def test_the_question_names_the_axes(self, tmp_path: Path) -> None:
        header = sky_header(CTYPE3="FREQ", CTYPE4="STOKES")
        path = written(tmp_path / "a.fits", header, cube((4, 3, *SHAPE)))
        with pytest.raises(ImageError) as caught:
            read_image(path)
        assert str(caught.value) == (
            f"image {path} is a cube of 12 planes, 3 along axis 3 (FREQ) and 4 along axis 4 (STOKES); choose one, "
            "counted from 0, such as the first by plane='0,0'"
        )

    @pytest.mark.parametrize("plane", [(2, 1), "2,1", " 2 , 1"])
    def test_axes_are_counted_as_in_the_header(self, tmp_path: Path, plane: Any) -> None:
        values = cube((4, 3, *SHAPE))
        path = written(tmp_path / "a.fits", sky_header(), values)
        np.testing.assert_array_equal(read_image(path, plane=plane).pixels, values[1, 2])

    @pytest.mark.parametrize("plane", [2, "2", [2], (0, 2), "0,2"])
    def test_axes_of_length_one_need_no_number(self, tmp_path: Path, plane: Any) -> None:
        values = cube((4, 1, *SHAPE))
        path = written(tmp_path / "a.fits", sky_header(), values)
        np.testing.assert_array_equal(read_image(path, plane=plane).pixels, values[2, 0])

    @pytest.mark.parametrize(
        ("plane", "words"),
        [
            ("1,2,3", r"planes 4 along axis 4, for which plane needs 1 number, not 3"),
            (4, r"no plane 4 along axis 4, whose 4 planes are counted from 0"),
            ((1, 0), r"no plane 1 along axis 3, whose 1 plane"),
        ],
    )
    def test_planes_that_are_not_there(self, tmp_path: Path, plane: Any, words: str) -> None:
        path = written(tmp_path / "a.fits", sky_header(), cube((4, 1, *SHAPE)))
        with pytest.raises(ImageError, match=words):
            read_image(path, plane=plane)

    def test_a_single_plane_may_be_called_the_first(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", PIXELS)
        written(tmp_path / "a.fits", sky_header(), PIXELS[None])
        for name in ("a.npy", "a.fits"):
            np.testing.assert_array_equal(read_image(tmp_path / name, plane=0).pixels, PIXELS)
            with pytest.raises(ImageError, match="has a single plane; leave plane out, or give 0"):
                read_image(tmp_path / name, plane=1)

    @pytest.mark.parametrize("at", [0, 1, 2])
    @pytest.mark.parametrize("extra", [1, 3])
    def test_the_sky_may_be_any_two_axes(self, tmp_path: Path, at: int, extra: int) -> None:
        """One more axis before, between and behind those of the sky, whose cards move with them."""
        plain = read_image(written(tmp_path / "plain.fits", sky_header())).grid.wcs
        sky = [axis for axis in (1, 2, 3) if axis != at + 1]
        header = fits.Header()
        for to, axis in enumerate(sky, start=1):
            for name in ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT"):
                header[f"{name}{axis}"] = sky_header()[f"{name}{to}"]
        header[f"CTYPE{at + 1}"] = "FREQ"
        values = cube((extra, *SHAPE))
        path = written(tmp_path / "a.fits", header, np.moveaxis(values, 0, 2 - at))
        image = read_image(path, plane=extra - 1)
        np.testing.assert_array_equal(image.pixels, values[-1])
        np.testing.assert_allclose(
            pixel_to_sky(image.grid.wcs, 16.0, 3.0), pixel_to_sky(plain, 16.0, 3.0), atol=1e-12
        )
        if extra > 1:
            with pytest.raises(ImageError, match=rf"3 along axis {at + 1} \(FREQ\)"):
                read_image(path)

    def test_an_axis_put_before_those_of_the_header(self, tmp_path: Path) -> None:
        """As ``data[:, :, None]`` written with the header of ``data``: which cards are whose is not certain."""
        path = written(tmp_path / "a.fits", sky_header(), PIXELS[:, :, None])
        with pytest.warns(
            AssumptionWarning, match=r"read without a place on the sky, since its axes are 1 and"
        ):
            image = read_image(path)
        np.testing.assert_array_equal(image.pixels, PIXELS)
        assert image.grid.wcs is None

    def test_position_and_velocity_are_no_image(self, tmp_path: Path) -> None:
        header = sky_header(CTYPE3="VELO")
        path = written(tmp_path / "a.fits", header, cube((9, 1, 17)))
        with pytest.raises(
            ImageError, match=r"CTYPE3 is 'VELO': an image needs both axes of the s"
        ):
            read_image(path)

    @pytest.mark.parametrize("shape", [(1, *SHAPE), (*SHAPE, 1), (12, 1, 17), (1, 1, *SHAPE, 1)])
    def test_arrays_lose_axes_of_length_one(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        np.save(tmp_path / "a.npy", PIXELS.reshape(shape))
        np.testing.assert_array_equal(read_image(tmp_path / "a.npy").pixels, PIXELS)

    def test_planes_of_arrays(self, tmp_path: Path) -> None:
        values = cube((3, 1, 4, *SHAPE))
        np.save(tmp_path / "a.npy", values)
        with pytest.raises(
            ImageError, match=r"12 planes, 3 along axis 0 and 4 along axis 2; choose"
        ):
            read_image(tmp_path / "a.npy")
        image = read_image(tmp_path / "a.npy", plane="2,3")
        np.testing.assert_array_equal(image.pixels, values[2, 0, 3])


class TestOptions:
    @pytest.mark.parametrize("hdu", [-1, True, "", " ", 1.0, 2**40, b"SCI"])
    def test_hdus_that_cannot_be_meant(self, hdu: Any) -> None:
        with pytest.raises(OptionError, match="hdu has to be the number of an HDU, from 0, or its"):
            ImageOptions(hdu=hdu)

    @pytest.mark.parametrize("plane", [-1, True, "", "a", "1,,2", "-1", 1.5, [], [1, -1], {1}])
    def test_planes_that_cannot_be_meant(self, plane: Any) -> None:
        with pytest.raises(
            OptionError, match="plane has to be the index of a plane, from 0, or se"
        ):
            ImageOptions(plane=plane)

    def test_what_is_given(self) -> None:
        assert ImageOptions().given() == {}
        given = ImageOptions(prepared=False, hdu=0, plane=0).given()
        assert given == {"prepared": False, "hdu": 0, "plane": (0,)}

    def test_they_reach_every_file_and_are_noted_once(self, tmp_path: Path) -> None:
        for name in "abcd":
            written(tmp_path / f"{name}.fits", sky_header(), PIXELS[:, :, None])
        with pytest.warns(AssumptionWarning) as caught:
            images = read_images(tmp_path, plane=0, hdu=0)
        assert len(images) == 4
        (message,) = [str(one.message) for one in caught]
        assert message.startswith(
            "4 images (a.fits, b.fits, c.fits and 1 more): read without a place"
        )
