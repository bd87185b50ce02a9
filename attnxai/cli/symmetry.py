"""``attnxai models symmetry``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any

from attnxai.cli import options
from attnxai.cli.console import console, details, progress, stage
from attnxai.cli.endings import command
from attnxai.cli.help import IMAGES
from attnxai.cli.options import option, output_option


@command(
    """Measure how exactly maps and class scores follow the symmetries of a network.

    Images are transformed by every element of the network's group and, for comparison, by rotations of 45
    and 90 degrees and a reflection if the group does not contain them. Without --images, simulated galaxies
    are used.""",
    shared=(options.reading_options,),
)
def symmetry(
    model: options.ModelOption,
    images: Annotated[str | None, options.images_option("simulated galaxies")] = None,
    data_dir: options.DataDirOption = None,
    size: Annotated[
        list[str] | None,
        option(
            "Side of the field, 8 or more; repeat for several. [default: the model's own]",
            IMAGES,
            "PIXELS",
        ),
    ] = None,
    n_images: Annotated[
        int,
        option("Number of images to transform, drawn at random if there are more.", IMAGES, min=2),
    ] = 12,
    seed: options.SeedOption = 0,
    output: Annotated[Path | None, output_option("CSV file of the full table.", "FILE")] = None,
    overwrite: options.OverwriteOption = False,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    **given: Any,
) -> None:
    """``attnxai models symmetry``."""
    with stage("Starting"):
        from attnxai.audit.equivariance import symmetry_errors
        from attnxai.audit.images import audit_images
        from attnxai.audit.readout import field_brightness
        from attnxai.jobs.files import free_path, output_file
        from attnxai.models.checkpoints import load_model
        from attnxai.models.elements import IDENTITY, elements_outside, group_elements
        from attnxai.report.symmetry import print_symmetry

    sides = tuple(dict.fromkeys(options.listed_numbers("--size", size or (), least=8)))
    with contextlib.ExitStack() as stack:
        if output is not None:
            stack.enter_context(output_file(output, extensions=(".csv",), overwrite=overwrite))
        device = options.use_machine(device, threads)
        loaded = load_model(model)
        loaded.network.to(device)
        sides = sides or (loaded.preprocessing.size,)
        with stage("Reading images"):
            chosen = audit_images(
                loaded,
                images,
                side=max(sides),
                n_images=n_images,
                data_dir=data_dir,
                **given,
                rng=seed,
            )
        group = loaded.spec.symmetry
        elements = (
            *(element for element in group_elements(group) if element != IDENTITY),
            *elements_outside(group),
        )
        with progress() as begin:
            measured = [
                symmetry_errors(
                    loaded,
                    field_brightness(loaded, chosen, side=side),
                    elements=elements,
                    on_element=begin(f"Transforming images of {side} pixels"),
                )
                for side in sides
            ]
        print_symmetry(
            loaded.name,
            measured,
            console if output is None else details,
            simulated=images is None,
        )
        if output is not None:
            import pandas as pd

            from attnxai.data.csv_table import write_frame

            written = free_path(output, overwrite=overwrite)
            write_frame(pd.concat([errors.to_frame() for errors in measured]), written)
            details.print()
            console.print(f"Table: {written}", soft_wrap=True)
