"""One torch thread, since networks this small gain nothing from more; and a cache of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from attnxai.models import bases


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="package")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Bases are not taken from the user's cache, nor left there."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bases, "cache_folder", lambda: folder)
        yield
