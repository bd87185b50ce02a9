"""Attention maps: from the pass of the prediction, and without a trace in the model."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage, SourceSet, from_array
from attnxai.errors import AlignmentError, AssumptionWarning, ImageError
from attnxai.explanations.gate_pass import gate_batches
from attnxai.explanations.gates import attention_maps
from attnxai.explanations.inputs import model_provenance, one_thread, split_of, splits_of
from attnxai.explanations.stack import MapStack, Split
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork, gate_geometry
from attnxai.models.specification import Normalisation
from attnxai.models.steerable import soft_disc
from tests.data.skies import make_wcs
from tests.explanations.conftest import SIDE, build_model


def traces(network: AttentionNetwork) -> dict[str, tuple[object, ...]]:
    """What an explanation could leave behind, module by module and weight by weight."""
    left: dict[str, tuple[object, ...]] = {
        name: (
            module.training,
            len(module._forward_hooks),
            len(module._forward_pre_hooks),
            len(module._backward_hooks),
        )
        for name, module in network.named_modules()
    }
    for name, tensor in network.state_dict(keep_vars=True).items():
        left[f"tensor {name}"] = (
            tensor.device,
            tensor.dtype,
            tensor.requires_grad,
            tensor.grad is None,
            tensor.detach().numpy().tobytes(),
        )
    return left


def test_a_model_is_the_same_afterwards(model, images) -> None:
    network = model.network
    network.train()
    network.blocks[1].eval()
    network.gates[0].psi.weight.requires_grad_(False)
    before = traces(network)
    attention_maps(model, images)
    assert traces(network) == before
    assert torch.is_grad_enabled()


def scores_of(stack: MapStack) -> np.ndarray:
    assert stack.scores is not None
    return stack.scores


class Breaks(nn.Module):
    """A head that fails in its second batch."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head, self.n = head, 0

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self.n += 1
        if self.n > 1:
            raise RuntimeError("out of memory")
        result: torch.Tensor = self.head(values)
        return result


def test_a_model_is_the_same_after_a_failure(model, images) -> None:
    network = model.network
    network.head = Breaks(network.head)
    network.train()
    network.dropout.eval()
    before = traces(network)
    with pytest.raises(RuntimeError, match="out of memory"):
        attention_maps(model, images, batch_size=2)
    assert traces(network) == before
    assert torch.is_grad_enabled()


def test_a_model_is_the_same_after_a_failing_callback(model, images) -> None:
    before = traces(model.network)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attention_maps(model, images, on_batch=interrupt)
    assert traces(model.network) == before


def test_hooks_are_gone_after_an_error_in_the_block(model) -> None:
    before = traces(model.network)
    within = []
    side = model.preprocessing.size

    def fail() -> None:
        for _ in gate_batches(model.network, iter([torch.zeros(1, 1, side, side)])):
            within.append(traces(model.network))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert within[0] != before
    assert traces(model.network) == before


def test_a_model_in_training_mode_gives_the_maps_of_evaluation(model, images) -> None:
    expected = attention_maps(model, images)
    model.network.train()
    stack = attention_maps(model, images)
    assert scores_of(stack).tolist() == scores_of(expected).tolist()
    for name, maps in expected.layers.items():
        assert np.array_equal(stack.layers[name], maps)


@pytest.mark.parametrize("normalisation", list(Normalisation))
def test_batch_size_does_not_change_maps(images, normalisation) -> None:
    model = build_model(normalisation=normalisation)
    model.network.double()  # so that the order of sums in a batch does not matter
    stacks = [attention_maps(model, images, batch_size=size) for size in (1, 2, 5, 16)]
    for stack in stacks[1:]:
        for name, maps in stacks[0].layers.items():
            np.testing.assert_allclose(stack.layers[name], maps, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(scores_of(stack), scores_of(stacks[0]), rtol=1e-6, atol=1e-6)


def test_order_and_company_do_not_change_maps(model, images) -> None:
    everything = attention_maps(model, images)
    some = attention_maps(model, images.select(["s4", "s1"]))
    assert some.sources == ("s4", "s1")
    for name, maps in everything.layers.items():
        np.testing.assert_allclose(some.layers[name], maps[[4, 1]], rtol=1e-5, atol=1e-6)


def test_maps_and_predictions_are_of_one_pass(model, images, monkeypatch) -> None:
    """Every image passes once, and what is returned is what that pass computed."""
    n_seen = 0
    gated: list[torch.Tensor] = []
    results: list[torch.Tensor] = []
    forward = AttentionNetwork.forward

    def counted(self: AttentionNetwork, batch: torch.Tensor) -> torch.Tensor:
        nonlocal n_seen
        n_seen += len(batch)
        results.append(forward(self, batch))
        return results[-1]

    monkeypatch.setattr(AttentionNetwork, "forward", counted)
    for gate in model.network.gates:
        gate.normalise.register_forward_hook(lambda _m, _i, output: gated.append(output))
    stack = attention_maps(model, images, batch_size=3)
    assert n_seen == len(images)
    np.testing.assert_array_equal(stack.scores, torch.cat(results).double().numpy())
    for index, name in enumerate(("gate1", "gate2", "gate3")):
        expected = torch.cat(gated[index::3])[:, 0].numpy()
        np.testing.assert_array_equal(stack.layers[name], expected)


def test_maps_are_those_of_the_preprocessed_image(model, images) -> None:
    stack = attention_maps(model, images)
    inputs = []
    for image in images:
        # 31 x 30 pixels, of which the middle 26 x 26 are seen
        seen = image.pixels[2 : 2 + SIDE, 2 : 2 + SIDE] / np.float32(255)
        inputs.append((seen - 0.1) / 0.4)
    with torch.no_grad():
        scores = model.network(torch.tensor(np.stack(inputs), dtype=torch.float32)[:, None])
    np.testing.assert_allclose(scores_of(stack), scores.numpy(), rtol=1e-4, atol=1e-5)
    names = model.class_names
    assert stack.predicted_classes() == tuple(names[i] for i in scores.argmax(dim=1))


def test_where_maps_lie_and_what_is_valid(model, images) -> None:
    stack = attention_maps(model, images)
    assert set(stack.layers) == {"gate1", "gate2", "gate3"}
    for layer in gate_geometry(model.spec, SIDE):
        assert stack.layers[layer.name].shape == (5, layer.size, layer.size)
        transform = stack.geometry[layer.name]
        assert (transform.step, transform.origin_x, transform.origin_y) == (
            layer.step,
            layer.origin,
            layer.origin,
        )
    assert all((field.origin_y, field.origin_x) == (2, 2) for field in stack.field)
    disc = soft_disc(SIDE, SIDE).numpy() > 0.5
    assert not disc.all()
    assert all(np.array_equal(valid, disc) for valid in stack.valid)
    without = attention_maps(build_model(disc=False), images)
    assert without.valid.all()
    assert stack.field_scale_arcsec == 1.8
    assert 0.0 <= stack.brightness.min() < stack.brightness.max() <= 1.0


def test_unobserved_pixels_are_not_valid(model, images) -> None:
    footprint = np.ones((31, 30), bool)
    footprint[14, 15] = False
    holed = dataclasses.replace(images[0], footprint=footprint)
    whole = attention_maps(model, images[:1]).valid[0]
    valid = attention_maps(model, [holed]).valid[0]
    assert np.argwhere(valid != whole).tolist() == [[12, 13]]


def test_progress_is_reported(model, images) -> None:
    reported: list[tuple[int, int]] = []
    attention_maps(
        model, images, batch_size=2, on_batch=lambda done, total: reported.append((done, total))
    )
    assert reported == [(2, 5), (4, 5), (5, 5)]


def test_a_missing_pixel_scale_is_an_assumption_that_is_said(model, images) -> None:
    rng = np.random.default_rng(1)
    bare = [
        from_array(rng.integers(0, 256, (SIDE, SIDE)).astype(np.uint8), source=f"b{i}")
        for i in range(2)
    ]
    with pytest.warns(
        AssumptionWarning,
        match=r"2 of 3 images state no pixel scale.*1\.8 arcsec a pixel; state it with pixel_scale_arcsec$",
    ):
        attention_maps(model, [*bare, images[0]])


def test_no_images_and_too_small_images_are_refused(model) -> None:
    with pytest.raises(AlignmentError, match="no images to explain"):
        attention_maps(model, SourceSet([]))
    small = from_array(np.eye(10, dtype=np.uint8), source="small", pixel_scale_arcsec=1.8)
    with pytest.raises(ImageError, match="image small has 10 x 10"):
        attention_maps(model, [small])


# --- what a model knew ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("s0", Split.TRAINING),
        ("s1", Split.TRAINING),
        ("s2", Split.VALIDATION),
        ("s3", Split.HELD_OUT),
    ],
)
@pytest.mark.parametrize("split", [None, "train", "test"])
def test_split_from_the_training_record(model, images, source, expected, split) -> None:
    image = dataclasses.replace(images[source], split=split)
    assert split_of(model, image) is expected
    known = dataclasses.replace(model, trained_on_split="train")
    assert split_of(known, image) is expected, "the record knows better than the split"


@pytest.mark.parametrize(
    ("trained_on", "split", "expected"),
    [
        ("train", "train", Split.TRAINING),
        ("train", "test", Split.HELD_OUT),
        ("test", "train", Split.HELD_OUT),
        ("train", None, Split.UNKNOWN),
        (None, "train", Split.UNKNOWN),
        (None, None, Split.UNKNOWN),
    ],
)
def test_split_from_the_published_split(model, images, trained_on, split, expected) -> None:
    published = dataclasses.replace(model, training=None, trained_on_split=trained_on)
    mirabest = "100_142.745+003.808_0.0890_0212.98"
    image = dataclasses.replace(images["s0"], source=mirabest, split=split)
    assert split_of(published, image) is expected
    assert attention_maps(published, [image]).splits == (expected,)
    other = dataclasses.replace(image, source="0_FRICAT_FR1")
    assert split_of(published, other) is Split.UNKNOWN, "the split of another data set"


def test_copies_under_other_names_are_known_by_what_is_seen_of_them(model, images) -> None:
    def seen(*sources: str) -> tuple[str, ...]:
        return tuple(model.preprocessing.view(images[s]).fingerprint() for s in sources)

    record = dataclasses.replace(
        model.training, train_fingerprints=seen("s0", "s1"), validation_fingerprints=seen("s2")
    )
    marked = dataclasses.replace(model, training=record)
    copies = [
        dataclasses.replace(images[s], source=f"copy of {s}") for s in ("s1", "s2", "s3", "s4")
    ]
    expected = (Split.TRAINING, Split.VALIDATION, Split.HELD_OUT, Split.HELD_OUT)
    assert tuple(split_of(marked, copy) for copy in copies) == expected
    assert attention_maps(marked, copies).splits == expected
    assert attention_maps(model, copies).splits == (Split.HELD_OUT,) * 4
    # the id still counts where the image is another one
    assert split_of(marked, dataclasses.replace(images["s4"], source="s0")) is Split.TRAINING


ARCSEC = 1 / 3600


def test_another_image_of_a_source_is_known_by_its_position(model, images) -> None:
    """Other pixels, name, scale and frame: what counts is where the centre of the field lies."""

    def at(ra, dec, *, source="anew", shape=(40, 40), beam=None, **sky):
        wcs = make_wcs(shape, centre=(ra, dec), **sky)
        pixels = np.random.default_rng(7).random(shape)
        grid = PixelGrid(shape=shape, wcs=wcs)
        return SourceImage(source=source, pixels=pixels, grid=grid, beam_arcsec=beam, prepared=True)

    # the radius is an eighth of the larger field: that of the model has 26 pixels, 5.85 arcsec, the images 9 arcsec
    record = dataclasses.replace(
        model.training, train_positions=((150.0, 0.0), None), validation_positions=((0.0, 60.0),)
    )
    knowing = dataclasses.replace(model, training=record)
    expected = {
        Split.TRAINING: [
            at(150.0, 0.0),
            at(150.0 + 5.1 * ARCSEC, 0.0),
            at(150.0, -5.1 * ARCSEC, pixel_arcsec=1.2),
            at(150.0 - 5.1 * ARCSEC, 0.0, turn_deg=30.0, east_right=True),
            # a broad beam, as of another survey
            at(150.0 + 20 * ARCSEC, 0.0, pixel_arcsec=6.0, beam=(45.0, 45.0, 0.0)),
        ],
        Split.VALIDATION: [at(360.0 - 8 * ARCSEC, 60.0), at(5 * ARCSEC, 60.0)],
        Split.HELD_OUT: [
            at(150.0 + 9.3 * ARCSEC, 0.0),
            at(30.0, 30.0),
            dataclasses.replace(images["s3"], source="no coordinates"),
        ],
    }
    for split, cutouts in expected.items():
        assert splits_of(knowing, cutouts) == (split,) * len(cutouts)
        assert splits_of(model, cutouts) == (Split.HELD_OUT,) * len(cutouts)
    both = [*expected[Split.TRAINING][:1], *expected[Split.VALIDATION][:1]]
    named = [dataclasses.replace(image, source=f"n{i}") for i, image in enumerate(both)]
    assert attention_maps(knowing, named).splits == (Split.TRAINING, Split.VALIDATION)
    facts = model_provenance(knowing)
    assert (facts["n_seen"], facts["n_seen_positions"]) == (3, 2)


def test_splits_of_a_stack(model, images) -> None:
    assert attention_maps(model, images).splits == (
        Split.TRAINING,
        Split.TRAINING,
        Split.VALIDATION,
        Split.HELD_OUT,
        Split.HELD_OUT,
    )


def test_provenance_is_plain_and_names_no_folder(model) -> None:
    facts = model_provenance(model)
    assert json.loads(json.dumps(facts)) == facts | {"specification": facts["specification"]}
    assert facts["file"] == "small.pt"
    assert facts["sha256"] == "34"
    assert facts["group"] == "C4"
    assert facts["validation_accuracy"] == 0.75
    assert facts["test_accuracy"] is None
    assert facts["n_parameters"] == sum(p.numel() for p in model.network.parameters())
    bare: AttentionModel = dataclasses.replace(model, training=None)
    assert model_provenance(bare)["trained_on"] is None


def test_networks_on_the_cpu_use_one_thread_and_give_the_others_back():
    """Sums in single precision depend on the number of threads, and so would every number made of the maps."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_thread(torch.device("cpu")):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
        with pytest.raises(KeyError), one_thread(torch.device("cpu")):
            raise KeyError
        assert torch.get_num_threads() == 3
        with one_thread(torch.device("meta")):
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_maps_do_not_depend_on_the_number_of_threads(model, images):
    before = torch.get_num_threads()
    found = []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            found.append(attention_maps(model, images))
    finally:
        torch.set_num_threads(before)
    for name, maps in found[0].layers.items():
        np.testing.assert_array_equal(maps, found[1].layers[name])
