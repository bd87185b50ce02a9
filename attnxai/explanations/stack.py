"""Maps of many sources, layer by layer, on the grid on which they were computed."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.data.grid import GridTransform
from attnxai.data.short_repr import short_repr
from attnxai.errors import AlignmentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage


MEAN_LAYER = "mean"
"""Name of the mean of all layers."""

BRIGHTNESS, EMISSION, CENTRE_BIAS = "brightness", "emission", "centre bias"
"""Names of the baselines of a comparison, of which the first two are also at resolutions (``brightness at 5.4″``)."""


class Split(enum.StrEnum):
    """How a model used a source: for training, for validation, not at all, or not known."""

    TRAINING = "training"
    VALIDATION = "validation"
    HELD_OUT = "held-out"
    UNKNOWN = "unknown"


def read_only(values: Any, what: str) -> NDArray[Any]:
    """A view that cannot be written to, of an array or torch tensor; the caller's stays as it is."""
    if hasattr(values, "detach"):  # torch is not imported for maps from elsewhere
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":  # which NumPy does not have
            values = values.float()
    try:
        view = np.asarray(values).view()
    except (TypeError, ValueError) as error:
        raise AlignmentError(f"{what} is not an array of numbers: {error}") from error
    if view.dtype.kind not in "fiub":
        raise AlignmentError(f"{what} holds {view.dtype} values; give an array of real numbers")
    view.setflags(write=False)
    return view


_SMALLEST_COVERED = (
    0.75  # unpadded convolutions lose a margin of the field, wrong transforms half of it
)


def _check_covers(
    name: str, shape: tuple[int, ...], geometry: GridTransform, field_shape: tuple[int, int]
) -> None:
    """Refuse a layer that its geometry places on a part of the field only."""
    origins = (geometry.origin_y, geometry.origin_x)
    for axis, n, n_field, origin in zip(
        ("rows", "columns"), shape, field_shape, origins, strict=True
    ):
        low, high = origin - geometry.step / 2, origin + geometry.step * (n - 0.5)
        covered = min(high, n_field - 0.5) - max(low, -0.5)
        if covered < _SMALLEST_COVERED * n_field:
            raise AlignmentError(
                f"layer {name} has {n} {axis} and covers {max(covered, 0.0):g} of the {n_field} {axis} of the "
                f"field by its geometry ({geometry}); for maps of the whole field state "
                "GridTransform.covering(maps.shape[1:], field_shape)"
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapStack:
    """One array per layer, each on its own grid, for the same sources.

    All layers lie on one field, the network's input grid, which in turn lies on each source's image.

    Parameters
    ----------
    model_name : str
        What to call the model.
    sources : tuple of str
        Ids in the order of the first axis of every array.
    layers : mapping of str to ndarray, shape (n_sources, height, width)
        The maps; torch tensors are taken as well, here and below.
    geometry : mapping of str to GridTransform
        How each layer's grid lies on the field.
    field : tuple of GridTransform
        How the field lies on each source's image.
    brightness : ndarray, shape (n_sources, rows, columns)
        What the network saw, in [0, 1], on the field.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Field pixels that the network sees and the survey observed.
    field_scale_arcsec : float
        Side of a field pixel.
    splits : tuple of Split
        How the model used each source.
    scores : ndarray, shape (n_sources, n_classes), optional
        Class scores (logits) from the same forward pass.
    class_names : tuple of str
        Names of the classes.
    provenance : mapping
        Where maps and model come from, as plain values.
    temperature : float
        Scores are divided by it before they become probabilities.
    means : mapping of str to tuple of str, optional
        Further maps, each the mean of some layers on the field; when left out, ``mean``, of all layers if
        there are several.

    Raises
    ------
    AlignmentError
        If arrays and sources do not fit together, or a layer has the name of a baseline.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:2])
    >>> maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
    >>> maps.sources
    ('simulated_fr1_01', 'simulated_fr1_02')
    >>> {name: layer.shape for name, layer in maps.layers.items()}
    {'gate1': (2, 12, 12), 'gate2': (2, 24, 24), 'gate3': (2, 48, 48)}
    >>> maps.select(maps.sources[:1]).predicted_classes()
    ('FR I',)
    """

    model_name: str
    sources: tuple[str, ...]
    layers: Mapping[str, NDArray[np.float32]]
    geometry: Mapping[str, GridTransform]
    field: tuple[GridTransform, ...]
    brightness: NDArray[np.float32]
    valid: NDArray[np.bool_]
    field_scale_arcsec: float
    splits: tuple[Split, ...]
    scores: NDArray[np.float64] | None = None
    class_names: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    temperature: float = 1.0
    means: Mapping[str, tuple[str, ...]] | None = None

    __repr__ = short_repr
    _repr_html_ = presenters.repr_html

    def __post_init__(self) -> None:
        n = len(self.sources)
        if not self.layers:
            raise AlignmentError("a stack of maps needs at least one layer")
        if set(self.layers) != set(self.geometry):
            raise AlignmentError("every layer needs its geometry, and no other")
        layers = {name: read_only(maps, f"layer {name}") for name, maps in self.layers.items()}
        object.__setattr__(self, "layers", layers)
        for name in (*layers, *self.named_means):
            if name.strip().casefold().partition(" at ")[0] in (BRIGHTNESS, EMISSION, CENTRE_BIAS):
                raise AlignmentError(
                    f"the maps {name!r} of {self.model_name} have the name of a baseline; {BRIGHTNESS}, {EMISSION} and "
                    f"{CENTRE_BIAS} are reserved, so give the layer another name, such as {f'map of {name}'!r}"
                )
        for name, of in self.named_means.items():
            if name in layers or not of or not set(of) <= set(layers):
                raise AlignmentError(
                    f"the mean {name!r} of {of} is not one of layers under a name of its own; the layers are "
                    f"{', '.join(layers)}"
                )
        for name in ("brightness", "valid", "scores"):
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(values, name))
        for name, maps in layers.items():
            if maps.ndim != 3 or len(maps) != n:
                raise AlignmentError(
                    f"layer {name} has shape {maps.shape}; it needs one map for each of {n} sources"
                )
            if not np.isfinite(maps).all():
                raise AlignmentError(f"layer {name} holds values that are not finite")
        for name in ("brightness", "valid"):
            values = getattr(self, name)
            if values.ndim != 3 or len(values) != n:
                raise AlignmentError(f"{name} has shape {values.shape} for {n} sources")
        if self.brightness.shape != self.valid.shape:
            raise AlignmentError(
                f"brightness has shape {self.brightness.shape}, valid {self.valid.shape}"
            )
        for name, maps in layers.items():
            _check_covers(name, maps.shape[1:], self.geometry[name], self.field_shape)
        if len(self.field) != n or len(self.splits) != n:
            raise AlignmentError(f"field and splits need {n} entries, one a source")
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise AlignmentError(
                f"the temperature has to be finite and above 0, got {self.temperature}"
            )
        if self.scores is not None:
            if self.scores.shape != (n, len(self.class_names)):
                raise AlignmentError(
                    f"scores have shape {self.scores.shape} for {n} sources and "
                    f"{len(self.class_names)} classes"
                )
            if not np.isfinite(self.scores).all():
                raise AlignmentError("scores hold values that are not finite")

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def named_means(self) -> Mapping[str, tuple[str, ...]]:
        """The layers of every mean: those of ``means``, or all layers if there are several."""
        if self.means is not None:
            return self.means
        return {MEAN_LAYER: tuple(self.layers)} if len(self.layers) > 1 else {}

    def select(self, sources: Iterable[str]) -> MapStack:
        """The maps of the named sources, in the order of the names.

        Raises
        ------
        AlignmentError
            If a source has no map.
        """
        place = {source: i for i, source in enumerate(self.sources)}
        names = tuple(sources)
        if missing := [name for name in names if name not in place]:
            raise AlignmentError(
                f"there is no map of {missing[0]!r} in the maps of {self.model_name}"
            )
        if names == self.sources:
            return self
        return self.take([place[name] for name in names])

    def take(self, positions: Sequence[int]) -> MapStack:
        """The maps at some positions of the first axis, in the order of the positions."""
        index = list(positions)
        return dataclasses.replace(
            self,
            sources=tuple(self.sources[i] for i in index),
            layers={name: maps[index] for name, maps in self.layers.items()},
            field=tuple(self.field[i] for i in index),
            brightness=self.brightness[index],
            valid=self.valid[index],
            splits=tuple(self.splits[i] for i in index),
            scores=None if self.scores is None else self.scores[index],
        )

    def write(
        self,
        path: str | Path,
        images: Sequence[SourceImage] | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Write the maps to a file, from which :func:`attnxai.read_maps` reads the same stack.

        Parameters
        ----------
        path : path
            ``.npz`` for NumPy, ``.zarr`` for a Zarr group, ``.fits`` for one FITS file of all sources; without an
            ending a folder with a FITS file for each source.
        images : sequence of SourceImage, optional
            The images of the sources, which give maps in FITS their coordinates on the sky.
        overwrite : bool
            Replace maps that were written there before.

        Raises
        ------
        OptionError
            If the path cannot be written or exists already.
        """
        from attnxai.explanations.files.formats import write_maps

        write_maps(self, path, images, overwrite=overwrite)

    @property
    def field_shape(self) -> tuple[int, int]:
        """Rows and columns of the field."""
        rows, columns = self.valid.shape[1:]
        return int(rows), int(columns)

    @property
    def probabilities(self) -> NDArray[np.float64] | None:
        """Class probabilities of every source, or None without scores."""
        if self.scores is None:
            return None
        scaled = self.scores / self.temperature
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def predicted_classes(self) -> tuple[str, ...] | None:
        """Most probable class of each source, or None without scores."""
        if self.scores is None:
            return None
        return tuple(self.class_names[i] for i in self.scores.argmax(axis=1))


def join_stacks(stacks: Sequence[MapStack]) -> MapStack:
    """One stack of the layers of several, of the same model and sources.

    Raises
    ------
    AlignmentError
        If they are of different models or sources, lie on different fields, or two layers have one name.
    """
    first, *others = stacks
    layers, geometry = dict(first.layers), dict(first.geometry)
    means = dict(first.named_means)
    scores = first.scores
    for other in others:
        for what in ("model_name", "sources", "field", "class_names", "temperature"):
            if getattr(first, what) != getattr(other, what):
                raise AlignmentError(f"maps with different {what} cannot be joined")
        for what in ("brightness", "valid"):
            if not np.array_equal(getattr(first, what), getattr(other, what)):
                raise AlignmentError(f"maps with different {what} cannot be joined")
        if same := sorted({*layers, *means} & {*other.layers, *other.named_means}):
            raise AlignmentError(f"two maps are called {same[0]!r}; give each a name of its own")
        layers |= other.layers
        geometry |= other.geometry
        means |= other.named_means
        scores = other.scores if scores is None else scores
    explained = [one for stack in stacks for one in stack.provenance.get("explanations", ())]
    return dataclasses.replace(
        first,
        layers=layers,
        geometry=geometry,
        means=means,
        scores=scores,
        provenance={**first.provenance, "explanations": explained},
    )
