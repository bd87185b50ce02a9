"""The tables of a study as plain rows: one a group, one a run, one an epoch, one a trend."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.csv_table import spreadsheet_cell

if TYPE_CHECKING:
    from attnxai.study.content import StudyContent
    from attnxai.study.summary import StudySummary

    Row = dict[str, Any]


def group_rows(content: StudyContent) -> list[Row]:
    """Rows of ``study.csv``: one a group, every quantity with interval and difference."""
    rows = []
    for group in content.summary.groups:
        match = content.matches[group.group]
        row: Row = {
            "group": group.group,
            "n_runs": group.n_runs,
            "n_reached": group.n_reached,
            "fields": " ".join(map(str, match.spec.fields)),
            "channels": match.size.channels,
            "parameters": match.size.parameters,
            "operations": match.size.operations,
            "equal": str(content.equal),
            "ratio": match.ratio,
        }
        for name, mean in group.means.items():
            row |= {
                name: mean.value,
                f"{name}_low": mean.low,
                f"{name}_high": mean.high,
                f"{name}_n": mean.n_units,
            }
            difference = group.differences.get(name)
            if difference is None:
                values = (math.nan,) * 5
            else:
                own = difference.mean
                values = (own.value, own.low, own.high, difference.p_value, difference.p_adjusted)
            endings = ("difference", "difference_low", "difference_high", "p", "p_adjusted")
            row |= {f"{name}_{end}": value for end, value in zip(endings, values, strict=True)}
        rows.append(row)
    return rows


def run_rows(content: StudyContent) -> list[Row]:
    """Rows of ``runs.csv``: one a group and seed."""
    summary = content.summary
    rows = []
    for run in sorted(content.runs, key=lambda run: _place(summary, run.group, run.seed)):
        time = summary.times.get((run.group, run.seed))
        seed = summary.seeds.index(run.seed)
        rows.append(
            {
                "group": run.group,
                "seed": run.seed,
                "reached": time.reached if time is not None else "",
                "epochs_followed": time.epochs if time is not None else len(run.history),
                "epochs_trained": len(run.history),
                **{
                    quantity.name: float(summary.values[quantity.name][run.group][seed])
                    for quantity in summary.quantities
                },
                "parameters": content.matches[run.group].size.parameters,
                "n_images": run.measurement.n_images,
                "model_sha256": run.model_sha256,
            }
        )
    return rows


def history_rows(content: StudyContent) -> list[Row]:
    """Rows of ``history.csv``: one an epoch of every run."""
    return [
        {"group": run.group, "seed": run.seed, **dataclasses.asdict(result)}
        for run in sorted(
            content.runs, key=lambda run: _place(content.summary, run.group, run.seed)
        )
        for result in run.history
    ]


def _place(summary: StudySummary, group: str, seed: int) -> tuple[int, int]:
    return [g.group for g in summary.groups].index(group), summary.seeds.index(seed)


def trend_rows(content: StudyContent) -> list[Row]:
    """Rows about trends, for ``study.json``."""
    rows = []
    for trend in content.summary.trends:
        row: Row = {
            "series": trend.series,
            "quantity": trend.quantity,
            "groups": list(trend.groups),
            "slope": trend.slope.value,
            "slope_low": trend.slope.low,
            "slope_high": trend.slope.high,
            "n_seeds": trend.slope.n_units,
            "p_adjusted": trend.p_adjusted,
        }
        for name, test in (("slope", trend.slope_test), ("page", trend.page)):
            row |= {
                f"{name}_p": test.p_value if test else math.nan,
                f"{name}_p_smallest": test.smallest_p if test else math.nan,
                f"{name}_exhaustive": test.exhaustive if test else None,
            }
        rows.append(row)
    return rows


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write rows as CSV; what does not exist stays empty."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return spreadsheet_cell(value)
