"""``attnxai train``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnxai.cli import training_options as options
from attnxai.cli.console import command, console, progress_bar, resumable, typed_command
from attnxai.cli.training_options import DEFAULTS
from attnxai.data.mirabest import Confidence
from attnxai.models.specification import Normalisation, Preset
from attnxai.training.settings import Schedule

if TYPE_CHECKING:
    from rich.progress import Progress

    from attnxai.study.data import StudyData
    from attnxai.training.history import EpochResult
    from attnxai.training.settings import TrainingSettings


@command
def train(
    output: Annotated[Path, typer.Option(help="Model file to write, such as d8.pt.")],
    group: Annotated[str, typer.Option(help="Symmetry group: C1, C4, D8, ...")] = "D8",
    preset: options.PresetOption = Preset.COMPACT,
    published_form: options.PublishedFormOption = False,
    normalisation: options.NormalisationOption = Normalisation.RANGE_NORM,
    images: options.ImagesOption = "mirabest",
    labels: options.LabelsOption = None,
    data_dir: options.DataDirOption = None,
    confidence: options.ConfidenceOption = Confidence.ALL,
    hybrids: options.HybridsOption = False,
    pixel_scale_arcsec: options.PixelScaleOption = None,
    size: options.SizeOption = None,
    hold_out: options.HoldOutOption = None,
    citation: options.CitationOption = "",
    licence: options.LicenceOption = "",
    epochs: options.EpochsOption = DEFAULTS.epochs,
    batch_size: options.BatchSizeOption = DEFAULTS.batch_size,
    learning_rate: options.LearningRateOption = DEFAULTS.learning_rate,
    schedule: options.ScheduleOption = Schedule.COSINE,
    weight_decay: options.WeightDecayOption = DEFAULTS.weight_decay,
    weight_average: options.WeightAverageOption = DEFAULTS.weight_average,
    patience: options.PatienceOption = DEFAULTS.patience,
    rotate: options.RotateOption = True,
    reflect: options.ReflectOption = True,
    scale: options.ScaleOption = DEFAULTS.scale,
    shift: options.ShiftOption = DEFAULTS.shift,
    temperature_scaling: Annotated[
        bool,
        typer.Option(
            "--temperature-scaling/--no-temperature-scaling",
            help="Fit one temperature to the validation images, so that probabilities mean something.",
        ),
    ] = True,
    precision: options.PrecisionOption = options.PrecisionChoice.AUTO,
    seed: Annotated[
        int, typer.Option(min=0, help="Same seed, device and threads, same weights.")
    ] = 0,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing model file.")
    ] = False,
) -> None:
    """Train an equivariant attention network; run it again to go on after an interruption.

    The epoch with the lowest loss on the validation images is kept. Images of a published test split
    are never used.
    """
    given = dict(locals())  # every option by its name
    import torch

    from attnxai.classification.calibration import calibrated
    from attnxai.jobs.files import check_output_file, free_path, output_file
    from attnxai.models.checkpoints import save_model
    from attnxai.report.style import write_figure
    from attnxai.training.field import field_of
    from attnxai.training.history import plot_history, write_history
    from attnxai.training.loop import train_model

    history_file, curves_file = (output.with_suffix(e) for e in (".history.csv", ".curves.png"))
    with output_file(output, endings=(".pt",), overwrite=overwrite):
        progress_file = output.with_suffix(".progress.pt")
        for beside in (history_file, curves_file):
            check_output_file(
                beside,
                endings=(beside.suffix,),
                overwrite=overwrite or progress_file.is_file(),
                option="beside --output:",
            )
        device = options.chosen_device(device)
        settings = options.chosen_settings(given, device, seed=seed)
        if threads is not None:
            torch.set_num_threads(threads)
        data = options.chosen_images(given).read()
        labelled, used = data.labelled, data.trained_on
        spec = options.chosen_spec(given, group, n_classes=len(labelled.class_names))
        n_validation = _n_validation(data, settings)
        console.print(
            f"Training {spec.group} ({preset}, {settings.precision}, {device}) on "
            f"{len(used) - n_validation} images of {labelled.name}, {n_validation} more for validation"
            + (f"; {len(data.test)} of its test split are left alone" if len(data.test) else "")
            + (f"; {data.n_held_out} are held out" if data.n_held_out else ""),
        )
        if progress_file.is_file():
            console.print(f"Going on from {progress_file}")

        def kept() -> str:
            return f"{progress_file} keeps what was trained" if progress_file.is_file() else ""

        with resumable(kept), progress_bar() as bar:
            shown = _Shown(bar, spec.group, settings.epochs)
            model, history = train_model(
                spec,
                used,
                class_names=labelled.class_names,
                settings=settings,
                name=spec.group,
                field=field_of(used, size=size),
                data=labelled.citation,
                data_licence=labelled.licence,
                command=typed_command(),
                progress_file=progress_file,
                device=device,
                on_step=shown.step,
                on_epoch=shown.epoch,
            )
        with resumable(kept):
            if temperature_scaling:
                model = calibrated(model, used)
            write_history(history, history_file)
            curves = plot_history(history, title=f"{spec.group}, seed {seed}")
            write_figure(curves, curves_file, dpi=150)
            # the model comes last: once it is there the same command is refused and cannot go on
            written = free_path(output, overwrite=overwrite)
            sha256 = save_model(model, written)
        progress_file.unlink(missing_ok=True)
        metrics = model.training.metrics if model.training is not None else {}
        console.print(
            f"Wrote {written} (sha256 {sha256[:12]}): {metrics['validation_accuracy']:.1%} of "
            f"{metrics['n_validation']:.0f} validation images right, after epoch "
            f"{metrics['epoch'] + 1:.0f} of {len(history)}"
            + (f"; temperature {model.temperature:.2f}" if temperature_scaling else ""),
        )


class _Shown:
    """A bar of steps, and a line for every epoch with the time that is left."""

    def __init__(self, bar: Progress, name: str, epochs: int) -> None:
        self._bar, self._epochs = bar, epochs
        self._task = bar.add_task(f"Training {name}", total=None)
        self._started = time.monotonic()
        self._first: int | None = None

    def step(self, done: int, total: int) -> None:
        self._first = done - 1 if self._first is None else self._first
        self._bar.update(self._task, completed=done, total=total)

    def epoch(self, result: EpochResult) -> None:
        done = result.steps - (self._first or 0)
        left = result.steps // (result.epoch + 1) * self._epochs - result.steps
        minutes = (time.monotonic() - self._started) / max(done, 1) * left / 60
        self._bar.console.print(
            f"epoch {result.epoch + 1:3d}  loss {result.train_loss:.3f}  validation loss "
            f"{result.validation_loss:.3f}  accuracy {result.validation_accuracy:.1%}"
            + (f"  {minutes:.0f} min left" if left else "")
        )


def _n_validation(data: StudyData, settings: TrainingSettings) -> int:
    """How many of the images the training will validate on."""
    from attnxai.training.loop import training_and_validation

    names = data.labelled.class_names
    labels = [names.index(str(image.class_name)) for image in data.trained_on]
    return len(training_and_validation(data.trained_on, labels, settings)[1])
