"""``attnxai train``."""

from __future__ import annotations

import enum
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from attnxai.cli.console import command, console, progress_bar
from attnxai.models.specification import Normalisation


class Preset(enum.StrEnum):
    """Widths and depths of a network."""

    COMPACT = "compact"
    PAPER = "paper"


@command
def train(
    output: Annotated[Path, typer.Option(help="Model file to write, such as d8.pt.")],
    group: Annotated[str, typer.Option(help="Symmetry group: C1, C4, D8, ...")] = "D8",
    preset: Annotated[Preset, typer.Option(help="Size of the network.")] = Preset.COMPACT,
    images: Annotated[
        str, typer.Option(help="Labelled data set to train on; at present 'mirabest'.")
    ] = "mirabest",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the data set; else ATTNXAI_DATA or the cache.")
    ] = None,
    hold_out: Annotated[
        Path | None,
        typer.Option(
            help="Annotation file (or text file with one source id a line) whose sources are neither "
            "trained nor validated on, so that the model can be tested with them."
        ),
    ] = None,
    normalisation: Annotated[
        Normalisation, typer.Option(help="How the scores of a gate become its map.")
    ] = Normalisation.RANGE_NORM,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 20,
    batch_size: Annotated[int, typer.Option(min=2, help="Images in one step.")] = 16,
    learning_rate: Annotated[float, typer.Option(min=1e-7, help="Peak learning rate.")] = 5e-3,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same weights.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing model file.")
    ] = False,
) -> None:
    """Train an equivariant attention network; run it again to go on after an interruption.

    The epoch with the lowest loss on the validation images (a fifth of the published training images of
    every class) is kept. The published test images are never used.
    """
    import torch

    from attnxai.data.images import SourceSet
    from attnxai.data.mirabest import CITATION, CLASS_NAMES, read_mirabest
    from attnxai.errors import OptionError
    from attnxai.models.checkpoints import save_model
    from attnxai.models.specification import compact_spec, paper_spec
    from attnxai.training.held_out import read_held_out
    from attnxai.training.loop import (
        EpochResult,
        TrainingSettings,
        check_device,
        train_model,
        write_history,
    )

    if images != "mirabest":
        raise OptionError(f"--images {images!r}: only 'mirabest' can be trained on at present")
    if output.suffix != ".pt":
        raise OptionError(f"--output {str(output)!r} should end in .pt")
    if output.exists() and not overwrite:
        raise OptionError(f"--output {output} exists already; name another file or add --overwrite")
    check_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    preset_spec = compact_spec if preset is Preset.COMPACT else paper_spec
    spec = preset_spec(group, normalisation=normalisation)
    everything = read_mirabest(data_dir)
    published = SourceSet(
        (image for image in everything if image.split == "train"), origin=everything.origin
    )
    reserved = read_held_out(hold_out, published) if hold_out is not None else frozenset()
    used = SourceSet(
        (image for image in published if image.source not in reserved), origin=everything.origin
    )
    console.print(
        f"Training {spec.group} ({preset}) on {len(used)} of the {len(published)} published training "
        f"images of MiraBest" + (f"; {len(reserved)} are held out" if reserved else "")
    )
    settings = TrainingSettings(
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed
    )
    progress_file = output.with_suffix(".progress.pt")
    with progress_bar() as bar:
        task = bar.add_task(f"Training {spec.group}", total=None)

        def show(result: EpochResult) -> None:
            bar.console.print(
                f"epoch {result.epoch + 1:3d}  loss {result.train_loss:.3f}  validation loss "
                f"{result.validation_loss:.3f}  accuracy {result.validation_accuracy:.1%}"
            )

        model, history = train_model(
            spec,
            used,
            class_names=[CLASS_NAMES[1], CLASS_NAMES[2]],
            settings=settings,
            name=spec.group,
            data=CITATION,
            data_licence="CC BY 4.0",
            command=_as_typed(),
            progress_file=progress_file,
            device=device,
            on_step=lambda done, total: bar.update(task, completed=done, total=total),
            on_epoch=show,
        )
    sha256 = save_model(model, output)
    write_history(history, output.with_suffix(".history.csv"))
    progress_file.unlink(missing_ok=True)
    metrics = model.training.metrics if model.training is not None else {}
    console.print(
        f"Wrote {output} (sha256 {sha256[:12]}): {metrics['validation_accuracy']:.1%} of "
        f"{metrics['n_validation']:.0f} validation images right, after epoch "
        f"{metrics['epoch'] + 1:.0f} of {epochs}",
        markup=False,
    )


def _as_typed() -> str:
    return shlex.join(["attnxai", *sys.argv[1:]])
