"""FITS files: cards as they stand, no more unpacked than is claimed, tiles checked before they are unpacked."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from attnxai.data.image_files import read_image
from attnxai.data.readers.fits_tiles import _holds_rice
from attnxai.data.sky import pixel_to_sky, sky_to_pixel
from attnxai.errors import ImageError
from tests.data.skies import make_wcs

SHAPE = (12, 17)
PIXELS = np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)


def sky_header(**cards: Any) -> fits.Header:
    """Header of an image of 1.8 arcsec a pixel; a card that is None is taken out."""
    header = fits.Header()
    for axis, kind, value in ((1, "RA---SIN", 150.0), (2, "DEC--SIN", 30.0)):
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = kind, "deg"
        header[f"CRVAL{axis}"], header[f"CRPIX{axis}"] = value, 6.0
    header["CDELT1"], header["CDELT2"] = -0.0005, 0.0005
    for name, value in cards.items():
        if value is None:
            del header[name]
        else:
            header[name] = value
    return header


def written(path: Path, header: fits.Header, pixels: Any = PIXELS) -> Path:
    fits.PrimaryHDU(pixels, header).writeto(path, output_verify="ignore", overwrite=True)
    return path


def with_card(path: Path, name: str, card: str) -> Path:
    """Write a card over another, byte by byte, as no library would."""
    content = path.read_bytes()
    at = next(i for i in range(0, len(content), 80) if content[i : i + 8] == name.ljust(8).encode())
    path.write_bytes(content[:at] + card.ljust(80).encode("latin-1") + content[at + 80 :])
    return path


class TestCards:
    @pytest.mark.parametrize(
        ("card", "value"),
        [
            ("CDELT1", "abc"),
            ("CRPIX2", "6"),
            ("CRVAL1", "10:00:00"),
            ("CDELT2", True),
            ("EQUINOX", "spring"),
            ("CROTA2", "none"),
            ("LONPOLE", "180."),
            ("PV2_1", "x"),
            ("CTYPE1", 7),
            ("CUNIT1", 3.0),
            ("RADESYS", 2000),
        ],
    )
    def test_text_where_a_number_belongs_and_the_reverse(
        self, tmp_path: Path, card: str, value: Any
    ) -> None:
        path = written(tmp_path / "a.fits", sky_header(**{card: value}))
        with pytest.raises(ImageError) as caught:
            read_image(path)
        text = str(caught.value)
        assert text.startswith(f"image {path} cannot be used: its card {card} is {value!r}")
        assert "\n" not in text

    @pytest.mark.parametrize(
        ("card", "written_as", "words"),
        [
            ("CUNIT2", "BSCALE  = '1,5'", "BSCALE is '1,5' but should be a finite number"),
            ("CUNIT2", "BZERO   = 'zero'", "BZERO is 'zero' but should be a finite number"),
            ("CUNIT2", "BSCALE  = 0", "BSCALE is 0 but should be a number other than 0"),
            ("CDELT1", "CDELT1  = NaN", "CDELT1 is "),
            ("CDELT1", "CDELT1  = 0,0005", "CDELT1 is "),
            ("CDELT1", "CDELT1  =", "CDELT1 is "),
            ("CDELT1", "CDELT1  = 0.0005 arcsec", "CDELT1 is "),
            (
                "CUNIT2",
                "CDELT1  =              -0.0004",
                "CDELT1 is there 2 times with different",
            ),
            (
                "NAXIS1",
                "NAXIS1  =                 17.5",
                "NAXIS1 is 17.5 but should be a whole number",
            ),
            (
                "NAXIS1",
                "NAXIS1  =                  -17",
                "NAXIS1 is -17 but should be a whole number",
            ),
            ("NAXIS1", "NAXIS1  = " + "9" * 60, "NAXIS1 is 999"),
            (
                "NAXIS",
                "NAXIS   =                 9999",
                "NAXIS is 9999 but should be a whole number from 0 to 32",
            ),
            ("BITPIX", "BITPIX  =                   31", "BITPIX is 31 but should be one of 8, 16"),
        ],
    )
    def test_cards_that_no_library_writes(
        self, tmp_path: Path, card: str, written_as: str, words: str
    ) -> None:
        path = with_card(written(tmp_path / "a.fits", sky_header()), card, written_as)
        with pytest.raises(ImageError, match=f"cannot be used: its card {words}"):
            read_image(path)

    @pytest.mark.parametrize("missing", ["CDELT1", "CRVAL2", "CRPIX1"])
    def test_nothing_is_filled_in(self, tmp_path: Path, missing: str) -> None:
        path = written(tmp_path / "a.fits", sky_header(**{missing: None}))
        with pytest.raises(ImageError, match=f"its card {missing} is missing: it has to state "):
            read_image(path)

    @pytest.mark.parametrize(
        ("cards", "named"),
        [
            ({"CDELT1": None, "CDELT2": None, "CD1_1": 0.0, "CD2_2": 0.0005}, "CD1_1 is 0.0"),
            ({"CD1_1": -0.0005}, "CDELT2 is 0.0005"),
            ({"CDELT2": 0.0}, "CDELT2 is 0.0"),
        ],
    )
    def test_an_axis_without_a_scale(self, tmp_path: Path, cards: Any, named: str) -> None:
        # astropy gives such an axis 1 degree a pixel
        path = written(tmp_path / "a.fits", sky_header(**cards))
        with pytest.raises(ImageError, match=f"its card {named}: it has to state the size"):
            read_image(path)

    @pytest.mark.parametrize("scale", [1e-300, 1e300, 1e-14, 50.0, 0.0])
    def test_absurd_scales(self, tmp_path: Path, scale: float) -> None:
        path = written(tmp_path / "a.fits", sky_header(CDELT1=scale))
        with pytest.raises(ImageError, match=r"its card (CDELT1|CTYPE1) is .*(: | but should be )"):
            read_image(path)

    def test_axes_along_one_line_of_the_sky(self, tmp_path: Path) -> None:
        """Rotated, so that each axis has a scale, but of a second axis without extent."""
        cards = {"PC1_1": 0.8, "PC1_2": 0.6, "PC2_1": -0.6, "PC2_2": 0.8, "CDELT2": 1e-320}
        path = written(tmp_path / "a.fits", sky_header(**cards))
        with pytest.raises(ImageError, match=r"its card CDELT2 is .*: .*along one line of the sky"):
            read_image(path)

    @pytest.mark.parametrize("name", ["GAPPT", "FK6", "B1950_VLA"])
    def test_unknown_frames_are_refused_when_they_are_read(self, tmp_path: Path, name: str) -> None:
        path = written(tmp_path / "a.fits", sky_header(RADESYS=name))
        with pytest.raises(ImageError, match=f"RADESYS is '{name}': known frames are ICRS, FK5"):
            read_image(path)

    def test_what_does_not_fit_together_names_the_cards_and_no_line_of_c(
        self, tmp_path: Path
    ) -> None:
        path = written(tmp_path / "a.fits", sky_header(CTYPE2="DEC--TAN"))
        with pytest.raises(
            ImageError, match=r"CTYPE1 = 'RA---SIN', .*CTYPE2 = 'DEC--TAN'"
        ) as caught:
            read_image(path)
        assert "wcs" not in str(caught.value).replace(str(path), "").lower()
        assert "truncated" not in str(caught.value)

    def test_a_distortion_that_cannot_be_inverted(self, tmp_path: Path) -> None:
        sip = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "B_ORDER": 2}
        path = written(tmp_path / "a.fits", sky_header(A_2_0=-1.0, **sip))
        with pytest.raises(ImageError, match=r"its distortion \(SIP\) cannot be inverted"):
            read_image(path)

    def test_pixels_of_no_size_that_are_turned(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.fits", sky_header(CDELT1=1e-320, CROTA2=20.0))
        with pytest.raises(ImageError, match="arcsec cannot be an image of the sky"):
            read_image(path)

    def test_an_image_beside_the_sky(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.fits", sky_header(CRPIX1=1e6))
        with pytest.raises(ImageError, match="its centre lies nowhere on the sky"):
            read_image(path)

    @pytest.mark.parametrize(
        "cards",
        [
            {},
            {"CUNIT1": "DEGREES", "CUNIT2": "Deg"},
            {"CTYPE1": "ra---sin", "CTYPE2": "dec--sin"},
            {"EQUINOX": 1950.0, "RADESYS": "FK4"},
            {"EPOCH": 2000.0, "CROTA2": 20.0},
            {"PC01_01": 0.8, "PC01_02": -0.6, "PC02_01": 0.6, "PC02_02": 0.8},
            {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR"},
            {"CD1_1": -0.0004, "CD1_2": 0.0001, "CD2_1": 0.0001, "CD2_2": 0.0004, "CDELT1": None, "CDELT2": None},
            {"PC1_1": 0.8, "PC1_2": 0.6, "PC2_1": -0.6, "PC2_2": 0.8, "LONPOLE": 180.0},
            {"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CDELT3": 0.0, "CRPIX3": "nonsense"},
            {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "A_2_0": 1e-5, "B_ORDER": 2, "B_1_1": 1e-5},
        ],
    )  # fmt: skip
    def test_good_headers_place_pixels_as_astropy_does(
        self, tmp_path: Path, cards: dict[str, Any]
    ) -> None:
        header = sky_header(**cards)
        grid = read_image(written(tmp_path / "a.fits", header)).grid
        plain = header.copy()
        for name in ("CTYPE3", "CRVAL3", "CDELT3", "CRPIX3"):
            plain.remove(name, ignore_missing=True)
        for axis in (1, 2):
            plain[f"CTYPE{axis}"] = plain[f"CTYPE{axis}"].upper()
            plain[f"CUNIT{axis}"] = "deg"
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about indices with leading zeros
            expected = WCS(plain).pixel_to_world([0, 16], [0, 11]).icrs
        ra, dec = pixel_to_sky(grid.wcs, [0, 16], [0, 11])
        np.testing.assert_allclose(ra, expected.ra.deg, atol=1e-9)
        np.testing.assert_allclose(dec, expected.dec.deg, atol=1e-9)

    def test_declination_may_be_the_first_axis(self, tmp_path: Path) -> None:
        header = sky_header()
        for name in ("CTYPE", "CRVAL", "CDELT"):
            header[f"{name}1"], header[f"{name}2"] = header[f"{name}2"], header[f"{name}1"]
        grid = read_image(written(tmp_path / "a.fits", header)).grid
        ra, dec = pixel_to_sky(grid.wcs, 15.0, 5.0)
        assert float(dec) == pytest.approx(30.005, abs=1e-6)
        assert float(ra) == pytest.approx(150.0, abs=1e-6)
        x, y = sky_to_pixel(grid.wcs, ra, dec)
        assert (float(x), float(y)) == pytest.approx((15.0, 5.0), abs=1e-6)

    def test_blank_integers_are_nan(self, tmp_path: Path) -> None:
        values = np.arange(204, dtype=np.int16).reshape(SHAPE)
        header = sky_header(BLANK=25, BSCALE=0.5, BZERO=10.0)
        path = tmp_path / "a.fits"
        hdu = fits.PrimaryHDU(values)
        hdu.header["BLANK"] = 25
        hdu.writeto(path)
        assert header["BLANK"] == 25
        with pytest.raises(ImageError, match="has 1 of 204 pixels that are NaN"):
            read_image(path)
        footprint = read_image(path, fill_blank=True).footprint
        assert footprint is not None
        assert np.argwhere(~footprint).tolist() == [[1, 8]]

    @pytest.mark.parametrize("kind", [np.uint16, np.uint32, np.int8])
    @pytest.mark.parametrize("hdu", [fits.ImageHDU, fits.CompImageHDU])
    def test_unsigned_integers(self, tmp_path: Path, hdu: Any, kind: Any) -> None:
        # which FITS holds as signed ones with a BZERO of half their range
        values = np.arange(204).astype(kind).reshape(SHAPE)
        values[3, 4] = np.iinfo(kind).max
        path = tmp_path / "a.fits"
        fits.HDUList([fits.PrimaryHDU(), hdu(values)]).writeto(path)
        assert "BZERO" in fits.getheader(path, 1)
        np.testing.assert_array_equal(read_image(path).pixels, values.astype(np.float32))


class TestWhatAFileIs:
    def test_visibilities_are_named(self, tmp_path: Path) -> None:
        values = np.zeros((3, 1, 1, 1, 1, 3))
        data = fits.GroupData(values, bitpix=-32, parnames=["UU"], pardata=[np.zeros(3)])
        fits.GroupsHDU(data).writeto(tmp_path / "uv.fits")
        with pytest.raises(ImageError, match="is a FITS file of visibilities"):
            read_image(tmp_path / "uv.fits")

    def test_sizes_of_a_truncated_file(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.fits", sky_header())
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(
            ImageError, match="truncated: its header claims 2880 bytes of pixels, and 880 follow"
        ):
            read_image(path)

    def test_a_header_without_end(self, tmp_path: Path) -> None:
        (tmp_path / "a.fits").write_bytes(b"SIMPLE  =".ljust(80) + b" " * 2880 * 4200)
        with pytest.raises(ImageError, match="has a header without END"):
            read_image(tmp_path / "a.fits")


def packed(path: Path, header: str, n_bytes: int) -> Path:
    """A gzip file with a header and zeros behind it."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.encode())
        for _ in range(n_bytes >> 20):
            file.write(bytes(1 << 20))
    return path


class TestGzip:
    def test_no_more_is_unpacked_than_the_header_claims(self, tmp_path: Path) -> None:
        header = fits.PrimaryHDU(np.zeros((4, 4), np.uint8)).header.tostring()
        path = packed(tmp_path / "bomb.fits.gz", header, 256 << 20)
        tracemalloc.start()
        try:
            with pytest.raises(ImageError, match="is constant"):
                read_image(path)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("shape", [(100_000, 100_000), (1 << 40, 1)])
    def test_claims_that_a_small_file_cannot_hold(
        self, tmp_path: Path, shape: tuple[int, int]
    ) -> None:
        header = fits.PrimaryHDU(np.zeros((4, 4), np.uint8)).header
        header["NAXIS1"], header["NAXIS2"] = shape
        path = packed(tmp_path / "a.fits", header.tostring(), 1 << 20)
        with pytest.raises(ImageError, match=r"claims \d+ x \d+ pixels in a compressed file"):
            read_image(path)

    def test_data_before_the_image_are_not_unpacked_without_limit(self, tmp_path: Path) -> None:
        header = fits.PrimaryHDU(np.zeros(4, np.uint8)).header
        header["NAXIS1"] = 1 << 40
        path = packed(tmp_path / "a.fits", header.tostring(), 1 << 20)
        with pytest.raises(ImageError, match="bytes of data beside its image"):
            read_image(path)

    def test_a_header_without_end_within_gzip(self, tmp_path: Path) -> None:
        path = packed(tmp_path / "a.fits.gz", "SIMPLE  =", 64 << 20)
        with pytest.raises(ImageError, match="has a header without END"):
            read_image(path)

    def test_something_else_within_gzip(self, tmp_path: Path) -> None:
        (tmp_path / "a.fits.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
        with pytest.raises(ImageError, match="holds no FITS file within gzip"):
            read_image(tmp_path / "a.fits.gz")

    def test_checksum_of_the_file(self, tmp_path: Path) -> None:
        content = bytearray(gzip.compress(written(tmp_path / "a.fits", sky_header()).read_bytes()))
        content[-6] ^= 1
        (tmp_path / "a.fits.gz").write_bytes(content)
        with pytest.raises(ImageError, match="its gzip compression is truncated or damaged"):
            read_image(tmp_path / "a.fits.gz")


def tiled(path: Path, values: Any, method: str = "RICE_1", **options: Any) -> Path:
    hdu = fits.CompImageHDU(values, sky_header(), compression_type=method, **options)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)
    return path


INTEGERS = np.random.default_rng(5).integers(-300, 300, (30, 41)).astype(np.int32)


class TestTiles:
    @pytest.mark.parametrize("method", ["RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS"])
    @pytest.mark.parametrize("tile", [None, (7, 8), (30, 41)])
    @pytest.mark.parametrize("dtype", ["u1", "i2", "i4"])
    def test_integers_come_back(
        self, tmp_path: Path, method: str, tile: tuple[int, int] | None, dtype: str
    ) -> None:
        values = np.abs(INTEGERS).clip(0, 255).astype(dtype)
        image = read_image(tiled(tmp_path / "a.fits", values, method, tile_shape=tile))
        np.testing.assert_array_equal(image.pixels, values)
        assert image.grid.pixel_scale_arcsec == pytest.approx(1.8)

    @pytest.mark.parametrize("method", ["RICE_1", "GZIP_2"])
    def test_floats_as_astropy_reads_them(self, tmp_path: Path, method: str) -> None:
        values = INTEGERS * 0.01 + np.random.default_rng(6).normal(size=INTEGERS.shape)
        values[3] = 0.5  # which Rice cannot quantise, and gzip compresses
        path = tiled(tmp_path / "a.fits", values.astype(np.float32), method)
        with fits.open(path) as hdus:
            expected = np.array(hdus[1].data)
        np.testing.assert_array_equal(read_image(path).pixels, expected)

    @pytest.mark.parametrize("method", ["HCOMPRESS_1", "PLIO_1"])
    def test_decoders_that_trust_the_stream_are_not_started(
        self, tmp_path: Path, method: str
    ) -> None:
        path = with_card(tiled(tmp_path / "a.fits", INTEGERS), "ZCMPTYPE", f"ZCMPTYPE= '{method}'")
        with pytest.raises(ImageError, match=f"ZCMPTYPE is '{method}': RICE_1 or GZIP_1 are read"):
            read_image(path)

    @pytest.mark.parametrize(
        ("card", "value"),
        [
            ("ZNAXIS1", 2**31),
            ("ZNAXIS2", 31),
            ("ZTILE1", 42),
            ("ZTILE2", 0),
            ("ZVAL1", 0),
            ("ZVAL2", 3),
            ("ZBITPIX", 7),
            ("NAXIS1", 9),
            ("NAXIS2", 3),
            ("PCOUNT", 10),
            ("TFORM1", "'9PB(300)'"),
            ("TTYPE1", "'ELSE'"),
            ("TFIELDS", 900),
        ],
    )
    def test_cards_that_contradict_the_table(self, tmp_path: Path, card: str, value: Any) -> None:
        path = with_card(tiled(tmp_path / "a.fits", INTEGERS), card, f"{card.ljust(8)}= {value}")
        with pytest.raises(ImageError, match=r"its card .* is |claims .* pixels"):
            read_image(path)

    def test_a_tile_that_inflates(self, tmp_path: Path) -> None:
        path = tiled(tmp_path / "a.fits", INTEGERS, "GZIP_1", tile_shape=(30, 41))
        with fits.open(path, disable_image_compression=True) as hdus:
            row = np.frombuffer(gzip.compress(bytes(1 << 22)), np.uint8)
            array = np.empty(1, dtype=object)
            array[0] = row
            column = fits.Column("COMPRESSED_DATA", "1PB()", array=array)
            table = fits.BinTableHDU.from_columns([column])
            for name in (
                "ZIMAGE",
                "ZCMPTYPE",
                "ZBITPIX",
                "ZNAXIS",
                "ZNAXIS1",
                "ZNAXIS2",
                "ZTILE1",
                "ZTILE2",
            ):
                table.header[name] = hdus[1].header[name]
        buffer = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
        path.write_bytes(buffer.getvalue())
        with pytest.raises(ImageError, match=r"one inflates to more than 10864 bytes"):
            read_image(path)

    @pytest.mark.parametrize("dtype", ["u1", "i2", "i4"])
    @pytest.mark.parametrize("size", [1, 31, 32, 33, 1230])
    @pytest.mark.parametrize("spread", [0, 3, 100, 30_000])
    def test_length_of_a_rice_stream(
        self, tmp_path: Path, dtype: str, size: int, spread: int
    ) -> None:
        """A stream holds its values, and holds them no longer without its last byte."""
        limits = np.iinfo(dtype)
        drawn = np.random.default_rng(size).integers(-spread, spread + 1, (2, size))
        values = drawn.clip(limits.min, limits.max).astype(dtype)
        path = tiled(tmp_path / "a.fits", values, tile_shape=(1, size))
        with fits.open(path, disable_image_compression=True) as hdus:
            streams = [bytes(row) for row in hdus[1].data["COMPRESSED_DATA"]]
        for stream in streams:
            n_bytes = np.dtype(dtype).itemsize
            assert _holds_rice(stream, size, 32, n_bytes)
            assert not _holds_rice(stream[:-1], size, 32, n_bytes)


def test_place_of_a_real_header_is_kept(tmp_path: Path) -> None:
    wcs = make_wcs(SHAPE, turn_deg=33.0)
    read = read_image(written(tmp_path / "a.fits", wcs.to_header())).grid.wcs
    for x, y in ((0, 0), (16, 11), (8, 3)):
        np.testing.assert_allclose(pixel_to_sky(read, x, y), pixel_to_sky(wcs, x, y), atol=1e-10)


@pytest.mark.parametrize(
    ("cards", "survey"),
    [
        ({"SURVEY": "VLA FIRST (1.4 GHz)", "TELESCOP": "VLA"}, "VLA FIRST (1.4 GHz)"),
        ({"TELESCOP": "VLA", "OBSERVER": "NVSS GRP"}, "NVSS"),
        ({"TELESCOP": "EVLA", "FILNAM01": "VLASS2.1"}, "VLASS"),
        ({"TELESCOP": "ASKAP", "OBJECT": "RACS_1237+00A"}, "RACS"),
        ({"TELESCOP": "MeerKAT", "OBJECT": "FIRSTLY"}, "MeerKAT"),
        ({"TELESCOP": "", "INSTRUME": " A  B "}, "A B"),
        ({"ORIGIN": "my simulation"}, "my simulation"),
        ({"TELESCOP": 5, "OBJECT": True}, ""),
        ({}, ""),
    ],
)
def test_the_survey_is_that_of_the_header(tmp_path, cards, survey):
    fits.PrimaryHDU(np.eye(9), fits.Header(cards)).writeto(tmp_path / "a.fits")
    assert read_image(tmp_path / "a.fits").survey == survey
