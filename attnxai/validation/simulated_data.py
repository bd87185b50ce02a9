"""Simulated maps and annotations with a known relation to each other.

Both are smooth stationary random fields, drawn independently, so that no map is related to its own
annotation. A scenario adds structure that maps and annotations have in common for other reasons: both
follow the centre of the image, the class, the size of the source, or a direction on the sky. For power, a
map contains a part of its annotation's own field.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.short_repr import ArrayResult
from attnxai.metrics import TargetKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_PIXELS = 16
SMOOTHING = 2.0
"""Standard deviation of the kernel that smooths the fields, in pixels."""
N_PIXELS_FOOTPRINT, SMOOTHING_FOOTPRINT = 12, 1.2
"""The same where pixels lie in footprints, whose nulls cost most."""
N_ANNOTATORS = 2
ANNOTATOR_NOISE = 0.5
"""Standard deviation of an annotator's noise, where that of the fields is 1."""
HEIGHT = 2.0
"""Of the bumps that maps and annotations have in common, in the same units."""


class Scenario(enum.StrEnum):
    """What maps and annotations have in common although no map is related to its own annotation."""

    NOTHING = "nothing"
    CENTRE = "centre bias"
    CLASS = "class templates"
    CENTRE_AND_CLASS = "centre bias and class templates"
    SIZE = "size of each source"
    DIRECTION = "one direction"


class Domain(enum.StrEnum):
    """The pixels on which fields are drawn."""

    SQUARE = "square, cut from larger fields"
    PERIODIC = "square with periodic boundaries"
    FOOTPRINTS = "ellipses of any orientation"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SimulatedSources(ArrayResult):
    """Maps and annotations of one simulated experiment.

    Parameters
    ----------
    maps : ndarray, shape (n_sources, rows, columns)
        One map of every source.
    targets : dict of TargetKind to ndarray, shape (n_annotators, n_sources, rows, columns)
        Densities of annotations; nowhere negative.
    valid : ndarray of bool, same shape as maps
        Pixels that count.
    classes : tuple of int
        Class of every source; two classes in turn.
    """

    maps: NDArray[np.float64]
    targets: dict[TargetKind, NDArray[np.float64]]
    valid: NDArray[np.bool_]
    classes: tuple[int, ...]


def simulate_sources(
    scenario: Scenario,
    n_sources: int,
    *,
    domain: Domain = Domain.SQUARE,
    strength: float = 0.0,
    n_annotators: int = N_ANNOTATORS,
    rng: np.random.Generator,
) -> SimulatedSources:
    """Draw one experiment.

    Parameters
    ----------
    scenario : Scenario
        What maps and annotations have in common.
    n_sources : int
        Sources, of two classes in turn.
    domain : Domain
        The pixels.
    strength : float
        Amplitude of its annotation's own field in a map, beside a field of unit variance: with r the
        correlation of the two, r / sqrt(1 - r^2). At 0 they are unrelated.
    n_annotators : int
        Annotators, who mark the same field, each with independent noise.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    SimulatedSources

    Examples
    --------
    >>> made = simulate_sources(Scenario.CENTRE, 4, rng=np.random.default_rng(0))
    >>> made.maps.shape, made.targets[TargetKind.DENSITY].shape, made.classes
    ((4, 16, 16), (2, 4, 16, 16), (0, 1, 0, 1))
    """
    domain = Domain(domain)
    n_pixels, sigma = N_PIXELS, SMOOTHING
    if domain is Domain.FOOTPRINTS:
        n_pixels, sigma = N_PIXELS_FOOTPRINT, SMOOTHING_FOOTPRINT

    def fields(*shape: int) -> NDArray[np.float64]:
        periodic = domain is Domain.PERIODIC
        return smooth_fields(rng, *shape, n_pixels=n_pixels, sigma=sigma, periodic=periodic)

    classes = np.arange(n_sources) % 2
    shared = _shared(Scenario(scenario), classes, n_pixels, rng)
    marked, own = fields(n_sources), fields(n_sources)
    noise = ANNOTATOR_NOISE * fields(n_annotators, n_sources)
    densities = marked + shared + noise
    densities -= densities.min(axis=(2, 3), keepdims=True)
    valid = np.ones(own.shape, bool)
    if domain is Domain.FOOTPRINTS:
        valid = _ellipses(n_sources, n_pixels, rng)
    return SimulatedSources(
        maps=own + strength * marked + shared,
        targets={TargetKind.DENSITY: densities},
        valid=valid,
        classes=tuple(classes.tolist()),
    )


def smooth_fields(
    rng: np.random.Generator, *shape: int, n_pixels: int, sigma: float, periodic: bool = False
) -> NDArray[np.float64]:
    """Stationary Gaussian fields of zero mean and unit variance, shape (*shape, n_pixels, n_pixels).

    ``sigma`` is the standard deviation of the kernel that smooths them, in pixels. Where boundaries are not
    periodic, the fields are cut from larger ones.
    """
    from scipy.ndimage import gaussian_filter

    # opposite edges of the larger field are too far apart to be correlated
    side = n_pixels + (0 if periodic else int(4 * sigma))
    white = rng.normal(size=(*shape, side, side))
    widths = (*(0.0 for _ in shape), sigma, sigma)
    smoothed = gaussian_filter(white, widths, mode="wrap")
    return np.asarray(smoothed[..., :n_pixels, :n_pixels] / _deviation(sigma, side))


def _deviation(sigma: float, side: int) -> float:
    """Standard deviation of white noise of unit variance once it is smoothed."""
    from scipy.ndimage import gaussian_filter1d

    spike = np.zeros(side)
    spike[side // 2] = 1.0
    kernel = gaussian_filter1d(spike, sigma, mode="wrap")
    return float((kernel**2).sum())


def centred_coordinates(n_pixels: int) -> NDArray[np.float64]:
    """Rows and columns from the centre of a square field, shape (2, n_pixels, n_pixels)."""
    return np.asarray(np.mgrid[:n_pixels, :n_pixels] - (n_pixels - 1) / 2)


def centre_bump(n_pixels: int, *, width: float) -> NDArray[np.float64]:
    """A round Gaussian at the centre, of height 1, shape (n_pixels, n_pixels)."""
    y, x = centred_coordinates(n_pixels)
    return np.asarray(np.exp(-(y**2 + x**2) / (2 * width**2)))


def _shared(
    scenario: Scenario, classes: NDArray[np.integer], n_pixels: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The structure that map and annotation of every source have in common, shape (n_sources, rows, columns)."""

    def bump(width: float) -> NDArray[np.float64]:
        return centre_bump(n_pixels, width=width * n_pixels / N_PIXELS)

    shared = np.zeros((len(classes), n_pixels, n_pixels))
    if scenario in {Scenario.CENTRE, Scenario.CENTRE_AND_CLASS}:
        shared += HEIGHT * bump(3.5)
    if scenario in {Scenario.CLASS, Scenario.CENTRE_AND_CLASS}:
        # a bright core in one class, a faint one in the other: zero on average
        sign = 1 - 2 * classes
        shared += 0.75 * HEIGHT * sign[:, None, None] * bump(2.5)
    if scenario is Scenario.SIZE:
        widths = rng.uniform(1.5, 6.0, len(classes))
        shared += 2 * HEIGHT * np.stack([bump(width) for width in widths])
    if scenario is Scenario.DIRECTION:
        shared += HEIGHT * np.roll(bump(2.5), 3, axis=1)
    return shared


def _ellipses(n_sources: int, n_pixels: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Ellipses of random orientation about the centre, with an axis ratio of 0.6."""
    y, x = centred_coordinates(n_pixels)
    angles = rng.uniform(0, np.pi, (n_sources, 1, 1))
    along, across = np.cos(angles) * x + np.sin(angles) * y, np.cos(angles) * y - np.sin(angles) * x
    half = n_pixels / 2
    return np.asarray((along / half) ** 2 + (across / (0.6 * half)) ** 2 < 1)
