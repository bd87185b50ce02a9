"""``attnxai models symmetry``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnxai.cli.console import command, console, progress_bar, stderr

if TYPE_CHECKING:
    from attnxai.data.images import SourceSet
    from attnxai.models.model import AttentionModel


@command
def symmetry(
    file: Annotated[str, typer.Argument(help="Model file, or the name of a shipped model.")],
    images: Annotated[
        str | None,
        typer.Option(
            help="'mirabest', a folder of FITS, PNG or NPY images, or one image; else simulated "
            "galaxies."
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of MiraBest; else ATTNXAI_DATA or the cache.")
    ] = None,
    pixel_scale_arcsec: Annotated[
        float | None,
        typer.Option(min=1e-6, help="Side of a pixel of images that do not state it (PNG, NPY)."),
    ] = None,
    sides: Annotated[
        str | None,
        typer.Option(help="Sides of the field in pixels, such as 150,151; else the model's own."),
    ] = None,
    n_images: Annotated[
        int, typer.Option(min=2, help="Images to turn, drawn at random where there are more.")
    ] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same images.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="CSV file for the table, with every number.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing table.")
    ] = False,
) -> None:
    """Measure how exactly maps and class scores follow the symmetries of a network.

    Images are turned by every element of the network's group, and for comparison by 45 and 90 degrees
    and a reflection where the group lacks them.
    """
    with stderr.status("Starting…"):
        from attnxai.audit.elements import IDENTITY, elements_outside, group_elements
        from attnxai.audit.equivariance import symmetry_errors
        from attnxai.audit.readout import field_brightness
        from attnxai.audit.results import Symmetry
        from attnxai.jobs.files import check_output_file, free_path
        from attnxai.models.checkpoints import load_model
        from attnxai.report.tables.symmetry import symmetry_table
        from attnxai.report.tables.text import render_terminal

    wanted = _parse_sides(sides)
    if output is not None:
        check_output_file(output, endings=(".csv",), overwrite=overwrite)
    model = load_model(file)
    wanted = wanted or (model.preprocessing.size,)
    with stderr.status("Reading images…"):
        chosen = _choose_images(
            model,
            images,
            data_dir=data_dir,
            pixel_scale_arcsec=pixel_scale_arcsec,
            side=max(wanted),
            n_images=n_images,
            seed=seed,
        )
    group = model.spec.symmetry
    elements = (
        *(element for element in group_elements(group) if element != IDENTITY),
        *elements_outside(group),
    )
    measured = []
    with progress_bar() as bar:
        task = bar.add_task("Turning images", total=len(elements) * len(wanted))
        for side in wanted:
            fields = field_brightness(model, chosen, side=side)
            measured.append(
                symmetry_errors(
                    model, fields, elements=elements, on_element=lambda *_: bar.advance(task)
                )
            )
    for errors in measured:
        table = symmetry_table(errors)
        origin = " (simulated)" if images is None else ""
        title = f"{model.name}: {table.title}{origin}"
        console.print(render_terminal(dataclasses.replace(table, title=title)))
    for errors in measured:
        console.print(f"{errors.summary()}.")
    notes = []
    if any(len(errors.positions(Symmetry.EXACT)) for errors in measured):
        notes.append(
            "The table gives changes of the class scores as a share of their spread over these images; for "
            "elements that hold exactly the sentence gives them as a share of the scores' own size, since "
            "rounding goes with that."
        )
    if images is None:
        notes.append(
            "The images are simulated galaxies, so spreads and ranges are those of simulations; --images "
            "names real ones."
        )
    for note in notes:
        console.print(f"- {note}")
    if output is not None:
        import pandas as pd

        from attnxai.data.csv_table import write_frame

        frame = pd.concat([errors.to_frame() for errors in measured])
        written = free_path(output, overwrite=overwrite)
        write_frame(frame, written)
        console.print(f"\nTable: {written}", soft_wrap=True)


def _parse_sides(text: str | None) -> tuple[int, ...]:
    from attnxai.errors import OptionError

    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= 8 for part in parts):
        raise OptionError(
            f"--sides {text!r} should be numbers of pixels from 8 on, such as 150,151"
        )
    return tuple(dict.fromkeys(int(part) for part in parts))


def _choose_images(
    model: AttentionModel,
    images: str | None,
    *,
    data_dir: Path | None,
    pixel_scale_arcsec: float | None,
    side: int,
    n_images: int,
    seed: int,
) -> SourceSet:
    import numpy as np

    from attnxai.data.images import SourceSet, read_images
    from attnxai.data.mirabest import read_mirabest
    from attnxai.data.simulation import CLASS_NAMES, Survey, simulate_source

    rng = np.random.default_rng(seed)
    if images is None:
        survey = Survey(
            side=side + side % 2, pixel_scale_arcsec=model.preprocessing.pixel_scale_arcsec
        )
        return SourceSet(
            (
                simulate_source(
                    CLASS_NAMES[index % len(CLASS_NAMES)],
                    source=f"simulated_{index + 1:03d}",
                    rng=rng,
                    survey=survey,
                ).image
                for index in range(n_images)
            ),
            origin="simulated galaxies",
        )
    if images.lower() == "mirabest":
        found = read_mirabest(data_dir)
    else:
        found = read_images(images, pixel_scale_arcsec=pixel_scale_arcsec)
    if len(found) <= n_images:
        return found
    positions = np.sort(rng.choice(len(found), size=n_images, replace=False))
    return SourceSet((found[int(position)] for position in positions), origin=found.origin)
