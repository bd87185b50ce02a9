"""Write the results of docs/explanation/real_data.md from the reports that the commands on that page make.

    python benchmarks/real_data.py report-d8 report-cnn report-both docs/explanation/real_data.md

The reports are those of the three commands, in their order. Numbers have the digits of the package.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attnxai.agreement.comparison.null_tests import N_PERMUTATION_PAIRINGS
from attnxai.nulls import NULLS
from attnxai.report.documentation import with_part
from attnxai.report.tables.text import markdown_rows
from attnxai.statistics.formats import (
    decimals_together,
    format_number,
    format_p,
    format_share,
    with_interval,
)
from attnxai.statistics.interval import Interval

METRIC = "nss"
CLASSES = ("FR I", "FR II")
_OF_NULLS = """\
With `--null symmetries --null shift` the report also says how often each test is significant at 5 % with the pairing
broken within class"""


def read(folder: Path) -> dict[str, Any]:
    """The summary of a report."""
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return summary


def model_markdown(summary: Mapping[str, Any]) -> str:
    """The headline of one model, its accuracy, and a table of its maps and baselines."""
    (model,) = summary["models"]
    group = model["verdict"]["group"]
    n = model["sources"]["by_group"][group]
    accuracy = ", ".join(
        f"{entry['n_correct']} of {entry['n']} {split}"
        for split, entry in model["accuracy"].items()
    )
    records = {
        (r["explanation"], r["class"]): r
        for r in model["results"]
        if (r["metric"], r["group"]) == (METRIC, group)
    }
    partial = {
        r["explanation"]: r
        for r in model["partial_correlations"]
        if (r["group"], r["class"]) == (group, "all")
    }
    names = shown_of(
        {name: r["value"] for (name, class_name), r in records.items() if class_name == "all"}
    )
    baselines = [name for name in names if name.startswith("brightness")]
    best = max(baselines, key=lambda name: records[name, "all"]["value"])
    head = ["Map", "NSS", "permuted within class", "adjusted p", *CLASSES, f"minus {best}"]
    own = [interval_of(records[name, "all"]) for name in names]
    decimals = decimals_together(own)
    nulls = [records[name, "all"]["null_mean_within_strata"] for name in names]
    columns = [
        names,
        [with_interval(i, decimals=n) for i, n in zip(own, decimals, strict=True)],
        ["" if x is None else format_number(x, n) for x, n in zip(nulls, decimals, strict=True)],
        [
            "" if (p := records[name, "all"]["p_adjusted"]) is None else format_p(p)
            for name in names
        ],
        *(column([records.get((name, class_name)) for name in names]) for class_name in CLASSES),
        column([records[name, "all"]["difference"].get(best) for name in names]),
        column([partial.get(name) for name in names]),
    ]
    rows = [[*head, "ρ, partial"], *map(list, zip(*columns, strict=True))]
    methods = {r["interval_method"] for r in records.values() if r["interval_method"]}
    table_of = (
        f"Accuracy: {accuracy}. NSS over the {n} {group} sources, with 95 % intervals "
        f"({' or '.join(sorted(methods))});\nρ is the partial rank correlation controlling for brightness:"
    )
    return "\n\n".join([f"> {summary['verdict']['headline']}", table_of, markdown_rows(rows)])


def shown_of(values: Mapping[str, float]) -> list[str]:
    """Names of maps and baselines; of a baseline at several resolutions the one that agrees best."""
    best: dict[str, str] = {}
    for name, value in values.items():
        kind = name.partition(" at ")[0]
        if kind not in best or value > values[best[kind]]:
            best[kind] = name
    return [name for name in values if name in best.values()]


def interval_of(record: Mapping[str, Any]) -> Interval:
    """A record as a value with its interval."""
    value, low, high = (
        math.nan if record[key] is None else record[key] for key in ("value", "ci_low", "ci_high")
    )
    return Interval(value=value, low=low, high=high, n_units=record["n_sources"])


def column(records: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """Values with their intervals, or with the number of sources where these are too few for one."""
    intervals = [None if record is None else interval_of(record) for record in records]
    cells = []
    for interval, decimals in zip(intervals, decimals_together(intervals), strict=True):
        if interval is None:
            cells.append("")
            continue
        text = with_interval(interval, decimals=decimals)
        cells.append(text if interval.known else f"{text} (n = {interval.n_units})")
    return cells


def models_markdown(summary: Mapping[str, Any]) -> str:
    """The headline of several models, their differences, and how often nulls reject broken pairings."""
    headline = f"> {summary['verdict']['headline']}"
    differences = "\n".join(f"- {sentence}" for sentence in summary["verdict"]["contrasts"])
    return "\n\n".join([headline, differences, nulls_markdown(summary["models"])])


def nulls_markdown(models: Sequence[Mapping[str, Any]]) -> str:
    """How often each null rejects when the pairing is broken, lowest to highest over the maps."""
    shares: dict[str, list[float]] = {}
    n_maps = 0
    for model in models:
        for record in model["results"]:
            key = (record["metric"], record["group"], record["class"])
            if record["is_baseline"] or key != (METRIC, model["verdict"]["group"], "all"):
                continue
            n_maps += 1
            head = f"permutation, pooled ({N_PERMUTATION_PAIRINGS} data sets)"
            shares.setdefault(head, []).append(record["pooled_rejections_pairing_broken"])
            for further in record["further"]:
                head = f"{NULLS[further['null']]().label} ({further['n_pairings']} data sets)"
                shares.setdefault(head, []).append(further["rejections_pairing_broken"])
    found = "\n".join(f"- {head}: {_range(of_maps)}" for head, of_maps in shares.items())
    return f"{_OF_NULLS}, lowest to highest of {n_maps} maps:\n\n{found}"


def _range(shares: Sequence[float]) -> str:
    low, high = format_share(min(shares)), format_share(max(shares))
    return high if low == high else f"{low.removesuffix(' %')} to {high}"


def results_markdown(d8: Path, cnn: Path, both: Path) -> str:
    """The section with the results of the page."""
    parts = [
        ("`d8.pt`", model_markdown(read(d8))),
        ("The published CNN", model_markdown(read(cnn))),
        ("`d8.pt` against `c1.pt`", models_markdown(read(both))),
    ]
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in parts)


def main() -> None:
    """Write the section into the page that is named last on the command line."""
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    *folders, page = map(Path, sys.argv[1:])
    text = results_markdown(*folders)
    page.write_text(with_part(page.read_text(encoding="utf-8"), "results", text), encoding="utf-8")


if __name__ == "__main__":
    main()
