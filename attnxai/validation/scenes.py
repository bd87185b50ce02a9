"""Simulated maps and annotations that share what a test wants them to share, and nothing else.

Both are smooth stationary fields, drawn independently, so that nothing links a map to its own annotation.
A scene adds what all sources, or those of a class, or each source by itself have in common for reasons that
are no agreement: both lie at the centre, or follow the class, or the source's size, or a direction on the
sky. Planted agreement adds a share of an annotation's own field to its map.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics import TargetKind
from attnxai.data.short_repr import short_repr

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_PIXELS = 16
SMOOTHING = 2.0
"""Standard deviation of the kernel that smooths the fields, in pixels."""
N_PIXELS_FOOTPRINT, SMOOTHING_FOOTPRINT = 12, 1.2
"""The same where pixels lie in footprints, whose nulls cost most."""
N_ANNOTATORS = 2
ANNOTATOR_NOISE = 0.5
"""Standard deviation of what an annotator adds, where that of the fields is 1."""
HEIGHT = 2.0
"""Of the bumps that maps and annotations share, in the same units."""


class Scene(enum.StrEnum):
    """What maps and annotations share besides agreement."""

    NOTHING = "nothing"
    CENTRE = "centre bias"
    CLASS = "class templates"
    CENTRE_AND_CLASS = "centre bias and class templates"
    SIZE = "size of each source"
    DIRECTION = "one direction"


class Ground(enum.StrEnum):
    """On which pixels fields are drawn."""

    OPEN = "square, cut from larger fields"
    CLOSED = "square whose opposite edges go together"
    FOOTPRINTS = "ellipses of any orientation"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedSources:
    """Maps and annotations of one simulated experiment.

    Parameters
    ----------
    maps : ndarray, shape (n_sources, rows, columns)
        One explanation.
    targets : dict of TargetKind to ndarray, shape (n_annotators, n_sources, rows, columns)
        Densities that annotators marked; nowhere negative.
    valid : ndarray of bool, same shape as maps
        Pixels that count.
    classes : tuple of int
        Class of every source; two classes in turn.
    """

    maps: NDArray[np.float64]
    targets: dict[TargetKind, NDArray[np.float64]]
    valid: NDArray[np.bool_]
    classes: tuple[int, ...]

    __repr__ = short_repr


def simulate_sources(
    scene: Scene,
    n_sources: int,
    *,
    ground: Ground = Ground.OPEN,
    strength: float = 0.0,
    n_annotators: int = N_ANNOTATORS,
    rng: np.random.Generator,
) -> SimulatedSources:
    """Draw one experiment.

    Parameters
    ----------
    scene : Scene
        What maps and annotations share besides agreement.
    n_sources : int
        Sources, of two classes in turn.
    ground : Ground
        On which pixels.
    strength : float
        How much of its annotation's own field a map holds beside a field of its own of unit variance:
        with r the correlation of the two, r / sqrt(1 - r^2). Without it nothing links them.
    n_annotators : int
        Annotators, who mark the same field, each with noise of their own.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    SimulatedSources

    Examples
    --------
    >>> made = simulate_sources(Scene.CENTRE, 4, rng=np.random.default_rng(0))
    >>> made.maps.shape, made.targets[TargetKind.DENSITY].shape, made.classes
    ((4, 16, 16), (2, 4, 16, 16), (0, 1, 0, 1))
    """
    ground = Ground(ground)
    n_pixels, sigma = N_PIXELS, SMOOTHING
    if ground is Ground.FOOTPRINTS:
        n_pixels, sigma = N_PIXELS_FOOTPRINT, SMOOTHING_FOOTPRINT

    def fields(*shape: int) -> NDArray[np.float64]:
        closed = ground is Ground.CLOSED
        return smooth_fields(rng, *shape, n_pixels=n_pixels, sigma=sigma, periodic=closed)

    classes = np.arange(n_sources) % 2
    shared = _shared(Scene(scene), classes, n_pixels, rng)
    marked, own = fields(n_sources), fields(n_sources)
    noise = ANNOTATOR_NOISE * fields(n_annotators, n_sources)
    densities = marked + shared + noise
    densities -= densities.min(axis=(2, 3), keepdims=True)
    valid = np.ones(own.shape, bool)
    if ground is Ground.FOOTPRINTS:
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
    """Gaussian fields of zero mean and unit variance, stationary.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    *shape : int
        How many.
    n_pixels : int
        Side of a field.
    sigma : float
        Standard deviation of the kernel that smooths them, in pixels.
    periodic : bool
        Whether opposite edges go together; otherwise the fields are cut from larger ones.

    Returns
    -------
    ndarray, shape (*shape, n_pixels, n_pixels)

    Examples
    --------
    >>> fields = smooth_fields(np.random.default_rng(0), 200, n_pixels=16, sigma=2.0)
    >>> bool(abs(fields.std() - 1) < 0.05)
    True
    """
    from scipy.ndimage import gaussian_filter

    # the opposite edge of the larger field is far enough to share nothing
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
    scene: Scene, classes: NDArray[np.integer], n_pixels: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """What map and annotation of every source have in common, shape (n_sources, rows, columns)."""

    def bump(width: float) -> NDArray[np.float64]:
        return centre_bump(n_pixels, width=width * n_pixels / N_PIXELS)

    shared = np.zeros((len(classes), n_pixels, n_pixels))
    if scene in {Scene.CENTRE, Scene.CENTRE_AND_CLASS}:
        shared += HEIGHT * bump(3.5)
    if scene in {Scene.CLASS, Scene.CENTRE_AND_CLASS}:
        # a bright core in one class, a hollow one in the other: nothing is left on average
        sign = 1 - 2 * classes
        shared += 0.75 * HEIGHT * sign[:, None, None] * bump(2.5)
    if scene is Scene.SIZE:
        widths = rng.uniform(1.5, 6.0, len(classes))
        shared += 2 * HEIGHT * np.stack([bump(width) for width in widths])
    if scene is Scene.DIRECTION:
        shared += HEIGHT * np.roll(bump(2.5), 3, axis=1)
    return shared


def _ellipses(n_sources: int, n_pixels: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Ellipses of any orientation about the centre, five parts long and three wide."""
    y, x = centred_coordinates(n_pixels)
    angles = rng.uniform(0, np.pi, (n_sources, 1, 1))
    along, across = np.cos(angles) * x + np.sin(angles) * y, np.cos(angles) * y - np.sin(angles) * x
    half = n_pixels / 2
    return np.asarray((along / half) ** 2 + (across / (0.6 * half)) ** 2 < 1)
