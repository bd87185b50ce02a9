"""The tables of a study: one row a group, one row a run, one row an epoch, and Markdown."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.csv_table import spreadsheet_cell
from attnxai.statistics.formats import (
    format_interval,
    format_p,
    format_value,
    p_equals,
    with_interval,
)
from attnxai.study.convergence import (
    DEFINITION,
    DEFINITION_OF_CENSORING,
    DEFINITION_OF_REFERENCE,
)
from attnxai.study.matching import stated
from attnxai.study.quantities import AGREEMENT_LABELS, EPOCHS, FIT, SECONDS, Kind, Quantity

if TYPE_CHECKING:
    from attnxai.study.content import StudyContent
    from attnxai.study.summary import GroupSummary, StudySummary

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


# --- tables for readers ---------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: a value and what stands small beneath it."""

    text: str
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table for readers.

    Parameters
    ----------
    title : str
        What it shows.
    headings : tuple of str
        One a column.
    rows : tuple of tuple of Cell
        The first cell of every row is its name.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def reader_tables(content: StudyContent) -> tuple[Table, ...]:
    """The tables of the page: fit and cost, performance, consistency and agreement, networks.

    Each cell gives the mean over seeds, its interval, and the difference from the baseline with its
    adjusted p-value.
    """
    by_kind = {kind: [q for q in content.summary.quantities if q.kind is kind] for kind in Kind}
    tables = [
        _quantity_table(content, "Fit and time", [*by_kind[Kind.FIT], SECONDS]),
        _quantity_table(
            content,
            f"Performance on {content.measure_on} images",
            by_kind[Kind.PERFORMANCE],
        ),
        _quantity_table(
            content,
            f"Consistency under arbitrary rotations, on {content.measure_on} images",
            by_kind[Kind.CONSISTENCY],
        ),
    ]
    for metric, label in AGREEMENT_LABELS.items():
        own = [q for q in by_kind[Kind.AGREEMENT] if q.name.startswith(f"{metric}:")]
        if own:
            title = f"Agreement with annotations of held-out sources, {label}"
            tables.append(_quantity_table(content, title, own))
    tables.append(_network_table(content))
    return tuple(tables)


def _quantity_table(content: StudyContent, title: str, quantities: Sequence[Quantity]) -> Table:
    return Table(
        title=title,
        headings=("Group", *(quantity.label for quantity in quantities)),
        rows=tuple(
            (Cell(text=group.group), *(_quantity_cell(group, q) for q in quantities))
            for group in content.summary.groups
        ),
    )


def _quantity_cell(group: GroupSummary, quantity: Quantity) -> Cell:
    mean = group.means[quantity.name]
    notes = []
    if mean.known:
        notes.append(format_interval(mean))
    if quantity.name == EPOCHS.name and math.isfinite(mean.value):
        notes.append(f"{group.n_reached} of {group.n_runs} reached it")
    difference = group.differences.get(quantity.name)
    # equivalents of the epochs would only repeat their test
    if difference is not None and quantity not in FIT[1:4]:
        if math.isfinite(difference.mean.value):
            text = with_interval(difference.mean, quantity.digits, signed=True)
            value, _, interval = text.partition(" ")
            # on lines of their own, so that all columns fit on a page
            notes += [f"Δ {value}", interval] if interval else [f"Δ {value}"]
        if math.isfinite(difference.p_adjusted):
            notes.append(p_equals(difference.p_adjusted))
    return Cell(text=format_value(mean, quantity.digits), notes=tuple(notes))


def _network_table(content: StudyContent) -> Table:
    return Table(
        title="Networks",
        headings=(
            "Group",
            "Fields",
            "Channels",
            "Parameters",
            "Multiply-adds",
            f"{str(content.equal).capitalize()}, of {content.summary.baseline}",
        ),
        rows=tuple(
            (
                Cell(text=name),
                Cell(text=", ".join(map(str, match.spec.fields))),
                Cell(text=f"{match.size.channels:,}"),
                Cell(text=f"{match.size.parameters:,}"),
                Cell(text=f"{match.size.operations / 1e9:.2f} × 10⁹"),
                Cell(text=f"{match.ratio:.3f}"),
            )
            for name, match in content.matches.items()
        ),
    )


def trend_table(content: StudyContent) -> Table | None:
    """Trends over the order of the group; None where no series has groups enough."""
    rows = []
    for trend in content.summary.trends:
        if trend.page is None or trend.slope_test is None:
            continue
        quantity = content.summary.quantity(trend.quantity)
        if quantity is None or quantity in FIT[1:4]:
            continue
        rows.append(
            (
                Cell(text=quantity.label),
                Cell(text=f"{trend.groups[0]} to {trend.groups[-1]}"),
                Cell(text=with_interval(trend.slope, quantity.digits + 1, signed=True)),
                Cell(text=format_p(trend.slope_test.p_value)),
                Cell(text=format_p(trend.page.p_value)),
                Cell(text=format_p(trend.p_adjusted)),
            )
        )
    if not rows:
        return None
    return Table(
        title="Trends over the order of the group",
        headings=(
            "Quantity",
            "Groups",
            "Change per doubling of the order",
            "p of the slope",
            "p of Page's test",
            "adjusted over the series",
        ),
        rows=tuple(rows),
    )


def footnotes(content: StudyContent) -> list[str]:
    """What stands below every table."""
    summary, n_seeds = content.summary, len(content.summary.seeds)
    reference = (
        f"The reference loss is {summary.reference:.4f}"
        + (", as given." if summary.reference_given else ", derived from the baseline.")
        + f" The horizon is epoch {summary.horizon}."
        if math.isfinite(summary.reference)
        else "There is no reference loss: the baseline does no better than guessing."
    )
    return [
        (
            f"Means over {n_seeds} seed{'s' if n_seeds != 1 else ''} with 95 % intervals of Student's t over "
            "seeds, cut at what the quantity can reach (none "
            f"with fewer than three seeds, or where all are the same); Δ: difference from "
            f"{summary.baseline}, paired by seed, with p-values of paired t-tests adjusted by Holm's "
            "method over the groups."
        ),
        f"Equal between groups: {stated(content.equal)}.",
        DEFINITION,
        DEFINITION_OF_REFERENCE,
        DEFINITION_OF_CENSORING,
        reference,
        (
            "Trends: change per doubling of the order, from a straight line through every seed, and "
            "permutations of the groups within each seed."
        ),
    ]


def markdown(content: StudyContent) -> str:
    """The whole study as Markdown."""
    lines = []
    for claim in content.claims:
        lines += [f"**({claim.letter}) {claim.claim} {claim.lead}**", ""]
        text = " ".join(part for part in (claim.details, claim.trend_text) if part)
        lines += [text, ""] if text else []
    trends = trend_table(content)
    for table in (*reader_tables(content), *([trends] if trends is not None else [])):
        lines += [f"### {table.title}", "", *_markdown_table(table), ""]
    lines += [*(f"- {note}" for note in footnotes(content)), "", "What limits this:", ""]
    lines += [*(f"- {caution}" for caution in content.cautions), ""]
    return "\n".join(lines)


def _markdown_table(table: Table) -> Iterable[str]:
    rows = [
        table.headings,
        *(tuple("<br>".join((cell.text, *cell.notes)) for cell in row) for row in table.rows),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.headings))]
    padded = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return [padded[0], rule, *padded[1:]]
