"""Text of every figure: of seven points or more at print size, nowhere over other text, and never cut off."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure

from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.agreement.model_comparison.of_results import contrast_results
from attnxai.alignment.pairs import align
from attnxai.annotations.shapes import Label
from attnxai.audit.class_means import class_mean_maps
from attnxai.classification.metrics import classification_metrics
from attnxai.data.images import SourceSet
from attnxai.metrics import METRICS
from attnxai.planning.plan import plan_power
from attnxai.report import draw_contact_sheet
from attnxai.report.audit_figures import audit_drawers
from attnxai.report.class_means import class_means_figure, profiles_figure
from attnxai.report.classification import draw_temperature
from attnxai.report.figures.agreement import draw_agreement, draw_all_metrics
from attnxai.report.figures.classes import draw_classes
from attnxai.report.figures.contrasts import draw_contrasts
from attnxai.report.figures.fitting import fit_titles
from attnxai.report.figures.nulls import draw_nulls
from attnxai.report.figures.sources import draw_sources
from attnxai.report.planning import draw_plan
from attnxai.report.study_figures import (
    draw_agreement_of_maps,
    draw_curves,
    draw_epochs,
    draw_metrics,
)
from attnxai.report.style import MM, TWO_COLUMNS, new_figure, paper_style
from attnxai.report.validation_figures import draw_coverage, draw_false_positives, draw_power
from attnxai.validation.plan import ValidationPlan, run_validation
from attnxai.validation.rejections import NullKind
from attnxai.validation.results import ValidationResult
from tests.audit.test_class_means import made_up as sources
from tests.builders import made_up
from tests.classification.test_scoring import made_up as made_up_scores
from tests.planning.test_plan import SEVERAL
from tests.report.audits import audit_results
from tests.report.drawn_text import faults_of
from tests.study.builders import made_result, made_runs

LONG = "my_run_of_2024-11-03_D16_paper_preset_seed_0007_lr_1e-4_augmented_final_checkpoint_best.pt"
LONG_MAPS = ("evidence magnitude gate3", "integrated_gradients_of_my_own_with_a_long_name")


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Figures by the names of their files, which are not written."""
    figures = {}

    def keep(figure, path, **_):
        name = path.name if isinstance(path, Path) else str(len(figures))
        if not name.endswith(".pdf"):
            figures[name.removesuffix(".png")] = faults_of(figure)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def test_faults_are_found():
    figure = new_figure(3, 2)
    ax = figure.add_axes((0.2, 0.3, 0.7, 0.6))
    ax.set_xlabel("named")
    ax.text(0.5, 0.5, "one", fontsize=8)
    ax.text(0.52, 0.5, "other", fontsize=8)
    ax.text(0.1, 0.8, "tiny", fontsize=6)
    ax.text(0.1, 0.2, "turned", fontsize=8, rotation=45)
    figure.text(0.9, 0.02, "far too long", fontsize=8)
    assert faults_of(figure) == [
        "'tiny' has 6.0 points",
        "'one' lies over 'other'",
        "'far too long' is cut off",
        "an axis with '0.00' has no name",
    ]


def check(figures, *names):
    assert set(names) <= set(figures)
    assert {name: faults for name, faults in figures.items() if faults} == {}


def inputs_of(*, labels=(Label.LOBE,), names=None, maps_too=(), **options):
    maps, marks, images = made_up(**options)
    every = [
        dataclasses.replace(mark, label=labels[index % len(labels)])
        for index, mark in enumerate(marks.annotations)
    ]
    marks = dataclasses.replace(marks, annotations=tuple(every))
    pairs = align(maps, marks, images)
    further = dict.fromkeys(maps_too, pairs.explanations["gate2"])
    pairs = dataclasses.replace(pairs, explanations={**pairs.explanations, **further})
    return pairs, maps, marks, images


def compared(pairs, name="d8.pt", **settings):
    asked = {"n_permutations": 99, "n_bootstrap": 100, "metrics": ("nss", "auc")} | settings
    pairs = dataclasses.replace(pairs, model_name=name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compare_pairs(pairs, settings=ComparisonSettings(**asked), rng=1)


CASES = {
    "few": {"n_sources": 3},
    "one annotator": {"annotators": ("ann",)},
    "no classes": {"classes": ()},
    "long names": {
        "maps_too": LONG_MAPS,
        "annotators": tuple(f"a colleague with a long name, number {i}" for i in range(5)),
        "classes": ("FR I", "FR II", "wide-angle tail or another bent source", "compact"),
        "labels": tuple(Label),
        "n_sources": 16,
    },
    "many": {"n_sources": 210, "side": 24, "annotators": ("ann",), "classes": ("FR I",)},
}
SETTINGS = {
    "long names": {
        "strata": ("class", "size"),
        "nulls": ("symmetries", "rotation"),
        "metrics": tuple(METRICS),
        "n_permutations": 19,
    }
}


@pytest.mark.parametrize("case", CASES)
def test_a_comparison_of_one_model(drawn, tmp_path, case):
    pairs, maps, marks, images = inputs_of(**CASES[case])
    result = compared(pairs, **SETTINGS.get(case, {}))
    draw_agreement([result], tmp_path)
    draw_all_metrics([result], tmp_path)
    draw_classes(result, tmp_path)
    draw_nulls(result, tmp_path)
    draw_sources(result, pairs, maps, marks, images, tmp_path)
    check(drawn, "agreement", "agreement_one_column", "all_metrics", "nulls", "sources")


@pytest.mark.parametrize("n", [2, 4])
def test_a_comparison_of_several_models(drawn, tmp_path, n):
    pairs, *_ = inputs_of(maps_too=("evidence", LONG_MAPS[1]))
    names = [LONG.replace("0007", f"000{i}") for i in range(n)]
    results = [compared(pairs, name) for name in names]
    draw_agreement(results, tmp_path)
    draw_all_metrics(results, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        draw_contrasts(contrast_results(results, n_draws=39, n_bootstrap=100), tmp_path)
    check(drawn, "agreement", "contrasts")
    assert ("contrasts_one_column" in drawn) == (n == 2)


def test_a_study(drawn, tmp_path):
    groups = ("C1", "C2", "C4", "C8", "C16", "D1", "D4", "D16")
    result = made_result(made_runs(groups, n_seeds=3))
    for draw in (draw_curves, draw_epochs, draw_metrics, draw_agreement_of_maps):
        draw(result, tmp_path)
    check(drawn, "curves", "epochs", "metrics", "agreement")


def test_a_validation(drawn, tmp_path):
    plan = ValidationPlan(
        n_experiments=10, nulls=(NullKind.POOLED, NullKind.WITHIN_CLASS), quick=True
    )
    validated = ValidationResult.of(plan, run_validation(plan))
    for draw in (draw_false_positives, draw_coverage, draw_power):
        draw(validated, tmp_path)
    check(drawn, "false-positives", "coverage", "power")


def test_a_plan(drawn, tmp_path):
    numbers = (5, 6, 8, 10, 15, 20, 30, 50, 100, 1000)
    annotators = (1, 2, 3, 5, 10)
    made = plan_power(
        SEVERAL, n_sources=numbers, n_annotators=annotators, n_simulations=100, effect_low=0.1
    )
    draw_plan(made, tmp_path)
    check(drawn, "plan")


@pytest.mark.parametrize(
    "layers", [("gate1",), ("gate1", "gate2", "gate3", "mean", *LONG_MAPS, "evidence", "gradcam")]
)
def test_audits(drawn, tmp_path, layers):
    for draw in audit_drawers(audit_results(layers)):
        draw(tmp_path)
    check(drawn, "evidence_location", "class_means", "map_agreement", "noise_stability_one_column")


def test_class_means(drawn):
    first = class_mean_maps(*sources(), group="D4", n_bootstrap=20)
    second = dataclasses.replace(first, model_name=LONG, group="C1")
    drawn["means"] = faults_of(class_means_figure([first, second]))
    drawn["profiles"] = faults_of(profiles_figure([first, second]))
    check(drawn)


def test_a_temperature(drawn, tmp_path):
    scores, labels = made_up_scores(400, 2)
    before, after = (
        classification_metrics(scale * scores, labels, ["a", "b"], rng=0, n_bootstrap=50)
        for scale in (4.0, 0.5)
    )
    found = SimpleNamespace(before=before, after=after)
    draw_temperature(found, tmp_path / "temperature.png")
    assert len(drawn) == 1
    check(drawn)


@pytest.mark.parametrize("n_annotators", [1, 5])
def test_a_contact_sheet(drawn, tmp_path, n_annotators):
    names = tuple(f"a colleague with a long name, number {i}" for i in range(n_annotators))
    _, _, marks, images = inputs_of(n_sources=7, annotators=names, labels=tuple(Label))
    renamed = {image.source: f"J{'1' * 30}{image.source}" for image in images}
    marks = dataclasses.replace(
        marks,
        annotations=tuple(
            dataclasses.replace(mark, source=renamed[mark.source]) for mark in marks.annotations
        ),
        classes={renamed[source]: name for source, name in marks.classes.items()},
    )
    images = SourceSet(
        [dataclasses.replace(image, source=renamed[image.source]) for image in images],
        origin="made up",
    )
    draw_contact_sheet(marks, images, tmp_path / "sheet.png")
    assert len(drawn) == 1
    check(drawn)


def test_titles_of_sources_stay_within_their_panels():
    """Three ids of 40 letters: each no wider than its panel, and none over another."""
    names = [f"{letter * 30}_189.209+0" for letter in "MWQ"]
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 122 * MM)
        axes = figure.subplots(2, 3)
        for ax, name in zip(axes[0], names, strict=True):
            ax.set_aspect("equal")
            ax.set_title(f"Best\n{name}\nFR II, NSS 3.04", fontsize=7.5)
        fit_titles(figure, axes[0])
        figure.draw_without_rendering()
        boxes = [ax.title.get_window_extent() for ax in axes[0]]
        for ax, box in zip(axes[0], boxes, strict=True):
            assert box.width <= ax.get_window_extent().width
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    for ax, name in zip(axes[0], names, strict=True):
        first, middle, last = ax.get_title().split("\n")
        assert (first, last) == ("Best", "FR II, NSS 3.04")
        start, end = middle.split("…")
        assert name.startswith(start)
        assert name.endswith(end)
        assert len(start) >= 3


def test_short_titles_are_left_alone():
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 122 * MM)
        axes = figure.subplots(1, 3)
        for ax in axes:
            ax.set_title("Best\nJ1200+01\nFR I", fontsize=7.5)
        fit_titles(figure, axes)
    assert [ax.get_title() for ax in axes] == ["Best\nJ1200+01\nFR I"] * 3
    assert axes[0].title.get_fontsize() == 7.5
