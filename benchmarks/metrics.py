"""How fast metrics are beside pysaliency, scikit-learn, Quantus and scipy, and tests by permutation beside careful scipy.

    python benchmarks/metrics.py            # fields of 150 x 150 pixels, tables of 50, 150 and 300 sources
    python benchmarks/metrics.py --quick    # a small problem, to see that it runs

Both sides take turns in one process with one thread, and a ratio is the median over turns of their processor times; times of
machines differ, ratios much less. Both give the same numbers, which is checked. The functions of pysaliency and Quantus
are their arithmetic, written here in numpy, so that nothing needs to be installed; where pysaliency is installed, the
benchmark checks that its own functions give the same. Whatever a careful user would do once is done
once: the places of marks for NSS, and for the table the ranks, with all correlations from one product of matrices and the
permutations by scipy's vectorised ``permutation_test``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from agreement import heading, row
from agreement_tasks import Problem, arrays_of, simulated_pairs
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from attnxai.metrics import METRICS, TargetKind, agreement_tables
from attnxai.nulls import NullDraws, SourcePermutation, run_null_test

N_SINGLE = 40
Values = Any


def density_of(map: Values) -> Values:
    """A map from 0 on that sums to 1, as pysaliency has it."""
    if map.min() < 0:
        map = map - map.min()
    map = map + 0.0
    return map / map.sum()


def pysaliency_nss(map: Values, places: Values) -> float:
    """Mean over the marked places of the standardised map."""
    mean, deviation = map.mean(), map.std()
    value = map[places].copy()
    value -= mean
    value /= deviation
    return float(value.mean())


def pysaliency_sim(map: Values, density: Values) -> float:
    """Sum of the smaller one of both distributions."""
    return float(np.min([density_of(map), density_of(density)], axis=0).sum())


def quantus_mass(maps: Values, masks: Values) -> Values:
    """Relevance mass accuracy of a batch."""
    maps, masks = (array.reshape(len(array), -1) for array in (maps, masks))
    return (maps * masks).sum(-1) / maps.sum(-1)


def quantus_rank(maps: Values, masks: Values) -> Values:
    """Relevance rank accuracy of a batch."""
    maps, masks = (array.reshape(len(array), -1) for array in (maps, masks))
    n_marked, n_pixels = masks.sum(-1), maps.shape[-1]
    by_height = np.argsort(-maps, axis=-1)
    highest = np.array([[True] * k + [False] * (n_pixels - k) for k in n_marked])
    hits = masks[np.arange(len(maps))[:, None], by_height]
    return (hits * highest).sum(-1) / highest.sum(-1)


class Pairs:
    """Maps of sources with their annotations, as each library takes them."""

    def __init__(self, problem: Problem) -> None:
        maps, targets, field = arrays_of(simulated_pairs(problem))
        self.maps = np.ascontiguousarray(maps[0])
        self.density = targets[TargetKind.DENSITY][0].astype(np.float64)
        self.masks = targets[TargetKind.MASK][0]
        self.places = [mask.nonzero() for mask in self.masks]
        self.everywhere = np.ones_like(field)

    def peers(self) -> dict[str, tuple[str, Callable[[int, int], float]]]:
        """Library and function of the map of one source and the annotation of another, for each metric."""
        maps, density, masks, places = self.maps, self.density, self.masks, self.places
        flat = [array.reshape(len(maps), -1) for array in (maps, density, masks)]
        return {
            "nss": ("pysaliency", lambda i, j: pysaliency_nss(maps[i], places[j])),
            "similarity": ("pysaliency", lambda i, j: pysaliency_sim(maps[i], density[j])),
            "auc": ("scikit-learn", lambda i, j: roc_auc_score(flat[2][j], flat[0][i])),
            "average_precision": (
                "scikit-learn",
                lambda i, j: average_precision_score(flat[2][j], flat[0][i]),
            ),
            "relevance_mass_accuracy": (
                "Quantus",
                lambda i, j: quantus_mass(maps[i : i + 1], masks[j : j + 1])[0],
            ),
            "relevance_rank_accuracy": (
                "Quantus",
                lambda i, j: quantus_rank(maps[i : i + 1], masks[j : j + 1])[0],
            ),
            "correlation": ("scipy", lambda i, j: stats.pearsonr(flat[0][i], flat[1][j])[0]),
            "spearman": ("scipy", lambda i, j: stats.spearmanr(flat[0][i], flat[1][j])[0]),
        }

    def targets_of(self, name: str) -> Values:
        """What a metric compares with: masks for NSS as well, which pysaliency takes as places."""
        wants_mask = METRICS[name].target is TargetKind.MASK or name == "nss"
        return self.masks if wants_mask else self.density


def turns(sides: Mapping[str, Callable[[], Any]], repeat: int) -> dict[str, list[float]]:
    """Processor seconds of every side, one after the other in each turn; the first turn does not count."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeat + 1):
        for name, work in sides.items():
            start = time.process_time()
            work()
            if turn:
                taken[name].append(time.process_time() - start)
    return taken


def ratio(theirs: list[float], ours: list[float]) -> float:
    """How many times as fast the second side is."""
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))


def check_pysaliency(pairs: Pairs) -> str:
    """Compare the arithmetic written here with pysaliency's own, where that is installed."""
    found = importlib.util.find_spec("pysaliency")
    if found is None or not found.submodule_search_locations:
        return "pysaliency is not installed: its arithmetic is not checked against it"
    # the module alone: the package imports models and data sets
    path = Path(found.submodule_search_locations[0]) / "metrics.py"
    spec = importlib.util.spec_from_file_location("pysaliency_metrics", path)
    assert spec is not None
    assert spec.loader is not None
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    for map, density, (y, x) in zip(pairs.maps, pairs.density, pairs.places, strict=True):
        np.testing.assert_allclose(pysaliency_nss(map, (y, x)), theirs.NSS(map, x, y).mean())
        np.testing.assert_allclose(pysaliency_sim(map, density), theirs.SIM(map, density))
    return "the arithmetic is that of the installed pysaliency"


def print_metrics(pairs: Pairs, n_table: int, repeat: int) -> None:
    """Ratios of single pairs, and of the table of all pairs of some sources."""
    heading(
        "Metric", "Beside", "One pair, µs", "One pair: ratio", f"{n_table} x {n_table} pairs: ratio"
    )
    every = range(len(pairs.maps))
    for name, (library, peer) in pairs.peers().items():
        metric, targets = METRICS[name], pairs.targets_of(name)

        def singly(metric: Any = metric, targets: Values = targets) -> list[float]:
            return [metric(pairs.maps[i], targets[i]) for i in every]

        def table(metric: Any = metric, targets: Values = targets) -> Values:
            some = {metric.target: targets[None, :n_table]}
            return agreement_tables([metric], pairs.maps[None, :n_table], some, pairs.everywhere)

        def peer_singly(peer: Any = peer) -> list[float]:
            return [peer(i, i) for i in every]

        def peer_table(peer: Any = peer) -> list[list[float]]:
            return [[peer(i, j) for j in range(n_table)] for i in range(n_table)]

        np.testing.assert_allclose(singly(), peer_singly(), rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(table()[0, 0, 0], peer_table(), rtol=1e-8, atol=1e-10)
        one = turns({"peer": peer_singly, "own": singly}, repeat)
        all_pairs = turns({"peer": peer_table, "own": table}, max(1, repeat // 3))
        row(
            metric.label,
            library,
            f"{1e6 * statistics.median(one['own']) / len(pairs.maps):,.0f}",
            f"{ratio(one['peer'], one['own']):.1f}",
            f"{ratio(all_pairs['peer'], all_pairs['own']):,.0f}",
        )


def standardised_ranks(rows: Values) -> Values:
    """Ranks of rows, less their mean and at unit length."""
    ranks = stats.rankdata(rows, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    return ranks / np.linalg.norm(ranks, axis=1, keepdims=True)


def print_permutations(sizes: list[int], side: int, n_draws: int, repeat: int) -> None:
    """A table of Spearman's correlation of all pairs and its permutations, beside careful scipy."""
    heading(
        "Sources, maps x annotators",
        "Table: ratio",
        f"{n_draws:,} permutations: ratio",
        "Both: ratio",
        "Both, attnxai, s",
    )
    spearman = [METRICS["spearman"]]
    for n, n_maps, n_annotators in [*((n, 1, 1) for n in sizes), (sizes[1], 4, 3)]:
        problem = Problem(n_sources=n, side=side, n_maps=n_maps, n_annotators=n_annotators)
        maps, targets, field = arrays_of(simulated_pairs(problem))
        density = {TargetKind.DENSITY: targets[TargetKind.DENSITY]}
        every = np.arange(n)

        def careful_tables(
            maps: Values = maps, density: Values = density, field: Values = field
        ) -> list[list[Values]]:
            of_maps = [standardised_ranks(some[:, field]) for some in maps]
            of_marks = [standardised_ranks(some[:, field]) for some in density[TargetKind.DENSITY]]
            return [[a @ b.T for b in of_marks] for a in of_maps]

        def tables(maps: Values = maps, density: Values = density, field: Values = field) -> Values:
            return agreement_tables(spearman, maps, density, field)[0]

        found = tables()
        np.testing.assert_allclose(careful_tables(), found, rtol=1e-10, atol=1e-12)

        def careful_test(
            table: Values, seen: list[Values] | None = None, every: Values = every
        ) -> Any:
            def statistic(annotations: Values, axis: int = -1) -> Values:
                if seen is not None:
                    seen.append(np.atleast_2d(annotations).copy())
                return table[every, annotations].mean(axis=axis)

            return stats.permutation_test(
                (every,),
                statistic,
                permutation_type="pairings",
                vectorized=True,
                n_resamples=n_draws,
                alternative="greater",
                random_state=np.random.default_rng(0),
            )

        def careful_tests(found: Values = found, test: Any = careful_test) -> None:
            for table in found.reshape(-1, *found.shape[-2:]):
                test(table)

        def tests(found: Values = found, n: int = n) -> None:
            null = SourcePermutation(within_strata=False)
            draws = null.draw(["any"] * n, n_draws=n_draws, rng=np.random.default_rng(0))
            for table in found.reshape(-1, n, n):
                run_null_test(table, draws, null=null.label)

        check_permutations(found[0, 0], careful_test)
        sides: dict[str, Callable[[], Any]] = {
            "careful tables": careful_tables,
            "tables": tables,
            "careful tests": careful_tests,
            "tests": tests,
        }
        taken = turns(sides, repeat)
        both, careful = (
            [a + b for a, b in zip(taken[f"{who}tables"], taken[f"{who}tests"], strict=True)]
            for who in ("", "careful ")
        )
        row(
            f"{n}, {n_maps} x {n_annotators}",
            ratio(taken["careful tables"], taken["tables"]),
            ratio(taken["careful tests"], taken["tests"]),
            ratio(careful, both),
            statistics.median(both),
        )


def check_permutations(table: Values, careful_test: Any) -> None:
    """The same permutations have the same means and the same p-value in both."""
    seen: list[Values] = []
    made = careful_test(table, seen)
    drawn = np.concatenate(seen)[-len(made.null_distribution) :]
    draws = NullDraws(choices=drawn, exhaustive=False, permutes_sources=True)
    ours = run_null_test(table, draws, null="pooled")
    np.testing.assert_allclose(ours.values, made.null_distribution, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose([ours.observed, ours.p_value], [made.statistic, made.pvalue])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small problem")
    parser.add_argument("--repeat", type=int, default=9, help="turns, of which the median counts")
    options = parser.parse_args()
    sides, n_table, sizes = [64, 150, 300], 20, [50, 150, 300]
    side, n_draws, repeat = 150, 10_000, options.repeat
    if options.quick:
        sides, n_table, sizes = [40], 5, [20, 30]
        side, n_draws, repeat = 40, 1000, 1
    print("ratios of processor times: how many times as fast attnxai is; one thread")
    for side in sides:
        pairs = Pairs(Problem(n_sources=N_SINGLE, side=side, n_maps=1, n_annotators=1))
        print(f"\n{side} x {side} pixels; {check_pysaliency(pairs)}", flush=True)
        print_metrics(pairs, n_table, repeat)
    print(
        f"\n{'40 x 40' if options.quick else '150 x 150'} pixels, beside careful scipy", flush=True
    )
    print_permutations(sizes, 40 if options.quick else 150, n_draws, repeat)


if __name__ == "__main__":
    main()
