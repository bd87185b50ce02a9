"""How figures look: sizes of journal columns, text, colours and markers."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.wording import unknown_name
from attnxai.errors import OptionError
from attnxai.jobs.files import write_file

if TYPE_CHECKING:
    from attnxai.statistics.interval import Interval

MM = 1 / 25.4
ONE_COLUMN, TWO_COLUMNS = 84 * MM, 177 * MM
IN_ONE_COLUMN = "_one_column"
"""What the names of files end with that hold a figure as one column."""
TEXT_SIZE, SMALLEST_TEXT = 8.0, 7.0  # points, at these widths
RESOLUTION_DPI = 300
# Okabe & Ito's colours, distinguishable for colour-blind readers and in grey
BLUE, SKY, GREEN, YELLOW = "#0072B2", "#56B4E9", "#009E73", "#F0E442"
ORANGE, VERMILION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"
DARK, GREY, PALE = "#4D4D4D", "#767676", "#999999"
CONTOUR_COLOUR = YELLOW
ANNOTATOR_COLOURS = (SKY, ORANGE, GREEN, PURPLE, VERMILION, BLUE)
ANNOTATOR_WIDTHS = (1.0, 1.6)
"""Widths of the lines of annotators relative to the usual one: one and the next differ in grey, too."""
CLASS_COLOURS = (VERMILION, BLUE, GREEN, PURPLE)
CLASS_MARKERS = ("o", "^", "s", "D", "v", "P", "X")
MODEL_COLOURS = (
    *(BLUE, VERMILION, GREEN, "#882255", "#A87900"),
    *("#332288", "#C0589A", "#5B2E00", "#2F8FC4", "#00533C"),
)
# as distinguishable in grey as without colours
LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MODEL_COLOUR, BASELINE_COLOUR = MODEL_COLOURS[0], DARK
NULL_COLOUR, FURTHER_COLOUR, CHANCE_COLOUR = "#C8C8C8", "#555555", PALE
CEILING_COLOUR, CEILING_EDGE = "#EDE3F4", "#8F74AB"
BAND_COLOUR = "#E3E6E8"
MAP_COLOURS, SIGNED_MAP_COLOURS = "viridis", "RdBu_r"
# for each label: the marker of a point, the line of an outline
LABEL_STYLES = {
    "core": ("+", "-"),
    "jet": ("4", ":"),
    "lobe": ("s", "--"),
    "hotspot": ("x", "-"),
    "host": ("*", "-."),
    "source": ("o", "-"),
    "other": ("d", "-"),
}
CONTOUR_QUANTILES = (0.9, 0.97, 0.99)


@contextlib.contextmanager
def paper_style(*, parse_math: bool = False) -> Iterator[None]:
    """Eight-point text at print size, seven for the numbers of axes, and fonts embedded in PDF files."""
    import matplotlib as mpl

    settings: Any = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": TEXT_SIZE,
        "axes.titlesize": TEXT_SIZE,
        "axes.labelsize": TEXT_SIZE,
        "xtick.labelsize": SMALLEST_TEXT,
        "ytick.labelsize": SMALLEST_TEXT,
        "legend.fontsize": TEXT_SIZE,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "lines.linewidth": 1.0,
        "legend.frameon": False,
        "pdf.fonttype": 42,
        "savefig.dpi": RESOLUTION_DPI,
        "figure.constrained_layout.use": True,
        "axes.formatter.use_mathtext": False,
        "svg.fonttype": "none",
        "text.parse_math": parse_math,
    }
    with mpl.rc_context(settings):
        yield


def new_axes(ax: Any) -> Any:
    """The axes that are given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots()[1]


def new_figure(width: float, height: float, **kwargs: Any) -> Any:
    """Figure that belongs to no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # as it is saved: letters are not equally wide at every resolution
    figure = Figure(figsize=(width, height), dpi=RESOLUTION_DPI, **kwargs)
    FigureCanvasAgg(figure)
    return figure


@contextlib.contextmanager
def saved_figure(
    folder: Path,
    name: str,
    height_mm: float,
    *,
    width: float = TWO_COLUMNS,
    parse_math: bool = False,
    **kwargs: Any,
) -> Iterator[Any]:
    """A figure, of two columns unless told otherwise, that is written when it is drawn."""
    with paper_style(parse_math=parse_math):
        figure = new_figure(width, height_mm * MM, **kwargs)
        yield figure
        save_figure(figure, folder, name)


def saved_widths(
    folder: Path, name: str, height_mm: float, *, n_panels: int = 1, **kwargs: Any
) -> Iterator[Any]:
    """A figure that is drawn for two columns and, where it has a single panel, for one as well."""
    widths = {"": TWO_COLUMNS, IN_ONE_COLUMN: ONE_COLUMN}
    for end, width in list(widths.items())[: 2 if n_panels == 1 else 1]:
        with saved_figure(folder, f"{name}{end}", height_mm, width=width, **kwargs) as figure:
            yield figure


def thin_ticks(axis: Any, most: int) -> None:
    """Few ticks with short numbers, for the axis of a small panel."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10], min_n_ticks=2))


FIGURES = ("pdf", "png")
"""What reports may hold: figures as PDF and PNG, or as PNG alone, which takes half the time."""
_FIGURES: ContextVar[str] = ContextVar("figures", default="pdf")


def check_figures(figures: str) -> str:
    """One of :data:`FIGURES`; an OptionError says so otherwise."""
    if figures not in FIGURES:
        raise OptionError(unknown_name("format of figures", figures, FIGURES, "formats"))
    return figures


@contextlib.contextmanager
def figures_as(figures: str) -> Iterator[None]:
    """Write the figures of a block as PDF and PNG, or as PNG alone."""
    token = _FIGURES.set(check_figures(figures))
    try:
        yield
    finally:
        _FIGURES.reset(token)


def save_figure(figure: Any, folder: Path, name: str) -> None:
    """Write a figure as PNG (300 dpi) and PDF (vectors), without dates in the files."""
    figure.savefig(folder / f"{name}.png", metadata={"Software": None})
    if _FIGURES.get() == "png":
        return
    figure.set_layout_engine("none")  # as it is now: to lay out once more takes as long as to draw
    figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})


def write_figure(figure: Any, path: Path, *, dpi: float | str = "figure") -> None:
    """Write a figure in the format that the extension of its file names, whole or not at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.removeprefix("."), dpi=dpi)
    write_file(path, buffer.getvalue())


def colours_of(names: Sequence[str], palette: Sequence[Any]) -> dict[str, Any]:
    """One colour (or marker, or line) a name, repeating when the palette ends."""
    return {name: palette[i % len(palette)] for i, name in enumerate(names)}


def draw_mean(
    ax: Any,
    interval: Interval,
    at: float,
    *,
    colour: str,
    marker: str = "o",
    size: float = 5,
    filled: bool = True,
    outlined: bool = False,
) -> None:
    """Draw a mean in a row as a point, and its interval, where there is one, as a line."""
    from matplotlib.patheffects import withStroke

    def outline(width: float) -> list[Any]:
        return [withStroke(linewidth=width, foreground="white")] if outlined else []

    if interval.known:
        ends = [interval.low, interval.high]
        ax.plot(ends, [at, at], color=colour, lw=1.3, zorder=3, path_effects=outline(2.3))
    (point,) = ax.plot(
        [interval.value], [at], marker=marker, color=colour, ms=size, ls="", zorder=4
    )
    point.set(markerfacecolor=colour if filled else "white", path_effects=outline(2.0))
