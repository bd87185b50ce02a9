"""Numbers of a classifier against scikit-learn, by hand, and as properties."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as theirs

from attnxai.classification.scoring import (
    accuracy,
    brier_score,
    class_probabilities,
    confusion_matrix,
    f1_scores,
    log_loss,
    resampled_f1,
    resampled_roc_auc,
    roc_auc,
)
from attnxai.errors import OptionError, UndefinedValuesWarning
from attnxai.statistics.bootstrap import stratified_counts


def made_up(n, n_classes, *, seed=0, signal=1.5, ties=False):
    """Labels of every class, and scores that know something of them."""
    rng = np.random.default_rng([seed, n, n_classes])
    labels = np.r_[np.arange(n_classes), rng.integers(n_classes, size=n - n_classes)]
    scores = rng.normal(size=(n, n_classes)) + signal * np.eye(n_classes)[labels]
    return (np.round(scores) if ties else scores), labels


CASES = [
    pytest.param(*made_up(153, 2), id="two classes"),
    pytest.param(*made_up(40, 2, ties=True), id="ties"),
    pytest.param(*made_up(200, 3), id="three classes"),
    pytest.param(*made_up(60, 5, signal=0.3), id="five classes, hard"),
]


@pytest.mark.parametrize(("scores", "labels"), CASES)
def test_equal_to_scikit_learn(scores, labels):
    probabilities = class_probabilities(scores)
    predicted = scores.argmax(axis=1)
    n_classes = scores.shape[1]
    assert accuracy(scores, labels) == pytest.approx(
        theirs.accuracy_score(labels, predicted), abs=1e-12
    )
    np.testing.assert_array_equal(
        confusion_matrix(scores, labels), theirs.confusion_matrix(labels, predicted)
    )
    np.testing.assert_allclose(
        f1_scores(scores, labels),
        theirs.f1_score(labels, predicted, average=None, zero_division=np.nan),
        atol=1e-12,
    )
    assert log_loss(scores, labels) == pytest.approx(
        theirs.log_loss(labels, probabilities, labels=range(n_classes)), abs=1e-10
    )
    one_against_rest = [
        theirs.brier_score_loss(labels == label, probabilities[:, label])
        for label in range(n_classes)
    ]
    assert brier_score(probabilities, labels) == pytest.approx(sum(one_against_rest) / 2, abs=1e-12)
    if n_classes == 2:
        assert brier_score(probabilities, labels) == pytest.approx(one_against_rest[1], abs=1e-12)


def test_auc_equals_scikit_learn():
    scores, labels = made_up(153, 2)
    difference = scores[:, 1] - scores[:, 0]
    assert roc_auc(scores, labels) == pytest.approx(
        theirs.roc_auc_score(labels, difference), abs=1e-12
    )
    rounded, labels = made_up(40, 2, ties=True)
    difference = rounded[:, 1] - rounded[:, 0]
    assert len(np.unique(difference)) < 40
    assert roc_auc(rounded, labels) == pytest.approx(
        theirs.roc_auc_score(labels, difference), abs=1e-12
    )
    scores, labels = made_up(200, 3)
    expected = theirs.roc_auc_score(
        labels, class_probabilities(scores), multi_class="ovr", average="macro"
    )
    assert roc_auc(scores, labels) == pytest.approx(expected, abs=1e-12)


def test_resamples_equal_scikit_learn_on_repeated_images():
    scores, labels = made_up(30, 3, ties=True)
    counts = stratified_counts(labels, 20, np.random.default_rng(0))
    areas = resampled_roc_auc(scores, labels, counts.astype(float))
    f1 = resampled_f1(scores.argmax(axis=1) == 1, labels == 1, counts.astype(float))
    for row, area, one in zip(counts, areas, f1, strict=True):
        again = np.repeat(np.arange(30), row)
        assert area == pytest.approx(roc_auc(scores[again], labels[again]), abs=1e-12)
        predicted = scores[again].argmax(axis=1) == 1
        assert one == pytest.approx(theirs.f1_score(labels[again] == 1, predicted), abs=1e-12)


def test_auc_is_not_blinded_by_saturation():
    """Probabilities of 1 are all alike; the scores that they come from are not."""
    difference = np.array([40.0, 60.0, 50.0, 70.0])
    scores = np.stack([np.zeros(4), difference], axis=1)
    assert (class_probabilities(scores)[:, 1] == 1.0).all()
    assert roc_auc(scores, [0, 0, 1, 1]) == 0.75
    assert log_loss(scores, [0, 0, 1, 1]) == pytest.approx(25.0)


def test_temperature_is_a_division():
    scores, labels = made_up(50, 3)
    assert log_loss(scores, labels, temperature=2.5) == pytest.approx(
        log_loss(scores / 2.5, labels)
    )
    np.testing.assert_allclose(
        class_probabilities(scores, temperature=2.5), class_probabilities(scores / 2.5)
    )
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(OptionError, match="temperature has to be finite and above 0"):
            log_loss(scores, labels, temperature=wrong)


def test_f1_of_a_class_that_is_not_there():
    """Neither members nor predictions: undefined. Members that are never found: 0."""
    scores = np.array([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    with pytest.warns(UndefinedValuesWarning, match="undefined for the classes 2"):
        f1 = f1_scores(scores, [0, 1, 1])
    assert np.isnan(f1[2])
    np.testing.assert_allclose(f1[:2], [2 / 3, 2 / 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f1_scores(scores, [0, 2, 1])[2] == 0.0


def test_auc_without_a_class():
    with pytest.warns(UndefinedValuesWarning, match="no images of the classes 1"):
        assert np.isnan(roc_auc([[1.0, 2.0], [3.0, 1.0]], [0, 0]))


@pytest.mark.parametrize(
    ("scores", "labels", "text"),
    [
        ([1.0, 2.0], [0, 1], "one row per image"),
        ([[1.0], [2.0]], [0, 0], "one row per image"),
        (np.zeros((0, 2)), [], "one row per image"),
        ([[1.0, 2.0]], [0, 1], "labels have shape"),
        ([[1.0, np.inf]], [0], "not finite"),
        ([[1.0, 2.0]], [2], "whole numbers from 0 to 1.*got 2 to 2"),
        ([[1.0, 2.0]], [-1], "whole numbers from 0 to 1"),
        ([[1.0, 2.0]], [0.5], "whole numbers from 0 to 1"),
        ([[1.0, 2.0]], ["FR I"], "labels have to be whole numbers, got <U4"),
    ],
)
def test_what_does_not_fit_is_refused(scores, labels, text):
    for function in (accuracy, roc_auc, log_loss, confusion_matrix, brier_score):
        with pytest.raises(OptionError, match=text):
            function(scores, labels)


@pytest.mark.parametrize("rows", [[[0.4, 0.4]], [[1.2, -0.2]], [[3.0, -1.0]]])
def test_scores_are_no_probabilities(rows):
    with pytest.raises(OptionError, match="add up to 1"):
        brier_score(rows, [0])


# --- properties ------------------------------------------------------------------------------------

floats = st.floats(-8, 8, allow_nan=False, width=32)
tables = arrays.arrays(
    np.float64, st.tuples(st.integers(4, 24), st.integers(2, 4)), elements=floats
)


def labels_of(scores):
    """All classes, in turn."""
    return np.arange(len(scores)) % scores.shape[1]


@settings(max_examples=60, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_names_of_classes_do_not_matter(scores, random):
    """Columns and labels in another order give the same numbers; F1 follows its class."""
    # without ties: rounding would break them differently in another order
    scores = scores + 1e-3 * np.random.default_rng(0).normal(size=scores.shape)
    labels = labels_of(scores)
    new = list(range(scores.shape[1]))
    random.shuffle(new)
    moved = np.empty_like(scores)
    moved[:, new] = scores
    renamed = np.array(new)[labels]
    assert accuracy(moved, renamed) == accuracy(scores, labels)
    np.testing.assert_allclose(f1_scores(moved, renamed)[new], f1_scores(scores, labels))
    assert log_loss(moved, renamed) == pytest.approx(log_loss(scores, labels))
    assert brier_score(class_probabilities(moved), renamed) == pytest.approx(
        brier_score(class_probabilities(scores), labels)
    )
    assert roc_auc(moved, renamed) == pytest.approx(roc_auc(scores, labels), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.int64, st.integers(4, 30), elements=st.integers(-6, 6)))
def test_monotone_transformations_keep_the_auc(values):
    labels = np.arange(len(values)) % 2
    plain = np.stack([np.zeros(len(values)), values.astype(float)], axis=1)
    bent = np.stack([np.zeros(len(values)), np.exp(values / 3) + values], axis=1)
    assert roc_auc(bent, labels) == pytest.approx(roc_auc(plain, labels), abs=1e-12)
    assert roc_auc(-plain, labels) == pytest.approx(1 - roc_auc(plain, labels), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(tables, st.floats(0.1, 10))
def test_no_temperature_changes_a_prediction(scores, temperature):
    labels = labels_of(scores)
    cooled = class_probabilities(scores, temperature=temperature)
    np.testing.assert_allclose(cooled.sum(axis=1), 1.0)
    gaps = np.sort(scores, axis=1)
    clear = gaps[:, -1] - gaps[:, -2] > 1e-6
    np.testing.assert_array_equal(cooled.argmax(axis=1)[clear], scores.argmax(axis=1)[clear])
    assert confusion_matrix(scores, labels).sum() == len(scores)


def test_nothing_is_changed_in_place():
    scores, labels = made_up(20, 3)
    probabilities = class_probabilities(scores)
    kept = scores.copy(), labels.copy(), probabilities.copy()
    for function in (accuracy, roc_auc, log_loss, f1_scores, confusion_matrix):
        function(scores, labels)
    brier_score(probabilities, labels)
    for before, after in zip(kept, (scores, labels, probabilities), strict=True):
        np.testing.assert_array_equal(before, after)
