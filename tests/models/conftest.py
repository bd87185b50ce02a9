"""One torch thread, since networks this small gain nothing from more, and what a good file holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from attnxai.models.checkpoints import save_model
from tests.models.builders import make_model


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def content(tmp_path_factory) -> dict[str, Any]:
    """What a good file holds."""
    file = tmp_path_factory.mktemp("good") / "model.pt"
    save_model(make_model(), file)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded
