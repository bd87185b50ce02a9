"""A small model and images for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from attnxai.data.images import SourceSet, from_array
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import ModelSpec
from tests.models.builders import make_model

SIDE = 26


def build_model(*, side: int = SIDE, **changes: Any) -> AttentionModel:
    """A C4 network with random weights and batch statistics; knows sources s0 to s2."""
    model = make_model(side=side, **{"gate_channels": 3, **changes})
    assert model.training is not None
    assert isinstance(model.spec, ModelSpec)
    record = dataclasses.replace(
        model.training, train_sources=("s0", "s1"), validation_sources=("s2",)
    )
    return dataclasses.replace(
        model,
        preprocessing=Preprocessing(
            size=side,
            mean=0.0 if model.spec.zero_sky else 0.1,
            deviation=0.4,
        ),
        class_names=("FR I", "FR II"),
        training=record,
        path="/some/folder/small.pt",
        sha256="34",
    )


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Networks this small gain nothing from more threads, and suffer where cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def model() -> AttentionModel:
    return build_model()


@pytest.fixture(scope="session")
def images() -> SourceSet:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 31, 30)).astype(np.uint8)
    return SourceSet(
        from_array(values, source=f"s{index}", pixel_scale_arcsec=1.8)
        for index, values in enumerate(pixels)
    )
