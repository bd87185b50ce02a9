"""The table of inter-annotator agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.agreement.noise_ceiling.annotators import QUANTITIES
from attnxai.report.tables.table import Table, count_column, interval_column, text_column
from attnxai.statistics.formats import format_number, p_equals, with_interval

if TYPE_CHECKING:
    from attnxai.agreement.noise_ceiling.annotators import AnnotatorAgreement


def annotators_table(agreement: AnnotatorAgreement, *, digits: int | None = None) -> Table:
    """A row for every number that describes what was marked."""
    entries = agreement.reliabilities
    overlap = agreement.overlap
    return Table(
        columns=(
            text_column("Marked", [QUANTITIES[entry.quantity] for entry in entries]),
            interval_column("Krippendorff's α", [entry.alpha for entry in entries], digits=digits),
            interval_column("ICC2", [entry.icc for entry in entries], digits=digits),
            count_column("Sources", [entry.alpha.n_units for entry in entries]),
        ),
        title="Inter-annotator agreement about each source",
        note=(
            f"Mean {overlap.measure.upper()} of the regions of two annotators: "
            f"{with_interval(overlap.observed)}, against {format_number(overlap.chance, 2)} for regions of different "
            f"sources ({p_equals(overlap.p_value)})."
        ),
    )
