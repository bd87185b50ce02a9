"""Several audits in one run: names, seeds, records."""

from __future__ import annotations

import json

import numpy as np
import pytest

from attnxai.audit import AUDITS, run_audits
from attnxai.errors import OptionError
from tests.audit.test_evidence_location import SIDE, sources
from tests.explanations.conftest import build_model


def test_an_audit_is_run_by_its_name_and_recorded_under_it() -> None:
    steps = []
    found = run_audits(
        build_model(side=SIDE),
        sources(10),
        ["evidence_location"],
        rng=3,
        images_name="ten",
        on_step=lambda *step: steps.append(step),
    )
    again = run_audits(build_model(side=SIDE), sources(10), ["evidence_location"], rng=3)
    assert found.results["evidence_location"].to_record() == (
        again.results["evidence_location"].to_record()
    )
    assert steps[-1] == (AUDITS["evidence_location"].title, 10, 10)
    record = json.loads(json.dumps(found.to_record()))
    assert (record["model"]["sha256"], record["seed"], record["images"]) == (
        "34",
        3,
        {"name": "ten", "n": 10},
    )
    assert record["audits"]["evidence_location"]["n_sources"] == 10
    assert found.to_frame()["audit"].unique().tolist() == ["evidence_location"]
    assert found.summary().startswith("Where does the evidence come from?\n")
    assert found.passes == found.results["evidence_location"].passes


def test_mistakes_are_refused() -> None:
    model = build_model(side=SIDE)
    with pytest.raises(OptionError, match="unknown audit 'evidence_locations'"):
        run_audits(model, sources(2), ["evidence_locations"])
    with pytest.raises(OptionError, match="one or more different ones, got none"):
        run_audits(model, sources(2), [])
    with pytest.raises(OptionError, match="no images"):
        run_audits(model, [], rng=np.random.default_rng(0))
