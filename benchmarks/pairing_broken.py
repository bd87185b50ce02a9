"""How often the primary test calls real maps significant after their pairing with the annotations was broken.

    python benchmarks/pairing_broken.py --data-dir DIR --annotations claran_full_catalogue.csv
    python benchmarks/pairing_broken.py ... --model d8.pt --metric spearman --repetitions 4000

The annotations of the MiraBest sources are permuted between sources of the same true class, so that no map has
anything left to do with its own annotation beyond what its class brings. The test is then made as a comparison makes it: with the classes known, with the
class column removed, and pooled. Printed is the percentage of repetitions with p <= 0.05, and the largest of the
maps.
"""

from __future__ import annotations

import argparse
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.comparison.strata import annotated_sizes, size_bins
from attnxai.explanations.stack import CENTRE_BIAS
from attnxai.metrics import METRICS, TargetKind, agreement_tables
from attnxai.nulls import SourcePermutation, run_null_test

if TYPE_CHECKING:
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.metrics.targets import Targets

MODELS = tuple(f"{kind}{order}.pt" for kind in "cd" for order in (1, 2, 4, 8, 16))
LEVEL = 0.05
TESTS = ("class known", "class removed", "pooled")


def real_pairs(
    model: str, annotations: str | Path, data_dir: str | Path, methods: Sequence[str] = ("gates",)
) -> AlignedPairs:
    """Maps of a model and the associations of volunteers, of the MiraBest sources with two or more components."""
    import attnxai
    from attnxai.alignment.pairs import align

    images = attnxai.read_mirabest(data_dir)
    marks = attnxai.read_annotations(annotations, images)
    images = images.select(marks.sources)
    return align(attnxai.explain(attnxai.load_model(model), images, methods), marks, images)


def pair_values(pairs: AlignedPairs, metric: str) -> dict[str, np.ndarray]:
    """Metric of every source's map with every source's annotation, for every map and the brightness."""
    names = [*pairs.explanations, *(name for name in pairs.baselines if name != CENTRE_BIAS)]
    maps = np.stack([{**pairs.explanations, **pairs.baselines}[name] for name in names])
    targets: Targets = {TargetKind.DENSITY: pairs.density, TargetKind.MASK: pairs.mask}
    common = np.asarray(pairs.valid.all(axis=0))
    tables = agreement_tables([METRICS[metric]], maps, targets, common)
    return dict(zip(names, tables[0, :, 0], strict=True))


def permuted_within(strata: Sequence[Hashable], rng: np.random.Generator) -> np.ndarray:
    """A permutation of the sources that stays within strata."""
    null = SourcePermutation(within_strata=True)
    draws = null.draw(strata, n_draws=1, rng=rng)
    return np.asarray(draws.choices[0], dtype=np.intp)


def rejection_rates(
    pairs: AlignedPairs,
    values: Mapping[str, np.ndarray],
    *,
    test: str,
    broken_within: Sequence[Hashable] | None = None,
    n_repetitions: int = 1000,
    n_draws: int = 999,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Share of repetitions in which each map passes a test at 5 %.

    Parameters
    ----------
    pairs : AlignedPairs
        Sources whose classes are known, marked by one annotator.
    values : mapping of str to ndarray, shape (n_sources, n_sources)
        From :func:`pair_values`.
    test : str
        One of :data:`TESTS`.
    broken_within : sequence, optional
        Strata within which the pairing is broken; the classes when left out.
    n_repetitions, n_draws : int
        How often the pairing is broken, and draws of each test.
    rng : numpy.random.Generator
        Source of randomness.
    """
    classes = list(pairs.classes)
    marked = annotated_sizes(pairs.density, pairs.valid, pairs.pixel_scale_arcsec)
    null = SourcePermutation(within_strata=test != "pooled")
    rejected = dict.fromkeys(values, 0)
    for _ in range(n_repetitions):
        partner = permuted_within(classes if broken_within is None else broken_within, rng)
        strata: list[Hashable] = list(classes)
        if test == "class removed":
            assert pairs.scores is not None
            bins = size_bins(pairs.scores, marked[partner], pairs.splits)
            predicted = pairs.scores.argmax(axis=1).tolist()
            strata = [i if b is None else (predicted[i], b) for i, b in enumerate(bins)]
        draws = null.draw(strata, n_draws=n_draws, rng=rng)
        for name, matrix in values.items():
            p_value = run_null_test(matrix[:, partner], draws, null=null.name).p_value
            rejected[name] += p_value <= LEVEL
    return {name: n / n_repetitions for name, n in rejected.items()}


def main() -> None:
    """Print a table, a row for every model and test."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data-dir", required=True, help="folder of MiraBest")
    parser.add_argument("--annotations", required=True, help="the ClaRAN catalogue")
    parser.add_argument("--model", action="append", help="model; repeat for several")
    parser.add_argument("--metric", default="nss")
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=999)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for model in given.model or MODELS:
        pairs = real_pairs(model, given.annotations, given.data_dir)
        values = pair_values(pairs, given.metric)
        for test in TESTS:
            rates = rejection_rates(
                pairs,
                values,
                test=test,
                n_repetitions=given.repetitions,
                n_draws=given.draws,
                rng=np.random.default_rng(given.seed),
            )
            cells = [f"{name} {100 * rate:.1f}" for name, rate in rates.items()]
            largest = 100 * max(rates[name] for name in pairs.explanations)
            print(
                f"| {Path(model).stem} | {test} | {', '.join(cells)} | {largest:.1f} |", flush=True
            )


if __name__ == "__main__":
    main()
