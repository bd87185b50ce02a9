"""The headline of one model: what is found of all its maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.nulls import Alternative
from attnxai.report.answers import why_too_coarse
from attnxai.report.beyond_emission import is_beyond_emission, not_better_than_emission
from attnxai.report.findings import (
    Finding,
    Order,
    Side,
    baselines_of_kind,
    best_of,
    better_baselines,
    brightness_names,
    classes_on,
    compared_with,
    finding_of,
    is_comparable,
    smallest_adjusted,
    smallest_words,
    why_no_interval,
)
from attnxai.report.rounding import value_decimals
from attnxai.report.sentences.say import say
from attnxai.report.shown_maps import shown_explanation
from attnxai.report.wording import (
    capitalised,
    group_phrase,
    in_sentence,
    map_in_sentence,
    n_words,
    names_of_maps,
    weighted_label,
)
from attnxai.statistics.formats import format_number, with_interval
from attnxai.statistics.interval import MIN_UNITS

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult

MOST_NAMED = 3
"""Maps that the headline names; of more it gives the number."""


def headline_of(result: AgreementResult, annotations: str) -> str:
    """What is found of the maps of one model, in two sentences at most.

    The first gives the numbers of the map that panels show, the second says which baselines agree better, and which
    maps lie on opposite sides of chance by class.
    """
    found, *clauses = _found(result, annotations)
    clauses += _opposite_classes(result)
    return f"{found} {capitalised('; '.join(clauses))}." if clauses else found


def _found(result: AgreementResult, annotations: str) -> list[str]:
    """A sentence, and the clauses that follow it."""
    estimates = estimates_of(result)
    findings = [finding_of(estimate) for estimate in estimates]
    if all(finding is Finding.INCONCLUSIVE for finding in findings):
        return [no_conclusion(result, result.model_name, annotations)]
    n = len(findings)
    named = {
        "model": result.model_name,
        "annotations": annotations,
        "evidence": evidence_words(result),
    }
    n_specific = findings.count(Finding.SOURCE_SPECIFIC)
    n_anti = findings.count(Finding.ANTI_CORRELATED)
    n_less = n_anti + findings.count(Finding.LESS)
    agreeing = [e for e, f in zip(estimates, findings, strict=True) if f is Finding.AGREES]
    if agreeing:
        n_beyond = sum(is_beyond_emission(result, estimate) for estimate in agreeing)
        sentence = say(
            "headline.agree",
            maps=_counted_maps(len(agreeing), n),
            n=len(agreeing),
            beyond=say("headline.agree.beyond", n_beyond=n_beyond, n=len(agreeing))
            if n_beyond
            else "",
            less=say("headline.agree.less", n_less=n_less) if n_less else "",
            **named,
        )
        return [sentence, *_against_baselines(result, agreeing)]
    if n_less:
        anti = say("headline.less.anti_correlated", n_anti=n_anti, annotations=annotations)
        return [
            say(
                "headline.less", n_less=n_less, n=n, anti_correlated=anti if n_anti else "", **named
            )
        ]
    if n_specific:
        return [say("headline.specific", n_specific=n_specific, n=n, **named)]
    if result.settings["alternative"] == Alternative.LESS:
        return [say("headline.none_less", **named)]
    return [say("headline.none", n=n, **named)]


def evidence_words(result: AgreementResult) -> str:
    """The numbers of the map that panels show, in brackets; empty where it was not tested."""
    estimate, decimals = _shown(result)
    name, finding = map_in_sentence(estimate.explanation), finding_of(estimate)
    alike = [finding_of(other) for other in estimates_of(result)].count(finding)
    if alike > 1 and finding not in (Finding.NOT_SHOWN, Finding.INCONCLUSIVE):
        side = "less" if finding in (Finding.LESS, Finding.ANTI_CORRELATED) else "agree"
        name = say(f"headline.evidence.most.{side}", map=name)
    return numbers_of(result, estimate, name, decimals)


def numbers_of(
    result: AgreementResult, estimate: Estimate, name: str, decimals: int, *, smallest: bool = True
) -> str:
    """The numbers of a map, in brackets after its name; empty where it was not tested.

    ``smallest``: say where the p-value is the smallest attainable one.
    """
    test, interval = estimate.test, estimate.interval
    if test is None or estimate.p_adjusted is None:
        return ""
    return say(
        "headline.evidence",
        metric=_metric_words(result),
        map=name,
        value=with_interval(interval, decimals=decimals),
        permuted=format_number(test.mean, decimals),
        p=estimate.p_adjusted,
        smallest=smallest_words(estimate.p_adjusted, smallest_adjusted(estimate))
        if smallest
        else "",
        adjusted=say("headline.evidence.adjusted") if estimate.n_family > 1 else "",
        n=n_words([interval]),
        group=group_phrase(result.verdict_group, interval.n_units),
        permuted_sources=say("headline.evidence.permuted", n_tested=test.n_tested)
        if test.n_tested < interval.n_units
        else "",
    )


def _shown(result: AgreementResult) -> tuple[Estimate, int]:
    """The estimate of the map that panels show, and the decimals that its values have in the table of verdicts."""
    name = shown_explanation(result)
    return result.estimate(name, result.metrics[0]), value_decimals([result])[
        result.model_name, name
    ]


def _metric_words(result: AgreementResult) -> str:
    """The metric that conclusions rest on, as it stands inside a sentence."""
    label = in_sentence(METRICS[result.metrics[0]].label)
    return weighted_label(label, [estimate.interval for estimate in estimates_of(result)])


def estimates_of(result: AgreementResult) -> list[Estimate]:
    """The estimates of all maps that conclusions rest on."""
    return [result.estimate(name, result.metrics[0]) for name in result.explanations]


def _counted_maps(n: int, n_all: int) -> str:
    if n < n_all:
        return say("headline.maps.some", n=n, n_all=n_all)
    return say("headline.maps.one") if n == 1 else say("headline.maps.all", n=n)


def _against_baselines(result: AgreementResult, agreeing: Sequence[Estimate]) -> list[str]:
    """How the maps that agree compare with brightness, and with emission and the centre bias where these agree better."""
    clauses = [_against_brightness(result, agreeing)]
    if not_better_than_emission(result, agreeing):
        clauses.append(say("headline.agree.emission", n=len(agreeing)))
    return clauses


def _against_brightness(result: AgreementResult, agreeing: Sequence[Estimate]) -> str:
    names = brightness_names(result)
    orders = [compared_with(estimate, names) for estimate in agreeing]
    n = len(agreeing)
    if Order.UNKNOWN in orders:
        unknown = agreeing[orders.index(Order.UNKNOWN)]
        difference = next(
            unknown.differences[name]
            for name in names
            if not is_comparable(unknown.differences[name])
        )
        if difference.n_counted < MIN_UNITS:
            return say("headline.agree.unknown", n=n)
        return say("headline.agree.no_comparison", reason=why_no_interval(difference))
    n_better = orders.count(Order.BETTER)
    if n_better == n:
        return say("headline.agree.better", n=n)
    n_worse = orders.count(Order.WORSE)
    if n_better:
        less = say("headline.agree.also_worse", n_worse=n_worse) if n_worse else ""
        return say("headline.agree.some_better", n_better=n_better, less=less)
    better = better_baselines(result, agreeing)
    if better:
        return say(
            "headline.agree.worse",
            baselines=listed([_with_value(result, kind) for kind in better]),
            n=len(better),
        )
    if n_worse:
        return say("headline.agree.some_worse", n_worse=n_worse)
    return say("headline.agree.open", n=n)


def _with_value(result: AgreementResult, kind: str) -> str:
    """A kind of baseline with the value of the one that agrees best."""
    metric = result.metrics[0]
    best = result.estimate(best_of(result, metric, baselines_of_kind(result)[kind]), metric)
    return say(
        "headline.with_value",
        name=say(f"headline.baseline.{kind}"),
        value=format_number(best.interval.value, _shown(result)[1]),
    )


def has_opposite_classes(result: AgreementResult) -> bool:
    """Whether some map is high on the annotations of one class and low on those of another."""
    return bool(_maps_by_opposite_classes(result))


def _maps_by_opposite_classes(result: AgreementResult) -> dict[tuple[str, str], list[str]]:
    """The maps that are high on the annotations of some classes and low on those of others, by these classes."""
    alike: dict[tuple[str, str], list[str]] = {}
    for estimate in estimates_of(result):
        on, off = (
            [e.class_name for e in classes_on(result, estimate, side)]
            for side in (Side.ABOVE, Side.BELOW)
        )
        if on and off:
            alike.setdefault((listed(on), listed(off)), []).append(estimate.explanation)
    return alike


def _opposite_classes(result: AgreementResult) -> list[str]:
    """Name the maps that are high on the annotations of one class and low on those of another."""
    alike = _maps_by_opposite_classes(result)
    if len(alike) > 1:
        return [say("headline.opposite.classes", n=sum(map(len, alike.values())))]
    return [
        say(
            "headline.opposite",
            maps=few_maps(names),
            n=len(names),
            on=on,
            off=off,
        )
        for (on, off), names in alike.items()
    ]


def few_maps(maps: Sequence[str], most_named: int = MOST_NAMED) -> str:
    """The names of a few maps, or how many there are."""
    if len(maps) <= most_named:
        return names_of_maps(maps)
    return say("headline.maps.several", n=len(maps))


def no_conclusion(result: AgreementResult, model: str, annotations: str) -> str:
    """Why nothing can be concluded on any map of a model, or of several that are alike in this."""
    estimates = estimates_of(result)
    n_sources = max(estimate.interval.n_units for estimate in estimates)
    named = {"model": model, "annotations": annotations}
    if n_sources == 0:
        return say("headline.undefined", metric=METRICS[result.metrics[0]].label, **named)
    untested = [estimate for estimate in estimates if estimate.test is None]
    if len(untested) == len(estimates) and n_sources >= MIN_UNITS:
        return say("headline.no_test", reason=untested[0].not_tested, **named)
    coarse = why_too_coarse(result, estimates[0], **named)
    if coarse:
        return capitalised(coarse)
    tested = [estimate.test.n_sources for estimate in estimates if estimate.test is not None]
    n_sources = max(tested, default=n_sources)
    return say(
        "headline.coarse.sources",
        n=n_sources,
        group=group_phrase(result.verdict_group, n_sources),
        **named,
    )
