"""The table of a plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.report.tables.latex import (
    MISSING,
    Column,
    ColumnKind,
    checked_digits,
    count_column,
    interval_columns,
    latex_table,
    number_column,
)
from attnxai.statistics.formats import MOST_DECIMALS
from attnxai.statistics.interval import Interval

if TYPE_CHECKING:
    from attnxai.planning.plan import DesignPower, PowerPlan


def plan_latex(
    plan: PowerPlan,
    *,
    digits: int | None = None,
    caption: str | None = None,
    label: str | None = None,
) -> str:
    r"""Table with a row for each number of annotators.

    A row has the smallest number of sources that reaches the wanted power, with ``$\le$`` where it is the
    smallest of the grid; or, with ``$>$``, the largest of the grid where none does.
    """
    designs = [design for design, _ in plan.answers()]
    signs = {">": "$>$", "≤": r"$\le$"}
    sources = [
        f"{{{signs[sign]}\\num{{{design.n_sources}}}}}" if sign else str(design.n_sources)
        for design, sign in plan.answers()
    ]
    decimals = [_decimals(designs, digits)] * len(designs)
    columns = [
        count_column("Annotators", [design.n_annotators for design in designs]),
        Column(header="Sources", cells=tuple(sources), kind=ColumnKind.NUMBERS),
        *interval_columns("Power", [_power(design, plan) for design in designs], digits=2),
    ]
    if plan.effect_low is not None:
        low = [design.power_at_low_effect for design in designs]
        columns.append(number_column("Power at low effect", low, [2] * len(designs)))
    columns.append(number_column("Half-width", [design.half_width for design in designs], decimals))
    others = [design.half_width_others for design in designs]
    column = number_column("Half-width, others", others, decimals)
    if set(column.cells) != {MISSING}:
        columns.append(column)
    return latex_table(columns, caption=caption, label=label)


def _power(design: DesignPower, plan: PowerPlan) -> Interval:
    return Interval(
        value=design.power,
        low=design.power_low,
        high=design.power_high,
        n_units=plan.n_simulations,
        unit="experiment",
    )


def _decimals(designs: Sequence[DesignPower], digits: int | None) -> int:
    if digits is not None:
        return checked_digits(digits)
    largest = max(
        (width for d in designs for width in (d.half_width, d.half_width_others) if width > 0),
        default=1.0,
    )
    return min(max(2 - math.floor(math.log10(largest)), 0), MOST_DECIMALS)
