"""Measurements and the sources that all of them share."""

from __future__ import annotations

import json
import math

from attnxai.study.measurement import RunMeasurement, common_sources

MEASUREMENT = RunMeasurement(
    values={"accuracy": 0.9, "auc": math.nan},
    n_images=12,
    sources=("a", "b"),
    agreement={"nss:mean": (1.0, math.nan)},
    left_out={"seen": 3},
)


def test_round_trip():
    found = RunMeasurement.from_dict(json.loads(json.dumps(MEASUREMENT.to_dict())))
    assert found.values["accuracy"] == 0.9
    assert math.isnan(found.values["auc"])
    assert found.sources == ("a", "b")
    assert found.agreement["nss:mean"][0] == 1.0
    assert math.isnan(found.agreement["nss:mean"][1])
    assert (found.n_images, dict(found.left_out)) == (12, {"seen": 3})


def test_common_sources():
    other = RunMeasurement(
        values={}, n_images=1, sources=("b", "a", "c"), agreement={"nss:mean": (1.0, 2.0, 3.0)}
    )
    assert common_sources([MEASUREMENT, other], "nss:mean") == ("a",)
    assert common_sources([other], "nss:mean") == ("a", "b", "c")
    assert common_sources([other], "spearman:mean") == ()
    assert common_sources([], "nss:mean") == ()
