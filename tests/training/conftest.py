"""Easy images of two classes, and a network small enough to be trained in a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from attnxai.data.images import SourceImage, SourceSet, from_array
from attnxai.models.model import AttentionModel
from attnxai.models.specification import ModelSpec
from attnxai.training.history import EpochResult
from tests.models.builders import tiny_spec
from tests.training.runs import CLASSES, train


def easy_image(index: int) -> SourceImage:
    """One bright blob for FR I, two apart for FR II; 8 bits, 150 pixels."""
    rng = np.random.default_rng([7, index])
    y, x = np.mgrid[:150, :150]
    class_name = CLASSES[index % 2]
    angle, distance = rng.uniform(0, np.pi), (0.0 if class_name == "FR I" else 30.0)
    width = (14.0 if class_name == "FR I" else 6.0) * rng.uniform(0.8, 1.2)
    pixels = np.zeros((150, 150))
    for side in (-1, 1):
        row = 75 + side * distance * np.sin(angle)
        column = 75 + side * distance * np.cos(angle)
        pixels += np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
    pixels *= 255 / pixels.max()
    return from_array(
        pixels.astype(np.uint8),
        source=f"s{index:02d}",
        pixel_scale_arcsec=1.8,
        class_name=class_name,
    )


@pytest.fixture(scope="session")
def images() -> SourceSet:
    return SourceSet((easy_image(index) for index in range(14)), origin="easy")


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return tiny_spec()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs of a second have three validation images; that training warns of so few has a test of its own."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            mark = "ignore:.*choose the epoch that is kept:attnxai.errors.FewSourcesWarning"
            item.add_marker(pytest.mark.filterwarnings(mark))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order, so that equal means equal."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def undisturbed(images, spec) -> tuple[AttentionModel, list[EpochResult]]:
    """A run that was never stopped."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return train(spec, images)
    finally:
        torch.set_num_threads(threads)
