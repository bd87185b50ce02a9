"""A classifier's numbers as a table and as a reliability diagram, before and after a new temperature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.classification.metrics import ClassificationMetrics
from attnxai.classification.reliability import ReliabilityCurve
from attnxai.report.style import (
    CHANCE_COLOUR,
    MM,
    SMALLEST_TEXT,
    TWO_COLUMNS,
    new_axes,
    new_figure,
    paper_style,
    write_figure,
)
from attnxai.report.tables.table import Table, interval_column, text_column, text_table
from attnxai.report.tables.text import render_terminal
from attnxai.statistics.formats import (
    decimals_of,
    decimals_of_half,
    format_number,
    format_p,
    format_share,
    format_value,
    p_equals,
    with_interval,
)
from attnxai.statistics.interval import Interval

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.classification.calibration import Recalibration

FIGURE_EXTENSIONS = (".png", ".pdf", ".svg")
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
    reference, (mean, high) = metrics.calibrated, metrics.calibrated_errors()
    return Table(
        columns=(text_column("Metric", names), values),
        title=f"{metrics.n_images} images, temperature {metrics.temperature:.3g}",
        note=f"A calibrated model with these confidences has an expected calibration error of "
        f"{mean} on average, and below {high} in {format_share(reference.level)} of "
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
    cells = {}
    for when, metrics in zip(("before", "after"), every, strict=True):
        reference, (mean, high) = metrics.calibrated, metrics.calibrated_errors()
        cells[f"{when} (T = {metrics.temperature:.2f})"] = [
            with_interval(metrics.log_loss),
            with_interval(metrics.brier_score),
            with_interval(metrics.expected_calibration_error),
            f"{mean} ({format_share(reference.level)} below {high})",
            format_p(reference.p_value),
            with_interval(metrics.accuracy),
        ]
    return text_table({"": rows} | cells, {})


_DARK = "#222222"
# Space for the counts under the lowest share that can be.
_STRIP = 0.16


def plot_reliability(shown: ClassificationMetrics | ReliabilityCurve, ax: Any = None) -> Any:
    """Draw a reliability diagram.

    Each bin is a point with its mean confidence and its accuracy, Wilson's interval as a vertical bar and the
    range of the bin's confidences as a horizontal one. The number of images is below each bin. The line is that
    of a calibrated model; points below it are overconfident, points above it underconfident. Metrics add the
    expected calibration error and that of a calibrated model.
    """
    ax = new_axes(ax)
    curve = shown if isinstance(shown, ReliabilityCurve) else shown.reliability
    chance = 1.0 / curve.n_classes
    floor = min(chance, float(curve.low.min())) - 0.02
    ax.plot([chance, 1.0], [chance, 1.0], color=CHANCE_COLOUR, lw=0.8, zorder=1)
    ax.hlines(curve.accuracy, curve.lowest, curve.highest, color=CHANCE_COLOUR, lw=0.8, zorder=2)
    ax.vlines(curve.confidence, curve.low, curve.high, color=_DARK, lw=1.1, zorder=3)
    ax.plot(curve.confidence, curve.accuracy, marker="o", ms=4.5, ls="", color=_DARK, zorder=4)
    height = 1.02 - floor
    bottom = floor - _STRIP * height
    positions = _spread(curve.confidence.tolist(), apart=0.055 * (1.04 - chance))
    counts_at = floor - 0.32 * _STRIP * height
    look = {"va": "top", "color": _DARK, "fontsize": SMALLEST_TEXT}
    for place, bin_at, count in zip(positions, curve.confidence, curve.n_images, strict=True):
        ends = [floor, floor - 0.25 * _STRIP * height]
        ax.plot([bin_at, place], ends, color=CHANCE_COLOUR, lw=0.6, clip_on=False)
        ax.text(place, counts_at, f"{count}", ha="center", **look)
    beside = ax.get_yaxis_transform()
    ax.text(-0.015, counts_at, "images", transform=beside, ha="right", **look)
    ax.set_xlim(chance - 0.02 * (1 - chance), 1.0 + 0.03 * (1 - chance))
    ax.set_ylim(bottom, 1.02)
    ax.set_yticks([tick for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0) if tick >= floor])
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("Confidence (probability of the predicted class)")
    ax.set_ylabel("Accuracy")
    if isinstance(shown, ClassificationMetrics):
        mean, high = shown.calibrated_errors()
        ax.set_title(
            f"Calibration error {format_value(shown.expected_calibration_error, 3)}\n"
            f"of a calibrated model {mean}, {format_share(shown.calibrated.level)} below {high}",
            loc="left",
        )
    return ax


def _spread(places: list[float], *, apart: float) -> list[float]:
    """Ascending places moved to the left, as little as it takes, until none are nearer than ``apart``."""
    moved = list(places)
    for index in range(len(moved) - 2, -1, -1):
        moved[index] = min(moved[index], moved[index + 1] - apart)
    return moved


def print_temperature(found: Recalibration, console: Console) -> None:
    """Print how well a model is calibrated before and after, and the temperature."""
    from rich.text import Text

    fit = found.fit
    console.print(render_terminal(temperatures_table((found.before, found.after))))
    interval = Interval(
        value=fit.temperature, low=fit.low, high=fit.high, n_units=fit.n_images, reference=1.0
    )
    # two as in the table, more where an end would read as 1
    decimals = max(2, decimals_of(interval) or 0)
    high = format_number(fit.high, decimals) if fit.high < float("inf") else "infinity"
    needed = (
        " These images do not show that scaling is needed: 1 lies in the interval."
        if fit.low <= 1.0 <= fit.high
        else ""
    )
    losses = (fit.log_loss_cross_validated, fit.log_loss_before, fit.gain, fit.gain_error)
    crossed, before, gain, error = (
        format_number(loss, decimals_of_half(fit.gain_error)) for loss in losses
    )
    sentence = (
        f"Temperature {format_number(fit.temperature, decimals)}, {format_share(fit.level)} interval "
        f"{format_number(fit.low, decimals)} to {high}.{needed} Log "
        f"loss with each image's temperature fitted to all others: {crossed}, against {before} with temperature 1 "
        f"(gain {gain}, standard error {error}). What the table says of after is measured on the images that the "
        "temperature was fitted to."
    )
    console.print(Text(sentence))


def draw_temperature(found: Recalibration, path: Path) -> None:
    """Draw reliability diagrams before and after into a file."""
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 84 * MM)
        for ax, metrics in zip(figure.subplots(1, 2), (found.before, found.after), strict=True):
            metrics.plot(ax=ax)
            ax.set_title(f"T = {metrics.temperature:.2f}\n{ax.get_title(loc='left')}", loc="left")
        write_figure(figure, path)
