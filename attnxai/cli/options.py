"""Options that several commands share, and the interpretation of their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnxai.cli import completion
from attnxai.cli.help import ANNOTATIONS, IMAGES, INPUTS, MACHINE, MAPS, OUTPUT, STATISTICS
from attnxai.data.wording import unknown_name
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from typer.models import OptionInfo

    from attnxai.data.labelled import LabelledData
    from attnxai.explanations.method import ExplanationMethod
    from attnxai.models.model import AttentionModel


def option(
    help_text: str,
    group: str,
    metavar: str | None = None,
    *names: str,
    min: float | None = None,  # as typer calls it
    max: float | None = None,
    choices: completion.Names | None = None,
    extensions: tuple[str, ...] = (),
) -> OptionInfo:
    """An option in a group of the help, named after its parameter where no names are given.

    Shells complete its value by the names that ``choices`` gives and by files with one of the ``extensions``.
    """
    found: OptionInfo = typer.Option(
        *names,
        help=help_text,
        rich_help_panel=group,
        metavar=metavar,
        min=min,
        max=max,
        autocompletion=completion.completer(choices, extensions=extensions) if choices else None,
    )
    return found


def flag(names: str, help_text: str, group: str) -> OptionInfo:
    """An option without a value, such as ``--overwrite`` or ``--rotate/--no-rotate``."""
    return option(help_text, group, None, names)


def output_option(help_text: str, metavar: str) -> OptionInfo:
    """The option that names what is written."""
    return option(help_text, OUTPUT, metavar, "--output", "-o")


ModelOption = Annotated[
    str,
    option(
        "Model file, or the name of a shipped model such as d8.pt or of one that a plug-in registers.",
        INPUTS,
        "MODEL",
        choices=completion.model_names,
        extensions=(".pt",),
    ),
]
IMAGES_HELP = "'mirabest', a folder of images ({image_names}), one image, or a folder or .tar.gz archive of batches."


def images_option(default: str) -> OptionInfo:
    """The option that names images, with what is taken where it is left out."""
    return option(f"{IMAGES_HELP} [default: {default}]", INPUTS, "PATH")


def any_images_option(default: str) -> OptionInfo:
    """The option that names any number of images, also within files."""
    return option(
        f"{IMAGES_HELP[:-1]}; also a pattern, a list (.txt, .csv), or a cube or array of images (FITS, NPY, HDF5, Zarr). "
        f"[default: {default}]",
        INPUTS,
        "PATH",
    )


ImagesOption = Annotated[str | None, any_images_option("those that the annotations name")]
TrainingImagesOption = Annotated[
    str,
    option(
        "'mirabest', a folder or archive of batches like those of FR-DEEP, or a folder of images with "
        "--labels.",
        INPUTS,
        "PATH",
    ),
]
DataDirOption = Annotated[
    Path | None,
    option("Folder of MiraBest. [default: ATTNXAI_DATA, then the cache]", INPUTS, "FOLDER"),
]
LabelsOption = Annotated[
    Path | None,
    option(
        "CSV table with the columns source and class. [default: labels.csv in the folder]",
        INPUTS,
        "FILE",
    ),
]
FwhmOption = Annotated[
    float,
    option(
        "Full width at half maximum of annotated points and lines.",
        ANNOTATIONS,
        "ARCSEC",
        min=1e-6,
    ),
]
OutputFolderOption = Annotated[Path, output_option("Folder of the results.", "FOLDER")]
OverwriteOption = Annotated[
    bool,
    flag("--overwrite", "Replace the results of an earlier run; other files are kept.", OUTPUT),
]
BootstrapOption = Annotated[
    int,
    option("Number of bootstrap resamples for the intervals.", STATISTICS, min=100, max=10_000_000),
]
SeedOption = Annotated[
    int, option("Random seed; the same seed gives the same numbers.", STATISTICS, min=0)
]
ExplainOption = Annotated[
    list[str] | None,
    option(
        "Explanation method: {explanation_names}; repeat for several. 'gates' are the network's own attention maps. "
        "[default: gates]",
        MAPS,
        "NAME",
        choices=completion.explanation_names,
    ),
]
TargetOption = Annotated[
    list[str] | None,
    option(
        "Class whose score is explained, by methods that explain one; given several times, the first "
        "against the others. "
        "[default: the predicted class of each image, against the others]",
        MAPS,
        "CLASS",
    ),
]
WorkersOption = Annotated[int, option("Number of processes.", MACHINE, min=1)]
SchedulerOption = Annotated[
    str | None,
    option(
        "Address of a Dask scheduler whose workers compute, such as tcp://host:8786.",
        MACHINE,
        "ADDRESS",
    ),
]
ThreadsOption = Annotated[
    int | None,
    option("Number of CPU threads. [default: as PyTorch chooses]", MACHINE, min=1, max=1024),
]
DeviceOption = Annotated[
    str,
    option(
        "Device: auto (a GPU if there is one), cpu or cuda.",
        MACHINE,
        "NAME",
        choices=lambda: ("auto", "cpu", "cuda"),
    ),
]


def listed(values: Iterable[str]) -> tuple[str, ...]:
    """Values of an option that can be repeated, or given once with commas between them."""
    return tuple(part.strip() for value in values for part in value.split(","))


def explained_target(
    values: Iterable[str] | None, methods: Sequence[ExplanationMethod]
) -> str | tuple[str, ...] | None:
    """What is explained: a class, several, or None for the predicted class against the others."""
    classes = listed(values or ())
    if classes and not any(method.uses_target for method in methods):
        raise OptionError(
            f"--target changes nothing, since the maps of --explain ({', '.join(one.name for one in methods)}) "
            "explain no class; leave it out, or give a method such as --explain evidence"
        )
    return classes[0] if len(classes) == 1 else classes or None


def listed_numbers(
    name: str, values: Iterable[str], *, least: int, most: int = 100_000
) -> tuple[int, ...]:
    """The same as whole numbers from ``least`` to ``most``."""
    numbers = listed(values)
    for number in numbers:
        if not number.isdecimal() or not least <= int(number[:20]) <= most:
            raise OptionError(
                f"{name} {number!r} should be a whole number from {least} to {most:,}"
            )
    return tuple(map(int, numbers))


def listed_names(name: str, values: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """The same as known names, in the order in which these are known."""
    names = listed(values)
    if unknown := [one for one in names if one not in known]:
        raise OptionError(f"{name}: {unknown_name(name.lstrip('-'), unknown, known)}")
    return tuple(one for one in known if one in names)


def say_what_ships(models: Iterable[str], annotations: Iterable[str] = ()) -> None:
    """Say which models and annotations are those that ship and not local files."""
    from attnxai.annotations.sample import is_shipped, says_what_ships
    from attnxai.cli.console import stderr

    for name in models:
        stderr.print(f"{name} is not a local file: using the model that ships with attnxai")
    for name in filter(is_shipped, annotations):
        stderr.print(says_what_ships(name))


def use_machine(device: str, threads: int | None, scheduler: str | None = None) -> str:
    """Set the number of threads, and find the device that ``auto`` stands for.

    Devices of a cluster are those of its workers, which refuse one that they do not have.
    """
    import torch

    from attnxai.models.device_memory import check_device

    if threads is not None:
        torch.set_num_threads(threads)
    if scheduler is not None:
        return "cpu" if device == "auto" else device
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    check_device(device)
    return device


HduOption = Annotated[
    str | None,
    option(
        "Number, from 0, or name of the HDU of FITS files with several images. [default: the only one]",
        IMAGES,
        "HDU",
    ),
]
PlaneOption = Annotated[
    str | None,
    option(
        "Plane of cubes, counted from 0, such as 2; with commas for several axes, such as 0,2. "
        "[default: the only one]",
        IMAGES,
        "N",
    ),
]


def check_workers(workers: int, scheduler: str | None) -> None:
    """Refuse processes of this machine and a cluster at once."""
    if workers > 1 and scheduler:
        raise OptionError(
            "--workers is for processes of this machine, and --scheduler for those of a cluster; give one of them"
        )


def reading_options(
    pixel_scale_arcsec: Annotated[
        float | None,
        option("Pixel scale of images that do not state it.", IMAGES, "ARCSEC", min=1e-6),
    ] = None,
    fill_blank: Annotated[
        bool, flag("--fill-blank", "Leave NaN pixels out instead of refusing the image.", IMAGES)
    ] = False,
    prepared: Annotated[
        bool | None,
        flag(
            "--prepared/--survey",
            "Whether images are already clipped and scaled. [default: 8-bit images are]",
            IMAGES,
        ),
    ] = None,
    hdu: HduOption = None,
    plane: PlaneOption = None,
    pad: Annotated[
        bool,
        flag("--pad", "Pad images that do not cover the network's field, as blank sky.", IMAGES),
    ] = False,
    match_beam: Annotated[
        bool,
        flag(
            "--match-beam",
            "Smooth images with a finer beam to that of the training images.",
            IMAGES,
        ),
    ] = False,
) -> None:
    """How images are read, which a command takes as ``**reading``: the fields of ImageOptions."""


def model_images_options(
    context: typer.Context,
    images: TrainingImagesOption = "mirabest",
    labels: LabelsOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Options for :func:`images_of_model`, which a command takes as ``**given``."""


def images_of_model(model: AttentionModel, given: Mapping[str, Any], **more: Any) -> LabelledData:
    """Read the images that a model was trained with; hybrids where it knows them.

    ``--images`` may not be left out where the record of the model names no source of MiraBest.
    """
    from attnxai.data.labelled import MIRABEST, read_training_images
    from attnxai.data.mirabest import CLASS_NAMES, is_mirabest_source

    chosen = {name: value for name, value in given.items() if name != "context"}
    source = given["context"].get_parameter_source("images")
    if source is not None and source.name == "DEFAULT" and model.training is not None:
        used = (*model.training.train_sources, *model.training.validation_sources)
        if used and not any(map(is_mirabest_source, used)):
            named = f" ({model.training.data})" if model.training.data else ""
            raise OptionError(
                f"{model.name} was trained on other images than MiraBest{named}, such as {used[0]}; give "
                "them with --images"
            )
    hybrids = chosen["images"].lower() == MIRABEST and CLASS_NAMES[3] in model.class_names
    return read_training_images(hybrids=hybrids, **chosen, **more)
