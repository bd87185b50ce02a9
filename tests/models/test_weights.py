"""Weights are compared with a specification before anything is built for it."""

from __future__ import annotations

import copy
import dataclasses
import functools
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from attnxai.errors import CheckpointError, SpecificationError
from attnxai.models import bases, weights
from attnxai.models.architectures import network_from_spec
from attnxai.models.bases import is_large
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.lenet import LeNetSpec
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import ModelSpec, SymmetryGroup, compact_spec
from attnxai.models.weights import network_with_weights
from tests.hostile.harness import EFFORTS, check_reader, fuzz
from tests.hostile.mutations import fractions
from tests.models.builders import make_model, random_images
from tests.models.published_networks import (
    PublishedCNN,
    PublishedLeNet,
    PublishedSteerableLeNet,
    trained,
)


@pytest.fixture
def no_sampling(monkeypatch) -> None:
    """Fail if e2cnn is asked for a basis."""

    def sampled(*_: object, **__: object) -> None:
        pytest.fail("a basis was sampled")

    monkeypatch.setattr(bases, "sampled_by_e2cnn", sampled)
    bases.steerable_basis.cache_clear()


def described(group: str, kernel_size: int, *, n_filters: int = 11) -> dict[str, Any]:
    """A file whose weights fit its specification, which describes a network of this group."""
    size = SymmetryGroup.from_name(group).size
    spec = compact_spec(group, kernel_size=kernel_size)
    with torch.device("meta"):
        skeleton = network_from_spec(spec)
    state = {}
    for name, value in skeleton.state_dict().items():
        shape = list(value.shape)
        if name.endswith("convolution.weights"):
            shape[-1] = n_filters * (size if "blocks.0.0." not in name else 1)
        state[name] = torch.zeros(shape, dtype=value.dtype)
    return {
        "format": "attnxai-model",
        "version": 1,
        "specification": spec.to_dict(),
        "weights": state,
        "preprocessing": Preprocessing().to_dict(),
        "class_names": ["FR I", "FR II"],
    }


@pytest.mark.usefixtures("no_sampling")
@pytest.mark.parametrize(("group", "kernel_size"), [("D64", 5), ("D64", 9), ("D32", 5), ("C32", 9)])
def test_a_small_file_of_a_large_network(tmp_path: Path, group: str, kernel_size: int) -> None:
    """A few hundred kilobytes whose basis would take gigabytes to build."""
    file = tmp_path / "model.pt"
    torch.save(described(group, kernel_size), file)
    assert file.stat().st_size < 600_000
    error = check_reader(load_model, file, allowance=128 << 20, seconds=5)
    assert f"the filter basis of {group} with a kernel of {kernel_size} x {kernel_size}" in str(
        error
    )


@pytest.mark.usefixtures("no_sampling")
@pytest.mark.parametrize(
    "changes",
    [
        {"group": "D64"},
        {"group": "D8"},
        {"kernel_size": 9, "group": "D64"},
        {"fields": [4096] * 4},
        {"fields": [4096] * 4, "gate_channels": 4096, "n_classes": 4096, "convolutions": [8] * 4},
        {"architecture": "attention_gate_cnn", "group": "C1", "fields": [4096] * 4},
        {
            "architecture": "attention_gate_cnn",
            "group": "C1",
            "fields": [1, 1, 1, 4096],
            "n_gates": 0,
            "aggregation": "concat",
            "padding": "none",
            "n_classes": 4096,
        },
    ],
)
def test_nothing_is_built_for_a_specification_that_does_not_fit(
    tmp_path: Path, content, changes
) -> None:
    specification = {**content["specification"], **changes}
    names = [f"class {i}" for i in range(specification["n_classes"])]
    file = tmp_path / "model.pt"
    torch.save({**content, "specification": specification, "class_names": names}, file)
    error = check_reader(load_model, file, allowance=128 << 20, seconds=5)
    assert "its weights do not fit its specification" in str(error)


@pytest.mark.usefixtures("no_sampling")
def test_a_lenet_that_flattens_more_than_memory_holds(tmp_path: Path, content) -> None:
    specification = {
        "architecture": "lenet",
        "side": 65536,
        "fields": [65536, 65536],
        "hidden": [65536, 65536],
    }
    file = tmp_path / "model.pt"
    torch.save({**content, "specification": specification}, file)
    error = check_reader(load_model, file, allowance=128 << 20, seconds=5)
    assert "its weights do not fit its specification" in str(error)


@pytest.mark.parametrize(
    ("entry", "name", "value", "text"),
    [
        (
            "specification",
            "kernel_size",
            10**30,
            "kernel_size of the specification should be a whole",
        ),
        (
            "specification",
            "fields",
            [10**30] * 4,
            "fields of the specification should be a list of",
        ),
        (
            "specification",
            "fields",
            [-1, 1, 1, 1],
            "fields of the specification should be a list of",
        ),
        (
            "specification",
            "fields",
            [True, 1, 1, 1],
            "list of whole numbers from 0 to 1e18, got [True",
        ),
        (
            "specification",
            "fields",
            [1.0, 1, 1, 1],
            "list of whole numbers from 0 to 1e18, got [1.0",
        ),
        ("specification", "fields", [1] * 10_000, "fields needs 4 numbers"),
        ("specification", "convolutions", [9, 1, 1, 1], "convolutions needs 4 numbers from 1 to 8"),
        (
            "specification",
            "dropout",
            float("nan"),
            "dropout of the specification should be a number",
        ),
        ("specification", "dropout", True, "dropout of the specification should be a number"),
        ("specification", "group", "C" + "1" * 1000, "unknown group 'C111"),
        ("specification", "normalisation", "x" * 1000, "known values are sigmoid"),
        ("preprocessing", "size", 10**30, "size of the preprocessing should be a whole number"),
        ("preprocessing", "mean", 1e300, "mean of the preprocessing should be a number below"),
        ("preprocessing", "size", True, "from 0 to 1e18, got True"),
    ],
)
def test_absurd_values(tmp_path: Path, content, entry, name, value, text) -> None:
    torch.save({**content, entry: {**content[entry], name: value}}, tmp_path / "model.pt")
    error = check_reader(load_model, tmp_path / "model.pt", allowance=128 << 20)
    assert text in str(error)
    assert len(str(error)) < 600


@pytest.mark.parametrize(
    ("kind", "name", "given"),
    [
        (ModelSpec, "kernel_size", {"architecture": "lenet"}),
        (LeNetSpec, "side", {"architecture": "lenet"}),
        (Preprocessing, "size", Preprocessing().to_dict()),
    ],
)
def test_a_number_too_long_to_be_printed(kind, name, given) -> None:
    with pytest.raises(
        SpecificationError, match=f"{name} of .* got <a whole number of 16610 bits>"
    ):
        kind.from_dict({**given, name: 10**5000})


# --- what fits -------------------------------------------------------------------------------------


def test_counts_of_batches_may_be_missing(tmp_path: Path, content) -> None:
    kept = {k: v for k, v in content["weights"].items() if not k.endswith("num_batches_tracked")}
    assert len(kept) < len(content["weights"])
    torch.save({**content, "weights": kept}, tmp_path / "less.pt")
    loaded = load_model(tmp_path / "less.pt")
    images = random_images(2, 16)
    with torch.no_grad():
        assert torch.equal(loaded.network(images), make_model().network(images))


def test_weights_in_double_precision_have_to_fit_into_single(tmp_path: Path, content) -> None:
    name = "blocks.1.0.convolution.weights"
    doubled = {**content["weights"], name: content["weights"][name].double()}
    torch.save({**content, "weights": doubled}, tmp_path / "double.pt")
    assert torch.equal(
        load_model(tmp_path / "double.pt").network.state_dict()[name].double(), doubled[name]
    )
    doubled[name] = doubled[name] * 1e300
    torch.save({**content, "weights": doubled}, tmp_path / "double.pt")
    with pytest.raises(CheckpointError, match=f"has values in {name} that are not finite"):
        load_model(tmp_path / "double.pt")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["range_norm_cnn", "steerable_lenet_C4", "steerable_lenet_D1"])
def test_published_weights_in_half_precision(tmp_path: Path, dtype, name) -> None:
    seen, side = (30, 30) if "cnn" in name else (51, 50)
    build = PublishedCNN if "cnn" in name else lambda: PublishedSteerableLeNet(name[-2:])
    network = trained(build, random_images(2, seen))
    state = {
        k: v.to(dtype) if v.is_floating_point() else v for k, v in network.state_dict().items()
    }
    for entry in [k for k in state if k.endswith("num_batches_tracked")]:
        del state[entry]
    (tmp_path / "half").mkdir()
    torch.save(network.state_dict(), tmp_path / f"{name}.pt")
    torch.save(state, tmp_path / "half" / f"{name}.pt")
    whole, half = load_model(tmp_path / f"{name}.pt"), load_model(tmp_path / "half" / f"{name}.pt")
    assert half.spec == whole.spec
    images = random_images(2, side)
    with torch.no_grad():
        expected, got = whole.network(images), half.network(images)
    rounding = torch.finfo(dtype).eps
    assert torch.allclose(got, expected, atol=20 * rounding * float(expected.abs().max()))
    assert not torch.equal(got, expected)


# --- bases that are too large to be built for a file -----------------------------------------------


def test_a_large_basis_is_written_with_its_weights(tmp_path: Path, monkeypatch) -> None:
    model = make_model(group="C4")
    assert isinstance(model.spec, ModelSpec)
    monkeypatch.setattr(bases, "_LARGEST", 1000)
    assert is_large(SymmetryGroup.from_name("C4"), model.spec.kernel_size)
    save_model(model, tmp_path / "large.pt")
    monkeypatch.setattr(weights, "cached_file", lambda *_, **__: None)
    monkeypatch.setattr(bases, "sampled_by_e2cnn", lambda *_, **__: pytest.fail("sampled"))
    bases.steerable_basis.cache_clear()
    loaded = load_model(tmp_path / "large.pt")
    images = random_images(2, 16)
    with torch.no_grad():
        assert torch.equal(loaded.network(images), model.network(images))
    # written again, it is neither sampled nor left out
    save_model(loaded, tmp_path / "again.pt")
    assert load_model(tmp_path / "again.pt").spec == model.spec


def test_a_large_basis_is_read_where_the_cache_holds_it(tmp_path: Path, monkeypatch) -> None:
    model = make_model(group="C4")
    save_model(model, tmp_path / "model.pt")
    monkeypatch.setattr(bases, "_LARGEST", 1000)
    assert load_model(tmp_path / "model.pt").spec == model.spec
    monkeypatch.setattr(weights, "cached_file", lambda *_, **__: tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="such a file has to hold its bases"):
        load_model(tmp_path / "model.pt")


@pytest.mark.parametrize("group", ["C1", "C4", "D1", "D4"])
def test_a_basis_of_another_network(group: str) -> None:
    model = make_model(group=group)
    state = model.network.state_dict()
    assert isinstance(model.spec, ModelSpec)
    assert network_with_weights(model.spec, state).training is False
    for name in [n for n in state if n.endswith("convolution.weights")]:
        changed = {**state, name: torch.cat([state[name]] * 2, dim=-1)}
        with pytest.raises(CheckpointError, match=r"which no basis of \w+ with a kernel of"):
            network_with_weights(model.spec, changed)


# --- any content -----------------------------------------------------------------------------------

WEIRD: list[Any] = [None, True, False, -1, 0, 1, 7, 10**30, 0.5, -1.0, float("nan"), 1e300]
WEIRD += ["", "text", "D4", "D64", "lenet", "steerable_lenet", "attention_gate_cnn", "mean"]
WEIRD += ["x" * 3000, "conv1a.weight", "line\nline \x1b[0m", float("inf"), {"a\nb\x07": 1}]
WEIRD += [[], {}, (), [1] * 4, [0] * 4, [4096] * 4, ["a"] * 3, {"a": 1}, {1: 2}, [[1]]]
WEIRD += [torch.ones(()), torch.ones(1), torch.empty(0), torch.ones(2, 2), torch.ones(1, 1, 9, 9)]
WEIRD += [torch.zeros(3, dtype=torch.int64), torch.full((4,), float("nan")), torch.ones(1, 1, 1)]
WEIRD += [torch.ones(2, dtype=torch.complex64), torch.ones(1, 1, 1, 25), torch.ones(0, 4, 4, 25)]
WEIRD += [torch.ones(2, 1, 5, 5), np.ones(3), np.array(["attnxai-model", "a"]), np.array("x")]
TENSORS = [value for value in WEIRD if isinstance(value, torch.Tensor)]


@dataclasses.dataclass(frozen=True)
class Altered:
    """Content of a file in which a few entries are replaced or left out; positions are fractions."""

    index: int
    steps: list[tuple[float, float, int]]

    @property
    def content(self) -> bytes:
        changed = copy.copy(_valid()[self.index])
        for where, deeper, value in self.steps:
            place, names = changed, list(changed)
            name = names[int(where * len(names))] if names else "new"
            if isinstance(place.get(name), dict) and place[name] and deeper < 0.8:
                place[name] = place = dict(place[name])
                name = list(place)[int(deeper / 0.8 * len(place))]
            if isinstance(place.get(name), torch.Tensor) and value % 4:
                place[name] = TENSORS[value % len(TENSORS)]
            elif value < len(WEIRD):
                place[name] = WEIRD[value]
            else:
                place.pop(name, None)
        buffer = io.BytesIO()
        torch.save(changed, buffer)
        return buffer.getvalue()


@functools.cache
def _valid() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        save_model(make_model(), Path(folder) / "model.pt")
        ours: dict[str, Any] = torch.load(Path(folder) / "model.pt", weights_only=True)
    networks = (
        trained(PublishedCNN, random_images(2, 30)),
        trained(lambda: PublishedSteerableLeNet("C4"), random_images(2, 51)),
        trained(PublishedLeNet, random_images(2, 51)),
    )
    published = [dict(network.state_dict()) for network in networks]
    return [ours, described("D8", 5), {"state_dict": published[0], "epoch": 3}, *published]


@pytest.mark.parametrize("effort", EFFORTS)
def test_any_content(effort: int) -> None:
    step = st.tuples(fractions(), fractions(), st.integers(0, len(WEIRD) + 5))
    files = st.builds(
        Altered, st.integers(0, len(_valid()) - 1), st.lists(step, min_size=1, max_size=3)
    )
    fuzz(load_model, files, file_name="range_norm.pt", examples=120 * effort)
