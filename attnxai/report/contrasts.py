"""Differences between models as a table, on one axes, and in sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.multiplicity import Correction, correction_without_draws
from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.report.findings import smallest_words
from attnxai.report.headline import MOST_NAMED, few_maps
from attnxai.report.sentences.say import say
from attnxai.report.style import CHANCE_COLOUR, MODEL_COLOUR, draw_mean, new_axes
from attnxai.report.tables.table import (
    Column,
    Table,
    interval_column,
    p_value_column,
    sources_columns,
    text_column,
    weighted_heading,
)
from attnxai.report.wording import (
    capitalised,
    group_phrase,
    label_of_map,
    map_in_sentence,
    n_words,
    weighted_label,
)
from attnxai.statistics.formats import format_p
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.contrast import Contrast, ModelContrasts
    from attnxai.agreement.model_comparison.of_results import ResultContrasts
    from attnxai.statistics.interval import Interval

MOST_SENTENCES = 8
"""Differences with a sentence of their own; of more only the largest have one."""

MOST_BREVITY = 4
"""The shortest form of the summary for the headline."""

CORRECTION_WORDS = {
    Correction.HOLM: "Holm",
    Correction.BH: "Benjamini–Hochberg",
    Correction.MAX_T: "max-T",
}


def model_contrasts_table(result: ModelContrasts, *, digits: int | None = None) -> Table:
    """A row for every contrast."""
    names = [(contrast.first, contrast.second) for contrast in result.contrasts]
    columns = _columns(result.contrasts, names, result.correction, digits)
    return Table(columns=tuple(columns))


def result_contrasts_table(result: ResultContrasts, *, digits: int | None = None) -> Table:
    """A row for every contrast and a rule between maps."""
    names = [(first, second) for _, first, second in result.keys]
    columns = _columns(result.contrasts.contrasts, names, result.contrasts.correction, digits)
    if len(result.maps) > 1:
        columns.insert(0, text_column("Map", [label_of_map(name) for name, _, _ in result.keys]))
    n_pairs = len(result.keys) // len(result.maps)
    rules = range(n_pairs, len(result.keys), n_pairs) if n_pairs > 1 else ()
    return Table(columns=tuple(columns), rules=tuple(rules))


def _columns(
    contrasts: Sequence[Contrast],
    names: Sequence[tuple[str, str]],
    correction: Correction,
    digits: int | None,
) -> list[Column]:
    """With several annotators, a column holds the adjusted p-values about other annotators too."""
    intervals = [contrast.interval for contrast in contrasts]
    columns = [
        text_column("First", [first for first, _ in names]),
        text_column("Second", [second for _, second in names]),
        interval_column(f"Difference{weighted_heading(intervals)}", intervals, digits=digits),
        p_value_column("p", [contrast.p_value for contrast in contrasts]),
    ]
    if correction is not Correction.NONE:
        adjusted = [contrast.p_adjusted for contrast in contrasts]
        columns.append(p_value_column(f"p ({CORRECTION_WORDS[correction]})", adjusted))
    if any(contrast.difference_others is not None for contrast in contrasts):
        about_others = [contrast.p_others_adjusted for contrast in contrasts]
        by = correction_without_draws(correction)
        words = "others" if by is Correction.NONE else f"others, {CORRECTION_WORDS[by]}"
        columns.append(p_value_column(f"p ({words})", about_others))
    return [*columns, *sources_columns(intervals)]


def plot_model_contrasts(result: ModelContrasts, *, ax: Any = None) -> Any:
    """Draw the differences of a family; see :func:`plot_contrasts`."""
    names = [f"{contrast.first} − {contrast.second}" for contrast in result.contrasts]
    return plot_contrasts(result.contrasts, names, ax=ax)


def plot_result_contrasts(result: ResultContrasts, *, ax: Any = None) -> Any:
    """Draw the differences of results, map by map; see :func:`plot_contrasts`."""
    several = len(result.maps) > 1
    names = [
        f"{f'{label_of_map(name)}: ' if several else ''}{first} − {second}"
        for name, first, second in result.keys
    ]
    ax = plot_contrasts(result.contrasts.contrasts, names, ax=ax)
    label = METRICS[result.metric].label if result.metric in METRICS else result.metric
    ax.set_xlabel(f"difference in {label}")
    return ax


def plot_contrasts(contrasts: Sequence[Contrast], names: Sequence[str], *, ax: Any = None) -> Any:
    """Draw differences with their intervals, a row a contrast, and a line at zero.

    Points are filled where a difference counts as found.
    """
    ax = new_axes(ax)
    ax.axvline(0.0, color=CHANCE_COLOUR, lw=0.6, zorder=0)
    for row, contrast in enumerate(contrasts):
        draw_mean(ax, contrast.interval, row, colour=MODEL_COLOUR, filled=contrast.found)
    ax.set_ylim(len(contrasts) - 0.4, -0.6)
    ax.set_yticks(range(len(contrasts)), list(names))
    ax.set_xlabel("difference")
    return ax


def difference_summary(contrasts: ResultContrasts, *, brevity: int = 0) -> str:
    """How many differences are shown, with the largest of them, for the headline: a clause without a full stop.

    Of two models, it names the maps for which each is higher. ``brevity`` shortens it: from 1 on it does not say where
    the p-value is the smallest attainable one; of two models, from 2 on it does not say again that these are compared, and
    from 3 on it gives numbers of maps for names; by 4 the largest difference stands alone, as it does of more models.
    """
    everything = contrasts.contrasts.contrasts
    found = [pair for pair in zip(contrasts.keys, everything, strict=True) if pair[1].found]
    n = n_words(contrast.interval for contrast in everything)
    between = "two" if len(contrasts.models) == 2 else "several"
    group = group_phrase(contrasts.group, 1 if n == "1" else 2)
    words: dict[str, Any] = {
        "between": say(f"models.between.{between}"),
        "over": say("models.shared", n=n, group=group, who=say(f"models.shared.{between}")),
    }
    if all(
        c.smallest_p > SIGNIFICANCE_LEVEL or c.difference.n_counted < MIN_UNITS for c in everything
    ):
        return say("models.differences.too_few", **words)
    if not found:
        p_values = [p for c in everything if np.isfinite(p := _decisive_p(c))]
        least = say("models.differences.least", p=min(p_values)) if p_values else ""
        return say("models.differences.none", least=least, **words)
    (name, first, second), largest = max(found, key=lambda pair: abs(pair[1].interval.value))
    higher, lower = (first, second) if largest.interval.value > 0 else (second, first)
    words |= {
        "n_found": len(found),
        "n": len(everything),
        "higher": higher,
        "difference": _upwards(largest.interval),
        "p": _decisive_p(largest),
        "smallest": "" if brevity else _smallest_decisive(largest, contrasts),
    }
    if between == "several" or brevity == MOST_BREVITY:
        return say("models.differences.some", map=map_in_sentence(name), lower=lower, **words)
    words["between"] = "" if brevity > 1 else say("models.differences.two.between", **words)
    most_named = 1 if brevity > 2 else MOST_NAMED
    maps: dict[str, list[str]] = {higher: [], lower: []}
    for (of_map, one, other), contrast in found:
        maps[one if contrast.interval.value > 0 else other].append(of_map)
    return say(
        "models.differences.two",
        maps=say(f"baselines.maps.all.{'two' if len(found) == 2 else 'many'}", n=len(found))
        if len(maps[higher]) == len(everything) > 1
        else few_maps(maps[higher], most_named),
        most=say("models.differences.two.most", map=map_in_sentence(name))
        if len(maps[higher]) > 1
        else "",
        other=say(
            "models.differences.two.other",
            lower=lower,
            maps=few_maps(maps[lower], most_named),
        )
        if maps[lower]
        else "",
        **words,
    )


def _decisive_p(contrast: Contrast) -> float:
    """The adjusted p-value about those whom the interval is about."""
    others = contrast.p_others_adjusted
    return contrast.p_adjusted if others is None else others


def _smallest_decisive(contrast: Contrast, contrasts: ResultContrasts) -> str:
    """That the decisive p-value is the smallest attainable one; none is of those about other annotators too."""
    if contrast.p_others_adjusted is not None:
        return ""
    family = contrasts.contrasts
    factor = len(family.contrasts) if family.correction is Correction.HOLM else 1
    return smallest_words(contrast.p_adjusted, min(contrast.smallest_p * factor, 1.0))


def difference_sentences(contrasts: ResultContrasts) -> list[str]:
    """What is shown first, a sentence each of the largest differences; one more for all that is not."""
    everything = contrasts.contrasts.contrasts
    found = [contrast for contrast in everything if contrast.found]
    said = sorted(found, key=lambda contrast: -abs(contrast.interval.value))[:MOST_SENTENCES]
    label = METRICS[contrasts.metric].label
    metric = capitalised(weighted_label(label, (c.interval for c in everything)))
    n = len(contrasts.keys)
    sentences = []
    for (name, first, second), contrast in zip(
        contrasts.keys, contrasts.contrasts.contrasts, strict=True
    ):
        if contrast not in said:
            continue
        higher, lower = (first, second) if contrast.interval.value > 0 else (second, first)
        sentences.append(
            say(
                "models.difference",
                metric=metric,
                map=map_in_sentence(name),
                higher=higher,
                lower=lower,
                difference=_upwards(contrast.interval),
                p=_difference_p(contrast),
                n=n,
            )
        )
    if len(found) > len(said):
        sentences.append(say("models.difference.more", n=len(found) - len(said)))
    n_open = n - len(found)
    if n_open:
        sentences.append(say("models.difference.open", n_open=n_open, n=n, metric=label))
    if n > 1 and n_open < n:
        others = any(contrast.p_others_adjusted is not None for contrast in everything)
        sentences.append(
            say(
                "models.difference.over",
                n=n,
                others=say("models.difference.over.others") if others else "",
            )
        )
    sentences += _that_hang_on_the_flips(contrasts)
    compared = n_words(contrast.interval for contrast in contrasts.contrasts.contrasts)
    group = group_phrase(contrasts.group, 1 if compared == "1" else 2)
    return [*sentences, say("models.difference.unit", n=compared, group=group), *contrasts.notes]


def _that_hang_on_the_flips(contrasts: ResultContrasts) -> list[str]:
    """Differences that other random flips could turn, in one sentence."""
    found = []
    for (name, first, second), contrast in zip(
        contrasts.keys, contrasts.contrasts.contrasts, strict=True
    ):
        ends = contrast.p_adjusted_monte_carlo
        if ends is None or not contrast.n_sources:
            continue
        low, high = (dataclasses.replace(contrast, p_adjusted=end).found for end in ends)
        if low != high:
            found.append(
                say(
                    "models.difference.monte_carlo.one",
                    map=map_in_sentence(name),
                    first=first,
                    second=second,
                    p=contrast.p_adjusted,
                    low=format_p(ends[0]),
                    high=format_p(ends[1]),
                )
            )
    if not found:
        return []
    n_draws = contrasts.contrasts.n_draws
    return [
        say(
            "models.difference.monte_carlo",
            n=len(found),
            differences=listed(found),
            n_draws=n_draws,
        )
    ]


def _upwards(interval: Interval) -> Interval:
    """A difference as that of the higher minus the lower."""
    if interval.value >= 0:
        return interval
    return dataclasses.replace(
        interval, value=-interval.value, low=-interval.high, high=-interval.low
    )


def _difference_p(contrast: Contrast) -> str:
    several = contrast.p_others_adjusted is not None
    p_value = contrast.p_adjusted if several else contrast.p_value
    smallest = smallest_words(p_value, contrast.smallest_p)
    if contrast.p_others_adjusted is None:
        return say(
            "models.difference.p",
            p=p_value,
            smallest=smallest,
            p_adjusted=format_p(contrast.p_adjusted),
        )
    return say(
        "models.difference.p_others",
        p=p_value,
        smallest=smallest and f"{smallest},",
        p_others=format_p(contrast.p_others_adjusted),
    )
