"""The explanation methods that there are, and maps by any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from attnxai.data.images import SourceImage, assume
from attnxai.data.wording import unknown_name
from attnxai.errors import OptionError
from attnxai.explanations import (  # noqa: F401 -- which register themselves
    cam,
    evidence,
    gates,
    gradcam,
    gradients,
    perturbation,
)
from attnxai.explanations.averaging import smoothed, symmetrised
from attnxai.explanations.gate_pass import GateReader, read_gates
from attnxai.explanations.inputs import one_thread
from attnxai.explanations.method import EXPLANATIONS, ExplanationMethod, check_explained
from attnxai.explanations.stack import MapStack, join_stacks
from attnxai.models.architectures import input_kind
from attnxai.models.device_memory import in_memory
from attnxai.models.evaluation import evaluating
from attnxai.models.model import AttentionModel
from attnxai.models.wrapped_network import WrappedNetwork

__all__ = ["EXPLANATIONS", "explain", "explanation_method"]


def explain(
    model: AttentionModel,
    images: Sequence[SourceImage],
    method: str | ExplanationMethod | Sequence[str | ExplanationMethod] = "gates",
    *,
    target: str | Sequence[str] | None = None,
    rng: np.random.Generator | int = 0,
    readers: Sequence[GateReader] = (),
    on_batch: Callable[[int, int], None] | None = None,
) -> MapStack:
    """Maps of some images by an explanation method.

    Parameters
    ----------
    model : AttentionModel
        The model; its mode, device and hooks are the same afterwards.
    images : sequence of SourceImage
        The images; each passes through the model's own preprocessing.
    method : str or ExplanationMethod, or sequence of them
        Name of a registered method, or a method itself. The maps of several stand in one stack.
    target : str or sequence of str, optional
        Class whose score is explained, or several, of which the first is explained against the others (its score less
        the mean of theirs); the predicted class of each image against all others when left out. Methods whose maps do not depend on a class, such as ``gates``, ignore it.
    rng : numpy.random.Generator or int
        Source of randomness, for methods that draw.
    readers : sequence of GateReader
        What else reads the forward pass through the gates, such as an audit; only for models with gates.
    on_batch : callable, optional
        Called with the number of finished images and of all.

    Returns
    -------
    MapStack

    Raises
    ------
    OptionError
        If a method is unknown or given twice, or the target is not a class of the model.
    AlignmentError
        If there are no images.
    ImageError
        If an image does not fit the model.
    CheckpointError
        If the method needs attention gates and the model has none.

    Warns
    -----
    DeviceWarning
        If a GPU has too little memory for one image at a time, so that all maps were computed on the CPU.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> image = attnxai.read_images(annotations.image_files()[annotations.sources[0]])
    >>> attnxai.explain(attnxai.load_model("c1.pt"), image, method="gates").layers.keys()
    dict_keys(['gate1', 'gate2', 'gate3'])
    """
    chosen = chosen_methods(method)
    check_explained(model, images, target)
    note_unmatched(model, images)
    return explain_part(
        model, images, chosen, target=target, rng=rng, readers=readers, on_batch=on_batch
    )


def explain_part(
    model: AttentionModel,
    images: Sequence[SourceImage],
    chosen: Sequence[ExplanationMethod],
    *,
    target: str | Sequence[str] | None,
    rng: np.random.Generator | int,
    readers: Sequence[GateReader] = (),
    on_batch: Callable[[int, int], None] | None = None,
) -> MapStack:
    """:func:`explain` without the checks and the note that are about all images, of which these are a part."""
    state = dict(rng.bit_generator.state) if isinstance(rng, np.random.Generator) else {}

    def run() -> MapStack:
        if isinstance(rng, np.random.Generator):
            rng.bit_generator.state = state  # as before an attempt that had too little memory
        return _explained(
            model, images, chosen, target=target, rng=rng, readers=readers, on_batch=on_batch
        )

    return in_memory(model.network, run)


def _explained(
    model: AttentionModel,
    images: Sequence[SourceImage],
    chosen: Sequence[ExplanationMethod],
    *,
    target: str | Sequence[str] | None,
    rng: np.random.Generator | int,
    readers: Sequence[GateReader],
    on_batch: Callable[[int, int], None] | None,
) -> MapStack:
    """Maps by all methods, of which those that can share a forward pass."""
    sharing = [one for one in chosen if one.reader is not None]
    alone = [one for one in chosen if one.reader is None]
    passes = len(alone) + bool(sharing or readers)
    stacks = {}
    if sharing or readers:
        makers = {one.name: one.reader(target) for one in sharing if one.reader is not None}
        device, _ = input_kind(model.network)
        with evaluating(model.network), one_thread(device):
            on_own = on_batch and _after(on_batch, 0, passes)
            read_gates(model, images, [*makers.values(), *readers], on_batch=on_own)
        for one in sharing:
            made = makers[one.name].stack()
            stacks[one.name] = one.described(made, images, target=target, rng=rng)
    for position, one in enumerate(alone, passes - len(alone)):
        on_own = on_batch and _after(on_batch, position, passes)
        stacks[one.name] = one(model, images, target=target, rng=rng, on_batch=on_own)
    return join_stacks([stacks[one.name] for one in chosen])


def note_unmatched(model: AttentionModel, images: Sequence[SourceImage]) -> None:
    """Say if none of the sources that a wrapped module was trained on is among the images."""
    record = model.training
    if record is None or not isinstance(model.network, WrappedNetwork):
        return
    trained_on = {*record.train_sources, *record.validation_sources}
    if trained_on and not any(image.source in trained_on for image in images):
        assume(
            f"{model.name}: no image is of a source in train_sources or validation_sources, such as "
            f"{min(trained_on)!r}, so all count as held out; ids are those of the images, such as {images[0].source!r}"
        )


def _after(
    on_batch: Callable[[int, int], None], position: int, n_methods: int
) -> Callable[[int, int], None]:
    """Progress of one of several passes, as progress of all."""
    return lambda n_done, n: on_batch(position * n + n_done, n_methods * n)


def chosen_methods(
    method: str | ExplanationMethod | Sequence[str | ExplanationMethod],
) -> list[ExplanationMethod]:
    """The methods that are named, one or more different ones, or an error that says what there is."""
    alone = isinstance(method, str | ExplanationMethod) or not isinstance(method, Sequence)
    given: Sequence[Any] = [method] if alone else method  # type: ignore[assignment]
    chosen = [
        one if isinstance(one, ExplanationMethod) else explanation_method(one) for one in given
    ]
    names = [one.name for one in chosen]
    if not chosen or len(set(names)) < len(names):
        raise OptionError(
            f"explanation methods have to be one or more different ones, got {', '.join(names) or 'none'}"
        )
    return chosen


_AVERAGES: dict[str, Callable[[ExplanationMethod], ExplanationMethod]] = {
    "smoothed_": smoothed,
    "symmetrised_": symmetrised,
}


def explanation_method(name: str) -> ExplanationMethod:
    """The method of this name, or an error that lists what there is.

    ``smoothed_`` and ``symmetrised_`` before a name give the means of its maps.
    """
    if not isinstance(name, str):
        raise OptionError(
            f"{type(name).__name__} is not a registered explanation method; register it under a name with "
            "attnxai.explanations.register_explanation"
        )
    for prefix, average in _AVERAGES.items():
        if name.startswith(prefix) and name not in EXPLANATIONS:
            return average(explanation_method(name.removeprefix(prefix)))
    if name not in EXPLANATIONS:
        raise OptionError(unknown_name("explanation method", name, sorted(EXPLANATIONS)))
    return EXPLANATIONS[name]
