"""Folders of results: figures, tables, numbers, and one HTML page that needs no other file."""

from __future__ import annotations

import base64
import dataclasses
import html
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.csv_table import write_frames
from attnxai.jobs.output_folder import OutputFolder, output_folder
from attnxai.report.style import IN_ONE_COLUMN
from attnxai.report.tables.text import render_html

if TYPE_CHECKING:
    from markupsafe import Markup

    from attnxai.report.figures.text import FigureText
    from attnxai.report.tables.table import Table


def write_results(
    folder: str | Path | OutputFolder,
    *,
    what: str,
    template: str,
    drawers: Sequence[Callable[[Path], FigureText | None]],
    files: Callable[[Mapping[str, FigureText]], Mapping[str, Any]],
    values: Callable[[], Mapping[str, Any]],
    overwrite: bool = True,
    on_step: Callable[[int, int], None] | None = None,
) -> None:
    """Write a folder of results whole or not at all, in place of those that lie there.

    ``drawers`` draw figures into a folder, ``files`` makes of their texts what :func:`write_files` takes, and
    ``values`` are the values for the template of the page. ``on_step`` is called with the number of finished steps and of all.
    """
    numbers = itertools.count(1)

    def done() -> None:
        if on_step is not None:
            on_step(next(numbers), len(drawers) + 2)

    with (
        output_folder(folder, what=what, overwrite=overwrite, option="folder") as output,
        output.writing() as partial,
    ):
        pictures = partial / "figures"
        pictures.mkdir()
        figures: dict[str, FigureText] = {}
        for draw in drawers:
            text = draw(pictures)
            if text is not None:
                figures[text.name] = text
            done()
        write_files(partial, files(figures))
        done()
        # last, so that a folder without it is seen to be unfinished
        page = render_page(template, figures, pictures, values())
        write_files(partial, {"index.html": page})
        done()


def write_files(folder: Path, contents: Mapping[str, Any]) -> None:
    """Write texts, plain values as JSON, and data frames or their parts as CSV, under the names of their files."""
    for name, content in contents.items():
        path = folder / name
        if path.suffix == ".csv":
            write_frames([content] if hasattr(content, "to_csv") else content, path)
            continue
        path.parent.mkdir(exist_ok=True)
        text = json_text(content) if path.suffix == ".json" else content
        # names of files may hold bytes that are not UTF-8, which Python keeps as halves of surrogate pairs
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def json_text(record: Mapping[str, Any]) -> str:
    """JSON that any reader takes: null for what is not finite; bytes that are not UTF-8 are text, as elsewhere."""
    text = json.dumps(_finite(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return re.sub("[\ud800-\udfff]", lambda half: f"\\\\u{ord(half[0]):x}", text)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def render_page(
    template: str, figures: Mapping[str, FigureText], pictures: Path, values: Mapping[str, Any]
) -> str:
    """Fill a template; what it shows is escaped, and a value that is missing is an error.

    The pictures of the figures become part of the page. The filter ``table`` writes a
    :class:`~attnxai.report.tables.table.Table`.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("attnxai.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["table"] = _table
    every = {path.name for path in pictures.iterdir()}
    names = [*figures, *(f"{name}{IN_ONE_COLUMN}" for name in figures)]
    shown = {
        name: data_url((pictures / f"{name}.png").read_bytes())
        for name in names
        if name in figures or f"{name}.png" in every
    }
    return environment.get_template(template).render(
        figures=figures, pictures=shown, figure_names=every, **values
    )


def _table(table: Table) -> Markup:
    """A table whose title is its name for screen readers; title and note stand around it in the page."""
    from markupsafe import Markup

    text = render_html(dataclasses.replace(table, title="", note=""))
    name = html.escape(table.title or "Values")
    # render_html has escaped every cell
    return Markup(text.replace("<table>", f'<table aria-label="{name}">', 1))  # noqa: S704


def data_url(content: bytes) -> str:
    """PNG bytes as an address that needs no file."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
