"""``attnxai study``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnxai.cli import training_options as options
from attnxai.cli.console import (
    command,
    console,
    progress_bar,
    resumable,
    stderr,
    typed_command,
)
from attnxai.cli.training_options import DEFAULTS
from attnxai.data.mirabest import Confidence
from attnxai.models.specification import Normalisation, Preset
from attnxai.study.matching import Equal
from attnxai.study.measurement import MeasureOn
from attnxai.training.settings import Schedule

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from attnxai.jobs.worker import JobEvent
    from attnxai.study.measurement import StudyRun
    from attnxai.study.run import PreparedStudy


@command
def study(
    output: Annotated[
        Path, typer.Option(help="Folder of the study; the same folder goes on with it.")
    ],
    groups: Annotated[
        str, typer.Option(help="Symmetry groups, separated by commas.")
    ] = "C1,C4,C8,C16,D4,D8,D16",
    seeds: Annotated[int, typer.Option(min=1, help="Models of every group, a seed each.")] = 5,
    first_seed: Annotated[
        int, typer.Option(min=0, help="The first seed; the others follow it.")
    ] = 0,
    baseline: Annotated[str, typer.Option(help="Group that others are compared with.")] = "C1",
    equal: Annotated[
        Equal, typer.Option(help="What is about the same for all groups.")
    ] = Equal.CHANNELS,
    preset: options.PresetOption = Preset.COMPACT,
    published_form: options.PublishedFormOption = False,
    normalisation: options.NormalisationOption = Normalisation.RANGE_NORM,
    images: options.ImagesOption = "mirabest",
    labels: options.LabelsOption = None,
    data_dir: options.DataDirOption = None,
    confidence: options.ConfidenceOption = Confidence.ALL,
    hybrids: options.HybridsOption = False,
    pixel_scale_arcsec: options.PixelScaleOption = None,
    size: options.SizeOption = None,
    hold_out: options.HoldOutOption = None,
    citation: options.CitationOption = "",
    licence: options.LicenceOption = "",
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="Annotation table or catalogue to compare attention with; its sources that are "
            "trained or validated on are left out."
        ),
    ] = None,
    fwhm_arcsec: Annotated[
        float, typer.Option(min=1e-6, help="Width of points and lines of annotations.")
    ] = 5.4,
    measure_on: Annotated[
        MeasureOn, typer.Option(help="Images that finished models are measured on.")
    ] = MeasureOn.VALIDATION,
    n_angles: Annotated[
        int, typer.Option(min=1, help="Arbitrary rotations of every measured image.")
    ] = 8,
    reference_loss: Annotated[
        float | None,
        typer.Option(min=1e-9, help="Reference loss; else derived from the baseline."),
    ] = None,
    epochs: options.EpochsOption = DEFAULTS.epochs,
    batch_size: options.BatchSizeOption = DEFAULTS.batch_size,
    learning_rate: options.LearningRateOption = DEFAULTS.learning_rate,
    schedule: options.ScheduleOption = Schedule.COSINE,
    weight_decay: options.WeightDecayOption = DEFAULTS.weight_decay,
    weight_average: options.WeightAverageOption = DEFAULTS.weight_average,
    patience: options.PatienceOption = DEFAULTS.patience,
    rotate: options.RotateOption = True,
    reflect: options.ReflectOption = True,
    scale: options.ScaleOption = DEFAULTS.scale,
    shift: options.ShiftOption = DEFAULTS.shift,
    precision: options.PrecisionOption = options.PrecisionChoice.AUTO,
    jobs: Annotated[int, typer.Option(min=1, help="Models trained side by side.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of each; else CPUs divided by --jobs.")
    ] = None,
    device: options.DeviceOption = "auto",
) -> None:
    """Train one model for every group and seed, measure them, and say whether equivariance helps.

    Run it again after an interruption, or with more groups or seeds: finished models and measurements
    are used again, unfinished trainings go on where they were.
    """
    given = dict(locals())  # every option by its name
    with stderr.status("Starting…"):
        from attnxai.report.study_document import write_study
        from attnxai.report.study_terminal import print_study
        from attnxai.study.content import content_of
        from attnxai.study.data import AnnotationRequest
        from attnxai.study.folder import StudyFolder
        from attnxai.study.plan import MeasureSettings, StudyPlan
        from attnxai.study.run import prepare

    typed = typed_command()
    device = options.chosen_device(device)
    settings = options.chosen_settings(given, device)
    request = options.chosen_images(given)
    measuring = MeasureSettings(
        measure_on=measure_on,
        n_angles=n_angles,
        annotations=AnnotationRequest(path=str(annotations), fwhm_arcsec=fwhm_arcsec)
        if annotations is not None
        else None,
    )
    folder = StudyFolder(root=output)
    with folder.opened() as results:
        with stderr.status("Reading images…"):
            data = request.read()
            plan = StudyPlan(
                groups=tuple(name.strip() for name in groups.split(",")),
                seeds=tuple(range(first_seed, first_seed + seeds)),
                specification=options.chosen_spec(
                    given, baseline, n_classes=len(data.labelled.class_names)
                ),
                preset=preset,
                equal=equal,
                settings=settings,
                measuring=measuring,
                data=request,
                reference_loss=reference_loss,
                size=size,
            )
        with stderr.status("Looking at networks and finished models…"):
            prepared = prepare(plan, folder, data)
            folder.write_plan(plan, typed, prepared.identity["trained_on_sha256"])
        with resumable(lambda: "finished models and epochs are kept"):
            runs = _run(prepared, typed, jobs, threads, device)
            with progress_bar() as bar:
                task = bar.add_task("Tables and figures", total=None)
                content = content_of(prepared, runs, command=typed)
                write_study(
                    content,
                    results,
                    on_step=lambda n, total: bar.update(task, completed=n, total=total),
                )
    print_study(content, console)
    console.print(f"\nResults: {results.path / 'study.html'}", soft_wrap=True)


def _run(
    prepared: PreparedStudy, typed: str, jobs: int, threads: int | None, device: str
) -> tuple[StudyRun, ...]:
    from attnxai.study.run import run_study

    plan = prepared.plan
    n_remaining = len(prepared.remaining_runs)
    n_untrained = len(plan.runs) - len(prepared.models)
    n_seeds = len(plan.seeds)
    stderr.print(
        f"{len(plan.runs)} models ({', '.join(plan.groups)}; {n_seeds} seed{'s' if n_seeds != 1 else ''}; "
        f"equal {plan.equal}; {plan.settings.precision}; {device}): {n_untrained} to train, "
        f"{n_remaining - n_untrained} to measure, {len(plan.runs) - n_remaining} finished",
        soft_wrap=True,
    )
    with progress_bar() as bar:
        board = _Board(bar, n_remaining, plan.settings.epochs)
        return run_study(
            prepared,
            command=typed,
            n_workers=jobs,
            threads=threads,
            device=device,
            on_event=board.show,
        )


class _Board:
    """One bar for the whole study, counted in epochs, and one for every job that runs."""

    def __init__(self, bar: Progress, n_jobs: int, epochs: int) -> None:
        self._bar, self._epochs, self._n_jobs = bar, epochs, n_jobs
        self._done: dict[str, float] = {}
        self._finished = 0
        self._tasks: dict[str, TaskID] = {}
        self._whole = bar.add_task(self._title(), total=n_jobs * epochs, visible=n_jobs > 0)

    def _title(self) -> str:
        return f"Epochs ({self._finished} of {self._n_jobs} models)"

    def show(self, event: JobEvent) -> None:
        bar, job = self._bar, event.job
        if event.kind == "started":
            self._tasks[job] = bar.add_task(f"  {job}", total=None)
        elif event.kind == "progress":
            share = event.done / event.total if event.total else 1.0
            self._done[job] = self._epochs * share
            words = ", ".join(filter(None, (job, event.text)))
            total = event.total or None
            bar.update(
                self._tasks[job], description=f"  {words}", completed=event.done, total=total
            )
        else:
            self._done[job] = self._epochs
            self._finished += event.kind == "finished"
            bar.remove_task(self._tasks.pop(job))
            bar.console.print(f"{job} {event.kind}")
        bar.update(self._whole, description=self._title(), completed=int(sum(self._done.values())))
