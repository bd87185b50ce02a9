"""How exactly maps and class scores follow the symmetries that a network is built for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch

from attnxai.audit.equivariance_result import Symmetry, SymmetryErrors
from attnxai.audit.readout import (
    LayerGrid,
    disc_about,
    field_brightness,
    layer_grids,
    network_of,
    read_out,
    row_correlations,
)
from attnxai.data.images import SourceImage
from attnxai.errors import OptionError, UndefinedValuesWarning
from attnxai.models.architectures import Network, Specification
from attnxai.models.elements import (
    IDENTITY,
    GroupElement,
    Interpolation,
    Outside,
    clipped_again,
    group_elements,
    middle_of,
    transform_images,
)
from attnxai.models.model import AttentionModel
from attnxai.models.network import N_POOLINGS
from attnxai.models.specification import ModelSpec, Padding


def expected_symmetry(
    spec: Specification, element: GroupElement, shape: tuple[int, int]
) -> Symmetry:
    """What can be expected of an element for a field of ``shape`` (rows, columns).

    Exact are the elements of the group that map the pixel grid onto itself, if binning and the three poolings divide
    every axis that they reverse evenly about its middle: an even side that is padded symmetrically, or one that 8 times
    the binning divides. The
    transposition reverses none, so it is exact on every square. A LeNet flattens its features, so nothing is built into
    its class scores.
    """
    if element == IDENTITY:
        return Symmetry.EXACT
    if not isinstance(spec, ModelSpec) or not element.belongs_to(spec.symmetry):
        return Symmetry.ABSENT
    evenly = 2 if spec.padding is Padding.SYMMETRIC else spec.binning * 2**N_POOLINGS
    uneven = [
        turned and side % evenly != 0 for turned, side in zip(element.reverses, shape, strict=True)
    ]
    return Symmetry.EXACT if element.fits(shape) and not any(uneven) else Symmetry.APPROXIMATE


def symmetry_errors(
    model: AttentionModel | Network,
    images: Sequence[SourceImage] | torch.Tensor,
    *,
    elements: Sequence[GroupElement] | None = None,
    interpolation: Interpolation = Interpolation.BICUBIC,
    batch_size: int = 16,
    on_element: Callable[[int, int], None] | None = None,
) -> SymmetryErrors:
    """Transform images by every element of a group and measure how maps and class scores follow.

    Parameters
    ----------
    model : AttentionModel, AttentionNetwork or LeNet
        What to audit; its mode, device and hooks are the same afterwards.
    images : sequence of SourceImage, or Tensor of shape (n_images, rows, columns)
        Images of sources pass through the model's preprocessing. A tensor is brightness in
        [0, 1] for a model and the input itself for a network; it may have any sides. What is turned is
        this field, with zeros outside; brightness that was interpolated is 0 below half of the faintest pixel of an image.
    elements : sequence of GroupElement, optional
        Elements to transform by; all elements of the network's group when left out.
    interpolation : Interpolation
        How images are interpolated where an element does not fit their pixels.
    batch_size : int
        Images in one forward pass.
    on_element : callable, optional
        Called with the number of finished elements and of all.

    Returns
    -------
    SymmetryErrors

    Raises
    ------
    OptionError
        If there are no images, or a network alone is given images of sources.
    ImageError
        If an image does not fit the model.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> model = attnxai.load_model("c4.pt")
    >>> found = symmetry_errors(model, images[:1])
    >>> found.layers
    ('gate1', 'gate2', 'gate3')
    """
    fields = _fields(model, images)
    spec = network_of(model).spec
    chosen = tuple(group_elements(spec.symmetry) if elements is None else elements)
    shape = (int(fields.shape[1]), int(fields.shape[2]))
    grids = layer_grids(spec, shape)
    reference = read_out(model, fields, batch_size=batch_size)
    n = (len(chosen), len(grids), len(fields))
    turned, back = _Errors(n), _Errors(n)

    def turned_by(values: torch.Tensor, element: GroupElement) -> torch.Tensor:
        found = transform_images(values, element, interpolation=interpolation)
        if element.fits(shape) or not isinstance(model, AttentionModel):
            return found
        return clipped_again(found, fields)

    ranges = [_ranges(reference.maps[grid.name]) for grid in grids]
    image_errors = np.zeros(len(chosen))
    for index, element in enumerate(chosen):
        once = turned_by(fields, element)
        answer = read_out(model, once, batch_size=batch_size)
        turned.scores[index] = _root_mean_square(answer.scores - reference.scores)
        for layer, grid in enumerate(grids):
            expected = transform_images(
                reference.maps[grid.name],
                element,
                centre=grid.centre,
                interpolation=Interpolation.BILINEAR,
                outside=Outside.NEAREST,
            )
            on_grid = element.fits(shape) and element.fits(grid.shape, grid.centre)
            region = torch.ones_like(grid.disc) if on_grid else grid.disc
            turned.compare((index, layer), answer.maps[grid.name], expected, ranges[layer], region)
        if not element.fits(shape):
            twice = turned_by(once, element.inverse)
            image_errors[index] = _image_error(fields, twice)
            answer = read_out(model, twice, batch_size=batch_size)
            back.scores[index] = _root_mean_square(answer.scores - reference.scores)
            for layer, grid in enumerate(grids):
                before, after = reference.maps[grid.name], answer.maps[grid.name]
                back.compare((index, layer), after, before, ranges[layer], grid.disc)
        if on_element is not None:
            on_element(index + 1, len(chosen))
    _warn_of_constant_maps(grids, ranges)
    return SymmetryErrors(
        group=spec.group,
        shape=shape,
        elements=chosen,
        expected=tuple(expected_symmetry(spec, element, shape) for element in chosen),
        layers=tuple(grid.name for grid in grids),
        n_images=len(fields),
        score_size=_root_mean_square(reference.scores),
        score_spread=_root_mean_square(reference.scores - reference.scores.mean(dim=0)),
        score_changes=turned.scores,
        map_errors=turned.maps,
        map_correlations=turned.correlations,
        back_image_errors=image_errors,
        back_score_changes=back.scores,
        back_map_errors=back.maps,
        back_map_correlations=back.correlations,
    )


class _Errors:
    """Errors of all elements, filled one by one."""

    def __init__(self, n: tuple[int, int, int]) -> None:
        self.scores = np.zeros(n[0])
        self.maps = np.zeros(n)
        self.correlations = np.ones(n)

    def compare(
        self,
        where: tuple[int, int],
        maps: torch.Tensor,
        expected: torch.Tensor,
        ranges: torch.Tensor,
        region: torch.Tensor,
    ) -> None:
        """Note the largest difference and the correlation of the maps of all images."""
        found, wanted = maps[:, region], expected[:, region]
        self.maps[where] = ((found - wanted).abs().amax(dim=1) / ranges).numpy()
        self.correlations[where] = row_correlations(found.numpy(), wanted.numpy())


def _ranges(maps: torch.Tensor) -> torch.Tensor:
    """Largest minus smallest value of every map; NaN where it is constant."""
    ranges = maps.amax(dim=(1, 2)) - maps.amin(dim=(1, 2))
    return torch.where(ranges > 0, ranges, torch.nan)


def _fields(
    model: AttentionModel | Network, images: Sequence[SourceImage] | torch.Tensor
) -> torch.Tensor:
    if isinstance(images, torch.Tensor):
        if images.ndim != 3:
            raise OptionError(
                "images as a tensor need three axes (images, rows, columns), got the shape "
                f"{tuple(images.shape)}"
            )
        fields = images
    elif isinstance(model, AttentionModel):
        fields = field_brightness(model, images)
    else:
        raise OptionError(
            "a network alone has no preprocessing for images of sources; give the model, or a tensor"
        )
    if not len(fields):
        raise OptionError("there are no images to transform")
    return fields


def _root_mean_square(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


def _image_error(images: torch.Tensor, changed: torch.Tensor) -> float:
    shape = (int(images.shape[1]), int(images.shape[2]))
    disc = disc_about(shape, middle_of(shape), min(middle_of(shape)))
    before, after = images[:, disc].double(), changed[:, disc].double()
    spread = _root_mean_square(before - before.mean(dim=1, keepdim=True))
    return _root_mean_square(after - before) / spread if spread > 0 else float("nan")


def _warn_of_constant_maps(grids: Sequence[LayerGrid], ranges: Sequence[torch.Tensor]) -> None:
    for grid, values in zip(grids, ranges, strict=True):
        n_constant = int(values.isnan().sum())
        if n_constant:
            warnings.warn(
                f"{n_constant} of {len(values)} maps of {grid.name} are constant; their errors are "
                "undefined and left out",
                UndefinedValuesWarning,
                stacklevel=3,
            )
