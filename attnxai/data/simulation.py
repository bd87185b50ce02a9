"""Simulated FR I and FR II radio galaxies whose components are known.

A source is a sum of Gaussian components: for an FR I a bright core and two jets that widen and fade
along a bending path; for an FR II two lobes that end in bright hotspots, thin jets and a faint core. It
is seen with the beam, pixels and noise of a survey such as FIRST. Every number is drawn anew for each
source from the ranges in :class:`Survey` and in the functions below; nothing here was fitted to data.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage
from attnxai.data.short_repr import short_repr
from attnxai.data.smoothing import FWHM_PER_SIGMA
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

CLASS_NAMES = ("FR I", "FR II")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How sources are seen: images of ``side`` x ``side`` pixels with a round beam (FWHM).

    The noise, in mJy per beam, is correlated over the beam.
    """

    side: int = 160
    pixel_scale_arcsec: float = 1.8
    beam_arcsec: float = 5.4
    noise_mjy: float = 0.15


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of a source: an elliptical Gaussian, before the beam.

    ``x_arcsec`` and ``y_arcsec`` count to the right and up from the middle of the image, ``major_arcsec`` and
    ``minor_arcsec`` are FWHM along and across ``angle_deg`` (from right towards up), and ``flux_mjy`` is the
    integrated flux density. ``side`` is -1 or 1 for the two sides of the source and 0 for the core.
    """

    label: str
    x_arcsec: float
    y_arcsec: float
    major_arcsec: float
    minor_arcsec: float
    angle_deg: float
    flux_mjy: float
    side: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedSource:
    """An image and the components that it was made of."""

    image: SourceImage
    components: tuple[Component, ...]

    __repr__ = short_repr


def simulate_source(
    class_name: str,
    *,
    source: str,
    rng: np.random.Generator,
    survey: Survey | None = None,
) -> SimulatedSource:
    """Draw a source of a class.

    Parameters
    ----------
    class_name : str
        ``FR I`` or ``FR II``.
    source : str
        Its id.
    rng : numpy.random.Generator
        Source of randomness.
    survey : Survey, optional
        How it is seen.

    Returns
    -------
    SimulatedSource
        Image in mJy per beam with a celestial coordinate system, and its components.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> made = simulate_source("FR II", source="a", rng=rng)
    >>> sorted({component.label for component in made.components})
    ['core', 'hotspot', 'jet', 'lobe']
    """
    survey = survey or Survey()
    if class_name not in CLASS_NAMES:
        raise OptionError(f"class_name has to be one of {CLASS_NAMES}, got {class_name!r}")
    draw = _fr1_components if class_name == CLASS_NAMES[0] else _fr2_components
    components = draw(rng)
    pixels = _observe(components, survey, rng)
    wcs = _random_wcs(survey, rng)
    image = SourceImage(
        source=source,
        pixels=pixels.astype(np.float32),
        grid=PixelGrid(shape=pixels.shape, wcs=wcs),
        class_name=class_name,
        beam_arcsec=(survey.beam_arcsec, survey.beam_arcsec, 0.0),
        survey="simulated",
    )
    return SimulatedSource(image=image, components=tuple(components))


_Path = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]"]


def _bent_path(length: float, angle: float, bend: float, share: NDArray[np.float64]) -> _Path:
    """Points and directions along an arc that turns by ``bend`` radians over its length."""
    direction = angle + bend * share
    step = np.diff(share, prepend=0.0) * length
    return np.cumsum(step * np.cos(direction)), np.cumsum(step * np.sin(direction)), direction


def _two_sides(rng: np.random.Generator) -> list[tuple[int, float, float]]:
    """Side, direction and bend of the two jets; bends of both sides may agree (a tail) or not."""
    angle = rng.uniform(0, 2 * math.pi)
    bend = rng.normal(0, 0.35)
    symmetric = 1.0 if rng.random() < 0.5 else -1.0
    return [
        (1, angle, bend),
        (-1, angle + math.pi + rng.normal(0, 0.1), symmetric * bend),
    ]


def _core(size: float, flux: float) -> Component:
    return Component(
        label="core",
        x_arcsec=0.0,
        y_arcsec=0.0,
        major_arcsec=size,
        minor_arcsec=size,
        angle_deg=0.0,
        flux_mjy=flux,
        side=0,
    )


def _on_path(
    path: _Path, i: int, label: str, size: tuple[float, float], flux: float, side: int
) -> Component:
    """A component of major and minor axis ``size`` at a point of a path, with its direction."""
    x, y, direction = path
    return Component(
        label=label,
        x_arcsec=float(x[i]),
        y_arcsec=float(y[i]),
        major_arcsec=size[0],
        minor_arcsec=size[1],
        angle_deg=math.degrees(direction[i]),
        flux_mjy=float(flux),
        side=side,
    )


def _fr1_components(rng: np.random.Generator) -> list[Component]:
    total = 10 ** rng.uniform(1.5, 2.3)
    core_share = rng.uniform(0.15, 0.4)
    components = [_core(1.5, total * core_share)]
    balance = rng.uniform(0.35, 0.65)
    length = rng.uniform(25, 60)
    for side, angle, bend in _two_sides(rng):
        reach = length * rng.uniform(0.75, 1.25)
        n = 7
        share = np.linspace(1 / n, 1.0, n)
        path = _bent_path(reach, angle, bend, share)
        fading = np.exp(-share * rng.uniform(1.2, 2.2))
        fading /= fading.sum()
        part = balance if side == 1 else 1 - balance
        for i in range(n):
            width = 3.0 + 0.22 * reach * share[i]
            size = max(width, 1.3 * reach / n), width
            flux = total * (1 - core_share) * part * fading[i]
            components.append(_on_path(path, i, "jet", size, flux, side))
    return components


def _fr2_components(rng: np.random.Generator) -> list[Component]:
    total = 10 ** rng.uniform(1.8, 2.7)
    core_share = rng.uniform(0.005, 0.04)
    components = [_core(1.0, total * core_share)]
    balance = rng.uniform(0.35, 0.65)
    length = rng.uniform(18, 60)
    share = np.linspace(0.05, 1.0, 20)
    for side, angle, bend in _two_sides(rng):
        reach = length * rng.uniform(0.85, 1.15)
        part = total * (1 - core_share) * (balance if side == 1 else 1 - balance)
        hotspot_share = rng.uniform(0.35, 0.6)
        path = _bent_path(reach, angle, 0.5 * bend, share)
        size = rng.uniform(1.0, 3.0), 1.0
        hotspot = _on_path(path, -1, "hotspot", size, part * hotspot_share, side)
        # hotspots lie across the jet
        components.append(dataclasses.replace(hotspot, angle_deg=hotspot.angle_deg + 90.0))
        extent = reach * rng.uniform(0.35, 0.6)
        middle = int(np.searchsorted(share, 1.0 - 0.45 * extent / reach))
        size = extent, extent * rng.uniform(0.35, 0.6)
        flux = part * (1 - hotspot_share)
        components.append(_on_path(path, middle, "lobe", size, flux * 0.95, side))
        components.append(_on_path(path, 8, "jet", (reach * 0.5, 1.0), flux * 0.05, side))
    return components


def _observe(
    components: list[Component], survey: Survey, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Image in mJy per beam: components convolved with the beam in closed form, and noise."""
    from scipy.ndimage import gaussian_filter

    middle = (survey.side - 1) / 2
    index = np.arange(survey.side) - middle
    x, y = np.meshgrid(*[index * survey.pixel_scale_arcsec] * 2)
    beam = survey.beam_arcsec / FWHM_PER_SIGMA
    image = np.zeros_like(x)
    for component in components:
        major = math.hypot(component.major_arcsec / FWHM_PER_SIGMA, beam)
        minor = math.hypot(component.minor_arcsec / FWHM_PER_SIGMA, beam)
        angle = math.radians(component.angle_deg)
        right, up = x - component.x_arcsec, y - component.y_arcsec
        along = right * math.cos(angle) + up * math.sin(angle)
        across = -right * math.sin(angle) + up * math.cos(angle)
        peak = component.flux_mjy * beam**2 / (major * minor)
        image += peak * np.exp(-0.5 * ((along / major) ** 2 + (across / minor) ** 2))
    beam_pixels = beam / survey.pixel_scale_arcsec
    # a margin, so that the noise has no edge
    margin = math.ceil(5 * beam_pixels)
    white = rng.normal(size=(survey.side + 2 * margin,) * 2)
    noise = gaussian_filter(white, beam_pixels)[margin:-margin, margin:-margin]
    return np.asarray(image + noise * survey.noise_mjy / noise.std())


def _random_wcs(survey: Survey, rng: np.random.Generator) -> WCS:
    """North up and east left, somewhere in the northern sky."""
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [round(rng.uniform(110, 260), 4), round(rng.uniform(-5, 60), 4)]
    wcs.wcs.crpix = [(survey.side + 1) / 2] * 2
    step = survey.pixel_scale_arcsec / 3600.0
    wcs.wcs.cdelt = [-step, step]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.set()
    return wcs
