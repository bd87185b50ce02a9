"""How long a comparison takes when its maps are there, against plain scipy, and how that grows.

    python benchmarks/agreement.py                            # 150 sources x 4 maps x 3 annotators
    python benchmarks/agreement.py --quick                    # a small problem, to see that it runs
    python benchmarks/agreement.py --figure F.png --csv F.csv # the curves, as a figure and as numbers

Every number is from a new process on two cores with two threads (growth: one), the smallest of ``--repeat``
runs. The tables are Markdown. Maps, annotations and images are simulated; the field is the disc that a network sees. The first table is
:func:`attnxai.agreement.comparison.compare_pairs` as a user calls it, without reading files and without the
network. The second is the same question asked of scipy: ``permutation_test`` and ``bootstrap`` with a
statistic that calls ``spearmanr`` for every source; both sides give the same numbers, which is checked.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
from agreement_tasks import CORES, Problem, measure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator, StrMethodFormatter

from attnxai.metrics import METRICS
from attnxai.report.style import ANNOTATOR_COLOURS, TWO_COLUMNS, new_figure, paper_style

SECONDS, GIGABYTES, TIMES_FASTER = 15.0, 2.0, 200
ON_REQUEST = ("kendall", "similarity", "average_precision")
BY_PRODUCTS = tuple(m.name for m in METRICS.values() if not m.alias_of and m.name not in ON_REQUEST)


def row(*cells: object) -> None:
    """One row of a Markdown table."""
    texts = [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells]
    print(f"| {' | '.join(texts)} |", flush=True)


def heading(*names: str) -> None:
    """The first two rows of a Markdown table."""
    print()
    row(*names)
    row(*("---" for _ in names))


def print_compare(problem: Problem, repeat: int) -> dict[str, float]:
    """The table of the comparison as it is called; gives its seconds."""
    spearman = dataclasses.replace(problem, metrics=("spearman",))
    cases = {
        "all": problem,
        "baselines": dataclasses.replace(problem, with_baselines=True),
        "spearman": spearman,
        "one": dataclasses.replace(spearman, n_maps=1, n_annotators=1),
        **{name: dataclasses.replace(problem, metrics=(name,)) for name in ON_REQUEST},
    }
    heading(f"{problem.n_sources} sources", "Metrics", "Seconds", "at most", "GB", "at most")
    found = {}
    for name, case in cases.items():
        maps = f"{case.n_maps} map{'s' if case.n_maps > 1 else ''}"
        maps += " and 4 baselines" if case.with_baselines else ""
        people = f"{case.n_annotators} annotator{'s' if case.n_annotators > 1 else ''}"
        what = f"{len(case.metrics)} by products" if len(case.metrics) > 1 else case.metrics[0]
        made = measure("compare", case, repeat)
        limits = (SECONDS, GIGABYTES) if name == "all" else ("", "")
        row(f"{maps}, {people}", what, made["seconds"], limits[0], made["gigabytes"], limits[1])
        found[name] = made["seconds"]
    return found


def print_parts(problem: Problem, repeat: int) -> dict[str, float]:
    """The table of what a comparison is made of; gives the seconds for one map and annotator."""
    single = dataclasses.replace(problem, metrics=("spearman",), n_maps=1, n_annotators=1)
    parts, alone = measure("parts", problem, repeat), measure("parts", single, repeat)
    heading("Part, seconds", f"{len(problem.metrics)} metrics, 4 x 3", "Spearman, 1 x 1")
    for title, key in (
        ("all pairs of maps and annotations", "tables"),
        (f"{problem.n_draws:,} permutations of each table", "permutations"),
        ("values of what belongs together, by itself", "own"),
        (f"{problem.n_draws:,} resamples of sources", "resamples"),
        ("sources x annotators, variance components", "components"),
        (f"sources x annotators, dual bootstrap, {problem.n_draws:,}", "dual"),
    ):
        row(title, parts[key], alone.get(key, ""))
    return {
        "permutations": alone["tables"] + alone["permutations"],
        "resamples": alone["own"] + alone["resamples"],
    }


def print_scipy(
    problem: Problem, ours: dict[str, float], parts: dict[str, float], repeat: int
) -> None:
    """The tables against scipy, per permutation and resample, and with each pair computed once."""
    made = measure("scipy", problem, repeat)
    n_draws, pairs = problem.n_draws, problem.n_maps * problem.n_annotators
    both = made["permutation"] + made["resample"]
    heading("Seconds per permutation and resample", "scipy", "attnxai", "Ratio", "at least")
    for title, theirs, own in (
        ("Spearman, 1 x 1: a permutation", made["permutation"], parts["permutations"]),
        ("Spearman, 1 x 1: a resample", made["resample"], parts["resamples"]),
        ("Spearman, 1 x 1: both, `compare_pairs`", both, ours["one"]),
        ("Spearman, 4 x 3: both, `compare_pairs`", pairs * both, ours["spearman"]),
        (f"the same, ours in {len(problem.metrics)} metrics", pairs * both, ours["all"]),
    ):
        row(title, theirs, own / n_draws, f"{theirs * n_draws / own:,.0f}", TIMES_FASTER)
    heading("Each pair computed once, Spearman, 1 x 1: seconds", "scipy", "attnxai", "Ratio")
    for title, theirs, own in (
        (
            f"all pairs, then {n_draws:,} permutations",
            made["all pairs"] + made["drawing permutations"],
            parts["permutations"],
        ),
        (
            f"own values, then {n_draws:,} resamples",
            made["permutation"] + made["drawing resamples"],
            parts["resamples"],
        ),
    ):
        row(title, theirs, own, f"{theirs / own:,.1f}")


# name of each curve: metrics, maps and annotators
CURVES: dict[str, tuple[tuple[str, ...], int, int]] = {
    "products of matrices": ((), 4, 3),
    "kendall": (("kendall",), 1, 1),
    "similarity": (("similarity",), 4, 3),
    "average_precision": (("average_precision",), 4, 3),
}


def measure_growth(
    problem: Problem, sources: tuple[int, ...], sides: tuple[int, ...], repeat: int
) -> list[dict[str, Any]]:
    """Seconds for every curve and size, on one core: growth is that of the work, not of threads."""
    rows = []
    for name, (metrics, n_maps, n_annotators) in CURVES.items():
        usual = dataclasses.replace(
            problem,
            metrics=metrics or problem.metrics,
            n_maps=n_maps,
            n_annotators=n_annotators,
        )
        cases = [("n_sources", dataclasses.replace(usual, n_sources=n)) for n in sources]
        cases += [("side", dataclasses.replace(usual, side=side)) for side in sides]
        for axis, case in cases:
            made = measure("growth", case, repeat, cores=1)
            rows += [
                {
                    "curve": name,
                    "axis": axis,
                    "work": work,
                    "n_sources": case.n_sources,
                    "side": case.side,
                    "n_pixels": int(made["n_pixels"]),
                    "n_maps": n_maps,
                    "n_annotators": n_annotators,
                    "n_metrics": len(case.metrics),
                    "seconds": round(made[work], 4),
                }
                for work in ("compare", "tables")
            ]
    return rows


def curve(rows: list[dict[str, Any]], name: str, axis: str, work: str) -> tuple[Any, Any]:
    """Sizes (sources or pixels) and seconds of one curve."""
    key = "n_sources" if axis == "n_sources" else "n_pixels"
    wanted = (name, axis, work)
    points = [(r[key], r["seconds"]) for r in rows if (r["curve"], r["axis"], r["work"]) == wanted]
    sizes, times = np.array(points, dtype=float).T
    return sizes, times


def slope(sizes: Any, times: Any) -> float:
    """Exponent of growth over the three largest sizes."""
    return float(np.polyfit(np.log(sizes[-3:]), np.log(times[-3:]), 1)[0])


def print_growth(rows: list[dict[str, Any]]) -> None:
    """Exponents of growth, and the seconds at the largest sizes."""
    timed = {"compare": "`compare_pairs`", "tables": "all pairs alone"}
    heading("Metrics", "Timed", "Sources", "at most", "Pixels", "at most", "Seconds, most sources")
    for name in CURVES:
        for work, words in timed.items():
            of_sources = curve(rows, name, "n_sources", work)
            exponents = [slope(*of_sources), slope(*curve(rows, name, "side", work))]
            over_sources, over_pixels = (f"{exponent:.2f}" for exponent in exponents)
            most = "1, and a logarithm" if name == "kendall" else "1"
            largest = float(of_sources[1][-1])
            row(name.replace("_", " "), words, over_sources, 2, over_pixels, most, largest)


BLUE, ORANGE, GREEN = ANNOTATOR_COLOURS[5], ANNOTATOR_COLOURS[4], ANNOTATOR_COLOURS[2]
PANELS = (
    ("12 metrics by products of matrices\n4 maps x 3 annotators", {"products of matrices": BLUE}),
    ("Kendall of densities\n1 map x 1 annotator", {"kendall": BLUE}),
    (
        "metrics of whole curves\n4 maps x 3 annotators",
        {"similarity": ORANGE, "average_precision": GREEN},
    ),
)
STYLES: dict[str, dict[str, Any]] = {
    "compare": {"marker": "o", "linestyle": "-"},
    "tables": {"marker": "s", "linestyle": ":", "markerfacecolor": "white"},
}


def draw_growth(rows: list[dict[str, Any]], path: Path) -> None:
    """The curves beside the growth that is allowed, as a PNG file."""
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 0.66 * TWO_COLUMNS)
        axes = figure.subplots(2, len(PANELS), sharey=True)
        for column, (title, colours) in enumerate(PANELS):
            axes[0, column].set_title(title)
            for line, axis in enumerate(("n_sources", "side")):
                _draw_panel(axes[line, column], rows, colours, axis)
        for line in axes:
            line[0].set_ylabel("seconds")
        entries: dict[str, dict[str, Any]] = {
            "compare_pairs": {"color": "black", **STYLES["compare"]},
            "all pairs alone": {"color": "black", **STYLES["tables"]},
            "similarity": {"color": ORANGE},
            "average precision": {"color": GREEN},
            "allowed growth": {"color": "0.55", "linestyle": "--"},
        }
        handles = [Line2D([], [], markersize=3.5, **style) for style in entries.values()]
        figure.legend(handles, list(entries), loc="outside lower center", ncols=len(entries))
        figure.savefig(path, metadata={"Software": None})


def _draw_panel(axes: Any, rows: list[dict[str, Any]], colours: dict[str, str], axis: str) -> None:
    for name, colour in colours.items():
        for work, style in STYLES.items():
            axes.plot(*curve(rows, name, axis, work), color=colour, markersize=3.5, **style)
    sizes, times = curve(rows, list(colours)[-1], axis, "tables")
    allowed, words = (sizes**2, "sources²") if axis == "n_sources" else (sizes, "pixels")
    if "kendall" in colours and axis == "side":
        allowed, words = sizes * np.log(sizes), "pixels x log(pixels)"
    axes.plot(sizes, times[-1] * allowed / allowed[-1], "--", color="0.55", zorder=0)
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(sizes)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.text(0.03, 0.97, f"∝ {words}", transform=axes.transAxes, va="top", color="0.4")
    varied = [r for r in rows if r["axis"] == axis]
    if axis == "n_sources":
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
        axes.set_xlabel(f"sources, field of {varied[0]['side']}² pixels")
    else:
        axes.set_xticklabels([f"{side}²" for side in sorted({r["side"] for r in varied})])
        axes.set_xlabel(f"pixels of the field, {varied[0]['n_sources']} sources")


def main() -> None:
    """Measure, print, and draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small problem, once")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the smallest counts")
    parser.add_argument("--figure", type=Path, help="write the curves as a PNG file")
    parser.add_argument("--csv", type=Path, help="write the curves as numbers")
    options = parser.parse_args()
    problem, repeat = Problem(metrics=BY_PRODUCTS), options.repeat
    sources: tuple[int, ...] = (25, 50, 100, 150, 300)
    sides: tuple[int, ...] = (50, 75, 100, 150, 200)
    if options.quick:
        problem = dataclasses.replace(problem, n_sources=20, side=40, n_draws=1000)
        sources, sides, repeat = (10, 20, 40), (30, 40, 60), 1
    print(
        f"{CORES} cores, {problem.side} x {problem.side} pixels, {problem.n_draws:,} permutations"
    )
    print(f"and resamples; smallest of {repeat}; load {os.getloadavg()[0]:.1f}", flush=True)
    ours = print_compare(problem, repeat)
    print_scipy(problem, ours, print_parts(problem, repeat), repeat)
    rows = measure_growth(problem, sources, sides, repeat)
    print_growth(rows)
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    if options.figure:
        draw_growth(rows, options.figure)


if __name__ == "__main__":
    main()
