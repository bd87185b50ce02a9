"""What a validation says of its counts: bands, verdicts, sentences and tables."""

from __future__ import annotations

import dataclasses
import json

import pytest
from matplotlib.figure import Figure
from scipy import stats

from attnxai.validation.coverage import Distribution
from attnxai.validation.plan import Part, ValidationPlan, run_validation
from attnxai.validation.rates import (
    CoverageRate,
    FalsePositiveRate,
    PowerEstimate,
    Verdict,
    binomial_band,
)
from attnxai.validation.rejections import NullKind
from attnxai.validation.results import ValidationResult
from attnxai.validation.simulated_data import Scenario


@pytest.mark.parametrize(("n", "share"), [(1000, 0.05), (400, 0.01), (100, 0.95)])
def test_bands_leave_a_thousandth_on_each_side(n, share):
    low, high = binomial_band(n, share)
    assert stats.binom.cdf(low - 1, n, share) < 0.001 <= stats.binom.cdf(low, n, share)
    assert stats.binom.sf(high, n, share) <= 0.001 < stats.binom.sf(high - 1, n, share)


LEVEL = FalsePositiveRate(
    null=NullKind.POOLED,
    scenario=Scenario.CLASS,
    n_sources=10,
    metric="nss",
    level=0.05,
    n_experiments=1000,
    rejections=50,
    smallest_p=0.005,
)


@pytest.mark.parametrize(
    ("rejections", "verdict"),
    [
        (29, Verdict.TOO_RARELY),
        (30, Verdict.NOMINAL),
        (73, Verdict.NOMINAL),
        (74, Verdict.TOO_OFTEN),
    ],
)
def test_verdicts_on_false_positive_rates(rejections, verdict):
    cell = dataclasses.replace(LEVEL, rejections=rejections)
    assert cell.verdict is verdict
    assert cell.verdict.misleads == (verdict is Verdict.TOO_OFTEN)
    assert bool(cell.verdict.mark) == (verdict is not Verdict.NOMINAL)
    assert not cell.assumptions_met
    assert cell.note == ""


def test_few_permutations_are_noted():
    cell = dataclasses.replace(LEVEL, smallest_p=1 / 36)
    assert cell.attainable == pytest.approx(1 / 36)
    assert "at most 2.8%" in cell.note
    assert dataclasses.replace(LEVEL, smallest_p=1 / 4).attainable == 0.0


def test_verdicts_on_coverage():
    cell = CoverageRate(
        distribution=Distribution.EQUAL,
        n_sources=20,
        n_annotators=3,
        method="components",
        over="sources and annotators",
        n_experiments=1000,
        covered=950,
        width=1.0,
    )
    low, high = cell.band
    assert cell.verdict is Verdict.NOMINAL
    assert dataclasses.replace(cell, covered=low - 1).verdict is Verdict.TOO_NARROW
    assert dataclasses.replace(cell, covered=high + 1).verdict is Verdict.TOO_WIDE


def test_intervals_of_powers_are_those_of_scipy():
    for rejections in (0, 7, 50):
        cell = PowerEstimate(
            null=NullKind.ROTATION,
            n_sources=10,
            strength=0.1,
            metric="nss",
            n_experiments=50,
            rejections=rejections,
        )
        expected = stats.binomtest(rejections, 50).proportion_ci(method="exact")
        assert cell.interval == pytest.approx((expected.low, expected.high))


@pytest.fixture(scope="module")
def result():
    plan = ValidationPlan(
        n_experiments=10,
        nulls=(NullKind.POOLED, NullKind.WITHIN_CLASS),
        quick=True,
    )
    return ValidationResult.of(plan, run_validation(plan))


def test_counts_become_cells(result):
    plan = result.plan
    assert len(result.false_positives) == len(plan.false_positive_designs) * 2 * 3
    assert len(result.coverage) == len(plan.coverage_designs)
    assert len(result.power) == len(plan.power_designs) * 2
    design = plan.false_positive_designs[3]
    counts = design.count(0, 0, 10)
    cells = result.rates_of(metric="spearman", null=design.null, scenario=design.scenario)
    of_design = [cell.rejections for cell in cells if cell.n_sources == design.n_sources]
    assert of_design == counts["spearman"]
    assert all(cell.smallest_p == pytest.approx(1 / 200) for cell in result.false_positives)
    one = result.coverage[0]
    assert (one.covered, one.width) == (
        plan.coverage_designs[0].count(0, 0, 10)["covered"][0],
        pytest.approx(plan.coverage_designs[0].count(0, 0, 10)["width"][0] / 10, rel=1e-5),
    )


def test_frames_and_records_hold_every_cell(result):
    json.dumps(result.to_record())
    for part in Part:
        frame = result.to_frame(part)
        assert len(frame) == len(getattr(result, part.replace("-", "_")))
        assert not frame.drop(columns="note", errors="ignore").isna().any().any()
    table = result.to_frame()
    assert set(table["null"]) == {"permutation, pooled", "permutation within class"}
    assert (table["rate"] == table["rejections"] / table["n_experiments"]).all()


def failing(result):
    """The same with every count of one null far above its level."""
    worse = tuple(
        dataclasses.replace(cell, rejections=cell.n_experiments)
        if cell.null is NullKind.POOLED
        else cell
        for cell in result.false_positives
    )
    return dataclasses.replace(result, false_positives=worse)


def test_sentences_say_what_failed(result):
    text = result.summary()
    assert "false positive rates lie within their binomial bands" in text
    assert (
        "Coverage of 95 % intervals, equal variances (20 × 2 to 20 × 5 sources × annotators)"
        in text
    )
    assert "intervals over sources alone" in text
    assert "80 % power at 5 % (NSS), permutation within class: from strength" in text
    worse = failing(result)
    assert (
        "Permutation, pooled: rejects too often at 5 % (NSS) where its assumptions are not met, as expected: "
        "class templates (100 to 100 %)" in worse.summary()
    )
    # what a null does where its assumptions are met is a fault, what it does elsewhere a warning
    assert {cell.scenario for cell in worse.unexpected()} == {
        Scenario.NOTHING,
        Scenario.CENTRE,
        Scenario.DIRECTION,
    }
    assert set(worse.failures()[NullKind.POOLED]) == {
        Scenario.CLASS,
        Scenario.CENTRE_AND_CLASS,
        Scenario.SIZE,
    }


def test_plots_show_every_cell(result):
    figure = Figure()
    axes = figure.subplots(3, 1)
    failing(result).plot(Scenario.CLASS, axes[0])
    points = [line for line in axes[0].lines if line.get_marker() != "None"]
    assert len(points) == 4
    assert [line.get_marker() for line in points].count("^") == 2
    result.plot(Distribution.EQUAL, axes[1])
    labels = axes[1].get_legend_handles_labels()[1]
    assert "components" in labels
    assert "sources alone, bca" in labels
    result.plot(NullKind.WITHIN_CLASS, axes[2])
    assert axes[2].get_legend_handles_labels()[1] == ["10 sources", "20 sources"]
    figure.canvas.draw()
