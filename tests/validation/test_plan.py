"""What a validation consists of, and that its counts do not depend on how it is run."""

from __future__ import annotations

import dataclasses

import pytest

from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.errors import OptionError
from attnxai.jobs.store import ResultStore
from attnxai.statistics.bootstrap import IntervalKind
from attnxai.validation.coverage import CoverageDesign, Distribution
from attnxai.validation.experiments import stream_of
from attnxai.validation.folder import validation_folder
from attnxai.validation.plan import Part, ValidationPlan, run_validation
from attnxai.validation.rejections import POWER_NULLS, FalsePositiveDesign, NullKind, PowerDesign
from attnxai.validation.simulated_data import Scenario

SMALL = ValidationPlan(
    n_experiments=60, parts=(Part.POWER,), nulls=(NullKind.WITHIN_CLASS,), quick=True
)


def test_the_full_plan():
    plan = ValidationPlan()
    null_designs = {
        (design.null, design.scenario, design.n_sources) for design in plan.false_positive_designs
    }
    for null in NullKind:
        for scenario in (
            Scenario.NOTHING,
            Scenario.CENTRE,
            Scenario.CLASS,
            Scenario.CENTRE_AND_CLASS,
        ):
            for n in (10, 20, 50, 150):
                assert (null, scenario, n) in null_designs
    designs = {
        (c.distribution, c.n_sources, c.n_annotators, c.method) for c in plan.coverage_designs
    }
    for values in (Distribution.EQUAL, Distribution.ALIKE, Distribution.SKEWED):
        for n in (20, 50, 100):
            for k in (2, 3, 5, 10):
                for method in (*CrossedMethod, *IntervalKind):
                    assert (values, n, k, method) in designs
    for values in (Distribution.NORMAL, Distribution.EXPONENTIAL, Distribution.LOG_NORMAL):
        for n in (8, 10, 20, 50, 100):
            assert all((values, n, 1, kind) in designs for kind in IntervalKind)
    powers = {(design.null, design.n_sources) for design in plan.power_designs}
    assert powers == {(null, n) for null in POWER_NULLS for n in (10, 20, 50, 150)}
    assert all(
        any(design.strength == 0 for design in plan.power_designs if design.null is null)
        for null in POWER_NULLS
    )
    costly, cheap = (
        FalsePositiveDesign(null=null, scenario=Scenario.NOTHING, n_sources=10)
        for null in (NullKind.MORAN, NullKind.POOLED)
    )
    assert (plan.experiments(cheap), plan.experiments(costly)) == (1000, 400)
    assert len({design.key for design in plan.designs}) == len(plan.designs)


def test_a_quick_plan_is_part_of_the_full_one():
    full = {design.key for design in ValidationPlan().designs}
    assert {design.key for design in ValidationPlan(quick=True).designs} < full


def test_blocks_hold_every_experiment_once():
    plan = ValidationPlan(n_experiments=130, quick=True)
    found = {}
    for block in plan.blocks():
        found.setdefault(block.design.key, []).extend(range(block.start, block.stop))
    for design in plan.designs:
        assert sorted(found[design.key]) == list(range(plan.experiments(design)))


def test_counts_do_not_depend_on_workers_or_interruptions(tmp_path):
    whole = run_validation(SMALL)
    assert run_validation(SMALL, n_workers=2) == whole
    store = ResultStore(tmp_path / "some.jsonl", identity={})
    for key in list(whole)[:7]:
        store.add(key, whole[key])
    told = []
    rest = run_validation(SMALL, store, on_progress=lambda *numbers: told.append(numbers))
    assert rest == whole == store.results
    assert told == [(n, len(whole)) for n in range(7, len(whole) + 1)]
    design = SMALL.designs[0]
    assert SMALL.total(design, whole) == {
        name: pytest.approx(values) for name, values in design.count(0, 0, 30).items()
    }


def test_more_experiments_go_on_with_those_that_are_there(tmp_path):
    few = dataclasses.replace(SMALL, n_experiments=40)
    store, told = ResultStore(tmp_path / "few.jsonl", identity={}), []
    n_few = len(run_validation(few, store))
    more = run_validation(SMALL, store, on_progress=lambda *numbers: told.append(numbers))
    assert told[0] == (n_few, len(SMALL.blocks()))
    assert more == run_validation(SMALL)


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
    ("design", "key"),
    [
        (
            FalsePositiveDesign(null=NullKind.POOLED, scenario=Scenario.SIZE, n_sources=20),
            "levels/exchange, pooled/size of each source/20",
        ),
        (
            PowerDesign(null=NullKind.ROTATION, n_sources=20, strength=0.1),
            "power/any angle/20/0.1",
        ),
        (
            CoverageDesign(
                distribution=Distribution.ALIKE,
                n_sources=20,
                n_annotators=3,
                method=IntervalKind.BCA,
            ),
            "coverage/annotators alike/20x3/bca",
        ),
    ],
)
def test_keys_stay_as_they_are(design, key):
    """They decide over the random numbers, and over which kept counts are used again."""
    assert design.key == key


def test_what_cannot_be_run_is_refused():
    with pytest.raises(OptionError, match="10 or more"):
        ValidationPlan(n_experiments=9)
    with pytest.raises(OptionError, match="nothing to validate"):
        ValidationPlan(parts=(Part.POWER,), nulls=(NullKind.SHIFT,))
    with pytest.raises(OptionError, match="n_workers"):
        run_validation(SMALL, n_workers=0)


# --- the folder ------------------------------------------------------------------------------------


def opened(root, seed=0):
    with validation_folder(root, seed=seed):
        pass


def test_counts_come_back_from_the_folder(tmp_path):
    few = dataclasses.replace(SMALL, n_experiments=10)
    root, told = tmp_path / "made" / "here", []
    with validation_folder(root, seed=0) as (store, _):
        counts = run_validation(few, store)
    with validation_folder(root, seed=0) as (store, _):
        again = run_validation(few, store, on_progress=lambda *numbers: told.append(numbers))
    assert again == counts == run_validation(few)
    assert told == [(len(counts), len(counts))]


def test_folders_of_something_else_are_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    with pytest.raises(OptionError, match="is a file"):
        opened(file)
    other = tmp_path / "other"
    other.mkdir()
    (other / "plan.json").write_text("x", encoding="utf-8")
    with pytest.raises(OptionError, match="holds other files than a validation"):
        opened(other)
    assert sorted(path.name for path in other.iterdir()) == ["plan.json"]
    (other / "plan.json").rename(other / "blocks.jsonl")
    with pytest.raises(OptionError, match="holds no results of jobs"):
        opened(other)


def test_another_seed_or_version_is_refused(tmp_path, monkeypatch):
    with validation_folder(tmp_path / "c", seed=1) as (store, _):
        store.add("a", {})
    with pytest.raises(OptionError, match="made with seed 1, not 2; give the same seed"):
        opened(tmp_path / "c", seed=2)
    monkeypatch.setattr("attnxai.validation.folder.__version__", "0.0.1")
    with pytest.raises(OptionError, match=r"made with attnxai .*, not 0\.0\.1"):
        opened(tmp_path / "c", seed=1)


def test_two_validations_in_one_folder_are_refused(tmp_path):
    pytest.importorskip("fcntl")
    with (
        validation_folder(tmp_path / "c", seed=0),
        pytest.raises(OptionError, match="another run is writing to"),
    ):
        opened(tmp_path / "c")
