"""LaTeX tables: what is written, and that nothing in a file's names or a caption can break it."""

from __future__ import annotations

import shutil
import subprocess
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnxai.errors import OptionError
from attnxai.report.tables.agreement import agreement_table
from attnxai.report.tables.latex import render_latex
from attnxai.report.tables.table import (
    Limit,
    Table,
    count_column,
    interval_column,
    interval_decimals,
    number_column,
    p_value_column,
    text_column,
)
from attnxai.statistics.formats import decimals_of, format_p
from attnxai.statistics.interval import Interval
from tests.report.tables.latex_reader import numbers_in, read_table

MISSING = "{--}"


def latex(*columns, rules=(), **options):
    return render_latex(Table(columns=columns, rules=rules), **options)


def interval(value, low=np.nan, high=np.nan, *, n=40, level=0.95):
    return Interval(value=value, low=low, high=high, n_units=n, level=level)


# --- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [(np.nan, np.nan), (0.3, 0.3), (0.3, 0.3 + 1e-16)])
def test_without_a_width_there_are_no_decimals_of_its_own(ends):
    made = interval(0.3, *ends)
    assert decimals_of(made) is None
    assert interval_decimals([made]) == [2]
    assert interval_decimals([interval(0.3, 0.29, 0.31), made, interval(3, 2, 4)]) == [3, 2, 2]
    assert interval_decimals([made, interval(3, 2, 4)], digits=4) == [4, 4]


@pytest.mark.parametrize("digits", [-1, 10])
def test_digits_that_cannot_be(digits):
    with pytest.raises(OptionError, match=f"from 0 to 9; got {digits}"):
        interval_decimals([interval(0.3)], digits)


@given(value=st.floats(-1e6, 1e6), decimals=st.integers(0, 9))
def test_numbers_read_back(value, decimals):
    read = read_table(latex(number_column("x", [value], decimals)))
    ((text,),) = read.rows
    assert float(text) == pytest.approx(value, abs=0.5 * 10.0**-decimals + 1e-9)
    assert text.isascii()
    assert not text.startswith("-0") or float(text) != 0


@given(p=st.floats(1e-12, 1.0))
def test_p_values_have_the_digits_of_the_text(p):
    ((cell,),) = read_table(latex(p_value_column("p", [p]))).rows
    assert format_p(p) == ("< 0.0001" if cell == r"{$<\num{0.0001}$}" else cell)


def test_what_is_missing():
    columns = (
        p_value_column("p", [None, float("nan")]),
        number_column("x", [None, float("inf")], 2),
        count_column("n", [None, None]),
        interval_column("v", [interval(float("nan"))] * 2),
    )
    assert read_table(latex(*columns)).rows == [[MISSING] * 5] * 2


def test_counts_that_are_known_on_one_side():
    limits = [Limit(sign=">", count=500), Limit(sign="≤", count=6)]
    assert read_table(latex(count_column("Sources", limits))).rows == [
        [r"{$>$\num{500}}"],
        [r"{$\le$\num{6}}"],
    ]


# --- tables ----------------------------------------------------------------------------------------


def test_a_table_with_everything():
    values = [interval(-0.4237, -0.5461, -0.3012), interval(12.3, 11.1, 13.5), interval(0.5, n=3)]
    text = latex(
        text_column("Map", ["d8_best.pt & 50 %", "[gate 1]", "*"]),
        interval_column("Value", values),
        p_value_column("p", [0.00002, 0.5, None]),
        count_column("n", [40, 1234, None]),
        rules=(2,),
        caption=r"Agreement, 50\,\% of $n_s$ sources",
        label="tab:agreement",
    )
    read = read_table(text)
    assert read.columns == [
        "l",
        "S[table-format=-2.2]",
        "r",
        "S[table-format=1.2]",
        "S[table-format=4]",
    ]
    assert read.header == ["Map", "{Value}", r"95\,\% interval", "{$p$}", "{n}"]
    assert read.rows == [
        [
            r"d8\_best.pt \& 50 \%",
            "-0.42",
            r"[\num{-0.55}, \num{-0.30}]",
            r"{$<\num{0.0001}$}",
            "40",
        ],
        ["{}[gate 1]", "12.30", r"[\num{11.10}, \num{13.50}]", "0.50", "1234"],
        ["{}*", "0.50", MISSING, MISSING, MISSING],
    ]
    assert read.rules == [2]
    assert (read.caption, read.label) == (r"Agreement, 50\,\% of $n_s$ sources", "tab:agreement")


def test_without_a_caption_there_is_no_float():
    text = latex(text_column("A", ["x"]))
    assert r"\begin{table}" not in text
    assert read_table(text).caption is None
    with pytest.raises(OptionError, match="the label tab:x needs a caption"):
        latex(text_column("A", ["x"]), label="tab:x")
    with pytest.raises(ValueError, match="one length"):
        latex(text_column("A", ["x"]), text_column("B", ["x", "y"]))


def test_the_level_is_that_of_the_intervals():
    read = read_table(latex(interval_column("x", [interval(1, 0, 2, level=0.9)], digits=1)))
    assert read.header[1] == r"90\,\% interval"
    assert read.rows[0][1] == r"[\num{0.0}, \num{2.0}]"


@given(names=st.lists(st.text(st.characters(max_codepoint=0x17F), max_size=12), min_size=1))
def test_no_name_breaks_a_table(names):
    text = latex(text_column("Name", names), count_column("n", range(len(names))))
    assert len(read_table(text).rows) == len(names)


def has_latex():
    """Whether LaTeX and both packages are here."""
    find = shutil.which("kpsewhich")
    if find is None or shutil.which("pdflatex") is None:
        return False
    found = subprocess.run([find, "siunitx.sty", "booktabs.sty"], capture_output=True, check=False)
    return found.returncode == 0


@pytest.mark.skipif(not has_latex(), reason="needs LaTeX with booktabs and siunitx")
def test_latex_takes_it(tmp_path):
    names = [
        "".join(map(chr, range(32, 127))),
        "[x]",
        "*x",
        "Spearman ρ − – µ ° ≤ … 3.6″ “M⊙” ‘a’ ≈ ≠ →",
    ]
    made = [interval(0.4237, 0.3012, 0.5461)] * 4
    table = latex(
        text_column("A", names),
        interval_column("B", made),
        p_value_column("p", [1e-9] * 4),
        caption="C",
        label="tab:c",
    )
    (tmp_path / "table.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\usepackage{siunitx}\\begin{document}\n"
        f"{table}\\end{{document}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "table.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


# --- results ---------------------------------------------------------------------------------------


def null_test(mean, p):
    return types.SimpleNamespace(mean=mean, p_value=p)


def result_of(estimates, *, n_maps=2):
    """What a table asks of a result."""
    names = tuple(estimates)

    def estimate(name, metric, *, group, class_name):
        assert (metric, group, class_name) == ("spearman", "held-out", "all")
        return estimates[name]

    return types.SimpleNamespace(
        explanations=names[:n_maps],
        baselines=names[n_maps:],
        metrics=("spearman", "nss"),
        estimate=estimate,
    )


def estimate(value, *, strata=None, pooled=None, adjusted=None):
    return types.SimpleNamespace(
        interval=value, within_strata=strata, pooled=pooled, p_adjusted=adjusted
    )


def test_table_of_a_result():
    pooled = null_test(0.3, 0.9)
    result = result_of(
        {
            "gate_1": estimate(
                interval(0.42, 0.31, 0.55),
                strata=null_test(0.2, 0.012),
                pooled=pooled,
                adjusted=0.024,
            ),
            "mean": estimate(interval(0.1, -0.1, 0.3), strata=null_test(0.1, 0.5), adjusted=0.5),
            "brightness": estimate(interval(0.6, 0.5, 0.7), strata=null_test(0.3, 1e-5)),
            "centre bias": estimate(interval(0.2, n=5), pooled=pooled),
        }
    )
    read = read_table(
        render_latex(agreement_table(result, group="held-out"), caption="C", label="tab:c")
    )
    assert read.header == [
        "Map",
        r"{Spearman $\rho$}",
        r"95\,\% interval",
        "{Null mean}",
        "{$p$ within strata}",
        "{$p$ adjusted}",
        "{Sources}",
    ]
    assert read.rules == [2]
    assert read.rows[0] == [
        r"Gate\_1",
        "0.42",
        r"[\num{0.31}, \num{0.55}]",
        "0.20",
        "0.012",
        "0.024",
        "40",
    ]
    # a pooled test does not stand in the column of tests within strata
    assert read.rows[3] == ["centre bias", "0.20", MISSING, MISSING, MISSING, MISSING, "5"]


def test_table_of_a_result_with_pooled_tests_or_none():
    made = interval(0.42, 0.31, 0.55)
    result = result_of({"a": estimate(made, pooled=null_test(0.3, 0.9)), "b": estimate(made)})
    read = read_table(render_latex(agreement_table(result, group="held-out", digits=3)))
    assert read.header[3:] == ["{Null mean}", "{$p$ pooled}", "{Sources}"]
    assert read.rows[0][1:4] == ["0.420", r"[\num{0.310}, \num{0.550}]", "0.300"]
    assert numbers_in(read.rows[1][2]) == [0.31, 0.55]
    plain = read_table(
        render_latex(agreement_table(result_of({"a": estimate(made)}), group="held-out"))
    )
    assert len(plain.header) == 4
