"""The figures of a report, each as PNG and PDF."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.plots import BASELINE_COLOUR, MODEL_COLOUR, NULL_COLOUR, plot_agreement
from attnxai.agreement.results import ALL
from attnxai.report.sky_view import SkyView
from attnxai.report.source_panel import SourcePanel
from attnxai.report.style import (
    ANNOTATOR_COLOURS,
    CLASS_COLOURS,
    CONTOUR_COLOUR,
    CONTOUR_QUANTILES,
    LABEL_STYLES,
    MM,
    TWO_COLUMNS,
    colours_of,
    new_figure,
    paper_style,
    save_figure,
)
from attnxai.report.wording import (
    format_interval,
    format_number,
    format_p,
    format_share,
    group_phrase,
    in_sentence,
    listed,
)

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet
    from attnxai.explanations.stack import MapStack

SMALLEST_TITLE = 6.0  # points


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FigureText:
    """Name of a figure's files, its title, caption and alternative text."""

    name: str
    title: str
    caption: str
    alternative: str


def draw_agreement(result: AgreementResult, folder: Path) -> FigureText:
    """Draw the figure that carries the result, for the first metric."""
    metric = result.metrics[0]
    n_rows = len(result.explanations) + len(result.baselines)
    with paper_style():
        figure = new_figure(TWO_COLUMNS, (16 + 6.5 * n_rows) * MM)
        ax = figure.add_subplot()
        plot_agreement(result, metric, ax=ax)
        save_figure(figure, folder, "agreement")
    n = result.estimate(result.explanations[0], metric).interval.n_sources
    return FigureText(
        name="agreement",
        title=f"Agreement with the annotations ({METRICS[metric].label})",
        caption=(
            f"{METRICS[metric].label}: {METRICS[metric].meaning}. Filled points: maps of "
            f"{result.model_name}; open points: baselines. Points are means over n = {n} "
            f"{group_phrase(result.verdict_group, n)}, {_interval_phrase(result, n)}. Grey bars: central 95 % of the means when annotations are exchanged between "
            f"{'sources of one class' if _has_classes(result) else 'sources'}; a point inside its "
            "bar agrees no better with its own source than with others, a point left of it less well, a "
            "point right of it better. The thin vertical line is "
            "the value without any agreement."
        ),
        alternative=_agreement_in_words(result, metric),
    )


def _interval_phrase(result: AgreementResult, n: int) -> str:
    """What lines are, or why there are none."""
    if any(e.interval.known for e in result.estimates if e.group == result.verdict_group):
        return (
            f"lines their {format_share(result.settings['level'])} bootstrap intervals over sources"
        )
    return f"which {'is' if n == 1 else 'are'} too few for intervals"


def draw_all_metrics(result: AgreementResult, folder: Path) -> FigureText:
    """Draw the same for every metric, side by side."""
    n_rows = len(result.explanations) + len(result.baselines)
    with paper_style():
        figure = new_figure(TWO_COLUMNS, (18 + 4.6 * n_rows) * MM)
        axes = figure.subplots(1, len(result.metrics), squeeze=False)[0]
        for index, (metric, ax) in enumerate(zip(result.metrics, axes, strict=True)):
            plot_agreement(result, metric, ax=ax, show_names=index == 0)
            ax.locator_params(axis="x", nbins=4)
        save_figure(figure, folder, "all_metrics")
    return FigureText(
        name="all_metrics",
        title="Every metric",
        caption=(
            "As above for every metric, each on its own axis. "
            + " ".join(f"{METRICS[m].label}: {METRICS[m].meaning}." for m in result.metrics)
        ),
        alternative=" ".join(_agreement_in_words(result, metric) for metric in result.metrics),
    )


def draw_classes(result: AgreementResult, folder: Path) -> FigureText | None:
    """Draw the distribution over sources for every class; nothing without classes."""
    names = [name for name in result.class_names if name != ALL]
    if not names:
        return None
    import pandas as pd
    import seaborn as sns

    metric = result.metrics[0]
    members = [i for i, group in enumerate(result.exposure) if group == result.verdict_group]
    shown = listed_maps(result)
    rows = [
        {
            "explanation": explanation,
            "class": result.classes[i],
            "value": result.source_means(explanation, metric)[i],
        }
        for explanation in shown
        for i in members
        if result.classes[i] is not None
    ]
    frame = pd.DataFrame(rows).dropna()
    if frame.empty:
        return None
    palette = colours_of(names, CLASS_COLOURS)
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 72 * MM)
        ax = figure.add_subplot()
        width = 0.8 / len(names)
        frame["position"] = [
            shown.index(row["explanation"])
            - 0.4
            + width * (names.index(row["class"]) + 0.5 + 0.5 * spread)
            for (_, row), spread in zip(frame.iterrows(), _spread(len(frame)), strict=True)
        ]
        sns.scatterplot(
            data=frame,
            x="position",
            y="value",
            hue="class",
            hue_order=names,
            palette=palette,
            s=7,
            alpha=0.55,
            linewidth=0,
            legend=False,
            ax=ax,
        )
        for column, explanation in enumerate(shown):
            for index, name in enumerate(names):
                if (result.verdict_group, name) not in _group_classes(result):
                    continue
                estimate = result.estimate(explanation, metric, class_name=name)
                position = column - 0.4 + width * (index + 0.5)
                interval = estimate.interval
                if interval.known:
                    ax.plot([position] * 2, [interval.low, interval.high], color="black", lw=1.2)
                ax.plot(
                    [position],
                    [interval.value],
                    marker="D",
                    ms=4,
                    color=palette[name],
                    markeredgecolor="black",
                    markeredgewidth=0.7,
                    zorder=5,
                    label=name if column == 0 else None,
                )
        chance = METRICS[metric].chance
        if chance is not None:
            ax.axhline(chance, color="#999999", lw=0.6, zorder=0)
        ax.set_xticks(range(len(shown)), shown)
        ax.set_xlabel("")
        ax.set_ylabel(METRICS[metric].label)
        ax.legend(ncols=len(names), loc="upper left", bbox_to_anchor=(0, 1.13))
        save_figure(figure, folder, "classes")
    counts = ", ".join(
        f"{sum(result.classes[i] == name for i in members)} {name}" for name in names
    )
    return FigureText(
        name="classes",
        title="Every class",
        caption=(
            f"{METRICS[metric].label} of every source (small points; {counts}, "
            f"{group_phrase(result.verdict_group, len(members))}), with the mean of each class and its bootstrap "
            "interval over sources (diamonds)."
        ),
        alternative=(
            f"Distribution of {in_sentence(METRICS[metric].label)} over sources by class for each map and two "
            "baselines."
        ),
    )


def _spread(n: int) -> np.ndarray:
    """Places from -0.5 to 0.5 that fill evenly: points side by side without chance."""
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    return np.asarray((np.arange(n) * golden) % 1.0 - 0.5)


def draw_nulls(result: AgreementResult, folder: Path) -> FigureText:
    """Draw every observed mean against its null distributions."""
    n_rows, n_columns = len(result.explanations), len(result.metrics)
    with paper_style():
        figure = new_figure(TWO_COLUMNS, (14 + 24 * n_rows) * MM)
        axes = figure.subplots(n_rows, n_columns, squeeze=False)
        for row, explanation in enumerate(result.explanations):
            for column, metric in enumerate(result.metrics):
                _draw_null(axes[row, column], result, explanation, metric)
                if row == n_rows - 1:
                    axes[row, column].set_xlabel(METRICS[metric].label)
                if column == 0:
                    axes[row, column].set_ylabel(explanation)
        save_figure(figure, folder, "nulls")
    draws = result.settings["n_permutations"]
    return FigureText(
        name="nulls",
        title="Observed values against their nulls",
        caption=(
            "Mean over sources as observed (line) and when annotations are exchanged between sources "
            f"of one class (filled) or between any sources (outline), up to {draws:,} exchanges. The "
            "p-value within class stands in each panel, or the pooled one where there are no classes."
        ),
        alternative="Histograms of null distributions, one panel for each map and metric.",
    )


def _draw_null(ax: Any, result: AgreementResult, explanation: str, metric: str) -> None:
    estimate = result.estimate(explanation, metric)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=3)
    main = estimate.within_class or estimate.pooled
    if main is None:
        ax.text(0.5, 0.5, "no test", ha="center", va="center", transform=ax.transAxes)
        return
    tests = [test for test in (estimate.within_class, estimate.pooled) if test is not None]
    everything = np.concatenate([test.values for test in tests] + [[main.observed]])
    low, high = float(everything.min()), float(everything.max())
    edges = np.linspace(low, high if high > low else low + 1e-6, 41)
    ax.hist(main.values, bins=edges, histtype="stepfilled", color=NULL_COLOUR, density=True)
    if len(tests) == 2:
        ax.hist(
            tests[1].values,
            bins=edges,
            histtype="step",
            color=BASELINE_COLOUR,
            lw=0.7,
            density=True,
        )
    ax.axvline(main.observed, color=MODEL_COLOUR, lw=1.4)
    ax.set_title(f"p = {format_p(main.p_value)}", fontsize=7, pad=2)


def draw_sources(
    result: AgreementResult,
    pairs: AlignedPairs,
    maps: MapStack,
    annotations: AnnotationSet,
    images: SourceSet,
    folder: Path,
) -> FigureText:
    """Draw the best, the median and the worst source: image with marks and contours, and the map."""
    metric = result.metrics[0]
    explanation = shown_explanation(result)
    chosen = extreme_sources(result, explanation, metric)
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 122 * MM)
        axes = figure.subplots(2, len(chosen), squeeze=False)
        stack = np.stack(
            [
                pairs.explanations[explanation][pairs.sources.index(source)]
                for source in chosen.values()
            ]
        )
        limits = float(stack.min()), float(stack.max())
        drawn = None
        for column, (rank, source) in enumerate(chosen.items()):
            panel = SourcePanel.of(source, explanation, pairs, maps, annotations, images)
            value = result.source_means(explanation, metric)[result.sources.index(source)]
            panel.draw_image(axes[0, column], left=column == 0)
            drawn = panel.draw_map(axes[1, column], limits=limits, left=column == 0)
            class_name = result.classes[result.sources.index(source)]
            axes[0, column].set_title(
                f"{rank}\n{source}\n{class_name or 'class unknown'}, "
                f"{METRICS[metric].label} {format_number(value, 2)}",
                fontsize=7.5,
            )
        figure.colorbar(drawn, ax=axes[1].tolist(), shrink=0.85, label=f"attention ({explanation})")
        _legend(
            figure,
            result.annotators,
            list(dict.fromkeys(str(a.label) for a in annotations.annotations)),
        )
        fit_titles(figure, axes[0], list(chosen.values()))
        save_figure(figure, folder, "sources")
    known = [SkyView.of(images[s].grid, maps.field_shape).known for s in chosen.values()]
    if all(known):
        orientation = (
            "North is up and east left as the arrows show; ticks in arcsec from the centre."
        )
    elif any(known):
        orientation = (
            "North is up and east left where arrows show it; the other images have no celestial "
            "coordinates."
        )
    else:
        orientation = (
            "No celestial coordinates are known, so the orientation on the sky is not stated."
        )
    return FigureText(
        name="sources",
        title="The best, the median and the worst source",
        caption=(
            "Upper row: what the network saw (asinh stretch), contours of its "
            f"{explanation} map at its {listed([format_share(q) for q in CONTOUR_QUANTILES])} quantiles "
            "(yellow), and the marks of every annotator, zoomed to what they and the strongest attention "
            "cover. Lower row: the whole map, on one colour scale; dotted, what the image shows. "
            + orientation
            + f" Sources are ranked by {in_sentence(METRICS[metric].label)}: "
            + f"{', '.join(f'{rank.lower()} {source}' for rank, source in chosen.items())}."
        ),
        alternative=(
            f"Images with attention contours of the sources with the highest, median and lowest "
            f"{in_sentence(METRICS[metric].label)}: {', '.join(chosen.values())}."
        ),
    )


def _legend(figure: Any, annotators: Sequence[str], labels: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    colours = colours_of(annotators, ANNOTATOR_COLOURS)
    handles = [Line2D([], [], color=CONTOUR_COLOUR, lw=1.2, label="attention")]
    handles += [Line2D([], [], color=colours[name], lw=1.2, label=name) for name in annotators]
    for label in labels:
        marker, line = LABEL_STYLES[label]
        handles.append(
            Line2D([], [], color="white", lw=0.9, ls=line, marker=marker, ms=4, label=label)
        )
    legend = figure.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 6), handlelength=2.6
    )
    legend.get_frame().set(facecolor="#333333", alpha=1.0)
    legend.set_frame_on(True)
    for text in legend.get_texts():
        text.set_color("white")


def listed_maps(result: AgreementResult) -> list[str]:
    """All maps, with brightness at pixel scale and the centre bias for comparison."""
    return [*result.explanations, result.baselines[0], result.baselines[-1]]


def shown_explanation(result: AgreementResult) -> str:
    """Map that panels show: the mean of the gates where there is one, as in the papers."""
    return result.explanations[-1]


def extreme_sources(result: AgreementResult, explanation: str, metric: str) -> dict[str, str]:
    """Sources with the highest, the median and the lowest value."""
    values = result.source_means(explanation, metric)
    members = np.array([group == result.verdict_group for group in result.exposure])
    defined = np.flatnonzero(np.isfinite(values) & members)
    if defined.size == 0:
        return {"Only": result.sources[0]}
    ordered = defined[np.argsort(-values[defined], kind="stable")]
    picks = {"Best": 0, "Median": len(ordered) // 2, "Worst": len(ordered) - 1}
    chosen: dict[str, str] = {}
    for rank, index in picks.items():
        source = result.sources[ordered[index]]
        if source not in chosen.values():
            chosen[rank] = source
    return chosen


def fit_titles(figure: Any, axes: Sequence[Any], names: Sequence[str]) -> None:
    """Make titles no wider than their axes: smaller letters first, then names with their middle left out.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Whose layout is ready to be drawn.
    axes : sequence of matplotlib.axes.Axes
        With titles that hold the names.
    names : sequence of str
        One for each axes.
    """
    from matplotlib import rcParams

    resolution = figure.dpi
    figure.set_dpi(rcParams["savefig.dpi"])  # letters are not equally wide at every resolution
    figure.draw_without_rendering()  # the layout gives the axes their widths

    def wide(ax: Any) -> bool:
        # a little less, for letters that are rounded to pixels
        return bool(ax.title.get_window_extent().width > 0.98 * ax.get_window_extent().width)

    size = axes[0].title.get_fontsize()
    while size > SMALLEST_TITLE and any(map(wide, axes)):
        size = max(size - 0.25, SMALLEST_TITLE)
        for ax in axes:
            ax.title.set_fontsize(size)
    for ax, name in zip(axes, names, strict=True):
        start, end = ax.get_title().split(name, 1)
        for length in range(len(name) - 1, 2, -1):
            if not wide(ax):
                break
            # ends of names tell sources apart as often as their beginnings
            ax.title.set_text(
                f"{start}{name[: length // 2]}…{name[-(length - length // 2) :]}{end}"
            )
    figure.set_dpi(resolution)


def _has_classes(result: AgreementResult) -> bool:
    return any(name is not None for name in result.classes)


def _group_classes(result: AgreementResult) -> set[tuple[str, str]]:
    return {(e.group, e.class_name) for e in result.estimates}


def _agreement_in_words(result: AgreementResult, metric: str) -> str:
    parts = []
    for name in result.explanations + result.baselines:
        interval = result.estimate(name, metric).interval
        ends = f" {format_interval(interval, 2)}" if interval.known else ""
        parts.append(f"{name} {format_number(interval.value, 2)}{ends}")
    return f"{METRICS[metric].label}: {'; '.join(parts)}."
