"""The folder of a validation's results: tables, figures, numbers and a page; what misleads is marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.metrics import METRICS
from attnxai.report.page import write_results
from attnxai.report.provenance import installed_versions
from attnxai.report.tables.table import Line, Piece, Table, Tone, text_table
from attnxai.report.tables.text import render_markdown
from attnxai.report.validation_figures import draw_coverage, draw_false_positives, draw_power
from attnxai.statistics.formats import format_number
from attnxai.validation import coverage, rejections, simulated_data
from attnxai.validation.coverage import Distribution
from attnxai.validation.plan import COSTLY_SHARE, POWER_SHARE
from attnxai.validation.rates import (
    CoverageRate,
    FalsePositiveRate,
    PowerEstimate,
    Verdict,
    binomial_band,
)
from attnxai.validation.rejections import METRIC_NAMES
from attnxai.validation.results import ValidationResult

if TYPE_CHECKING:
    from attnxai.jobs.output_folder import OutputFolder
    from attnxai.validation.results import ValidationResult


def false_positive_tables(result: ValidationResult) -> list[Table]:
    """False positive rates of every null in every scenario, a table for each metric."""
    if not result.false_positives:
        return []
    numbers = list(dict.fromkeys(cell.n_sources for cell in result.false_positives))
    rows = list(dict.fromkeys((cell.null, cell.scenario) for cell in result.false_positives))
    levels = list(dict.fromkeys(cell.level for cell in result.false_positives))
    tables = []
    for metric in METRIC_NAMES:
        cells = {row: result.rates_of(metric=metric, null=row[0], scenario=row[1]) for row in rows}
        shown = "/".join(f"{100 * level:g}" for level in levels)
        tables.append(
            text_table(
                {
                    "Null": [str(null) for null, _ in rows],
                    "Scenario": [str(scenario) for _, scenario in rows],
                    "Assumptions met": [
                        "yes" if n.is_valid_for(where) else "no" for n, where in rows
                    ],
                },
                {
                    f"{n} sources": [
                        _rates([c for c in cells[row] if c.n_sources == n]) for row in rows
                    ]
                    for n in numbers
                },
                title=f"False positive rates, in per cent: {METRICS[metric].label}",
                note=f"Each cell: rates at {shown} %. {_band_words(result, levels)}",
                rules=_starts([null for null, _ in rows]),
            )
        )
    return tables


def _band_words(result: ValidationResult, levels: Sequence[float]) -> str:
    sizes = sorted({cell.n_experiments for cell in result.false_positives}, reverse=True)
    words = []
    for n in sizes:
        bands = [binomial_band(n, level) for level in levels]
        shown = ", ".join(f"{100 * low / n:.1f} to {100 * high / n:.1f}" for low, high in bands)
        words.append(f"{shown} with {n:,} experiments")
    return f"The central 99.8 % of the binomial distribution are {'; '.join(words)}."


def _rates(cells: Sequence[FalsePositiveRate]) -> tuple[Line, ...]:
    notes = dict.fromkeys(cell.note for cell in cells if cell.note)
    return _cell([(_per_cent(c.rate), c.verdict) for c in cells], note="; ".join(notes))


def coverage_tables(result: ValidationResult) -> list[Table]:
    """Coverage of every kind of interval, a table for each distribution."""
    tables = []
    for distribution in Distribution:
        cells = [cell for cell in result.coverage if cell.distribution is distribution]
        if not cells:
            continue
        methods = list(dict.fromkeys((cell.over, cell.method) for cell in cells))
        sizes = list(dict.fromkeys((cell.n_sources, cell.n_annotators) for cell in cells))
        n = cells[0].n_experiments
        low, high = cells[0].band
        found = {(c.n_sources, c.n_annotators, c.over, c.method): c for c in cells}
        crossed = distribution.crossed
        headings = {
            key: f"sources alone, {key[1]}" if crossed and key[0] == "sources" else key[1]
            for key in methods
        }
        tables.append(
            text_table(
                {
                    "Sources × annotators" if crossed else "Sources": [
                        f"{sources} × {annotators}" if crossed else f"{sources}"
                        for sources, annotators in sizes
                    ]
                },
                {
                    heading: [_coverage(found[*size, *key]) for size in sizes]
                    for key, heading in headings.items()
                },
                title=f"Coverage of 95 % intervals, in per cent: {distribution}",
                note=f"Values: {distribution.words}; {n:,} experiments per row. The central 99.8 % of the "
                f"binomial distribution are {100 * low / n:.1f} to {100 * high / n:.1f}.",
            )
        )
    return tables


def _coverage(cell: CoverageRate) -> tuple[Line, ...]:
    return _cell([(format_number(100 * cell.rate, 1), cell.verdict)])


def power_tables(result: ValidationResult) -> list[Table]:
    """Power at 5 % against the strength of agreement, a table for each metric."""
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
            text_table(
                {
                    "Null": [str(null) for null, _ in rows],
                    "Sources": [str(sources) for _, sources in rows],
                },
                {f"{x:g}": [_power(found[*row, x]) for row in rows] for x in strengths},
                title=f"Power at 5 %, in per cent: {METRICS[metric].label}",
                note="Columns: a map is r times its annotation's field plus an independent one of the same variance. "
                "At r = 0 it is the false positive rate, and the central 99.8 % of the binomial "
                f"distribution are {100 * low / n:.1f} to {100 * high / n:.1f}. {n:,} experiments per cell.",
                rules=_starts([null for null, _ in rows]),
            )
        )
    return tables


def _power(cell: PowerEstimate) -> tuple[Line, ...]:
    verdict = Verdict.NOMINAL
    if cell.strength == 0:
        low, high = cell.band
        if cell.rejections > high:
            verdict = Verdict.TOO_OFTEN
        elif cell.rejections < low:
            verdict = Verdict.TOO_RARELY
    return _cell([(_per_cent(cell.rate), verdict)])


def _per_cent(share: float) -> str:
    return f"{100 * share:.1f}" if share < 0.995 else f"{100 * share:.0f}"


def _cell(numbers: Sequence[tuple[str, Verdict]], note: str = "") -> tuple[Line, ...]:
    """Numbers of one cell, then the gravest of what is to be said of them, and a note."""
    pieces: list[str | Piece] = []
    for text, verdict in numbers:
        pieces += ["/"] if pieces else []
        pieces.append(Piece(text, _TONES[verdict]))
    lines: list[Line] = [tuple(pieces)]
    verdicts = sorted(
        (v for _, v in numbers if v is not Verdict.NOMINAL), key=lambda v: not v.misleads
    )
    if verdicts:
        lines.append((Piece(f"{verdicts[0].mark} {verdicts[0]}", _TONES[verdicts[0]]),))
    return (*lines, note) if note else tuple(lines)


_TONES = {
    verdict: Tone.WARNING if verdict.misleads else Tone.NOTE if verdict.mark else Tone.PLAIN
    for verdict in Verdict
}


def _starts(names: Sequence[object]) -> tuple[int, ...]:
    """Rows at which another name begins."""
    return tuple(i for i in range(1, len(names)) if names[i] != names[i - 1])


def markdown(result: ValidationResult) -> str:
    """All tables as Markdown, with marks in bold (too often, too narrow) or in italics."""
    parts = [f"- {sentence}" for sentence in result.sentences()]
    text = ["\n".join(parts)] if parts else []
    for table in (*false_positive_tables(result), *coverage_tables(result), *power_tables(result)):
        text += [f"### {table.title}", table.note, render_markdown(table)]
    return "\n\n".join(text) + "\n"


FORMAT = "attnxai-validation"
FORMAT_VERSION = 1


def write_validation(
    result: ValidationResult,
    folder: str | Path | OutputFolder,
    *,
    command: str = "",
    on_step: Callable[[int, int], None] | None = None,
) -> None:
    """Write the results of a validation, in place of earlier ones; ``command`` gives the same results."""
    parts = [part for part in result.plan.parts if result.rows(part)]
    write_results(
        folder,
        what="validation",
        template="validation.html",
        drawers=[
            partial(draw, result) for draw in (draw_false_positives, draw_coverage, draw_power)
        ],
        files=lambda _: {
            **{f"{part}.csv": result.to_frame(part) for part in parts},
            "validation.json": {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "command": command,
                "versions": installed_versions(),
                "settings": settings(),
                **result.to_record(),
            },
            "validation.md": markdown(result),
        },
        values=lambda: {
            "plan": result.plan,
            "sentences": result.sentences(),
            "false_positive_tables": false_positive_tables(result),
            "coverage_tables": coverage_tables(result),
            "power_tables": power_tables(result),
            "parts": parts,
            "settings": settings(),
            "command": command,
            "versions": installed_versions(),
        },
        on_step=on_step,
    )


def settings() -> dict[str, float]:
    """What every experiment has in common."""
    return {
        "n_pixels": simulated_data.N_PIXELS,
        "smoothing_pixels": simulated_data.SMOOTHING,
        "n_pixels_footprint": simulated_data.N_PIXELS_FOOTPRINT,
        "smoothing_pixels_footprint": simulated_data.SMOOTHING_FOOTPRINT,
        "n_annotators": simulated_data.N_ANNOTATORS,
        "annotator_noise": simulated_data.ANNOTATOR_NOISE,
        "height_of_shared_structure": simulated_data.HEIGHT,
        "n_draws": rejections.N_DRAWS,
        "n_draws_power": rejections.N_DRAWS_POWER,
        "n_bootstrap": coverage.N_BOOTSTRAP,
        "costly_share_of_experiments": COSTLY_SHARE,
        "power_share_of_experiments": POWER_SHARE,
    }
