"""The figure that carries the result, and the same for every metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.report.agreement_plot import agreement_rows, plot_agreement
from attnxai.report.figures.fitting import add_legend, fit_headings, fit_rows
from attnxai.report.figures.text import (
    FigureText,
    agreement_in_words,
    bar_phrase,
    further_phrase,
    interval_phrase,
    noise_ceiling_phrase,
    shown_estimates,
    sources_phrase,
)
from attnxai.report.sentences.say import say
from attnxai.report.style import ONE_COLUMN, saved_figure, saved_widths, thin_ticks
from attnxai.report.wording import mean_word

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult

MAX_COLUMNS = 5


def draw_agreement(results: Sequence[AgreementResult], folder: Path) -> FigureText:
    """Draw the figure that carries the result, for the first metric."""
    metric = results[0].metrics[0]
    n_rows = len(agreement_rows(results, metric))
    n_further = len({f.label for e in shown_estimates(results, metric) for f in e.further})
    height = 11 + (_row_height(n_rows, 5.2, 3.7) + 1.0 * n_further) * n_rows
    for figure in saved_widths(folder, "agreement", height):
        ax = figure.add_subplot()
        # in one column intervals are short
        size = 5.0 if figure.get_figwidth() > ONE_COLUMN else 3.5
        plot_agreement(results, metric, ax=ax, legend=False, marker_size=size)
        add_legend(figure, ax)
        fit_rows(figure, [ax])
        fit_headings(figure, [ax])
    several = say("caption.points.several") if len(results) > 1 else ""
    models = listed([result.model_name for result in results])
    shown = [e.interval for e in shown_estimates(results, metric)]
    parts = [
        say("caption.metric", metric=METRICS[metric].label, meaning=METRICS[metric].meaning),
        say("caption.points", models=models, several=several),
        say(
            "caption.means",
            mean=mean_word(shown),
            sources=sources_phrase(results, metric),
            intervals=interval_phrase(shown),
        ),
        bar_phrase(results, metric),
        further_phrase(results, metric),
        noise_ceiling_phrase(results, metric),
        say("caption.chance") if METRICS[metric].chance is not None else "",
    ]
    return FigureText(
        name="agreement",
        caption=" ".join(part for part in parts if part),
        alternative=agreement_in_words(results, metric),
    )


def draw_all_metrics(results: Sequence[AgreementResult], folder: Path) -> FigureText:
    """Draw the same for every metric, each on an axis of its own."""
    metrics = results[0].metrics
    n_rows = max(len(agreement_rows(results, m, every_baseline=True)) for m in metrics)
    panel_rows, columns = panel_grid(len(metrics))
    height = 1 + panel_rows * (12 + _row_height(n_rows, 4.6, 3.5) * n_rows)
    with saved_figure(folder, "all_metrics", height) as figure:
        axes = figure.subplots(panel_rows, columns, squeeze=False)
        for index, (metric, ax) in enumerate(zip(metrics, axes.flat, strict=False)):
            plot_agreement(
                results,
                metric,
                ax=ax,
                show_names=index % columns == 0,
                show_further=False,
                every_baseline=True,
                legend=False,
                marker_size=3.5,
            )
            thin_ticks(ax.xaxis, 4)
        for ax in axes.flat[len(metrics) :]:
            ax.set_visible(False)
        add_legend(figure, *axes.flat[: len(metrics)])
        fit_rows(figure, axes[:, 0])
        fit_headings(figure, axes[:, 0])
    meanings = [
        say("caption.metric", metric=METRICS[m].label, meaning=METRICS[m].meaning) for m in metrics
    ]
    return FigureText(
        name="all_metrics",
        caption=say("caption.all_metrics", meanings=" ".join(meanings)),
        alternative=" ".join(
            agreement_in_words(results, metric, every_baseline=True) for metric in metrics
        ),
    )


def panel_grid(n: int, max_columns: int = MAX_COLUMNS) -> tuple[int, int]:
    """Rows and columns of panels, the rows about equally full."""
    rows = math.ceil(n / max_columns)
    return rows, math.ceil(n / rows)


def _row_height(n_rows: int, widest: float, narrowest: float) -> float:
    """Millimetres of a row: less where there are many, down to what text of seven points needs."""
    return max(narrowest, widest - 0.11 * max(n_rows - 8, 0))
