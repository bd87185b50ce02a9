"""The words of the verdict, chosen by rule from the results.

For each map of a model, on the sources that conclusions rest on and for the first metric:

1. The source permutation within strata (class, unless told otherwise; pooled where none are known) decides
   whether the map agrees *in the source at hand*; its p-value is adjusted over the maps of all models, by
   Holm's method unless told otherwise. At 0.05 or below it does; above, the data do not show it, which is not
   the same as showing that it does not. A map that passes this test without the interval of its mean lying
   above chance *follows* the source, but is not said to agree: a map that avoids the marks of some sources can
   do so. Chance is 0 or 1/2, or for relevance accuracies the share of pixels that is marked. Where even the
   smallest p-value that could come out, adjusted, is above 0.05, nothing can be concluded. Where the test was of
   less agreement, or two-sided and came out below the null, a map that passes it *looks away*.
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
4. Models differ where the interval of a paired difference excludes 0 and its p-value, adjusted over all pairs
   of models and maps, is 0.05 or below.

Nothing is said that is stronger than the test behind it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.nulls import Alternative
from attnxai.alignment.pairs import CENTRE_BIAS
from attnxai.data.wording import counted
from attnxai.report.answers import Answer, answers_of, why_too_coarse
from attnxai.report.cautions import find_cautions
from attnxai.report.findings import (
    Finding,
    Order,
    Side,
    brightness_names,
    classes_of,
    compared_with,
    finding_of,
    side_of_chance,
)
from attnxai.report.map_names import name_of_map, names_of_maps
from attnxai.report.wording import group_phrase, listed
from attnxai.statistics.formats import format_p, p_equals, with_interval
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.model_comparison.contrast import Contrast
    from attnxai.agreement.model_comparison.of_results import ResultContrasts
    from attnxai.agreement.results import AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.statistics.interval import Interval


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
    answers : tuple of Answer
        Question after question, with its numbers.
    p_adjusted : float or None
        P-value that decided.
    """

    explanation: str
    finding: Finding
    lead: str
    answers: tuple[Answer, ...]
    p_adjusted: float | None

    @property
    def details(self) -> str:
        """All answers in a row."""
        return " ".join(answer.answer for answer in self.answers)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelVerdict:
    """A headline for one model, and a statement for each of its maps."""

    model_name: str
    headline: str
    statements: tuple[Statement, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the page begins with.

    Parameters
    ----------
    marked : str
        What the annotations are, in words.
    headline : str
        The whole in a sentence or two.
    models : tuple of ModelVerdict
        Model by model.
    contrasts : tuple of str
        Models against each other, a sentence each.
    cautions : tuple of str
        What limits all of it.
    """

    marked: str
    headline: str
    models: tuple[ModelVerdict, ...]
    contrasts: tuple[str, ...]
    cautions: tuple[str, ...]

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements on the maps of all models."""
        return tuple(statement for model in self.models for statement in model.statements)


def reach_verdict(
    results: Sequence[AgreementResult],
    annotations: AnnotationSet,
    *,
    contrasts: ResultContrasts | None = None,
    notes: Sequence[str] = (),
    copies_recognised: Sequence[bool] | None = None,
) -> Verdict:
    """Choose the words.

    Parameters
    ----------
    results : sequence of AgreementResult
        One a model.
    annotations : AnnotationSet
        What the results are about.
    contrasts : ResultContrasts, optional
        Several models against each other.
    notes : sequence of str
        Further limits, in words.
    copies_recognised : sequence of bool, optional
        Whether each model's record knows its training images by more than their ids.

    Returns
    -------
    Verdict
    """
    marked = _marked_by(annotations)
    models = tuple(_of_model(result, marked) for result in results)
    compared = tuple(_contrast_sentences(contrasts)) if contrasts is not None else ()
    headline = models[0].headline
    if len(models) > 1:
        alternative = Alternative(results[0].settings["alternative"])
        headline = _joint_headline(models, marked, contrasts, alternative)
    return Verdict(
        marked=marked,
        headline=headline,
        models=models,
        contrasts=compared,
        cautions=tuple(
            find_cautions(
                results,
                annotations,
                notes,
                copies_recognised=copies_recognised or [False] * len(results),
            )
        ),
    )


def _of_model(result: AgreementResult, marked: str) -> ModelVerdict:
    metric = result.metrics[0]
    estimates = [result.estimate(name, metric) for name in result.explanations]
    statements = tuple(_statement(result, estimate, marked) for estimate in estimates)
    return ModelVerdict(
        model_name=result.model_name,
        headline=_headline(result, statements, estimates, marked) + _opposite_classes(result),
        statements=statements,
    )


def _marked_by(annotations: AnnotationSet) -> str:
    if annotations.simulated:
        return "what the simulated annotators marked"
    if "associations" in annotations.kind:
        return "the radio components that people associated"
    return "what people marked"


def _statement(result: AgreementResult, estimate: Estimate, marked: str) -> Statement:
    finding = finding_of(estimate)
    return Statement(
        explanation=estimate.explanation,
        finding=finding,
        lead=_lead(result, estimate, finding, marked),
        answers=answers_of(result, estimate),
        p_adjusted=estimate.p_adjusted,
    )


def _lead(result: AgreementResult, estimate: Estimate, finding: Finding, marked: str) -> str:
    name = name_of_map(estimate.explanation)
    side = side_of_chance(estimate)
    if finding is Finding.CANNOT_TELL:
        return f"{name}: nothing can be concluded."
    if finding is Finding.AGREES:
        return f"{name} agrees with {marked}, in the source at hand{_but_for(result, estimate)}."
    if finding is Finding.ANTI_CORRELATED:
        return (
            f"{name} looks away from {marked}: it agrees less with its own source than with others, and is "
            "lower on the marks than elsewhere."
        )
    if finding is Finding.LESS:
        but = "is higher on the marks than elsewhere, but " if side is Side.ABOVE else ""
        return f"{name} {but}agrees less with its own source than with others."
    if finding is Finding.FOLLOWS:
        if side is Side.BELOW:
            return f"{name} follows the source at hand, but is lower on the marks than elsewhere."
        return f"{name} follows the source at hand, but is not shown to look at {marked}."
    if result.settings["alternative"] == Alternative.LESS:
        return f"{name} is not shown to agree less with its own source than with others."
    lead = f"{name} is not shown to agree in the source at hand"
    if side is Side.BELOW:
        lead += "; it is lower on the marks than elsewhere"
    return f"{lead}."


def _but_for(result: AgreementResult, estimate: Estimate) -> str:
    """The classes whose marks a map that agrees over all sources avoids, and those it agrees for."""
    classes = classes_of(result, estimate)
    off = [e.class_name for e in classes if side_of_chance(e) is Side.BELOW]
    if not off:
        return ""
    on = [
        e.class_name
        for e in classes
        if side_of_chance(e) is Side.ABOVE
        and e.p_adjusted is not None
        and e.p_adjusted <= SIGNIFICANCE_LEVEL
    ]
    where = f"for {listed(on)}" if on else "over all sources"
    return f", {where}; on the marks of {listed(off)} it is lower than elsewhere"


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
    n_away = findings.count(Finding.ANTI_CORRELATED)
    n_less = n_away + findings.count(Finding.LESS)
    agreeing = [
        estimate
        for estimate, finding in zip(estimates, findings, strict=True)
        if finding is Finding.AGREES
    ]
    if n_less and not agreeing:
        away = f", of which {n_away} {_verb('look', n_away)} away from {marked}" if n_away else ""
        return (
            f"{n_less} of {counted(n, 'map')} of {result.model_name} {_verb('agree', n_less)} less with "
            f"the source at hand than with others{away}."
        )
    if not agreeing and n_following:
        return (
            f"No map of {result.model_name} is shown to agree with {marked}; {n_following} of {n} "
            f"{_verb('follow', n_following)} the source at hand beyond what exchanged sources share."
        )
    if not agreeing:
        if result.settings["alternative"] == Alternative.LESS:
            return (
                f"No map of {result.model_name} is shown to agree less with the source at hand than with "
                "others."
            )
        return (
            f"Agreement of {result.model_name} with {marked} is not shown for "
            f"{'its one map' if n == 1 else f'any of its {n} maps'} in the source at hand."
        )
    orders = [compared_with(estimate, brightness_names(result)) for estimate in agreeing]
    n_better = orders.count(Order.BETTER)
    count = f"{len(agreeing)} of {n} maps" if len(agreeing) < n else _all_maps(n)
    start = (
        f"{count} of {result.model_name} {_verb('agree', len(agreeing))} with {marked}, in the source "
        "at hand"
    )
    if n_less:
        start += f"; {n_less} {_verb('agree', n_less)} less with it than with others"
    if Order.UNKNOWN in orders:
        return f"{start}; there are too few sources to compare {'it' if len(agreeing) == 1 else 'them'} with brightness."
    if n_better == len(agreeing):
        return f"{start}, and better than brightness alone."
    if n_better:
        return f"{start}; {n_better} of them better than brightness alone."
    better = [
        words
        for words, names in (
            ("brightness alone", brightness_names(result)),
            ("the centre bias", [CENTRE_BIAS]),
        )
        if all(compared_with(estimate, names) is Order.WORSE for estimate in agreeing)
    ]
    if better:
        verb = "agrees" if len(better) == 1 else "agree"
        return f"{start}; {listed(better)} {verb} better."
    return f"{start}; none is shown to agree better than brightness alone."


def _opposite_classes(result: AgreementResult) -> str:
    """Name the maps that are high on the marks of one class and low on those of another."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name in result.explanations:
        sides = {
            e.class_name: side_of_chance(e)
            for e in classes_of(result, result.estimate(name, result.metrics[0]))
        }
        on = [class_name for class_name, side in sides.items() if side is Side.ABOVE]
        off = [class_name for class_name, side in sides.items() if side is Side.BELOW]
        if on and off:
            alike.setdefault((listed(on), listed(off)), []).append(name)
    return "".join(
        f" {names_of_maps(names)} {'is' if len(names) == 1 else 'are'} higher on the marks than "
        f"elsewhere for {on}, and lower for {off}."
        for (on, off), names in alike.items()
    )


def _nothing_to_tell(result: AgreementResult, estimates: Sequence[Estimate], marked: str) -> str:
    n_sources = max(estimate.interval.n_units for estimate in estimates)
    if n_sources == 0:
        metric = METRICS[result.metrics[0]].label
        return (
            f"Whether {result.model_name} agrees with {marked} cannot be told: {metric} has no value "
            "for any of its maps; the undefined values are listed below with their reasons."
        )
    whether = f"whether {result.model_name} agrees with {marked}"
    reason = why_too_coarse(result, estimates[0])
    if reason:
        return f"{reason[0].upper()}{reason[1:]} to tell {whether}."
    return (
        f"{counted(n_sources, f'{result.verdict_group} source is', f'{result.verdict_group} sources are')} "
        f"too few to tell {whether}."
    )


def _joint_headline(
    models: Sequence[ModelVerdict],
    marked: str,
    contrasts: ResultContrasts | None,
    alternative: Alternative,
) -> str:
    less = alternative is Alternative.LESS
    parts = []
    for model in models:
        findings = [statement.finding for statement in model.statements]
        n = len(findings)
        n_less = findings.count(Finding.ANTI_CORRELATED) + findings.count(Finding.LESS)
        n_found = n_less if less else findings.count(Finding.AGREES)
        if all(finding is Finding.CANNOT_TELL for finding in findings):
            parts.append(f"{model.model_name}: nothing to tell")
            continue
        others = f", {n_less} less than with others" if n_less and not less else ""
        parts.append(f"{model.model_name}: {n_found} of {counted(n, 'map')}{others}")
    what = (
        "agree less with the source at hand than with others"
        if less
        else f"agree with {marked}, in the source at hand"
    )
    start = f"Maps that {what}: {'; '.join(parts)}."
    return f"{start} {_contrast_summary(contrasts)}" if contrasts is not None else start


def _contrast_summary(contrasts: ResultContrasts) -> str:
    everything = contrasts.contrasts.contrasts
    n_found = sum(contrast.found for contrast in everything)
    between = "the two models" if len(contrasts.models) == 2 else "the models"
    n = len(contrasts.sources)
    over = f"the {n} {group_phrase(contrasts.group, n)} that all of them share"
    if all(c.smallest_p > SIGNIFICANCE_LEVEL or c.n_sources < MIN_UNITS for c in everything):
        return f"No difference between {between} can be shown over {over}, however large: they are too few."
    if not n_found:
        return f"No difference between {between} is shown over {over}."
    return (
        f"{n_found} of {counted(len(everything), 'difference')} between {between}, map by map, "
        f"{'is' if n_found == 1 else 'are'} shown over {over}."
    )


def _contrast_sentences(contrasts: ResultContrasts) -> list[str]:
    """What is shown first, a sentence each; one more for all that is not."""
    label = METRICS[contrasts.metric].label
    n = len(contrasts.sources)
    sentences = []
    for (name, first, second), contrast in zip(
        contrasts.keys, contrasts.contrasts.contrasts, strict=True
    ):
        if not contrast.found:
            continue
        higher, lower = (first, second) if contrast.interval.value > 0 else (second, first)
        sentences.append(
            f"{label} of {_in_sentence(name_of_map(name))} is higher for {higher} than for {lower}, by "
            f"{with_interval(_upwards(contrast.interval))} ({_contrast_p(contrast)} adjusted over "
            f"{counted(len(contrasts.keys), 'difference')})."
        )
    n_open = len(contrasts.keys) - len(sentences)
    if n_open:
        sentences.append(
            f"{n_open} of {counted(len(contrasts.keys), 'difference')} of {label} "
            f"{'is' if n_open == 1 else 'are'} not shown, which is not the same as shown to be none."
        )
    return [
        *sentences,
        (
            f"Compared over {n} {group_phrase(contrasts.group, n)} for every model; the unit is the source, so "
            "this is about these trained networks, not about kinds of networks."
        ),
        *contrasts.notes,
    ]


def _upwards(interval: Interval) -> Interval:
    """A difference as that of the higher minus the lower."""
    if interval.value >= 0:
        return interval
    return dataclasses.replace(
        interval, value=-interval.value, low=-interval.high, high=-interval.low
    )


def _contrast_p(contrast: Contrast) -> str:
    if contrast.p_others_adjusted is None:
        return f"{p_equals(contrast.p_value)}, {format_p(contrast.p_adjusted)}"
    return (
        f"{p_equals(contrast.p_adjusted)} for these annotators and "
        f"{format_p(contrast.p_others_adjusted)} for others too,"
    )


def _in_sentence(name: str) -> str:
    return f"{name[0].lower()}{name[1:]}" if name.startswith(("The ", "Gate ")) else name


def _all_maps(n: int) -> str:
    return "The one map" if n == 1 else f"All {n} maps"


def _verb(word: str, count: int) -> str:
    return f"{word}s" if count == 1 else word
