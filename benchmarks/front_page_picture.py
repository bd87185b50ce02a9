"""Draw the picture of docs/index.md: one source of the sample with its map and marks, beside the agreement of all maps.

Usage: ``python benchmarks/front_page_picture.py docs/images/report.png``
"""

from __future__ import annotations

import sys
from pathlib import Path

import attnxai
from attnxai.report.agreement_plot import plot_agreement
from attnxai.report.figures.fitting import add_legend, fit_rows
from attnxai.report.marks import draw_legend
from attnxai.report.shown_maps import shown_explanation
from attnxai.report.source_panel import SourcePanel
from attnxai.report.style import (
    CONTOUR_COLOUR,
    MM,
    TWO_COLUMNS,
    new_figure,
    paper_style,
    write_figure,
)

SOURCE = "simulated_fr2_19"


def main(path: Path) -> None:
    """Compare the shipped model with the sample, and draw."""
    from matplotlib.lines import Line2D

    annotations = attnxai.read_annotations("expert.csv")
    images = attnxai.read_images(annotations.image_files().values())
    maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
    result = attnxai.compare(maps, annotations, images)
    explanation, pairs = shown_explanation(result), attnxai.align(maps, annotations, images)
    panel = SourcePanel.of(SOURCE, explanation, pairs, maps, annotations, images)
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 60 * MM)
        left, right = figure.subfigures(1, 2, width_ratios=(1.16, 0.84))
        image, attention = left.subplots(1, 2)
        panel.draw_image(image, left=True)
        image.set_title("image, map and marks")
        inside = panel.attention[panel.valid]
        panel.draw_map(attention, limits=(float(inside.min()), float(inside.max())), left=False)
        reach = panel.radius_of_interest()
        attention.set(xlim=(-reach, reach), ylim=(-reach, reach))
        image.set_xlabel("arcsec")
        attention.set_title("map")
        contours = Line2D([], [], color=CONTOUR_COLOUR, lw=1.2, label="map")
        draw_legend(left, pairs.annotators, [panel.outlines], first=[contours])
        ax = right.add_subplot()
        plot_agreement(result, result.metrics[0], ax=ax, legend=False)
        ax.set_title(f"agreement over {len(result.sources)} sources")
        add_legend(right, ax)
        fit_rows(right, [ax])
        write_figure(figure, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
