"""``attnxai audit``."""

from __future__ import annotations

from typing import Annotated, Any

from attnxai.cli import completion, options
from attnxai.cli.annotation_options import SourcesOption, annotation_options, keywords_of
from attnxai.cli.console import console, details, progress, progress_by_title, stage, typed_command
from attnxai.cli.endings import command
from attnxai.cli.help import MAPS
from attnxai.cli.options import option


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
        str | None, options.images_option("mirabest, or those that the annotations name")
    ] = None,
    annotations: SourcesOption = None,
    labels: options.LabelsOption = None,
    data_dir: options.DataDirOption = None,
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
        from attnxai.audit.images import read_audit_images, with_stated_classes
        from attnxai.data.emission import MIN_ISLAND_PIXELS
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
            if annotations:
                inputs = read_inputs(
                    annotations, images, class_table=labels, data_dir=data_dir, **reading
                )
                found = with_stated_classes(inputs)
            else:
                found = read_audit_images(images, labels=labels, data_dir=data_dir, **reading)
        with progress() as begin:
            result = run_audits(
                loaded,
                found,
                names,
                rng=seed,
                min_island_pixels=min_island_pixels or MIN_ISLAND_PIXELS,
                on_step=progress_by_title(begin),
            )
            write_audit(result, folder, command=typed_command())
    details.print(result.summary())
    details.print()
    console.print(f"Audit: {folder.path / 'index.html'}", soft_wrap=True)
