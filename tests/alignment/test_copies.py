"""Images of one source count once, and the marks on all of them are used."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attnxai.agreement.comparison import ComparisonSettings, compare
from attnxai.agreement.model_comparison.comparison import compare_models
from attnxai.alignment.copies import MARKED_AGAIN, NOT_PLACED, independent_sources
from attnxai.alignment.pairs import align
from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceSet, from_array
from attnxai.data.independence import find_copies
from attnxai.data.regridding import square_pixels
from attnxai.errors import LeftOutWarning
from attnxai.explanations.from_arrays import maps_from_arrays
from attnxai.explanations.stack import Split
from tests.builders import circle, made_up
from tests.data.skies import make_wcs

QUICK = ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
SIDE = 40


def picture(seed: int, side: int = SIDE) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    rng = np.random.default_rng(seed)
    image = 0.01 * rng.random((side, side))
    for at_x, at_y in rng.uniform(10, side - 10, (3, 2)):
        image += np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 6)
    return image.astype(np.float32)


def placed(source: str, pixels: np.ndarray, ra: float | None, dec: float = 0.0, **options):
    image = from_array(pixels, source=source, pixel_scale_arcsec=1.8, prepared=True)
    if ra is None:
        return image
    grid = PixelGrid(shape=pixels.shape, wcs=make_wcs(pixels.shape, centre=(ra, dec)))
    return dataclasses.replace(image, grid=grid, **options)


def test_equal_pixels_in_any_form_are_copies() -> None:
    one, other = picture(0), picture(1)
    images = [
        from_array(other, source="other"),
        from_array(one, source="b"),
        from_array(one.astype(np.float64), source="a"),
        from_array(one[::-1], source="c"),
        from_array(np.rot90(one), source="d"),
        placed("z", one, 10.0),
    ]
    found = find_copies(images)
    assert found.others == {"z": ("a", "b", "c", "d")}  # that with coordinates stands for all
    assert not found.by_position
    assert "4 of 6 images show a source that another image shows" in found.notices[0]
    assert find_copies(images[:3]).others == {"a": ("b",)}
    assert find_copies(images[:2]).notices == ()
    assert not find_copies([]).others
    changed = one.copy()
    changed[3, 4] = np.nextafter(changed[3, 4], np.float32(1))
    assert not find_copies([images[1], from_array(changed, source="n")]).others
    views = np.stack([one, one])
    assert find_copies([images[1], from_array(changed, source="n")], [views]).others == {
        "b": ("n",)
    }


def test_a_cutout_moved_by_two_pixels_is_the_same_source_and_a_neighbour_is_not() -> None:
    sky = picture(5, 120)
    arcsec = 1 / 3600

    def cut(source, x, y):
        pixels = sky[y - 20 : y + 20, x - 20 : x + 20]
        return placed(source, pixels, 150.0 - 1.8 * (x - 60) * arcsec, 1.8 * (y - 60) * arcsec)

    # of 40 pixels the radius is an eighth of the field, 5 pixels
    images = [cut("b", 60, 60), cut("moved", 62, 62), cut("neighbour", 68, 60)]
    found = find_copies(images)
    assert found.others == {"b": ("moved",)}
    assert found.by_position == {"moved"}
    assert "1 by position" in found.notices[0]


def test_a_position_that_different_sources_share_is_a_placeholder() -> None:
    images = [placed(f"s{i}", picture(i), 0.0) for i in range(4)]
    found = find_copies(images)
    assert not found.others
    assert found.notices[0].startswith("4 images state one and the same position but show")
    noise = 0.02 * np.random.default_rng(3).random((SIDE, SIDE))
    again = placed("again", picture(0) + noise, 0.0)
    assert find_copies([images[0], again]).others == {"again": ("s0",)}


def doubled(n: int = 6):
    """Maps, annotations and images of n sources, and the same under a second name."""
    maps, marks, images = made_up(n)
    twice = [f"J{s}" for s in maps.sources]
    more = [dataclasses.replace(image, source=f"J{image.source}") for image in images]
    two = dataclasses.replace(
        maps,
        sources=(*maps.sources, *twice),
        layers={k: np.concatenate([v, v]) for k, v in maps.layers.items()},
        field=maps.field * 2,
        brightness=np.concatenate([maps.brightness] * 2),
        valid=np.concatenate([maps.valid] * 2),
        splits=maps.splits * 2,
        scores=None if maps.scores is None else np.concatenate([maps.scores] * 2),
    )
    again = [dataclasses.replace(a, source=f"J{a.source}") for a in marks.annotations]
    both = dataclasses.replace(
        marks,
        annotations=(*marks.annotations, *again),
        classes={**marks.classes, **{f"J{s}": c for s, c in marks.classes.items()}},
    )
    return (maps, marks, images), (two, both, SourceSet([*images, *more]))


@pytest.mark.filterwarnings("ignore::attnxai.errors.FewSourcesWarning")
@pytest.mark.filterwarnings("ignore::attnxai.errors.AssumptionWarning")
@pytest.mark.filterwarnings("ignore:.* marks on further images:attnxai.errors.LeftOutWarning")
def test_six_galaxies_under_twelve_names_are_six_sources() -> None:
    (maps, marks, images), (two, both, all_images) = doubled()
    with pytest.warns(LeftOutWarning, match="6 of 12 images show a source that another image"):
        twice = compare(two, both, all_images, settings=QUICK)
    once = compare(maps, marks, images, settings=QUICK)
    assert len(twice.sources) == 6
    np.testing.assert_array_equal(twice.values, once.values)
    assert twice.data is not None
    assert len(twice.data.maps) == len(twice.data.images) == 6
    annotations = twice.data.annotations
    assert annotations.copies == {f"Jsource_0{i}": (f"source_0{i}",) for i in range(6)}
    assert annotations.left_out[MARKED_AGAIN] == len(marks)
    assert any("each source counts once" in notice for notice in annotations.notices)
    other = dataclasses.replace(two, model_name="other")
    with pytest.warns(LeftOutWarning):
        several = compare_models([two, other], both, all_images, settings=QUICK)
    assert [len(result.sources) for result in several.results] == [6, 6]
    made = maps_from_arrays(all_images, two.layers["gate2"])
    with pytest.warns(LeftOutWarning):
        assert len(align(made, both, all_images)) == 6


def test_a_source_that_was_trained_on_under_any_name_was_trained_on() -> None:
    _, (two, both, images) = doubled(3)
    splits = list(two.splits)
    splits[0], splits[1] = Split.TRAINING, Split.UNKNOWN
    two = dataclasses.replace(two, splits=tuple(splits))
    with pytest.warns(LeftOutWarning):
        pairs = align(two, both, images)
    assert pairs.splits == (Split.TRAINING, Split.UNKNOWN, Split.HELD_OUT)


def test_marks_on_a_cutout_of_pixels_that_are_not_square_are_carried_over() -> None:
    """A bright pixel at (14, 9) of a cutout with pixels of 1.8 x 3.6 arcsec, on one with square pixels."""
    tall = make_wcs((20, SIDE), centre=(150.0 - 0.001, 0.001))
    tall.wcs.cdelt = tall.wcs.cdelt * (1.0, 2.0)
    values = np.zeros((20, SIDE), dtype=np.float32)
    values[9, 14] = 1.0
    squared = square_pixels(values, tall)
    assert squared is not None
    resampled = from_array(squared.pixels, source="tall", prepared=True)
    resampled = dataclasses.replace(resampled, grid=squared.grid)
    square = placed("a", picture(0), 150.0)
    marks = AnnotationSet(annotations=(circle("tall", "ann", 14, 9), circle("a", "bob", 20, 19)))
    with pytest.warns(LeftOutWarning, match="by position"):
        found, _, _ = independent_sources(marks, [square, resampled])
    (moved,) = (a.shape for a in found.annotations if a.annotator == "ann")
    ((x, y),) = moved.on_pixels(square.grid).points
    there = [float(value) for value in tall.pixel_to_world_values(14, 9)]
    expected = square.grid.wcs.world_to_pixel_values(*there)
    assert (x, y) == pytest.approx([float(value) for value in expected], abs=1e-6)


def test_marks_on_another_cutout_are_carried_over_the_sky() -> None:
    """A bright pixel at (22, 21) of one cutout lies at (20, 19) of that moved by two pixels."""
    pixels = picture(0)
    moved = np.roll(pixels, (-2, -2), axis=(0, 1))
    arcsec = 1 / 3600
    images = SourceSet(
        [
            placed("a", pixels, 150.0),
            placed("b", moved, 150.0 - 3.6 * arcsec, 3.6 * arcsec),
            placed("c", pixels[::-1], None),
        ]
    )
    marks = AnnotationSet(
        annotations=(
            circle("a", "ann", 25, 25),
            circle("b", "ann", 20, 19),
            circle("b", "bob", 20, 19),
            circle("c", "cy", 20, 19),
        )
    )
    maps = maps_from_arrays(images, np.stack([image.pixels for image in images]))
    with pytest.warns(LeftOutWarning) as caught:
        pairs = align(maps, marks, images)
    assert pairs.sources == ("a",)
    assert pairs.annotators == ("ann", "bob")
    density = pairs.density[1, 0]
    y, x = (np.average(one, weights=density) for one in np.indices(density.shape))
    assert (x, y) == pytest.approx((22, 21), abs=0.01)
    said = " ".join(str(one.message) for one in caught)
    assert f"1 mark on further images of a source is left out, as {MARKED_AGAIN}" in said
    assert f"1 mark on further images of a source is left out, as {NOT_PLACED}" in said
