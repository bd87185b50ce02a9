"""What is shown where not everything can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult


def listed_maps(result: AgreementResult) -> list[str]:
    """All maps, with brightness at pixel scale and the centre bias for comparison."""
    return [*result.explanations, result.baselines[0], result.baselines[-1]]


def shown_explanation(result: AgreementResult) -> str:
    """Map that panels show: the mean of the gates where there is one, as in the papers."""
    return result.explanations[-1]


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
