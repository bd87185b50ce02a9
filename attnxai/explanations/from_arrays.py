"""Stacks of maps that were made elsewhere and given as arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.classes import canonical_class
from attnxai.data.grid import GridTransform
from attnxai.data.images import assume
from attnxai.data.wording import counted
from attnxai.errors import AlignmentError
from attnxai.explanations.orientation import warn_of_orientation
from attnxai.explanations.stack import MapStack, Split, read_only
from attnxai.models.preprocessing import Preprocessing, brightness_on_field, warn_of_assumed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from attnxai.data.images import SourceImage

UNNAMED = "maps"
"""Name of maps whose model is not named."""
ONLY_LAYER = "map"
"""Name of the layer of maps that are given without one."""
DEFAULT_CLIP_SIGMA = Preprocessing().clip_sigma


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fields:
    """Fields on images: their place, what is seen on them, and what was observed; one entry or map an image."""

    transforms: tuple[GridTransform, ...]
    brightness: NDArray[np.float32]
    valid: NDArray[np.bool_]
    scale_arcsec: float

    @classmethod
    def placed(
        cls,
        images: Sequence[SourceImage],
        transforms: Sequence[GridTransform],
        shape: tuple[int, int],
        *,
        clip_sigma: float = DEFAULT_CLIP_SIGMA,
    ) -> Fields:
        """Fields of some shape whose place on each image is known."""
        seen = [
            brightness_on_field(image, transform, shape, clip_sigma=clip_sigma)
            for image, transform in zip(images, transforms, strict=True)
        ]
        brightness, valid = zip(*seen, strict=True)
        scales = [image.grid.pixel_scale_arcsec for image in images]
        stated = [one for one in scales if one is not None]
        if len(stated) < len(scales):
            assume(
                f"{len(scales) - len(stated)} of {counted(len(scales), 'image')} state no pixel scale; they are taken "
                f"to have pixels of {stated[0] if stated else 1.0:g} arcsec; state it with pixel_scale_arcsec"
            )
        scale = stated[0] if stated else 1.0
        return cls(
            transforms=tuple(transforms),
            brightness=np.stack(brightness),
            valid=np.stack(valid),
            scale_arcsec=scale * transforms[0].step,
        )

    @classmethod
    def of(cls, images: Sequence[SourceImage], preprocessing: Preprocessing | None) -> Fields:
        """The fields that a preprocessing takes from images, or without one the whole images."""
        if preprocessing is not None:
            views = [preprocessing.view(image) for image in images]
            warn_of_assumed(preprocessing, images, [view.assumed for view in views])
            return cls(
                transforms=tuple(view.transform for view in views),
                brightness=np.stack([view.brightness for view in views]),
                valid=np.stack([view.footprint for view in views]),
                scale_arcsec=preprocessing.pixel_scale_arcsec,
            )
        first = images[0]
        if other := next((image for image in images if image.shape != first.shape), None):
            raise AlignmentError(
                f"image {first.source} has {_sides(first.shape)} pixels and image {other.source} "
                f"{_sides(other.shape)}; maps need one field for all images, so give cutouts of one size, or state "
                "with preprocessing (on the command line --field) which field in their middle the maps cover"
            )
        return cls.placed(images, (GridTransform(),) * len(images), first.shape)


def maps_from_arrays(
    images: Sequence[SourceImage],
    arrays: ArrayLike | Sequence[ArrayLike] | Mapping[str, Any],
    *,
    geometry: GridTransform | Mapping[str, GridTransform] | None = None,
    preprocessing: Preprocessing | None = None,
    scores: ArrayLike | None = None,
    class_names: Sequence[str] = (),
    splits: str | Sequence[str] | Mapping[str, str] = Split.UNKNOWN,
    model_name: str = UNNAMED,
    provenance: Mapping[str, Any] | None = None,
) -> MapStack:
    """Make a stack of maps that any program and any method has computed.

    Parameters
    ----------
    images : sequence of SourceImage
        The images that the maps are of. A row of a map lies along a row of the pixels of its image:
        ``image.pixels[0]`` is the bottom row of a FITS image and the top row of a PNG image.
    arrays : array_like, sequence or mapping
        The maps, larger values where a pixel matters more. Those of one method are an array of shape (n_images,
        height, width) or a sequence of arrays of shape (height, width) in the order of the images, or a mapping
        from the id of each source to its array. Those of several are a mapping from names of layers to any of these.
    geometry : GridTransform, or mapping of str to GridTransform, optional
        How the pixels of the maps, or of each layer, lie on the field. Left out, maps cover the whole field.
    preprocessing : Preprocessing, optional
        What the network saw of each image: the field in its middle, the clip and the scale. Left out, the field
        is the whole image on its own pixels, and survey brightness is clipped at 3 standard deviations of its noise.
    scores : array_like, shape (n_images, n_classes), optional
        Class scores (logits) of the network.
    class_names : sequence of str
        Names of the classes, in the order of the scores; Fanaroff-Riley classes in any spelling.
    splits : str, sequence of str, or mapping of str to str
        How the network used the sources: ``training``, ``validation``, ``held-out`` or ``unknown``; for all, one
        by one, or by the ids of sources.
    model_name : str
        What to call the network, or the maps.
    provenance : mapping, optional
        Where the maps come from, as plain values, for reports and files.

    Returns
    -------
    MapStack

    Raises
    ------
    AlignmentError
        If maps and images do not fit together, or maps are not real, finite numbers or constant everywhere; the
        message names the layer and the source.
    ImageError
        If an image does not fit the preprocessing, or shows nothing above its noise.

    Warns
    -----
    AssumptionWarning
        If maps agree clearly better with the images after they have been turned or mirrored, or have other sides than the
        images and nothing states how they lie on these.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> images = attnxai.read_images(list(annotations.image_files().values())[:3])
    >>> maps = attnxai.maps_from_arrays(images, [image.pixels**2 for image in images], model_name="squares")
    >>> maps.layers["map"].shape
    (3, 160, 160)
    """
    if not images:
        raise AlignmentError("there are no images that the maps could be of")
    fields = Fields.of(images, preprocessing)
    sources = tuple(image.source for image in images)
    layers = {
        name: stacked(name, given, sources) for name, given in _by_layer(arrays, sources).items()
    }
    return stack_on_fields(
        sources,
        layers,
        {
            name: _geometry(name, geometry, maps, fields, field_stated=preprocessing is not None)
            for name, maps in layers.items()
        },
        fields,
        splits=checked_splits(splits, sources),
        scores=None if scores is None else np.asarray(scores, dtype=np.float64),
        class_names=tuple(map(canonical_class, class_names)),
        model_name=model_name,
        provenance=dict(provenance or {}),
    )


def stack_on_fields(
    sources: tuple[str, ...],
    layers: Mapping[str, NDArray[Any]],
    geometry: Mapping[str, GridTransform],
    fields: Fields,
    **facts: Any,
) -> MapStack:
    """The stack of layers that lie on fields; ``facts`` are further arguments of :class:`MapStack`."""
    stack = MapStack(
        sources=sources,
        layers=layers,
        geometry=geometry,
        field=fields.transforms,
        brightness=fields.brightness,
        valid=fields.valid,
        field_scale_arcsec=fields.scale_arcsec,
        # maps of different methods have no mean that means anything
        means={},
        **facts,
    )
    warn_of_orientation(stack)
    return stack


def _by_layer(arrays: Any, sources: Sequence[str]) -> dict[str, Any]:
    """The maps of each layer, from all forms in which they can be given."""
    if not isinstance(arrays, Mapping):
        return {ONLY_LAYER: arrays}
    if not arrays:
        raise AlignmentError("there are no maps: the mapping is empty")
    if not all(isinstance(name, str) and name.strip() for name in arrays):
        raise AlignmentError("maps need names of layers, or ids of sources, as keys")
    known = set(sources)
    if known & set(arrays) or all(hasattr(x, "shape") and np.ndim(x) == 2 for x in arrays.values()):
        return {ONLY_LAYER: arrays}
    return dict(arrays)


def stacked(layer: str, given: Any, sources: tuple[str, ...]) -> NDArray[Any]:
    """Maps of a layer, shape (n, height, width), in the order of the sources."""
    n = len(sources)
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in sources]
        missing = [name for name in sources if name not in given]
        if unknown or missing:
            wrong, what = (unknown, "no image") if unknown else (missing, "no map")
            total = len(given) if unknown else n
            raise AlignmentError(
                f"{len(wrong)} of {counted(total, 'source')} of the layer {layer!r} {'has' if len(wrong) == 1 else 'have'} "
                f"{what}, such as {wrong[0]!r}; give one map for each image, under the id of its source"
            )
        given = [given[name] for name in sources]
    if isinstance(given, list | tuple):
        if len(given) != n:
            raise _count_fault(layer, len(given), n)
        maps = [
            read_only(one, f"the map {layer!r} of {s!r}")
            for one, s in zip(given, sources, strict=True)
        ]
        for source, one in zip(sources, maps, strict=True):
            if one.ndim != 2 or one.shape != maps[0].shape:
                raise AlignmentError(
                    f"the map {layer!r} of {source!r} has shape {one.shape}"
                    + (
                        f" and that of {sources[0]!r} {maps[0].shape}; maps of a layer need one shape"
                        if one.ndim == 2 and maps[0].ndim == 2
                        else "; a map has two axes, its rows and columns"
                    )
                )
        values: NDArray[Any] = np.stack(maps)
    else:
        values = read_only(given, f"the layer {layer!r}")
    _check_shape(layer, values, n)
    finite = np.isfinite(values).reshape(n, -1)
    if not finite.all():
        first = int(np.flatnonzero(~finite.all(axis=1))[0])
        raise AlignmentError(
            f"the map {layer!r} of {sources[first]!r} holds {counted(int((~finite[first]).sum()), 'value')} of "
            f"{finite.shape[1]} that {'is' if (~finite[first]).sum() == 1 else 'are'} NaN or infinite; replace them, "
            "by 0 where the method says nothing"
        )
    if (values == values[:, :1, :1]).all():
        raise AlignmentError(
            f"all {n} maps of the layer {layer!r} are constant, such as {float(values[0, 0, 0]):g} everywhere for "
            f"{sources[0]!r}; a constant map explains nothing, so check how the maps were computed"
        )
    return values.astype(np.result_type(values.dtype, np.float32), copy=False)


def _check_shape(layer: str, maps: NDArray[Any], n: int) -> None:
    shape = maps.shape
    if len(shape) == 4 and 1 in (shape[1], shape[3]):
        index = "[:, 0]" if shape[1] == 1 else "[..., 0]"
        raise AlignmentError(
            f"the layer {layer!r} has shape {shape}; take the axis of its only channel away, by maps{index}"
        )
    if len(shape) != 3:
        raise AlignmentError(
            f"the layer {layer!r} has shape {shape}; it needs three axes, for sources, rows and columns"
        )
    if shape[0] != n:
        hint = "; move the last axis to the front" if shape[2] == n else ""
        raise _count_fault(layer, shape[0], n, hint)
    if not maps.size:
        raise AlignmentError(f"the layer {layer!r} has shape {shape}: its maps have no pixels")


def _count_fault(layer: str, n_maps: int, n: int, hint: str = "") -> AlignmentError:
    return AlignmentError(
        f"the layer {layer!r} has {counted(n_maps, 'map')} for {counted(n, 'image')}"
        + (
            hint
            or "; give one map for each image, in the order of the images or by the ids of their sources"
        )
    )


def _geometry(
    layer: str,
    given: GridTransform | Mapping[str, GridTransform] | None,
    maps: NDArray[Any],
    fields: Fields,
    *,
    field_stated: bool,
) -> GridTransform:
    if isinstance(given, GridTransform):
        return given
    if given is not None:
        if layer not in given:
            raise AlignmentError(
                f"geometry states nothing about the layer {layer!r}, but about {', '.join(map(repr, given))}"
            )
        return given[layer]
    shape, field_shape = maps.shape[1:], fields.valid.shape[1:]
    (rows, columns), (n_y, n_x) = shape, field_shape
    if abs(rows * n_x - columns * n_y) > 1e-9 * rows * n_x:
        turned = "; its rows and columns may be swapped" if rows * n_y == columns * n_x else ""
        raise AlignmentError(
            f"the maps of the layer {layer!r} have {_sides(shape)} pixels, which are other proportions than those of "
            f"the field, {_sides(field_shape)}{turned}; maps of the whole field have its proportions; for others "
            "state the field with preprocessing or how pixels lie on it with geometry (on the command line --field)"
        )
    if not field_stated and shape != field_shape:
        assume(
            f"the maps of the layer {layer!r} have {_sides(shape)} pixels and the images {_sides(field_shape)}; they are "
            "taken to cover the whole images, so state the field in the middle that they cover with preprocessing, or how "
            "their pixels lie on the images with geometry (on the command line --field)"
        )
    return GridTransform.covering((rows, columns), (n_y, n_x))


def checked_splits(given: Any, sources: tuple[str, ...]) -> tuple[Split, ...]:
    """Splits of all sources from one for all, one for each, or some by their ids."""
    if isinstance(given, str):
        given = [given] * len(sources)
    elif isinstance(given, Mapping):
        given = [given.get(source, Split.UNKNOWN) for source in sources]
    known = [str(split) for split in Split]
    found = tuple(given)
    if wrong := [one for one in found if one not in known]:
        raise AlignmentError(f"the split {wrong[0]!r} is unknown; splits are {', '.join(known)}")
    if len(found) != len(sources):
        raise AlignmentError(
            f"splits has {len(found)} entries for {counted(len(sources), 'image')}; give one for each, or one for all"
        )
    return tuple(Split(one) for one in found)


def _sides(shape: Sequence[int]) -> str:
    return f"{shape[0]} x {shape[1]}"
