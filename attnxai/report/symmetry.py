"""A network's symmetry errors as a table and as a terminal shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.audit.equivariance_result import Symmetry
from attnxai.audit.source_means import largest_defined, mean_defined
from attnxai.report.tables.table import Column, Table, checked_digits, number_column, text_column
from attnxai.report.tables.text import render_terminal
from attnxai.statistics.formats import short_number

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.audit.equivariance_result import SymmetryErrors


def symmetry_table(errors: SymmetryErrors, *, digits: int | None = None) -> Table:
    """A row for every element of the group, and for those outside it."""
    decimals = 3 if digits is None else checked_digits(digits)
    columns = [
        text_column("element", [element.name for element in errors.elements]),
        text_column("holds", [str(kind) for kind in errors.expected]),
        _shares("scores", errors.spread_errors.tolist()),
    ]
    note = "scores: change of the class scores, as a share of their spread over images"
    if errors.layers:
        columns += [
            _shares(name, largest_defined(errors.map_errors[:, index]).tolist())
            for index, name in enumerate(errors.layers)
        ]
        correlations = mean_defined(errors.map_correlations).min(axis=1)
        columns.append(number_column("r", correlations.tolist(), decimals))
        note += (
            "; gates: largest difference of a map, as a share of its range; r: lowest mean correlation of a "
            "gate's maps"
        )
    columns.append(_shares("interp.", errors.back_spread_errors.tolist()))
    rows, n_columns = errors.shape
    return Table(
        columns=tuple(columns),
        title=f"{errors.n_images} images of {rows} x {n_columns} pixels",
        note=f"{note}; interp.: change of the scores by interpolation alone, there and back",
        rules=tuple(
            index
            for index, kind in enumerate(errors.expected)
            if kind is Symmetry.ABSENT and index and errors.expected[index - 1] is not kind
        ),
    )


def _shares(heading: str, values: list[float]) -> Column:
    return text_column(heading, [short_number(value) for value in values], to_the_right=True)


def print_symmetry(
    name: str, measured: Sequence[SymmetryErrors], console: Console, *, simulated: bool
) -> None:
    """Print a table and a sentence for each size of the field, and what limits them."""
    from rich.text import Text

    for errors in measured:
        table = symmetry_table(errors)
        title = f"{name}: {table.title}{' (simulated)' if simulated else ''}"
        console.print(render_terminal(dataclasses.replace(table, title=title)))
    for errors in measured:
        console.print(Text(f"{errors.summary()}."))
    if any(len(errors.positions(Symmetry.EXACT)) for errors in measured):
        console.print(
            "- The table gives changes of the class scores as a share of their spread over these images; for "
            "elements that hold exactly the sentence gives them as a share of the size of the scores, "
            "since they are rounding errors."
        )
    if simulated:
        console.print(
            "- The images are simulated galaxies, so spreads and ranges are those of simulations; --images "
            "names real ones."
        )
