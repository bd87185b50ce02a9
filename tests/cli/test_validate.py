"""``attnxai validate``: what it writes, going on after an interruption, and what can be wrong."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from attnxai.cli import console
from attnxai.cli import validate as module
from attnxai.validation.plan import Part
from attnxai.validation.rejections import NullKind
from tests.cli.program import attnxai

SMALL = ("--quick", "--n-experiments", 10, "--null", "within-class,pooled")


def run(*arguments, code=0):
    return attnxai("validate", *arguments, check=code, width=300).words


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validate") / "out"
    return folder, run("--output", folder, *SMALL)


def test_names_are_those_of_the_package() -> None:
    assert tuple(Part) == module.PARTS
    assert tuple(null.option for null in NullKind) == module.NULLS, (
        "NULLS in attnxai/cli/validate.py lists the members of NullKind, in their order"
    )


def test_tables_figures_and_page_are_written(made) -> None:
    folder, output = made
    results = folder / "results"
    assert sorted(path.relative_to(results).as_posix() for path in results.rglob("*.*")) == [
        "coverage.csv",
        "false-positives.csv",
        *(
            f"figures/{name}.{end}"
            for name in ("coverage", "false-positives", "power")
            for end in ("pdf", "png")
        ),
        "index.html",
        "manifest.json",
        "power.csv",
        "validation.json",
        "validation.md",
    ]
    content = json.loads((results / "validation.json").read_text(encoding="utf-8"))
    assert content["format"] == "attnxai-validation"
    assert content["command"] == (
        "attnxai validate --output FOLDER --n-experiments 10 --seed 0 --quick --null pooled --null "
        "within-class"
    )
    for part in Part:
        frame = pd.read_csv(results / f"{part}.csv", keep_default_na=False)
        # pandas before version 3 reads the last digit in another way
        pd.testing.assert_frame_equal(frame, pd.DataFrame(content[part]), rtol=1e-12, atol=0.0)
    assert set(pd.read_csv(results / "false-positives.csv")["null"]) == {
        "permutation, pooled",
        "permutation within class",
    }
    shown = " ".join(output.split())
    for sentence in content["sentences"]:
        assert sentence in shown
    assert "index.html" in shown


def test_two_workers_write_the_same_bytes(made, tmp_path) -> None:
    folder, _ = made
    run("--output", tmp_path / "two", *SMALL, "--workers", 2)
    for path in sorted((folder / "results").rglob("*.*")):
        twin = tmp_path / "two" / path.relative_to(folder)
        assert path.read_bytes() == twin.read_bytes(), path.name


def test_an_interruption_is_gone_on_with(tmp_path, monkeypatch) -> None:
    resumed = console.Steps.resumed

    def interrupted(steps, *named):
        show = resumed(steps, *named)

        def interrupting(done, total):
            show(done, total)
            if done == 5:
                raise KeyboardInterrupt

        return interrupting

    whole, again = tmp_path / "whole", tmp_path / "again"
    part = (*SMALL, "--part", "power")
    run("--output", whole, *part)
    monkeypatch.setattr(console.Steps, "resumed", interrupted)
    shown = run("--output", again, *part, code=130)
    assert "run the same command again to resume: finished experiments are kept" in shown
    assert not (again / "results").exists()
    monkeypatch.setattr(console.Steps, "resumed", resumed)
    assert "Experiments: 5 of 6 blocks are finished already" in run("--output", again, *part)
    kept = (again / "blocks.jsonl").read_text(encoding="utf-8")
    assert sorted(kept) == sorted((whole / "blocks.jsonl").read_text(encoding="utf-8"))
    for path in sorted((whole / "results").rglob("*.*")):
        assert path.read_bytes() == (again / path.relative_to(whole)).read_bytes(), path.name
    # and once more, with nothing left to do
    assert "6 of 6 blocks" in run("--output", again, *part)
    assert (again / "blocks.jsonl").read_text(encoding="utf-8") == kept


def test_parts_can_be_chosen(tmp_path) -> None:
    run(
        *("--output", tmp_path / "out", "--quick", "--n-experiments", 10),
        *("--part", "power", "--null", "within-class, shift"),
    )
    results = tmp_path / "out" / "results"
    assert not (results / "false-positives.csv").exists()
    assert set(pd.read_csv(results / "power.csv")["null"]) == {"permutation within class"}
    page = (results / "index.html").read_text(encoding="utf-8")
    assert "power.csv" in page
    assert "false-positives.csv" not in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--part", "levels,power"),
            "--part: unknown part 'levels'; known parts are false-positives",
        ),
        (
            ("--null", "pooled,bootstrap"),
            "--null: unknown null 'bootstrap'; known nulls are pooled, within-class",
        ),
        (("--part", "power", "--null", "shift"), "nothing to validate"),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path, arguments, words) -> None:
    assert words in run("--output", tmp_path / "out", *arguments, code=2)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_seed_is_refused(made) -> None:
    folder, _ = made
    assert "were made with seed 0, not 5" in run("--output", folder, *SMALL, "--seed", 5, code=2)
