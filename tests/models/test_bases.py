"""Bases of filters: built once, kept in the cache, shared by layers, and taken from files without e2cnn."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from attnxai.errors import SpecificationError
from attnxai.models import bases
from attnxai.models.bases import cached_file, sampled_by_e2cnn, steerable_basis
from attnxai.models.checkpoints import load_model, save_model
from attnxai.models.network import AttentionNetwork
from attnxai.models.specification import SymmetryGroup
from attnxai.models.steerable import SteerableConv2d
from tests.models.builders import make_model, quietly, random_images, tiny_spec
from tests.models.published_networks import PublishedEquivariant, trained

C4 = SymmetryGroup.from_name("C4")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a process that remembers no basis."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(bases, "cache_folder", lambda: folder)
    steerable_basis.cache_clear()
    yield folder
    steerable_basis.cache_clear()


@pytest.fixture
def built(monkeypatch):
    """Which bases e2cnn was asked for."""
    asked = []

    def build(group: SymmetryGroup, kernel_size: int, *, lifting: bool) -> np.ndarray:
        asked.append((group.name, kernel_size, lifting))
        return sampled_by_e2cnn(group, kernel_size, lifting=lifting)

    monkeypatch.setattr(bases, "sampled_by_e2cnn", build)
    return asked


def read_again(*, lifting: bool = False) -> torch.Tensor:
    """As a new process would."""
    steerable_basis.cache_clear()
    return steerable_basis(C4, 5, lifting=lifting)


# --- the cache -------------------------------------------------------------------------------------


def test_a_basis_is_built_once(cache, built) -> None:
    first = read_again()
    again = read_again()
    assert built == [("C4", 5, False)]
    assert torch.equal(first, again)
    assert first.dtype is torch.float32
    (file,) = (cache / "bases").iterdir()
    assert file == cached_file(C4, 5, lifting=False)
    np.testing.assert_array_equal(np.load(file, allow_pickle=False), first.numpy())


def test_every_basis_has_a_file_of_its_own(cache) -> None:
    d4 = SymmetryGroup.from_name("D4")
    files = {
        cached_file(group, kernel_size, lifting=lifting)
        for group in (C4, d4)
        for kernel_size in (3, 5)
        for lifting in (True, False)
    }
    assert len(files) == 8


def test_another_version_of_e2cnn_has_another_file(cache, built, monkeypatch) -> None:
    read_again()
    monkeypatch.setattr(metadata, "version", lambda package: f"9.9 of {package}")
    read_again()
    assert len(built) == 2
    assert len(list((cache / "bases").iterdir())) == 2


def _boastful(file: Path) -> None:
    """A header that claims a petabyte."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 4, 4, 5, 5)}
    with open(file, "wb") as handle:
        np.lib.format.write_array_header_1_0(handle, header)
        handle.write(bytes(100))


SHAPES = [(44, 4, 4, 3, 3), (44, 8, 8, 5, 5), (44, 4, 4, 25), (0, 4, 4, 5, 5), (43, 4, 4, 5, 5)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-8]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_text("no array", encoding="utf-8"),
        lambda file: np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True),
        lambda file: np.save(file, np.load(file) * np.float32(np.inf)),
        lambda file: np.save(file, np.load(file).astype(np.float64)),
        *(lambda file, shape=shape: np.save(file, np.ones(shape, np.float32)) for shape in SHAPES),
        _boastful,
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_damaged_file_is_built_anew(cache, built, damage) -> None:
    expected = read_again()
    file = cached_file(C4, 5, lifting=False)
    assert file is not None
    whole = file.read_bytes()
    damage(file)
    assert file.read_bytes() != whole
    assert torch.equal(read_again(), expected)
    assert len(built) == 2
    assert file.read_bytes() == whole, "the next process finds it whole again"


def test_without_a_cache_that_can_be_written_it_works(cache, built, monkeypatch) -> None:
    cache.mkdir()
    (cache / "bases").write_text("a file where the folder should be", encoding="utf-8")
    assert read_again().shape == (44, 4, 4, 5, 5)
    read_again()
    assert len(built) == 2

    def homeless() -> Path:
        raise RuntimeError("no home folder")

    monkeypatch.setattr(bases, "cache_folder", homeless)
    assert cached_file(C4, 5, lifting=False) is None
    assert read_again().shape == (44, 4, 4, 5, 5)


def test_a_write_that_fails_leaves_nothing(cache, monkeypatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert read_again().shape == (44, 4, 4, 5, 5)
    assert list((cache / "bases").iterdir()) == []


def test_processes_that_build_at_once_do_not_disturb_each_other(cache) -> None:
    values = sampled_by_e2cnn(C4, 5, lifting=False)
    file = cached_file(C4, 5, lifting=False)
    assert file is not None
    writers = [threading.Thread(target=bases._write, args=(values, file)) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [found.name for found in file.parent.iterdir()] == [file.name]
    np.testing.assert_array_equal(np.load(file), values)


def test_bases_do_not_depend_on_what_e2cnn_was_used_for_before() -> None:
    """e2cnn keeps its bases, and moves them with whatever network is moved."""
    expected = sampled_by_e2cnn(C4, 5, lifting=False)
    theirs = trained(lambda: PublishedEquivariant("C4", side=22), random_images(1, 22))
    try:
        theirs.double()
        again = sampled_by_e2cnn(C4, 5, lifting=False)
    finally:
        theirs.float()
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, expected)


def test_numpy_prints_as_before() -> None:
    before = np.get_printoptions()
    # a group that no other test has built
    sampled_by_e2cnn(SymmetryGroup.from_name("D9"), 3, lifting=False)
    assert np.get_printoptions() == before


# --- loading without e2cnn -------------------------------------------------------------------------


def load_in_another_process(file: str, cache: Path) -> str:
    """Which heavy modules a process has after it loaded a model."""
    code = (
        "import sys, attnxai.models.bases as bases, pathlib; "
        f"bases.cache_folder = lambda: pathlib.Path({str(cache)!r}); "
        "from attnxai.models.checkpoints import load_model; "
        f"load_model({file!r}); print('e2cnn' in sys.modules)"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=environment,
    )
    return done.stdout.strip()


def test_a_published_checkpoint_needs_no_e2cnn_and_no_cache(tmp_path) -> None:
    theirs = trained(lambda: PublishedEquivariant("D4", side=22), random_images(1, 22))
    file = tmp_path / "e2_conv_relu_norm_range_norm.pt"
    torch.save(theirs.state_dict(), file)
    assert load_in_another_process(str(file), tmp_path / "cache") == "False"
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_the_second_process_needs_no_e2cnn_for_a_model_of_ours(tmp_path) -> None:
    save_model(make_model(group="D4"), tmp_path / "model.pt")
    found = [
        load_in_another_process(str(tmp_path / "model.pt"), tmp_path / "cache") for _ in range(2)
    ]
    assert found == ["True", "False"]


@pytest.mark.slow
def test_a_checkpoint_loads_ten_times_faster_than_the_published_constructor(tmp_path) -> None:
    file = tmp_path / "e2_conv_relu_norm_range_norm.pt"
    started = time.perf_counter()
    theirs = quietly(
        lambda: PublishedEquivariant(
            "D8", side=150, fields=(6, 16, 32, 64), between=64, initialize=True
        )
    )
    constructed = time.perf_counter() - started
    torch.save(theirs.state_dict(), file)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        load_model(file)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < constructed / 10


# --- sharing ---------------------------------------------------------------------------------------


def layers_of(network: torch.nn.Module) -> list[SteerableConv2d]:
    return [module for module in network.modules() if isinstance(module, SteerableConv2d)]


def places(network: torch.nn.Module) -> set[int]:
    return {layer.basis.data_ptr() for layer in layers_of(network)}


def test_layers_share_one_basis_wherever_the_network_goes(tmp_path) -> None:
    theirs = trained(lambda: PublishedEquivariant("C4", side=22), random_images(1, 22))
    torch.save(theirs.state_dict(), tmp_path / "tanh.pt")
    network = load_model(tmp_path / "tanh.pt").network
    assert len(layers_of(network)) == 11
    assert len(places(network)) == 2, "one that lifts, one between regular fields"
    copied = copy.deepcopy(network)
    assert len(places(copied)) == 2
    assert not places(copied) & places(network)
    network.double()
    assert len(places(network)) == 2
    assert {layer.basis.dtype for layer in layers_of(network)} == {torch.float64}


def test_layers_of_a_network_of_ours_share_as_well() -> None:
    network = AttentionNetwork(tiny_spec(group="D4"))
    assert len(places(network)) == 2
    assert len(places(network.double())) == 2
    assert steerable_basis(SymmetryGroup.from_name("D4"), 3, lifting=False).dtype is torch.float32


def test_bases_that_differ_are_kept_apart(tmp_path) -> None:
    theirs = trained(lambda: PublishedEquivariant("C4", side=22), random_images(1, 22))
    content = theirs.state_dict()
    name = next(name for name in content if name.startswith("conv3b._basis"))
    content[name] = content[name] * 1.5
    torch.save(content, tmp_path / "tanh.pt")
    network = load_model(tmp_path / "tanh.pt").network
    assert len(places(network)) == 3
    odd = network.get_submodule("blocks.2.1.convolution").basis
    same = network.get_submodule("blocks.2.0.convolution").basis
    torch.testing.assert_close(odd, 1.5 * same)  # type: ignore[operator]


# --- bases that are given --------------------------------------------------------------------------

LAYER = "blocks.0.0.convolution"


def given(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    network = AttentionNetwork(tiny_spec())
    found = {
        name: module.basis
        for name, module in network.named_modules()
        if isinstance(module, SteerableConv2d)
    }
    return {**found, **changes}


def test_a_network_on_given_bases_builds_none(cache, monkeypatch) -> None:
    whole = given()

    def refuse(*args: object, **options: object) -> np.ndarray:
        raise AssertionError("asked for a basis")

    monkeypatch.setattr(bases, "sampled_by_e2cnn", refuse)
    monkeypatch.setattr(bases, "_read", refuse)
    steerable_basis.cache_clear()
    network = AttentionNetwork(tiny_spec(), bases=whole)
    for layer, basis in whole.items():
        assert torch.equal(network.get_submodule(layer).basis, basis)  # type: ignore[arg-type]
    del whole[LAYER]
    with pytest.raises(AssertionError, match="asked for a basis"):
        AttentionNetwork(tiny_spec(), bases=whole)


@pytest.mark.parametrize(
    ("basis", "text"),
    [
        (torch.ones(11, 4, 1, 9), "has shape"),
        (torch.ones(11, 4, 4, 3, 3), "has shape"),
        (torch.ones(11, 8, 1, 3, 3), "does not fit the group C4 and a kernel of 3 x 3"),
        (torch.ones(11, 4, 1, 5, 5), "has shape"),
        (torch.ones(0, 4, 1, 3, 3), "has shape"),
        (torch.full((3, 4, 1, 3, 3), torch.nan), "not finite"),
        (torch.ones(3, 4, 1, 3, 3, dtype=torch.int64), "not real numbers"),
        (torch.ones(3, 4, 1, 3, 3).to_sparse(), "not real numbers"),
    ],
)
def test_bases_that_do_not_fit(basis, text) -> None:
    with pytest.raises(SpecificationError, match=text) as caught:
        AttentionNetwork(tiny_spec(), bases=given(**{LAYER: basis}))
    assert LAYER in str(caught.value)


def test_bases_of_layers_that_there_are_not() -> None:
    with pytest.raises(SpecificationError, match=r"bases for blocks\.7, but no such steerable"):
        AttentionNetwork(tiny_spec(), bases=given(**{"blocks.7": torch.ones(1)}))
