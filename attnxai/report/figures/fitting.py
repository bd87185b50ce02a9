"""Text that has to fit: titles as wide as their panels, headings as wide as their axis."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

SMALLEST_TITLE = 6.0  # points
SHORTEST_NAME = 8  # letters


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


@contextlib.contextmanager
def laid_out(figure: Any) -> Iterator[None]:
    """Give the axes their widths at the resolution that figures are saved with."""
    from matplotlib import rcParams

    resolution = figure.dpi
    figure.set_dpi(rcParams["savefig.dpi"])  # letters are not equally wide at every resolution
    figure.draw_without_rendering()
    yield
    figure.set_dpi(resolution)


def fit_titles(figure: Any, axes: Sequence[Any], names: Sequence[str]) -> None:
    """Make titles no wider than their axes: smaller letters first, then names with their middle left out."""

    def wide(ax: Any) -> bool:
        # a little less, for letters that are rounded to pixels
        return bool(ax.title.get_window_extent().width > 0.98 * ax.get_window_extent().width)

    with laid_out(figure):
        size = axes[0].title.get_fontsize()
        while size > SMALLEST_TITLE and any(map(wide, axes)):
            size = max(size - 0.25, SMALLEST_TITLE)
            for ax in axes:
                ax.title.set_fontsize(size)
        for ax, name in zip(axes, names, strict=True):
            start, end = ax.get_title().split(name, 1)
            for length in range(len(name), 3, -1):
                if not wide(ax):
                    break
                ax.title.set_text(f"{start}{shortened(name, length)}{end}")


def fit_headings(figure: Any, axes: Sequence[Any]) -> None:
    """Leave out the middle of headings that reach beyond the right end of their axis."""
    with laid_out(figure):
        for ax in axes:
            end = ax.get_window_extent().x1
            wide = {t: t.get_text() for t in ax.texts if t.get_window_extent().x1 > end}
            length = max(map(len, wide.values()), default=0)
            while length > SHORTEST_NAME and any(t.get_window_extent().x1 > end for t in wide):
                length -= 1
                short = shortened_apart(wide.values(), length)
                for heading, name in wide.items():
                    heading.set_text(short[name])
