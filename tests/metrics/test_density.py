"""Density metrics by hand."""

from __future__ import annotations

import fractions
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnxai.errors import OptionError
from attnxai.metrics import correlation, information_gain, negative_kl, nss, similarity
from attnxai.metrics.density import UNIFORM_SHARE


def test_nss_by_hand():
    # four pixels 0 0 0 4: mean 1, deviation sqrt(3); the marked one lies at 3 / sqrt(3)
    assert nss([[0, 0], [0, 4]], [[0, 0], [0, 1]]) == pytest.approx(np.sqrt(3))
    # a density that is half on the bright pixel and half on a dark one
    expected = 0.5 * np.sqrt(3) - 0.5 / np.sqrt(3)
    assert nss([[0, 0], [0, 4]], [[1, 0], [0, 1]]) == pytest.approx(expected)


@pytest.mark.parametrize(
    "density",
    [
        np.where(np.arange(400) == 7, 0.0, 1e6 + np.sin(np.arange(400))),  # all but one are marked
        1e6 + np.sin(np.arange(400.0)),
        np.where(np.arange(400) % 5 == 0, 2 + np.sin(np.arange(400)), 0.0),
    ],
)
def test_no_digits_are_lost_however_many_pixels_are_marked(density):
    map = np.random.default_rng(1).random(400)
    both = [[fractions.Fraction(float(value)) for value in values] for values in (map, density)]
    above, marked = ([value - sum(values) / 400 for value in values] for values in both)
    product = sum(a * b for a, b in zip(above, marked, strict=True))
    squares = [sum(value * value for value in values) for values in (above, marked)]
    r = float(product) / math.sqrt(squares[0]) / math.sqrt(squares[1])
    score = float(product / sum(both[1])) / math.sqrt(squares[0] / 400)
    rows = map[None], density[None]
    assert correlation.evaluate(*rows)[0, 0] == pytest.approx(r, rel=4e-15, abs=0)
    assert nss.evaluate(*rows)[0, 0] == pytest.approx(score, rel=4e-15, abs=0)
    assert nss(map, density) == pytest.approx(score, rel=1e-12, abs=0)


def test_similarity_by_hand():
    # shares 1/8 2/8 5/8 and 1/2 1/4 1/4: the smaller ones add up to 1/8 + 1/4 + 1/4
    assert similarity([1, 2, 5], [2, 1, 1]) == pytest.approx(5 / 8)
    assert similarity([1, 2, 5], [10, 20, 50]) == pytest.approx(1.0)
    assert similarity([1, 0, 0], [0, 1, 1]) == 0.0


def test_kl_divergence_of_a_map_that_says_never():
    assert -negative_kl([0, 1, 1], [1, 1, 0], uniform_share=0) == np.inf
    # only marked pixels count
    assert -negative_kl([0, 1, 1], [0, 1, 0], uniform_share=0) == pytest.approx(1.0)
    found = negative_kl.evaluate(
        np.array([[0.0, 1, 1], [1, 1, 2]]), np.array([[1.0, 1, 0], [0, 1, 0]]), uniform_share=0
    )
    np.testing.assert_allclose(-found, [[np.inf, 1.0], [1.0, 2.0]])
    # with a uniform share no map can lose more than this
    assert -negative_kl([0, 1, 1], [1, 0, 0]) == pytest.approx(np.log2(3 / UNIFORM_SHARE))
    for share in (-0.1, 1.0, np.nan):
        with pytest.raises(OptionError, match="uniform_share"):
            negative_kl([0, 1], [1, 0], uniform_share=share)
        with pytest.raises(OptionError, match="uniform_share"):
            information_gain([0, 1], [1, 0], others=[1, 1], uniform_share=share)


def test_information_gain_by_hand():
    # shares of the map 1/8 2/8 5/8, of the bias 1/2 1/4 1/4
    bias = [2, 1, 1]
    gain = information_gain([1, 2, 5], [0, 0, 1], others=bias, uniform_share=0)
    assert gain == pytest.approx(np.log2(5 / 2))
    loss = information_gain([1, 2, 5], [3, 0, 1], others=bias, uniform_share=0)
    assert loss == pytest.approx(0.75 * np.log2(1 / 4) + 0.25 * np.log2(5 / 2))
    # a bias that is 0 where nobody marked costs nothing
    gain = information_gain([1, 2, 5], [0, 0, 1], others=[0, 1, 1], uniform_share=0)
    assert gain == pytest.approx(np.log2(5 / 4))


@given(seed=st.integers(0, 10_000))
def test_information_gain_is_what_the_divergence_falls_by(seed):
    rng = np.random.default_rng(seed)
    map, bias, target = rng.random(30), rng.random(30), rng.random(30)
    expected = negative_kl(map, target) - negative_kl(bias, target)
    assert information_gain(map, target, others=bias) == pytest.approx(expected, abs=1e-12)
    # the centre bias itself gains nothing
    assert information_gain(bias, target, others=7 * bias) == pytest.approx(0.0, abs=1e-12)


def test_the_divergence_is_turned_so_that_more_is_better():
    rng = np.random.default_rng(2)
    target = rng.random(50)
    near = negative_kl(target + 0.1 * rng.random(50), target)
    assert negative_kl(rng.random(50), target) < near < 0
