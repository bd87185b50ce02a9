"""``attnxai study`` as a user meets it, on a tiny MiraBest: from nothing, killed, and run again."""

from __future__ import annotations

import csv
import json
import signal

import pytest

from attnxai.cli import study as module
from attnxai.models.checkpoints import load_model
from tests.cli.program import attnxai, refused
from tests.data.mirabest_files import write_batches, write_wcs_table
from tests.study.conftest import write_marks

OPTIONS = [
    "--group", "C1,C2", "--n-seeds", "2", "--data-dir", "data", "--size", "32", "--epochs", "2",
    "--batch-size", "4", "--precision", "float32", "--threads", "1", "--n-angles", "1",
    "--hold-out", "marks.csv", "--annotations", "marks.csv", "--reference-loss", "50",
]  # fmt: skip
RUNS = [f"{group}-seed{seed}" for seed in (0, 1) for group in ("C1", "C2")]
HELD_OUT = [
    "100_150.000+30.000_0.1000_0050.00",
    "200_150.100+30.100_0.1000_0050.00",
    "102_150.300+30.300_0.1000_0050.00",
]


def study(*arguments, cwd, check=None):
    return attnxai("study", *arguments, cwd=cwd, check=check)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tiny MiraBest, three of whose training sources are marked."""
    folder = tmp_path_factory.mktemp("place")
    names = write_batches(folder / "data" / "batches")
    write_wcs_table(folder / "data" / "mirabest_wcs.csv", names)
    write_marks(folder / "marks.csv", HELD_OUT)
    return folder


@pytest.fixture(scope="module")
def whole(place):
    """A study that nothing has disturbed."""
    done = study("--output", "whole", *OPTIONS, cwd=place, check=0)
    return place / "whole", done


@pytest.fixture
def without_figures(monkeypatch):
    for name in ("epochs", "curves", "metrics", "agreement_of_maps"):
        monkeypatch.setattr(f"attnxai.report.study_document.draw_{name}", lambda *_: None)


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_table_figures_and_page(whole):
    folder, done = whole
    assert "4 to train, 0 to measure, 0 finished" in done.stderr
    results = folder / "results"
    for name in ("study.csv", "runs.csv", "history.csv", "study.json", "study.md", "index.html"):
        assert (results / name).stat().st_size > 0
    figures = {file.stem for file in (results / "figures").iterdir()}
    assert figures == {"epochs", "epochs_one_column", "curves", "metrics", "agreement"}
    record = json.loads((results / "study.json").read_text(encoding="utf-8"))
    assert record["command"].startswith("attnxai study --output whole --group C1,C2")
    assert (record["reference_loss"], record["reference_loss_given"]) == (50.0, True)
    assert [row["outcome"] for row in record["hypotheses"]] == ["not testable"] * 3
    assert record["agreement_sources"]["nss:mean"]
    assert set(record["agreement_sources"]["nss:mean"]) <= set(HELD_OUT)
    assert record["data"]["n_held_out"] == 3
    for hypothesis in record["hypotheses"]:
        assert hypothesis["lead"] in " ".join(done.stdout.split())
    assert [row["group"] for row in read_csv(results / "study.csv")] == ["C1", "C2"]
    runs = read_csv(results / "runs.csv")
    assert len(runs) == 4
    assert all(float(row["nss:mean"]) for row in runs)
    assert len(read_csv(results / "history.csv")) == 8


def test_models_have_not_seen_what_agreement_is_measured_on(whole):
    for name in RUNS:
        model = load_model(whole[0] / "models" / f"{name}.pt")
        seen = model.training.train_sources + model.training.validation_sources
        assert not set(seen) & set(HELD_OUT)
        assert model.training.command.startswith("attnxai study")


@pytest.mark.usefixtures("without_figures")
def test_run_again_trains_nothing_and_says_the_same(whole, place):
    folder, first = whole
    models = {name: (folder / "models" / f"{name}.pt").stat().st_mtime_ns for name in RUNS}
    before = json.loads((folder / "results" / "study.json").read_text(encoding="utf-8"))
    again = study("--output", "whole", *OPTIONS, cwd=place, check=0)
    assert "0 to train, 0 to measure, 4 finished" in again.stderr
    assert again.stdout == first.stdout
    after = json.loads((folder / "results" / "study.json").read_text(encoding="utf-8"))
    assert before == after
    assert models == {name: (folder / "models" / f"{name}.pt").stat().st_mtime_ns for name in RUNS}


@pytest.mark.usefixtures("without_figures")
@pytest.mark.usefixtures("undrawn")
def test_interrupted_and_run_again(whole, place, monkeypatch):
    """A study that was interrupted ends with the models of one that was not."""
    show = module._Board.show

    def interrupted(board, event):
        show(board, event)
        if event.job == RUNS[2] and event.text.startswith("validation loss"):
            raise KeyboardInterrupt

    monkeypatch.setattr(module._Board, "show", interrupted)
    done = study("--output", "cut", *OPTIONS, cwd=place, check=130)
    said = "Interrupted; run the same command again to resume: finished models and epochs are kept."
    assert said in " ".join(done.stderr.split())
    assert done.stderr.count("again") == 1
    models = place / "cut" / "models"
    kept = {file: file.read_bytes() for file in models.glob("C?-seed?.pt")}
    assert len(kept) == 2
    monkeypatch.setattr(module._Board, "show", show)
    again = study("--output", "cut", *OPTIONS, cwd=place, check=0)
    assert "2 to train, 0 to measure, 2 finished" in again.stderr
    assert all(file.read_bytes() == content for file, content in kept.items())
    check_same_study(whole[0], place / "cut")


def check_same_study(one, other):
    models = other / "models"
    assert not list(models.glob("*.progress.pt"))
    assert not list(models.glob(".*"))
    for name in RUNS:
        states = [
            load_model(folder / "models" / f"{name}.pt").network.state_dict()
            for folder in (one, other)
        ]
        assert all((states[0][key] == states[1][key]).all() for key in states[0])
    columns = ["group", "seed", "epochs", "accuracy", "ece", "attention_consistency", "nss:mean"]
    rows = [
        [[row[column] for column in columns] for row in read_csv(folder / "results" / "runs.csv")]
        for folder in (one, other)
    ]
    assert rows[0] == rows[1]


WAITING_WITH_THE_SECOND_SEED = """
import time
from attnxai.training import loop

saved = loop.save_progress

def save_and_wait(state, path, identity):
    saved(state, path, identity)
    if "seed1" in path.name:
        time.sleep(600)

loop.save_progress = save_and_wait  # also in the workers, which run this file as well
if __name__ == "__main__":
    from attnxai.cli.main import app
    app()
"""


@pytest.mark.slow
def test_killed_and_run_again(whole, place, start):
    """A study of several processes that was killed goes on with what it had."""
    options = ["--output", "killed", *OPTIONS, "--workers", "2"]
    models = place / "killed" / "models"
    (place / "waiting.py").write_text(WAITING_WITH_THE_SECOND_SEED)
    process = start("waiting.py", "study", *options, cwd=place)
    process.wait_for(
        lambda: (
            len(list(models.glob("*.progress.pt"))) == len(list(models.glob("C?-seed0.pt"))) == 2
        ),
        "two models and the records of two other trainings",
    )
    process.end(signal.SIGKILL)
    kept = {file: file.read_bytes() for file in models.glob("C?-seed?.pt")}
    assert {file.stem for file in kept} == set(RUNS[:2])
    assert not list((place / "killed" / "results").glob("*.html"))
    study(*options, cwd=place, check=0)
    assert all(file.read_bytes() == content for file, content in kept.items())
    check_same_study(whole[0], place / "killed")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_training(place, start, number, code):
    folder = place / f"stopped{code}"
    options = ["--output", folder.name, *OPTIONS, "--epochs", "500", "--workers", "2"]
    process = start("-m", "attnxai", "study", *options, cwd=place)
    process.wait_for(lambda: list(folder.glob("models/*.progress.pt")), "a record")
    assert process.end(number) == code
    assert " ".join(process.stderr.split()).endswith(
        "Interrupted; run the same command again to resume: finished models and epochs are kept."
    )
    assert not list(folder.glob("**/.*"))


def test_a_refused_study_leaves_no_folder(place):
    for options in (["--baseline", "D2"], ["--group", "X9"], ["--annotations", "nowhere.csv"]):
        refused(study("--output", "new/study", *OPTIONS, *options, cwd=place))
        assert not (place / "new").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--epochs", "3"],
            "was made with epochs 2, the study asks for 3; give another output",
        ),
        (["--baseline", "D2"], "compared with D2, which is not among C1, C2"),
        (["--annotations", "nowhere.csv"], "nowhere.csv"),
        (["--output", "data"], "holds other files than a study"),
    ],
)
def test_refused(whole, place, options, text):
    refused(study("--output", "whole", *OPTIONS, *options, cwd=place), text)
    assert (whole[0] / "results" / "index.html").exists()
