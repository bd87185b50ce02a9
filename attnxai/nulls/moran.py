"""Surrogates of a map with its Moran's I at every scale, on a footprint of any shape.

Moran spectral randomisation (Wagner & Dray 2015). The doubly centred matrix of the pixels' weights, here
one over their distance, has eigenvectors that are maps, from the smoothest to the roughest (Moran's
eigenvector maps, Dray et al. 2006). A surrogate keeps the size of the map's coefficient of each and has random
signs, so that mean, variance and Moran's I stay exactly the same. Eigenvectors with one eigenvalue, as on
footprints with a symmetry, are determined only as a subspace: there the length of the map's component is
kept, in a random direction. Values are not kept: surrogates of a map with a few high pixels are closer to
Gaussian, and can be negative, which some metrics do not accept.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.nulls.null_model import register_null
from attnxai.nulls.surrogates import MIN_PIXELS
from attnxai.nulls.variogram import EmissionSurrogateNull

if TYPE_CHECKING:
    from numpy.typing import NDArray


# eigenvalues nearer to each other than this, relative to the largest, count as one
_RELATIVE_GAP = 1e-9


def moran_weights(where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """One over the distance of every two pixels of a footprint, 0 for a pixel and itself."""
    from scipy.spatial.distance import pdist, squareform

    return np.asarray(squareform(1.0 / pdist(np.argwhere(where).astype(np.float64))))


def moran_surrogates(
    values: NDArray[np.float64],
    where: NDArray[np.bool_],
    n_surrogates: int,
    *,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Maps (n_surrogates, n_pixels) on a footprint with the mean, the variance and Moran's I of one."""
    n = values.size
    weights = moran_weights(where)
    means = weights.mean(axis=0)
    # the constant map has eigenvalue 0 like others may; set apart, it is the last and can be left out
    apart = 2 * np.abs(weights).sum(axis=0).max()
    centred_weights = weights - means[:, None] - means[None, :] + means.mean() + apart / n
    eigenvalues, vectors = np.linalg.eigh(centred_weights)
    eigenvalues, vectors = eigenvalues[:-1], vectors[:, :-1]
    gaps = np.diff(eigenvalues) > _RELATIVE_GAP * np.abs(eigenvalues).max()
    starts = np.concatenate([[0], np.flatnonzero(gaps) + 1])
    mean = values.mean()
    squared = np.add.reduceat((vectors.T @ (values - mean)) ** 2, starts)
    # random directions within each eigenspace come from white noise on pixels, so that they do not
    # depend on which eigenvectors a library happens to choose
    directions = rng.normal(size=(n_surrogates, n)) @ vectors
    lengths = np.sqrt(np.add.reduceat(directions**2, starts, axis=1))
    factors = np.sqrt(squared) / np.where(lengths > 0, lengths, 1.0)
    sizes = np.diff(np.append(starts, n - 1))
    return np.asarray(mean + (directions * np.repeat(factors, sizes, axis=1)) @ vectors.T)


@register_null
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MoranSurrogates(EmissionSurrogateNull):
    """Replace maps by surrogates with their Moran's I, within a footprint such as a source's emission.

    The valid pixels that are given are the footprint; :func:`emission_footprint` makes them.

    Parameters
    ----------
    n_surrogates : int
        Number of surrogates of each source.
    max_pixels : int
        The largest footprint: time grows with the third power of its pixels, and memory with the second.

    Raises
    ------
    OptionError
        If there is no surrogate, or ``max_pixels`` is below 16.

    Examples
    --------
    >>> import attnxai
    >>> null = attnxai.nulls.MoranSurrogates(n_surrogates=19)
    >>> null.within_emission, null.label
    (True, 'Moran spectral')
    >>> attnxai.ComparisonSettings(nulls=(null,)).null_names
    ('moran',)
    """

    name = "moran"
    label = "Moran spectral"
    assumes = (
        "Maps are Gaussian on the footprint, with one autocorrelation. Rejects too often when maps and "
        "annotations both rise towards the footprint's centre, or with brightness."
    )

    max_pixels: int = 2000

    def __post_init__(self) -> None:
        EmissionSurrogateNull.__post_init__(self)
        if self.max_pixels < MIN_PIXELS:
            raise OptionError(f"max_pixels has to be {MIN_PIXELS} or more, got {self.max_pixels}")

    def check(self, valid: NDArray[np.bool_]) -> None:
        """Raise an error for footprints of more than ``max_pixels`` pixels."""
        n_pixels = valid.sum(axis=(1, 2))
        largest = int(n_pixels.argmax())
        if n_pixels[largest] > self.max_pixels:
            raise OptionError(
                f"Moran surrogates need footprints of up to max_pixels={self.max_pixels} pixels, but that "
                f"of source number {largest + 1} has {n_pixels[largest]}; use brighter pixels only (a "
                "higher n_sigma), raise max_pixels, or take the matched variogram, which has no limit"
            )

    def sample(
        self, values: NDArray[np.float64], used: NDArray[np.bool_], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Surrogates with Moran's I of the map."""
        return moran_surrogates(values, used, self.n_surrogates, rng=rng)
