"""Which maps and sources are shown where not all can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnxai.explanations.stack import MEAN_LAYER
from attnxai.report.findings import Finding, finding_of

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult


def listed_maps(result: AgreementResult) -> list[str]:
    """All maps, with brightness at pixel scale and the centre bias for comparison."""
    return [*result.explanations, result.baselines[0], result.baselines[-1]]


def shown_explanation(result: AgreementResult) -> str:
    """Map that panels show first: the one of which the verdict speaks.

    Of the maps that agree, or else that another finding was made of, the one farthest from its null, in standard
    deviations; where nothing was found, the mean of the gates, or else the first map.
    """
    names = result.explanations
    estimates = [result.estimate(name, result.metrics[0]) for name in names]
    findings = [finding_of(estimate) for estimate in estimates]
    nothing = {Finding.NOT_SHOWN, Finding.INCONCLUSIVE}
    for wanted in ({Finding.AGREES}, set(Finding) - nothing):
        found = [e for e, finding in zip(estimates, findings, strict=True) if finding in wanted]
        if found:
            return max(
                found, key=lambda e: np.nan_to_num(abs(e.test.z)) if e.test else 0.0
            ).explanation
    return MEAN_LAYER if MEAN_LAYER in names else names[0]


def extreme_sources(result: AgreementResult, explanation: str, metric: str) -> dict[str, str]:
    """Sources with the highest, the median and the lowest value."""
    values = result.source_means(explanation, metric)
    members = np.array([group == result.verdict_group for group in result.splits])
    defined = np.flatnonzero(np.isfinite(values) & members)
    if defined.size == 0:
        return {"Only": result.sources[0]}
    ordered = defined[np.argsort(-values[defined], kind="stable")]
    ranks = {1: ("Only",), 2: ("Best", "Worst")}.get(len(ordered), ("Best", "Median", "Worst"))
    places = {"Only": 0, "Best": 0, "Median": len(ordered) // 2, "Worst": -1}
    return {rank: result.sources[ordered[places[rank]]] for rank in ranks}
