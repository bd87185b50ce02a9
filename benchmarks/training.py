"""Seconds of training an image, and of loading a model, against e2cnn used directly.

    python benchmarks/training.py [--groups C1,D8] [--preset compact] [--threads 2]

Both networks have the same layers and weights; one is built from e2cnn's own modules. Each is timed in the
same run, alternately, and the table gives the median of ``--repeat`` steps of 16 images of 150 x 150 pixels.
Loading means: from a file of weights to a network that can be used.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from attnxai.models.e2cnn_numpy2 import import_e2cnn
from attnxai.models.network import AttentionNetwork
from attnxai.models.prepared import prepared
from attnxai.models.specification import ModelSpec, SymmetryGroup, compact_spec, paper_spec
from attnxai.training.settings import mixed_precision_pays

BATCH, SIDE = 16, 150
# what the direct network has: every pixel is seen, and e2cnn's order of layers
PLAIN: dict[str, Any] = {
    "normalisation": "range_norm",
    "layer_order": "conv_relu_norm",
    "binning": 1,
}


class DirectNetwork(nn.Module):
    """The attention network from e2cnn's modules; gates and head as in ours."""

    def __init__(self, spec: ModelSpec, *, initialise: bool) -> None:
        super().__init__()
        self.e2nn = import_e2cnn().nn
        space = _space(spec.symmetry)
        self.scalar = self.e2nn.FieldType(space, [space.trivial_repr])
        self.mask = self.e2nn.MaskModule(self.scalar, SIDE)
        kind, blocks, pools, halvings = self.scalar, [], [], []
        for fields, n_layers in zip(spec.fields, spec.convolutions, strict=True):
            layers: list[nn.Module] = []
            for _ in range(n_layers):
                out = self.e2nn.FieldType(space, fields * [space.regular_repr])
                layers += [
                    self.e2nn.R2Conv(
                        kind,
                        out,
                        spec.kernel_size,
                        padding=spec.kernel_size // 2,
                        bias=False,
                        initialize=initialise,
                    ),
                    self.e2nn.ReLU(out),
                    self.e2nn.InnerBatchNorm(out),
                ]
                kind = out
            blocks.append(self.e2nn.SequentialModule(*layers))
            pools.append(self.e2nn.GroupPooling(kind))
            halvings.append(self.e2nn.PointwiseMaxPool(kind, kernel_size=2))
        self.blocks, self.pools = nn.ModuleList(blocks), nn.ModuleList(pools)
        self.halvings = nn.ModuleList(halvings[:3])
        ours = AttentionNetwork(spec, generator=torch.Generator().manual_seed(0))
        self.gates, self.gate_heads, self.head = ours.gates, ours.gate_heads, ours.head
        self.dropout, self.spec = ours.dropout, spec
        self.aggregate = ours._aggregate  # noqa: SLF001  the same head, not another one

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of (batch, 1, side, side)."""
        masked = self.mask(self.e2nn.GeometricTensor(images, self.scalar)).tensor
        padded = nn.functional.pad(masked, (1, 1, 1, 1))
        features = self.e2nn.GeometricTensor(padded, self.scalar)
        pooled = []
        for index, block in enumerate(self.blocks):
            features = block(features)
            pooled.append(self.pools[index](features).tensor)
            if index < 3:
                features = self.halvings[index](features)
        sums = []
        for gate, invariant in zip(self.gates, pooled[2::-1], strict=True):
            gated = gate(invariant, pooled[3])
            mean = self.spec.feature_sum == "mean"
            sums.append(gated.mean(dim=(2, 3)) if mean else gated.sum(dim=(2, 3)))
        return self.aggregate([self.dropout(values) for values in sums])


def _space(group: SymmetryGroup) -> Any:
    spaces = import_e2cnn().gspaces
    if group.reflections:
        return spaces.FlipRot2dOnR2(group.order) if group.order > 1 else spaces.Flip2dOnR2()
    return spaces.Rot2dOnR2(group.order) if group.order > 1 else spaces.TrivialOnR2()


def steps(networks: dict[str, tuple[nn.Module, bool]], repeat: int) -> dict[str, float]:
    """Median seconds an image of a training step of each network, taken in turn."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(BATCH, 1, SIDE, SIDE, generator=generator)
    labels = torch.randint(0, 2, (BATCH,), generator=generator)
    optimisers = {
        name: torch.optim.AdamW(network.parameters()) for name, (network, _) in networks.items()
    }
    times: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(repeat + 1):
        for name, (network, mixed) in networks.items():
            network.train()
            start = time.perf_counter()
            with prepared(network):
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
                    scores = network(images)
                loss = nn.functional.cross_entropy(scores.float(), labels)
                optimisers[name].zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
            optimisers[name].step()
            if turn:  # the first step also chooses kernels and reserves memory
                times[name].append((time.perf_counter() - start) / BATCH)
    return {name: statistics.median(values) for name, values in times.items()}


_LOAD = """
import sys, time, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {folder!r})
import torch
{imports}
start = time.perf_counter()
{code}
print(time.perf_counter() - start)
"""


def loading(spec: ModelSpec, folder: Path) -> dict[str, float]:
    """Seconds to load weights in a new process, imports of torch left out."""
    ours = AttentionNetwork(spec, generator=torch.Generator().manual_seed(0))
    torch.save({"spec": spec.to_dict(), "weights": ours.state_dict()}, folder / "ours.pt")
    torch.save(DirectNetwork(spec, initialise=False).state_dict(), folder / "direct.pt")
    here = str(Path(__file__).parent)
    specification = f"ModelSpec.from_dict({spec.to_dict()!r})"
    cases = {
        "attnxai": (
            (
                "from attnxai.models.network import AttentionNetwork\n"
                "from attnxai.models.specification import ModelSpec"
            ),
            (
                f"network = AttentionNetwork({specification})\n"
                f"network.load_state_dict(torch.load({str(folder / 'ours.pt')!r})['weights'])"
            ),
        ),
        "e2cnn": (
            (
                "from training import DirectNetwork\n"
                "from attnxai.models.specification import ModelSpec"
            ),
            (
                f"network = DirectNetwork({specification}, initialise=True)\n"
                f"network.load_state_dict(torch.load({str(folder / 'direct.pt')!r}))"
            ),
        ),
    }
    seconds = {}
    for name, (imports, code) in cases.items():
        script = _LOAD.format(folder=here, imports=imports, code=code)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        seconds[name] = float(done.stdout)
    return seconds


def main() -> None:
    """Time all groups and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", default="C1,C4,D4,D8")
    parser.add_argument("--preset", choices=("compact", "paper"), default="compact")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    preset: Callable[..., ModelSpec] = compact_spec if options.preset == "compact" else paper_spec
    mixed = mixed_precision_pays("cpu")
    print(f"{options.preset} preset, {options.threads} threads, batches of {BATCH}")
    print("training: seconds an image; loading: seconds")
    print(
        f"{'group':<6}{'e2cnn':>9}{'attnxai':>9}{'ratio':>7}{'mixed':>9}{'ratio':>7}"
        f"{'load e2cnn':>12}{'attnxai':>9}{'ratio':>7}"
    )
    for group in options.groups.split(","):
        spec = preset(group, **PLAIN)
        networks: dict[str, tuple[nn.Module, bool]] = {
            "e2cnn": (DirectNetwork(spec, initialise=True), False),
            "attnxai": (
                AttentionNetwork(spec, generator=torch.Generator().manual_seed(0)),
                False,
            ),
        }
        if mixed:
            networks["mixed"] = (
                AttentionNetwork(spec, generator=torch.Generator().manual_seed(0)),
                True,
            )
        taken = steps(networks, options.repeat)
        with tempfile.TemporaryDirectory() as folder:
            load = loading(spec, Path(folder))
        half = (
            f"{taken['mixed']:>9.4f}{taken['e2cnn'] / taken['mixed']:>7.1f}"
            if mixed
            else f"{'':>16}"
        )
        print(
            f"{group:<6}{taken['e2cnn']:>9.4f}{taken['attnxai']:>9.4f}"
            f"{taken['e2cnn'] / taken['attnxai']:>7.1f}{half}"
            f"{load['e2cnn']:>12.2f}{load['attnxai']:>9.3f}{load['e2cnn'] / load['attnxai']:>7.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
