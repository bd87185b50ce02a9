"""Attribution by putting blank sky in place of parts of an image, through captum.

A map holds, at every pixel, what the score loses when the part with this pixel becomes blank sky. A part without emission
is blank already: it is not evaluated, and its value is 0 exactly.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from attnxai.data.emission import MIN_ISLAND_PIXELS, emission_mask
from attnxai.errors import OptionError
from attnxai.explanations.attribution import Attribution, Batch, MapsOf, register_attribution
from attnxai.explanations.score_function import ScoreFunction

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PARTS = 25


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ablation(Attribution):
    """What the score loses without each part of an image."""

    @abc.abstractmethod
    def partitions(self, brightness: NDArray[np.float32]) -> list[NDArray[np.integer[Any]]]:
        """Labels of the parts of an image (rows, columns), from 0, and -1 in none.

        The map is the mean over several partitions.
        """

    def prepare(self, function: ScoreFunction, facts: dict[str, Any]) -> MapsOf:  # noqa: ARG002
        """Losses by captum, image by image, since every image has its own parts."""
        from captum.attr import FeatureAblation

        method = FeatureAblation(function)

        def of_image(batch: Batch, index: int) -> torch.Tensor:
            brightness = batch.brightness[index]
            image, weights = batch.differences[index, None], batch.weights[index, None]
            total = torch.zeros_like(image)
            partitions = self.partitions(brightness)
            for labels in partitions:
                if not (parts := np.unique(labels[(brightness != 0) & (labels >= 0)])).size:
                    continue
                # all parts that are blank become one, without a loss
                mask = np.where(np.isin(labels, parts), np.searchsorted(parts, labels) + 1, 0)
                ablated = torch.from_numpy(mask).to(image.device)[None, None]
                total += (ablated > 0) * method.attribute(
                    image,
                    baselines=0.0,
                    additional_forward_args=weights,
                    feature_mask=ablated,
                    perturbations_per_eval=self.batch_size,
                )
            return total / len(partitions)

        return lambda batch, _rng: torch.cat([of_image(batch, i) for i in range(len(batch))])


def _tiles(
    shape: tuple[int, int], side: int, row_start: int = 0, column_start: int = 0
) -> NDArray[np.int64]:
    """Labels of square tiles; the first ones are cut by ``side`` less the start where that is not 0."""
    rows = (np.arange(shape[0]) + row_start) // side
    columns = (np.arange(shape[1]) + column_start) // side
    return np.asarray(rows[:, None] * (columns[-1] + 1) + columns[None, :])


def _side(stated: int | None, brightness: NDArray[np.float32]) -> int:
    """The stated side of parts, or a 25th of that of the image."""
    return max(1, round(len(brightness) / _PARTS)) if stated is None else stated


def _check_side(side: int | None, what: str, least: int) -> None:
    if side is not None and side < least:
        raise OptionError(f"{what} has to be {least} pixels or more, got {side}")


@register_attribution("occlusion maps")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Occlusion(Ablation):
    """Mean loss over the square windows that hold a pixel (Zeiler & Fergus 2014, arXiv 1311.2901).

    Parameters
    ----------
    window : int, optional
        Side of the windows in pixels of the network's input, an even number; two 25ths of the input's side when left
        out. They lie half a window apart, and those across the border are cut by it.
    """

    layer: str = "occlusion"
    window: int | None = None

    def __post_init__(self) -> None:
        _check_side(self.window, "the window", 2)
        if self.window is not None and self.window % 2:
            raise OptionError(f"the window has to have an even number of pixels, got {self.window}")

    def partitions(self, brightness: NDArray[np.float32]) -> list[NDArray[np.integer[Any]]]:
        """Windows half a window apart are four ways to tile the image."""
        shape = (brightness.shape[0], brightness.shape[1])
        half = self.window // 2 if self.window else _side(None, brightness)
        return [_tiles(shape, 2 * half, r, c) for r in (0, half) for c in (0, half)]


@register_attribution("maps by ablation of patches")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PatchAblation(Ablation):
    """Loss without each of the square patches that tile the image.

    Parameters
    ----------
    side : int, optional
        Side of the patches in pixels of the network's input; a 25th of its side when left out.
    """

    layer: str = "patch_ablation"
    side: int | None = None

    def __post_init__(self) -> None:
        _check_side(self.side, "the side of patches", 1)

    def partitions(self, brightness: NDArray[np.float32]) -> list[NDArray[np.integer[Any]]]:
        """Square patches, with cut ones below and on the right."""
        return [_tiles((brightness.shape[0], brightness.shape[1]), _side(self.side, brightness))]


@register_attribution("maps by ablation of superpixels")
@dataclasses.dataclass(frozen=True, kw_only=True)
class SuperpixelAblation(Ablation):
    """Loss without each of the superpixels by SLIC (Achanta et al. 2012) of the brightness.

    Parameters
    ----------
    side : int, optional
        Superpixels are about as many as squares of this side in pixels of the network's input; a 25th of its side when
        left out.
    compactness : float
        Balance of nearness against similar brightness, which lies in [0, 1].
    """

    layer: str = "superpixel_ablation"
    side: int | None = None
    compactness: float = 0.05

    def __post_init__(self) -> None:
        _check_side(self.side, "the side of superpixels", 1)

    def partitions(self, brightness: NDArray[np.float32]) -> list[NDArray[np.integer[Any]]]:
        """Superpixels by scikit-image."""
        from skimage.segmentation import slic

        side = _side(self.side, brightness)
        labels = slic(
            brightness.astype(np.float64),
            n_segments=max(1, round(brightness.size / side**2)),
            compactness=self.compactness,
            channel_axis=None,
            start_label=0,
        )
        return [np.asarray(labels)]


@register_attribution("maps by ablation of islands of emission")
@dataclasses.dataclass(frozen=True, kw_only=True)
class IslandAblation(Ablation):
    """Loss without each island of :func:`~attnxai.data.emission.emission_mask`; 0 beyond them."""

    layer: str = "island_ablation"
    min_island_pixels: int = MIN_ISLAND_PIXELS

    def partitions(self, brightness: NDArray[np.float32]) -> list[NDArray[np.integer[Any]]]:
        """Islands by SciPy; noise and blank sky are in none."""
        from scipy import ndimage

        emission = emission_mask(brightness, min_island_pixels=self.min_island_pixels)
        labels, _ = ndimage.label(emission, np.ones((3, 3), bool))
        return [np.asarray(labels) - 1]
