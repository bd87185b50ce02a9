"""Agreement with the marks of each label, under the main result of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.report.findings import smallest_adjusted
from attnxai.report.sentences.say import say
from attnxai.report.tables.table import (
    Table,
    interval_column,
    number_column,
    p_value_column,
    sources_columns,
    text_column,
    text_table,
    weighted_heading,
)
from attnxai.report.wording import group_phrase, in_sentence, label_of_map, mean_word, strata_words
from attnxai.statistics.formats import (
    MISSING,
    decimals_together,
    format_number,
    format_p,
    format_share,
    format_value,
    with_interval,
)
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate, LabelAgreement
    from attnxai.agreement.results import AgreementResult
    from attnxai.statistics.interval import Interval


MOST_COLUMNS = 6
"""Maps that are columns in the terminal; of more each is a row."""


def labels_table(result: AgreementResult) -> Table | None:
    """A row for each map with all marks together and with the marks of each label; None for fewer than two labels.

    Values are those of the first metric.
    """
    if not result.labels:
        return None
    metric = result.metrics[0]
    rows: list[tuple[str, Estimate, Interval | None]] = [
        (say("labels.all"), result.estimate(name, metric), None) for name in result.explanations
    ]
    rows += [
        (of_label.label, estimate, of_label.all_marks[estimate.explanation, metric])
        for of_label in result.labels
        for estimate in of_maps(of_label, metric)
    ]
    labels, estimates, every = zip(*rows, strict=True)
    decimals = decimals_together([e.interval for e in estimates])
    tested = list(zip(estimates, decimals, strict=True))
    level = result.settings["level"]
    return text_table(
        {"Marks": labels, "Map": [label_of_map(e.explanation) for e in estimates]},
        {
            f"{METRICS[metric].label} [{format_share(level)}]": [
                with_interval(e.interval, decimals=n) for e, n in tested
            ],
            "Permuted": [format_number(e.test.mean if e.test else None, n) for e, n in tested],
            "p": [format_p(e.test.p_value if e.test else None) for e in estimates],
            "Adjusted p": [
                format_p(e.p_adjusted if of_all is None else _adjusted(result, e))
                for e, of_all in zip(estimates, every, strict=True)
            ],
            "All marks": [
                "" if one is None else format_number(one.value, n)
                for one, n in zip(every, decimals, strict=True)
            ],
            "Sources": [f"{e.interval.n_units:,}" for e in estimates],
        },
        title=f"Agreement of the maps of {result.model_name} with the marks of each label",
        rules=tuple(i for i in range(1, len(rows)) if labels[i] != labels[i - 1]),
    )


def of_maps(of_label: LabelAgreement, metric: str) -> list[Estimate]:
    """The estimates of the maps for a label by one metric."""
    return [e for e in of_label.estimates if e.metric == metric and not e.is_baseline]


def _adjusted(result: AgreementResult, estimate: Estimate) -> float | None:
    """The adjusted p-value of the marks of a label; None where it could not be 0.05 or below."""
    test = estimate.test
    if test is None or max(test.smallest_p, _finest(result)) > SIGNIFICANCE_LEVEL:
        return None
    return estimate.p_adjusted


def _finest(result: AgreementResult) -> float:
    """The smallest adjusted p-value that any test of a label could give, with which Holm's method begins."""
    metric = result.metrics[0]
    every = [e for of_label in result.labels for e in of_maps(of_label, metric) if e.test]
    return min(map(smallest_adjusted, every), default=1.0)


def short_labels_table(result: AgreementResult) -> Table | None:
    """A row for each label and a column for each map, or with many maps the other way; None for fewer than two labels.

    Cells have the value and the adjusted p-value, and a note says why some have none.
    """
    if not result.labels:
        return None
    metric, names = result.metrics[0], result.explanations
    found = [of_maps(of_label, metric) for of_label in result.labels]
    places = iter(decimals_together([e.interval for column in found for e in column]))
    rows = []
    for column in found:
        shown = {
            e.explanation: format_value(e.interval, decimals=next(places))
            + ("" if (p_value := _adjusted(result, e)) is None else f" ({format_p(p_value)})")
            for e in column
        }
        rows.append([shown.get(name, MISSING) for name in names])
    labels, maps = [one.label for one in result.labels], [label_of_map(name) for name in names]
    counts = [str(one.n_sources) for one in result.labels]
    coarse = any(e.test and _adjusted(result, e) is None for column in found for e in column)
    given = {
        "title": say("labels.short", metric=METRICS[metric].label, model=result.model_name),
        "note": say("labels.short.coarse") if coarse else "",
    }
    if len(maps) > MOST_COLUMNS:
        columns = zip(labels, counts, rows, strict=True)
        cells = {label: [n, *row] for label, n, row in columns}
        return text_table({"map": [say("labels.sources"), *maps]}, cells, **given)
    by_map = dict(zip(maps, map(list, zip(*rows, strict=True)), strict=True))
    return text_table({"marks": labels}, {"sources": counts, **by_map}, **given)


def labels_latex_table(
    result: AgreementResult, metric: str | None = None, *, digits: int | None = None
) -> Table | None:
    """A row for every label and map, for papers; None for fewer than two labels."""
    if not result.labels:
        return None
    metric = result.metrics[0] if metric is None else metric
    rows = [(of_label, e) for of_label in result.labels for e in of_maps(of_label, metric)]
    intervals = [e.interval for _, e in rows]
    values = interval_column(
        f"{METRICS[metric].label}{weighted_heading(intervals)}", intervals, digits=digits
    )
    every = [of_label.all_marks[e.explanation, metric].value for of_label, e in rows]
    return Table(
        columns=(
            text_column("Marks", [of_label.label for of_label, _ in rows]),
            text_column("Map", [label_of_map(e.explanation) for _, e in rows]),
            values,
            number_column(
                "Null mean", [e.test.mean if e.test else None for _, e in rows], values.decimals
            ),
            p_value_column("p", [e.test.p_value if e.test else None for _, e in rows]),
            p_value_column("p adjusted", [e.p_adjusted for _, e in rows]),
            number_column("All marks", every, values.decimals),
            *sources_columns(intervals),
        ),
        rules=tuple(i for i in range(1, len(rows)) if rows[i][0] is not rows[i - 1][0]),
    )


def labels_words(result: AgreementResult) -> str:
    """What the table of labels holds, and for which labels sources are too few; empty without one."""
    if not result.labels:
        return ""
    metric = result.metrics[0]
    estimates = [e for of_label in result.labels for e in of_label.estimates if e.metric == metric]
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
        if not _tests(one, metric):
            reasons = [e.not_tested for e in of_maps(one, metric)]
            reason = reasons[0] if reasons else say("page.labels.none")
            untested.setdefault(reason, []).append(one.label)
    for reason, names in untested.items():
        words += say("page.labels.untested", labels=listed(names), reason=reason)
    coarse = [
        one.label
        for one in result.labels
        if (found := _tests(one, metric)) and max(min(found), _finest(result)) > SIGNIFICANCE_LEVEL
    ]
    if coarse:
        adjusted = say("page.labels.coarse.adjusted") if n_family > 1 else ""
        words += say("page.labels.coarse", labels=listed(coarse), n=len(coarse), adjusted=adjusted)
    return words


def _tests(of_label: LabelAgreement, metric: str) -> list[float]:
    """The smallest attainable p-values of the tests of maps."""
    return [e.test.smallest_p for e in of_maps(of_label, metric) if e.test]
