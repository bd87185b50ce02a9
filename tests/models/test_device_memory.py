"""Work on a GPU with little memory; a stand-in for the GPU, and the GPU itself where there is one."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from attnxai.errors import DeviceWarning
from attnxai.models import device_memory
from attnxai.models.device_memory import images_at_once, in_memory


class OnDevice(nn.Module):
    """A module that says where it is."""

    device = "cuda"

    def to(self, device):
        self.device = str(device)
        return self


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(
        device_memory, "input_kind", lambda network: (torch.device(network.device), torch.float32)
    )
    return OnDevice()


def needing(network, room, tried):
    """Work that fails on the GPU with more images at once than there is room for."""

    def run():
        tried.append((network.device, images_at_once(16)))
        if network.device != "cpu" and images_at_once(16) > room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return "done"

    return run


@pytest.mark.parametrize(
    ("room", "expected"), [(16, [16]), (8, [16, 8]), (3, [16, 8, 4, 2]), (1, [16, 8, 4, 2, 1])]
)
def test_batches_shrink_until_they_fit(network, room, expected) -> None:
    tried: list[tuple[str, int]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert in_memory(network, needing(network, room, tried)) == "done"
    assert tried == [("cuda", n) for n in expected]
    assert images_at_once(16) == 16


def test_at_last_everything_runs_anew_on_the_cpu(network) -> None:
    tried: list[tuple[str, int]] = []
    with pytest.warns(DeviceWarning, match="anew on the CPU; --device cpu"):
        assert in_memory(network, needing(network, 0, tried)) == "done"
    assert tried == [*(("cuda", n) for n in (16, 8, 4, 2, 1)), ("cpu", 16)]
    assert network.device == "cuda"


def test_work_within_such_work_is_not_tried_again_by_itself(network) -> None:
    tried: list[tuple[str, int]] = []
    inner = needing(network, 4, tried)
    assert in_memory(network, lambda: in_memory(network, inner)) == "done"
    assert tried == [("cuda", 16), ("cuda", 8), ("cuda", 4)]


def test_other_errors_pass() -> None:
    def fail():
        raise ValueError("not memory")

    with pytest.raises(ValueError, match="not memory"):
        in_memory(nn.Linear(1, 1), fail)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_maps_of_a_gpu_are_those_of_the_cpu_and_it_may_run_out_of_memory() -> None:
    from attnxai import attention_maps, data
    from tests.models.builders import make_model, random_images

    model = make_model(side=32)
    images = [
        data.from_array(image[0].numpy().clip(0), source=f"s{i}", pixel_scale_arcsec=1.8)
        for i, image in enumerate(random_images(5, 32))
    ]
    expected = attention_maps(model, images)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(1e9 / total)
    model.network.to("cuda")
    found = attention_maps(model, images)
    assert found.provenance["computation"]["device"] == "cuda"
    for name, maps in expected.layers.items():
        np.testing.assert_allclose(found.layers[name], maps, atol=5e-5)
    taken = []
    for n_values in (2**24, 2**18, 2**12, 2**7):
        with contextlib.suppress(torch.cuda.OutOfMemoryError):
            while True:
                taken.append(torch.empty(n_values, device="cuda"))
    try:
        with pytest.warns(DeviceWarning):
            fallen = attention_maps(model, images)
    finally:
        taken.clear()
    assert fallen.provenance["computation"]["device"] == "cpu"
    assert all((fallen.layers[name] == maps).all() for name, maps in expected.layers.items())
    assert next(model.network.parameters()).device.type == "cuda"
