"""What an explanation method is, and the decorator that registers one."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import nn

from attnxai.data.images import SourceImage
from attnxai.data.origin import origin_of
from attnxai.data.registration import check_option_name
from attnxai.errors import AlignmentError, OptionError
from attnxai.explanations.gate_pass import MapReader, read_gates
from attnxai.explanations.inputs import one_thread
from attnxai.explanations.labels import BUILT_IN, LABELS
from attnxai.explanations.measured import MEASURED, measured_ranges
from attnxai.explanations.stack import MapStack
from attnxai.explanations.targets import check_target
from attnxai.models.architectures import input_kind
from attnxai.models.device_memory import in_memory
from attnxai.models.evaluation import evaluating
from attnxai.models.model import AttentionModel


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationMethod:
    """A way to make maps of a model and images.

    Parameters
    ----------
    name : str
        Its name on the command line and in files.
    title : str
        What its maps are called in text, in the plural, such as "attention maps".
    function : callable
        ``function(model, images, *, target, rng) -> MapStack``. The ``provenance`` of its stack may hold what else
        is to be known of these maps, as ``explanations``, a list of one dictionary. What is not the same for all images goes
        into its entry ``measured``, a dictionary of lists with a number for each image, of which the lowest and highest are
        kept. It is called in evaluation mode and without
        gradients, which ``torch.enable_grad()`` turns on within it; on a CPU with one thread, so that maps are
        the same on every machine. ``target`` is the name of a class or None, ``rng`` a
        :class:`numpy.random.Generator`.
    uses_target : bool
        Whether maps depend on the class that is explained. For a ``target`` of None such a method explains the
        predicted class of each image against the others, as :func:`class_weights` does.
    uses_rng : bool
        Whether it draws random numbers.
    reports_progress : bool
        Whether the function takes ``on_batch`` as well, which it calls with the number of finished images and
        of all.
    reader : callable, optional
        For maps that come from one forward pass through gates: ``reader(target)`` makes what reads that pass, so that
        several such methods share it.
    references : tuple of str
        Publications to cite for its maps, as a report names them.

    Examples
    --------
    >>> import attnxai
    >>> attnxai.explanations.EXPLANATIONS["gates"].title
    'attention maps'
    """

    name: str
    title: str
    function: Callable[..., MapStack]
    uses_target: bool = False
    uses_rng: bool = False
    reports_progress: bool = False
    reader: Callable[[Any], MapReader] | None = None
    references: tuple[str, ...] = ()

    def __call__(
        self,
        model: AttentionModel,
        images: Sequence[SourceImage],
        *,
        target: str | Sequence[str] | None = None,
        rng: np.random.Generator | int = 0,
        on_batch: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> MapStack:
        """Maps of some images; see :func:`attnxai.explain`.

        Parameters
        ----------
        model, images, target, rng, on_batch
            As of :func:`attnxai.explain`.
        **options
            Options of the function.

        Returns
        -------
        MapStack
        """
        check_explained(model, images, target)
        if self.reports_progress:
            options["on_batch"] = on_batch

        def run() -> MapStack:
            device, _ = input_kind(model.network)
            with evaluating(model.network), one_thread(device):
                return self.function(
                    model, images, target=target, rng=np.random.default_rng(rng), **options
                )

        stack = in_memory(model.network, run)
        if on_batch is not None and not self.reports_progress:
            on_batch(len(images), len(images))
        return self.described(stack, images, target=target, rng=rng)

    def described(
        self,
        stack: MapStack,
        images: Sequence[SourceImage],
        *,
        target: str | Sequence[str] | None,
        rng: np.random.Generator | int,
    ) -> MapStack:
        """Maps that this method made of some images, with the method in their provenance."""
        sources = tuple(image.source for image in images)
        if getattr(stack, "sources", None) != sources:
            raise OptionError(
                f"the function of the explanation method {self.name} has to return a MapStack of the images "
                "that it was given, in their order"
            )
        facts: dict[str, Any] = {"name": self.name, "title": self.title}
        if self.uses_target:
            facts["target"] = target or "predicted class"
        if self.uses_rng:
            facts["seed"] = rng if isinstance(rng, int) else None
        if self.references:
            facts["references"] = list(self.references)
        facts |= origin_of(self.function)
        (details,) = stack.provenance.get("explanations", ({},))
        facts |= {name: value for name, value in details.items() if name not in facts}
        if MEASURED in facts:
            facts[MEASURED] = measured_ranges(facts[MEASURED])
        return dataclasses.replace(stack, provenance={**stack.provenance, "explanations": [facts]})


def check_explained(model: Any, images: Any, target: str | Sequence[str] | None) -> None:
    """Refuse anything that is not a model or a sequence of images, and a target that the model does not have."""
    if not isinstance(model, AttentionModel):
        hint = (
            "; make a model of a module with attnxai.wrap" if isinstance(model, nn.Module) else ""
        )
        raise OptionError(f"a model is needed to explain images, got {type(model).__name__}{hint}")
    given = images if isinstance(images, Sequence) and not isinstance(images, str) else [images]
    other = next((one for one in given if not isinstance(one, SourceImage)), None)
    if other is not None or given is not images:
        hint = "; put a single image into a list" if isinstance(images, SourceImage) else ""
        raise OptionError(
            "a sequence of images is needed, such as attnxai.read_images gives, got "
            + (type(images).__name__ if given is not images else f"one of {type(other).__name__}")
            + hint
        )
    if not images:
        raise AlignmentError("there are no images to explain")
    check_target(target, model.class_names, model.name)


EXPLANATIONS: dict[str, ExplanationMethod] = {}
"""All explanation methods by name, also those that :func:`register_explanation` added from elsewhere."""


def register_explanation(
    *,
    title: str,
    name: str = "",
    label: str = "",
    uses_target: bool = False,
    uses_rng: bool = False,
    reports_progress: bool = False,
    reader: Callable[[Any], MapReader] | None = None,
    references: tuple[str, ...] = (),
) -> Callable[[Callable[..., MapStack]], ExplanationMethod]:
    """Make an explanation method of a function and register it, so that the command line knows it too.

    Parameters
    ----------
    title, uses_target, uses_rng, reports_progress, reader, references
        The fields of :class:`ExplanationMethod`.
    name : str
        Name of the method; that of the function if not given.
    label : str
        Words within a sentence for a map of this name, such as "integrated gradients"; the name if not given.

    Returns
    -------
    callable
        A decorator for the ``function`` of :class:`ExplanationMethod`, or for an object of a class with options
        that can be called like it.

    Raises
    ------
    OptionError
        If there is no name, or one that cannot be given on the command line or is taken by another module
        or a method of this package, or a label that is that of other maps.

    Examples
    --------
    >>> from attnxai.explanations import EXPLANATIONS, NetworkInputs
    >>> @register_explanation(title="maps of squares")
    ... def squares(model, images, *, target, rng):
    ...     inputs = NetworkInputs.of(model, images)
    ...     return inputs.stack({"squares": inputs.brightness**2})
    >>> EXPLANATIONS.pop("squares").title
    'maps of squares'
    """

    def register(function: Callable[..., MapStack]) -> ExplanationMethod:
        method = ExplanationMethod(
            name=name or getattr(function, "__name__", ""),
            title=title,
            function=function,
            uses_target=uses_target,
            uses_rng=uses_rng,
            reports_progress=reports_progress,
            reader=reader,
            references=references,
        )
        kind, known = "explanation method", {n: one.function for n, one in EXPLANATIONS.items()}
        check_option_name(kind, method.name, function.__module__, known)
        if method.name in BUILT_IN and not function.__module__.startswith("attnxai."):
            raise OptionError(f"attnxai has an {kind} called {method.name}; choose another name")
        others = {words.casefold() for one, words in LABELS.items() if one != method.name}
        if label.casefold() in others:
            raise OptionError(
                f"{kind} {method.name} has the label {label}, which is that of other maps; choose another label"
            )
        EXPLANATIONS[method.name] = method
        if label:
            LABELS[method.name] = label
        return method

    return register


def register_gate_explanation(
    *, title: str, uses_target: bool = False
) -> Callable[[Callable[[Any], MapReader]], ExplanationMethod]:
    """Make an explanation method of a function ``(target) -> MapReader`` and register it.

    The reader takes its maps from one forward pass through the gates of a network, which several such methods share.
    """

    def register(make: Callable[[Any], MapReader]) -> ExplanationMethod:
        @functools.wraps(make)
        def function(
            model: AttentionModel,
            images: Sequence[SourceImage],
            *,
            target: str | Sequence[str] | None,
            rng: np.random.Generator,  # noqa: ARG001 -- nothing is drawn
            **options: Any,
        ) -> MapStack:
            reader = make(target)
            read_gates(model, images, [reader], **options)
            return reader.stack()

        return register_explanation(
            title=title, uses_target=uses_target, reports_progress=True, reader=make
        )(function)

    return register
