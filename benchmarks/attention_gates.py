"""Compare attention gates by what they do on validation images; no annotation and no test image is used.

    python benchmarks/attention_gates.py OUT --data-dir DIR [--variants "range_norm; emission"] [--groups C1,D4,D8]
        [--seeds 0-4] [--no-training]

Networks are trained one after another on one thread, and kept in OUT as ``VARIANT-GROUP-SEED.pt`` with what was measured
of each beside it; run it again after an interruption. The table of docs/explanation/attention_gates.md is printed last.
"""

from __future__ import annotations

import argparse
import contextlib
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import nn

import attnxai
from attnxai.audit.equivariance import symmetry_errors
from attnxai.audit.equivariance_result import Symmetry
from attnxai.data.emission import Zone, cells_with_emission, emission_mask, zones_of_sky
from attnxai.data.images import SourceSet
from attnxai.explanations.gate_pass import blank_features, gate_batches
from attnxai.explanations.gates import layer_geometry
from attnxai.explanations.inputs import NetworkInputs
from attnxai.models import attention_gate
from attnxai.models.evaluation import evaluating
from attnxai.models.model import AttentionModel
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import compact_spec
from attnxai.training import TrainingSettings, loop
from attnxai.training.run import TrainingRun, training_and_validation
from attnxai.training.settings import Precision

CLASSES = ("FR I", "FR II")
BASELINE = "range_norm"
FIELDS = {"C1": (16, 16, 24, 32), "D4": (2, 2, 3, 4), "D8": (1, 1, 2, 2)}
EPOCHS = 20
N_BOOTSTRAP = 2000
# a gate whose evidence varies by less than this share of the margin's deviation plays no part
DEAD = 0.01

_EMISSION: dict[str, Any] = {"normalisation": "emission"}
VARIANTS: dict[str, dict[str, Any]] = {
    "range_norm": {"normalisation": "range_norm"},
    "range_norm, norm last": {"normalisation": "range_norm", "layer_order": "conv_relu_norm"},
    "sigmoid": {"normalisation": "sigmoid"},
    "softmax": {"normalisation": "softmax", "feature_sum": "sum"},
    "range_norm, penalty of 1": {"normalisation": "range_norm"},
    "range_norm, penalty of 10": {"normalisation": "range_norm"},
    "emission": _EMISSION,
    "emission, softmax": _EMISSION,
    "emission, ring of a cell": _EMISSION,
    "emission, 72 px": _EMISSION | {"binning": 2},
    "emission, 32 channels": _EMISSION,
}


def _softmax(scores: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Softmax restricted to emission; the scale of the scores is a temperature that is learned."""
    highest = scores.masked_fill(where == 0, -torch.inf).amax(dim=(2, 3), keepdim=True)
    highest = torch.where(highest.isfinite(), highest, 0.0)
    weights = torch.exp((scores - highest).clamp_max(0.0)) * where
    return weights / weights.sum(dim=(2, 3), keepdim=True).clamp_min(1e-12)


_PUBLIC = attention_gate.emission


def _ring(scores: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Attention on emission and the cells that touch it."""
    return _PUBLIC(scores, nn.functional.max_pool2d(where, 3, stride=1, padding=1))


class _Penalty(torch.autograd.Function):
    """Scores as they are; going backwards, the loss of these scores has a penalty added to it."""

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        return scores.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ARG004
        return gradient, gradient.new_ones(())


class _Penalised(TrainingRun):
    """Adds to the loss the share of the attention off emission, its mean over images and gates, times a factor.

    The epoch that is kept is chosen by the loss without it, as in all other variants.
    """

    factor = 1.0

    def scores(
        self, network: nn.Module, images: torch.Tensor, emission_of: torch.Tensor | None = None
    ) -> torch.Tensor:
        if not network.training:
            return super().scores(network, images, emission_of)
        maps: list[torch.Tensor] = []
        handles = [
            module.register_forward_hook(lambda *passed: maps.append(passed[2].float()))
            for module in network.modules()
            if isinstance(module, attention_gate.GateNormalisation)
        ]
        scores = super().scores(network, images, emission_of)
        for handle in handles:
            handle.remove()
        emission = (images > 0).float()
        shares = [
            1 - (on * values).sum(dim=(1, 2, 3)) / values.sum(dim=(1, 2, 3)).clamp_min(1e-12)
            for values in maps
            for on in [nn.functional.adaptive_max_pool2d(emission, values.shape[2:])]
        ]
        penalty: torch.Tensor = self.factor * torch.stack(shares).mean()
        return _Penalty.apply(scores, penalty)  # type: ignore[no-any-return,no-untyped-call]


class _PenalisedMore(_Penalised):
    factor = 10.0


_REPLACED = {"emission, softmax": _softmax, "emission, ring of a cell": _ring}
_RUNS = {"range_norm, penalty of 1": _Penalised, "range_norm, penalty of 10": _PenalisedMore}


@contextlib.contextmanager
def variant(name: str) -> Iterator[None]:
    """Networks built or trained within the block are of a variant that the package does not offer."""
    with (
        mock.patch.object(attention_gate, "emission", _REPLACED.get(name, _PUBLIC)),
        mock.patch.object(loop, "TrainingRun", _RUNS.get(name, TrainingRun)),
    ):
        yield


def train(
    name: str, group: str, seed: int, images: SourceSet, file: Path, precision: Precision
) -> None:
    """Train one network and keep it."""
    changes = {"layer_order": "conv_norm_relu", "binning": 3} | VARIANTS[name]
    if "32 channels" not in name:  # which the preset has
        changes["fields"] = FIELDS[group]
    started = time.monotonic()
    model, _ = loop.train_model(
        compact_spec(group, **changes),
        images,
        class_names=CLASSES,
        settings=TrainingSettings(epochs=EPOCHS, seed=seed, precision=precision),
        name=name,
        field=Preprocessing(size=144, pixel_scale_arcsec=1.8),
        progress_file=file.with_suffix(".progress"),
    )
    attnxai.save_model(model, file)
    file.with_suffix(".progress").unlink()
    print(f"{file.stem}: {time.monotonic() - started:.0f} s", flush=True)


def measure(model: AttentionModel, images: SourceSet) -> dict[str, NDArray[Any]]:
    """Evidence for the second class over the first by zone, and where the maps lie.

    Arrays of one row an image: ``margin``; ``bias``; ``zones`` (n, gates, zones) and, relative to empty sky, ``relative``;
    ``area`` (n, zones), of the finest map; ``on_source`` (n, gates), whether a map is higher on emission than elsewhere.
    """
    inputs, geometry = NetworkInputs.of(model, images), layer_geometry(model)
    mask = emission_mask(inputs.brightness)
    found: dict[str, list[Any]] = {}
    zones: dict[str, NDArray[np.int8]] = {}
    _, network = model.require_gates()
    with evaluating(network):
        blank = blank_features(model)
        first = 0
        for batch in gate_batches(network, inputs.batches(), blank=blank):
            on_source: list[Any] = []
            sums: list[Any] = []
            relative: list[Any] = []
            for name, values in batch.attention.items():
                attention = values.double().numpy()
                if name not in zones:
                    cells = cells_with_emission(mask, geometry[name], attention.shape[1:])
                    zones[name] = zones_of_sky(cells, step=geometry[name].step)
                own = zones[name][first : first + len(attention)]
                emission = own == Zone.EMISSION
                inside, outside = (
                    (attention * where).sum(axis=(1, 2)) / where.sum(axis=(1, 2))
                    for where in (emission, ~emission)
                )
                on_source.append(inside > outside)
                for evidence, listed in (
                    (batch.evidence, sums),
                    (batch.relative_evidence, relative),
                ):
                    maps = evidence.maps[name]
                    margin = (maps[:, 1] - maps[:, 0]).double().numpy()
                    listed.append(
                        np.stack([(margin * (own == z)).sum(axis=(1, 2)) for z in Zone], axis=-1)
                    )
            scores, bias = batch.scores.double().numpy(), batch.evidence.bias.double().numpy()
            first += len(scores)
            measured = {
                "margin": scores[:, 1] - scores[:, 0],
                "bias": bias[:, 1] - bias[:, 0],
                "zones": np.stack(sums, axis=1),
                "relative": np.stack(relative, axis=1),
                "on_source": np.stack(on_source, axis=1),
            }
            for name, values in measured.items():
                found.setdefault(name, []).append(values)
    finest = zones[list(geometry)[-1]]
    area = np.stack([(finest == zone).sum(axis=(1, 2)) for zone in Zone], axis=-1)
    return {name: np.concatenate(values) for name, values in found.items()} | {"area": area}


def exactness(model: AttentionModel, images: SourceSet) -> float:
    """Largest error of a map, of its range, over the elements that are to be exact."""
    if model.spec.group == "C1":
        return 0.0
    errors = symmetry_errors(model, images[:8])
    exact = [index for index, kind in enumerate(errors.expected) if kind is Symmetry.EXACT]
    scores = errors.score_changes[exact].max() / errors.score_spread
    return float(max(scores, np.nanmax(errors.map_errors[exact])))


def alone(found: dict[str, NDArray[Any]], zone: Zone) -> NDArray[np.float64]:
    """Margins in which the sums of the other zones are their means over the images."""
    sums = found["zones"].sum(axis=1)
    means = np.broadcast_to(sums.mean(axis=0), sums.shape).copy()
    means[:, zone] = sums[:, zone]
    return np.asarray(found["bias"] + means.sum(axis=1))


class Result:
    """What was measured of one network."""

    def __init__(self, values: dict[str, NDArray[Any]]) -> None:
        self.truth = values["truth"].astype(bool)
        self.correct = (values["margin"] > 0) == self.truth
        self.sky = alone(values, Zone.EMPTY_SKY)
        self.values = values

    @property
    def auc(self) -> float:
        """AUC from empty sky alone."""
        return float(roc_auc_score(self.truth, self.sky))

    @property
    def dead(self) -> list[int]:
        """Gates whose evidence does not vary."""
        spread = self.values["zones"].sum(axis=2).std(axis=0)
        return [int(i) + 1 for i in np.flatnonzero(spread < DEAD * self.values["margin"].std())]

    @property
    def signs(self) -> NDArray[np.float64]:
        """Mean evidence relative to empty sky of the images of each class, over all gates."""
        total = self.values["relative"].sum(axis=(1, 2))
        return np.array([total[~self.truth].mean(), total[self.truth].mean()])


Results = dict[tuple[str, str, int], Result]


def auc_interval(results: list[Result], rng: np.random.Generator) -> tuple[float, float, float]:
    """Mean AUC from empty sky alone over networks, and its bootstrap interval over images."""
    means = []
    for _ in range(N_BOOTSTRAP // 10):
        drawn = []
        for result in results:
            index = rng.integers(len(result.sky), size=len(result.sky))
            drawn.append(roc_auc_score(result.truth[index], result.sky[index]))
        means.append(np.mean(drawn))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(np.mean([result.auc for result in results])), float(low), float(high)


def difference(results: Results, name: str, rng: np.random.Generator) -> tuple[float, ...]:
    """Validation accuracy less that of the baseline, paired by image: mean, interval, and that over networks.

    Networks (of group and seed) are drawn with replacement, and then images within each.
    """
    pairs = [
        result.correct.astype(float) - results[BASELINE, group, seed].correct
        for (variant_name, group, seed), result in results.items()
        if variant_name == name and (BASELINE, group, seed) in results
    ]
    images, networks = [], []
    for _ in range(N_BOOTSTRAP):
        images.append(np.mean([rng.choice(pair, len(pair)).mean() for pair in pairs]))
        drawn = [pairs[i] for i in rng.integers(len(pairs), size=len(pairs))]
        networks.append(np.mean([rng.choice(pair, len(pair)).mean() for pair in drawn]))
    return (
        float(np.mean([pair.mean() for pair in pairs])),
        *map(float, np.quantile(images, (0.025, 0.975))),
        *map(float, np.quantile(networks, (0.025, 0.975))),
    )


def row(results: Results, name: str, group: str | None, rng: np.random.Generator) -> str:
    """One row of the table."""
    own = {k: r for k, r in results.items() if k[0] == name and group in (None, k[1])}
    listed = list(own.values())
    accuracy = np.mean([r.correct.mean() for r in listed])
    auc, low, high = auc_interval(listed, rng)
    area = np.mean([roc_auc_score(r.truth, r.values["area"][:, Zone.EMPTY_SKY]) for r in listed])
    shares = [
        "/".join(
            f"{np.mean([r.values['on_source'][r.truth == c, g].mean() for r in listed]):.2f}"
            for c in (False, True)
        )
        for g in range(listed[0].values["on_source"].shape[1])
    ]
    signs = np.sign([r.signs for r in listed]).sum(axis=0).astype(int)
    delta = ""
    baseline = {k: r for k, r in results.items() if k[0] == BASELINE}
    if name != BASELINE and {k[1:] for k in own} & {k[1:] for k in baseline}:
        mean, *ends = (100 * number for number in difference(own | baseline, name, rng))
        delta = f"{mean:+.1f} [{ends[0]:+.1f}, {ends[1]:+.1f}]; [{ends[2]:+.1f}, {ends[3]:+.1f}]"
    cells = (
        name,
        group or "all",
        f"{len(own)}",
        f"{accuracy:.3f}",
        delta,
        f"{auc:.3f} [{low:.3f}, {high:.3f}]",
        f"{area:.2f}",
        "; ".join(shares),
        f"{sum(map(len, (r.dead for r in listed)))}",
        f"{signs[0]:+d}, {signs[1]:+d}",
        f"{max(float(r.values['exactness']) for r in listed):.0e}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of MiraBest")
    parser.add_argument(
        "--variants", default="range_norm; emission", help="separated by semicolons"
    )
    parser.add_argument("--groups", default="C1,D4,D8")
    parser.add_argument("--seeds", default="0-4", help="first and last")
    parser.add_argument("--precision", type=Precision, default=Precision.FLOAT32)
    parser.add_argument("--no-training", action="store_true", help="only measure what is trained")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    given.out.mkdir(exist_ok=True)
    data = attnxai.read_mirabest(given.data_dir)
    images = SourceSet([image for image in data if image.split != "test"])
    labels = [CLASSES.index(str(image.class_name)) for image in images]
    first, last = (int(end) for end in given.seeds.split("-"))
    results: Results = {}
    names = [name.strip() for name in given.variants.split(";")]
    for seed in range(first, last + 1):
        settings = TrainingSettings(epochs=EPOCHS, seed=seed)
        _, validation = training_and_validation(images, labels, settings)
        held = SourceSet([images[int(i)] for i in validation])
        for group in given.groups.split(","):
            for name in names:
                file = given.out / f"{name.replace(', ', '_').replace(' ', '_')}-{group}-{seed}.pt"
                measured = file.with_suffix(".measured.npz")
                with variant(name):
                    if not measured.is_file():
                        if not file.is_file() and not given.no_training:
                            train(name, group, seed, images, file, given.precision)
                        if not file.is_file():
                            continue
                        model = attnxai.load_model(file)
                        found = measure(model, held)
                        found["truth"] = np.array(labels)[validation]
                        found["exactness"] = np.array(exactness(model, held))
                        np.savez(measured, **found)  # type: ignore[arg-type]
                results[name, group, seed] = Result(dict(np.load(measured)))
    rng = np.random.default_rng(0)
    print(
        "| Gate | Group | Networks | Accuracy | Less range_norm, points: [over images]; [over networks too] | AUC from "
        "empty sky alone | AUC of its area | On the source, FR I/FR II; by gate | Dead gates | Sign of evidence, FR I, FR II | "
        "Symmetry error |\n|" + " --- |" * 11
    )
    for name in names:
        groups = sorted({k[1] for k in results if k[0] == name})
        for group in (*groups, *([None] if len(groups) > 1 else [])):
            print(row(results, name, group, rng))


if __name__ == "__main__":
    main()
