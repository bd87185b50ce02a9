"""What a dataclass is written as, and what a file may give back for it."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping

import pytest

from attnxai.data.plain_values import checked_fields, to_plain
from attnxai.errors import SpecificationError


class Colour(enum.StrEnum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Record:
    n: int
    share: float
    kind: Colour
    sizes: tuple[int, ...]
    counts: Mapping[str, Mapping[str, int | None]]
    seed: int | None = None
    on: bool = False


GOOD = Record(3, 0.5, Colour.RED, (1, 2), {"a": {"b": None, "c": 4}}, on=True)


def test_what_is_written_is_read():
    plain = to_plain(GOOD)
    assert plain == {
        "n": 3, "share": 0.5, "kind": "red", "sizes": [1, 2], "counts": {"a": {"b": None, "c": 4}},
        "seed": None, "on": True,
    }  # fmt: skip
    assert Record(**checked_fields(Record, json.loads(json.dumps(plain)), "it")) == GOOD
    assert checked_fields(Record, {**plain, "share": 1}, "it")["share"] == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"n": -1}, "n of the record should be a whole number from 0 to 1e18, got -1"),
        ({"n": 2.0}, "n of the record should be a whole number from 0 to 1e18, got 2.0"),
        ({"n": None}, "n of the record should be a whole number from 0 to 1e18, got None"),
        ({"seed": True}, "seed of the record should be a whole number from 0 to 1e18, got True"),
        ({"share": float("inf")}, "share of the record should be a number below 1e18, got inf"),
        ({"share": 10**18}, "share of the record should be a number below 1e18, got 1000"),
        ({"kind": 3}, "kind of the record should be text, got 3"),
        ({"on": 1}, "on of the record should be true or false, got 1"),
        ({"sizes": "12"}, "sizes of the record should be a list of whole numbers from 0 to 1e18"),
        ({"sizes": [1, "2"]}, "sizes of the record should be a list of whole numbers from 0 to"),
        ({"counts": []}, "counts of the record should be a dictionary under names, got []"),
        ({"counts": {1: {}}}, "counts of the record should be a dictionary under names"),
        ({"counts": {"a": 1}}, "a of counts of the record should be a dictionary under names"),
        ({"counts": {"a": {"b\n": "c"}}}, r"b\n of a of counts of the record should be a whole"),
        ({"colour": 1, 4: 2}, "the record holds 4, 'colour', which this version of attnxai"),
    ],
)
def test_what_does_not_fit_is_named(changes, text):
    with pytest.raises(SpecificationError) as caught:
        checked_fields(Record, {**to_plain(GOOD), **changes}, "the record")
    assert str(caught.value).startswith(text)


def test_what_is_missing_or_unknown():
    values = {name: value for name, value in to_plain(GOOD).items() if name not in ("n", "seed")}
    with pytest.raises(SpecificationError, match=r"^the record lacks n$"):
        checked_fields(Record, values, "the record")
    with pytest.raises(SpecificationError, match=r"^the record lacks n, seed$"):
        checked_fields(Record, values, "the record", all_needed=True)
    with pytest.raises(SpecificationError, match=r"^the record is a list, not a dictionary$"):
        checked_fields(Record, [values], "the record")
    found = checked_fields(Record, {**values, "n": 1, "more": 2}, "it", ignore_unknown=True)
    assert set(found) == {*values, "n"}
    found = checked_fields(Record, to_plain(GOOD), "it", types={"sizes": "Any"})
    assert found["sizes"] == [1, 2]
