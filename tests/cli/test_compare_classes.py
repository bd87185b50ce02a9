"""Classes of images from a table of labels, for annotations that cannot state them, such as regions of DS9."""

from __future__ import annotations

import json

import pytest

import attnxai as package
from tests.cli.program import attnxai, refused
from tests.cli.samples import QUICK, read_table

COMPARE = ("compare", "--model", "d8.pt", "--annotations", "marks", "--images", "images")
METRIC = ("--metric", "nss", "--output", "out", *QUICK)


@pytest.fixture
def regions(sample):
    """The sample as regions of DS9, which hold no class, and the classes by source."""
    attnxai(
        "annotations",
        "convert",
        "mine.csv",
        "--to",
        "DS9",
        "--output",
        "marks",
        cwd=sample,
        check=0,
    )
    classes = {row["source"]: row["class"] for row in read_table(sample / "mine.csv")}
    return sample, classes


def write_labels(path, classes):
    path.write_text("\n".join(["source,class", *(f"{s},{c}" for s, c in classes.items())]) + "\n")


@pytest.mark.parametrize("named", [False, True])
def test_regions_with_labels_have_classes_strata_and_an_audit(regions, without_figures, named):
    folder, classes = regions
    # a survey's table names more sources than are marked
    table = folder / ("classes.csv" if named else "images/labels.csv")
    write_labels(table, {**classes, "another": "FR II"})
    options = ["--labels", "classes.csv"] if named else []
    done = attnxai(*COMPARE, *METRIC, *options, cwd=folder, check=0)
    assert "is not known" not in done.stdout + done.stderr
    summary = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    by_class = {name: list(classes.values()).count(name) for name in ("FR I", "FR II")}
    assert summary["models"][0]["sources"]["by_class"] == by_class
    assert summary["models"][0]["audits"]["evidence_location"]["classes"] == by_class
    assert "across sources of the same class" in (folder / "out" / "methods.txt").read_text("utf-8")


def test_labels_that_contradict_or_do_not_belong_are_refused(regions, without_figures):
    folder, classes = regions
    source, stated = next(iter(classes.items()))
    other = {"FR I": "FR II", "FR II": "FR I"}[stated]
    write_labels(folder / "wrong.csv", {**classes, source: other})
    done = attnxai(
        "compare",
        "--model",
        "d8.pt",
        "--annotations",
        "mine.csv",
        "--labels",
        "wrong.csv",
        *METRIC,
        cwd=folder,
    )
    refused(
        done,
        f"{source!r} is {stated!r} in the annotations but {other!r} in the data set or the labels",
    )
    write_labels(folder / "others.csv", {"g1": "FR I", "g2": "FR II"})
    done = attnxai(*COMPARE, *METRIC, "--labels", "others.csv", cwd=folder)
    refused(done, "label table others.csv names none of 10 images", "'g1', 'g2'")


def test_the_same_in_python(regions, monkeypatch):
    folder, classes = regions
    monkeypatch.chdir(folder)
    write_labels(folder / "classes.csv", classes)
    images = package.read_images("images", labels="classes.csv")
    marks = package.read_annotations("marks", images=images)
    maps = package.attention_maps(package.load_model("d8.pt"), images)
    pairs = package.align(maps, marks, images)
    assert dict(zip(pairs.sources, pairs.classes, strict=True)) == classes
