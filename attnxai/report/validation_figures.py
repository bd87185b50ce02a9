"""The figures of a validation: panels on axes of matplotlib, and whole figures as PNG and PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.metrics import METRICS
from attnxai.report.figures.text import FigureText
from attnxai.report.style import (
    BAND_COLOUR,
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    SKY,
    SMALLEST_TEXT,
    VERMILION,
    new_axes,
    saved_figure,
)
from attnxai.statistics.interval import CONFIDENCE_LEVEL, SIGNIFICANCE_LEVEL
from attnxai.validation.coverage import Distribution
from attnxai.validation.rates import Verdict
from attnxai.validation.rejections import METRIC_NAMES, NullKind
from attnxai.validation.simulated_data import Scenario

if TYPE_CHECKING:
    from attnxai.validation.rates import CoverageRate
    from attnxai.validation.results import ValidationResult

VERDICT_STYLES = {
    Verdict.NOMINAL: (DARK, "o"),
    Verdict.TOO_OFTEN: ("#D50000", "^"),
    Verdict.TOO_RARELY: (BLUE, "v"),
}
_METHOD_STYLES = {
    "components": (BLUE, "o", "-"),
    "mean-squares": (GREEN, "s", "-"),
    "dual-bootstrap": (ORANGE, "D", "-"),
    "studentized": (BLUE, "o", "--"),
    "expanded": (GREEN, "s", "--"),
    "bca": (VERMILION, "^", ":"),
    "percentile": (PALE, "v", ":"),
}
_SHADES = ("#9ECAE1", SKY, BLUE, "#003B5C")
_MARKERS = ("o", "s", "D", "^")


def plot_validation(
    result: ValidationResult, what: Scenario | Distribution | NullKind, *, ax: Any = None
) -> Any:
    """Draw one panel: false positive rates in a scenario, coverage for a distribution, or the power of a null."""
    ax = new_axes(ax)
    if isinstance(what, Scenario):
        return plot_false_positives(result, what, ax)
    if isinstance(what, Distribution):
        return plot_coverage(result, what, ax)
    return plot_power(result, what, ax)


def plot_false_positives(result: ValidationResult, scenario: Scenario, ax: Any) -> Any:
    """Draw how often every null rejects in one scenario, a marker for each number of sources.

    Shaded are the binomial bands of the level.
    """
    level = SIGNIFICANCE_LEVEL
    nulls = list(dict.fromkeys(cell.null for cell in result.false_positives))
    for row, null in enumerate(nulls):
        rates = result.rates_of(metric=METRIC_NAMES[0], null=null, scenario=scenario)
        cells = [cell for cell in rates if cell.level == level]
        for place, cell in enumerate(cells):
            y = row + (place - (len(cells) - 1) / 2) * 0.2
            low, high = (bound / cell.n_experiments for bound in cell.band)
            ax.fill_betweenx([y - 0.1, y + 0.1], low, high, color=BAND_COLOUR, lw=0, zorder=0)
            colour, marker = VERDICT_STYLES[cell.verdict]
            ax.plot([cell.rate], [y], marker=marker, color=colour, ms=3, ls="none", clip_on=False)
        if not cells:
            ax.text(1.4 * level, row, "not run", va="center", fontsize=SMALLEST_TEXT, color=GREY)
    ax.axvline(level, color=GREY, lw=0.6, zorder=1)
    ax.set_yticks(range(len(nulls)), [str(null) for null in nulls])
    ax.set_ylim(len(nulls) - 0.45, -0.55)
    # small shares and large ones side by side
    ax.set_xscale("function", functions=(_root, _square))
    ticks = [0, 0.01, 0.05, 0.1, 0.25, 0.5, 1]
    ax.set_xticks(ticks, [f"{100 * tick:g}" for tick in ticks])
    ax.set_xlim(0, 1.03)
    return ax


def _root(shares: Any) -> Any:
    import numpy as np

    return np.sqrt(np.maximum(shares, 0.0))


def _square(roots: Any) -> Any:
    import numpy as np

    return np.square(np.maximum(roots, 0.0))


def plot_coverage(result: ValidationResult, distribution: Distribution, ax: Any) -> Any:
    """Draw how often intervals contain the true mean, a line for each method."""
    cells = [cell for cell in result.coverage if cell.distribution is distribution]
    designs = list(dict.fromkeys((cell.n_sources, cell.n_annotators) for cell in cells))
    for method in dict.fromkeys(cell.method for cell in cells):
        of_method: dict[tuple[int, int], CoverageRate] = {
            (c.n_sources, c.n_annotators): c for c in cells if c.method == method
        }
        colour, marker, line = _METHOD_STYLES.get(method, ("#000000", "x", "-."))
        groups = dict.fromkeys(n for n, _ in designs) if distribution.crossed else {None: None}
        for number, n in enumerate(groups):
            places = [i for i, design in enumerate(designs) if n in {None, design[0]}]
            shares = [100 * of_method[designs[i]].rate for i in places]
            label = _method_words(method) if not number else None
            ax.plot(
                places, shares, color=colour, marker=marker, ls=line, ms=2.5, lw=0.8, label=label
            )
    if cells:
        low, high = (100 * bound / cells[0].n_experiments for bound in cells[0].band)
        ax.axhspan(low, high, color=BAND_COLOUR, lw=0, zorder=0)
    ax.axhline(100 * CONFIDENCE_LEVEL, color=GREY, lw=0.6, zorder=1)
    names = [f"{n} × {k}" if distribution.crossed else f"{n}" for n, k in designs]
    ax.set_xticks(range(len(designs)), names, rotation=90 if distribution.crossed else 0)
    return ax


def _method_words(method: str) -> str:
    return method if method in set(CrossedMethod) else f"sources alone, {method}"


def plot_power(result: ValidationResult, null: NullKind, ax: Any) -> Any:
    """Draw power against planted agreement, a line for each number of sources, shaded its 95 % interval."""
    cells = [cell for cell in result.power if cell.null is null and cell.metric == METRIC_NAMES[0]]
    for number, n in enumerate(dict.fromkeys(cell.n_sources for cell in cells)):
        of_n = [cell for cell in cells if cell.n_sources == n]
        strengths = [cell.strength for cell in of_n]
        colour, marker = _SHADES[number % 4], _MARKERS[number % 4]
        lows, highs = zip(*(cell.interval for cell in of_n), strict=True)
        ax.fill_between(strengths, lows, highs, color=colour, alpha=0.25, lw=0)
        shares = [cell.rate for cell in of_n]
        ax.plot(strengths, shares, color=colour, marker=marker, ms=2.5, label=f"{n} sources")
    ax.axhline(SIGNIFICANCE_LEVEL, color=GREY, lw=0.6, ls=":")
    ax.set_ylim(0, 1.02)
    return ax


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
            f"Fraction of experiments that reject at 5 % ({_LABEL}) against the amplitude r of its "
            "annotation's field in a map, beside an independent one of amplitude 1; maps and annotations share a centre bias "
            "as well. Shaded: 95 % intervals. Dotted: the level, where curves have to begin."
        ),
        alternative="Power against the strength of agreement, a curve for each number of sources, one panel for each null.",
    )
