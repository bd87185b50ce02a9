"""The result as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.nulls import NULLS
from attnxai.report.findings import MISCALIBRATED, best_brightness
from attnxai.report.wording import group_phrase, strata_words
from attnxai.statistics.formats import (
    format_interval,
    format_number,
    format_p,
    format_share,
    format_value,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult
    from attnxai.report.verdict import Verdict


def print_report(results: Sequence[AgreementResult], verdict: Verdict, console: Console) -> None:
    """Print the tables of the groups that the verdict rests on, and the verdict.

    Parameters
    ----------
    results : sequence of AgreementResult
        The numbers, one a model.
    verdict : Verdict
        The words.
    console : rich.console.Console
        Where to print.
    """
    from rich.text import Text

    for result in results:
        _print_result(result, console)
        console.print()
    console.print(Text(verdict.headline, style="bold"))
    for model in verdict.models:
        if len(results) > 1:
            console.print(Text(model.headline, style="bold"))
        for statement in model.statements:
            console.print(Text(statement.lead))
    for sentence in verdict.contrasts:
        console.print(Text(sentence))
    for caution in verdict.cautions:
        console.print(Text(f"- {caution}"))


def _print_result(result: AgreementResult, console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    n = sum(group == result.verdict_group for group in result.splits)
    names = result.explanations + result.baselines
    primary, *others = result.metrics
    stratified = any(e.within_strata is not None for e in result.estimates)
    sources = (
        f"sources of one {strata_words(result.settings['strata'])}" if stratified else "sources"
    )
    table = Table(
        title=Text(f"{result.model_name}: {n} {group_phrase(result.verdict_group, n)}"),
        title_justify="left",
        caption=f"mean [{format_share(result.settings['level'])} interval]; null: annotations "
        f"permuted across {sources}; p (adjusted over maps)",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("map", no_wrap=True)
    for heading in (METRICS[primary].label, "null", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    brightness = best_brightness(result, primary)
    table.add_column(f"minus {brightness}", justify="right")
    for name in names:
        if name == result.baselines[0]:
            table.add_section()
        estimate = result.estimate(name, primary)
        test = estimate.test
        difference = estimate.differences.get(brightness)
        cells = [
            f"{format_value(estimate.interval)} {format_interval(estimate.interval)}",
            format_number(test.mean, 2) if test else "",
            _p_values(estimate),
            format_value(difference) if difference else "",
        ]
        table.add_row(Text(name), *map(Text, cells))
    ceiling = result.noise_ceiling(primary)
    if ceiling is not None:
        value = f"{format_value(ceiling.lower)} {format_interval(ceiling.lower)}"
        table.add_section()
        table.add_row("noise ceiling", value, "", "", "")
    console.print(table)
    if result.settings["nulls"]:
        console.print()
        console.print(
            f"{METRICS[primary].label} under other nulls: p (* miscalibrated for these data)"
        )
        console.print(_further_nulls(result, primary))
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
                test = estimate.test
                p_value = f" ({format_p(test.p_value)})" if test else ""
                cells.append(f"{format_value(estimate.interval, 3)}{p_value}")
            table.add_row(Text(name), *map(Text, cells))
        console.print(table)


def _p_values(estimate: Estimate) -> str:
    if estimate.test is None:
        return ""
    text = format_p(estimate.test.p_value)
    if estimate.p_adjusted is None or estimate.n_family < 2:
        return text
    return f"{text} ({format_p(estimate.p_adjusted)})"


def _further_nulls(result: AgreementResult, metric: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    nulls = [NULLS[name]() for name in result.settings["nulls"]]
    table = Table(
        "map",
        *(null.label for null in nulls),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in result.explanations:
        cells = []
        for null in nulls:
            further = result.estimate(name, metric).further_test(null.name)
            mark = " *" if (further.rejections_pairing_broken or 0.0) >= MISCALIBRATED else ""
            cells.append(f"{format_p(further.test.p_value)}{mark}" if further.test else "–")
        table.add_row(Text(name), *map(Text, cells))
    return table
