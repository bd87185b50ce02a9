from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import attnxai
from attnxai.annotations import FRDecision, Undecided, fr_annotations, fr_class
from attnxai.annotations.annotation_set import RULE_KIND
from attnxai.annotations.readers.table import parse_table
from attnxai.annotations.rules import RULE_NAME
from attnxai.data import from_array
from attnxai.data.images import SourceImage
from attnxai.data.simulation import simulate_source
from attnxai.errors import AnnotationError, ImageError, OptionError

SIGMA_PER_FWHM = 1 / (2 * math.sqrt(2 * math.log(2)))


def drawn(row: str, *, rows: int = 9, **options: Any) -> SourceImage:
    """An 8-bit image with one row of emission at its middle; a pixel is as large as the beam."""
    pixels = np.zeros((rows, len(row.split())), np.uint8)
    pixels[rows // 2] = [int(value) for value in row.split()]
    return from_array(pixels, source="drawn", pixel_scale_arcsec=5.4, **options)


def gaussians(
    *parts: tuple[float, float, float], side: int = 101, fwhm: float = 3.0
) -> NDArray[np.float64]:
    """Sum of round Gaussians of a height at (x, y) from the middle; pixels of 1.8 arcsec."""
    y, x = np.indices((side, side)) - (side - 1) / 2
    sigma = fwhm * SIGMA_PER_FWHM
    return sum(
        (
            h * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * sigma**2))
            for h, at_x, at_y in parts
        ),
        start=np.zeros((side, side)),
    )


def eight_bit(values: NDArray[np.float64], clip: float = 3.0) -> SourceImage:
    """Prepared as MiraBest is: 0 below the clip, then scaled to 255."""
    clipped = np.where(values < clip, 0, values)
    pixels = np.floor(255 * clipped / clipped.max()).astype(np.uint8)
    return from_array(pixels, source="made", pixel_scale_arcsec=1.8)


class TestByHand:
    def test_fr2(self) -> None:
        """Hotspots at 2 and 12, emission from 1 to 13: 10 / 12; half a beam is half a pixel."""
        found = fr_class(drawn("0 9 200 30 12 9 9 90 9 9 12 30 180 9 0"))
        assert found.class_name == "FR II"
        assert found.reason is None
        assert found.core == (7.0, 4.0)
        assert found.regions[0][0] == pytest.approx(
            2 + 0.5 * math.log(30 / 9) / math.log(200**2 / 270)
        )
        assert found.regions[1][0] == pytest.approx(
            12 - 0.5 * math.log(30 / 9) / math.log(180**2 / 270)
        )
        assert found.ends == ((1.0, 4.0), (13.0, 4.0))
        assert found.extent_arcsec == pytest.approx(12 * 5.4)
        assert found.ratio == pytest.approx((found.regions[1][0] - found.regions[0][0]) / 12)
        assert found.margin == pytest.approx(found.ratio - 0.5 - 0.5 / 12)

    def test_fr1(self) -> None:
        """Jets fade from the core: brightest at 5 and 9, two pixels from it; 4 / 12."""
        found = fr_class(drawn("0 9 12 20 30 60 99 240 99 60 30 20 12 9 0"))
        assert found.class_name == "FR I"
        assert sorted(found.regions) == [(5.0, 4.0), (9.0, 4.0)]
        assert found.ratio == pytest.approx(4 / 12)
        assert found.margin == pytest.approx(0.5 - 4 / 12 - 0.5 / 12)

    def test_half_a_beam_may_change_the_class(self) -> None:
        found = fr_class(drawn("0 9 9 9 60 9 9 240 9 9 60 9 9 9 0"))
        assert 0 < abs(found.ratio - 0.5) < 0.5 / 12
        assert found.margin < 0
        assert found.class_name is not None

    def test_exactly_half(self) -> None:
        found = fr_class(drawn("0 30 0 0 60 0 9 240 9 0 60 0 0 30 0"))
        assert found.ratio == 0.5
        assert (found.class_name, found.reason) == (None, Undecided.AT_BOUNDARY)

    def test_opposite_is_more_than_a_right_angle(self) -> None:
        """The second brightest pixel lies on the side of the first; the fainter one opposite counts."""
        pixels = np.full((15, 15), 0, np.uint8)
        pixels[7, 2:13] = pixels[2:13, 7] = 9
        pixels[7, 7], pixels[7, 12], pixels[12, 7], pixels[7, 2] = 90, 200, 150, 20
        found = fr_class(from_array(pixels, source="a", pixel_scale_arcsec=5.4))
        assert found.regions == ((12.0, 7.0), (2.0, 7.0))
        assert found.ratio == 1.0
        pixels[7, 2:6] = 0
        found = fr_class(from_array(pixels, source="a", pixel_scale_arcsec=5.4))
        assert (found.regions, found.reason) == (((12.0, 7.0),), Undecided.ONE_REGION)
        assert math.isnan(found.ratio)


class TestUndecided:
    def test_a_point_source_is_one_region(self) -> None:
        """Its wings reach beyond a beam, and are not taken for regions."""
        for shift in (0.0, 0.3, 0.5):
            found = fr_class(eight_bit(gaussians((1000, shift, -shift))))
            assert found.extent_arcsec > 2 * 5.4
            assert (found.class_name, found.reason) == (None, Undecided.ONE_REGION)
            assert found.core == pytest.approx((50 + shift, 50 - shift), abs=0.02)
            assert found.regions == ()

    def test_one_island_beside_the_centre_is_one_region(self) -> None:
        found = fr_class(eight_bit(gaussians((100, 5, 0), fwhm=6)))
        assert found.core is None
        assert found.reason is Undecided.ONE_REGION
        assert found.regions[0] == pytest.approx((55, 50), abs=0.05)

    def test_several_islands_without_a_core_keep_their_ratio(self) -> None:
        found = fr_class(eight_bit(gaussians((100, -15, 0), (80, 12, 0))))
        assert (found.class_name, found.reason) == (None, Undecided.NO_CORE)
        assert found.n_islands == 2
        assert found.ratio == pytest.approx(27 / (found.extent_arcsec / 1.8), rel=0.01)
        with_core = fr_class(eight_bit(gaussians((100, -15, 0), (80, 12, 0), (20, 0, 0))))
        assert with_core.class_name == "FR II"
        assert with_core.ratio == pytest.approx(found.ratio, abs=1e-3)

    def test_one_island_without_a_core_is_seen_from_the_centre(self) -> None:
        found = fr_class(eight_bit(gaussians((100, -3.5, 0), (80, 3.5, 0))))
        assert (found.n_islands, found.core) == (1, None)
        assert len(found.regions) == 2
        assert found.class_name

    def test_nothing_near_the_centre(self) -> None:
        image = eight_bit(gaussians((100, 40, 0)))
        found = fr_class(image)
        assert (found.reason, found.ends, found.extent_arcsec) == (Undecided.NO_EMISSION, (), 0.0)
        assert fr_class(image, radius_arcsec=80).reason is Undecided.ONE_REGION

    def test_emission_at_the_edge_and_beside_blank_pixels(self) -> None:
        row = "9 9 200 30 12 9 9 90 9 9 12 30 180 9 0"
        found = fr_class(drawn(row))
        assert (found.class_name, found.reason) == (None, Undecided.AT_EDGE)
        assert found.ratio > 0.5
        pixels = gaussians((100, -15, 0), (80, 12, 0), (20, 0, 0))
        footprint = np.ones(pixels.shape, bool)
        footprint[:, 67:] = False
        image = SourceImage(
            source="a",
            pixels=np.where(pixels < 3, 0, pixels),
            grid=attnxai.data.PixelGrid(shape=pixels.shape, pixel_scale_arcsec=1.8),
            footprint=footprint,
            prepared=True,
        )
        assert fr_class(image).reason is None
        footprint[:, 65:] = False
        blank = SourceImage(
            source="a", pixels=image.pixels, grid=image.grid, footprint=footprint, prepared=True
        )
        assert fr_class(blank).reason is Undecided.AT_EDGE


class TestWhatBelongs:
    def test_noise_does_not_extend_the_source(self) -> None:
        """Small islands, faint ones and distant ones are left out."""
        values = gaussians((100, -15, 0), (80, 12, 0), (20, 0, 0))
        clean = fr_class(eight_bit(values))
        for extra in (
            gaussians((4.9, 0, 25)),  # below five standard deviations
            gaussians((100, 0, 25), fwhm=0.8),  # smaller than half a beam
            gaussians((50, 0, 42)),  # 76 arcsec away
        ):
            found = fr_class(eight_bit(values + extra))
            assert (found.n_islands, found.ends) == (3, clean.ends)
        assert fr_class(eight_bit(values + gaussians((30, 0, 25)))).n_islands == 4

    def test_a_bright_core_does_not_hide_the_lobes(self) -> None:
        """A beam from the core its wing has 1/16 of the peak, here more than the lobes."""
        found = fr_class(eight_bit(gaussians((1000, 0, 0), (40, -15, 0), (30, 15, 0))))
        assert found.class_name == "FR II"
        assert found.regions[0] == pytest.approx((35, 50), abs=0.05)
        assert found.regions[1] == pytest.approx((65, 50), abs=0.05)

    def test_the_core_is_the_nearest_peak_within_a_beam(self) -> None:
        core = fr_class(eight_bit(gaussians((20, 2, 1), (100, -15, 0), (80, 12, 0)))).core
        assert core == pytest.approx((52, 51), abs=0.05)
        assert fr_class(eight_bit(gaussians((20, 3.5, 0), (100, -15, 0), (80, 14, 0)))).core is None

    def test_survey_images_are_clipped_at_three_sigma(self) -> None:
        """The same source before and after the preprocessing of MiraBest."""
        from astropy.stats import sigma_clipped_stats

        rng = np.random.default_rng(3)
        values = rng.normal(size=(101, 101)) + gaussians((100, -15, 0), (80, 12, 0), (20, 0, 0))
        sigma = sigma_clipped_stats(values, sigma=3)[2]
        survey = fr_class(from_array(values, source="a", pixel_scale_arcsec=1.8))
        prepared = fr_class(eight_bit(values, clip=3 * sigma))
        assert survey.ends == prepared.ends
        assert survey.ratio == pytest.approx(prepared.ratio, abs=2e-3)

    def test_extent_against_all_pairs(self) -> None:
        from scipy.spatial.distance import pdist

        rng = np.random.default_rng(0)
        for _ in range(20):
            pixels = np.zeros((20, 20), np.uint8)
            pixels[3:17, 3:17] = rng.integers(0, 2, (14, 14)) * 9
            pixels[9:11, 9:11] = 90
            found = fr_class(
                from_array(pixels, source="a", pixel_scale_arcsec=1.0), beam_arcsec=0.5
            )
            from skimage.measure import label

            islands = label(pixels > 0, connectivity=2)
            kept = islands == islands[9, 9]
            if found.n_islands == 1:
                assert found.extent_arcsec == pytest.approx(pdist(np.argwhere(kept)).max())


def turned(image: SourceImage, n_quarters: int, mirrored: bool) -> SourceImage:
    pixels = np.rot90(image.pixels, n_quarters)
    return from_array(
        np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels),
        source=image.source,
        pixel_scale_arcsec=1.8,
        prepared=image.prepared,
    )


def on_turned(
    place: tuple[float, float], side: int, n_quarters: int, mirrored: bool
) -> tuple[float, float]:
    x, y = place
    for _ in range(n_quarters):  # numpy turns rows towards columns
        x, y = y, side - 1 - x
    return (side - 1 - x if mirrored else x), y


@pytest.fixture(scope="module")
def images() -> list[SourceImage]:
    rng = np.random.default_rng(5)
    made = []
    for index, name in itertools.product(range(4), ("FR I", "FR II")):
        pixels = simulate_source(name, source=f"s{index}{name}", rng=rng).image.pixels
        made.append(from_array(pixels, source=f"{name}{index}", pixel_scale_arcsec=1.8))
        made.append(eight_bit(pixels.astype(float), clip=0.45))
    return made


class TestInvariance:
    @pytest.mark.parametrize(
        ("n_quarters", "mirrored"), list(itertools.product(range(4), (False, True)))
    )
    def test_symmetries_of_the_square(
        self, images: list[SourceImage], n_quarters: int, mirrored: bool
    ) -> None:
        for image in images:
            before, after = fr_class(image), fr_class(turned(image, n_quarters, mirrored))
            assert same(before, after)
            for old, new in zip(before.regions, after.regions, strict=True):
                assert new == pytest.approx(on_turned(old, 160, n_quarters, mirrored))

    def test_shift(self) -> None:
        """While the core stays within a beam of the centre."""
        parts = ((100.0, -15.0, 3.0), (80.0, 12.0, -4.0), (20.0, 0.0, 0.0))
        before = fr_class(eight_bit(gaussians(*parts)))
        for dx, dy in ((1, 0), (-1, 2), (0, -2)):
            after = fr_class(eight_bit(np.roll(gaussians(*parts), (dy, dx), (0, 1))))
            assert same(before, after)
            assert after.regions[0] == pytest.approx(np.add(before.regions[0], (dx, dy)))

    @pytest.mark.parametrize("change", [lambda p: p * 2.0**10, lambda p: p * 3e-7])
    def test_scale_of_the_brightness(
        self, images: list[SourceImage], change: Callable[[Any], Any]
    ) -> None:
        for image in images:
            if not image.prepared:
                scaled = from_array(
                    change(image.pixels.astype(float)), source="a", pixel_scale_arcsec=1.8
                )
                assert same(fr_class(image), fr_class(scaled))


def same(one: FRDecision, other: FRDecision) -> bool:
    return (one.class_name, one.reason, one.n_islands) == (
        other.class_name,
        other.reason,
        other.n_islands,
    ) and np.allclose(
        [one.ratio, one.margin, one.extent_arcsec],
        [other.ratio, other.margin, other.extent_arcsec],
        equal_nan=True,
        rtol=1e-5,
    )


def test_simulated_sources_whose_truth_is_known() -> None:
    """Of 40, nearly all are classified as they were made, and regions of an FR II lie on its hotspots."""
    rng = np.random.default_rng(11)
    right, n_decided, distances = 0, 0, []
    for index in range(40):
        name = ("FR I", "FR II")[index % 2]
        made = simulate_source(name, source=f"s{index}", rng=rng)
        found = fr_class(made.image)
        if found.class_name is None:
            continue
        n_decided += 1
        right += found.class_name == name
        if name == "FR II":
            hotspots = [
                (79.5 + c.x_arcsec / 1.8, 79.5 + c.y_arcsec / 1.8)
                for c in made.components
                if c.label == "hotspot"
            ]
            distances += [min(math.dist(p, h) for h in hotspots) * 1.8 for p in found.regions]
    assert n_decided >= 38
    assert right / n_decided >= 0.95
    assert np.median(distances) < 1.0


class TestRefusals:
    def test_no_pixel_scale(self) -> None:
        image = from_array(np.eye(9), source="a")
        with pytest.raises(ImageError, match="image a states no pixel scale, which"):
            fr_class(image)

    @pytest.mark.parametrize("options", [{"beam_arcsec": 0.0}, {"radius_arcsec": math.nan}])
    def test_lengths(self, options: dict[str, float]) -> None:
        (name,) = options
        with pytest.raises(OptionError, match=f"{name} has to be above 0, got"):
            fr_class(drawn("0 9 90 9 0"), **options)


class TestAnnotations:
    def test_marks_and_columns(self) -> None:
        steps: list[int] = []
        double = drawn("0 9 200 30 12 9 9 90 9 9 12 30 180 9 0")
        found = fr_annotations([double], on_step=lambda: steps.append(1))
        assert steps == [1]
        assert [a.label for a in found.annotations] == ["core", "hotspot", "hotspot"]
        assert {a.annotator for a in found.annotations} == {RULE_NAME}
        assert found.annotations[0].shape.points == ((7.0, 4.0),)
        says = found.annotations[0].other
        decision = fr_class(double)
        assert says == {
            "made_by": "rule",
            "rule_class": "FR II",
            "rule_ratio": f"{decision.ratio:.3f}",
            "rule_margin": f"{decision.margin:.3f}",
            "rule_reason": "",
            "rule_extent": "1 4; 13 4",
        }
        assert found.kind == RULE_KIND
        assert found.rule_annotators == found.annotators == (RULE_NAME,)
        assert found.classes == {}
        assert found.notices == ()

    def test_a_table_says_what_a_rule_made(self) -> None:
        header = "source,annotator,shape,x,y,label,made_by\n"
        rule, person = "s1,a rule,point,3,4,core,Rule\n", "s1,ann,point,3,4,core,\n"
        found = parse_table(header + rule)
        assert (found.rule_annotators, found.kind) == (("a rule",), RULE_KIND)
        mixed = parse_table(header + person + rule)
        assert (mixed.rule_annotators, mixed.kind) == (("a rule",), "shapes drawn by annotators")
        assert parse_table(header + person).rule_annotators == ()

    def test_labels_follow_the_class(self) -> None:
        jets = fr_annotations([drawn("0 9 12 20 30 60 99 240 99 60 30 20 12 9 0")])
        assert [a.label for a in jets.annotations] == ["core", "jet", "jet"]
        lobes = fr_annotations([eight_bit(gaussians((100, -15, 0), (80, 12, 0)))])
        assert [a.label for a in lobes.annotations] == ["other", "other"]

    def test_what_is_undecided_is_counted(self) -> None:
        empty = eight_bit(gaussians((100, 40, 0)))
        found = fr_annotations([empty, drawn("0 9 200 30 12 9 9 90 9 9 12 30 180 9 0")])
        assert found.sources == ("drawn",)
        assert found.notices == (
            "The rule states no class for 1 of 2 sources: no emission near the centre (1).",
            "1 source has no mark, as nothing near the centre is above the clip: made.",
        )
        with pytest.raises(AnnotationError, match="no annotations"):
            fr_annotations([empty])
