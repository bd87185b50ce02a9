"""Sums of maps over the sources of each class that are turned to one position angle, and profiles source by source."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.alignment.resample import blocks_on_field
from attnxai.audit.source_axes import SourceAxis, source_axis, turn_to_axis
from attnxai.data.classes import canonical_class
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.explanations.files.map_chunks import ChunkedMaps
    from attnxai.explanations.stack import MapStack

BRIGHTNESS = "brightness"
ROUNDEST = 0.95
"""Sources with a larger ratio of minor to major axis have no direction, and are left out."""
N_ANGLES = 24
_NARROW = 45.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassSums:
    """What class means and profiles are made of.

    Parameters
    ----------
    model_name, layers, pixel_scale_arcsec
        As of :class:`~attnxai.audit.ClassMeanMaps`.
    disc : Disc
        What every rotation keeps of the pixels that are valid for all sources that are used.
    classes : tuple of str
        Class of each of these.
    n_predicted : int
        Sources whose class is a predicted one.
    totals : mapping of str to ndarray, shape (n_layers, rows, columns)
        Sums over the sources of each class; NaN outside the disc.
    rings, sectors, along : ndarray, shape (n_used, n_layers, ...)
        Means of each source in rings and sectors, and near its axis less elsewhere.
    """

    model_name: str
    layers: tuple[str, ...]
    pixel_scale_arcsec: float
    disc: Disc
    classes: tuple[str, ...]
    n_predicted: int
    totals: Mapping[str, NDArray[np.float64]]
    rings: NDArray[np.float64]
    sectors: NDArray[np.float64]
    along: NDArray[np.float64]


def sum_classes(
    maps: ChunkedMaps,
    classes: Sequence[str | None],
    *,
    use_predicted: bool,
    min_island_pixels: int,
) -> ClassSums:
    """Go through maps chunk by chunk; again if the disc of the first turns out to be too large for later ones.

    Raises
    ------
    OptionError
        If no source has a class and a direction.
    """
    valid: NDArray[np.bool_] | None = None
    while True:
        sums = _Gathered(valid)
        n_read = 0
        for stack in maps.chunks():
            given = classes[n_read : n_read + len(stack)]
            sums.add(stack, given, use_predicted=use_predicted, min_island_pixels=min_island_pixels)
            n_read += len(stack)
        if sums.valid is None or sums.disc is None:
            raise OptionError("no source has a class and a direction, so there are no class means")
        if not sums.is_outdated:
            return sums.result(sums.disc)
        valid = sums.valid


class _Gathered:
    """What one pass through the maps has gathered, on a disc of ``valid`` pixels or of those of the first sources."""

    def __init__(self, valid: NDArray[np.bool_] | None) -> None:
        self.valid = valid
        self.disc = None if valid is None else Disc(valid)
        self.is_outdated = False
        self.n_predicted = 0
        self.model_name, self.pixel_scale_arcsec = "", 1.0
        self.layers: tuple[str, ...] = ()
        self.classes: list[str] = []
        self.totals: dict[str, NDArray[np.float64]] = {}
        self.measured: list[tuple[NDArray[np.float64], ...]] = []

    def add(
        self,
        stack: MapStack,
        given: Sequence[str | None],
        *,
        use_predicted: bool,
        min_island_pixels: int,
    ) -> None:
        """Take in a chunk."""
        names = self._named(stack, given) if use_predicted else given
        used: dict[int, tuple[SourceAxis, str]] = {}
        for position, (image, name) in enumerate(zip(stack.brightness, names, strict=True)):
            axis = source_axis(image, min_island_pixels=min_island_pixels)
            if axis is not None and axis.axis_ratio <= ROUNDEST and name is not None:
                used[position] = axis, name
        if not used:
            return
        own = np.asarray(stack.valid[list(used)].all(axis=0))
        self.valid = own if self.valid is None else self.valid & own
        disc = Disc(self.valid)
        self.disc = self.disc or disc
        self.is_outdated |= disc.largest < self.disc.largest
        if self.is_outdated:  # all is measured again on the disc of all sources
            return
        self.model_name, self.pixel_scale_arcsec = stack.model_name, stack.field_scale_arcsec
        for positions, found in blocks_on_field(stack, list(used)):
            self.layers = (*found, BRIGHTNESS)
            for index, position in enumerate(positions):
                axis, name = used[position]
                maps = [one[index] for one in found.values()]
                maps.append(np.asarray(stack.brightness[position], dtype=np.float64))
                self._add_turned(turn_to_axis(np.stack(maps), axis.angle_deg), axis, name, disc)

    def _named(self, stack: MapStack, given: Sequence[str | None]) -> list[str | None]:
        """Classes of a chunk, of which predicted ones stand for those that are not known."""
        predicted = stack.predicted_classes()
        if predicted is None:
            return list(given)
        self.n_predicted += sum(name is None for name in given)
        return [
            canonical_class(other) if name is None else name
            for name, other in zip(given, predicted, strict=True)
        ]

    def _add_turned(
        self, turned: NDArray[np.float64], axis: SourceAxis, name: str, disc: Disc
    ) -> None:
        turned[..., ~disc.inside] = np.nan  # corners that leave the frame in some rotations
        self.classes.append(name)
        self.measured.append(
            (disc.rings(turned), disc.sectors(turned, axis.reach), disc.along(turned, axis.reach))
        )
        if name in self.totals:
            self.totals[name] += turned
        else:
            self.totals[name] = turned

    def result(self, disc: Disc) -> ClassSums:
        """All of it."""
        rings, sectors, along = map(np.stack, zip(*self.measured, strict=True))
        return ClassSums(
            model_name=self.model_name,
            layers=self.layers,
            pixel_scale_arcsec=self.pixel_scale_arcsec,
            disc=disc,
            classes=tuple(self.classes),
            n_predicted=self.n_predicted,
            totals=self.totals,
            rings=rings,
            sectors=sectors,
            along=along,
        )


class Disc:
    """Rings and sectors of the disc that every rotation of a field keeps, of pixels that are ``valid``."""

    def __init__(self, valid: NDArray[np.bool_]) -> None:
        shape = valid.shape
        row, column = (np.arange(n) - (n - 1) / 2 for n in shape)
        self.radius = np.hypot(row[:, None], column[None, :])
        largest = (min(shape) - 1) / 2
        if not valid.all():
            largest = min(largest, float(self.radius[~valid].min()) - 1.0)
        self.largest = largest
        self.inside = self.radius <= largest
        width = max(largest / 24, 1.0)
        self.ring = np.floor(self.radius / width).astype(int)
        self.n_rings = int(largest // width)
        self.radii = np.asarray(width * (np.arange(self.n_rings) + 0.5), dtype=np.float64)
        step = 360.0 / N_ANGLES
        angle = np.degrees(np.arctan2(row[:, None], column[None, :])) % 360.0
        self.sector = np.floor((angle + step / 2) / step).astype(int) % N_ANGLES
        self.angles_deg = np.asarray(step * np.arange(N_ANGLES), dtype=np.float64)
        folded = np.abs((angle + 90.0) % 180.0 - 90.0)
        # without the diagonals, so that as many pixels lie along the axis as across it
        self.along_axis, self.across_axis = folded < _NARROW - 1e-9, folded > _NARROW + 1e-9

    def rings(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean in every ring, shape (..., n_rings)."""
        found = [images[..., self.inside & (self.ring == ring)] for ring in range(self.n_rings)]
        return np.stack([_mean(one) for one in found], axis=-1)

    def sectors(self, images: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
        """Mean in every sector within a distance from the middle, shape (..., n_angles)."""
        near = self._near(reach)
        found = [images[..., near & (self.sector == sector)] for sector in range(N_ANGLES)]
        return np.stack([_mean(one) for one in found], axis=-1)

    def along(self, images: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
        """Mean near the axis less the mean elsewhere, within a distance from the middle."""
        near = self._near(reach)
        parts = [_mean(images[..., near & part]) for part in (self.along_axis, self.across_axis)]
        return parts[0] - parts[1]

    def _near(self, reach: float) -> NDArray[np.bool_]:
        # the middle itself has no direction
        return np.asarray(self.inside & (self.radius > 0.5) & (self.radius <= max(reach, 4.0)))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis; NaN of nothing."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)
    return np.asarray(values.mean(axis=-1))
