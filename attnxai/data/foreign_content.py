"""What a file is by its first bytes, for errors about files that are not read."""

from __future__ import annotations

import re

UNKNOWN_KIND = "of an unknown kind"
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "a GIF image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"BM", "a BMP image"),
    (b"%!PS", "PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\x93NUMPY", "a NumPy array (NPY)"),
    (b"SIMPLE  =", "a FITS file"),
    (b"II+\x00", "a TIFF image"),
    (b"8BPS", "a Photoshop image (PSD)"),
    (b"gimp xcf", "a GIMP image (XCF)"),
    (b"Iout", "a region of interest of ImageJ"),
    (b"SQLite format 3", "a SQLite database"),
    (b"MATLAB 5.0 MAT", "a MATLAB file"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\x80\x05\x95", "a Python pickle"),
    (b"\xff\xfe", "text in UTF-16 instead of UTF-8"),
    (b"\xfe\xff", "text in UTF-16 instead of UTF-8"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\x00", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow (Feather) file"),
    (
        b"\xd0\xcf\x11\xe0",
        "a document of older Office programs (such as xls; save it as xlsx or CSV)",
    ),
    (b"{\\rtf", "a text document (RTF)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"# Region file format: DS9", "a file of DS9 regions"),
    (b"#CRTF", "a file of CASA regions (CRTF)"),
    (b"version https://git-lfs", "a Git LFS pointer without its content (run git lfs pull)"),
)


# not the heading of a section, as in INI and TOML files
_KINDS_OF_JSON: tuple[tuple[bytes, str], ...] = (
    (b'"from_name"', "an export of Label Studio (export it as COCO)"),
    (b'"FeatureCollection"', "GeoJSON"),
    (b"w3.org/ns/anno", "web annotations (JSON-LD), as of Annotorious"),
    (b'"nbformat"', "a Jupyter notebook"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_JSON_ARRAY = re.compile(rb'\[\s*(["\[{\]\-\d]|true|false|null|$)')


def describe_content(head: bytes) -> str:
    """What a file is, as the end of a sentence, from its first 64 bytes or more."""
    if not head:
        return "empty"
    for magic, kind in _KINDS:
        if head.startswith(magic):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(head)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "a WebP image"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:14].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML), perhaps the message of a failed download"
    if b"<annotations>" in head[:200] or b"<annotation>" in head[:200]:
        return "annotations in XML, as of CVAT and Pascal VOC (export them as COCO)"
    if start.startswith((b"<?xml", b"<svg")):
        return "an XML document"
    if start.startswith(b"{") or _JSON_ARRAY.match(start):
        return next((kind for word, kind in _KINDS_OF_JSON if word in head), "a JSON text")
    head = head.removeprefix(b"\xef\xbb\xbf")
    try:
        text = head[:64].decode()
    except UnicodeDecodeError as error:
        text = head[: error.start].decode() if error.start > 60 else ""
        n_letters = len(re.findall(rb"[A-Za-z]", head[:64]))
        if not text and n_letters >= 4 and not _CONTROL.search(head[:64]):
            return "a text in another encoding than UTF-8 (save it in UTF-8)"
    if text and text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return _kind_of_text(head)
    return UNKNOWN_KIND


def _kind_of_text(head: bytes) -> str:
    """A table by the names of its columns, or any text."""
    line = head.decode(errors="replace").splitlines()[0]
    names = max((line.split(delimiter) for delimiter in ",;\t|"), key=len)
    words = [name.strip(" \"'#") for name in names]
    if len(words) < 3 or not all(
        re.fullmatch(r"[^\W\d][\w .()\[\]-]{0,30}", word) for word in words
    ):
        return "a text"
    more = f" and {len(words) - 12} more" if len(words) > 12 else ""
    return f"a table with the columns {', '.join(words[:12])}{more}"


def _kind_of_zip(head: bytes) -> str:
    """What a ZIP archive is by the names of its first members."""
    if b"application/vnd.oasis.opendocument" in head:
        return "an OpenDocument file (such as ods; save it as xlsx or CSV)"
    kinds = {b"xl/": "an Excel workbook", b"word/": "a Word document", b"ppt/": "a presentation"}
    return next((kind for name, kind in kinds.items() if name in head), "a ZIP archive")
