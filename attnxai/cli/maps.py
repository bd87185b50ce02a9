"""``attnxai maps``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any

from attnxai.cli import options
from attnxai.cli.annotation_options import SourcesOption, annotation_options, keywords_of
from attnxai.cli.console import console, details, progress, stage, stderr
from attnxai.cli.endings import command
from attnxai.cli.help import OUTPUT
from attnxai.cli.options import flag, output_option


@command(
    """Write the maps of a model for images to a file.

    FITS files have coordinates on the sky, for DS9 and CARTA; NPZ files and Zarr groups are for Python. All can be
    compared with annotations by attnxai compare --maps.""",
    shared=(options.reading_options, annotation_options),
)
def maps(
    model: options.ModelOption,
    output: Annotated[
        Path,
        output_option(
            "File of maps ({map_ending_names}); without an ending a folder with a FITS file for each source.",
            "PATH",
        ),
    ],
    images: Annotated[
        str | None, options.images_option("mirabest, or those that the annotations name")
    ] = None,
    annotations: SourcesOption = None,
    data_dir: options.DataDirOption = None,
    contours: Annotated[
        bool,
        flag(
            "--contours",
            "Write contours of high values as DS9 region files, into a folder beside the maps.",
            OUTPUT,
        ),
    ] = False,
    overwrite: options.OverwriteOption = False,
    explain: options.ExplainOption = None,
    target: options.TargetOption = None,
    seed: options.SeedOption = 0,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    **given: Any,
) -> None:
    """``attnxai maps``."""
    with stage("Starting"):
        from attnxai.annotations.inputs import read_all_images, read_inputs
        from attnxai.data.wording import counted, first_of, listed
        from attnxai.explanations.explaining import chosen_methods
        from attnxai.explanations.explaining import explain as explain_images
        from attnxai.explanations.files.contours import write_regions
        from attnxai.explanations.files.formats import map_output
        from attnxai.jobs.output_folder import output_folder
        from attnxai.models.checkpoints import load_model
        from attnxai.models.zoo import resolve_model

    reading = keywords_of(given, annotated=bool(annotations))
    methods = chosen_methods([name.lower() for name in options.listed(explain or ("gates",))])
    device = options.use_machine(device, threads)
    beside = output.with_name(f"{output.stem}-regions")
    with contextlib.ExitStack() as claimed:
        write = claimed.enter_context(map_output(output, overwrite=overwrite))
        regions = None
        if contours:
            regions = claimed.enter_context(
                output_folder(beside, what="region folder", overwrite=overwrite)
            )
        options.say_what_ships([model] if resolve_model(model).shipped else [], annotations or ())
        with stage("Reading model and images"):
            loaded = load_model(model)
            if not annotations:
                sources = read_all_images(images or "mirabest", data_dir=data_dir, **reading)
            else:
                sources = read_inputs(annotations, images, data_dir=data_dir, **reading).images
        loaded.network.to(device)
        with progress() as begin:
            found = explain_images(
                loaded,
                sources,
                methods,
                target=options.explained_target(target),
                rng=seed,
                on_batch=begin(f"{loaded.name}: {listed([method.title for method in methods])}"),
            )
        with stage("Writing"):
            write(found, sources)
            empty: list[str] = []
            if regions is not None:
                with regions.writing() as folder:
                    empty = write_regions(folder, found, sources)
    details.print(f"{counted(len(found), 'source')}; {', '.join(found.layers)}", soft_wrap=True)
    if empty:
        stderr.print(
            f"Note: {counted(len(empty), 'source')} without contours, since the maps are constant: {first_of(empty, 5)}"
        )
    console.print(f"Maps: {output}", soft_wrap=True)
    if regions is not None:
        console.print(f"Regions: {regions.path}", soft_wrap=True)
