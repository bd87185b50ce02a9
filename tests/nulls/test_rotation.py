"""Turned maps: exact symmetries of the grid, and angles by interpolation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attnxai.metrics import METRICS, TargetKind, own_tables
from attnxai.nulls import GridSymmetries, Rotation, draw_choices, run_null_test
from attnxai.nulls.footprints import centred_disc
from attnxai.nulls.rotation import grid_symmetries, turned_coordinates
from attnxai.validation.simulated_data import centred_coordinates
from tests.nulls.fields import (
    blobs,
    disc,
    everywhere,
)

NSS, AUC, SPEARMAN = METRICS["nss"], METRICS["auc"], METRICS["spearman"]


def random_problem(shape=(9, 9), n_sources=3, n_annotators=2, seed=0):
    rng = np.random.default_rng(seed)
    maps = rng.random((n_sources, *shape))
    targets = {
        TargetKind.DENSITY: rng.random((n_annotators, n_sources, *shape)),
        TargetKind.MASK: rng.random((n_annotators, n_sources, *shape)) > 0.8,
    }
    return maps, targets, np.ones(maps.shape, bool)


@pytest.mark.parametrize(
    ("shape", "reflections", "n"),
    [((5, 5), True, 8), ((5, 5), False, 4), ((5, 6), True, 4), ((5, 6), False, 2)],
)
def test_symmetries_are_a_group(shape, reflections, n):
    field = np.arange(np.prod(shape)).reshape(shape)
    symmetries = grid_symmetries(shape, reflections=reflections)
    surrogates = {turned(field).tobytes() for turned in symmetries}
    assert len(surrogates) == n
    np.testing.assert_array_equal(symmetries[0](field), field)
    for turned in symmetries:
        assert {turned(other(field)).tobytes() for other in symmetries} == surrogates


@pytest.mark.parametrize("shape", [(9, 9), (8, 12)])
def test_every_column_is_the_metric_of_the_turned_map(shape):
    maps, targets, valid = random_problem(shape)
    metrics = [metric for metric in METRICS.values() if not metric.needs_others]
    tables = GridSymmetries().tables(metrics, maps, targets, valid, rng=np.random.default_rng(0))
    symmetries = grid_symmetries(shape, reflections=True)
    for k, turned in enumerate(symmetries):
        for m, metric in enumerate(metrics):
            own = targets[metric.target][1, 2].reshape(1, -1).astype(float)
            expected = metric.evaluate(turned(maps[2]).reshape(1, -1), own)[0, 0]
            assert tables[m, 1, 2, k] == pytest.approx(expected, rel=1e-12)


def test_what_is_marked_elsewhere_stays_with_the_annotation():
    maps, targets, valid = random_problem()
    metrics = [METRICS["information_gain"], METRICS["shuffled_auc"]]
    rng = np.random.default_rng(0)
    tables = GridSymmetries().tables(metrics, maps, targets, valid, rng=rng)
    own = own_tables(metrics, maps[None], targets, valid)[:, 0]
    np.testing.assert_allclose(tables[..., 0], own, rtol=1e-12)
    turned = own_tables(metrics, np.rot90(maps, axes=(1, 2))[None], targets, valid)[:, 0]
    np.testing.assert_allclose(tables[..., 1], turned, rtol=1e-12)
    angles = Rotation(n_angles=4).tables(metrics, maps, targets, valid, rng=rng)
    assert np.isfinite(angles).all()


def test_only_pixels_that_stay_valid_count():
    maps, targets, valid = random_problem()
    valid[0, 0, 1] = False
    tables = GridSymmetries().tables([NSS], maps, targets, valid, rng=np.random.default_rng(0))
    left_out = [(0, 1), (0, 7), (1, 0), (1, 8), (7, 0), (7, 8), (8, 1), (8, 7)]
    where = np.ones((9, 9), bool)
    where[tuple(np.transpose(left_out))] = False
    expected = NSS.evaluate(maps[0][where][None], targets["density"][0, 0][where][None])
    assert tables[0, 0, 0, 0] == pytest.approx(expected[0, 0])
    valid[1] = False
    tables = GridSymmetries().tables([NSS], maps, targets, valid, rng=np.random.default_rng(0))
    assert np.isnan(tables[:, :, 1]).all()
    assert np.isfinite(tables[:, :, [0, 2]]).all()


def test_turned_coordinates_turn_as_right_angles_do():
    field = np.random.default_rng(0).random((6, 6))
    for n in range(4):
        y, x = turned_coordinates(np.ones((6, 6), bool), np.array([n * np.pi / 2]))[:, 0]
        turned = field[np.rint(y).astype(int), np.rint(x).astype(int)].reshape(6, 6)
        np.testing.assert_array_equal(turned, np.rot90(field, n))


@pytest.mark.parametrize("order", [1, 3])
def test_angles_turn_smooth_maps_as_they_should(order):
    """Bumps turned by interpolation equal bumps that are evaluated at turned places."""
    n = 41
    y, x = centred_coordinates(n)

    def bump(angle):
        place = 8 * np.array([-np.sin(angle), np.cos(angle)])
        return np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / (2 * 4.0**2))

    maps = bump(0.3)[None]
    target = {"density": bump(1.0)[None, None]}
    null = Rotation(n_angles=8, order=order)
    table = null.tables([NSS], maps, target, everywhere(1, n), rng=np.random.default_rng(0))[0, 0]
    where = centred_disc(np.ones((n, n), bool), margin=np.sqrt(2) * (order + 1) / 2)
    expected = [
        NSS.evaluate(
            bump(0.3 + 2 * np.pi * k / 8)[where][None], target["density"][0, 0][where][None]
        )[0, 0]
        for k in range(8)
    ]
    np.testing.assert_allclose(table[0], expected, atol=0.02)
    assert np.ptp(expected) > 2


def test_angles_keep_masks_masks():
    maps, targets, valid = random_problem((21, 21))
    null = Rotation(n_angles=4)
    tables = null.tables([AUC, NSS], maps, targets, valid, rng=np.random.default_rng(4))
    assert np.isfinite(tables).all()
    # rows alternate: between two of them a mask has the nearer one, a density its share of both
    rows = np.tile(np.arange(21) % 2 == 0, (21, 1)).T
    places = np.array([[4.3, 4.7], [12.0, 12.0]])
    for kind, expected in ((TargetKind.MASK, [1, 0]), (TargetKind.DENSITY, [0.7, 0.3])):
        np.testing.assert_allclose(null.target_values(rows[None], kind, places), [expected])


def test_map_and_annotation_start_at_a_random_angle():
    """The place of the first pixel is turned by any angle: it comes to lie in every quadrant."""
    where = np.ones((21, 21), bool)
    map = np.random.default_rng(0).random((21, 21))
    rng = np.random.default_rng(5)
    places = [Rotation(n_angles=4).surrogates(map, where, rng)[0][:, 0] - 10 for _ in range(40)]
    quadrants = {(bool(y > 0), bool(x > 0)) for y, x in places}
    assert len(quadrants) == 4


def test_linear_interpolation_keeps_a_flat_background_flat():
    """Rounding errors in a flat background would break its ties, at random."""
    maps = 0.1 + np.maximum(blobs(np.random.default_rng(0), 1, 30, sigma=1.3) - 0.1, 0.0)
    seen = []

    def pairwise(maps, targets):
        seen.append(maps.values)
        return np.zeros((len(maps), len(targets)))

    watching = dataclasses.replace(NSS, pairwise=pairwise)
    Rotation(n_angles=8).tables(
        [watching], maps, {"density": maps[None]}, everywhere(1, 30), rng=np.random.default_rng(0)
    )
    for version in seen[0]:
        assert (version == maps.min()).sum() > 100
        assert version.min() == maps.min()


def test_power_against_a_shared_direction():
    rng = np.random.default_rng(0)
    maps = blobs(rng, 10, 24)
    targets = {"density": (maps + blobs(rng, 10, 24))[None]}
    for null in (GridSymmetries(), Rotation(n_angles=12)):
        table = null.tables([NSS], maps, targets, everywhere(10, 24), rng=rng)[0, 0]
        draws = null.draw(range(10), n_columns=table.shape[1], n_draws=999, rng=rng)
        assert run_null_test(table, draws, null=null.label).p_value < 0.01


def test_interpolating_all_surrogates_alike_removes_the_bias_of_interpolation():
    """Splines ring where a map is 0: had the observed map not been turned, ranks would tell it."""
    from scipy.ndimage import map_coordinates

    n, n_sources, n_angles = 32, 60, 12
    rng = np.random.default_rng(3)
    maps = np.maximum(blobs(rng, n_sources, n, sigma=1.3) - 0.1, 0.0)
    targets = {"density": blobs(rng, n_sources, n, sigma=1.3)[None]}
    valid = np.broadcast_to(disc(n), maps.shape)
    fair = Rotation(n_angles=n_angles, order=3).tables([SPEARMAN], maps, targets, valid, rng=rng)[
        0, 0
    ]
    where = centred_disc(disc(n), margin=2 * np.sqrt(2))
    steps = 2 * np.pi * np.arange(n_angles) / n_angles
    naive = np.empty((n_sources, n_angles))
    for s in range(n_sources):
        surrogates = map_coordinates(
            maps[s], turned_coordinates(where, steps), order=3, mode="mirror"
        )
        surrogates[0] = maps[s][where]
        naive[s] = SPEARMAN.evaluate(surrogates, targets["density"][0, s][where][None])[:, 0]
    draws = draw_choices(n_sources, n_angles, n_draws=999, rng=rng)
    assert run_null_test(naive, draws, null="naive").z > 4
    assert abs(run_null_test(fair, draws, null="fair").z) < 2.5
