"""``attnxai compare``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from attnxai.cli.console import (
    collected_assumptions,
    command,
    console,
    progress_bar,
    stderr,
    typed_command,
)

DEFAULT_FOLDER = "attnxai-report"


@command
def compare(
    model: Annotated[
        list[str],
        typer.Option(
            help="Model file, or the name of a shipped model such as d8.pt; repeat to compare several."
        ),
    ],
    annotations: Annotated[
        str,
        typer.Option(
            help="Annotation table (CSV), the ClaRAN catalogue, the Radio Galaxy Zoo expert sample, or "
            "expert.csv for the simulated sample that ships."
        ),
    ],
    images: Annotated[
        str | None,
        typer.Option(
            help="'mirabest', a folder of FITS, PNG or NPY images, one image, or a folder or .tar.gz "
            "archive of batches; else the table's image column."
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of MiraBest; else ATTNXAI_DATA or the cache.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder of the report; else attnxai-report, or the next free number."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing report.")
    ] = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Metric; repeat for several. Conclusions rest on the first."),
    ] = None,
    null: Annotated[
        list[str] | None,
        typer.Option(
            help="Null to test against beside the exchange of sources: symmetries, rotation, shift, moran, "
            "or variogram and phase, which take seconds for each map of each source; repeat for several."
        ),
    ] = None,
    alternative: Annotated[
        str,
        typer.Option(
            help="What counts against a null: greater (more agreement), less, or two-sided."
        ),
    ] = "greater",
    strata: Annotated[
        list[str] | None,
        typer.Option(
            help="What sources share that are exchanged: class, size, annotators (who marked them), or a "
            "column of the table such as survey; repeat for several. [default: class]"
        ),
    ] = None,
    correction: Annotated[
        str, typer.Option(help="How p-values are adjusted over maps: holm, bh, max_t or none.")
    ] = "holm",
    label: Annotated[
        list[str] | None, typer.Option(help="Use only marks with this label; repeat for several.")
    ] = None,
    n_permutations: Annotated[int, typer.Option(min=1, help="Draws of each null.")] = 10_000,
    n_bootstrap: Annotated[int, typer.Option(min=100, help="Bootstrap resamples.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same numbers.")] = 0,
    fwhm_arcsec: Annotated[
        float, typer.Option(help="Width of points and lines, as a density and as a region.")
    ] = 5.4,
    source_weights: Annotated[
        bool,
        typer.Option(
            "--source-weights", help="Weigh sources by the consensus level that a catalogue states."
        ),
    ] = False,
    min_components: Annotated[
        int, typer.Option(min=1, help="Catalogue sources with fewer components are left out.")
    ] = 2,
    match_radius_arcsec: Annotated[
        float, typer.Option(min=0.0, help="Largest distance of a catalogue source from an image.")
    ] = 30.0,
    fill_blank: Annotated[
        bool,
        typer.Option("--fill-blank", help="Leave NaN pixels out instead of refusing the image."),
    ] = False,
    pixel_scale_arcsec: Annotated[
        float | None,
        typer.Option(
            min=1e-6, help="Side of a pixel of images that do not state it (PNG, NPY, batches)."
        ),
    ] = None,
    prepared: Annotated[
        bool | None,
        typer.Option(
            "--prepared/--survey",
            help="Whether images are clipped and scaled already; else 8-bit ones are.",
        ),
    ] = None,
) -> None:
    """Compare the attention maps of models with annotations, and write a report.

    The annotations are read, the images of their sources are found, the models' gates are read out, and
    agreement is measured against brightness, centre bias, exchanged sources and, where several people
    marked, against how well they agree with each other. Several models are compared with each other too.
    """
    with stderr.status("Starting…"):
        from attnxai.agreement.comparison import ComparisonSettings
        from attnxai.agreement.comparison.strata import CLASS
        from attnxai.agreement.metrics import DEFAULT_METRICS
        from attnxai.agreement.model_comparison.comparison import compare_models
        from attnxai.alignment.pairs import check_overlap
        from attnxai.annotations.annotation_set import parse_labels
        from attnxai.annotations.inputs import read_inputs
        from attnxai.annotations.sample import is_shipped
        from attnxai.explanations.gates import attention_maps
        from attnxai.jobs.output_folder import output_folder
        from attnxai.models.checkpoints import load_model
        from attnxai.models.zoo import named_models
        from attnxai.report.document import write_report
        from attnxai.report.terminal import print_report

    settings = ComparisonSettings(
        metrics=tuple(name.lower() for name in metric or DEFAULT_METRICS),
        nulls=tuple(name.lower() for name in null or ()),
        strata=tuple(strata or (CLASS,)),
        alternative=alternative.lower(),  # type: ignore[arg-type]  # checked and turned into one there
        correction=correction.lower().replace("-", "_"),  # type: ignore[arg-type]
        n_permutations=n_permutations,
        n_resamples=n_bootstrap,
    )
    labels = parse_labels(label)
    with output_folder(
        output, what="report", default=DEFAULT_FOLDER, overwrite=overwrite
    ) as folder:
        models = named_models(model)
        for name, found in models.items():
            if found.shipped:
                stderr.print(
                    f"{name} is no local file: using the model that ships with attnxai",
                )
        if is_shipped(annotations):
            stderr.print(
                f"{annotations} is no local file: using the simulated sample that ships with attnxai "
                "(sources and annotators do not exist)",
            )
        with collected_assumptions() as assumed:
            with stderr.status("Reading models, annotations and images…"):
                loaded = {name: load_model(found.path) for name, found in models.items()}
                inputs = read_inputs(
                    annotations,
                    images,
                    data_dir=data_dir,
                    labels=labels,
                    min_components=min_components,
                    match_radius_arcsec=match_radius_arcsec,
                    fill_blank=fill_blank,
                    prepared=prepared,
                    pixel_scale_arcsec=pixel_scale_arcsec,
                )
                check_overlap(inputs.annotations, inputs.images.sources)
            stacks = []
            with progress_bar() as bar:
                for name, network in loaded.items():
                    task = bar.add_task(f"{name}: attention maps", total=len(inputs.images))
                    maps = attention_maps(
                        network,
                        inputs.images,
                        on_batch=lambda n, _, task=task: bar.update(task, completed=n),  # type: ignore[misc]
                    )
                    stacks.append(dataclasses.replace(maps, model_name=name))
                tasks = {name: bar.add_task(f"{name}: agreement", total=None) for name in loaded}
                comparison = compare_models(
                    stacks,
                    inputs.annotations,
                    inputs.images,
                    fwhm_arcsec=fwhm_arcsec,
                    use_source_weights=source_weights,
                    settings=settings,
                    rng=seed,
                    on_step=lambda name, n, total: bar.update(
                        tasks[name], completed=n, total=total
                    ),
                )
        with progress_bar() as bar:
            task = bar.add_task("Report", total=None)
            verdict = write_report(
                comparison,
                folder,
                images_name=inputs.data_name,
                notes=(*inputs.notes, *assumed),
                command=typed_command(),
                on_step=lambda n, total: bar.update(task, completed=n, total=total),
            )
        print_report(comparison.results, verdict, console)
        console.print(f"\nReport: {folder.path / 'index.html'}", soft_wrap=True)
