"""The same bytes every time: whatever memory holds, was compared before, or Python hashes names to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from attnxai.agreement.comparison import ComparisonSettings, compare
from attnxai.metrics import METRICS, TargetKind
from tests.builders import made_up
from tests.nulls.fields import SMALL_NULLS

BYTES = (0xFF, 0x3F)  # NaN, and numbers of ordinary size
QUICK = ComparisonSettings(n_permutations=99, n_bootstrap=100)


def inputs(model=0):
    """Annotations and images that are always the same, and the maps of one of several models."""
    maps, marks, images = made_up(n_sources=9, side=20, annotators=("ann", "bob", "cyd"))
    if model:
        maps = dataclasses.replace(maps, layers={k: v**2 for k, v in maps.layers.items()})
    return maps, marks, images


def digest(result):
    """Hash of the numbers of a result, of single sources and of null distributions as well."""
    content = [json.dumps(result.to_record(), sort_keys=True).encode(), result.values.tobytes()]
    content += [e.test.values.tobytes() for e in result.estimates if e.test is not None]
    return hashlib.sha256(b"".join(content)).hexdigest()


@pytest.fixture
def uninitialised(monkeypatch):
    """Fill what ``numpy.empty`` and its like give with a byte, so that reading it shows."""
    empty, empty_like = np.empty, np.empty_like

    def fill_with(byte):
        def filled(array):
            if type(array) is np.ndarray and not array.dtype.hasobject:
                array.T.reshape(-1, order="A").view(np.uint8)[...] = byte
            return array

        monkeypatch.setattr(np, "empty", lambda *a, **k: filled(empty(*a, **k)))
        monkeypatch.setattr(np, "empty_like", lambda *a, **k: filled(empty_like(*a, **k)))

    return fill_with


def test_the_fixture_shows_what_is_read_before_it_is_written(uninitialised):
    uninitialised(0xFF)
    for shape, order in (((2, 3), "C"), ((2, 3), "F"), ((0,), "C")):
        assert np.isnan(np.empty(shape, order=order)).all()
    assert (np.empty_like(np.zeros(3, np.int32)) == -1).all()


def test_no_metric_reads_memory_before_it_is_written(uninitialised):
    settings = dataclasses.replace(QUICK, metrics=tuple(METRICS))
    expected = digest(compare(*inputs(), settings=settings))
    for byte in BYTES:
        uninitialised(byte)
        assert digest(compare(*inputs(), settings=settings)) == expected


def test_no_null_reads_memory_before_it_is_written(uninitialised):
    maps = np.random.default_rng(0).random((3, 10, 10))
    targets = {
        TargetKind.DENSITY: maps[None, ::-1],
        TargetKind.MASK: maps[None, ::-1] > 0.8,
    }

    def tables_and_draws(null):
        rng = np.random.default_rng(1)
        valid = np.ones(maps.shape, bool)
        valid[:, 0, :3] = False
        tables = null.tables(tuple(METRICS.values()), maps, targets, valid, rng=rng)
        draws = null.draw("aab", n_columns=tables.shape[3], n_draws=3, rng=rng)
        return tables.tobytes() + draws.choices.tobytes()

    expected = [tables_and_draws(null) for null in SMALL_NULLS]
    for byte in BYTES:
        uninitialised(byte)
        assert [tables_and_draws(null) for null in SMALL_NULLS] == expected


SCRIPT = """
from tests.agreement.comparison.test_repeatability import QUICK, compare, digest, inputs
for model in (1, 0):
    print(digest(compare(*inputs(model), settings=QUICK)))
"""


def test_neither_what_was_compared_before_nor_the_hash_seed_changes_anything():
    here = [digest(compare(*inputs(model), settings=QUICK)) for model in (0, 1)]
    seed = "1" if os.environ.get("PYTHONHASHSEED") == "2" else "2"
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert there.stdout.split() == here[::-1]


def test_noise_ceilings_of_models_compared_over_the_same_pixels_are_the_same():
    first, second = (compare(*inputs(model), settings=QUICK) for model in (0, 1))
    assert first.estimates[0].interval != second.estimates[0].interval
    assert len(first.noise_ceilings) > 1
    assert first.noise_ceilings == second.noise_ceilings
