"""The results of a study: files, numbers, figures and a page that needs nothing else."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest
from PIL import Image
from rich.console import Console

from attnxai.report.study_document import print_study, write_study
from attnxai.report.study_figures import (
    draw_agreement_of_maps,
    draw_curves,
    draw_epochs,
    draw_metrics,
    whole_ticks,
)
from attnxai.statistics.formats import decimals_together, with_interval
from attnxai.study.measurement import MeasureOn
from attnxai.training.settings import TrainingSettings
from tests.report.pages import Page, probed
from tests.study.builders import made_result, made_runs, run


@pytest.fixture(scope="module")
def result():
    return made_result(made_runs(epochs=9))


@pytest.fixture(scope="module")
def written(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "results"
    steps = []
    write_study(result, folder, on_step=lambda n, total: steps.append((n, total)))
    assert steps == [(n, 6) for n in range(1, 7)]
    return folder


def test_files(written):
    names = {str(file.relative_to(written)) for file in written.rglob("*") if file.is_file()}
    figures = ("epochs", "epochs_one_column", "curves", "metrics", "agreement")
    assert names == {
        "study.csv", "runs.csv", "history.csv", "study.json", "study.md", "index.html", "manifest.json",
        *(f"figures/{name}.{ending}" for name in figures for ending in ("png", "pdf")),
    }  # fmt: skip
    assert not list(written.parent.glob(".*"))


def test_the_record_holds_every_number(result, written):
    record = json.loads((written / "study.json").read_text(encoding="utf-8"))
    assert record["format"] == "attnxai-study-results"
    assert [row["letter"] for row in record["hypotheses"]] == ["a", "b", "c"]
    groups = {row["group"]: row for row in record["groups"]}
    assert groups["C1"]["accuracy_difference"] is None
    assert groups["D8"]["accuracy"] == result.summary.mean("D8", "accuracy").value
    assert len(record["runs"]) == 35
    assert {row["series"] for row in record["trends"]} == {"cyclic", "dihedral"}
    with open(written / "study.csv", newline="", encoding="utf-8") as file:
        table = {row["group"]: row for row in csv.DictReader(file)}
    assert float(table["D8"]["accuracy"]) == groups["D8"]["accuracy"]


def test_the_page_needs_nothing_else(result, written):
    page = Page(written)
    text = page.text
    for hypothesis in result.hypotheses:
        assert hypothesis.lead in text
        assert hypothesis.details in text
    for caution in result.cautions:
        assert caution in text
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.images)
    assert all((written / address).is_file() for address in page.links)
    assert page.tags.count("img") == 4
    assert "script" not in page.tags
    assert (written / "index.html").stat().st_size < 10e6
    assert "attnxai study --output study" in text


def test_figures_have_the_width_of_two_columns_or_of_one(written):
    for file in (written / "figures").glob("*.png"):
        width = 84 if file.stem.endswith("_one_column") else 177
        with Image.open(file) as picture:
            assert abs(picture.width - width / 25.4 * 300) <= 3
            assert len(picture.getcolors(maxcolors=1 << 24)) > 50
    for file in (written / "figures").glob("*.pdf"):
        assert file.read_bytes().startswith(b"%PDF")
        assert b"/Type3" not in file.read_bytes()


def small_result(**kwargs):
    runs = made_runs(("C1", "C4"), n_seeds=3, annotated=False)
    return made_result(runs, annotations="", **kwargs)


@pytest.fixture
def without_figures(monkeypatch):
    for name in ("epochs", "curves", "metrics", "agreement_of_maps"):
        monkeypatch.setattr(f"attnxai.report.study_document.draw_{name}", lambda *_: None)


@pytest.mark.usefixtures("without_figures")
def test_results_are_replaced_whole(tmp_path, monkeypatch):
    folder = tmp_path / "results"
    write_study(small_result(), folder)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    monkeypatch.setattr("attnxai.report.study_document.markdown", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_study(small_result(), folder)
    assert before == {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert [file.name for file in tmp_path.iterdir()] == ["results"]


@pytest.mark.usefixtures("without_figures")
def test_names_from_outside_are_escaped(tmp_path):
    write_study(small_result(name="<b>Mira</b> & Best"), tmp_path / "results")
    text = (tmp_path / "results" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;Mira&lt;/b&gt; &amp; Best" in text
    assert "<b>Mira" not in text


def test_little_to_show(tmp_path):
    """Two seeds, no annotations, no reference loss, runs of different lengths, undefined numbers."""
    runs = [
        run("C1", 0, [0.9]),
        run("C1", 1, [0.9, 0.95]),
        run("D4", 0, [0.8, 0.75], {"auc": math.nan}),
        run("D4", 1, [0.9]),
    ]
    result = made_result(runs, measure_on=MeasureOn.TEST, annotations="")
    assert draw_epochs(result, tmp_path) is None
    assert draw_agreement_of_maps(result, tmp_path) is None
    write_study(result, tmp_path / "results")
    text = Page(tmp_path / "results").text
    assert "There is no reference loss" in text
    assert "too few for intervals" in text
    assert "nan" not in re.sub(r"data:[^\"]*", "", text).lower().replace("nanometre", "")
    record = json.loads((tmp_path / "results" / "study.json").read_text(encoding="utf-8"))
    assert record["reference_loss"] is None


@pytest.mark.usefixtures("undrawn")
def test_captions_tell_censored_runs(tmp_path):
    runs = [run("C1", s, [0.5, 0.3 + s / 100, 0.3]) for s in range(3)]
    runs += [run("C4", s, [0.5, 0.5, 0.5]) for s in range(3)]
    result = made_result(runs, reference_loss=0.31)
    text = draw_epochs(result, tmp_path)
    assert "open triangles: runs that ended without reaching it" in text.caption
    assert "means are restricted to the horizon of 3 epochs" in text.caption
    assert text.alternative.startswith("Epochs until reference loss: C1 2.3, C4 3.0")
    whole = draw_epochs(made_result(runs[:3], reference_loss=0.4), tmp_path)
    assert "all of which reached it" in whole.caption


@pytest.mark.usefixtures("undrawn")
def test_one_of_a_thing_is_singular(tmp_path):
    runs = [run(group, 0, [0.5]) for group in ("C1", "C4")]
    result = made_result(runs, reference_loss=0.31, annotations="")
    caption = draw_epochs(result, tmp_path).caption
    assert "means are restricted to the horizon of 1 epoch." in caption
    assert "mean over 1 seed, which is too few for intervals" in caption
    assert any(c.startswith("1 seed is too few for intervals and tests") for c in result.cautions)


def test_one_series_stands_on_its_ticks(tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "attnxai.report.style.save_figure",
        lambda figure, folder, name: drawn.update({name: figure}),
    )
    for groups, shift in ((("C1", "C4"), 0.0), (("C1", "C4", "D4"), 0.15)):
        runs = made_runs(groups, n_seeds=3, annotated=False)
        result = made_result(runs, annotations="")
        metrics, curves = draw_metrics(result, tmp_path), draw_curves(result, tmp_path)
        ax = drawn["metrics"].axes[0]
        means = next(line for line in ax.lines if line.get_label() == "cyclic (C$_N$)")
        assert means.get_xdata() == pytest.approx([0 - shift, 2 - shift])
        assert ("D_N (squares)" in metrics.caption) is bool(shift)
        assert ("C1 is shown in both panels" in curves.caption) is bool(shift)
        for tick in drawn["curves"].axes[0].get_xticks():
            assert tick == int(tick)


@pytest.mark.parametrize(("low", "high"), [(0.95, 1.05), (2.3, 2.6), (0.0, 2.1), (0.0, 37.0)])
def test_ticks_of_epochs_are_whole_numbers(low, high):
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    ax.plot([low, high], [0, 1])
    ax.margins(x=0)
    whole_ticks(ax.xaxis)
    left, right = ax.get_xlim()
    shown = [tick for tick in ax.get_xticks() if left <= tick <= right]
    assert shown
    assert all(tick == int(tick) for tick in shown)


@pytest.mark.usefixtures("without_figures")
def test_settings_are_words(tmp_path):
    settings = TrainingSettings(epochs=1, reflect=False, learning_rate=0.0001)
    result = small_result(settings=settings)
    write_study(result, tmp_path / "results")
    text = Page(tmp_path / "results").text
    for words in ("rotate on", "reflect off", "learning rate 0.0001"):
        assert words in text


def test_what_the_terminal_shows(result):
    stream = io.StringIO()
    print_study(result, Console(file=stream, width=160))
    text = " ".join(stream.getvalue().split())
    assert "made-up images: 5 seeds per group" in text
    for hypothesis in result.hypotheses:
        assert hypothesis.lead in text
    for caution in result.cautions:
        assert caution in text


def test_the_table_fits_a_narrow_terminal(result):
    stream = io.StringIO()
    print_study(result, Console(file=stream, width=80))
    table, _, _ = stream.getvalue().partition("mean [95 %")
    assert "mean of gates" in table
    group = result.summary.groups[-1]
    for quantity in ("epochs", "accuracy", "attention_consistency", "nss:mean"):
        mean = result.summary.mean(group, quantity)
        digits = result.summary.quantity(quantity).digits
        means = [result.summary.mean(name, quantity) for name in result.summary.groups]
        decimals = decimals_together(means, digits)[-1]
        value, _, interval = with_interval(mean, decimals=decimals).partition(" ")
        assert value in table
        assert interval.replace(" ", "\u00a0") in table  # on one line


@pytest.mark.browser
@pytest.mark.parametrize("width", [500, 1400, 1920])
def test_the_page_fits_a_window(written, chromium, tmp_path, width):
    script = """
      const tables = Array.from(document.querySelectorAll(".scroll"));
      log.push(tables.every(t => t.getBoundingClientRect().right <= window.innerWidth + 1));
    """
    assert all(probed(chromium, written, tmp_path, width=width, script=script))
