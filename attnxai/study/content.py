"""Everything that the pages and files of a study are made of, and what limits it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted
from attnxai.study.hypotheses import Hypothesis, evaluate_hypotheses
from attnxai.study.matching import Equal, Match, stated
from attnxai.study.measurement import MeasureOn, StudyRun
from attnxai.study.quantities import AGREEMENT_LABELS
from attnxai.study.statistics import MIN_SEEDS
from attnxai.study.summary import StudySummary, summarise

if TYPE_CHECKING:
    from attnxai.study.run import PreparedStudy

# Ratios further from 1 than this are worth a sentence.
_UNEQUAL = 0.1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What a reader has to know of the images and annotations.

    Parameters
    ----------
    name, citation, licence : str
        Of the data set.
    sha256 : str
        Hash of the images that were trained and validated on.
    class_names : tuple of str
        Classes.
    n_train, n_validation, n_test : int
        Images that each model is trained on, validated on, and that belong to the test part.
    n_held_out : int
        Images that were asked to be held out.
    fixed_validation : bool
        Whether all models are validated on the same images; else every seed draws its own.
    annotations : str
        What the annotations are, in words; empty without any.
    n_annotators : int
        Who marked.
    """

    name: str
    citation: str
    licence: str
    sha256: str
    class_names: tuple[str, ...]
    n_train: int
    n_validation: int
    n_test: int
    n_held_out: int = 0
    fixed_validation: bool = False
    annotations: str = ""
    n_annotators: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyContent:
    """A finished study.

    Parameters
    ----------
    summary : StudySummary
        Its numbers.
    hypotheses : tuple of Hypothesis
        What they say of each hypothesis, in words.
    cautions : tuple of str
        What limits them.
    runs : tuple of StudyRun
        What they were computed from, by group and seed.
    matches : mapping of str to Match
        Network of every group.
    equal : Equal
        What is equal between groups.
    measure_on : MeasureOn
        Images that models were measured on.
    facts : DataFacts
        The images and annotations.
    plan : mapping
        The plan, as plain values.
    command : str
        The command as it was given.
    """

    summary: StudySummary
    hypotheses: tuple[Hypothesis, ...]
    cautions: tuple[str, ...]
    runs: tuple[StudyRun, ...]
    matches: Mapping[str, Match]
    equal: Equal
    measure_on: MeasureOn
    facts: DataFacts
    plan: Mapping[str, Any]
    command: str

    __repr__ = short_repr


def study_content(
    runs: Sequence[StudyRun],
    *,
    matches: Mapping[str, Match],
    equal: Equal,
    measure_on: MeasureOn,
    facts: DataFacts,
    baseline: str,
    reference_loss: float | None = None,
    plan: Mapping[str, Any] | None = None,
    command: str = "",
) -> StudyContent:
    """Summarise runs and put them into words.

    Parameters
    ----------
    runs : sequence of StudyRun
        One for every group and seed.
    matches, equal, measure_on, facts, plan, command
        See :class:`StudyContent`.
    baseline : str
        Group that others are compared with.
    reference_loss : float, optional
        Derived from the baseline when left out.
    """
    summary = summarise(
        runs, class_names=facts.class_names, baseline=baseline, reference_loss=reference_loss
    )
    return StudyContent(
        summary=summary,
        hypotheses=evaluate_hypotheses(summary),
        cautions=tuple(find_cautions(summary, matches, equal, measure_on, facts)),
        runs=tuple(sorted(runs, key=lambda run: (summary.groups.index(run.group), run.seed))),
        matches=matches,
        equal=equal,
        measure_on=measure_on,
        facts=facts,
        plan=dict(plan or {}),
        command=command,
    )


def content_of(prepared: PreparedStudy, runs: Sequence[StudyRun], *, command: str) -> StudyContent:
    """Summarise the finished runs of a plan.

    Parameters
    ----------
    prepared : PreparedStudy
        The plan and its inputs.
    runs : sequence of StudyRun
        What came of it.
    command : str
        The command as it was given.
    """
    plan, data = prepared.plan, prepared.data
    first = runs[0].history[0]
    annotated = prepared.annotated
    facts = DataFacts(
        name=data.labelled.name,
        citation=data.labelled.citation,
        licence=data.labelled.licence,
        sha256=data.trained_on.sha256(),
        class_names=data.labelled.class_names,
        n_train=first.images_seen,
        n_validation=len(data.trained_on) - first.images_seen,
        n_test=len(data.test),
        n_held_out=data.n_held_out,
        fixed_validation=any(image.split == "validation" for image in data.trained_on),
        annotations=annotated.annotations.kind if annotated is not None else "",
        n_annotators=len(annotated.annotations.annotators) if annotated is not None else 0,
    )
    return study_content(
        runs,
        matches=plan.matches,
        equal=plan.equal,
        measure_on=plan.measuring.measure_on,
        facts=facts,
        baseline=plan.baseline,
        reference_loss=plan.reference_loss,
        plan=plan.to_dict(),
        command=command,
    )


def find_cautions(
    summary: StudySummary,
    matches: Mapping[str, Match],
    equal: Equal,
    measure_on: MeasureOn,
    facts: DataFacts,
) -> list[str]:
    """What limits the conclusions, each sentence only where it applies.

    Parameters
    ----------
    summary : StudySummary
        The numbers.
    matches, equal, measure_on, facts
        See :class:`StudyContent`.
    """
    n_seeds = len(summary.seeds)
    drawn = (
        "first weights and orders and changes of the images"
        if facts.fixed_validation
        else "first weights, orders and changes of the images, and choices of validation images"
    )
    found = [
        (
            f"Numbers are over {counted(n_seeds, 'seed')} a group, so intervals and tests "
            f"speak of training runs: of other {drawn}, among the same "
            f"{facts.n_train + facts.n_validation} images of {facts.name}. They do not cover other sources, "
            "surveys or settings of the training."
        )
    ]
    if n_seeds < MIN_SEEDS:
        found.append(
            f"{counted(n_seeds, 'seed is', 'seeds are')} too few for intervals and tests of "
            f"differences, which need {MIN_SEEDS}."
        )
    if measure_on is MeasureOn.VALIDATION:
        found.append(
            f"Performance and consistency are measured on the "
            f"{counted(facts.n_validation, 'validation image')}, which also chose the epoch that is kept: numbers are a little too good, for every group "
            "alike."
        )
    else:
        found.append(
            f"Performance and consistency are measured on the same {counted(facts.n_test, 'test image')} "
            "for every run; how other test images would differ is not in the intervals."
        )
    found += _about_agreement(summary, facts)
    found.append(_about_equality(summary, matches, equal))
    found.append(
        "P-values of differences are adjusted over the groups and those of trends over the two series, "
        "one quantity at a time; the three hypotheses are not adjusted for each other."
    )
    return found


def _about_agreement(summary: StudySummary, facts: DataFacts) -> list[str]:
    n_sources = len(summary.sources.get(next(iter(AGREEMENT_LABELS)), ()))
    if not facts.annotations:
        return []
    n_left = sum(summary.left_out.values())
    reasons = "; ".join(f"{n}: {reason}" for reason, n in summary.left_out.items() if n)
    some = counted(n_left, "annotated source is", "annotated sources are")
    left_out = f"; {some} left out ({reasons})" if n_left else ""
    annotators = counted(facts.n_annotators, "annotator")
    they = "It and its annotations" if n_sources == 1 else "They and their annotations"
    return [
        (
            f"Agreement is measured on {counted(n_sources, 'annotated source')} that no model was trained "
            f"or validated on{left_out}. {they} ({facts.annotations}, {annotators}) are taken as given: the "
            "intervals do not cover other sources or annotators."
        )
    ]


def _about_equality(summary: StudySummary, matches: Mapping[str, Match], equal: Equal) -> str:
    unequal = [
        f"{name} has {match.ratio:.2f} times those of {summary.baseline}"
        for name, match in matches.items()
        if abs(match.ratio - 1) > _UNEQUAL
    ]
    but = f", as far as whole fields allow: {'; '.join(unequal)}" if unequal else ""
    return (
        f"What is equal between groups is the {stated(equal)}{but}. Other choices of what is equal can "
        "give other results; the table states channels, parameters and operations."
    )


def settings_in_words(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings of a training as a reader meets them: words for names, on and off, short numbers.

    Parameters
    ----------
    settings : mapping
        Names and plain values.

    Examples
    --------
    >>> settings_in_words({"rotate": True, "learning_rate": 0.0001})
    {'rotate': 'on', 'learning rate': '0.0001'}
    """
    return {name.replace("_", " "): _in_words(value) for name, value in settings.items()}


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
