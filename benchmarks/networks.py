"""Attention maps of a network beside the published way, and beside its dense convolutions alone.

    python benchmarks/networks.py                      # D8 with the published widths, and shipped models
    python benchmarks/networks.py --groups C8,D4,D8 --n-images 16
    python benchmarks/networks.py --gradients          # gradients of images and of weights, beside the plain layers

Same weights, same images, one run in which all take turns, one thread and single precision; the table has seconds of the processor for
an image, the smallest of ``--repeat`` runs. The published way passes each image through the network of e2cnn once for each gate,
with a hook on the gate; ``one pass`` is that network with all hooks and the whole batch at once. Maps of all are compared.
"""

from __future__ import annotations

import argparse
import copy
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from training import BATCH, PLAIN, SIDE, DirectNetwork

import attnxai
from attnxai.explanations.gate_pass import gate_batches
from attnxai.explanations.inputs import NetworkInputs
from attnxai.models.evaluation import evaluating
from attnxai.models.network import AttentionNetwork
from attnxai.models.prepared import prepared
from attnxai.models.specification import paper_spec
from attnxai.models.steerable import SteerableConv2d

Maps = dict[str, torch.Tensor]


def settle_(network: AttentionNetwork) -> None:
    """Give batch norms statistics as training would."""
    generator = torch.Generator().manual_seed(1)
    network.train()
    for _ in range(2):
        network(torch.rand(2, 1, SIDE, SIDE, generator=generator))
    network.eval()


def copy_(direct: DirectNetwork, ours: AttentionNetwork) -> DirectNetwork:
    """Give the network of e2cnn the same weights."""
    blocks: Any = ours.blocks
    layers = [layer for block in blocks for layer in block]
    modules: list[Any] = list(direct.blocks.modules())
    convolutions = [module for module in modules if type(module).__name__ == "R2Conv"]
    norms = [module for module in modules if isinstance(module, nn.BatchNorm3d)]
    for convolution, norm, layer in zip(convolutions, norms, layers, strict=True):
        convolution.weights.copy_(layer.convolution.weights.flatten())
        norm.load_state_dict(layer.norm.norm.state_dict())
    direct.gates, direct.gate_heads, direct.head = ours.gates, ours.gate_heads, ours.head
    direct.aggregate = ours._aggregate  # noqa: SLF001 -- the same head, not another one
    return direct.eval()


def published_way(network: Any, images: torch.Tensor) -> Maps:
    """One pass an image and gate, as the published notebooks do."""
    found: dict[str, list[torch.Tensor]] = {}
    for image in images:
        for i, gate in enumerate(network.gates, 1):
            handle = gate.normalise.register_forward_hook(
                lambda _m, _i, output, name=f"gate{i}": found.setdefault(name, []).append(output)
            )
            network(image[None])
            handle.remove()
    return {name: torch.cat(maps)[:, 0] for name, maps in found.items()}


def one_pass(network: Any, images: torch.Tensor) -> Maps:
    """One pass for all images and gates."""
    (batch,) = gate_batches(network, iter([images]))
    return batch.attention


def ours_at_once(network: AttentionNetwork, images: torch.Tensor) -> Maps:
    """What ``attnxai.attention_maps`` does with a batch; filters are expanded once for all."""
    with evaluating(network):
        return one_pass(network, images)


def convolutions_of(network: AttentionNetwork, images: torch.Tensor) -> Callable[[], None]:
    """The dense convolutions of the network on the features that they get, and nothing else."""
    given: list[tuple[torch.Tensor, torch.Tensor]] = []

    def keep(module: Any, inputs: Any) -> None:
        steerable = isinstance(module, SteerableConv2d)
        given.append((inputs[0], module.dense_filter() if steerable else module.weight))

    layers = [layer.convolution for block in network.blocks for layer in block]  # type: ignore[attr-defined]
    handles = [layer.register_forward_pre_hook(keep) for layer in layers]
    network(images)
    for handle in handles:
        handle.remove()

    def run() -> None:
        for features, filters in given:
            nn.functional.conv2d(features, filters, padding=filters.shape[-1] // 2)

    return run


def measure(ways: dict[str, Callable[[], Any]], repeat: int, n_images: int) -> dict[str, float]:
    """Seconds of the processor an image, the smallest of runs that take turns."""
    seconds = dict.fromkeys(ways, float("inf"))
    for run in ways.values():  # filters are expanded, and memory reserved
        run()
    for _ in range(repeat):
        for name, run in ways.items():
            start = time.process_time()
            run()
            seconds[name] = min(seconds[name], (time.process_time() - start) / n_images)
    return seconds


def rows(groups: list[str], n_images: int, repeat: int) -> Iterator[list[str]]:
    """Lines of the table."""
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(n_images, 1, SIDE, SIDE, generator=generator)
    for group in groups:
        spec = paper_spec(group, **PLAIN)
        ours = AttentionNetwork(spec, generator=torch.Generator().manual_seed(0))
        settle_(ours)
        direct = copy_(DirectNetwork(spec, initialise=False), ours)
        expected, found = one_pass(direct, images), ours_at_once(ours, images)
        error = max(float((found[name] - maps).abs().max()) for name, maps in expected.items())
        ways = {
            "published": lambda: published_way(direct, images),  # noqa: B023 -- called in this turn
            "one pass": lambda: one_pass(direct, images),  # noqa: B023
            "convolutions": convolutions_of(ours, images),
            "attnxai": lambda: ours_at_once(ours, images),  # noqa: B023
        }
        with evaluating(ours):
            yield _row(f"{group}, published widths", measure(ways, repeat, n_images), error)
    annotations = attnxai.read_annotations("expert.csv")
    files = annotations.image_files()
    for name in ("d8.pt", "d16.pt", "c1.pt"):
        model = attnxai.load_model(name)
        network: Any = model.network.eval()
        shown = attnxai.read_images([files[source] for source in annotations.sources[:BATCH]])
        images = next(NetworkInputs.of(model, shown).batches(BATCH))
        expected, found = one_pass(network, images), ours_at_once(network, images)
        error = max(float((found[gate] - maps).abs().max()) for gate, maps in expected.items())
        ways = {
            "convolutions": convolutions_of(network, images),
            "attnxai": lambda: ours_at_once(network, images),  # noqa: B023
        }
        with evaluating(network):
            yield _row(f"`{name}`", measure(ways, 4 * repeat, len(images)), error)


def input_gradients(network: AttentionNetwork, images: torch.Tensor) -> torch.Tensor:
    """Gradients of a class score with respect to images, of which attribution methods make maps."""
    given = images.clone().requires_grad_()
    with torch.enable_grad():
        (found,) = torch.autograd.grad(network(given)[:, 0].sum(), given)
    return found


def weight_gradients(network: AttentionNetwork, images: torch.Tensor, *, mixed: bool) -> None:
    """Gradients of a loss with respect to weights, as a step of training needs them."""
    network.zero_grad()
    labels = torch.arange(len(images)) % 2
    with torch.enable_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            scores = network(images)
        nn.functional.cross_entropy(scores.float(), labels).backward()  # type: ignore[no-untyped-call]


def gradient_errors(network: AttentionNetwork, images: torch.Tensor) -> tuple[float, float]:
    """How far gradients of the plain layers, and ours, lie from double precision, relative to its length."""
    exact = input_gradients(copy.deepcopy(network).double(), images.double())
    plain = input_gradients(network, images)
    with prepared(network):
        ours = input_gradients(network, images)
    errors = [float((found - exact).norm() / exact.norm()) for found in (plain, ours)]
    return errors[0], errors[1]


def gradient_rows(groups: list[str], n_images: int, repeat: int) -> Iterator[list[str]]:
    """Lines of the table of gradients: of images in evaluation, and of weights in training."""
    images = torch.rand(n_images, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    for group in groups:
        network = AttentionNetwork(
            paper_spec(group, **PLAIN), generator=torch.Generator().manual_seed(0)
        )
        settle_(network)
        weights = list(network.parameters())

        def by_transform(run: Callable[[], Any], net: AttentionNetwork = network) -> None:
            with prepared(net):
                run()

        ways: dict[str, Callable[[], Any]] = {
            "plain": lambda: input_gradients(network, images),  # noqa: B023 -- called in this turn
            "attnxai": lambda: by_transform(lambda: input_gradients(network, images)),  # noqa: B023
        }
        for weight in weights:
            weight.requires_grad_(False)
        errors = gradient_errors(network, images[:2])
        explained = measure(ways, repeat, n_images)
        for weight in weights:
            weight.requires_grad_(True)
        network.train()
        trained = measure(
            {
                "plain": lambda: weight_gradients(network, images, mixed=False),  # noqa: B023
                "mixed": lambda: weight_gradients(network, images, mixed=True),  # noqa: B023
                "attnxai": lambda: by_transform(
                    lambda: weight_gradients(network, images, mixed=False)  # noqa: B023
                ),
            },
            repeat,
            n_images,
        )
        of_images, of_weights = explained["attnxai"], trained["attnxai"]
        yield [
            f"{group}, published widths",
            f"{of_images:.3g}",
            f"{explained['plain'] / of_images:.2f}",
            f"{errors[0]:.1e}, {errors[1]:.1e}",
            f"{of_weights:.3g}",
            f"{trained['plain'] / of_weights:.2f}",
            f"{trained['mixed'] / of_weights:.2f}",
        ]


def _row(name: str, seconds: dict[str, float], error: float) -> list[str]:
    ours = seconds["attnxai"]
    ways = ("published", "one pass", "convolutions")
    ratios = [f"{seconds[way] / ours:.2f}" if way in seconds else "" for way in ways]
    return [name, f"{ours:.3g}", *ratios, f"{error:.1e}"]


@torch.no_grad()
def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", default="D8")
    parser.add_argument("--n-images", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--gradients", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    heads = (
        "Network",
        "Seconds an image",
        "Published way",
        "One pass",
        "Dense convolutions",
        "Maps differ by",
    )
    of_gradients = (
        "Network",
        "Gradient of an image, seconds",
        "Plain layers",
        "Errors, plain and ours",
        "Step of training, seconds an image",
        "Plain layers",
        "The same in bfloat16",
    )
    names: tuple[str, ...] = of_gradients if options.gradients else heads
    table = gradient_rows if options.gradients else rows
    print(f"| {' | '.join(names)} |\n{'| --- ' * len(names)}|")
    for row in table(options.groups.split(","), options.n_images, options.repeat):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
