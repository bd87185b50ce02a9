"""What files are said to be."""

from __future__ import annotations

import pytest

from attnxai.data.foreign_content import describe_content


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b'{"a": 1}', "a JSON text"),
        (b'[\n  {"a": 1}]', "a JSON text"),
        (b"[-1.5, 2]", "a JSON text"),
        (b"[null, true]", "a JSON text"),
        (b"[]", "a JSON text"),
        (b"[build-system]\nrequires = []\n", "a text"),
        (b"[section]\nkey = value\n", "a text"),
    ],
)
def test_a_section_of_a_configuration_is_no_json(head, kind):
    assert describe_content(head) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"8BPS\x00\x01", "a Photoshop image (PSD)"),
        (b"gimp xcf v011", "a GIMP image (XCF)"),
        (b"Iout\x00\xe4", "a region of interest of ImageJ"),
        (b"II+\x00\x08", "a TIFF image"),
        (b"SQLite format 3\x00", "a SQLite database"),
        (b"MATLAB 5.0 MAT-file, Platform", "a MATLAB file"),
        (b"\x80\x04\x95\x10", "a Python pickle"),
        (b"# Region file format: DS9 version 4.1\n", "a file of DS9 regions"),
        (b"#CRTFv0 CASA Region Text Format\n", "a file of CASA regions (CRTF)"),
    ],
)
def test_files_of_drawing_programs(head: bytes, kind: str) -> None:
    assert describe_content(head) == kind
