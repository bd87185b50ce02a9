"""Sources and annotators named after files, whose names have dots of their own."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import attnxai
from attnxai.annotations import write_annotations
from attnxai.annotations.file_names import name_without_extensions, names_without_extensions
from attnxai.annotations.shapes import ShapeKind
from attnxai.data.images import SourceImage, source_id
from attnxai.errors import LeftOutWarning
from tests.annotations.marks_in_common import PIXEL_SHAPES, marks

MakeImage = Callable[..., SourceImage]
SOURCES = ("J100000.0+282346", "J100000.7-031200", "100_141.648+22.5_0113.31")


@pytest.mark.parametrize("source", [*SOURCES, "dr.smith", "Zo\u00eb 1.4 GHz", "g7"])
@pytest.mark.parametrize(
    "extension",
    [".reg", ".REG", ".crtf", ".fits", ".fits.gz", ".npy", ".png", ".json", ".ds9.reg", ""],
)
def test_only_known_extensions_are_removed(source: str, extension: str) -> None:
    decomposed = unicodedata.normalize("NFD", source)
    assert name_without_extensions(f"marks.v2/{decomposed}{extension}") == source_id(
        source + ".fits"
    )


def test_the_extension_of_the_image_may_stand_before_that_of_the_marks() -> None:
    assert names_without_extensions("g7.1.fits.reg.gz") == ["g7.1.fits.reg", "g7.1.fits", "g7.1"]
    assert names_without_extensions(".reg") == [".reg"]


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("DS9", ".reg"),
        ("CASA", ".crtf"),
        ("FITS regions", ".fits"),
        ("FITS mask", ".fits"),
        ("PNG mask", ".png"),
        ("FITS mask", "_mask.fits"),
        ("FITS mask", ".masks.fits"),
    ],
)
def test_files_of_sources_with_dotted_names(
    tmp_path: Path, make_image: MakeImage, name: str, extension: str
) -> None:
    """Without images the sources are those that they are with images."""
    images = [make_image(source) for source in SOURCES]
    for image in images:
        mark = marks(PIXEL_SHAPES[ShapeKind.POLYGON], source=image.source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeftOutWarning)
            (file,) = write_annotations(
                mark, tmp_path / "made", name, images=[image], overwrite=True
            )
        place = tmp_path / "ann" / f"{image.source}{extension}"
        place.parent.mkdir(exist_ok=True)
        # the content of DS9 and CASA names the source; what is tested is the name of the file
        place.write_bytes(
            re.sub(rb'tag=\{source=[^}]*\}|source="[^"]*",? ?', b"", file.read_bytes())
        )
    for known in (None, images):
        read = attnxai.read_annotations(tmp_path / "ann", known)
        assert sorted(read.sources) == sorted(SOURCES)
        assert len(read) == len(SOURCES)


def test_annotators_with_dotted_names(tmp_path: Path) -> None:
    rows = "source,shape,x,y,label\ng1,point,3,4,core\n"
    (tmp_path / "dr.smith.csv").write_text(rows)
    assert attnxai.read_annotations(tmp_path / "dr.smith.csv").annotators == ("dr.smith",)
    region = "# Region file format: DS9\nicrs\npoint(150,40)\n"
    (tmp_path / "dr.jones.reg").write_text(region)
    read = attnxai.read_annotations(tmp_path / "dr.jones.reg", images=None)
    assert read.sources == ("dr.jones",)
