"""CASA regions: units, frames, angles, words, faults, and the way back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.annotations import Naming, write_annotations
from attnxai.annotations.annotation_set import AnnotationSet, Operation
from attnxai.annotations.shapes import Frame, ShapeKind
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError
from tests.annotations.marks_in_common import (
    PIXEL_SHAPES,
    SKY_SHAPES,
    as_rows,
    marks,
    regions_in_pixels,
)

MakeImage = Callable[..., SourceImage]
Read = Callable[..., AnnotationSet]
FILE = "ann/g1.crtf"
STYLE = "corr=[I], linewidth=1, linestyle=-, symsize=1, symthick=1, color={}, font=Helvetica, fontsize=10, usetex=false"
CASA = f"""\
#CRTFv0 CASA Region Text Format version 0
# a comment, with circle [[1pix, 1pix], 1pix]
global coord=J2000, {STYLE.format("magenta")}
rotbox [[10:00:00.00000, +040.00.00.0000], [8.0000arcsec, 3.0000arcsec], 30.00000000deg] coord=J2000, {STYLE.format("green")}
ellipse [[10h00m00s, 40d00m00s], [5arcsec, 0.05arcmin], 20deg], label="hotspot [north], 1", labelpos="top", labeloff=[1, -1]
-circle[[150.0deg, 40.0deg], 2"], color=#FF0000
annulus [[150.0deg, 40.0deg], [2arcsec, 6arcsec]], range=[1.4GHz, 1.5GHz]
ann text [[150.0deg, 40.0deg], "a [note], it's long"], color=red
ann circle [[150.0deg, 40.0deg], 1arcsec]
symbol [[2.6179938779914944rad, 0.6981317007977318rad], .]
poly [[150.001deg, 40.0deg], [150.0deg, 40.001deg], [149.999deg, 40.0deg]], label='lobe'
"""
CARTA = """\
#CRTFv0
symbol [[59.2995pix, 35.1110pix], .] coord=J2000, linewidth=2, linestyle=-, color=#2EE6D6, symsize=6
line [[1pix, 2pix], [3pix, 4pix]] coord=J2000, color=2EE6D6
polyline [[1.0pix, 2.0pix], [3.0pix, 4.0pix], [9.0pix, 2.0pix]] coord=J2000
centerbox [[21.5pix, 19.6pix], [16.4pix, 12.5pix]] coord=J2000, label="jet"
ellipse [[20pix, 15pix], [8.5pix, 5.5pix], 0deg] coord=J2000
box [[2pix, 3pix], [10pix, 5pix]] coord=J2000
# compass [[293.6pix, 289.5pix], 100.0pix] coord=J2000, linewidth=2 compass=J2000 {N} {E} 1 1
"""


def test_a_file_of_casa(read: Read, make_image: MakeImage) -> None:
    found = read(CASA, make_image("g1", 150.0))
    box, ellipse, circle, outer, inner, point, polygon = found.annotations
    assert (box.shape.width, box.shape.height) == (8, 3)
    assert box.shape.angle % 180 == pytest.approx(120, abs=1e-3)
    assert (box.shape.x, box.shape.y) == pytest.approx((150, 40), abs=1e-4)
    assert box.other["color"] == "green"
    assert ellipse.shape.lengths == pytest.approx((10, 6))
    assert ellipse.shape.angle == pytest.approx(20, abs=1e-3)
    assert (ellipse.label, ellipse.other["text"]) == ("hotspot", "hotspot [north], 1")
    assert (circle.operation, circle.shape.radius) == (Operation.SUBTRACT, 2)
    assert (outer.shape.radius, inner.shape.radius) == (6, 2)
    assert inner.operation is Operation.SUBTRACT
    assert outer.group == inner.group == "ring 7"
    assert outer.other["color"] == "magenta"
    assert (point.shape.x, point.shape.y) == pytest.approx((150, 40), abs=1e-4)
    assert (polygon.label, len(polygon.shape.vertices)) == ("lobe", 3)
    reasons = list(found.left_out.items())
    assert reasons[0] == ("a note and no mark", 1)
    assert reasons[1][0].startswith("an annotation, which CASA draws and does not use")
    assert found.n_rows == 8
    assert found.annotators == ("ann",)
    assert found.notices[0].startswith("Ranges of frequencies or velocities are not used")


def test_a_file_of_carta(read: Read) -> None:
    """Its first axis of an ellipse points up, and pixels count from 0."""
    found = read(CARTA)
    assert found.left_out == {"a compass and no mark": 1}
    point, line, path, jet, ellipse, box = (a.shape for a in found.annotations)
    assert (point.x, point.y) == (59.2995, 35.111)
    assert list(line.vertices) == [(1, 2), (3, 4)]
    assert list(path.vertices) == [(1, 2), (3, 4), (9, 2)]
    assert (jet.x, jet.y, jet.width, jet.height, jet.angle) == (21.5, 19.6, 16.4, 12.5, 0)
    assert (ellipse.width, ellipse.height, ellipse.angle) == (17, 11, 90)
    assert (box.x, box.y, box.width, box.height) == (6, 4, 8, 2)


@pytest.mark.parametrize(
    ("frame", "place", "expected"),
    [
        ("J2000", "10:00:00.0, 40.00.00.0", (150.0, 40.0)),
        ("ICRS", "10h00m00s, -00d30m00s", (150.0, -0.5)),
        ("icrs", "150.0deg, -000.30.00.0", (150.0, -0.5)),
        ("B1950", "12:49:00, +27.24.00", (192.85948, 27.12825)),
        ("GALACTIC", "0deg, 0deg", (266.40500, -28.93617)),
        ("SUPERGAL", "0deg, 90deg", (283.7542, 15.70894)),
        ("ECLIPTIC", "0deg, 90deg", (270.0, 66.56071)),
    ],
)
@pytest.mark.parametrize("form", ["global coord={}\n{}", "global coord=J2000\n{1}, coord={0}"])
def test_frames(
    read: Read, frame: str, place: str, expected: tuple[float, float], form: str
) -> None:
    (found,) = read("#CRTF\n" + form.format(frame, f"symbol [[{place}], o]")).annotations
    assert found.shape.frame is Frame.ICRS
    cos = np.cos(np.radians(expected[1]))
    distance = np.hypot((found.shape.x - expected[0]) * cos, found.shape.y - expected[1])
    assert distance < (1e-3 if frame in ("B1950", "SUPERGAL") else 2e-5)


@pytest.mark.parametrize("frame", ["icrs", "fk5", "fk4", "galactic"])
@pytest.mark.parametrize("kind", ["ellipse", "rotbox", "circle", "centerbox", "poly"])
def test_against_the_regions_package(
    read: Read, frame: str, kind: str, make_image: MakeImage
) -> None:
    """Written by that package on the sky, and read here, with the angles of its own frames."""
    import astropy.units as u
    import regions
    from astropy.coordinates import SkyCoord

    centre = SkyCoord(150.1, 40.2, unit="deg", frame=frame)
    sizes: dict[str, Any] = {"width": 8 * u.arcsec, "height": 3 * u.arcsec, "angle": 25 * u.deg}
    there: Any = {
        "ellipse": lambda: regions.EllipseSkyRegion(centre, **sizes),
        "rotbox": lambda: regions.RectangleSkyRegion(centre, **sizes),
        "centerbox": lambda: regions.RectangleSkyRegion(centre, 8 * u.arcsec, 3 * u.arcsec),
        "circle": lambda: regions.CircleSkyRegion(centre, 8 * u.arcsec),
        "poly": lambda: regions.PolygonSkyRegion(
            SkyCoord([150.1, 150.102, 150.1], [40.2, 40.201, 40.204], unit="deg", frame=frame)
        ),
    }[kind]()
    text = regions.Regions([there]).serialize(
        format="crtf", coordsys=frame, fmt=".9f", radunit="deg"
    )
    (found,) = read(text).annotations
    place = (there.center if kind != "poly" else there.vertices[0]).icrs
    grid = make_image("g1", float(place.ra.deg), float(place.dec.deg)).grid
    (own,) = found.shape.on_pixels(grid).to_regions()
    other = there.to_pixel(grid.wcs)
    if kind == "poly":
        np.testing.assert_allclose(own.vertices.xy, other.vertices.xy, atol=1e-4)
        return
    assert (own.center.x, own.center.y) == pytest.approx((other.center.x, other.center.y), abs=1e-4)
    if frame in ("icrs", "fk5"):  # it does not turn angles with other frames
        x, y = np.meshgrid(np.arange(0, 50, 0.1) + 0.013, np.arange(0, 40, 0.1) + 0.013)
        both = [one.contains(regions.PixCoord(x, y)) for one in (own, other)]
        assert (both[0] != both[1]).sum() <= 0.005 * both[1].sum()


def test_pixels_against_the_regions_package(read: Read) -> None:
    from regions import PixCoord, Regions

    there = regions_in_pixels()
    text = Regions(there).serialize(format="crtf", coordsys="image", fmt=".6f", radunit="pix")
    for found, other in zip(read(text).annotations, there, strict=True):
        (own,) = found.shape.to_regions()
        x, y = np.meshgrid(np.arange(0, 40, 0.25) + 0.01, np.arange(0, 40, 0.25) + 0.01)
        np.testing.assert_array_equal(own.contains(PixCoord(x, y)), other.contains(PixCoord(x, y)))


@pytest.mark.parametrize("frame", ["GALACTIC", "B1950"])
def test_angles_turn_with_the_frame(read: Read, frame: str) -> None:
    """An ellipse along the frame's own north covers what lies there."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord

    (found,) = read(
        f"#CRTF\nellipse [[150.1deg, 40.2deg], [60arcsec, 2arcsec], 0deg], coord={frame}"
    ).annotations
    name = {"GALACTIC": "galactic", "B1950": "fk4"}[frame]
    centre = SkyCoord(found.shape.x, found.shape.y, unit="deg")
    end = centre.directional_offset_by(found.shape.angle * u.deg, 60 * u.arcsec)
    start, end = (place.transform_to(name) for place in (centre, end))
    offsets = (end.data.lon - start.data.lon).arcsec, (end.data.lat - start.data.lat).arcsec
    assert offsets == pytest.approx((0, 60), abs=0.01)


def test_a_box_between_two_corners_on_the_sky(read: Read) -> None:
    (found,) = read(
        "#CRTF\nbox [[150.01deg, 59.99deg], [149.99deg, 60.01deg]], coord=ICRS"
    ).annotations
    assert found.shape.kind == "polygon"
    assert set(found.shape.vertices) == {(x, y) for x in (150.01, 149.99) for y in (59.99, 60.01)}


def test_lengths_in_the_unit_of_the_other_frame(read: Read, make_image: MakeImage) -> None:
    image = make_image("g1", 150.0)
    scale = image.grid.pixel_scale_arcsec
    assert scale
    text = "#CRTF\ncircle [[20pix,20pix], 9arcsec]\ncircle [[150deg,40deg], 5pix], coord=ICRS"
    pixel, sky = (a.shape for a in read(text, image).annotations)
    assert pixel.radius == pytest.approx(9 / scale)
    assert sky.radius == pytest.approx(5 * scale)


def test_words_of_the_user(read: Read) -> None:
    naming = Naming(labels={"red": "core"}, annotators={"by Ann": "Ann"})
    text = '#CRTF\ncircle [[5pix,5pix],2pix], color=red\ncircle [[5pix,5pix],2pix], label="by Ann"'
    found = read(text, naming=naming)
    assert [(a.annotator, a.label) for a in found.annotations] == [
        ("ann", "core"),
        ("Ann", "other"),
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("circle [[1,2], 3pix]", "'1' is not a coordinate with its unit"),
        ("circle [[1pix,2], 3pix]", "'2' is not a coordinate in pixels"),
        ("circle [[1pix,2deg], 3pix]", "'2deg' and its partner are not both in pixels"),
        ("circle [[1pix,2pix], 3]", "'3' is not a length with its unit"),
        ("circle [[1pix,2pix], nanpix]", "'nanpix' is not a length"),
        ("circle [[1pix,2pix], 1e400pix]", "the radius of a circle has to be"),
        ("circle [[1pix,2pix]]", "it has 1 pairs and 0 single values instead of 1 and 1"),
        ("circle [[1pix,2pix], 3pix", "a bracket is not closed"),
        ("circle [[1pix,2pix], 3pix], label", "'label' is not understood; KEY=VALUE is expected"),
        ("circle [[1pix,2pix], 3pix] & box", "'& box' is not understood; KEY=VALUE"),
        ("circle [[10:00:00,-03:47:27.1], 3arcsec]", "a latitude with colons, which CASA takes"),
        ("circle [[10:61:00,-03.47.27.1], 3arcsec]", "'10:61:00' is not a coordinate with its"),
        ("circle [[1deg,2deg], 3arcsec], coord=AZEL", "coord='AZEL' is not a frame that can be"),
        ("circle [[1deg,91deg], 3arcsec], coord=J2000", "its position 1, 91 is not on the sky"),
        ("ellipse [[1pix,2pix],[3pix,4pix],5]", "'5' is not an angle with its unit"),
        ("poly [[1pix,2pix],[3pix,4pix]]", "it has 2 positions instead of 3 or more"),
        ("poly [[1pix,2pix],[3pix,4pix,5pix]]", "'[3pix,4pix,5pix]' is not a pair in its place"),
        ("poly [[[1pix,2pix]]]", "'[' is not a pair in its place"),
        ("blob [[1pix,2pix],3pix]", "is not a region; known regions are box, centerbox"),
        ("}{", "'}{' is not a region"),
        ("# attnxai round=two", "round='two' is not a whole number from 1"),
        ("# attnxai weight=2", "weight='2' is not a number from 0 to 1"),
        ("# attnxai colour=red", "'colour' is not one of source, annotator"),
    ],
)
def test_faults_name_the_line(read: Read, line: str, fault: str) -> None:
    good = "circle [[5pix, 5pix], 2pix]"
    with pytest.raises(AnnotationError) as caught:
        read(f"#CRTF\n{good}\n{line}\n# attnxai\n{good}")
    assert fault in str(caught.value)
    assert "1 line of annotation file" in str(caught.value)
    assert "line 3: " in str(caught.value)


def test_what_is_left_out_is_counted(read: Read) -> None:
    found = read(
        "#CRTF\ncircle [[5pix,5pix],2pix]\n-symbol [[5pix,5pix],.]\n- line[[1pix,1pix],[2pix,2pix]]"
    )
    assert found.left_out == {"a point that is excluded": 1, "a line that is excluded": 1}
    with pytest.raises(AnnotationError, match=r"holds no marks; left out: an annotation, which"):
        read("#CRTF\nann circle [[5pix,5pix],2pix]")


def test_without_the_first_line(read: Read) -> None:
    for text in ("circle[[5pix, 5pix], 2pix]", "global coord=ICRS\ncircle [[5pix,5pix],2pix]"):
        assert len(read(text)) == 1


@pytest.mark.parametrize("shapes", [PIXEL_SHAPES, SKY_SHAPES], ids=["pixel", "sky"])
def test_round_trip(tmp_path: Path, shapes: dict[ShapeKind, Any]) -> None:
    name = 'A [b], "c"; =d\'s'
    found = marks(
        *shapes.values(), annotator=name.replace("'", ""), weight=0.25, round=2, group="r, 1"
    )
    hole = dataclasses.replace(found.annotations[1], operation=Operation.SUBTRACT, weight=1.0)
    found = dataclasses.replace(found, annotations=(*found.annotations, hole))
    (path,) = write_annotations(found, tmp_path / "x.crtf")
    assert as_rows(attnxai.read_annotations(path)) == as_rows(found)
    from regions import Regions

    readable = [line for line in path.read_text().splitlines() if not line.startswith("polyline")]
    assert len(Regions.parse("\n".join(readable), format="crtf")) >= 6


def test_large_files(read: Read, make_image: MakeImage) -> None:
    rows = "\n".join(
        f'ellipse [[{150 + i * 1e-7}deg, 40deg], [3arcsec, 2arcsec], 9deg], label="lobe"'
        for i in range(10_000)
    )
    turns = np.linspace(0, 6, 5000)
    points = ", ".join(
        f"[{150 + 0.002 * np.cos(t)}deg, {40 + 0.002 * np.sin(t)}deg]" for t in turns
    )
    start = time.process_time()
    assert len(read(f"#CRTF\n{rows}\npoly [{points}]", make_image("g1", 150.0))) == 10_001
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "line",
    [
        "-" + " " * 200_000 + "x",
        "circle" + " " * 200_000 + "x [[1pix,2pix],3pix]",
        "circle [[" + "9" * 200_000 + ",2pix],3pix]",
        "circle [[10" + " " * 200_000 + "x,2pix],3pix]",
        "poly [" + "[" * 200_000,
        "poly [" + " x " * 100_000 + "]",
        "circle [[1pix,2pix],3pix], label=" + "a" * 200_000 + " " * 200_000 + "=",
        "circle [[1pix,2pix],3pix]" + ", a='" * 50_001,
        "global" + " " * 200_000 + "x",
    ],
)
def test_long_lines_are_refused_at_once(read: Read, line: str) -> None:
    start = time.process_time()
    for text in (line, f"#CRTF\n{line}"):
        with pytest.raises(AnnotationError):
            read(text)
    assert time.process_time() - start < 5
