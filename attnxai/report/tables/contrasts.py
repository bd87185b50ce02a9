"""Tables of differences between models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.agreement.multiplicity import Correction, correction_without_draws
from attnxai.report.tables.latex import (
    Column,
    count_column,
    interval_columns,
    latex_table,
    p_value_column,
    text_column,
)

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.contrast import Contrast, ModelContrasts
    from attnxai.agreement.model_comparison.of_results import ResultContrasts

CORRECTION_WORDS = {
    Correction.HOLM: "Holm",
    Correction.BH: "Benjamini--Hochberg",
    Correction.MAX_T: "max-$T$",
}


def contrast_columns(
    contrasts: Sequence[Contrast],
    names: Sequence[tuple[str, str]],
    *,
    correction: Correction,
    digits: int | None = None,
) -> list[Column]:
    """Columns of a LaTeX table with a row a contrast.

    With several annotators, a column holds the adjusted p-values about other annotators too.

    Parameters
    ----------
    contrasts : sequence of Contrast
        The rows.
    names : sequence of (str, str)
        What to call both sides of each.
    correction : Correction
        How p-values were adjusted; without any there is no column for adjusted ones.
    digits : int, optional
        Decimals of differences; those that the intervals' widths call for when left out.
    """
    intervals = [contrast.interval for contrast in contrasts]
    columns = [
        text_column("First", [first for first, _ in names]),
        text_column("Second", [second for _, second in names]),
        *interval_columns("Difference", intervals, digits=digits),
        p_value_column("$p$", [contrast.p_value for contrast in contrasts]),
    ]
    if correction is not Correction.NONE:
        adjusted = [contrast.p_adjusted for contrast in contrasts]
        columns.append(p_value_column(f"$p$ ({CORRECTION_WORDS[correction]})", adjusted))
    if any(contrast.difference_others is not None for contrast in contrasts):
        about_others = [contrast.p_others_adjusted for contrast in contrasts]
        by = correction_without_draws(correction)
        words = "others" if by is Correction.NONE else f"others, {CORRECTION_WORDS[by]}"
        columns.append(p_value_column(f"$p$ ({words})", about_others))
    return [*columns, count_column("Sources", [contrast.n_sources for contrast in contrasts])]


def model_contrasts_latex(
    result: ModelContrasts,
    *,
    digits: int | None = None,
    caption: str | None = None,
    label: str | None = None,
) -> str:
    """Table with a row a contrast."""
    names = [(contrast.first, contrast.second) for contrast in result.contrasts]
    columns = contrast_columns(result.contrasts, names, correction=result.correction, digits=digits)
    return latex_table(columns, caption=caption, label=label)


def result_contrasts_latex(
    result: ResultContrasts,
    *,
    digits: int | None = None,
    caption: str | None = None,
    label: str | None = None,
) -> str:
    """Table with a row a contrast and a rule between maps."""
    columns = contrast_columns(
        result.contrasts.contrasts,
        [(first, second) for _, first, second in result.keys],
        correction=result.contrasts.correction,
        digits=digits,
    )
    if len(result.maps) > 1:
        columns.insert(0, text_column("Map", [name for name, _, _ in result.keys]))
    n_pairs = len(result.keys) // len(result.maps)
    rules = range(n_pairs, len(result.keys), n_pairs) if n_pairs > 1 else ()
    return latex_table(columns, rules=rules, caption=caption, label=label)
