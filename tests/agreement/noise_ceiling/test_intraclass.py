"""Intraclass correlations against the table of Shrout & Fleiss and another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from attnxai.agreement.noise_ceiling.intraclass import IntraclassForm, intraclass_correlations
from attnxai.errors import OptionError

# Shrout & Fleiss (1979), table 2: 4 judges, 6 targets
JUDGES = [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
# by pingouin 0.7 without its rounding: value, low, high, F, second degrees of freedom, p
REFERENCE = {
    "ICC1": (0.1657417684054755, -0.13293232487475096, 0.722560062328121),
    "ICC2": (0.28976377952755916, 0.018786513374712058, 0.7610843696489527),
    "ICC3": (0.7148407148407154, 0.34246476503392614, 0.9458582599553597),
    "ICC1k": (0.44279713367926876, -0.8844421552381196, 0.9124154203407755),
    "ICC2k": (0.6200505475989893, 0.07113681530250353, 0.9272320401677219),
    "ICC3k": (0.9093155423770697, 0.6756747138163055, 0.9858916781690623),
}
PUBLISHED = {"ICC1": 0.17, "ICC2": 0.29, "ICC3": 0.71, "ICC1k": 0.44, "ICC2k": 0.62, "ICC3k": 0.91}
PINGOUIN_NAMES = {
    "ICC1": "ICC(1,1)",
    "ICC2": "ICC(A,1)",
    "ICC3": "ICC(C,1)",
    "ICC1k": "ICC(1,k)",
    "ICC2k": "ICC(A,k)",
    "ICC3k": "ICC(C,k)",
}


def test_published_table():
    found = intraclass_correlations(JUDGES)
    assert {str(form): round(icc.interval.value, 2) for form, icc in found.items()} == PUBLISHED
    for form, (value, low, high) in REFERENCE.items():
        icc = found[IntraclassForm(form)]
        assert icc.interval.value == pytest.approx(value, abs=1e-10)
        assert icc.interval.low == pytest.approx(low, abs=1e-10)
        assert icc.interval.high == pytest.approx(high, abs=1e-10)
    one_way, two_way = found[IntraclassForm.ICC1], found[IntraclassForm.ICC2K]
    assert one_way.f_value == pytest.approx(1.7946784922394683, abs=1e-10)
    assert two_way.f_value == pytest.approx(11.027247956403299, abs=1e-10)
    assert (one_way.df1, one_way.df2, two_way.df2) == (5, 18, 15)
    assert one_way.p_value == pytest.approx(0.16476880834463953, abs=1e-10)
    assert two_way.p_value == pytest.approx(0.000134566516484335, abs=1e-10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(4))
def test_equals_pingouin(seed):
    import pandas as pd
    import pingouin

    rng = np.random.default_rng(seed)
    k, n = rng.integers(2, 6), rng.integers(5, 30)
    ratings = rng.normal(size=n) + rng.normal(size=(k, 1)) + rng.normal(size=(k, n))
    rows = [
        {"source": s, "annotator": a, "value": ratings[a, s]} for a in range(k) for s in range(n)
    ]
    before = pingouin.options["round.column.CI95"]
    pingouin.options["round.column.CI95"] = None
    try:
        theirs = pingouin.intraclass_corr(pd.DataFrame(rows), "source", "annotator", "value")
    finally:
        pingouin.options["round.column.CI95"] = before
    for form, icc in intraclass_correlations(ratings).items():
        row = theirs.set_index("Type").loc[PINGOUIN_NAMES[form]]
        assert icc.interval.value == pytest.approx(row["ICC"], abs=1e-10)
        assert icc.f_value == pytest.approx(row["F"], rel=1e-10)
        assert icc.p_value == pytest.approx(row["pval"], abs=1e-10)
        assert [icc.interval.low, icc.interval.high] == pytest.approx(list(row["CI95"]), abs=1e-10)


@given(seed=st.integers(0, 10_000), shift=st.floats(-10, 10), scale=st.floats(0.1, 10))
@settings(max_examples=30, deadline=None)
def test_units_and_order_do_not_matter(seed, shift, scale):
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=12) + rng.normal(size=(3, 12))
    found = intraclass_correlations(ratings)
    moved = intraclass_correlations((shift + scale * ratings)[rng.permutation(3)][:, ::-1])
    for form, icc in found.items():
        assert moved[form].interval.value == pytest.approx(icc.interval.value, abs=1e-8)
        assert moved[form].interval.high == pytest.approx(icc.interval.high, abs=1e-8)


def test_offsets_between_annotators_count_for_agreement_alone():
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=30) + 0.3 * rng.normal(size=(3, 30))
    shifted = ratings + np.array([[0.0], [3.0], [-3.0]])
    before, after = intraclass_correlations(ratings), intraclass_correlations(shifted)
    assert after[IntraclassForm.ICC3].interval.value == pytest.approx(
        before[IntraclassForm.ICC3].interval.value
    )
    assert (
        after[IntraclassForm.ICC2].interval.value < 0.3 < before[IntraclassForm.ICC2].interval.value
    )


def test_interval_covers():
    rng = np.random.default_rng(1)
    n, truth = 400, 0.6
    covered = 0
    for _ in range(n):
        ratings = np.sqrt(0.6) * rng.normal(size=25) + np.sqrt(0.4) * rng.normal(size=(3, 25))
        icc = intraclass_correlations(ratings)[IntraclassForm.ICC1]
        covered += icc.interval.low <= truth <= icc.interval.high
    low, high = stats.binom.ppf([0.001, 0.999], n, 0.95)
    assert low <= covered <= high


def test_incomplete_sources_leave_and_are_counted():
    ratings = np.asarray(JUDGES, float)
    holes = np.column_stack([ratings, [1.0, np.nan, 2.0, 3.0]])
    found = intraclass_correlations(holes)[IntraclassForm.ICC2]
    assert (
        found.interval.value == intraclass_correlations(JUDGES)[IntraclassForm.ICC2].interval.value
    )
    assert (found.interval.n_units, found.n_left_out, found.n_annotators) == (6, 1, 4)


def test_annotators_who_never_differ():
    found = intraclass_correlations(np.tile(np.arange(9.0), (3, 1)))
    assert found[IntraclassForm.ICC2].interval.value == 1.0
    assert np.isnan(found[IntraclassForm.ICC2].interval.low)
    assert np.isnan(intraclass_correlations(np.ones((3, 9)))[IntraclassForm.ICC1].interval.value)


def test_too_little_is_refused():
    with pytest.raises(OptionError, match="needs two annotators"):
        intraclass_correlations([[1.0, 2.0, 3.0]])
    with pytest.raises(OptionError, match="needs two annotators"):
        intraclass_correlations([[1.0, np.nan], [2.0, 3.0]])
    with pytest.raises(OptionError, match="shape"):
        intraclass_correlations([1.0, 2.0])
    with pytest.raises(OptionError, match="level"):
        intraclass_correlations(JUDGES, level=0.2)
