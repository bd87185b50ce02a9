"""The parts of the documentation that the package writes, and rates of a validation that are merged into it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from attnxai.data.csv_table import write_frame
from attnxai.report.documentation import main, read_rates
from attnxai.validation.plan import Part, ValidationPlan
from attnxai.validation.rejections import NullKind

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def docs(tmp_path, monkeypatch):
    """A copy of the documentation, without pictures."""
    copied = shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("*.png"))
    (copied / "images" / "validation").mkdir(parents=True, exist_ok=True)
    for name in ("false_positives", "coverage", "power"):
        monkeypatch.setattr(f"attnxai.report.documentation.draw_{name}", draw_nothing)
    return copied


def draw_nothing(_, folder):
    """A figure at once; those of a validation have tests of their own."""
    Image.new("RGB", (20, 10)).save(folder / "false-positives.png")


def write_run(folder, rates, **options):
    """The files of a validation of one null that are merged."""
    plan = dataclasses.replace(ValidationPlan(), **options)
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    record = {name: getattr(plan, name) for name in ("seed", "n_experiments", "quick")}
    (results / "validation.json").write_text(json.dumps(record), encoding="utf-8")
    write_frame(rates.to_frame(Part.FALSE_POSITIVES), results / f"{Part.FALSE_POSITIVES}.csv")


def contents(docs):
    return {path: path.read_bytes() for path in docs.rglob("*") if path.suffix in {".md", ".csv"}}


def run_main(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["documentation", *map(str, arguments)])
    main()


def test_rates_of_a_null_take_the_place_of_its_earlier_ones(docs, tmp_path, monkeypatch):
    before, rates = contents(docs), read_rates(docs / "validation")
    own = [rate for rate in rates.false_positives if rate.null is NullKind.PHASE]
    changed = [dataclasses.replace(rate, rejections=399) for rate in own]
    write_run(tmp_path / "run", dataclasses.replace(rates, false_positives=tuple(changed)))
    run_main(monkeypatch, docs, tmp_path / "run")
    after = contents(docs)
    differing = {path.name for path in after if after[path] != before[path]}
    assert differing == {"validation.md", "false-positives.csv"}
    found = read_rates(docs / "validation")
    assert [r for r in found.false_positives if r.null is NullKind.PHASE] == changed
    # two metrics, three levels and four numbers of sources, where the assumptions of the null are met
    n = sum(rate.assumptions_met for rate in rates.false_positives)
    assert f"{n - 24} of {n}" in (docs / "explanation" / "validation.md").read_text(
        encoding="utf-8"
    )
    (figure,) = (docs / "images" / "validation").iterdir()
    assert figure.name == "false-positives.png"
    with Image.open(figure) as shown:
        assert shown.size == (1400, 700)


def test_a_null_without_documented_rates_gets_its_place(docs, tmp_path, monkeypatch):
    before, rates = contents(docs), read_rates(docs / "validation")
    own, others = (
        tuple(r for r in rates.false_positives if (r.null is NullKind.PHASE) is wanted)
        for wanted in (True, False)
    )
    path = docs / "validation" / "false-positives.csv"
    write_frame(dataclasses.replace(rates, false_positives=others).to_frame(), path)
    write_run(tmp_path / "run", dataclasses.replace(rates, false_positives=own))
    run_main(monkeypatch, docs, tmp_path / "run")
    assert contents(docs) == before


def test_what_cannot_be_merged_is_refused(docs, tmp_path, monkeypatch):
    rates = read_rates(docs / "validation")
    with pytest.raises(SystemExit, match=r"run has no results of attnxai validate: .*No such file"):
        run_main(monkeypatch, docs, tmp_path / "run")
    for options in ({"n_experiments": 100}, {"seed": 1}, {"quick": True}):
        write_run(tmp_path / "run", rates, **options)
        with pytest.raises(SystemExit, match="with --n-experiments 1000 --seed 0 and without --qu"):
            run_main(monkeypatch, docs, tmp_path / "run")
    with pytest.raises(SystemExit, match="usage"):
        run_main(monkeypatch)
