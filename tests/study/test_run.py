"""A plan is run: finished work is used again, foreign work is refused."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
import torch

from attnxai.errors import (
    AlignmentError,
    CheckpointError,
    InUseError,
    JobError,
    OptionError,
)
from attnxai.models.checkpoints import load_model
from attnxai.models.specification import Preset
from attnxai.study.data import AnnotationRequest, DataRequest
from attnxai.study.folder import StudyFolder, write_plan
from attnxai.study.measurement import MeasureOn
from attnxai.study.plan import MeasureSettings, RunKey, StudyPlan
from attnxai.study.run import prepare, run_study
from attnxai.study.training_job import TrainingJob, train_and_measure
from attnxai.training.settings import TrainingSettings
from tests.study.conftest import write_marks


@pytest.fixture(scope="module")
def small_plan(mirabest, baseline):
    return StudyPlan(
        groups=("C1", "C2"),
        seeds=(0,),
        specification=baseline,
        preset=Preset.PAPER,
        settings=TrainingSettings(epochs=2, batch_size=4),
        measuring=MeasureSettings(n_angles=1),
        data=DataRequest(data_dir=str(mirabest)),
        size=32,
    )


def run_in(folder, plan, **kwargs):
    """Run a plan in a folder, with what its jobs told."""
    events = []
    prepared = prepare(plan, folder)
    result = run_study(
        prepared, command="attnxai study", threads=1, on_event=events.append, **kwargs
    )
    return result.runs, events


@pytest.fixture(scope="module")
def finished(small_plan, tmp_path_factory):
    """A finished study of two groups, with what its jobs told."""
    folder = StudyFolder(root=tmp_path_factory.mktemp("finished") / "study")
    assert len(prepare(small_plan, folder).remaining_runs) == 2
    return (folder, *run_in(folder, small_plan))


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished study, to be spoilt."""
    shutil.copytree(finished[0].root, tmp_path / "study")
    return StudyFolder(root=tmp_path / "study")


def test_models_are_as_planned(finished, small_plan):
    folder, runs, events = finished
    assert [(run.group, run.seed) for run in runs] == [("C1", 0), ("C2", 0)]
    for run in runs:
        key = RunKey(group=run.group, seed=run.seed)
        model = load_model(folder.model(key))
        assert model.spec == small_plan.matches[run.group].spec
        assert model.sha256 == run.model_sha256
        assert model.training.command == "attnxai study"
        assert model.preprocessing.size == 32
        assert [result.epoch for result in run.history] == [0, 1]
        assert run.measurement.n_images == len(model.training.validation_sources)
        assert not folder.progress(key).exists()
        assert "finished" in folder.log(key).read_text()
    # the same seed holds back the same images
    one, other = (load_model(folder.model(RunKey(group=g, seed=0))) for g in ("C1", "C2"))
    assert one.training.validation_sources == other.training.validation_sources
    told = [(event.kind, event.text) for event in events if event.job == "C2-seed0"]
    assert told[0] == ("started", "")
    assert ("progress", f"validation loss {runs[1].history[0].validation_loss:.3f}") in told
    assert told[-2:] == [("progress", "measuring"), ("finished", "")]


@pytest.mark.slow
def test_worker_processes_make_the_same_models(finished, small_plan, tmp_path):
    folder, runs, _ = finished
    other = StudyFolder(root=tmp_path / "study")
    found, _ = run_in(other, small_plan, n_workers=2)
    for run, twin in zip(runs, found, strict=True):
        assert twin.measurement == run.measurement
        key = RunKey(group=run.group, seed=run.seed)
        one, two = (load_model(f.model(key)).network.state_dict() for f in (folder, other))
        assert all((one[name] == two[name]).all() for name in one)
        assert "finished" in other.log(key).read_text()


def test_finished_work_is_used_again(finished, small_plan):
    folder, runs, _ = finished
    prepared = prepare(small_plan, folder)
    assert not prepared.remaining_runs
    again = run_study(prepared, on_event=lambda event: pytest.fail(str(event)))
    assert again.runs == runs
    with folder.opened():  # it is known to be the folder of a study
        pass
    assert again.facts.n_train + again.facts.n_validation == len(prepared.data.trained_on)
    assert again.facts.n_validation == runs[0].measurement.n_images


def test_only_what_is_missing_is_open(copied, small_plan):
    key = RunKey(group="C2", seed=0)
    lines = (copied.root / "measurements.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if "C2-seed0" not in line]
    (copied.root / "measurements.jsonl").write_text("".join(kept))
    assert prepare(small_plan, copied).remaining_runs == (key,)
    more = dataclasses.replace(small_plan, seeds=(0, 1))
    assert len(prepare(more, copied).remaining_runs) == 3
    measuring = dataclasses.replace(small_plan.measuring, n_angles=2)
    again = prepare(dataclasses.replace(small_plan, measuring=measuring), copied)
    assert len(again.remaining_runs) == len(again.models) == 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"settings": TrainingSettings(epochs=3, batch_size=4)},
            "made with epochs 2, the study asks for 3",
        ),
        ({"size": 40}, r"made with field \(pixels\) 32, the study asks for 40"),
    ],
)
def test_models_of_another_plan_are_refused(copied, small_plan, changes, text):
    with pytest.raises(OptionError, match=text) as caught:
        prepare(dataclasses.replace(small_plan, **changes), copied)
    assert "give another output" in str(caught.value)


def test_other_networks_and_images_are_refused(copied, small_plan, sources, tmp_path):
    spec = dataclasses.replace(small_plan.specification, dropout=0.1)
    with pytest.raises(OptionError, match=r"made with dropout 0\.5, the study asks for 0\.1"):
        prepare(dataclasses.replace(small_plan, specification=spec), copied)
    held_out = tmp_path / "held_out.txt"
    held_out.write_text(sources["train"][0])
    data = dataclasses.replace(small_plan.data, hold_out=str(held_out))
    with pytest.raises(OptionError, match="made with training images of sha256"):
        prepare(dataclasses.replace(small_plan, data=data), copied)


def test_a_setting_that_a_model_does_not_state_is_another_one(copied, small_plan):
    path = copied.model(RunKey(group="C1", seed=0))
    content = torch.load(path, weights_only=True)
    del content["training"]["settings"]["shift"]
    torch.save(content, path)
    with pytest.raises(OptionError, match=r"made with shift None, the study asks for 3\.0"):
        prepare(small_plan, copied)


def test_damaged_and_incomplete_models_are_refused(copied, small_plan):
    key = RunKey(group="C1", seed=0)
    history = copied.history(key).read_bytes()
    copied.history(key).unlink()
    with pytest.raises(OptionError, match="has no history"):
        prepare(small_plan, copied)
    copied.history(key).write_bytes(history)
    copied.model(key).write_bytes(b"PK no model")
    with pytest.raises(CheckpointError, match=r"C1-seed0\.pt"):
        prepare(small_plan, copied)


def test_changed_classes_are_refused(copied, small_plan):
    prepared = prepare(small_plan, copied)
    write_plan(copied, small_plan, "attnxai study", prepared.identity["trained_on_sha256"])
    with pytest.raises(OptionError, match="classes or splits of the images have changed"):
        write_plan(copied, small_plan, "attnxai study", "another hash")


def test_a_missing_test_part_is_found_before_training(small_plan, tmp_path):
    measuring = MeasureSettings(n_angles=1, measure_on=MeasureOn.TEST)
    plan = dataclasses.replace(small_plan, measuring=measuring)
    data = plan.data.read()
    none = dataclasses.replace(data, test=data.test[:0])
    with pytest.raises(OptionError, match="no test images"):
        prepare(plan, StudyFolder(root=tmp_path / "study"), none)


def test_annotations_that_cannot_be_placed_are_found_before_training(small_plan, sources, tmp_path):
    marks = write_marks(tmp_path / "marks.csv", sources["train"][:3])
    wrong = marks.read_text().replace(",label", ",label,class").replace(",core", ",core,hybrid")
    marks.write_text(wrong)
    request = AnnotationRequest(path=str(marks))
    plan = dataclasses.replace(
        small_plan,
        measuring=MeasureSettings(n_angles=1, annotations=request),
        data=dataclasses.replace(small_plan.data, hold_out=str(marks)),
    )
    with pytest.raises(AlignmentError, match="in the annotations but"):
        prepare(plan, StudyFolder(root=tmp_path / "study"))


def test_a_job_that_fails_says_why(copied, small_plan):
    key = RunKey(group="C1", seed=0)
    copied.model(key).unlink()
    copied.progress(key).write_bytes(b"no record")
    prepared = prepare(small_plan, copied)
    with pytest.raises(JobError, match=r"C1-seed0 was not finished: .*C1-seed0\.progress\.pt"):
        run_study(prepared, threads=1)
    assert "progress.pt" in copied.log(key).read_text()


def test_changed_images_are_noticed(copied, small_plan):
    key = RunKey(group="C1", seed=0)
    copied.model(key).unlink()
    prepared = prepare(small_plan, copied)
    job = TrainingJob(
        plan=small_plan,
        run=key,
        folder=copied,
        identity={**prepared.identity, "test_sha256": "x"},
    )
    with pytest.raises(OptionError, match="images have changed"):
        train_and_measure(job, lambda *_, **__: None)


def test_what_fails_before_there_is_a_plan_leaves_no_folder(tmp_path):
    folder = StudyFolder(root=tmp_path / "a" / "study")

    def fail():
        with pytest.raises(OptionError, match="refused"), folder.opened():
            raise OptionError("refused")

    fail()
    assert not list(tmp_path.iterdir())
    folder.root.mkdir(parents=True)  # somebody else's, which stays
    fail()
    assert not list(folder.root.iterdir())
    (folder.root / "plan.json").write_text('{"format": "attnxai-study"}')
    fail()
    assert {file.name for file in folder.root.iterdir()} == {"plan.json"}


def test_folders(tmp_path):
    folder = StudyFolder(root=tmp_path / "a" / "study")

    def opened(root):
        with StudyFolder(root=root).opened():
            pass

    with folder.opened() as results:
        assert results.path == folder.root / "results"
        with pytest.raises(InUseError, match="another run is writing"):
            opened(folder.root)
    folder.model(RunKey(group="C1", seed=0)).parent.mkdir()
    opened(folder.root)  # models that were trained elsewhere
    (folder.root / "thesis.tex").write_text("x")
    with pytest.raises(OptionError, match="holds other files than a study"):
        opened(folder.root)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OptionError, match="is a file"):
        opened(tmp_path / "file")
    with pytest.raises(OptionError, match="not a folder that can be written to"):
        opened(tmp_path / "file" / "study")
