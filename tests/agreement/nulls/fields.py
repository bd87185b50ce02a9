"""Smooth maps that share what a test wants them to share, and nothing else."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter


def smooth_fields(rng, n_sources, n_pixels, *, sigma=2.5, periodic=False):
    """Gaussian fields of unit variance, stationary; periodic or cut from larger ones."""
    pad = 0 if periodic else int(4 * sigma)
    white = rng.normal(size=(n_sources, n_pixels + 2 * pad, n_pixels + 2 * pad))
    mode = "wrap" if periodic else "reflect"
    fields = gaussian_filter(white, (0, sigma, sigma), mode=mode)
    fields = fields[:, pad : pad + n_pixels, pad : pad + n_pixels]
    return fields / fields.std()


def centred_coordinates(n_pixels):
    """Rows and columns from the centre of a square field."""
    return np.mgrid[:n_pixels, :n_pixels] - (n_pixels - 1) / 2


def centre_bias(n_pixels, *, width=4.5):
    """A round bump at the centre, of height 1."""
    y, x = centred_coordinates(n_pixels)
    return np.exp(-(y**2 + x**2) / (2 * width**2))


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
