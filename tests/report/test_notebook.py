"""What notebooks show: well-formed, escaped, small, and of the right content."""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import re
import types
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from attnxai.agreement.model_comparison.comparison import Comparison
from attnxai.data.grid import RowZero
from attnxai.data.images import SourceSet, from_array
from attnxai.presenters import PRESENTERS
from attnxai.report.notebook import audit_html
from tests.builders import made_up, simulated
from tests.study.builders import made_result

EVIL = '<script>alert("1")</script>'
MOST_BYTES = 60_000


class Shown(HTMLParser):
    """Text and pictures of HTML whose tags have to be closed in their order."""

    def __init__(self, shown):
        super().__init__()
        self.text = shown if isinstance(shown, str) else shown._repr_html_()
        assert len(self.text) < MOST_BYTES
        self.open, self.parts, self.pictures, self.names = [], [], [], []
        self.feed(self.text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        assert tag != "script"
        if tag == "img":
            content = values["src"].removeprefix("data:image/png;base64,")
            self.pictures.append(
                np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))
            )
            self.names.append(values["alt"])
        elif tag != "br":
            self.open.append(tag)
        assert "color" not in re.sub(r'class="\w+"', "", values.get("style", ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.parts.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.parts).split())


def test_an_image_is_shown_with_its_scale():
    (image,) = simulated(1, side=160)
    shown = Shown(image)
    assert shown.names == ["s0"]
    assert "160 × 160 pixels of 1.8″, beam 5.4″ × 5.4″, north up, east left" in shown.words
    (picture,) = shown.pictures
    assert picture.shape == (160, 160, 3)
    assert picture.min() < 60
    assert picture.max() > 220


def test_pictures_lie_as_the_sky_does():
    pixels = np.zeros((40, 60))
    pixels[2, 5] = 1.0  # near the top left of a PNG image
    bottom = from_array(pixels, source="a", pixel_scale_arcsec=1.8)
    grid = dataclasses.replace(bottom.grid, row_zero=RowZero.TOP)
    shown = Shown(dataclasses.replace(bottom, grid=grid))
    row, column = np.unravel_index(shown.pictures[0].sum(axis=2).argmax(), (40, 60))
    assert (row, column) == (2, 5)
    assert "60 × 40 pixels of 1.8″, orientation not known" in shown.words
    row, column = np.unravel_index(Shown(bottom).pictures[0].sum(axis=2).argmax(), (40, 60))
    assert (row, column) == (37, 5)


def test_large_images_become_small_pictures():
    pixels = np.random.default_rng(0).normal(size=(1001, 500))
    (picture,) = Shown(from_array(pixels, source="a", pixel_scale_arcsec=1.0)).pictures
    assert max(picture.shape) <= 160


def test_a_set_shows_its_first_images():
    shown = Shown(SourceSet(simulated(14, side=80), origin=EVIL))
    assert shown.words.startswith(f"14 images from {EVIL}, of which the first 8 are shown")
    assert shown.names == [f"s{i}" for i in range(8)]


def test_maps_are_shown_beside_what_the_network_saw():
    maps, marks, _ = made_up(n_sources=5)
    maps = dataclasses.replace(maps, model_name=EVIL)
    shown = Shown(maps)
    assert shown.words.startswith(f"Maps of {EVIL}: 2 layers for 5 sources, of which the first 3")
    names = [[f"source_{i:02d}", "Gate 1", "Gate 2"] for i in range(3)]
    assert shown.names == list(itertools.chain(*names))
    low, high = maps.layers["gate2"].min(), maps.layers["gate2"].max()
    assert f"{low:.3g} to {high:.3g}" in shown.words
    brightest = np.unravel_index(shown.pictures[2].astype(int).sum(axis=2).argmax(), (32, 32))
    assert brightest == np.unravel_index(maps.layers["gate2"][0].argmax(), (32, 32))
    assert marks


def test_annotations_are_counted():
    _, marks, _ = made_up(n_sources=5, annotators=("ann", EVIL))
    marks = dataclasses.replace(marks, left_out={"no image": 1200})
    shown = Shown(marks)
    assert shown.words.startswith("10 marks on 5 sources: shapes drawn by annotators; 1,200 rows")
    assert f"{EVIL} 5 5 5 lobe" in shown.words
    assert "ann 5 5 5 lobe" in shown.words


def test_audits_show_their_answers():
    result = types.SimpleNamespace(passes=False, summary=lambda: f"No {EVIL}.\nAnd more.")
    audit = types.SimpleNamespace(
        titled=lambda: [("x", "Is it so?", result)],
        model={"name": EVIL}, n_images=3, group="held-out",
    )  # fmt: skip
    words = Shown(audit_html(audit)).words
    assert words == f"{EVIL}, 3 images (held-out) Audit Result Answer Is it so? fails No {EVIL}."


def test_results_of_several_models_have_a_table_each(two):
    compared = Comparison(results=two.results, contrasts=two.contrasts)
    shown = Shown(compared)
    assert shown.text.count("<table") == 3
    assert all(result.model_name in shown.words for result in compared.results)
    assert Shown(two.results[0]).text.startswith("<table")


def test_a_study_shows_its_tables():
    shown = Shown(made_result())
    assert shown.text.count("<table") >= 2


@pytest.mark.parametrize("name", [name for name, of in PRESENTERS.items() if "html" in of])
def test_every_kind_is_tested_here(name):
    assert name in {
        "AnnotationSet", "Comparison", "MapStack", "ModelAudit", "SourceImage", "SourceSet", "StudyResult",
    }  # fmt: skip
