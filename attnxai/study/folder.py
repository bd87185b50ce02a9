"""The folder of a study: its files, its lock, and whether finished models belong to its plan."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attnxai.errors import AttnxaiError, CheckpointError, OptionError
from attnxai.jobs.files import read_json, write_file
from attnxai.jobs.output_folder import OutputFolder, claimed_folder, output_folder
from attnxai.jobs.store import ResultStore
from attnxai.models.model import TrainingRecord
from attnxai.models.specification import ModelSpec
from attnxai.models.torch_files import read_checkpoint_file
from attnxai.study.plan import FORMAT, FORMAT_VERSION, RunKey, StudyPlan

PLAN_NAME = "plan.json"
MODELS_NAME = "models"
MEASUREMENTS_NAME = "measurements.jsonl"
RESULTS_NAME = "results"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudyFolder:
    """Paths of the files of a study.

    Parameters
    ----------
    root : Path
        The folder.

    Examples
    --------
    >>> from pathlib import Path
    >>> import attnxai
    >>> attnxai.study.StudyFolder(root=Path("study")).root.name
    'study'
    """

    root: Path

    def model(self, run: RunKey) -> Path:
        """File of a finished model."""
        return self.root / MODELS_NAME / f"{run.name}.pt"

    def history(self, run: RunKey) -> Path:
        """Every epoch of a finished model."""
        return self.root / MODELS_NAME / f"{run.name}.history.csv"

    def progress(self, run: RunKey) -> Path:
        """Record of an unfinished training."""
        return self.root / MODELS_NAME / f"{run.name}.progress.pt"

    def log(self, run: RunKey) -> Path:
        """Log of the job of a run."""
        return self.root / "logs" / f"{run.name}.log"

    def measurements(self) -> ResultStore:
        """What was measured of finished models, with the hashes of the models and of all inputs."""
        return ResultStore(self.root / MEASUREMENTS_NAME, identity={})

    @contextlib.contextmanager
    def opened(self) -> Iterator[OutputFolder]:
        """Make the folder, or check that it holds a study or models alone, and lock it.

        Yields
        ------
        OutputFolder
            Where the table, the figures and the page are to be.

        Raises
        ------
        OptionError
            If it is a file, cannot be made, or holds something else.
        InUseError
            If another run works there.
        """

        def refuse(names: set[str]) -> None:
            # models that were trained elsewhere may be brought before the study begins
            if names - {MODELS_NAME, RESULTS_NAME} and not self.plan():
                raise OptionError(
                    f"the output {self.root} holds other files than a study; name another folder"
                )

        with (
            claimed_folder(self.root, refuse=refuse),
            output_folder(self.root / RESULTS_NAME, what="study", overwrite=True) as results,
        ):
            yield results

    def plan(self) -> dict[str, Any]:
        """The plan that was last written here; empty where there is none."""
        try:
            content = read_json(self.root / PLAN_NAME)
        except (OSError, ValueError):
            return {}
        is_plan = isinstance(content, dict) and content.get("format") == FORMAT
        return content if is_plan else {}


def write_plan(folder: StudyFolder, plan: StudyPlan, command: str, labels_sha256: str) -> None:
    """Write the plan, with the hash of the classes and splits, which model files do not hold.

    Models in the folder that were trained with other classes are refused.
    """
    earlier = folder.plan().get("labels_sha256", labels_sha256)
    if earlier != labels_sha256 and any((folder.root / MODELS_NAME).glob("*.pt")):
        raise OptionError(
            f"the classes or splits of the images have changed since the models in {folder.root} were "
            "trained; give another output"
        )
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "command": command,
        "labels_sha256": labels_sha256,
        **plan.to_dict(),
    }
    write_file(folder.root / PLAN_NAME, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def finished_model(folder: StudyFolder, run: RunKey, planned: Mapping[str, Any]) -> str | None:
    """Hash of the finished model of a run; None where it has still to be trained.

    ``planned`` is what it has to have been made with, as :func:`made_with` gives it.
    """
    path = folder.model(run)
    if not path.is_file():
        return None
    content, sha256 = read_checkpoint_file(path)
    try:
        record = TrainingRecord.from_dict(content["training"])
        own = made_with(
            ModelSpec.from_dict(content["specification"]),
            record.settings,
            class_names=content["class_names"],
            data_sha256=record.data_sha256,
            size=int(content["preprocessing"]["size"]),
        )
    except (AttnxaiError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} is not a model that attnxai has trained: {error}") from error
    for name in {**planned, **own}:
        if own.get(name) != planned.get(name):
            raise OptionError(
                f"{path} does not belong to this study: it was made with {name} {own.get(name)!r}, "
                f"the study asks for {planned.get(name)!r}; give another output, or move it "
                "elsewhere to train it again"
            )
    if not folder.history(run).is_file():
        raise OptionError(
            f"{path} has no history {folder.history(run).name} beside it; move it elsewhere to train it "
            "again"
        )
    return sha256


def made_with(
    spec: ModelSpec,
    settings: Mapping[str, Any],
    *,
    class_names: Sequence[str],
    data_sha256: str,
    size: int,
) -> dict[str, Any]:
    """Everything that determines the weights of a model, by names for messages."""
    return {
        **spec.to_dict(),
        **settings,
        "classes": list(class_names),
        "training images of sha256": data_sha256[:12],
        "field (pixels)": size,
    }
