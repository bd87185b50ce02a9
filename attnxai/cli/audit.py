"""``attnxai audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attnxai.cli import completion, options
from attnxai.cli.annotation_options import SourcesOption, annotation_options, keywords_of
from attnxai.cli.console import console, details, progress, progress_by_title, stage, typed_command
from attnxai.cli.endings import command
from attnxai.cli.help import INPUTS, MAPS
from attnxai.cli.options import option

if TYPE_CHECKING:
    from attnxai.explanations.files.map_chunks import MapChunks


@command(
    """Audit the maps of a model before comparing them with anything.

    Where does the evidence come from, and does empty sky reveal the class? Does the prediction rest on what the
    maps show, do maps depend on what was learned, and are they stable? Images that the model was not trained on are
    used where there are any.""",
    shared=(options.reading_options, annotation_options),
)
def audit(
    model: options.ModelOption,
    output: options.OutputFolderOption,
    images: Annotated[
        str | None, options.any_images_option("mirabest, or those that the annotations name")
    ] = None,
    annotations: SourcesOption = None,
    labels: options.LabelsOption = None,
    data_dir: options.DataDirOption = None,
    maps: Annotated[
        Path | None,
        option(
            "File of maps of this model for these images ({map_format_names}), to audit instead of those that it makes itself. "
            "Random weights, noise and rotations still explain anew. [default: gates and relative evidence, or Grad-CAM]",
            INPUTS,
            "FILE",
            choices=lambda: (),
            extensions=(".npz", ".fits", ".zarr"),
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        option(
            "Audit to run: {audit_names}; repeat for several. [default: all]",
            MAPS,
            "NAME",
            choices=completion.audit_names,
        ),
    ] = None,
    min_island_pixels: Annotated[
        int | None,
        option(
            "For the first audit: islands of fewer pixels above the clip are noise. [default: 5]",
            MAPS,
            "PIXELS",
            min=1,
        ),
    ] = None,
    seed: options.SeedOption = 0,
    overwrite: options.OverwriteOption = False,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    **given: Any,
) -> None:
    """``attnxai audit``."""
    with stage("Starting"):
        from attnxai.annotations.inputs import read_inputs
        from attnxai.audit.audits import chosen_audits, run_audits
        from attnxai.audit.given_maps import maps_of_model
        from attnxai.audit.images import read_audit_images, with_stated_classes
        from attnxai.data.emission import MIN_ISLAND_PIXELS
        from attnxai.explanations.files.formats import open_maps
        from attnxai.jobs.output_folder import output_folder
        from attnxai.models.checkpoints import load_model
        from attnxai.models.zoo import resolve_model
        from attnxai.report.audit_document import write_audit

    reading = keywords_of(given, annotated=bool(annotations))
    names = [name.lower() for name in options.listed(only)] if only else None
    chosen_audits(names)
    device = options.use_machine(device, threads)
    with output_folder(output, what="audit", overwrite=overwrite) as folder:
        resolved = resolve_model(model)
        options.say_what_ships([model] if resolved.shipped else [], annotations or ())
        with stage("Reading model and images"):
            loaded = load_model(resolved.path)
            loaded.network.to(device)
            file = open_maps(maps) if maps else None
            own: MapChunks | None = None
            if file is not None and file.states_splits:
                own = maps_of_model(loaded, file.with_provenance(file.maps()))
            if annotations:
                inputs = read_inputs(
                    annotations,
                    images,
                    class_table=labels,
                    data_dir=data_dir,
                    without=own.reasons if own is not None else None,
                    **reading,
                )
                found = with_stated_classes(inputs)
            else:
                found = read_audit_images(
                    images, labels=labels, data_dir=data_dir, maps=own, **reading
                )
            if file is not None and own is None:  # maps of another program lie on the images
                own = maps_of_model(loaded, file.with_provenance(file.maps(found)))
        with progress() as begin:
            result = run_audits(
                loaded,
                found,
                names,
                maps=own,
                rng=seed,
                min_island_pixels=min_island_pixels or MIN_ISLAND_PIXELS,
                on_step=progress_by_title(begin),
            )
            write_audit(result, folder, command=typed_command())
    details.print(result.summary())
    details.print()
    console.print(f"Audit: {folder.path / 'index.html'}", soft_wrap=True)
