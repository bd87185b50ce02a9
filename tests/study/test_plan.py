"""A plan says what is trained, and refuses what cannot be compared."""

from __future__ import annotations

import dataclasses
import json

import pytest

from attnxai.errors import OptionError, SpecificationError
from attnxai.study.data import AnnotationRequest
from attnxai.study.measurement import MeasureOn
from attnxai.study.plan import MeasureSettings, RunKey


def test_groups_are_ordered_and_runs_balanced(plan):
    wide = dataclasses.replace(plan, groups=("d2", "C2", "C1"), seeds=(3, 1))
    assert wide.groups == ("C1", "C2", "D2")
    assert [run.name for run in wide.runs] == [
        "C1-seed3", "C2-seed3", "D2-seed3", "C1-seed1", "C2-seed1", "D2-seed1",
    ]  # fmt: skip
    assert wide.baseline == "C1"
    assert wide.settings_of(RunKey(group="C2", seed=3)).seed == 3
    assert wide.matches["C1"].spec == wide.specification
    assert wide.matches["C2"].spec.group == "C2"
    assert json.loads(json.dumps(wide.to_dict()))["groups"] == ["C1", "C2", "D2"]
    assert "seed" not in wide.to_dict()["training"]


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"groups": ("C1", "c1")}, OptionError, "group C1 is given twice"),
        ({"seeds": (1, 1)}, OptionError, "seed 1 is given twice"),
        ({"seeds": ()}, OptionError, "at least one seed"),
        ({"groups": ("C2", "D2")}, OptionError, "compared with C1, which is not among C2, D2"),
        ({"groups": ("C1", "E2")}, SpecificationError, "unknown group 'E2'"),
        ({"reference_loss": -1.0}, OptionError, "above 0"),
    ],
)
def test_refused(plan, changes, error, text):
    with pytest.raises(error, match=text):
        dataclasses.replace(plan, **changes)


def test_measure_settings_become_plain_values(plan):
    request = AnnotationRequest(path="marks.csv", fwhm_arcsec=3.0)
    settings = MeasureSettings(measure_on=MeasureOn.TEST, n_angles=3, annotations=request, seed=5)
    for chosen, marked in ((settings, dataclasses.asdict(request)), (plan.measuring, None)):
        written = dataclasses.replace(plan, measuring=chosen).to_dict()
        assert json.loads(json.dumps(written))["measuring"] == {
            "measure_on": str(chosen.measure_on),
            "n_angles": chosen.n_angles,
            "annotations": marked,
            "explain": ["gates"],
            "seed": chosen.seed,
        }
    with pytest.raises(OptionError, match="n_angles"):
        MeasureSettings(n_angles=0)
