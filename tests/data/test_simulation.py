from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from attnxai.data import simulation
from attnxai.data.simulation import (
    Component,
    SimulatedSource,
    Survey,
    simulate_source,
)
from attnxai.data.sky import pixel_to_sky
from attnxai.data.smoothing import FWHM_PER_SIGMA

QUIET = Survey(noise_mjy=1e-6)


def simulate(class_name: str, seed: int, survey: Survey | None = None) -> SimulatedSource:
    rng = np.random.default_rng(seed)
    return simulate_source(class_name, source=f"s{seed}", rng=rng, survey=survey)


def centre_of(made: SimulatedSource) -> tuple[float, float]:
    """Sky position of the middle of an image."""
    middle = (made.image.shape[0] - 1) / 2
    ra, dec = pixel_to_sky(made.image.grid.wcs, middle, middle)
    return float(ra), float(dec)


def observe(monkeypatch: pytest.MonkeyPatch, component: Component, survey: Survey) -> Any:
    """Image of one component, seen as a whole source is."""
    monkeypatch.setattr(simulation, "_fr1_components", lambda rng: [component])
    return np.asarray(simulate("FR I", 3, survey).image.pixels, dtype=np.float64)


def component_at(x: float, y: float, **values: Any) -> Component:
    shape = {"major_arcsec": 1.0, "minor_arcsec": 1.0, "angle_deg": 0.0, "flux_mjy": 100.0}
    return Component(label="hotspot", x_arcsec=x, y_arcsec=y, side=1, **{**shape, **values})


@pytest.mark.parametrize("class_name", ["FR I", "FR II"])
def test_equal_seeds_give_equal_sources(class_name: str) -> None:
    first, second = simulate(class_name, 5), simulate(class_name, 5)
    np.testing.assert_array_equal(first.image.pixels, second.image.pixels)
    assert first.components == second.components
    assert centre_of(first) == centre_of(second)
    assert centre_of(first) != centre_of(simulate(class_name, 6))
    other = simulate(class_name, 6)
    assert other.components != first.components
    assert (other.image.pixels != first.image.pixels).any()


def test_global_random_state_is_left_alone() -> None:
    before = np.random.get_state(legacy=False)["state"]["key"].copy()
    simulate("FR II", 1)
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], before)


@pytest.mark.parametrize(
    ("class_name", "labels"),
    [
        ("FR I", {"core": 1, "jet": 14}),
        ("FR II", {"core": 1, "jet": 2, "lobe": 2, "hotspot": 2}),
    ],
)
def test_parts_of_each_class(class_name: str, labels: dict[str, int]) -> None:
    made = simulate(class_name, 2)
    found = [component.label for component in made.components]
    assert {label: found.count(label) for label in set(found)} == labels
    for component in made.components:
        assert (component.side == 0) == (component.label == "core")
        assert component.flux_mjy > 0
        assert component.major_arcsec > 0
        assert component.minor_arcsec > 0
    assert {c.side for c in made.components if c.label != "core"} == {-1, 1}
    assert made.image.class_name == class_name
    assert not made.image.prepared


@pytest.mark.parametrize("name", ["FRI", "fr ii", "WAT", ""])
def test_unknown_class_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="class_name has to be one of"):
        simulate(name, 0)


def edge_brightening(made: SimulatedSource) -> list[float]:
    """How far out each side is brightest, as a share of the reach of its emission."""
    pixels = made.image.pixels
    middle = (pixels.shape[0] - 1) / 2
    y, x = np.indices(pixels.shape) - middle
    shares = []
    for side in (1, -1):
        parts = [c for c in made.components if c.side == side]
        reach = max(math.hypot(c.x_arcsec, c.y_arcsec) for c in parts)
        ahead = np.array([sum(c.x_arcsec for c in parts), sum(c.y_arcsec for c in parts)])
        on_side = x * ahead[0] + y * ahead[1] >= 0
        place = np.unravel_index(np.argmax(np.where(on_side, pixels, -np.inf)), pixels.shape)
        distance = math.hypot(place[0] - middle, place[1] - middle)
        shares.append(distance * 1.8 / reach)
    return shares


def test_fr1_are_brightest_near_the_core_and_fr2_at_the_ends() -> None:
    # Fanaroff & Riley (1974): peaks less or more than half of the whole extent apart
    inner = [share for seed in range(25) for share in edge_brightening(simulate("FR I", seed))]
    outer = [share for seed in range(25) for share in edge_brightening(simulate("FR II", seed))]
    assert max(inner) < 0.5
    assert min(outer) > 0.5


def test_hotspots_lie_across_their_jet() -> None:
    parts = {(part.label, part.side): part for part in simulate("FR II", 3).components}
    for side in (-1, 1):
        turn = parts["hotspot", side].angle_deg - parts["jet", side].angle_deg
        # but for the bend of the jet
        assert abs(math.cos(math.radians(turn))) < 0.3


@pytest.mark.parametrize("class_name", ["FR I", "FR II"])
def test_components_lie_within_the_image(class_name: str) -> None:
    for seed in range(25):
        for component in simulate(class_name, seed).components:
            assert math.hypot(component.x_arcsec, component.y_arcsec) < 1.8 * 80


@pytest.mark.parametrize(("x", "y"), [(18.0, 0.0), (0.0, -36.0), (-54.0, 27.0)])
def test_a_component_is_seen_where_it_is(
    monkeypatch: pytest.MonkeyPatch, x: float, y: float
) -> None:
    pixels = observe(monkeypatch, component_at(x, y), Survey(side=161, noise_mjy=1e-6))
    row, column = np.unravel_index(np.argmax(pixels), pixels.shape)
    assert [float(column), float(row)] == [80 + x / 1.8, 80 + y / 1.8]


def test_flux_is_kept_and_peak_is_per_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    survey = Survey(side=161, noise_mjy=1e-9)
    component = component_at(0.0, 0.0, major_arcsec=30.0, minor_arcsec=12.0, angle_deg=20.0)
    pixels = observe(monkeypatch, component, survey)
    beam_area = 2 * math.pi * (5.4 / FWHM_PER_SIGMA) ** 2
    assert pixels.sum() * 1.8**2 / beam_area == pytest.approx(100.0, rel=1e-3)
    area = math.hypot(30.0, 5.4) * math.hypot(12.0, 5.4)
    assert pixels.max() == pytest.approx(100.0 * 5.4**2 / area, rel=1e-3)


def second_moments(pixels: Any) -> Any:
    middle = (pixels.shape[0] - 1) / 2
    y, x = np.indices(pixels.shape) - middle
    offsets = np.stack([x.ravel(), y.ravel()])
    return (pixels.ravel() * offsets) @ offsets.T / pixels.sum()


def test_a_point_is_seen_as_the_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    component = component_at(0.0, 0.0, major_arcsec=1e-6, minor_arcsec=1e-6)
    pixels = observe(monkeypatch, component, Survey(side=81, noise_mjy=1e-9, beam_arcsec=9.0))
    moments = second_moments(pixels)
    np.testing.assert_allclose(
        moments, np.eye(2) * (9.0 / FWHM_PER_SIGMA / 1.8) ** 2, rtol=1e-3, atol=1e-3
    )
    assert pixels.max() == pytest.approx(100.0, rel=1e-4)


def test_major_axis_points_along_its_angle(monkeypatch: pytest.MonkeyPatch) -> None:
    component = component_at(0.0, 0.0, major_arcsec=30.0, minor_arcsec=5.0, angle_deg=30.0)
    moments = second_moments(observe(monkeypatch, component, Survey(side=161, noise_mjy=1e-9)))
    angle = 0.5 * math.degrees(math.atan2(2 * moments[0, 1], moments[0, 0] - moments[1, 1]))
    assert angle == pytest.approx(30.0, abs=0.1)


def test_noise_has_its_level_and_is_correlated_over_the_beam(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    survey = Survey(side=400, noise_mjy=0.15)
    noise = observe(monkeypatch, component_at(0.0, 0.0, flux_mjy=1e-12), survey)
    assert noise.std() == pytest.approx(0.15, rel=1e-5)
    assert abs(noise.mean()) < 0.01
    # white noise smoothed by a Gaussian is correlated as exp(-d^2 / 4 sigma^2)
    sigma = 5.4 / FWHM_PER_SIGMA / 1.8
    for lag in (1, 2):
        found = (noise[:, lag:] * noise[:, :-lag]).mean() / noise.var()
        assert found == pytest.approx(math.exp(-(lag**2) / (4 * sigma**2)), abs=0.03)


def test_images_know_their_place_and_beam() -> None:
    made = simulate("FR II", 4)
    grid = made.image.grid
    assert grid.shape == (160, 160)
    assert grid.pixel_scale_arcsec == pytest.approx(1.8)
    assert made.image.beam_arcsec == (5.4, 5.4, 0.0)
    directions = grid.north_and_east()
    assert directions is not None
    np.testing.assert_allclose(np.stack(directions), [[0, 1], [-1, 0]], atol=1e-6)
    assert centre_of(made) == pytest.approx(tuple(np.round(centre_of(made), 4)), abs=1e-9)


def test_survey_is_as_asked_for() -> None:
    made = simulate("FR I", 1, Survey(side=64, pixel_scale_arcsec=3.0, beam_arcsec=9.0))
    assert made.image.shape == (64, 64)
    assert made.image.grid.pixel_scale_arcsec == pytest.approx(3.0)
    assert made.image.beam_arcsec == (9.0, 9.0, 0.0)


@pytest.mark.parametrize("class_name", ["FR I", "FR II"])
def test_core_is_in_the_middle_and_bright(class_name: str) -> None:
    pixels = simulate(class_name, 8, QUIET).image.pixels
    assert pixels[79:81, 79:81].mean() > 5 * np.median(np.abs(pixels))
