"""Finished results come back whole, or not at all."""

from __future__ import annotations

import json
import math

import pytest

from attnxai.errors import AttnxaiWarning, OptionError, OutputError
from attnxai.jobs.store import ResultStore
from tests.jobs.limits import largest_file


@pytest.fixture
def file(tmp_path):
    return tmp_path / "finished.jsonl"


def opened(file, **identity):
    return ResultStore(file, identity={"seed": 0, **identity})


def test_results_come_back(file):
    store = opened(file)
    assert store.results == {}
    store.add("a", {"nss": [1.0, 2.0]})
    store.add("b", [math.pi, None, "NSS ρ"])
    store.add("a", {"nss": [3.0]})
    assert (
        store.results
        == opened(file).results
        == {"a": {"nss": [3.0]}, "b": [math.pi, None, "NSS ρ"]}
    )
    assert math.isnan(reopened_with(file, "c", math.nan)["c"])


def reopened_with(file, job, result):
    opened(file).add(job, result)
    return opened(file).results


def test_a_line_that_was_cut_short_is_removed(file):
    for job in ("a", "b"):
        opened(file).add(job, 1.0)
    whole = file.read_bytes()
    for length in range(whole.rindex(b'{"job"'), len(whole)):
        file.write_bytes(whole[:length])
        store = opened(file)
        assert store.results == {"a": 1.0}
        store.add("c", 2.0)
        assert opened(file).results == {"a": 1.0, "c": 2.0}


@pytest.mark.parametrize("damage", [b"\xff\x00", b"[]", b'{"job": "b"}', b"[" * 100_000])
def test_a_damaged_line_is_removed_with_a_warning(file, damage):
    store = opened(file)
    store.add("a", 1.0)
    store.add("c", 2.0)
    first, second, third = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first + second + damage + b"\n" + third)
    with pytest.warns(AttnxaiWarning, match="has 1 damaged line; the jobs are run again"):
        assert opened(file).results == {"a": 1.0, "c": 2.0}
    assert opened(file).results == {"a": 1.0, "c": 2.0}


def test_a_changed_number_is_damage(file):
    opened(file).add("a", 1.5)
    file.write_text(file.read_text().replace("1.5", "7.5"))
    with pytest.warns(AttnxaiWarning, match="damaged"):
        assert opened(file).results == {}


def test_results_of_something_else_are_refused(file):
    opened(file).add("a", 1.0)
    with pytest.raises(OptionError, match="made with seed 0, not 1; give the same seed"):
        ResultStore(file, identity={"seed": 1})
    with pytest.raises(OptionError, match="made with version None, not 2"):
        opened(file, version=2)
    with pytest.raises(OptionError, match="made with seed 0, not None"):
        ResultStore(file, identity={})
    for content in ("x\n", "[1]\n", json.dumps({"format": "other"}) + "\n"):
        file.write_text(content)
        with pytest.raises(OptionError, match="holds no results of jobs"):
            opened(file)
        assert file.read_text() == content


def test_nothing_is_written_before_the_first_result(file):
    assert opened(file).results == {}
    assert not file.exists()
    file.touch()
    assert reopened_with(file, "a", 1.0) == {"a": 1.0}


def test_a_full_disk_names_the_file(file):
    store = opened(file)
    store.add("a", 1.0)
    with largest_file(file.stat().st_size + 40), pytest.raises(OutputError, match=file.name):
        store.add("b", "x" * 10_000)
    assert opened(file).results == {"a": 1.0}
