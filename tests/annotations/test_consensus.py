from __future__ import annotations

import numpy as np
import pytest

from attnxai.annotations.consensus import consensus_of, staple
from attnxai.errors import OptionError

MASKS = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 1]], [[1, 1, 0, 0]]], bool)
DENSITIES = MASKS * np.array([1.0, 0.5, 0.25])[:, None, None]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("union", [[1, 1, 0, 1]]),
        ("majority", [[1, 1, 0, 0]]),
        ("mean", [[1.75 / 3, 1.25 / 3, 0, 0.5 / 3]]),
    ],
)
def test_rules_by_hand(rule, expected):
    np.testing.assert_allclose(consensus_of(MASKS, DENSITIES, rule), expected)


def test_half_of_the_annotators_are_no_majority():
    assert consensus_of(MASKS[:2], DENSITIES[:2], "majority").tolist() == [[1, 0, 0, 0]]


def by_loops(votes, prior, n_steps):
    """Warfield et al. (2004), equations 15, 18 and 19, pixel by pixel."""
    n_annotators, n_pixels = len(votes), len(votes[0])
    p, q = [0.9] * n_annotators, [0.9] * n_annotators
    for _ in range(n_steps):
        w = []
        for i in range(n_pixels):
            a, b = prior, 1 - prior
            for j in range(n_annotators):
                a *= p[j] if votes[j][i] else 1 - p[j]
                b *= 1 - q[j] if votes[j][i] else q[j]
            w.append(a / (a + b))
        for j in range(n_annotators):
            p[j] = sum(w[i] for i in range(n_pixels) if votes[j][i]) / sum(w)
            q[j] = sum(1 - w[i] for i in range(n_pixels) if not votes[j][i]) / (n_pixels - sum(w))
    return w, p, q


def test_staple_equals_plain_loops_and_recovers_annotators():
    rng = np.random.default_rng(0)
    truth = rng.random(4000) < 0.2
    sensitivity, specificity = np.array([0.9, 0.7, 0.8]), np.array([0.98, 0.95, 0.9])
    chance = np.where(truth, sensitivity[:, None], 1 - specificity[:, None])
    votes = rng.random((3, 4000)) < chance
    first = staple(votes[:, :300], prior=0.2, tolerance=0, n_steps=7)
    w, p, q = by_loops(votes[:, :300].tolist(), 0.2, 7)
    np.testing.assert_allclose(first.probability, w, rtol=1e-10)
    np.testing.assert_allclose(first.sensitivity, p, rtol=1e-10)
    np.testing.assert_allclose(first.specificity, q, rtol=1e-10)
    found = staple(votes, prior=0.2)
    np.testing.assert_allclose(found.sensitivity, sensitivity, atol=0.06)
    np.testing.assert_allclose(found.specificity, specificity, atol=0.03)


def test_one_step_by_hand():
    # two annotators, two pixels, prior 1/2: weights 0.81 / 0.82 and 1/2
    found = staple([[1, 1], [1, 0]], prior=0.5, n_steps=1)
    np.testing.assert_allclose(found.probability, [0.81 / 0.82, 0.5])
    total = 0.81 / 0.82 + 0.5
    np.testing.assert_allclose(found.sensitivity, [1, 0.81 / 0.82 / total])
    np.testing.assert_allclose(found.specificity, [0, 0.5 / (2 - total)])


def test_all_alike_and_refusals():
    assert staple(np.zeros((2, 3, 4), bool)).probability.tolist() == np.zeros((3, 4)).tolist()
    with pytest.raises(OptionError, match="rule has to be one of union, majority, staple, mean"):
        consensus_of(MASKS, DENSITIES, "vote")
    with pytest.raises(OptionError, match="need one shape"):
        consensus_of(MASKS, DENSITIES[:2])
    with pytest.raises(OptionError, match="prior has to be between 0 and 1, got 2"):
        staple(MASKS, prior=2)
    with pytest.raises(OptionError, match="masks need the shape"):
        staple([])
