"""The figures of a study, each as PNG and PDF."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.wording import counted
from attnxai.report.figures.fitting import add_legend, fit_axis_label
from attnxai.report.figures.text import FigureText
from attnxai.report.style import (
    BASELINE_COLOUR,
    BLUE,
    LINE_STYLES,
    PALE,
    SMALLEST_TEXT,
    VERMILION,
    saved_figure,
    saved_widths,
)
from attnxai.study.convergence import PASSES_A_PUBLISHED_EPOCH
from attnxai.study.quantities import (
    AGREEMENT_LABELS,
    EPOCHS,
    PRIMARY_MAP,
    SECONDS,
    Kind,
    Quantity,
    agreement_of,
)
from attnxai.study.statistics import MIN_SEEDS
from attnxai.study.summary import group_key, groups_by_series

if TYPE_CHECKING:
    from attnxai.study.results import StudyResult
    from attnxai.study.summary import StudySummary

SERIES_STYLES = {"cyclic": (BLUE, "o"), "dihedral": (VERMILION, "s")}
_SPREAD = 0.15
_BESIDE = ("axes fraction", "data")


def draw_curves(result: StudyResult, folder: Path) -> FigureText:
    """Draw the validation loss of every group over the epochs, cyclic and dihedral side by side."""
    summary = result.summary
    series = groups_by_series(summary.groups)
    low, high = _loss_limits(result)
    with saved_figure(folder, "curves", 74, parse_math=True) as figure:
        axes = figure.subplots(1, len(series), squeeze=False, sharey=True)[0]
        for ax, (name, groups) in zip(axes, series.items(), strict=True):
            members = [g for g in groups if g != summary.baseline]
            colours = _shades(len(members), name)
            _draw_loss(ax, result, summary.baseline, BASELINE_COLOUR, "-")
            for index, group in enumerate(members):
                line = LINE_STYLES[(index + 1) % len(LINE_STYLES)]
                _draw_loss(ax, result, group, colours[index], line)
            if low < summary.reference < high:
                ax.axhline(summary.reference, color=PALE, lw=0.8, zorder=0)
                text, at = f"reference {summary.reference:.3f}", (1, summary.reference)
                # clipped: a note that is far away would take the space of the axes
                _note(
                    ax, text, at, xycoords=_BESIDE, xytext=(0, 2), ha="right", annotation_clip=True
                )
            ax.set_title(f"{name} groups", loc="left")
            ax.set_xlabel("epoch (one pass over the training images)")
            whole_ticks(ax.xaxis)
            ax.legend(loc="upper right", handlelength=2.8)
        axes[0].set_ylabel("validation loss (nats)")
        axes[0].set_ylim(low, high)
    return FigureText(
        name="curves",
        caption=(
            f"Cross entropy on the validation images after every epoch: thick, the mean over "
            f"{_seeds(summary)}, up to the end of the shortest run; thin, single runs. "
            + (f"{summary.baseline} is shown in both panels. " if len(series) > 1 else "")
            + _reference_phrase(summary.reference, low, high)
            + " The highest 1 % of the values may lie above the axis."
        ),
        alternative="Curves of validation loss against epoch for every group, one panel a series.",
    )


def _reference_phrase(reference: float, low: float, high: float) -> str:
    if not math.isfinite(reference):
        return "There is no reference loss."
    if low < reference < high:
        return f"The horizontal line is the reference loss, {reference:.3f}."
    return f"The reference loss, {reference:.3f}, lies outside the axis."


def _loss_limits(result: StudyResult) -> tuple[float, float]:
    losses = np.concatenate([[r.validation_loss for r in run.history] for run in result.runs])
    lowest, highest = float(losses.min()), float(np.quantile(losses, 0.99))
    room = 0.06 * (highest - lowest) or 0.05
    return lowest - room, highest + room


def _draw_loss(ax: Any, result: StudyResult, group: str, colour: Any, line: Any) -> None:
    runs = [run for run in result.runs if run.group == group]
    curves = [np.array([result.validation_loss for result in run.history]) for run in runs]
    for curve in curves:
        ax.plot(np.arange(1, len(curve) + 1), curve, color=colour, lw=0.5, alpha=0.3)
    shortest = min(map(len, curves))
    mean = np.mean([curve[:shortest] for curve in curves], axis=0)
    marker = "o" if shortest == 1 else None
    ax.plot(
        np.arange(1, shortest + 1), mean, color=colour, lw=1.5, ls=line, label=group, marker=marker
    )


def draw_epochs(result: StudyResult, folder: Path) -> FigureText | None:
    """Draw epochs until the reference loss, run by run; nothing without a reference loss."""
    summary = result.summary
    if not summary.times:
        return None
    groups = summary.groups
    for figure in saved_widths(folder, "epochs", 24 + 8 * len(groups), parse_math=True):
        ax = figure.add_subplot()
        for row, group in enumerate(groups):
            colour, marker = _style_of(group, summary.baseline)
            mean = summary.mean(group, EPOCHS.name)
            for place, seed in zip(_places(len(summary.seeds)), summary.seeds, strict=True):
                time = summary.times[group, seed]
                (point,) = ax.plot([time.epochs], [row + 0.2 + 1.3 * place], ms=3, mew=0.7, ls="")
                point.set(marker="o" if time.reached else ">", mec=colour, alpha=0.8)
                point.set(mfc=colour if time.reached else "white")
            if mean.known:
                ax.plot([mean.low, mean.high], [row - 0.2] * 2, color=colour, lw=1.4)
            ax.plot([mean.value], [row - 0.2], marker=marker, ms=5.5, color=colour, ls="")
            n_reached, n_runs = summary.n_reached(group), len(summary.seeds)
            text = f"{n_reached} of {n_runs}"
            shade = "#666666" if n_reached == n_runs else "#B00000"
            _note(ax, text, (1.01, row), xycoords=_BESIDE, va="center", color=shade)
        _note(ax, "reached", (1.01, -0.75), xycoords=_BESIDE, va="center", color="black")
        longest = max(time.epochs for time in summary.times.values())
        if not all(time.reached for time in summary.times.values()):
            ax.axvline(summary.horizon, color=PALE, lw=0.8, zorder=0)
            at = (summary.horizon, len(groups) - 0.45)
            _note(ax, "horizon", at, xytext=(-3, 0), ha="right", va="bottom")
        ends = [summary.mean(group, EPOCHS.name).high for group in groups]
        ax.set_xlim(0, np.nanmax([longest, *ends]) * 1.02 + 0.5)
        ax.set_ylim(len(groups) - 0.4, -0.6)
        ax.set_yticks(range(len(groups)), groups)
        ax.set_xlabel("epochs until the reference loss (passes over the training images)")
        whole_ticks(ax.xaxis)
        top = ax.secondary_xaxis("top", functions=(_published, _passes))
        top.set_xlabel("published epochs (16 passes)")
        fit_axis_label(figure, ax)
    return FigureText(
        name="epochs",
        caption=(
            f"Passes over the training images until the validation loss is at or below "
            f"{summary.reference:.3f}. Small points: runs{_censored_phrase(summary)}. Large: mean over "
            f"{_seeds(summary)}{_interval_phrase(summary)}."
        ),
        alternative=_in_words(summary, EPOCHS),
    )


def _published(passes: Any) -> Any:
    return passes / PASSES_A_PUBLISHED_EPOCH


def _passes(published: Any) -> Any:
    return published * PASSES_A_PUBLISHED_EPOCH


def _note(ax: Any, text: str, at: tuple[float, float], **look: Any) -> None:
    """Write a few words beside what is drawn."""
    look = {"xytext": (0, 0), "color": "#666666", "fontsize": SMALLEST_TEXT} | look
    ax.annotate(text, at, textcoords="offset points", **look)


def draw_metrics(result: StudyResult, folder: Path) -> FigureText:
    """Draw every measure against the order of the group."""
    shown = [
        q
        for q in result.summary.quantities
        if q.kind in (Kind.PERFORMANCE, Kind.CONSISTENCY)
        or (q.kind is Kind.AGREEMENT and q.name.endswith(":mean"))
        or q.name in (EPOCHS.name, SECONDS.name)
    ]
    on = result.plan.measuring.measure_on
    return _draw_panels(
        result, shown, folder, name="metrics", lead=f"Performance and consistency on {on} images"
    )


def draw_agreement_of_maps(result: StudyResult, folder: Path) -> FigureText | None:
    """Draw the agreement of every map against the order of the group; nothing without annotations.

    With more than four maps only the NSS is drawn; the tables have all.
    """
    quantities = [q for q in result.summary.quantities if q.kind is Kind.AGREEMENT]
    shown = [q for q in quantities if _has_values(result.summary, q)]
    if not shown:
        return None
    if len(shown) > 4 * len(AGREEMENT_LABELS):
        shown = [q for q in shown if q.name.startswith("nss")]
    n = len(result.summary.sources[agreement_of("nss", PRIMARY_MAP).name])
    return _draw_panels(
        result,
        shown,
        folder,
        name="agreement",
        lead=f"Agreement with annotations over {counted(n, 'held-out source')}",
        columns=4,
    )


_LONGEST_TITLE = 26  # letters that fit above a panel, four of which stand side by side


def _draw_panels(
    result: StudyResult,
    shown: Sequence[Quantity],
    folder: Path,
    *,
    name: str,
    lead: str,
    columns: int = 3,
) -> FigureText:
    summary = result.summary
    shown = [quantity for quantity in shown if _has_values(summary, quantity)]
    marks = {"cyclic": "C_N (circles)", "dihedral": "D_N (squares)"}
    groups = " and ".join(marks[series] for series in groups_by_series(summary.groups))
    n_rows = math.ceil(len(shown) / columns)
    with saved_figure(folder, name, 14 + 42 * n_rows, parse_math=True) as figure:
        axes = figure.subplots(n_rows, columns, squeeze=False).ravel()
        for ax, quantity in zip(axes, shown, strict=False):
            _draw_over_order(ax, summary, quantity)
        for ax in axes[len(shown) :]:
            ax.set_visible(False)
        for ax in axes[max(len(shown) - columns, 0) : len(shown)]:
            ax.set_xlabel("order N of the group")
        add_legend(figure, axes[0])
    return FigureText(
        name=name,
        caption=(
            f"{lead}, against the order N of {groups}. Small points: "
            f"runs; large: means over {_seeds(summary)}{_interval_phrase(summary)}. The horizontal line "
            f"is the mean of {summary.baseline}; arrows point to better values. Axes do not begin at "
            "zero."
        ),
        alternative=" ".join(_in_words(summary, quantity) for quantity in shown),
    )


def _draw_over_order(ax: Any, summary: StudySummary, quantity: Quantity) -> None:
    orders = sorted({group_key(group)[1] for group in summary.groups})
    baseline = summary.mean(summary.baseline, quantity.name).value
    if math.isfinite(baseline):
        ax.axhline(baseline, color=PALE, lw=0.7, zorder=0)
    series = groups_by_series(summary.groups)
    of_runs = summary.values(quantity.name)
    # two series stand side by side at each order, one alone stands on it
    shifts = (
        {"cyclic": -_SPREAD, "dihedral": _SPREAD} if len(series) > 1 else dict.fromkeys(series, 0)
    )
    for name, groups in series.items():
        colour, marker = SERIES_STYLES[name]
        shift = shifts[name]
        places, means = [], []
        for group in groups:
            x = math.log2(group_key(group)[1]) + shift
            mean = summary.mean(group, quantity.name)
            values = of_runs[group].to_numpy()
            spread = _places(len(values))
            ax.plot(x + spread, values, marker, ms=2, color=colour, alpha=0.45, mew=0)
            if mean.known:
                ax.plot([x, x], [mean.low, mean.high], color=colour, lw=1.1)
            places.append(x)
            means.append(mean.value)
        ax.plot(
            places,
            means,
            marker=marker,
            ms=4.5,
            color=colour,
            lw=0.7,
            alpha=1.0,
            label=f"{name} ({'D' if name == 'dihedral' else 'C'}$_N$)",
        )
    ax.set_xticks(np.log2(orders), [str(order) for order in orders])
    ax.set_xlim(np.log2(orders[0]) - 0.4, np.log2(orders[-1]) + 0.4)
    arrow = {-1: " ↓", 0: "", 1: " ↑"}[int(quantity.better)]
    title = f"{quantity.label}{arrow}"
    if len(title) > _LONGEST_TITLE:
        title = title.replace(", ", ",\n", 1)
    ax.set_title(title, loc="left")
    if quantity.name == EPOCHS.name:
        whole_ticks(ax.yaxis, nbins=5)
    else:
        ax.locator_params(axis="y", nbins=5)


def whole_ticks(axis: Any, *, nbins: int = 9) -> None:
    """Give whole numbers only to the ticks of an axis, which is widened where it holds none."""
    from matplotlib.ticker import MaxNLocator

    low, high = sorted(axis.get_view_interval())
    if math.ceil(low) > math.floor(high):
        axis.set_view_interval(math.floor(low), math.ceil(high), ignore=True)
    axis.set_major_locator(MaxNLocator(nbins, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def _style_of(group: str, baseline: str) -> tuple[str, str]:
    colour, marker = SERIES_STYLES["dihedral" if group_key(group)[0] else "cyclic"]
    return (BASELINE_COLOUR if group == baseline else colour), marker


def _shades(n: int, series: str) -> list[Any]:
    """Colours of a series, darker for larger orders."""
    import matplotlib as mpl

    scale = mpl.colormaps["Blues" if series == "cyclic" else "Oranges"]
    return [scale(value) for value in np.linspace(0.45, 0.95, max(n, 1))]


def _places(n: int) -> np.ndarray:
    """Places of single runs beside their mean, without chance."""
    return np.zeros(1) if n == 1 else np.linspace(-1, 1, n) * _SPREAD * 0.8


def _has_values(summary: StudySummary, quantity: Quantity) -> bool:
    return bool(summary.values(quantity.name).notna().any(axis=None))


def _seeds(summary: StudySummary) -> str:
    return counted(len(summary.seeds), "seed")


def _interval_phrase(summary: StudySummary) -> str:
    if len(summary.seeds) < MIN_SEEDS:
        are = "is" if len(summary.seeds) == 1 else "are"
        return f", which {are} too few for intervals"
    return ", with 95 % intervals over seeds"


def _censored_phrase(summary: StudySummary) -> str:
    if all(time.reached for time in summary.times.values()):
        return ", all of which reached it"
    return (
        f"; open triangles: runs that ended without reaching it, for which means are restricted to the "
        f"horizon of {counted(summary.horizon, 'epoch')}"
    )


def _in_words(summary: StudySummary, quantity: Quantity) -> str:
    def words(group: str) -> str:
        return f"{group} {summary.mean(group, quantity.name).value:.{quantity.digits}f}"

    return f"{quantity.label}: {', '.join(map(words, summary.groups))}."
