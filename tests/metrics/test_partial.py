"""Partial rank correlation against pingouin, and where it is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from attnxai.errors import OptionError
from attnxai.metrics import PixelRows, TargetKind, auc, own_tables, partial_spearman, spearman
from attnxai.metrics.partial import partial_correlations

MAP = [2, 1, 4, 3, 6, 5, 8, 7, 9, 10]
TARGET = [1, 3, 2, 5, 4, 7, 6, 10, 8, 9]
COVARIATES = [[1, 2, 2, 4, 5, 5, 7, 8, 10, 9], [5, 3, 8, 1, 9, 2, 7, 10, 4, 6]]


def made_up(seed, *, n_covariates=2, size=60, ties=False):
    rng = np.random.default_rng(seed)
    covariates = rng.normal(size=(n_covariates, size))
    map = covariates.sum(axis=0) + rng.normal(size=size)
    target = np.exp(covariates[0] + rng.normal(size=size))
    if ties:
        return np.round(map), np.round(target), np.round(covariates)
    return map, target, covariates


def test_partial_spearman_equals_what_pingouin_gave():
    # pingouin 0.7.0, partial_corr(..., method="spearman")
    assert partial_spearman(MAP, TARGET, COVARIATES[0]) == pytest.approx(
        -0.4375604218312147, abs=1e-12
    )
    assert partial_spearman(MAP, TARGET, COVARIATES) == pytest.approx(
        -0.4184412968309206, abs=1e-12
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n_covariates", [1, 2, 3])
def test_partial_spearman_equals_pingouin(n_covariates, ties):
    import pandas as pd
    import pingouin

    map, target, covariates = made_up(4, n_covariates=n_covariates, ties=ties)
    names = [f"c{i}" for i in range(n_covariates)]
    frame = pd.DataFrame(
        {"map": map, "target": target, **dict(zip(names, covariates, strict=True))}
    )
    expected = pingouin.partial_corr(frame, "map", "target", names, method="spearman")["r"].iloc[0]
    assert partial_spearman(map, target, covariates) == pytest.approx(expected, abs=1e-10)


@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_one_covariate_gives_the_textbook_formula(seed, ties):
    map, target, (covariate,) = made_up(seed, n_covariates=1, ties=ties)
    ab, ac, bc = (
        stats.spearmanr(*pair).statistic
        for pair in ((map, target), (map, covariate), (target, covariate))
    )
    expected = (ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2))
    assert partial_spearman(map, target, covariate) == pytest.approx(expected, abs=1e-10)


@given(seed=st.integers(0, 10_000))
def test_covariates_that_add_nothing_change_nothing(seed):
    map, target, covariates = made_up(seed)
    first, second = covariates
    expected = partial_spearman(map, target, covariates)
    constant = np.full(first.size, 3.0)
    for more in (constant, first, -first, np.exp(second)):
        found = partial_spearman(map, target, [first, second, more])
        assert found == pytest.approx(expected, abs=1e-10)


def test_what_the_covariates_determine_is_undefined():
    map, target, (covariate, other) = made_up(3)
    assert np.isnan(partial_spearman(covariate, target, covariate))
    assert np.isnan(partial_spearman(-np.exp(covariate), target, [other, covariate]))
    assert np.isnan(partial_spearman(map, np.exp(covariate), covariate))
    assert np.isnan(partial_spearman(np.ones(60), target, covariate))
    assert np.isnan(partial_spearman(map, np.zeros(60), covariate))
    # of constant covariates nothing can be controlled for
    for constant in (np.full(60, 3.0), np.stack([np.zeros(60), np.ones(60)])):
        assert np.isnan(partial_spearman(map, target, constant))
    # as many covariates as pixels determine everything
    assert np.isnan(partial_spearman(map[:3], target[:3], np.eye(3)))
    # two pixels that change places are enough to be told from it, even on a large field
    large = np.random.default_rng(0).random(20_000)
    order = np.argsort(large)
    changed = large.copy()
    changed[order[[4, 5]]] = changed[order[[5, 4]]]
    assert np.isnan(partial_spearman(large, np.roll(large, 1), large))
    assert np.isfinite(partial_spearman(changed, np.roll(large, 1), large))
    # nor does rounding tell it from two covariates that are nearly the same
    assert np.isnan(partial_spearman(changed, np.roll(large, 1), [large, changed]))


def test_brightness_alone_leaves_nothing():
    rng = np.random.default_rng(8)
    brightness = rng.random(4000)
    map = brightness + 0.5 * rng.random(4000)
    target = brightness + 0.5 * rng.random(4000)
    assert spearman(map, target) > 0.7
    assert abs(partial_spearman(map, target, brightness)) < 0.1


def test_errors_name_what_is_wrong():
    with pytest.raises(OptionError, match="shape"):
        partial_spearman(MAP, TARGET, [1, 2, 3])
    with pytest.raises(OptionError, match="shape"):
        partial_spearman(MAP, TARGET, COVARIATES, [True])
    with pytest.raises(OptionError, match="covariates needs to be an array of numbers"):
        partial_spearman([1.0, 2, 3], [1, 3, 2], [[1, 2, 3], [1, 2]])
    with pytest.raises(OptionError, match="finite"):
        partial_spearman([1.0, 2, 3], [1, 3, 2], [1.0, np.nan, 2])


def test_targets_can_be_negative_as_ranks_are_all_that_counts():
    target = np.asarray(TARGET, dtype=float)
    assert partial_spearman(MAP, target - 10, COVARIATES) == partial_spearman(
        MAP, target, COVARIATES
    )


def test_rows_are_controlled_for_others_each():
    rng = np.random.default_rng(6)
    maps, targets = PixelRows(rng.random((5, 40))), PixelRows(rng.random((3, 40)))
    controlled = {1: [3], 0: [3, 4], 2: [4, 3]}
    found = partial_correlations(maps, targets, controlled)
    for i, (row, covariates) in enumerate(controlled.items()):
        for j, target in enumerate(targets.values):
            expected = partial_spearman(maps.values[row], target, maps.values[covariates])
            assert found[i, j] == pytest.approx(expected, abs=1e-12)


def test_tables_of_sources_give_the_rows_of_each_over_its_own_pixels():
    rng = np.random.default_rng(6)
    maps = list(rng.random((4, 3, 5, 6)))  # the last two are brightness
    density = rng.random((2, 3, 5, 6))
    targets = {TargetKind.DENSITY: density, TargetKind.MASK: density > 0.5}
    valid = rng.random((3, 5, 6)) < 0.8
    valid[2] = False
    found = {}

    def add(rows):
        found[rows.source] = partial_correlations(
            rows.maps, rows.targets(TargetKind.DENSITY), {0: [2], 1: [2, 3]}
        )

    values = own_tables([auc], maps, targets, valid, on_source=add)
    np.testing.assert_array_equal(values, own_tables([auc], maps, targets, valid))
    assert list(found) == [0, 1]
    for s, e, a in np.ndindex(2, 2, 2):
        covariates = [maps[2][s], maps[3][s]][: e + 1]
        expected = partial_spearman(maps[e][s], density[a, s], covariates, valid[s])
        assert found[s][e, a] == pytest.approx(expected, abs=1e-12)
