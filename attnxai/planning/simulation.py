"""Effect and spreads for a plan from simulated galaxies, where there is no pilot.

Simulated annotators mark simulated FR I and FR II sources with errors of position and size, and miss some
components. Maps agree to a known degree: a share of their variance follows the source's own components, the rest
those of another source of its class, and noise (a fifth of the rest). So a map without agreement still looks like
a map of its class, at the centre of the field. Nothing was fitted to data: the plan is a first guess, to be
replaced by a pilot.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.effect_components import components_of_tables
from attnxai.data.simulation import CLASS_NAMES, Component, Survey, simulate_source
from attnxai.data.smoothing import FWHM_PER_SIGMA
from attnxai.data.wording import unknown_name
from attnxai.errors import OptionError
from attnxai.metrics import METRICS, TargetKind, agreement_tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.effect_components import Components
    from attnxai.statistics.interval import Interval

N_SOURCES = 120
N_ANNOTATORS = 5
SIDE = 75
PIXEL_ARCSEC = 3.6
BEAM_ARCSEC = 5.4
LAYER_FWHM_ARCSEC = 14.4
"""How far the maps of a coarse attention layer are smeared out."""
NOISE_SHARE = 0.2
"""Share of noise in what does not follow the source."""
SHAKE_ARCSEC = 1.2
SIZE_SCATTER = 0.15
MISSED = 0.1
_SIGMA_PER_FWHM = 1.0 / FWHM_PER_SIGMA
LAYER_SIGMA_PIXELS = LAYER_FWHM_ARCSEC * _SIGMA_PER_FWHM / PIXEL_ARCSEC


def simulate_components(
    agreement: float, *, metric: str = "nss", rng: np.random.Generator | int = 0
) -> tuple[Components, Interval]:
    """What a plan is made of, for maps that agree to a known degree.

    Parameters
    ----------
    agreement : float
        Share of the maps' variance that follows the components of their own source, above 0 to 1; the rest
        follows those of another source of the same class, and noise.
    metric : str
        By which agreement is measured.
    rng : numpy.random.Generator or int
        Source of randomness.

    Returns
    -------
    Components
        To plan with.
    Interval
        The effect: the mean with own less the mean with permuted annotations, in the metric's units.

    Raises
    ------
    OptionError
        If the agreement is not such a share, or the metric is unknown.

    Examples
    --------
    >>> weak, strong = (simulate_components(share)[1].value for share in (0.1, 0.5))
    >>> 0 < weak < strong
    True
    """
    if not 0 < agreement <= 1:
        raise OptionError(
            f"agreement has to be a share above 0 and at most 1, such as 0.3, got {agreement:g}"
        )
    if metric not in METRICS:
        raise OptionError(unknown_name("metric", metric, sorted(METRICS)))
    generator = np.random.default_rng(rng)
    classes = [CLASS_NAMES[i % 2] for i in range(N_SOURCES)]
    survey = Survey(side=SIDE, pixel_scale_arcsec=PIXEL_ARCSEC)
    # as many again, of the same classes, for what in a map does not follow its source: if these were sources
    # of the comparison, permuted annotations would meet them
    sources, others = (
        [
            _seen(simulate_source(name, source="simulated", rng=stream, survey=survey).components)
            for name, stream in zip(classes, generator.spawn(N_SOURCES), strict=True)
        ]
        for _ in range(2)
    )
    annotators = [
        [_marked(parts, stream) for parts in sources] for stream in generator.spawn(N_ANNOTATORS)
    ]
    density = np.array([[_profile(parts) for parts in marked] for marked in annotators])
    mask = np.array([[_inside(parts) for parts in marked] for marked in annotators])
    maps = _maps(sources, others, agreement, generator)
    chosen = METRICS[metric]
    tables = agreement_tables(
        [chosen],
        maps[None],
        {TargetKind.DENSITY: density, TargetKind.MASK: mask},
        np.ones((SIDE, SIDE), dtype=bool),
    )[0, 0]
    return components_of_tables(tables, classes)


def _seen(components: Sequence[Component]) -> list[Component]:
    """Components that stand out of the noise; the brightest where none does."""
    noise = Survey().noise_mjy

    def peak(component: Component) -> float:
        area = math.hypot(component.major_arcsec, BEAM_ARCSEC) * math.hypot(
            component.minor_arcsec, BEAM_ARCSEC
        )
        return component.flux_mjy * BEAM_ARCSEC**2 / area

    seen = [component for component in components if peak(component) >= 4 * noise]
    return seen or [max(components, key=peak)]


def _marked(parts: Sequence[Component], rng: np.random.Generator) -> list[Component]:
    """What one annotator marks of a source: not quite all of it, not quite where it is."""
    kept = [part for part in parts if rng.random() > MISSED] or [parts[0]]
    moved = []
    for part in kept:
        shift = rng.normal(0.0, SHAKE_ARCSEC, 2)
        size = math.exp(rng.normal(0.0, SIZE_SCATTER))
        moved.append(
            dataclasses.replace(
                part,
                x_arcsec=part.x_arcsec + shift[0],
                y_arcsec=part.y_arcsec + shift[1],
                major_arcsec=part.major_arcsec * size,
                minor_arcsec=part.minor_arcsec * size,
            )
        )
    return moved


def _distances(parts: Sequence[Component], beam_arcsec: float) -> NDArray[np.float64]:
    """Squared distance of every pixel from the nearest component, in standard deviations of that component."""
    index = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL_ARCSEC
    found = []
    for part in parts:
        x, y = index[None, :] - part.x_arcsec, index[:, None] - part.y_arcsec
        angle = math.radians(part.angle_deg)
        along = x * math.cos(angle) + y * math.sin(angle)
        across = y * math.cos(angle) - x * math.sin(angle)
        major = math.hypot(part.major_arcsec, beam_arcsec) * _SIGMA_PER_FWHM
        minor = math.hypot(part.minor_arcsec, beam_arcsec) * _SIGMA_PER_FWHM
        found.append((along / major) ** 2 + (across / minor) ** 2)
    return np.asarray(np.min(found, axis=0))


def _profile(parts: Sequence[Component], beam_arcsec: float = BEAM_ARCSEC) -> NDArray[np.float64]:
    """Density of marks: the highest of their profiles, cut off at three standard deviations."""
    squared = _distances(parts, beam_arcsec)
    return np.where(squared < 9.0, np.exp(-0.5 * squared), 0.0)


def _inside(parts: Sequence[Component]) -> NDArray[np.bool_]:
    """Pixels within the full width at half maximum of some mark."""
    return np.asarray(_distances(parts, BEAM_ARCSEC) <= (0.5 / _SIGMA_PER_FWHM) ** 2)


def _maps(
    sources: Sequence[Sequence[Component]],
    others: Sequence[Sequence[Component]],
    agreement: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Maps of a coarse layer that follow their own source in a share of their variance."""
    from scipy.ndimage import gaussian_filter

    own, other = (_standardised(parts) for parts in (sources, others))
    # noise, or rank metrics would see the faintest remainder where nothing else is
    noise = gaussian_filter(rng.normal(size=own.shape), (0, *[LAYER_SIGMA_PIXELS] * 2))
    noise /= noise.std(axis=(1, 2), keepdims=True)
    rest = math.sqrt(1.0 - NOISE_SHARE) * other + math.sqrt(NOISE_SHARE) * noise
    mixed = math.sqrt(agreement) * own + math.sqrt(1.0 - agreement) * rest
    # some metrics refuse negative maps
    return np.asarray(mixed - mixed.min(axis=(1, 2), keepdims=True))


def _standardised(sources: Sequence[Sequence[Component]]) -> NDArray[np.float64]:
    """What a coarse layer that follows these sources shows, of mean 0 and variance 1 each."""
    smeared = np.array([_profile(parts, LAYER_FWHM_ARCSEC) for parts in sources])
    smeared -= smeared.mean(axis=(1, 2), keepdims=True)
    return np.asarray(smeared / smeared.std(axis=(1, 2), keepdims=True))
