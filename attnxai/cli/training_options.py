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

import typer

from attnxai.data.mirabest import Confidence, is_mirabest_source
from attnxai.errors import OptionError
from attnxai.models.specification import ModelSpec, Normalisation, Preset
from attnxai.training.settings import (
    Precision,
    Schedule,
    TrainingSettings,
    mixed_precision_pays,
)

if TYPE_CHECKING:
    from attnxai.models.model import AttentionModel
    from attnxai.study.data import DataRequest

DEFAULTS = TrainingSettings()
"""Settings that the options have when they are left out."""


class PrecisionChoice(enum.StrEnum):
    """Precision, or what the device does best."""

    AUTO = "auto"
    FLOAT32 = "float32"
    MIXED = "mixed"


PresetOption = Annotated[Preset, typer.Option(help="Size of the network.")]
PublishedFormOption = Annotated[
    bool,
    typer.Option(
        "--published-form",
        help="With --preset paper: the published network to the letter, which is not exactly symmetric.",
    ),
]
NormalisationOption = Annotated[
    Normalisation, typer.Option(help="How the scores of a gate become its map.")
]
ImagesOption = Annotated[
    str,
    typer.Option(
        help="'mirabest', a folder or archive of FR-DEEP-style batches, or a folder of images with "
        "--labels."
    ),
]
LabelsOption = Annotated[
    Path | None, typer.Option(help="CSV table with the columns source and class.")
]
DataDirOption = Annotated[
    Path | None, typer.Option(help="Folder of MiraBest; else ATTNXAI_DATA or the cache.")
]
ConfidenceOption = Annotated[
    Confidence, typer.Option(help="Which MiraBest sources, by how sure their class is.")
]
HybridsOption = Annotated[
    bool, typer.Option("--hybrids", help="Train on MiraBest's hybrids as a third class.")
]
PixelScaleOption = Annotated[
    float | None,
    typer.Option(help="Pixel size in arcsec of images that do not state it.", min=1e-6),
]
SizeOption = Annotated[
    int | None,
    typer.Option(min=16, help="Side of the field that the network sees, in pixels."),
]
HoldOutOption = Annotated[
    Path | None,
    typer.Option(
        help="Annotation file (or text file with one source id a line) whose sources are neither "
        "trained nor validated on, so that the model can be tested with them."
    ),
]
CitationOption = Annotated[str, typer.Option(help="Source of your images, for the model's record.")]
LicenceOption = Annotated[str, typer.Option(help="Licence of your images, for the model's record.")]
EpochsOption = Annotated[int, typer.Option(min=1, help="Passes over the training images.")]
BatchSizeOption = Annotated[int, typer.Option(min=2, help="Images in one step.")]
LearningRateOption = Annotated[float, typer.Option(min=1e-9, help="Peak learning rate.")]
ScheduleOption = Annotated[Schedule, typer.Option(help="What follows the peak.")]
WeightDecayOption = Annotated[float, typer.Option(min=0.0, help="Decoupled weight decay.")]
WeightAverageOption = Annotated[
    float,
    typer.Option(
        min=0.0, max=1.0, help="Share of the past in the average of weights that is kept."
    ),
]
PatienceOption = Annotated[
    int,
    typer.Option(
        min=0, help="Epochs without a lower validation loss before stopping; 0: never stop."
    ),
]
ScaleOption = Annotated[
    float,
    typer.Option(min=1.0, help="Magnify training images by up to this factor or its inverse."),
]
ShiftOption = Annotated[
    float, typer.Option(min=0.0, help="Shift training images by up to this many pixels.")
]
RotateOption = Annotated[
    bool, typer.Option("--rotate/--no-rotate", help="Rotate training images by any angle.")
]
ReflectOption = Annotated[
    bool, typer.Option("--reflect/--no-reflect", help="Reflect half of the training images.")
]
PrecisionOption = Annotated[
    PrecisionChoice,
    typer.Option(help="Number format of the convolutions; auto takes mixed where it is faster."),
]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="CPU threads.")]
DeviceOption = Annotated[str, typer.Option(help="auto (a GPU when there is one), cpu or cuda.")]


def check_images_named(context: typer.Context, model: AttentionModel) -> None:
    """Ask for ``--images`` where it was left out and a model was trained on others than MiraBest.

    Parameters
    ----------
    context : typer.Context
        Of the command, which has the option ``--images``.
    model : AttentionModel
        The model.

    Raises
    ------
    OptionError
        If the record of the model names no source of MiraBest.
    """
    source = context.get_parameter_source("images")
    if source is None or source.name != "DEFAULT" or model.training is None:
        return
    used = (*model.training.train_sources, *model.training.validation_sources)
    if used and not any(map(is_mirabest_source, used)):
        named = f" ({model.training.data})" if model.training.data else ""
        raise OptionError(
            f"{model.name} was trained on other images than MiraBest{named}, such as {used[0]}; name them "
            "with --images"
        )


def chosen_device(name: str) -> str:
    """The device that ``auto`` stands for, or the one named, when this machine has it."""
    import torch

    from attnxai.training.loop import check_device

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    check_device(name)
    return name


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
