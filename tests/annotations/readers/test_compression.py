"""Files of annotations that are compressed: any format, damaged ones, and those that unpack to far more."""

from __future__ import annotations

import bz2
import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

import attnxai
from attnxai.annotations import AnnotationSet, write_annotations
from attnxai.annotations.shapes import ShapeKind
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError
from tests.annotations.marks_in_common import PIXEL_SHAPES, as_rows, marks
from tests.annotations.readers.test_components import as_table, as_text

Read = Callable[..., AnnotationSet]
PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress}
FORMATS = {
    "annotation table": "csv", "ECSV": "ecsv", "VOTable": "vot", "FITS table": "fits", "DS9": "reg", "CASA": "crtf",
    "FITS regions": "fits", "Parquet": "parquet", "Excel workbook": "xlsx",
}  # fmt: skip


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format(name: str, packer: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{FORMATS[name]}"
    write_annotations(marks(PIXEL_SHAPES[ShapeKind.CIRCLE], source="a"), path, name)
    plain = attnxai.read_annotations(path)
    path.write_bytes(PACKERS[packer](path.read_bytes()))
    packed = attnxai.read_annotations(path)
    assert as_rows(packed) == as_rows(plain)
    assert packed.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("packer", PACKERS)
def test_catalogues(packer: str, tmp_path: Path, make_image: Callable[..., SourceImage]) -> None:
    as_table().write(tmp_path / "a.fits", format="fits")
    for content in (as_text().encode(), (tmp_path / "a.fits").read_bytes()):
        (tmp_path / "a").write_bytes(PACKERS[packer](content))
        found = attnxai.read_annotations(tmp_path / "a", [make_image("g1", 150.0)])
        assert len(found) == 2


@pytest.mark.parametrize("packer", PACKERS)
def test_masks(packer: str, tmp_path: Path) -> None:
    """Whose formats are compressed by themselves, or read as images are."""
    values = np.zeros((20, 30), dtype=np.uint8)
    values[3:9, 4:12] = 1
    Image.fromarray(values).save(tmp_path / "a.png")
    fits.PrimaryHDU(values.astype("i2")).writeto(tmp_path / "a.fits")
    for name in ("a.png", "a.fits"):
        plain = attnxai.read_annotations(tmp_path / name)
        (tmp_path / name).write_bytes(PACKERS[packer]((tmp_path / name).read_bytes()))
        assert as_rows(attnxai.read_annotations(tmp_path / name)) == as_rows(plain)


def test_several_parts_are_one_file(read: Read) -> None:
    text = "source,annotator,shape,x,y,label\n" + "g1,a,point,1,2,core\n" * 20_000
    for pack in PACKERS.values():
        halves = [pack(half.encode()) for half in (text[:100_000], text[100_000:])]
        assert len(read(b"".join(halves))) == 20_000


@pytest.mark.parametrize("packer", PACKERS)
def test_what_is_refused(packer: str, read: Read) -> None:
    pack = PACKERS[packer]
    text = b"source,annotator,shape,x,y,label\n" + b"g1,a,point,1,2,core\n" * 100
    whole = pack(text)
    if packer == "gzip":
        with pytest.raises(AnnotationError, match="is damaged, or not whole"):
            read(whole[:-10])
    with pytest.raises(AnnotationError, match=rf"compressed by {packer}; no reader"):
        read(whole[:20] + bytes(30))
    with pytest.raises(
        AnnotationError, match=rf"is a PDF document, compressed by {packer}; no reader"
    ):
        read(pack(b"%PDF-1.7"))
    with pytest.raises(
        AnnotationError, match=r"unpacks to more than 67,108,864 bytes; unpack it by"
    ):
        read(pack(text + b"\n" * (1 << 26)))
