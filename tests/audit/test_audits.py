"""Several audits in one run: names, seeds, records."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import attnxai
from attnxai.audit import AUDITS, run_audits
from attnxai.audit.own_maps import own_methods
from attnxai.errors import OptionError, UndefinedValuesWarning
from attnxai.explanations.explaining import EXPLANATIONS
from attnxai.presenters import PLOT, PRESENTERS
from attnxai.report.audit_figures import FIGURES
from attnxai.report.sentences.say import SENTENCES
from tests.audit.models import WeightedSum, model_of
from tests.audit.test_evidence_location import SIDE, sources
from tests.builders import simulated
from tests.explanations.conftest import build_model
from tests.models.builders import make_model
from tests.models.ordinary_networks import ResidualNetwork, seeded


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
        {"name": "ten", "group": "held-out", "n": 10},
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


def test_all_audits_give_what_a_page_needs(monkeypatch) -> None:
    monkeypatch.setattr("attnxai.audit.own_maps.MOST_IMAGES", 2)
    monkeypatch.setattr("attnxai.audit.own_maps.own_methods", lambda model: ("gates",))
    model = make_model(side=16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedValuesWarning)
        found = run_audits(model, simulated(3, side=24), rng=1)
    assert list(found.results) == list(AUDITS)
    for name, result in found.results.items():
        assert result.passes in {True, False, None}, name
        assert len(result.summary().splitlines()) > 1, f"summary of {name} has one line"
        assert len(result.to_frame()) > 0, f"to_frame of {name} has no row"
        json.dumps(result.to_record(), allow_nan=False)
        kind = type(result).__name__
        for file, known in {
            "FIGURES in attnxai/report/audit_figures.py": kind in FIGURES,
            "PRESENTERS in attnxai/presenters.py": PLOT in PRESENTERS.get(kind, {}),
            "attnxai/report/sentences/audit.py": f"audit.figure.{kind}" in SENTENCES,
            "attnxai/audit/__init__.pyi": hasattr(attnxai.audit, kind),
        }.items():
            assert known, f"{file} lacks {kind}, the result of the audit {name}"
    assert found.results["faithfulness"].to_record()["n_sources"] == 2
    assert found.results["map_agreement"].to_record()["n_sources"] == 3


def test_models_without_gates_have_maps_of_another_method() -> None:
    assert own_methods(make_model(side=16)) == ("gates", "evidence_relative")
    (name,) = own_methods(model_of(WeightedSum(np.ones((16, 16))), 16))
    assert name in EXPLANATIONS


def test_an_ordinary_network_is_audited_by_maps_that_it_allows() -> None:
    model = attnxai.wrap(
        seeded(ResidualNetwork),
        preprocessing=attnxai.models.Preprocessing(size=SIDE),
        class_names=("FR I", "FR II"),
    )
    found = run_audits(model, sources(6), ["evidence_location"]).results["evidence_location"]
    expected = attnxai.explain(model, sources(6), own_methods(model)).layers
    assert [located["map"] for located in found.to_record()["maps"]] == list(expected)
