"""The verdict: a finding for each map, and the sentences that say it.

For each map of a model, on the sources that conclusions rest on and for the first metric:

1. The permutation across sources within strata (class, unless told otherwise) decides whether the map agrees
   with the annotations of its *own* source; its p-value is adjusted over the maps of all models, by Holm's method
   unless told otherwise. At 0.05 or below it does; above, the data do not show it, which is not the same as
   showing that it does not. A map that passes this test without its mean lying above chance by its interval
   distinguishes its own source (*source-specific*), but is not said to agree: a map that avoids the annotations
   of some sources can do so. Chance is 0 or 1/2, or for relevance accuracies the share of pixels that is
   annotated. Where even the smallest attainable p-value, adjusted, is above 0.05, nothing can be
   concluded. Where the test was of less agreement, or two-sided and came out below the null, a map that passes it
   agrees *less than with others*, and is *anti-correlated* if its mean lies below chance as well.
2. Where the interval of the mean lies wholly below chance, the map is said to be lower on the annotations than
   elsewhere. Where a map agrees, but its mean over the sources of some class lies below chance by its interval,
   the sentence in bold says so, and names the classes that agreement holds for: those whose mean lies above
   chance by its interval and whose own permutation test has an adjusted p-value of 0.05 or below. The
   headline names the maps whose class means lie on opposite sides of chance. Where the permutations within classes,
   each on the side where its mean lies and adjusted over the maps, are significant on opposite sides, sentence and
   badge say that the classes differ; where a map is not shown to agree over all sources but is for some class, the
   sentence says so.
3. The intervals of the differences to brightness and to emission at every resolution, and to the centre bias, decide whether
   the map agrees better (than all of them), worse (than any of them), or neither can be said. The resolution
   that is named, by its row in the tables, is the one that agrees best of those that decide. Where a map agrees, but
   a baseline agrees better, the sentence in bold and the badge say so as well; of emission they also say where a
   map is not shown to agree better. Uniform emission agrees with marks because marks lie on emission; "beyond
   emission" is said by the rule of :mod:`~.beyond_emission`.
4. Another metric that leads to another conclusion on a map is named with its p-values.
5. Models differ where the interval of a paired difference excludes 0 and its p-value, adjusted over all pairs
   of models and maps, is 0.05 or below.
6. What the audit of where the evidence comes from found stands before all of this: in a line under the headline, and in
   front of the sentence on a map that fails it.

Nothing is said that is stronger than the test behind it. The sentences are in :mod:`~.sentences`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.alignment.baselines import CENTRE_BIAS
from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.nulls import Alternative
from attnxai.report.answers import Answer, adjusted_words, answers_of, why_too_coarse
from attnxai.report.audit import audit_line, audit_of_map
from attnxai.report.beyond_emission import is_beyond_emission, not_better_than_emission
from attnxai.report.cautions import find_cautions
from attnxai.report.contrasts import difference_sentences, difference_summary
from attnxai.report.findings import (
    ClassEffect,
    Finding,
    Order,
    Side,
    brightness_names,
    class_effects,
    classes_differ,
    classes_of,
    compared_with,
    emission_names,
    finding_of,
    is_comparable,
    side_of_chance,
    why_no_interval,
)
from attnxai.report.sentences import say
from attnxai.report.wording import (
    capitalised,
    group_phrase,
    in_sentence,
    map_in_sentence,
    name_of_map,
    names_of_maps,
    weighted_label,
)
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.model_comparison.of_results import ResultContrasts
    from attnxai.agreement.results import AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.audit.location_results import EvidenceLocation


MOST_NAMED = 3
"""Maps that the headline names; of more it gives the number."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The verdict on one map."""

    explanation: str
    finding: Finding
    badge: str  # the finding in a word, with what must not be overlooked
    lead: str
    answers: tuple[Answer, ...]
    p_adjusted: float | None
    audit: str = ""  # what the map fails by, which is read first

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
    """What the page begins with."""

    annotations: str
    headline: str
    models: tuple[ModelVerdict, ...]
    contrasts: tuple[str, ...]
    cautions: tuple[str, ...]
    audit: str = ""  # the line under the headline

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
    locations: Sequence[EvidenceLocation] = (),
) -> Verdict:
    """Choose the words; ``locations`` are the first audits of the models of the results, if they were made."""
    words = _words_for(annotations)
    audits: Sequence[EvidenceLocation | None] = locations or [None] * len(results)
    models = tuple(
        _of_model(result, words, location) for result, location in zip(results, audits, strict=True)
    )
    compared = tuple(difference_sentences(contrasts)) if contrasts is not None else ()
    headline = models[0].headline
    if len(models) > 1:
        alternative = Alternative(results[0].settings["alternative"])
        label = _metric_words(results[0])
        headline = _joint_headline(models, words, label, contrasts, alternative)
    return Verdict(
        annotations=words,
        headline=headline,
        models=models,
        contrasts=compared,
        audit=audit_line(locations),
        cautions=tuple(
            find_cautions(
                results,
                annotations,
                notes,
                copies_recognised=copies_recognised or [False] * len(results),
            )
        ),
    )


def _of_model(
    result: AgreementResult, annotations: str, location: EvidenceLocation | None
) -> ModelVerdict:
    metric = result.metrics[0]
    estimates = [result.estimate(name, metric) for name in result.explanations]
    statements = tuple(
        dataclasses.replace(
            _statement(result, estimate, annotations),
            audit=audit_of_map(location.of_map(estimate.explanation) if location else None),
        )
        for estimate in estimates
    )
    return ModelVerdict(
        model_name=result.model_name,
        headline=_headline(result, statements, estimates, annotations) + _opposite_classes(result),
        statements=statements,
    )


def _words_for(annotations: AnnotationSet) -> str:
    key = "associations" if "associations" in annotations.kind else "any"
    return say(f"annotations.{'simulated' if annotations.simulated else key}")


def _statement(result: AgreementResult, estimate: Estimate, annotations: str) -> Statement:
    finding = finding_of(estimate)
    return Statement(
        explanation=estimate.explanation,
        finding=finding,
        badge=_badge(result, estimate, finding),
        lead=capitalised(_lead(result, estimate, finding, annotations))
        + _by_other_metrics(result, estimate, finding)
        + _by_class(result, estimate, finding),
        answers=answers_of(result, estimate),
        p_adjusted=estimate.p_adjusted,
    )


def _lead(result: AgreementResult, estimate: Estimate, finding: Finding, annotations: str) -> str:
    side = side_of_chance(estimate)
    below = "_below" if side is Side.BELOW else ""
    less = result.settings["alternative"] == Alternative.LESS
    key = {
        Finding.INCONCLUSIVE: "cannot_tell",
        Finding.AGREES: "agrees",
        Finding.ANTI_CORRELATED: "anti_correlated",
        Finding.LESS: "less_above" if side is Side.ABOVE else "less",
        Finding.SOURCE_SPECIFIC: f"specific{below}",
        Finding.NOT_SHOWN: "not_shown_less" if less else f"not_shown{below}",
    }[finding]
    return say(
        f"lead.{key}",
        map=name_of_map(estimate.explanation),
        inside=map_in_sentence(estimate.explanation),
        annotations=annotations,
        beyond=say("lead.agrees.beyond") if is_beyond_emission(result, estimate) else "",
        exception=_exception(result, estimate),
        baselines=_exceeded_by(result, estimate),
    )


def _exceeded_by(result: AgreementResult, estimate: Estimate) -> str:
    """The baselines that agree better than a map, and emission where the map is not shown to agree better."""
    better = _better_baselines(result, [estimate], "headline")
    text = say("lead.agrees.better", baselines=listed(better), n=len(better)) if better else ""
    if not_better_than_emission(result, [estimate]):
        text += say(
            "lead.agrees.emission", but=say(f"lead.agrees.emission.{'and' if text else 'but'}")
        )
    return text


def _better_baselines(
    result: AgreementResult, estimates: Sequence[Estimate], key: str
) -> list[str]:
    """Baselines that agree better than all of some maps, in the words for a headline or a badge."""
    return [
        say(f"{key}.baseline.{name}")
        for name, baselines in (
            ("brightness", brightness_names(result)),
            ("emission", emission_names(result)),
            ("centre", [CENTRE_BIAS]),
        )
        if baselines
        and all(compared_with(estimate, baselines) is Order.WORSE for estimate in estimates)
    ]


def _badge(result: AgreementResult, estimate: Estimate, finding: Finding) -> str:
    badge = str(finding)
    if classes_differ(result, estimate):
        badge += say("badge.classes")
    better = _better_baselines(result, [estimate], "badge")
    if finding is Finding.AGREES and better:
        badge += say("badge.baselines", baselines=listed(better))
    if finding is Finding.AGREES and is_beyond_emission(result, estimate):
        badge += say("badge.beyond")
    if finding is Finding.AGREES and not_better_than_emission(result, [estimate]):
        badge += say("badge.emission")
    return badge


def _by_class(result: AgreementResult, estimate: Estimate, finding: Finding) -> str:
    """What the permutations within classes show that the one over all sources does not."""
    if finding is Finding.INCONCLUSIVE:
        return ""
    effects = [effect for effect in class_effects(result, estimate) if effect.shown]
    more, fewer = (
        listed([_class_p(effect) for effect in effects if effect.side is side])
        for side in (Alternative.GREATER, Alternative.LESS)
    )
    if more and fewer:
        return say("by_class.differ", more=more, fewer=fewer)
    if finding is Finding.NOT_SHOWN and any(effect.tested for effect in effects):
        return say(f"lead.by_class.{'more' if more else 'less'}", classes=more or fewer)
    return ""


def _by_other_metrics(result: AgreementResult, estimate: Estimate, finding: Finding) -> str:
    """The other metrics that lead to another conclusion, with their p-values."""
    less = result.settings["alternative"] == Alternative.LESS
    keys = {
        Finding.AGREES: "agrees",
        Finding.SOURCE_SPECIFIC: "specific",
        Finding.NOT_SHOWN: "not_shown_less" if less else "not_shown",
        Finding.LESS: "less",
        Finding.ANTI_CORRELATED: "less",
    }
    metrics: dict[str, list[str]] = {}
    for name in result.metrics[1:]:
        other = result.estimate(estimate.explanation, name)
        key, test = keys.get(finding_of(other)), other.test
        if test is None or key is None or key == keys.get(finding, key):
            continue
        label = in_sentence(METRICS[name].label)
        adjusted = adjusted_words(other)
        metrics.setdefault(key, []).append(
            say("with_p", name=label, p=test.p_value, side="", adjusted=adjusted)
        )
    return "".join(
        say(f"other_metrics.{key}", metrics=listed(named)) for key, named in metrics.items()
    )


def _class_p(effect: ClassEffect) -> str:
    return say(
        "with_p",
        name=effect.class_name,
        p=effect.p_value,
        side="" if effect.tested else say(f"side.{effect.side}"),
        adjusted=adjusted_words(effect),
    )


def _exception(result: AgreementResult, estimate: Estimate) -> str:
    """The classes for which a map that agrees over all sources does not, and those for which it does."""
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
    where = say("exception.for", on=listed(on)) if on else say("exception.overall")
    return say("exception", where=where, off=listed(off))


def _headline(
    result: AgreementResult,
    statements: Sequence[Statement],
    estimates: Sequence[Estimate],
    annotations: str,
) -> str:
    findings = [statement.finding for statement in statements]
    if all(finding is Finding.INCONCLUSIVE for finding in findings):
        return _no_conclusion(result, estimates, annotations)
    n, metric = len(statements), _metric_words(result)
    named = {"model": result.model_name, "annotations": annotations, "metric": metric}
    n_specific = findings.count(Finding.SOURCE_SPECIFIC)
    n_anti = findings.count(Finding.ANTI_CORRELATED)
    n_less = n_anti + findings.count(Finding.LESS)
    agreeing = [e for e, f in zip(estimates, findings, strict=True) if f is Finding.AGREES]
    if agreeing:
        n_beyond = sum(is_beyond_emission(result, estimate) for estimate in agreeing)
        return say(
            "headline.agree",
            maps=_counted_maps(len(agreeing), n),
            n=len(agreeing),
            beyond=say("headline.agree.beyond", n_beyond=n_beyond, n=len(agreeing))
            if n_beyond
            else "",
            less=say("headline.agree.less", n_less=n_less) if n_less else "",
            baselines=_against_baselines(result, agreeing)
            + (
                say("headline.agree.emission") if not_better_than_emission(result, agreeing) else ""
            ),
            **named,
        )
    if n_less:
        anti = say("headline.less.anti_correlated", n_anti=n_anti, annotations=annotations)
        return say(
            "headline.less", n_less=n_less, n=n, anti_correlated=anti if n_anti else "", **named
        )
    if n_specific:
        return say("headline.specific", n_specific=n_specific, n=n, **named)
    if result.settings["alternative"] == Alternative.LESS:
        return say("headline.none_less", **named)
    return say("headline.none", n=n, **named)


def _metric_words(result: AgreementResult) -> str:
    """The metric that conclusions rest on, as it stands inside a sentence."""
    metric = result.metrics[0]
    intervals = [result.estimate(name, metric).interval for name in result.explanations]
    return weighted_label(in_sentence(METRICS[metric].label), intervals)


def _counted_maps(n: int, n_all: int) -> str:
    if n < n_all:
        return say("headline.maps.some", n=n, n_all=n_all)
    return say("headline.maps.one") if n == 1 else say("headline.maps.all", n=n)


def _against_baselines(result: AgreementResult, agreeing: Sequence[Estimate]) -> str:
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
        return say("headline.agree.better")
    if n_better:
        return say("headline.agree.some_better", n_better=n_better)
    better = _better_baselines(result, agreeing, "headline")
    if better:
        return say("headline.agree.worse", baselines=listed(better), n=len(better))
    return say("headline.agree.open")


def _opposite_classes(result: AgreementResult) -> str:
    """Name the maps that are high on the annotations of one class and low on those of another."""
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
        say(
            "headline.opposite",
            maps=names_of_maps(names)
            if len(names) <= MOST_NAMED
            else say("headline.opposite.several", n=len(names)),
            n=len(names),
            on=on,
            off=off,
        )
        for (on, off), names in alike.items()
    )


def _no_conclusion(result: AgreementResult, estimates: Sequence[Estimate], annotations: str) -> str:
    n_sources = max(estimate.interval.n_units for estimate in estimates)
    named = {"model": result.model_name, "annotations": annotations}
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


def _joint_headline(
    models: Sequence[ModelVerdict],
    annotations: str,
    metric: str,
    contrasts: ResultContrasts | None,
    alternative: Alternative,
) -> str:
    less = alternative is Alternative.LESS
    counts = []
    for model in models:
        findings = [statement.finding for statement in model.statements]
        n_less = findings.count(Finding.ANTI_CORRELATED) + findings.count(Finding.LESS)
        key = "none" if all(f is Finding.INCONCLUSIVE for f in findings) else "some"
        also_less = say("models.also_less", n_less=n_less) if n_less and not less else ""
        counts.append(
            say(
                f"models.count.{key}",
                model=model.model_name,
                n=n_less if less else findings.count(Finding.AGREES),
                n_all=len(findings),
                less=also_less,
            )
        )
    key = "less" if less else "agree"
    start = say(
        f"models.start.{key}", annotations=annotations, metric=metric, counts="; ".join(counts)
    )
    return f"{start} {difference_summary(contrasts)}" if contrasts is not None else start
