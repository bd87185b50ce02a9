"""Observed means against their null distributions."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.metrics import METRICS
from attnxai.report.figures.agreement import panel_grid
from attnxai.report.figures.fitting import add_legend, fit_titles, shortened
from attnxai.report.figures.text import FigureText, permutation_phrase, shown_estimates
from attnxai.report.findings import permuted_words
from attnxai.report.sentences.say import say
from attnxai.report.style import (
    BASELINE_COLOUR,
    MODEL_COLOUR,
    NULL_COLOUR,
    saved_figure,
    thin_ticks,
)
from attnxai.report.wording import capitalised, label_of_map, mean_word
from attnxai.statistics.formats import format_compared, p_equals

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult


_MOST_MAPS, _MOST_ROWS = 5, 8
"""With more, the null distributions of the metric of the verdict alone are drawn, which fit a page; the tables have all."""


def draw_nulls(result: AgreementResult, folder: Path, *, suffix: str = "") -> FigureText:
    """Draw observed means against their null distributions: every metric, or with many maps that of the verdict."""
    n_maps = len(result.explanations)
    rows_a_map, columns = panel_grid(len(result.metrics))
    n_rows = rows_a_map * n_maps
    many = n_maps > _MOST_MAPS or n_rows > _MOST_ROWS
    metrics = result.metrics[:1] if many else result.metrics
    if many:
        rows_a_map, (n_rows, columns) = 1, panel_grid(n_maps, 4)
    tested = any(e.test for m in metrics for e in shown_estimates([result], m))
    row_height = (24 if rows_a_map == 1 else 26) if tested else 10
    with saved_figure(folder, f"nulls{suffix}", 9 + row_height * n_rows) as figure:
        axes = figure.subplots(n_rows, columns, squeeze=False)
        if many:
            _draw_of_maps(axes, result, metrics[0])
        else:
            _draw_of_metrics(axes, result, rows_a_map)
        add_legend(figure, *axes.flat)
        fit_titles(figure, [ax for ax in axes.flat if ax.get_visible()])
    metric = result.metrics[0]
    estimates = shown_estimates([result], metric)
    within = any(e.within_strata is not None for e in estimates)
    return FigureText(
        name=f"nulls{suffix}",
        caption=say(
            "caption.nulls",
            mean=capitalised(mean_word(e.interval for e in estimates)),
            metric=f" of {METRICS[metric].label}" if many else "",
            model=result.model_name,
            sources=permutation_phrase([result], metric) or say("caption.permuted.any"),
            outline=say("caption.nulls.outline") if within else "",
            permuted=permuted_words(estimates, "caption"),
            n_draws=result.settings["n_permutations"],
            former=say("caption.nulls.former") if within else "",
            side=say(f"methods.side.{result.settings['alternative']}"),
        ),
        alternative=_in_words(result, metrics),
    )


def _draw_of_metrics(axes: Any, result: AgreementResult, rows_a_map: int) -> None:
    """Rows of a map, with a panel for each metric."""
    for m, explanation in enumerate(result.explanations):
        block = axes[m * rows_a_map : (m + 1) * rows_a_map]
        for metric, ax in zip(result.metrics, block.flat, strict=False):
            _draw_null(ax, result, explanation, metric)
            if rows_a_map > 1 or m == len(result.explanations) - 1:
                ax.set_xlabel(METRICS[metric].label)
        for ax in block.flat[len(result.metrics) :]:
            ax.set_visible(False)
        # beside the panels of a map, a line for each
        name = shortened(label_of_map(explanation), 14 * rows_a_map + 14)
        block[0, 0].set_ylabel(textwrap.fill(name, 14))


def _draw_of_maps(axes: Any, result: AgreementResult, metric: str) -> None:
    """A panel for each map, with one metric."""
    for explanation, ax in zip(result.explanations, axes.flat, strict=False):
        _draw_null(ax, result, explanation, metric)
        ax.set_title(f"{label_of_map(explanation)}\n{ax.get_title()}", pad=2)
    for ax in axes.flat[len(result.explanations) :]:
        ax.set_visible(False)
    for column in axes.T:
        [ax for ax in column if ax.get_visible()][-1].set_xlabel(METRICS[metric].label)


def _draw_null(ax: Any, result: AgreementResult, explanation: str, metric: str) -> None:
    estimate = result.estimate(explanation, metric)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    thin_ticks(ax.xaxis, 3)
    main = estimate.test
    if main is None:
        ax.set_title("no test", pad=2)
        ax.set_xticks([])
        return
    tests = [test for test in (estimate.within_strata, estimate.pooled) if test is not None]
    everything = np.concatenate([test.values for test in tests] + [[main.observed]])
    low, high = float(everything.min()), float(everything.max())
    edges = np.linspace(low, high if high > low else low + 1e-6, 41)
    sources = permutation_phrase([result], metric)
    ax.hist(
        main.values,
        bins=edges,
        histtype="stepfilled",
        color=NULL_COLOUR,
        density=True,
        label=f"permuted across {sources}",
    )
    if len(tests) == 2:
        ax.hist(
            tests[1].values,
            bins=edges,
            histtype="step",
            color=BASELINE_COLOUR,
            lw=0.7,
            density=True,
            label="across all sources",
        )
    ax.axvline(main.observed, color=MODEL_COLOUR, lw=1.4, label="observed")
    ax.set_title(p_equals(main.p_value), pad=2)


def _in_words(result: AgreementResult, metrics: Sequence[str]) -> str:
    parts = []
    for metric in metrics:
        values = []
        for estimate in shown_estimates([result], metric):
            test = estimate.test
            if test is not None:
                observed, low, high = (
                    format_compared(number, estimate.interval)
                    for number in (test.observed, *test.range())
                )
                values.append(
                    f"{label_of_map(estimate.explanation)} {observed} against {low} to {high}, "
                    f"{p_equals(test.p_value)}"
                )
        parts.append(f"{METRICS[metric].label}: {'; '.join(values) or 'no test'}.")
    return f"Observed means against the central 95 % of their nulls. {' '.join(parts)}"
