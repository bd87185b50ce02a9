"""Surrogates of a map with its spectrum and its values, but random phases.

Amplitude-adjusted Fourier surrogates (Theiler et al. 1992), and their iterated form (Schreiber & Schmitz
1996), in two dimensions. A surrogate has exactly the values of the map, and nearly its power spectrum and
so its autocorrelation; position and shape are random. A map whose opposite edges differ has power at all
scales from that jump.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.nulls.footprints import centred_rectangle
from attnxai.nulls.null_model import register_null
from attnxai.nulls.surrogates import SampledSurrogateNull

if TYPE_CHECKING:
    from numpy.typing import NDArray


def phase_surrogates(
    map: NDArray[np.float64], n_surrogates: int, *, n_iterations: int = 0, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Maps (n_surrogates, rows, columns) with the values of one and nearly its spectrum.

    Of ``n_iterations`` rounds each puts the map's spectrum and then its values back, until nothing changes.
    """
    from scipy.fft import irfft2, rfft2

    shape = map.shape
    kept = np.sort(map, axis=None)
    # a power of two changes no digit, and spectra of the smallest and largest numbers stay finite
    map = np.ldexp(map, -int(np.frexp(np.abs(map).max())[1]))
    values = np.sort(map, axis=None)
    # a Gaussian map with the same ranks; tied values in random order, or rows would become stripes
    order = np.lexsort((rng.random(map.size), map.ravel()))
    gaussian = np.empty((n_surrogates, map.size))
    gaussian[:, order] = np.sort(rng.normal(size=(n_surrogates, map.size)), axis=1)
    # phases of white noise have the symmetry of a real map's
    noise = rfft2(rng.normal(size=(n_surrogates, *shape)))
    amplitudes = np.abs(rfft2(gaussian.reshape(-1, *shape)))
    surrogates = with_values(irfft2(_with_phases(amplitudes, noise), shape), values)
    wanted = np.abs(rfft2(map))
    for _ in range(n_iterations):
        spectrum = _with_phases(wanted, rfft2(surrogates))
        changed = with_values(irfft2(spectrum, shape), values)
        if (changed == surrogates).all():
            break
        surrogates = changed
    return with_values(surrogates, kept)


def _with_phases(
    amplitudes: NDArray[np.float64], spectrum: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    size = np.abs(spectrum)
    has_phase = size > np.finfo(np.float64).tiny
    phases = np.where(has_phase, spectrum / np.where(has_phase, size, 1.0), 1.0)
    return np.asarray(amplitudes * phases)


def with_values(maps: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps (n, ...) whose pixels keep their order but take given values (n_pixels,), which are sorted."""
    flat = maps.reshape(len(maps), -1)
    result = np.empty_like(flat)
    np.put_along_axis(result, np.argsort(flat, axis=1), values[None, :], axis=1)
    return result.reshape(maps.shape)


@register_null
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSurrogates(SampledSurrogateNull):
    """Replace maps by amplitude-adjusted surrogates with random phases.

    Compared is the largest rectangle of valid pixels about the field's centre, since a spectrum needs a
    rectangle: the full field where nothing is cut off.

    Parameters
    ----------
    n_surrogates : int
        Number of surrogates of each source.
    n_iterations : int
        Rounds of iterative adjustment; 0 for plain amplitude-adjusted surrogates.

    Raises
    ------
    OptionError
        If there is no surrogate, or the number of rounds is negative.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> rng = np.random.default_rng(0)
    >>> null = attnxai.nulls.PhaseSurrogates(n_surrogates=3)
    >>> used, maps = null.surrogates(rng.random((8, 8)), np.ones((8, 8), bool), rng)
    >>> maps.shape, bool(np.allclose(np.sort(maps[1]), np.sort(maps[0])))
    ((4, 64), True)
    """

    name = "phase"
    label = "random phases"
    question = "Does the map agree with the annotation more than maps of the same smoothness and values would?"
    assumes = (
        "Maps are stationary, a monotone transform of a Gaussian random field, on a periodic field. Rejects "
        "far too often when maps and annotations are both centred, as in cutouts of single sources."
    )

    n_iterations: int = 10

    def __post_init__(self) -> None:
        SampledSurrogateNull.__post_init__(self)
        if self.n_iterations < 0:
            raise OptionError(f"n_iterations has to be 0 or more, got {self.n_iterations}")

    def pixels(self, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The largest rectangle of valid pixels about the centre."""
        used = np.zeros_like(where)
        used[centred_rectangle(where)] = True
        return used

    def sample(
        self, values: NDArray[np.float64], used: NDArray[np.bool_], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Surrogates with random phases."""
        inside = values.reshape(int(used.any(axis=1).sum()), -1)
        surrogates = phase_surrogates(
            inside, self.n_surrogates, n_iterations=self.n_iterations, rng=rng
        )
        return surrogates.reshape(self.n_surrogates, -1)
