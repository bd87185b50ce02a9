"""How often tests are significant at 5 % in simulations without agreement whose assumptions are not met.

    python benchmarks/simulated_rates.py                       # the rates of docs/explanation, in some minutes
    python benchmarks/simulated_rates.py --n-experiments 100   # a quick look

Each simulation is about one assumption that a page names: classes that are predicted wrongly, annotators who leave out
faint sources, the level of the permutation, a centre bias of several heights, and differences between models that are
not symmetric about zero.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from attnxai.agreement import page_trend
from attnxai.agreement.comparison.strata import annotated_sizes, size_bins
from attnxai.agreement.model_comparison.models import paired_differences
from attnxai.agreement.multiplicity import Correction
from attnxai.metrics import METRICS, TargetKind
from attnxai.nulls import GridSymmetries, SourcePermutation, ToroidalShift, run_null_test

LEVEL = 0.05
N_DRAWS = 199
N_TOGETHER = 100
Floats = NDArray[np.float64]


def blobs(places: Floats, side: int = 16) -> Floats:
    """Gaussians with a standard deviation of two pixels at (x, y), shape (n, side, side)."""
    y, x = np.mgrid[:side, :side]
    squared = (x - places[:, 0, None, None]) ** 2 + (y - places[:, 1, None, None]) ** 2
    return np.asarray(np.exp(-squared / 8))


def nss(maps: Floats, densities: Floats) -> Floats:
    """NSS of every map with every density."""
    flat = maps.reshape(len(maps), -1)
    flat = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    target = densities.reshape(len(densities), -1)
    return np.asarray(flat @ (target / target.sum(axis=1, keepdims=True)).T)


def significant(matrix: Floats, strata: Sequence[Hashable], rng: np.random.Generator) -> bool:
    """Whether the permutation across sources within strata is significant."""
    null = SourcePermutation(within_strata=True)
    draws = null.draw(list(strata), n_draws=N_DRAWS, rng=rng)
    return run_null_test(matrix, draws, null=null.label).p_value <= LEVEL


def wrong_predictions(rng: np.random.Generator, n: int = 40) -> dict[str, bool]:
    """Maps and marks follow the true class; one prediction in ten is wrong, whatever its margin."""
    second = rng.random(n) < 0.5
    place = np.where(second, 6.0, 10.0)[:, None]
    maps, marks = (blobs(place + rng.normal(0, 2, (n, 2))) for _ in range(2))
    margin = rng.random(n)
    score = np.where(second ^ (rng.random(n) < 0.1), margin, -margin)
    scores = np.stack([-score, score], axis=1)
    density = np.where(marks > 0.05, marks, 0.0)
    sizes = annotated_sizes(density[None].astype(np.float32), np.ones(maps.shape, bool), 1.0)
    bins = size_bins(scores, sizes, ["held-out"] * n)
    predicted = scores.argmax(axis=1).tolist()
    strata = [i if b is None else (predicted[i], b) for i, b in enumerate(bins)]
    matrix = nss(maps, density)
    return {
        "predicted class, 10 % wrong": significant(matrix, strata, rng),
        "true class": significant(matrix, second.tolist(), rng),
    }


def skipped_sources(rng: np.random.Generator, n: int = 20) -> dict[str, bool]:
    """Bright sources have two annotators, faint ones the one who marks three pixels further left; so do the maps."""
    faint = np.arange(n) % 2 == 1
    middle = np.where(faint, 5.0, 8.0)[:, None] * [1.0, 0.0] + [0.0, 8.0]
    maps = blobs(middle + rng.normal(0, 2, (n, 2)))
    place = np.full((n, 2), 8.0) + rng.normal(0, 2, (n, 2))
    left, right = (nss(maps, blobs(place + np.array([shift, 0.0]))) for shift in (-3.0, 3.0))
    matrix = np.where(
        faint, left, (left + right) / 2
    )  # the annotators of a source go with its annotation
    classes = (np.arange(n) // 2 % 2).tolist()
    return {
        "within class": significant(matrix, classes, rng),
        "within class and annotators": significant(
            matrix, list(zip(classes, faint.tolist(), strict=True)), rng
        ),
    }


def level_of_permutation(rng: np.random.Generator) -> dict[str, bool]:
    """Four groups, three seeds and 40 sources; networks differ by their training alone."""
    n_seeds, n_groups, n_sources = 3, 4, 40
    network = rng.normal(0, 0.2, (n_seeds, n_groups, 1))
    values = network + rng.normal(0, 0.5, (n_seeds, n_groups, n_sources))
    found = {}
    for name, rows in {
        "groups permuted within each source": np.moveaxis(values, 1, 2).reshape(-1, n_groups),
        "networks permuted within seeds": values.mean(axis=2),
    }.items():
        test = page_trend(rows)
        assert test is not None
        found[name] = test.p_value <= LEVEL
    return found


def centre_bias(rng: np.random.Generator, n: int = 20, side: int = 48) -> dict[str, bool]:
    """Smooth fields (standard deviation of the kernel 4 pixels) with a Gaussian bump of 8 pixels in both."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    bump = np.exp(-(x**2 + y**2) / (2 * 8**2))
    fields = gaussian_filter(rng.normal(size=(2, n, side, side)), (0, 0, 4, 4), mode="wrap")
    fields /= fields.std()
    valid, metric = np.ones((n, side, side), bool), METRICS["correlation"]
    found = {}
    for height in (0.0, 0.25, 0.5, 1.0, 2.0):
        maps, densities = fields + height * bump
        targets = {TargetKind.DENSITY: (densities - densities.min())[None]}
        for null in (ToroidalShift(n_shifts=99), GridSymmetries()):
            table = null.tables([metric], maps, targets, valid, rng=rng)[0, 0]
            draws = null.draw([None] * n, n_columns=table.shape[1], n_draws=N_DRAWS, rng=rng)
            test = run_null_test(table, draws, null=null.label)
            found[f"{null.label}, height {height}"] = test.p_value <= LEVEL
        matrix = np.corrcoef(maps.reshape(n, -1), densities.reshape(n, -1))[:n, n:]
        found[f"permutation, height {height}"] = significant(matrix, ["all"] * n, rng)
    return found


def sign_flips(rng: np.random.Generator) -> dict[str, float]:
    """Share of differences of mean zero that sign flips find, of :data:`N_TOGETHER` that share their flips."""
    found = {}
    for n in (10, 20, 50):
        shape = (N_TOGETHER, n)
        for name, drawn in {
            "normal": rng.normal(size=shape),
            "Student's t, 3 degrees": rng.standard_t(3, size=shape),
            "exponential": rng.exponential(size=shape) - 1,
            "log-normal": rng.lognormal(size=shape) - np.exp(0.5),
        }.items():
            values = {str(i): one for i, one in enumerate(drawn)} | {"zero": np.zeros(n)}
            pairs = [(str(i), "zero") for i in range(N_TOGETHER)]
            made = paired_differences(
                values,
                pairs=pairs,
                n_draws=1999,
                n_bootstrap=100,
                correction=Correction.NONE,
                rng=rng,
            )
            below = [c.p_value <= LEVEL for c in made.contrasts]
            found[f"{name}, {n} sources"] = float(np.mean(below))
    return found


def main() -> None:
    """Print the percentage of significant tests in each simulation."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--n-experiments", type=int, default=2000)
    n = parser.parse_args().n_experiments
    at_a_time: dict[Callable[[np.random.Generator], Mapping[str, float]], float] = {
        wrong_predictions: 1,
        skipped_sources: 1,
        level_of_permutation: 1,
        centre_bias: 0.25,
        sign_flips: 0.02,
    }
    for simulate, share in at_a_time.items():
        rng = np.random.default_rng(0)
        times = max(1, round(n * share))
        found = [simulate(rng) for _ in range(times)]
        n_made = times * (N_TOGETHER if simulate is sign_flips else 1)
        print(f"{simulate.__name__.replace('_', ' ')} ({n_made:,} experiments)")
        for name in found[0]:
            print(f"  {name}: {100 * np.mean([one[name] for one in found]):.1f} %", flush=True)


if __name__ == "__main__":
    main()
