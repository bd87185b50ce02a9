"""Calibration by hand, against the old definition, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit
from sklearn.calibration import calibration_curve

from attnxai.classification.reliability import (
    Binning,
    CalibratedReference,
    calibrated_reference,
    calibration_error_interval,
    expected_calibration_error,
    reliability_curve,
)
from attnxai.classification.scoring import class_probabilities
from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import stratified_counts
from attnxai.statistics.interval import MIN_UNITS


def table(confidence, right):
    """Probabilities of two classes with these confidences; labels so that these are right."""
    confidence = np.asarray(confidence, float)
    return np.stack([confidence, 1 - confidence], axis=1), 1 - np.asarray(right, int)


HAND = table([0.55, 0.6, 0.7, 0.8, 0.9, 1.0], [1, 0, 1, 0, 1, 1])


def test_equal_mass_by_hand():
    """Bins (0.55, 0.6), (0.7, 0.8), (0.9, 1): shares 1/2, 1/2, 1 for 0.575, 0.75, 0.95."""
    curve = reliability_curve(*HAND, n_bins=3)
    np.testing.assert_allclose(curve.confidence, [0.575, 0.75, 0.95])
    np.testing.assert_allclose(curve.accuracy, [0.5, 0.5, 1.0])
    np.testing.assert_allclose(curve.lowest, [0.55, 0.7, 0.9])
    np.testing.assert_allclose(curve.highest, [0.6, 0.8, 1.0])
    assert curve.n_images.tolist() == [2, 2, 2]
    error = expected_calibration_error(*HAND, n_bins=3)
    assert error == pytest.approx((0.075 + 0.25 + 0.05) / 3)
    assert error == pytest.approx(curve.expected_calibration_error)


def test_images_of_equal_confidence_lie_in_the_bin_of_their_middle():
    # ranks 1, 2 to 4, and 5 of five images: the middle of the second group, 2.5, begins the upper half
    curve = reliability_curve(*table([0.6, 0.7, 0.7, 0.7, 0.9], np.ones(5)), n_bins=2)
    assert curve.n_images.tolist() == [1, 4]
    curve = reliability_curve(*table([0.6, 0.6, 0.7, 0.7, 0.9], np.ones(5)), n_bins=2)
    assert curve.n_images.tolist() == [2, 3]


def test_equal_width_by_hand():
    """Of (0, 0.2], ..., (0.8, 1] three hold images: (0.55, 0.6), (0.7, 0.8) and (0.9, 1)."""
    curve = reliability_curve(*HAND, n_bins=5, binning=Binning.EQUAL_WIDTH)
    np.testing.assert_allclose(curve.confidence, [0.575, 0.75, 0.95])
    # ten bins: (0.5, 0.6], (0.6, 0.7], (0.7, 0.8], (0.8, 0.9], (0.9, 1]; ends belong to the lower bin
    curve = reliability_curve(*HAND, n_bins=10, binning=Binning.EQUAL_WIDTH)
    np.testing.assert_allclose(curve.confidence, [0.575, 0.7, 0.8, 0.9, 1.0])
    error = (2 * 0.075 + 0.3 + 0.8 + 0.1 + 0.0) / 6
    assert curve.expected_calibration_error == pytest.approx(error)


def test_three_classes_by_hand():
    """The confidence is that of the predicted class, whichever it is."""
    probabilities = [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.2, 0.6, 0.2]]
    curve = reliability_curve(probabilities, [0, 2, 0], n_bins=1)
    assert curve.confidence[0] == pytest.approx(0.6)
    assert curve.accuracy[0] == pytest.approx(2 / 3)
    assert curve.n_classes == 3


@pytest.mark.parametrize(
    ("binning", "strategy", "n_bins"),
    [(Binning.EQUAL_MASS, "quantile", 5), (Binning.EQUAL_WIDTH, "uniform", 12)],
)
def test_bins_equal_those_of_scikit_learn(binning, strategy, n_bins):
    """Its quantile bins of any number, here the confidence, hold the same images without ties."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1.0, 100)
    right = rng.random(100) < confidence
    curve = reliability_curve(*table(confidence, right), n_bins=n_bins, binning=binning)
    share, mean = calibration_curve(right, confidence, n_bins=n_bins, strategy=strategy)
    np.testing.assert_allclose(curve.accuracy, share)
    np.testing.assert_allclose(curve.confidence, mean)


def test_bins_have_wilson_intervals():
    curve = reliability_curve(*HAND, n_bins=2, level=0.9)
    for right, n, low, high in zip([2, 2], [3, 3], curve.low, curve.high, strict=True):
        theirs = stats.binomtest(right, n).proportion_ci(confidence_level=0.9, method="wilson")
        assert (low, high) == pytest.approx((theirs.low, theirs.high))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(10, 20), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 12),
    st.sampled_from(Binning),
    st.randoms(use_true_random=False),
)
def test_order_and_ties(images, n_bins, binning, random):
    """Images of equal confidence are never parted, so that their order does not matter."""
    probabilities, labels = table([c / 20 for c, _ in images], [r for _, r in images])
    curve = reliability_curve(probabilities, labels, n_bins=n_bins, binning=binning)
    assert (np.diff(curve.lowest) > 0).all()
    assert (curve.lowest[1:] > curve.highest[:-1]).all()
    assert curve.n_images.sum() == len(images)
    # nothing is right or sure that was not: over all bins, shares and confidences are kept
    weights = curve.n_images / len(images)
    assert (weights * curve.accuracy).sum() == pytest.approx(np.mean([r for _, r in images]))
    order = list(range(len(images)))
    random.shuffle(order)
    again = reliability_curve(probabilities[order], labels[order], n_bins=n_bins, binning=binning)
    np.testing.assert_array_equal(again.n_images, curve.n_images)
    assert again.expected_calibration_error == pytest.approx(curve.expected_calibration_error)
    # never below the distance of the means, and one bin is that distance
    whole = expected_calibration_error(probabilities, labels, n_bins=1)
    assert curve.expected_calibration_error >= whole - 1e-12


def test_without_ties_bins_differ_by_one_image():
    rng = np.random.default_rng(3)
    for n in (7, 40, 153):
        confidence = rng.uniform(0.5, 1.0, n)
        curve = reliability_curve(*table(confidence, np.ones(n)), n_bins=6)
        assert curve.n_images.max() - curve.n_images.min() <= 1


def test_resamples_are_binned_anew():
    """The error of a resample is that of its images, repeated as often as they were drawn."""
    rng = np.random.default_rng(0)
    probabilities, labels = table(np.round(rng.uniform(0.5, 1, 60), 2), rng.random(60) < 0.8)
    counts = stratified_counts(labels, 2, np.random.default_rng(4))
    reference = calibrated_reference(probabilities, labels, n_draws=99, rng=rng)
    for binning in Binning:
        for row in counts:
            again = np.repeat(np.arange(60), row)
            expected = expected_calibration_error(
                probabilities[again], labels[again], binning=binning
            )
            # an interval over a single resample ends at its error
            interval = calibration_error_interval(
                probabilities, labels, row[None], reference, binning=binning
            )
            assert interval.high == pytest.approx(expected, abs=1e-12)


def test_an_interval_of_a_model_that_is_not_calibrated_begins_two_biases_below_its_percentile():
    rng = np.random.default_rng(0)
    probabilities, labels = table(rng.uniform(0.7, 1, 60), rng.random(60) < 0.6)
    reference = calibrated_reference(probabilities, labels, n_draws=99, rng=rng)
    assert reference.rejected
    counts = stratified_counts(labels, 80, rng)
    drawn = []
    for row in counts:
        again = np.repeat(np.arange(60), row)
        drawn.append(expected_calibration_error(probabilities[again], labels[again]))
    bias = np.mean(drawn) - expected_calibration_error(probabilities, labels)
    assert bias > 0.005
    found = calibration_error_interval(probabilities, labels, counts, reference)
    assert found.low == pytest.approx(np.quantile(drawn, 0.025) - 2 * bias)
    assert found.high == pytest.approx(np.quantile(drawn, 0.975))


def test_reference_by_enumeration():
    """Three images in one bin: all eight outcomes with their probabilities."""
    confidence = np.array([0.6, 0.7, 0.9])
    probabilities, labels = table(confidence, [0, 0, 1])
    outcomes = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T
    weights = np.where(outcomes == 1, confidence, 1 - confidence).prod(axis=1)
    errors = np.abs(outcomes.mean(axis=1) - confidence.mean())
    own = abs(1 / 3 - confidence.mean())
    reference = calibrated_reference(
        probabilities, labels, n_bins=1, n_draws=40_000, rng=np.random.default_rng(0)
    )
    assert reference.mean == pytest.approx((weights * errors).sum(), abs=0.004)
    assert reference.p_value == pytest.approx(weights[errors >= own - 1e-12].sum(), abs=0.01)
    assert reference.high == pytest.approx(errors[outcomes.sum(axis=1) == 1][0])


def test_smallest_p_is_not_zero():
    probabilities, labels = table([0.99] * 60, [0] * 60)
    reference = calibrated_reference(
        probabilities, labels, n_draws=99, rng=np.random.default_rng(0)
    )
    assert reference.p_value == 0.01
    assert reference.rejected


def simulated(n, factor, rng):
    """Probabilities whose log odds are ``factor`` times the true ones."""
    true = rng.normal(size=n) * 2.5
    labels = (rng.random(n) < expit(true)).astype(int)
    return class_probabilities(np.stack([np.zeros(n), factor * true], axis=1)), labels


def true_error(factor):
    """Mean distance of confidence and truth, by quadrature."""
    nodes = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000) * 2.5
    return float(np.abs(expit(np.abs(factor * nodes)) - expit(np.abs(nodes))).mean())


def test_level_of_the_test_of_calibration():
    rng = np.random.default_rng(1)
    p_values = []
    for _ in range(400):
        probabilities, labels = simulated(60, 1.0, rng)
        p_values.append(calibrated_reference(probabilities, labels, n_draws=199, rng=rng).p_value)
    for level in (0.05, 0.1, 0.5):
        rejected = np.count_nonzero(np.array(p_values) <= level)
        low, high = stats.binom.ppf([0.001, 0.999], 400, level)
        assert low <= rejected <= high


def interval_coverage(n, factor, n_experiments, rng):
    target, covered = true_error(factor), 0
    for _ in range(n_experiments):
        probabilities, labels = simulated(n, factor, rng)
        counts = stratified_counts(labels, 400, rng)
        reference = calibrated_reference(probabilities, labels, n_draws=400, rng=rng)
        interval = calibration_error_interval(probabilities, labels, counts, reference)
        assert (
            interval.method
            == "percentile bootstrap over images, joined with the test of calibration"
        )
        covered += interval.low <= target <= interval.high
    return covered / n_experiments


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_coverage_of_the_calibration_error(factor):
    """A calibrated model, which no plain bootstrap covers, and one that is too sure."""
    assert 0.9 <= interval_coverage(150, factor, 200, np.random.default_rng(2)) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 153, 500])
@pytest.mark.parametrize("factor", [0.4, 0.6, 0.8, 1.0, 1.2, 1.6, 2.5])
def test_coverage_of_the_calibration_error_at_length(n, factor):
    covered = interval_coverage(n, factor, 600, np.random.default_rng([n, round(10 * factor)]))
    assert (0.86 if n == 50 else 0.89) <= covered <= 0.99


def test_few_images_have_no_interval():
    probabilities, labels = table([0.8] * (MIN_UNITS - 1), [1] * (MIN_UNITS - 1))
    rng = np.random.default_rng(0)
    counts = stratified_counts(labels, 50, rng)
    reference = calibrated_reference(probabilities, labels, n_draws=50, rng=rng)
    assert not calibration_error_interval(probabilities, labels, counts, reference).known


def test_options_are_checked():
    probabilities, labels = HAND
    for binning in Binning:
        with pytest.raises(OptionError, match="n_bins has to be 1 or more, got 0"):
            expected_calibration_error(probabilities, labels, n_bins=0, binning=binning)
    with pytest.raises(OptionError, match="n_draws has to be 1 or more"):
        calibrated_reference(probabilities, labels, n_draws=0, rng=np.random.default_rng(0))
    with pytest.raises(OptionError, match="add up to 1"):
        expected_calibration_error([[2.0, 1.0]], [0])


def test_curves_are_read_only():
    curve = reliability_curve(*HAND)
    with pytest.raises(ValueError, match="read-only"):
        curve.accuracy[0] = 1.0


@pytest.mark.parametrize(("p_value", "rejected"), [(0.03, True), (0.05, True), (0.051, False)])
def test_a_model_is_shown_not_to_be_calibrated_at_one_less_the_level(p_value, rejected):
    reference = CalibratedReference(mean=0.05, high=0.1, p_value=p_value, n_draws=999, level=0.95)
    assert reference.rejected is rejected
