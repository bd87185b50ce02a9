"""The headline of several models: which of them agree, and whether they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.data.wording import listed
from attnxai.nulls import Alternative
from attnxai.report.contrasts import MOST_BREVITY, difference_summary
from attnxai.report.findings import Finding, better_baselines, finding_of
from attnxai.report.headline import estimates_of, no_conclusion, numbers_of
from attnxai.report.rounding import value_decimals
from attnxai.report.sentences.say import say
from attnxai.report.wording import capitalised, map_in_sentence

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.model_comparison.of_results import ResultContrasts
    from attnxai.agreement.results import AgreementResult

MOST_WORDS = 75
MOST_MODELS = 4
"""Models that the headline names; of more it gives the number."""


def joint_headline(
    results: Sequence[AgreementResult], annotations: str, contrasts: ResultContrasts | None
) -> str:
    """What is found of several models, in two sentences at most.

    The first says how many maps of each model agree, with the numbers of the map that agrees best; the second how many
    differences between models are shown, with the largest of them, and whether brightness agrees better than all maps.
    They are shortened, as :func:`~attnxai.report.contrasts.difference_summary` says, where they would have more than
    ``MOST_WORDS``.
    """
    for brevity in range(MOST_BREVITY + 1):
        found = _joint_headline(results, annotations, contrasts, brevity=brevity)
        words = found
        for result in results:  # a name with blanks counts as a word
            words = words.replace(result.model_name, "model")
        if len(words.split()) <= MOST_WORDS:
            break
    return found


def _joint_headline(
    results: Sequence[AgreementResult],
    annotations: str,
    contrasts: ResultContrasts | None,
    *,
    brevity: int,
) -> str:
    less = results[0].settings["alternative"] == Alternative.LESS
    wanted = {Finding.ANTI_CORRELATED, Finding.LESS} if less else {Finding.AGREES}
    found = [[e for e in estimates_of(result) if finding_of(e) in wanted] for result in results]
    first = _which(results, found, annotations, less=less, smallest=not brevity)
    clauses = []
    if contrasts is not None:
        clauses.append(difference_summary(contrasts, brevity=brevity))
    agreeing = [(r, own) for r, own in zip(results, found, strict=True) if own]
    if not less and agreeing and all("brightness" in better_baselines(*pair) for pair in agreeing):
        clauses.append(say("models.brightness", n=sum(map(len, found))))
    return f"{first} {capitalised('; '.join(clauses))}." if clauses else first


def _which(
    results: Sequence[AgreementResult],
    found: Sequence[list[Estimate]],
    annotations: str,
    *,
    less: bool,
    smallest: bool,
) -> str:
    """How many maps of which models are found, with the numbers of one."""
    groups: dict[tuple[str, int, int], list[str]] = {}
    for result, own in zip(results, found, strict=True):
        every = estimates_of(result)
        n, n_all = len(own), len(every)
        if all(finding_of(e) is Finding.INCONCLUSIVE for e in every):
            key = ("unknown", 0, 0)
        elif n in (0, n_all):
            key = ("all" if n else "none", 0, 0)
        else:
            key = ("some", n, n_all)
        groups.setdefault(key, []).append(result.model_name)
    counted = [key for key in groups if key[0] == "some"]
    if len(counted) > 1:  # numbers of maps that differ would take more words than they tell
        groups["few", 0, 0] = [name for key in counted for name in groups.pop(key)]
    named = {
        key: say("models.every", n=len(models))
        if len(models) == len(results) > 2
        else listed(models)
        if len(results) <= MOST_MODELS
        else say("models.number", n=len(models))
        for key, models in groups.items()
    }
    open_ = named.pop(("unknown", 0, 0), None)
    ordered = sorted(named, key=lambda key: ("all", "some", "few", "none").index(key[0]))
    parts = [
        say(
            f"models.which.{key[0]}",
            models=named[key],
            n=key[1],
            n_all=key[2],
            each=say("models.which.each") if len(groups[key]) > 1 else "",
        )
        for key in ordered
    ]
    unknown = say("models.unknown", models=open_) if open_ else ""
    if not parts:
        reasons = {no_conclusion(result, open_ or "", annotations) for result in results}
        if len(reasons) == 1:
            return reasons.pop()
        return say("models.all_unknown", models=open_, annotations=annotations)
    side = "less" if less else "agree"
    none = ordered[0][0] == "none"
    fields = {
        "models": named[ordered[0]] if none else capitalised(listed(parts)),
        "annotations": annotations,
        "evidence": _evidence(results, found, less=less, smallest=smallest),
        "less": "" if less else _also_less(results),
        "unknown": unknown,
    }
    if none:
        return say(f"models.none.{side}", **fields)
    if not less and {key[0] for key in ordered} == {"all"}:
        return say("models.found.all", **fields)
    return say(f"models.found.{side}", **fields)


def _evidence(
    results: Sequence[AgreementResult],
    found: Sequence[list[Estimate]],
    *,
    less: bool,
    smallest: bool,
) -> str:
    """The numbers of the map that agrees best, or least where that was tested; of those found if there are any."""
    pairs = [(r, e) for r, own in zip(results, found, strict=True) for e in own]
    pairs = pairs or [(r, e) for r in results for e in estimates_of(r)]
    tested = [(r, e) for r, e in pairs if e.test is not None and e.p_adjusted is not None]
    if not tested:
        return ""
    sign = -1 if less else 1
    result, best = max(tested, key=lambda pair: sign * pair[1].interval.value)
    which = say(
        f"models.evidence.{'lowest' if less else 'highest'}",
        map=map_in_sentence(best.explanation),
        model=result.model_name,
    )
    decimals = value_decimals(results)[result.model_name, best.explanation]
    return numbers_of(result, best, which, decimals, smallest=smallest)


def _also_less(results: Sequence[AgreementResult]) -> str:
    findings = [finding_of(e) for result in results for e in estimates_of(result)]
    n = findings.count(Finding.ANTI_CORRELATED) + findings.count(Finding.LESS)
    return say("models.also_less", n=n) if n else ""
