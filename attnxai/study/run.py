"""Run a plan: use what is finished, resume what is not, and summarise the runs."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attnxai.data.short_repr import short_repr
from attnxai.jobs.runner import run_jobs
from attnxai.jobs.worker import Job, JobEvent
from attnxai.study.folder import StudyFolder, finished_model, made_with, write_plan
from attnxai.study.measurement import RunMeasurement, StudyRun
from attnxai.study.plan import RunKey, StudyPlan
from attnxai.study.results import DataFacts, StudyResult
from attnxai.study.training_job import TrainingJob, train_and_measure
from attnxai.training.field import field_of

if TYPE_CHECKING:
    from attnxai.models.preprocessing import Preprocessing
    from attnxai.study.data import HeldOutAnnotations, StudyData


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PreparedStudy:
    """A plan whose inputs have been read and checked.

    ``identity`` is what, beside the model, has to be the same for a measurement to be used again.
    """

    plan: StudyPlan
    folder: StudyFolder
    data: StudyData
    annotated: HeldOutAnnotations | None
    field: Preprocessing
    identity: Mapping[str, Any]

    __repr__ = short_repr

    @functools.cached_property
    def models(self) -> Mapping[RunKey, str]:
        """Hashes of the models that are finished."""
        plan, found = self.plan, {}
        data_sha256 = self.data.trained_on.sha256()
        for run in plan.runs:
            planned = made_with(
                plan.matches[run.group].spec,
                plan.settings_of(run).to_dict(),
                class_names=self.data.labelled.class_names,
                data_sha256=data_sha256,
                size=self.field.size,
            )
            sha256 = finished_model(self.folder, run, planned)
            if sha256 is not None:
                found[run] = sha256
        return found

    @functools.cached_property
    def measurements(self) -> Mapping[str, Any]:
        """What was measured of finished models, and of models and inputs that these have replaced."""
        return self.folder.measurements().results

    def measurement(self, run: RunKey) -> RunMeasurement | None:
        """Measurements of a finished model, or None."""
        kept: Any = self.measurements.get(f"{run.name}, {self.plan.measuring.measure_on}")
        identity = {**self.identity, "model_sha256": self.models.get(run)}
        try:
            if kept["identity"] != identity:
                return None
            return RunMeasurement.from_dict(kept["measurement"])
        except (TypeError, KeyError, ValueError, AttributeError):  # none, or no measurement
            return None

    @property
    def remaining_runs(self) -> tuple[RunKey, ...]:
        """Runs that have still to be trained or measured."""
        return tuple(run for run in self.plan.runs if self.measurement(run) is None)


def prepare(plan: StudyPlan, folder: StudyFolder, data: StudyData | None = None) -> PreparedStudy:
    r"""Read the inputs of a plan and find what is finished; nothing is trained yet.

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
    PreparedStudy

    Raises
    ------
    OptionError
        If a model in the folder does not belong to the plan.
    DataSetError, AnnotationError, ImageError
        If inputs cannot be used.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import attnxai
    >>> rng = np.random.default_rng(0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> names = [f"s{i:02}" for i in range(24)]
    >>> for name in names:
    ...     np.save(Path(folder.name) / f"{name}.npy", rng.integers(0, 256, (64, 64)).astype(np.uint8))
    ...
    >>> rows = [f"{name},{'FR I' if i % 2 else 'FR II'}" for i, name in enumerate(names)]
    >>> _ = (Path(folder.name) / "labels.csv").write_text("\n".join(["source,class", *rows]))
    >>> plan = attnxai.study.StudyPlan(
    ...     groups=("C1",),
    ...     seeds=(0,),
    ...     specification=attnxai.models.compact_spec("C1"),
    ...     settings=attnxai.training.TrainingSettings(epochs=1),
    ...     measuring=attnxai.study.MeasureSettings(n_angles=1),
    ...     data=attnxai.study.DataRequest(images=folder.name, pixel_scale_arcsec=1.8),
    ... )
    >>> prepared = attnxai.study.prepare(plan, attnxai.study.StudyFolder(root=Path(folder.name) / "study"))
    >>> len(prepared.remaining_runs), prepared.plan.groups
    (1, ('C1',))
    >>> folder.cleanup()
    """
    data = data if data is not None else plan.data.read()
    measuring = plan.measuring
    # a missing test part should not wait for a long training
    data.measured(measuring.measure_on, ())
    annotated = measuring.read_annotations(data)
    field = field_of(data.trained_on, size=plan.size, binning=plan.specification.binning)
    if annotated is not None:
        from attnxai.study.measuring import rehearse_agreement

        rehearse_agreement(annotated, field, data.labelled.class_names, measuring.explain)
    identity = {
        "measure_on": str(measuring.measure_on),
        "n_angles": measuring.n_angles,
        "seed": measuring.seed,
        **data.identity(),
        "explain": list(measuring.explain),
        "annotations": annotated.identity() if annotated is not None else None,
    }
    prepared = PreparedStudy(
        plan=plan, folder=folder, data=data, annotated=annotated, identity=identity, field=field
    )
    # a model of another plan should not be found after a long training either
    _ = prepared.remaining_runs
    return prepared


def run_study(
    prepared: PreparedStudy,
    *,
    command: str = "",
    n_workers: int = 1,
    threads: int | None = None,
    device: str = "cpu",
    on_event: Callable[[JobEvent], None] | None = None,
) -> StudyResult:
    """Train and measure the remaining runs of a plan, and summarise all of them.

    It can be interrupted at any moment: finished models and measurements are used again, unfinished
    trainings are resumed.

    Parameters
    ----------
    prepared : PreparedStudy
        The plan with its inputs.
    command : str
        For the records of the models and of the study.
    n_workers : int
        Models that are trained in parallel; see :func:`~attnxai.jobs.runner.run_jobs`.
    threads : int, optional
        CPU threads of each; the CPUs divided by the workers when left out.
    device : str
        Where to train and to measure.
    on_event : callable, optional
        Called with every :class:`~attnxai.jobs.worker.JobEvent`.

    Returns
    -------
    StudyResult

    Raises
    ------
    JobError
        If a job has failed, when all others have ended.

    Examples
    --------
    >>> import attnxai
    >>> prepared = attnxai.study.prepare(plan, folder)  # doctest: +SKIP
    >>> result = attnxai.study.run_study(prepared)  # doctest: +SKIP
    >>> print(result.hypotheses[0].lead)  # doctest: +SKIP
    """
    plan, folder = prepared.plan, prepared.folder
    write_plan(folder, plan, command, prepared.identity["trained_on_sha256"])
    if threads is None:
        threads = max(1, (os.cpu_count() or 1) // n_workers)
    remaining = prepared.remaining_runs
    n_workers = min(n_workers, max(len(remaining), 1))
    jobs = [
        Job(
            name=run.name,
            function=train_and_measure,
            argument=TrainingJob(
                plan=plan,
                run=run,
                folder=folder,
                identity=prepared.identity,
                command=command,
                threads=threads,
                device=device,
                # a worker process reads the images itself
                data=prepared.data if n_workers == 1 else None,
            ),
            log=folder.log(run),
        )
        for run in remaining
    ]
    store = folder.measurements()
    run_jobs(
        jobs,
        n_workers=n_workers,
        threads=threads,
        keep_going=True,
        on_event=on_event,
        on_result=lambda name, result: store.add(f"{name}, {plan.measuring.measure_on}", result),
    )
    prepared = dataclasses.replace(prepared)  # a copy looks up anew what is finished
    runs = [_gather(prepared, run) for run in plan.runs]
    return StudyResult.of(plan, runs, _facts(prepared, runs[0]), command=command)


def _facts(prepared: PreparedStudy, run: StudyRun) -> DataFacts:
    data, annotated = prepared.data, prepared.annotated
    n_train = run.history[0].images_seen
    return DataFacts(
        name=data.labelled.name,
        citation=data.labelled.citation,
        licence=data.labelled.licence,
        sha256=data.trained_on.sha256(),
        class_names=data.labelled.class_names,
        n_train=n_train,
        n_validation=len(data.trained_on) - n_train,
        n_test=len(data.test),
        n_held_out=data.n_held_out,
        fixed_validation=any(image.split == "validation" for image in data.trained_on),
        annotations=annotated.annotations.kind if annotated is not None else "",
        n_annotators=len(annotated.annotations.annotators) if annotated is not None else 0,
    )


def _gather(prepared: PreparedStudy, run: RunKey) -> StudyRun:
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
