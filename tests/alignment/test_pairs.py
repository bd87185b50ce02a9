"""Maps, marks and baselines brought together, and what does not fit together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attnxai.alignment.pairs import align
from attnxai.alignment.rasterise import leave_one_out_mean
from attnxai.annotations.annotation_set import parse_labels
from attnxai.annotations.shapes import Frame, Label, Shape, ShapeKind
from attnxai.data.grid import GridTransform, PixelGrid
from attnxai.errors import AlignmentError, AnnotationError, OptionError
from attnxai.explanations.stack import BRIGHTNESS, CENTRE_BIAS, MEAN_LAYER
from tests.builders import circle, made_up


def test_everything_lies_on_one_field():
    maps, marks, images = made_up()
    pairs = align(maps, marks, images)
    assert list(pairs.explanations) == ["gate1", "gate2", MEAN_LAYER]
    assert list(pairs.baselines) == [BRIGHTNESS, "brightness at 3.6″", CENTRE_BIAS]
    for array in (*pairs.explanations.values(), *pairs.baselines.values()):
        assert array.shape == (12, 32, 32)
    assert pairs.density.shape == pairs.mask.shape == (2, 12, 32, 32)
    assert pairs.present.all()
    np.testing.assert_array_equal(pairs.explanations["gate2"], maps.layers["gate2"])
    np.testing.assert_allclose(
        pairs.explanations[MEAN_LAYER],
        (pairs.explanations["gate1"] + pairs.explanations["gate2"]) / 2,
    )
    np.testing.assert_array_equal(pairs.baselines[BRIGHTNESS], maps.brightness)
    assert pairs.classes[:2] == ("FR I", "FR II")
    # marks lie where the maps are bright
    for index in range(12):
        peak = np.unravel_index(pairs.explanations["gate2"][index].argmax(), (32, 32))
        assert pairs.mask[0, index][peak]


def test_marks_follow_the_field_on_the_image():
    maps, marks, images = made_up(n_sources=3, annotators=("ann",))
    plain = align(maps, marks, images)
    shifted = dataclasses.replace(
        maps,
        field=(GridTransform(origin_x=2.0, origin_y=-1.0),) * 3,
        brightness=np.roll(maps.brightness, (1, -2), axis=(1, 2)),
    )
    moved = align(shifted, marks, images)
    # the field begins two columns further right and one row further down
    np.testing.assert_array_equal(moved.mask[0, :, 1:, :-2], plain.mask[0, :, :-1, 2:])


def test_centre_bias_is_the_mean_of_the_others():
    rng = np.random.default_rng(0)
    density = rng.random((2, 4, 3, 3))
    present = np.array([[True, True, False, True], [True, False, True, True]])
    density[~present] = 0
    bias = leave_one_out_mean(density, present)
    per_source = [
        np.mean([density[a, s] for a in range(2) if present[a, s]], axis=0) for s in range(4)
    ]
    for s in range(4):
        expected = np.mean([per_source[t] for t in range(4) if t != s], axis=0)
        np.testing.assert_allclose(bias[s], expected)
    assert (leave_one_out_mean(density[:, :1], present[:, :1]) == 0).all()


def test_centre_bias_keeps_faint_marks_of_others_under_strong_ones():
    """Taken from the sum of all, 1e-20 beside 1 would be lost."""
    density = np.zeros((1, 3, 1, 2))
    density[0, 0, 0] = 1.0
    density[0, 1, 0, 0] = 1e-20
    bias = leave_one_out_mean(density, np.ones((1, 3), bool))
    assert bias[0, 0].tolist() == [5e-21, 0.0]


def test_the_order_of_the_maps_does_not_matter():
    maps, marks, images = made_up(n_sources=5)
    order = [3, 0, 4, 1, 2]
    shuffled = dataclasses.replace(
        maps,
        sources=tuple(maps.sources[i] for i in order),
        layers={name: array[order] for name, array in maps.layers.items()},
        brightness=maps.brightness[order],
        valid=maps.valid[order],
        scores=maps.scores[order],
    )
    first, second = align(maps, marks, images), align(shuffled, marks, images)
    assert first.sources == second.sources
    for name, array in {**first.explanations, **first.baselines}.items():
        other = {**second.explanations, **second.baselines}[name]
        np.testing.assert_array_equal(array, other)


def test_who_marked_what():
    maps, marks, images = made_up(n_sources=4)
    kept = tuple(
        a for a in marks.annotations if not (a.source == "source_02" and a.annotator == "bob")
    )
    pairs = align(maps, dataclasses.replace(marks, annotations=kept), images)
    assert pairs.present.tolist() == [[True] * 4, [True, True, False, True]]
    assert not pairs.mask[1, 2].any()


def test_sources_without_marks_are_left_out_and_noted():
    maps, marks, images = made_up(n_sources=5)
    pairs = align(maps, marks.select(maps.sources[:3]), images)
    assert pairs.sources == maps.sources[:3]
    assert any("2 sources have a map but no annotation" in note for note in pairs.notes)


def test_labels_choose_marks():
    maps, marks, images = made_up(n_sources=3, annotators=("ann",))
    extra = circle("source_00", "cyd", 4.0, 4.0, label=Label.HOST, line=99)
    both = dataclasses.replace(marks, annotations=(*marks.annotations, extra))
    lobes = both.with_labels([Label.LOBE])
    np.testing.assert_array_equal(align(maps, lobes, images).mask, align(maps, marks, images).mask)
    # an annotator none of whose marks are used is not counted
    assert lobes.annotators == ("ann",)
    assert lobes.left_out == {"another label than those asked for": 1}
    assert "Only annotations labelled lobe are used: 3 of 4." in lobes.notices
    hosts = align(maps, both.with_labels([Label.HOST]), images)
    assert hosts.sources == ("source_00",)
    assert both.with_labels(None) is both
    with pytest.raises(AnnotationError, match=r"labels jet; the labels in use are host, lobe"):
        both.with_labels([Label.JET])
    assert parse_labels(["Core", "jet"]) == (Label.CORE, Label.JET)
    with pytest.raises(OptionError, match="unknown label 'nucleus'; known labels are core"):
        parse_labels(["nucleus"])


def test_unknown_sources_are_errors_with_an_example():
    maps, marks, images = made_up(n_sources=3)
    stranger = circle("elsewhere", "ann", 4.0, 4.0)
    more = dataclasses.replace(marks, annotations=(*marks.annotations, stranger))
    with pytest.raises(AlignmentError, match="1 of 4 annotated sources have no map: 'elsewhere'"):
        align(maps, more, images)
    with pytest.raises(AlignmentError, match=r"none of the 1 annotated sources .*'elsewhere'"):
        align(maps, dataclasses.replace(marks, annotations=(stranger,)), images)


def test_classes_that_contradict_each_other_are_errors():
    maps, marks, images = made_up(n_sources=2)
    wrong = dataclasses.replace(marks, classes={"source_00": "FR II"})
    with pytest.raises(
        AlignmentError, match="'source_00' is 'FR II' in the annotations but 'FR I'"
    ):
        align(maps, wrong, images)


def test_sky_marks_need_a_coordinate_system():
    maps, marks, images = made_up(n_sources=1)
    sky = dataclasses.replace(
        marks.annotations[0],
        shape=Shape(kind=ShapeKind.POINT, frame=Frame.ICRS, x=180.0, y=20.0),
    )
    with pytest.raises(AlignmentError, match="no celestial coordinates"):
        align(maps, dataclasses.replace(marks, annotations=(sky,)), images)


def test_source_weights():
    maps, marks, images = made_up(n_sources=2)
    weighted = dataclasses.replace(marks, source_weights={"source_00": 0.5, "source_01": 0.9})
    pairs = align(maps, weighted, images, use_source_weights=True)
    assert pairs.source_weights.tolist() == [0.5, 0.9]
    assert align(maps, weighted, images).source_weights.tolist() == [1.0, 1.0]
    with pytest.raises(AnnotationError, match="no weight for 2"):
        align(maps, marks, images, use_source_weights=True)
    nothing = dataclasses.replace(marks, source_weights={"source_00": 0.0, "source_01": 0.0})
    with pytest.raises(AnnotationError, match="state weight 0 for 2 of 2; compare without"):
        align(maps, nothing, images, use_source_weights=True)


@pytest.mark.parametrize(
    ("x", "y", "outside"),
    [
        (31.4, 10.0, False),
        (31.6, 10.0, True),
        (-0.4, 10.0, False),
        (-0.6, 10.0, True),
        (10.0, 31.4, False),
        (10.0, 31.6, True),
        (10.0, -0.4, False),
        (10.0, -0.6, True),
    ],
)
def test_the_field_ends_at_the_outer_edges_of_its_pixels(x, y, outside):
    """Pixel centres lie at whole numbers, so 32 pixels reach from -0.5 to 31.5."""
    maps, marks, images = made_up(n_sources=2, annotators=("ann",))
    mark = circle("source_00", "ann", x, y)
    pairs = align(maps, dataclasses.replace(marks, annotations=(*marks.annotations, mark)), images)
    assert any("1 of 3 marks lie outside" in note for note in pairs.notes) is outside


@pytest.mark.parametrize("fwhm", [0.0, -1.0, np.inf, np.nan])
def test_widths_have_to_be_positive(fwhm):
    maps, marks, images = made_up(n_sources=1)
    with pytest.raises(OptionError, match="above 0"):
        align(maps, marks, images, fwhm_arcsec=fwhm)


def test_nothing_given_is_changed():
    maps, marks, images = made_up(n_sources=2)
    before = {name: array.copy() for name, array in maps.layers.items()}
    align(maps, marks, images)
    for name, array in before.items():
        np.testing.assert_array_equal(maps.layers[name], array)
        assert not maps.layers[name].flags.writeable


def test_marks_that_all_miss_the_field_are_an_error():
    """They lie on the image, but not on the part of it that the network sees."""
    maps, marks, images = made_up(n_sources=2, annotators=("ann",))
    images = [
        dataclasses.replace(
            image,
            pixels=np.pad(image.pixels, (0, 32)),
            grid=PixelGrid(shape=(64, 64), pixel_scale_arcsec=1.8),
        )
        for image in images
    ]
    away = tuple(circle(a.source, "ann", 56.0, 56.0) for a in marks.annotations)
    with pytest.raises(AlignmentError, match="none of the 2 marks lies on the pixels"):
        align(maps, dataclasses.replace(marks, annotations=away), images)


def test_maps_without_an_image_are_named() -> None:
    maps, marks, images = made_up(n_sources=4)
    with pytest.raises(
        AlignmentError,
        match=r"^2 of 4 sources with a map have no image, such as 'source_02'; give the images",
    ):
        align(maps, marks, images[:2])


def test_widths_are_those_on_the_sky_whatever_the_pixels_of_image_and_field():
    """Field pixels of 1.8 arcsec on an image of half as large ones: 7.2 arcsec are 4 and 8 pixels."""
    maps, marks, images = made_up(n_sources=1, annotators=("ann",))
    maps = dataclasses.replace(maps, field=(GridTransform(step=2.0),))
    pixels = np.kron(images[0].pixels, np.ones((2, 2)))
    grid = PixelGrid(shape=pixels.shape, pixel_scale_arcsec=0.9)
    images = [dataclasses.replace(images[0], pixels=pixels, grid=grid)]
    point = dataclasses.replace(
        marks.annotations[0], shape=Shape(kind=ShapeKind.POINT, x=20.0, y=24.0)
    )
    pairs = align(maps, dataclasses.replace(marks, annotations=(point,)), images, fwhm_arcsec=7.2)
    density, mask = pairs.density[0, 0], pairs.mask[0, 0]
    assert density[12, 10] == 1.0
    assert density[12, 12] == density[14, 10] == pytest.approx(0.5)
    assert mask[12].sum() == mask[:, 10].sum() == 5


def test_baselines_follow_each_other_from_fine_to_coarse():
    maps, marks, images = made_up(n_sources=3)
    layers = {
        "gate1": maps.layers["gate1"][:, ::2, ::2],
        "gate2": maps.layers["gate1"],
        "gate3": maps.layers["gate2"],
    }
    geometry = {
        f"gate{i}": GridTransform(step=step, origin_x=(step - 1) / 2, origin_y=(step - 1) / 2)
        for i, step in ((1, 4.0), (2, 2.0), (3, 1.0))
    }
    pairs = align(dataclasses.replace(maps, layers=layers, geometry=geometry), marks, images)
    finer, coarser = "brightness at 3.6″", "brightness at 7.2″"
    assert list(pairs.baselines) == [BRIGHTNESS, finer, coarser, CENTRE_BIAS]
    assert pairs.brightness_of("gate1") == (BRIGHTNESS, coarser)


def test_a_line_that_leaves_the_field_is_no_mark_outside():
    maps, marks, images = made_up(n_sources=2, annotators=("ann",))

    def notes_of(*vertices):
        line = dataclasses.replace(
            marks.annotations[0], shape=Shape(kind=ShapeKind.LINE, vertices=vertices)
        )
        both = dataclasses.replace(marks, annotations=(*marks.annotations, line))
        return " ".join(align(maps, both, images).notes)

    assert "outside the field" not in notes_of((10.0, 10.0), (20.0, 10.0), (90.0, 10.0))
    assert "outside the field" in notes_of((30.0, 10.0), (70.0, 10.0), (90.0, 10.0))


def test_brightness_to_hold_fixed_is_that_of_the_layers_own_resolution():
    pairs = align(*made_up(n_sources=3))
    assert pairs.brightness_of("gate1") == (BRIGHTNESS, "brightness at 3.6″")
    assert pairs.brightness_of("gate2") == (BRIGHTNESS,)
    assert pairs.brightness_of(MEAN_LAYER) == (BRIGHTNESS, "brightness at 3.6″")
