"""``attnxai models temperature``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from attnxai.cli import options
from attnxai.cli.console import console, details
from attnxai.cli.endings import command
from attnxai.cli.help import OUTPUT
from attnxai.cli.options import option, output_option


@command(
    """Fit a temperature that calibrates the class probabilities.

    It is fitted to the model's own validation images, and does not change the predicted classes.""",
    shared=(options.model_images_options, options.reading_options),
)
def temperature(
    model: options.ModelOption,
    output: Annotated[Path, output_option("Model file to write, such as calibrated.pt.", "FILE")],
    overwrite: options.OverwriteOption = False,
    figure: Annotated[
        Path | None,
        option(
            "Figure of the reliability diagrams before and after, such as reliability.png.",
            OUTPUT,
            "FILE",
        ),
    ] = None,
    seed: options.SeedOption = 0,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    **given: Any,
) -> None:
    """``attnxai models temperature``."""
    from attnxai.classification.calibration import calibration_images, recalibrated
    from attnxai.jobs.files import check_output_file, free_path, output_file
    from attnxai.models.checkpoints import load_model, save_model
    from attnxai.report.classification import FIGURE_EXTENSIONS, draw_temperature, print_temperature

    if figure is not None:
        check_output_file(
            figure, extensions=FIGURE_EXTENSIONS, overwrite=overwrite, option="--figure"
        )
    with output_file(output, extensions=(".pt",), overwrite=overwrite):
        device = options.use_machine(device, threads)
        loaded = load_model(model)
        data = options.images_of_model(loaded, given)
        chosen, own = calibration_images(loaded, data.images)
        details.print(
            f"Calibrating {loaded.name} on {len(chosen)} "
            f"{'of its validation images' if own else 'images'} of {data.name}"
        )
        found = recalibrated(loaded, chosen, own=own, data_name=data.name, device=device, rng=seed)
        written = free_path(output, overwrite=overwrite)
        sha256 = save_model(found.model, written)
        print_temperature(found, details)
        if figure is not None:
            draw_temperature(found, free_path(figure, overwrite=overwrite))
            console.print(f"Wrote {figure}")
        console.print(f"Wrote {written} (sha256 {sha256[:12]})")
