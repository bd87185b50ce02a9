"""The statement on one map: its finding in a word and in a sentence, and the answers under it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.nulls import Alternative
from attnxai.report.answers import Answer, adjusted_words, answers_of
from attnxai.report.audit import audit_of_map
from attnxai.report.beyond_emission import is_beyond_emission, not_better_than_emission
from attnxai.report.findings import (
    ClassEffect,
    Finding,
    Side,
    better_baselines,
    class_effects,
    classes_differ,
    classes_on,
    finding_of,
    side_of_chance,
)
from attnxai.report.sentences.say import say
from attnxai.report.wording import capitalised, in_sentence, map_in_sentence, name_of_map
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult
    from attnxai.audit.evidence_location_result import EvidenceLocation


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


def statement_on(
    result: AgreementResult,
    estimate: Estimate,
    annotations: str,
    location: EvidenceLocation | None,
) -> Statement:
    """The statement on a map from its estimate over all sources; ``location`` is the first audit of its model."""
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
        audit=audit_of_map(location.of_map(estimate.explanation) if location else None),
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
    better = [say(f"headline.baseline.{k}") for k in better_baselines(result, [estimate])]
    text = say("lead.agrees.better", baselines=listed(better), n=len(better)) if better else ""
    if not_better_than_emission(result, [estimate]):
        text += say(
            "lead.agrees.emission", but=say(f"lead.agrees.emission.{'and' if text else 'but'}")
        )
    return text


def _badge(result: AgreementResult, estimate: Estimate, finding: Finding) -> str:
    badge = say("badge.not_shown") if finding is Finding.NOT_SHOWN else str(finding)
    if classes_differ(result, estimate):
        badge += say("badge.classes")
    if finding is Finding.AGREES and is_beyond_emission(result, estimate):
        badge += say("badge.beyond")
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
    off = [e.class_name for e in classes_on(result, estimate, Side.BELOW)]
    if not off:
        return ""
    on = [
        e.class_name
        for e in classes_on(result, estimate, Side.ABOVE)
        if e.p_adjusted is not None and e.p_adjusted <= SIGNIFICANCE_LEVEL
    ]
    where = say("exception.for", on=listed(on)) if on else say("exception.overall")
    return say("exception", where=where, off=listed(off))
