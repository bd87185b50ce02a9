"""The tables of a comparison, and of inter-annotator agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.agreement.noise_ceiling.marks import QUANTITIES
from attnxai.metrics import METRICS
from attnxai.report.tables.table import (
    Table,
    count_column,
    interval_column,
    number_column,
    p_value_column,
    sources_columns,
    text_column,
    weighted_heading,
)
from attnxai.report.wording import label_of_map
from attnxai.statistics.formats import format_compared, p_equals, with_interval

if TYPE_CHECKING:
    from attnxai.agreement.noise_ceiling.annotators import AnnotatorAgreement
    from attnxai.agreement.results import AgreementResult


def agreement_table(
    result: AgreementResult,
    metric: str | None = None,
    *,
    group: str | None = None,
    class_name: str = "all",
    digits: int | None = None,
) -> Table:
    """A row for every map and baseline.

    Columns are the mean over sources and its interval; the mean under the null and the p-value, of the
    permutation within strata where there is one and of the pooled one otherwise, never of both in one
    column; the p-value adjusted over the maps, where there is one; the number of sources, and the effective
    number of weighted ones.
    """
    metric = result.metrics[0] if metric is None else metric
    names = result.explanations + result.baselines
    estimates = [
        result.estimate(name, metric, group=group, class_name=class_name) for name in names
    ]
    within = any(estimate.within_strata is not None for estimate in estimates)
    tests = [estimate.within_strata if within else estimate.pooled for estimate in estimates]
    adjusted = [estimate.p_adjusted for estimate in estimates]
    intervals = [estimate.interval for estimate in estimates]
    label = METRICS[metric].label if metric in METRICS else metric
    values = interval_column(f"{label}{weighted_heading(intervals)}", intervals, digits=digits)
    columns = [text_column("Map", [label_of_map(name) for name in names]), values]
    if any(test is not None for test in tests):
        means = [test.mean if test else None for test in tests]
        columns += [
            number_column("Null mean", means, values.decimals),
            p_value_column(
                "p within strata" if within else "p pooled",
                [test.p_value if test else None for test in tests],
            ),
        ]
    if any(p_value is not None for p_value in adjusted):
        columns.append(p_value_column("p adjusted", adjusted))
    columns += sources_columns(intervals)
    return Table(columns=tuple(columns), rules=(len(result.explanations),))


def annotators_table(agreement: AnnotatorAgreement, *, digits: int | None = None) -> Table:
    """A row for every number that describes what was marked."""
    entries = agreement.reliabilities
    overlap = agreement.overlap
    return Table(
        columns=(
            text_column("Marked", [QUANTITIES[entry.quantity] for entry in entries]),
            interval_column("Krippendorff's α", [entry.alpha for entry in entries], digits=digits),
            interval_column("ICC2", [entry.icc for entry in entries], digits=digits),
            count_column("Sources", [entry.alpha.n_units for entry in entries]),
        ),
        title="Inter-annotator agreement about each source",
        note=(
            f"Mean {METRICS[overlap.measure].label} of the regions of two annotators: "
            f"{with_interval(overlap.observed)}, against {format_compared(overlap.chance, overlap.observed)} for regions of different "
            f"sources ({p_equals(overlap.p_value)})."
        ),
    )
