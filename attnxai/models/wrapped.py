"""Models of modules that someone else wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from attnxai.data.classes import canonical_class
from attnxai.errors import AttnxaiError, SpecificationError
from attnxai.models.architectures import input_kind, named_layer
from attnxai.models.evaluation import evaluating
from attnxai.models.model import AttentionModel, TrainingRecord
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.wrapped_network import WrappedNetwork, WrappedSpec

_MOST_CHANNELS = 4096
_SUM_OF_PROBABILITIES = 1e-4
# two, since a module may lose the axis of a single image
_N_BLANK = 2


def wrap(
    module: nn.Module,
    *,
    preprocessing: Preprocessing,
    class_names: Sequence[str],
    name: str = "",
    channels: int = 1,
    layer: str = "",
    temperature: float = 1.0,
    train_sources: Iterable[str] | None = None,
    validation_sources: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> AttentionModel:
    """A model of any torch module that classifies images.

    Everything that takes a model takes it, but for what needs attention gates or a model file. One forward pass of
    blank images checks that it gives a score for each class.

    Parameters
    ----------
    module : torch.nn.Module
        Takes images (batch, channels, rows, columns) and returns class scores (batch, n_classes) before any softmax.
        A network of two classes may return one score, before any sigmoid, which is high for the second. It is
        neither copied nor changed; its mode, device and precision stay as they are.
    preprocessing : Preprocessing
        How images become its input: side, pixel scale, clipping, and mean and deviation of pixel values.
    class_names : sequence of str
        A name for each class, in the order of the scores; Fanaroff-Riley classes in any spelling, such as ``FRII``.
    name : str
        What to call the model; the name of the module's class if not given.
    channels : int
        Channels of its input; each is the image.
    layer : str
        Name of the layer whose feature map Grad-CAM explains, as ``named_modules()`` of the module gives it. Left out,
        it is the last feature map before pooling: in a residual network the output of the last block.
    temperature : float
        Class scores are divided by it before they become probabilities.
    train_sources, validation_sources : iterable of str
        Ids of the sources that the module was trained and validated on. All others then count as held out; without
        ``train_sources`` no split is known.
    notes : iterable of str
        What a reader of results should know.

    Returns
    -------
    AttentionModel

    Raises
    ------
    SpecificationError
        If the module does not give a finite score for each class, or gives probabilities.
    CheckpointError
        If two classes have one name, or the temperature is out of range.
    OptionError
        If the module does not have the layer.

    Examples
    --------
    >>> import attnxai
    >>> network = torch.nn.Sequential(
    ...     torch.nn.Conv2d(1, 4, 5), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2)
    ... )
    >>> preprocessing = attnxai.models.Preprocessing(size=64, mean=0.003, deviation=0.03)
    >>> model = attnxai.wrap(network, preprocessing=preprocessing, class_names=("FR I", "FR II"), name="small")
    >>> model.spec.n_classes
    2
    """
    if not isinstance(module, nn.Module):
        raise SpecificationError(
            f"a torch.nn.Module is needed, got {type(module).__name__}"
            + ("; it is a model already" if isinstance(module, AttentionModel) else "")
        )
    if not isinstance(preprocessing, Preprocessing):
        raise SpecificationError(
            f"preprocessing has to be an attnxai.models.Preprocessing, got {type(preprocessing).__name__}"
        )
    classes = tuple(class_names)
    if (
        isinstance(class_names, str)
        or len(classes) < 2
        or not all(isinstance(c, str) for c in classes)
    ):
        raise SpecificationError(
            f"class_names needs the names of two classes or more, got {class_names!r}"
        )
    if channels not in range(1, _MOST_CHANNELS + 1):
        raise SpecificationError(
            f"channels has to be a whole number from 1 to {_MOST_CHANNELS}, got {channels}"
        )
    classes = tuple(map(canonical_class, classes))
    title = type(module).__name__
    if layer:
        named_layer(module, layer)
    output = _output_for_blank_sky(module, preprocessing, channels)
    one_score = (
        len(classes) == 2 and isinstance(output, torch.Tensor) and output.numel() == _N_BLANK
    )
    spec = WrappedSpec(
        module=title, n_classes=len(classes), channels=channels, one_score=one_score, layer=layer
    )
    network = WrappedNetwork(module, spec)
    _check_scores(network.class_scores(output, _N_BLANK), title)
    return AttentionModel(
        name=name or title,
        spec=spec,
        network=network,
        preprocessing=preprocessing,
        class_names=classes,
        training=_training_record(train_sources, validation_sources),
        temperature=temperature,
        notes=tuple(notes),
    )


def _output_for_blank_sky(module: nn.Module, preprocessing: Preprocessing, channels: int) -> Any:
    """What a module returns for two blank images."""
    side = preprocessing.size
    blank = preprocessing.standardise(np.zeros((_N_BLANK, channels, side, side), np.float32))
    device, dtype = input_kind(module)
    try:
        with evaluating(module):
            return module(torch.from_numpy(blank).to(device=device, dtype=dtype))
    except AttnxaiError:
        raise
    except Exception as error:
        raise SpecificationError(
            f"the module {type(module).__name__} fails for images of the shape {tuple(blank.shape)} with "
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]}; give the size that it was trained on in "
            "preprocessing, and the number of its input channels in channels"
        ) from error


def _check_scores(scores: torch.Tensor, title: str) -> None:
    """Refuse scores of blank sky that are not finite, or probabilities."""
    if not scores.is_floating_point() or not scores.isfinite().all():
        raise SpecificationError(
            f"the module {title} gives class scores for blank sky that are not finite numbers; blank sky is what "
            "explanations are compared with"
        )
    values = scores.double()
    sums = values.sum(dim=1)
    if values.min() >= 0 and bool(((sums - 1).abs() < _SUM_OF_PROBABILITIES).all()):
        raise SpecificationError(
            f"the module {title} returns probabilities, which add up to 1; wrap it without its last softmax, since "
            "class scores (logits) are explained"
        )


def _training_record(
    train_sources: Iterable[str] | None, validation_sources: Iterable[str]
) -> TrainingRecord | None:
    validation = _ids("validation_sources", validation_sources)
    if train_sources is None:
        if validation:
            raise SpecificationError(
                "validation_sources need train_sources as well, since all others count as held out"
            )
        return None
    return TrainingRecord(
        data="",
        data_licence="",
        data_sha256="",
        train_sources=_ids("train_sources", train_sources),
        validation_sources=validation,
        settings={},
        metrics={},
        versions={},
        command="",
    )


def _ids(what: str, given: Iterable[str]) -> tuple[str, ...]:
    ids = tuple(given)
    if isinstance(given, str) or not all(isinstance(one, str) for one in ids):
        raise SpecificationError(
            f"{what} needs the ids of sources, such as those of images.sources"
        )
    return ids
