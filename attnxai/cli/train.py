"""``attnxai train``."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from attnxai.cli import training_options as options
from attnxai.cli.console import command, console, progress_bar
from attnxai.cli.training_options import DEFAULTS
from attnxai.data.mirabest import Confidence
from attnxai.models.specification import Normalisation
from attnxai.training.settings import Schedule


@command
def train(
    output: Annotated[Path, typer.Option(help="Model file to write, such as d8.pt.")],
    group: Annotated[str, typer.Option(help="Symmetry group: C1, C4, D8, ...")] = "D8",
    preset: options.PresetOption = options.Preset.COMPACT,
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
    citation: Annotated[
        str, typer.Option(help="Source of your images, for the model's record.")
    ] = "",
    licence: Annotated[
        str, typer.Option(help="Licence of your images, for the model's record.")
    ] = "",
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
    import torch

    from attnxai.classification.calibration import calibrated
    from attnxai.data.labelled import read_training_images
    from attnxai.errors import OptionError
    from attnxai.models.checkpoints import save_model
    from attnxai.training.field import field_of
    from attnxai.training.history import EpochResult, plot_history, write_history
    from attnxai.training.loop import train_model
    from attnxai.training.settings import TrainingSettings

    if output.suffix != ".pt":
        raise OptionError(f"--output {str(output)!r} should end in .pt")
    if output.exists() and not overwrite:
        raise OptionError(f"--output {output} exists already; name another file or add --overwrite")
    device = options.chosen_device(device)
    settings = TrainingSettings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        weight_decay=weight_decay,
        weight_average=weight_average,
        patience=patience,
        rotate=rotate,
        reflect=reflect,
        scale=scale,
        shift=shift,
        precision=options.chosen_precision(precision, device),
        seed=seed,
    )
    if threads is not None:
        torch.set_num_threads(threads)
    everything = read_training_images(
        images,
        data_dir=data_dir,
        labels=labels,
        confidence=confidence,
        hybrids=hybrids,
        pixel_scale_arcsec=pixel_scale_arcsec,
        citation=citation,
        licence=licence,
    )
    data, reserved = options.without_test_and_held_out(everything, hold_out)
    spec = options.chosen_spec(
        group,
        preset,
        normalisation=normalisation,
        published_form=published_form,
        n_classes=len(data.class_names),
    )
    n_test = len(everything.images) - len(data.images) - len(reserved)
    console.print(
        f"Training {spec.group} ({preset}, {settings.precision}, {device}) on {len(data.images)} images "
        f"of {data.name}"
        + (f"; {n_test} of its test split are left alone" if n_test else "")
        + (f"; {len(reserved)} are held out" if reserved else ""),
        markup=False,
    )
    progress_file = output.with_suffix(".progress.pt")
    if progress_file.is_file():
        console.print(f"Going on from {progress_file}", markup=False)
    with progress_bar() as bar:
        task = bar.add_task(f"Training {spec.group}", total=None)
        started = time.monotonic()
        first: int | None = None

        def step(done: int, total: int) -> None:
            nonlocal first
            first = done - 1 if first is None else first
            bar.update(task, completed=done, total=total)

        def show(result: EpochResult) -> None:
            done = result.steps - (first or 0)
            left = result.steps // (result.epoch + 1) * settings.epochs - result.steps
            minutes = (time.monotonic() - started) / max(done, 1) * left / 60
            bar.console.print(
                f"epoch {result.epoch + 1:3d}  loss {result.train_loss:.3f}  validation loss "
                f"{result.validation_loss:.3f}  accuracy {result.validation_accuracy:.1%}"
                + (f"  {minutes:.0f} min left" if left else "")
            )

        model, history = train_model(
            spec,
            data.images,
            class_names=data.class_names,
            settings=settings,
            name=spec.group,
            field=field_of(data.images, size=size),
            data=data.citation,
            data_licence=data.licence,
            command=_as_typed(),
            progress_file=progress_file,
            device=device,
            on_step=step,
            on_epoch=show,
        )
    if temperature_scaling:
        model = calibrated(model, data.images)
    sha256 = save_model(model, output)
    write_history(history, output.with_suffix(".history.csv"))
    curves = plot_history(history, title=f"{spec.group}, seed {seed}")
    curves.savefig(output.with_suffix(".curves.png"), dpi=150)
    progress_file.unlink(missing_ok=True)
    metrics = model.training.metrics if model.training is not None else {}
    console.print(
        f"Wrote {output} (sha256 {sha256[:12]}): {metrics['validation_accuracy']:.1%} of "
        f"{metrics['n_validation']:.0f} validation images right, after epoch "
        f"{metrics['epoch'] + 1:.0f} of {len(history)}"
        + (f"; temperature {model.temperature:.2f}" if temperature_scaling else ""),
        markup=False,
    )


def _as_typed() -> str:
    return shlex.join(["attnxai", *sys.argv[1:]])
