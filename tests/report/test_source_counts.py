"""Every sentence and every cell counts the sources that its own number rests on."""

from __future__ import annotations

import dataclasses
import functools
import html
import io
import json
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from attnxai.agreement.comparison import ComparisonSettings, compare
from attnxai.agreement.estimates import UndefinedValue
from attnxai.agreement.model_comparison.comparison import compare_models
from attnxai.agreement.model_comparison.of_results import contrast_results
from attnxai.agreement.results import ALL
from attnxai.errors import FewSourcesWarning
from attnxai.report import document
from attnxai.report.content import ReportContent
from attnxai.report.document import write_report
from attnxai.report.methods import methods_text
from attnxai.report.page_tables import estimates_table, undefined_counts
from attnxai.report.terminal import print_report
from attnxai.report.verdict import reach_verdict
from tests.builders import made_up

pytestmark = pytest.mark.usefixtures("undrawn")

QUICK = ComparisonSettings(metrics=("nss",), n_permutations=199, n_bootstrap=100)


def weighted(weights, **options):
    maps, marks, images = made_up(n_sources=len(weights), side=24, **options)
    marks = dataclasses.replace(marks, source_weights=dict(zip(maps.sources, weights, strict=True)))
    return maps, marks, images


@functools.cache
def with_constant_brightness():
    """40 sources; the brightness that the network saw of 12 of them is constant."""
    maps, marks, images = made_up(n_sources=40, side=24, annotators=("ann",), agreement=0.5)
    brightness = maps.brightness.copy()
    brightness[:12] = 0.5
    maps = dataclasses.replace(maps, brightness=brightness)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compare(maps, marks, images, settings=QUICK), marks


@pytest.mark.parametrize("annotators", [("ann",), ("ann", "bob")])
def test_weights_that_leave_few_sources_are_few_sources(annotators):
    """One source of 24 weighs as much as 12: (23 + 12)^2 / (23 + 144) = 7.3 sources of equal weight."""
    weights = [12.0] + [1.0] * 23
    maps, marks, images = weighted(weights, annotators=annotators)
    with pytest.warns(FewSourcesWarning, match="^24 held-out sources, weighing as much as 7 equal"):
        result = compare(maps, marks, images, settings=QUICK, use_source_weights=True)
    estimate = result.estimate("gate1", "nss")
    assert (estimate.interval.known, estimate.interval.n_counted) == (False, 7)
    assert estimate.to_record()["n_effective"] == pytest.approx(35**2 / 167)
    assert "for these 24 sources alone, which weigh as much as 7 equal ones." in (
        result.generalises_to
    )
    verdict = reach_verdict([result], marks)
    assert (
        "24 sources, weighing as much as 7 equal ones, are too few for confidence intervals, which need 8."
    ) in verdict.cautions


def test_weights_that_leave_enough_sources_are_said():
    maps, marks, images = weighted([3.0] * 6 + [1.0] * 18)
    result = compare(maps, marks, images, settings=QUICK, use_source_weights=True)
    assert result.estimate("gate1", "nss").interval.known
    assert "sources like these 24, which weigh as much as 18 equal ones." in result.generalises_to
    methods = methods_text(ReportContent.of(result)).plain
    assert "by the consensus level of their annotations (effective number 18.0)." in methods
    equal = compare(*weighted([2.0] * 24), settings=QUICK, use_source_weights=True)
    assert "for sources like these 24." in equal.generalises_to
    assert equal.estimate("gate1", "nss").interval.n_effective is None


@pytest.fixture(scope="module")
def weighted_comparison():
    maps, marks, images = weighted([3.0] * 6 + [1.0] * 18)
    other = dataclasses.replace(
        maps,
        model_name="other",
        layers={name: np.array(values)[:, ::-1] for name, values in maps.layers.items()},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compare_models(
            [maps, other], marks, images, settings=QUICK, use_source_weights=True
        ), marks


def test_a_weighted_comparison_says_so_wherever_it_gives_means_and_numbers(
    weighted_comparison, tmp_path
):
    """36^2 / (6 * 9 + 18) = 18.0."""
    from rich.console import Console

    compared, marks = weighted_comparison
    first = compared.results[0]
    effective = "24 (n_eff = 18.0)"
    verdict = write_report(compared, tmp_path / "out")
    page = html.unescape((tmp_path / "out" / "index.html").read_text())
    assert "weighted mean NSS" in verdict.headline
    assert effective in verdict.headline
    assert any(
        "means are weighted means, and 24 sources are as informative as 18.0" in c
        for c in verdict.cautions
    )
    assert all("Weighted mean NSS" in s.details for s in verdict.statements)
    assert all("over 24 sources (n_eff = 18.0)" in s.details for s in verdict.statements)
    assert f"Points are weighted means over n = {effective} held-out sources" in page
    assert "Each cell gives the weighted mean over sources and annotators" in page
    assert f"Weighted mean differences over {effective} held-out sources" in page
    assert "Weighted mean over sources of the maps of made-up" in page
    assert "Large symbols: weighted mean of each class" in page
    assert "Weights of sources are not used here." in page
    assert page.count("Values are weighted means over sources; n_eff is") >= 5
    console = Console(width=200, record=True, file=io.StringIO())
    print_report([first], reach_verdict([first], marks), console)
    text = console.export_text()
    assert "made-up: 24 held-out sources (n_eff = 18.0)" in text
    assert "weighted mean [95 % interval]" in text
    for table in (first.to_latex(), compared.contrasts[0].to_latex()):
        assert "{Effective number}" in table
        assert ", weighted}" in table
        assert "& 24 & 18.0 " in table
    assert "(24 sources, n_eff = 18.0)" in compared.contrasts[0].contrasts.contrasts[0].sentence()
    assert "Weighted means over 24 sources (n_eff = 18.0)" in first.summary()


def test_a_comparison_without_weights_does_not_speak_of_them(tmp_path):
    result, _ = with_constant_brightness()
    write_report(result, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert not re.search("weighted mean|n_eff|weights of sources", page, re.IGNORECASE)
    assert "Effective number" not in result.to_latex()
    assert "eighted" not in result.summary()


def test_sources_without_weight_or_with_constant_maps_do_not_count():
    maps, marks, images = weighted([0.0] * 4 + [1.0] * 16)
    layers = {name: values.copy() for name, values in maps.layers.items()}
    for values in layers.values():
        values[4:7] = 0.25
    maps = dataclasses.replace(maps, layers=layers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(maps, marks, images, settings=QUICK, use_source_weights=True)
    assert result.verdict_sources().sum() == 13
    assert "for sources like these 13." in result.generalises_to
    estimate = result.estimate("gate1", "nss")
    assert (estimate.interval.n_units, estimate.n_undefined, estimate.test.n_sources) == (13, 3, 13)


def test_means_beside_a_difference_are_over_the_same_sources():
    result, marks = with_constant_brightness()
    estimate = result.estimate("gate1", "nss")
    baseline = result.estimate("brightness", "nss")
    difference = estimate.differences["brightness"]
    assert (estimate.interval.n_units, baseline.interval.n_units, difference.n_units) == (
        40,
        28,
        28,
    )
    of_map, of_baseline = result.compared_means("gate1", "brightness", "nss")
    values = result.source_means("gate1", "nss")
    assert of_map == pytest.approx(values[12:].mean())
    assert abs(of_map - values.mean()) > 0.005
    assert of_map - of_baseline == pytest.approx(difference.value)
    statement = reach_verdict([result], marks).statements[0]
    assert "over the 28 sources for which both are defined and the map has" in statement.details
    assert f"{of_map:.2f}" in statement.details


@pytest.mark.parametrize("class_name", [ALL, "FR II"])
def test_means_over_the_same_cells_with_weights_and_missing_annotators(class_name):
    maps, marks, images = weighted([1.0, 2.0] * 10, seed=3)
    kept = tuple(
        a for a in marks.annotations if not (a.annotator == "bob" and a.source < "source_05")
    )
    brightness = maps.brightness.copy()
    brightness[3:7] = 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(
            dataclasses.replace(maps, brightness=brightness),
            dataclasses.replace(marks, annotations=kept),
            images,
            settings=QUICK,
            use_source_weights=True,
        )
    of_map, of_baseline = result.compared_means("gate2", "brightness", "nss", class_name=class_name)
    difference = result.estimate("gate2", "nss", class_name=class_name).differences["brightness"]
    assert of_map - of_baseline == pytest.approx(difference.value)


def test_tables_say_the_number_of_sources_where_it_differs(tmp_path):
    from rich.console import Console

    result, marks = with_constant_brightness()
    names, values = (column.cells for column in estimates_table(result).columns)
    rows = {name[0]: lines for name, lines in zip(names, values, strict=True)}
    assert "n = 28" in rows["brightness"]
    assert not any("n =" in line for line in rows["Gate 1"])
    console = Console(width=200, record=True, file=io.StringIO())
    print_report([result], reach_verdict([result], marks), console, verbose=True)
    lines = console.export_text().splitlines()
    (gate,) = (line for line in lines if re.match(r"\s*Gate 1 +\d", line))
    assert gate.rstrip().endswith("(n = 28)")
    (brightness,) = (line for line in lines if re.match(r"\s*brightness\s+\d", line))
    assert "(n = 28)" in brightness
    write_report(result, tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    record = next(r for r in summary["models"][0]["results"] if r["explanation"] == "gate1")
    assert (record["n_sources"], record["difference"]["brightness"]["n_sources"]) == (40, 28)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<small>n = 28</small>" in page
    assert "their number n stands beneath it" in page
    assert "n = 28 to 40 held-out sources" in page


def test_differences_between_models_count_the_sources_that_they_rest_on():
    maps, marks, images = made_up(n_sources=20, side=24, annotators=("ann",))
    layers = {name: np.array(values) for name, values in maps.layers.items()}
    layers["gate1"][:6] = 1.0
    layers["gate2"][:6] = 1.0
    other = dataclasses.replace(maps, model_name="other", layers=layers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = [compare(m, marks, images, settings=QUICK) for m in (maps, other)]
        contrasts = contrast_results(results, n_draws=199, n_bootstrap=100)
    assert contrasts.summary().startswith("nss, 14 sources (held-out)")
    verdict = reach_verdict(results, marks, contrasts=contrasts)
    assert "Compared over 14 held-out sources" in " ".join(verdict.contrasts)
    assert "over the 14 held-out sources that both share" in verdict.headline


@pytest.mark.filterwarnings("ignore::attnxai.errors.AttnxaiWarning")
def test_a_few_defined_of_many_sources_are_few_sources():
    """Maps of 5 of 20 sources are not constant: nothing in the verdict is about 20."""
    maps, marks, images = made_up(n_sources=20, side=24, annotators=("ann", "bob"))
    layers = {name: np.array(values) for name, values in maps.layers.items()}
    for values in layers.values():
        values[5:] = 1.0
    maps = dataclasses.replace(maps, layers=layers)
    with pytest.warns(FewSourcesWarning, match="^5 held-out sources are too few for a confidence"):
        result = compare(maps, marks, images, settings=QUICK)
    verdict = reach_verdict([result], marks)
    texts = [verdict.headline, *verdict.cautions, *(s.details for s in verdict.statements)]
    texts += [s.lead for s in verdict.statements]
    assert "5 sources are too few for confidence intervals, which need 8." in verdict.cautions
    assert any("these 5 sources alone" in text for text in texts)
    assert "5 held-out sources are too few" in verdict.headline
    about_twenty = [text for text in texts if re.search(r"\b20 (held-out )?sources", text)]
    assert not about_twenty


@pytest.mark.filterwarnings("ignore::attnxai.errors.AttnxaiWarning")
def test_differences_between_models_over_few_effective_sources_show_nothing():
    maps, marks, images = weighted([12.0] + [1.0] * 23, annotators=("ann",))
    layers = {name: np.array(values)[:, ::-1] for name, values in maps.layers.items()}
    other = dataclasses.replace(maps, model_name="other", layers=layers)
    options = {"settings": QUICK, "use_source_weights": True}
    compared = compare_models([maps, other], marks, images, **options)
    (contrasts,) = compared.contrasts
    found = contrasts.contrast("made-up", "other", "gate1")
    assert (found.n_sources, found.difference.n_counted, found.found) == (24, 7, False)
    assert found.to_record()["n_effective"] == pytest.approx(35**2 / 167)
    headline = reach_verdict(compared.results, marks, contrasts=contrasts).headline
    assert headline.endswith("however large, as they are too few.")


def test_undefined_values_name_each_source_once_and_none_that_is_not_there():
    def counted(*sources):
        undefined = [
            UndefinedValue(source=s, annotator="ann", explanation="e", metric="nss", reason="why")
            for s in sources
        ]
        part = SimpleNamespace(name="m", result=SimpleNamespace(undefined=undefined))
        return undefined_counts([part])

    assert counted(*["s1"] * 8) == [("NSS: why", 8, "s1")]
    assert counted(*"gfedcba") == [("NSS: why", 7, "a, b, c, d, e and 2 more")]


@pytest.mark.parametrize(
    ("names", "consensus", "words"),
    [
        (("ann", "bob"), None, "2 annotators"),
        (("ann",), None, "1 annotator"),
        (("Radio Galaxy Zoo consensus",), None, "Radio Galaxy Zoo consensus"),
        (("union of 3 annotators",), "union", "union of 3 annotators"),
    ],
)
def test_a_consensus_is_not_one_annotator(names, consensus, words):
    result = SimpleNamespace(
        annotators=names,
        settings={"consensus": consensus},
        classes=("FR I", "FR II"),
        verdict_sources=lambda: np.ones(2, bool),
    )
    assert document._compared(result) == f"2 sources (1 FR I, 1 FR II) · {words}"
    counted = "" if words in ("1 annotator", "2 annotators") else f" · {words}"
    assert document._compared(result, by_rule=True) == f"2 sources (1 FR I, 1 FR II){counted}"
