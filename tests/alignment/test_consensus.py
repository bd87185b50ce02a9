"""One target a source: by hand on a few pixels, and in a comparison."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest

import attnxai
from attnxai.agreement.comparison import compare_pairs
from attnxai.alignment import with_consensus
from attnxai.annotations import staple
from attnxai.errors import OptionError
from attnxai.explanations.stack import CENTRE_BIAS
from attnxai.metrics import nss
from attnxai.report.content import ReportContent
from attnxai.report.methods import methods_text
from tests.builders import made_up
from tests.report.several import QUICK


def row(*pixels):
    return np.array([pixels], dtype=np.float32)


@pytest.fixture(scope="module")
def pairs():
    """Three sources of 1 x 6 pixels: one of three annotators, one of two, one of one."""
    made = attnxai.align(*made_up(n_sources=3, annotators=("a", "b", "c")))
    density = np.zeros((3, 3, 1, 6), np.float32)
    density[0] = [row(1, 1, 0.5, 0, 0, 0), row(0, 1, 1, 0, 0, 0), row(0, 0, 0, 0, 0.2, 0.4)]
    density[1, :2] = [row(0, 1, 1, 0, 0, 0), row(0, 0, 0, 1, 1, 0)]
    density[2, 0] = row(0, 1, 0, 1, 0, 0)
    present = np.array([[True] * 3, [True, True, False], [True, False, False]])
    return dataclasses.replace(made, density=density, mask=density > 0, present=present)


@pytest.mark.parametrize(
    ("rule", "density", "mask"),
    [
        (
            "union",
            [[1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 0], [0, 0, 0, 0, 1, 1]],
            [[1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 0], [0, 0, 0, 0, 1, 1]],
        ),
        (
            "majority",
            [[0, 1, 1, 0, 0, 0], [0] * 6, [0, 0, 0, 0, 1, 1]],
            [[0, 1, 1, 0, 0, 0], [0] * 6, [0, 0, 0, 0, 1, 1]],
        ),
        (
            "mean",
            [[1 / 3, 1, 0.5, 1 / 3, 0, 0], [0, 0.5, 0.5, 0.5, 0.5, 0], [0, 0, 0, 0, 0.2, 0.4]],
            # 7 pixels of three and 4 of two annotators are 2 on average, and of equal ones the first count
            [[0, 1, 1, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1]],
        ),
    ],
)
def test_rules_by_hand(pairs, rule, density, mask):
    found = with_consensus(pairs, rule)
    np.testing.assert_allclose(found.density[0, :, 0], density, rtol=1e-6)
    np.testing.assert_array_equal(found.mask[0, :, 0], np.array(mask, bool))
    assert found.annotators == (f"{rule} of 3 annotators",)
    assert found.present.tolist() == [[True] * 3]
    others = (found.density[0, 1] + found.density[0, 2]) / 2
    np.testing.assert_allclose(found.baselines[CENTRE_BIAS][0], others)
    assert found.baselines["brightness"] is pairs.baselines["brightness"]


def test_staple_is_that_of_each_source(pairs):
    found = with_consensus(pairs, "staple")
    probability = staple(pairs.mask[:, 0]).probability
    np.testing.assert_allclose(found.density[0, 0], probability, rtol=1e-6)
    np.testing.assert_array_equal(found.mask[0, 0], probability > 0.5)
    # of one annotator there is nothing to estimate
    np.testing.assert_array_equal(found.density[0, 2], pairs.mask[0, 2].astype(float))
    assert found.annotators == ("STAPLE estimate of 3 annotators",)


@pytest.fixture(scope="module")
def inputs():
    return made_up(n_sources=12, annotators=("a", "b", "c"))


def compared(inputs, consensus):
    settings = dataclasses.replace(QUICK, consensus=consensus)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return attnxai.compare(*inputs, settings=settings)


@pytest.mark.parametrize("rule", ["union", "majority", "staple", "mean"])
def test_a_comparison_is_with_the_consensus_and_says_so(inputs, rule):
    result = compared(inputs, rule)
    pairs = result.data.pairs
    assert pairs.annotators == ("a", "b", "c")
    target = with_consensus(pairs, rule)
    map_ = pairs.explanations["gate2"]
    expected = [nss(map_[s], target.density[0, s], pairs.valid[s]) for s in range(12)]
    np.testing.assert_allclose(result.source_means("gate2", "nss"), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = compare_pairs(target, settings=QUICK)
    shown, same = result.estimate("gate2", "nss"), plain.estimate("gate2", "nss")
    assert shown.to_record() == same.to_record()
    assert result.settings["consensus"] == rule
    assert result.noise_ceilings == ()
    assert shown.share_of_noise_ceiling is None
    assert result.annotator_agreement.n_annotators == 3
    assert f"about the {target.annotators[0]} and this trained model" in result.generalises_to
    assert "a consensus of its annotators" in methods_text(ReportContent.of(result)).plain


def test_every_annotator_is_compared_unless_asked_for(inputs):
    result = compared(inputs, None)
    assert result.annotators == ("a", "b", "c")
    assert result.settings["consensus"] is None
    assert "consensus of its annotators" not in methods_text(ReportContent.of(result)).plain


def test_a_report_names_the_consensus(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("attnxai.report.document._drawers", lambda *_: [])
    compared(inputs, "staple").write_report(tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "3 annotators (a, b, c); compared as one target: the probability of the true" in page
    assert "with a consensus, the STAPLE estimate of 3 annotators: the intervals" in page
    assert "There is one annotator" not in page
    assert "by STAPLE (Warfield et al. 2004)." in page


def test_unknown_rules_are_refused():
    with pytest.raises(
        OptionError,
        match=r"unknown consensus 'most'; known rules are union, majority, staple, mean",
    ):
        dataclasses.replace(QUICK, consensus="most")
