"""VIA: regions of both versions, exported as JSON, as a project and as CSV."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from attnxai.data.grid import RowZero
from attnxai.errors import AnnotationError
from tests.annotations.readers.test_labelling_tools import image, via

REGIONS = [
    ({"name": "rect", "x": 10, "y": 5, "width": 4, "height": 2}, {"label": "lobe"}),
    ({"name": "circle", "cx": 20, "cy": 10, "r": 5}, {"kind": {"jet": True, "core": False}}),
    (
        {"name": "ellipse", "cx": 20, "cy": 10, "rx": 5, "ry": 2, "theta": math.pi / 6},
        {"label": "lobe"},
    ),
    (
        {"name": "polygon", "all_points_x": [1, 5, 5], "all_points_y": [1, 1, 4]},
        {"label": "lobe", "user": "Bob"},
    ),
    ({"name": "polyline", "all_points_x": [1, 5], "all_points_y": [1, 1]}, {"label": "jet"}),
    ({"name": "point", "cx": 3, "cy": 4}, {"label": "core"}),
]


def via_csv(regions):
    buffer = io.StringIO()
    table = csv.writer(buffer)
    table.writerow(
        [
            "filename",
            "file_size",
            "file_attributes",
            "region_count",
            "region_id",
            "region_shape_attributes",
            "region_attributes",
        ]
    )
    for i, (shape, attributes) in enumerate(regions):
        cells = [json.dumps(part) for part in (shape, attributes)]
        table.writerow(["g1.png", 4093, '{"annotator":"Ann"}', len(regions), i, *cells])
    table.writerow(["g2.png", 4093, "{}", 0, 0, "{}", "{}"])
    return buffer.getvalue().encode()


def via_3(*regions):
    """A project of version 3: shapes as lists of numbers, and attributes by their numbers."""
    attributes = {
        "1": {"aname": "label", "options": {"0": "lobe", "1": "core"}},
        "2": {"aname": "kind", "options": {"0": "jet", "1": "core"}},
        "3": {"aname": "user"},
    }
    of_view = {"vid": "1", "z": [], "xy": [], "av": {"3": "Ann"}}
    marked = [{"vid": "1", "z": [], "xy": shape, "av": av} for shape, av in regions]
    return {
        "project": {"data_format_version": "3.1.1"},
        "attribute": attributes,
        "file": {"5": {"fid": "5", "fname": "g1.png", "type": 2}},
        "metadata": {f"1_{i}": entry for i, entry in enumerate([*marked, of_view])},
        "view": {"1": {"fid_list": ["5"]}},
    }


def test_via_of_version_3(read_json):
    found = read_json(
        via_3(
            ([2, 10, 5, 4, 2], {"1": "0"}),
            ([3, 20, 10, 5], {"2": "0,1"}),
            ([4, 20, 10, 5, 2], {"1": "0", "3": "Bob"}),
            ([7, 1, 1, 5, 1, 5, 4], {"1": "0"}),
            ([6, 1, 1, 5, 1], {}),
            ([5, 1, 1, 5, 1], {}),
            ([1, 3, 4], {"1": "1"}),
        ),
        images=[image(row_zero=RowZero.TOP), image("g2")],
    )
    assert [(m.source, m.annotator, m.label, m.shape.kind) for m in found.annotations] == [
        *[("g1", "Ann", "lobe", "box"), ("g1", "Ann", "jet", "circle")],
        *[("g1", "Bob", "lobe", "ellipse"), ("g1", "Ann", "lobe", "polygon")],
        *[("g1", "Ann", "other", "line")] * 2,
        ("g1", "Ann", "core", "point"),
    ]
    shapes = [mark.shape for mark in found.annotations]
    box, circle, ellipse, polygon, *_, point = shapes
    assert (box.x, box.y, box.width, box.height) == (11.5, 5.5, 4.0, 2.0)
    assert (circle.x, circle.y, circle.radius) == (19.5, 9.5, 5.0)
    assert (ellipse.width, ellipse.height) == (10.0, 4.0)
    assert [tuple(p) for p in polygon.vertices] == [(0.5, 0.5), (4.5, 0.5), (4.5, 3.5)]
    assert (point.x, point.y) == (2.5, 3.5)
    with pytest.raises(AnnotationError, match="region 2: its shape 'extreme circle' is not one of"):
        read_json(via_3(([1, 3, 4], {}), ([9, 1, 1, 2, 2, 3, 1], {})))
    with pytest.raises(AnnotationError, match="region 1: its height is not a number"):
        read_json(via_3(([2, 10, 5, 4], {})))


@pytest.mark.parametrize("form", ["export", "project", "regions by number", "csv", "first csv"])
def test_via_regions(form, read, read_json):
    content = via(*REGIONS)
    options = {"images": [image(row_zero=RowZero.TOP), image("g2")]}
    if form == "project":
        content = {"_via_settings": {"ui": {}}, "_via_img_metadata": content, "_via_attributes": {}}
    if form == "regions by number":  # as version 1 has them
        content["g1.png4093"]["regions"] = dict(enumerate(content["g1.png4093"]["regions"]))
    table = b"#" * (form == "first csv") + via_csv(REGIONS)  # as version 1 begins
    found = read(table, **options) if "csv" in form else read_json(content, **options)
    assert [(m.annotator, m.label, m.shape.kind) for m in found.annotations] == [
        *[("Ann", "lobe", "box"), ("Ann", "jet", "circle"), ("Ann", "lobe", "ellipse")],
        *[("Bob", "lobe", "polygon"), ("Ann", "jet", "line"), ("Ann", "core", "point")],
    ]
    box, _, ellipse = (mark.shape for mark in found.annotations[:3])
    assert (box.x, box.y, box.width, box.height) == (11.5, 5.5, 4.0, 2.0)
    assert (ellipse.width, ellipse.height, ellipse.angle) == pytest.approx((10.0, 4.0, 30.0))


def test_angles_turn_with_the_rows(read_json):
    for row_zero, angle in ((RowZero.TOP, 30.0), (RowZero.BOTTOM, -30.0)):
        found = read_json(via(REGIONS[2]), images=[image(row_zero=row_zero)])
        assert found.annotations[0].shape.angle == pytest.approx(angle)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"name": "star"}, "'star' is not one of rect"),
        ({"name": "rect", "x": 1, "y": 2, "width": 3}, "its height is not a number"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1]}, "lists of one length"),
        (None, "it has no shape_attributes"),
    ],
)
def test_via_faults_name_the_region(shape, message, read_json):
    with pytest.raises(AnnotationError, match=f"region 2: .*{message}"):
        read_json(via(REGIONS[0], (shape, {})))
