"""The reliability diagram: share of right predictions against confidence, bin by bin."""

from __future__ import annotations

from typing import Any

from attnxai.classification.metrics import ClassificationMetrics
from attnxai.classification.reliability import ReliabilityCurve
from attnxai.report.plots.axes import new_axes

_DARK = "#222222"
_PALE = "#999999"
# Space for the counts under the lowest share that can be.
_STRIP = 0.16


def plot_reliability(shown: ClassificationMetrics | ReliabilityCurve, ax: Any = None) -> Any:
    """Draw a reliability diagram.

    A point a bin: its mean confidence and its share of right predictions, with Wilson's interval upright
    and the range of the bin's confidences across. The number of images stands below each bin. The line is
    what a calibrated model follows; points below it are too sure, points above it not sure enough. Metrics
    add the expected calibration error beside that of a calibrated model.
    """
    ax = new_axes(ax)
    curve = shown if isinstance(shown, ReliabilityCurve) else shown.reliability
    chance = 1.0 / curve.n_classes
    floor = min(chance, float(curve.low.min())) - 0.02
    ax.plot([chance, 1.0], [chance, 1.0], color=_PALE, lw=0.8, zorder=1)
    ax.hlines(curve.accuracy, curve.lowest, curve.highest, color=_PALE, lw=0.8, zorder=2)
    ax.vlines(curve.confidence, curve.low, curve.high, color=_DARK, lw=1.1, zorder=3)
    ax.plot(curve.confidence, curve.accuracy, marker="o", ms=4.5, ls="", color=_DARK, zorder=4)
    height = 1.02 - floor
    bottom = floor - _STRIP * height
    positions = _spread(curve.confidence.tolist(), apart=0.055 * (1.04 - chance))
    for place, bin_at, count in zip(positions, curve.confidence, curve.n_images, strict=True):
        ax.plot(
            [bin_at, place],
            [floor, floor - 0.25 * _STRIP * height],
            color=_PALE,
            lw=0.6,
            clip_on=False,
        )
        ax.text(
            place,
            floor - 0.32 * _STRIP * height,
            f"{count}",
            ha="center",
            va="top",
            color=_DARK,
            fontsize="small",
        )
    ax.text(
        -0.015,
        floor - 0.32 * _STRIP * height,
        "images",
        transform=ax.get_yaxis_transform(),
        ha="right",
        va="top",
        color=_DARK,
        fontsize="small",
    )
    ax.set_xlim(chance - 0.02 * (1 - chance), 1.0 + 0.03 * (1 - chance))
    ax.set_ylim(bottom, 1.02)
    ax.set_yticks([tick for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0) if tick >= floor])
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("Confidence (probability of the predicted class)")
    ax.set_ylabel("Share of right predictions")
    if isinstance(shown, ClassificationMetrics):
        error, reference = shown.expected_calibration_error, shown.calibrated
        ax.set_title(
            f"Calibration error {error.value:.3f}\n"
            f"of a calibrated model {reference.mean:.3f}, {100 * reference.level:.0f} % below "
            f"{reference.high:.3f}",
            loc="left",
            fontsize="small",
        )
    return ax


def _spread(places: list[float], *, apart: float) -> list[float]:
    """Ascending places moved to the left, as little as it takes, until none are nearer than ``apart``."""
    moved = list(places)
    for index in range(len(moved) - 2, -1, -1):
        moved[index] = min(moved[index], moved[index + 1] - apart)
    return moved
