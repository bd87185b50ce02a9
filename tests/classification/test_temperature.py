"""Temperature scaling: the fit, and what it is worth."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from attnxai.classification.scoring import log_loss
from attnxai.classification.temperature import TEMPERATURE_RANGE, fit_temperature
from attnxai.errors import (
    FewSourcesWarning,
    OptionError,
)
from tests.classification.test_scoring import made_up


@pytest.mark.parametrize("n_classes", [2, 4])
def test_fit_equals_a_search_by_hand(n_classes):
    scores, labels = made_up(150, n_classes)
    fit = fit_temperature(2.5 * scores, labels)
    grid = np.exp(np.linspace(np.log(0.2), np.log(20), 4001))
    losses = [log_loss(2.5 * scores, labels, temperature=t) for t in grid]
    assert fit.temperature == pytest.approx(grid[np.argmin(losses)], rel=2e-3)
    assert fit.log_loss_after <= min(losses) + 1e-12
    assert fit.log_loss_before == pytest.approx(log_loss(2.5 * scores, labels))
    assert fit.log_loss_after == pytest.approx(
        log_loss(2.5 * scores, labels, temperature=fit.temperature)
    )
    assert not fit.at_bound
    assert fit.obstacle == ""
    assert (fit.n_images, fit.n_wrong) == (150, (scores.argmax(axis=1) != labels).sum())


def test_interval_is_the_profile_likelihood():
    scores, labels = made_up(100, 2)
    fit = fit_temperature(scores, labels, level=0.9)
    allowed = stats.chi2.ppf(0.9, 1) / 2
    for end in (fit.low, fit.high):
        worse = 100 * (log_loss(scores, labels, temperature=end) - fit.log_loss_after)
        assert worse == pytest.approx(allowed, rel=1e-6)
    assert fit.low < fit.temperature < fit.high


def test_cross_validation_equals_fits_without_each_image():
    scores, labels = made_up(25, 3)
    fit = fit_temperature(scores, labels)
    losses = []
    for index in range(25):
        kept = np.arange(25) != index
        best = optimize.minimize_scalar(
            lambda t, k=kept: log_loss(scores[k], labels[k], temperature=t),
            bounds=TEMPERATURE_RANGE,
            method="bounded",
            options={"xatol": 1e-9},
        )
        losses.append(log_loss(scores[[index]], labels[[index]], temperature=best.x))
    assert fit.log_loss_cross_validated == pytest.approx(np.mean(losses), abs=1e-6)
    before = [log_loss(scores[[i]], labels[[i]]) for i in range(25)]
    difference = np.subtract(before, losses)
    assert fit.gain == pytest.approx(difference.mean(), abs=1e-6)
    assert fit.gain_error == pytest.approx(difference.std(ddof=1) / 5, abs=1e-6)


def test_one_hard_image_among_easy_ones():
    """Without it the others are separable: its own temperature is then the lowest of the range."""
    labels = np.arange(20) % 2
    scores = 4.0 * np.eye(2)[labels]
    scores[0] = [-1.0, 1.0]
    fit = fit_temperature(scores, labels)
    assert not fit.at_bound
    assert fit.n_wrong == 1
    lowest = TEMPERATURE_RANGE[0]
    assert fit.log_loss_cross_validated >= 2.0 / lowest / 20
    assert fit.gain < 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 5.0), st.integers(2, 4))
def test_scaled_scores_have_a_scaled_temperature(seed, factor, n_classes):
    scores, labels = made_up(40, n_classes, seed=seed, signal=1.0)
    with warnings.catch_warnings():
        # the ends of the range are not scaled with the scores
        warnings.simplefilter("ignore", FewSourcesWarning)
        plain = fit_temperature(scores, labels)
        scaled = fit_temperature(factor * scores, labels)
    if not plain.at_bound and not scaled.at_bound:
        assert scaled.temperature == pytest.approx(factor * plain.temperature, rel=1e-4)
        assert scaled.log_loss_after == pytest.approx(plain.log_loss_after, abs=1e-9)
    assert plain.log_loss_after <= plain.log_loss_before + 1e-12


def test_the_true_temperature_is_found():
    """Labels drawn from the probabilities at a temperature of 1.8; intervals cover it."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        difference = 2.5 * rng.normal(size=120)
        labels = (rng.random(120) < 1 / (1 + np.exp(-difference / 1.8))).astype(int)
        fit = fit_temperature(np.stack([np.zeros(120), difference], axis=1), labels)
        covered += fit.low <= 1.8 <= fit.high
    low, high = stats.binom.ppf([0.001, 0.999], 100, [0.94, 0.96])
    assert low <= covered <= high


def test_separable_images_fix_no_temperature():
    labels = np.arange(20) % 2
    with pytest.warns(FewSourcesWarning, match="20 of 20 images are classified correctly"):
        fit = fit_temperature(3.0 * np.eye(2)[labels], labels)
    assert fit.at_bound
    assert fit.temperature == TEMPERATURE_RANGE[0]
    assert fit.low == 0.0
    assert "down to 0.01" in fit.obstacle


def test_scores_that_point_the_wrong_way():
    scores, labels = made_up(40, 2, signal=2.0)
    with pytest.warns(FewSourcesWarning, match="the scores contain no information"):
        fit = fit_temperature(-scores, labels)
    assert fit.at_bound
    assert fit.temperature == TEMPERATURE_RANGE[1]
    assert fit.high == math.inf
    assert fit.to_record()["high"] is None
    json.dumps(fit.to_record(), allow_nan=False)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(OptionError, match="same score in every image"):
        fit_temperature([[1.0, 1.0], [2.0, 2.0]], [0, 1])
    with pytest.raises(OptionError, match="labels have shape"):
        fit_temperature([[1.0, 0.0]], [0, 1])
    with pytest.raises(OptionError, match="level has to be between 0 and 1"):
        fit_temperature([[1.0, 0.0]], [0], level=0.0)


def test_few_images_fix_no_temperature():
    """One in four wrong: with 16 images a temperature, with 12 none that could be used."""
    scores, labels = [[2, -2], [2, -2], [2, -2], [-2, 2]], [0] * 4
    fit = fit_temperature(scores * 4, labels * 4)
    assert fit.obstacle == ""
    assert fit.temperature == pytest.approx(4 / math.log(3), rel=1e-4)
    with pytest.warns(
        FewSourcesWarning, match="no temperature can be fitted: 12 images cannot determine it"
    ):
        few = fit_temperature(scores * 3, labels * 3)
    assert "at least 15 are needed" in few.obstacle
    assert fit_temperature((scores * 4)[1:], (labels * 4)[1:]).obstacle == ""
    with pytest.warns(FewSourcesWarning, match="1 of 1 images are classified correctly"):
        fit_temperature([[1, 0]], [0])
