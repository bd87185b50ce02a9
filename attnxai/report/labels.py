"""Agreement with the marks of each label, under the main result of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.report.annotators import value_lines
from attnxai.report.sentences.say import say
from attnxai.report.tables.table import Table, text_table
from attnxai.report.wording import group_phrase, in_sentence, label_of_map, mean_word, strata_words
from attnxai.statistics.formats import decimals_of, format_number, format_p, p_equals
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate, LabelAgreement
    from attnxai.agreement.results import AgreementResult
    from attnxai.statistics.interval import Interval


def labels_table(result: AgreementResult) -> Table | None:
    """All marks together and the marks of each label, a column for each map; None for fewer than two labels."""
    if not result.labels:
        return None
    metric = result.metrics[0]
    n_all = int(result.verdict_sources().sum())
    rows: list[tuple[int, dict[str, tuple[Estimate, Interval | None]]]] = [
        (n_all, {e: (result.estimate(e, metric), None) for e in result.explanations})
    ]
    rows += [
        (
            of_label.n_sources,
            {
                e.explanation: (e, of_label.all_marks[e.explanation])
                for e in of_label.estimates
                if not e.is_baseline
            },
        )
        for of_label in result.labels
    ]
    cells = {"Sources": [str(n) for n, _ in rows]}
    return text_table(
        {"Marks": ["all", *(of_label.label for of_label in result.labels)]},
        cells
        | {
            label_of_map(name): [
                _cell(*found[name], n) if name in found else ("",) for n, found in rows
            ]
            for name in result.explanations
        },
        title=f"Agreement of the maps of {result.model_name} with the marks of each label",
        rules=(1,),
    )


def _cell(estimate: Estimate, all_marks: Interval | None, n: int) -> tuple[str, ...]:
    lines = list(value_lines(estimate.interval))
    if estimate.interval.n_units != n:
        lines.append(f"n = {estimate.interval.n_units}")
    decimals = decimals_of(estimate.interval)
    if estimate.test is not None:
        null = format_number(estimate.test.mean, 3 if decimals is None else decimals)
        lines += [f"null {null}", p_equals(estimate.test.p_value)]
        if estimate.p_adjusted is not None:
            lines.append(f"adjusted {format_p(estimate.p_adjusted)}")
    if all_marks is not None:
        value = format_number(all_marks.value, 3 if decimals is None else decimals)
        lines.append(f"all marks {value}")
    return tuple(lines)


def labels_words(result: AgreementResult) -> str:
    """What the table of labels holds, and for which labels sources are too few; empty without one."""
    if not result.labels:
        return ""
    metric = result.metrics[0]
    estimates = [e for of_label in result.labels for e in of_label.estimates]
    n_family = max((e.n_family for e in estimates), default=0)
    stratified = any(e.within_strata is not None for e in estimates)
    words = say(
        "page.labels",
        metric=in_sentence(METRICS[metric].label),
        group=group_phrase(result.verdict_group),
        mean=mean_word(e.interval for e in estimates),
        level=result.settings["level"],
        sources=say("own.sources.strata", strata=strata_words(result.settings["strata"]))
        if stratified
        else say("own.sources.any"),
        adjusted=say("page.labels.adjusted", n=n_family) if n_family > 1 else "",
    )
    few = [one for one in result.labels if one.n_sources < MIN_UNITS]
    if few:
        labels = listed([f"{one.label} ({one.n_sources})" for one in few])
        words += say("page.labels.few", labels=labels, needed=MIN_UNITS)
    untested: dict[str, list[str]] = {}
    for one in result.labels:
        if not _tests(one):
            reasons = [e.not_tested for e in one.estimates if not e.is_baseline]
            reason = reasons[0] if reasons else say("page.labels.none")
            untested.setdefault(reason, []).append(one.label)
    for reason, names in untested.items():
        words += say("page.labels.untested", labels=listed(names), reason=reason)
    coarse = [
        one.label
        for one in result.labels
        if (found := _tests(one)) and min(found) > SIGNIFICANCE_LEVEL
    ]
    if coarse:
        words += say("page.labels.coarse", labels=listed(coarse), n=len(coarse))
    return words


def _tests(of_label: LabelAgreement) -> list[float]:
    """The smallest attainable p-values of the tests of maps."""
    return [e.test.smallest_p for e in of_label.estimates if e.test and not e.is_baseline]
