"""Carry out a plan: reuse what is finished, go on with what is not, and gather the runs."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attnxai.data.short_repr import short_repr
from attnxai.jobs.files import write_file
from attnxai.study.folder import StudyFolder
from attnxai.study.jobs import Job, JobEvent, run_jobs
from attnxai.study.measurement import RunMeasurement, StudyRun
from attnxai.study.plan import RunKey, StudyPlan
from attnxai.study.worker import job_arguments
from attnxai.training.field import field_of

if TYPE_CHECKING:
    from attnxai.models.preprocessing import Preprocessing
    from attnxai.study.data import HeldOutAnnotations, StudyData


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A plan whose inputs have been read and checked.

    Parameters
    ----------
    plan : StudyPlan
        The plan.
    folder : StudyFolder
        Where its files lie.
    data : StudyData
        Labelled images.
    annotated : HeldOutAnnotations or None
        What attention is compared with.
    field : Preprocessing
        What of each image the networks see.
    identity : mapping
        What, beside the model, has to be the same for a measurement to be used again.
    models : mapping of RunKey to str
        Hashes of the models that are finished.
    """

    plan: StudyPlan
    folder: StudyFolder
    data: StudyData
    annotated: HeldOutAnnotations | None
    field: Preprocessing
    identity: Mapping[str, Any]
    models: Mapping[RunKey, str]

    __repr__ = short_repr

    def measurement(self, run: RunKey) -> RunMeasurement | None:
        """What was measured of a finished model, or None."""
        if run not in self.models:
            return None
        identity = {**self.identity, "model_sha256": self.models[run]}
        return self.folder.finished_measurement(run, self.plan.measuring.measure_on, identity)

    @property
    def open_runs(self) -> tuple[RunKey, ...]:
        """Runs that have still to be trained or measured."""
        return tuple(run for run in self.plan.runs if self.measurement(run) is None)


def prepare(plan: StudyPlan, folder: StudyFolder, data: StudyData | None = None) -> Prepared:
    """Read the inputs of a plan and see what is finished; nothing is trained yet.

    Parameters
    ----------
    plan : StudyPlan
        The plan.
    folder : StudyFolder
        Where its files lie or will lie.
    data : StudyData, optional
        The plan's images, where they have been read already.

    Returns
    -------
    Prepared

    Raises
    ------
    OptionError
        If a model in the folder does not belong to the plan.
    DataSetError, AnnotationError, ImageError
        If inputs cannot be used.
    """
    data = data if data is not None else plan.data.read()
    measuring = plan.measuring
    data.measured(
        measuring.measure_on, ()
    )  # a missing test part should not wait for a long training
    annotated = (
        measuring.annotations.read(data, measuring.measure_on)
        if measuring.annotations is not None
        else None
    )
    field = field_of(data.trained_on, size=plan.size)
    if annotated is not None:
        from attnxai.study.measuring import rehearse_agreement

        rehearse_agreement(annotated, field, data.labelled.class_names)
    identity = {
        "measure_on": str(measuring.measure_on),
        "n_angles": measuring.n_angles,
        "seed": measuring.seed,
        **data.identity(),
        "annotations": annotated.identity() if annotated is not None else None,
    }
    return Prepared(
        plan=plan,
        folder=folder,
        data=data,
        annotated=annotated,
        identity=identity,
        field=field,
        models=_finished_models(plan, folder, data, field),
    )


def _finished_models(
    plan: StudyPlan, folder: StudyFolder, data: StudyData, field: Preprocessing
) -> dict[RunKey, str]:
    found = {}
    data_sha256 = data.trained_on.sha256()
    for run in plan.runs:
        sha256 = folder.finished_model(
            run,
            plan.matches[run.group].spec,
            plan.settings_of(run),
            class_names=data.labelled.class_names,
            data_sha256=data_sha256,
            size=field.size,
        )
        if sha256 is not None:
            found[run] = sha256
    return found


def carry_out(
    prepared: Prepared,
    *,
    command: str = "",
    n_jobs: int = 1,
    threads: int | None = None,
    device: str = "cpu",
    on_event: Callable[[JobEvent], None] | None = None,
) -> tuple[StudyRun, ...]:
    """Train and measure what is left of a plan.

    It can be interrupted at any moment: finished models and measurements are used again, unfinished
    trainings go on where they were.

    Parameters
    ----------
    prepared : Prepared
        The plan with its inputs.
    command : str
        For the training records.
    n_jobs : int
        Processes at a time.
    threads : int, optional
        CPU threads of each; the CPUs divided by the processes when left out.
    device : str
        Where to train and to measure.
    on_event : callable, optional
        Called with everything that jobs tell.

    Returns
    -------
    tuple of StudyRun
        One for every group and seed.

    Raises
    ------
    JobError
        If a job has failed.
    """
    plan, folder = prepared.plan, prepared.folder
    if threads is None:
        threads = max(1, (os.cpu_count() or 1) // n_jobs)
    jobs = []
    for run in prepared.open_runs:
        content = job_content(prepared, run, command=command, threads=threads, device=device)
        write_file(folder.job(run), json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        arguments = job_arguments(folder.job(run))
        jobs.append(Job(name=run.name, arguments=arguments, log=folder.log(run)))
    if jobs:
        run_jobs(jobs, n_jobs=n_jobs, threads=threads, on_event=on_event)
        models = _finished_models(plan, folder, prepared.data, prepared.field)
        prepared = dataclasses.replace(prepared, models=models)
    return tuple(_gather(prepared, run) for run in plan.runs)


def job_content(
    prepared: Prepared, run: RunKey, *, command: str, threads: int, device: str
) -> dict[str, Any]:
    """What a job is asked to do, as plain values."""
    plan = prepared.plan
    return {
        "group": run.group,
        "seed": run.seed,
        "folder": str(prepared.folder.root.absolute()),
        "specification": plan.matches[run.group].spec.to_dict(),
        "training": plan.settings_of(run).to_dict(),
        "data": plan.data.to_dict(),
        "measuring": plan.measuring.to_dict(),
        "measurement_identity": dict(prepared.identity),
        "size": plan.size,
        "command": command,
        "threads": threads,
        "device": device,
    }


def _gather(prepared: Prepared, run: RunKey) -> StudyRun:
    from attnxai.training.history import read_history

    measurement = prepared.measurement(run)
    if measurement is None:  # the job that was to write it has ended well
        raise RuntimeError(f"{run.name} has no measurement of its model")
    return StudyRun(
        group=run.group,
        seed=run.seed,
        history=tuple(read_history(prepared.folder.history(run))),
        measurement=measurement,
        model_sha256=prepared.models[run],
    )
