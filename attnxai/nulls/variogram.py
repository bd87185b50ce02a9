"""Surrogates of a map with its variogram, on a footprint of any shape.

After Burt et al. (2020): the map's pixels are permuted and smoothed with each of several widths. Of these
maps the one is taken whose variogram, times a factor and plus a constant, fits that of the map best; it is
scaled by the factor, and the constant is added as white noise. Two things are adapted to images. Sums over
pairs of pixels at a distance are sums over lags of the grid, so that Fourier transforms give variogram and
smoothing of footprints of any size. Widths start at half a pixel, since images of a telescope are smooth over
a beam and not over a tenth of the source.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from attnxai.nulls.null_model import register_null
from attnxai.nulls.phase import with_values
from attnxai.nulls.surrogates import SampledSurrogateNull

if TYPE_CHECKING:
    from numpy.typing import NDArray


N_LAGS = 25  # distances at which variograms are compared, as in the paper
PAIRS_PERCENT = 25.0  # of all pairs of pixels, the nearest are used, as in the paper
N_WIDTHS = 15
_BATCH_PIXELS = 2**21


class FootprintLags:
    """Pairs of the pixels of a footprint of two pixels or more, by their distance.

    ``distances`` are those at which variograms are computed, ``widths`` the standard deviations of smoothing
    kernels, both in pixels.
    """

    def __init__(self, where: NDArray[np.bool_]) -> None:
        from scipy.fft import next_fast_len

        rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
        self.inside = where[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        height, width = self.inside.shape
        # twice the size, so that nothing wraps around
        self.shape = (next_fast_len(2 * height - 1), next_fast_len(2 * width - 1, real=True))
        self._footprint = self._transform(np.ones((1, int(where.sum()))))
        y = np.minimum(np.arange(self.shape[0]), self.shape[0] - np.arange(self.shape[0]))
        x = np.minimum(np.arange(self.shape[1]), self.shape[1] - np.arange(self.shape[1]))
        self._distance = np.hypot(y[:, None], x[None, :])
        pairs = np.rint(self._back(np.abs(self._footprint) ** 2)[0])
        pairs[0, 0] = 0
        by_distance = np.argsort(self._distance, axis=None, kind="stable")
        n_pairs = np.cumsum(pairs.ravel()[by_distance])
        last = np.searchsorted(n_pairs, PAIRS_PERCENT / 100 * n_pairs[-1])
        longest = max(float(self._distance.ravel()[by_distance[last]]), 2.0)
        self.distances = np.linspace(1.0, longest, N_LAGS)
        self.widths = np.geomspace(0.5, max(longest, 2.0), N_WIDTHS)
        self._used = (self._distance <= longest + 1.0) & (pairs > 0)
        # pairs weigh by how near their distance is to each that is asked for
        bandwidth = max(3 * float(self.distances[1] - self.distances[0]), 0.5)
        offset = self.distances[:, None] - self._distance[self._used][None, :]
        weights = np.exp(-((2.68 * offset) ** 2) / (2 * bandwidth**2))
        self._weights = weights / (weights @ pairs[self._used])[:, None]

    def variograms(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Half the mean squared difference of two pixels at each distance, for maps (n, n_pixels)."""
        spectrum = self._transform(values)
        squares = self._transform(values**2)
        # at every lag, the sum over pairs of half of (x_i - x_j)^2; the real part joins a lag and its
        # opposite, whose pairs are the same
        sums = self._back((np.conj(self._footprint) * squares).real - np.abs(spectrum) ** 2)
        return np.asarray(sums[:, self._used] @ self._weights.T)

    def smoothed(self, values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
        """Weighted means about each pixel of maps (n, n_pixels), with a Gaussian kernel."""
        from scipy.fft import rfft2

        kernel = rfft2(np.exp(-((self._distance / width) ** 2) / 2))
        means = self._back(self._transform(values) * kernel)
        weights = self._back(self._footprint * kernel)
        height, columns = self.inside.shape
        return np.asarray(
            means[:, :height, :columns][:, self.inside]
            / weights[:, :height, :columns][:, self.inside]
        )

    def _transform(self, values: NDArray[np.float64]) -> NDArray[np.complex128]:
        from scipy.fft import rfft2

        maps = np.zeros((len(values), *self.inside.shape))
        maps[:, self.inside] = values
        return np.asarray(rfft2(maps, self.shape))

    def _back(self, spectrum: NDArray[np.complexfloating | np.floating]) -> NDArray[np.float64]:
        from scipy.fft import irfft2

        return np.asarray(irfft2(spectrum, self.shape))


def variogram_surrogates(
    values: NDArray[np.float64],
    where: NDArray[np.bool_],
    n_surrogates: int,
    *,
    keep_values: bool = True,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Maps (n_surrogates, n_pixels) on a footprint with nearly the variogram of one."""
    lags = FootprintLags(where)
    centred = values - values.mean()
    scale = float(centred.std()) or 1.0
    centred /= scale
    wanted = lags.variograms(centred[None])[0]
    surrogates = np.empty((n_surrogates, values.size))
    # batches keep memory small and do not change the result: every draw is made first
    permuted = rng.permuted(np.tile(centred, (n_surrogates, 1)), axis=1)
    noise = rng.normal(size=permuted.shape)
    batch = max(1, _BATCH_PIXELS // (lags.shape[0] * lags.shape[1]))
    for start in range(0, n_surrogates, batch):
        some = slice(start, start + batch)
        surrogates[some] = _fitted(lags, permuted[some], noise[some], wanted)
    if keep_values:
        return with_values(surrogates, np.sort(values))
    return np.asarray(surrogates * scale + values.mean())


def _fitted(
    lags: FootprintLags,
    permuted: NDArray[np.float64],
    noise: NDArray[np.float64],
    wanted: NDArray[np.float64],
) -> NDArray[np.float64]:
    """For every permuted map the smoothed one that fits best, scaled, with its noise."""
    best = np.full(len(permuted), np.inf)
    found = np.zeros_like(permuted)
    for width in lags.widths:
        smoothed = lags.smoothed(permuted, width)
        variograms = lags.variograms(smoothed)
        mean = variograms.mean(axis=1, keepdims=True)
        deviation = variograms - mean
        size = (deviation**2).sum(axis=1)
        # least squares of wanted = constant + factor * variogram; neither makes sense below 0
        factor = (deviation @ (wanted - wanted.mean())) / np.where(size > 0, size, 1.0)
        factor = np.maximum(factor, 0.0)
        constant = np.maximum(wanted.mean() - factor * mean[:, 0], 0.0)
        misfit = (wanted - constant[:, None] - factor[:, None] * variograms) ** 2
        error = misfit.sum(axis=1)
        better = error < best
        best = np.where(better, error, best)
        maps = np.sqrt(factor)[:, None] * smoothed + np.sqrt(constant)[:, None] * noise
        found[better] = maps[better]
    return found


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EmissionSurrogateNull(SampledSurrogateNull):
    """Base of nulls that draw surrogates within a footprint of any shape, such as a source's emission."""

    within_emission = True
    question = (
        "Within the source's own emission, does the map agree with the annotation more than maps of "
        "the same smoothness would?"
    )


@register_null
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VariogramSurrogates(EmissionSurrogateNull):
    """Replace maps by surrogates with their variogram, within a footprint such as a source's emission.

    The valid pixels that are given are the footprint; :func:`emission_footprint` makes them.

    Parameters
    ----------
    n_surrogates : int
        Number of surrogates of each source.
    keep_values : bool
        Give the surrogates the map's own values, in their order. Without it they are nearly Gaussian and
        can be negative, which some metrics refuse.

    Raises
    ------
    OptionError
        If there is no surrogate.

    Examples
    --------
    >>> import attnxai
    >>> null = attnxai.nulls.VariogramSurrogates(n_surrogates=19)
    >>> null.label, null.within_emission
    ('matched variogram', True)
    """

    name = "variogram"
    label = "matched variogram"
    assumes = (
        "Maps are stationary on the footprint, with one variogram. Rejects too often when maps and "
        "annotations both rise towards the footprint's centre, or with brightness."
    )

    keep_values: bool = True

    def sample(
        self, values: NDArray[np.float64], used: NDArray[np.bool_], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Surrogates with the variogram of the map."""
        return variogram_surrogates(
            values, used, self.n_surrogates, keep_values=self.keep_values, rng=rng
        )
