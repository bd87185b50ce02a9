"""What limits a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.agreement.intervals.over_sources import MIN_SOURCES
from attnxai.data.wording import counted
from attnxai.explanations.stack import Exposure

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet

FEW_ANNOTATORS = 3


def find_cautions(
    result: AgreementResult,
    annotations: AnnotationSet,
    notes: Sequence[str],
    *,
    copies_recognised: bool,
) -> list[str]:
    """What limits a verdict, each sentence only where it applies.

    Parameters
    ----------
    result : AgreementResult
        The results.
    annotations : AnnotationSet
        What the results are about.
    notes : sequence of str
        Further limits, in words.
    copies_recognised : bool
        Whether the model's record knows its training images by more than their ids.
    """
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
            f"The model was trained on {'this source' if n == 1 else f'all {n} sources'}. A model's own training images are no evidence "
            "about how it looks at galaxies."
        )
    elif group == Exposure.VALIDATION:
        cautions.append(
            f"The model was chosen by its results on {'this source' if n == 1 else f'these {n} sources'}."
        )
    elif group == Exposure.UNKNOWN:
        cautions.append(
            "It is not known whether the model was trained on this source; if it was, it is no evidence "
            "about how it looks at galaxies."
            if n == 1
            else "It is not known whether the model was trained on these sources; if it was, they are no "
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
                f"The verdict rests on the {counted(n, 'held-out source')}; {others} more that the model "
                f"was trained or chosen on {'is' if others == 1 else 'are'} reported apart."
            )
    if n < MIN_SOURCES:
        cautions.append(
            f"{counted(n, 'source is', 'sources are')} too few for confidence intervals, which need "
            f"{MIN_SOURCES}."
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
