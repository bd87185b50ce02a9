"""The result as a terminal shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.nulls import NULLS
from attnxai.report.baselines import named_baselines
from attnxai.report.findings import (
    baselines_of_kind,
    best_brightness,
    best_emission,
    best_of,
    blocks_words,
    brightness_names,
    deciding_baseline,
    draws_words,
    is_miscalibrated,
    permuted_words,
    smallest_adjusted,
)
from attnxai.report.labels import short_labels_table
from attnxai.report.rounding import value_decimals
from attnxai.report.sentences.say import say
from attnxai.report.tables.table import Table, text_table
from attnxai.report.tables.text import render_terminal
from attnxai.report.wording import (
    capitalised,
    group_phrase,
    label_of_map,
    mean_word,
    n_beside,
    names_of_maps,
    strata_words,
)
from attnxai.statistics.formats import (
    MISSING,
    decimals_together,
    format_effective,
    format_interval,
    format_number,
    format_p,
    format_share,
    format_value,
    with_interval,
)
from attnxai.statistics.interval import effective_number

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult
    from attnxai.report.verdict import ModelVerdict, Verdict
    from attnxai.statistics.interval import Interval


def print_report(
    results: Sequence[AgreementResult],
    verdict: Verdict,
    console: Console,
    *,
    verbose: bool = False,
) -> None:
    """Print the numbers, what limits them, and last, where the eye rests, the headline and what goes with it.

    ``verbose`` adds all baselines and metrics, the sentence on every map, every difference between models, and the
    whole text of the limitations.
    """
    from rich.text import Text

    if not verbose:
        console.print(render_terminal(_short_table(results)))
        console.print()
    for result in results:
        _print_result(result, console, verbose=verbose, alone=len(results) == 1)
    for model in verdict.models:
        name = f"{model.model_name}: " if len(results) > 1 else ""
        if not verbose:
            console.print(Text(f"{name}{_found(model)}."))
            continue
        if name:
            console.print(Text(model.headline, style="bold"))
        for statement in model.statements:
            console.print(Text(f"{statement.audit} {statement.lead}".strip()))
    console.print(Text(verdict.baselines))
    for sentence in verdict.contrasts if verbose else ():
        console.print(Text(sentence))
    models = [result.model_name for result in results]
    cautions = list(verdict.cautions) if verbose else _all_in_short(verdict.cautions, models)
    if cautions:
        cut = cautions != list(verdict.cautions)
        more = say("terminal.limits.more") if cut else ""
        console.print(Text(say("terminal.limits", more=more)))
    for caution in cautions:
        console.print(Text(f"- {caution}"))
    console.print()
    console.print(Text(verdict.headline, style="bold"))
    for line in filter(None, (verdict.audit, verdict.warning)):
        console.print(Text(line))


def _found(model: ModelVerdict) -> str:
    """The maps of a model by what is found of them."""
    found: dict[str, list[str]] = {}
    for statement in model.statements:
        fails = say("terminal.audit_fails") if statement.audit else ""
        found.setdefault(f"{statement.badge}{fails}", []).append(statement.explanation)
    parts = [f"{names_of_maps(names)}: {badge}" for badge, names in found.items()]
    return capitalised("; ".join(parts))


def _all_in_short(cautions: Sequence[str], models: Sequence[str]) -> list[str]:
    """Every caution in short, once for all models that it is about."""
    about: dict[str, list[str]] = {}
    for caution in cautions:
        model = next((name for name in models if caution.startswith(f"{name}: ")), None)
        short = _in_short(caution.removeprefix(f"{model}: "))
        about.setdefault(short, []).extend([] if model is None else [model])
    return [
        text if len(names) in (0, len(models)) else f"{listed(names)}: {text}"
        for text, names in about.items()
    ]


def _in_short(text: str) -> str:
    """What limits the result, without the reasons and remedies that follow it. What brackets hold is not cut.

    Examples
    --------
    >>> _in_short("Held-out sources are identified by their ids alone: a training image would not be recognised.")
    'Held-out sources are identified by their ids alone.'
    """
    for end in re.finditer(r"(?<=[\w)%])(?:\. |; |: (?=[a-z]))", text):
        first = text[: end.start()]
        if first.count("(") == first.count(")"):
            return f"{first}."
    return text


def _print_result(result: AgreementResult, console: Console, *, verbose: bool, alone: bool) -> None:
    if verbose:
        table = render_terminal(_main_table(result))
        if not table.fits(console):
            table = render_terminal(_main_table(result, with_emission=False))
        console.print(table)
        console.print()
    primary, *others = result.metrics
    if result.settings["nulls"]:
        console.print(
            f"{METRICS[primary].label} of {result.model_name} under other nulls: p (* miscalibrated for these data)"
        )
        console.print(render_terminal(_further_nulls(result, primary)))
    labels = short_labels_table(result)
    if labels is not None and (verbose or alone):
        console.print(render_terminal(labels))
    if others and verbose:
        console.print(render_terminal(_other_metrics(result, others)))
        console.print()


def _short_table(results: Sequence[AgreementResult]) -> Table:
    """The maps of all models; of one model also the baselines of each kind that agree best, and the noise ceiling."""
    metric = results[0].metrics[0]
    rows = [(result, name) for result in results for name in result.explanations]
    rules = [index for index in range(1, len(rows)) if rows[index][0] is not rows[index - 1][0]]
    if len(results) == 1:
        rules.append(len(rows))
        rows += [(results[0], name) for name in _shown_baselines(results[0])]
    estimates = [result.estimate(name, metric) for result, name in rows]
    places = value_decimals(results, metric)
    decimals = [places[result.model_name, name] for result, name in rows]
    counts = [int(result.verdict_sources().sum()) for result, _ in rows]
    columns = list(zip(estimates, decimals, counts, strict=True))
    values = [
        f"{with_interval(e.interval, decimals=n)}{_beside(e.interval, most)}"
        for e, n, most in columns
    ]
    permuted = [format_number(e.test.mean, n) if e.test else "" for e, n, _ in columns]
    p_values = ["" if e.is_baseline else format_p(e.p_adjusted) for e in estimates]
    differences = [
        None if e.is_baseline else e.differences[deciding_baseline(e, brightness_names(result))]
        for (result, _), e in zip(rows, estimates, strict=True)
    ]
    minus = _differences(differences, max(counts))
    names = [label_of_map(name) for _, name in rows]
    ceiling = results[0].noise_ceiling(metric)
    if len(results) == 1 and ceiling is not None:
        names.append("noise ceiling")
        *_, n = decimals_together([*(e.interval for e in estimates), ceiling.lower])
        values.append(with_interval(ceiling.lower, decimals=n))
        for cells in (permuted, p_values, minus):
            cells.append("")
    n_family = max((e.n_family for e in estimates), default=1)
    tested = [e for e in estimates if e.test and not e.is_baseline]
    models = {"model": [result.model_name for result, _ in rows]} if len(results) > 1 else {}
    weighted = mean_word(e.interval for e in estimates)
    return text_table(
        {**models, "map": names},
        {
            METRICS[metric].label: values,
            "permuted": permuted,
            "p": p_values,
            "minus brightness": minus,
        },
        title=_short_title(results),
        note=say(
            "terminal.note",
            metric=METRICS[metric].label,
            mean=weighted,
            level=results[0].settings["level"],
            sources=_permuted_sources(results[0]),
            permuted=permuted_words(tested, "caption"),
            adjusted=say("terminal.adjusted", n=n_family) if n_family > 1 else "",
            smallest=say(
                "terminal.smallest",
                draws=draws_words(tested),
                p=format_p(min(map(smallest_adjusted, tested))),
            )
            if tested
            else "",
            baseline=named_baselines(
                [(r, e) for (r, _), e in zip(rows, estimates, strict=True) if not e.is_baseline]
            ),
        ),
        rules=tuple(rules),
    )


def _short_title(results: Sequence[AgreementResult]) -> str:
    """The model and its sources, or those of every model where they differ."""
    counted = {}
    for result in results:
        members = result.verdict_sources()
        n = int(members.sum())
        effective = format_effective(effective_number(result.source_weights[members]))
        words = (
            f"{n} {group_phrase(result.verdict_group, n)}{f' ({effective})' if effective else ''}"
        )
        counted[result.model_name] = words
    if len(results) > 1 and len(set(counted.values())) == 1:
        return counted[results[0].model_name]
    return "; ".join(f"{model}: {words}" for model, words in counted.items())


def _shown_baselines(result: AgreementResult) -> list[str]:
    """The baseline of each kind that agrees best."""
    metric = result.metrics[0]
    return [best_of(result, metric, names) for names in baselines_of_kind(result).values() if names]


def _permuted_sources(result: AgreementResult) -> str:
    stratified = any(estimate.within_strata is not None for estimate in result.estimates)
    sources = (
        say("own.sources.strata", strata=strata_words(result.settings["strata"]))
        if stratified
        else say("own.sources.any")
    )
    return sources + blocks_words(result, "clause")


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
    places = [value_decimals([result], metric)[result.model_name, name] for name in names]
    pairs = list(zip(estimates, places, strict=True))
    rows = [
        [_interval(estimate.interval, n, decimals) for estimate, decimals in pairs],
        [format_number(e.test.mean, decimals) if e.test else "" for e, decimals in pairs],
        [_p_values(estimate) for estimate in estimates],
        *(_differences([e.differences.get(one) for e in estimates], n) for one in baselines),
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
    shown = _rows(result)
    for name, interval in below.items():
        if interval is not None:
            shown.append(name)
            for index, cells in enumerate(rows):
                decimals = decimals_together([*(e.interval for e in estimates), interval])[-1]
                cells.append("" if index else _interval(interval, n, decimals))
    differences = [f"minus {one}" for one in baselines]
    headings = (METRICS[metric].label, "null", "p", *differences)
    best = [
        f"{heading}: the baseline of {kind} that agrees best"
        for heading, kind in zip(differences, ("brightness", "emission"), strict=False)
    ]
    return text_table(
        {"map": shown},
        dict(zip(headings, rows, strict=True)),
        title=f"{result.model_name}: {n} {group_phrase(result.verdict_group, n)}"
        f"{f' ({effective})' if effective else ''}",
        note=f"{mean_word(e.interval for e in estimates)} [{format_share(result.settings['level'])} interval]; "
        f"null: annotations permuted across {_permuted_sources(result)}; p (adjusted over maps); {'; '.join(best)}",
        rules=tuple(rules),
    )


def _interval(interval: Interval, n: int, decimals: int) -> str:
    ends = format_interval(interval, decimals=decimals)
    return f"{format_value(interval, decimals=decimals)} {ends}{_beside(interval, n)}"


def _differences(differences: Sequence[Interval | None], n: int) -> list[str]:
    return [
        f"{format_value(one, decimals=decimals)}{_beside(one, n)}" if one else ""
        for one, decimals in zip(differences, decimals_together(differences), strict=True)
    ]


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


def _rows(result: AgreementResult) -> list[str]:
    """The maps in words, then the baselines."""
    return [*map(label_of_map, result.explanations), *result.baselines]


def _further_nulls(result: AgreementResult, metric: str) -> Table:
    def cell(name: str, null: str) -> str:
        further = result.estimate(name, metric).further_test(null)
        mark = " *" if is_miscalibrated(further) else ""
        return f"{format_p(further.test.p_value)}{mark}" if further.test else MISSING

    nulls = [NULLS[name]() for name in result.settings["nulls"]]
    names = result.explanations
    cells = {null.label: [cell(name, null.name) for name in names] for null in nulls}
    return text_table({"map": [label_of_map(name) for name in names]}, cells)


def _other_metrics(result: AgreementResult, metrics: Sequence[str]) -> Table:
    names = result.explanations + result.baselines

    def column(metric: str) -> list[str]:
        estimates = [result.estimate(name, metric) for name in names]
        places = decimals_together([estimate.interval for estimate in estimates])
        return [
            format_value(e.interval, decimals=decimals)
            + (f" ({format_p(e.test.p_value)})" if e.test else "")
            for e, decimals in zip(estimates, places, strict=True)
        ]

    cells = {METRICS[metric].label: column(metric) for metric in metrics}
    rules = (len(result.explanations),)
    shown = [result.estimate(name, metric).interval for metric in metrics for name in names]
    return text_table(
        {"map": _rows(result)}, cells, title=f"Other metrics: {mean_word(shown)} (p)", rules=rules
    )
