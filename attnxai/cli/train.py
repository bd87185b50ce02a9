"""``attnxai train``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attnxai.cli import completion, options
from attnxai.cli import training_options as training
from attnxai.cli.console import console, details, progress, typed_command
from attnxai.cli.endings import command, resumable
from attnxai.cli.help import NETWORK, TRAINING
from attnxai.cli.options import flag, option, output_option
from attnxai.data.wording import counted

if TYPE_CHECKING:
    from attnxai.cli.console import Steps
    from attnxai.models.model import AttentionModel
    from attnxai.study.data import StudyData
    from attnxai.training.history import EpochResult
    from attnxai.training.settings import TrainingSettings


@command(
    """Train an equivariant attention network; the same command resumes it after an interruption.

    The epoch with the lowest loss on the validation images is kept. Images of a published test split are
    never used.""",
    shared=(training.training_options, options.reading_options),
)
def train(
    output: Annotated[Path, output_option("Model file to write, such as d8.pt.", "FILE")],
    overwrite: options.OverwriteOption = False,
    group: Annotated[
        str,
        option(
            "Symmetry group, such as C1, C4 or D8.", NETWORK, "NAME", choices=completion.group_names
        ),
    ] = "D8",
    random_labels: Annotated[
        bool,
        flag(
            "--random-labels",
            "Permute the labels of the training images at random, as a control for maps; the last epoch is kept.",
            TRAINING,
        ),
    ] = False,
    temperature_scaling: Annotated[
        bool,
        flag(
            "--temperature-scaling/--no-temperature-scaling",
            "Calibrate the class probabilities by a temperature fitted to the validation images.",
            TRAINING,
        ),
    ] = True,
    seed: Annotated[
        int,
        option(
            "Random seed; the same seed, device and number of threads give the same weights.",
            TRAINING,
            min=0,
        ),
    ] = 0,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    **given: Any,
) -> None:
    """``attnxai train``."""
    from attnxai.classification.calibration import calibrated
    from attnxai.jobs.files import check_output_file, free_path, output_file
    from attnxai.models.checkpoints import save_model
    from attnxai.report.style import write_figure
    from attnxai.report.training import plot_history
    from attnxai.statistics.exact import share_interval
    from attnxai.statistics.formats import format_share, shares_with_intervals
    from attnxai.training.field import field_of
    from attnxai.training.history import write_history
    from attnxai.training.loop import train_model
    from attnxai.training.progress import is_given_more_epochs

    with output_file(output, extensions=(".pt",), overwrite=overwrite):
        history_file, curves_file, progress_file, finished_file = (
            output.with_suffix(f".{ending}")
            for ending in ("history.csv", "curves.png", "progress.pt", "finished.pt")
        )
        for beside in (history_file, curves_file):
            check_output_file(
                beside,
                extensions=(beside.suffix,),
                overwrite=overwrite or progress_file.is_file(),
                option="beside --output:",
            )
        device = options.use_machine(device, threads)
        settings = training.chosen_settings(given, device, seed=seed, random_labels=random_labels)
        temperature_scaling = temperature_scaling and not random_labels
        data = training.chosen_images(given).read()
        labelled, used = data.labelled, data.trained_on
        spec = training.chosen_spec(given, group, n_classes=len(labelled.class_names))
        n_validation = _n_validation(data, settings)
        # with the same epochs or other settings, --overwrite means to train again
        if not progress_file.is_file() and is_given_more_epochs(finished_file, settings):
            finished_file.replace(progress_file)
        details.print(
            f"Training {spec.group} ({given['preset']}, {settings.precision}, {device}) on "
            f"{len(used) - n_validation} images of {labelled.name}, {n_validation} more for validation"
            + (f"; {counted(len(data.test), 'test image')} not used" if len(data.test) else "")
            + (f"; {data.n_held_out} held out" if data.n_held_out else "")
        )

        def resume(n_epochs: int) -> None:
            details.print(f"Resuming from {progress_file} after {counted(n_epochs, 'epoch')}")

        def kept() -> str:
            return f"{progress_file} keeps what was trained" if progress_file.is_file() else ""

        with resumable(kept), progress() as begin:
            shown = _Shown(begin, spec.group, settings.epochs)
            model, history = train_model(
                spec,
                used,
                class_names=labelled.class_names,
                settings=settings,
                name=spec.group,
                field=field_of(used, size=given["size"], binning=spec.binning),
                data=labelled.citation,
                data_licence=labelled.licence,
                command=typed_command(),
                progress_file=progress_file,
                device=device,
                on_resume=resume,
                on_step=shown.step,
                on_epoch=shown.epoch,
            )
        with resumable(kept):
            if temperature_scaling:
                model = calibrated(model, used)
            write_history(history, history_file)
            curves = plot_history(
                history, title=f"{spec.group}, seed {seed}", last_kept=random_labels
            )
            write_figure(curves, curves_file, dpi=150)
            # the model comes last: once it is there the same command is refused and cannot resume
            written = free_path(output, overwrite=overwrite)
            sha256 = save_model(model, written)
        progress_file.replace(finished_file)
        metrics = model.training.metrics if model.training is not None else {}
        n_images = int(metrics["n_validation"])
        accuracy = share_interval(round(metrics["validation_accuracy"] * n_images), n_images)
        console.print(
            f"Wrote {written} (sha256 {sha256[:12]}): accuracy {shares_with_intervals([accuracy])[0]} on "
            f"{counted(n_images, 'validation image')}, epoch {metrics['epoch'] + 1:.0f} of {len(history)}"
            + (f"; {_temperature(model)}" if temperature_scaling else "")
            + (
                f"; trained on random labels, of which it gives {format_share(metrics['random_labels_accuracy'])}"
                if random_labels
                else ""
            )
        )


class _Shown:
    """A progress bar of steps, and a line for every epoch with the remaining time."""

    def __init__(self, begin: Steps, name: str, epochs: int) -> None:
        self._bar, self._epochs = begin.bar, epochs
        self._show = begin(f"Training {name}")
        self._started = time.monotonic()
        self._first: int | None = None

    def step(self, done: int, total: int) -> None:
        self._first = done - 1 if self._first is None else self._first
        self._show(done, total)

    def epoch(self, result: EpochResult) -> None:
        done = result.steps - (self._first or 0)
        left = result.steps // (result.epoch + 1) * self._epochs - result.steps
        minutes = (time.monotonic() - self._started) / max(done, 1) * left / 60
        self._bar.console.print(
            f"epoch {result.epoch + 1:3d}  loss {result.train_loss:.3f}  validation loss "
            f"{result.validation_loss:.3f}  accuracy {100 * result.validation_accuracy:.1f} %"
            + (f"  {minutes:.0f} min left" if left else "")
        )


def _n_validation(data: StudyData, settings: TrainingSettings) -> int:
    """Number of images that the training will validate on."""
    from attnxai.training.run import training_and_validation

    names = data.labelled.class_names
    labels = [names.index(str(image.class_name)) for image in data.trained_on]
    return len(training_and_validation(data.trained_on, labels, settings)[1])


def _temperature(model: AttentionModel) -> str:
    if model.temperature == 1.0:
        return "no temperature could be fitted"
    return f"temperature {model.temperature:.2f}"
