"""How exactly networks follow the symmetries that they are built for, measured on simulated galaxies.

    python benchmarks/symmetry.py                        # compact networks of ten groups, random weights
    python benchmarks/symmetry.py --models d8.pt c1.pt   # also these models, trained

Networks have random weights; their batch norms have the statistics of the galaxies, as after training.
Every number is over ``--n-seeds`` networks and ``--n-images`` galaxies. The tables are Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import numpy as np
import torch

from attnxai.audit.consistency import rotation_consistency
from attnxai.audit.equivariance import symmetry_errors
from attnxai.audit.equivariance_result import Symmetry, SymmetryErrors
from attnxai.audit.readout import disc_about, field_brightness
from attnxai.data.images import SourceImage
from attnxai.data.simulation import CLASS_NAMES, simulate_source
from attnxai.models.checkpoints import load_model
from attnxai.models.elements import (
    IDENTITY,
    GroupElement,
    Interpolation,
    elements_outside,
    group_elements,
    transform_images,
)
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import SymmetryGroup, compact_spec
from attnxai.models.steerable import pool_over_group
from attnxai.statistics.formats import short_number

GROUPS = ("C1", "C2", "C4", "C8", "C16", "D1", "D2", "D4", "D8", "D16")
FIELDS = ((150, 150), (151, 151), (150, 140))


def galaxies(n: int) -> list[SourceImage]:
    """Simulated galaxies of both classes."""
    rng = np.random.default_rng(0)
    return [
        simulate_source(CLASS_NAMES[i % 2], source=f"simulated_{i:02d}", rng=rng).image
        for i in range(n)
    ]


def standardised(images: Iterable[SourceImage], shape: tuple[int, int]) -> torch.Tensor:
    """What a network sees of the galaxies, cropped to a field."""
    side = max(shape)
    rule = Preprocessing(size=side)
    fields = torch.stack([torch.from_numpy(rule.view(image).brightness) for image in images])
    top, left = (side - shape[0]) // 2, (side - shape[1]) // 2
    fields = fields[:, top : top + shape[0], left : left + shape[1]]
    return (fields - fields.mean()) / fields.std()


def random_network(group: str, images: torch.Tensor, seed: int) -> AttentionNetwork:
    """A compact network with range_norm whose batch norms have seen the images."""
    spec = compact_spec(group, normalisation="range_norm", layer_order="conv_relu_norm", binning=1)
    network = AttentionNetwork(spec, generator=torch.Generator().manual_seed(seed))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = None
    with torch.no_grad():
        network.train()(images[:, None])
    return network.eval()


def measure(
    group: str, images: list[SourceImage], n_seeds: int
) -> dict[tuple[int, int], list[SymmetryErrors]]:
    """Errors of networks of a group on every field."""
    symmetry = SymmetryGroup.from_name(group)
    elements = [g for g in group_elements(symmetry) if g != IDENTITY]
    elements += elements_outside(symmetry)
    found = {}
    for shape in FIELDS:
        fields = standardised(images, shape)
        found[shape] = [
            symmetry_errors(random_network(group, fields, seed), fields, elements=elements)
            for seed in range(n_seeds)
        ]
    return found


def row(cells: Iterable[object]) -> None:
    """One line of a Markdown table."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def heading(*names: str) -> None:
    """The first two lines of a Markdown table."""
    print()
    row(names)
    row("---" for _ in names)


def exact_cells(runs: list[SymmetryErrors]) -> list[str]:
    """How many elements are exact, and the largest errors of scores and maps among them."""
    exact = runs[0].positions(Symmetry.EXACT)
    if not len(exact):
        return ["0", "", ""]
    scores = max(errors.score_errors[exact].max() for errors in runs)
    maps = max(errors.map_errors[exact].max() for errors in runs)
    return [str(len(exact)), short_number(scores), short_number(maps)]


def mean_cells(runs: list[SymmetryErrors], positions: np.ndarray) -> list[str]:
    """Mean errors and correlations over elements, networks, gates and images."""
    if not len(positions):
        return [""] * 5
    return [
        f"{np.mean([getattr(errors, name)[positions] for errors in runs]):.2f}"
        for name in (
            "score_errors",
            "map_errors",
            "map_correlations",
            "back_score_errors",
            "back_map_correlations",
        )
    ]


def print_random(images: list[SourceImage], n_seeds: int) -> None:
    """Tables of networks with random weights."""
    found = {group: measure(group, images, n_seeds) for group in GROUPS}
    heading(
        "group",
        "elements",
        *(
            f"{rows} x {columns}: {what}"
            for rows, columns in FIELDS
            for what in ("exact", "scores", "maps")
        ),
    )
    for group, fields in found.items():
        n_elements = SymmetryGroup.from_name(group).size - 1
        row([group, n_elements, *(c for shape in FIELDS for c in exact_cells(fields[shape]))])
    columns = ("scores", "maps", "r", "interpolation: scores", "interpolation: r")
    heading("group", "field", "approximate", *columns)
    for group, fields in found.items():
        for shape, runs in fields.items():
            rough = runs[0].positions(Symmetry.APPROXIMATE)
            if len(rough):
                field = f"{shape[0]} x {shape[1]}"
                row([group, field, len(rough), *mean_cells(runs, rough)])
    heading("group", "not built in", *columns)
    for group, fields in found.items():
        runs = fields[FIELDS[0]]
        for position in runs[0].positions(Symmetry.ABSENT):
            cells = mean_cells(runs, np.array([position]))
            row([group, runs[0].elements[position].name, *cells])


def blobs(n: int, side: int) -> torch.Tensor:
    """Round blobs 10 to 28 pixels wide (FWHM), much smoother than galaxies."""
    generator = torch.Generator().manual_seed(0)
    place = torch.arange(side) - (side - 1) / 2
    images = torch.zeros(n, side, side)
    for image in images:
        for down, right, wide in torch.rand(4, 3, generator=generator).tolist():
            row, column, width = (down - 0.5) * side / 2, (right - 0.5) * side / 2, 4.3 + 7.7 * wide
            distance = (place[:, None] - row) ** 2 + (place[None, :] - column) ** 2
            image.add_(torch.exp(-distance / (2 * width**2)))
    return (images - images.mean()) / images.std()


def stages(network: AttentionNetwork, images: torch.Tensor) -> list[torch.Tensor]:
    """Features after every block, and after the pooling that follows, invariant in their values."""
    size = network.spec.symmetry.size
    found: list[torch.Tensor] = []

    def keep(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        found.append(pool_over_group(output, size))
        found.append(pool_over_group(torch.nn.functional.max_pool2d(output, 2), size))

    handles = [block.register_forward_hook(keep) for block in network.blocks]
    with torch.no_grad():
        network(images[:, None])
    for handle in handles:
        handle.remove()
    return found[:-1]


def print_stages(images: list[SourceImage], n_seeds: int) -> None:
    """Where in a network the error of a rotation by 45 degrees comes from."""
    element = GroupElement(rotation_deg=45)
    names = [f"{what} {n}" for n in (1, 2, 3, 4) for what in ("block", "pooling")][:-1]
    heading("images", "group", *names)
    cases = {"galaxies": standardised(images, (150, 150)), "blobs": blobs(len(images), 150)}
    for name, fields in cases.items():
        turned = transform_images(fields, element)
        for group in ("C1", "D8"):
            errors = np.zeros((n_seeds, len(names)))
            for seed in range(n_seeds):
                network = random_network(group, fields, seed)
                pairs = zip(stages(network, fields), stages(network, turned), strict=True)
                for index, (before, after) in enumerate(pairs):
                    expected = transform_images(
                        before, element, interpolation=Interpolation.BILINEAR
                    )
                    side = before.shape[-1]
                    middle = (side - 1) / 2
                    # without the rim, where zeros come in from outside
                    disc = disc_about((side, side), (middle, middle), 0.9 * middle)
                    wanted = expected[..., disc]
                    spread = wanted - wanted.mean(dim=-1, keepdim=True)
                    difference = (after[..., disc] - wanted).square().mean()
                    errors[seed, index] = (difference / spread.square().mean()).sqrt()
            row([name, group, *(f"{value:.2f}" for value in errors.mean(axis=0))])


def print_models(names: list[str], images: list[SourceImage]) -> None:
    """Tables of trained models, element by element and under arbitrary rotations."""
    heading("model", "element", "holds", "scores", "maps", "r", "interpolation: scores", "r")
    for name in names:
        model = load_model(name)
        symmetry = model.spec.symmetry
        elements = [g for g in group_elements(symmetry) if g != IDENTITY]
        fields = field_brightness(model, images)
        errors = symmetry_errors(model, fields, elements=[*elements, *elements_outside(symmetry)])
        for kind in Symmetry:
            found = errors.positions(kind)
            if not len(found):
                continue
            count = (
                f"{len(found)} elements"
                if len(found) > 3
                else ", ".join(errors.elements[position].name for position in found)
            )
            score, back = (
                short_number(values[found].mean())
                for values in (errors.spread_errors, errors.back_spread_errors)
            )
            largest = short_number(errors.map_errors[found].mean())
            correlation, of_back = (
                f"{values[found].mean():.3f}"
                for values in (errors.map_correlations, errors.back_map_correlations)
            )
            row([name, count, kind, score, largest, correlation, back, of_back])
    heading("model", "same class", "change of probability", "map", "Pearson", "Spearman")
    for name in names:
        rng = np.random.default_rng(0)
        means = rotation_consistency(load_model(name), images, n_angles=8, rng=rng).summary()
        share = f"{means['class_consistency']:.1%}"
        for layer in ("gate1", "gate2", "gate3", "mean"):
            row(
                [
                    name,
                    share,
                    f"{means['probability_change']:.4f}",
                    layer,
                    f"{means[f'{layer}_pearson']:.3f}",
                    f"{means[f'{layer}_spearman']:.3f}",
                ]
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-images", type=int, default=6)
    parser.add_argument("--n-seeds", type=int, default=3)
    parser.add_argument("--models", nargs="*", default=[])
    options = parser.parse_args()
    images = galaxies(options.n_images)
    print_random(images, options.n_seeds)
    print_stages(images, options.n_seeds)
    if options.models:
        print_models(options.models, images)


if __name__ == "__main__":
    main()
