"""False positive rates, coverage and power on axes of matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.report.style import (
    BAND_COLOUR,
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    SKY,
    VERMILION,
    new_axes,
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


def plot_false_positives(
    result: ValidationResult,
    scenario: Scenario,
    ax: Any,
    *,
    metric: str = METRIC_NAMES[0],
    level: float = SIGNIFICANCE_LEVEL,
) -> Any:
    """Draw how often every null rejects in one scenario, a marker for each number of sources."""
    nulls = list(dict.fromkeys(cell.null for cell in result.false_positives))
    for row, null in enumerate(nulls):
        cells = [
            c
            for c in result.rates_of(metric=metric, null=null, scenario=scenario)
            if c.level == level
        ]
        for place, cell in enumerate(cells):
            y = row + (place - (len(cells) - 1) / 2) * 0.2
            low, high = (bound / cell.n_experiments for bound in cell.band)
            ax.fill_betweenx([y - 0.1, y + 0.1], low, high, color=BAND_COLOUR, lw=0, zorder=0)
            colour, marker = VERDICT_STYLES[cell.verdict]
            ax.plot([cell.rate], [y], marker=marker, color=colour, ms=3, ls="none", clip_on=False)
        if not cells:
            ax.text(1.4 * level, row, "not run", va="center", fontsize=6, color=GREY)
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


def plot_power(
    result: ValidationResult, null: NullKind, ax: Any, *, metric: str = METRIC_NAMES[0]
) -> Any:
    """Draw power against planted agreement, a line for each number of sources."""
    cells = [cell for cell in result.power if cell.null is null and cell.metric == metric]
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
