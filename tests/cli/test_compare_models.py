"""``attnxai compare`` with several models."""

from __future__ import annotations

import inspect
import json
import re
import shutil

import pytest

from attnxai.models.zoo import shipped_models
from tests.cli.program import attnxai, refused
from tests.cli.samples import QUICK, made_sample, read_table, write_table


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    """Two models whose files have one name, with everything that can be asked for beside the default."""
    folder = made_sample(tmp_path_factory.mktemp("two"))
    for place, name in (("first", "d8"), ("second", "c1")):
        (folder / place).mkdir()
        shutil.copy(shipped_models()[name], folder / place / "net.pt")
    rows = read_table(folder / "mine.csv")
    for row in rows:
        row["survey"] = "north" if row["source"].endswith(("1", "2", "3")) else "south"
    write_table(folder / "mine.csv", rows)
    done = attnxai(
        "compare", "--model", "first/net.pt", "--model", folder / "second" / "net.pt",
        "--annotations", "mine.csv", "--metric", "nss", "--metric", "AUC", "--null", "symmetries",
        "--strata", "class", "--strata", "survey", "--alternative", "Two-Sided", "--correction", "max-t",
        "--output", "out", "--figures", "png", *QUICK, cwd=folder, check=0,
    )  # fmt: skip
    return folder, done


def test_two_models_are_reported_and_compared(two_models):
    folder, done = two_models
    summary = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    names = ["first/net.pt", "second/net.pt"]
    assert [model["name"] for model in summary["models"]] == names
    assert [model["group"] for model in summary["models"]] == ["D8", "C1"]
    assert [model["sources"]["n"] for model in summary["models"]] == [10, 10]
    assert [c["metric"] for c in summary["contrasts"]] == ["nss", "auc"]
    for contrasts in summary["contrasts"]:
        assert contrasts["models"] == names
        assert len(contrasts["contrasts"]) == 4
    assert len(summary["verdict"]["contrasts"]) >= 2
    shown = " ".join(done.stdout.split())
    assert summary["verdict"]["headline"] in shown
    # one table for both, over the same sources
    assert shown.startswith("10 held-out sources model map NSS permuted p ")
    table = shown.partition("NSS: mean")[0]
    assert [table.count(f" {name} ") for name in names] == [4, 4]
    assert [shown.count(f"NSS of {name} under other nulls") for name in names] == [1, 1]
    for name in ("index.html", "per_source.csv", "agreement.tex"):
        assert (folder / "out" / name).is_file()
    figures = {path.stem for path in (folder / "out" / "figures").iterdir()}
    assert {"agreement", "contrasts", "classes-1", "classes-2", "nulls-1", "sources-2"} <= figures
    tables = (folder / "out" / "agreement.tex").read_text(encoding="utf-8")
    titles = [title for name in names for title in (name, f"{name}, the marks of each label")]
    found = re.findall(r"^% (?!needs)(.*)\n(?:%.*\n)*\\begin{tabular}", tables, re.MULTILINE)
    assert found == [*titles, "differences"]
    assert {row["model"] for row in read_table(folder / "out" / "per_source.csv")} == set(names)


def test_what_is_asked_for_is_done(two_models):
    folder, _ = two_models
    summary = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    settings = summary["settings"]
    assert settings["nulls"] == ["symmetries"]
    assert settings["strata"] == ["class", "survey"]
    assert settings["alternative"] == "two-sided"
    assert settings["correction"] == "max_t"
    rows = [r for m in summary["models"] for r in m["results"] if not r["is_baseline"]]
    main = [r for r in rows if r["class"] == "all"]
    # three and two of each class lie in the north and the south
    assert {r["p_smallest_within_strata"] for r in main} == {2 / (6 * 2 * 6 * 2)}
    assert {r["n_family"] for r in main} == {8}
    assert all(r["p_adjusted"] >= r["p_within_strata"] for r in main)
    assert {f["null"] for r in main for f in r["further"]} == {"symmetries"}
    page = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "P-values are adjusted by max-T over the 8 maps" in page
    assert "sources of the same class and survey" in page
    assert {row["stratum"] for row in read_table(folder / "out" / "per_source.csv")} == {
        f"{c} / {s}" for c in ("FR I", "FR II") for s in ("north", "south")
    }


def test_a_report_of_two_models_is_a_pilot_of_either(two_models):
    folder, _ = two_models
    plan = [
        "plan",
        "--pilot",
        "out",
        "--effect",
        "1",
        "--n-sources",
        "20,200",
        "--n-annotators",
        "3",
    ]
    first = " ".join(attnxai(*plan, cwd=folder, check=0).stdout.split())
    start = "Pilot: {}, mean, NSS, 10 held-out sources, 3 annotators "
    assert first.startswith(start.format("first/net.pt"))
    second = attnxai(*plan, "--model", "second/net.pt", cwd=folder, check=0).stdout
    second = " ".join(second.split())
    assert second.startswith(start.format("second/net.pt"))
    assert first.split("annotators", 1)[1] != second.split("annotators", 1)[1]
    refused(
        attnxai(*plan, "--model", "d8.pt", cwd=folder), "d8.pt", "first/net.pt", "second/net.pt"
    )


def test_models_that_know_different_sources_are_reported_but_not_compared(tmp_path, monkeypatch):
    """One was trained on what is held out for the other: each has its verdict, and a caution says the rest."""
    from attnxai.cli import compare as module
    from attnxai.errors import AssumptionWarning
    from attnxai.explanations import inputs

    folder = made_sample(tmp_path)
    monkeypatch.chdir(folder)
    splits_by_result = iter([(inputs.Split.TRAINING,) * 10, (inputs.Split.HELD_OUT,) * 10])
    monkeypatch.setattr(inputs, "splits_of", lambda *_: next(splits_by_result))
    written = {}
    monkeypatch.setattr(
        "attnxai.report.document.write_report",
        lambda content, _, **given: written.update(content=content, **given) or stop(),
    )
    with (
        pytest.warns(AssumptionWarning, match="not compared with each other: none of the 10"),
        pytest.raises(Stopped),
    ):
        inspect.unwrap(module.compare)(
            model=["d8.pt", "c1.pt"], annotations=["mine.csv"], metric=["nss"], n_permutations=99,
            n_bootstrap=100,
        )  # fmt: skip
    content = written["content"]
    assert [result.verdict_group for result in content.results] == ["training", "held-out"]
    assert content.contrasts == ()
    assert any("the models are not compared with each other" in note for note in written["notes"])


class Stopped(Exception):
    """The report that would be written is at hand."""


def stop():
    raise Stopped
