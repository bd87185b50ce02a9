"""``attnxai models calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnxai.cli import training_options as options
from attnxai.cli.console import command, console

if TYPE_CHECKING:
    from attnxai.classification.metrics import ClassificationMetrics
    from attnxai.classification.temperature import TemperatureFit

_FIGURE_ENDINGS = (".png", ".pdf", ".svg")


@command
def calibrate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Model file, or the name of a shipped model.")],
    output: Annotated[Path, typer.Option(help="Model file to write, such as calibrated.pt.")],
    images: options.ImagesOption = "mirabest",
    labels: options.LabelsOption = None,
    data_dir: options.DataDirOption = None,
    pixel_scale_arcsec: options.PixelScaleOption = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Reliability diagram before and after, such as reliability.png."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same intervals.")] = 0,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Fit a temperature that makes class probabilities mean what they say.

    The temperature is fitted to the model's own validation images; the predicted classes do not change.
    """
    import dataclasses
    import warnings

    import torch

    from attnxai.classification.calibration import calibration_images
    from attnxai.classification.metrics import classification_metrics
    from attnxai.classification.prediction import class_labels, class_scores
    from attnxai.classification.temperature import fit_temperature
    from attnxai.data.labelled import MIRABEST, read_training_images
    from attnxai.data.mirabest import CLASS_NAMES
    from attnxai.errors import AttnxaiWarning, DataSetError, FewSourcesWarning
    from attnxai.jobs.files import check_output_file, free_path, output_file
    from attnxai.models.checkpoints import load_model, save_model

    if figure is not None:
        check_output_file(figure, endings=_FIGURE_ENDINGS, overwrite=overwrite, option="--figure")
    with output_file(output, endings=(".pt",), overwrite=overwrite):
        device = options.chosen_device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        loaded = load_model(model)
        options.check_images_named(context, loaded)
        data = read_training_images(
            images,
            data_dir=data_dir,
            labels=labels,
            hybrids=images.lower() == MIRABEST and CLASS_NAMES[3] in loaded.class_names,
            pixel_scale_arcsec=pixel_scale_arcsec,
        )
        chosen, own = calibration_images(loaded, data.images)
        notes = loaded.notes
        if not own:
            note = (
                f"the temperature was fitted to {len(chosen)} images of {data.name} that are not the model's "
                "validation images, so that probabilities of these are not held out"
            )
            warnings.warn(
                f"{loaded.name} has no validation images among the {len(data.images)} images given: {note}",
                AttnxaiWarning,
                stacklevel=2,
            )
            notes = (*notes, note)
        console.print(
            f"Calibrating {loaded.name} on {len(chosen)} "
            f"{'of its validation images' if own else 'images'} of {data.name}",
        )
        scores = class_scores(loaded, chosen, device=device)
        positions = class_labels(loaded, chosen)
        with warnings.catch_warnings():
            # the same is an error here, since there is nothing to write
            warnings.simplefilter("ignore", FewSourcesWarning)
            fit = fit_temperature(scores, positions)
        if fit.at_bound:
            raise DataSetError(f"no temperature can be fitted to {loaded.name}: {fit.obstacle}")
        before, after = (
            classification_metrics(
                scores, positions, loaded.class_names, temperature=temperature, rng=seed
            )
            for temperature in (loaded.temperature, fit.temperature)
        )
        changed = dataclasses.replace(loaded, temperature=fit.temperature, notes=notes)
        written = free_path(output, overwrite=overwrite)
        sha256 = save_model(changed, written)
        _show(before, after, fit)
        if figure is not None:
            _draw(before, after, figure)
            console.print(f"Wrote {figure}")
        console.print(f"Wrote {written} (sha256 {sha256[:12]})")


def _show(before: ClassificationMetrics, after: ClassificationMetrics, fit: TemperatureFit) -> None:
    from attnxai.report.tables.classification import temperatures_table
    from attnxai.report.tables.text import render_terminal

    console.print(render_terminal(temperatures_table((before, after))))
    high = f"{fit.high:.2f}" if fit.high < float("inf") else "infinity"
    needed = (
        " These images do not show that scaling is needed: 1 lies in the interval."
        if fit.low <= 1.0 <= fit.high
        else ""
    )
    console.print(
        f"Temperature {fit.temperature:.3f}, {fit.level:.0%} interval {fit.low:.2f} to {high}.{needed} Log "
        f"loss with each image's temperature fitted to all others: {fit.log_loss_cross_validated:.4f}, "
        f"against {fit.log_loss_before:.4f} with temperature 1 (gain {fit.gain:.4f}, standard error "
        f"{fit.gain_error:.4f}). What the table says of after is measured on the images that the "
        "temperature was fitted to.",
    )


def _draw(before: ClassificationMetrics, after: ClassificationMetrics, path: Path) -> None:
    from attnxai.report.style import MM, TWO_COLUMNS, new_figure, paper_style, write_figure

    with paper_style():
        figure = new_figure(TWO_COLUMNS, 84 * MM)
        for ax, metrics in zip(figure.subplots(1, 2), (before, after), strict=True):
            metrics.plot(ax=ax)
            ax.set_title(f"T = {metrics.temperature:.2f}\n{ax.get_title(loc='left')}", loc="left")
        write_figure(figure, path)
