"""DS9 regions: frames, units, rings, words, faults, and the way back."""

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
from attnxai.data.grid import FilePixels, RowZero
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError
from attnxai.explanations.files.contours import write_regions
from tests.annotations.marks_in_common import PIXEL_SHAPES, SKY_SHAPES, as_rows, marks

MakeImage = Callable[..., SourceImage]
Read = Callable[..., AnnotationSet]
FILE = "ann/g1.reg"
SAVED = """\
# Region file format: DS9 version 4.1
# Filename: g1.fits
global color=green dashlist=8 3 width=1 font="helvetica 10 normal roman" select=1 highlite=1 dash=0 include=1 source=1
image
circle(13,11,4) # text={lobe} tag={ann} tag={first; second}
ellipse(20,16,6,3,20) # color=red text={"hot" spot}
-circle(13,11,2)
annulus(30,20,2,4)
# text(3,3) text={a; note}
# vector(11,21,10,90) vector=1
# segment(1,1,5,1,5,9) color=cyan
point(9,8) # point=circle 11
# composite(15,15,0) || composite=1
box(10,10,4,2,0) ||
polygon(20,20,26,20,23,27) # text={jet}
"""


def test_a_saved_file(read: Read) -> None:
    found = read(SAVED)
    first, second, hole, outer, inner, vector, path, point, box, polygon = found.annotations
    assert (first.shape.x, first.shape.y, first.shape.radius) == (12, 10, 4)
    assert first.other == {"text": "lobe", "tag": "ann; first; second", "color": "green"}
    assert (second.shape.width, second.shape.height, second.shape.angle) == (12, 6, 20)
    assert second.label == "hotspot"
    assert second.other["color"] == "red"
    assert (hole.operation, hole.group) == (Operation.SUBTRACT, "")
    assert (outer.shape.radius, inner.shape.radius) == (4, 2)
    assert inner.operation is Operation.SUBTRACT
    assert outer.group == inner.group == "ring 8"
    assert vector.shape.vertices == pytest.approx(np.array([(10, 20), (10, 30)]))
    assert list(path.shape.vertices) == [(0, 0), (4, 0), (4, 8)]
    assert (point.shape.x, point.shape.y) == (8, 7)
    assert box.group == polygon.group == "composite 13"
    assert polygon.label == "jet"
    assert found.left_out == {"a note and no mark": 1}
    assert found.n_rows == 10
    assert (found.sources, found.annotators) == (("g1",), ("ann",))


def test_properties_of_all_and_of_a_composite(read: Read) -> None:
    text = """global color=#ff8800 width=1 # and a comment
global width=2
image
# composite(9,9,0) || composite=1 text={lobe}
circle(9,9,4) ||
circle(5,5,2) # text={core}
circle(3,3,1)
"""
    marked = [(a.other["color"], str(a.label)) for a in read(text).annotations]
    assert marked == [("#ff8800", "lobe"), ("#ff8800", "core"), ("#ff8800", "other")]


@pytest.mark.parametrize(
    ("frame", "place", "expected"),
    [
        ("fk5", "10:00:00.0,+40:00:00.0", (150.0, 40.0)),
        ("fk5", "10h00m00s,-00d30m00s", (150.0, -0.5)),
        ("icrs", "150.0,40.0", (150.0, 40.0)),
        ("icrs", "-10,40", (350.0, 40.0)),
        ("j2000", "150.0d 40.0d", (150.0, 40.0)),
        ("icrs", "2.6179938779914944r,0.6981317007977318r", (150.0, 40.0)),
        # the galactic pole as it is defined, at B1950, and at J2000
        ("b1950", "12:49:00,+27:24:00", (192.85948, 27.12825)),
        # the galactic centre, and the pole of the ecliptic at 18 h and 90 degrees less the obliquity
        ("galactic", "0,0", (266.40500, -28.93617)),
        ("galactic", "00:00:00,90:00:00", (192.85948, 27.12825)),
        ("ecliptic", "0,90", (270.0, 66.56071)),
    ],
)
def test_frames(read: Read, frame: str, place: str, expected: tuple[float, float]) -> None:
    (found,) = read(f"{frame}\npoint({place.replace(' ', ',')})").annotations
    assert found.shape.frame is Frame.ICRS
    cos = np.cos(np.radians(expected[1]))
    distance = np.hypot((found.shape.x - expected[0]) * cos, found.shape.y - expected[1])
    assert distance < (2e-4 if frame == "b1950" else 2e-5)  # by the E-terms of aberration


def test_lengths_and_angles_on_the_sky(read: Read) -> None:
    text = "icrs\nbox(150,40,10\",2',30)\ncircle(150,40,0.001)\nellipse(150,40,0.5',0.001d,0)"
    box, circle, ellipse = (a.shape for a in read(text).annotations)
    assert (box.width, box.height) == (10, 120)
    assert box.angle % 180 == pytest.approx(120)
    assert circle.radius == pytest.approx(3.6)
    assert (ellipse.width, ellipse.height) == pytest.approx((60, 7.2))


@pytest.mark.parametrize("frame", ["icrs", "fk5", "fk4", "galactic"])
@pytest.mark.parametrize(
    "region", ['ellipse(150.1,40.2,8",3",25)', 'box(150.1,40.2,8",3",-40)', 'circle(150.1,40.2,8")']
)
def test_against_the_regions_package(
    read: Read, frame: str, region: str, make_image: MakeImage
) -> None:
    from regions import Regions

    text = f"{frame}\n{region}"
    shape = read(text).annotations[0].shape
    (there,) = Regions.parse(text, format="ds9")
    centre = there.center.icrs
    grid = make_image("g1", float(centre.ra.deg), float(centre.dec.deg)).grid
    (own,) = shape.on_pixels(grid).to_regions()
    other = there.to_pixel(grid.wcs)
    assert (own.center.x, own.center.y) == pytest.approx((other.center.x, other.center.y), abs=1e-6)
    if hasattr(own, "angle") and frame in ("icrs", "fk5"):
        turn = own.angle.to_value("deg") - other.angle.to_value("deg")
        assert (turn + 90) % 180 - 90 == pytest.approx(0, abs=0.05)
        assert own.width == pytest.approx(other.width, rel=1e-3)


@pytest.mark.parametrize("frame", ["galactic", "fk4"])
def test_angles_turn_with_the_frame(read: Read, frame: str) -> None:
    """The end of a vector towards the frame's own north, found in that frame."""
    from astropy.coordinates import SkyCoord

    (found,) = read(f'{frame}\n# vector(150.1,40.2,60",90)').annotations
    start, end = (
        SkyCoord(*vertex, unit="deg").transform_to(frame) for vertex in found.shape.vertices
    )
    longitude, latitude = (
        (end.data.lon - start.data.lon).arcsec,
        (end.data.lat - start.data.lat).arcsec,
    )
    assert (longitude, latitude) == pytest.approx((0, 60), abs=0.01)


def test_pixels_against_the_regions_package(read: Read) -> None:
    from regions import Regions

    text = "image\ncircle(13.5,11,4)\nellipse(20,16,6,3,20)\nbox(10,10,4,2,70)\npolygon(1,2,8,3,5,9)\npoint(4,5)"
    for found, there in zip(read(text).annotations, Regions.parse(text, format="ds9"), strict=True):
        (own,) = found.shape.to_regions()
        box, other = own.bounding_box, there.bounding_box
        assert (box.ixmin, box.ixmax, box.iymin, box.iymax) == (
            other.ixmin,
            other.ixmax,
            other.iymin,
            other.iymax,
        )


def test_lengths_in_the_unit_of_the_other_frame(read: Read, make_image: MakeImage) -> None:
    image = make_image("g1", 150.0)
    scale = image.grid.pixel_scale_arcsec
    assert scale
    text = 'image\ncircle(20,20,9")\nicrs\ncircle(150,40,5p)'
    pixel, sky = (a.shape for a in read(text, image).annotations)
    assert pixel.radius == pytest.approx(9 / scale)
    assert sky.radius == pytest.approx(5 * scale)
    with pytest.raises(
        AnnotationError, match="line 2: it has a length in arcsec and a position in"
    ):
        read(text)


@pytest.mark.parametrize(
    ("region", "inside", "outside", "area"),
    [
        ("panda(21,21,0,90,1,5,10,1)", (25, 25), (15, 25), np.pi * 75 / 4),
        ("panda(21,21,300,60,1,5,10,1)", (28, 20), (20, 28), np.pi * 75 / 3),
        ("pie(21,21,0,10,0,90)", (23, 23), (17, 23), np.pi * 25),
        ("epanda(21,21,0,180,1,4,2,12,6,1,0)", (20, 24), (20, 16), np.pi * 64 / 2),
        ("bpanda(21,21,0,90,1,4,2,12,8,1)", (25, 23), (15, 23), 22.0),
        ("-annulus(21,21,5,10)", (20, 28), (20, 20), np.pi * 75),
    ],
)
def test_sectors_and_excluded_rings(
    read: Read, region: str, inside: Any, outside: Any, area: float
) -> None:
    (found,) = [a for a in read(f"image\n{region}\ncircle(1,1,1)").annotations if a.line == 2]
    x, y = np.array([*found.shape.vertices, found.shape.vertices[0]]).T
    assert abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2 == pytest.approx(area, rel=0.01)
    from regions import PixCoord

    (polygon,) = found.shape.to_regions()
    assert polygon.contains(PixCoord(*inside))
    assert not polygon.contains(PixCoord(*outside))
    assert (found.operation is Operation.SUBTRACT) is region.startswith("-")


def test_rings_of_ellipses_and_boxes(read: Read) -> None:
    text = "image\nellipse(20,20,3,2,6,4,30)\nbox(20,20,4,2,8,4,12,6,10)\nannulus(20,20,2,8,n=4)"
    found = read(text).annotations
    sizes = [(a.shape.lengths, str(a.operation)) for a in found]
    assert sizes == [
        ((12, 8), "add"),
        ((6, 4), "subtract"),
        ((12, 6), "add"),
        ((4, 2), "subtract"),
        ((8,), "add"),
        ((2,), "subtract"),
    ]
    assert len({a.group for a in found}) == 3


def test_several_regions_on_a_line(read: Read, make_image: MakeImage) -> None:
    images = [make_image("a", 150.0), make_image("b", 160.0)]
    text = 'fk5; circle(150,40,3") # text={lobe; 1} color=red; circle(160,40,3"); -circle(9,9,1"); # a comment; circle(1,1,1)'
    found = read(text, *images)
    assert [(a.source, a.label) for a in found.annotations] == [("a", "lobe"), ("b", "other")]
    assert (found.n_rows, found.left_out) == (3, {"outside all images": 1})


def test_without_parentheses_and_with_old_points(read: Read) -> None:
    found = read(
        "image\ncircle 13 11 4\ncross point(3,4)\nCIRCLE ( 5 , 5 , 2 )\nimage circle(7,7,1)"
    )
    assert [a.shape.x for a in found.annotations] == [12, 2, 4, 6]


def test_where_labels_come_from_is_kept(read: Read) -> None:
    text = "image\ncircle(5,5,2) # text={lobe}\ncircle(9,9,2) # color=red\ncircle(12,9,2)"
    found = read(text, naming=Naming(labels={"red": "core"}))
    assert [(str(a.label), a.label_from) for a in found.annotations] == [
        ("lobe", "text"), ("core", "color"), ("other", ""),
    ]  # fmt: skip
    assert found.origins_of_labels() == {"text": 1, "color": 1}


def test_words_of_the_user(read: Read) -> None:
    naming = Naming(annotator_from="tag", labels={"red": "core"})
    text = "image\ncircle(5,5,2) # tag={Ann} color=red\ncircle(9,9,2) # tag={Bob}"
    found = read(text, naming=naming)
    assert [(a.annotator, a.label) for a in found.annotations] == [
        ("Ann", "core"),
        ("Bob", "other"),
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("wcsa;circle(1,2,3)", "coordinates wcsa depend on a header"),
        ("circle(1,2)", "it has 2 numbers instead of 3"),
        ("circle(1,2,x)", "'x' is not a length"),
        ("circle(1:2:3,2,3)", "'1:2:3' is not a coordinate in pixels"),
        ("circle(nan,2,3)", "'nan' is not a coordinate"),
        ("circle(1,2,1e400)", "the radius of a circle has to be"),
        (
            "circle(1,2,3) & -box(1,2,3,4,5)",
            "'& -box(1,2,3,4,5)' behind a region is not understood",
        ),
        ("blob(1,2,3)", "'blob' is not a region that can be used"),
        ("fk5;circle(10:61:00,2,3)", "'10:61:00' is not a coordinate in degrees"),
        ("galactic;point(10,91)", "its position 10, 91 is not on the sky"),
        ("polygon(1,2,3,4)", "it has 4 numbers, fewer than 6"),
        ("polygon(1,2,3,4,5,6,7)", "a coordinate without its partner"),
        ("ellipse(1,2,3,4,5x)", "'5x' is not an angle"),
        ("circle(1,2,3) # tag={round=two}", "its tag 'round=two' states no number"),
        ("}{", "is not a region of DS9"),
    ],
)
def test_faults_name_the_line(read: Read, line: str, fault: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        read(f"image\ncircle(5,5,2)\n{line}\nimage\ncircle(6,6,2)")
    assert fault in str(caught.value)
    assert "1 line of annotation file" in str(caught.value)
    assert "line 3: " in str(caught.value)


def test_left_out_regions(read: Read) -> None:
    found = read(
        "image\ncircle(5,5,2)\n-point(5,5)\ncircle(9,9,2) # background color=red\n# compass(1,1,5)"
    )
    assert found.left_out == {
        "a point that is excluded": 1,
        "a region of background": 1,
        "a compass and no mark": 1,
    }
    assert read("image\ncircle(5,5,2)\nphysical\ncircle(9,9,2)").notices[0].startswith("Physical")


@pytest.mark.parametrize("shapes", [PIXEL_SHAPES, SKY_SHAPES], ids=["pixel", "sky"])
def test_round_trip(tmp_path: Path, shapes: dict[ShapeKind, Any]) -> None:
    found = marks(*shapes.values(), annotator="A {b; c#}", weight=0.25, round=2, group="ring; 1")
    hole = dataclasses.replace(found.annotations[1], operation=Operation.SUBTRACT)
    found = dataclasses.replace(found, annotations=(*found.annotations, hole))
    (path,) = write_annotations(found, tmp_path / "x.reg")
    assert as_rows(attnxai.read_annotations(path)) == as_rows(found)


@pytest.fixture
def picture(make_image: MakeImage) -> SourceImage:
    """An image of 40 x 50 pixels with row 0 at the top, whose brightest pixel is (8, 3)."""
    image = make_image("g1")
    pixels = np.zeros(image.shape, np.float32)
    pixels[3, 8] = 1.0
    grid = dataclasses.replace(image.grid, row_zero=RowZero.TOP, pixel_scale_arcsec=1.8)
    return dataclasses.replace(image, pixels=pixels, grid=grid)


def test_pictures_are_upright_in_ds9(
    read: Read, picture: SourceImage, make_image: MakeImage
) -> None:
    # DS9 counts rows from 1 at the bottom, so that row 3 of 40 is y = 37
    text = "image\nbox(9,37,1,1,0)\nellipse(9,37,6,2,30)\nline(9,37,12,38)\ncircle(9,37,3)\n# vector(9,37,2,90)"
    found = read(text, picture)
    box, ellipse, line, circle, vector = (a.shape for a in found.annotations)
    assert (box.x, box.y, ellipse.angle, circle.y) == (8, 3, -30, 3)
    assert list(line.vertices) == [(8, 3), (11, 2)]
    np.testing.assert_allclose(vector.vertices, [(8, 3), (8, 1)], atol=1e-12)
    assert any("row 0 at the top" in notice for notice in found.notices)
    for images in ([], [make_image("g1")]):
        assert read(text, *images).annotations[0].shape.y == 36


def test_round_trip_of_marks_on_a_picture(tmp_path: Path, picture: SourceImage) -> None:
    found = marks(*PIXEL_SHAPES.values())
    (path,) = write_annotations(found, tmp_path / "g1.reg", images=[picture])
    assert as_rows(attnxai.read_annotations(path, [picture])) == as_rows(found)
    assert as_rows(attnxai.read_annotations(path)) != as_rows(found)


def test_contours_of_maps_are_read_back_where_they_lie(
    tmp_path: Path, picture: SourceImage
) -> None:
    maps = attnxai.maps_from_arrays([picture], [picture.pixels])
    write_regions(tmp_path, maps, [picture])
    (outline, *_) = attnxai.read_annotations(tmp_path / "g1.reg", [picture]).annotations
    np.testing.assert_allclose(np.mean(outline.shape.vertices, axis=0), (8, 3), atol=0.2)


def test_large_files(read: Read, make_image: MakeImage) -> None:
    rows = "\n".join(f'circle({150 + i * 1e-7},40,3") # text={{lobe}}' for i in range(10_000))
    turns = np.linspace(0, 6, 5000)
    points = ",".join(f"{150 + 0.002 * np.cos(t)},{40 + 0.002 * np.sin(t)}" for t in turns)
    start = time.process_time()
    assert len(read(f"fk5\n{rows}\npolygon({points})", make_image("g1", 150.0))) == 10_001
    assert time.process_time() - start < 10


def test_lengths_of_the_other_frame_need_square_pixels(read: Read, make_image: MakeImage) -> None:
    image = make_image("g1", 150.0)
    file = FilePixels(shape=(20, 50), matrix=((1.0, 0.0), (0.0, 2.0)), origin=(0.0, 0.5))
    image = dataclasses.replace(image, grid=dataclasses.replace(image.grid, file_pixels=file))
    for text in ('image\ncircle(20,20,9")', "icrs\ncircle(150,40,5p)"):
        with pytest.raises(AnnotationError, match="its image has pixels that are not square; give"):
            read(text, image)


@pytest.mark.parametrize(
    "line",
    [
        "a" * 200_000 + "(",
        "-" + " " * 200_000 + "x",
        "circle(" + "9" * 200_000 + ",2,x)",
        "circle(10" + " " * 200_000 + "x,2,3)",
        "fk5;circle(10:" + "0" * 200_000 + ",2,3)",
        "circle(1,2,3) # " + "a" * 200_000 + "\ncircle(1,2,x)",
        "global" + " " * 200_000 + "x\ncircle(1,2,x)",
        "circle(1,2,3) # text=" + "{" * 200_000 + ";\ncircle(1,2,x)",
        "circle(1,2,x);" + "=" * 200_000,
    ],
)
def test_long_lines_are_refused_at_once(read: Read, line: str) -> None:
    start = time.process_time()
    for text in (line, f"# Region file format: DS9\n{line}"):
        with pytest.raises(AnnotationError):
            read(text)
    assert time.process_time() - start < 5
