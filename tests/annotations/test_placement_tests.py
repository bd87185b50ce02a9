from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from attnxai.annotations.orientation import Orientation
from attnxai.annotations.placement_tests import (
    ALLOWED_SHIFT_PIXELS,
    ShiftTest,
    hotelling_reach,
    measure_orientation,
    measure_shift,
    similarity_surface,
    slope_bounds,
)

RNG = np.random.default_rng(4)


def test_slope_and_its_error_by_plain_loops():
    asymmetry, gain = RNG.uniform(0.2, 1, 9), RNG.normal(0, 0.3, 9)
    slope = sum(r * g for r, g in zip(asymmetry, gain, strict=True)) / sum(r * r for r in asymmetry)
    variance = 0.0
    for i, (r, g) in enumerate(zip(asymmetry, gain, strict=True)):
        # HC3 is the jackknife: the residual of a source from the slope of all others
        others = [j for j in range(9) if j != i]
        without = sum(asymmetry[j] * gain[j] for j in others) / sum(
            asymmetry[j] ** 2 for j in others
        )
        variance += (r * (g - without * r)) ** 2
    error = math.sqrt(variance) / sum(r * r for r in asymmetry)
    reach = stats.t.ppf(0.99, 8) * error
    np.testing.assert_allclose(
        slope_bounds(gain, asymmetry, 0.01), (slope, slope - reach, slope + reach), rtol=1e-12
    )


def test_few_sources_or_symmetric_ones_say_nothing():
    for n, asymmetry in ((3, 0.5), (20, 0.0)):
        slope, low, high = slope_bounds(np.full(n, 0.5), np.full(n, asymmetry), 0.01)
        assert math.isnan(slope)
        assert (low, high) == (-math.inf, math.inf)
    # four that agree to the last digit are not certain either
    assert slope_bounds(np.full(4, 0.5), np.full(4, 0.5), 0.0004)[1] < 0.7


def names(n):
    return tuple(f"s{i}" for i in range(n))


@pytest.mark.parametrize(
    ("share_turned", "found", "excluded"),
    [(0.0, False, True), (0.4, True, False), (1.0, True, False)],
)
def test_marks_that_are_turned_over_on_some_sources(share_turned, found, excluded):
    n = 40
    asymmetry = RNG.uniform(0.3, 0.9, n)
    is_turned = np.arange(n) < share_turned * n
    similarity = np.where(is_turned, 0.95 - asymmetry, 0.95) + RNG.normal(0, 0.02, n)
    turned = np.where(is_turned, 0.95, 0.95 - asymmetry)
    test = measure_orientation(Orientation.FLIP_Y, names(n), similarity, turned, asymmetry, 0.0004)
    assert (test.found, test.excluded) == (found, excluded)
    assert test.turned == names(n)[: is_turned.sum()]
    assert test.n_informative == n
    assert test.slope == pytest.approx(2 * share_turned - 1, abs=0.25)
    assert test.p_turned == pytest.approx(
        sum(math.comb(n, k) * 0.05**k * 0.95 ** (n - k) for k in range(is_turned.sum(), n + 1))
    )


def test_a_few_turned_sources_keep_an_annotator_from_being_clean():
    asymmetry = np.full(10, 0.6)
    similarity = np.where(np.arange(10) < 2, 0.3, 0.9)
    turned = np.where(np.arange(10) < 2, 0.9, 0.3)
    test = measure_orientation(Orientation.FLIP_Y, names(10), similarity, turned, asymmetry, 0.0004)
    assert not test.found
    assert test.p_turned == pytest.approx(1 - 0.95**10 - 10 * 0.05 * 0.95**9)
    assert not test.suspicious
    similarity[2], turned[2] = 0.3, 0.9
    test = measure_orientation(Orientation.FLIP_Y, names(10), similarity, turned, asymmetry, 0.0004)
    assert test.suspicious
    assert not test.found
    assert not test.excluded


def blob(x, y, side=48, width=3.0):
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    cells = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))
    return (cells / np.linalg.norm(cells)).astype(np.float32)


def test_the_surface_is_the_similarity_of_marks_moved_back():
    own, reference = blob(3, -2) + blob(-6, 5), blob(1, 1)
    surface = similarity_surface(own, reference)
    reach = len(surface) // 2
    assert reach == 12
    for x, y in ((0, 0), (2, -3), (-5, 4), (12, -12)):
        moved = np.zeros_like(own)
        for row in range(48):
            for column in range(48):
                if 0 <= row + y < 48 and 0 <= column + x < 48:
                    moved[row, column] = own[row + y, column + x]
        expected = float((moved * reference).sum())
        assert surface[reach + y, reach + x] == pytest.approx(expected, abs=1e-5)


def test_shift_and_its_error_are_those_of_the_sources():
    errors = RNG.normal(0, 0.4, (30, 2))
    places = RNG.uniform(-8, 8, (30, 2))
    surfaces = np.stack(
        [
            similarity_surface(blob(x + 2.3 + dx, y - 1.4 + dy), blob(x, y))
            for (x, y), (dx, dy) in zip(places, errors, strict=True)
        ]
    )
    test = measure_shift(surfaces, 2.0, 0.0025)
    middle = errors.mean(axis=0)
    assert test.x == pytest.approx(2 * (2.3 + middle[0]), abs=0.05)
    assert test.y == pytest.approx(2 * (-1.4 + middle[1]), abs=0.05)
    for axis, error in enumerate((test.error_x, test.error_y)):
        assert error == pytest.approx(2 * errors[:, axis].std(ddof=1) / math.sqrt(30), rel=0.1)
    assert test.correlation == pytest.approx(np.corrcoef(errors.T)[0, 1], abs=0.1)
    assert test.found
    assert test.contains(2 * 2.3, 2 * -1.4)
    assert not test.contains(0, 0)
    assert measure_shift(surfaces[:3], 2.0, 0.0025) is None


def test_a_maximum_at_the_border_is_none():
    surfaces = np.stack([similarity_surface(blob(20, 0), blob(-2, 0))] * 5)
    assert measure_shift(surfaces, 1.0, 0.0025) is None


def test_a_part_that_only_one_marked_does_not_move_the_estimate():
    surfaces = np.stack(
        [
            similarity_surface(
                blob(x + 1, y, width=2) + blob(x + 15, y, width=2), blob(x, y, width=2)
            )
            for x, y in np.random.default_rng(0).uniform(-5, 5, (12, 2))
        ]
    )
    test = measure_shift(surfaces, 1.0, 0.0025)
    assert (test.x, test.y) == (pytest.approx(1, abs=0.05), pytest.approx(0, abs=0.05))


def test_the_region_holds_the_truth_as_often_as_it_says():
    n, alpha = 10, 0.05
    draws = np.random.default_rng(1).multivariate_normal([0, 0], [[1, 0.3], [0.3, 2]], (4000, n))
    means = draws.mean(axis=1)
    held = 0
    for mean, own in zip(means, draws, strict=True):
        cov = np.cov(own.T) / n
        held += bool(mean @ np.linalg.solve(cov, mean) <= hotelling_reach(n, alpha) ** 2)
    assert held / 4000 == pytest.approx(1 - alpha, abs=0.012)


def shift(x, y, error=0.1, n=20):
    return ShiftTest(
        x=x, y=y, error_x=error, error_y=error, correlation=0.0, n_sources=n, alpha=0.0025
    )


def test_a_shift_is_found_where_the_region_leaves_out_small_ones():
    reach = hotelling_reach(20, 0.0025) * 0.1
    for far, found in (
        (ALLOWED_SHIFT_PIXELS + reach + 0.01, True),
        (ALLOWED_SHIFT_PIXELS + reach - 0.01, False),
    ):
        test = shift(0.6 * far, -0.8 * far)
        assert test.length == pytest.approx(far)
        assert test.found is found
    # what is seen clearly but is small is no fault
    assert not shift(0.2, 0.1, error=0.001).found


def test_power_of_the_shift_test():
    test = shift(0, 0, error=0.15)
    smallest = test.smallest
    found = sum(
        shift(smallest + e1, e2, error=0.15).found
        for e1, e2 in np.random.default_rng(2).normal(0, 0.15, (2000, 2))
    )
    assert found / 2000 == pytest.approx(0.95, abs=0.02)
    n = test.n_for(1.0)
    assert test.smallest_with(n) <= 1 < test.smallest_with(n - 1)
    assert shift(0, 0, error=100.0).n_for(1.0) is None
