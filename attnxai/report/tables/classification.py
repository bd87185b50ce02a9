"""The table of a classifier's numbers, and that of two temperatures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.report.tables.table import Table, interval_column, text_column
from attnxai.statistics.formats import format_p, format_share, p_equals, with_interval

if TYPE_CHECKING:
    from attnxai.classification.metrics import ClassificationMetrics

_LABELS = {
    "accuracy": "Accuracy",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "expected_calibration_error": "Expected calibration error",
}


def metrics_table(metrics: ClassificationMetrics, *, digits: int | None = None) -> Table:
    """A row for every metric, with its interval."""
    names = [
        _LABELS[metric] + (f" {class_name}" if class_name != "all" else "")
        for metric, class_name in metrics.intervals
    ]
    values = interval_column("Value", list(metrics.intervals.values()), digits=digits)
    reference = metrics.calibrated
    return Table(
        columns=(text_column("Metric", names), values),
        title=f"{metrics.n_images} images, temperature {metrics.temperature:.3g}",
        note=f"A calibrated model with these confidences has an expected calibration error of "
        f"{reference.mean:.3f} on average, and below {reference.high:.3f} in {format_share(reference.level)} of "
        f"draws; {p_equals(reference.p_value)}",
    )


def temperatures_table(every: Sequence[ClassificationMetrics]) -> Table:
    """A column for each temperature: how well probabilities fit, and the accuracy, which stays."""
    rows = [
        "log loss",
        "Brier score",
        "calibration error",
        "  of a calibrated model",
        "  p, if calibrated",
        "accuracy",
    ]
    columns = [text_column("", rows)]
    for when, metrics in zip(("before", "after"), every, strict=True):
        reference = metrics.calibrated
        cells = [
            with_interval(metrics.log_loss),
            with_interval(metrics.brier_score),
            with_interval(metrics.expected_calibration_error),
            f"{reference.mean:.3f} ({format_share(reference.level)} below {reference.high:.3f})",
            format_p(reference.p_value),
            with_interval(metrics.accuracy),
        ]
        columns.append(text_column(f"{when} (T = {metrics.temperature:.2f})", cells))
    return Table(columns=tuple(columns))
