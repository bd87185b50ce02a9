"""``attnxai compare``."""

from __future__ import annotations

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


@command
def compare(
    model: Annotated[
        str, typer.Option(help="Model file, or the name of a shipped model such as d8.pt.")
    ],
    annotations: Annotated[
        str,
        typer.Option(
            help="Annotation table (CSV), the ClaRAN catalogue, or expert.csv for the simulated "
            "sample that ships."
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
    """Compare a model's attention maps with annotations, and write a report.

    The annotations are read, the images of their sources are found, the model's gates are read out, and
    agreement is measured against brightness, centre bias and exchanged sources.
    """
    with stderr.status("Starting…"):
        from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
        from attnxai.agreement.metrics import DEFAULT_METRICS
        from attnxai.alignment.pairs import align, check_overlap
        from attnxai.annotations.annotation_set import parse_labels
        from attnxai.annotations.inputs import read_inputs
        from attnxai.annotations.sample import is_shipped
        from attnxai.explanations.gates import attention_maps
        from attnxai.models.checkpoints import load_model
        from attnxai.models.zoo import resolve_model
        from attnxai.report.document import ReportContent, choose_folder, write_report
        from attnxai.report.provenance import describe
        from attnxai.report.terminal import print_result

    settings = ComparisonSettings(
        metrics=tuple(name.lower() for name in metric or DEFAULT_METRICS),
        n_permutations=n_permutations,
        n_resamples=n_bootstrap,
    )
    labels = parse_labels(label)
    folder = choose_folder(output, overwrite=overwrite)
    resolved = resolve_model(model)
    if resolved.shipped:
        stderr.print(
            f"{model} is no local file: using the model that ships with attnxai", markup=False
        )
    if is_shipped(annotations):
        stderr.print(
            f"{annotations} is no local file: using the simulated sample that ships with attnxai "
            "(sources and annotators do not exist)",
            markup=False,
        )
    with collected_assumptions() as assumed:
        with stderr.status("Reading model, annotations and images…"):
            loaded = load_model(model)
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
        with progress_bar() as bar:
            task = bar.add_task("Attention maps", total=len(inputs.images))
            maps = attention_maps(
                loaded, inputs.images, on_batch=lambda n, _: bar.update(task, completed=n)
            )
    with progress_bar() as bar:
        task = bar.add_task("Agreement", total=None)
        pairs = align(
            maps,
            inputs.annotations,
            inputs.images,
            fwhm_arcsec=fwhm_arcsec,
            use_source_weights=source_weights,
        )
        result = compare_pairs(
            pairs,
            settings=settings,
            rng=seed,
            on_step=lambda n, total: bar.update(task, completed=n, total=total),
        )
        task = bar.add_task("Report", total=None)
        content = ReportContent(
            result=result,
            pairs=pairs,
            maps=maps,
            annotations=inputs.annotations,
            images=inputs.images,
            provenance=describe(maps, inputs, seed=seed, command=typed_command()),
            notes=(*inputs.notes, *assumed),
        )
        verdict = write_report(
            content,
            folder,
            on_step=lambda n, total: bar.update(task, completed=n, total=total),
        )
    print_result(result, verdict, console)
    console.print(f"\nReport: {folder / 'index.html'}", soft_wrap=True, markup=False)
