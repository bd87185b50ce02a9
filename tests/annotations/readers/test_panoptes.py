"""Classification exports of the Zooniverse, as the project builder writes them."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from attnxai.annotations import Naming
from attnxai.data import PixelGrid, SourceImage
from attnxai.data.grid import RowZero
from attnxai.errors import AnnotationError

HEADER = [
    "classification_id",
    "user_name",
    "user_id",
    "user_ip",
    "workflow_id",
    "workflow_name",
    "workflow_version",
    "created_at",
    "gold_standard",
    "expert",
    "metadata",
    "annotations",
    "subject_data",
    "subject_ids",
]
SIZE = {"naturalWidth": 600, "naturalHeight": 400, "clientWidth": 300, "clientHeight": 200}


def image(source, row_zero=RowZero.TOP, shape=(40, 60)):
    pixels = np.random.default_rng(1).normal(size=shape)
    return SourceImage(source=source, pixels=pixels, grid=PixelGrid(shape=shape, row_zero=row_zero))


IMAGES = [image("J0001"), image("J0002")]


def row(*tasks, user="ann", subject="J0001.png", ids="11", size=SIZE, key="Filename", frames=1):
    return {
        "classification_id": 1,
        "user_name": user,
        "workflow_name": "Mark",
        "metadata": json.dumps({"source": "api", "subject_dimensions": [size] * frames}),
        "annotations": json.dumps(tasks),
        "subject_data": json.dumps({ids: {"retired": None, key: subject, "#priority": 1}}),
        "subject_ids": ids,
    }


def drawing(*marks):
    return {"task": "T0", "task_label": "Mark what you see", "value": list(marks)}


def mark(label="Core", frame=0, **geometry):
    return {"tool": 0, "tool_label": label, "frame": frame, "details": [], **geometry}


def question(answer):
    return {"task": "T1", "task_label": "Which class?", "value": answer}


@pytest.fixture
def export(read):
    def make(*rows, **options):
        text = io.StringIO()
        table = csv.DictWriter(text, HEADER)
        table.writeheader()
        table.writerows(rows)
        return read(text.getvalue().encode(), **{"images": IMAGES, **options})

    return make


def test_places_are_scaled_to_the_image(export):
    # the middle of the pixel in column 2 and row 3 of a picture that is ten times as large
    (found,) = export(row(drawing(mark(x=25, y=35)))).annotations
    assert (found.source, found.annotator, found.label) == ("J0001", "ann", "core")
    assert (found.shape.x, found.shape.y) == pytest.approx((2.0, 3.0))
    upwards = [image("J0001", RowZero.BOTTOM)]
    (found,) = export(row(drawing(mark(x=25, y=35))), images=upwards).annotations
    assert (found.shape.x, found.shape.y) == pytest.approx((2.0, 36.0))


def test_tools_of_both_front_ends(export):
    found = export(
        row(
            drawing(
                mark("Lobe", x=100, y=50, width=40, height=20),
                mark("Lobe", x=100, y=50, rx=40, ry=20, angle=30),
                mark("Lobe", x=100, y=50, r=30),
                mark("Jet", x1=10, y1=10, x2=30, y2=50),
                mark("Lobe", points=[{"x": 10, "y": 10}, {"x": 50, "y": 10}, {"x": 50, "y": 40}], closed=True),
                mark("Lobe", x=100, y=50, width=40, height=20, angle=90),
            ),
            {
                "task": "T5",
                "taskType": "drawing",
                "value": [
                    {"toolIndex": 0, "toolType": "rectangle", "frame": 0, "details": [],
                     "x_center": 120, "y_center": 60, "width": 40, "height": 20},
                    {"toolIndex": 1, "toolType": "freehandLine", "frame": 0, "pathX": [10, 20, 30], "pathY": [10, 15, 10]},
                ],
            },
        )
    ).annotations  # fmt: skip
    assert [(m.label, m.shape.kind) for m in found] == [
        *[
            ("lobe", "box"),
            ("lobe", "ellipse"),
            ("lobe", "circle"),
            ("jet", "line"),
            ("lobe", "polygon"),
        ],
        *[("lobe", "box"), ("other", "box"), ("other", "line")],
    ]
    box, ellipse, circle, _, polygon, turned, newer, path = (m.shape for m in found)
    assert (box.x, box.y, box.width, box.height) == pytest.approx((11.5, 5.5, 4, 2))
    # anticlockwise on the screen, where y grows downwards
    assert (ellipse.x, ellipse.width, ellipse.height, ellipse.angle) == pytest.approx(
        (9.5, 8, 4, -30)
    )
    assert (circle.x, circle.y, circle.radius) == pytest.approx((9.5, 4.5, 3))
    assert np.array(polygon.vertices) == pytest.approx(
        np.array([[0.5, 0.5], [4.5, 0.5], [4.5, 3.5]])
    )
    assert (turned.x, turned.y, turned.width, turned.angle) == pytest.approx((11.5, 5.5, 4, 90))
    assert (newer.x, newer.y) == pytest.approx((11.5, 5.5))
    assert len(path.vertices) == 3


def test_answers_are_classes_and_second_looks_rounds(export):
    found = export(
        row(drawing(mark(x=25, y=35)), question("FR I")),
        row(drawing(mark(x=25, y=35)), question("FR II"), user="bob"),
        row(drawing(mark(x=26, y=35)), question("FR-II"), user="eve"),
        row(drawing(mark(x=45, y=35)), question("FR II")),
        row(drawing(mark(x=45, y=35)), question("Not sure"), subject="J0002.png", ids="12"),
    )
    assert found.annotator_classes == {
        "ann": {"J0001": "FR I"},
        "bob": {"J0001": "FR II"},
        "eve": {"J0001": "FR II"},
    }
    assert found.classes == {"J0001": "FR II"}
    assert [(m.annotator, m.source, m.round) for m in found.annotations] == [
        *[("ann", "J0001", 1), ("bob", "J0001", 1), ("eve", "J0001", 1), ("ann", "J0001", 2)],
        ("ann", "J0002", 1),
    ]
    assert any("different classes for 1 of 1 source" in notice for notice in found.notices)


def test_several_workflows_are_one_look(export):
    drawn = [
        row(drawing(mark(x=25, y=35))) | {"workflow_id": workflow} for workflow in ("7", "8", "8")
    ]
    assert [m.round for m in export(*drawn).annotations] == [1, 1, 2]


def test_who_only_answers_has_a_vote(export):
    found = export(
        row(drawing(mark(x=25, y=35)), question("FR I")),
        row(question("FR II"), user="bob"),
        row(question("FR II"), user="eve"),
    )
    assert found.classes == {"J0001": "FR II"}
    assert found.annotators == ("ann",)
    assert set(found.annotator_classes) == {"ann", "bob", "eve"}


@pytest.mark.parametrize("key", ["#file", "!image_name", "ID", "Name"])
def test_sources_are_named_by_whatever_is_an_image(key, export):
    (found,) = export(row(drawing(mark(x=25, y=35)), key=key)).annotations
    assert found.source == "J0001"


def test_what_is_not_used_is_counted(export):
    found = export(
        row(drawing(mark(x=25, y=35))),
        row(drawing(mark(x=25, y=35, frame=1)), user="bob"),
        row(question("FR I"), user="eve"),
        row(drawing(mark(x=25, y=35)), subject="other.png", ids="13"),
    )
    assert len(found) == 1
    assert found.left_out == {
        "on another frame of its subject than the first": 1,
        "its image is not among the images": 1,
    }
    assert any("2 of 4 classifications hold no mark" in notice for notice in found.notices)


def test_users_may_be_renamed_and_tools_mean_labels(export):
    naming = Naming(labels={"Bright spot": "hotspot"}, annotators={"not-logged-in-1f": "Visitor"})
    (found,) = export(
        row(drawing(mark("Bright spot", x=25, y=35)), user="not-logged-in-1f"), naming=naming
    ).annotations
    assert (found.label, found.annotator) == ("hotspot", "Visitor")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"annotations": "[{"}, "its annotations are not the JSON"),
        ({"subject_data": "[]"}, "its subject_data are not the JSON"),
        ({"user_name": ""}, "it names no user"),
        ({"annotations": json.dumps([drawing(mark(x="a", y=1))])}, "its x is not a number"),
        ({"annotations": json.dumps([drawing(mark(points=[1, 2]))])}, "not positions with x and y"),
        (
            {"annotations": json.dumps([drawing(mark(x=1, y=2, r=-3))])},
            "the radius of a circle has to be",
        ),
    ],
)
def test_faults_name_the_line(changed, message, export):
    with pytest.raises(AnnotationError, match=f"line 3: .*{message}"):
        export(row(drawing(mark(x=25, y=35))), row(drawing(mark(x=25, y=35))) | changed)


def test_a_long_freehand_outline_is_read(export):
    turn = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    points = [{"x": 300 + 100 * np.cos(a), "y": 200 + 100 * np.sin(a)} for a in turn]
    (found,) = export(row(drawing(mark(points=points)))).annotations
    assert len(found.shape.vertices) == 20_000


def test_ten_thousand_classifications_take_seconds(export):
    import time

    rows = [row(drawing(mark(x=25, y=35)), user=f"user {i}") for i in range(10_000)]
    started = time.perf_counter()
    assert len(export(*rows)) == 10_000
    assert time.perf_counter() - started < 12
