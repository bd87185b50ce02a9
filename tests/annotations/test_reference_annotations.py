"""The tables that ship fit their schema, and the schema says what the package accepts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import attnxai
from attnxai.annotations import Frame, Label, Operation, ShapeKind
from attnxai.annotations.annotation_set import RULE_KIND, WEIGHT
from attnxai.annotations.readers.table import parse_table
from attnxai.annotations.rules import RULE_NAME, fr_annotations
from attnxai.annotations.sample import RULE_TABLE_NAME, SHIPPED, sample_folder
from attnxai.annotations.shapes import LIMITS, REQUIRED_FIELDS
from attnxai.annotations.table_columns import COLUMNS, REQUIRED
from attnxai.data.mirabest import is_mirabest_source, read_mirabest
from attnxai.errors import AnnotationError

SCHEMA: dict[str, Any] = json.loads((sample_folder() / "schema.json").read_text(encoding="utf-8"))
ROW = {"source": "s1", "annotator": "ann", "shape": "point", "x": 3, "y": 4.5, "label": "core"}


def typed_rows(name: str) -> list[dict[str, Any]]:
    """Rows of a table as the schema has them: without empty cells, and numbers as numbers."""
    types = SCHEMA["items"]["properties"]
    with (sample_folder() / name).open(encoding="utf-8", newline="") as file:
        return [
            {
                column: float(cell) if types.get(column, {}).get("type") == "number" else cell
                for column, cell in row.items()
                if cell
            }
            for row in csv.DictReader(file)
        ]


def fits(**changes: Any) -> bool:
    row = {key: value for key, value in {**ROW, **changes}.items() if value is not None}
    return bool(Draft202012Validator(SCHEMA).is_valid([row]))


def as_csv(**changes: Any) -> str:
    row = {**dict.fromkeys(COLUMNS), **ROW, **changes}
    cells = ("" if value is None else str(value) for value in row.values())
    return f"{','.join(row)}\n{','.join(cells)}\n"


class TestSchema:
    def test_it_is_one(self) -> None:
        Draft202012Validator.check_schema(SCHEMA)

    @pytest.mark.parametrize("name", SHIPPED)
    def test_tables_that_ship_fit(self, name: str) -> None:
        errors = list(Draft202012Validator(SCHEMA).iter_errors(typed_rows(name)))
        assert [error.message for error in errors[:3]] == []

    def test_columns_and_choices_are_those_of_the_package(self) -> None:
        items = SCHEMA["items"]
        assert set(items["properties"]) == {*COLUMNS, "made_by"}
        assert set(items["required"]) == set(REQUIRED)
        for column, choices in (
            ("shape", ShapeKind),
            ("frame", Frame),
            ("label", Label),
            ("operation", Operation),
        ):
            nothing = ["none"] if column == "shape" else []
            assert items["properties"][column]["enum"] == [*choices, *nothing]

    @pytest.mark.parametrize(
        "change",
        [
            {"shape": "elipse"},
            {"x": None},
            {"x": 2e6},
            {"frame": "icrs", "x": 361},
            {"frame": "icrs", "y": -91},
            {"shape": "circle", "radius": -2},
            {"shape": "box", "width": 3},
            {"shape": "polygon", "vertices": "1 2 3; 4 5"},
            {"label": "beam"},
            {"source": None},
            {"annotator": None},
            {"weight": 2},
            {"round": 0},
            {"operation": "subtract"},
        ],
        ids=str,
    )
    def test_what_it_refuses_the_reader_refuses_too(self, change: dict[str, Any]) -> None:
        assert not fits(**change)
        with pytest.raises(AnnotationError, match="cannot be used"):
            parse_table(as_csv(**change))

    def test_a_row_of_nothing_to_mark(self) -> None:
        nothing = {"shape": "none", "x": None, "y": None}
        assert fits(**nothing)
        found = parse_table(as_csv() + as_csv(**nothing).partition("\n")[2])
        assert (len(found), found.n_rows) == (1, 2)

    @pytest.mark.parametrize("kind", ShapeKind)
    def test_shapes_need_what_they_need(self, kind: ShapeKind) -> None:
        lengths = dict.fromkeys(("width", "height", "radius"), 2.0)
        whole = {"shape": kind.value, "vertices": "1 2; 3 4; 5 6", **lengths}
        assert fits(**whole)
        for field in ("x", "y", *lengths, "vertices"):
            changed: dict[str, Any] = {**whole, field: None}
            assert fits(**changed) == (field not in REQUIRED_FIELDS[kind])
        assert fits(**whole, operation="subtract") == (kind not in ("point", "line"))

    @pytest.mark.parametrize("frame", Frame)
    @pytest.mark.parametrize("field", LIMITS[Frame.PIXEL])
    def test_limits(self, frame: Frame, field: str) -> None:
        limits = LIMITS[frame][field]
        for value, right in (
            (limits.low, True),
            (limits.high, True),
            (limits.low - 1, False),
            (limits.high + 1, False),
        ):
            assert fits(frame=frame.value, **{field: value}) == right
            if frame is Frame.PIXEL:
                assert fits(**{field: value}) == right

    def test_other_columns(self) -> None:
        assert fits(weight=WEIGHT.high)
        assert not fits(weight=WEIGHT.high + 0.1)
        assert fits(round=2)
        assert not fits(round=0)
        assert fits(rule_class="FR I")
        assert not fits(vertices="1 2; 3")
        assert not fits(source="")


class TestRuleTable:
    def test_it_is_found_by_its_name_and_says_that_a_rule_made_it(self) -> None:
        found = attnxai.read_annotations(RULE_TABLE_NAME)
        assert found.annotators == found.rule_annotators == (RULE_NAME,)
        assert found.kind == RULE_KIND
        assert found.classes == {}
        assert len(found.sources) == 1255
        assert all(map(is_mirabest_source, found.sources))
        assert {a.shape.kind for a in found.annotations} == {ShapeKind.POINT}
        assert all(0 <= value <= 149 for a in found.annotations for value in (a.shape.x, a.shape.y))

    @pytest.mark.shared_data
    def test_the_rule_makes_it_again(self, shared_data: Path) -> None:
        images = read_mirabest(shared_data, hybrids=True)[::40]  # a second
        made = fr_annotations(images)
        shipped = attnxai.read_annotations(RULE_TABLE_NAME).select(made.sources)
        assert [(a.source, a.label, a.shape.x, a.shape.y, a.other) for a in made.annotations] == [
            (a.source, a.label, a.shape.x, a.shape.y, dict(a.other)) for a in shipped.annotations
        ]
