"""Who disagrees with whom: a hand calculation, and the mean that reliability has already."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from attnxai.agreement.noise_ceiling.marks import region_agreement
from attnxai.agreement.noise_ceiling.pairwise import pairwise_agreement
from attnxai.alignment.looks import Look
from attnxai.errors import OptionError


def row(*pixels):
    return np.array([pixels], dtype=float)


def drawn():
    """Three annotators on three sources of four pixels; eve marked the first alone, bob nothing of the last."""
    density = np.zeros((3, 3, 1, 4))
    density[0] = [row(1, 1, 0, 0), row(1, 0, 0, 0), row(1, 1, 1, 1)]
    density[1] = [row(0, 1, 1, 0), row(1, 1, 1, 0), row(0, 0, 0, 0)]
    density[2, 0] = row(0, 0, 3, 1)
    present = np.array([[True] * 3, [True] * 3, [True, False, False]])
    return density, density > 0, present


def test_by_hand():
    found = pairwise_agreement(("ann", "bob", "eve"), *drawn())
    np.testing.assert_allclose(found.iou[0, 1], (1 / 3 + 1 / 3) / 2)
    np.testing.assert_allclose(found.similarity[0, 1], (1 / 2 + 1 / 3) / 2)
    np.testing.assert_allclose([found.iou[1, 2], found.similarity[1, 2]], [1 / 3, 1 / 2])
    np.testing.assert_allclose([found.iou[0, 2], found.similarity[0, 2]], [0, 0])
    # an empty mask is not shared
    np.testing.assert_array_equal(found.n_sources, [[0, 2, 1], [2, 0, 1], [1, 1, 0]])
    np.testing.assert_array_equal(found.iou, found.iou.T)
    assert np.isnan(np.diagonal(found.iou)).all()
    assert next(iter(found.pairs())) == (0, 2)
    assert found.to_frame()["second"].tolist() == ["eve", "bob", "eve"]
    assert found.to_record()[0] == {
        "first": "ann",
        "second": "eve",
        "n_sources": 1,
        "iou": 0.0,
        "similarity": 0.0,
    }


def test_the_diagonal_is_of_later_looks():
    density, mask, present = drawn()
    again = np.zeros_like(density)
    again[0, 0], again[0, 1] = row(1, 0, 0, 0), row(0, 1, 0, 0)
    here = again.any(axis=(2, 3))
    looks = [Look(round=2, density=again, mask=again > 0, present=here)]
    found = pairwise_agreement(("ann", "bob", "eve"), density, mask, present, looks)
    np.testing.assert_allclose(found.iou[0, 0], (1 / 2 + 0) / 2)
    np.testing.assert_allclose(found.similarity[0, 0], (1 / 2 + 0) / 2)
    assert np.diagonal(found.n_sources).tolist() == [2, 0, 0]
    assert len(list(found.pairs())) == 3  # of two annotators


def test_their_mean_is_the_overlap_of_the_reliability_table():
    rng = np.random.default_rng(0)
    mask = (rng.random((1, 9, 6, 6)) < 0.3) ^ (rng.random((4, 9, 6, 6)) < 0.1)
    present = np.ones((4, 9), bool)
    found = pairwise_agreement("abcd", mask * 1.0, mask, present)
    overlap = region_agreement(mask, present, n_permutations=9, n_bootstrap=100)
    upper = np.triu_indices(4, 1)
    assert found.iou[upper].mean() == pytest.approx(overlap.observed.value)
    expected = np.mean([jaccard_score(mask[1, s].ravel(), mask[3, s].ravel()) for s in range(9)])
    assert found.iou[1, 3] == pytest.approx(expected)
    # of equal densities the similarity is the share of the larger region that both hold
    both = (mask[1] & mask[3]).sum(axis=(1, 2))
    larger = np.maximum(mask[1].sum(axis=(1, 2)), mask[3].sum(axis=(1, 2)))
    assert found.similarity[1, 3] == pytest.approx((both / larger).mean())


def test_names_are_printed_safely():
    density, mask, present = drawn()
    found = pairwise_agreement(("a\x1b[2Jnn", "bob", "eve"), density, mask, present)
    assert "\x1b" not in found.summary()
    assert "a?[2Jnn and bob: mean IoU 0.33" in found.summary()


def test_arrays_that_do_not_fit_are_refused():
    density, mask, present = drawn()
    with pytest.raises(OptionError, match="need one field for each of 2 annotators"):
        pairwise_agreement(("ann", "bob"), density, mask, present)
