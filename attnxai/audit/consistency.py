"""Whether a model stays with its answer and its maps when images are rotated by arbitrary angles."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from attnxai.alignment.resample import resample_to_field
from attnxai.audit.readout import (
    LayerGrid,
    disc_about,
    field_brightness,
    layer_grids,
    read_out,
    row_correlations,
)
from attnxai.audit.source_means import mean_defined
from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceImage
from attnxai.data.short_repr import ArrayResult
from attnxai.errors import OptionError, UndefinedValuesWarning
from attnxai.explanations.stack import MEAN_LAYER
from attnxai.metrics.ranking import mid_ranks
from attnxai.models.elements import Interpolation, Outside, clipped_again, middle_of, rotate_images
from attnxai.models.model import AttentionModel
from attnxai.models.network import gate_geometry
from attnxai.models.specification import ModelSpec

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RotationConsistency(ArrayResult):
    """What rotations by arbitrary angles change, image by image.

    The maps of a rotated image are correlated with the rotated maps of the image, within the largest
    disc that every rotation keeps. Pearson's correlation is the one to quote (``map_consistency``): most
    of a field is blank sky, on which attention hardly varies, and ranks would give that sky as much
    weight as the source. Spearman's is kept for comparison.

    Parameters
    ----------
    model_name : str
        The model.
    sources : tuple of str
        Ids of the images.
    angles_deg : ndarray, shape (n_images, n_angles)
        Angles in degrees, counter-clockwise when row 0 is at the top; one in every n-th of a circle.
    same_class : ndarray of bool, shape (n_images, n_angles)
        Whether the predicted class is that of the image as it is.
    probability_changes : ndarray, shape (n_images, n_angles)
        Absolute change of the probability of the class that was predicted for the image as it is.
    layers : tuple of str
        Gates, coarsest first, and ``mean``, their mean on the field, if there are several.
    pearson, spearman : ndarray, shape (n_layers, n_images, n_angles)
        Correlations of maps; NaN where a map is constant.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:1])
    >>> model, rng = attnxai.load_model("c1.pt"), np.random.default_rng(0)
    >>> found = attnxai.audit.rotation_consistency(model, images, n_angles=2, rng=rng)
    >>> found.layers, found.pearson.shape
    (('gate1', 'gate2', 'gate3', 'mean'), (4, 1, 2))
    """

    model_name: str
    sources: tuple[str, ...]
    angles_deg: NDArray[np.float64]
    same_class: NDArray[np.bool_]
    probability_changes: NDArray[np.float64]
    layers: tuple[str, ...]
    pearson: NDArray[np.float64]
    spearman: NDArray[np.float64]

    @property
    def class_consistency(self) -> NDArray[np.float64]:
        """Share of the angles at which each image keeps its class, shape (n_images,)."""
        return np.asarray(self.same_class.mean(axis=1))

    @property
    def probability_change(self) -> NDArray[np.float64]:
        """Mean absolute change of the class probability of each image, shape (n_images,)."""
        return np.asarray(self.probability_changes.mean(axis=1))

    @property
    def map_consistency(self) -> dict[str, NDArray[np.float64]]:
        """Pearson's correlation of each image's maps, averaged over angles, by layer."""
        return {
            name: mean_defined(values)
            for name, values in zip(self.layers, self.pearson, strict=True)
        }

    def summary(self) -> dict[str, float]:
        """Means over images, under the names of the columns of :meth:`to_frame`."""
        frame = self.to_frame().drop(columns="source")
        return {str(name): float(values.mean()) for name, values in frame.items()}

    def to_frame(self) -> pd.DataFrame:
        """A table with a row an image, every value a mean over angles."""
        import pandas as pd

        columns: dict[str, Any] = {
            "source": self.sources,
            "class_consistency": self.class_consistency,
            "probability_change": self.probability_change,
        }
        for name, pearson, spearman in zip(self.layers, self.pearson, self.spearman, strict=True):
            columns[f"{name}_pearson"] = mean_defined(pearson)
            columns[f"{name}_spearman"] = mean_defined(spearman)
        return pd.DataFrame(columns)


def rotation_consistency(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    n_angles: int = 8,
    rng: np.random.Generator,
    batch_size: int = 16,
    on_image: Callable[[int, int], None] | None = None,
) -> RotationConsistency:
    """Rotate the input of a model by random angles and compare its outputs.

    The rotated input is the brightness on the model's field, by bicubic interpolation, with zeros (blank
    sky) where nothing was and below half of the faintest pixel; then it is standardised. Every image has its
    own angles, one drawn uniformly from each of ``n_angles`` equal parts of the circle.

    Parameters
    ----------
    model : AttentionModel
        The model; its mode, device and hooks are the same afterwards. Its temperature is applied.
    images : sequence of SourceImage
        The images; each passes through the model's own preprocessing.
    n_angles : int
        Angles per image.
    rng : numpy.random.Generator
        Draws the angles.
    batch_size : int
        Images in one forward pass; the result does not depend on it but for rounding.
    on_image : callable, optional
        Called with the number of finished images and of all.

    Returns
    -------
    RotationConsistency

    Raises
    ------
    OptionError
        If there are no images or no angles.
    ImageError
        If an image does not fit the model.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> model = attnxai.load_model("c1.pt")
    >>> found = rotation_consistency(model, images[:1], n_angles=2, rng=np.random.default_rng(0))
    >>> found.layers
    ('gate1', 'gate2', 'gate3', 'mean')
    """
    if n_angles < 1:
        raise OptionError(f"n_angles has to be 1 or more, got {n_angles}")
    n = len(images)
    parts = np.arange(n_angles) + rng.uniform(size=(n, n_angles))
    angles = parts * (360.0 / n_angles)
    fields = field_brightness(model, images)
    side = int(fields.shape[-1])
    layers = _layers(model, side)
    same = np.zeros((n, n_angles), bool)
    changes = np.zeros((n, n_angles))
    pearson = np.full((len(layers), n, n_angles), np.nan)
    spearman = np.full_like(pearson, np.nan)
    for position, field in enumerate(fields):
        turned = rotate_images(field.expand(n_angles, -1, -1), angles[position])
        turned = clipped_again(turned, field[None])
        answer = read_out(model, torch.cat([field[None], turned]), batch_size=batch_size)
        probabilities = torch.softmax(answer.scores / model.temperature, dim=1).numpy()
        chosen = int(probabilities[0].argmax())
        same[position] = probabilities[1:].argmax(axis=1) == chosen
        changes[position] = np.abs(probabilities[1:, chosen] - probabilities[0, chosen])
        maps = _with_mean(answer.maps, model, side)
        for index, layer in enumerate(layers):
            found, wanted = _matching_pixels(maps[layer.name], angles[position], layer)
            pearson[index, position] = row_correlations(found, wanted)
            spearman[index, position] = row_correlations(mid_ranks(found), mid_ranks(wanted))
        if on_image is not None:
            on_image(position + 1, n)
    _warn_of_undefined(layers, pearson)
    return RotationConsistency(
        model_name=model.name,
        sources=tuple(image.source for image in images),
        angles_deg=angles,
        same_class=same,
        probability_changes=changes,
        layers=tuple(layer.name for layer in layers),
        pearson=pearson,
        spearman=spearman,
    )


def _layers(model: AttentionModel, side: int) -> list[LayerGrid]:
    """The gates' grids, and that of their mean: the field, as far as every gate reaches."""
    shape = (side, side)
    layers = list(layer_grids(model.spec, shape))
    if len(layers) > 1:
        centre = middle_of(shape)
        reach = min(layer.reach for layer in layers)
        layers.append(
            LayerGrid(
                name=MEAN_LAYER,
                shape=shape,
                centre=centre,
                reach=reach,
                disc=disc_about(shape, centre, reach),
            )
        )
    return layers


def _with_mean(
    maps: Mapping[str, torch.Tensor], model: AttentionModel, side: int
) -> Mapping[str, torch.Tensor]:
    if len(maps) < 2 or not isinstance(model.spec, ModelSpec):
        return maps
    on_field = [
        resample_to_field(
            maps[layer.name].numpy(),
            GridTransform(step=layer.step, origin_x=layer.origin, origin_y=layer.origin),
            (side, side),
        )
        for layer in gate_geometry(model.spec, side)
    ]
    return {**maps, MEAN_LAYER: torch.from_numpy(np.mean(on_field, axis=0))}


def _matching_pixels(
    maps: torch.Tensor, angles: NDArray[np.float64], layer: LayerGrid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels of the maps of rotated images, and of the first map rotated likewise."""
    wanted = rotate_images(
        maps[:1].expand(len(angles), -1, -1),
        angles,
        centre=layer.centre,
        interpolation=Interpolation.BILINEAR,
        outside=Outside.NEAREST,
    )
    return (maps[1:, layer.disc].double().numpy(), wanted[:, layer.disc].double().numpy())


def _warn_of_undefined(layers: Sequence[LayerGrid], pearson: NDArray[np.float64]) -> None:
    for layer, values in zip(layers, pearson, strict=True):
        n_undefined = int(np.isnan(values).sum())
        if n_undefined:
            warnings.warn(
                f"{n_undefined} of {values.size} correlations of {layer.name} are undefined, since a "
                "map is constant; they are left out",
                UndefinedValuesWarning,
                stacklevel=3,
            )
