"""Words that belong to a figure, and phrases that several captions share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.report.agreement_plot import agreement_rows, noise_ceiling_range
from attnxai.report.findings import permuted_words, why_no_interval
from attnxai.report.sentences.say import say
from attnxai.report.tables.latex import escape
from attnxai.report.tables.text import markdown_text
from attnxai.report.wording import group_phrase, n_beside, n_words, strata_words
from attnxai.statistics.formats import with_interval
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult
    from attnxai.statistics.interval import Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FigureText:
    """Name of a figure's files, its caption and alternative text."""

    name: str
    caption: str
    alternative: str


def caption_files(figures: Iterable[FigureText]) -> dict[str, str]:
    """The captions of all figures as Markdown and as LaTeX, by the names of their files."""
    every = list(figures)
    return {
        "figures/captions.md": "\n".join(
            f"## {one.name}\n\n{markdown_text(one.caption)}\n" for one in every
        ),
        "figures/captions.tex": "\n".join(
            f"% {one.name}\n\\caption{{{escape(one.caption)}}}\n" for one in every
        ),
    }


def shown_estimates(results: Sequence[AgreementResult], metric: str) -> list[Estimate]:
    """Estimates of the maps over the sources that conclusions rest on."""
    return [result.estimate(name, metric) for result in results for name in result.explanations]


def sources_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """How many sources of which group the points are over, model by model where these differ."""
    phrases = {}
    for result in results:
        names = result.explanations + result.baselines
        n = n_words(result.estimate(name, metric).interval for name in names)
        phrases[result.model_name] = say(
            "caption.sources", n=n, group=group_phrase(result.verdict_group, 1 if n == "1" else 2)
        )
    if len(set(phrases.values())) == 1:
        return next(iter(phrases.values()))
    return "; ".join(f"{name}: {phrase}" for name, phrase in phrases.items())


def interval_phrase(intervals: Iterable[Interval]) -> str:
    """What lines are, or why there are none; follows a number of sources."""
    every = list(intervals)
    known = [interval for interval in every if interval.known]
    if not known:
        reasons = dict.fromkeys(why_no_interval(interval) for interval in every)
        return say("caption.intervals.none", reason="; ".join(reasons))
    missing = len(every) - len(known)
    return say(
        "caption.intervals",
        level=known[0].level,
        methods=method_phrase(known),
        without=say("caption.intervals.without", n=missing) if missing else "",
    )


def method_phrase(intervals: Iterable[Interval]) -> str:
    """How intervals were made, and over how many of what."""
    methods = dict.fromkeys(interval.method for interval in intervals if interval.known)
    return " or ".join(method.replace(" x ", " × ") for method in methods)


def permutation_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """Across what annotations are permuted in the primary test.

    ``sources of the same class and size``, or ``sources`` where no strata are known; empty where there is no test.
    """
    found: dict[str, None] = {}
    for result in results:
        strata = strata_words(result.settings["strata"])
        for estimate in shown_estimates([result], metric):
            if estimate.test is not None:
                within = estimate.within_strata is not None
                key = "strata" if within else "mixed_any"
                found[say(f"caption.permuted.{key}", strata=strata)] = None
    if list(found) == [say("caption.permuted.mixed_any")]:
        return say("caption.permuted.any")
    return " or, where nothing else is known, ".join(found)


def bar_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """What grey bars are; empty where there is no test, or none that could be significant, which has no bar."""
    sources = permutation_phrase(results, metric)
    attainable = [e.test.smallest_p for e in shown_estimates(results, metric) if e.test is not None]
    if not sources or min(attainable, default=1.0) > SIGNIFICANCE_LEVEL:
        return ""
    sides = dict.fromkeys(say(f"caption.side.{r.settings['alternative']}") for r in results)
    permuted = permuted_words(shown_estimates(results, metric), "caption")
    return say("caption.permuted", sources=sources, permuted=permuted, side=" ".join(sides))


def further_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """What the thin lines beneath the bars are; empty where there are none."""
    drawn: dict[str, None] = {}
    reasons: dict[str, None] = {}
    for estimate in shown_estimates(results, metric):
        for further in estimate.further:
            if further.test is not None:
                drawn[further.label] = None
            else:
                text = say("caption.further.untested", null=further.label, reason=further.reason)
                reasons[text] = None
    parts = []
    if drawn:
        n = len(drawn)
        order = say("caption.further.order") if n > 1 else ""
        parts.append(say("caption.further", n=n, order=order, nulls=listed(list(drawn))))
    if reasons:
        parts.append(f"{'; '.join(reasons)}.")
    return " ".join(parts)


def noise_ceiling_phrase(results: Sequence[AgreementResult], metric: str) -> str:
    """What the band is; empty where there is none."""
    found = [
        ceiling
        for result in results
        if noise_ceiling_range(result, metric) is not None
        and (ceiling := result.noise_ceiling(metric))
    ]
    if not found:
        return ""
    numbers = sorted({ceiling.n_annotators for ceiling in found})
    who = (
        say("caption.ceiling.who", n=numbers[0])
        if len(numbers) == 1
        else say("caption.ceiling.who.any")
    )
    bounded = all(ceiling.upper_is_bound for ceiling in found)
    bound = say("caption.ceiling.bound" if bounded else "caption.ceiling.reference")
    return say("caption.ceiling", who=who, bound=bound)


def agreement_in_words(
    results: Sequence[AgreementResult], metric: str, *, every_baseline: bool = False
) -> str:
    """Every number of an agreement figure."""
    parts = []
    several = len(results) > 1
    every = agreement_rows(results, metric, every_baseline=every_baseline)
    rows = [row for row in every if row.estimate is not None]
    most = max(row.estimate.interval.n_units for row in rows)  # type: ignore[union-attr]
    for row in rows:
        interval = row.estimate.interval  # type: ignore[union-attr]
        n = n_beside(interval, most)
        model = f"{results[row.model].model_name}, " if several and row.model is not None else ""
        parts.append(f"{model}{row.text} {with_interval(interval)}{f' ({n})' if n else ''}")
    parts += list(dict.fromkeys(_noise_ceiling_in_words(results, metric)))
    return f"{METRICS[metric].label}: {'; '.join(parts)}."


def _noise_ceiling_in_words(results: Sequence[AgreementResult], metric: str) -> Iterable[str]:
    for result in results:
        edges = noise_ceiling_range(result, metric)
        if edges is not None:
            low, high = edges
            yield say("caption.ceiling.alternative", low=low, high=high)
