"""``attnxai study``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from attnxai.cli import completion, options
from attnxai.cli import training_options as training
from attnxai.cli.annotation_options import HeldOutAnnotationsOption
from attnxai.cli.console import console, details, progress, stage, stderr, typed_command
from attnxai.cli.endings import command, resumable
from attnxai.cli.help import MACHINE
from attnxai.cli.options import option
from attnxai.study.matching import Equal
from attnxai.study.measurement import MeasureOn

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from attnxai.jobs.worker import JobEvent
    from attnxai.study.results import StudyResult
    from attnxai.study.run import PreparedStudy

GROUPS = ("C1", "C4", "C8", "C16", "D4", "D8", "D16")
STUDY = "Study"


@command(
    """Train one model for every group and seed, measure them, and test whether equivariance helps.

    Run it again after an interruption, or with more groups or seeds: finished models and measurements are
    reused, and unfinished trainings are resumed.""",
    shared=(training.training_options, options.reading_options),
)
def study(
    output: options.OutputFolderOption,
    annotations: HeldOutAnnotationsOption = None,
    fwhm_arcsec: options.FwhmOption = 5.4,
    explain: options.ExplainOption = None,
    group: Annotated[
        list[str] | None,
        option(
            "Symmetry group; repeat for several. [default: C1, C4, C8, C16, D4, D8, D16]",
            STUDY,
            "NAME",
            choices=completion.group_names,
        ),
    ] = None,
    n_seeds: Annotated[
        int, option("Number of seeds, and so of models, of each group.", STUDY, min=1, max=1000)
    ] = 5,
    first_seed: Annotated[int, option("First seed; the others follow it.", STUDY, min=0)] = 0,
    baseline: Annotated[
        str,
        option(
            "Group with which the others are compared.",
            STUDY,
            "NAME",
            choices=completion.group_names,
        ),
    ] = "C1",
    equal: Annotated[
        Equal,
        option(
            "What is equal between groups: channels, parameters, operations or fields.",
            STUDY,
            "NAME",
        ),
    ] = Equal.CHANNELS,
    measure_on: Annotated[
        MeasureOn,
        option("Images on which finished models are measured: validation or test.", STUDY, "NAME"),
    ] = MeasureOn.VALIDATION,
    n_angles: Annotated[
        int,
        option(
            "Number of random rotations of each image that measure the consistency.",
            STUDY,
            min=1,
            max=1000,
        ),
    ] = 8,
    reference_loss: Annotated[
        float | None,
        option(
            "Validation loss whose first epoch is compared. [default: derived from the baseline]",
            STUDY,
            "NATS",
            min=1e-9,
        ),
    ] = None,
    workers: options.WorkersOption = 1,
    threads: Annotated[
        int | None,
        option(
            "Number of CPU threads of each process. [default: the CPUs divided by --workers]",
            MACHINE,
            min=1,
            max=1024,
        ),
    ] = None,
    device: options.DeviceOption = "auto",
    **given: Any,
) -> None:
    """``attnxai study``."""
    with stage("Starting"):
        from attnxai.report.study_document import print_study, write_study
        from attnxai.study.data import AnnotationRequest
        from attnxai.study.folder import StudyFolder
        from attnxai.study.plan import MeasureSettings, StudyPlan
        from attnxai.study.run import prepare

    typed = typed_command()
    device = options.use_machine(device, None)
    settings = training.chosen_settings(given, device)
    request = training.chosen_images(given)
    measuring = MeasureSettings(
        measure_on=measure_on,
        n_angles=n_angles,
        explain=tuple(name.lower() for name in options.listed(explain or ())),
        annotations=AnnotationRequest(path=tuple(annotations), fwhm_arcsec=fwhm_arcsec)
        if annotations
        else None,
    )
    folder = StudyFolder(root=output)
    with folder.opened() as results:
        with stage("Reading images"):
            data = request.read()
            plan = StudyPlan(
                groups=options.listed(group or GROUPS),
                seeds=tuple(range(first_seed, first_seed + n_seeds)),
                specification=training.chosen_spec(
                    given, baseline, n_classes=len(data.labelled.class_names)
                ),
                preset=given["preset"],
                equal=equal,
                settings=settings,
                measuring=measuring,
                data=request,
                reference_loss=reference_loss,
                size=given["size"],
            )
        with stage("Checking networks and finished models"):
            prepared = prepare(plan, folder, data)
        with resumable(lambda: "finished models and epochs are kept"):
            study_result = _run(prepared, typed, workers, threads, device)
            with progress() as begin:
                write_study(study_result, results, on_step=begin("Tables and figures"))
    print_study(study_result, details)
    details.print()
    console.print(f"Results: {results.path / 'index.html'}", soft_wrap=True)


def _run(
    prepared: PreparedStudy, typed: str, workers: int, threads: int | None, device: str
) -> StudyResult:
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
    with progress() as begin:
        board = _Board(begin.bar, n_remaining, plan.settings.epochs)
        return run_study(
            prepared,
            command=typed,
            n_workers=workers,
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
