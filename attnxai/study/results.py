"""The result of a study: its numbers, what they say of the hypotheses, and what limits it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai import presenters
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted
from attnxai.study.hypotheses import Hypothesis, evaluate_hypotheses
from attnxai.study.matching import stated
from attnxai.study.measurement import MeasureOn, StudyRun, of_too_few_sources
from attnxai.study.quantities import PRIMARY_MAP, agreement_of
from attnxai.study.statistics import MIN_SEEDS
from attnxai.study.summary import StudySummary, summarise

if TYPE_CHECKING:
    from attnxai.study.plan import StudyPlan

# Ratios further from 1 than this are worth a sentence.
_UNEQUAL = 0.1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """Facts about the images and annotations, for readers.

    ``n_train``, ``n_validation`` and ``n_test`` are the images that each model is trained on, validated on,
    and that belong to the test part. With ``fixed_validation`` all models are validated on the same images;
    else every seed draws its own. ``annotations`` says what they are, and is empty where there are none.
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
class StudyResult:
    """A finished study.

    Parameters
    ----------
    plan : StudyPlan
        Its plan.
    runs : tuple of StudyRun
        What was measured, by group and seed.
    facts : DataFacts
        The images and annotations.
    summary : StudySummary
        The numbers.
    hypotheses : tuple of Hypothesis
        What the numbers say of each hypothesis.
    cautions : tuple of str
        What limits the conclusions.
    command : str
        The command as it was given.

    Examples
    --------
    >>> import attnxai
    >>> result = attnxai.study.run_study(prepared)  # doctest: +SKIP
    >>> result.write_report("report")  # doctest: +SKIP
    """

    plan: StudyPlan
    runs: tuple[StudyRun, ...]
    facts: DataFacts
    summary: StudySummary
    hypotheses: tuple[Hypothesis, ...]
    cautions: tuple[str, ...]
    command: str = ""

    __repr__ = short_repr
    _repr_html_ = presenters.repr_html

    write_report = presenters.write_report

    @classmethod
    def of(
        cls, plan: StudyPlan, runs: Sequence[StudyRun], facts: DataFacts, *, command: str = ""
    ) -> StudyResult:
        """Summarise the runs of a plan.

        Parameters
        ----------
        plan : StudyPlan
            The plan.
        runs : sequence of StudyRun
            One for every group and seed.
        facts : DataFacts
            The images and annotations.
        command : str
            The command as it was given.
        """
        summary = summarise(
            runs,
            class_names=facts.class_names,
            baseline=plan.baseline,
            reference_loss=plan.reference_loss,
        )
        return cls(
            plan=plan,
            runs=tuple(sorted(runs, key=lambda run: (summary.groups.index(run.group), run.seed))),
            facts=facts,
            summary=summary,
            hypotheses=evaluate_hypotheses(summary),
            cautions=tuple(find_cautions(summary, plan, facts)),
            command=command,
        )


def find_cautions(summary: StudySummary, plan: StudyPlan, facts: DataFacts) -> list[str]:
    """What limits the conclusions, each sentence only where it applies."""
    n_seeds = len(summary.seeds)
    drawn = (
        "initial weights, orders and augmentations of the images"
        if facts.fixed_validation
        else "initial weights, orders and augmentations of the images, and validation images"
    )
    found = [
        (
            f"Numbers are over {counted(n_seeds, 'seed')} per group, so intervals and tests are "
            f"about other training runs on the same {facts.n_train + facts.n_validation} images of {facts.name}, "
            f"with other {drawn}. They do not cover other sources, "
            "surveys or settings of the training."
        )
    ]
    if n_seeds < MIN_SEEDS:
        found.append(
            f"{counted(n_seeds, 'seed is', 'seeds are')} too few for intervals and tests of "
            f"differences, which need {MIN_SEEDS}."
        )
    if plan.measuring.measure_on is MeasureOn.VALIDATION:
        found.append(
            f"Performance and consistency are measured on the "
            f"{counted(facts.n_validation, 'validation image')}, which also chose the epoch that is kept: numbers are slightly too good, equally for "
            "every group."
        )
    else:
        found.append(
            f"Performance and consistency are measured on the same {counted(facts.n_test, 'test image')} "
            "for every run; the intervals do not cover the choice of test images."
        )
    found += _about_agreement(summary, facts)
    found.append(_about_equality(plan))
    found.append(
        "P-values of differences are adjusted over the groups and those of trends over the two series, "
        "one quantity at a time; the three hypotheses are not adjusted for each other."
    )
    return found


def _about_agreement(summary: StudySummary, facts: DataFacts) -> list[str]:
    whole, within = (agreement_of(one, PRIMARY_MAP).name for one in ("nss", "nss_within"))
    n_sources = len(summary.sources.get(whole, ()))
    if not facts.annotations:
        return []
    n_left = sum(summary.left_out.values())
    reasons = "; ".join(f"{n}: {reason}" for reason, n in summary.left_out.items() if n)
    some = counted(n_left, "annotated source is", "annotated sources are")
    left_out = f"; {some} left out ({reasons})" if n_left else ""
    annotators = counted(facts.n_annotators, "annotator")
    they = "It and its annotations" if n_sources == 1 else "They and their annotations"
    found = [
        (
            f"Agreement is measured on {counted(n_sources, 'annotated source')} that no model was trained "
            f"or validated on{left_out}. {they} ({facts.annotations}, {annotators}) are taken as given: the "
            "intervals do not cover other sources or annotators."
        )
    ]
    if within in summary.sources:
        found.append(
            "A map on emission agrees with marks for that reason alone, since marks lie on emission. Agreement within "
            "emission is over the pixels of each source's own emission, on "
            f"{counted(len(summary.sources[within]), 'source')}."
        )
    too_few = of_too_few_sources(summary.sources)
    fewer = [
        f"{agreement_of(measure, map_name).label}: {len(sources)}{', too few for a mean' if name in too_few else ''}"
        for name, sources in summary.sources.items()
        for measure, _, map_name in [name.partition(":")]
        if len(sources) < len(summary.sources.get(f"{measure}:{PRIMARY_MAP}", ()))
    ]
    if fewer:
        found.append(
            "Each mean is over the sources for which the map is defined in every network. A map that is the same everywhere, "
            f"or on the source's emission, is not, so some means are over fewer sources: {'; '.join(fewer)}."
        )
    return found


def _about_equality(plan: StudyPlan) -> str:
    unequal = [
        f"{name} has {match.ratio:.2f} times those of {plan.baseline}"
        for name, match in plan.matches.items()
        if abs(match.ratio - 1) > _UNEQUAL
    ]
    but = f", as far as whole fields allow: {'; '.join(unequal)}" if unequal else ""
    return (
        f"Groups are equal in the {stated(plan.equal)}{but}. If they are made equal in something else, the "
        "results can differ; the table states channels, parameters and operations."
    )
