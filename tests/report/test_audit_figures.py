"""The figures of audits on their page."""

from __future__ import annotations

import pytest

from attnxai.audit.class_means import class_mean_maps
from attnxai.report.audit_figures import audit_drawers
from tests.audit.test_class_means import made_up as sources
from tests.audit.test_randomisation import made_up as randomised
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
