"""Words that belong to a figure, and the phrases that several captions share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.nulls import Alternative
from attnxai.agreement.results import ALL
from attnxai.data.wording import counted
from attnxai.report.plots.agreement_rows import agreement_rows, noise_ceiling_range
from attnxai.report.wording import group_phrase, listed, strata_words
from attnxai.statistics.formats import format_number, format_share, with_interval

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult
    from attnxai.statistics.interval import Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FigureText:
    """Name of a figure's files, its title, caption and alternative text."""

    name: str
    title: str
    caption: str
    alternative: str


def shown_estimates(
    results: Sequence[AgreementResult], metric: str, *, class_name: str = ALL
) -> list[Estimate]:
    """Estimates of the maps over the sources that conclusions rest on."""
    return [
        result.estimate(name, metric, class_name=class_name)
        for result in results
        for name in result.explanations
    ]


def sources_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """How many sources of which group, model by model where these differ."""
    phrases = {}
    for result in results:
        n = result.estimate(result.explanations[0], metric).interval.n_units
        phrases[result.model_name] = f"n = {n} {group_phrase(result.verdict_group, n)}"
    if len(set(phrases.values())) == 1:
        return next(iter(phrases.values()))
    return "; ".join(f"{name}: {phrase}" for name, phrase in phrases.items())


def interval_phrase(intervals: Iterable[Interval]) -> str:
    """What lines are, or why there are none; follows a number of sources."""
    every = list(intervals)
    known = [interval for interval in every if interval.known]
    if not known:
        n = max(interval.n_units for interval in every)
        return f"which {'is' if n == 1 else 'are'} too few for intervals"
    missing = len(every) - len(known)
    without = f"; {counted(missing, 'mean')} without a line had too few" if missing else ""
    return (
        f"lines their {format_share(known[0].level)} intervals by {method_phrase(known)}{without}"
    )


def method_phrase(intervals: Iterable[Interval]) -> str:
    """How intervals were made, and over how many of what."""
    methods = dict.fromkeys(interval.method for interval in intervals if interval.known)
    return " or ".join(method.replace(" x ", " × ") for method in methods)


def permutation_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """Between what annotations are exchanged in the primary test.

    ``sources of one class and size``, or ``sources`` where no strata are known; empty where there is no test.
    """
    found: dict[str, None] = {}
    for result in results:
        keys = strata_words(result.settings["strata"])
        for estimate in shown_estimates([result], metric):
            if estimate.test is not None:
                within = estimate.within_strata is not None
                found[f"sources of one {keys}" if within else "any sources"] = None
    if list(found) == ["any sources"]:
        return "sources"
    return " or, where nothing else is known, ".join(found)


def side_phrase(alternative: str) -> str:
    """What a point beside its bar means, and which side the test asks about."""
    places = {
        Alternative.GREATER: (
            "The tests ask for more agreement than that, on one side: p reaches 0.05 a little inside the "
            "right end."
        ),
        Alternative.LESS: (
            "The tests ask for less agreement than that, on one side: p reaches 0.05 a little inside the "
            "left end."
        ),
        Alternative.TWO_SIDED: "The tests ask about both sides: p is about 0.05 at either end.",
    }
    return (
        "a point inside its bar agrees no better with its own source than with others, a point left of it "
        f"less well, a point right of it better. {places[Alternative(alternative)]}"
    )


def bar_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """What grey bars are; empty where there is no test."""
    exchanged = permutation_phrase(results, metric)
    if not exchanged:
        return ""
    sides = list(dict.fromkeys(side_phrase(result.settings["alternative"]) for result in results))
    return (
        f"Grey bars: central 95 % of the means when annotations are exchanged between {exchanged}; "
        f"{' '.join(sides)}"
    )


def further_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """What the thin lines beneath the bars are; empty where there are none."""
    drawn: dict[str, None] = {}
    reasons: dict[str, None] = {}
    for estimate in shown_estimates(results, metric):
        for further in estimate.further:
            if further.test is not None:
                drawn[further.label] = None
            else:
                reasons[f"{further.label} could not be tested for some maps ({further.reason})"] = (
                    None
                )
    parts = []
    if drawn:
        one = len(drawn) == 1
        order = "" if one else ", from top to bottom"
        parts.append(
            f"Thin {'line' if one else 'lines'} beneath each bar{order}: the same under "
            f"{listed(list(drawn))}, which {'rearranges' if one else 'rearrange'} every source by itself."
        )
    if reasons:
        parts.append(f"{'; '.join(reasons)}.")
    return " ".join(parts)


def noise_ceiling_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """What the band is; empty where there is none."""
    found = [
        people
        for result in results
        if noise_ceiling_range(result, metric) is not None
        and (people := result.noise_ceiling(metric))
    ]
    if not found:
        return ""
    numbers = sorted({people.n_annotators for people in found})
    who = f"the {numbers[0]} annotators" if len(numbers) == 1 else "the annotators"
    bound = (
        "no map can have a mean right of the band"
        if all(people.upper_is_bound for people in found)
        else "a reference, which a map can exceed"
    )
    return (
        f"Band: how well {who} agree with each other, from one against the consensus of the others "
        f"(lower edge) to the consensus of all against each (upper edge; {bound})."
    )


def agreement_in_words(results: Sequence[AgreementResult], metric: str) -> str:
    """Every number of an agreement figure."""
    parts = []
    several = len(results) > 1
    for row in agreement_rows(results, metric):
        if row.estimate is None:
            continue
        interval = row.estimate.interval
        model = f"{results[row.model].model_name}, " if several and row.model is not None else ""
        parts.append(f"{model}{row.text} {with_interval(interval)}")
    parts += list(dict.fromkeys(_noise_ceiling_in_words(results, metric)))
    return f"{METRICS[metric].label}: {'; '.join(parts)}."


def _noise_ceiling_in_words(results: Sequence[AgreementResult], metric: str) -> Iterable[str]:
    for result in results:
        edges = noise_ceiling_range(result, metric)
        if edges is not None:
            low, high = (format_number(edge, 2) for edge in edges)
            yield f"people with each other {low} to {high}"
