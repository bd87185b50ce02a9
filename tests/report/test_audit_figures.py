"""The figures of audits on their page."""

from __future__ import annotations

import pytest

from attnxai.audit.audits import ModelAudit
from attnxai.audit.class_means import class_mean_maps
from attnxai.explanations.inputs import model_provenance
from attnxai.report.audit_figures import audit_drawers
from tests.audit.test_class_means import made_up as sources
from tests.audit.test_randomisation import made_up as randomised
from tests.models.builders import make_model
from tests.report.test_faithfulness import made_up as curves
from tests.report.test_map_agreement import agreement, stability


@pytest.fixture(scope="module")
def results():
    return {
        "faithfulness": curves(),
        "weight_randomisation": randomised(0.2),
        "noise_stability": stability(),
        "map_agreement": agreement(),
        "class_means": class_mean_maps(*sources(4), n_bootstrap=20),
    }


def test_every_audit_with_a_figure_is_drawn_captioned_and_described(results, tmp_path):
    drawers = audit_drawers({**results, "other": object()})
    assert list(drawers) == list(results)
    for name, draw in drawers.items():
        text = draw(tmp_path)
        assert text.name == name
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / f"{name}.pdf").is_file()
        assert len(text.caption) > 40
        assert "\n" not in text.alternative
        assert text.alternative.startswith(results[name].summary()[:30])


def test_the_page_of_an_audit_holds_the_figures_and_the_sentences(results, tmp_path):
    results = {name: results[name] for name in ("faithfulness", "noise_stability")}
    found = ModelAudit(
        model={"name": "d8", **model_provenance(make_model())},
        group="held-out",
        n_images=12,
        images_name="made up",
        results=results,
        seed=0,
    )
    page = found.write_report(tmp_path / "audit").read_text(encoding="utf-8")
    for name in results:
        assert (tmp_path / "audit" / "figures" / f"{name}.pdf").is_file()
    assert page.count("<figure") == len(results)
    assert "The map gate1 is faithful" in page
