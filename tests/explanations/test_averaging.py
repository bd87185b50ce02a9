"""SmoothGrad around any method, and maps symmetrised over a group."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.data.emission import cells_with_emission
from attnxai.errors import OptionError
from attnxai.explanations import EXPLANATIONS, explain, smoothed, symmetrised
from attnxai.explanations.inputs import ChangedImages, NetworkInputs
from attnxai.explanations.targets import against_the_others
from tests.explanations.attributed import (
    CLASSES,
    Linear,
    Quadratic,
    Residual,
    image_of,
    inputs_and_blank,
    model_of,
    sources,
)
from tests.explanations.conftest import SIDE as GATED_SIDE
from tests.explanations.conftest import build_model


def turned(images, turns, mirrored=False):
    return [
        image_of(np.rot90(one.pixels[:, ::-1] if mirrored else one.pixels, turns), one.source)
        for one in images
    ]


def test_networks_see_changed_images():
    model, images = model_of(Linear()), sources(2)
    changed = ChangedImages(images, lambda brightness: brightness[:, ::-1] * 0.5)
    plain = NetworkInputs.of(model, images).brightness
    np.testing.assert_array_equal(NetworkInputs.of(model, changed).brightness, plain[:, ::-1] * 0.5)
    assert [image.source for image in changed] == ["s0", "s1"]
    assert len(changed) == 2


def test_smoothgrad_of_a_square_is_the_mean_of_noisy_gradients():
    """The gradient of w x^2 is 2 w x: noise of mean 0 leaves its mean, and |2 w x| grows where x is small."""
    model, images = model_of(Quadratic()), sources(2)
    method = smoothed(EXPLANATIONS["input_x_gradient"], n=200, noise=0.05)
    seen, blank = inputs_and_blank(model, images)
    weight = model.network.module.weight.detach()[0]
    # (x + e - x0) 2 w (x + e), whose mean is that without noise plus 2 w var(e); e in units of the input
    variance = (0.05 / model.preprocessing.deviation) ** 2
    expected = (2 * weight * ((seen - blank) * seen + variance)[:, 0]).numpy()
    stack = explain(model, images, method, target="FR I", rng=3)
    found = stack.layers["smoothed_input_x_gradient"]
    error = 8 * np.abs(weight.numpy()) * 0.1 * (np.abs(seen[:, 0].numpy()) + 0.3) / np.sqrt(200)
    assert (np.abs(found - expected) < 4 * error).all()
    (facts,) = stack.provenance["explanations"]
    assert facts["options"] == {"n": 200, "noise": 0.05, "noise_on_emission_alone": False}
    assert facts["method"]["name"] == "input_x_gradient"
    assert facts["seed"] == 3


def test_smoothing_needs_its_seed_and_keeps_brightness():
    model, images = model_of(Residual()), sources(2)
    first, again, other = (explain(model, images, "smoothgrad", rng=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.layers["smoothgrad"], again.layers["smoothgrad"])
    assert (first.layers["smoothgrad"] != other.layers["smoothgrad"]).any()
    plain = explain(model, images, "saliency")
    np.testing.assert_array_equal(first.brightness, plain.brightness)
    np.testing.assert_array_equal(first.scores, plain.scores)
    assert first.splits == plain.splits


def test_the_class_is_that_of_the_image_without_noise():
    model, images = model_of(Residual()), sources(4)
    method = smoothed(EXPLANATIONS["saliency"], n=2, noise=50.0)
    stack = explain(model, images, method)
    for index, name in enumerate(stack.predicted_classes()):
        # the noise of each image is drawn together with that of the others
        own = explain(model, images, method, target=against_the_others(name, model.class_names))
        np.testing.assert_array_equal(
            stack.layers["smoothed_saliency"][index], own.layers["smoothed_saliency"][index]
        )


def test_networks_that_attend_to_emission_get_no_noise_on_blank_sky():
    model = build_model(normalisation="emission", disc=False)
    method = smoothed(EXPLANATIONS["gates"], n=2, noise=0.3)
    stack = explain(model, sources(2, GATED_SIDE), method)
    plain = explain(model, sources(2, GATED_SIDE), "gates")
    for gate, maps in plain.layers.items():
        found = stack.layers[f"smoothed_gates {gate}"]
        emission = cells_with_emission(plain.brightness > 0, plain.geometry[gate], maps.shape[1:])
        assert not found[~emission].any()
        assert not emission.all()
        assert (found != maps).any()
    assert stack.means == {"smoothed_gates mean": tuple(stack.layers)}


@pytest.mark.parametrize("name", ["saliency", "deeplift", "gradcam", "occlusion"])
def test_symmetrised_maps_turn_with_the_image_exactly(name):
    """Those of an ordinary network, which does not: D4 maps the grid onto itself."""
    model, images = model_of(Residual()), sources(2)
    method = symmetrised(EXPLANATIONS[name], group="D4")
    plain = explain(model, images, name, target=CLASSES)
    stack = explain(model, images, method, target=CLASSES)
    (facts,) = stack.provenance["explanations"]
    assert facts["options"] == facts["options"] | {"group": "D4", "n_elements": 8}
    assert stack.geometry[method.name] == plain.geometry[name]
    maps = stack.layers[method.name]
    for turns, mirrored in ((1, False), (2, False), (3, True)):
        other = explain(model, turned(images, turns, mirrored), method, target=CLASSES)
        expected = np.rot90(maps[..., ::-1] if mirrored else maps, turns, (-2, -1))
        size = np.abs(maps).max()
        if name != "gradcam":  # whose cells lie off the middle in this network
            np.testing.assert_allclose(other.layers[method.name], expected, atol=1e-5 * size)
            assert "measured" not in facts
        else:
            assert facts["measured"]["interpolation_error"]["gradcam"]["lowest"] > 0
    assert (maps != plain.layers[name]).any()


def test_the_mean_by_hand():
    model, images = model_of(Residual()), sources(2)
    parts = [
        np.rot90(
            explain(model, turned(images, k), "input_x_gradient", target="FR I").layers[
                "input_x_gradient"
            ],
            -k,
            (-2, -1),
        )
        for k in range(4)
    ]
    method = symmetrised(EXPLANATIONS["input_x_gradient"], group="C4")
    found = explain(model, images, method, target="FR I").layers[method.name]
    np.testing.assert_allclose(found, np.mean(parts, axis=0), atol=1e-6)


def test_nothing_changes_for_an_equivariant_network():
    model = build_model(group="C4")
    images = sources(2, GATED_SIDE)
    plain = explain(model, images, "gates")
    stack = explain(model, images, "symmetrised_gates")
    for gate, maps in plain.layers.items():
        np.testing.assert_allclose(stack.layers[f"symmetrised_gates {gate}"], maps, atol=1e-4)
    (facts,) = stack.provenance["explanations"]
    assert facts["options"] == {"group": "C4", "n_elements": 4, "n_exact": 4}


def test_other_angles_are_interpolated_with_their_error():
    """A smooth map of brightness loses little; one of single pixels much."""
    model = model_of(Linear(48), 48)
    y, x = np.mgrid[:48, :48] - 23.5
    smooth = 255.0 * np.exp(-((y - 3) ** 2 + (x + 4) ** 2) / (2 * 6.0**2))
    sharp = np.zeros((48, 48))
    sharp[20, 27] = 255.0

    def seen(model, images, *, target, rng):
        inputs = NetworkInputs.of(model, images)
        return inputs.stack({"input": inputs.brightness})

    method = symmetrised(
        type(EXPLANATIONS["gates"])(name="input", title="maps of the input", function=seen),
        group="C8",
    )
    errors = []
    for pixels in (smooth, sharp):
        stack = explain(model, [image_of(pixels)], method)
        (facts,) = stack.provenance["explanations"]
        assert facts["options"]["n_exact"] == 4
        errors.append(facts["measured"]["interpolation_error"]["input"]["highest"])
    assert errors[0] < 0.02
    assert 0.2 < errors[1] < 1.0
    # a map that turns with the image stays, but for the interpolation
    found = explain(model, [image_of(smooth)], method).layers[method.name][0]
    assert np.abs(found - smooth / 255.0)[5:-5, 5:-5].max() < 0.02


def test_names_on_the_command_line():
    model, images = model_of(Residual()), sources(1)
    stack = explain(model, images, ["gradcam", "smoothed_gradcam", "symmetrised_gradcam"])
    assert list(stack.layers) == ["gradcam", "smoothed_gradcam", "symmetrised_gradcam"]
    with pytest.raises(OptionError, match="unknown explanation method 'gradients'"):
        explain(model, images, "smoothed_gradients")


@pytest.mark.parametrize("options", [{"n": 0}, {"noise": 0.0}, {"noise": np.nan}])
def test_options_that_smooth_nothing(options):
    with pytest.raises(OptionError, match="smoothing needs"):
        smoothed(EXPLANATIONS["saliency"], **options)


def test_groups_that_are_none():
    with pytest.raises(Exception, match="unknown group 'E8'"):
        symmetrised(EXPLANATIONS["saliency"], group="E8")
