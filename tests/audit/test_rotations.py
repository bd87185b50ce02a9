"""Rotations of predictions and maps, joined with what interpolation does."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from attnxai.audit.rotations import rotation_audit
from attnxai.errors import OptionError, UndefinedValuesWarning
from tests.audit.models import WeightedSum, model_of
from tests.builders import simulated
from tests.models.builders import make_model


@pytest.fixture(scope="module")
def found():
    with pytest.warns(UndefinedValuesWarning, match="of gate1 are undefined"):
        return rotation_audit(
            make_model(side=32), simulated(9, side=40), n_angles=2, n_bootstrap=200
        )


def test_elements_that_are_built_in_hold(found):
    assert found.passes is True
    assert found.angles == 2
    names = [element.name for element in found.errors.elements]
    assert names[:3] == ["90°", "180°", "270°"]
    broken = dataclasses.replace(
        found, errors=dataclasses.replace(found.errors, map_errors=found.errors.map_errors + 0.02)
    )
    assert broken.passes is False


def test_correlations_stand_beside_those_of_interpolation_alone(found):
    frame = found.to_frame().set_index("map")
    back = found.errors.back_map_correlations[-2:, 0]
    assert frame.loc["gate1", "by_interpolation"] == pytest.approx(np.nanmean(back))
    wanted = np.nanmean(found.consistency.map_consistency["gate1"])
    assert frame.loc["gate1", "value"] == pytest.approx(wanted)
    assert np.isnan(frame.loc["mean", "by_interpolation"])
    text = found.summary()
    assert text.startswith(
        "The rotations and reflections of the network's own group change nothing."
    )
    assert "9 sources keep their class in a share of" in text
    assert "by interpolation alone, turned there and back" in text
    assert "Group C4 on 32 x 32 pixels: 3 of its elements hold exactly" in text
    json.dumps(found.to_record(), allow_nan=False)


def test_a_network_without_gates_has_predictions_alone():
    model = model_of(WeightedSum(np.ones((16, 16))), 16)
    steps = []
    found = rotation_audit(
        model, simulated(2, side=24), n_angles=2, on_step=lambda *step: steps.append(step)
    )
    assert found.passes is None
    assert found.to_frame()["quantity"].tolist() == ["class_consistency", "probability_change"]
    assert steps == [(i, 4) for i in range(1, 5)]
    with pytest.raises(OptionError, match="n_bootstrap has to be 1 or more"):
        rotation_audit(model, simulated(1, side=24), n_bootstrap=0)
