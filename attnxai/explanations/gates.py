"""Attention maps of a network's gates, from the same forward pass as its prediction."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceImage, assume_pixel_scale
from attnxai.data.mirabest import is_mirabest_source
from attnxai.errors import AlignmentError
from attnxai.explanations.stack import MapStack, Split
from attnxai.models.architectures import Network
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork, gate_geometry
from attnxai.models.preprocessing import NetworkView
from attnxai.models.steerable import soft_disc


@contextlib.contextmanager
def recorded_gates(network: AttentionNetwork) -> Iterator[dict[str, torch.Tensor]]:
    """Record the attention maps of every forward pass within the block.

    The hooks are removed when the block ends, also when it ends with an error.

    Yields
    ------
    maps : dict of str to Tensor, shape (batch, height, width)
        Filled anew by each forward pass.
    """
    maps: dict[str, torch.Tensor] = {}
    handles = []

    def recorder(name: str) -> Callable[..., None]:
        def record(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
            maps[name] = output.detach()[:, 0]

        return record

    try:
        for name, gate in zip(network.spec.gate_names, network.gates, strict=True):
            handles.append(gate.normalise.register_forward_hook(recorder(name)))  # type: ignore[union-attr]
        yield maps
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def evaluating(network: Network) -> Iterator[None]:
    """Evaluation mode without gradients within the block.

    The mode of every module is given back when the block ends, also when it ends with an error.
    """
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def split_of(model: AttentionModel, image: SourceImage, view: NetworkView | None = None) -> Split:
    """What the model knew of a source, from its training record or its data set's split.

    A source is known by its id and, where the record holds fingerprints, by what the network sees of it, so
    that a copy under another name counts as what it is a copy of. The split that published files were
    trained on is that of MiraBest, and says nothing about other sources.

    Parameters
    ----------
    model : AttentionModel
        The model.
    image : SourceImage
        Image of the source.
    view : NetworkView, optional
        What the network sees of it, where that is at hand.
    """
    record = model.training
    if record is not None:
        fingerprint = ""
        if record.train_fingerprints or record.validation_fingerprints:
            fingerprint = (view or model.preprocessing.view(image)).fingerprint()
        if image.source in record.train_sources or fingerprint in record.train_fingerprints:
            return Split.TRAINING
        if (
            image.source in record.validation_sources
            or fingerprint in record.validation_fingerprints
        ):
            return Split.VALIDATION
        return Split.HELD_OUT
    known = model.trained_on_split is not None and image.split is not None
    if known and is_mirabest_source(image.source):
        return Split.TRAINING if image.split == model.trained_on_split else Split.HELD_OUT
    return Split.UNKNOWN


def attention_maps(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    batch_size: int = 16,
    on_batch: Callable[[int, int], None] | None = None,
) -> MapStack:
    """Maps of all gates of a model for some images.

    Parameters
    ----------
    model : AttentionModel
        The model; its mode, device and hooks are the same afterwards.
    images : sequence of SourceImage
        The images; each passes through the model's own preprocessing.
    batch_size : int
        Images in one forward pass; the maps do not depend on it. A network that takes extremes over
        the whole batch sees one image at a time.
    on_batch : callable, optional
        Called with the number of finished images and of all images.

    Returns
    -------
    MapStack
        With the gates as layers, the class scores of the same pass, and where each map lies.

    Raises
    ------
    ImageError
        If an image does not fit the model.
    CheckpointError
        If the model has no gates.
    """
    if not images:
        raise AlignmentError("there are no images to explain")
    spec, network = model.require_gates()
    if spec.extremes_over_batch:
        batch_size = 1
    views = [model.preprocessing.view(image) for image in images]
    n_assumed = sum(view.scale_assumed for view in views)
    assume_pixel_scale(n_assumed, len(images), model.preprocessing.pixel_scale_arcsec)
    brightness = np.stack([view.brightness for view in views])
    inputs = torch.from_numpy(model.preprocessing.standardise(brightness))[:, None]
    parameter = next(network.parameters())
    recorded: dict[str, list[np.ndarray]] = {name: [] for name in spec.gate_names}
    scores = []
    with evaluating(network), one_thread(parameter.device), recorded_gates(network) as maps:
        for start in range(0, len(images), batch_size):
            batch = inputs[start : start + batch_size]
            scores.append(
                network(batch.to(device=parameter.device, dtype=parameter.dtype)).cpu().double()
            )
            for name in spec.gate_names:
                recorded[name].append(maps[name].cpu().float().numpy())
            if on_batch is not None:
                on_batch(min(start + batch_size, len(images)), len(images))
    size = model.preprocessing.size
    valid = np.stack([view.footprint for view in views])
    if spec.disc:
        valid = valid & (soft_disc(size, size).numpy() > 0.5)
    return MapStack(
        model_name=model.name,
        sources=tuple(image.source for image in images),
        layers={name: np.concatenate(recorded[name]) for name in spec.gate_names},
        geometry={
            layer.name: GridTransform(step=layer.step, origin_x=layer.origin, origin_y=layer.origin)
            for layer in gate_geometry(spec, size)
        },
        field=tuple(view.transform for view in views),
        brightness=brightness,
        valid=valid,
        field_scale_arcsec=model.preprocessing.pixel_scale_arcsec,
        splits=tuple(
            split_of(model, image, view) for image, view in zip(images, views, strict=True)
        ),
        scores=torch.cat(scores).numpy(),
        class_names=model.class_names,
        provenance=model_provenance(model),
        temperature=model.temperature,
    )


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


def model_provenance(model: AttentionModel) -> dict[str, Any]:
    """What results say about the model that they are of, as plain values."""
    training = model.training
    return {
        "file": Path(model.path).name,
        "sha256": model.sha256,
        "architecture": str(model.spec.architecture).replace("_", " "),
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
        "copies_recognised": bool(training is not None and training.train_fingerprints),
        "notes": list(model.notes),
    }
