"""Draw the pictures of docs/index.md and of README.md: sources with maps and marks, beside the agreement of all maps.

Usage, for the sample, and for MiraBest with the component associations of Radio Galaxy Zoo::

    python benchmarks/front_page_picture.py docs/images/report.png
    python benchmarks/front_page_picture.py docs/images/sources.png claran_full_catalogue.csv
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import attnxai
from attnxai.annotations.inputs import read_inputs
from attnxai.metrics import METRICS
from attnxai.report.agreement_plot import plot_agreement
from attnxai.report.figures.fitting import add_legend, fit_rows, place_legend
from attnxai.report.marks import draw_legend
from attnxai.report.shown_maps import extreme_sources, shown_explanation
from attnxai.report.source_panel import SourcePanel
from attnxai.report.style import (
    ANNOTATOR_COLOURS,
    CONTOUR_COLOUR,
    MM,
    TWO_COLUMNS,
    new_figure,
    paper_style,
    write_figure,
)
from attnxai.statistics.formats import format_number

SOURCE = "simulated_fr2_19"
RANKS = {"Best": "highest", "Median": "median", "Worst": "lowest"}


class WidePanel(SourcePanel):
    """A panel with sky around the source."""

    def radius_of_interest(self) -> float:
        """Half the side of the square in arcsec."""
        return min(1.25 * super().radius_of_interest(), self._extent_arcsec()[1])


def compared(annotations: Any, images: Any) -> tuple[Any, Any, Any]:
    """The maps of the shipped model, their agreement with annotations, and the pairs of both."""
    maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
    settings = attnxai.ComparisonSettings(metrics=("nss",))
    result = attnxai.compare(maps, annotations, images, settings=settings)
    return maps, result, attnxai.align(maps, annotations, images)


def draw_agreement(figure: Any, result: Any) -> None:
    """The agreement of all maps, in a part of the figure."""
    ax = figure.add_subplot()
    plot_agreement(result, result.metrics[0], ax=ax, legend=False)
    n_sources = sum(split == result.verdict_group for split in result.splits)
    ax.set_title(f"mean of {n_sources} sources")
    add_legend(figure, ax)
    fit_rows(figure, [ax])


def draw_sample(path: Path) -> None:
    """One source of the sample: image with map and marks, and the map."""
    annotations = attnxai.read_annotations("expert.csv")
    images = attnxai.read_images(annotations.image_files().values())
    maps, result, pairs = compared(annotations, images)
    explanation = shown_explanation(result)
    panel = SourcePanel.of(SOURCE, explanation, pairs, maps, annotations, images)
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 60 * MM)
        left, right = figure.subfigures(1, 2, width_ratios=(1.16, 0.84))
        image, attention = left.subplots(1, 2)
        panel.draw_image(image, left=True)
        image.set_title("image, map and marks")
        inside = panel.attention[panel.valid]
        panel.draw_map(attention, limits=(float(inside.min()), float(inside.max())), left=False)
        attention.lines[0].remove()  # the frame of what the image shows, since both show the same
        reach = 1.06 * panel.radius_of_interest()
        for ax in (image, attention):
            ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
        image.set_xlabel("arcsec")
        attention.set_title("map")
        draw_legend(left, pairs.annotators, [panel.outlines], first=[contours()])
        draw_agreement(right, result)
        write_figure(figure, path)


def draw_real(path: Path, catalogue: str) -> None:
    """The sources of MiraBest with the highest, the median and the lowest agreement."""
    from matplotlib.lines import Line2D

    inputs = read_inputs([catalogue], images="mirabest")
    annotations, images = inputs.annotations, inputs.images
    maps, result, pairs = compared(annotations, images)
    explanation, metric = shown_explanation(result), result.metrics[0]
    values = dict(zip(result.sources, result.source_means(explanation, metric), strict=True))
    classes = dict(zip(result.sources, result.classes, strict=True))
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 48 * MM)
        left, right = figure.subfigures(1, 2, width_ratios=(1.27, 0.73))
        axes = left.subplots(1, 3)
        for ax, (rank, source) in zip(
            axes, extreme_sources(result, explanation, metric).items(), strict=True
        ):
            panel = WidePanel.of(source, explanation, pairs, maps, annotations, images)
            # the caption says that north is up
            view = dataclasses.replace(panel.view, north=None, east=None)
            dataclasses.replace(panel, view=view).draw_image(ax, left=False)
            ax.set(xticks=[], yticks=[])
            value = format_number(values[source], 1)
            ax.set_title(f"{classes[source]}\n{METRICS[metric].label} {value} ({RANKS[rank]})")
        marks = Line2D([], [], marker="D", ls="", color=ANNOTATOR_COLOURS[0])
        marks.set_label("radio components of the source, by volunteers")
        legend = place_legend(left, [contours(), marks])
        legend.get_frame().set(facecolor="#333333", alpha=1.0)
        legend.set_frame_on(True)
        for text in legend.get_texts():
            text.set_color("white")
        draw_agreement(right, result)
        write_figure(figure, path)


def contours() -> Any:
    """The entry of the contours in a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=CONTOUR_COLOUR, lw=1.2, label="map")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        draw_real(Path(sys.argv[1]), sys.argv[2])
    else:
        draw_sample(Path(sys.argv[1]))
