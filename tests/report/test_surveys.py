"""Images by survey: what networks see of them, and what lies far from their training."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest

from attnxai.agreement.comparison import ComparisonSettings, compare
from attnxai.data.grid import GridTransform, PixelGrid
from attnxai.data.images import SourceImage, SourceSet
from attnxai.report.content import ReportContent
from attnxai.report.surveys import images_by_survey
from attnxai.report.tables.text import render_html
from tests.builders import made_up

TRAINED = {"preprocessing": {"beam_arcsec": 5.0}}


def seen_by(*images, step=1.0, origin=0.0, provenance=TRAINED, shape=(20, 20), scale=2.0):
    """What a network with a field of so many pixels sees of images."""
    stack, _, _ = made_up(n_sources=len(images))
    n = len(images)
    stack = dataclasses.replace(
        stack,
        sources=tuple(image.source for image in images),
        layers={"map": np.random.default_rng(0).random((n, *shape))},
        geometry={"map": GridTransform()},
        field=(GridTransform(step=step, origin_x=origin, origin_y=origin),) * n,
        brightness=np.ones((n, *shape), np.float32),
        valid=np.ones((n, *shape), bool),
        field_scale_arcsec=scale,
        provenance=provenance,
        means={},
    )
    (found,) = images_by_survey([stack], SourceSet(images))
    return found


def image(source="s", *, survey="A", scale=2.0, beam=5.0, side=20, **options):
    pixels = np.random.default_rng(1).random((side, side))
    return SourceImage(
        source=source,
        pixels=pixels,
        grid=PixelGrid(shape=(side, side), pixel_scale_arcsec=scale),
        beam_arcsec=None if beam is None else (beam, beam, 0.0),
        survey=survey,
        **options,
    )


def test_shares_of_blank_and_padded_sky_by_hand():
    footprint = np.ones((20, 20), bool)
    footprint[:8] = False
    # the field lies four pixels to the lower left: 16 x 16 of its pixels are within the image, 4 rows of them blank
    found = seen_by(image(footprint=footprint, pad=True), origin=-4.0)
    (row,) = found.surveys
    (seen,) = row.images
    assert seen.padded == pytest.approx(1 - 16 * 16 / 400)
    assert seen.blank == pytest.approx(8 * 16 / 400)
    assert row.mostly_unseen() == [seen]
    (caution,) = found.cautions()
    assert caution.startswith(
        "More than 20 % of the network's field is blank or padded in 1 image (A), up"
    )
    assert "up to 68 %" in caution


@pytest.mark.parametrize(
    ("step", "far"), [(0.49, True), (0.51, False), (1.99, False), (2.01, True)]
)
def test_pixels_far_from_those_of_the_network(step, far):
    found = seen_by(image(scale=2.0 / step, side=60), step=step)
    assert bool(found.surveys[0].far_in_scale()) == far
    assert len(list(found.cautions())) == far
    assert ("far" in render_html(found.table())) == far


@pytest.mark.parametrize(
    ("beam", "match", "far"),
    [(7.4, False, 0), (7.6, False, 1), (7.6, True, 1), (3.4, False, 0), (3.2, False, 1), (3.2, True, 0)],
)  # fmt: skip
def test_beams_far_from_that_of_the_training_images(beam, match, far):
    found = seen_by(image(beam=beam, match_beam=match))
    assert len(found.surveys[0].far_in_beam()) == len(list(found.cautions())) == far
    smoothed = match and beam < 5.0
    assert found.surveys[0].to_record()["n_smoothed_to_beam"] == smoothed
    assert ("matched" in render_html(found.table())) == smoothed


def test_prepared_images_are_not_smoothed():
    found = seen_by(image(beam=3.2, match_beam=True, prepared=True))
    assert len(found.surveys[0].far_in_beam()) == 1


@pytest.mark.parametrize(
    "provenance",
    [{}, {"preprocessing": {"beam_arcsec": None}}, {"preprocessing": {"beam_arcsec": "x"}}, {"preprocessing": 3}],
)  # fmt: skip
def test_what_is_not_known_is_not_far(provenance):
    found = seen_by(image(beam=50.0), image("t", scale=None, beam=None), provenance=provenance)
    assert list(found.cautions()) == []
    text = render_html(found.table())
    assert "training images" not in text
    assert text.count("–") == 3  # scale, beam and resampling of the second
    record = found.to_record()
    assert record["beam_arcsec"] is None
    assert record["surveys"][1]["pixel_scale_arcsec"] is None


def test_images_are_grouped_by_survey_scale_and_beam():
    found = seen_by(
        image("a", survey="VLA", scale=15.0, beam=45.0),
        image("b", survey="VLA", scale=1.8, beam=5.4),
        image("c", survey="VLA", scale=1.8, beam=6.4),  # beams differ from field to field
        image("d", survey="", beam=None),
        image("e", survey="VLA", scale=1.8, beam=None),
        image("f", survey="VLA", scale=1.8, beam=5.9),
    )
    assert [(row.survey, [i.source for i in row.images]) for row in found.surveys] == [
        ("VLA", ["b", "c", "f"]),
        ("VLA", ["a"]),
        ("VLA", ["e"]),
        ("not stated", ["d"]),
    ]
    assert found.surveys[0].to_record()["beam_arcsec"] == {
        "lowest": pytest.approx(5.4), "median": pytest.approx(5.9), "highest": pytest.approx(6.4)
    }  # fmt: skip
    assert "5.4 to 6.4″" in render_html(found.table())


def test_many_surveys_do_not_make_a_long_table():
    found = seen_by(*(image(f"s{i}", survey=f"survey {i}") for i in range(40)))
    assert len(found.surveys) == 12
    assert found.surveys[-1].survey == "29 others"
    assert sum(len(row.images) for row in found.surveys) == 40


def test_of_one_ordinary_survey_there_is_one_row_and_nothing_to_say():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(
            *made_up(n_sources=9), settings=ComparisonSettings(n_permutations=99, n_bootstrap=100)
        )
    content = ReportContent.of(result)
    (seen,) = content.surveys
    assert seen.table().n_rows == 1
    assert not list(seen.cautions())
    assert "Far:" not in seen.table().note


def test_models_that_see_the_same_share_a_table():
    stack, _, images = made_up(n_sources=3)
    finer = dataclasses.replace(stack, model_name="finer", field_scale_arcsec=0.9)
    found = images_by_survey([stack, finer, dataclasses.replace(stack, model_name="b")], images)
    assert [seen.models for seen in found] == [("made-up", "b"), ("finer",)]
    assert "Pixels of the network of finer: 0.9″." in found[1].table(name_models=True).note


def test_names_of_surveys_are_text():
    found = seen_by(image(survey="<script>", scale=20.0))
    assert "&lt;script&gt;" in render_html(found.table())
