"""The figures of audits, in Python and on their page."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import pyplot as plt

from attnxai.audit.audits import AUDITS, ModelAudit
from attnxai.audit.faithfulness_result import shifted_name
from attnxai.explanations.inputs import model_provenance
from attnxai.report.audit_document import headline
from attnxai.report.audit_figures import audit_drawers, draw_curves
from attnxai.report.style import new_figure
from tests.audit.test_randomisation import made_up as randomised
from tests.models.builders import make_model
from tests.report.audits import LAYERS, agreement, audit_results, curves, stability
from tests.report.pages import probed
from tests.report.test_audit import GOOD, location


@pytest.fixture(scope="module")
def results():
    return audit_results()


def test_faithfulness_is_drawn_as_gains() -> None:
    result = curves()
    ax = result.plot()
    try:
        points = [line for line in ax.lines if len(line.get_xdata()) == 1 and line.get_xdata()[0]]
        shown = [float(line.get_xdata()[0]) for line in points]
        wanted = [
            result.gain(layer, shifted_name(layer), test).value
            for layer in result.layers
            for test in result.tests
        ]
        assert shown == pytest.approx(wanted)
        assert [label.get_text() for label in ax.get_yticklabels()] == ["gate1", "gate2"]
    finally:
        plt.close(ax.figure)


def test_curves_have_a_panel_for_every_test() -> None:
    result, figure = curves(), new_figure(6, 3)
    draw_curves(figure, result, "score")
    panels = figure.axes
    assert [panel.get_title(loc="left") for panel in panels] == ["deletion", "insertion", "ROAD"]
    for panel, own in zip(panels, result.score, strict=True):
        assert len(panel.lines) == 4
        np.testing.assert_allclose(np.asarray(panel.lines[0].get_ydata()), own[0].mean(axis=0))
    assert panels[0].get_xscale() == "log"
    figure.draw_without_rendering()
    shown = {label.get_text() for label in panels[0].get_xticklabels()}
    assert {"0.1 %", "100 %"} <= shown


def test_the_matrix_shows_both_correlations():
    result = agreement()
    ax = result.plot()
    try:
        shown = np.asarray(ax.images[0].get_array())
        assert shown[1, 0] == pytest.approx(result.interval("gate2", "gate1").value)
        partial = result.interval("gate1", "gate2", "partial_spearman").value
        assert shown[0, 1] == pytest.approx(partial)
        assert len(ax.texts) == 6
        assert ax.texts[0].get_text() == f"{partial:.2f}"
    finally:
        plt.close(ax.figure)


def test_stability_has_a_row_for_every_map():
    result = stability()
    ax = result.plot()
    try:
        assert [label.get_text() for label in ax.get_yticklabels()] == list(LAYERS)
        points = {
            round(float(line.get_xdata()[0]), 9) for line in ax.lines if len(line.get_xdata()) == 1
        }
        for layer in LAYERS:
            assert round(result.correlation(layer).value, 9) in points
    finally:
        plt.close(ax.figure)


def test_random_weights_are_drawn_step_by_step() -> None:
    result = randomised(0.4)
    ax = result.plot()
    try:
        lines = {line.get_label(): np.asarray(line.get_ydata()) for line in ax.lines}
        wanted = [result.interval("gate2", step=step).value for step in range(3)]
        np.testing.assert_allclose(lines["gate2"], wanted)
        assert [text.get_text() for text in ax.get_xticklabels()] == list(result.steps)
        assert len(ax.collections) == 2
    finally:
        plt.close(ax.figure)


def test_zones_and_rotations_are_drawn_beside_what_they_are_compared_with(results) -> None:
    ax = results["evidence_location"].plot()
    rows = ["whole network", "empty sky alone", "ring alone", "emission alone"]
    assert [label.get_text() for label in ax.get_yticklabels()] == rows
    points = [line for line in ax.lines if len(line.get_xdata()) == 1]
    assert len(points) == 1 + 2 * 3  # the whole network has no area
    plt.close(ax.figure)
    found = results["rotations"]
    ax = found.plot()
    shown = {float(line.get_xdata()[0]) for line in ax.lines if len(line.get_xdata()) == 1}
    for layer in found.consistency.layers:
        assert found.correlation(layer).value in shown
    assert {found.floor(layer) for layer in found.errors.layers} <= shown
    plt.close(ax.figure)


def test_every_audit_has_a_figure_with_a_caption_and_a_description(results, tmp_path):
    assert list(results) == list(AUDITS), "results in tests/report/audits.py"
    texts = [draw(tmp_path) for draw in audit_drawers(results)]
    assert [text.name for text in texts] == list(results)
    for text in texts:
        assert (tmp_path / f"{text.name}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / f"{text.name}.pdf").is_file()
        assert len(text.caption) > 40
        assert "\n" not in text.alternative
        assert text.alternative == results[text.name].summary().replace("\n", " ")
    (draw,) = audit_drawers({"none": location(GOOD, empty=None)})
    assert draw(tmp_path) is None


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ((False, None), "The audit with a verdict fails."),
        ((True, None), "The audit with a verdict passes."),
        ((False, True, None), "1 of the 2 audits with a verdict fails."),
        ((False, None, False, True), "2 of the 3 audits with a verdict fail."),
        ((True, True, None), "None of the 2 audits with a verdict fails."),
        ((None, None), "No audit has a verdict here."),
    ],
)
def test_the_headline_counts_the_audits_that_have_a_verdict(verdicts, words):
    found = {str(i): SimpleNamespace(passes=passes) for i, passes in enumerate(verdicts)}
    assert headline(SimpleNamespace(results=found)) == words


def test_the_page_of_an_audit_begins_with_a_verdict_for_each(results, chromium, tmp_path):
    names = ("evidence_location", "faithfulness", "noise_stability")
    found = ModelAudit(
        model={"name": "d8", **model_provenance(make_model())},
        group="held-out",
        n_images=12,
        images_name="made up",
        results={name: results[name] for name in names},
        seed=0,
    )
    page = found.write_report(tmp_path / "audit").read_text(encoding="utf-8")
    for name in names:
        assert (tmp_path / "audit" / "figures" / f"{name}.pdf").is_file()
        answer = results[name].summary().splitlines()[0]
        if name != "evidence_location":
            assert page.index(answer) < page.index("<figure")
    assert page.index("From empty sky alone d8.pt") < page.index("<figure")
    assert results["noise_stability"].passes is None
    assert f"<strong>{headline(found)}</strong>" in page
    assert page.count("<figure") == len(names)
    assert "The map gate1 is faithful" in page
    for width in (1280, 500):
        assert all(probed(chromium, tmp_path / "audit", tmp_path, width=width, script=""))
