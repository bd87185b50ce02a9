"""Plans as text, tables and figures."""

from __future__ import annotations

import dataclasses
import json

import matplotlib as mpl
import pytest

from attnxai.agreement.effect_components import Components
from attnxai.errors import OptionError
from attnxai.planning.plan import DesignPower, plan_power
from tests.report.tables.latex_reader import numbers_in, read_table

mpl.use("Agg")

SEVERAL = Components(effect=0.6, sd_source=1.0, sd_residual=0.5, sd_annotator=0.2)


def plan(**changes):
    options = {"n_sources": (10, 20, 40, 80), "n_annotators": (1, 3), "n_simulations": 200}
    return plan_power(SEVERAL, **{**options, **changes})


def test_records_are_plain():
    record = plan().to_record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_summary_is_the_sentence_and_a_line_for_each_number_of_annotators():
    made = plan()
    sentence, one, three = made.summary().splitlines()
    assert sentence == made.sentence()
    smallest = made.smallest(3)
    assert three == (
        f"3 annotators, {smallest.n_sources} sources: power {smallest.power:.2f} "
        f"[{smallest.power_low:.2f}, {smallest.power_high:.2f}], interval ± {smallest.half_width:.3g}, "
        f"about other annotators too ± {smallest.half_width_others:.3g}"
    )
    assert "other annotators" not in one


def test_table():
    made = plan(effect_low=0.3)
    read = read_table(made.to_latex(caption="Plan", label="tab:plan"))
    assert read.header == [
        "{Annotators}",
        "{Sources}",
        "{Power}",
        r"95\,\% interval",
        "{Power at low effect}",
        "{Half-width}",
        "{Half-width, others}",
    ]
    design = made.smallest(3)
    assert read.rows[1][:3] == ["3", str(design.n_sources), f"{design.power:.2f}"]
    assert numbers_in(read.rows[1][3]) == pytest.approx(
        [design.power_low, design.power_high], abs=0.005
    )
    assert float(read.rows[1][6]) == pytest.approx(design.half_width_others, abs=0.005)
    assert read.rows[0][6] == "{--}"
    assert read.label == "tab:plan"


def test_table_of_designs_at_the_ends_of_the_grid():
    too_few = read_table(plan(n_sources=(10, 12)).to_latex())
    assert [row[1] for row in too_few.rows] == [r"{$>$\num{12}}"] * 2
    many = read_table(plan(n_sources=(80, 100), n_annotators=(1,)).to_latex(digits=4))
    assert [row[1] for row in many.rows] == [r"{$\le$\num{80}}"]
    assert many.header == [
        "{Annotators}",
        "{Sources}",
        "{Power}",
        r"95\,\% interval",
        "{Half-width}",
    ]
    assert len(many.rows[0][4]) == len("0.1234")
    with pytest.raises(OptionError, match="from 0 to 9; got 12"):
        plan().to_latex(digits=12)


def test_figure():
    made = plan()
    ax = made.plot()
    assert made.plot(ax) is ax
    assert list(ax.lines[0].get_ydata()) == [d.power for d in made.of_annotators(1)]
    mpl.pyplot.close("all")


def made_of(*powers):
    """A plan with these (sources, annotators, power)."""
    designs = [
        DesignPower(
            n_sources=n_sources,
            n_annotators=n_annotators,
            power=power,
            power_low=power - 0.02,
            power_high=power + 0.02,
            power_at_low_effect=power / 2,
            half_width=0.1,
            half_width_others=0.2,
        )
        for n_sources, n_annotators, power in powers
    ]
    return dataclasses.replace(plan(n_sources=(10,)), designs=tuple(designs), wanted=0.8)


def test_the_smallest_design_is_one_after_which_all_larger_ones_reach_the_power():
    made = made_of((10, 1, 0.85), (20, 1, 0.79), (40, 1, 0.8), (80, 1, 0.9))
    assert made.smallest(1).n_sources == 40
    assert made.smallest(1, at_low_effect=True) is None


def test_the_fewest_marks_are_sources_times_annotators():
    made = made_of((40, 1, 0.7), (90, 1, 0.9), (40, 3, 0.9), (90, 3, 0.95))
    best = made.fewest_marks()
    assert (best.n_sources, best.n_annotators) == (90, 1)
    # of as many marks the design of fewer annotators
    even = made_of((40, 2, 0.9), (80, 1, 0.9)).fewest_marks()
    assert (even.n_sources, even.n_annotators) == (80, 1)
