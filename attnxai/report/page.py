"""Pages of results: one HTML text each, which needs no other file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.report.source_svg import data_url

if TYPE_CHECKING:
    from attnxai.report.figures import FigureText


def render_template(
    name: str, figures: Mapping[str, FigureText], figures_folder: Path, **values: Any
) -> str:
    """Fill a template; what it shows is escaped, and a value that is missing is an error.

    Parameters
    ----------
    name : str
        File in the folder of templates.
    figures : mapping of str to FigureText
        Words of the figures that have been drawn.
    figures_folder : Path
        Where their pictures lie, which become part of the page.
    **values
        What the template speaks of.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("attnxai.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = {each: data_url((figures_folder / f"{each}.png").read_bytes()) for each in figures}
    return environment.get_template(name).render(figures=figures, pictures=pictures, **values)
