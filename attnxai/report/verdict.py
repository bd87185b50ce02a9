"""The words of the verdict, chosen by rule from the results.

For each map of the model, on the sources that conclusions rest on and for the first metric:

1. The source permutation within class (pooled where no classes are known) decides whether the map agrees
   *in the source at hand*; its p-value is adjusted by Holm's method over the maps of the model. At 0.05 or
   below it does; above, the data do not show it, which is not the same as showing that it does not. A map
   that passes this test without the interval of its mean lying above chance *follows* the source, but is not
   said to agree: a map that avoids the marks of some sources can do so. Chance is 0 or 1/2, or for relevance
   accuracies the share of pixels that is marked. Where even the smallest p-value that could come out,
   adjusted for the number of maps, is above 0.05, nothing can be concluded.
2. Where the interval of the mean lies wholly below chance, the map is said to be lower on the marks than
   elsewhere, whether it follows the source or is not shown to agree. Where a map agrees, but its mean over
   the sources of some class lies below chance by its interval, the sentence in bold says so, and names the
   classes that agreement holds for: those whose mean lies above chance by its interval and whose own source
   permutation has a p-value of 0.05 or below (not adjusted). The headline names the maps whose class means
   lie on opposite sides of chance, those that do so alike in one sentence.
3. The intervals of the differences to brightness at every resolution, and to the centre bias, decide whether
   the map agrees better (than all of them), worse (than any of them), or neither can be said. The resolution
   that is named, by its row in the tables, is the one that agrees best of those that decide: of those that
   are better where the map is worse, of those that cannot be told apart where neither can be said.

Nothing is said that is stronger than the test behind it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.multiplicity import holm
from attnxai.agreement.results import ALL
from attnxai.alignment.pairs import BRIGHTNESS, CENTRE_BIAS
from attnxai.data.wording import counted
from attnxai.report.cautions import find_cautions
from attnxai.report.wording import format_interval, format_number, format_p, listed

if TYPE_CHECKING:
    from attnxai.agreement.intervals.over_sources import Interval
    from attnxai.agreement.nulls import NullTest
    from attnxai.agreement.results import AgreementResult, Estimate
    from attnxai.annotations.annotation_set import AnnotationSet

LEVEL = 0.05


class Finding(enum.StrEnum):
    """What the primary test of a map says."""

    AGREES = "agrees"
    FOLLOWS = "follows the source"
    NOT_SHOWN = "not shown"
    CANNOT_TELL = "cannot tell"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The verdict on one map.

    Parameters
    ----------
    explanation : str
        The map.
    finding : Finding
        What its primary test says.
    lead : str
        The sentence to print in bold.
    details : str
        Numbers and baselines.
    p_adjusted : float or None
        P-value that decided.
    """

    explanation: str
    finding: Finding
    lead: str
    details: str
    p_adjusted: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the annotations are in words, a headline, a statement for each map, and what limits them."""

    marked: str
    headline: str
    statements: tuple[Statement, ...]
    cautions: tuple[str, ...]


def reach_verdict(
    result: AgreementResult,
    annotations: AnnotationSet,
    *,
    model_notes: Sequence[str] = (),
    notes: Sequence[str] = (),
    copies_recognised: bool = False,
) -> Verdict:
    """Choose the words.

    Parameters
    ----------
    result : AgreementResult
        The results.
    annotations : AnnotationSet
        What the results are about.
    model_notes, notes : sequence of str
        Further limits, in words.
    copies_recognised : bool
        Whether the model's record knows its training images by more than their ids.

    Returns
    -------
    Verdict
    """
    metric = result.metrics[0]
    estimates = [result.estimate(name, metric) for name in result.explanations]
    tests = [estimate.within_class or estimate.pooled for estimate in estimates]
    tested = [i for i, test in enumerate(tests) if test is not None]
    adjusted = dict(
        zip(tested, holm([tests[i].p_value for i in tested if tests[i]]), strict=True)  # type: ignore[union-attr]
    )
    marked = _marked_by(annotations)
    statements = tuple(
        _statement(result, estimate, test, adjusted.get(i), len(tested), marked)
        for i, (estimate, test) in enumerate(zip(estimates, tests, strict=True))
    )
    return Verdict(
        marked=marked,
        headline=_headline(result, statements, estimates, marked) + _opposite_classes(result),
        statements=statements,
        cautions=tuple(
            find_cautions(
                result, annotations, [*model_notes, *notes], copies_recognised=copies_recognised
            )
        ),
    )


def _marked_by(annotations: AnnotationSet) -> str:
    if annotations.simulated:
        return "what the simulated annotators marked"
    if "associations" in annotations.kind:
        return "the radio components that people associated"
    return "what people marked"


def _statement(
    result: AgreementResult,
    estimate: Estimate,
    test: NullTest | None,
    p_adjusted: float | None,
    n_tested: int,
    marked: str,
) -> Statement:
    name = name_of_map(estimate.explanation)
    label = METRICS[estimate.metric].label
    value = f"{label} {_with_interval(estimate.interval)}"
    baselines = _against_baselines(estimate, result, label)

    def said(finding: Finding, lead: str, details: str) -> Statement:
        return Statement(
            explanation=estimate.explanation,
            finding=finding,
            lead=lead,
            details=f"{details} {baselines}".strip(),
            p_adjusted=p_adjusted,
        )

    nothing = f"{name}: nothing can be concluded."
    if test is None or p_adjusted is None:
        return said(
            Finding.CANNOT_TELL, nothing, f"{value}; not tested, because {estimate.not_tested}."
        )
    within = estimate.within_class is not None
    exchanged = "between sources of the same class" if within else "between sources"
    against = (
        f"{value} against {format_number(test.mean, 2)} when annotations are exchanged {exchanged} "
        f"({_p_phrase(test.p_value, p_adjusted, n_tested)}, {counted(test.n_sources, 'source')})."
    )
    if test.smallest_p * n_tested > LEVEL:
        for_all = (
            f", or {min(test.smallest_p * n_tested, 1):.3g} for {n_tested} maps"
            if n_tested > 1
            else ""
        )
        smallest = (
            f"With {counted(test.n_sources, 'source')} the smallest p-value that could come out is "
            f"{test.smallest_p:.3g}{for_all}, so this test cannot find agreement, however large."
        )
        return said(Finding.CANNOT_TELL, nothing, f"{against} {smallest}")
    by_class = _by_class(result, estimate, label)
    side = _side_of_chance(estimate)
    if p_adjusted <= LEVEL and side is _Side.ABOVE:
        lead = f"{name} agrees with {marked}, in the source at hand{_but_for(result, estimate)}."
        return said(Finding.AGREES, lead, f"{against}{by_class}")
    by_how_much = _with_interval(estimate.above_chance)
    if p_adjusted <= LEVEL:
        if side is _Side.BELOW:
            lead = f"{name} follows the source at hand, but is lower on the marks than elsewhere."
            yet = f"over all sources it is below chance (by {by_how_much})"
        else:
            lead = f"{name} follows the source at hand, but is not shown to look at {marked}."
            yet = (
                f"over all sources it is not shown to be above chance (by {by_how_much})"
                if side is _Side.OPEN
                else "there are too few sources to show that it is above chance"
            )
        larger = f"Agreement with its own source is larger than with others, yet {yet}."
        return said(Finding.FOLLOWS, lead, f"{against} {larger}{by_class}")
    pooled = estimate.pooled
    more = ""
    if within and test.p_value > LEVEL and pooled is not None and pooled.p_value <= LEVEL:
        more = (
            f" Exchanged between any sources the mean is {format_number(pooled.mean, 2)} (p = "
            f"{format_p(pooled.p_value)}, not adjusted): what agreement there is may be what sources of "
            "a class share."
        )
    lead = f"{name} is not shown to agree in the source at hand"
    if side is _Side.BELOW:
        lead += "; it is lower on the marks than elsewhere"
        more += f" Over all sources it is below chance (by {by_how_much})."
    return said(Finding.NOT_SHOWN, f"{lead}.", f"{against}{more}{by_class}")


class _Side(enum.Enum):
    """Where a mean lies by its interval, seen from chance."""

    ABOVE = enum.auto()
    BELOW = enum.auto()
    OPEN = enum.auto()
    UNKNOWN = enum.auto()


def _side_of_chance(estimate: Estimate) -> _Side:
    above = estimate.above_chance
    if not above.known:
        return _Side.UNKNOWN
    if above.low > 0:
        return _Side.ABOVE
    return _Side.BELOW if above.high < 0 else _Side.OPEN


def _classes_of(result: AgreementResult, estimate: Estimate) -> list[Estimate]:
    """The estimates of single classes that belong to an estimate over all."""
    key = (estimate.explanation, estimate.metric, estimate.group)
    return [
        e
        for e in result.estimates
        if e.class_name != ALL and (e.explanation, e.metric, e.group) == key
    ]


def _but_for(result: AgreementResult, estimate: Estimate) -> str:
    """The classes whose marks a map that agrees over all sources avoids, and those it agrees for."""
    classes = _classes_of(result, estimate)
    off = [e.class_name for e in classes if _side_of_chance(e) is _Side.BELOW]
    if not off:
        return ""
    on = [
        e.class_name
        for e in classes
        if _side_of_chance(e) is _Side.ABOVE
        and (test := e.within_class or e.pooled) is not None
        and test.p_value <= LEVEL
    ]
    where = f"for {listed(on)}" if on else "over all sources"
    return f", {where}; on the marks of {listed(off)} it is lower than elsewhere"


def _by_class(result: AgreementResult, estimate: Estimate, label: str) -> str:
    parts = [
        f"{e.class_name} {_with_interval(e.interval)}"
        + (
            ""
            if e.interval.known
            else f" ({counted(e.interval.n_sources, 'source')}, too few for an interval)"
        )
        for e in _classes_of(result, estimate)
    ]
    return f" By class: {label} {', '.join(parts)}." if len(parts) > 1 else ""


def name_of_map(explanation: str) -> str:
    """Words for a map: ``Gate 2``, ``The mean of the gates``, or its own name."""
    if explanation == "mean":
        return "The mean of the gates"
    if explanation.startswith("gate") and explanation[4:].isdigit():
        return f"Gate {explanation[4:]}"
    return explanation


def names_of_maps(explanations: Sequence[str]) -> str:
    """Words for several maps: ``Gates 2 and 3``, ``Gate 1 and the mean of the gates``.

    Examples
    --------
    >>> names_of_maps(["gate2"]), names_of_maps(["gate2", "gate3", "mean"])
    ('Gate 2', 'Gates 2 and 3 and the mean of the gates')
    """
    numbers = [name[4:] for name in explanations if name_of_map(name) == f"Gate {name[4:]}"]
    words = [f"{'Gate' if len(numbers) == 1 else 'Gates'} {listed(numbers)}"] if numbers else []
    for name in explanations:
        if name_of_map(name) != f"Gate {name[4:]}":
            word = name_of_map(name)
            words.append(word.replace("The", "the", 1) if words and name == "mean" else word)
    return listed(words)


def best_brightness(result: AgreementResult, metric: str) -> str:
    """The brightness baseline, of all resolutions, that agrees best."""
    return _best(result, metric, _brightness_names(result))


def _best(result: AgreementResult, metric: str, names: Sequence[str]) -> str:
    values = [result.estimate(name, metric).interval.value for name in names]
    return names[int(np.nanargmax(values))] if np.isfinite(values).any() else names[0]


def _brightness_names(result: AgreementResult) -> list[str]:
    return [name for name in result.baselines if name.startswith(BRIGHTNESS)]


class _Order(enum.Enum):
    """How a map compares with baselines, by the intervals of the differences."""

    BETTER = enum.auto()
    WORSE = enum.auto()
    OPEN = enum.auto()
    UNKNOWN = enum.auto()


def _compared_with(estimate: Estimate, names: Sequence[str]) -> _Order:
    """Better than all of the baselines, worse than any, neither, or not known."""
    differences = [estimate.differences[name] for name in names]
    if not all(difference.known for difference in differences):
        return _Order.UNKNOWN
    if any(difference.high < 0 for difference in differences):
        return _Order.WORSE
    if all(difference.low > 0 for difference in differences):
        return _Order.BETTER
    return _Order.OPEN


def _against_baselines(estimate: Estimate, result: AgreementResult, label: str) -> str:
    sentences = []
    for names in (_brightness_names(result), [CENTRE_BIAS]):
        order = _compared_with(estimate, names)
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
        numbers = f"{label} {format_number(baseline.value, 2)}"
        if order is _Order.UNKNOWN:
            few = counted(difference.n_sources, "source is", "sources are")
            sentences.append(
                f"{words} has {numbers}; {few} too few for an interval of the difference."
            )
            continue
        relation = {
            _Order.BETTER: "agrees less",
            _Order.WORSE: "agrees better",
            _Order.OPEN: "cannot be told apart from it",
        }[order]
        sentences.append(
            f"{words} {relation} ({numbers}; map minus baseline {_with_interval(difference)})."
        )
    return " ".join(sentences)


def _shown_baseline(
    estimate: Estimate, result: AgreementResult, names: Sequence[str], order: _Order
) -> str:
    """The one that agrees best of the baselines that what is said holds for."""
    of_order = [name for name in names if _compared_with(estimate, [name]) is order] or names
    return _best(result, estimate.metric, of_order)


def _headline(
    result: AgreementResult,
    statements: Sequence[Statement],
    estimates: Sequence[Estimate],
    marked: str,
) -> str:
    n = len(statements)
    findings = [s.finding for s in statements]
    if all(finding is Finding.CANNOT_TELL for finding in findings):
        return _nothing_to_tell(result, estimates, marked)
    n_following = findings.count(Finding.FOLLOWS)
    agreeing = [
        estimate
        for estimate, finding in zip(estimates, findings, strict=True)
        if finding is Finding.AGREES
    ]
    if not agreeing and n_following:
        return (
            f"No map of {result.model_name} is shown to agree with {marked}; {n_following} of {n} "
            f"{_verb('follow', n_following)} the source at hand beyond what exchanged sources share."
        )
    if not agreeing:
        return (
            f"Agreement of {result.model_name} with {marked} is not shown for "
            f"{'its one map' if n == 1 else f'any of its {n} maps'} in the source at hand."
        )
    orders = [_compared_with(estimate, _brightness_names(result)) for estimate in agreeing]
    n_better = orders.count(_Order.BETTER)
    count = f"{len(agreeing)} of {n} maps" if len(agreeing) < n else _all_maps(n)
    start = (
        f"{count} of {result.model_name} {_verb('agree', len(agreeing))} with {marked}, in the source "
        "at hand"
    )
    if _Order.UNKNOWN in orders:
        return f"{start}; there are too few sources to compare {'it' if len(agreeing) == 1 else 'them'} with brightness."
    if n_better == len(agreeing):
        return f"{start}, and better than brightness alone."
    if n_better:
        return f"{start}; {n_better} of them better than brightness alone."
    return f"{start}; none is shown to agree better than brightness alone."


def _opposite_classes(result: AgreementResult) -> str:
    """Name the maps that are high on the marks of one class and low on those of another."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name in result.explanations:
        sides = {
            e.class_name: _side_of_chance(e)
            for e in _classes_of(result, result.estimate(name, result.metrics[0]))
        }
        on = [class_name for class_name, side in sides.items() if side is _Side.ABOVE]
        off = [class_name for class_name, side in sides.items() if side is _Side.BELOW]
        if on and off:
            alike.setdefault((listed(on), listed(off)), []).append(name)
    return "".join(
        f" {names_of_maps(names)} {'is' if len(names) == 1 else 'are'} higher on the marks than "
        f"elsewhere for {on}, and lower for {off}."
        for (on, off), names in alike.items()
    )


def _nothing_to_tell(result: AgreementResult, estimates: Sequence[Estimate], marked: str) -> str:
    n_sources = max(estimate.interval.n_sources for estimate in estimates)
    if n_sources == 0:
        metric = METRICS[result.metrics[0]].label
        return (
            f"Whether {result.model_name} agrees with {marked} cannot be told: {metric} has no value "
            "for any of its maps; the undefined values are listed below with their reasons."
        )
    return (
        f"{counted(n_sources, f'{result.verdict_group} source is', f'{result.verdict_group} sources are')} "
        f"too few to tell whether {result.model_name} agrees with {marked}."
    )


def _all_maps(n: int) -> str:
    return "The one map" if n == 1 else f"All {n} maps"


def _verb(word: str, count: int) -> str:
    return f"{word}s" if count == 1 else word


def _with_interval(interval: Interval) -> str:
    value = format_number(interval.value, 2)
    return f"{value} {format_interval(interval, 2)}" if interval.known else value


def _p_phrase(p_value: float, p_adjusted: float, n_tested: int) -> str:
    if n_tested == 1:
        return f"p = {format_p(p_value)}"
    return f"p = {format_p(p_value)}, {format_p(p_adjusted)} adjusted for {n_tested} maps"
