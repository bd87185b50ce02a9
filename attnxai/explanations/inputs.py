"""What a network sees of some images, and the stack that its maps make: shared by all explanation methods."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceImage
from attnxai.data.mirabest import is_mirabest_source
from attnxai.data.origin import origin_of
from attnxai.data.positions import centres_of, lie_within, radii_of, same_source_radius
from attnxai.data.short_repr import short_repr
from attnxai.errors import CheckpointError
from attnxai.explanations.stack import MapStack, Split
from attnxai.models.architectures import (
    Network,
    Specification,
    computation_of,
    input_kind,
)
from attnxai.models.card_file import card_path, read_card
from attnxai.models.cards import ACCURACY, TEST
from attnxai.models.device_memory import images_at_once
from attnxai.models.lenet import DISC_MARGIN, LeNetSpec
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import NetworkView, warn_of_assumed
from attnxai.models.specification import ModelSpec
from attnxai.models.steerable import soft_disc
from attnxai.models.wrapped_network import WrappedNetwork, weights_sha256
from attnxai.statistics.interval import finite_or_none

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class ChangedImages(Sequence[SourceImage]):
    """Images of which networks see a changed version: turned, or with noise.

    Parameters
    ----------
    images : sequence of SourceImage
        The images.
    change : callable
        Makes from the brightness that a network sees, of shape (n_images, rows, columns), what it is to see instead.

    Examples
    --------
    >>> import attnxai
    >>> images = [attnxai.data.from_array(np.eye(150), source="s1", pixel_scale_arcsec=1.8)]
    >>> mirrored = ChangedImages(images, lambda brightness: brightness[..., ::-1])
    >>> inputs = attnxai.explanations.NetworkInputs.of(attnxai.load_model("c1.pt"), mirrored)
    >>> bool(inputs.brightness[0, 0, -1] == 1.0)
    True
    """

    images: Sequence[SourceImage]
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        return self.images[index]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkInputs:
    """Input of a network for some images.

    Made by :meth:`of`. Explanation methods take the input of the network from here, and give their maps back
    by :meth:`stack`.

    Parameters
    ----------
    model : AttentionModel
        The model.
    images : sequence of SourceImage
        The images.
    views : tuple of NetworkView
        What the model's preprocessing makes of each.

    Examples
    --------
    >>> import attnxai
    >>> images = [attnxai.data.from_array(np.eye(150), source="s1", pixel_scale_arcsec=1.8)]
    >>> inputs = attnxai.explanations.NetworkInputs.of(attnxai.load_model("c1.pt"), images)
    >>> [tuple(values.shape) for values in inputs.batches()]
    [(1, 1, 144, 144)]
    >>> inputs.stack({"input": inputs.brightness}).sources
    ('s1',)
    """

    model: AttentionModel
    images: Sequence[SourceImage]
    views: tuple[NetworkView, ...]

    __repr__ = short_repr

    @classmethod
    def of(cls, model: AttentionModel, images: Sequence[SourceImage]) -> NetworkInputs:
        """Pass images through a model's preprocessing.

        Raises
        ------
        ImageError
            If an image does not fit the model.

        Warns
        -----
        AssumptionWarning
            If an image does not state its pixel scale, so that the model's own is taken, or is padded.
        """
        preprocessing = model.preprocessing
        views = tuple(preprocessing.view(image) for image in images)
        if isinstance(images, ChangedImages):
            changed = images.change(np.stack([view.brightness for view in views]))
            views = tuple(
                dataclasses.replace(view, brightness=values)
                for view, values in zip(views, changed, strict=True)
            )
        warn_of_assumed(preprocessing, images, [view.assumed for view in views])
        return cls(model=model, images=images, views=views)

    @property
    def brightness(self) -> NDArray[np.float32]:
        """Brightness in [0, 1] before standardisation, shape (n_images, size, size)."""
        return np.stack([view.brightness for view in self.views])

    @property
    def places(self) -> tuple[GridTransform, ...]:
        """How the input grid lies on each image."""
        return tuple(view.transform for view in self.views)

    def batches(self, batch_size: int = 16) -> Iterator[torch.Tensor]:
        """Input of the network, batch by batch.

        Parameters
        ----------
        batch_size : int
            Images in a batch. A network that takes extremes over the whole batch sees one image at a time.

        Yields
        ------
        Tensor, shape (n, 1, size, size)
            On the device and in the precision of the network.
        """
        values = torch.from_numpy(self.model.preprocessing.standardise(self.brightness))
        return network_batches(self.model.network, values, batch_size)

    def stack(
        self,
        layers: Mapping[str, Any],
        *,
        geometry: Mapping[str, GridTransform] | None = None,
        means: Mapping[str, tuple[str, ...]] | None = None,
        scores: Any = None,
    ) -> MapStack:
        """The stack of maps of these images.

        Parameters
        ----------
        layers : mapping of str to ndarray or Tensor, shape (n_images, height, width)
            The maps.
        geometry : mapping of str to GridTransform, optional
            How the pixels of each layer lie on those of the input; the same pixels when left out.
        means : mapping of str to tuple of str, optional
            Further maps that are means of layers, as of :class:`MapStack`.
        scores : ndarray or Tensor, shape (n_images, n_classes), optional
            Class scores.

        Returns
        -------
        MapStack

        Raises
        ------
        AlignmentError
            If the maps do not fit the images.
        """
        model, preprocessing = self.model, self.model.preprocessing
        footprints = np.stack([view.footprint for view in self.views])
        return MapStack(
            model_name=model.name,
            sources=tuple(image.source for image in self.images),
            layers=layers,
            geometry=geometry or dict.fromkeys(layers, GridTransform()),
            field=self.places,
            brightness=self.brightness,
            valid=footprints & _within_disc(model.spec, preprocessing.size),
            field_scale_arcsec=preprocessing.pixel_scale_arcsec,
            splits=splits_of(model, self.images, self.views),
            scores=scores,
            class_names=model.class_names,
            provenance=model_provenance(model),
            temperature=model.temperature,
            means=means,
        )


def blank_input(model: AttentionModel) -> torch.Tensor:
    """Input of a network for an image of blank sky, shape (1, 1, size, size): the baseline of all methods."""
    size = model.preprocessing.size
    blank = model.preprocessing.standardise(np.zeros((1, size, size), np.float32))
    return next(network_batches(model.network, torch.from_numpy(blank), 1))


def network_batches(
    network: Network, values: torch.Tensor, batch_size: int
) -> Iterator[torch.Tensor]:
    """Batches of the images (n, rows, columns) as a network takes them, on its device."""
    device, dtype = input_kind(network)
    if isinstance(network.spec, ModelSpec) and network.spec.extremes_over_batch:
        batch_size = 1
    for batch in torch.split(values, images_at_once(batch_size)):
        yield batch[:, None].to(device=device, dtype=dtype)


def _within_disc(spec: Specification, size: int) -> NDArray[np.bool_]:
    """Pixels of the input that the network does not multiply by next to nothing."""
    if not spec.disc:
        return np.ones((size, size), bool)
    if isinstance(spec, LeNetSpec):
        padded = size + spec.trailing_pixels
        disc = soft_disc(padded, padded, margin=DISC_MARGIN)[:size, :size]
    else:
        disc = soft_disc(size, size)
    return np.asarray(disc.numpy() > 0.5)


@contextlib.contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """Let a network on the CPU use one thread within the block.

    Networks add in single precision, and in another order with another number of threads: maps would change in
    their seventh digit with the machine, and so would every number that is made of them.
    """
    if device.type != "cpu":
        yield
        return
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def split_of(model: AttentionModel, image: SourceImage, view: NetworkView | None = None) -> Split:
    """:func:`splits_of` one image."""
    return splits_of(model, [image], None if view is None else [view])[0]


def splits_of(
    model: AttentionModel,
    images: Sequence[SourceImage],
    views: Sequence[NetworkView] | None = None,
) -> tuple[Split, ...]:
    """What the model knew of sources, from its training record or its data set's split.

    A source is known by its id; where the record holds fingerprints, by what the network
    sees of it (its view, which is made if not given), so that a copy under another name counts as what it is a copy of;
    and, where the record holds positions, by its place on the sky, so that another image of the same source does.
    The split that published files were trained on is that of MiraBest, and says nothing about other sources.
    """
    record = model.training
    if record is None:
        return tuple(_published_split(model, image) for image in images)
    prints = [""] * len(images)
    if record.train_fingerprints or record.validation_fingerprints:
        # one view at a time, of any number of images
        each = views or map(model.preprocessing.view, images)
        prints = [view.fingerprint() for view in each]
    found = [Split.HELD_OUT] * len(images)
    centres, radii = _fields_on_sky(model, images) if record.n_positions else (None, None)
    # what was trained on and validated on at once counts as trained on
    for part, split in (("validation", Split.VALIDATION), ("train", Split.TRAINING)):
        sources, fingerprints = (
            frozenset(getattr(record, f"{part}_{name}")) for name in ("sources", "fingerprints")
        )
        positions = [place for place in getattr(record, f"{part}_positions") if place is not None]
        near = np.zeros(len(images), bool)
        if positions and centres is not None and radii is not None:
            near = lie_within(centres, positions, radii)
        for i, image in enumerate(images):
            if near[i] or image.source in sources or prints[i] in fingerprints:
                found[i] = split
    return tuple(found)


def _fields_on_sky(
    model: AttentionModel, images: Sequence[SourceImage]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of the fields of images, and how far from each a position is of the same source."""
    field = model.preprocessing
    of_model = same_source_radius((field.size, field.size), field.pixel_scale_arcsec)
    return centres_of([image.grid for image in images]), np.maximum(radii_of(images), of_model)


def _published_split(model: AttentionModel, image: SourceImage) -> Split:
    known = model.trained_on_split is not None and image.split is not None
    if known and is_mirabest_source(image.source):
        return Split.TRAINING if image.split == model.trained_on_split else Split.HELD_OUT
    return Split.UNKNOWN


def _test_accuracy(model: AttentionModel) -> float | None:
    """Accuracy on the test images by the card beside the model's file, if it is the card of that file."""
    if not Path(model.path).name:  # made in Python, not read from a file
        return None
    path = card_path(model.path)
    if not path.is_file():
        return None
    try:
        card = read_card(path)
    except CheckpointError:
        return None  # `attnxai models card` says what is wrong with it
    if (
        card.sha256 != model.sha256
        or TEST not in card.parts
        or ACCURACY not in card.parts[TEST].values
    ):
        return None
    return finite_or_none(card.parts[TEST].values[ACCURACY].value)


def model_provenance(model: AttentionModel) -> dict[str, Any]:
    """What results say about the model that they are of, as plain values."""
    training, network = model.training, model.network
    return {
        "file": Path(model.path).name,
        "sha256": model.sha256 or weights_sha256(model.network),
        "architecture": model.architecture,
        "code": origin_of(type(network.module)) if isinstance(network, WrappedNetwork) else {},
        "group": model.spec.group,
        "n_parameters": sum(p.numel() for p in model.network.parameters()),
        "specification": model.spec.to_dict(),
        "preprocessing": dataclasses.asdict(model.preprocessing),
        "class_names": list(model.class_names),
        "trained_on": training.data if training is not None else None,
        "training_data_sha256": training.data_sha256 if training is not None else None,
        "validation_accuracy": training.metrics.get("validation_accuracy")
        if training is not None
        else None,
        "test_accuracy": _test_accuracy(model),
        "temperature": getattr(model, "temperature", 1.0),
        "copies_recognised": bool(training is not None and training.train_fingerprints),
        "n_seen": training.n_sources if training is not None else 0,
        "n_seen_positions": training.n_positions if training is not None else 0,
        "notes": list(model.notes),
        "computation": computation_of(network),
    }
