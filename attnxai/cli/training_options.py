"""Options of training that ``attnxai train`` and ``attnxai study`` share, and what they describe.

Functions here take their values as one mapping, by the names of the options.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attnxai.cli import options
from attnxai.cli.help import IMAGES, MACHINE, NETWORK, TRAINING
from attnxai.cli.options import flag, option
from attnxai.data.classes import Confidence
from attnxai.errors import OptionError
from attnxai.models.specification import (
    MOST_BINNING,
    Aggregation,
    LayerOrder,
    ModelSpec,
    Normalisation,
    Preset,
)
from attnxai.training.settings import (
    Precision,
    Schedule,
    TrainingSettings,
    mixed_precision_pays,
)

if TYPE_CHECKING:
    from attnxai.study.data import DataRequest

_DEFAULTS = TrainingSettings()


class PrecisionChoice(enum.StrEnum):
    """Precision, or the faster one of the device."""

    AUTO = "auto"
    FLOAT32 = "float32"
    MIXED = "mixed"


ConfidenceOption = Annotated[
    Confidence,
    option(
        "MiraBest sources by the confidence of their class: all, confident or uncertain.",
        IMAGES,
        "NAME",
    ),
]


def training_options(
    images: options.TrainingImagesOption = "mirabest",
    labels: options.LabelsOption = None,
    data_dir: options.DataDirOption = None,
    confidence: ConfidenceOption = Confidence.ALL,
    hybrids: Annotated[
        bool, flag("--hybrids", "Train on MiraBest's hybrids as a third class.", IMAGES)
    ] = False,
    hold_out: Annotated[
        Path | None,
        option(
            "Annotation file, or text file with one source id per line, whose sources are held out of "
            "training and validation.",
            IMAGES,
            "FILE",
        ),
    ] = None,
    citation: Annotated[
        str, option("Reference for your images, for the training record.", IMAGES)
    ] = "",
    licence: Annotated[
        str, option("Licence of your images, for the training record.", IMAGES)
    ] = "",
    preset: Annotated[
        Preset,
        option("Size of the network: compact or paper (the published one).", NETWORK, "NAME"),
    ] = Preset.COMPACT,
    published_form: Annotated[
        bool,
        flag(
            "--published-form",
            "With --preset paper: the network as published, which is not exactly symmetric.",
            NETWORK,
        ),
    ] = False,
    normalisation: Annotated[
        Normalisation | None,
        option(
            f"Normalisation of the scores of a gate: {', '.join(Normalisation)}. "
            "[default: emission for compact, range_norm for paper]",
            NETWORK,
            "NAME",
        ),
    ] = None,
    layer_order: Annotated[
        LayerOrder | None,
        option(
            f"Order of convolution, rectifier and batch norm in a layer: {' or '.join(LayerOrder)}. "
            "[default: conv_norm_relu for compact, conv_relu_norm for paper]",
            NETWORK,
            "NAME",
        ),
    ] = None,
    aggregation: Annotated[
        Aggregation | None,
        option(
            f"How gated features become class scores: {', '.join(Aggregation)}. "
            "[default: concat for compact, ft for paper]",
            NETWORK,
            "NAME",
        ),
    ] = None,
    binning: Annotated[
        int | None,
        option(
            "The network sees means of this many by this many pixels. [default: 3 for compact, 1 for paper]",
            NETWORK,
            "PIXELS",
            min=1,
            max=MOST_BINNING,
        ),
    ] = None,
    min_island_pixels: Annotated[
        int | None,
        option(
            "With the normalisation emission: gates do not attend to islands of fewer pixels, which are noise. "
            "[default: 5]",
            NETWORK,
            "PIXELS",
            min=1,
        ),
    ] = None,
    size: Annotated[
        int | None,
        option(
            "Side of the field that the network sees. [default: 144 with a binning of 3, 150 with 1, or less for smaller "
            "images]",
            NETWORK,
            "PIXELS",
            min=16,
        ),
    ] = None,
    epochs: Annotated[
        int, option("Number of passes over the training images.", TRAINING, min=1, max=100_000)
    ] = _DEFAULTS.epochs,
    batch_size: Annotated[
        int, option("Number of images per step.", TRAINING, min=2)
    ] = _DEFAULTS.batch_size,
    learning_rate: Annotated[
        float, option("Peak learning rate.", TRAINING, min=1e-9)
    ] = _DEFAULTS.learning_rate,
    schedule: Annotated[
        Schedule, option("Learning rate after the peak: cosine or constant.", TRAINING, "NAME")
    ] = _DEFAULTS.schedule,
    weight_decay: Annotated[
        float, option("Decoupled weight decay.", TRAINING, min=0.0)
    ] = _DEFAULTS.weight_decay,
    weight_average: Annotated[
        float,
        option(
            "Decay of the running average of the weights; 0 switches it off.",
            TRAINING,
            min=0.0,
            max=1.0,
        ),
    ] = _DEFAULTS.weight_average,
    patience: Annotated[
        int,
        option(
            "Stop after this many epochs without a lower validation loss; 0 never stops.",
            TRAINING,
            min=0,
        ),
    ] = _DEFAULTS.patience,
    rotate: Annotated[
        bool, flag("--rotate/--no-rotate", "Rotate training images by any angle.", TRAINING)
    ] = _DEFAULTS.rotate,
    reflect: Annotated[
        bool, flag("--reflect/--no-reflect", "Reflect half of the training images.", TRAINING)
    ] = _DEFAULTS.reflect,
    scale: Annotated[
        float,
        option("Magnify training images by up to this factor or its inverse.", TRAINING, min=1.0),
    ] = _DEFAULTS.scale,
    shift: Annotated[
        float,
        option(
            "Shift training images along each axis by up to this much.", TRAINING, "PIXELS", min=0.0
        ),
    ] = _DEFAULTS.shift,
    precision: Annotated[
        PrecisionChoice,
        option(
            "Number format of the convolutions: float32, mixed, or auto (mixed where the device has 16-bit floats).",
            MACHINE,
            "NAME",
        ),
    ] = PrecisionChoice.AUTO,
) -> None:
    """Options that a command takes as ``**given``."""


def chosen_precision(choice: PrecisionChoice, device: str) -> Precision:
    """The precision that ``auto`` stands for on a device, or the one named."""
    if choice is PrecisionChoice.AUTO:
        return Precision.MIXED if mixed_precision_pays(device) else Precision.FLOAT32
    return Precision(choice.value)


def chosen_settings(
    given: Mapping[str, Any], device: str, *, seed: int = 0, random_labels: bool = False
) -> TrainingSettings:
    """Settings of the training that the options describe.

    The device decides what ``--precision auto`` is.
    """
    own: dict[str, Any] = {
        "precision": chosen_precision(given["precision"], device),
        "seed": seed,
        "random_labels": random_labels,
    }
    # no command has an option for the share of validation images
    named = {field.name for field in dataclasses.fields(TrainingSettings)} - {"validation_share"}
    return TrainingSettings(**{name: given[name] for name in named - own.keys()}, **own)


def chosen_images(given: Mapping[str, Any]) -> DataRequest:
    """The labelled images that the options describe."""
    from attnxai.study.data import DataRequest

    values: dict[str, Any] = {}
    for field in dataclasses.fields(DataRequest):
        value = given[field.name]
        values[field.name] = str(value) if isinstance(value, Path) else value
    return DataRequest(**values)


def chosen_spec(given: Mapping[str, Any], group: str, *, n_classes: int) -> ModelSpec:
    """The network of a group that the options describe."""
    preset: Preset = given["preset"]
    changes: dict[str, Any] = {"n_classes": n_classes} | {
        name: value
        for name in ("normalisation", "layer_order", "aggregation", "binning", "min_island_pixels")
        if (value := given[name]) is not None
    }
    if given["published_form"]:
        if preset is not Preset.PAPER:
            raise OptionError("--published-form belongs to --preset paper")
        changes["published_form"] = True
    return preset.specification(group, **changes)
