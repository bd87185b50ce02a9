"""The result as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.metrics import METRICS
from attnxai.nulls import NULLS
from attnxai.report.findings import best_brightness, best_emission, is_miscalibrated
from attnxai.report.tables.table import Table, text_table
from attnxai.report.tables.text import render_terminal
from attnxai.report.wording import group_phrase, mean_word, n_beside, strata_words
from attnxai.statistics.formats import (
    MISSING,
    decimals_of,
    format_effective,
    format_interval,
    format_number,
    format_p,
    format_share,
    format_value,
)
from attnxai.statistics.interval import effective_number

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult
    from attnxai.report.verdict import Verdict
    from attnxai.statistics.interval import Interval


def print_report(results: Sequence[AgreementResult], verdict: Verdict, console: Console) -> None:
    """Print the tables of the groups that the verdict rests on, and the verdict."""
    from rich.text import Text

    for result in results:
        _print_result(result, console)
        console.print()
    console.print(Text(verdict.headline, style="bold"))
    for line in filter(None, (verdict.audit, verdict.warning)):
        console.print(Text(line))
    for model in verdict.models:
        if len(results) > 1:
            console.print(Text(model.headline, style="bold"))
        for statement in model.statements:
            console.print(Text(f"{statement.audit} {statement.lead}".strip()))
    for sentence in verdict.contrasts:
        console.print(Text(sentence))
    for caution in verdict.cautions:
        console.print(Text(f"- {caution}"))


def _print_result(result: AgreementResult, console: Console) -> None:
    table = render_terminal(_main_table(result))
    if not table.fits(console):
        table = render_terminal(_main_table(result, with_emission=False))
    console.print(table)
    primary, *others = result.metrics
    if result.settings["nulls"]:
        console.print()
        console.print(
            f"{METRICS[primary].label} under other nulls: p (* miscalibrated for these data)"
        )
        console.print(render_terminal(_further_nulls(result, primary)))
    if others:
        console.print()
        console.print(render_terminal(_other_metrics(result, others)))


def _main_table(result: AgreementResult, *, with_emission: bool = True) -> Table:
    """The first metric: a row for every map and baseline, and for the noise ceiling.

    Differences from emission, where it is a baseline, can be left out.
    """
    n = int(result.verdict_sources().sum())
    names = [*result.explanations, *result.baselines]
    metric = result.metrics[0]
    emission = best_emission(result, metric) if with_emission else None
    baselines = [best_brightness(result, metric), *([] if emission is None else [emission])]
    effective = format_effective(effective_number(result.source_weights[result.verdict_sources()]))
    estimates = [result.estimate(name, metric) for name in names]
    rows = [
        [_interval(estimate.interval, n) for estimate in estimates],
        [
            format_number(e.test.mean, 2 if (d := decimals_of(e.interval)) is None else d)
            if e.test
            else ""
            for e in estimates
        ],
        [_p_values(estimate) for estimate in estimates],
        *(
            [_difference(estimate.differences.get(one), n) for estimate in estimates]
            for one in baselines
        ),
    ]
    rules = [len(result.explanations)]
    ceiling, looks = result.noise_ceiling(metric), result.self_consistency(metric)
    below = {
        "noise ceiling, lower": ceiling.lower if ceiling else None,
        "noise ceiling, upper": ceiling.upper if ceiling else None,
        "self-consistency": looks.interval if looks and not result.settings["consensus"] else None,
    }
    if any(below.values()):
        rules.append(len(estimates))
    for name, interval in below.items():
        if interval is not None:
            names.append(name)
            for index, cells in enumerate(rows):
                cells.append("" if index else _interval(interval, n))
    stratified = any(estimate.within_strata is not None for estimate in result.estimates)
    sources = (
        f"sources of the same {strata_words(result.settings['strata'])}"
        if stratified
        else "sources"
    )
    differences = [f"minus {one}" for one in baselines]
    headings = (METRICS[metric].label, "null", "p", *differences)
    best = [
        f"{heading}: the baseline of {kind} that agrees best"
        for heading, kind in zip(differences, ("brightness", "emission"), strict=False)
    ]
    return text_table(
        {"map": names},
        dict(zip(headings, rows, strict=True)),
        title=f"{result.model_name}: {n} {group_phrase(result.verdict_group, n)}"
        f"{f' ({effective})' if effective else ''}",
        note=f"{mean_word(e.interval for e in estimates)} [{format_share(result.settings['level'])} interval]; "
        f"null: annotations permuted across {sources}; p (adjusted over maps); {'; '.join(best)}",
        rules=tuple(rules),
    )


def _interval(interval: Interval, n: int) -> str:
    return f"{format_value(interval)} {format_interval(interval)}{_beside(interval, n)}"


def _difference(difference: Interval | None, n: int) -> str:
    return f"{format_value(difference)}{_beside(difference, n)}" if difference else ""


def _beside(interval: Interval, n: int) -> str:
    said = n_beside(interval, n)
    return f" ({said})" if said else ""


def _p_values(estimate: Estimate) -> str:
    if estimate.test is None:
        return ""
    text = format_p(estimate.test.p_value)
    if estimate.p_adjusted is None or estimate.n_family < 2:
        return text
    return f"{text} ({format_p(estimate.p_adjusted)})"


def _further_nulls(result: AgreementResult, metric: str) -> Table:
    def cell(name: str, null: str) -> str:
        further = result.estimate(name, metric).further_test(null)
        mark = " *" if is_miscalibrated(further) else ""
        return f"{format_p(further.test.p_value)}{mark}" if further.test else MISSING

    nulls = [NULLS[name]() for name in result.settings["nulls"]]
    names = result.explanations
    cells = {null.label: [cell(name, null.name) for name in names] for null in nulls}
    return text_table({"map": names}, cells)


def _other_metrics(result: AgreementResult, metrics: Sequence[str]) -> Table:
    names = result.explanations + result.baselines

    def cell(name: str, metric: str) -> str:
        estimate = result.estimate(name, metric)
        p_value = f" ({format_p(estimate.test.p_value)})" if estimate.test else ""
        return f"{format_value(estimate.interval, 3)}{p_value}"

    cells = {METRICS[metric].label: [cell(name, metric) for name in names] for metric in metrics}
    rules = (len(result.explanations),)
    shown = [result.estimate(name, metric).interval for metric in metrics for name in names]
    return text_table(
        {"map": names}, cells, title=f"Other metrics: {mean_word(shown)} (p)", rules=rules
    )
