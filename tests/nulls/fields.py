"""Smooth maps that share what a test wants them to share and nothing else, and all nulls, small ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from attnxai.nulls import NULLS, SourcePermutation
from attnxai.validation import simulated_data
from attnxai.validation.simulated_data import centre_bump, centred_coordinates

_SMALL: dict[str, dict[str, Any]] = {
    "permutation": {"keys": ("class", "survey")},
    "rotation": {"n_angles": 4},
    "shift": {"n_shifts": 7},
    "phase": {"n_surrogates": 5, "n_iterations": 1},
    "variogram": {"n_surrogates": 5},
    "moran": {"n_surrogates": 5},
}
"""Options of nulls whose defaults take long."""
SMALL_NULLS = [
    SourcePermutation(within_strata=False),
    *(null(**_SMALL.get(name, {})) for name, null in NULLS.items()),
]


def smooth_fields(rng, n_sources, n_pixels, *, sigma=2.5, periodic=False):
    """Gaussian fields of unit variance, stationary; periodic or cut from larger ones."""
    return simulated_data.smooth_fields(
        rng, n_sources, n_pixels=n_pixels, sigma=sigma, periodic=periodic
    )


def centre_bias(n_pixels, *, width=4.5):
    """A round bump at the centre, of height 1."""
    return centre_bump(n_pixels, width=width)


def blobs(rng, n_sources, n_pixels, *, n_blobs=4, spread=4.0, sigma=2.0):
    """Gaussian bumps scattered about the centre, alike in all directions, evaluated without pixels' help."""
    y, x = centred_coordinates(n_pixels)
    places = rng.normal(size=(n_sources, n_blobs, 2, 1, 1)) * spread
    distance = (y - places[:, :, 0]) ** 2 + (x - places[:, :, 1]) ** 2
    return np.exp(-distance / (2 * sigma**2)).sum(axis=1)


def disc(n_pixels):
    """Pixels of the largest disc of a square field."""
    y, x = centred_coordinates(n_pixels)
    return np.hypot(y, x) <= n_pixels / 2


def everywhere(n_sources, n_pixels):
    """All pixels valid."""
    return np.ones((n_sources, n_pixels, n_pixels), bool)


def density(fields):
    """Fields as densities of one annotator: nowhere negative."""
    return {"density": (fields - fields.min(axis=(1, 2), keepdims=True))[None]}
