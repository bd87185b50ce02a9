"""Whether a map agrees with marks beyond lying on emission: the rule, and what is said of it.

Marks lie on emission, and so does a map that knows where emission is and nothing else. Three things are needed to say
"beyond emission" of a map that agrees: the intervals of its differences from emission at every resolution lie above 0, on
the whole field; the same on each source's own emission; and the permutation across sources within emission has an
adjusted p-value of 0.05 or below and is not miscalibrated for these data.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.agreement.comparison.null_tests import N_PERMUTATION_PAIRINGS
from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.report.findings import (
    MISCALIBRATED,
    Order,
    compared_with,
    deciding_baseline,
    emission_names,
    speaks_for_agreement,
)
from attnxai.report.sentences.say import say
from attnxai.report.wording import in_sentence, strata_words
from attnxai.statistics.formats import (
    decimals_together,
    format_number,
    format_p,
    format_share,
    p_equals,
)
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult


class Missing(enum.StrEnum):
    """What is missing for a map to be said to agree beyond emission."""

    FIELD = "field"
    OWN = "own"
    TEST = "test"
    LEVEL = "level"


def own_estimate(result: AgreementResult, estimate: Estimate) -> Estimate | None:
    """The same map, metric, group and class on each source's own emission; None where that was not computed."""
    within = result.within_emission
    if within is None or estimate.group not in within.groups:
        return None
    try:
        return within.estimate(
            estimate.explanation,
            estimate.metric,
            group=estimate.group,
            class_name=estimate.class_name,
        )
    except KeyError:  # no source of the class has enough emission
        return None


def missing_beyond_emission(result: AgreementResult, estimate: Estimate) -> list[Missing] | None:
    """What is missing, empty where a map agrees beyond emission; None where that was not computed."""
    within, own = result.within_emission, own_estimate(result, estimate)
    if within is None or own is None:
        return None
    found = []
    names = emission_names(result)
    if names and compared_with(estimate, names) is not Order.BETTER:
        found.append(Missing.FIELD)
    names = emission_names(within)
    if names and compared_with(own, names) is not Order.BETTER:
        found.append(Missing.OWN)
    test, p_value = own.test, own.p_adjusted
    if (
        test is None
        or p_value is None
        or p_value > SIGNIFICANCE_LEVEL
        or not speaks_for_agreement(test)
    ):
        found.append(Missing.TEST)
    elif (own.within_rejections_pairing_broken or 0.0) >= MISCALIBRATED:
        found.append(Missing.LEVEL)
    return found


def is_beyond_emission(result: AgreementResult, estimate: Estimate) -> bool:
    """Whether a map, if it agrees, is said to agree beyond emission."""
    return missing_beyond_emission(result, estimate) == []


def not_better_than_emission(result: AgreementResult, estimates: Sequence[Estimate]) -> bool:
    """Whether no map of some agrees better than emission, although emission does not agree better than all."""
    names = emission_names(result)
    orders = {compared_with(estimate, names) for estimate in estimates if names}
    return Order.OPEN in orders and Order.BETTER not in orders


def emission_answer(result: AgreementResult, estimate: Estimate) -> str:
    """The answer on one map, with the numbers that decide and the level of the test; empty where there is none."""
    within, own = result.within_emission, own_estimate(result, estimate)
    missing = missing_beyond_emission(result, estimate)
    if within is None or own is None or missing is None:
        return ""
    reasons = listed([say(f"emission.missing.{reason}") for reason in missing])
    text = say("emission.not_shown", reasons=reasons) if missing else say("emission.shown")
    text += say(
        "emission.own", n=own.interval, metric=METRICS[own.metric].label, value=own.interval
    )
    names = emission_names(within)
    if names:
        baseline = deciding_baseline(own, names)
        difference = own.differences[baseline]
        text += say("emission.difference", baseline=baseline, difference=difference)
    test = own.test
    if test is None:
        return text + say("emission.no_test", reason=own.not_tested)
    adjusted = own.p_adjusted if own.n_family > 1 else None
    (decimals,) = decimals_together([own.interval])
    text += say(
        "emission.test",
        observed=format_number(test.observed, decimals),
        permuted=format_number(test.mean, decimals),
        p=test.p_value,
        adjusted=say("own.adjusted", p=format_p(adjusted), n=own.n_family) if adjusted else "",
        sources=_permuted_sources(within, own),
    )
    rate = own.within_rejections_pairing_broken
    if rate is None:
        return text + say("emission.level.unknown")
    return text + say("emission.level", share=rate, n=N_PERMUTATION_PAIRINGS)


def emission_introduction(result: AgreementResult) -> str:
    """What stands before the table on each source's own emission: pixels, null and level."""
    within = result.within_emission
    if within is None:
        return ""
    metric = within.metrics[0]
    maps = [within.estimate(name, metric) for name in within.explanations]
    rates = [e.within_rejections_pairing_broken for e in maps]
    known = [rate for rate in rates if rate is not None]
    label = in_sentence(METRICS[metric].label)
    tests = [
        f"{name} {p_equals(test.p_value)}"
        for name in emission_names(within)
        if (test := within.estimate(name, metric).test) is not None
    ]
    return say(
        "page.within",
        n=len(within.sources),
        n_all=len(result.sources),
        sources=_permuted_sources(within, maps[0]),
        level=say(
            "page.within.level",
            metric=label,
            shares=" to ".join(
                dict.fromkeys(format_share(end) for end in (min(known), max(known)))
            ),
            n=N_PERMUTATION_PAIRINGS,
        )
        if known
        else say("emission.level.unknown"),
        baselines=say("page.within.baselines", tests=listed(tests)) if tests else "",
    )


def _permuted_sources(within: AgreementResult, own: Estimate) -> str:
    if own.within_strata is None:
        return say("own.sources.any")
    return say("own.sources.strata", strata=strata_words(within.settings["strata"]))
