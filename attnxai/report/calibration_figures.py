"""The figures of a calibration, each as PNG and PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.agreement.metrics import METRICS
from attnxai.report.figures import FigureText
from attnxai.report.plots.validation import (
    VERDICT_STYLES,
    plot_coverage,
    plot_levels,
    plot_power,
)
from attnxai.report.style import MM, TWO_COLUMNS, new_figure, paper_style, save_figure
from attnxai.validation.coverage import Values
from attnxai.validation.rejections import METRIC_NAMES

if TYPE_CHECKING:
    from attnxai.validation.results import CalibrationResult

_LABEL = METRICS[METRIC_NAMES[0]].label


def draw_levels(result: CalibrationResult, folder: Path) -> FigureText | None:
    """Draw how often nulls reject without agreement, a panel for each scene."""
    if not result.levels:
        return None
    scenes = list(dict.fromkeys(cell.scene for cell in result.levels))
    nulls = list(dict.fromkeys(cell.null for cell in result.levels))
    numbers = list(dict.fromkeys(cell.n_sources for cell in result.levels))
    n_columns = min(3, len(scenes))
    n_rows = -(-len(scenes) // n_columns)
    with paper_style():
        figure = new_figure(TWO_COLUMNS, (14 + n_rows * (12 + 8 * len(nulls))) * MM)
        axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True, sharex=True)
        for number, ax in enumerate(axes.ravel()):
            if number >= len(scenes):
                ax.set_visible(False)
                continue
            plot_levels(result, scenes[number], ax)
            ax.set_title(str(scenes[number]), loc="left")
            ax.tick_params(axis="x", labelbottom=True)
        for ax in axes[-1]:
            ax.set_xlabel("rejections at 5 % (%)")
        _verdict_legend(figure)
        save_figure(figure, folder, "levels")
    listed = ", ".join(str(n) for n in numbers)
    return FigureText(
        name="levels",
        title="Rejections without agreement",
        caption=(
            f"How often each null rejects at 5 % ({_LABEL}) when nothing links a map to its own annotation; "
            "above each panel, what map and annotation share besides. From top to bottom in each row: "
            f"{listed} sources. Shaded: within chance of 5 %. Red triangles that point up: the null "
            "takes what is shared for agreement."
        ),
        alternative=(
            "One panel for each scene with a row for each null: the share of rejections at 5 per cent for "
            "each number of sources, beside the band of chance."
        ),
    )


def _verdict_legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker=marker, ls="none", ms=4, label=str(verdict))
        for verdict, (colour, marker) in VERDICT_STYLES.items()
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=3)


def draw_coverage(result: CalibrationResult, folder: Path) -> FigureText | None:
    """Draw how often intervals hold the true mean, a panel for each kind of values."""
    kinds = list(dict.fromkeys(cell.values for cell in result.coverage))
    if not kinds:
        return None
    rows = [found for crossed in (True, False) if (found := _of_kind(kinds, crossed))]
    with paper_style():
        figure = new_figure(TWO_COLUMNS, (18 + 58 * len(rows)) * MM)
        axes = figure.subplots(len(rows), 3, squeeze=False, sharey="row")
        for row, some in zip(axes, rows, strict=True):
            for ax, values in zip(row, some, strict=True):
                plot_coverage(result, values, ax)
                ax.set_title(str(values), loc="left")
                ax.set_xlabel("sources × annotators" if values.crossed else "sources")
            row[0].set_ylabel("coverage (%)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4)
        save_figure(figure, folder, "coverage")
    return FigureText(
        name="coverage",
        title="Coverage of 95 % intervals",
        caption=(
            "How many of 100 intervals of 95 % hold the true mean. Above: several annotators; full lines are "
            "intervals over sources and annotators, broken and dotted ones over sources alone. Below: one "
            "value a source. Shaded: within chance of 95 %."
        ),
        alternative="Coverage against the design, a line for each kind of interval, one panel for each kind of values.",
    )


def _of_kind(kinds: list[Values], crossed: bool) -> list[Values]:
    return [values for values in kinds if values.crossed is crossed]


def draw_power(result: CalibrationResult, folder: Path) -> FigureText | None:
    """Draw power against planted agreement, a panel for each null."""
    nulls = list(dict.fromkeys(cell.null for cell in result.power))
    if not nulls:
        return None
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 66 * MM)
        axes = figure.subplots(1, len(nulls), squeeze=False, sharey=True)[0]
        for ax, null in zip(axes, nulls, strict=True):
            plot_power(result, null, ax)
            ax.set_title(str(null), loc="left")
            ax.set_xlabel("planted agreement")
        axes[0].set_ylabel("rejections at 5 %")
        axes[-1].legend(loc="lower right")
        save_figure(figure, folder, "power")
    return FigureText(
        name="power",
        title="Power",
        caption=(
            f"Share of experiments that reject at 5 % ({_LABEL}) against the share of its annotation's own "
            "field that a map holds, where its other field counts 1; maps and annotations share a centre bias "
            "as well. Shaded: 95 % intervals. Dotted: the level, where curves have to begin."
        ),
        alternative="Power against the strength of planted agreement, a curve for each number of sources, one panel for each null.",
    )
