"""One question after the other, each with the number that answers it.

The questions are kept apart because their numbers differ: whether a map looks where people look at all, in
this source rather than in any, beyond what its class shares, beyond brightness, and how near it comes to
people. A question is asked only where there is a number for it, or a reason why there is none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.multiplicity import Correction
from attnxai.agreement.nulls import NULLS, Alternative
from attnxai.alignment.pairs import CENTRE_BIAS
from attnxai.data.wording import counted
from attnxai.report.findings import (
    MISCALIBRATED,
    Order,
    Side,
    best_of,
    brightness_names,
    classes_of,
    compared_with,
    side_of_chance,
    smallest_adjusted,
    speaks_for_agreement,
)
from attnxai.report.wording import listed, strata_words
from attnxai.statistics.formats import (
    format_number,
    format_p,
    format_share,
    format_value,
    p_equals,
    with_interval,
)
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate, FurtherTest
    from attnxai.agreement.nulls import NullTest
    from attnxai.agreement.results import AgreementResult
    from attnxai.statistics.interval import Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question and its answer, in words and numbers."""

    question: str
    answer: str


def answers_of(result: AgreementResult, estimate: Estimate) -> tuple[Answer, ...]:
    """Everything that is said about one map.

    Parameters
    ----------
    result : AgreementResult
        The results.
    estimate : Estimate
        The map's estimate for the first metric, over the sources that conclusions rest on.

    Returns
    -------
    tuple of Answer
    """
    return tuple(_answers(result, estimate))


def _answers(result: AgreementResult, estimate: Estimate) -> Iterator[Answer]:
    yield Answer(
        question="Does it look where people mark at all?", answer=_at_all(result, estimate)
    )
    shares = strata_words(result.settings["strata"])
    test = estimate.test
    if test is None:
        yield Answer(
            question="In this source?", answer=f"Not tested, because {estimate.not_tested}."
        )
    elif estimate.within_strata is None:
        yield Answer(
            question="In this source, rather than in any?",
            answer=_primary(estimate, test, "between sources"),
        )
    else:
        if estimate.pooled is not None:
            yield Answer(
                question="In this source, rather than in any?", answer=_pooled(estimate, shares)
            )
        yield Answer(
            question=f"In this source, beyond what sources of its {shares} share?",
            answer=_primary(estimate, test, f"between sources of the same {shares}"),
        )
    yield Answer(
        question="Better than brightness, or than the centre?",
        answer=_against_baselines(estimate, result),
    )
    given = _partial_correlation(result, estimate)
    if given:
        yield Answer(question="Anything beyond brightness?", answer=given)
    people = _against_noise_ceiling(result, estimate)
    if people:
        yield Answer(question="How near to how people agree with each other?", answer=people)
    for further in estimate.further:
        yield _against_null(further, result)


def _at_all(result: AgreementResult, estimate: Estimate) -> str:
    label = METRICS[estimate.metric].label
    chance = METRICS[estimate.metric].chance
    value = f"{label} {with_interval(estimate.interval)}"
    above = estimate.above_chance
    side = side_of_chance(estimate)
    if not np.isfinite(estimate.interval.value):
        return f"{label} has no value for this map."
    by = f" (by {with_interval(above)})" if chance != 0.0 else ", which is 0"
    words = {
        Side.ABOVE: f"over all sources above chance{by}",
        Side.BELOW: f"over all sources below chance{by}",
        Side.OPEN: f"over all sources not shown to differ from chance{by}",
        Side.UNKNOWN: estimate.above_chance.note.removeprefix("no interval: ")
        or "without an interval",
    }[side]
    return f"{value}; {words}.{_by_class(result, estimate, label)}"


def _by_class(result: AgreementResult, estimate: Estimate, label: str) -> str:
    parts = [
        f"{e.class_name} {with_interval(e.interval)}"
        + (
            ""
            if e.interval.known
            else f" ({counted(e.interval.n_units, 'source')}, too few for an interval)"
        )
        for e in classes_of(result, estimate)
    ]
    return f" By class: {label} {', '.join(parts)}." if len(parts) > 1 else ""


def _pooled(estimate: Estimate, shares: str) -> str:
    pooled = estimate.pooled
    if pooled is None:
        return ""
    text = (
        f"{format_number(pooled.observed, 2)} against {format_number(pooled.mean, 2)} when annotations are "
        f"exchanged between any sources ({_p(pooled)}, not adjusted)."
    )
    share = estimate.pooled_rejections_pairing_broken
    if pooled.p_value <= SIGNIFICANCE_LEVEL and share is not None and share >= MISCALIBRATED:
        text += (
            f" Not to be relied on: of maps paired with annotations of other sources of their {shares}, "
            f"{format_share(share)} would pass this test, where 5 % should; sources of a {shares} share "
            "something."
        )
    return text


def _primary(estimate: Estimate, test: NullTest, exchanged: str) -> str:
    text = (
        f"{format_number(test.observed, 2)} against {format_number(test.mean, 2)} when annotations are "
        f"exchanged {exchanged} ({_p(test)}{_adjusted(estimate)}, "
        f"{counted(test.n_sources, 'source')}){_direction(test)}."
    )
    smallest = smallest_adjusted(estimate)
    if smallest > SIGNIFICANCE_LEVEL:
        for_all = (
            f", or {format_p(smallest)} for {estimate.n_family} maps"
            if smallest > test.smallest_p
            else ""
        )
        text += (
            f" The smallest p-value that could come out is {format_p(test.smallest_p)}{for_all}, so this test cannot "
            f"find {_SOUGHT[test.alternative]}, however large: {_why_coarse(test)}."
        )
    elif (estimate.p_adjusted or 0.0) <= SIGNIFICANCE_LEVEL and speaks_for_agreement(test):
        yet = {
            Side.OPEN: "over all sources it is not shown to be above chance",
            Side.BELOW: "over all sources it is below chance",
            Side.UNKNOWN: "there are too few sources to show that it is above chance",
        }.get(side_of_chance(estimate))
        if yet:
            text += f" Agreement with its own source is larger than with others, yet {yet}."
    if test.alternative is Alternative.GREATER and test.p_value > 1 - SIGNIFICANCE_LEVEL:
        text += (
            " It lies lower than nearly all exchanges do; --alternative two-sided asks whether that is more than "
            "chance."
        )
    share = estimate.within_rejections_pairing_broken
    if test.p_value <= SIGNIFICANCE_LEVEL and share is not None and share >= MISCALIBRATED:
        text += (
            f" To be taken with care: of maps paired with annotations of other such sources of like angular "
            f"size, {format_share(share)} would pass this test, where 5 % should; --strata size asks for "
            "agreement beyond that."
        )
    if estimate.left_test:
        text += (
            f" {counted(len(estimate.left_test), 'source', 'sources')} without a value for some partner "
            f"{'is' if len(estimate.left_test) == 1 else 'are'} not exchanged."
        )
    return text


def _why_coarse(test: NullTest) -> str:
    """What keeps p-values from becoming small: the number of draws, what may be exchanged, or the sources."""
    if not test.exhaustive:
        return f"{test.n_draws:,} draws are too few; ask for more permutations"
    if test.n_draws == 1:
        return "within these strata no source has another to be exchanged with"
    return (
        f"{counted(test.n_sources, 'source')} can be exchanged in {test.n_draws:,} "
        f"{'way' if test.n_draws == 1 else 'ways'} only"
    )


def why_too_coarse(result: AgreementResult, estimate: Estimate) -> str:
    """Why no test could have found anything, where that is not the number of sources; else empty."""
    test = estimate.test
    if test is None or smallest_adjusted(estimate) <= SIGNIFICANCE_LEVEL:
        return ""
    if not test.exhaustive:
        return f"{test.n_draws:,} permutations are too few"
    n = sum(group == result.verdict_group for group in result.splits)
    if test.null != "pooled" and n >= 2 * MIN_UNITS:
        return f"sources of the same {strata_words(result.settings['strata'])} are too few"
    return ""


_SOUGHT = {
    Alternative.GREATER: "agreement",
    Alternative.LESS: "a lack of agreement",
    Alternative.TWO_SIDED: "a difference",
}


def _direction(test: NullTest) -> str:
    return {
        Alternative.GREATER: "",
        Alternative.LESS: ": a test of less agreement",
        Alternative.TWO_SIDED: ", two-sided",
    }[test.alternative]


def _p(test: NullTest) -> str:
    return p_equals(test.p_value)


def _adjusted(estimate: Estimate) -> str:
    if estimate.correction is Correction.NONE:
        return ", not adjusted"
    if estimate.n_family < 2 or estimate.p_adjusted is None:
        return ""
    return f", {format_p(estimate.p_adjusted)} adjusted for {estimate.n_family} maps"


def _against_baselines(estimate: Estimate, result: AgreementResult) -> str:
    label = METRICS[estimate.metric].label
    sentences = []
    for names in (brightness_names(result), [CENTRE_BIAS]):
        order = compared_with(estimate, names)
        shown = _shown_baseline(estimate, result, names, order)
        difference = estimate.differences[shown]
        if not np.isfinite(difference.value):
            continue
        words = (
            "The centre bias (the mean of the other sources' marks)"
            if shown == CENTRE_BIAS
            else f"{shown[0].upper()}{shown[1:]}"
        )
        baseline = result.estimate(shown, estimate.metric).interval
        numbers = f"{label} {format_value(baseline)}"
        if order is Order.UNKNOWN:
            few = counted(difference.n_units, "source is", "sources are")
            sentences.append(
                f"{words} has {numbers}; {few} too few for an interval of the difference."
            )
            continue
        relation = {
            Order.BETTER: "agrees less",
            Order.WORSE: "agrees better",
            Order.OPEN: "cannot be told apart from it",
        }[order]
        sentences.append(
            f"{words} {relation} ({numbers}; map minus baseline {with_interval(difference)})."
        )
    return " ".join(sentences) or "There is no value to compare."


def _shown_baseline(
    estimate: Estimate, result: AgreementResult, names: Sequence[str], order: Order
) -> str:
    """The one that agrees best of the baselines that what is said holds for."""
    of_order = [name for name in names if compared_with(estimate, [name]) is order] or names
    return best_of(result, estimate.metric, of_order)


def _partial_correlation(result: AgreementResult, estimate: Estimate) -> str:
    given = result.partial_correlation(estimate.explanation, group=estimate.group)
    interval = given.interval
    if not np.isfinite(interval.value):
        return ""
    fixed = listed(list(given.controlling_for))
    value = f"partial Spearman ρ {with_interval(interval)}"
    start = f"Rank correlation with the marks, {fixed} held fixed: {value}"
    if not interval.known:
        return f"{start}; {counted(interval.n_units, 'source is', 'sources are')} too few for an interval."
    if interval.low > 0:
        said = (
            "above 0: something remains that brightness, at these resolutions and linearly in ranks, does not "
            "account for; brightness at another scale, or the centre, can do that too"
        )
    elif interval.high < 0:
        said = "below 0: what brightness leaves open, it orders against the marks"
    else:
        said = "not shown to differ from 0: nothing beyond brightness is shown"
    return f"{start}, {said}. An estimate over all sources, not a test in this source."


def _against_noise_ceiling(result: AgreementResult, estimate: Estimate) -> str:
    people = result.noise_ceiling(estimate.metric, group=estimate.group)
    if people is None:
        return ""
    label = METRICS[estimate.metric].label
    upper = "no map can have more" if people.upper_is_bound else "a reference, no bound"
    text = (
        f"Each annotator reaches {label} {with_interval(people.lower)} against the others; the consensus of "
        f"all {people.n_annotators} reaches {with_interval(people.upper)} ({upper})."
    )
    share = estimate.share_of_noise_ceiling
    if share is None:
        return text
    n_shared = share.raw.n_units
    over = (
        f" over the {n_shared} sources that two or more marked"
        if n_shared < estimate.interval.n_units
        else ""
    )
    if not np.isfinite(share.of_lower.value) or not share.of_lower.known:
        note = share.of_lower.note.replace("no interval", "no share")
        return f"{text} {_sentence(note)}".rstrip()
    shares = " and ".join(
        f"{_share_with_interval(interval)} of the {name}"
        for name, interval in (("former", share.of_lower), ("latter", share.of_upper))
        if np.isfinite(interval.value)
    )
    where = f" ({label} {with_interval(share.raw)}{over})" if over else ""
    return f"{text} Above chance, wherever that comes from, this map{where} reaches {shares}."


def _share_with_interval(interval: Interval) -> str:
    value = format_share(interval.value)
    if not interval.known:
        return value
    ends = f"{format_number(100 * interval.low, 0)}, {format_number(100 * interval.high, 0)}"
    return f"{value} [{ends}]"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _against_null(further: FurtherTest, result: AgreementResult) -> Answer:
    model = NULLS[further.null].model
    if further.test is None:
        return Answer(question=model.question, answer=f"Not tested, because {further.reason}.")
    test = further.test
    text = (
        f"{format_number(test.observed, 2)} against {format_number(test.mean, 2)} under the null "
        f"“{further.label}” (--null {further.null}; {_p(test)}, not adjusted, {counted(test.n_sources, 'source')})"
        f"{_direction(test)}."
    )
    share = further.rejections_pairing_broken
    if share is None:
        return Answer(question=model.question, answer=f"{text} {model.assumes}")
    others = "other sources"
    if further.within_strata:
        others += f" of their {strata_words(result.settings['strata'])}"
    passed = f"of maps paired with annotations of {others}, {format_share(share)} pass this test; 5 % should"
    if share >= MISCALIBRATED:
        text += f" Not to be relied on here: {passed}. {model.assumes}"
    else:
        text += f" {_sentence(passed)}"
    return Answer(question=model.question, answer=text)
