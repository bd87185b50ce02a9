"""What ``agreement.py`` measures: simulated problems, and the work that is timed, each in its own process.

python benchmarks/agreement_tasks.py '{"work": "compare", "problem": {"metrics": ["nss"]}}'
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

CORES = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is compared: simulated sources of two classes, of which about 2.5 % of the field is marked."""

    n_sources: int = 150
    side: int = 150
    n_maps: int = 4
    n_annotators: int = 3
    with_baselines: bool = False
    metrics: tuple[str, ...] = ()
    n_draws: int = 10_000


def simulated_pairs(problem: Problem) -> Any:
    """Maps that share something with what is marked, on one field."""
    from scipy.ndimage import gaussian_filter

    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.alignment.rasterise import leave_one_out_mean
    from attnxai.explanations.stack import CENTRE_BIAS, Split

    n, side, rng = problem.n_sources, problem.side, np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2

    def lobes(places: Iterable[Any]) -> Any:
        width = 2 * (side / 25) ** 2
        return sum(np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / width) for at in places)

    field = np.hypot(x, y) <= side / 2 - 1
    density = np.zeros((problem.n_annotators, n, side, side), np.float32)
    maps = {f"map {i + 1}": np.empty((n, side, side)) for i in range(problem.n_maps)}
    brightness = np.empty((n, side, side))
    for source in range(n):
        angle, distance = rng.uniform(0, np.pi), side * rng.uniform(0.05, 0.2)
        place = distance * np.array([np.cos(angle), np.sin(angle)])
        places = np.array([place, -place])
        true = lobes(places)
        brightness[source] = np.clip(true + rng.normal(0, 0.05, true.shape), 0, None)
        for marks in density:
            drawn = lobes(places + rng.normal(0, side / 75, places.shape))
            marks[source] = np.where(drawn < 0.05, 0, drawn)
        for level, layer in enumerate(maps.values()):
            noise = gaussian_filter(rng.normal(size=true.shape), side / 60 * 2**level)
            layer[source] = (noise - noise.min()) / np.ptp(noise) + 0.3 * true
    present = np.ones(density.shape[:2], bool)
    baselines = {}
    if problem.with_baselines:
        baselines = {"brightness": brightness}
        for width in (1.0, 2.0):
            smooth = gaussian_filter(brightness, (0, width, width))
            baselines[f"brightness, {width:g} px"] = smooth
        baselines[CENTRE_BIAS] = leave_one_out_mean(density, present)
    return AlignedPairs(
        model_name="simulated",
        sources=tuple(f"source_{i:03d}" for i in range(n)),
        classes=tuple(("FR I", "FR II")[i % 2] for i in range(n)),
        splits=(Split.HELD_OUT,) * n,
        explanations=maps,
        baselines=baselines,
        annotators=tuple(f"annotator {i + 1}" for i in range(problem.n_annotators)),
        density=density,
        mask=density > 0.4,
        present=present,
        valid=np.broadcast_to(field, (n, side, side)).copy(),
        brightness=brightness.astype(np.float32),
        source_weights=np.ones(n),
        pixel_scale_arcsec=1.8,
    )


def seconds(work: Callable[[], Any]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_gigabytes() -> float:
    """The most memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def compare_seconds(pairs: Any, problem: Problem) -> float:
    """The comparison as a user calls it."""
    from attnxai.agreement.comparison import ComparisonSettings, compare_pairs

    settings = ComparisonSettings(
        metrics=problem.metrics, n_permutations=problem.n_draws, n_bootstrap=problem.n_draws
    )
    return seconds(lambda: compare_pairs(pairs, settings=settings, rng=0))


def arrays_of(pairs: Any) -> tuple[Any, Any, Any]:
    """Maps, targets and field as the functions beneath the comparison take them."""
    from attnxai.metrics import TargetKind

    targets = {TargetKind.DENSITY: pairs.density, TargetKind.MASK: pairs.mask}
    return np.stack(list(pairs.explanations.values())), targets, pairs.valid[0]


def time_compare(problem: Problem) -> dict[str, float]:
    """The whole comparison, and the memory that it took."""
    taken = compare_seconds(simulated_pairs(problem), problem)
    return {"seconds": taken, "gigabytes": peak_gigabytes()}


def time_parts(problem: Problem) -> dict[str, float]:
    """Tables of all pairs, permutations of these, and resamples of what belongs together, apart."""
    from attnxai.agreement.intervals.crossed import CrossedMethod, crossed_interval
    from attnxai.metrics import METRICS, agreement_tables, own_tables
    from attnxai.nulls import SourcePermutation, run_null_test
    from attnxai.statistics.bootstrap import bootstrap_counts, mean_interval

    maps, targets, field = arrays_of(simulated_pairs(problem))
    metrics = [METRICS[name] for name in problem.metrics]
    n, n_draws, rng = problem.n_sources, problem.n_draws, np.random.default_rng(0)
    valid = np.broadcast_to(field, (n, *field.shape))
    found = {}

    def tables() -> None:
        found["tables"] = agreement_tables(metrics, maps, targets, field)

    def own() -> None:
        found["own"] = own_tables(metrics, maps, targets, valid)

    def permutations() -> None:
        null = SourcePermutation(within_strata=False)
        draws = null.draw(["any"] * n, n_draws=n_draws, rng=rng)
        for table in found["tables"].mean(axis=2).reshape(-1, n, n):
            run_null_test(table, draws, null=null.label)

    def over_sources() -> None:
        counts = bootstrap_counts(n, n_draws, rng)
        for values in found["own"].mean(axis=2).reshape(-1, n):
            mean_interval(values, counts)

    def crossed(method: CrossedMethod) -> None:
        for values in found["own"].reshape(-1, problem.n_annotators, n):
            crossed_interval(values, method=method, n_bootstrap=n_draws, rng=rng)

    taken = {"tables": seconds(tables), "own": seconds(own), "permutations": seconds(permutations)}
    taken["resamples"] = seconds(over_sources)
    if problem.n_annotators > 1:
        taken["components"] = seconds(lambda: crossed(CrossedMethod.COMPONENTS))
        taken["dual"] = seconds(lambda: crossed(CrossedMethod.DUAL_BOOTSTRAP))
    return taken


def time_growth(problem: Problem) -> dict[str, float]:
    """All pairs of maps and annotations alone, and the whole comparison."""
    from attnxai.metrics import METRICS, agreement_tables

    pairs = simulated_pairs(problem)
    maps, targets, field = arrays_of(pairs)
    metrics = [METRICS[name] for name in problem.metrics]
    taken = seconds(lambda: agreement_tables(metrics, maps, targets, field))
    return {
        "tables": taken,
        "compare": compare_seconds(pairs, problem),
        "n_pixels": int(field.sum()),
    }


def time_scipy(problem: Problem) -> dict[str, float]:
    """Spearman's correlation of the first map and annotator by scipy, and that ours is the same."""
    from scipy.stats import bootstrap, permutation_test, spearmanr

    from attnxai.metrics import METRICS, TargetKind, agreement_tables
    from attnxai.nulls import NullDraws, run_null_test

    single = dataclasses.replace(problem, n_maps=1, n_annotators=1)
    maps, targets, field = arrays_of(simulated_pairs(single))
    n = problem.n_sources
    map_rows, target_rows = maps[0][:, field], targets[TargetKind.DENSITY][0][:, field]
    every = np.arange(n)
    seen: list[Any] = []

    def mean_of(maps_of: Any, targets_of: Any) -> float:
        pairs = zip(map_rows[maps_of], target_rows[targets_of], strict=True)
        return float(np.mean([spearmanr(*pair).statistic for pair in pairs]))

    def permuted(targets_of: Any) -> float:
        seen.append(targets_of)
        return mean_of(every, targets_of)

    def resampled(sources: Any) -> float:
        seen.append(sources)
        return mean_of(sources, sources)

    table = agreement_tables([METRICS["spearman"]], maps, targets, field)[0, 0, 0]
    taken = {}
    start = time.perf_counter()
    made = permutation_test(
        (every,), permuted, permutation_type="pairings", vectorized=False, n_resamples=2
    )
    taken["permutation"] = (time.perf_counter() - start) / len(seen)
    draws = NullDraws(choices=np.array(seen[1:]), exhaustive=False, permutes_sources=True)
    ours = run_null_test(table, draws, null="pooled")
    np.testing.assert_allclose(ours.observed, made.statistic, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.values, made.null_distribution, rtol=1e-10, atol=1e-12)

    seen.clear()
    start = time.perf_counter()
    drawn = bootstrap((every,), resampled, vectorized=False, n_resamples=2, method="percentile")
    taken["resample"] = (time.perf_counter() - start) / len(seen)
    means = np.diagonal(table)[np.array(seen[-2:])].mean(axis=1)
    np.testing.assert_allclose(means, drawn.bootstrap_distribution, rtol=1e-10, atol=1e-12)

    # what somebody gets who computes each pair once, and lets scipy draw from the values
    taken["all pairs"] = n * taken["permutation"]
    own = np.diagonal(table)
    taken["drawing permutations"] = seconds(
        lambda: permutation_test(
            (every,),
            lambda targets_of: table[every, targets_of].mean(),
            permutation_type="pairings",
            vectorized=False,
            n_resamples=problem.n_draws,
        )
    )
    taken["drawing resamples"] = seconds(
        lambda: bootstrap((own,), np.mean, n_resamples=problem.n_draws, method="BCa")
    )
    return taken


WORK: dict[str, Callable[[Problem], dict[str, float]]] = {
    "compare": time_compare,
    "parts": time_parts,
    "growth": time_growth,
    "scipy": time_scipy,
}


def measure(
    work: str, problem: Problem, repeat: int = 1, *, cores: int = CORES
) -> dict[str, float]:
    """Smallest of several runs, each in a process of its own with as many threads as cores."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    task = json.dumps({"work": work, "problem": dataclasses.asdict(problem), "cores": cores})
    runs = []
    for _ in range(repeat):
        done = subprocess.run(
            [sys.executable, __file__, task],
            env={**os.environ, **dict.fromkeys(names, str(cores))},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {key: min(run[key] for run in runs) for key in runs[0]} | {
        "gigabytes": max(run.get("gigabytes", 0.0) for run in runs)
    }


def run_task(text: str) -> None:
    """One measurement, in the process that was made for it."""
    task = json.loads(text)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: task["cores"]])
    problem = task["problem"]
    problem["metrics"] = tuple(problem["metrics"])
    print(json.dumps(WORK[task["work"]](Problem(**problem))))


if __name__ == "__main__":
    run_task(sys.argv[1])
