"""Rows of the figure that carries a result, and how they look."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.results import ALL, AgreementResult
from attnxai.report.style import BASELINE_COLOUR, MODEL_COLOURS

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BASELINE_MARKER = "d"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgreementRow:
    """One row of the figure."""

    text: str
    colour: str
    marker: str = ""
    estimate: Estimate | None = None
    model: int | None = None


def agreement_rows(
    results: Sequence[AgreementResult],
    metric: str,
    *,
    group: str | None = None,
    class_name: str = ALL,
) -> list[AgreementRow]:
    """Rows of the figure, from top to bottom.

    One model has no heading. Several have one each, and baselines stand once, at the end, where they are the
    same for all; see :func:`share_baselines`.
    """
    maps = dict.fromkeys(name for result in results for name in result.explanations)
    markers = {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(maps)}
    several = len(results) > 1
    shared = share_baselines(results, metric, group=group, class_name=class_name)

    def row(result: AgreementResult, name: str, colour: str, model: int | None) -> AgreementRow:
        estimate = result.estimate(name, metric, group=group, class_name=class_name)
        return AgreementRow(
            text=name,
            colour=BASELINE_COLOUR if estimate.is_baseline else colour,
            marker=markers.get(name, BASELINE_MARKER),
            estimate=estimate,
            model=model,
        )

    rows = []
    for index, result in enumerate(results):
        colour = MODEL_COLOURS[index % len(MODEL_COLOURS)]
        if several:
            rows.append(AgreementRow(text=result.model_name, colour=colour, model=index))
        names = result.explanations if shared else result.explanations + result.baselines
        rows += [row(result, name, colour, index) for name in names]
    if shared and results[0].baselines:
        if several:
            rows.append(AgreementRow(text="baselines", colour=BASELINE_COLOUR))
        rows += [row(results[0], name, BASELINE_COLOUR, None) for name in results[0].baselines]
    return rows


def share_baselines(
    results: Sequence[AgreementResult],
    metric: str,
    *,
    group: str | None = None,
    class_name: str = ALL,
) -> bool:
    """Whether all models have the same baselines, of the same values on the same sources."""

    def of(result: AgreementResult) -> tuple[object, np.ndarray]:
        members = members_of(result, group=group, class_name=class_name)
        values = result.values[result.metrics.index(metric), len(result.explanations) :]
        sources = tuple(result.sources[i] for i in members)
        return (result.baselines, result.annotators, sources), values[:, :, members]

    names, values = of(results[0])
    return all(
        other_names == names and np.allclose(other, values, equal_nan=True)
        for other_names, other in map(of, results[1:])
    )


def members_of(
    result: AgreementResult, *, group: str | None = None, class_name: str = ALL
) -> list[int]:
    """Positions of the sources of a group and class; those that conclusions rest on when left out."""
    wanted = group or result.verdict_group
    return [
        i
        for i, (splits, own) in enumerate(zip(result.splits, result.classes, strict=True))
        if wanted in (ALL, splits) and class_name in (ALL, own)
    ]


def noise_ceiling_range(
    result: AgreementResult, metric: str, *, group: str | None = None, class_name: str = ALL
) -> tuple[float, float] | None:
    """Lower and upper figure of the noise ceiling; None where these are not known."""
    ceiling = result.noise_ceiling(metric, group=group, class_name=class_name)
    if ceiling is None:
        return None
    low, high = sorted((ceiling.lower.value, ceiling.upper.value))
    return (low, high) if np.isfinite([low, high]).all() else None
