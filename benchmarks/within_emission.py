"""How often the permutation within emission calls maps significant that have nothing to do with the annotations.

    python benchmarks/within_emission.py --data-dir DIR --annotations claran_full_catalogue.csv --model d8.pt

On the MiraBest sources: the maps of a network after their pairing with the annotations was broken; smooth random fields; and
random functions of the mask of emission, which know its shape and nothing else. Printed are percentages with exact 95 %
intervals of the Monte Carlo error.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pairing_broken import LEVEL, real_pairs, rejection_rates
from scipy.ndimage import gaussian_filter

from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.agreement.comparison.tables import Inputs
from attnxai.agreement.multiplicity import Correction
from attnxai.alignment.own_emission import within_own_emission
from attnxai.data.emission import emission_mask
from attnxai.metrics import METRICS, agreement_tables
from attnxai.metrics.evaluation import own_tables
from attnxai.nulls import SourcePermutation, quantile_strata, run_null_test
from attnxai.nulls.emission_frames import frame_pixels, in_frames
from attnxai.report.beyond_emission import is_beyond_emission
from attnxai.statistics.exact import clopper_pearson_ends

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.nulls import NullDraws

METHODS = ("gates", "gates_centred", "gates_magnitude")
METRIC = "nss"
WIDTHS = (1.5, 3.0)
BATCH = 10


def with_maps(pairs: AlignedPairs, maps: NDArray[np.float64]) -> AlignedPairs:
    """The same sources with other maps, shape (n_maps, n_sources, rows, columns)."""
    named = {f"map {i}": one for i, one in enumerate(maps)}
    return dataclasses.replace(pairs, explanations=named, resolutions={})


def values_within(
    pairs: AlignedPairs, metric: str = METRIC, *, fit: bool = True
) -> dict[str, NDArray[np.float64]]:
    """Metric of every source's maps with every source's annotation in the common frame of their emission.

    As in a comparison; without the ``fit`` the shape of the emission is not taken off the maps.
    """
    settings = ComparisonSettings(metrics=(metric,), within="emission")
    inputs = Inputs.of(pairs, settings).within_emission()
    assert inputs is not None
    maps = inputs.permuted_maps
    if not fit:
        places = np.stack([frame_pixels(one) for one in inputs.pairs.valid])
        maps = tuple(in_frames(np.stack(inputs.maps), places))
    n = inputs.n_explanations
    tables = agreement_tables([METRICS[metric]], maps[:n], inputs.permuted_targets, inputs.common)
    return dict(zip(inputs.names, tables[0, :, 0], strict=False))


def p_values(values: Mapping[str, NDArray[np.float64]], draws: NullDraws) -> list[float]:
    """P-value of every map whose values are all defined."""
    return [
        run_null_test(matrix, draws, null=SourcePermutation().name).p_value
        for matrix in values.values()
        if np.isfinite(matrix).all()
    ]


def functions_of(emission: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """A random function of masks (n_sources, rows, columns): two layers of blurs, shifts and rectifiers."""
    mask = emission.astype(np.float32)

    def shifted(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.roll(values, tuple(rng.integers(-3, 4, 2)), (1, 2))

    def blurred(values: NDArray[np.float32], width: float) -> NDArray[np.float32]:
        return np.asarray(gaussian_filter(values, (0, width, width), truncate=3.0))

    def rectified(values: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled = (values - values.mean()) / (values.std() + 1e-9)
        return np.asarray(np.maximum(scaled + np.float32(0.5 * rng.normal()), 0))

    def combined(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.asarray(sum(np.float32(rng.normal()) * part for part in parts))

    first = [
        rectified(combined([blurred(one, rng.uniform(0.5, 6)) for one in (mask, shifted(mask))]))
        for _ in range(4)
    ]
    second = [
        rectified(blurred(combined([shifted(one) for one in first]), rng.uniform(0.5, 3)))
        for _ in range(3)
    ]
    return combined(second).astype(np.float64)


def agreeing_functions(
    pairs: AlignedPairs, n_maps: int, rng: np.random.Generator
) -> Iterator[AlignedPairs]:
    """Batches of random functions of the mask of emission, of the sign that agrees with the annotations."""
    emission = emission_mask(pairs.brightness)
    for start in range(0, n_maps, BATCH):
        maps = np.stack([functions_of(emission, rng) for _ in range(min(BATCH, n_maps - start))])
        made = with_maps(pairs, maps)
        targets = {METRICS[METRIC].target: pairs.density}
        own = own_tables([METRICS[METRIC]], maps, targets, pairs.valid)[0, :, 0]
        signs = np.where(np.nanmean(own, axis=1) < 0, -1.0, 1.0)
        yield with_maps(made, maps * signs[:, None, None, None])


def beyond_emission(pairs: AlignedPairs, *, n_draws: int, seed: int) -> list[bool]:
    """Whether a comparison says of each map that it agrees beyond emission, without a correction for their number."""
    settings = ComparisonSettings(
        metrics=(METRIC,),
        within="emission",
        correction=Correction.NONE,
        n_permutations=n_draws,
        n_bootstrap=500,
    )
    result = compare_pairs(pairs, settings=settings, rng=seed)
    return [
        is_beyond_emission(result, result.estimate(name, METRIC, group=result.verdict_group))
        for name in result.explanations
    ]


def percent(n_hits: int, n: int) -> str:
    """A share in per cent with the exact interval of its Monte Carlo error."""
    low, high = clopper_pearson_ends(n_hits, n)
    return f"{100 * n_hits / n:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def print_broken(pairs: AlignedPairs, given: argparse.Namespace) -> None:
    """Rates of the maps of the network, with their pairing broken within two kinds of strata."""
    values, within = values_within(pairs), within_own_emission(pairs.in_order())
    assert within is not None
    defined = {name: matrix for name, matrix in values.items() if np.isfinite(matrix).all()}
    classes: list[Hashable] = list(within.classes)
    halves = quantile_strata(within.valid.sum(axis=(1, 2)).tolist(), n_bins=2)
    for what, strata in (
        ("class", classes),
        ("class and half of the amount of emission", list(zip(classes, halves, strict=True))),
    ):
        rates = rejection_rates(
            within,
            defined,
            test="class known",
            broken_within=strata,
            n_repetitions=given.repetitions,
            n_draws=given.draws,
            rng=np.random.default_rng(given.seed),
        )
        hits = {name: round(rate * given.repetitions) for name, rate in rates.items()}
        for name in (min(hits, key=hits.__getitem__), max(hits, key=hits.__getitem__)):
            print(
                f"| {len(hits)} maps, pairing broken within {what}: {name} | "
                f"{percent(hits[name], given.repetitions)} |",
                flush=True,
            )


def main() -> None:
    """Print a row for every kind of map."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data-dir", required=True, help="folder of MiraBest")
    parser.add_argument("--annotations", required=True, help="the ClaRAN catalogue")
    parser.add_argument("--model", default="d8.pt")
    parser.add_argument("--maps", type=int, default=150, help="random fields and functions each")
    parser.add_argument("--repetitions", type=int, default=1000, help="broken pairings")
    parser.add_argument("--draws", type=int, default=999, help="permutations of each test")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    pairs = real_pairs(given.model, given.annotations, given.data_dir, METHODS).in_order()
    print_broken(pairs, given)
    print_random(pairs, given)


def print_random(pairs: AlignedPairs, given: argparse.Namespace) -> None:
    """Rates of random fields and of random functions of the mask of emission."""
    within = within_own_emission(pairs)
    assert within is not None
    rng = np.random.default_rng(given.seed)
    draws = SourcePermutation().draw(list(within.classes), n_draws=given.draws, rng=rng)
    for width in WIDTHS:
        found: list[float] = []
        for start in range(0, given.maps, BATCH):
            shape = (min(BATCH, given.maps - start), *pairs.brightness.shape)
            fields = rng.standard_normal(shape, dtype=np.float32)
            smooth = gaussian_filter(fields, (0, 0, width, width)).astype(np.float64)
            found += p_values(values_within(with_maps(pairs, smooth)), draws)
        print(f"| random fields, {width:g} pixels | {share_of(found)} |", flush=True)

    tests = {
        "without the fit": (METRIC, False),
        "with the fit": (METRIC, True),
        "with the fit, by Spearman's correlation": ("spearman", True),
    }
    of_functions: dict[str, list[float]] = {name: [] for name in tests}
    beyond: Counter[bool] = Counter()
    for batch in agreeing_functions(pairs, given.maps, rng):
        for name, (metric, fit) in tests.items():
            of_functions[name] += p_values(values_within(batch, metric, fit=fit), draws)
        beyond.update(beyond_emission(batch, n_draws=given.draws, seed=given.seed))
    for name, found in of_functions.items():
        print(f"| random functions of the mask, {name} | {share_of(found)} |")
    print(f"| the same, all three conditions | {percent(beyond[True], beyond.total())} |")


def share_of(found: Sequence[float]) -> str:
    """Share of the tests that reject, and of how many."""
    n_hits = sum(p_value <= LEVEL for p_value in found)
    return f"{percent(n_hits, len(found))} of {len(found)}"


if __name__ == "__main__":
    main()
