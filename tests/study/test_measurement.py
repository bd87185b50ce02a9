"""Measurements are used again only for the same model and inputs."""

from __future__ import annotations

import json
import math

import pytest

from attnxai.study.measurement import (
    RunMeasurement,
    common_sources,
    read_measurement,
    write_measurement,
)

MEASUREMENT = RunMeasurement(
    values={"accuracy": 0.9, "auc": math.nan},
    n_images=12,
    sources=("a", "b"),
    agreement={"nss": {"mean": (1.0, math.nan)}},
    left_out={"seen": 3},
)
IDENTITY = {"model_sha256": "ab", "annotations": None, "sizes": (1, 2)}


def test_round_trip(tmp_path):
    path = tmp_path / "measurements" / "C1.json"
    write_measurement(MEASUREMENT, path, IDENTITY)
    found = read_measurement(path, IDENTITY)
    assert found.values["accuracy"] == 0.9
    assert math.isnan(found.values["auc"])
    assert found.sources == ("a", "b")
    assert found.agreement["nss"]["mean"][0] == 1.0
    assert math.isnan(found.agreement["nss"]["mean"][1])
    assert (found.n_images, dict(found.left_out)) == (12, {"seen": 3})
    assert json.loads(path.read_text())["identity"]["model_sha256"] == "ab"


@pytest.mark.parametrize("change", [{"model_sha256": "cd"}, {"annotations": {"sha256": "x"}}])
def test_other_inputs_are_measured_again(tmp_path, change):
    write_measurement(MEASUREMENT, tmp_path / "m.json", IDENTITY)
    assert read_measurement(tmp_path / "m.json", {**IDENTITY, **change}) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"format": "attnxai-measurement"}', "{", '{"format": 1, "format_version": 1}'],
)
def test_damaged_files_are_measured_again(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    assert read_measurement(tmp_path / "m.json", IDENTITY) is None
    assert read_measurement(tmp_path / "nothing.json", IDENTITY) is None


def test_values_of_the_wrong_kind_are_measured_again(tmp_path):
    path = tmp_path / "m.json"
    write_measurement(MEASUREMENT, path, IDENTITY)
    content = json.loads(path.read_text())
    content["values"]["accuracy"] = "high"
    path.write_text(json.dumps(content))
    assert read_measurement(path, IDENTITY) is None


def test_common_sources():
    other = RunMeasurement(
        values={}, n_images=1, sources=("b", "a", "c"), agreement={"nss": {"mean": (1.0, 2.0, 3.0)}}
    )
    assert common_sources([MEASUREMENT, other], "nss") == ["a"]
    assert common_sources([other], "nss") == ["a", "b", "c"]
    assert common_sources([other], "spearman") == []
    assert common_sources([], "nss") == []
