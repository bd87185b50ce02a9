"""``attnxai models card``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from attnxai.cli import options
from attnxai.cli import training_options as training
from attnxai.cli.console import console, details, progress, stage
from attnxai.cli.endings import command
from attnxai.cli.help import INPUTS
from attnxai.cli.options import flag, output_option
from attnxai.data.classes import Confidence


@command(
    """Measure a model and write its card: data, split, seed, command and metrics with intervals.

    The model is measured on its own validation images, and on test images only with --test.""",
    shared=(options.model_images_options, options.reading_options),
)
def card(
    model: options.ModelOption,
    output: Annotated[
        Path | None,
        output_option(
            "Card to write, such as d8.card.json. [default: beside the model file]", "FILE"
        ),
    ] = None,
    overwrite: options.OverwriteOption = False,
    test: Annotated[
        bool,
        flag(
            "--test",
            "Measure on the published test split as well. Use it once, when all choices are made.",
            INPUTS,
        ),
    ] = False,
    confidence: training.ConfidenceOption = Confidence.ALL,
    n_bootstrap: options.BootstrapOption = 10_000,
    seed: options.SeedOption = 0,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    **given: Any,
) -> None:
    """``attnxai models card``."""
    from attnxai.errors import OptionError
    from attnxai.jobs.files import free_path, output_file
    from attnxai.models.card_file import card_path, write_card
    from attnxai.models.zoo import resolve_model
    from attnxai.report.model_card import print_card

    resolved = resolve_model(model)
    if output is None and resolved.shipped:
        raise OptionError(
            f"{model} ships with the package, and its card with it; give --output to write another one"
        )
    output = card_path(resolved.path) if output is None else output
    with output_file(output, extensions=(".json",), overwrite=overwrite):
        with stage("Reading model and images"):
            import numpy as np

            from attnxai.models.checkpoints import load_model
            from attnxai.study.card import card_images, measure_card

            device = options.use_machine(device, threads)
            loaded = load_model(resolved.path)
            data = options.images_of_model(loaded, given, confidence=confidence)
            chosen = card_images(loaded, data.images, test=test)
        counts = ", ".join(f"{len(part)} ({name})" for name, part in chosen.parts.items())
        details.print(f"Measuring {loaded.name} on images of {data.name}: {counts}")
        with progress() as begin:
            measured = measure_card(
                loaded,
                chosen,
                name=Path(resolved.path).stem,
                measured_on=data.name,
                rng=np.random.default_rng(seed),
                n_bootstrap=n_bootstrap,
                device=device,
                on_part=lambda name: begin(f"Measuring on {name}"),
            )
        written = free_path(output, overwrite=overwrite)
        write_card(measured, written)
        print_card(measured, details)
        console.print(f"Wrote {written}", soft_wrap=True)
