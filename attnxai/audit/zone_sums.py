"""What a forward pass sums over emission, ring and empty sky: gated features, and magnitudes of evidence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from attnxai.data.emission import MIN_ISLAND_PIXELS, RING_PIXELS, Zone, emission_mask, zones_on_grid
from attnxai.explanations.gate_pass import GateBatch, GateReader
from attnxai.explanations.gates import layer_geometry
from attnxai.explanations.inputs import NetworkInputs
from attnxai.explanations.targets import class_weights
from attnxai.models.model import AttentionModel
from attnxai.models.specification import FeatureSum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.grid import GridTransform

_ROUNDING = 1e-12  # share of what is summed in double precision


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZoneScores:
    """Class scores from one zone alone: ``own`` plus ``weights`` times the mean over the images of ``others``.

    Parameters
    ----------
    own : ndarray, shape (n_images, n_classes)
        What the zone itself contributes, with the bias.
    weights : ndarray, shape (n_images, n_classes, n_features)
        Of the sums of features. Where the head is not linear (aggregation ``ft``), those of its linear piece that is active at
        the mean.
    others : ndarray, shape (n_images, n_features)
        Sums of features over the other zones.
    """

    own: NDArray[np.float64]
    weights: NDArray[np.float64]
    others: NDArray[np.float64]

    @property
    def scores(self) -> NDArray[np.float64]:
        """Class scores, shape (n_images, n_classes)."""
        return np.asarray(self.resampled(np.ones((1, len(self.own))))[0])

    def resampled(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same with the mean over resamples, rows of counts (n_rows, n_images); (n_rows, n_images, n_classes)."""
        return self._scores_at(self._means(rows), np.arange(len(self.own)))

    def resampled_correct(
        self, rows: NDArray[np.float64], classes: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.intp], NDArray[np.bool_]]:
        """Which images are classified correctly in resamples, computed again only for images whose class can change.

        Parameters
        ----------
        rows : ndarray, shape (n_rows, n_images)
            How often each image is in each resample, over which the means of ``others`` are taken.
        classes : ndarray of int, shape (n_images,)
            The class of each image.

        Returns
        -------
        correct : ndarray of bool, shape (n_images,)
            With the mean of all resamples.
        changing : ndarray of int, shape (n_changing,)
            Positions of the images whose class may differ between resamples: few are so close to the threshold.
        in_rows : ndarray of bool, shape (n_rows, n_changing)
            Which of these are classified correctly in each resample; all others are as in ``correct``.
        """
        means = self._means(rows)
        mean_of_means = means.mean(axis=0)
        scores = self._scores_at(mean_of_means[None], np.arange(len(self.own)))[0]
        # how far a score can be from there in any row, with what rounding adds
        spread = np.abs(means - mean_of_means).max(axis=0) + _ROUNDING * np.abs(mean_of_means)
        reach = np.abs(self.weights) @ spread + _ROUNDING * np.abs(self.own)
        best = scores.argmax(axis=1)[:, None]
        highest = np.take_along_axis(scores, best, axis=1) - np.take_along_axis(reach, best, axis=1)
        np.put_along_axis(reach, best, -np.inf, axis=1)
        changing = np.flatnonzero((scores + reach >= highest).any(axis=1))
        in_rows = self._scores_at(means, changing).argmax(axis=2) == classes[changing]
        return best[:, 0] == classes, changing, in_rows

    def _means(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(rows @ self.others / rows.sum(axis=1, keepdims=True))

    def _scores_at(
        self, means: NDArray[np.float64], images: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Class scores of some images with means of the others (n_means, n_features)."""
        weights = self.weights[images]
        n, n_classes, n_features = weights.shape
        shifts = means @ weights.reshape(n * n_classes, n_features).T
        return np.asarray(self.own[images] + shifts.reshape(len(means), n, n_classes))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZoneSums:
    """Gated sums and evidence of some images by zone.

    Parameters
    ----------
    model : AttentionModel
        The model.
    geometry : mapping of str to GridTransform
        How the grid of each gate lies on the field.
    scores : ndarray, shape (n_images, n_classes)
        Class scores.
    gated : tuple of Tensor, shape (n_images, n_channels, 3)
        Sums of the gated features of each gate over each zone.
    absolute, relative : ndarray, shape (n_images, n_gates, 3)
        Sum over each zone of the magnitude of the evidence for the class of the highest score against the mean of the
        others, as it is and relative to empty sky.
    areas : ndarray, shape (n_images, 3)
        Share of each zone of the cells of the finest gate.
    """

    model: AttentionModel
    geometry: Mapping[str, GridTransform]
    scores: NDArray[np.float64]
    gated: tuple[torch.Tensor, ...]
    absolute: NDArray[np.float64]
    relative: NDArray[np.float64]
    areas: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[ZoneSums]) -> ZoneSums:
        """Those of the images of all parts."""
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("scores", "absolute", "relative", "areas")
        }
        gated = zip(*(part.gated for part in parts), strict=True)
        return dataclasses.replace(parts[0], gated=tuple(map(torch.cat, gated)), **arrays)

    @torch.no_grad()
    def scores_from(self, zone: Zone, images: NDArray[np.bool_]) -> ZoneScores:
        """Class scores of some images from one zone alone.

        The gated sums of the other zones are replaced by their means over these images. Nothing is fitted again.
        """
        _, network = self.model.require_gates()
        like = next(network.parameters())
        chosen = torch.from_numpy(images)
        by_zone = [sums[chosen].double() for sums in self.gated]
        own = [values[:, :, zone] for values in by_zone]
        others = [values.sum(dim=2) - one for values, one in zip(by_zone, own, strict=True)]
        sums = [one + other.mean(dim=0) for one, other in zip(own, others, strict=True)]
        head = network.linear_head([values.to(like) for values in sums])
        weights = torch.cat(head.weights, dim=2).double().cpu()
        of_own = (weights @ torch.cat(own, dim=1)[:, :, None])[:, :, 0]
        return ZoneScores(
            own=(head.bias.double().cpu() + of_own).numpy(),
            weights=weights.numpy(),
            others=torch.cat(others, dim=1).numpy(),
        )


class ZoneReader(GateReader):
    """Reads :class:`ZoneSums` from one forward pass.

    To be given to :func:`attnxai.explain` as one of its ``readers``. Zones are found on each gate's own grid.

    Parameters
    ----------
    min_island_pixels : int
        Smaller islands above the clip of the preprocessing count as noise.
    ring_pixels : float
        Cells up to this many pixels of the images from emission are the ring.
    """

    relative = True

    def __init__(
        self, *, min_island_pixels: int = MIN_ISLAND_PIXELS, ring_pixels: float = RING_PIXELS
    ) -> None:
        self.min_island_pixels, self.ring_pixels = min_island_pixels, ring_pixels

    def begin(self, inputs: NetworkInputs) -> None:
        """Find emission in the images."""
        self.inputs = inputs
        self.emission = emission_mask(inputs.brightness, min_island_pixels=self.min_island_pixels)
        self.geometry = layer_geometry(inputs.model)
        self.n_read = 0
        self._scores: list[torch.Tensor] = []
        self._sums: dict[str, list[torch.Tensor]] = {name: [] for name in self.geometry}
        self._magnitudes: dict[str, list[torch.Tensor]] = {name: [] for name in self.geometry}
        self._relative: dict[str, list[torch.Tensor]] = {name: [] for name in self.geometry}
        self._areas: list[torch.Tensor] = []

    def read(self, batch: GateBatch) -> None:
        """Sum over the zones of a batch of images."""
        n = len(batch.scores)
        images = slice(self.n_read, self.n_read + n)
        self.n_read += n
        self._scores.append(batch.scores.cpu().double())
        mean = batch.network.spec.feature_sum is FeatureSum.MEAN
        contrast = class_weights(None, batch.scores, ())
        for name, gated in batch.gated.items():
            shape = (gated.shape[2], gated.shape[3])
            zones = zones_on_grid(
                self.emission[images],
                self.geometry[name],
                shape,
                places=self.inputs.places[images],
                ring_pixels=self.ring_pixels,
            )
            n_cells = shape[0] * shape[1]
            inside = within_zones(zones, gated)
            sums = gated.flatten(2) @ inside / (n_cells if mean else 1)
            self._sums[name].append(sums.cpu())
            for kept, evidence in (
                (self._magnitudes, batch.evidence),
                (self._relative, batch.relative_evidence),
            ):
                magnitude = torch.einsum("nk,nkhw->nhw", contrast, evidence.maps[name]).abs()
                kept[name].append((magnitude.flatten(1)[:, None] @ inside)[:, 0].cpu())
        self._areas.append(inside.mean(dim=1).cpu())  # of the last gate, which is the finest

    def sums(self) -> ZoneSums:
        """What was read of all images."""
        absolute, relative = (
            torch.stack([torch.cat(values) for values in kept.values()], dim=1).double().numpy()
            for kept in (self._magnitudes, self._relative)
        )
        return ZoneSums(
            model=self.inputs.model,
            geometry=self.geometry,
            scores=torch.cat(self._scores).numpy(),
            gated=tuple(torch.cat(values) for values in self._sums.values()),
            absolute=absolute,
            relative=relative,
            areas=torch.cat(self._areas).double().numpy(),
        )


def within_zones(zones: NDArray[np.int8], like: torch.Tensor) -> torch.Tensor:
    """1 for the cells of each zone and 0 for others, shape (n, n_cells, 3), with the dtype and device of ``like``."""
    found = torch.from_numpy(zones).to(like.device)
    return torch.stack([(found == zone).flatten(1) for zone in Zone], dim=2).to(like)
