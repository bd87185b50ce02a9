"""Small vector panels of single sources for the page, fast enough for hundreds."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from attnxai.report.page import data_url
from attnxai.report.sky_view import asinh_stretch, contour_levels
from attnxai.report.style import ANNOTATOR_COLOURS, CONTOUR_COLOUR, CONTOUR_QUANTILES, colours_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnxai.report.source_panel import SourcePanel


def source_svg(panels: Mapping[str, SourcePanel], *, title: str) -> str:
    """Image, contours and annotations of one source as inline SVG.

    ``panels`` are those of its maps by name; the contours of all but the first are hidden.
    """
    from html import escape

    from contourpy import contour_generator

    panel = next(iter(panels.values()))
    left, right, bottom, top = panel.view.extent()
    width, height = right - left, top - bottom
    # display coordinates count up, SVG counts down
    label = escape(title, quote=True)
    # what the marks and the strongest attention cover, as in the figures
    radius = max(one.radius_of_interest() for one in panels.values()) / panel.pixel_scale_arcsec
    view = f"{-left - radius:.1f} {top - radius:.1f} {2 * radius:.1f} {2 * radius:.1f}"
    parts = [
        f'<svg class="source" viewBox="{view}" role="img" aria-label="{label}">',
        f'<image width="{width:g}" height="{height:g}" href="{_png(panel)}"/>',
    ]

    def place(x: np.ndarray, y: np.ndarray) -> str:
        return " ".join(f"{a - left:.1f},{top - b:.1f}" for a, b in zip(x, y, strict=True))

    for name, one in panels.items():
        hidden = "" if one is panel else " hidden"
        parts.append(f'<g class="attention" data-map="{escape(name, quote=True)}"{hidden}>')
        shown = one.view.array(np.where(one.valid, one.attention, np.nan))
        generator = contour_generator(z=np.ma.masked_invalid(shown))
        for level in contour_levels(one.attention, one.valid, CONTOUR_QUANTILES):
            for line in generator.lines(level):
                points = np.asarray(line)
                parts.append(
                    f'<polyline points="'
                    f'{place(points[:, 0] + left + 0.5, points[:, 1] + bottom + 0.5)}" '
                    f'stroke="{CONTOUR_COLOUR}"/>'
                )
        parts.append("</g>")
    colours = colours_of(list(panel.outlines), ANNOTATOR_COLOURS)
    for annotator, marks in panel.outlines.items():
        for label, x, y, closed, is_subtracted in marks:
            tag, shape = "polygon" if closed else "polyline", f'points="{place(x, y)}"'
            if len(x) == 1:
                cx, cy = float(x[0]) - left, top - float(y[0])
                tag, shape = "path", f'd="M{cx - 3:.1f} {cy:.1f}h6M{cx:.1f} {cy - 3:.1f}v6"'
            what = f"{annotator}: {label}{', subtracted' if is_subtracted else ''}"
            look = f'stroke="{colours[annotator]}"' + (
                ' stroke-dasharray="1 2"' if is_subtracted else ""
            )
            parts.append(f"<{tag} {shape} {look}><title>{escape(what)}</title></{tag}>")
    parts.append("</svg>")
    return "".join(parts)


def _png(panel: SourcePanel) -> str:
    from PIL import Image

    grey = (255 * asinh_stretch(panel.view.array(panel.brightness))).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey[::-1]).save(buffer, format="PNG", optimize=True)
    return data_url(buffer.getvalue())
