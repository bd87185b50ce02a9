"""What limits a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.wording import counted
from attnxai.explanations.stack import Split
from attnxai.report.wording import strata_words
from attnxai.statistics.interval import MIN_UNITS

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet


def find_cautions(
    results: Sequence[AgreementResult],
    annotations: AnnotationSet,
    notes: Sequence[str],
    *,
    copies_recognised: Sequence[bool],
) -> list[str]:
    """What limits a verdict, each sentence only where it applies.

    Parameters
    ----------
    results : sequence of AgreementResult
        The results, one a model.
    annotations : AnnotationSet
        What they are about.
    notes : sequence of str
        Further limits, in words.
    copies_recognised : sequence of bool
        Whether each model's record knows its training images by more than their ids.
    """
    cautions = []
    if annotations.simulated:
        cautions.append(
            "Sources and annotators are simulated: this shows how the comparison works, not how a "
            "network looks at real galaxies."
        )
    cautions += _for_every_model(
        results,
        [
            _about_sources(result, recognised)
            for result, recognised in zip(results, copies_recognised, strict=True)
        ],
    )
    about = [_about_annotators(result) for result in results]
    if len(results) > 1:
        about = [
            [text.replace("this trained model", "each of these trained models") for text in own]
            for own in about
        ]
    cautions += _for_every_model(results, about)
    cautions += list(annotations.notices)
    cautions += list(notes)
    return list(dict.fromkeys(cautions))


def _for_every_model(
    results: Sequence[AgreementResult], sentences: Sequence[list[str]]
) -> list[str]:
    """Sentences once where all models have them, else with the name of the model."""
    found = []
    for result, own in zip(results, sentences, strict=True):
        for sentence in own:
            shared = all(sentence in others for others in sentences)
            found.append(sentence if shared else f"{result.model_name}: {sentence}")
    return list(dict.fromkeys(found))


def _about_sources(result: AgreementResult, copies_recognised: bool) -> list[str]:
    cautions = []
    group = result.verdict_group
    n = sum(g == group for g in result.splits)
    if group == Split.TRAINING:
        cautions.append(
            f"The model was trained on {'this source' if n == 1 else f'all {n} sources'}. A model's own training images are no evidence "
            "about how it looks at galaxies."
        )
    elif group == Split.VALIDATION:
        cautions.append(
            f"The model was chosen by its results on {'this source' if n == 1 else f'these {n} sources'}."
        )
    elif group == Split.UNKNOWN:
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
        others = len(result.splits) - n
        if others:
            cautions.append(
                f"The verdict rests on the {counted(n, 'held-out source')}; {others} more that the model "
                f"was trained or chosen on {'is' if others == 1 else 'are'} reported apart."
            )
    if n < MIN_UNITS:
        cautions.append(
            f"{counted(n, 'source is', 'sources are')} too few for confidence intervals, which need "
            f"{MIN_UNITS}."
        )
    cautions += _about_strata(result)
    classes = {
        name for name, own in zip(result.classes, result.splits, strict=True) if own == group
    }
    if len(classes - {None}) > 1 and "class" not in result.settings["strata"]:
        cautions.append(
            "Sources of different classes are exchanged for one another: what maps and annotations of a class "
            "share counts as agreement here. Add --strata class to hold the class fixed."
        )
    return cautions


def _about_strata(result: AgreementResult) -> list[str]:
    """Sources that no other can be exchanged for."""
    strata = [
        stratum
        for stratum, group in zip(result.strata, result.splits, strict=True)
        if group == result.verdict_group
    ]
    alone = sum(n == 1 for n in Counter(strata).values())
    if not alone or set(strata) == {None} or len(strata) == 1:
        return []
    shares = strata_words(result.settings["strata"])
    return [
        (
            f"{counted(alone, 'source is', 'sources are')} the only one of {'its' if alone == 1 else 'their'} "
            f"{shares}, and keep{'s' if alone == 1 else ''} {'its' if alone == 1 else 'their'} own annotation in "
            "every exchange."
        )
    ]


def _about_annotators(result: AgreementResult) -> list[str]:
    if len(result.annotators) == 1:
        return [
            "There is one annotator, so nothing is said about people in general.",
            result.generalises_to,
        ]
    sentences = [
        result.generalises_to,
        (
            "P-values of exchanged sources are about these annotators' marks; it is the intervals that allow for "
            "other annotators."
        ),
    ]
    members = [group == result.verdict_group for group in result.splits]
    marked = np.isfinite(result.values[..., members]).any(axis=(0, 1))
    if len(np.unique(marked, axis=1).T) > 1 and ("annotators" not in result.settings["strata"]):
        sentences.append(
            "Not every annotator marked every source. Exchanging sources is right if who marked which does not "
            "depend on the sources; if it may, --strata annotators exchanges only those that the same people "
            "marked."
        )
    return sentences
