"""The panels of sources: inside the page, or in files beside it that are loaded when a source is opened."""

from __future__ import annotations

import dataclasses
import html
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attnxai.report.tables.text import render_html

MOST_BYTES = 6_000_000
"""Panels of up to this size in all are part of the page, which then needs no other file."""
_BYTES_OF_FILE = 400_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Panels:
    """Rows of the table of all sources, and files with their panels, by name, where there are any.

    Each row has its panel as HTML under ``panel`` and the name of its file under ``file``, one of them empty.
    """

    rows: tuple[Mapping[str, Any], ...]
    files: Mapping[str, str]


def arrange_panels(
    rows: Iterable[Mapping[str, Any]], *, name_models: bool, most_bytes: int = MOST_BYTES
) -> Panels:
    """Write the panels of all sources, and put them into files where the page would become too large.

    Parameters
    ----------
    rows : iterable of mapping
        Rows of the table, see :func:`attnxai.report.source_table.source_rows`.
    name_models : bool
        Whether the pictures of each model follow its name.
    most_bytes : int
        Size up to which all panels stay inside the page.
    """
    found = [{**row, "panel": panel_html(row["panels"], name_models=name_models)} for row in rows]
    if sum(len(row["panel"]) for row in found) <= most_bytes:
        return Panels(rows=tuple({**row, "file": ""} for row in found), files={})
    files, placed = {}, []
    for number, batch in enumerate(_batches(found), start=1):
        name = f"panels/{number}.js"
        # a script, since a page that was opened from disk may load no other file
        panels = json.dumps({row["id"]: row["panel"] for row in batch})
        files[name] = f"attnxaiPanels({panels});\n"
        placed += [{**row, "panel": "", "file": name} for row in batch]
    return Panels(rows=tuple(placed), files=files)


def _batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Neighbouring rows whose panels fill a file."""
    ends = itertools.accumulate(len(row["panel"]) for row in rows)
    for _, batch in itertools.groupby(
        zip(ends, rows, strict=True), key=lambda pair: pair[0] // _BYTES_OF_FILE
    ):
        yield [row for _, row in batch]


def panel_html(panels: Iterable[Mapping[str, Any]], *, name_models: bool) -> str:
    """Pictures and numbers of one source, model by model; names are escaped."""
    return "".join(
        (f"<h3>{html.escape(panel['model'])}</h3>" if name_models else "")
        + f'<div class="pictures">{panel["svg"]}</div>'
        + render_html(panel["table"]).replace("<table>", '<table aria-label="Values">', 1)
        for panel in panels
    )
