"""A tiny MiraBest, a network that trains in a second, and a plan of both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from attnxai.models.specification import ModelSpec, Preset, paper_spec
from attnxai.study.data import DataRequest
from attnxai.study.plan import MeasureSettings, StudyPlan
from attnxai.training.settings import TrainingSettings
from tests.data.mirabest_files import write_batches, write_wcs_table

MARKS_HEADER = "source,annotator,shape,x,y,radius,frame,label"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in one order, so that equal means equal."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def mirabest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny MiraBest: 18 training and 2 test sources that are FR I or FR II."""
    folder = tmp_path_factory.mktemp("study") / "data"
    names = write_batches(folder / "batches")
    write_wcs_table(folder / "mirabest_wcs.csv", names)
    return folder


@pytest.fixture(scope="session")
def sources(mirabest: Path) -> dict[str, list[str]]:
    """Ids by split."""
    images = DataRequest(data_dir=str(mirabest)).read().labelled.images
    return {
        split: [image.source for image in images if image.split == split]
        for split in ("train", "test")
    }


def write_marks(path: Path, names: list[str]) -> Path:
    """A table with a circle in the middle of every source."""
    rows = [f"{name},ann,circle,75,{74 + i % 3},3,pixel,core" for i, name in enumerate(names)]
    path.write_text("\n".join([MARKS_HEADER, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def baseline() -> ModelSpec:
    return paper_spec(
        "C1", fields=(1, 2, 2, 2), convolutions=(1, 1, 1, 1), gate_channels=2, kernel_size=3
    )


@pytest.fixture
def plan(mirabest: Path, baseline: ModelSpec) -> StudyPlan:
    return StudyPlan(
        groups=("C1", "C2"),
        seeds=(0, 1),
        specification=baseline,
        preset=Preset.PAPER,
        settings=TrainingSettings(epochs=2, batch_size=4),
        measuring=MeasureSettings(n_angles=2),
        data=DataRequest(data_dir=str(mirabest)),
        size=32,
    )
