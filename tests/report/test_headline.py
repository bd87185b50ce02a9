"""Headlines of one model say what is found of all its maps."""

from __future__ import annotations

import dataclasses
import re
import warnings

import numpy as np
import pytest

from attnxai.agreement.comparison import compare
from attnxai.errors import AssumptionWarning
from attnxai.explanations.stack import Split
from attnxai.report.findings import Finding
from attnxai.report.verdict import reach_verdict
from attnxai.statistics.formats import format_number, p_equals, with_interval
from tests.builders import made_up
from tests.report.verdicts import (
    QUICK,
    brightest,
    of_gate1,
    planted,
    verdict_of,
    verdict_with,
)


def test_planted_agreement_is_stated_with_its_numbers():
    verdict, result = planted()
    assert [s.finding for s in verdict.statements] == [Finding.AGREES] * 3
    shown = result.estimate("gate2", "nss")
    brightness = result.estimate(brightest(result), "nss").interval.value
    assert verdict.headline == (
        "All 3 maps of made-up agree with the annotations of their own source (gate 2 stands out most: NSS "
        f"{with_interval(shown.interval)} against {shown.test.mean:.2f} by permutation, adjusted "
        f"{p_equals(shown.p_adjusted)}, the smallest attainable, 16 held-out sources). Brightness alone ({brightness:.2f}) agrees better."
    )
    statement = verdict.statements[0]
    estimate = result.estimate("gate1", "nss")
    assert statement.lead.startswith("Gate 1 agrees with the annotations")
    for text in (
        with_interval(estimate.interval),
        format_number(estimate.within_strata.mean, 2),
        "16 sources",
        "same class",
    ):
        assert text in statement.details
    assert statement.p_adjusted == pytest.approx(min(1, 3 * estimate.within_strata.p_value))


def test_no_agreement_is_not_shown_which_is_not_the_same_as_absent():
    verdict, result = verdict_of(n_sources=16, agreement=0.0, seed=3)
    assert {s.finding for s in verdict.statements} == {Finding.NOT_SHOWN}
    mean = result.estimate("mean", "nss")
    assert verdict.headline == (
        "Agreement of made-up with the annotations of its own source is not shown for any of its 3 maps (the mean of "
        f"the gates: NSS {with_interval(mean.interval)} against {mean.test.mean:.2f} by permutation, adjusted p = 1.00, "
        "16 held-out sources)."
    )
    assert all("is not shown" in s.lead for s in verdict.statements)


def test_too_few_sources_conclude_nothing():
    verdict, _ = verdict_of(n_sources=5)
    assert {s.finding for s in verdict.statements} == {Finding.INCONCLUSIVE}
    assert "too few" in verdict.headline
    assert "smallest attainable p-value is 0.083" in verdict.statements[0].details
    assert any("too few for confidence intervals" in c for c in verdict.cautions)


def test_without_classes_and_scores_nothing_is_concluded():
    maps, marks, images = made_up(n_sources=12, classes=())
    maps = dataclasses.replace(maps, scores=None, class_names=())
    with pytest.warns(AssumptionWarning, match="class column"):
        result = compare(maps, marks, images, settings=QUICK)
    verdict = reach_verdict([result], marks)
    assert {s.finding for s in verdict.statements} == {Finding.INCONCLUSIVE}
    assert "the maps come without class scores" in verdict.headline


def test_a_map_without_values_is_not_called_few_sources():
    maps, marks, images = made_up(n_sources=12)
    flat = {name: np.full_like(array, 0.5) for name, array in maps.layers.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(dataclasses.replace(maps, layers=flat), marks, images, settings=QUICK)
    verdict = reach_verdict([result], marks)
    assert "NSS is undefined for all of its maps" in verdict.headline


def test_better_means_better_than_brightness_at_every_resolution():
    verdict, result = planted()
    assert re.search(r"\. Brightness alone \(\S+\) agrees better", verdict.headline)
    estimate = result.estimate("gate1", "nss")
    brightness = [name for name in result.baselines if name.startswith("brightness")]
    above = dataclasses.replace(estimate.interval, value=1.0, low=0.5, high=1.5)
    open_ = dataclasses.replace(estimate.interval, value=1.0, low=-0.1, high=2.1)
    for intervals, words in (
        (
            dict.fromkeys(brightness, above),
            ". 1 of them agrees better than brightness alone, which",
        ),
        ({brightness[0]: above, brightness[1]: open_}, ". Brightness alone agrees better than 2"),
    ):
        change = of_gate1(differences={**estimate.differences, **intervals})
        assert words in verdict_with(result, change).headline


def test_classes_on_opposite_sides_of_chance_are_named():
    maps, marks, images = made_up(n_sources=20)
    layers = {name: array.copy() for name, array in maps.layers.items()}
    layers["gate1"][::2] = 1.2 - 1.2 * layers["gate1"][::2]
    result = compare(dataclasses.replace(maps, layers=layers), marks, images, settings=QUICK)
    headline = reach_verdict([result], marks).headline
    expected = (
        "; gate 1 and the mean of the gates are higher on the annotations than elsewhere for FR II, and lower "
        "for FR I."
    )
    assert headline.endswith(expected)
    assert "Gate 2" not in headline


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (Split.HELD_OUT, "1 held-out source is too few to test"),
        (Split.TRAINING, "trained on this source."),
        (Split.VALIDATION, "by its results on this source."),
        (Split.UNKNOWN, "trained on this source; if it was, it is no evidence"),
    ],
)
def test_one_source_is_singular(splits, words):
    verdict, _ = verdict_of(n_sources=1, splits=(splits,))
    text = " ".join([verdict.headline, *verdict.cautions, *(s.details for s in verdict.statements)])
    assert words in text
    assert "1 source is too few for confidence intervals" in text
    assert not re.search(r"\b1 (\S+ )?(sources|maps)\b", text)
