"""Text that has to fit: titles, names of rows, headings, labels and legends."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from attnxai.report.style import MM, SMALLEST_TEXT

SHORTEST_NAME = 8  # letters
ROW_NAME_SHARE, ROW_NAME_MM = 0.36, 42.0


def shortened(name: str, length: int) -> str:
    """Name with its middle left out: ends distinguish names as often as beginnings."""
    if len(name) <= length:
        return name
    kept = max(length - 1, 2)
    return f"{name[: kept // 2]}…{name[-(kept - kept // 2) :]}"


def shortened_apart(names: Iterable[str], length: int) -> dict[str, str]:
    """Names of no more letters than there is room for, which can still be distinguished.

    Their middle is left out; where that takes away what they differ in, first what they all begin with;
    where that is not enough either, they are numbered.
    """
    every = list(dict.fromkeys(names))
    letters = enumerate(zip(*every, strict=False))
    begins = next((place for place, several in letters if len(set(several)) > 1), 0)
    tails = ["…" + name[begins:] if begins else name for name in every]
    for candidates in (every, tails):
        short = [shortened(name, length) for name in candidates]
        if len(set(short)) == len(every):
            return dict(zip(every, short, strict=True))
    return {
        name: f"{shortened(name, length - len(f' ({number})'))} ({number})"
        for number, name in enumerate(every, start=1)
    }


def _shorten(texts: Iterable[Any], is_wide: Callable[[Any], bool]) -> None:
    """Leave out the middle of texts that are too wide, so that they can still be distinguished."""
    wide = {text: text.get_text() for text in texts if is_wide(text)}
    length = max(map(len, wide.values()), default=0)
    while length > SHORTEST_NAME and any(map(is_wide, wide)):
        length -= 1
        short = shortened_apart(wide.values(), length)
        for text, name in wide.items():
            text.set_text(short[name])


def lay_out(figure: Any) -> None:
    """Give the axes their places for good: to find them again takes as long as to draw."""
    if figure.get_layout_engine().__class__.__name__ == "ConstrainedLayoutEngine":
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")


def fit_titles(figure: Any, axes: Sequence[Any]) -> None:
    """Make lines of titles no wider than their axes: smaller letters first, then with their middle left out."""
    lay_out(figure)
    for ax in axes:
        ax.apply_aspect()

    def is_wide(ax: Any) -> bool:
        # a little less, for letters that are rounded to pixels
        return bool(ax.title.get_window_extent().width > 0.98 * ax.get_window_extent().width)

    size = axes[0].title.get_fontsize()
    while size > SMALLEST_TEXT and any(map(is_wide, axes)):
        size = max(size - 0.25, SMALLEST_TEXT)
        for ax in axes:
            ax.title.set_fontsize(size)
    for ax in axes:
        lines = ax.get_title().split("\n")
        for index, line in enumerate(lines):
            ax.title.set_text(line)
            length = len(line)
            while length > 3 and is_wide(ax):
                length -= 1
                ax.title.set_text(shortened(line, length))
            lines[index] = ax.title.get_text()
        ax.title.set_text("\n".join(lines))


def fit_headings(figure: Any, axes: Sequence[Any]) -> None:
    """Leave out the middle of headings that reach beyond the right end of their axis."""
    if not any(ax.texts for ax in axes):
        return
    lay_out(figure)
    for ax in axes:
        _shorten(ax.texts, partial(_ends_after, ax.get_window_extent().x1))


def _ends_after(place: float, text: Any) -> bool:
    return bool(text.get_window_extent().x1 > place)


def fit_rows(figure: Any, axes: Iterable[Any]) -> None:
    """Leave out the middle of names of rows that take too much of the width of the figure."""
    most = min(ROW_NAME_SHARE * figure.bbox.width, ROW_NAME_MM * MM * figure.dpi)
    for ax in axes:
        names = ax.get_yticklabels()
        _shorten(names, lambda name: name.get_window_extent().width > most)
        ax.set_yticks(ax.get_yticks(), [name.get_text() for name in names])


def fit_label(label: Any, room: float) -> None:
    """Break the line of a label that is wider than there is room for, in pixels."""
    text = label.get_text()
    length = len(text)
    while length > SHORTEST_NAME and label.get_window_extent().width > room:
        length -= 1
        label.set_text(textwrap.fill(text, length))


def fit_axis_label(figure: Any, ax: Any) -> None:
    """Break the line of the label of a horizontal axis that is wider than what names of rows leave."""
    names = max(name.get_window_extent().width for name in ax.get_yticklabels())
    fit_label(ax.xaxis.label, 0.92 * figure.bbox.width - names)


def place_legend(figure: Any, handles: Sequence[Any], *, columns: int = 3, **look: Any) -> Any:
    """A legend below the panels, in as many columns as there is room for; the figure grows by its height.

    In a single column lines that are too wide are broken.
    """
    room = 0.98 * figure.bbox.width
    for n_columns in range(min(columns, len(handles)), 0, -1):
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, **look)
        if n_columns == 1 or legend.get_window_extent().width <= room:
            break
        legend.remove()
    texts = {entry: entry.get_text() for entry in legend.get_texts()}
    while legend.get_window_extent().width > room:
        widest = max(texts, key=lambda entry: entry.get_window_extent().width)
        length = max(map(len, widest.get_text().split("\n"))) - 1
        if length < SHORTEST_NAME:
            break
        widest.set_text(textwrap.fill(texts[widest], length))
    whole = figure.figure  # of which a subfigure is a part
    whole.set_figheight(whole.get_figheight() + legend.get_window_extent().height / whole.dpi)
    return legend


def add_legend(figure: Any, *axes: Any) -> None:
    """Say below the panels what is what; nothing where nothing has a label."""
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        place_legend(figure, list(entries.values()))
