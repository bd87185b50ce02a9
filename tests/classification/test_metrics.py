"""The whole result: every number with its interval, exported and printed."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from scipy import stats

from attnxai.classification.metrics import classification_metrics
from attnxai.classification.reliability import (
    Binning,
    expected_calibration_error,
    reliability_curve,
)
from attnxai.classification.scoring import (
    accuracy,
    brier_score,
    class_probabilities,
    confusion_matrix,
    f1_scores,
    log_loss,
    roc_auc,
)
from attnxai.errors import FewSourcesWarning, OptionError, UndefinedValuesWarning
from tests.classification.test_scoring import made_up

NAMES = ["FR I", "FR II", "hybrid"]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_values_are_those_of_the_functions(n_classes, temperature):
    scores, labels = made_up(120, n_classes)
    names = NAMES[:n_classes]
    metrics = classification_metrics(
        scores, labels, names, temperature=temperature, n_bootstrap=300, rng=0
    )
    probabilities = class_probabilities(scores, temperature=temperature)
    expected = {
        ("accuracy", "all"): accuracy(scores, labels),
        ("roc_auc", "all"): roc_auc(scores / temperature, labels),
        ("log_loss", "all"): log_loss(scores, labels, temperature=temperature),
        ("brier_score", "all"): brier_score(probabilities, labels),
        ("expected_calibration_error", "all"): expected_calibration_error(probabilities, labels),
    }
    expected |= {
        ("f1", name): f1 for name, f1 in zip(names, f1_scores(scores, labels), strict=True)
    }
    assert set(metrics.intervals) == set(expected)
    for key, interval in metrics.intervals.items():
        assert interval.value == pytest.approx(expected[key], abs=1e-12), key
        assert interval.known
        assert interval.low <= interval.value <= interval.high
    np.testing.assert_array_equal(metrics.confusion, confusion_matrix(scores, labels))
    theirs = stats.binomtest(round(120 * metrics.accuracy.value), 120).proportion_ci(
        method="wilson"
    )
    assert (metrics.accuracy.low, metrics.accuracy.high) == pytest.approx((theirs.low, theirs.high))
    assert metrics.accuracy.method == "Wilson"
    assert metrics.roc_auc.method == "BCa bootstrap over images"
    assert metrics.reliability.expected_calibration_error == pytest.approx(
        metrics.expected_calibration_error.value
    )


def test_bins_are_those_asked_for():
    scores, labels = made_up(90, 2)
    metrics = classification_metrics(
        scores, labels, NAMES[:2], n_bins=8, binning=Binning.EQUAL_WIDTH, n_bootstrap=100, rng=0
    )
    curve = reliability_curve(
        class_probabilities(scores), labels, n_bins=8, binning=Binning.EQUAL_WIDTH
    )
    np.testing.assert_allclose(metrics.reliability.accuracy, curve.accuracy)
    assert metrics.expected_calibration_error.value == pytest.approx(
        curve.expected_calibration_error
    )


def test_a_temperature_moves_calibration_alone():
    scores, labels = made_up(150, 2)
    plain, hot = (
        classification_metrics(scores, labels, NAMES[:2], temperature=t, n_bootstrap=200, rng=0)
        for t in (1.0, 4.0)
    )
    assert hot.accuracy == plain.accuracy
    assert hot.f1 == plain.f1
    assert hot.roc_auc.value == pytest.approx(plain.roc_auc.value, abs=1e-12)
    assert hot.log_loss.value > plain.log_loss.value
    assert hot.expected_calibration_error.value > plain.expected_calibration_error.value


def test_same_seed_same_numbers_in_any_order():
    scores, labels = made_up(80, 3)
    first = classification_metrics(scores, labels, NAMES, n_bootstrap=200, rng=3)
    order = np.random.default_rng(0).permutation(80)
    again = classification_metrics(
        scores[order], labels[order], NAMES, n_bootstrap=200, rng=np.random.default_rng(3)
    )
    assert first.to_record() == again.to_record()
    other = classification_metrics(scores, labels, NAMES, n_bootstrap=200, rng=4)
    assert other.roc_auc.low != first.roc_auc.low


def test_exports():
    scores, labels = made_up(60, 2)
    metrics = classification_metrics(scores, labels, NAMES[:2], n_bootstrap=200, rng=0)
    plain = json.loads(json.dumps(metrics.to_record(), allow_nan=False))
    assert plain["accuracy"]["value"] == metrics.accuracy.value
    assert plain["f1"]["FR II"]["ci_high"] == metrics.f1["FR II"].high
    assert plain["confusion"] == metrics.confusion.tolist()
    assert sum(row["n_images"] for row in plain["reliability"]) == 60
    assert plain["calibrated_model"]["p_value"] == metrics.calibrated.p_value
    frame = metrics.to_frame()
    assert frame["metric"].tolist() == [
        "accuracy", "f1", "f1", "roc_auc", "log_loss", "brier_score", "expected_calibration_error"
    ]  # fmt: skip
    assert frame["class"].tolist()[:3] == ["all", "FR I", "FR II"]
    assert frame.loc[0, "ci_low"] == metrics.accuracy.low
    text = metrics.summary()
    assert f"accuracy {metrics.accuracy.value:.3f} [{metrics.accuracy.low:.3f}" in text
    assert f"p = {metrics.calibrated.p_value:.2g}" in text
    assert "60 images" in repr(metrics)
    with pytest.raises(ValueError, match="read-only"):
        metrics.confusion[0, 0] = 1


def test_a_class_without_images():
    """What cannot be told is NaN, None in files, and said."""
    scores, labels = made_up(40, 2)
    scores = np.column_stack([scores, np.full(40, -20.0)])
    with pytest.warns(
        UndefinedValuesWarning,
        match="undefined and left empty: f1 of hybrid, roc auc, since there are no images of hybrid",
    ):
        metrics = classification_metrics(scores, labels, NAMES, n_bootstrap=100, rng=0)
    assert np.isnan(metrics.f1["hybrid"].value)
    assert metrics.f1["FR I"].known
    plain = metrics.to_record()
    assert plain["f1"]["hybrid"] == {
        "value": None, "ci_low": None, "ci_high": None, "interval": "none"
    }  # fmt: skip
    json.dumps(plain, allow_nan=False)


def test_few_images():
    with pytest.warns(FewSourcesWarning, match="4 images are too few"):
        metrics = classification_metrics(
            [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]],
            [0, 1, 1, 0],
            NAMES[:2],
            n_bootstrap=50,
            rng=0,
        )
    assert metrics.accuracy.known
    assert not metrics.log_loss.known
    assert not metrics.expected_calibration_error.known


def test_a_model_without_fault_has_no_made_up_intervals():
    labels = np.arange(30) % 2
    scores = 5.0 * np.eye(2)[labels] + np.random.default_rng(0).normal(0, 0.1, (30, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = classification_metrics(scores, labels, NAMES[:2], n_bootstrap=100, rng=0)
    assert metrics.accuracy.value == metrics.roc_auc.value == metrics.f1["FR I"].value == 1.0
    assert metrics.accuracy.low == pytest.approx(
        stats.binomtest(30, 30).proportion_ci(method="wilson").low
    )
    assert not metrics.roc_auc.known
    assert not metrics.f1["FR I"].known


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"class_names": ["FR I"]}, "name each of the 2 columns"),
        ({"class_names": ["FR I", "FR I"]}, "name each of the 2 columns"),
        ({"n_bootstrap": 0}, "n_bootstrap has to be 1 or more"),
        ({"level": 1.0}, "level between 0 and 1"),
        ({"temperature": 0.0}, "temperature has to be finite and above 0"),
    ],
)
def test_bad_options(options, text):
    scores, labels = made_up(20, 2)
    names = options.pop("class_names", NAMES[:2])
    with pytest.raises(OptionError, match=text):
        classification_metrics(scores, labels, names, rng=0, **options)
