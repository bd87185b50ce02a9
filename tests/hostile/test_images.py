"""Damaged and made-up image files: read, or refused in one sentence, whatever they hold."""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import importlib
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import strategies as st
from PIL import Image

from attnxai.data.image_files import read_image
from attnxai.data.readers import READERS
from attnxai.data.sky import pixel_to_sky, sky_to_pixel
from tests.data.readers.test_fits import sky_header
from tests.hostile.harness import EFFORTS, fuzz, in_own_process
from tests.hostile.mutations import EXTREME_NUMBERS, Damaged, Edit, damaged

RNG = np.random.default_rng(8)
VALUES = RNG.integers(-99, 99, (12, 17)).astype(np.int32)


def read(path: Path) -> Any:
    """Read an image and ask what a report asks of it."""
    image = read_image(path, fill_blank=True)
    image.sha256()
    if image.grid.wcs is not None:
        image.grid.north_and_east()
        ra, dec = pixel_to_sky(image.grid.wcs, 0.0, 0.0)
        if np.isfinite([ra, dec]).all():
            sky_to_pixel(image.grid.wcs, ra, dec)
    return image


def of_hdus(*hdus: Any) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(buffer, output_verify="ignore")
    return buffer.getvalue()


def plain_files() -> list[bytes]:
    scaled = fits.PrimaryHDU(VALUES.astype(np.int16), sky_header(BMAJ=0.001, BMIN=0.001, BPA=3.0))
    scaled.header["BLANK"] = 5
    sip = sky_header(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2, A_2_0=1e-5)
    turned = sky_header(CROTA2=20.0, EQUINOX=1950.0, RADESYS="FK4", CTYPE3="FREQ", CRVAL3=1.4e9)
    matrix = sky_header(PC1_1=0.8, PC1_2=0.6, PC2_1=-0.6, PC2_2=0.8, PV2_1=0.1, LONPOLE=180.0)
    return [
        of_hdus(scaled),
        of_hdus(fits.PrimaryHDU(VALUES.astype(np.float32), sip)),
        of_hdus(fits.PrimaryHDU(), fits.ImageHDU(VALUES.astype(np.float64), turned)),
        of_hdus(fits.PrimaryHDU(VALUES[None].astype(np.uint8), matrix)),
        # several images, and a cube: refused as they are, but not after damage of every kind
        of_hdus(
            fits.PrimaryHDU(),
            fits.ImageHDU(VALUES.astype(np.float32), sky_header(), name="SCI"),
            fits.ImageHDU(VALUES.astype(np.float32), sky_header(), name="RMS"),
        ),
        of_hdus(fits.PrimaryHDU(np.stack([VALUES] * 3).astype(np.float32), sky_header())),
        bz2.compress(of_hdus(scaled)),
    ]


def tiled_files() -> list[bytes]:
    floats = VALUES + RNG.normal(size=VALUES.shape)
    return [
        of_hdus(fits.PrimaryHDU(), fits.CompImageHDU(values, sky_header(), **options))
        for values, options in (
            (VALUES, {}),
            (VALUES.astype(np.int16), {"tile_shape": (5, 6)}),
            (np.abs(VALUES).astype(np.uint8), {"compression_type": "GZIP_2"}),
            (floats, {"quantize_method": 1}),
            (floats.astype(np.float32), {"compression_type": "GZIP_1", "tile_shape": (12, 17)}),
        )
    ]


def pictures() -> list[bytes]:
    grey = Image.fromarray(np.abs(VALUES).astype(np.uint8))
    wide = Image.fromarray((np.abs(VALUES) * 300).astype(np.uint16))
    found = []
    for picture, options in (
        (grey, {}),
        (grey.convert("RGB"), {}),
        (grey.convert("P"), {"transparency": 3}),
        (grey.convert("LA"), {}),
        (grey.convert("1"), {}),
        (wide, {}),
    ):
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG", **options)
        found.append(buffer.getvalue())
    return found


def arrays() -> list[bytes]:
    found = []
    for values in (
        VALUES,
        VALUES.astype(">f8"),
        np.asfortranarray(VALUES) > 0,
        VALUES.astype("f2"),
    ):
        for version in ((1, 0), (2, 0)):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, values, version=version)
            found.append(buffer.getvalue())
    return found


def with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they hold, so that damage reaches the decoder."""
    parts, at = [content[:8]], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(content):
            break
        chunk = content[at + 4 : end]
        parts.append(content[at : at + 4] + chunk + zlib.crc32(chunk).to_bytes(4, "big"))
        at = end + 4
    return b"".join(parts) + content[at:]


CARDS = [
    card.ljust(80).encode()
    for card in (
        "END",
        "NAXIS   =                    3",
        "NAXIS1  =           4294967296",
        "NAXIS2  =                   -1",
        "BITPIX  =                  -64",
        "GCOUNT  =           1000000000",
        "PCOUNT  =           1000000000",
        "GROUPS  =                    T",
        "ZIMAGE  =                    T",
        "CDELT1  = 'abc'",
        "CDELT1  =                  NaN",
        "CDELT2  =              1.0E300",
        "CRPIX1  =              1.0E-99",
        "CTYPE1  = 'GLON-AIT'",
        "CTYPE2  = 'DEC--XYZ'",
        "CTYPE3  = 'RA---SIN'",
        "CUNIT1  = 'Jy/beam'",
        "RADESYS = 'J2000'",
        "EQUINOX =                 1e99",
        "LONPOLE =               -1e308",
        "A_ORDER =            999999999",
        "CPDIS1  = 'LOOKUP'",
        "XTENSION= 'IMAGE   '",
        "BSCALE  =                    0",
        "BLANK   =                  0.5",
        "HIERARCH a b c = 1",
        "CONTINUE 'x'",
        "ZCMPTYPE= 'PLIO_1'",
        "ZTILE1  =                    1",
        "ZNAXIS1 =                65536",
        "THEAP   =                  100",
        "ZDITHER0=                   -1",
        "ZQUANTIZ= 'NO_DITHER'",
        "TFORM1  = '1QB(9)'",
        "ZVAL2   =                    8",
    )
]


@dataclasses.dataclass(frozen=True)
class CardEdit:
    """Another card, or another value, in the place of a card of a header."""

    start: float
    card: bytes = b""
    value: bytes = b""

    def apply(self, content: bytes) -> bytes:
        slots = [at for at in range(0, len(content), 80) if content[at + 8 : at + 10] == b"= "]
        if not slots:
            return content
        at = slots[int(self.start * len(slots))]
        card = self.card or content[at : at + 10] + self.value.rjust(20)[:70]
        return content[:at] + card.ljust(80) + content[at + 80 :]


def with_cards(valid: list[bytes], wrap: Any = None) -> st.SearchStrategy[Damaged]:
    """Files whose headers stay headers, with a few other cards and bytes."""
    where = st.floats(0, 1, exclude_max=True)
    edits = st.one_of(
        st.builds(CardEdit, where, card=st.sampled_from(CARDS)),
        st.builds(CardEdit, where, value=st.sampled_from(EXTREME_NUMBERS)),
        st.builds(Edit, st.just("flip"), where, st.integers(1, 255)),
        st.builds(
            Edit,
            st.just("overwrite"),
            st.floats(0.6, 1, exclude_max=True),
            data=st.binary(min_size=1, max_size=40),
        ),
    )
    return st.builds(
        lambda index, changes: Damaged(f"valid[{index}]", valid[index], tuple(changes), wrap),
        st.integers(0, len(valid) - 1),
        st.lists(edits, min_size=1, max_size=4),
    )


CHUNKS = [b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"zTXt", b"iCCP", b"acTL", b"fcTL", b"fdAT", b"eXIf"]
NPY_WORDS = [b"'|O'", b"'<U9'", b"'>c16'", b"(1000000,1000000)", b"True", b"__import__('os')", b"*"]


SEEDS: dict[str, dict[str, Any]] = {
    "FITS": {"valid": plain_files(), "words": CARDS, "text": True},
    "NumPy": {"valid": arrays(), "words": NPY_WORDS, "text": True},
    "PNG": {"valid": pictures(), "words": CHUNKS, "wrap": with_checksums},
}
"""Valid files of every reader by its name, and how they are damaged; see ``damaged``."""


def test_every_reader_has_seeds() -> None:
    missing = [name for name in READERS if name not in SEEDS]
    assert not missing, f"add to SEEDS in tests/hostile/test_images.py valid files of {missing}"
    for name, how in SEEDS.items():
        reader = READERS.recognising(how["valid"][0], f"SEEDS[{name!r}]")
        found = reader and reader.name
        assert found == name, (
            f"correct SEEDS[{name!r}] in tests/hostile/test_images.py: its first file is {found}"
        )


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files(name: str, effort: int) -> None:
    fuzz(read, damaged(**SEEDS[name]), file_name="a.png", examples=150 * effort)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("wrap", [None, gzip.compress], ids=["plain", "gzip"])
def test_headers_of_fits(effort: int, wrap: Any) -> None:
    either = st.one_of(
        with_cards(plain_files(), wrap), damaged(plain_files(), words=CARDS, wrap=wrap, text=True)
    )
    fuzz(read, either, file_name="a.fits", examples=200 * effort)


def _fuzz_tiles(effort: int) -> None:
    importlib.import_module("scipy.ndimage")  # with which NumPy 2.0 runs lscpu
    fuzz(read, with_cards(tiled_files()), file_name="a.fits", examples=250 * effort)


@pytest.mark.parametrize("effort", EFFORTS)
def test_tiles_do_not_crash_their_decoder(effort: int) -> None:
    in_own_process(_fuzz_tiles, effort, seconds=1500)


@pytest.mark.parametrize("effort", EFFORTS)
def test_anything(effort: int) -> None:
    starts = [
        b"",
        b"SIMPLE  =",
        b"\x1f\x8b\x08\x00",
        b"\x89PNG\r\n\x1a\n",
        b"\x93NUMPY\x01\x00",
        b"%!PS",
    ]
    files = st.builds(
        lambda start, rest: start + rest, st.sampled_from(starts), st.binary(max_size=500)
    )
    fuzz(read, files, file_name="a.png", examples=60 * effort)
