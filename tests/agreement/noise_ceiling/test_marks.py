"""From masks to reliability data: known shapes, and overlap against loops and its own null."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, jaccard_score

from attnxai.agreement.noise_ceiling.annotators import annotator_agreement
from attnxai.agreement.noise_ceiling.marks import mark_properties, region_agreement
from attnxai.errors import OptionError


def ellipse(shape, centre, semi_major, semi_minor, angle):
    y, x = np.indices(shape, dtype=float)
    x, y = x - centre[0], y - centre[1]
    along = x * np.cos(angle) + y * np.sin(angle)
    across = -x * np.sin(angle) + y * np.cos(angle)
    return (along / semi_major) ** 2 + (across / semi_minor) ** 2 <= 1


def discs(n_annotators, n_sources, rng, *, spread=3.0, noise=0.5, shape=(24, 24)):
    """A disc a source, which every annotator draws a little displaced."""
    y, x = np.indices(shape)
    centre = shape[0] / 2 + spread * rng.normal(size=(1, n_sources, 2))
    centre = centre + noise * rng.normal(size=(n_annotators, n_sources, 2))
    distance = np.hypot(x - centre[..., 0, None, None], y - centre[..., 1, None, None])
    return distance < 4.0, np.ones((n_annotators, n_sources), bool)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, 135.0])
def test_an_ellipse_has_its_length_and_direction(degrees):
    angle = np.radians(degrees)
    mask = ellipse((121, 141), (80.0, 55.0), 40.0, 15.0, angle)[None, None]
    found = mark_properties(mask, np.ones((1, 1), bool), pixel_scale_arcsec=1.5)
    value = {name: float(array[0, 0]) for name, array in found.items()}
    assert value["parts"] == 1
    assert value["area"] == pytest.approx(np.pi * 60 * 22.5, rel=0.01)
    assert value["x"] == pytest.approx(10 * 1.5, abs=0.05)
    assert value["y"] == pytest.approx(-5 * 1.5, abs=0.05)
    assert value["length"] == pytest.approx(2 * 60, rel=0.01)
    elongation = (40**2 - 15**2) / (40**2 + 15**2)
    assert value["along_x"] == pytest.approx(elongation * np.cos(2 * angle), abs=0.01)
    assert value["diagonal"] == pytest.approx(elongation * np.sin(2 * angle), abs=0.01)


def test_one_shape_has_one_length_wherever_it_lies():
    shape = ellipse((40, 40), (12.3, 14.1), 5.0, 5.0, 0.0)
    moved = [np.roll(shape, (dy, dx), axis=(0, 1)) for dy in range(12) for dx in range(12)]
    found = mark_properties(np.array([moved]), np.ones((1, 144), bool), pixel_scale_arcsec=1.8)
    # else lengths that differ by rounding alone would have a reliability
    assert len(set(found["length"][0])) == 1


def test_parts_empty_masks_and_missing_ones():
    mask = np.zeros((1, 4, 6, 6), bool)
    mask[0, 0, 0, 0] = mask[0, 0, 1, 1] = mask[0, 0, 4, 4] = True  # a diagonal step is connected
    mask[0, 1, 2, 2] = True
    found = mark_properties(mask, np.array([[True, True, True, False]]))
    np.testing.assert_array_equal(found["parts"], [[2, 1, 0, np.nan]])
    np.testing.assert_array_equal(found["area"], [[3, 1, 0, np.nan]])
    assert found["length"][0, 1] == pytest.approx(4 / np.sqrt(12))
    assert np.isnan(found["length"][0, 2:]).all()
    assert found["along_x"][0, 1] == 0


@pytest.mark.parametrize(("measure", "score"), [("iou", jaccard_score), ("dice", f1_score)])
def test_overlap_equals_scikit_learn(measure, score):
    mask, present = discs(3, 10, np.random.default_rng(0))
    present[2, 4] = False
    found = region_agreement(mask, present, measure=measure, n_permutations=200)
    of_source = []
    for source in range(10):
        annotators = np.flatnonzero(present[:, source])
        pairs = [
            score(mask[a, source].ravel(), mask[b, source].ravel())
            for a, b in itertools.combinations(annotators, 2)
        ]
        of_source.append(np.mean(pairs))
    assert found.observed.value == pytest.approx(np.mean(of_source))
    assert found.observed.low < found.observed.value < found.observed.high
    assert found.chance < found.observed.value
    assert found.p_value == pytest.approx(1 / 201)


@pytest.mark.parametrize("strata", [None, ["FR I"] * 5 + ["FR II"] * 8 + ["alone"]])
def test_chance_is_the_mean_over_other_sources_of_the_stratum(strata):
    mask, present = discs(2, 14, np.random.default_rng(1))
    found = region_agreement(mask, present, strata=strata, n_permutations=50)
    every = [
        np.mean(
            [
                jaccard_score(mask[a, s].ravel(), mask[1 - a, t].ravel())
                for a in range(2)
                for t in range(14)
                if t != s and (strata is None or strata[t] == strata[s])
            ]
        )
        for s in range(14 if strata is None else 13)
    ]
    assert found.chance == pytest.approx(np.mean(every), abs=1e-12)
    assert found.beyond_chance == pytest.approx(
        (found.observed.value - found.chance) / (1 - found.chance)
    )


def test_chance_takes_masks_of_other_sources_that_were_marked():
    """Three annotators, one of whom left out a source."""
    mask, present = discs(3, 6, np.random.default_rng(7))
    present[2, 4] = False
    found = region_agreement(mask, present, n_permutations=50)
    every = [
        np.mean(
            [
                np.mean(
                    [
                        jaccard_score(mask[a, s].ravel(), mask[b, t].ravel())
                        for t in range(6)
                        if t != s and present[b, t]
                    ]
                )
                for a, b in itertools.permutations(range(3), 2)
                if present[a, s] and present[b, s]
            ]
        )
        for s in range(6)
    ]
    assert found.chance == pytest.approx(np.mean(every), abs=1e-12)


def test_sources_that_are_alone_in_their_stratum_have_no_chance():
    mask, present = discs(2, 3, np.random.default_rng(1))
    found = annotator_agreement(mask, present, strata=["a", "b", "c"], n_permutations=9)
    assert np.isnan(found.overlap.chance)
    assert found.to_record()["overlap"]["chance"] is None
    assert "nan" not in found.summary().splitlines()[-1]


@pytest.mark.parametrize("missing", [False, True])
def test_level_of_the_test(missing):
    """Annotators who draw independently of each other, all near the centre."""
    n, rejected = 300, 0
    rng = np.random.default_rng(2)
    for _ in range(n):
        mask, present = discs(3, 10, rng, spread=0.0, noise=2.0)
        if missing:
            present = rng.random(present.shape) < 0.8
        p_value = region_agreement(
            mask, present, n_permutations=99, n_bootstrap=100, rng=rng
        ).p_value
        rejected += p_value <= 0.1
    low, high = stats.binom.ppf([0.001, 0.999], n, 0.1)
    assert low <= rejected <= high


def test_strata_keep_what_a_class_shares():
    rng = np.random.default_rng(3)
    mask, present = discs(3, 24, rng, spread=0.0, noise=1.0)
    mask[:, 12:] = np.roll(mask[:, 12:], 8, axis=3)  # one class lies elsewhere
    strata = ["FR I"] * 12 + ["FR II"] * 12
    pooled = region_agreement(mask, present, n_permutations=999)
    within = region_agreement(mask, present, strata=strata, n_permutations=999)
    assert pooled.p_value == pytest.approx(0.001)
    assert within.p_value > 0.05
    assert within.chance > 1.5 * pooled.chance
    assert within.observed == pooled.observed


def test_empty_masks_leave_and_are_counted():
    mask, present = discs(3, 12, np.random.default_rng(4))
    mask[1, 3] = False
    without = present.copy()
    without[1, 3] = False
    found = region_agreement(mask, present, n_permutations=50)
    same = region_agreement(mask, without, n_permutations=50)
    assert found.observed == same.observed
    assert found.p_value == same.p_value
    assert (found.n_empty, same.n_empty) == (1, 0)


def test_few_sources_have_no_interval():
    mask, present = discs(2, 5, np.random.default_rng(5))
    found = region_agreement(mask, present, n_permutations=50)
    assert not found.observed.known
    assert np.isfinite(found.observed.value)


def test_bad_arguments_are_refused():
    mask, present = discs(2, 4, np.random.default_rng(6))
    with pytest.raises(OptionError, match="measure"):
        region_agreement(mask, present, measure="overlap")
    with pytest.raises(OptionError, match="no two annotators"):
        region_agreement(mask, np.eye(2, 4, dtype=bool))
    with pytest.raises(OptionError, match="mask needs"):
        mark_properties(mask, present.T)


@pytest.mark.parametrize(("n_sources", "smallest"), [(1, 1.0), (2, 1 / 2), (3, 1 / 6), (40, 1e-4)])
def test_the_smallest_p_counts_the_permutations_there_are(n_sources, smallest):
    masks = np.zeros((2, n_sources, 7, 7), bool)
    for source in range(n_sources):
        masks[:, source].reshape(2, -1)[:, source] = True
    found = region_agreement(masks, np.ones((2, n_sources), bool), n_permutations=9999, rng=0)
    assert found.smallest_p == pytest.approx(smallest)
    assert found.p_value == pytest.approx(smallest, rel=0.1)
