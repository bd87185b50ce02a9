"""The process of one job: train a model unless it is there, and measure it.

Run as ``python -m attnxai.study.worker JOB.json`` by :mod:`attnxai.study.jobs`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from attnxai.errors import AttnxaiError, AttnxaiWarning, OptionError
from attnxai.jobs.files import clear_partial_files
from attnxai.models.specification import ModelSpec
from attnxai.study.data import DataRequest, StudyData
from attnxai.study.folder import StudyFolder
from attnxai.study.measurement import write_measurement
from attnxai.study.plan import MeasureSettings, RunKey
from attnxai.training.settings import TrainingSettings

BAD_INPUT = 2
PARENT_GONE = 130
_MODULE = "attnxai.study.worker"
_TELL_EVERY_S = 0.2

logger = logging.getLogger(_MODULE)


def job_arguments(path: Path) -> tuple[str, ...]:
    """What follows the Python interpreter to run a job."""
    return ("-m", _MODULE, str(path))


class Teller:
    """Tells the process that started this one how far it is.

    Parameters
    ----------
    stream : text file
        Gets a line of JSON for everything that is told.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._last = stream, 0.0

    def tell(self, kind: str, *, done: int = 0, total: int = 0, text: str = "") -> None:
        """Tell one thing; see :class:`attnxai.study.jobs.JobEvent`."""
        message = {"kind": kind, "done": done, "total": total, "text": text}
        self._stream.write(json.dumps(message) + "\n")
        self._stream.flush()

    def tell_step(self, done: int, total: int) -> None:
        """As above, but not more often than anybody can see."""
        now = time.monotonic()
        if now - self._last >= _TELL_EVERY_S or done == total:
            self._last = now
            self.tell("training", done=done, total=total)


def run_job(job: Mapping[str, Any], teller: Teller) -> None:
    """Do what a job file asks for.

    Parameters
    ----------
    job : mapping
        As :func:`attnxai.study.execution.job_content` makes it.
    teller : object
        Is told how far it is.
    """
    import torch

    if job["threads"] is not None:
        torch.set_num_threads(job["threads"])
    run = RunKey(group=job["group"], seed=job["seed"])
    folder = StudyFolder(root=Path(job["folder"]))
    data = DataRequest.from_dict(job["data"]).read()
    expected = job["measurement_identity"]
    if any(expected[name] != value for name, value in data.identity().items()):
        raise OptionError("the images have changed since the study was started")
    if not folder.model(run).is_file():
        _train(job, run, folder, data, teller)
    teller.tell("measuring")
    _measure(job, run, folder, data)


def _train(
    job: Mapping[str, Any], run: RunKey, folder: StudyFolder, data: StudyData, teller: Teller
) -> None:
    from attnxai.classification.calibration import calibrated
    from attnxai.models.checkpoints import save_model
    from attnxai.training.field import field_of
    from attnxai.training.history import EpochResult, write_history
    from attnxai.training.loop import train_model

    progress = folder.progress(run)
    for file in (progress, folder.history(run), folder.model(run)):
        clear_partial_files(file)

    def tell_epoch(result: EpochResult) -> None:
        text = f"validation loss {result.validation_loss:.3f}"
        logger.info("epoch %d: %s", result.epoch + 1, text)
        teller.tell("epoch", done=result.epoch + 1, total=settings.epochs, text=text)

    settings = TrainingSettings(**job["training"])
    logger.info("%s", "going on" if progress.is_file() else "training")
    model, history = train_model(
        ModelSpec.from_dict(job["specification"]),
        data.trained_on,
        class_names=data.labelled.class_names,
        settings=settings,
        name=f"{run.group}, seed {run.seed}",
        field=field_of(data.trained_on, size=job["size"]),
        data=data.labelled.citation or data.labelled.name,
        data_licence=data.labelled.licence,
        command=job["command"],
        progress_file=progress,
        device=job["device"],
        on_step=teller.tell_step,
        on_epoch=tell_epoch,
    )
    # the model comes last: where it is, everything of it is
    write_history(history, folder.history(run))
    calibrated_model = calibrated(model, data.trained_on, device=job["device"])
    save_model(calibrated_model, folder.model(run))
    progress.unlink(missing_ok=True)


def _measure(job: Mapping[str, Any], run: RunKey, folder: StudyFolder, data: StudyData) -> None:
    from attnxai.models.checkpoints import load_model
    from attnxai.study.measuring import measure_model

    measuring = MeasureSettings.from_dict(job["measuring"])
    annotated = (
        measuring.annotations.read(data, measuring.measure_on)
        if measuring.annotations is not None
        else None
    )
    model = load_model(folder.model(run))
    logger.info("measuring on %s images", measuring.measure_on)
    measurement = measure_model(model, data, measuring, annotated, device=job["device"])
    identity = {**job["measurement_identity"], "model_sha256": model.sha256}
    write_measurement(measurement, folder.measurement(run, measuring.measure_on), identity)
    logger.info("finished")


def _end_with_parent() -> None:
    """End this process when the one that started it is gone."""

    def wait() -> None:
        # not through sys.stdin, whose lock this thread would hold when the interpreter shuts down
        os.read(0, 1)
        os._exit(PARENT_GONE)

    threading.Thread(target=wait, daemon=True).start()


def _log_warning(message: Any, category: Any, *_: Any, **__: Any) -> None:
    kind = "note" if issubclass(category, AttnxaiWarning) else category.__name__
    logger.warning("%s: %s", kind, message)


def main(path: str) -> int:
    """Run one job.

    Parameters
    ----------
    path : str
        Its file.

    Returns
    -------
    int
        Exit code.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", force=True
    )
    warnings.showwarning = _log_warning
    # what libraries print goes to the log as well
    teller, sys.stdout = Teller(sys.stdout), sys.stderr
    _end_with_parent()
    try:
        run_job(json.loads(Path(path).read_text(encoding="utf-8")), teller)
    except AttnxaiError as error:
        logger.error("%s", error)
        teller.tell("error", text=str(error))
        return BAD_INPUT
    except Exception:
        logger.exception("a fault of the program")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
