"""Class means of maps over sources that are turned to one position angle."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from attnxai.audit import AUDITS
from attnxai.audit.class_means import class_mean_maps
from attnxai.audit.class_sums import BRIGHTNESS
from attnxai.errors import OptionError
from tests.audit.models import WeightedSum, model_of, stack_of
from tests.audit.test_source_axes import SIDE, double
from tests.builders import simulated
from tests.models.builders import make_model


def made_up(n=20, *, seed=0):
    """Double sources of two sizes at random angles, maps that follow them, and maps that do not."""
    rng = np.random.default_rng(seed)
    classes = ["FR I", "FR II"] * (n // 2)
    images = np.stack(
        [double(rng.uniform(0, 360), distance=8.0 if name == "FR I" else 18.0) for name in classes]
    )
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    blob = np.exp(-(x**2 + y**2) / 200)
    layers = {
        "follows": images + 0.02 * rng.standard_normal(images.shape),
        "round": np.stack([blob] * n) + 0.02 * rng.standard_normal(images.shape),
    }
    model = model_of(WeightedSum(np.ones((SIDE, SIDE))), SIDE)
    return stack_of(model, images, layers), classes


@pytest.fixture(scope="module")
def found():
    return class_mean_maps(*made_up(), group="D4", n_bootstrap=300)


def test_mean_images_are_the_source_at_one_angle(found):
    assert found.classes == ("FR I", "FR II")
    assert dict(found.n_sources) == {"FR I": 10, "FR II": 10}
    mean = found.mean_of(BRIGHTNESS, "FR II")
    inside = np.isfinite(mean)
    np.testing.assert_allclose(mean[inside], double(0.0, distance=18.0)[inside], atol=0.08)
    row, column = np.unravel_index(np.nanargmax(mean), mean.shape)
    assert (row, column) == (32, 50)
    # the corners leave the frame in some rotations
    assert np.isnan(mean[0, 0])
    assert inside[32].all()


def test_the_contrast_along_the_axis_tells_maps_that_follow_the_source(found):
    follows, circular = (found.profiles[name, "FR II"].along_axis for name in ("follows", "round"))
    assert follows.low > 0.05
    assert abs(circular.value) < 1e-3
    text = found.summary()
    assert text.startswith("Mean maps of 10 FR I and 10 FR II sources turned to their major axes.")
    assert "The map follows differs along the major axis from across it by +" in text


def test_profiles_peak_where_the_lobes_are(found):
    profile = found.profiles["follows", "FR II"]
    assert found.radii[np.argmax(profile.radial[0])] == pytest.approx(18, abs=1.5)
    assert found.angles_deg[np.argmax(profile.angular[0])] == 0.0
    beyond = np.argsort(profile.angular[0])[-6:]
    assert set(found.angles_deg[beyond]) == {0.0, 15.0, 345.0, 165.0, 180.0, 195.0}
    assert (profile.radial[1] <= profile.radial[0]).all()
    assert (profile.radial[2] >= profile.radial[0]).all()
    # by hand: the mean over a ring, over sources
    ring = int(np.argmax(profile.radial[0]))
    step = (SIDE - 1) / 2 / 24
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    own = np.floor(np.hypot(x, y) / step) == ring
    assert profile.radial[0][ring] == pytest.approx(found.mean_of("follows", "FR II")[own].mean())


def test_tables_and_records(found):
    frame = found.to_frame()
    assert set(frame["profile"]) == {"radial", "angular"}
    assert len(frame) == 2 * 3 * (len(found.radii) + 24)
    record = json.loads(json.dumps(found.to_record(), allow_nan=False))
    wanted = found.profiles["follows", "FR I"].along_axis.value
    assert record["along_axis"]["follows"]["FR I"]["value"] == wanted
    assert found.passes is None


def test_sources_without_class_or_direction_are_left_out_and_counted():
    stack, classes = made_up(4)
    images = np.array(stack.brightness)
    images[0] = double(0.0, distance=0.0)
    stack = dataclasses.replace(stack, brightness=images)
    found = class_mean_maps(stack, [*classes[:3], None], n_bootstrap=10)
    assert dict(found.n_sources) == {"FR I": 1, "FR II": 1}
    assert found.n_left_out == 2
    assert "2 sources without a class or a direction left out" in found.summary()


def test_classes_may_be_given_by_the_names_of_sources():
    stack, classes = made_up(4)
    by_name = dict(zip(stack.sources, classes, strict=True)) | {"elsewhere": "FR I"}
    one, other = (class_mean_maps(stack, given, n_bootstrap=10) for given in (classes, by_name))
    assert one.to_record() == other.to_record()
    with pytest.raises(OptionError, match="classes names none of the 4 sources"):
        class_mean_maps(stack, {"elsewhere": "FR I"})


def test_mistakes_are_named(found):
    stack, classes = made_up(2)
    with pytest.raises(OptionError, match="classes has 1 entries for 2 sources"):
        class_mean_maps(stack, classes[:1])
    with pytest.raises(OptionError, match="n_bootstrap has to be 1 or more, got 0"):
        class_mean_maps(stack, classes, n_bootstrap=0)
    with pytest.raises(OptionError, match="no source has a class and a direction"):
        class_mean_maps(stack, [None, None])
    with pytest.raises(OptionError, match="unknown class 'FR 0'"):
        found.mean_of("round", "FR 0")


def test_predicted_classes_that_stand_for_unknown_ones_are_counted(monkeypatch):
    monkeypatch.setattr("attnxai.audit.own_maps.own_methods", lambda _: ("gates",))
    images = simulated(4, side=40)
    images = [dataclasses.replace(image, class_name=None) for image in images[:3]] + [images[3]]
    result = AUDITS["class_means"].function(
        make_model(side=32), images, rng=np.random.default_rng(0)
    )
    assert result.n_predicted == result.to_record()["n_predicted"] == 3
    assert "The class of 3 sources is not known and the predicted one stands" in result.summary()
