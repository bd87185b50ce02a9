"""The result as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.agreement.metrics import METRICS
from attnxai.report.verdict import best_brightness
from attnxai.report.wording import (
    format_interval,
    format_number,
    format_p,
    format_share,
    group_phrase,
)

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.agreement.results import AgreementResult
    from attnxai.report.verdict import Verdict


def print_result(result: AgreementResult, verdict: Verdict, console: Console) -> None:
    """Print the verdict and the table of the group that it rests on.

    Parameters
    ----------
    result : AgreementResult
        The numbers.
    verdict : Verdict
        The words.
    console : rich.console.Console
        Where to print.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    n = sum(group == result.verdict_group for group in result.exposure)
    names = result.explanations + result.baselines
    primary, *others = result.metrics
    classes = any(name is not None for name in result.classes)
    exchanged = "sources of one class" if classes else "sources"
    table = Table(
        title=Text(f"{result.model_name}: {n} {group_phrase(result.verdict_group, n)}"),
        title_justify="left",
        caption=f"mean [{format_share(result.settings['level'])} interval]; null: annotations "
        f"exchanged between {exchanged}; p not adjusted",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("map")
    for heading in (METRICS[primary].label, "null", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    brightness = best_brightness(result, primary)
    table.add_column(f"minus {brightness}", justify="right")
    for name in names:
        if name == result.baselines[0]:
            table.add_section()
        estimate = result.estimate(name, primary)
        test = estimate.within_class or estimate.pooled
        difference = estimate.differences.get(brightness)
        cells = [
            f"{format_number(estimate.interval.value, 2)} {format_interval(estimate.interval, 2)}",
            format_number(test.mean, 2) if test else "",
            format_p(test.p_value) if test else "",
            f"{format_number(difference.value, 2)} {format_interval(difference, 2)}"
            if difference
            else "",
        ]
        table.add_row(Text(name), *map(Text, cells))
    console.print(table)
    if others:
        console.print()
        table = Table(
            "map",
            *(METRICS[m].label for m in others),
            title="Other metrics: mean (p)",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        for name in names:
            if name == result.baselines[0]:
                table.add_section()
            cells = []
            for metric in others:
                estimate = result.estimate(name, metric)
                test = estimate.within_class or estimate.pooled
                p_value = f" ({format_p(test.p_value)})" if test else ""
                cells.append(f"{format_number(estimate.interval.value)}{p_value}")
            table.add_row(Text(name), *map(Text, cells))
        console.print(table)
    console.print()
    console.print(Text(verdict.headline, style="bold"))
    for statement in verdict.statements:
        console.print(Text(statement.lead))
    for caution in verdict.cautions:
        console.print(Text(f"- {caution}"))
