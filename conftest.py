"""What every test needs, those in docstrings as well: a cache that is not the user's."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import hypothesis
import numpy as np
import pytest

# the same examples in every run, however busy the machine is
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name the contents of files by the parameter: an archive holds the time, which differs between processes."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


def pytest_collection_finish() -> None:
    """Leave the many objects that were made so far out of later garbage collections, which took a tenth of the time."""
    # before, since hypothesis looks for owners of NumPy's random numbers, where it first uses them
    hypothesis.given(hypothesis.strategies.none())(lambda _: None)()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One new cache folder for the processes of a test run and for those that they start.

    It is empty at first, so that no filter basis comes from an earlier version of the code.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which the workers of a run have in common
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield


@pytest.fixture(autouse=True)
def numpy_prints_as_it_does() -> Iterator[None]:
    """Undo what e2cnn changes where a test uses it directly, as arrays in docstrings would print otherwise."""
    with np.printoptions():
        yield
