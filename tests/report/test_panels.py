"""Panels of many sources lie in files beside the page, and stay small."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import attnxai
from attnxai.alignment.pairs import align
from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.shapes import Label, Shape, ShapeKind
from attnxai.report import panels
from attnxai.report.document import write_content
from attnxai.report.source_panel import SourcePanel
from attnxai.report.source_svg import _thinned, source_svg
from attnxai.report.source_table import identifier_of, source_rows
from tests.builders import simulated
from tests.report.pages import probed
from tests.report.several import content_of

MOST_BYTES_OF_PAGE = 10_000_000
N_MAPS, N_ANNOTATORS = 8, 5


@pytest.fixture(scope="module")
def content(good):
    return content_of(good, contrasts=False)


def test_few_panels_are_inside_the_page(content):
    arranged = panels.arrange_panels(source_rows(content), name_models=False)
    assert arranged.files == {}
    assert all(row["panel"].startswith('<div class="pictures"><svg') for row in arranged.rows)


def test_many_panels_are_in_files(content, monkeypatch):
    rows = list(source_rows(content))
    inside = panels.arrange_panels(rows, name_models=True)
    size = sum(len(row["panel"]) for row in inside.rows)
    monkeypatch.setattr(panels, "_BYTES_OF_FILE", size / 4)
    beside = panels.arrange_panels(rows, name_models=True, most_bytes=size - 1)
    assert 3 <= len(beside.files) <= 6
    found = {}
    for name, text in beside.files.items():
        held = json.loads(text.removeprefix("attnxaiPanels(").removesuffix(");\n"))
        assert [row["id"] for row in beside.rows if row["file"] == name] == list(held)
        assert text.isascii(), "a file from disk has no encoding of its own"
        found |= held
    assert found == {row["id"]: row["panel"] for row in inside.rows}
    assert {row["panel"] for row in beside.rows} == {""}
    (heading,) = {row["panel"].split("</h3>")[0] for row in inside.rows}
    assert heading == "<h3>good.pt"


OPENING = """
  const bodies = Array.from(document.getElementById("sources-table").tBodies);
  const wait = () => new Promise(done => setTimeout(done, 300));
  bodies[1].querySelector("button").click();
  await wait();
  log.push(bodies[1].querySelectorAll("svg image").length > 0);
  bodies[1].querySelector(".next").click();
  await wait();
  log.push(bodies[2].querySelectorAll("svg image").length > 0);
  log.push(Array.from(bodies[2].querySelectorAll(".attention:not([hidden])"), g => g.dataset.map).length);
  log.push(bodies[2].querySelector("td[colspan]").textContent.includes("not beside this page"));
"""


@pytest.mark.browser
def test_panels_in_files_are_loaded_when_they_are_opened(content, chromium, tmp_path, monkeypatch):
    monkeypatch.setattr(panels.arrange_panels, "__kwdefaults__", {"most_bytes": 1000})
    monkeypatch.setattr(panels, "_BYTES_OF_FILE", 20_000)
    folder = tmp_path / "out"
    monkeypatch.setattr("attnxai.report.document._drawers", lambda *_: [])
    write_content(content, folder)
    assert len(list((folder / "panels").glob("*.js"))) > 1
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert "panels/1.js" in json.dumps(manifest)
    lost = probed(chromium, folder, tmp_path, width=1200, script=OPENING.replace(".next", ".open"))
    assert lost[2] is False
    shutil.copytree(folder / "panels", tmp_path / "panels")
    assert probed(chromium, folder, tmp_path, width=1200, script=OPENING)[2:] == [
        True, True, 2, False,
    ]  # fmt: skip


def noisy_sources(n):
    """Galaxies with noise, noisy maps of several widths, and the marks of five annotators."""
    rng = np.random.default_rng(3)
    images = simulated(n, seed=3)
    marks = [
        Annotation(source=image.source, annotator=f"ann{k}", shape=shape, label=Label.LOBE, line=2)
        for image in images
        for k in range(N_ANNOTATORS)
        for shape in (
            Shape(
                kind=ShapeKind.ELLIPSE,
                **dict(zip("xy", rng.uniform(60, 100, 2), strict=True)),
                width=rng.uniform(6, 30), height=rng.uniform(6, 30), angle=rng.uniform(0, 180),
            )
            for _ in range(6)
        )
    ]  # fmt: skip
    arrays = {
        f"map{k}": [
            gaussian_filter(image.pixels, 1.5 + k)
            + rng.normal(0, 0.02) * gaussian_filter(rng.normal(size=image.pixels.shape), 3)
            for image in images
        ]
        for k in range(N_MAPS)
    }
    marked = AnnotationSet(
        annotations=tuple(marks), path="m.csv", sha256="1" * 64, n_rows=len(marks)
    )
    return attnxai.maps_from_arrays(images, arrays, splits="held-out"), marked, images


def test_150_sources_with_eight_maps_and_five_annotators_stay_below_10_mb():
    maps, marks, images = noisy_sources(4)
    pairs = align(maps, marks, images)
    limits = {name: (values.min(), values.max()) for name, values in pairs.explanations.items()}
    sizes = []
    for source in pairs.sources:
        shown = {
            name: SourcePanel.of(source, name, pairs, maps, marks, images)
            for name in pairs.explanations
        }
        assert len(shown) == N_MAPS
        sizes.append(len(source_svg(shown, limits=limits, title=source)))
    figures_and_tables = 1_500_000
    assert 150 * np.mean(sizes) + figures_and_tables < MOST_BYTES_OF_PAGE, sizes


def test_thinned_lines_stay_on_their_course():
    turn = np.linspace(0, 2 * np.pi, 200)
    circle = 20 * np.column_stack([np.cos(turn), np.sin(turn)])
    straight = np.column_stack([np.arange(50.0), 3.0 * np.arange(50.0)])
    wild = np.random.default_rng(0).normal(size=(40, 2)).cumsum(axis=0)
    point = np.array([[1.0, 2.0]])
    thinned = _thinned([circle, straight, point, wild])
    for line, kept in zip((circle, straight, point, wild), thinned, strict=True):
        np.testing.assert_array_equal(kept[[0, -1]], line[[0, -1]])
        assert distance_to(line, kept).max() <= 0.25
    assert len(thinned[0]) < 60
    assert len(thinned[1]) < 10
    assert _thinned([]) == []


def distance_to(points, line):
    """Distance of each point to the nearest segment of a line."""
    if len(line) == 1:
        return np.hypot(*(points - line[0]).T)
    start, step = line[:-1], np.diff(line, axis=0)
    offset = points[:, None] - start
    share = np.clip((offset * step).sum(-1) / np.maximum((step**2).sum(-1), 1e-12), 0, 1)
    return np.linalg.norm(offset - share[..., None] * step, axis=-1).min(axis=1)


def test_addresses_of_sources_are_unique_and_plain():
    taken: set[str] = set()
    names = ["J10+41.5", "a b", "a/b", "a_b", "Ä"]
    expected = ["source-J10+41.5", "source-a_b", "source-a_b_1", "source-a_b_2", "source-Ä"]
    assert [identifier_of(name, taken) for name in names] == expected
