"""Power of a grid of designs, and plans as text, tables and figures."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from attnxai.agreement.effect_components import Components
from attnxai.errors import OptionError
from attnxai.planning.plan import DesignPower, plan_power
from attnxai.planning.rejections import count_rejections
from attnxai.report.planning import plot_precision
from tests.report.tables.latex_reader import numbers_in, read_table

PLAIN = Components(effect=0.3, sd_source=1.0)
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
        f"3 annotators, {smallest.n_sources} sources: power {smallest.power:.3f} "
        f"[{smallest.power_low:.3f}, {smallest.power_high:.3f}], interval ± {smallest.half_width:.2f}, "
        f"about other annotators too ± {smallest.half_width_others:.2f}"
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
    assert read.rows[1][:3] == ["3", str(design.n_sources), f"{design.power:.3f}"]
    assert numbers_in(read.rows[1][3]) == pytest.approx(
        [design.power_low, design.power_high], abs=0.0005
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


def test_the_smallest_design_reaches_the_power_and_the_next_smaller_does_not():
    plan = plan_power(
        Components(effect=0.4, sd_source=0.6, sd_residual=1.0), n_sources=range(10, 90, 10)
    )
    for k in plan.annotators:
        grid = plan.of_annotators(k)
        found = plan.smallest(k)
        place = grid.index(found)
        assert found.power >= 0.8
        assert grid[place - 1].power < 0.8
        assert found.power_low < found.power < found.power_high
    numbers = [plan.smallest(k).n_sources for k in plan.annotators]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > numbers[-1]
    best = plan.fewest_marks()
    assert best.n_sources * best.n_annotators == min(
        plan.smallest(k).n_sources * k for k in plan.annotators
    )


def test_maps_share_the_level():
    one = plan_power(PLAIN, n_sources=(60,), n_annotators=(1,), level=0.0125)
    four = plan_power(PLAIN, n_sources=(60,), n_annotators=(1,), level=0.05, n_maps=4)
    assert one.designs == four.designs


def test_a_design_has_the_same_power_in_every_grid():
    alone = plan_power(PLAIN, n_sources=(40,), n_annotators=(2,), effect_low=0.1, rng=4)
    among = plan_power(
        PLAIN, n_sources=(80, 40, 20, 40), n_annotators=(2, 1), effect_low=0.1, rng=4
    )
    assert alone.designs[0] in among.designs
    assert len(among.designs) == 6
    other = plan_power(PLAIN, n_sources=(40,), n_annotators=(2,), effect_low=0.1, rng=5)
    assert other.designs[0].power != alone.designs[0].power


def test_the_lower_end_of_the_effect_has_less_power():
    plan = plan_power(PLAIN, n_sources=(80,), n_annotators=(1,), effect_low=0.1)
    (design,) = plan.designs
    weak = dataclasses.replace(PLAIN, effect=0.1)
    n, rng = 4000, np.random.default_rng(0)
    expected = count_rejections(weak, (40, 40), 1, level=0.05, n_simulations=n, rng=rng) / n
    assert design.power_at_low_effect == pytest.approx(expected, abs=0.04)
    assert design.power > design.power_at_low_effect + 0.3
    assert plan.smallest(1, at_low_effect=True) is None
    more = plan_power(PLAIN, n_sources=(80, 900), n_annotators=(1,), effect_low=0.1)
    assert more.smallest(1, at_low_effect=True).n_sources == 900
    without = plan_power(PLAIN, n_sources=(80,), n_annotators=(1,)).designs[0]
    assert math.isnan(without.power_at_low_effect)
    assert without.to_record()["power_at_low_effect"] is None


def test_intervals_of_the_power_are_clopper_and_pearsons():
    plan = plan_power(PLAIN, n_sources=(6, 50), n_annotators=(1,), n_simulations=500, n_maps=4)
    for design in plan.designs:
        expected = stats.binomtest(round(design.power * 500), 500).proportion_ci(method="exact")
        assert design.power_low == pytest.approx(expected.low)
        assert design.power_high == pytest.approx(expected.high)
    assert plan.designs[0].power == 0.0


def test_the_answer_in_words():
    plan = plan_power(
        Components(effect=0.5, sd_source=1.0), n_sources=(20, 40, 60), n_annotators=(1, 2, 3)
    )
    assert plan.sentence() == (
        "For 80 % power to detect an agreement 0.5 above that with permuted annotations, at level 0.05, "
        "40 sources with 1, 2 or 3 annotators are needed."
    )
    easy = plan_power(Components(effect=3.0, sd_source=1.0), n_sources=(20, 40), n_annotators=(1,))
    assert "20 sources or fewer with 1 annotator are needed." in easy.sentence()
    mixed = plan_power(
        Components(effect=0.4, sd_source=0.3, sd_residual=2.0),
        n_sources=(30, 60),
        n_annotators=(1, 10),
        n_maps=4,
    )
    text = mixed.sentence("an agreement (NSS)")
    assert "detect an agreement (NSS) 0.4 above" in text
    assert "at level 0.05 / 4" in text
    assert (
        "more than 60 sources with 1 annotator; 60 sources with 10 annotators are needed." in text
    )
    hard = plan_power(PLAIN, n_sources=(6, 10), n_annotators=(1,))
    assert hard.sentence().startswith("No design in the grid has 80 % power")
    assert "with 10 sources and 1 annotator." in hard.sentence()
    assert hard.fewest_marks() is None


def test_figures_show_the_numbers_of_the_frame():
    made = plan_power(PLAIN, n_sources=(20, 40), n_annotators=(1, 3), effect_low=0.1)
    frame = made.to_frame()
    assert list(frame["n_sources"]) == [20, 40, 20, 40]
    left, right = Figure().subplots(1, 2)
    assert made.plot(left) is left
    assert len(left.lines) == 2 * 2 + 2
    np.testing.assert_array_equal(left.lines[0].get_ydata(), frame["power"][:2])
    plot_precision(made, ax=right)
    np.testing.assert_array_equal(right.lines[2].get_ydata(), frame["half_width"][2:])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_sources": ()}, "numbers of sources from 2 on"),
        ({"n_sources": (1,)}, "numbers of sources from 2 on"),
        ({"n_annotators": (0,)}, "annotators from 1 on"),
        ({"power": 1.0}, "between 0 and 1, got 1 and 0.05"),
        ({"level": 0.0}, "between 0 and 1"),
        ({"n_maps": 0}, "n_maps has to be 1 or more"),
        ({"n_simulations": 10}, "n_simulations 100 or more"),
        ({"class_shares": (1, 0)}, "above 0"),
    ],
)
def test_what_cannot_be_planned(options, words):
    with pytest.raises(OptionError, match=words):
        plan_power(PLAIN, **({"n_sources": (10,), "n_annotators": (1,)} | options))
