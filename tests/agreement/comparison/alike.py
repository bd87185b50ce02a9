"""Whether two records of a comparison are the same up to rounding."""

from __future__ import annotations

import pytest

# p-values and shares of draws are counts, and have to be the same to the last digit
COUNTED = (
    "p_",
    "p",
    "n_",
    "n",
    "pooled_rejections_pairing_broken",
    "rejections_pairing_broken",
)


def assert_alike(one, other, key=()):
    """Draws, counts, words and p-values identical, other numbers to 1e-12."""
    assert type(one) is type(other), key
    if isinstance(one, dict):
        assert one.keys() == other.keys(), key
        for name, value in one.items():
            assert_alike(value, other[name], (*key, name))
    elif isinstance(one, list):
        assert len(one) == len(other), key
        for index, value in enumerate(one):
            assert_alike(value, other[index], (*key, index))
    elif isinstance(one, float):
        name = str(key[-1])
        if name in COUNTED or name.startswith(("p_", "n_")):
            assert one == other, key
        else:
            # a mean of values of size 1 that cancel has their rounding
            assert other == pytest.approx(one, rel=1e-12, abs=1e-13), key
    else:
        assert one == other, key
