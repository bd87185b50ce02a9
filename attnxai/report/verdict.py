"""The words of the verdict, chosen by rule from the results.

For each map of the model, on the sources that conclusions rest on and for the first metric:

1. The source permutation within class (pooled where no classes are known) decides whether the map agrees
   *in the source at hand*; its p-value is adjusted by Holm's method over the maps of the model. At 0.05 or
   below it does; above, the data do not show it, which is not the same as showing that it does not. A map
   that passes this test without the interval of its mean lying above chance *follows* the source, but is not
   said to agree: a map that avoids the marks of some sources can do so. Chance is 0 or 1/2, or for relevance
   accuracies the share of pixels that is marked. The headline names maps whose class means lie on opposite
   sides of chance. Where
   even the smallest p-value that could come out, adjusted for the number of maps, is above 0.05, nothing
   can be concluded.
2. The intervals of the differences to brightness at every resolution, and to the centre bias, decide whether
   the map agrees better (than all of them), worse (than any of them), or neither can be said.

Nothing is said that is stronger than the test behind it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.over_sources import MIN_SOURCES
from attnxai.agreement.metrics import METRICS
from attnxai.agreement.multiplicity import holm
from attnxai.agreement.results import ALL
from attnxai.alignment.pairs import BRIGHTNESS, CENTRE_BIAS
from attnxai.explanations.stack import Exposure
from attnxai.report.wording import format_interval, format_number, format_p

if TYPE_CHECKING:
    from attnxai.agreement.intervals.over_sources import Interval
    from attnxai.agreement.nulls import NullTest
    from attnxai.agreement.results import AgreementResult, Estimate
    from attnxai.annotations.annotation_set import AnnotationSet

LEVEL = 0.05
FEW_ANNOTATORS = 3


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
            _cautions(
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
        f"({_p_phrase(test.p_value, p_adjusted, n_tested)}, {test.n_sources} sources)."
    )
    if test.smallest_p * n_tested > LEVEL:
        smallest = (
            f"With {test.n_sources} sources the smallest p-value that could come out is "
            f"{test.smallest_p:.3g}, or {min(test.smallest_p * n_tested, 1):.3g} for {n_tested} maps, so "
            "this test cannot find agreement, however large."
        )
        return said(Finding.CANNOT_TELL, nothing, f"{against} {smallest}")
    by_class = _by_class(result, estimate, label)
    if p_adjusted <= LEVEL and _above_chance(estimate):
        lead = f"{name} agrees with {marked}, in the source at hand."
        return said(Finding.AGREES, lead, f"{against}{by_class}")
    if p_adjusted <= LEVEL:
        lead = f"{name} follows the source at hand, but is not shown to look at {marked}."
        yet = (
            f"over all sources it is not shown to be above chance (by "
            f"{_with_interval(estimate.above_chance)})"
            if estimate.above_chance.known
            else "there are too few sources to show that it is above chance"
        )
        larger = f"Agreement with its own source is larger than with others, yet {yet}."
        return said(Finding.FOLLOWS, lead, f"{against} {larger}{by_class}")
    pooled = estimate.pooled
    shared = ""
    if within and test.p_value > LEVEL and pooled is not None and pooled.p_value <= LEVEL:
        shared = (
            f" Exchanged between any sources the mean is {format_number(pooled.mean, 2)} (p = "
            f"{format_p(pooled.p_value)}, not adjusted): what agreement there is may be what sources of "
            "a class share."
        )
    lead = f"{name} is not shown to agree in the source at hand."
    return said(Finding.NOT_SHOWN, lead, f"{against}{shared}{by_class}")


def _above_chance(estimate: Estimate) -> bool:
    """Whether the mean lies above chance by its interval."""
    return estimate.above_chance.known and estimate.above_chance.low > 0


def _by_class(result: AgreementResult, estimate: Estimate, label: str) -> str:
    parts = [
        f"{e.class_name} {_with_interval(e.interval)}"
        + (
            ""
            if e.interval.known
            else f" ({e.interval.n_sources} sources, too few for an interval)"
        )
        for e in result.estimates
        if e.class_name != ALL
        and (e.explanation, e.metric, e.group)
        == (estimate.explanation, estimate.metric, estimate.group)
    ]
    return f" By class: {label} {', '.join(parts)}." if len(parts) > 1 else ""


def name_of_map(explanation: str) -> str:
    """Words for a map: ``Gate 2``, ``The mean of the gates``, or its own name."""
    if explanation == "mean":
        return "The mean of the gates"
    if explanation.startswith("gate") and explanation[4:].isdigit():
        return f"Gate {explanation[4:]}"
    return explanation


def best_brightness(result: AgreementResult, metric: str) -> str:
    """The brightness baseline, of all resolutions, that agrees best."""
    names = _brightness_names(result)
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
    brightness = _brightness_names(result)
    sentences = []
    for names, shown, words in (
        (brightness, best_brightness(result, estimate.metric), "Brightness alone"),
        ([CENTRE_BIAS], CENTRE_BIAS, "The centre bias (the mean of the other sources' marks)"),
    ):
        difference = estimate.differences[shown]
        if not np.isfinite(difference.value):
            continue
        order = _compared_with(estimate, names)
        baseline = result.estimate(shown, estimate.metric).interval
        numbers = f"{label} {format_number(baseline.value, 2)}"
        if order is _Order.UNKNOWN:
            sentences.append(
                f"{words} has {numbers}; {difference.n_sources} sources are too few for an interval of "
                "the difference."
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
            f"Agreement of {result.model_name} with {marked} is not shown for any of its {n} maps in "
            "the source at hand."
        )
    orders = [_compared_with(estimate, _brightness_names(result)) for estimate in agreeing]
    n_better = orders.count(_Order.BETTER)
    count = f"{len(agreeing)} of {n} maps" if len(agreeing) < n else _all_maps(n)
    start = (
        f"{count} of {result.model_name} {_verb('agree', len(agreeing))} with {marked}, in the source "
        "at hand"
    )
    if _Order.UNKNOWN in orders:
        return f"{start}; there are too few sources to compare them with brightness."
    if n_better == len(agreeing):
        return f"{start}, and better than brightness alone."
    if n_better:
        return f"{start}; {n_better} of them better than brightness alone."
    return f"{start}; none is shown to agree better than brightness alone."


def _opposite_classes(result: AgreementResult) -> str:
    """Name the maps that are high on the marks of one class and low on those of another."""
    sentences = []
    for name in result.explanations:
        on, off = [], []
        for estimate in result.estimates:
            above = estimate.above_chance
            if (
                estimate.class_name == ALL
                or not above.known
                or (estimate.explanation, estimate.metric, estimate.group)
                != (name, result.metrics[0], result.verdict_group)
            ):
                continue
            if above.low > 0:
                on.append(estimate.class_name)
            elif above.high < 0:
                off.append(estimate.class_name)
        if on and off:
            sentences.append(
                f"{name_of_map(name)} is higher on the marks than elsewhere for {' and '.join(on)}, and "
                f"lower for {' and '.join(off)}."
            )
    return f" {' '.join(sentences)}" if sentences else ""


def _nothing_to_tell(result: AgreementResult, estimates: Sequence[Estimate], marked: str) -> str:
    n_sources = max(estimate.interval.n_sources for estimate in estimates)
    if n_sources == 0:
        metric = METRICS[result.metrics[0]].label
        return (
            f"Whether {result.model_name} agrees with {marked} cannot be told: {metric} has no value "
            "for any of its maps; the undefined values are listed below with their reasons."
        )
    return (
        f"{n_sources} {result.verdict_group} sources are too few to tell whether "
        f"{result.model_name} agrees with {marked}."
    )


def _all_maps(n: int) -> str:
    return "The one map" if n == 1 else f"All {n} maps"


def _verb(word: str, count: int) -> str:
    return f"{word}s" if count == 1 else word


def _cautions(
    result: AgreementResult,
    annotations: AnnotationSet,
    notes: Sequence[str],
    *,
    copies_recognised: bool,
) -> list[str]:
    cautions = []
    group = result.verdict_group
    n = sum(g == group for g in result.exposure)
    if annotations.simulated:
        cautions.append(
            "Sources and annotators are simulated: this shows how the comparison works, not how a "
            "network looks at real galaxies."
        )
    if group == Exposure.TRAINING:
        cautions.append(
            f"The model was trained on all {n} sources. A model's own training images are no evidence "
            "about how it looks at galaxies."
        )
    elif group == Exposure.VALIDATION:
        cautions.append(f"The model was chosen by its results on these {n} sources.")
    elif group == Exposure.UNKNOWN:
        cautions.append(
            "It is not known whether the model was trained on these sources; if it was, they are no "
            "evidence about how it looks at galaxies."
        )
    else:
        if not copies_recognised:
            cautions.append(
                "Sources are held out by their ids: those that the model's record of its training does "
                "not name. A training image under another name would not be recognised."
            )
        others = len(result.exposure) - n
        if others:
            cautions.append(
                f"The verdict rests on the {n} held-out sources; {others} more that the model was "
                "trained or chosen on are reported apart."
            )
    if n < MIN_SOURCES:
        cautions.append(
            f"{n} sources are too few for confidence intervals, which need {MIN_SOURCES}."
        )
    cautions.append(_about_annotators(len(result.annotators)))
    cautions += list(annotations.notices)
    cautions += list(notes)
    return cautions


def _about_annotators(n: int) -> str:
    if n == 1:
        return "There is one annotator, so nothing is said about people in general."
    if n <= FEW_ANNOTATORS:
        return (
            f"There are {n} annotators; intervals are over sources alone, so conclusions are about "
            "these annotators."
        )
    return (
        f"Intervals are over sources alone, for these {n} annotators; how much other annotators would "
        "differ is not included."
    )


def _with_interval(interval: Interval) -> str:
    value = format_number(interval.value, 2)
    return f"{value} {format_interval(interval, 2)}" if interval.known else value


def _p_phrase(p_value: float, p_adjusted: float, n_tested: int) -> str:
    if n_tested == 1:
        return f"p = {format_p(p_value)}"
    return f"p = {format_p(p_value)}, {format_p(p_adjusted)} adjusted for {n_tested} maps"
