"""The best, the median and the worst source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.wording import listed
from attnxai.metrics import METRICS
from attnxai.report.figures.fitting import fit_titles
from attnxai.report.figures.text import FigureText
from attnxai.report.marks import draw_legend
from attnxai.report.rounding import source_decimals
from attnxai.report.sentences.say import say
from attnxai.report.shown_maps import extreme_sources, shown_explanation
from attnxai.report.sky_view import SkyView
from attnxai.report.source_panel import SourcePanel
from attnxai.report.style import (
    CONTOUR_COLOUR,
    CONTOUR_QUANTILES,
    saved_figure,
)
from attnxai.report.wording import in_sentence, map_in_sentence
from attnxai.statistics.formats import format_number, format_share

if TYPE_CHECKING:
    from attnxai.agreement.results import AgreementResult
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet
    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.stack import MapStack


def draw_sources(
    result: AgreementResult,
    pairs: AlignedPairs,
    maps: MapStack | MapChunks,
    annotations: AnnotationSet,
    images: SourceSet,
    folder: Path,
    *,
    suffix: str = "",
) -> FigureText:
    """Draw the best, the median and the worst source: image with annotations and contours, and the map."""
    from matplotlib.lines import Line2D

    metric = result.metrics[0]
    explanation = shown_explanation(result)
    chosen = extreme_sources(result, explanation, metric)
    decimals = source_decimals([result], metric)
    panels = {
        source: SourcePanel.of(source, explanation, pairs, maps, annotations, images)
        for source in chosen.values()
    }
    with saved_figure(folder, f"sources{suffix}", 110, layout="compressed") as figure:
        axes = figure.subplots(2, len(chosen), squeeze=False)
        stack = np.stack([panel.attention for panel in panels.values()])
        limits = float(stack.min()), float(stack.max())
        drawn = None
        for column, (rank, source) in enumerate(chosen.items()):
            panel = panels[source]
            value = result.source_means(explanation, metric)[result.sources.index(source)]
            panel.draw_image(axes[0, column], left=column == 0)
            drawn = panel.draw_map(axes[1, column], limits=limits, left=column == 0)
            class_name = result.classes[result.sources.index(source)]
            axes[0, column].set_title(
                f"{rank}\n{source}\n{class_name or 'class unknown'}, "
                f"{METRICS[metric].label} {format_number(value, decimals)}"
            )
        figure.colorbar(
            drawn, ax=axes[1].tolist(), shrink=0.85, label=f"map ({map_in_sentence(explanation)})"
        )
        contours = Line2D([], [], color=CONTOUR_COLOUR, lw=1.2, label="map")
        outlines = [panel.outlines for panel in panels.values()]
        draw_legend(figure, pairs.annotators, outlines, first=[contours])
        fit_titles(figure, axes[0])
    known = [SkyView.of(images[s].grid, maps.field_shape).known for s in chosen.values()]
    north = "all" if all(known) else "some" if any(known) else "none"
    layer = next(
        (
            say("caption.sources_shown.layer", layer=one["network_layer"])
            for one in maps.provenance.get("explanations", ())
            if one["name"] == explanation and "network_layer" in one
        ),
        "",
    )
    ranked = {
        "metric": in_sentence(METRICS[metric].label),
        "ranks": ", ".join(f"{rank.lower()} {source}" for rank, source in chosen.items()),
    }
    return FigureText(
        name=f"sources{suffix}",
        caption=say(
            "caption.sources_shown",
            model=result.model_name,
            map=map_in_sentence(explanation),
            layer=layer,
            quantiles=listed([format_share(q) for q in CONTOUR_QUANTILES]),
            orientation=say(f"caption.north.{north}"),
            **ranked,
        ),
        alternative=say("caption.sources_shown.alternative", **ranked),
    )
