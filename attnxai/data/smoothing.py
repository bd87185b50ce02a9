"""Smoothing of images before they are sampled on coarser pixels, or to a larger beam."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.grid import PixelGrid
    from attnxai.data.images import SourceImage

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian in standard deviations."""

# standard deviations at which kernels end
_REACH = 4.0
# a kernel whose axes differ by less is circular
_CIRCULAR = 1e-6


def beam_covariance(
    beam_arcsec: tuple[float, float, float], grid: PixelGrid
) -> NDArray[np.float64]:
    """Covariance (x, y) of a Gaussian beam in pixels.

    Parameters
    ----------
    beam_arcsec : (float, float, float)
        Major and minor axis (FWHM, arcsec) and position angle (degrees from north through east).
    grid : PixelGrid
        Of known scale; without a WCS north is taken to be +y, and east -x, as in FITS images.

    Examples
    --------
    >>> from attnxai.data.grid import PixelGrid
    >>> grid = PixelGrid(shape=(9, 9), pixel_scale_arcsec=2.0)
    >>> (beam_covariance((6.0, 4.0, 0.0), grid) * FWHM_PER_SIGMA**2).round(6)  # along y
    array([[4., 0.],
           [0., 9.]])
    """
    major, minor, angle = beam_arcsec
    north, east = grid.north_and_east() or (np.array([0.0, 1.0]), np.array([-1.0, 0.0]))
    turn = math.radians(angle)
    along = math.cos(turn) * north + math.sin(turn) * east
    across = np.array([-along[1], along[0]])
    scale = (grid.pixel_scale_arcsec or 1.0) * FWHM_PER_SIGMA
    return np.asarray(
        (major / scale) ** 2 * np.outer(along, along)
        + (minor / scale) ** 2 * np.outer(across, across)
    )


def kernel_covariance(
    image: SourceImage, *, step: float = 1.0, beam_arcsec: float | None = None
) -> NDArray[np.float64]:
    """Covariance (x, y), in pixels, of the Gaussian with which an image is smoothed.

    Along every axis it is the wider of two: half of what a new pixel of ``step`` pixels is larger, as standard deviation,
    which removes what the new pixels cannot hold; and what makes of the beam of the image a circular one with a FWHM
    of ``beam_arcsec``. Along an axis where the beam is not smaller it is not changed. Images without beam or pixel scale,
    and prepared ones, whose faint emission was clipped, are not brought to a beam.
    """
    least = max(step - 1.0, 0.0) / 2.0
    found = np.eye(2) * least**2
    scale, beam = image.grid.pixel_scale_arcsec, image.beam_arcsec
    if beam_arcsec is None or beam is None or scale is None or image.prepared:
        return found
    target = np.eye(2) * (beam_arcsec / scale / FWHM_PER_SIGMA) ** 2
    variances, axes = np.linalg.eigh(target - beam_covariance(beam, image.grid))
    variances = np.clip(variances, least**2, None)
    return np.asarray(axes * variances @ axes.T)


def smoothed(image: SourceImage, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness of an image convolved with a Gaussian; blank pixels do not enter it.

    Parameters
    ----------
    image : SourceImage
        The image.
    covariance : array, shape (2, 2)
        Of the Gaussian along x and y, in pixels.
    """
    pixels = np.asarray(image.pixels, dtype=np.float64)
    # a wider Gaussian is as flat on the image, and takes memory in proportion to its width
    covariance = covariance / max(1.0, float(np.trace(covariance)) / max(image.shape) ** 2)
    variances = np.linalg.eigvalsh(covariance)
    if variances[1] <= 0:
        return pixels
    convolve: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    if variances[1] - variances[0] <= _CIRCULAR * variances[1]:
        from scipy.ndimage import gaussian_filter

        sigma = math.sqrt(variances[1])

        def convolve(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(gaussian_filter(values, sigma=sigma, mode="nearest"))

        if image.footprint is None:
            return convolve(pixels)
    else:

        def convolve(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return _elliptical(values, covariance)

    observed = np.ones(image.shape) if image.footprint is None else image.footprint.astype(float)
    weights = convolve(observed)
    return np.divide(
        convolve(pixels * observed), weights, out=np.zeros_like(pixels), where=weights > 1e-6
    )


def _elliptical(
    values: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Convolution with a Gaussian of any covariance, by the product of transforms; nothing lies beyond the border."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    reach = math.ceil(_REACH * math.sqrt(float(np.linalg.eigvalsh(covariance)[1])))
    shape = [next_fast_len(side + min(reach, side), real=True) for side in values.shape]
    y, x = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    power = covariance[0, 0] * x**2 + 2 * covariance[0, 1] * x * y + covariance[1, 1] * y**2
    found = irfft2(rfft2(values, shape) * np.exp(-2 * np.pi**2 * power), shape)
    return np.asarray(found[: values.shape[0], : values.shape[1]])
