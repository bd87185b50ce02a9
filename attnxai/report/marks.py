"""Marks of annotators in figures: their outlines, their lines and markers, and the legend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attnxai.annotations.annotation_set import Operation
from attnxai.annotations.pixel_shapes import place_all
from attnxai.report.figures.fitting import place_legend
from attnxai.report.sky_view import SkyView, outline
from attnxai.report.style import ANNOTATOR_COLOURS, ANNOTATOR_WIDTHS, LABEL_STYLES, colours_of

if TYPE_CHECKING:
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.grid import GridTransform
    from attnxai.data.images import SourceImage

_HATCH = "////"


class Outline(NamedTuple):
    """A mark in display coordinates."""

    label: str
    x: np.ndarray
    y: np.ndarray
    closed: bool
    subtracted: bool = False


Outlines = Mapping[str, list[Outline]]
"""Marks of each annotator."""


def outlines_of(
    annotations: AnnotationSet,
    image: SourceImage,
    annotators: Sequence[str],
    *,
    view: SkyView,
    transform: GridTransform,
) -> Outlines:
    """Outlines of what annotators marked on one source, in display coordinates."""
    found: dict[str, list[Outline]] = {}
    for annotator in annotators:
        marks = found.setdefault(annotator, [])
        own = annotations.of(image.source, annotator)
        placed = place_all([a.shape for a in own], image.grid, source=image.source)
        for annotation, shape in zip(own, placed, strict=True):
            x, y, closed = outline(shape, transform)
            is_subtracted = annotation.operation is Operation.SUBTRACT
            marks.append(Outline(str(annotation.label), *view.points(x, y), closed, is_subtracted))
    return found


def draw_outlines(ax: Any, outlines: Outlines, *, scale: float = 1.0, size: float = 5.0) -> None:
    """Draw marks, with a colour and a width for each annotator and a line or marker, of ``size`` points, for each label.

    What is subtracted is hatched.
    """
    colours = colours_of(list(outlines), ANNOTATOR_COLOURS)
    widths = colours_of(list(outlines), ANNOTATOR_WIDTHS)
    for annotator, marks in outlines.items():
        width = widths[annotator]
        for label, x, y, closed, is_subtracted in marks:
            marker, line = LABEL_STYLES[label]
            style = {
                "color": colours[annotator],
                "ms": size,
                "mew": width * size / 5,
                "lw": width * (0.4 + size / 10),
            }
            if len(x) == 1:
                ax.plot(x * scale, y * scale, marker=marker, ls="", **style)
            else:
                ends = slice(None) if not closed else np.r_[0 : len(x), 0]
                ax.plot(x[ends] * scale, y[ends] * scale, ls=line, **style)
            if is_subtracted:
                ax.fill(x * scale, y * scale, **_hatched(colours[annotator]))


def draw_legend(
    figure: Any, annotators: Sequence[str], outlines: Sequence[Outlines], first: Iterable[Any] = ()
) -> None:
    """Below a figure: colours and widths of the annotators; markers and lines of the labels, as far as they are drawn.

    ``first`` are handles that stand before these.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colours = colours_of(annotators, ANNOTATOR_COLOURS)
    handles = [*first]
    widths = colours_of(annotators, ANNOTATOR_WIDTHS)
    handles += [
        Line2D([], [], color=colours[name], lw=2.2 * widths[name], label=name)
        for name in annotators
    ]
    for label, (points, lines) in drawn_labels(outlines).items():
        marker, line = LABEL_STYLES[label]
        mark = Line2D([], [], color="white", lw=0.9, ms=5, mew=1.0, label=label)
        mark.set(linestyle=line if lines else "", marker=marker if points else "")
        handles.append(mark)
    if any(mark.subtracted for panel in outlines for marks in panel.values() for mark in marks):
        handles.append(Patch(label="subtracted", **_hatched("white")))
    legend = place_legend(figure, handles, columns=6, handlelength=2.6)
    legend.get_frame().set(facecolor="#333333", alpha=1.0)
    legend.set_frame_on(True)
    for text in legend.get_texts():
        text.set_color("white")


def _hatched(colour: str) -> dict[str, Any]:
    return {"facecolor": "none", "edgecolor": colour, "hatch": _HATCH, "linewidth": 0.0}


def drawn_labels(outlines: Iterable[Outlines]) -> dict[str, tuple[bool, bool]]:
    """Of every label that is drawn, whether it occurs as a point and whether as a line or outline."""
    found: dict[str, tuple[bool, bool]] = {}
    for panel in outlines:
        for marks in panel.values():
            for mark in marks:
                points, lines = found.get(mark.label, (False, False))
                found[mark.label] = points or len(mark.x) == 1, lines or len(mark.x) > 1
    order = list(LABEL_STYLES)
    return {label: found[label] for label in sorted(found, key=order.index)}
