"""Pages of results: one HTML text each, which needs no other file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.report.source_svg import data_url
from attnxai.report.tables.text import render_html

if TYPE_CHECKING:
    from markupsafe import Markup

    from attnxai.report.figures import FigureText
    from attnxai.report.tables.table import Table


def render_template(
    name: str, figures: Mapping[str, FigureText], figures_folder: Path, **values: Any
) -> str:
    """Fill a template; what it shows is escaped, and a value that is missing is an error.

    The filter ``table`` writes a :class:`~attnxai.report.tables.table.Table`.
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
    pictures = {each: data_url((figures_folder / f"{each}.png").read_bytes()) for each in figures}
    return environment.get_template(name).render(figures=figures, pictures=pictures, **values)


def _table(table: Table) -> Markup:
    """A table without its title, which stands above it in the page."""
    from markupsafe import Markup

    # render_html has escaped every cell
    return Markup(render_html(dataclasses.replace(table, title="", note="")))  # noqa: S704
