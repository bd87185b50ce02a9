"""What the numbers of a map say, by rule."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.comparison import ComparisonSettings, compare
from attnxai.agreement.estimates import FurtherTest
from attnxai.agreement.multiplicity import Correction
from attnxai.report.findings import (
    Finding,
    Order,
    Side,
    compared_with,
    finding_of,
    is_miscalibrated,
    side_of_chance,
)
from attnxai.report.verdict import reach_verdict
from attnxai.statistics.interval import Interval, no_spread_interval
from tests.builders import made_up
from tests.report.verdicts import (
    at,
    planted,
    verdict_of,
)


def test_the_number_of_maps_counts_for_what_can_be_concluded():
    # 3 + 3 sources: 1/36 is below 0.05, but not for three maps
    verdict, result = verdict_of(n_sources=6)
    assert result.estimate("gate1", "nss").within_strata.smallest_p == pytest.approx(1 / 36)
    assert {s.finding for s in verdict.statements} == {Finding.INCONCLUSIVE}


def test_significant_but_avoiding_the_marks_is_not_agreement():
    """Seven sources have no interval, and relevance mass no fixed chance: neither may say 'agrees'."""
    verdict, result = verdict_of(n_sources=7, classes=("FR I",))
    assert result.estimate("gate1", "nss").pooled.p_value < 0.01
    assert {s.finding for s in verdict.statements} == {Finding.SOURCE_SPECIFIC}
    assert "there is no interval that shows it to be above chance" in verdict.statements[0].details
    mass = ComparisonSettings(
        metrics=("relevance_mass_accuracy",), n_permutations=999, n_bootstrap=500
    )
    maps, marks, images = made_up(n_sources=20)
    around = {name: 1.05 - array for name, array in maps.layers.items()}
    result = compare(dataclasses.replace(maps, layers=around), marks, images, settings=mass)
    estimate = result.estimate("gate1", "relevance_mass_accuracy")
    low = dataclasses.replace(estimate.within_strata, p_value=0.001)
    changed = tuple(
        dataclasses.replace(e, within_strata=low, p_adjusted=0.003) if e is estimate else e
        for e in result.estimates
    )
    verdict = reach_verdict([dataclasses.replace(result, estimates=changed)], marks)
    assert estimate.above_chance.high < 0
    assert verdict.statements[0].finding is Finding.SOURCE_SPECIFIC


def test_values_that_are_the_same_for_few_sources_show_nothing():
    estimate = verdict_of(n_sources=12)[1].estimate("gate1", "nss")
    above = no_spread_interval(1.0, 12, 12)
    assert side_of_chance(dataclasses.replace(estimate, above_chance=above)) is Side.ABOVE
    below = no_spread_interval(-1.0, 12, 12)
    assert side_of_chance(dataclasses.replace(estimate, above_chance=below)) is Side.BELOW
    few = no_spread_interval(1.0, 7, 7)
    assert side_of_chance(dataclasses.replace(estimate, above_chance=few)) is Side.UNKNOWN


def test_levels_belong_to_what_is_found():
    _, result = planted()
    estimate = dataclasses.replace(result.estimate("gate1", "nss"), p_adjusted=0.05)
    assert finding_of(estimate) is Finding.AGREES
    assert finding_of(dataclasses.replace(estimate, p_adjusted=0.0501)) is Finding.NOT_SHOWN
    # with 0.02 the smallest, Holm's method over 3 maps can reach no 0.05
    coarse = dataclasses.replace(
        estimate,
        p_adjusted=0.2,
        within_strata=dataclasses.replace(estimate.within_strata, smallest_p=0.02),
    )
    for correction, finding in (("holm", Finding.INCONCLUSIVE), ("max_t", Finding.NOT_SHOWN)):
        changed = dataclasses.replace(coarse, correction=Correction(correction))
        assert finding_of(changed) is finding
    further = FurtherTest(
        null="shift", label="shift", test=None, reason="", rejections_pairing_broken=0.2
    )
    assert is_miscalibrated(further)
    assert not is_miscalibrated(dataclasses.replace(further, rejections_pairing_broken=0.19))


def test_only_some_metrics_show_that_annotations_are_avoided():
    """An AUC below 0.5 does; few of the highest pixels on small marks say nothing of the kind."""
    _, result = planted()
    below = at(result.estimate("gate1", "nss"), -0.3, -0.1)
    sides = {"auc": Side.BELOW, "nss": Side.BELOW, "iou": Side.OPEN, "similarity": Side.OPEN}
    for metric, side in sides.items():
        assert side_of_chance(dataclasses.replace(below, metric=metric)) is side


@pytest.mark.parametrize(("correlation", "expected"), [(0.5, 0.07), (0.8, 0.06)])
def test_how_often_the_best_of_four_equal_resolutions_is_wrongly_called_better(
    correlation, expected
):
    """The numbers of the page on the report, with intervals of Student's t."""
    rng = np.random.default_rng(0)
    n, n_draws = 40, 4000
    shared, own = rng.normal(size=(n_draws, n, 1)), rng.normal(size=(n_draws, n, 4))
    values = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    means = values.mean(axis=1)
    reach = stats.t.ppf(0.975, n - 1) * values.std(axis=1, ddof=1) / np.sqrt(n)
    names = [f"brightness at {k}″" for k in range(4)]
    orders = []
    for row, half in zip(means, reach, strict=True):
        differences = {
            name: Interval(value=m, low=m - h, high=m + h, n_units=n)
            for name, m, h in zip(names, row, half, strict=True)
        }
        orders.append(compared_with(SimpleNamespace(differences=differences), names))
    worse, better = (orders.count(order) / n_draws for order in (Order.WORSE, Order.BETTER))
    assert worse == pytest.approx(expected, abs=0.01)  # sampled
    assert better <= 0.025
