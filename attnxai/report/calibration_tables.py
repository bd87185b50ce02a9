"""The tables of a calibration, for its page and for Markdown; what misleads is marked in words and in red."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from attnxai.agreement.metrics import METRICS
from attnxai.validation.cells import (
    CoverageCell,
    LevelCell,
    PowerCell,
    Verdict,
    binomial_band,
)
from attnxai.validation.coverage import Values
from attnxai.validation.rejections import LEVELS, METRIC_NAMES
from attnxai.validation.results import CalibrationResult

RED, BLUE = "#c62828", "#1565c0"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownNumber:
    """A number as it is shown, and what is to be said of it."""

    text: str
    verdict: Verdict = Verdict.HELD


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownCell:
    """Numbers that stand in one cell, such as those at three levels."""

    numbers: tuple[ShownNumber, ...]
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """The gravest of what is to be said of its numbers."""
        verdicts = [number.verdict for number in self.numbers]
        for verdict in verdicts:
            if verdict.misleads:
                return verdict
        return next((v for v in verdicts if v is not Verdict.HELD), Verdict.HELD)

    @property
    def words(self) -> str:
        """That verdict in words; empty where everything held."""
        return "" if self.verdict is Verdict.HELD else str(self.verdict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownTable:
    """A table with its words.

    Parameters
    ----------
    name : str
        For links.
    title : str
        Above it.
    text : str
        What the numbers are.
    headings : tuple of str
        Of all columns.
    rows : tuple of (tuple of str, tuple of ShownCell or None)
        The first cells of a row, in words, and its numbers; None where nothing was run.
    """

    name: str
    title: str
    text: str
    headings: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[ShownCell | None, ...]], ...]


def level_tables(result: CalibrationResult) -> list[ShownTable]:
    """Rejections of every null in every scene, a table for each metric."""
    if not result.levels:
        return []
    numbers = list(dict.fromkeys(cell.n_sources for cell in result.levels))
    tables = []
    for metric in METRIC_NAMES:
        rows = []
        for null in dict.fromkeys(cell.null for cell in result.levels):
            for scene in null.scenes:
                cells = result.level_cells(metric=metric, null=null, scene=scene)
                met = "yes" if null.holds_in(scene) else "no"
                shown = tuple(
                    _shown_levels([c for c in cells if c.n_sources == n]) for n in numbers
                )
                rows.append(((str(null), str(scene), met), shown))
        tables.append(
            ShownTable(
                name=f"levels-{metric}",
                title=f"Rejections without agreement, in per cent: {METRICS[metric].label}",
                text=(
                    f"Each cell: rejections at {', '.join(f'{100 * level:g}' for level in LEVELS)} %. "
                    + _band_words(result)
                ),
                headings=(
                    "Null",
                    "Map and annotation share",
                    "Assumptions met",
                    *(f"{n} sources" for n in numbers),
                ),
                rows=tuple(rows),
            )
        )
    return tables


def _band_words(result: CalibrationResult) -> str:
    sizes = sorted({cell.n_experiments for cell in result.levels}, reverse=True)
    words = []
    for n in sizes:
        bands = [binomial_band(n, level) for level in LEVELS]
        shown = ", ".join(f"{100 * low / n:.1f} to {100 * high / n:.1f}" for low, high in bands)
        words.append(f"{shown} with {n:,} experiments")
    return f"Within chance of the level (99.8 %) are {'; '.join(words)}."


def _shown_levels(cells: Sequence[LevelCell]) -> ShownCell:
    notes = dict.fromkeys(cell.note for cell in cells if cell.note)
    return ShownCell(
        numbers=tuple(ShownNumber(text=_per_cent(c.share), verdict=c.verdict) for c in cells),
        note="; ".join(notes),
    )


def coverage_tables(result: CalibrationResult) -> list[ShownTable]:
    """Coverage of every kind of interval, a table for each kind of values."""
    tables = []
    for values in Values:
        cells = [cell for cell in result.coverage if cell.values is values]
        if not cells:
            continue
        methods = list(dict.fromkeys((cell.over, cell.method) for cell in cells))
        designs = list(dict.fromkeys((cell.n_sources, cell.n_annotators) for cell in cells))
        n = cells[0].n_experiments
        low, high = cells[0].band
        found = {(c.n_sources, c.n_annotators, c.over, c.method): c for c in cells}
        tables.append(
            ShownTable(
                name=f"coverage-{values.replace(' ', '-')}",
                title=f"Coverage of 95 % intervals, in per cent: {values}",
                text=(
                    f"Values: {values.words}; {n:,} experiments a row. Within chance (99.8 %) are "
                    f"{100 * low / n:.1f} to {100 * high / n:.1f}."
                ),
                headings=(
                    "Sources × annotators" if values.crossed else "Sources",
                    *(
                        f"sources alone, {method}"
                        if values.crossed and over == "sources"
                        else method
                        for over, method in methods
                    ),
                ),
                rows=tuple(
                    (
                        (f"{sources} × {people}" if values.crossed else f"{sources}",),
                        tuple(_shown_coverage(found[sources, people, *way]) for way in methods),
                    )
                    for sources, people in designs
                ),
            )
        )
    return tables


def _shown_coverage(cell: CoverageCell) -> ShownCell:
    number = ShownNumber(text=f"{100 * cell.share:.1f}", verdict=cell.verdict)
    return ShownCell(numbers=(number,))


def power_tables(result: CalibrationResult) -> list[ShownTable]:
    """Power at 5 % against planted agreement, a table for each metric."""
    if not result.power:
        return []
    strengths = list(dict.fromkeys(cell.strength for cell in result.power))
    rows_of = list(dict.fromkeys((cell.null, cell.n_sources) for cell in result.power))
    n = result.power[0].n_experiments
    low, high = result.power[0].band
    tables = []
    for metric in METRIC_NAMES:
        found = {(c.null, c.n_sources, c.strength): c for c in result.power if c.metric == metric}
        tables.append(
            ShownTable(
                name=f"power-{metric}",
                title=f"Rejections at 5 % with planted agreement, in per cent: {METRICS[metric].label}",
                text=(
                    "Columns: the share of its annotation's own field that a map holds, where its other "
                    f"field counts 1. Without agreement (0) the level has to appear: {100 * low / n:.1f} to "
                    f"{100 * high / n:.1f} are within chance (99.8 %). {n:,} experiments a cell."
                ),
                headings=("Null", "Sources", *(f"{strength:g}" for strength in strengths)),
                rows=tuple(
                    (
                        (str(null), str(sources)),
                        tuple(_shown_power(found[null, sources, s]) for s in strengths),
                    )
                    for null, sources in rows_of
                ),
            )
        )
    return tables


def _shown_power(cell: PowerCell) -> ShownCell:
    verdict = Verdict.HELD
    if cell.strength == 0:
        low, high = cell.band
        if cell.rejections > high:
            verdict = Verdict.TOO_OFTEN
        elif cell.rejections < low:
            verdict = Verdict.TOO_RARELY
    return ShownCell(numbers=(ShownNumber(text=_per_cent(cell.share), verdict=verdict),))


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f}" if share < 0.995 else f"{100 * share:.0f}"


def markdown(result: CalibrationResult) -> str:
    """All tables as Markdown, whose marks are words in red (too often, too narrow) or blue."""
    parts = [f"- {sentence}" for sentence in result.sentences()]
    text = ["\n".join(parts)] if parts else []
    for table in (*level_tables(result), *coverage_tables(result), *power_tables(result)):
        text += [f"### {table.title}", table.text, markdown_table(table)]
    return "\n\n".join(text) + "\n"


def markdown_table(table: ShownTable) -> str:
    """One table as Markdown, without its title and text."""
    lines = [_markdown_row(table.headings), _markdown_row("---" for _ in table.headings)]
    lines += [
        _markdown_row((*words, *(_markdown_cell(cell) for cell in cells)))
        for words, cells in table.rows
    ]
    return "\n".join(lines)


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: ShownCell | None) -> str:
    if cell is None:
        return "not run"
    shown = " · ".join(_coloured(n.text, n.verdict) for n in cell.numbers)
    words = _coloured(cell.words, cell.verdict) if cell.words else ""
    note = f"({cell.note})" if cell.note else ""
    return " ".join(part for part in (shown, words, note) if part)


def _coloured(text: str, verdict: Verdict) -> str:
    if verdict is Verdict.HELD:
        return text
    colour = RED if verdict.misleads else BLUE
    return f'<span style="color: {colour}">{text}</span>'
