"""A study as a terminal shows it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attnxai.statistics.formats import format_number, p_equals, with_interval
from attnxai.study.quantities import (
    ACCURACY,
    ATTENTION_CONSISTENCY,
    EPOCHS,
    PRIMARY_MAP,
    Quantity,
    agreement_of,
)

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.study.content import StudyContent
    from attnxai.study.summary import GroupSummary

_SHOWN = (EPOCHS, ACCURACY, ATTENTION_CONSISTENCY, agreement_of("nss", PRIMARY_MAP))
_HEADINGS = (
    "epochs until\nreference loss",
    "accuracy",
    "attention\nunder rotation",
    "NSS,\nmean of gates",
)


def print_study(content: StudyContent, console: Console) -> None:
    """Print the main numbers, the claims and what limits them.

    Parameters
    ----------
    content : StudyContent
        The study.
    console : rich.console.Console
        Where to print.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    summary = content.summary
    n_seeds = len(summary.seeds)
    table = Table(
        title=Text(f"{content.facts.name}: {n_seeds} seed{'s' if n_seeds != 1 else ''} a group"),
        title_justify="left",
        caption=Text(
            f"mean [95 % interval over seeds]; p of the difference from {summary.baseline}, adjusted "
            f"over the groups; equal: {content.equal}; measured on {content.measure_on} images"
        ),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("group,\nparameters")
    shown = [
        (quantity, heading)
        for quantity, heading in zip(_SHOWN, _HEADINGS, strict=True)
        if summary.quantity(quantity.name) is not None
    ]
    for _, heading in shown:
        table.add_column(heading, justify="right")
    for group in summary.groups:
        table.add_row(
            f"{group.group}\n{format_number(content.matches[group.group].size.parameters, 0)}",
            *(Text(_cell(group, quantity)) for quantity, _ in shown),
        )
    console.print(table)
    for claim in content.claims:
        console.print()
        console.print(Text(f"({claim.letter}) {claim.claim} {claim.lead}", style="bold"))
        for text in (claim.details, claim.trend_text):
            if text:
                console.print(Text(text))
    console.print()
    for caution in content.cautions:
        console.print(Text(f"- {caution}"))


def _cell(group: GroupSummary, quantity: Quantity) -> str:
    """Mean, interval and p-value below each other, and how many runs have a number if not all."""
    value, _, interval = with_interval(group.means[quantity.name], quantity.digits).partition(" ")
    lines = [value, interval] if interval else [value]
    difference = group.differences.get(quantity.name)
    if difference is not None and math.isfinite(difference.p_adjusted):
        lines.append(p_equals(difference.p_adjusted))
    if quantity is EPOCHS and group.n_reached < group.n_runs:
        lines.append(f"{group.n_reached} of {group.n_runs} reached it")
    # words of a line stay together
    return "\n".join(lines).replace(" ", "\u00a0")
