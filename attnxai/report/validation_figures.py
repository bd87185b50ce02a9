"""The figures of a validation, each as PNG and PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.metrics import METRICS
from attnxai.report.figures.text import FigureText
from attnxai.report.plots.validation import (
    VERDICT_STYLES,
    plot_coverage,
    plot_false_positives,
    plot_power,
)
from attnxai.report.style import saved_figure
from attnxai.validation.coverage import Distribution
from attnxai.validation.rejections import METRIC_NAMES

if TYPE_CHECKING:
    from attnxai.validation.results import ValidationResult

_LABEL = METRICS[METRIC_NAMES[0]].label


def draw_false_positives(result: ValidationResult, folder: Path) -> FigureText | None:
    """Draw false positive rates, a panel for each scenario."""
    if not result.false_positives:
        return None
    scenarios = list(dict.fromkeys(cell.scenario for cell in result.false_positives))
    nulls = list(dict.fromkeys(cell.null for cell in result.false_positives))
    numbers = list(dict.fromkeys(cell.n_sources for cell in result.false_positives))
    n_columns = min(3, len(scenarios))
    n_rows = -(-len(scenarios) // n_columns)
    with saved_figure(folder, "false-positives", 14 + n_rows * (12 + 8 * len(nulls))) as figure:
        axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True, sharex=True)
        for number, ax in enumerate(axes.ravel()):
            if number >= len(scenarios):
                ax.set_visible(False)
                continue
            plot_false_positives(result, scenarios[number], ax)
            ax.set_title(str(scenarios[number]), loc="left")
            ax.tick_params(axis="x", labelbottom=True)
        for ax in axes[-1]:
            ax.set_xlabel("false positive rate at 5 % (%)")
        _verdict_legend(figure)
    listed = ", ".join(str(n) for n in numbers)
    return FigureText(
        name="false-positives",
        caption=(
            f"How often each null rejects at 5 % ({_LABEL}) when no map is related to its own annotation; "
            "above each panel, what maps and annotations have in common besides. From top to bottom in each "
            f"row: {listed} sources. Shaded: compatible with 5 %. Red triangles that point up: the null is "
            "not valid in this scenario."
        ),
        alternative=(
            "One panel for each scenario with a row for each null: the false positive rate at 5 per cent for "
            "each number of sources, beside the band that is compatible with 5 per cent."
        ),
    )


def _verdict_legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker=marker, ls="none", ms=4, label=str(verdict))
        for verdict, (colour, marker) in VERDICT_STYLES.items()
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=3)


def draw_coverage(result: ValidationResult, folder: Path) -> FigureText | None:
    """Draw the coverage of intervals, a panel for each distribution."""
    kinds = list(dict.fromkeys(cell.distribution for cell in result.coverage))
    if not kinds:
        return None
    rows = [found for crossed in (True, False) if (found := _of_kind(kinds, crossed))]
    with saved_figure(folder, "coverage", 18 + 58 * len(rows)) as figure:
        axes = figure.subplots(len(rows), 3, squeeze=False, sharey="row")
        for row, some in zip(axes, rows, strict=True):
            for ax, distribution in zip(row, some, strict=True):
                plot_coverage(result, distribution, ax)
                ax.set_title(str(distribution), loc="left")
                ax.set_xlabel("sources × annotators" if distribution.crossed else "sources")
            row[0].set_ylabel("coverage (%)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return FigureText(
        name="coverage",
        caption=(
            "Percentage of 95 % intervals that contain the true mean. Above: several annotators; solid lines "
            "are intervals over sources and annotators, dashed and dotted ones over sources alone. Below: one "
            "value per source. Shaded: compatible with 95 %."
        ),
        alternative="Coverage against the size of the sample, a line for each kind of interval, one panel for each distribution.",
    )


def _of_kind(kinds: list[Distribution], crossed: bool) -> list[Distribution]:
    return [kind for kind in kinds if kind.crossed is crossed]


def draw_power(result: ValidationResult, folder: Path) -> FigureText | None:
    """Draw power against the strength of agreement, a panel for each null."""
    nulls = list(dict.fromkeys(cell.null for cell in result.power))
    if not nulls:
        return None
    with saved_figure(folder, "power", 66) as figure:
        axes = figure.subplots(1, len(nulls), squeeze=False, sharey=True)[0]
        for ax, null in zip(axes, nulls, strict=True):
            plot_power(result, null, ax)
            ax.set_title(str(null), loc="left")
            ax.set_xlabel("strength of agreement")
        axes[0].set_ylabel("rejections at 5 %")
        axes[-1].legend(loc="lower right")
    return FigureText(
        name="power",
        caption=(
            f"Fraction of experiments that reject at 5 % ({_LABEL}) against the amplitude of its annotation's "
            "own field in a map, relative to that of its other field; maps and annotations share a centre bias "
            "as well. Shaded: 95 % intervals. Dotted: the level, where curves have to begin."
        ),
        alternative="Power against the strength of agreement, a curve for each number of sources, one panel for each null.",
    )
