"""A contact sheet: every annotated source with the marks of everybody, to look over at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.page.pictures import display_limits
from attnxai.data.grid import GridTransform
from attnxai.errors import AnnotationError
from attnxai.jobs.files import check_output_file
from attnxai.report.figures.fitting import fit_titles
from attnxai.report.marks import Outlines, draw_legend, draw_outlines, outlines_of
from attnxai.report.sky_view import SkyView, asinh_stretch, scale_bar_arcsec
from attnxai.report.style import (
    MM,
    SMALLEST_TEXT,
    TWO_COLUMNS,
    new_figure,
    paper_style,
    write_figure,
)

if TYPE_CHECKING:
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceImage, SourceSet

N_COLUMNS = 5
N_ROWS = 6
_PANEL_MM = 38.0
_SPACE = 1.4
EXTENSIONS = (".png", ".pdf")
"""Formats of contact sheets."""


def draw_contact_sheet(
    annotations: AnnotationSet,
    images: SourceSet,
    path: str | Path,
    *,
    overwrite: bool = False,
    on_step: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Path]:
    """Draw every annotated source with the marks of all annotators, 30 to a sheet.

    North is up and east left where the image says so. A panel shows the middle of the image as far as marks reach, and a
    quarter of it at least. The brightness is stretched as on the annotation page.

    Parameters
    ----------
    annotations : AnnotationSet
        What was marked; first rounds alone are drawn.
    images : SourceSet
        Images of the sources, or of some of them.
    path : path
        File of the first sheet, PNG or PDF; further sheets have a number behind its name.
    overwrite : bool
        Whether files may be replaced.
    on_step : callable
        Called with the numbers of finished and of all sheets.

    Returns
    -------
    list of Path
        The sheets.

    Raises
    ------
    AnnotationError
        If no annotated source has an image.
    AlignmentError
        If a mark has no place on its image.
    OptionError
        If a file exists, or the path ends in something else.

    Examples
    --------
    >>> import attnxai, tempfile
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:2])
    >>> images = attnxai.read_images(list(annotations.image_files().values())[:2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [sheet.name for sheet in draw_contact_sheet(annotations, images, f"{folder}/sheet.png")]
    ['sheet.png']
    """
    path = Path(path)
    annotations = annotations.first_round()
    available = set(images.sources)
    shown = sorted(source for source in annotations.sources if source in available)
    if not shown:
        raise AnnotationError(
            f"none of the {len(annotations.sources)} annotated sources has an image to draw"
        )
    size = N_COLUMNS * N_ROWS
    parts = [shown[start : start + size] for start in range(0, len(shown), size)]
    paths = [
        path if not i else path.with_name(f"{path.stem}-{i + 1}{path.suffix}")
        for i in range(len(parts))
    ]
    for one in paths:
        check_output_file(one, extensions=EXTENSIONS, overwrite=overwrite, option="path")
    for i, (sources, one) in enumerate(zip(parts, paths, strict=True)):
        _draw_sheet(annotations.select(sources), [images[source] for source in sources], one)
        on_step(i + 1, len(parts))
    return paths


def _draw_sheet(annotations: AnnotationSet, images: Sequence[SourceImage], path: Path) -> None:
    n_rows = math.ceil(len(images) / N_COLUMNS)
    n_columns = min(N_COLUMNS, len(images))
    with paper_style():
        height = n_rows * _PANEL_MM * MM
        figure = new_figure(max(n_columns / N_COLUMNS, 0.6) * TWO_COLUMNS, height)
        axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        drawn = [
            _draw_panel(ax, annotations, image)
            for ax, image in zip(axes[: len(images)], images, strict=True)
        ]
        for ax in axes:
            ax.set_axis_off()
        draw_legend(figure, annotations.annotators, drawn)
        fit_titles(figure, axes[: len(images)])
        write_figure(figure, path, dpi=200)


def _draw_panel(ax: Any, annotations: AnnotationSet, image: SourceImage) -> Outlines:
    view = SkyView.of(image.grid, image.grid.shape)
    low, high = display_limits(image)
    shown = asinh_stretch(np.clip(image.pixels - low, 0.0, max(high - low, 1e-30)))
    if image.footprint is not None:
        shown = np.where(image.footprint, shown, np.nan)
    colours = _grey_with_blanks()
    extent = view.extent()
    ax.imshow(view.array(shown), cmap=colours, vmin=0, vmax=1, origin="lower", extent=extent)
    outlines = outlines_of(
        annotations, image, annotations.annotators, view=view, transform=GridTransform()
    )
    draw_outlines(ax, outlines, size=3.5)
    reach = _reach(outlines, max(extent))
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)
    if image.grid.pixel_scale_arcsec is not None:
        _draw_scale_bar(ax, reach, image.grid.pixel_scale_arcsec)
    name = image.source
    stated = annotations.classes.get(image.source) or image.class_name
    ax.set_title(f"{name}\n{stated}" if stated else name, fontsize=SMALLEST_TEXT, pad=2)
    return outlines


def _draw_scale_bar(ax: Any, reach: float, pixel_scale_arcsec: float) -> None:
    from matplotlib.patheffects import withStroke

    bar = scale_bar_arcsec(2 * reach * pixel_scale_arcsec)
    x, y = -0.92 * reach, -0.92 * reach
    look = {"color": "white", "path_effects": [withStroke(linewidth=2.0, foreground="black")]}
    ax.plot([x, x + bar / pixel_scale_arcsec], [y, y], lw=1.0, solid_capstyle="butt", **look)
    ax.text(x, y + 0.04 * reach, f"{bar}″", fontsize=SMALLEST_TEXT, va="bottom", **look)


def _reach(outlines: Outlines, most: float) -> float:
    """Half the side of what is shown: all marks with some space around them, within the image."""
    ends = [
        float(np.abs(end).max())
        for marks in outlines.values()
        for mark in marks
        for end in (mark.x, mark.y)
    ]
    return min(most, max(0.25 * most, *(_SPACE * end for end in ends)))


def _grey_with_blanks() -> Any:
    """Grey, with blank pixels in dark blue."""
    from matplotlib import colormaps

    return colormaps["gray"].with_extremes(bad="#203050")
