"""The suite: what it consists of, and that its counts do not depend on how it is run."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import time

import numpy as np
import pytest

from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.agreement.intervals.over_sources import IntervalKind
from attnxai.errors import OptionError
from attnxai.validation.coverage import CoverageCase, Values
from attnxai.validation.kept import KeptBlocks
from attnxai.validation.rejections import POWER_NULLS, LevelCase, NullKind, PowerCase
from attnxai.validation.scenes import Scene
from attnxai.validation.streams import stream_of
from attnxai.validation.suite import Part, SuitePlan, run_suite
from attnxai.validation.workers import map_unordered

SMALL = SuitePlan(n_experiments=60, parts=(Part.POWER,), nulls=(NullKind.WITHIN_CLASS,), quick=True)


def test_the_full_suite_is_what_was_asked_for():
    plan = SuitePlan()
    levels = {(case.null, case.scene, case.n_sources) for case in plan.level_cases}
    for null in NullKind:
        for scene in (Scene.NOTHING, Scene.CENTRE, Scene.CLASS, Scene.CENTRE_AND_CLASS):
            for n in (10, 20, 50, 150):
                assert (null, scene, n) in levels
    designs = {(c.values, c.n_sources, c.n_annotators, c.method) for c in plan.coverage_cases}
    for values in (Values.EQUAL, Values.ALIKE, Values.SKEWED):
        for n in (20, 50, 100):
            for k in (2, 3, 5, 10):
                for method in (*CrossedMethod, *IntervalKind):
                    assert (values, n, k, method) in designs
    for values in (Values.NORMAL, Values.EXPONENTIAL, Values.LOG_NORMAL):
        for n in (8, 10, 20, 50, 100):
            assert all((values, n, 1, kind) in designs for kind in IntervalKind)
    powers = {(case.null, case.n_sources) for case in plan.power_cases}
    assert powers == {(null, n) for null in POWER_NULLS for n in (10, 20, 50, 150)}
    assert all(
        any(case.strength == 0 for case in plan.power_cases if case.null is null)
        for null in POWER_NULLS
    )
    costly, cheap = (
        LevelCase(null=null, scene=Scene.NOTHING, n_sources=10)
        for null in (NullKind.MORAN, NullKind.POOLED)
    )
    assert (plan.experiments(cheap), plan.experiments(costly)) == (1000, 400)
    assert len({case.key for case in plan.cases}) == len(plan.cases)


def test_a_quick_suite_is_a_part_of_the_full_one():
    full = {case.key for case in SuitePlan().cases}
    assert {case.key for case in SuitePlan(quick=True).cases} < full


def test_blocks_hold_every_experiment_once():
    plan = SuitePlan(n_experiments=130, quick=True)
    found = {}
    for block in plan.blocks():
        found.setdefault(block.case.key, []).extend(range(block.start, block.stop))
    for case in plan.cases:
        assert sorted(found[case.key]) == list(range(plan.experiments(case)))


def test_counts_do_not_depend_on_workers_or_interruptions():
    whole = run_suite(SMALL)
    shared = run_suite(SMALL, n_workers=2)
    assert shared == whole
    made = []
    rest = run_suite(SMALL, dict(list(whole.items())[:7]), on_block=lambda key, _: made.append(key))
    assert rest == whole
    assert len(made) == len(whole) - 7
    case = SMALL.cases[0]
    assert SMALL.total(case, whole) == {
        name: pytest.approx(values) for name, values in case.count(0, 0, 30).items()
    }


def test_more_experiments_go_on_with_those_that_are_there():
    few = dataclasses.replace(SMALL, n_experiments=40)
    kept, told = run_suite(few), []
    more = run_suite(SMALL, kept, on_start=lambda *numbers: told.append(numbers))
    assert told == [(len(kept), len(SMALL.blocks()))]
    assert more == run_suite(SMALL)


def test_seeds_and_names_decide_over_streams():
    draws = {
        (seed, name, experiment): stream_of(seed, name, experiment).random()
        for seed in (0, 1)
        for name in ("a", "b")
        for experiment in (0, 1)
    }
    assert len(set(draws.values())) == 8
    assert stream_of(1, "b", 1).random() == draws[1, "b", 1]


@pytest.mark.parametrize(
    ("case", "key"),
    [
        (
            LevelCase(null=NullKind.POOLED, scene=Scene.SIZE, n_sources=20),
            "levels/exchange, pooled/size of each source/20",
        ),
        (
            PowerCase(null=NullKind.ROTATION, n_sources=20, strength=0.1),
            "power/any angle/20/0.1",
        ),
        (
            CoverageCase(
                values=Values.ALIKE, n_sources=20, n_annotators=3, method=IntervalKind.BCA
            ),
            "coverage/annotators alike/20x3/bca",
        ),
    ],
)
def test_keys_stay_as_they_are(case, key):
    """They decide over the random numbers, and over which kept counts are used again."""
    assert case.key == key


def test_what_cannot_be_run_is_refused():
    with pytest.raises(OptionError, match="10 or more"):
        SuitePlan(n_experiments=9)
    with pytest.raises(OptionError, match="nothing to calibrate"):
        SuitePlan(parts=(Part.POWER,), nulls=(NullKind.SHIFT,))
    with pytest.raises(OptionError, match="n_workers"):
        run_suite(SMALL, n_workers=0)


def invert(x):
    return 1 / x


def threads_and_answer(x):
    return os.environ["OMP_NUM_THREADS"], x + 1


def test_an_error_in_a_worker_ends_all_of_them(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with pytest.raises(ZeroDivisionError):
        list(map_unordered(invert, [1, 2, 0, 4], n_workers=2))
    end = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < end:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


def test_workers_use_one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = dict(map_unordered(threads_and_answer, [1, 2, 3], n_workers=2))
    assert found == {n: ("1", n + 1) for n in (1, 2, 3)}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert list(map_unordered(invert, [], n_workers=2)) == []


# --- the folder ------------------------------------------------------------------------------------


def test_kept_blocks_come_back(tmp_path):
    kept = KeptBlocks(tmp_path / "made" / "here", seed=3)
    with kept.opened():
        assert kept.read() == {}
        kept.append("a:0-20", {"nss": [1.0, 2.0]})
        kept.append("b:0-20", {"nss": [0.0, np.pi]})
    with kept.opened():
        assert kept.read() == {"a:0-20": {"nss": [1.0, 2.0]}, "b:0-20": {"nss": [0.0, np.pi]}}


def test_a_line_that_was_cut_short_is_no_block(tmp_path):
    kept = KeptBlocks(tmp_path / "c", seed=0)
    with kept.opened():
        kept.append("a", {"n": [1.0]})
        kept.append("b", {"n": [2.0]})
    kept.file.write_bytes(kept.file.read_bytes()[:-9])
    with kept.opened():
        assert kept.read() == {"a": {"n": [1.0]}}
        kept.append("c", {"n": [3.0]})
        assert kept.read() == {"a": {"n": [1.0]}, "c": {"n": [3.0]}}


def opened(root, seed=0):
    with KeptBlocks(root, seed=seed).opened():
        pass


def test_folders_of_something_else_are_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    with pytest.raises(OptionError, match="is a file"):
        opened(file)
    with pytest.raises(OptionError, match="no folder to write to"):
        opened(file / "in")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(OptionError, match="holds other files"):
        opened(other)
    results = tmp_path / "study"
    (results / "results").mkdir(parents=True)
    (results / "results" / "study.html").touch()
    with pytest.raises(OptionError, match="holds other files"):
        opened(results)
    assert sorted(path.name for path in results.iterdir()) == ["results"]
    (other / "thesis.tex").rename(other / "blocks.jsonl")
    with pytest.raises(OptionError, match="no file of finished blocks"):
        opened(other)


def test_another_seed_or_version_is_refused(tmp_path):
    opened(tmp_path / "c", seed=1)
    with pytest.raises(OptionError, match="--seed 1, not 2"):
        opened(tmp_path / "c", seed=2)
    path = tmp_path / "c" / "blocks.jsonl"
    first = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(first | {"attnxai": "0.0.1"}) + "\n", encoding="utf-8")
    with pytest.raises(OptionError, match=r"made by attnxai 0\.0\.1"):
        opened(tmp_path / "c", seed=1)


def test_two_calibrations_in_one_folder_are_refused(tmp_path):
    pytest.importorskip("fcntl")
    with (
        KeptBlocks(tmp_path / "c", seed=0).opened(),
        pytest.raises(OptionError, match="another run is writing"),
    ):
        opened(tmp_path / "c")
