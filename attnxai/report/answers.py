"""One question after the other, each with the number that answers it.

The questions are separate because their numbers differ: whether a map agrees with the annotations at all, with
those of its own source rather than of any, beyond what its class shares, when controlling for brightness, and how
close it comes to the noise ceiling. A question is asked only if there is a number for it, or a reason why there is
none.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.comparison.null_tests import MIN_PARTNERS, N_PERMUTATION_PAIRINGS
from attnxai.agreement.multiplicity import Correction
from attnxai.data.wording import listed
from attnxai.explanations.stack import CENTRE_BIAS
from attnxai.metrics import METRICS
from attnxai.nulls import NULLS, Alternative
from attnxai.report.beyond_emission import emission_answer
from attnxai.report.findings import (
    MISCALIBRATED,
    Order,
    Side,
    brightness_names,
    classes_of,
    compared_with,
    deciding_baseline,
    emission_names,
    is_same_for_all,
    one_sided_p,
    side_of_chance,
    smallest_adjusted,
    smallest_words,
    speaks_for_agreement,
    why_no_interval,
)
from attnxai.report.rounding import difference_decimals, value_decimals
from attnxai.report.sentences.say import say
from attnxai.report.wording import capitalised, strata_words, weighted_label
from attnxai.statistics.formats import (
    decimals_of,
    format_number,
    format_p,
    shares_with_intervals,
    with_interval,
)
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate, FurtherTest
    from attnxai.agreement.results import AgreementResult
    from attnxai.nulls import NullTest
    from attnxai.report.findings import ClassEffect
    from attnxai.statistics.interval import Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question and its answer, in words and numbers."""

    question: str
    answer: str


def answers_of(result: AgreementResult, estimate: Estimate) -> tuple[Answer, ...]:
    """Everything that is said about one map."""
    shares = strata_words(result.settings["strata"])
    test, pooled, within = estimate.test, estimate.pooled, estimate.within_strata
    # the same as in the table of verdicts
    decimals = value_decimals([result], estimate.metric)[result.model_name, estimate.explanation]
    answers = {say("question.at_all"): _at_all(result, estimate, decimals)}
    if test is None:
        answers[say("question.own")] = say("own.not_tested", reason=estimate.not_tested)
    if pooled is not None:
        answers[say("question.own_any")] = (
            _primary(estimate, pooled, say("own.sources.any"), decimals)
            if pooled is test
            else _pooled(estimate, pooled, shares, decimals)
        )
    if within is not None:
        sources = say("own.sources.strata", strata=shares)
        answers[say("question.own_within", strata=shares)] = _primary(
            estimate, within, sources, decimals
        )
    others = say("question.baselines.emission") if emission_names(result) else ""
    answers[say("question.baselines", emission=others)] = _against_baselines(estimate, result)
    answers[say("question.emission")] = emission_answer(result, estimate)
    answers[say("question.partial")] = _partial_correlation(result, estimate)
    answers[say("question.ceiling")] = _against_noise_ceiling(result, estimate)
    return (
        *(Answer(question=question, answer=text) for question, text in answers.items() if text),
        *(_against_null(estimate, further, result) for further in estimate.further),
    )


def _at_all(result: AgreementResult, estimate: Estimate, decimals: int) -> str:
    metric = METRICS[estimate.metric]
    if not np.isfinite(estimate.interval.value):
        return say("at_all.undefined", metric=metric.label)
    by = (
        say("at_all.by_zero")
        if metric.chance == 0.0
        else say("at_all.by", value=estimate.above_chance)
    )
    reason = why_no_interval(estimate.above_chance)
    side = say(f"at_all.side.{side_of_chance(estimate)}", by=by, reason=reason)
    if is_same_for_all(estimate.above_chance):
        side = say("at_all.same", side=side, reason=reason)
    return say(
        "at_all",
        metric=capitalised(weighted_label(metric.label, [estimate.interval])),
        value=with_interval(estimate.interval, decimals=decimals),
        n=estimate.interval,
        side=side,
        by_class=_by_class(result, estimate, metric.label),
    )


def _by_class(result: AgreementResult, estimate: Estimate, label: str) -> str:
    parts = [
        say("at_all.class", name=e.class_name, value=e.interval)
        if e.interval.known
        else say(
            "at_all.class.no_interval",
            name=e.class_name,
            value=e.interval,
            reason=why_no_interval(e.interval),
        )
        for e in classes_of(result, estimate)
    ]
    if len(parts) < 2:
        return ""
    return say("at_all.by_class", metric=label, classes=", ".join(parts))


def _with_decimals_of(interval: Interval, *numbers: float) -> list[str]:
    """Numbers with the decimals of an interval, or more where they would not differ otherwise."""
    known = decimals_of(interval)
    return _with_decimals(2 if known is None else known, *numbers)


def _with_decimals(decimals: int, *numbers: float) -> list[str]:
    """Numbers with some decimals, or more where they would not differ otherwise."""
    for more in range(decimals, decimals + 3):
        written = [format_number(number, more) for number in numbers]
        if len(set(written)) == len(written):
            return written
    return [format_number(number, decimals) for number in numbers]


def _sources_of(test: NullTest, estimate: Estimate) -> Interval | int:
    """How many sources a test is over: with their effective number where they are those of the estimate."""
    return estimate.interval if test.n_sources == estimate.interval.n_units else test.n_sources


def _own(estimate: Estimate, test: NullTest, sources: str, adjusted: str, decimals: int) -> str:
    observed, permuted = _with_decimals(decimals, test.observed, test.mean)
    alone = _with_decimals(decimals, test.observed_tested, test.mean_tested)
    return say(
        "own",
        observed=observed,
        permuted=permuted,
        sources=sources,
        p=test.p_value,
        smallest=smallest_words(test.p_value, test.smallest_p),
        adjusted=adjusted,
        tested=say(
            "own.tested.all" if test.n_tested == test.n_sources else "own.tested.some",
            n=_sources_of(test, estimate),
            n_tested=test.n_tested,
            observed=alone[0],
            permuted=alone[1],
        ),
        alternative=say(f"own.alternative.{test.alternative}"),
    )


def _pooled(estimate: Estimate, pooled: NullTest, shares: str, decimals: int) -> str:
    text = _own(estimate, pooled, say("own.sources.all"), say("own.not_adjusted"), decimals)
    rate = estimate.pooled_rejections_pairing_broken
    if pooled.p_value <= SIGNIFICANCE_LEVEL and rate is not None and rate >= MISCALIBRATED:
        text += say("own.pooled.miscalibrated", strata=shares, share=rate, n=N_PERMUTATION_PAIRINGS)
    if rate is None:
        text += say("own.pooled.not_measured", n=MIN_PARTNERS)
    return text


def _primary(estimate: Estimate, test: NullTest, sources: str, decimals: int) -> str:
    text = _own(estimate, test, sources, adjusted_words(estimate), decimals)
    smallest = smallest_adjusted(estimate)
    if smallest > SIGNIFICANCE_LEVEL:
        more = smallest > test.smallest_p
        text += say(
            "own.coarse",
            smallest=format_p(test.smallest_p),
            for_all=say("own.coarse.for_all", smallest=format_p(smallest), n=estimate.n_family)
            if more
            else "",
            sought=say(f"own.sought.{test.alternative}"),
            why=_why_coarse(test),
        )
    elif (estimate.p_adjusted or 0.0) <= SIGNIFICANCE_LEVEL and speaks_for_agreement(test):
        side = side_of_chance(estimate)
        if side is not Side.ABOVE:
            text += say("own.yet", yet=say(f"own.yet.{side}"))
    if test.alternative is Alternative.GREATER:
        p_lower = one_sided_p(test, Alternative.LESS)
        if p_lower <= SIGNIFICANCE_LEVEL:
            text += say("own.lower", p=p_lower)
    rate = estimate.within_rejections_pairing_broken
    if test.p_value <= SIGNIFICANCE_LEVEL and rate is not None and rate >= MISCALIBRATED:
        text += say("own.within.miscalibrated", share=rate, n=N_PERMUTATION_PAIRINGS)
    if estimate.left_test:
        text += say("own.left_out", n=len(estimate.left_test))
    return text


def _why_coarse(test: NullTest) -> str:
    """What keeps p-values from becoming small: the number of draws, the strata, or the sources."""
    if not test.exhaustive:
        return say("own.coarse.draws", n_draws=test.n_draws)
    if test.n_draws == 1:
        return say("own.coarse.alone")
    return say("own.coarse.few", n=test.n_tested, n_draws=test.n_draws)


def why_too_coarse(
    result: AgreementResult, estimate: Estimate, *, model: str, annotations: str
) -> str:
    """Why no test could have found anything, where that is not the number of sources; else empty."""
    test = estimate.test
    if test is None or smallest_adjusted(estimate) <= SIGNIFICANCE_LEVEL:
        return ""
    named = {"model": model, "annotations": annotations}
    if not test.exhaustive:
        return say("headline.coarse.draws", n_draws=test.n_draws, **named)
    if test.null != "pooled" and test.n_sources >= 2 * MIN_UNITS:
        strata = strata_words(result.settings["strata"])
        return say("headline.coarse.strata", strata=strata, **named)
    return ""


def adjusted_words(estimate: Estimate | ClassEffect) -> str:
    """How a p-value is adjusted, to follow it."""
    if estimate.correction is Correction.NONE:
        return say("own.not_adjusted")
    if estimate.n_family < 2 or estimate.p_adjusted is None:
        return ""
    return say("own.adjusted", p=format_p(estimate.p_adjusted), n=estimate.n_family)


def _against_baselines(estimate: Estimate, result: AgreementResult) -> str:
    label = METRICS[estimate.metric].label
    sentences = []
    brightness = brightness_names(result)
    decimals = value_decimals([result], estimate.metric)
    from_brightness = difference_decimals(result, estimate.metric)[estimate.explanation]
    for names in filter(None, (brightness, emission_names(result), [CENTRE_BIAS])):
        order = compared_with(estimate, names)
        shown = deciding_baseline(estimate, names)
        difference = estimate.differences[shown]
        if not np.isfinite(difference.value):
            continue
        baseline = say("baselines.centre") if shown == CENTRE_BIAS else capitalised(shown)
        own = result.estimate(shown, estimate.metric, group=estimate.group).interval
        if order is Order.UNKNOWN:
            sentences.append(
                say(
                    "baselines.unknown",
                    baseline=baseline,
                    metric=label,
                    value=_with_decimals_of(own, own.value)[0],
                    reason=why_no_interval(difference),
                )
            )
            continue
        fewer = difference.n_units < max(own.n_units, estimate.interval.n_units)
        of_map, of_baseline = result.compared_means(
            estimate.explanation, shown, estimate.metric, group=estimate.group
        )
        value, shown_of_map = _with_decimals_of(difference, of_baseline, of_map)
        numbers = say(
            "baselines.numbers.over" if fewer else "baselines.numbers",
            metric=label,
            value=value if fewer else format_number(own.value, decimals[result.model_name, shown]),
            of_map=shown_of_map,
            n=difference,
            difference=with_interval(
                difference,
                decimals=from_brightness if names is brightness else None,
            ),
        )
        sentences.append(say(f"baselines.order.{order}", baseline=baseline, numbers=numbers))
    return " ".join(sentences) or say("baselines.none")


def _partial_correlation(result: AgreementResult, estimate: Estimate) -> str:
    partial = result.partial_correlation(estimate.explanation, group=estimate.group)
    interval = partial.interval
    if not np.isfinite(interval.value):
        return ""
    named = {
        "controls": listed(list(partial.controlling_for)),
        "value": interval,
        "n": interval,
    }
    if not interval.known:
        return say("partial.no_interval", reason=why_no_interval(interval), **named)
    side = "above" if interval.low > 0 else "below" if interval.high < 0 else "open"
    return say("partial", said=say(f"partial.said.{side}"), **named)


def _against_noise_ceiling(result: AgreementResult, estimate: Estimate) -> str:
    ceiling = result.noise_ceiling(estimate.metric, group=estimate.group)
    if ceiling is None:
        return ""
    label = METRICS[estimate.metric].label
    text = say(
        "ceiling",
        metric=label,
        lower=ceiling.lower,
        of_all=say("ceiling.two")
        if ceiling.n_annotators == 2
        else say("ceiling.all", n=ceiling.n_annotators),
        upper=ceiling.upper,
        bound=say("ceiling.bound" if ceiling.upper_is_bound else "ceiling.reference"),
    )
    again = result.self_consistency(estimate.metric, group=estimate.group)
    if again is not None:
        text += say("ceiling.consistency", value=again.interval, n=again.interval.n_units)
    share = estimate.share_of_noise_ceiling
    if share is None:
        return text
    if not np.isfinite(share.of_lower.value) or not share.of_lower.known:
        note = share.of_lower.note.replace("no interval", "no share")
        return text + (say("ceiling.no_share", reason=capitalised(note)) if note else "")
    if share.of_lower.value < 0:
        return text + say("ceiling.below")
    shares = " and ".join(
        say(f"ceiling.share.of.{name}", share=shares_with_intervals([interval])[0])
        for name, interval in (("lower", share.of_lower), ("upper", share.of_upper))
        if np.isfinite(interval.value)
    )
    fewer = share.raw.n_units < estimate.interval.n_units
    where = say("ceiling.shared", metric=label, value=share.raw, n=share.raw) if fewer else ""
    return text + say("ceiling.share", where=where, shares=shares)


def _against_null(estimate: Estimate, further: FurtherTest, result: AgreementResult) -> Answer:
    model = NULLS[further.null]()
    if further.test is None:
        return Answer(question=model.question, answer=say("own.not_tested", reason=further.reason))
    test = further.test
    observed, expected = _with_decimals_of(estimate.interval, test.observed, test.mean)
    text = say(
        "further",
        observed=observed,
        expected=expected,
        label=further.label,
        name=further.null,
        p=test.p_value,
        n=_sources_of(test, estimate),
        alternative=say(f"own.alternative.{test.alternative}"),
    )
    share = further.rejections_pairing_broken
    if share is None:
        return Answer(question=model.question, answer=f"{text} {model.assumes}")
    strata = strata_words(result.settings["strata"])
    within = say("further.within", strata=strata) if further.within_strata else ""
    rate = say("further.rate", within=within, share=share, n=further.n_pairings)
    if share >= MISCALIBRATED:
        rate = say("further.miscalibrated", rate=rate, assumes=model.assumes)
    return Answer(question=model.question, answer=text + rate)
