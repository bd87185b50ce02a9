"""Small vector pictures of single sources for the page, fast enough for hundreds."""

from __future__ import annotations

import functools
import io
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.report.page import data_url
from attnxai.report.sky_view import asinh_stretch, contour_levels, scale_bar_arcsec
from attnxai.report.style import (
    ANNOTATOR_COLOURS,
    CONTOUR_QUANTILES,
    LABEL_STYLES,
    MAP_COLOURS,
    SIGNED_MAP_COLOURS,
    colours_of,
)
from attnxai.statistics.formats import short_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from attnxai.report.marks import Outline
    from attnxai.report.source_panel import SourcePanel

# pixels along the longer side of a picture of a map, which is smooth
_MAP_PIXELS = 72
# number of colours of a map; more would hardly be distinguished and make the page larger
_NO_VALUE = 64
# by how much a contour may leave its course in each round of thinning, in all less than a pixel of the screen
_TOLERANCES_PIXELS = (0.04, 0.08, 0.13)
_PATTERNS = {"-": "", ":": "1 2", "--": "5 3", "-.": "5 2 1 2"}
_MARKERS = {
    "+": "M-3 0h6M0-3v6",
    "x": "M-2.5-2.5l5 5M-2.5 2.5l5-5",
    "4": "M0 0h3M0 0l-1.5-2.6M0 0l-1.5 2.6",
    "s": "M-2.5-2.5h5v5h-5z",
    "o": "M-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0",
    "d": "M0-3l2.5 3l-2.5 3l-2.5-3z",
    "*": "M0-3v6M-2.6-1.5l5.2 3M-2.6 1.5l5.2-3",
}
LABEL_MARKERS = {label: _MARKERS[marker] for label, (marker, _) in LABEL_STYLES.items()}
"""Paths of the markers of each label around 0, in pixels of the field; they follow those of the figures."""
LABEL_DASHES = {label: _PATTERNS[line] for label, (_, line) in LABEL_STYLES.items()}
"""Dashes and gaps of the lines of each label, in pixels of the page; they follow those of the figures."""


def source_svg(
    panels: Mapping[str, SourcePanel], *, limits: Mapping[str, tuple[float, float]], title: str
) -> str:
    """A source as two inline SVG pictures: its image with contours and marks, and its map with a colour bar.

    Parameters
    ----------
    panels : mapping of str to SourcePanel
        Those of its maps by name; contours and pictures of all but the first are hidden.
    limits : mapping of str to tuple of float
        Least and greatest value of each map over all sources, where its colours begin and end.
    title : str
        What the picture shows, for a screen reader.

    Returns
    -------
    str
        HTML, in which everything is escaped.
    """
    panel = next(iter(panels.values()))
    left, _, _, top = panel.view.extent()
    # what the marks and the strongest attention cover, as in the figures
    radius = max(one.radius_of_interest() for one in panels.values()) / panel.pixel_scale_arcsec
    corner = -left - radius, top - radius
    box = f'viewBox="{corner[0]:.1f} {corner[1]:.1f} {2 * radius:.1f} {2 * radius:.1f}"'
    image = [
        f'<svg class="source" {box} role="img" aria-label="{escape(title, quote=True)}">',
        _image(panel, _grey(panel)),
        *(_of_map(name, one is panel, _contours(one, radius)) for name, one in panels.items()),
        _marks(panel, left, top),
        _furniture(panel, radius, corner),
        "</svg>",
    ]
    pictures = [
        f'<svg class="source" {box} role="img" aria-label="map of {escape(title, quote=True)}">'
    ]
    for name, one in panels.items():
        low, high = limits[name]
        signed = low < 0
        if signed:
            high = max(-low, high)
            low = -high
        drawn = _image(one, _coloured(one, low, high, signed=signed))
        pictures.append(
            _of_map(name, one is panel, drawn + _colour_bar(low, high, signed, radius, corner))
        )
    return "".join([*image, *pictures, "</svg>"])


def _image(panel: SourcePanel, address: str) -> str:
    left, right, bottom, top = panel.view.extent()
    return f'<image width="{right - left:g}" height="{top - bottom:g}" preserveAspectRatio="none" href="{address}"/>'


def _of_map(name: str, is_shown: bool, content: str) -> str:
    hidden = "" if is_shown else " hidden"
    return f'<g class="attention" data-map="{escape(name, quote=True)}"{hidden}>{content}</g>'


def _contours(panel: SourcePanel, radius: float) -> str:
    """Contours of a map, as far as the picture shows them."""
    from contourpy import contour_generator

    shown = panel.view.array(np.where(panel.valid, panel.attention, np.nan))
    n_rows, n_columns = shown.shape
    left, _, bottom, _ = panel.view.extent()
    (x0, x1), (y0, y1) = (
        np.clip([-edge - radius - 1, -edge + radius + 2], 0, n).astype(int)
        for edge, n in ((left, n_columns), (bottom, n_rows))
    )
    seen = np.ma.masked_invalid(shown[y0:y1, x0:x1])
    generator = contour_generator(np.arange(x0, x1), np.arange(y0, y1), seen)
    lines = [
        np.asarray(line)
        for level in contour_levels(panel.attention, panel.valid, CONTOUR_QUANTILES)
        for line in generator.lines(level)
    ]
    # display coordinates count up, SVG counts down
    course = "".join(
        _course(x + 0.5, n_rows - y - 0.5) for x, y in map(np.transpose, _thinned(lines))
    )
    return f'<path d="{course}"/>'


def _thinned(lines: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """The lines without points that lie close to the course without them; their ends stay.

    All lines at once, since a map may have hundreds. In each round every second point may go.
    """
    if not lines:
        return []
    sizes = np.array([len(line) for line in lines])
    points, line_of = np.concatenate(lines), np.repeat(np.arange(len(lines)), sizes)
    is_end = np.zeros(len(points), bool)
    is_end[np.cumsum(sizes) - 1] = is_end[np.cumsum(sizes) - sizes] = True
    for tolerance in _TOLERANCES_PIXELS:
        middle = np.arange(1, len(points) - 1, 2)
        middle = middle[~is_end[middle]]
        before, after = points[middle - 1], points[middle + 1]
        chord, offset = after - before, points[middle] - before
        length = np.hypot(*chord.T)
        area = np.abs(chord[:, 0] * offset[:, 1] - chord[:, 1] * offset[:, 0])
        is_close = (area <= tolerance * length) & (length > 0)
        kept = np.ones(len(points), bool)
        kept[middle[is_close]] = False
        points, line_of, is_end = points[kept], line_of[kept], is_end[kept]
    return np.split(points, np.flatnonzero(np.diff(line_of)) + 1)


def _course(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """A line as commands of a path, to a tenth of a pixel: its beginning, and steps, which are short.

    Examples
    --------
    >>> _course(np.array([10.0, 10.5, 12.5]), np.array([3.0, 3.04, 2.0]))
    'M10 3l.5 0 2-1'
    """
    tenths = np.rint(10 * np.column_stack([x, y])).astype(int)
    start, *steps = (
        " ".join(map(_tenths, point)).replace(" -", "-")
        for point in [tenths[0], *np.diff(tenths, axis=0).tolist()]
    )
    return f"M{start}" + (f"l{' '.join(steps).replace(' -', '-')}" if steps else "")


@functools.cache
def _tenths(number: int) -> str:
    """A number of tenths as a decimal number without zeros that say nothing."""
    whole, tenth = divmod(abs(number), 10)
    text = (f"{whole or ''}.{tenth}" if tenth else str(whole)) if number else "0"
    return f"-{text}" if number < 0 else text


def _marks(panel: SourcePanel, left: float, top: float) -> str:
    colours = colours_of(list(panel.outlines), ANNOTATOR_COLOURS)
    return "".join(
        _mark(annotator, colours[annotator], mark, left, top)
        for annotator, marks in panel.outlines.items()
        for mark in marks
    )


def _mark(annotator: str, colour: str, mark: Outline, left: float, top: float) -> str:
    label, x, y, closed, is_subtracted = mark
    (line,) = _thinned([np.column_stack([x - left, top - y])])
    shape = f'd="{_course(*line.T)}{"z" if closed else ""}"'
    if len(x) == 1:
        place = f"{float(x[0]) - left:.1f} {top - float(y[0]):.1f}"
        shape = f'transform="translate({place})" d="{LABEL_MARKERS[label]}"'
    dashes = "1 2" if is_subtracted else LABEL_DASHES[label]
    look = f'stroke="{colour}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")
    what = escape(f"{annotator}: {label}{', subtracted' if is_subtracted else ''}")
    return f"<path {shape} {look}><title>{what}</title></path>"


def _furniture(panel: SourcePanel, radius: float, corner: tuple[float, float]) -> str:
    """A scale bar, the beam, and where north and east are, as far as they are known."""
    scale, width = panel.pixel_scale_arcsec, 2 * radius
    x0, y0 = corner[0] + 0.05 * width, corner[1] + 0.95 * width
    bar = scale_bar_arcsec(width * scale)
    parts = [
        f'<path d="M{x0:.1f} {y0:.1f}h{bar / scale:.1f}"/>',
        _text(x0 + bar / scale / 2, y0 - 0.02 * width, f"{bar}″", width),
    ]
    if panel.beam_arcsec is not None:
        major, minor, angle = panel.beam_arcsec
        parts.append(
            f'<ellipse rx="{minor / scale / 2:.2f}" ry="{major / scale / 2:.2f}" transform="translate('
            f'{corner[0] + 0.92 * width:.1f} {y0 - minor / scale / 2:.1f}) rotate({-angle:.1f})">'
            "<title>beam</title></ellipse>"
        )
    if panel.view.north is not None and panel.view.east is not None:
        origin = np.array([corner[0] + 0.92 * width, corner[1] + 0.16 * width])
        for name, direction in (("N", panel.view.north), ("E", panel.view.east)):
            step = 0.09 * width * np.array([direction[0], -direction[1]])
            x, y = origin + 1.45 * step
            parts.append(
                f'<path d="M{origin[0]:.1f} {origin[1]:.1f}l{step[0]:.1f} {step[1]:.1f}"/>'
            )
            parts.append(_text(x, y + 0.02 * width, name, width))
    return f'<g class="furniture">{"".join(parts)}</g>'


def _text(x: float, y: float, text: str, width: float) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{0.05 * width:.2f}" text-anchor="middle">'
        f"{escape(text)}</text>"
    )


def _colour_bar(
    low: float, high: float, signed: bool, radius: float, corner: tuple[float, float]
) -> str:
    width = 2 * radius
    x, y = corner[0] + 0.05 * width, corner[1] + 0.93 * width
    ramp = "signed-colours" if signed else "colours"
    return (
        f'<g class="furniture"><rect x="{x:.1f}" y="{y:.1f}" width="{0.4 * width:.1f}" height="{0.03 * width:.1f}" '
        f'fill="url(#{ramp})"/>{_text(x + 0.03 * width, y - 0.02 * width, short_number(low), width)}'
        f"{_text(x + 0.37 * width, y - 0.02 * width, short_number(high), width)}</g>"
    )


def colour_ramps() -> dict[str, list[str]]:
    """Colours of maps from the least to the greatest value, by the names of the gradients that panels refer to."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    names = {"colours": MAP_COLOURS, "signed-colours": SIGNED_MAP_COLOURS}
    return {
        ramp: [to_hex(colour) for colour in colormaps[name](np.linspace(0, 1, 17))]
        for ramp, name in names.items()
    }


def _grey(panel: SourcePanel) -> str:
    from PIL import Image

    grey = (255 * asinh_stretch(panel.view.array(panel.brightness))).round().astype(np.uint8)
    return _address(Image.fromarray(grey[::-1]))


def _coloured(panel: SourcePanel, low: float, high: float, *, signed: bool) -> str:
    values = panel.view.array(np.where(panel.valid, panel.attention, np.nan))[::-1]
    step = max(1, round(max(values.shape) / _MAP_PIXELS))
    share = (values[::step, ::step] - low) / (high - low if high > low else 1.0)
    steps = np.clip(share, 0, 1) * (_NO_VALUE - 1)
    return _png(np.where(np.isnan(steps), _NO_VALUE, steps.round()).astype(np.uint8), signed=signed)


def _png(steps: NDArray[np.uint8], *, signed: bool) -> str:
    from matplotlib import colormaps
    from PIL import Image

    colours = colormaps[SIGNED_MAP_COLOURS if signed else MAP_COLOURS](
        np.linspace(0, 1, _NO_VALUE), bytes=True
    )
    picture = Image.fromarray(steps, mode="P")
    picture.putpalette([*colours[:, :3].ravel().tolist(), 0, 0, 0])
    return _address(picture)


def _address(picture: Any) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return data_url(buffer.getvalue())
