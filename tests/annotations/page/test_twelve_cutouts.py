"""Twelve cutouts and two colleagues: DS9 files or the annotation page, and a report by one command."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import attnxai
from attnxai.annotations.sample import sample_folder
from tests.cli.program import attnxai as run

pytestmark = pytest.mark.browser

SOURCES = [f"simulated_fr{c}_{i:02d}" for c in (1, 2) for i in range(1, 7)]
COLLEAGUES = ("Ann", "Bob")
COMPARE = (
    *("compare", "--model", "d8.pt", "--images", "cutouts", "--metric", "nss"),
    *("--n-permutations", "199", "--n-bootstrap", "200", "--annotations"),
)


@pytest.fixture
def cutouts(tmp_path):
    folder = tmp_path / "cutouts"
    folder.mkdir()
    for source in SOURCES:
        packed = (sample_folder() / "images" / f"{source}.fits.gz").read_bytes()
        (folder / f"{source}.fits").write_bytes(gzip.decompress(packed))
    return folder


def marks_of(colleague):
    """Of every source the core and two ends as (label, x, y), as one of the simulated annotators has them."""
    annotations = attnxai.read_annotations("expert.csv")
    drawn = {source: [] for source in SOURCES}
    rng = np.random.default_rng(COLLEAGUES.index(colleague))
    for mark in annotations.select(SOURCES).annotations:
        if mark.annotator == "simulated_3" and mark.shape.kind == "point":
            x, y = rng.normal((mark.shape.x, mark.shape.y), 1.0)
            drawn[mark.source].append((str(mark.label), x, y))
    return drawn


def ds9_file(path, cutouts, drawn):
    """Points on the sky, in the colors that a user of DS9 chose for labels."""
    colours = {"core": "cyan", "hotspot": "red"}
    lines = ["# Region file format: DS9 version 4.1", "global color=green width=1", "fk5"]
    for source, marks in drawn.items():
        wcs = WCS(fits.getheader(cutouts / f"{source}.fits")).celestial
        for label, x, y in marks:
            ra, dec = wcs.all_pix2world(x, y, 0)
            lines.append(f"point({ra:.8f},{dec:+.8f}) # point=x color={colours[label]}")
    path.write_text("\n".join([*lines, ""]))


def draw_in_page(annotator, images, drawn, name):
    """The same marks by mouse; gives the text of the downloaded table."""
    annotator.start(name)
    for source in SOURCES:
        at = annotator.frame(images[source])
        for label, x, y in drawn[source]:
            annotator.press("Escape", "p", {"core": "1", "hotspot": "4"}[label])
            annotator.page.mouse.click(*at(x, y))
        annotator.press("PageDown")
    return annotator.table()


def test_ds9_files_and_the_page_give_the_same_report(annotate, cutouts, tmp_path, monkeypatch):
    monkeypatch.setattr("attnxai.report.document._drawers", lambda *_: [])
    images = attnxai.read_images(cutouts)
    (tmp_path / "page").mkdir()
    for colleague in COLLEAGUES:
        drawn = marks_of(colleague)
        assert all(drawn.values())
        ds9_file(tmp_path / f"{colleague}.reg", cutouts, drawn)
        table = draw_in_page(annotate(images), images, drawn, colleague)
        (tmp_path / "page" / f"{colleague}.csv").write_text(table, encoding="utf-8")
    regions = [word for name in COLLEAGUES for word in (f"{name}.reg", "--annotations")][:-1]
    colours = ("--label-of", "cyan=core", "--label-of", "red=hotspot")
    run(*COMPARE, *regions, *colours, "-o", "from-ds9", cwd=tmp_path, check=0)
    run(*COMPARE, "page", "-o", "from-page", cwd=tmp_path, check=0)

    first, second = (
        json.loads((tmp_path / name / "summary.json").read_text(encoding="utf-8"))
        for name in ("from-ds9", "from-page")
    )
    for report in (first, second):
        assert report["annotations"]["annotators"] == list(COLLEAGUES)
        assert report["models"][0]["sources"]["n"] == 12
    first, second = ({**one, **one.pop("verdict")} for one in (first, second))
    assert list(second["annotations"]["files"]) == ["Ann.csv", "Bob.csv"]
    assert second["annotations"]["file"] == "2 files: Ann.csv, Bob.csv"
    assert first["headline"] == second["headline"]
    assert first["annotations"]["n_rows_used"] == second["annotations"]["n_rows_used"] == 48
    run(
        *("annotations", "convert", "page", "-o", "converted.reg", "--images", "cutouts"),
        cwd=tmp_path,
        check=0,
    )
    run(*COMPARE, "converted.reg", "-o", "converted", cwd=tmp_path, check=0)
    values = [
        pd.read_csv(tmp_path / name / "per_source.csv").set_index(["source", "annotator"])
        for name in ("from-ds9", "from-page", "converted")
    ]
    by_map = [values.filter(like=":nss") for values in values]
    # a mouse has whole pixels of the screen, several of which are one of the image
    pd.testing.assert_frame_equal(by_map[0], by_map[1], rtol=0.05, atol=0.2)
    # and to the last digit where the marks are the same
    pd.testing.assert_frame_equal(by_map[1], by_map[2], rtol=1e-6)
    assert len(by_map[0]) == 24
