"""Whether trained networks meet the five criteria of docs/explanation/attention_gates.md.

    python benchmarks/gate_criteria.py NETWORKS BASELINE --data-dir DIR [--files "*.pt"]

NETWORKS is a folder of model files, one for each group and seed, which the files state themselves. BASELINE is another such
folder, or the history.csv of a study, which has the validation accuracy of every group and seed. Networks are measured on the
images that they were validated on, and compared with the network of the baseline that has the same group and seed. No test
image and no annotation is used.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from attention_gates import CLASSES, N_BOOTSTRAP, Result, auc_interval, exactness, measure
from scipy import stats
from sklearn.metrics import roc_auc_score

import attnxai
from attnxai.classification.prediction import class_labels, class_scores
from attnxai.data.emission import Zone
from attnxai.data.images import SourceSet
from attnxai.models.model import AttentionModel, TrainingRecord

# what the criteria allow: a loss of accuracy, a deviation of the AUC, and rounding of maps in 64 bits
LOWEST_DIFFERENCE, AUC_DEVIATION, ROUNDING = -0.03, 0.05, 1e-9

Key = tuple[str, int]
"""Group and seed."""


def models(folder: Path, pattern: str) -> Iterator[tuple[Key, AttentionModel, TrainingRecord]]:
    """The models of a folder; states of trainings, which lie beside them, are left out."""
    seen: dict[Key, Path] = {}
    for file in sorted(folder.glob(pattern)):
        if file.stem.endswith((".progress", ".finished")):
            continue
        model = attnxai.load_model(file)
        if model.training is None or model.class_names != CLASSES:
            sys.exit(f"{file} has no training record, or other classes than {', '.join(CLASSES)}")
        key = (model.spec.group, int(model.training.settings["seed"]))
        if key in seen:
            sys.exit(f"{seen[key]} and {file} have the same group and seed; choose by --files")
        seen[key] = file
        yield key, model, model.training
    if not seen:
        sys.exit(f"there are no model files {pattern} in {folder}")


def measured(model: AttentionModel, held: SourceSet) -> Result:
    """What the criteria need of one network, on its validation images."""
    found = measure(model, held)
    found["truth"] = class_labels(model, held)
    # in 32 bits rounding alone reaches 1e-4 of the range of a map
    model.network.double()
    found["exactness"] = np.array(exactness(model, held))
    return Result(found)


Accuracies = Mapping[Key, tuple[float, Mapping[str, bool] | None]]
"""Validation accuracy, and which images are classified correctly where that is known."""


def baseline_accuracies(path: Path, images: SourceSet) -> Accuracies:
    """Those of a folder of models, or of the history of a study."""
    accuracies: dict[Key, tuple[float, Mapping[str, bool] | None]] = {}
    if path.is_file():
        table = pd.read_csv(path)
        kept = table.loc[table.groupby(["group", "seed"])["validation_loss"].idxmin()]
        for epoch in kept.to_dict("records"):
            accuracies[epoch["group"], epoch["seed"]] = (epoch["validation_accuracy"], None)
        return accuracies
    for key, model, record in models(path, "*.pt"):
        held = images.select(record.validation_sources)
        correct = class_scores(model, held).argmax(axis=1) == class_labels(model, held)
        by_source = dict(zip(held.sources, map(bool, correct), strict=True))
        accuracies[key] = (float(correct.mean()), by_source)
    return accuracies


Differences = Mapping[Key, tuple[float, Mapping[str, float] | None]]
"""Accuracy less that of the baseline, and the same by image where that is known."""


def differences(
    networks: Mapping[Key, Result], sources: Mapping[Key, tuple[str, ...]], baseline: Accuracies
) -> Differences:
    """Of the networks that have a partner of the same group and seed, which has to have the same validation images."""
    found: dict[Key, tuple[float, Mapping[str, float] | None]] = {}
    for key in networks.keys() & baseline.keys():
        correct = networks[key].correct
        accuracy, by_source = baseline[key]
        if by_source is not None and set(by_source) != set(sources[key]):
            sys.exit(f"{key}: the baseline was validated on other images")
        by_image = None
        if by_source is not None:
            own = dict(zip(sources[key], correct, strict=True))
            by_image = {source: float(own[source]) - by_source[source] for source in own}
        found[key] = (float(correct.mean()) - accuracy, by_image)
    return found


def over_images(pairs: list[Mapping[str, float]], rng: np.random.Generator) -> tuple[float, float]:
    """Bootstrap interval of the mean; an image is drawn for all networks that were validated on it."""
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for pair in pairs:
        for source, value in pair.items():
            sums[source] += value
            counts[source] += 1
    total, n = np.array([(sums[source], counts[source]) for source in sums], float).T
    drawn = rng.multinomial(len(n), np.full(len(n), 1 / len(n)), size=N_BOOTSTRAP)
    low, high = np.quantile((drawn @ total) / (drawn @ n), (0.025, 0.975))
    return float(low), float(high)


def over_networks(values: list[float]) -> tuple[float, float]:
    """Student's interval of the mean."""
    if len(values) < 2:
        return np.nan, np.nan
    half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
    return float(np.mean(values) - half), float(np.mean(values) + half)


class Group:
    """The criteria on the networks of one group, or on all of them."""

    def __init__(
        self, networks: Mapping[Key, Result], found: Differences, rng: np.random.Generator
    ) -> None:
        self.results = results = list(networks.values())
        pairs = [found[key] for key in networks if key in found]
        self.n_pairs = len(pairs)
        self.difference = float(np.mean([mean for mean, _ in pairs])) if pairs else np.nan
        by_image = [by_image for _, by_image in pairs if by_image is not None]
        self.images = over_images(by_image, rng) if by_image else None
        self.networks = over_networks([mean for mean, _ in pairs])
        self.auc = auc_interval(results, rng)
        own = {key: auc_interval([result], rng) for key, result in networks.items()}
        self.telling = [key for key, (_, low, high) in own.items() if not low <= 0.5 <= high]
        self.area = np.mean(
            [roc_auc_score(r.truth, r.values["area"][:, Zone.EMPTY_SKY]) for r in results]
        )
        self.exactness = max(float(result.values["exactness"]) for result in results)
        self.dead = {key: result.dead for key, result in networks.items() if result.dead}
        signs = np.sign([result.signs for result in results])
        self.signs = [(int((one < 0).sum()), int((one > 0).sum())) for one in signs.T]

    @property
    def lowest(self) -> float:
        """End of the interval that the first criterion is about."""
        return (self.networks if self.images is None else self.images)[0]

    @property
    def same_signs(self) -> bool:
        """Whether the evidence of each class has the same sign in all networks."""
        return all(len(self.results) in counts for counts in self.signs)

    def row(self, name: str) -> str:
        """One row of the table."""
        cells = (
            name,
            f"{len(self.results)}",
            f"{np.mean([result.correct.mean() for result in self.results]):.3f}",
            f"{100 * self.difference:+.1f} ({self.n_pairs})",
            "" if self.images is None else _points(self.images),
            _points(self.networks),
            "{:.3f} [{:.3f}, {:.3f}]".format(*self.auc),
            f"{len(self.telling)}",
            f"{self.area:.2f}",
            f"{self.exactness:.0e}",
            f"{sum(map(len, self.dead.values()))}",
            *(f"{for_first}, {for_second}" for for_first, for_second in self.signs),
        )
        return f"| {' | '.join(cells)} |"


def _points(ends: tuple[float, float]) -> str:
    return f"[{100 * ends[0]:+.1f}, {100 * ends[1]:+.1f}]"


def _named(keys: Iterable[Key]) -> str:
    return ", ".join(f"{group} seed {seed}" for group, seed in keys) or "none"


def verdicts(whole: Group, groups: Mapping[str, Group]) -> Iterator[str]:
    """The five criteria, on all networks."""
    mean, low, high = whole.auc
    over = "networks" if whole.images is None else "images"
    unlike = [name for name, group in groups.items() if not group.same_signs]
    difference = (
        f"the interval of the difference in validation accuracy over {over} begins at {100 * whole.lowest:+.1f} points; "
        f"it has to lie above {100 * LOWEST_DIFFERENCE:g} ({whole.n_pairs} pairs of networks)"
    )
    silent = not whole.telling and low <= 0.5 <= high and abs(mean - 0.5) <= AUC_DEVIATION
    sky = (
        f"mean AUC from empty sky alone over networks {mean:.3f} [{low:.3f}, {high:.3f}]; networks whose own interval leaves 0.5 out: "
        f"{_named(whole.telling)}"
    )
    symmetry = f"largest error of a symmetry that is to be exact, in 64 bits: {whole.exactness:.0e}"
    lines = (
        (whole.lowest > LOWEST_DIFFERENCE, difference),
        (silent, sky),
        (whole.exactness < ROUNDING, symmetry),
        (not whole.dead, f"networks with dead gates: {_named(whole.dead)}"),
        (not unlike, f"groups in which signs depend on the seed: {', '.join(unlike) or 'none'}"),
    )
    for number, (met, text) in enumerate(lines, start=1):
        yield f"{number}. {'met' if met else 'NOT MET'}: {text}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("networks", type=Path)
    parser.add_argument("baseline", type=Path)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of MiraBest")
    parser.add_argument("--files", default="*.pt", help="which files of NETWORKS")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    data = attnxai.read_mirabest(given.data_dir)
    images = SourceSet([image for image in data if image.split != "test"])
    networks: dict[Key, Result] = {}
    sources: dict[Key, tuple[str, ...]] = {}
    for key, model, record in models(given.networks, given.files):
        sources[key] = record.validation_sources
        networks[key] = measured(model, images.select(sources[key]))
        print(*key, f"{networks[key].correct.mean():.3f}", file=sys.stderr, flush=True)
    found = differences(networks, sources, baseline_accuracies(given.baseline, images))
    rng = np.random.default_rng(0)
    names = sorted({group for group, _ in networks}, key=lambda name: (name[0], int(name[1:])))
    groups = {
        name: Group({k: r for k, r in networks.items() if k[0] == name}, found, rng)
        for name in names
    }
    whole = Group(networks, found, rng)
    print(
        "| Group | Networks | Accuracy | Difference, points (pairs) | over images | over networks | AUC from empty sky "
        "| Networks that it tells | AUC of its area | Symmetry error | Dead gates | Evidence in FR I images: networks in "
        "which it is for FR I, FR II | in FR II images |\n|" + " --- |" * 13
    )
    for name, group in (*groups.items(), ("all", whole)):
        print(group.row(name))
    print(*verdicts(whole, groups), sep="\n")


if __name__ == "__main__":
    main()
