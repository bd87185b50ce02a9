"""The tables of a study as plain rows: one per group, per run, per epoch or per trend."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from attnxai.statistics.exact import ends_record

if TYPE_CHECKING:
    from attnxai.study.results import StudyResult

    Row = dict[str, Any]

_STATISTICS = {
    "value": "",
    "low": "_low",
    "high": "_high",
    "n": "_n",
    "difference": "_difference",
    "difference_low": "_difference_low",
    "difference_high": "_difference_high",
    "p": "_p",
    "p_adjusted": "_p_adjusted",
}
"""Columns of the comparison of groups, and how the columns of ``study.csv`` end."""


def group_rows(result: StudyResult) -> list[Row]:
    """Rows of ``study.csv``: one a group, every quantity with interval and difference."""
    summary, rows = result.summary, []
    statistics = summary.comparisons.to_dict("index")
    for group in summary.groups:
        match = result.plan.matches[group]
        row: Row = {
            "group": group,
            "n_runs": len(summary.seeds),
            "n_reached": summary.n_reached(group),
            "fields": " ".join(map(str, match.spec.fields)),
            "channels": match.size.channels,
            "parameters": match.size.parameters,
            "operations": match.size.operations,
            "equal": str(result.plan.equal),
            "ratio": match.ratio,
        }
        for quantity in summary.quantities:
            own = statistics[group, quantity.name]
            row |= {f"{quantity.name}{end}": own[key] for key, end in _STATISTICS.items()}
        rows.append(row)
    return rows


def run_rows(result: StudyResult) -> list[Row]:
    """Rows of ``runs.csv``: one a group and seed."""
    summary, rows = result.summary, []
    wide = summary.runs.pivot(index=["group", "seed"], columns="quantity", values="value")
    values = wide.to_dict("index")
    for run in result.runs:
        time = summary.times.get((run.group, run.seed))
        own = values[run.group, run.seed]
        rows.append(
            {
                "group": run.group,
                "seed": run.seed,
                "reached": time.reached if time is not None else "",
                "epochs_followed": time.epochs if time is not None else len(run.history),
                "epochs_trained": len(run.history),
                **{quantity.name: own[quantity.name] for quantity in summary.quantities},
                "parameters": result.plan.matches[run.group].size.parameters,
                "n_images": run.measurement.n_images,
                "model_sha256": run.model_sha256,
            }
        )
    return rows


def history_rows(result: StudyResult) -> list[Row]:
    """Rows of ``history.csv``: one an epoch of every run."""
    return [
        {"group": run.group, "seed": run.seed, **dataclasses.asdict(result)}
        for run in result.runs
        for result in run.history
    ]


def trend_rows(result: StudyResult) -> list[Row]:
    """Rows about trends, for ``study.json``."""
    rows = []
    for trend in result.summary.trends:
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
                **ends_record(f"{name}_p_monte_carlo", test.monte_carlo_interval if test else None),
                f"{name}_p_smallest": test.smallest_p if test else math.nan,
                f"{name}_exhaustive": test.exhaustive if test else None,
            }
        rows.append(row)
    return rows
