"""Tables of the page of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.crossed import FEW_ANNOTATORS
from attnxai.agreement.multiplicity import Correction
from attnxai.agreement.results import ALL
from attnxai.data.wording import first_of
from attnxai.explanations.stack import BRIGHTNESS
from attnxai.metrics import METRICS
from attnxai.report.audit import audit_badge
from attnxai.report.baselines import named_baselines
from attnxai.report.findings import (
    blocks_words,
    brightness_names,
    deciding_baseline,
    draws_words,
    is_miscalibrated,
    permuted_words,
    smallest_adjusted,
    smallest_words,
)
from attnxai.report.methods import correction_phrase
from attnxai.report.rounding import value_decimals
from attnxai.report.sentences.say import say
from attnxai.report.tables.table import Table, text_table
from attnxai.report.wording import (
    are_weighted,
    group_phrase,
    in_brackets,
    in_sentence,
    label_of_map,
    mean_word,
    method_of_map,
    n_beside,
    strata_words,
)
from attnxai.statistics.formats import (
    MISSING,
    all_with_intervals,
    decimals_together,
    format_interval,
    format_number,
    format_p,
    format_share,
    format_value,
    p_equals,
    shares_with_intervals,
    with_interval,
)

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.model_comparison.contrast import Contrast
    from attnxai.agreement.results import AgreementResult
    from attnxai.report.content import ModelPart, ReportContent
    from attnxai.report.verdict import Verdict
    from attnxai.statistics.interval import Interval


def metrics_table(
    title: str,
    metrics: Sequence[str],
    rows: Sequence[tuple[tuple[str, ...], Sequence[tuple[str, ...]]]],
    *,
    heading: str = "Map",
    rules: tuple[int, ...] = (),
    note: str = "",
) -> Table:
    """A row for each name, which has lines below it, and a cell of lines for each metric."""
    cells = {
        METRICS[metric].label: [of_metrics[index] for _, of_metrics in rows]
        for index, metric in enumerate(metrics)
    }
    return text_table(
        {heading: [name for name, _ in rows]}, cells, title=title, rules=rules, note=note
    )


def _note_on(intervals: Iterable[Interval]) -> str:
    """Whether values of a table are weighted means, and why some have no interval, each reason once."""
    every = list(intervals)
    notes = [say("page.weighted")] if are_weighted(every) else []
    reasons = [
        interval.note.removeprefix("no interval: ")
        for interval in every
        if np.isfinite(interval.value) and not interval.known and interval.note
    ]
    if reasons:
        notes.append(say("page.no_interval", reasons="; ".join(dict.fromkeys(reasons))))
    return " ".join(notes)


def verdict_table(parts: Sequence[ModelPart], verdict: Verdict) -> Table:
    """A row for every map: its finding, and the numbers of the first metric that decide."""
    metric = parts[0].result.metrics[0]
    rows = [
        (part.result, statement, part.result.estimate(statement.explanation, metric))
        for part, model in zip(parts, verdict.models, strict=True)
        for statement in model.statements
    ]
    estimates = [estimate for *_, estimate in rows]
    found = value_decimals([part.result for part in parts], metric)
    decimals = [found[result.model_name, e.explanation] for result, _, e in rows]
    located = {part.name: part.location for part in parts}
    names = {"Model": [result.model_name for result, *_ in rows]} if len(parts) > 1 else {}
    names |= {
        "Map": [label_of_map(statement.explanation) for _, statement, _ in rows],
        "Verdict": [statement.badge for _, statement, _ in rows],
    }
    compared = [deciding_baseline(e, brightness_names(result)) for result, _, e in rows]
    cells = {
        METRICS[metric].label + _level_of(estimates): [
            with_interval(e.interval, decimals=places)
            for e, places in zip(estimates, decimals, strict=True)
        ],
        "Permuted": [
            format_number(e.test.mean, places) if e.test else MISSING
            for e, places in zip(estimates, decimals, strict=True)
        ],
        "Adjusted p": [format_p(e.p_adjusted) for e in estimates],
        f"Minus {compared[0] if len(set(compared)) == 1 else BRIGHTNESS}": all_with_intervals(
            [e.differences[name] for (*_, e), name in zip(rows, compared, strict=True)]
        ),
    }
    label = in_sentence(METRICS[metric].label)
    notes = [
        _note_on(e.interval for e in estimates),
        _note_on_adjustment(parts[0].result, [e for e in estimates if e.test]),
        say(
            "page.minus_brightness",
            metric=label,
            baseline=named_baselines([(r, e) for r, _, e in rows]),
        ),
    ]
    if any(e.share_of_noise_ceiling for e in estimates):
        shares = [_share_of_ceiling(estimate) for estimate in estimates]
        cells["Share of noise ceiling"] = shares_with_intervals(shares)
        notes.append(say("page.share"))
    cells["Audit"] = [
        audit_badge(located[result.model_name].of_map(statement.explanation))
        for result, statement, _ in rows
    ]
    of_method = [(result.model_name, method_of_map(s.explanation)) for result, s, _ in rows]
    if len(set(of_method)) == len(rows):  # no two maps of one method stand together
        of_method = [(model, "") for model, _ in of_method]
    starts = [i for i in range(1, len(rows)) if of_method[i] != of_method[i - 1]]
    return text_table(
        names,
        cells,
        title="The verdict on every map",
        rules=tuple(starts),
        note=" ".join(filter(None, notes)),
    )


def latex_caption(result: AgreementResult) -> str:
    """A caption for the main table of a paper, with the number of permuted sources where these are not all."""
    metric = result.metrics[0]
    estimates = [result.estimate(name, metric) for name in result.explanations]
    stratified = any(e.within_strata is not None for e in estimates)
    return say(
        "latex.caption",
        metric=METRICS[metric].label,
        model=result.model_name,
        most=most_in_words(result),
        mean=mean_word(e.interval for e in estimates),
        level=result.settings["level"],
        sources=say("own.sources.strata", strata=strata_words(result.settings["strata"]))
        if stratified
        else say("own.sources.any"),
        smallest=_note_on_adjustment(result, [e for e in estimates if e.test]),
    ).strip()


def _note_on_adjustment(result: AgreementResult, tested: Sequence[Estimate]) -> str:
    """How the p-values of a family are adjusted, the smallest that could have come out, and whom they are about."""
    if not tested:
        return ""
    over = say("methods.over_maps", n=max(e.n_family for e in tested))
    n_annotators = len(result.annotators)
    about = "few" if n_annotators <= FEW_ANNOTATORS else "annotators"
    smallest = say(
        "page.smallest",
        adjusted=correction_phrase(tested[0].correction or Correction.NONE, over),
        draws=draws_words(tested),
        p=format_p(min(smallest_adjusted(e) for e in tested)),
        annotators=say(f"page.smallest.{about}", n=n_annotators) if n_annotators > 1 else "",
    )
    return smallest + blocks_words(result, "sentence") + permuted_words(tested, "table")


def _level_of(estimates: Sequence[Estimate]) -> str:
    """The level of the intervals, to follow the heading of their column."""
    levels = [e.interval.level for e in estimates if e.interval.known]
    return f" [{format_share(levels[0])}]" if levels else ""


def _share_of_ceiling(estimate: Estimate) -> Interval | None:
    """The share of the noise ceiling that a map reaches; below chance there is none."""
    share = estimate.share_of_noise_ceiling
    return share.of_lower if share is not None and share.of_lower.value >= 0 else None


def _estimates_of(
    result: AgreementResult, group: str | None = None, class_name: str = ALL
) -> list[Estimate]:
    key = (group or result.verdict_group, class_name)
    return [e for e in result.estimates if (e.group, e.class_name) == key]


def most_sources(result: AgreementResult, group: str | None = None, class_name: str = ALL) -> int:
    """The largest number of sources that an estimate of this group and class rests on."""
    return max((e.interval.n_units for e in _estimates_of(result, group, class_name)), default=0)


def most_in_words(result: AgreementResult) -> str:
    """The number of :func:`most_sources`, of the group that conclusions rest on, and the group."""
    n = most_sources(result)
    rest = [e.interval for e in _estimates_of(result) if n and e.interval.n_units == n]
    n = n or result.splits.count(result.verdict_group)
    words = group_phrase(result.verdict_group, n)
    return f"{'the one' if n == 1 else f'{n:,}'} {words}{in_brackets(rest[0]) if rest else ''}"


def fewer_somewhere(result: AgreementResult) -> bool:
    """Whether a number of sources stands beside some value of the main table."""
    most = most_sources(result)
    return any(n_beside(estimate.interval, most) for estimate in _estimates_of(result))


def _lines(interval: Interval, most: int, decimals: int) -> list[str]:
    ends = format_interval(interval, decimals=decimals)
    return [line for line in (ends, n_beside(interval, most)) if line]


def estimates_table(
    result: AgreementResult, *, group: str | None = None, class_name: str = ALL
) -> Table | None:
    """Every map and baseline, and the noise ceiling; None where the class has no estimates."""
    group = group or result.verdict_group
    found = {(e.explanation, e.metric): e for e in _estimates_of(result, group, class_name)}
    most = most_sources(result, group, class_name)
    names = [
        name
        for name in result.explanations + result.baselines
        if any((name, metric) in found for metric in result.metrics)
    ]
    if not names:
        return None
    ceilings = [
        result.noise_ceiling(metric, group=group, class_name=class_name)
        for metric in result.metrics
    ]
    rules = [sum(name in result.explanations for name in names)]
    below = {
        f"noise ceiling, {edge}": [getattr(ceiling, edge, None) for ceiling in ceilings]
        for edge in ("lower", "upper")
    }
    looks = [
        result.self_consistency(metric, group=group, class_name=class_name)
        for metric in result.metrics
    ]
    if not result.settings["consensus"]:  # values with a consensus are on another scale
        below["self-consistency"] = [look and look.interval for look in looks]
    below = {name: values for name, values in below.items() if any(values)}
    if below:
        rules.append(len(names))
    estimates = [[found.get((name, metric)) for name in names] for metric in result.metrics]
    decimals = [
        decimals_together(
            [e.interval if e else None for e in of_metric] + [v[i] for v in below.values()]
        )
        for i, of_metric in enumerate(estimates)
    ]
    rows = [
        (
            (label_of_map(name), *(["baseline"] if name in result.baselines else [])),
            [
                _cell(of_metric[row], most, places[row])
                for of_metric, places in zip(estimates, decimals, strict=True)
            ],
        )
        for row, name in enumerate(names)
    ]
    for row, (name, values) in enumerate(below.items(), start=len(names)):
        pairs = [(value, places[row]) for value, places in zip(values, decimals, strict=True)]
        cells = [
            (format_value(v, decimals=n), *_lines(v, most, n)) if v else ("",) for v, n in pairs
        ]
        rows.append(((name,), cells))
    over = group if class_name == ALL else class_name
    title = f"Agreement of maps and baselines of {result.model_name}, {over}"
    note = _note_on(estimate.interval for estimate in found.values())
    return metrics_table(title, result.metrics, rows, rules=tuple(rules), note=note)


def _cell(estimate: Estimate | None, most: int, decimals: int) -> tuple[str, ...]:
    if estimate is None:
        return ("",)
    interval = estimate.interval
    lines = [format_value(interval, decimals=decimals), *_lines(interval, most, decimals)]
    test = estimate.test
    if test is not None:
        lines += [f"null {format_number(test.mean, decimals)}", p_equals(test.p_value)]
        if estimate.n_family > 1 and estimate.p_adjusted is not None:
            lines.append(f"adjusted {format_p(estimate.p_adjusted)}")
    share = _share_of_ceiling(estimate)
    if share is not None:
        lines.append(f"{format_share(share.value)} of the ceiling")
    for further in estimate.further:
        if further.test is not None:
            mark = " *" if is_miscalibrated(further) else ""
            lines.append(f"{further.null} {p_equals(further.test.p_value)}{mark}")
    return tuple(lines)


def partial_correlations_table(parts: Sequence[ModelPart]) -> Table:
    """The partial rank correlation of every map, controlling for brightness."""
    rows = [
        (part.name, name, part.result.partial_correlation(name), most_sources(part.result))
        for part in parts
        for name in part.result.explanations
    ]
    models = {"Model": [model for model, *_ in rows]} if len(parts) > 1 else {}
    intervals = [partial.interval for *_, partial, _ in rows]
    decimals = decimals_together(intervals)
    shown = list(zip(intervals, [most for *_, most in rows], decimals, strict=True))
    cells = {
        "Partial ρ": [format_value(interval, decimals=n) for interval, _, n in shown],
        "Interval": [", ".join(_lines(*each)) for each in shown],
        "Controlling for": [", ".join(partial.controlling_for) for *_, partial, _ in rows],
    }
    names = models | {"Map": [label_of_map(name) for _, name, *_ in rows]}
    note = _note_on(intervals)
    return text_table(names, cells, title="Partial correlations", note=note)


def contrasts_table(content: ReportContent) -> Table | None:
    """Differences between models: a row a map and pair, a cell a metric."""
    if not content.contrasts:
        return None
    most = max(c.n_sources for c in content.contrasts[0].contrasts.contrasts)
    decimals = [
        decimals_together([c.interval for c in of.contrasts.contrasts]) for of in content.contrasts
    ]
    rows = [
        (
            (f"{label_of_map(name)}: {first} − {second}",),
            [
                _contrast_cell(of.contrasts.contrasts[index], most, places[index])
                for of, places in zip(content.contrasts, decimals, strict=True)
            ],
        )
        for index, (name, first, second) in enumerate(content.contrasts[0].keys)
    ]
    metrics = [contrasts.metric for contrasts in content.contrasts]
    note = _note_on(c.interval for of in content.contrasts for c in of.contrasts.contrasts)
    return metrics_table("Differences between models", metrics, rows, note=note)


def _contrast_cell(contrast: Contrast, most: int, decimals: int) -> tuple[str, ...]:
    smallest = smallest_words(contrast.p_value, contrast.smallest_p)
    lines = [
        format_value(contrast.interval, decimals=decimals),
        *_lines(contrast.interval, most, decimals),
        p_equals(contrast.p_value),
        *([smallest.removeprefix(", ")] if smallest else []),
        f"adjusted {format_p(contrast.p_adjusted)}",
    ]
    if contrast.p_others_adjusted is not None:
        lines.append(f"other annotators {format_p(contrast.p_others_adjusted)}")
    return tuple(lines)


def undefined_counts(parts: Sequence[ModelPart]) -> list[tuple[str, int, str]]:
    """Undefined values by model, metric and reason: how many, and of which sources."""
    counts: dict[tuple[str, str, str], list[str]] = {}
    for part in parts:
        for value in part.result.undefined:
            key = (part.name if len(parts) > 1 else "", value.metric, value.reason)
            counts.setdefault(key, []).append(value.source)
    labels = {name: metric.label for name, metric in METRICS.items()}
    labels["partial_spearman"] = "Partial ρ"
    return [
        (
            f"{f'{model}, ' if model else ''}{labels[metric]}: {reason}",
            len(sources),
            first_of(sorted(set(sources)), 5),
        )
        for (model, metric, reason), sources in counts.items()
    ]
