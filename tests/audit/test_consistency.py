"""Consistency under arbitrary rotations."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from attnxai.alignment.resample import resample_to_field
from attnxai.audit.consistency import RotationConsistency, rotation_consistency
from attnxai.audit.readout import field_brightness, layer_grids, read_out
from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceSet
from attnxai.errors import OptionError, UndefinedValuesWarning
from attnxai.models.checkpoints import load_model
from attnxai.models.elements import GroupElement, Interpolation, Outside, transform_images
from attnxai.models.lenet import LeNet, LeNetSpec
from attnxai.models.model import AttentionModel
from attnxai.models.network import gate_geometry
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import Architecture
from tests.audit.models import SIDE, compact_network
from tests.builders import simulated
from tests.models.builders import make_model, range_norm_spec


@pytest.fixture(scope="module")
def galaxies() -> SourceSet:
    return simulated(4, side=SIDE)


def compact_model(group: str) -> AttentionModel:
    return AttentionModel(
        name=group,
        spec=range_norm_spec(group),
        network=compact_network(group),
        preprocessing=Preprocessing(size=SIDE, mean=0.02, deviation=0.1),
        class_names=("FR I", "FR II"),
    )


class QuarterTurns(np.random.Generator):
    """In place of a generator: every angle at the beginning of its part of the circle."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def uniform(self, *args: Any, size: Any = None, **kwargs: Any) -> Any:
        return np.zeros(size)


def test_an_exactly_symmetric_network_is_consistent_at_quarter_turns(galaxies) -> None:
    """Every map, their mean on the field included, has to be turned about the right point."""
    found = rotation_consistency(compact_model("D4"), galaxies, n_angles=4, rng=QuarterTurns())
    np.testing.assert_array_equal(found.angles_deg, np.tile([0.0, 90.0, 180.0, 270.0], (4, 1)))
    assert found.layers == ("gate1", "gate2", "gate3", "mean")
    np.testing.assert_allclose(found.pearson, 1.0, rtol=0, atol=1e-6)
    assert found.spearman.min() > 0.999
    assert found.same_class.all()
    assert found.probability_changes.max() < 1e-5
    other = rotation_consistency(compact_model("C1"), galaxies, n_angles=4, rng=QuarterTurns())
    np.testing.assert_allclose(other.pearson[..., 0], 1.0, rtol=0, atol=1e-6)
    assert other.pearson[..., 1:].mean() < 0.8
    assert other.probability_changes[:, 1:].max() > 1e-3


def test_numbers_of_one_image_at_one_angle(galaxies):
    """From the forward passes, the correlations of scipy, and discs that are drawn here."""
    model = dataclasses.replace(compact_model("D2"), temperature=2.5)
    found = rotation_consistency(model, galaxies, n_angles=3, rng=np.random.default_rng(8))
    image, number = 2, 1
    turn = GroupElement(rotation_deg=found.angles_deg[image, number])
    field = field_brightness(model, galaxies)[image : image + 1]
    turned = transform_images(field, turn)
    turned[turned < field[field > 0].min() / 2] = 0.0
    before, after = read_out(model, field), read_out(model, turned)
    p, q = (torch.softmax(one.scores[0] / 2.5, dim=0) for one in (before, after))
    first = int(p.argmax())
    assert found.same_class[image, number] == (int(q.argmax()) == first)
    assert found.probability_changes[image, number] == pytest.approx(
        abs(float(q[first] - p[first])), abs=1e-6
    )

    def correlations(
        maps: torch.Tensor, turned: torch.Tensor, centre, radius
    ) -> tuple[float, float]:
        wanted = transform_images(
            maps, turn, centre=centre, interpolation=Interpolation.BILINEAR, outside=Outside.NEAREST
        )[0]
        y, x = np.mgrid[: maps.shape[1], : maps.shape[2]]
        disc = np.hypot(y - centre[0], x - centre[1]) <= radius + 1e-6
        pair = (turned[0][disc], wanted[disc])
        return stats.pearsonr(*pair)[0], stats.spearmanr(*pair)[0]

    on_field = {"before": [], "after": []}
    for layer, grid in zip(
        gate_geometry(model.spec, SIDE), layer_grids(model.spec, (SIDE, SIDE)), strict=True
    ):
        pearson, spearman = correlations(
            before.maps[layer.name], after.maps[layer.name], grid.centre, grid.reach / layer.step
        )
        index = found.layers.index(layer.name)
        assert found.pearson[index, image, number] == pytest.approx(pearson, abs=1e-5)
        # ranks of nearly equal values turn on rounding
        assert found.spearman[index, image, number] == pytest.approx(spearman, abs=1e-3)
        place = GridTransform(step=layer.step, origin_x=layer.origin, origin_y=layer.origin)
        for name, readout in (("before", before), ("after", after)):
            maps = readout.maps[layer.name].numpy()
            on_field[name].append(resample_to_field(maps, place, (SIDE, SIDE)))
    means = [torch.from_numpy(np.mean(on_field[name], axis=0)) for name in ("before", "after")]
    middle = (SIDE - 1) / 2
    reach = min(grid.reach for grid in layer_grids(model.spec, (SIDE, SIDE)))
    pearson, spearman = correlations(*means, (middle, middle), reach)
    assert found.pearson[3, image, number] == pytest.approx(pearson, abs=1e-5)
    assert found.spearman[3, image, number] == pytest.approx(spearman, abs=1e-3)


def test_angles_are_spread_over_the_circle_and_drawn_anew_for_every_image(galaxies) -> None:
    model = make_model(side=24)
    found = rotation_consistency(model, galaxies, n_angles=5, rng=np.random.default_rng(2))
    assert found.angles_deg.shape == (4, 5)
    parts = found.angles_deg // 72.0
    np.testing.assert_array_equal(parts, np.tile(np.arange(5.0), (4, 1)))
    assert len(np.unique(found.angles_deg)) == 20
    again = rotation_consistency(
        model, galaxies, n_angles=5, rng=np.random.default_rng(2), batch_size=2
    )
    np.testing.assert_array_equal(again.angles_deg, found.angles_deg)
    np.testing.assert_array_equal(again.same_class, found.same_class)
    np.testing.assert_allclose(again.pearson, found.pearson, rtol=0, atol=1e-5)
    other = rotation_consistency(model, galaxies, n_angles=5, rng=np.random.default_rng(3))
    assert not np.array_equal(other.angles_deg, found.angles_deg)


def test_values_are_kept_for_every_image(galaxies) -> None:
    model = make_model(side=24, group="C1")
    found = rotation_consistency(model, galaxies, n_angles=6, rng=np.random.default_rng(2))
    assert found.sources == galaxies.sources
    np.testing.assert_allclose(found.class_consistency, found.same_class.mean(axis=1))
    np.testing.assert_allclose(found.probability_change, found.probability_changes.mean(axis=1))
    frame = found.to_frame()
    assert frame["source"].tolist() == list(galaxies.sources)
    np.testing.assert_allclose(frame["class_consistency"], found.class_consistency)
    np.testing.assert_allclose(frame["probability_change"], found.probability_change)
    for index, name in enumerate(found.layers):
        np.testing.assert_allclose(found.map_consistency[name], found.pearson[index].mean(axis=1))
        np.testing.assert_allclose(frame[f"{name}_pearson"], found.map_consistency[name])
        np.testing.assert_allclose(frame[f"{name}_spearman"], found.spearman[index].mean(axis=1))
    summary = found.summary()
    assert set(summary) == set(frame.columns) - {"source"}
    assert summary["mean_pearson"] == pytest.approx(found.pearson[3].mean())
    assert summary["class_consistency"] == pytest.approx(found.same_class.mean())
    with pytest.raises(ValueError, match="read-only"):
        found.pearson[0] = 0.0


def test_a_trained_d8_is_more_consistent_than_c1() -> None:
    images = simulated(3)
    d8, c1 = (
        rotation_consistency(
            load_model(f"{name}.pt"), images, n_angles=4, rng=np.random.default_rng(0)
        ).summary()
        for name in ("d8", "c1")
    )
    # coarser maps are mostly where the emission is, which turns with the image in any network
    assert 1 - d8["gate3_pearson"] < 0.5 * (1 - c1["gate3_pearson"])


def test_one_gate_has_no_mean_and_a_lenet_no_maps(galaxies) -> None:
    rng = np.random.default_rng(0)
    one = rotation_consistency(make_model(side=24, n_gates=1), galaxies, n_angles=2, rng=rng)
    assert one.layers == ("gate1",)
    spec = LeNetSpec(architecture=Architecture.LENET, side=24)
    lenet = AttentionModel(
        name="lenet",
        spec=spec,
        network=LeNet(spec, generator=torch.Generator().manual_seed(0)).eval(),
        preprocessing=Preprocessing(size=24),
        class_names=("FR I", "FR II"),
    )
    none = rotation_consistency(lenet, galaxies, n_angles=2, rng=rng)
    assert none.layers == ()
    assert none.map_consistency == {}
    assert none.probability_changes.max() > 0
    assert set(none.summary()) == {"class_consistency", "probability_change"}


def test_the_share_of_kept_classes_is_counted(galaxies) -> None:
    """A network whose class is decided by how far right the brightness lies."""
    spec = LeNetSpec(architecture=Architecture.LENET, side=24)
    network = LeNet(spec).eval()

    def decide(images: torch.Tensor) -> torch.Tensor:
        right = (images[..., 12:] - images[..., :12]).sum(dim=(1, 2, 3))
        return torch.stack([right, -right], dim=1)

    network.forward = decide  # type: ignore[method-assign]
    model = AttentionModel(
        name="right or left",
        spec=spec,
        network=network,
        preprocessing=Preprocessing(size=24),
        class_names=("right", "left"),
    )
    found = rotation_consistency(model, galaxies, n_angles=4, rng=QuarterTurns())
    assert found.same_class[:, 0].all()
    assert not found.same_class[:, 2].any(), "half a turn exchanges left and right"
    assert found.class_consistency.max() <= 0.75


def test_constant_maps_are_undefined_and_named(galaxies) -> None:
    model = make_model(side=24)
    with torch.no_grad():
        model.network.gates[2].psi.weight.zero_()  # type: ignore[union-attr, index]
    with pytest.warns(UndefinedValuesWarning, match="8 of 8 correlations of gate3 are undefined"):
        found = rotation_consistency(model, galaxies, n_angles=2, rng=np.random.default_rng(0))
    assert np.isnan(found.pearson[2]).all()
    assert np.isfinite(found.pearson[[0, 1, 3]]).all()
    assert np.isnan(found.summary()["gate3_pearson"])


def test_what_cannot_be_rotated_is_refused(galaxies) -> None:
    model = make_model(side=24)
    with pytest.raises(OptionError, match="n_angles has to be 1 or more, got 0"):
        rotation_consistency(model, galaxies, n_angles=0, rng=np.random.default_rng(0))
    with pytest.raises(OptionError, match="no images"):
        rotation_consistency(model, [], rng=np.random.default_rng(0))


def test_progress_is_told_image_by_image(galaxies) -> None:
    told: list[tuple[int, int]] = []
    found = rotation_consistency(
        make_model(side=24),
        galaxies,
        n_angles=1,
        rng=np.random.default_rng(0),
        on_image=lambda *both: told.append(both),
    )
    assert isinstance(found, RotationConsistency)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
