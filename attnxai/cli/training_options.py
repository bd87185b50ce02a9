"""Options of training that ``attnxai train`` and ``attnxai study`` share, and what they describe.

Typer reads options from a command's signature, so each command lists them. Functions here take their values
as one mapping, by the names of the options.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attnxai.cli.options import IMAGES, MACHINE, NETWORK, TRAINING, option
from attnxai.data.mirabest import Confidence
from attnxai.errors import OptionError
from attnxai.models.specification import ModelSpec, Normalisation, Preset
from attnxai.training.settings import (
    Precision,
    Schedule,
    TrainingSettings,
    mixed_precision_pays,
)

if TYPE_CHECKING:
    from attnxai.study.data import DataRequest

DEFAULTS = TrainingSettings()
"""Settings that the options have when they are left out."""


class PrecisionChoice(enum.StrEnum):
    """Precision, or what the device does best."""

    AUTO = "auto"
    FLOAT32 = "float32"
    MIXED = "mixed"


PresetOption = Annotated[Preset, option("Size of the network.", group=NETWORK)]
PublishedFormOption = Annotated[
    bool,
    option(
        "With --preset paper: the published network to the letter, which is not exactly symmetric.",
        "--published-form",
        group=NETWORK,
    ),
]
NormalisationOption = Annotated[
    Normalisation, option("How the scores of a gate become its map.", group=NETWORK)
]
SizeOption = Annotated[
    int | None,
    option("Side of the field that the network sees, in pixels.", group=NETWORK, min=16),
]
ConfidenceOption = Annotated[
    Confidence, option("MiraBest sources, by how sure their class is.", group=IMAGES)
]
HybridsOption = Annotated[
    bool, option("Train on MiraBest's hybrids as a third class.", "--hybrids", group=IMAGES)
]
HoldOutOption = Annotated[
    Path | None,
    option(
        "Annotation file (or text file with one source id a line) whose sources are neither trained nor "
        "validated on, so that the model can be tested with them.",
        group=IMAGES,
        metavar="FILE",
    ),
]
CitationOption = Annotated[
    str, option("Source of your images, for the model's record.", group=IMAGES)
]
LicenceOption = Annotated[
    str, option("Licence of your images, for the model's record.", group=IMAGES)
]
EpochsOption = Annotated[int, option("Passes over the training images.", group=TRAINING, min=1)]
BatchSizeOption = Annotated[int, option("Images in one step.", group=TRAINING, min=2)]
LearningRateOption = Annotated[float, option("Peak learning rate.", group=TRAINING, min=1e-9)]
ScheduleOption = Annotated[Schedule, option("What follows the peak.", group=TRAINING)]
WeightDecayOption = Annotated[float, option("Decoupled weight decay.", group=TRAINING, min=0.0)]
WeightAverageOption = Annotated[
    float,
    option(
        "Share of the past in the average of weights that is kept.",
        group=TRAINING,
        min=0.0,
        max=1.0,
    ),
]
PatienceOption = Annotated[
    int,
    option(
        "Epochs without a lower validation loss before stopping; 0: never stop.",
        group=TRAINING,
        min=0,
    ),
]
ScaleOption = Annotated[
    float,
    option("Magnify training images by up to this factor or its inverse.", group=TRAINING, min=1.0),
]
ShiftOption = Annotated[
    float, option("Shift training images by up to this many pixels.", group=TRAINING, min=0.0)
]
RotateOption = Annotated[
    bool,
    option("Rotate training images by any angle.", "--rotate/--no-rotate", group=TRAINING),
]
ReflectOption = Annotated[
    bool,
    option("Reflect half of the training images.", "--reflect/--no-reflect", group=TRAINING),
]
PrecisionOption = Annotated[
    PrecisionChoice,
    option(
        "Number format of the convolutions; auto takes mixed where it is faster.", group=MACHINE
    ),
]


def chosen_precision(choice: PrecisionChoice, device: str) -> Precision:
    """The precision that ``auto`` stands for on a device, or the one named."""
    if choice is PrecisionChoice.AUTO:
        return Precision.MIXED if mixed_precision_pays(device) else Precision.FLOAT32
    return Precision(choice.value)


def chosen_settings(given: Mapping[str, Any], device: str, *, seed: int = 0) -> TrainingSettings:
    """Settings of the training that the options describe.

    Parameters
    ----------
    given : mapping of str to object
        Values of a command's options.
    device : str
        Where to train, which decides what ``--precision auto`` is.
    seed : int
        Seed of the training.
    """
    own: dict[str, Any] = {
        "precision": chosen_precision(given["precision"], device),
        "seed": seed,
    }
    # no command has an option for the share of validation images
    named = {field.name for field in dataclasses.fields(TrainingSettings)} - {"validation_share"}
    return TrainingSettings(**{name: given[name] for name in named - own.keys()}, **own)


def chosen_images(given: Mapping[str, Any]) -> DataRequest:
    """The labelled images that the options describe.

    Parameters
    ----------
    given : mapping of str to object
        Values of a command's options.
    """
    from attnxai.study.data import DataRequest

    values: dict[str, Any] = {}
    for field in dataclasses.fields(DataRequest):
        value = given[field.name]
        values[field.name] = str(value) if isinstance(value, Path) else value
    return DataRequest(**values)


def chosen_spec(given: Mapping[str, Any], group: str, *, n_classes: int) -> ModelSpec:
    """The network that the options describe.

    Parameters
    ----------
    given : mapping of str to object
        Values of a command's options.
    group : str
        Name of its symmetry group.
    n_classes : int
        Classes of the images.

    Raises
    ------
    OptionError
        If the published form is asked of a preset that was not published.
    """
    preset: Preset = given["preset"]
    changes = {"normalisation": given["normalisation"], "n_classes": n_classes}
    if given["published_form"]:
        if preset is not Preset.PAPER:
            raise OptionError("--published-form belongs to --preset paper")
        changes["published_form"] = True
    return preset.specification(group, **changes)
