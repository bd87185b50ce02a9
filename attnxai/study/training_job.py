"""The job of one run of a study: train its model unless it is finished, and measure it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attnxai.errors import OptionError
from attnxai.jobs.files import clear_partial_files
from attnxai.study.data import DataRequest, StudyData
from attnxai.study.folder import StudyFolder
from attnxai.study.plan import RunKey, StudyPlan

if TYPE_CHECKING:
    from attnxai.jobs.worker import Report

MEASURING = "measuring"

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainingJob:
    """Argument of the job of one run.

    ``identity`` is what, beside the model, has to be the same for a measurement to be used again. The images
    are read, once in every process, where ``data`` does not hold them.
    """

    plan: StudyPlan
    run: RunKey
    folder: StudyFolder
    identity: Mapping[str, Any]
    command: str = ""
    threads: int | None = None
    device: str = "cpu"
    data: StudyData | None = None


def train_and_measure(job: TrainingJob, report: Report) -> dict[str, Any]:
    """Train the model of a run, unless it is finished, and measure it.

    The result is the ``measurement`` and its ``identity``, as plain values.
    """
    with _threads(job.threads):
        data = job.data if job.data is not None else _read_once(job.plan.data)
        if any(job.identity[name] != value for name, value in data.identity().items()):
            raise OptionError("the images have changed since the study was started")
        if not job.folder.model(job.run).is_file():
            _train(job, data, report)
        report(MEASURING)
        return _measure(job, data)


# the same for all jobs of a worker process
_read_once = functools.lru_cache(maxsize=1)(DataRequest.read)


@contextlib.contextmanager
def _threads(number: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(job: TrainingJob, data: StudyData, report: Report) -> None:
    from attnxai.classification.calibration import calibrated
    from attnxai.models.checkpoints import save_model
    from attnxai.training.field import field_of
    from attnxai.training.history import EpochResult, write_history
    from attnxai.training.loop import train_model

    plan, run, folder = job.plan, job.run, job.folder
    progress = folder.progress(run)
    for file in (progress, folder.history(run), folder.model(run)):
        clear_partial_files(file)
    loss = ""

    def tell_step(done: int, total: int) -> None:
        report(loss, done=done, total=total)

    def tell_epoch(result: EpochResult) -> None:
        nonlocal loss
        loss = f"validation loss {result.validation_loss:.3f}"
        logger.info("epoch %d: %s", result.epoch + 1, loss)

    logger.info("%s", "resuming the training" if progress.is_file() else "training")
    spec = plan.matches[run.group].spec
    model, history = train_model(
        spec,
        data.trained_on,
        class_names=data.labelled.class_names,
        settings=plan.settings_of(run),
        name=f"{run.group}, seed {run.seed}",
        field=field_of(data.trained_on, size=plan.size, binning=spec.binning),
        data=data.labelled.citation or data.labelled.name,
        data_licence=data.labelled.licence,
        command=job.command,
        progress_file=progress,
        device=job.device,
        on_step=tell_step,
        on_epoch=tell_epoch,
    )
    # the model is written last: where it exists, the other files do
    write_history(history, folder.history(run))
    save_model(calibrated(model, data.trained_on, device=job.device), folder.model(run))
    progress.unlink(missing_ok=True)


def _measure(job: TrainingJob, data: StudyData) -> dict[str, Any]:
    from attnxai.models.checkpoints import load_model
    from attnxai.study.measuring import measure_model

    measuring = job.plan.measuring
    annotated = measuring.read_annotations(data)
    model = load_model(job.folder.model(job.run))
    logger.info("measuring on %s images", measuring.measure_on)
    measurement = measure_model(model, data, measuring, annotated, device=job.device)
    logger.info("finished")
    return {
        "measurement": measurement.to_dict(),
        "identity": {**job.identity, "model_sha256": model.sha256},
    }
