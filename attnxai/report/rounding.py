"""Decimals that values of a report have together, so that headline, table and terminal round them alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.report.findings import brightness_names, deciding_baseline
from attnxai.statistics.formats import decimals_together

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult


def value_decimals(
    results: Sequence[AgreementResult], metric: str | None = None
) -> dict[tuple[str, str], int]:
    """Decimals of a metric, the first unless told otherwise, for every model and its maps and baselines.

    They are of the sources that conclusions rest on, by :func:`~attnxai.statistics.formats.decimals_together`.
    """
    metric = metric or results[0].metrics[0]
    keys = [(r.model_name, name) for r in results for name in (*r.explanations, *r.baselines)]
    of_model = {result.model_name: result for result in results}
    intervals = [of_model[model].estimate(name, metric).interval for model, name in keys]
    return dict(zip(keys, decimals_together(intervals), strict=True))


def difference_decimals(result: AgreementResult, metric: str) -> dict[str, int]:
    """Decimals of the difference of every map from brightness, as :func:`value_decimals` has those of values."""
    estimates = [result.estimate(name, metric) for name in result.explanations]
    names = brightness_names(result)
    differences = [e.differences[deciding_baseline(e, names)] for e in estimates]
    return dict(zip(result.explanations, decimals_together(differences), strict=True))


def source_decimals(results: Sequence[AgreementResult], metric: str) -> int:
    """Decimals of the values of single sources: the fewest of the means of maps over sources."""
    found = value_decimals(results, metric)
    return min(found[result.model_name, name] for result in results for name in result.explanations)
