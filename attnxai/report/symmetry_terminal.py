"""Errors of symmetry as a terminal shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.report.tables.symmetry import symmetry_table
from attnxai.report.tables.text import render_terminal

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.audit.results import SymmetryErrors


def print_symmetry(
    name: str, measured: Sequence[SymmetryErrors], console: Console, *, simulated: bool
) -> None:
    """Print a table and a sentence for each size of the field, and what limits them."""
    from rich.text import Text

    from attnxai.audit.results import Symmetry

    for errors in measured:
        table = symmetry_table(errors)
        title = f"{name}: {table.title}{' (simulated)' if simulated else ''}"
        console.print(render_terminal(dataclasses.replace(table, title=title)))
    for errors in measured:
        console.print(Text(f"{errors.summary()}."))
    if any(len(errors.positions(Symmetry.EXACT)) for errors in measured):
        console.print(
            "- The table gives changes of the class scores as a share of their spread over these images; for "
            "elements that hold exactly the sentence gives them as a share of the scores' own size, since "
            "rounding goes with that."
        )
    if simulated:
        console.print(
            "- The images are simulated galaxies, so spreads and ranges are those of simulations; --images "
            "names real ones."
        )
