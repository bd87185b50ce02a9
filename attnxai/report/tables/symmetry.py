"""The table of a network's symmetry errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.audit.results import Symmetry, largest_defined, mean_defined, short_number
from attnxai.report.tables.table import Column, Table, checked_digits, number_column, text_column

if TYPE_CHECKING:
    from attnxai.audit.results import SymmetryErrors


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
