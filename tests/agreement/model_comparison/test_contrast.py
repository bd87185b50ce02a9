"""Differences between models: what counts as found, and how they are written down and drawn."""

from __future__ import annotations

import dataclasses
import json

import matplotlib as mpl
import numpy as np
import pytest

from attnxai.agreement.model_comparison.contrast import Contrast, ModelContrasts
from attnxai.agreement.model_comparison.models import paired_differences
from attnxai.agreement.multiplicity import Correction
from attnxai.nulls.p_values import Alternative
from attnxai.statistics.interval import Interval
from tests.report.tables.latex_reader import numbers_in, read_table

mpl.use("Agg")

QUICK = {"n_bootstrap": 100}
OTHERS = {"p_others": 0.002, "p_others_adjusted": 0.02}


def interval(low, high, *, level=0.95, n=20):
    return Interval(value=(low + high) / 2, low=low, high=high, n_units=n, level=level)


def contrast(**changes):
    made = Contrast(
        first="d8_best.pt",
        second="c8 & 50 %",
        difference=interval(0.1, 0.3),
        difference_others=None,
        statistic=3.0,
        p_value=0.004,
        p_adjusted=0.03,
        smallest_p=0.0001,
        n_sources=20,
        n_dropped=1,
    )
    return dataclasses.replace(made, **changes)


def family(*contrasts, **changes):
    made = ModelContrasts(
        contrasts=contrasts,
        correction=Correction.MAX_T,
        alternative=Alternative.TWO_SIDED,
        n_draws=10_000,
        exhaustive=False,
        level=0.95,
    )
    return dataclasses.replace(made, **changes)


# --- what is found ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "excludes", "found"),
    [
        ({}, True, True),
        ({"p_adjusted": 0.05}, True, True),
        ({"p_adjusted": 0.0501}, True, False),
        ({"p_adjusted": np.nan}, True, False),
        ({"difference": interval(-0.3, -0.1)}, True, True),
        ({"difference": interval(-0.1, 0.3)}, False, False),
        ({"difference": interval(0.0, 0.3)}, False, False),
        ({"difference": interval(np.nan, np.nan)}, False, False),
        ({"difference_others": interval(-0.1, 0.5)} | OTHERS, False, False),
        ({"difference_others": interval(0.1, 0.2)}, True, False),
        ({"difference_others": interval(0.1, 0.2)} | OTHERS, True, True),
        (
            {"difference": interval(-0.1, 0.3), "difference_others": interval(0.1, 0.2)} | OTHERS,
            True,
            True,
        ),
        (
            {"difference_others": interval(0.1, 0.2), "p_others": 0.01, "p_others_adjusted": 0.05},
            True,
            True,
        ),
        (
            {"difference_others": interval(0.1, 0.2), "p_others": 0.01, "p_others_adjusted": 0.06},
            True,
            False,
        ),
        (
            {"difference_others": interval(0.1, 0.2), "p_adjusted": 0.06} | OTHERS,
            True,
            False,
        ),
        ({"difference": interval(0.1, 0.3, level=0.9), "p_adjusted": 0.1}, True, True),
        ({"difference": interval(0.1, 0.3, level=0.99)}, True, False),
    ],
)
def test_found_needs_the_interval_and_the_test(changes, excludes, found):
    made = contrast(**changes)
    assert made.interval.excludes(0.0) is excludes
    assert made.found is found
    assert made.to_record()["found"] is found


def test_the_interval_to_report_is_the_crossed_one():
    alone, others = contrast(), contrast(difference_others=interval(0.05, 0.35))
    assert alone.interval is alone.difference
    assert alone.about == "these annotators"
    assert others.interval is others.difference_others
    assert others.about == "other annotators too"
    record = others.to_record()
    assert (record["ci_low"], record["ci_high"]) == (0.05, 0.35)
    assert (record["ci_low_these"], record["ci_high_these"]) == (0.1, 0.3)
    assert record["ci_about"] == "other annotators too"
    assert alone.to_record()["p_others"] is alone.to_record()["p_others_adjusted"] is None
    record = contrast(**OTHERS).to_record()
    assert (record["p_others"], record["p_others_adjusted"]) == (0.002, 0.02)


# --- exports ---------------------------------------------------------------------------------------


def test_records_are_plain():
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=(3, 9)) for name in "abc"}
    result = paired_differences(values, **QUICK)
    record = result.to_record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    frame = result.to_frame()
    assert list(frame["first"]) == ["a", "a", "b"]
    assert record["correction"] == "max_t"
    assert record["contrasts"][1]["p_adjusted"] == frame["p_adjusted"][1]
    untested = contrast(
        difference=interval(np.nan, np.nan), p_value=np.nan, p_adjusted=np.nan, statistic=np.nan
    )
    plain = family(untested).to_record()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["contrasts"][0]["p_value"] is None


def test_summary_says_what_was_not_tested():
    untested = contrast(difference=interval(np.nan, np.nan), p_value=np.nan)
    first, second = family(contrast(), untested).summary().splitlines()
    assert first == (
        "d8_best.pt minus c8 & 50 %: 0.20 [0.10, 0.30], p = 0.0040, adjusted 0.030 (20 sources)"
    )
    assert second.endswith(", not tested (20 sources)")
    several = contrast(difference_others=interval(0.05, 0.35), **OTHERS)
    assert several.sentence() == (
        "d8_best.pt minus c8 & 50 %: 0.20 [0.05, 0.35], p = 0.0040, adjusted 0.030 about these "
        "annotators, p = 0.0020, adjusted 0.020 about others too (20 sources)"
    )


def test_table():
    made = family(
        contrast(),
        contrast(difference_others=interval(-0.055, 0.455), p_adjusted=0.3, **OTHERS),
        contrast(difference=interval(np.nan, np.nan), p_value=np.nan, p_adjusted=np.nan),
    )
    read = read_table(made.to_latex(caption="Models", label="tab:models"))
    assert read.header == [
        "First",
        "Second",
        "{Difference}",
        r"95\,\% interval",
        "{$p$}",
        "{$p$ (max-T)}",
        "{$p$ (others, Holm)}",
        "{Sources}",
    ]
    assert read.rows[0] == [
        r"d8\_best.pt",
        r"c8 \& 50 \%",
        "0.20",
        r"[\num{0.10}, \num{0.30}]",
        "0.0040",
        "0.030",
        "{--}",
        "20",
    ]
    assert numbers_in(read.rows[1][3]) == [-0.06, 0.46]
    assert read.rows[1][6] == "0.020"
    assert read.rows[2][2:7] == ["{--}"] * 5
    assert read.label == "tab:models"
    plain = read_table(family(contrast(), correction=Correction.NONE).to_latex(digits=4))
    assert plain.header[4:] == ["{$p$}", "{Sources}"]
    assert plain.rows[0][2] == "0.2000"
    several = contrast(difference_others=interval(0.05, 0.35), **OTHERS)
    for correction, header in (
        (Correction.NONE, "{$p$ (others)}"),
        (Correction.BH, "{$p$ (others, Benjamini{--}Hochberg)}"),
    ):
        assert header in read_table(family(several, correction=correction).to_latex()).header


def test_figure():
    made = family(contrast(), contrast(difference_others=interval(-0.1, 0.5)))
    ax = made.plot()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["d8_best.pt − c8 & 50 %"] * 2
    assert made.plot(ax) is ax
    zero, *drawn = ax.lines[:5]
    assert list(zero.get_xdata()) == [0, 0]
    lines = [line for line in drawn if len(line.get_xdata()) == 2]
    assert [list(line.get_xdata()) for line in lines] == [[0.1, 0.3], [-0.1, 0.5]]
    points = [line for line in drawn if len(line.get_xdata()) == 1]
    # filled where a difference counts as found
    assert [point.get_markerfacecolor() == "white" for point in points] == [False, True]
    mpl.pyplot.close("all")
