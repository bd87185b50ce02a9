"""``attnxai compare``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from attnxai.cli import completion, options
from attnxai.cli.annotation_options import (
    AnnotationsOption,
    LabelOption,
    MergeSpellingsOption,
    annotation_options,
    keywords_of,
)
from attnxai.cli.console import (
    collected_assumptions,
    console,
    details,
    progress,
    stage,
    stderr,
    typed_command,
    verbosity,
)
from attnxai.cli.endings import command, resumable
from attnxai.cli.help import ANNOTATIONS, INPUTS, MACHINE, MAPS, OUTPUT, STATISTICS
from attnxai.cli.map_files import MapFiles, check_given
from attnxai.cli.networks import Networks
from attnxai.cli.options import flag, option, output_option

if TYPE_CHECKING:
    from attnxai.cli.console import Steps
    from attnxai.cli.repeat import Repetition

DEFAULT_FOLDER = "attnxai-report"


@command(
    """Compare the maps of models, or maps in files, with annotations, and write a report.

    The annotations and the images of their sources are read, and the models' maps are computed.
    Agreement is compared with brightness, the centre bias, permutations across sources and, with several
    annotators, the noise ceiling. Several models are also compared with each other.""",
    shared=(options.reading_options, annotation_options),
)
def compare(
    annotations: AnnotationsOption,
    model: Annotated[
        list[str] | None,
        option(
            "Model file, or the name of a shipped model such as d8.pt or of one that a plug-in registers; repeat "
            "to compare several.",
            INPUTS,
            "MODEL",
            choices=completion.model_names,
            extensions=(".pt",),
        ),
    ] = None,
    maps: Annotated[
        list[Path] | None,
        option(
            "File of maps from any program ({map_format_names}), compared like those of a model; repeat for several.",
            INPUTS,
            "FILE",
            choices=lambda: (),
            extensions=(".npz", ".fits", ".zarr"),
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        option(
            "How the network of --maps used the sources: training, validation, held-out or unknown, or a CSV table "
            "with the columns source and split. Repeat for several files, in their order. [default: as the file "
            "says, or unknown]",
            INPUTS,
            "SPLIT",
            choices=lambda: ("training", "validation", "held-out"),
            extensions=(".csv",),
        ),
    ] = None,
    field: Annotated[
        int | None,
        option(
            "Side of the field, in the middle of the images, that --maps of another program cover, such as 150. "
            "[default: by their coordinates, else the whole image]",
            INPUTS,
            "PIXELS",
            min=8,
            max=2048,
        ),
    ] = None,
    images: options.ImagesOption = None,
    labels: options.LabelsOption = None,
    data_dir: options.DataDirOption = None,
    output: Annotated[
        Path | None,
        output_option(
            "Folder of the report. [default: attnxai-report, or the next free number]", "FOLDER"
        ),
    ] = None,
    overwrite: options.OverwriteOption = False,
    figures: Annotated[
        str,
        option(
            "Figures of the report: pdf, as PDF and PNG; or png, as PNG alone, which is faster.",
            OUTPUT,
            "FORMAT",
            choices=lambda: ("pdf", "png"),
        ),
    ] = "pdf",
    explain: options.ExplainOption = None,
    target: options.TargetOption = None,
    audit: Annotated[
        list[str] | None,
        option(
            "Further audits in the report: 'full' to run them all, or a folder that attnxai audit wrote for the same "
            "model; repeat for several.",
            MAPS,
            "FOLDER",
            choices=lambda: ("full",),
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        option(
            "Metric: {metric_names}; repeat for several. Conclusions rest on the first. [default: nss, spearman, auc, "
            "relevance_mass_accuracy, relevance_rank_accuracy]",
            STATISTICS,
            "NAME",
            choices=completion.metric_names,
        ),
    ] = None,
    null: Annotated[
        list[str] | None,
        option(
            "Null to test in addition to permutation across sources: {null_names}; repeat for several. "
            "Those of phase and variogram take seconds per map and source.",
            STATISTICS,
            "NAME",
            choices=completion.null_names,
        ),
    ] = None,
    within: Annotated[
        str | None,
        option(
            "Compare on the pixels of each source's own emission as well: emission. Only then can a map be said to agree "
            "beyond lying on emission.",
            STATISTICS,
            "NAME",
            choices=lambda: ("emission",),
        ),
    ] = None,
    alternative: Annotated[
        str,
        option(
            "Alternative hypothesis: greater (more agreement), less, or two-sided.",
            STATISTICS,
            "NAME",
            choices=completion.alternative_names,
        ),
    ] = "greater",
    strata: Annotated[
        list[str] | None,
        option(
            "Strata within which sources are permuted: class, size, annotators, or a column of the table "
            "such as survey; repeat for several. [default: class]",
            STATISTICS,
            "NAME",
            choices=lambda: ("class", "size", "annotators"),
        ),
    ] = None,
    correction: Annotated[
        str,
        option(
            "Adjustment of p-values over maps: holm, bh, max_t or none.",
            STATISTICS,
            "NAME",
            choices=completion.correction_names,
        ),
    ] = "holm",
    consensus: Annotated[
        str | None,
        option(
            "Compare with one target a source that combines its annotators: union, majority, staple or mean. [default: "
            "with every annotator]",
            STATISTICS,
            "NAME",
            choices=lambda: ("union", "majority", "staple", "mean"),
        ),
    ] = None,
    n_permutations: Annotated[
        int, option("Number of draws of each null.", STATISTICS, min=1, max=10_000_000)
    ] = 10_000,
    n_bootstrap: options.BootstrapOption = 10_000,
    source_weights: Annotated[
        bool,
        flag(
            "--source-weights",
            "Weight sources by the consensus level in the catalogue.",
            STATISTICS,
        ),
    ] = False,
    seed: options.SeedOption = 0,
    label: LabelOption = None,
    merge_spellings: MergeSpellingsOption = False,
    fwhm_arcsec: options.FwhmOption = 5.4,
    min_components: Annotated[
        int, option("Leave out catalogue sources with fewer components.", ANNOTATIONS, min=1)
    ] = 2,
    match_radius_arcsec: Annotated[
        float,
        option(
            "Largest distance of a catalogue source from the centre of an image.",
            ANNOTATIONS,
            "ARCSEC",
            min=0.0,
        ),
    ] = 30.0,
    workers: Annotated[
        int, option("Number of processes that compare more than 500 sources.", MACHINE, min=1)
    ] = 1,
    scheduler: Annotated[
        str | None,
        option(
            "Address of a Dask scheduler whose workers compare more than 500 sources, such as tcp://host:8786.",
            MACHINE,
            "ADDRESS",
        ),
    ] = None,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    **given: Any,
) -> None:
    """``attnxai compare``."""
    with stage("Starting"):
        from attnxai.agreement.comparison import ComparisonSettings
        from attnxai.agreement.comparison.strata import CLASS, check_keys
        from attnxai.agreement.model_comparison.comparison import compare_models
        from attnxai.alignment.copies import independent_sources
        from attnxai.alignment.source_facts import check_inputs, columns_of
        from attnxai.alignment.usable import usable_annotations
        from attnxai.annotations.annotation_set import parse_labels
        from attnxai.annotations.annotator_names import merge_spellings as one_spelling
        from attnxai.annotations.checks import check_annotations
        from attnxai.annotations.inputs import read_inputs
        from attnxai.jobs.output_folder import output_folder
        from attnxai.metrics import DEFAULT_METRICS
        from attnxai.models.zoo import named_models
        from attnxai.report.content import location_of
        from attnxai.report.document import write_report
        from attnxai.report.style import check_figures
        from attnxai.report.terminal import print_report

    settings = ComparisonSettings(
        metrics=tuple(name.lower() for name in options.listed(metric or DEFAULT_METRICS)),
        nulls=tuple(name.lower() for name in options.listed(null or ())),
        strata=options.listed(strata or (CLASS,)),
        consensus=consensus.lower() if consensus else None,
        within=within.lower() if within else None,
        alternative=alternative.lower(),  # type: ignore[arg-type]  # checked and turned into one there
        correction=correction.lower().replace("-", "_"),  # type: ignore[arg-type]
        n_permutations=n_permutations,
        n_bootstrap=n_bootstrap,
    )
    check_figures(figures := figures.lower())
    check_given(
        model,
        maps,
        split=split,
        field=field,
        explain=explain,
        target=target,
        audit=audit,
        workers=workers,
        scheduler=scheduler,
    )
    used = parse_labels(options.listed(label or ()) or None)
    repetition: Repetition | None = given.pop("repetition", None)
    with (
        output_folder(output, what="report", default=DEFAULT_FOLDER, overwrite=overwrite) as folder,
        resumable(lambda: _kept_in(folder.unfinished)),
        collected_assumptions() as assumed,
    ):
        models = named_models(model or ())
        options.say_what_ships(
            (name for name, found in models.items() if found.shipped), annotations
        )
        with stage("Reading models, annotations and images"):
            networks = Networks.read(
                models,
                explain=explain,
                target=target,
                audit=audit,
                seed=seed,
                threads=threads,
                device=device,
            )
            files = MapFiles.open(maps, models, split, field)
            inputs = read_inputs(
                annotations,
                images,
                data_dir=data_dir,
                class_table=labels,
                labels=used,
                min_components=min_components,
                match_radius_arcsec=match_radius_arcsec,
                without=files.unusable,
                **keywords_of(given),
            )
            check_inputs(inputs.annotations, inputs.images, use_source_weights=source_weights)
            marks = usable_annotations(
                one_spelling(inputs.annotations) if merge_spellings else inputs.annotations,
                inputs.images,
                fwhm_arcsec,
            )
            check_keys(settings.strata, columns_of(marks.sources, marks.annotations))
            sources = inputs.images.select(sorted(marks.sources))
            notes_on_maps = files.notes(sources)
            marks, sources, from_files = independent_sources(
                marks, sources, files.stacks(sources), seen=networks.seen(sources)
            )
            if repetition is not None:
                repetition.check(marks, sources, {**networks.hashes(), **files.hashes})
            misplaced = check_annotations(marks, sources, rng=seed).cautions()
        with progress() as begin:
            stacks, sums = networks.maps(sources, begin)
            steps = {
                name: _telling_kept(f"{name}: agreement", begin)
                for name in (*models, *files.names.values())
            }
            comparison = compare_models(
                [*stacks, *from_files],
                marks,
                sources,
                fwhm_arcsec=fwhm_arcsec,
                use_source_weights=source_weights,
                settings=settings,
                rng=seed,
                n_workers=workers,
                scheduler=scheduler,
                # one that repeats a report begins in a new folder
                resume_folder=None if repetition else folder.unfinished,
                on_step=lambda name, n, total: steps[name](n, total),
            )
            verdict = write_report(
                comparison,
                folder,
                images_name=inputs.data_name,
                notes=(*misplaced, *inputs.notes, *assumed, *notes_on_maps),
                command=repetition.command if repetition else typed_command(),
                locations={
                    result.model_name: location_of(result, sums.get(result.model_name, ""))
                    for result in comparison.results
                },
                audits=networks.further_audits(sources, begin),
                figures=figures,
                on_step=begin("Report"),
            )
        print_report(comparison.results, verdict, details, verbose=verbosity.verbose)
        details.print()
    console.print(f"Report: {folder.path / 'index.html'}", soft_wrap=True)
    details.print("Beside it: summary.json, per_source.csv, agreement.tex (LaTeX tables), figures")


def _telling_kept(title: str, begin: Steps) -> Callable[[int, int], None]:
    """Show steps of a comparison, and say how many an interrupted one has finished: these come all at once."""
    show, before = begin(title), 0

    def step(n_done: int, n_all: int) -> None:
        nonlocal before
        if n_done > before + 1:
            stderr.print(f"{title}: {n_done - before:,} of {n_all:,} steps are finished already")
        before = n_done
        show(n_done, n_all)

    return step


def _kept_in(unfinished: Path) -> str:
    """What the same command goes on from."""
    return f"what was compared so far is kept in {unfinished}" if unfinished.is_dir() else ""
