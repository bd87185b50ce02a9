"""Data tell where a null would reject anything."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.nulls import (
    GridSymmetries,
    SourcePermutation,
    ToroidalShift,
    rejections_with_pairing_broken,
    run_null_test,
)
from attnxai.errors import OptionError
from tests.agreement.nulls.fields import centre_bias, density, everywhere, smooth_fields

POOLED = SourcePermutation(within_strata=False)


def share_rejected(null, *, bias, linked=0.0, seed=0, n_sources=30, n_pixels=24):
    rng = np.random.default_rng(seed)
    centre = bias * centre_bias(n_pixels)
    maps = smooth_fields(rng, n_sources, n_pixels, periodic=True)
    annotated = smooth_fields(rng, n_sources, n_pixels, periodic=True) + linked * maps
    targets, valid = density(annotated + centre), everywhere(n_sources, n_pixels)
    tests = []
    for model in (null, POOLED):
        table = model.tables([METRICS["nss"]], maps + centre, targets, valid, rng=rng)[0, 0]
        draws = model.draw(range(n_sources), n_columns=table.shape[1], n_draws=999, rng=rng)
        tests.append(run_null_test(table, draws, null=model.name))
    return rejections_with_pairing_broken(*tests)


@pytest.mark.parametrize("null", [GridSymmetries(), ToroidalShift(n_shifts=99)])
def test_a_null_that_suits_the_data_rejects_at_about_its_level(null):
    shares = [share_rejected(null, bias=0.0, seed=seed) for seed in range(8)]
    assert 0.01 < np.mean(shares) < 0.2


def test_shared_centres_tell_the_shift_and_not_the_rotation():
    assert share_rejected(ToroidalShift(n_shifts=99), bias=2.0) > 0.8
    assert share_rejected(GridSymmetries(), bias=2.0) < 0.2


def test_agreement_itself_is_no_fault_of_the_null():
    assert share_rejected(ToroidalShift(n_shifts=99), bias=0.0, linked=1.0) < 0.2


def test_impossible_levels_are_refused():
    draws = POOLED.draw(range(3), n_draws=10, rng=np.random.default_rng(0))
    test = run_null_test(np.eye(3), draws, null="pooled")
    with pytest.raises(OptionError, match="level"):
        rejections_with_pairing_broken(test, test, level=0.0)
