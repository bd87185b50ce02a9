"""One reader a format, found by what a file holds; more can be registered from outside."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import attnxai
import attnxai.data
from attnxai.data.foreign_content import describe_content
from attnxai.data.grid import RowZero
from attnxai.data.image_files import read_image, read_images
from attnxai.data.images import source_id
from attnxai.errors import ImageError, OptionError

PIXELS = np.arange(12.0).reshape(3, 4)
BUILT_IN = list(attnxai.data.READERS)


@pytest.fixture
def toy():
    """A format of one's own: a first line, and then rows of numbers."""

    @attnxai.data.register_reader(
        "toy map",
        recognises=lambda head: head.startswith(b"TOYMAP"),
        extensions=(".toy", ".toy.txt"),
    )
    def read_toy(path):
        return attnxai.data.ImageContent(
            pixels=np.loadtxt(path, skiprows=1), pixel_scale_arcsec=2.5, row_zero=RowZero.TOP
        )

    yield read_toy
    attnxai.data.READERS.pop("toy map")


def write_toy(path: Path) -> Path:
    rows = "\n".join(" ".join(map(str, row)) for row in PIXELS)
    path.write_text(f"TOYMAP\n{rows}\n")
    return path


@pytest.mark.usefixtures("toy")
class TestToy:
    def test_is_read_whatever_its_ending(self, tmp_path: Path) -> None:
        for name in ("J1.5.toy", "J1.5.toy.txt", "J1.5.fits", "J1.5"):
            image = attnxai.data.read_image(write_toy(tmp_path / name))
            np.testing.assert_array_equal(image.pixels, PIXELS)
            assert image.grid.pixel_scale_arcsec == 2.5
            assert image.grid.row_zero is RowZero.TOP

    def test_is_found_in_a_folder_and_named_by_its_file(self, tmp_path: Path) -> None:
        write_toy(tmp_path / "a.toy.txt")
        write_toy(tmp_path / "b.TOY")
        write_toy(tmp_path / "notes.txt")
        np.save(tmp_path / "c.npy", PIXELS)
        assert read_images(tmp_path).sources == ("a", "b", "c")
        assert source_id("x/J1.5.toy.txt") == "J1.5"

    def test_errors_name_it_among_the_known_formats(self, tmp_path: Path) -> None:
        (tmp_path / "a.gif").write_bytes(b"GIF89a...")
        with pytest.raises(
            ImageError,
            match=rf"is a GIF image, .* known formats are {', '.join(BUILT_IN)}, toy map",
        ):
            read_image(tmp_path / "a.gif")

    def test_a_name_belongs_to_one_module(self, toy: Any) -> None:
        with pytest.raises(OptionError, match=f"called {BUILT_IN[0]} is registered by attnxai"):
            attnxai.data.register_reader(BUILT_IN[0], recognises=lambda head: True)(toy)
        attnxai.data.register_reader("toy map", recognises=lambda head: False)(toy)  # run again
        assert list(attnxai.data.READERS) == [*BUILT_IN, "toy map"]


def test_every_format_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "images.md").read_text(
        encoding="utf-8"
    )
    for reader in attnxai.data.READERS.values():
        row, *_ = re.findall(rf"^\| {re.escape(reader.name)} .*", page, re.MULTILINE) or [""]
        assert row, (
            f"add a row for {reader.name} to the table of formats in docs/reference/images.md, which begins with "
            f"'| {reader.name} |'"
        )
        missing = [one for one in reader.extensions if f"`{one.removesuffix('.gz')}`" not in row]
        assert not missing, (
            f"add to the row of {reader.name} in docs/reference/images.md: {missing}"
        )


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda path: int("a"), r"failed with ValueError \(invalid literal .*: 'a'\); if the file"),
        (lambda path: (path / "x").read_bytes(), r"failed with NotADirectoryError \([^;]*\)$"),
        (lambda path: np.eye(2), r"failed with TypeError \(it returned ndarray, not ImageContent"),
    ],
)
def test_faults_of_a_reader_name_it_and_the_file(answer: Any, text: str, tmp_path: Path) -> None:
    attnxai.data.register_reader("mine", recognises=lambda head: head == b"#m")(answer)
    (tmp_path / "a").write_bytes(b"#m")
    try:
        with pytest.raises(
            ImageError, match=rf"image .*a cannot be .* of the format mine {text}"
        ) as caught:
            read_image(tmp_path / "a")
        assert caught.value.__cause__ is not None
    finally:
        attnxai.data.READERS.pop("mine")


def test_the_last_one_registered_is_asked_first(tmp_path: Path) -> None:
    @attnxai.data.register_reader("mine", recognises=lambda head: head.startswith(b"\x93NUMPY"))
    def read_mine(path):
        return attnxai.data.ImageContent(pixels=-np.load(path))

    try:
        np.save(tmp_path / "a.npy", PIXELS)
        np.testing.assert_array_equal(read_image(tmp_path / "a.npy").pixels, -PIXELS)
    finally:
        attnxai.data.READERS.pop("mine")
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy").pixels, PIXELS)


@pytest.mark.parametrize("ending", ["toy", "", "."])
def test_endings_begin_with_a_dot(ending: str) -> None:
    with pytest.raises(OptionError, match="has to begin with a dot"):
        attnxai.data.register_reader("mine", recognises=lambda head: True, extensions=(ending,))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "WEBP", "JPEG", "EPS", "ICO", "PPM"])
def test_no_other_plugin_of_pillow_sees_a_file_called_png(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path, format=kind)
    if attnxai.data.READERS.recognising(path.read_bytes(), str(path)):
        pytest.skip(f"attnxai has a reader of its own for {kind}")
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: pytest.fail(f"started {args}")
    )
    with pytest.raises(
        ImageError, match=f"which is not read; known formats are {', '.join(BUILT_IN)}"
    ):
        read_image(path)


def test_other_content_behind_the_first_bytes_of_a_png(tmp_path: Path) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.gif")
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + (tmp_path / "a.gif").read_bytes())
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(path)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript (EPS)"),
        (b"\n<!DOCTYPE html><html>", "a web page (HTML), perhaps the message of a failed download"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "a Git LFS pointer without its content (run git lfs pull)",
        ),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a WebP image"),
        (b'{"version": 1}', "a JSON text"),
        (b'[{"result": [{"from_name": "a"}]}]', "an export of Label Studio (export it as COCO)"),
        (
            b"<?xml?>\n<annotation>",
            "annotations in XML, as of CVAT and Pascal VOC (export them as COCO)",
        ),
        (gzip.compress(b"x", mtime=0), "compressed by gzip"),
        ("nötig".encode(), "a text"),
        (
            b"\xef\xbb\xbfQuelle;Name;Form;x;y\n",
            "a table with the columns Quelle, Name, Form, x, y",
        ),
        (b"a,b and c, with words, of prose: 1\n", "a text"),
        (b"\x00\x01\x02", "of an unknown kind"),
    ],
)
def test_what_a_file_is(head: bytes, kind: str) -> None:
    assert describe_content(head) == kind


def test_pictures_that_claim_too_many_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    path.write_bytes(content)
    with pytest.raises(ImageError, match="claims 30000 x 30000 pixels in a compressed file of"):
        read_image(path)


@pytest.mark.parametrize("shape", ["(1000000, 1000000)", "(-1, 4)", "(4,)"])
def test_arrays_that_claim_more_than_their_file_holds(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "a.npy"
    np.save(path, PIXELS)
    content = path.read_bytes().replace(b"(3, 4)", shape.encode())
    path.write_bytes(content[:8] + len(content[10:]).to_bytes(2, "little") + content[10:])
    with pytest.raises(ImageError, match=r"header|holds"):
        read_image(path)


def test_the_package_is_imported_without_astropy_or_pandas() -> None:
    code = (
        "import sys, attnxai, attnxai.data, attnxai.annotations\n"
        "heavy = {'astropy', 'pandas', 'PIL', 'torch', 'regions'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "attnxai.data.register_reader, attnxai.data.ImageContent, attnxai.data.read_image\n"
        "heavy = {'astropy', 'pandas', 'PIL', 'torch', 'regions'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
