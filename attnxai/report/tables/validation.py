"""The tables of a validation, for its page and for Markdown; what misleads is marked in words and in red."""

from __future__ import annotations

from collections.abc import Sequence

from attnxai.agreement.metrics import METRICS
from attnxai.report.tables.table import Column, Line, Piece, Table, Tone, text_column
from attnxai.report.tables.text import render_markdown
from attnxai.statistics.formats import format_number
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


def level_tables(result: CalibrationResult) -> list[Table]:
    """Rejections of every null in every scene, a table for each metric."""
    if not result.levels:
        return []
    numbers = list(dict.fromkeys(cell.n_sources for cell in result.levels))
    nulls = list(dict.fromkeys(cell.null for cell in result.levels))
    tables = []
    for metric in METRIC_NAMES:
        rows = [(null, scene) for null in nulls for scene in null.scenes]
        cells = {row: result.level_cells(metric=metric, null=row[0], scene=row[1]) for row in rows}
        tables.append(
            Table(
                title=f"Rejections without agreement, in per cent: {METRICS[metric].label}",
                note=(
                    f"Each cell: rejections at {', '.join(f'{100 * level:g}' for level in LEVELS)} %. "
                    + _band_words(result)
                ),
                columns=(
                    text_column("Null", [str(null) for null, _ in rows]),
                    text_column("Map and annotation share", [str(scene) for _, scene in rows]),
                    text_column(
                        "Assumptions met",
                        ["yes" if null.holds_in(scene) else "no" for null, scene in rows],
                    ),
                    *(
                        _shown(
                            f"{n} sources",
                            [_levels([c for c in cells[row] if c.n_sources == n]) for row in rows],
                        )
                        for n in numbers
                    ),
                ),
                rules=_starts([null for null, _ in rows]),
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


def _levels(cells: Sequence[LevelCell]) -> tuple[Line, ...]:
    notes = dict.fromkeys(cell.note for cell in cells if cell.note)
    return _cell([(_per_cent(c.share), c.verdict) for c in cells], note="; ".join(notes))


def coverage_tables(result: CalibrationResult) -> list[Table]:
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
            Table(
                title=f"Coverage of 95 % intervals, in per cent: {values}",
                note=(
                    f"Values: {values.words}; {n:,} experiments a row. Within chance (99.8 %) are "
                    f"{100 * low / n:.1f} to {100 * high / n:.1f}."
                ),
                columns=(
                    text_column(
                        "Sources × annotators" if values.crossed else "Sources",
                        [
                            f"{sources} × {people}" if values.crossed else f"{sources}"
                            for sources, people in designs
                        ],
                    ),
                    *(
                        _shown(
                            f"sources alone, {method}"
                            if values.crossed and over == "sources"
                            else method,
                            [_coverage(found[*design, over, method]) for design in designs],
                        )
                        for over, method in methods
                    ),
                ),
            )
        )
    return tables


def _coverage(cell: CoverageCell) -> tuple[Line, ...]:
    return _cell([(format_number(100 * cell.share, 1), cell.verdict)])


def power_tables(result: CalibrationResult) -> list[Table]:
    """Power at 5 % against planted agreement, a table for each metric."""
    if not result.power:
        return []
    strengths = list(dict.fromkeys(cell.strength for cell in result.power))
    rows = list(dict.fromkeys((cell.null, cell.n_sources) for cell in result.power))
    n = result.power[0].n_experiments
    low, high = result.power[0].band
    tables = []
    for metric in METRIC_NAMES:
        found = {(c.null, c.n_sources, c.strength): c for c in result.power if c.metric == metric}
        tables.append(
            Table(
                title=f"Rejections at 5 % with planted agreement, in per cent: {METRICS[metric].label}",
                note=(
                    "Columns: the share of its annotation's own field that a map holds, where its other "
                    f"field counts 1. Without agreement (0) the level has to appear: {100 * low / n:.1f} to "
                    f"{100 * high / n:.1f} are within chance (99.8 %). {n:,} experiments a cell."
                ),
                columns=(
                    text_column("Null", [str(null) for null, _ in rows]),
                    text_column("Sources", [str(sources) for _, sources in rows]),
                    *(
                        _shown(f"{strength:g}", [_power(found[*row, strength]) for row in rows])
                        for strength in strengths
                    ),
                ),
                rules=_starts([null for null, _ in rows]),
            )
        )
    return tables


def _power(cell: PowerCell) -> tuple[Line, ...]:
    verdict = Verdict.HELD
    if cell.strength == 0:
        low, high = cell.band
        if cell.rejections > high:
            verdict = Verdict.TOO_OFTEN
        elif cell.rejections < low:
            verdict = Verdict.TOO_RARELY
    return _cell([(_per_cent(cell.share), verdict)])


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f}" if share < 0.995 else f"{100 * share:.0f}"


def _cell(numbers: Sequence[tuple[str, Verdict]], note: str = "") -> tuple[Line, ...]:
    """Numbers of one cell, then the gravest of what is to be said of them, and a note.

    Examples
    --------
    >>> shown = _cell([("1.0", Verdict.HELD), ("60.0", Verdict.TOO_OFTEN)])
    >>> ["".join(p if isinstance(p, str) else p.text for p in line) for line in shown]
    ['1.0 · 60.0', '▲ too often']
    """
    pieces: list[str | Piece] = []
    for text, verdict in numbers:
        pieces += [" · "] if pieces else []
        pieces.append(Piece(text, _TONES[verdict]))
    lines: list[Line] = [tuple(pieces)]
    verdicts = sorted(
        (v for _, v in numbers if v is not Verdict.HELD), key=lambda v: not v.misleads
    )
    if verdicts:
        lines.append((Piece(f"{verdicts[0].mark} {verdicts[0]}", _TONES[verdicts[0]]),))
    return (*lines, note) if note else tuple(lines)


_TONES = {
    verdict: Tone.WARNING if verdict.misleads else Tone.NOTE if verdict.mark else Tone.PLAIN
    for verdict in Verdict
}


def _shown(heading: str, cells: Sequence[tuple[Line, ...]]) -> Column:
    return text_column(heading, cells, to_the_right=True)


def _starts(names: Sequence[object]) -> tuple[int, ...]:
    """Rows at which another name begins."""
    return tuple(i for i in range(1, len(names)) if names[i] != names[i - 1])


def markdown(result: CalibrationResult) -> str:
    """All tables as Markdown, whose marks are words in red (too often, too narrow) or blue."""
    parts = [f"- {sentence}" for sentence in result.sentences()]
    text = ["\n".join(parts)] if parts else []
    for table in (*level_tables(result), *coverage_tables(result), *power_tables(result)):
        text += [f"### {table.title}", table.note, render_markdown(table)]
    return "\n\n".join(text) + "\n"
