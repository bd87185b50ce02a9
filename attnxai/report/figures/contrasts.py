"""Models against each other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.agreement.multiplicity import Correction
from attnxai.metrics import METRICS
from attnxai.report.contrasts import plot_contrasts
from attnxai.report.figures.agreement import panel_grid
from attnxai.report.figures.fitting import fit_label, fit_rows, fit_titles, shortened_apart
from attnxai.report.figures.text import FigureText, interval_phrase
from attnxai.report.methods import correction_phrase
from attnxai.report.sentences.say import say
from attnxai.report.style import TEXT_SIZE, saved_widths, thin_ticks
from attnxai.report.wording import (
    group_phrase,
    in_sentence,
    label_of_map,
    mean_word,
    n_words,
)
from attnxai.statistics.formats import p_equals, with_interval

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.contrast import Contrast
    from attnxai.agreement.model_comparison.of_results import ResultContrasts

MAX_COLUMNS = 4
MAX_NAME = 20
FEW_ROWS = 6


def draw_contrasts(contrasts: ResultContrasts, folder: Path) -> FigureText:
    """Draw how much one model agrees better than another: a panel a map, a row a pair of models."""
    by_map: dict[str, dict[tuple[str, str], Contrast]] = {}
    for (name, *pair), contrast in zip(contrasts.keys, contrasts.contrasts.contrasts, strict=True):
        by_map.setdefault(name, {})[pair[0], pair[1]] = contrast
    metric = METRICS[contrasts.metric].label
    panels, axis_label = _panels(by_map, f"difference in {in_sentence(metric)}")
    panel_rows, columns = panel_grid(len(panels), MAX_COLUMNS)
    n_rows = max(map(len, panels.values()))
    height = 8 + panel_rows * (14 + max(3.4, 6 - 0.06 * n_rows) * n_rows)
    for figure in saved_widths(folder, "contrasts", height, n_panels=len(panels)):
        axes = figure.subplots(panel_rows, columns, squeeze=False, sharex=True)
        for index, ((name, rows), ax) in enumerate(zip(panels.items(), axes.flat, strict=False)):
            texts = [text if index % columns == 0 else "" for text, _ in rows]
            plot_contrasts([contrast for _, contrast in rows], texts, ax=ax)
            for line in ax.lines:
                line.set_markersize(5 if n_rows <= FEW_ROWS else 3.5)
            ax.set_title(name and label_of_map(name))
            ax.set_xlabel("")
            ax.tick_params(labelbottom=True)
        thin_ticks(axes[0, 0].xaxis, 7 if columns == 1 else 3)
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        label = figure.supxlabel(axis_label, fontsize=TEXT_SIZE)
        fit_label(label, 0.95 * figure.bbox.width)
        fit_rows(figure, axes[:, 0])
        if len(panels) > 1:
            fit_titles(figure, axes.flat[: len(panels)])
    return FigureText(
        name="contrasts",
        caption=_caption(contrasts, metric),
        alternative=(
            f"Differences in {in_sentence(metric)}. "
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
        rows = [(label_of_map(name), contrasts[pairs[0]]) for name, contrasts in by_map.items()]
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
    intervals, count = [c.interval for c in family.contrasts], len(family.contrasts)
    over = say("caption.models.over", n=count) if count > 1 else ""
    others = any(c.p_others_adjusted is not None for c in family.contrasts)
    return say(
        "caption.models",
        metric=in_sentence(label),
        mean=mean_word(intervals),
        sources=say("caption.sources", n=n_words(intervals), group=group_phrase(contrasts.group)),
        n_annotators=len(contrasts.annotators),
        intervals=interval_phrase(intervals),
        level=family.level,
        adjusted=correction_phrase(Correction(family.correction), over),
        alpha=f"{1 - family.level:.2g}",
        others=say("caption.models.others") if others else "",
    )


def _in_words(first: str, second: str, contrast: Contrast) -> str:
    p_value = contrast.p_adjusted
    p = f", adjusted {p_equals(p_value)}" if math.isfinite(p_value) else ""
    return f"{first} minus {second} {with_interval(contrast.interval)}{p}"
