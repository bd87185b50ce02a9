"""What every explanation method does, whoever wrote it: targets, randomness, progress, provenance."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import attnxai
from attnxai.data.origin import origin_of
from attnxai.errors import AlignmentError, OptionError
from attnxai.explanations import ExplanationMethod, register_explanation
from attnxai.report.wording import label_of_map, map_in_sentence
from tests.registries import names_free


def method_of(function, **facts) -> ExplanationMethod:
    return ExplanationMethod(name="mine", title="my maps", function=function, **facts)


def mine(model, images, *, target, rng):
    return attnxai.attention_maps(model, images)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda model, images: (model, [Path("a.fits")]), "gives, got one of PosixPath"),
        (lambda model, images: (model, "folder"), "gives, got str"),
        (lambda model, images: (model, images[0]), "got SourceImage; put a single image into a list"),
        (lambda model, images: (model, torch.zeros(1, 1, 8, 8)), "gives, got Tensor"),
        (lambda model, images: (model.network, images), "; make a model of a module with attnxai.wrap"),
        (lambda model, images: ("d8.pt", images), "a model is needed to explain images, got str"),
    ],
)  # fmt: skip
def test_what_is_no_model_or_no_images_is_refused(wrong, message, model, images) -> None:
    with pytest.raises(OptionError, match=message):
        attnxai.explain(*wrong(model, images))


def test_the_gates_are_a_method_and_attention_maps_its_verb(model, images) -> None:
    by_name = attnxai.explain(model, images, target="FR II", rng=4)
    verb = attnxai.attention_maps(model, images)
    for name, maps in verb.layers.items():
        np.testing.assert_array_equal(by_name.layers[name], maps)
    # neither class nor randomness plays a part, and so neither is recorded
    assert by_name.provenance == verb.provenance
    assert verb.provenance["explanations"] == [{"name": "gates", "title": "attention maps"}]
    gates = attnxai.explanations.EXPLANATIONS["gates"]
    assert attnxai.explain(model, images, gates).sources == images.sources


def test_a_method_runs_in_evaluation_without_gradients_on_one_thread(model, images) -> None:
    seen = []

    def watched(given, some, *, target, rng):
        seen.append((given.network.training, torch.is_grad_enabled(), torch.get_num_threads()))
        assert target == "FR II"
        return attnxai.attention_maps(given, some)

    model.network.train()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        maps = attnxai.explain(model, images, method_of(watched, uses_target=True), target="FR II")
        assert seen == [(False, False, 1)]
        assert (model.network.training, torch.get_num_threads()) == (True, 2)
    finally:
        torch.set_num_threads(before)
    assert maps.provenance["explanations"][0]["target"] == "FR II"


@pytest.mark.parametrize(("rng", "seed"), [(3, 3), (np.random.default_rng(3), None)])
def test_randomness_and_progress(model, images, rng, seed) -> None:
    drawn, reported = [], []

    def noise(given, some, *, target, rng):
        drawn.append(rng.random())
        return attnxai.attention_maps(given, some)

    method = method_of(noise, uses_rng=True)
    maps = attnxai.explain(model, images, method, rng=rng, on_batch=lambda *n: reported.append(n))
    assert drawn == [np.random.default_rng(3).random()]
    assert reported == [(5, 5)]
    expected = {"name": "mine", "title": "my maps", "seed": seed}
    (found,) = maps.provenance["explanations"]
    assert found == expected | origin_of(noise)
    assert found["module"] == __name__


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (0, "target 0 is not a class of the model tiny; its classes are FR I, FR II"),
        (("FR I", 1), "target 1 is not a class"),
        (("FR I", "FR I"), "target has to be one class, or several different ones"),
        ((), "target has to be one class"),
    ],
)
def test_targets_that_are_no_classes(model, images, target, message) -> None:
    with pytest.raises(OptionError, match=message):
        attnxai.explain(model, images, "evidence", target=target)


def test_what_does_not_fit_is_refused(model, images) -> None:
    with pytest.raises(
        OptionError, match="target 'FR III' is not a class of the model tiny; its cl"
    ):
        attnxai.explain(model, images, target="FR III")
    known = re.escape(", ".join(sorted(attnxai.explanations.EXPLANATIONS)))
    with pytest.raises(OptionError, match=r"^object is not a registered explanation method"):
        attnxai.explain(model, images, object())  # type: ignore[arg-type]
    message = f"unknown explanation method 'lime'.*; known explanation methods are {known}$"
    with pytest.raises(OptionError, match=message):
        attnxai.explain(model, images, "lime")
    with pytest.raises(AlignmentError, match="no images to explain"):
        attnxai.explain(model, [])
    with pytest.raises(OptionError, match=r"called gates is registered by attnxai\.explan"):
        attnxai.explanations.register_explanation(name="gates", title="mine")(mine)
    for name, nameless in (("LRP", mine), ("", functools.partial(mine))):
        with pytest.raises(OptionError, match=f"explanation method '{name}' needs a name that"):
            attnxai.explanations.register_explanation(name=name, title="mine")(nameless)
    for function in (
        lambda given, some, **_: attnxai.attention_maps(given, some[:1]),
        lambda given, some, **_: np.ones((5, 8, 8)),
    ):
        with pytest.raises(OptionError, match="method mine has to return a MapStack of the image"):
            attnxai.explain(model, images, method_of(function))


def test_methods_that_read_gates_share_one_pass(model, images) -> None:
    passes = []
    handle = model.network.register_forward_hook(lambda *_: passes.append(1))
    names = ["gates", "evidence", "gates_magnitude"]
    together = attnxai.explain(model, images, names)
    handle.remove()
    assert len(passes) == -(-len(images) // 16)
    for name in names:
        for layer, maps in attnxai.explain(model, images, name).layers.items():
            np.testing.assert_array_equal(maps, together.layers[layer])


def test_names_and_labels_of_this_package_are_its_own() -> None:
    for name in ("input_x_gradient", "cam"):  # whether or not it is loaded
        with (
            names_free(name),
            pytest.raises(OptionError, match=f"called {name}( is|;).*choose ano"),
        ):
            register_explanation(title="my maps", name=name)(mine)
    with names_free("mine"):
        with pytest.raises(OptionError, match=r"has the label grad-cam, .* of other maps"):
            register_explanation(title="my maps", name="mine", label="grad-cam")(mine)
        register_explanation(title="my maps", name="mine", label="map of mine")(mine)
        assert label_of_map("mine") == "Map of mine"
        assert map_in_sentence("mine layer4") == "map of mine of layer4"
    assert label_of_map("mine") == "Mine"
