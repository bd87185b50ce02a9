"""Annotation tables as binary tables of FITS: frames, texts of any length, null values and damage."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

import attnxai
from attnxai.annotations import AnnotationSet, write_annotations
from attnxai.annotations.shapes import ShapeKind
from attnxai.errors import AnnotationError
from tests.annotations.marks_in_common import PIXEL_SHAPES, marks
from tests.annotations.readers.test_typed_tables import in_degrees, observed

Read = Callable[..., AnnotationSet]


def test_regions_and_arrays(read: Read) -> None:
    table = in_degrees(observed())
    table["spectrum"] = np.zeros((3, 4))
    with pytest.raises(AnnotationError, match="holds arrays in its column 'spectrum'"):
        read(lambda path: table.write(path, format="fits"))


def test_integers_that_stand_for_none(read: Read) -> None:
    columns = [
        fits.Column(name="source", format="4A", array=["g1", "g2"]),
        fits.Column(name="annotator", format="4A", array=["a", "b"]),
        fits.Column(name="x", format="D", array=[3.0, 4.0], unit="pix"),
        fits.Column(name="y", format="E", array=[3.5, 4.0], unit="pixel"),
        fits.Column(name="round", format="J", array=[-1, 2], null=-1),
    ]
    found = read(lambda path: fits.BinTableHDU.from_columns(columns, name="MARKS").writeto(path))
    assert [a.round for a in found.annotations] == [1, 2]
    assert found.annotations[0].shape.points == ((3.0, 3.5),)


@pytest.mark.parametrize("frame", ["fk4", "fk5", "galactic", ""])
def test_the_frame_of_the_header(frame: str, read: Read) -> None:
    place = SkyCoord(150.1, 40.2, unit="deg").transform_to(frame or "fk4")
    table = Table({"source": ["g1"], "annotator": ["a"], "shape": ["point"], "label": ["core"]})
    table["ra"], table["dec"] = [place.spherical.lon.deg], [place.spherical.lat.deg]
    table.meta = {"RADESYS": frame.upper()} if frame else {"EQUINOX": 1950.0}
    (found,) = read(lambda path: table.write(path, format="fits")).annotations
    assert found.shape.points[0] == pytest.approx((150.1, 40.2), abs=1e-6)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"RADESYS": "GAPPT"}, "has positions in GAPPT; ICRS, FK5 of J2000"),
        ({"EQUINOX": 1875.0}, "has positions in equinox 1875; ICRS"),
        ({"RADESYS": "FK5", "EQUINOX": 1975}, "has positions in FK5 of equinox 1975; ICRS"),
    ],
)
def test_frames_that_are_not_read(cards: dict[str, Any], message: str, read: Read) -> None:
    table = Table({"source": ["g1"], "annotator": ["a"], "ra": [1.0], "dec": [2.0]}, meta=cards)
    with pytest.raises(AnnotationError, match=message):
        read(lambda path: table.write(path, format="fits"))


def test_names_of_further_columns(tmp_path: Path) -> None:
    """Two may differ in capitals only, which astropy would not tell apart; letters beyond ASCII are escaped."""
    other = {"Note": "a", "note": "b", "größe": "ß" * 40}
    written = marks(PIXEL_SHAPES[ShapeKind.POINT], other=other)
    (path,) = write_annotations(written, tmp_path / "a.fits", "FITS table")
    (found,) = attnxai.read_annotations(path).annotations
    assert found.other == {"Note": "a", "note": "b", "gr\\xf6\\xdfe": "ß" * 40}


def test_texts_that_claim_too_much(read: Read) -> None:
    """Each row may point to the same text, which would then be there once for each."""
    n = 2000
    letters = np.empty(n, dtype=object)
    letters[:] = [np.frombuffer(b"x" * (1 if i else 100_000), dtype="S1") for i in range(n)]
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("source", "2A", array=np.full(n, b"g1")),
            fits.Column("annotator", "1A", array=np.full(n, b"a")),
            fits.Column("label", "PA()", array=letters),
        ]
    )
    written = io.BytesIO()
    table.writeto(written)
    one = (1).to_bytes(4, "big")
    long = (100_000).to_bytes(4, "big")
    start = written.getvalue().index(b"g1a")
    rows = bytearray(written.getvalue())
    for at in range(start, start + n * 11, 11):
        assert rows[at + 3 : at + 7] in (one, long)
        rows[at + 3 : at + 11] = long + bytes(4)
    with pytest.raises(
        AnnotationError, match="claims texts of more bytes than it has in its column 'label'"
    ):
        read(bytes(rows))


def test_damage(read: Read, tmp_path: Path) -> None:
    in_degrees(observed()).write(tmp_path / "a.fits", format="fits")
    content = (tmp_path / "a.fits").read_bytes()
    with pytest.raises(AnnotationError, match=r"FITS table .* (is damaged|claims)"):
        read(content.replace(b"NAXIS2  =                    3", b"NAXIS2  =           9000000000"))
    with pytest.raises(AnnotationError, match=r"FITS table .* is damaged"):
        read(content[:-2880])
