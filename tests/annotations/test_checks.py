from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path

import numpy as np
import pytest

from attnxai.annotations import Annotation, AnnotationSet, Shape, ShapeKind
from attnxai.annotations.checks import Placement, check_annotations
from attnxai.annotations.orientation import Orientation
from attnxai.data import from_array
from attnxai.data.images import SourceSet
from attnxai.errors import AnnotationError

ROOT = Path(__file__).parents[2]
BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "annotator_checks.py"))
FAULTS, misplaced = BENCHMARK["FAULTS"], BENCHMARK["misplaced"]
FIRST, SECOND, THIRD = "simulated_1", "simulated_2", "simulated_3"


@pytest.fixture(scope="module")
def sample():
    """Sixteen sources and three annotators like those of the shipped sample."""
    return BENCHMARK["simulate"](16, np.random.default_rng(3))


def faulty(sample, fault, annotators=(SECOND,), step=1):
    annotations, images = sample
    for name in annotators:
        annotations = misplaced(annotations, images, name, *FAULTS[fault], images.sources[::step])
    return annotations, images


def only(sample, *names):
    annotations, images = sample
    kept = tuple(a for a in annotations.annotations if a.annotator in names)
    return dataclasses.replace(annotations, annotations=kept), images


def without_emission(sample):
    """The same marks on images that show nothing."""
    annotations, images = sample
    rng = np.random.default_rng(0)
    blank = [from_array(rng.normal(size=(160, 160)), source=image.source) for image in images]
    blank = [
        dataclasses.replace(made, grid=image.grid)
        for made, image in zip(blank, images, strict=True)
    ]
    return annotations, SourceSet(blank)


def placements(checks):
    return {check.annotator: check.placement for check in checks.annotators}


def check_of(checks, name):
    return next(check for check in checks.annotators if check.annotator == name)


def test_clean_annotators(sample):
    checks = check_annotations(*sample)
    assert set(placements(checks).values()) == {Placement.CLEAN}
    assert checks.misplaced == ()
    assert checks.cautions() == []
    assert len(checks.sentences()) == 3
    for check in checks.annotators:
        assert check.smallest_shift_pixels < 2
        assert 5 < check.n_sources_for_one_pixel < 60
        assert (
            f"The marks of {check.annotator} are neither flipped, swapped or turned"
            in (check.sentence())
            or "It cannot be told whether they are turned by 180 degrees" in check.sentence()
        )
    assert [pair.n_sources for pair in checks.pairs] == [16, 16, 16]
    assert 0.8 < checks.pairs[0].similarity < checks.pairs[-1].similarity < 1


@pytest.mark.parametrize("lone", [False, True])
@pytest.mark.parametrize("annotator", [FIRST, SECOND])
@pytest.mark.parametrize(
    "fault",
    [
        "flip in x",
        "flip in y",
        "x and y swapped",
        "shift of 5 pixels",
        "counted from 1",
        "rows counted from the top and from 1",
    ],
)
def test_a_misplaced_annotator_is_found_and_named(sample, fault, annotator, lone):
    data = faulty(sample, fault, (annotator,))
    checks = check_annotations(*(only(data, annotator) if lone else data))
    found = check_of(checks, annotator)
    assert BENCHMARK["recognised"](found, fault)
    others = [p for name, p in placements(checks).items() if name != annotator]
    assert others == ([] if lone else [Placement.CLEAN] * 2)
    assert len(checks.cautions()) == 1
    words = found.sentence()
    assert words.startswith(f"The marks of {annotator} are ")
    assert ("where pixels are counted from 1" in words) == (fault == "counted from 1")
    if fault == "flip in y":
        assert "flipped in y: " in words
        assert found.evidence.turned == (Orientation.FLIP_Y,)
    if fault == "rows counted from the top and from 1":
        assert "Turned back, they are shifted by " in words


def test_the_shift_is_measured(sample):
    checks = check_annotations(*faulty(sample, "shift of 5 pixels"))
    shift = check_of(checks, SECOND).evidence.shift
    assert (shift.x, shift.y) == (pytest.approx(5, abs=0.5), pytest.approx(0, abs=0.5))
    record = check_of(checks, SECOND).to_record()
    assert record["shift_x_pixels"] == shift.x
    assert record["placement"] == "misplaced"
    assert record["turned"] == []


def test_all_annotators_flipped_by_one_export_are_found_by_brightness(sample):
    checks = check_annotations(*faulty(sample, "flip in y", (FIRST, SECOND, THIRD)))
    assert set(placements(checks).values()) == {Placement.FOUND}
    for check in checks.annotators:
        assert check.evidence.turned[0] is Orientation.FLIP_Y
        assert "the brightness of the images" in check.sentence()


def test_some_sources_of_an_annotator(sample):
    annotations, images = sample
    flipped = images.sources[:8]
    data = misplaced(annotations, images, THIRD, *FAULTS["flip in y"], flipped)
    checks = check_annotations(data, images)
    found = check_of(checks, THIRD)
    assert found.placement is Placement.FOUND
    test = found.evidence.test_of(Orientation.FLIP_Y)
    assert set(test.turned) <= set(flipped)
    assert len(test.turned) >= 4
    assert "flipped in y" in found.sentence()
    assert test.turned[0] in found.sentence()
    assert placements(checks)[FIRST] is placements(checks)[SECOND] is Placement.CLEAN


def test_of_two_annotators_brightness_says_whose_marks_are_at_fault(sample):
    data = faulty(only(sample, FIRST, SECOND), "counted from 1")
    assert placements(check_annotations(*data)) == {
        FIRST: Placement.CLEAN,
        SECOND: Placement.FOUND,
    }


def test_of_two_annotators_without_brightness_neither_is_blamed(sample):
    data = faulty(without_emission(only(sample, FIRST, SECOND)), "flip in y")
    checks = check_annotations(*data)
    assert set(placements(checks).values()) == {Placement.UNKNOWN}
    assert check_of(checks, FIRST).disputed_with == (SECOND,)
    assert check_of(checks, SECOND).disputed_with == (FIRST,)
    (caution,) = checks.cautions()
    # those of the second are in pixels, those of the first on the sky
    assert f"The marks of {SECOND} and of {FIRST} do not fit each other" in caution


def test_marks_on_the_sky_follow_no_way_of_counting_pixels(sample):
    data = faulty(without_emission(only(sample, FIRST, SECOND)), "counted from 1")
    checks = check_annotations(*data)
    of_sky, of_pixels = check_of(checks, FIRST).sentence(), check_of(checks, SECOND).sentence()
    assert "as where pixels are counted from 1" in of_pixels
    assert "do not fit each other" in of_sky
    assert "as where" not in of_sky
    assert checks.cautions() == [of_pixels]


def test_two_against_two_are_not_decided_by_chance(sample):
    annotations, images = without_emission(sample)
    fourth = tuple(
        dataclasses.replace(a, annotator="simulated_4")
        for a in annotations.annotations
        if a.annotator == THIRD
    )
    annotations = dataclasses.replace(annotations, annotations=annotations.annotations + fourth)
    data = faulty((annotations, images), "flip in y", (FIRST, SECOND))
    assert set(placements(check_annotations(*data)).values()) == {Placement.UNKNOWN}


def test_three_annotators_without_brightness(sample):
    data = faulty(without_emission(sample), "shift of 5 pixels", (FIRST,))
    checks = check_annotations(*data)
    assert placements(checks)[FIRST] is Placement.FOUND
    assert check_of(checks, FIRST).brightness is None
    assert placements(checks)[SECOND] is placements(checks)[THIRD] is Placement.CLEAN


@pytest.mark.parametrize(
    ("n", "words"),
    [(1, "1 source can be used, and 4 are needed"), (3, "3 sources can be used, and 4 are needed")],
)
def test_few_sources_cannot_tell(sample, n, words):
    annotations, images = sample
    checks = check_annotations(annotations.select(images.sources[:n]), images)
    assert set(placements(checks).values()) == {Placement.UNKNOWN}
    assert words in checks.sentences()[0]
    assert check_of(checks, FIRST).smallest_shift_pixels is None
    assert checks.to_frame()["smallest_shift_pixels"].isna().all()


def test_symmetric_sources_cannot_tell():
    y, x = np.indices((41, 41)) - 20.0
    images, marks = [], []
    for i in range(12):
        images.append(from_array(np.exp(-(x**2 + y**2) / 20), source=f"s{i}", prepared=True))
        shape = Shape(kind=ShapeKind.CIRCLE, x=20.0, y=20.0, radius=4.0)
        marks += [Annotation(source=f"s{i}", annotator=name, shape=shape) for name in ("a", "b")]
    checks = check_annotations(AnnotationSet(annotations=tuple(marks)), images)
    assert set(placements(checks).values()) == {Placement.UNKNOWN}
    assert "too few or too symmetric" in checks.sentences()[0]


def test_nobody_to_compare_with(sample):
    annotations, images = without_emission(only(sample, FIRST))
    checks = check_annotations(annotations, images)
    assert placements(checks) == {FIRST: Placement.UNKNOWN}
    assert "no source has another annotator's marks or shows emission" in checks.sentences()[0]
    assert check_of(checks, FIRST).evidence is None


def test_sources_without_an_image_are_counted_and_none_is_an_error(sample):
    annotations, images = sample
    checks = check_annotations(annotations, images.select(images.sources[:10]))
    assert checks.n_without_image == 6
    assert checks.sentences()[-1] == "6 annotated sources without an image are not checked."
    others = [from_array(np.eye(3), source="another")]
    with pytest.raises(AnnotationError, match=r"none of the 16 annotated sources \(such as 's0'\)"):
        check_annotations(annotations, others)


def test_further_rounds_are_not_used(sample):
    annotations, images = sample
    again = misplaced(annotations, images, SECOND, *FAULTS["flip in y"], images.sources)
    second = tuple(dataclasses.replace(a, round=2) for a in again.annotations)
    both = dataclasses.replace(annotations, annotations=(*annotations.annotations, *second))
    expected = check_annotations(annotations, images).to_record()
    assert check_annotations(both, images).to_record() == expected


def test_many_sources_are_sampled(sample, monkeypatch):
    monkeypatch.setattr("attnxai.annotations.marked_sources.MOST_SOURCES", 6)
    annotations, images = sample
    checks = check_annotations(annotations, images, rng=1)
    assert {check.evidence.n_sources for check in checks.annotators} == {6}
    assert check_annotations(annotations, images, rng=1).to_record() == checks.to_record()
    assert check_annotations(annotations, images, rng=2).to_record() != checks.to_record()


def test_frame_and_record(sample):
    checks = check_annotations(*faulty(sample, "flip in y"))
    frame = checks.to_frame()
    assert list(frame["annotator"]) == [FIRST, SECOND, THIRD]
    assert list(frame["turned"]) == ["", "flipped in y", ""]
    record = checks.to_record()
    assert [entry["placement"] for entry in record["annotators"]] == ["clean", "misplaced", "clean"]
    found = record["annotators"][1]
    assert found["similarity"] < found["similarity_turned_back"]
    assert found["n_turned"] > 5
    assert repr(checks).startswith("AnnotationChecks(")
    assert len(repr(checks)) < 300


def test_hostile_names_stay_text(sample):
    annotations, images = sample
    name = "<script>alert(1)</script>\x1b[31m{0} %s"
    renamed = tuple(
        dataclasses.replace(a, annotator=name) if a.annotator == SECOND else a
        for a in annotations.annotations
    )
    data = dataclasses.replace(annotations, annotations=renamed)
    flipped = misplaced(data, images, name, *FAULTS["flip in y"], images.sources)
    (caution,) = check_annotations(flipped, images).cautions()
    assert name in caution


@pytest.mark.slow
def test_false_alarms_and_power() -> None:
    """At most 1 % of clean annotators; a flip and 5 pixels from 10 sources, one pixel from the number that is stated."""
    n_found = 0
    named: dict[str, int] = {}
    n_of_pixel = []
    for rng in np.random.default_rng(7).spawn(60):
        annotations, images = BENCHMARK["simulate"](10, rng)
        checks = check_annotations(annotations, images)
        n_found += len(checks.misplaced)
        n_of_pixel.append(check_of(checks, SECOND).n_sources_for_one_pixel)
        for fault in ("flip in x", "flip in y", "shift of 5 pixels"):
            data = misplaced(annotations, images, SECOND, *FAULTS[fault], images.sources)
            found = check_of(check_annotations(data, images), SECOND)
            named[fault] = named.get(fault, 0) + BENCHMARK["recognised"](found, fault)
    assert n_found <= 4  # of 180, where 1 % are 1.8: more have a probability of 4 %
    assert min(named.values()) >= 57
    # each annotator has its own number: this one is the least exact
    n_sources = round(float(np.median(n_of_pixel)))
    n_found = 0
    for rng in np.random.default_rng(8).spawn(40):
        annotations, images = BENCHMARK["simulate"](n_sources, rng)
        data = misplaced(annotations, images, SECOND, *FAULTS["shift of 1 pixel"], images.sources)
        n_found += check_of(check_annotations(data, images), SECOND).placement is Placement.FOUND
    assert n_found >= 34  # of 40, where 95 % are 38: fewer have a probability of 0.3 %
