"""COCO and LabelMe, and what they have in common with VIA: files as the tools write them, and as this package does."""

from __future__ import annotations

import base64
import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

import attnxai
from attnxai.alignment import rasterise_annotations
from attnxai.annotations import Naming, Shape, write_annotations
from attnxai.data import PixelGrid, SourceImage
from attnxai.data.grid import RowZero
from attnxai.errors import AnnotationError, LeftOutWarning
from tests.annotations.marks_in_common import PIXEL_SHAPES, as_rows, marks

ROWS, COLUMNS = 30, 50


def image(source="g1", row_zero=RowZero.BOTTOM, shape=(ROWS, COLUMNS)):
    pixels = np.random.default_rng(1).normal(size=shape)
    return SourceImage(source=source, pixels=pixels, grid=PixelGrid(shape=shape, row_zero=row_zero))


def png(values):
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(values, np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def coco(*annotations, keypoints=(), **image_fields):
    entry = {
        "id": 7,
        "file_name": "cutouts/g1.png",
        "width": COLUMNS,
        "height": ROWS,
        **image_fields,
    }
    return {
        "info": {"year": 2026},
        "licenses": [],
        "images": [entry],
        "categories": [
            {"id": 1, "name": "Lobe", "supercategory": "radio"},
            {"id": 2, "name": "thing", "keypoints": list(keypoints)},
        ],
        "annotations": [
            {"id": 100 + i, "image_id": 7, "category_id": 1, "iscrowd": 0, **fields}
            for i, fields in enumerate(annotations)
        ],
    }


def labelme(*shapes, **fields):
    return {
        "version": "5.4.1",
        "flags": {},
        "shapes": [
            {"label": "lobe", "group_id": None, "flags": {}, "shape_type": "polygon", **shape}
            for shape in shapes
        ],
        "imagePath": "..\\cutouts\\g1.png",
        "imageData": png(np.zeros((ROWS, COLUMNS))),
        "imageHeight": ROWS,
        "imageWidth": COLUMNS,
        **fields,
    }


def via(*regions):
    return {
        "g1.png4093": {
            "filename": "g1.png",
            "size": 4093,
            "regions": [
                {"shape_attributes": shape, "region_attributes": attributes}
                for shape, attributes in regions
            ],
            "file_attributes": {"annotator": "Ann"},
        }
    }


# --- places ----------------------------------------------------------------------------------------

# a mark on the second pixel of the third row from the top of the picture
BRIGHT = {
    "coco": coco({"keypoints": [1.5, 2.5, 2], "bbox": [0, 0, 0, 0]}, keypoints=["core"]),
    "labelme": labelme({"points": [[1.5, 2.5]], "shape_type": "point"}),
    "via": via(({"name": "point", "cx": 1.5, "cy": 2.5}, {"label": "core"})),
}
ALL = pytest.mark.parametrize("tool", sorted(BRIGHT))


@ALL
@pytest.mark.parametrize(("row_zero", "y"), [(RowZero.TOP, 2), (RowZero.BOTTOM, ROWS - 3)])
def test_a_point_lies_on_the_pixel_that_was_drawn_on(tool, row_zero, y, read_json):
    (mark,) = read_json(BRIGHT[tool], images=[image(row_zero=row_zero)]).annotations
    assert (mark.source, mark.shape.x, mark.shape.y) == ("g1", 1.0, y)


@ALL
def test_without_images_rows_count_from_the_top_and_a_note_says_so(tool, read_json):
    found = read_json(BRIGHT[tool])
    (mark,) = found.annotations
    assert (mark.source, mark.shape.x, mark.shape.y) == ("g1", 1.0, 2.0)
    assert any(
        "Rows are counted from the top of the pictures; name the images (--images" in notice
        for notice in found.notices
    )


@pytest.mark.parametrize("tool", ["coco", "labelme"])
def test_a_picture_of_another_shape_is_refused(tool, read_json):
    with pytest.raises(AnnotationError, match="50 x 30 pixels, but the image of 'g1' has 40 x 40"):
        read_json(BRIGHT[tool], images=[image(shape=(40, 40))])


@pytest.mark.parametrize("tool", ["coco", "labelme"])
def test_a_picture_that_was_enlarged_is_scaled(tool, read_json):
    (mark,) = read_json(BRIGHT[tool], images=[image(shape=(3 * ROWS, 3 * COLUMNS))]).annotations
    assert (mark.shape.x, mark.shape.y) == pytest.approx((4.0, 3 * ROWS - 8.0))


@ALL
def test_images_that_are_not_there_are_counted(tool, read_json):
    with pytest.raises(AnnotationError, match="its image is not among the images"):
        read_json(BRIGHT[tool], images=[image("other"), image("another")])


# --- COCO ------------------------------------------------------------------------------------------


def test_coco_boxes_polygons_and_keypoints(read_json):
    content = coco(
        {
            "bbox": [10, 5, 4, 2],
            "segmentation": [],
            "attributes": {"annotator": "Ann", "weight": 0.5},
        },
        {"segmentation": [[1, 1, 5, 1, 5, 4], [8, 8, 9, 8, 9, 9, 8, 9]], "bbox": [1, 1, 8, 8]},
        {"category_id": 2, "keypoints": [3, 4, 2, 0, 0, 0, 6, 7, 1], "bbox": [3, 4, 3, 3]},
        keypoints=["core", "hotspot", "hotspot 2"],
    )
    found = read_json(content, images=[image(row_zero=RowZero.TOP)], annotator="Bob").annotations
    assert [(m.annotator, m.label, m.line, m.shape.kind) for m in found] == [
        ("Ann", "lobe", 1, "box"),
        ("Bob", "lobe", 2, "polygon"),
        ("Bob", "lobe", 2, "polygon"),
        ("Bob", "other", 3, "box"),
        ("Bob", "core", 3, "point"),
        ("Bob", "hotspot", 3, "point"),
    ]
    box = found[0].shape
    assert (box.x, box.y, box.width, box.height, box.angle) == (11.5, 5.5, 4.0, 2.0, 0.0)
    assert found[0].weight == 0.5
    assert found[1].shape.vertices == ((0.5, 0.5), (4.5, 0.5), (4.5, 3.5))
    assert (found[5].shape.x, found[5].shape.y) == (6.0, 7.0)


def run_lengths(mask):
    """As the COCO API counts them: down the columns, beginning with what is outside."""
    flat = np.asarray(mask).T.ravel().astype(int)
    lengths, value = [0], 0
    for pixel in flat:
        if pixel != value:
            lengths.append(0)
            value = pixel
        lengths[-1] += 1
    return lengths


def compressed(lengths):
    """The text of run lengths, by the description of the format: six bits a character, of which five count."""
    text = ""
    for i, length in enumerate(lengths):
        x = length - (lengths[i - 2] if i > 2 else 0)
        more = True
        while more:
            bits = x & 31
            x >>= 5
            more = x != (-1 if bits & 16 else 0)
            text += chr(bits + 32 * more + 48)
    return text


@pytest.mark.parametrize("row_zero", list(RowZero))
@pytest.mark.parametrize("how", ["list", "text"])
def test_run_lengths_cover_their_pixels_exactly(how, row_zero, read_json):
    rng = np.random.default_rng(5)
    mask = rng.random((ROWS, COLUMNS)) < 0.4
    mask[8:20, 10:30] = True
    mask[10:15, 15:20] = False
    lengths = run_lengths(mask)
    counts = lengths if how == "list" else compressed(lengths)
    content = coco({"segmentation": {"size": [ROWS, COLUMNS], "counts": counts}})
    own = image(row_zero=row_zero)
    found = read_json(content, images=[own])
    drawn = rasterise_annotations(found.annotations, own.grid, fwhm=1.0).mask
    np.testing.assert_array_equal(drawn, mask if row_zero is RowZero.TOP else mask[::-1])


def test_compressed_text_of_a_known_mask():
    # from the definition by hand: 6 pixels outside, 4 inside, 6 outside
    assert compressed([6, 4, 6]) == "646"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"segmentation": {"size": [30, 50], "counts": [10, 20]}},
            "add up to 30 and not to the 1500",
        ),
        (
            {"segmentation": {"size": [50, 30], "counts": [1500]}},
            "30 x 50 pixels, its image has 50 x 30",
        ),
        ({"segmentation": {"size": [30, 50], "counts": [-1, 1501]}}, "whole numbers from 0"),
        ({"segmentation": {"size": [30, 50], "counts": "6"}}, "add up to 6"),
        ({"segmentation": {"size": [30, 50], "counts": "é"}}, "compressed run lengths are damaged"),
        ({"segmentation": {"size": [30, 50], "counts": "h"}}, "end within a number"),
        ({"segmentation": [[1, 2, 3]]}, "not a list of three or more x and y"),
        ({"segmentation": [[1, 2, 3, 4, 5, "x"]]}, "not pairs of numbers"),
        ({"bbox": [1, 2, 3]}, "not x, y, width and height"),
        ({"bbox": [1, 2, 3, None]}, "its height is not a number"),
        ({"bbox": [1, 2, 3, -4]}, "the height of a box has to be"),
        ({"keypoints": [1, 2]}, "its keypoints are not x, y and visibility"),
        ({"image_id": 9, "bbox": [1, 2, 3, 4]}, "image_id '9' is that of no image"),
    ],
)
def test_coco_faults_name_the_annotation(fields, message, read_json):
    with pytest.raises(AnnotationError, match=f"annotation 1: .*{message}"):
        read_json(coco(fields))


def test_coco_that_claims_too_much_is_refused_at_once(read_json):
    with pytest.raises(AnnotationError, match="1,000,000 x 1,000,000 pixels, from 1 to"):
        read_json(coco({"bbox": [1, 2, 3, 4]}, width=10**6, height=10**6))
    size = [4000, 4000]
    many = [{"segmentation": {"size": size, "counts": [0, 16_000_000]}}] * 20
    with pytest.raises(AnnotationError, match="more pixels than can be read"):
        read_json(coco(*many, width=4000, height=4000))


# --- LabelMe ---------------------------------------------------------------------------------------


def test_labelme_shapes(read_json):
    content = labelme(
        {"shape_type": "rectangle", "points": [[14, 7], [10, 5]], "label": "Hot spot"},
        {"shape_type": "circle", "points": [[20, 10], [23, 14]], "group_id": 3},
        {
            "shape_type": "polygon",
            "points": [[1, 1], [5, 1], [5, 4]],
            "label": "blob",
            "flags": {"core": True},
        },
        {"shape_type": "linestrip", "points": [[1, 1], [2, 2], [4, 1]], "label": "jet"},
        {"shape_type": "points", "points": [[1, 1], [2, 2]]},
        {"shape_type": "oriented_rectangle", "points": [[10, 10], [14, 13], [11, 17], [7, 14]]},
    )
    found = read_json(content, images=[image(row_zero=RowZero.TOP)], annotator="Ann").annotations
    assert [(m.label, m.shape.kind, m.line) for m in found] == [
        *[("hotspot", "box", 1), ("lobe", "circle", 2), ("core", "polygon", 3), ("jet", "line", 4)],
        *[("lobe", "point", 5), ("lobe", "point", 5), ("lobe", "box", 6)],
    ]
    box, circle = found[0].shape, found[1].shape
    assert (box.x, box.y, box.width, box.height) == (11.5, 5.5, 4.0, 2.0)
    assert (circle.x, circle.y, circle.radius) == (19.5, 9.5, 5.0)
    assert found[1].group == "3"
    turned = found[-1].shape
    assert (turned.x, turned.y, turned.width, turned.height) == pytest.approx((10, 13, 5, 5))
    assert turned.angle == pytest.approx(math.degrees(math.atan2(3, 4)))


@pytest.mark.parametrize("row_zero", list(RowZero))
def test_labelme_masks_cover_their_pixels(row_zero, read_json):
    part = np.random.default_rng(0).random((6, 9)) < 0.6
    part[0, 0] = part[-1, -1] = True
    content = labelme({"shape_type": "mask", "points": [[4, 3], [12, 8]], "mask": png(part * 255)})
    own = image(row_zero=row_zero)
    drawn = rasterise_annotations(read_json(content, images=[own]).annotations, own.grid, fwhm=1.0)
    expected = np.zeros((ROWS, COLUMNS), bool)
    expected[3:9, 4:13] = part
    np.testing.assert_array_equal(
        drawn.mask, expected if row_zero is RowZero.TOP else expected[::-1]
    )


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            {"shape_type": "star", "points": [[1, 2]]},
            "shape_type 'star' is not one of polygon, rectangle",
        ),
        ({"points": []}, "it has no points"),
        ({"shape_type": "circle", "points": [[1, 2]]}, "1 and not the 2 of a circle"),
        ({"shape_type": "mask", "points": [[1, 2], [3, 4]], "mask": "%%%"}, "not a PNG picture"),
        (
            {"shape_type": "mask", "points": [[1, 2], [3, 4]], "mask": "aGVsbG8="},
            "not a PNG picture",
        ),
        ({"points": [[1, 2], [3, "x"], [5, 6]]}, "not pairs of numbers"),
    ],
)
def test_labelme_faults_name_the_shape(shape, message, read_json):
    with pytest.raises(AnnotationError, match=f"shape 2: .*{message}"):
        read_json(labelme({"points": [[1, 1], [2, 1], [2, 2]]}, shape))


# --- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("row_zero", list(RowZero))
@pytest.mark.parametrize("name", ["COCO", "LabelMe", "VIA"])
def test_what_is_written_is_read_back(name, row_zero, tmp_path):
    own = image(row_zero=row_zero, shape=(60, 80))
    written = marks(
        *PIXEL_SHAPES.values(), weight=0.25, group="ring, 2", round=3, annotator="Änn <b>"
    )
    kinds = attnxai.annotations.WRITERS[name].shapes
    # what the format has becomes itself, other areas polygons
    with pytest.warns(LeftOutWarning) if "line" not in kinds else _no_warning():
        paths = write_annotations(written, tmp_path / "out", name, images=[own])
    found = attnxai.read_annotations(paths, images=[own])
    expected = [a for a in written.annotations if a.shape.kind in kinds]
    same = [row for row in as_rows(found, digits=6) if row in as_rows(written, digits=6)]
    exact = [a for a in expected if not (name == "VIA" and a.shape.kind == "box")]
    assert len(same) == len(exact)
    assert len(found) == sum(a.shape.kind in kinds or a.shape.has_area for a in written.annotations)
    drawn = [
        rasterise_annotations(
            [a for a in s.annotations if a.shape.has_area], own.grid, fwhm=2.0
        ).mask
        for s in (found, written)
    ]
    assert (drawn[0] ^ drawn[1]).mean() < 0.002


@pytest.mark.parametrize("row_zero", list(RowZero))
@pytest.mark.parametrize("name", ["COCO", "LabelMe"])
def test_holes_are_kept_to_the_pixel(name, row_zero, tmp_path):
    own = image(row_zero=row_zero, shape=(60, 80))
    kinds = [
        {"kind": "box", "x": 29.5, "y": 19.5, "width": 30.0, "height": 20.0},
        {"kind": "box", "x": 24.5, "y": 16.5, "width": 6.0, "height": 4.0},
    ]
    ring = marks(*(Shape(**one) for one in kinds), group="ring")
    hole = dataclasses.replace(ring.annotations[1], operation="subtract", label="lobe")
    written = dataclasses.replace(ring, annotations=(ring.annotations[0], hole))
    paths = write_annotations(written, tmp_path / "out", name, images=[own])
    found = attnxai.read_annotations(paths, images=[own])
    drawn = [
        rasterise_annotations(s.annotations, own.grid, fwhm=2.0).mask for s in (found, written)
    ]
    assert drawn[0].sum() == 600 - 24
    np.testing.assert_array_equal(*drawn)


def _no_warning():
    import contextlib

    return contextlib.nullcontext()


def test_words_are_what_the_user_says(read_json):
    content = labelme(
        {"points": [[1, 1], [5, 1], [5, 4]], "label": "blob", "description": "seen by Eve"}
    )
    naming = Naming(labels={"blob": "core"}, annotators={"seen by Eve": "Eve"})
    (mark,) = read_json(content, naming=naming).annotations
    assert (mark.label, mark.annotator) == ("core", "Eve")


def test_ten_thousand_regions_take_seconds(read_json):
    import time

    entries = [
        {"segmentation": [[i % 40, 1, i % 40 + 5, 1, i % 40 + 5, 4.5]]} for i in range(10_000)
    ]
    started = time.perf_counter()
    assert len(read_json(coco(*entries), images=[image()])) == 10_000
    assert time.perf_counter() - started < 8


def test_keypoints_that_are_all_whole_numbers_name_pixels(read_json):
    content = coco({"category_id": 2, "keypoints": [3, 4, 2]}, keypoints=["core"])
    (mark,) = read_json(content, images=[image(row_zero=RowZero.TOP)]).annotations
    assert (mark.shape.x, mark.shape.y) == (3.0, 4.0)
    content["annotations"][0]["keypoints"] = [3.0, 4.0, 2]
    (mark,) = read_json(content, images=[image(row_zero=RowZero.TOP)]).annotations
    assert (mark.shape.x, mark.shape.y) == (2.5, 3.5)
