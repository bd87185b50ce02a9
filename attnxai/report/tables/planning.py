"""The table of a plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attnxai.report.tables.table import (
    Limit,
    Table,
    checked_digits,
    count_column,
    half_width_column,
    interval_column,
    number_column,
)
from attnxai.statistics.interval import Interval

if TYPE_CHECKING:
    from attnxai.planning.plan import PowerPlan

_SIGNS = {
    "≤": "fewer were not simulated",
    ">": "none of the grid was enough, and this is its largest",
}


def plan_table(plan: PowerPlan, *, digits: int | None = None) -> Table:
    """A row for each number of annotators.

    A row has the smallest number of sources that reaches the wanted power, with ``≤`` where it is the smallest
    of the grid; or, with ``>``, the largest of the grid where none does.
    """
    digits = None if digits is None else checked_digits(digits)
    answers = plan.answers()
    designs = [design for design, _ in answers]
    powers = [
        Interval(
            value=design.power,
            low=design.power_low,
            high=design.power_high,
            n_units=plan.n_simulations,
            unit="experiment",
        )
        for design in designs
    ]
    columns = [
        count_column("Annotators", [design.n_annotators for design in designs]),
        count_column(
            "Sources",
            [
                Limit(sign=sign, count=design.n_sources) if sign else design.n_sources
                for design, sign in answers
            ],
        ),
        interval_column("Power", powers, digits=2),
    ]
    if plan.effect_low is not None:
        low = [design.power_at_low_effect for design in designs]
        columns.append(number_column("Power at low effect", low, 2))
    columns.append(half_width_column("Half-width", [d.half_width for d in designs], digits=digits))
    others = [design.half_width_others for design in designs]
    if any(map(math.isfinite, others)):
        columns.append(half_width_column("Half-width, others", others, digits=digits))
    note = (
        f"power [95 % interval of {plan.n_simulations} simulated experiments]; half-widths are those of the "
        "expected 95 % interval of the mean, about these annotators and about others too"
    )
    signs = {sign for _, sign in answers}
    note += "".join(f"; {sign}: {text}" for sign, text in _SIGNS.items() if sign in signs)
    return Table(columns=tuple(columns), note=note)
