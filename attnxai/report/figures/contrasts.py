"""Models against each other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.multiplicity import Correction
from attnxai.data.wording import counted
from attnxai.report.figures.agreement import panel_grid
from attnxai.report.figures.fitting import shortened_apart
from attnxai.report.figures.text import FigureText, interval_phrase
from attnxai.report.plots.contrasts import plot_contrasts
from attnxai.report.style import MM, TWO_COLUMNS, new_figure, paper_style, save_figure
from attnxai.report.wording import group_phrase, in_sentence
from attnxai.statistics.formats import format_share, p_equals, with_interval

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.contrast import Contrast
    from attnxai.agreement.model_comparison.of_results import ResultContrasts

MAX_COLUMNS = 4
MAX_NAME = 20
FEW_ROWS = 6


def draw_contrasts(contrasts: ResultContrasts, folder: Path) -> FigureText:
    """Draw how much one model agrees better than another: a panel a map, a row a pair of models.

    Parameters
    ----------
    contrasts : ResultContrasts
        From :func:`~attnxai.agreement.model_comparison.of_results.contrast_results`.
    folder : Path
        Where ``contrasts.png`` and ``contrasts.pdf`` go.
    """
    by_map: dict[str, dict[tuple[str, str], Contrast]] = {}
    for (name, *pair), contrast in zip(contrasts.keys, contrasts.contrasts.contrasts, strict=True):
        by_map.setdefault(name, {})[pair[0], pair[1]] = contrast
    label = METRICS[contrasts.metric].label
    panels, axis_label = _panels(by_map, f"difference in {in_sentence(label)}")
    panel_rows, columns = panel_grid(len(panels), MAX_COLUMNS)
    n_rows = max(map(len, panels.values()))
    with paper_style():
        height = 8 + panel_rows * (14 + max(3.4, 6 - 0.06 * n_rows) * n_rows)
        figure = new_figure(TWO_COLUMNS, height * MM)
        axes = figure.subplots(panel_rows, columns, squeeze=False, sharex=True)
        for index, ((name, rows), ax) in enumerate(zip(panels.items(), axes.flat, strict=False)):
            texts = [text if index % columns == 0 else "" for text, _ in rows]
            plot_contrasts([contrast for _, contrast in rows], texts, ax=ax)
            for line in ax.lines:
                line.set_markersize(5 if n_rows <= FEW_ROWS else 3.5)
            ax.set_title(name, fontsize=7.5)
            ax.set_xlabel("")
            ax.tick_params(labelbottom=True)
        axes[0, 0].locator_params(axis="x", nbins=9 if columns == 1 else 3)
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        figure.supxlabel(axis_label, fontsize=8)
        save_figure(figure, folder, "contrasts")
    return FigureText(
        name="contrasts",
        title="Models against each other",
        caption=_caption(contrasts, label),
        alternative=(
            f"Differences in {in_sentence(label)}. "
            + " ".join(
                f"{name}: {'; '.join(_in_words(*pair, c) for pair, c in pairs.items())}."
                for name, pairs in by_map.items()
            )
        ),
    )


def _panels(
    by_map: dict[str, dict[tuple[str, str], Contrast]], axis_label: str
) -> tuple[dict[str, list[tuple[str, Contrast]]], str]:
    """Rows of every panel with what stands beside them: pairs of models, or the maps of the only pair."""
    pairs = list(next(iter(by_map.values())))
    short = shortened_apart([model for pair in pairs for model in pair], MAX_NAME)
    if len(pairs) == 1:
        rows = [(name, contrasts[pairs[0]]) for name, contrasts in by_map.items()]
        first, second = pairs[0]
        return {"": rows}, f"{axis_label}, {short[first]} − {short[second]}"
    panels = {
        name: [
            (f"{short[first]} − {short[second]}", contrast)
            for (first, second), contrast in contrasts.items()
        ]
        for name, contrasts in by_map.items()
    }
    return panels, axis_label


def _caption(contrasts: ResultContrasts, label: str) -> str:
    family = contrasts.contrasts
    n = len(contrasts.sources)
    words = {
        Correction.NONE: "not adjusted",
        Correction.HOLM: "adjusted by Holm's method",
        Correction.BH: "adjusted by Benjamini and Hochberg's method",
        Correction.MAX_T: "adjusted by max-T",
    }
    count = len(family.contrasts)
    over = f" over the {counted(count, 'contrast')}" if count > 1 else ""
    adjusted = f"{words[Correction(family.correction)]}{over}"
    intervals = interval_phrase(c.interval for c in family.contrasts)
    return (
        f"Difference in {in_sentence(label)}, one model minus the other over the same sources, for each "
        f"map: right of the vertical line the first has the higher value. Points are means over "
        f"n = {n} {group_phrase(contrasts.group, n)} and "
        f"{counted(len(contrasts.annotators), 'annotator')}, {intervals}. "
        f"Filled points: the {format_share(family.level)} interval excludes zero and the p-value of the "
        f"sign-flip test, {adjusted}, is at most {1 - family.level:.2g}"
        + (
            ", and so is the p-value about other annotators, adjusted by Holm's method."
            if any(c.p_others_adjusted is not None for c in family.contrasts)
            else "."
        )
    )


def _in_words(first: str, second: str, contrast: Contrast) -> str:
    p_value = contrast.p_adjusted
    p = f", adjusted {p_equals(p_value)}" if math.isfinite(p_value) else ""
    return f"{first} minus {second} {with_interval(contrast.interval)}{p}"
