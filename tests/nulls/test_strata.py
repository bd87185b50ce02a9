"""Strata by several keys and by quantiles."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.errors import OptionError
from attnxai.nulls import combine_strata, quantile_strata


def test_keys_of_different_length_are_refused():
    with pytest.raises(OptionError, match="2 of class, 1 of survey"):
        combine_strata({"class": ["I", "II"], "survey": ["a"]})
    with pytest.raises(OptionError, match="no key"):
        combine_strata({})


def test_bins_hold_about_as_many_sources_each():
    sizes = np.random.default_rng(0).permutation(90).astype(float)
    bins = np.array(quantile_strata(sizes.tolist(), n_bins=3))
    assert np.bincount(bins).tolist() == [30, 30, 30]
    assert sizes[bins == 0].max() < sizes[bins == 1].min()


def test_equal_values_share_a_bin_and_unknown_ones_have_their_own():
    bins = quantile_strata([5.0, 5.0, 5.0, 5.0, 9.0, float("nan"), float("inf")], n_bins=2)
    assert len(set(bins[:4])) == 1
    assert bins[4] != bins[0]
    assert bins[5:] == (-1, -1)


def test_no_bins_are_refused():
    with pytest.raises(OptionError, match="n_bins"):
        quantile_strata([1.0], n_bins=0)
