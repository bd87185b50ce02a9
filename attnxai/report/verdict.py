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
3. The interval of the difference to the baseline of a kind (brightness, emission, the centre bias) that agrees best, of all its
   resolutions, decides whether the map agrees worse; it agrees better if the intervals at every resolution lie above 0. The
   difference that decides is the one that is shown, and its resolution is named. Where a map agrees, but
   a baseline agrees better, the sentence in bold says so as well; of emission it also says where a
   map is not shown to agree better. A line says of every baseline what was found with all maps (:mod:`~.baselines`). Uniform emission agrees with marks because marks lie on emission; "beyond
   emission" is said by the rule of :mod:`~.beyond_emission`.
4. Another metric that leads to another conclusion on a map is named with its p-values.
5. Models differ where the interval of a paired difference excludes 0 and its p-value, adjusted over all pairs
   of models and maps, is 0.05 or below.
6. What the audit of where the evidence comes from found stands before all of this: in a line under the headline, and in
   front of the sentence on a map that fails it. The line after it warns where the tests are significant for 20 % or more
   of the maps paired with other sources of similar size.

Nothing is said that is stronger than the test behind it. Statements on single maps are in :mod:`~.statement`, headlines in
:mod:`~.headline` and :mod:`~.joint_headline`, the rules in :mod:`~.findings`, and the sentences in :mod:`~attnxai.report.sentences`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.report.audit import audit_line, audit_status
from attnxai.report.baselines import baselines_line
from attnxai.report.cautions import find_cautions, size_warning
from attnxai.report.contrasts import difference_sentences
from attnxai.report.headline import headline_of
from attnxai.report.joint_headline import joint_headline
from attnxai.report.sentences.say import say
from attnxai.report.statement import Statement, statement_on

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.of_results import ResultContrasts
    from attnxai.agreement.results import AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.audit.evidence_location_result import EvidenceLocation


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
    audit_status: str = ""  # passed, failed or unknown; empty without an audit
    warning: str = ""  # the line after it, where size alone makes the tests significant
    baselines: str = ""  # what the baselines are, and how all maps compare with them

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
    return Verdict(
        annotations=words,
        headline=joint_headline(results, words, contrasts)
        if len(results) > 1
        else models[0].headline,
        models=models,
        contrasts=tuple(difference_sentences(contrasts)) if contrasts is not None else (),
        audit=audit_line(locations),
        audit_status=audit_status(locations) if locations else "",
        warning=size_warning(results),
        baselines=baselines_line(results),
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
    return ModelVerdict(
        model_name=result.model_name,
        headline=headline_of(result, annotations),
        statements=tuple(
            statement_on(result, result.estimate(name, metric), annotations, location)
            for name in result.explanations
        ),
    )


def _words_for(annotations: AnnotationSet) -> str:
    if annotations.simulated:
        return say("annotations.simulated")
    if annotations.rule_annotators == annotations.annotators:
        return say("annotations.rule")
    return say(f"annotations.{'associations' if 'associations' in annotations.kind else 'any'}")
