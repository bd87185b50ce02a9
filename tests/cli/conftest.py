"""What every test of the command line needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.cli.samples import made_sample


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order, and what ``--threads`` changes given back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def without_figures(monkeypatch):
    """Reports of numbers and words alone, for tests that look at nothing else."""
    monkeypatch.setattr("attnxai.report.document._drawers", lambda *_: [])


@pytest.fixture
def sample(tmp_path):
    """A folder of one's own with a few sources of the sample and their table."""
    return made_sample(tmp_path)
