"""The noise of images as a network sees them, also of images from which it has been clipped away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.sigma_clipping import sigma_clipped_deviation
from attnxai.data.smoothing import FWHM_PER_SIGMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.models.preprocessing import Preprocessing

FIRST_BEAM_ARCSEC = 5.4
"""Full width at half maximum of the beam of FIRST: noise of radio images is correlated over it."""


def noise_level(brightness: NDArray[np.floating], preprocessing: Preprocessing) -> float:
    """Standard deviation of an image's noise, as brightness in [0, 1].

    Where the preprocessing has set to 0 what is below ``clip_sigma`` standard deviations, the faintest pixel above 0
    is taken to lie at that clip, so that the level is its brightness divided by ``clip_sigma``. In 256 steps of
    brightness this is right to half a step. Where nothing was clipped (a ``clip_sigma`` of 0, or no pixel at 0), it
    is the sigma-clipped standard deviation of the image.

    Parameters
    ----------
    brightness : ndarray, shape (rows, columns)
        What a network sees of the image before standardisation.
    preprocessing : Preprocessing
        That of the network.

    Returns
    -------
    float
    """
    values = np.asarray(brightness, dtype=np.float64)
    above = values[values > 0]
    if preprocessing.clip_sigma > 0 and above.size and above.size < values.size:
        return float(above.min()) / preprocessing.clip_sigma
    return sigma_clipped_deviation(values)


def clip_noise(
    brightness: NDArray[np.floating], level: float, preprocessing: Preprocessing
) -> NDArray[np.float64]:
    """Set to 0 what lies below the clip of the preprocessing, and to 1 what lies above 1."""
    values = np.minimum(np.asarray(brightness, dtype=np.float64), 1.0)
    # a grey level at the clip itself was kept: rounding may not drop it
    limit = preprocessing.clip_sigma * level * (1 - 1e-6)
    return np.where(values < limit, 0.0, values)


def draw_noise(
    shape: tuple[int, ...], *, fwhm_pixels: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Gaussian noise of unit variance on the last two axes, correlated over a circular beam.

    Parameters
    ----------
    shape : tuple of int
        Shape of the result.
    fwhm_pixels : float
        Full width at half maximum of the beam; 0 for noise that is independent in every pixel.
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    ndarray
    """
    from scipy.ndimage import gaussian_filter

    noise = rng.standard_normal(shape)
    if fwhm_pixels <= 0:
        return noise
    width = fwhm_pixels / FWHM_PER_SIGMA
    axes = (len(shape) - 2, len(shape) - 1)
    reach = int(4 * width + 0.5)
    point = np.zeros((2 * reach + 1,) * 2)
    point[reach, reach] = 1.0
    beam = gaussian_filter(point, width, mode="constant")
    smoothed = gaussian_filter(noise, width, mode="wrap", axes=axes)
    return np.asarray(smoothed / np.sqrt((beam**2).sum()))
