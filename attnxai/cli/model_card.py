"""``attnxai models card``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnxai.cli import training_options as options
from attnxai.cli.console import command, console, progress_bar, stderr
from attnxai.data.mirabest import Confidence

if TYPE_CHECKING:
    from attnxai.models.cards import ModelCard


@command
def card(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Model file, or the name of a shipped model.")],
    images: options.ImagesOption = "mirabest",
    labels: options.LabelsOption = None,
    data_dir: options.DataDirOption = None,
    confidence: options.ConfidenceOption = Confidence.ALL,
    pixel_scale_arcsec: options.PixelScaleOption = None,
    test: Annotated[
        bool,
        typer.Option(
            "--test",
            help="Measure on the published test split as well; do so once, when every choice is made.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Card to write, such as d8.card.json; else beside the model file."),
    ] = None,
    n_resamples: Annotated[
        int, typer.Option(min=1, help="Resamples of the images behind the intervals.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same intervals.")] = 0,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing card.")
    ] = False,
) -> None:
    """Measure a model and write its card: data, split, seed, command and metrics with intervals.

    It is measured on its own validation images, and on test images only with --test.
    """
    from attnxai.errors import OptionError
    from attnxai.jobs.files import free_path, output_file
    from attnxai.models.card_file import card_path, write_card
    from attnxai.models.zoo import resolve_model

    resolved = resolve_model(model)
    if output is None and resolved.shipped:
        raise OptionError(
            f"{model} ships with the package, and its card with it; name with --output where to write "
            "this one"
        )
    output = card_path(resolved.path) if output is None else output
    with output_file(output, endings=(".json",), overwrite=overwrite):
        with stderr.status("Starting…"):
            import numpy as np
            import torch

            from attnxai.data.labelled import MIRABEST, read_training_images
            from attnxai.data.mirabest import CLASS_NAMES
            from attnxai.models.checkpoints import load_model
            from attnxai.study.card import card_images, measure_card

            device = options.chosen_device(device)
            if threads is not None:
                torch.set_num_threads(threads)
            loaded = load_model(resolved.path)
            options.check_images_named(context, loaded)
            data = read_training_images(
                images,
                data_dir=data_dir,
                labels=labels,
                confidence=confidence,
                hybrids=images.lower() == MIRABEST and CLASS_NAMES[3] in loaded.class_names,
                pixel_scale_arcsec=pixel_scale_arcsec,
            )
            chosen = card_images(loaded, data.images, test=test)
        counts = ", ".join(f"{len(part)} ({name})" for name, part in chosen.parts.items())
        console.print(f"Measuring {loaded.name} on images of {data.name}: {counts}")
        with progress_bar() as bar:
            task = bar.add_task("Measuring", total=len(chosen.parts))
            n_begun = 0

            def show_part(name: str) -> None:
                nonlocal n_begun
                bar.update(task, description=f"Measuring on {name}", completed=n_begun)
                n_begun += 1

            measured = measure_card(
                loaded,
                chosen,
                name=Path(resolved.path).stem,
                measured_on=data.name,
                rng=np.random.default_rng(seed),
                n_resamples=n_resamples,
                device=device,
                on_part=show_part,
            )
        written = free_path(output, overwrite=overwrite)
        write_card(measured, written)
        _show(measured)
        console.print(f"Wrote {written}", soft_wrap=True)


def _show(measured: ModelCard) -> None:
    from rich.table import Table
    from rich.text import Text

    facts = Table(show_header=False, title=Text(measured.name), title_justify="left")
    facts.add_column("what", style="dim", no_wrap=True)
    facts.add_column("value", overflow="fold")
    for name, value in measured.facts().items():
        facts.add_row(name, Text(value))
    facts.add_row("Command", Text(measured.command or "not recorded"))
    console.print(facts)
    head, rows = measured.metric_table()
    metrics = Table()
    for name in head:
        metrics.add_column(Text(name))
    for row in rows:
        metrics.add_row(*map(Text, row))
    console.print(metrics)
    console.print(measured.remarks())
