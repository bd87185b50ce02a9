"""The folder of a validation's results: tables, figures, numbers and one self-contained page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.csv_table import write_frame
from attnxai.jobs.output_folder import OutputFolder, output_folder
from attnxai.report.page import render_template
from attnxai.report.provenance import installed_versions
from attnxai.report.tables.validation import (
    coverage_tables,
    false_positive_tables,
    markdown,
    power_tables,
)
from attnxai.report.validation_figures import draw_coverage, draw_false_positives, draw_power
from attnxai.validation import coverage, rejections, simulated_data
from attnxai.validation.plan import COSTLY_SHARE, POWER_SHARE

if TYPE_CHECKING:
    from attnxai.report.figures import FigureText
    from attnxai.validation.results import ValidationResult

FORMAT = "attnxai-validation"
FORMAT_VERSION = 1


def write_validation(
    result: ValidationResult,
    folder: str | Path | OutputFolder,
    *,
    command: str = "",
    on_step: Callable[[int, int], None] | None = None,
) -> None:
    """Write the results of a validation."""
    drawers: list[Callable[[ValidationResult, Path], FigureText | None]] = [
        draw_false_positives,
        draw_coverage,
        draw_power,
    ]
    steps = len(drawers) + 2
    with (
        output_folder(folder, what="validation", overwrite=True) as output,
        output.writing() as partial,
    ):
        pictures = partial / "figures"
        pictures.mkdir()
        figures: dict[str, FigureText] = {}
        for step, draw in enumerate(drawers):
            text = draw(result, pictures)
            if text is not None:
                figures[text.name] = text
            if on_step is not None:
                on_step(step + 1, steps)
        for part in result.plan.parts:
            if result.rows(part):
                write_frame(result.to_frame(part), partial / f"{part}.csv")
        (partial / "validation.json").write_text(
            json.dumps(record_of(result, command), indent=1, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
        (partial / "validation.md").write_text(markdown(result), encoding="utf-8")
        if on_step is not None:
            on_step(steps - 1, steps)
        # last, so that a folder without it is seen to be unfinished
        page = render_page(result, figures, pictures, command)
        (partial / "index.html").write_text(page, encoding="utf-8")
        if on_step is not None:
            on_step(steps, steps)


def record_of(result: ValidationResult, command: str) -> dict[str, Any]:
    """All numbers and words of a validation under documented keys; see docs/commands/validate.md."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "command": command,
        "versions": installed_versions(),
        "settings": settings(),
        **result.to_record(),
    }


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


def render_page(
    result: ValidationResult, figures: Mapping[str, FigureText], pictures: Path, command: str
) -> str:
    """The page as one HTML text that needs no other file."""
    return render_template(
        "validation.html",
        figures,
        pictures,
        plan=result.plan,
        sentences=result.sentences(),
        false_positive_tables=false_positive_tables(result),
        coverage_tables=coverage_tables(result),
        power_tables=power_tables(result),
        parts=[str(part) for part in result.plan.parts if result.rows(part)],
        with_false_positives=bool(result.false_positives),
        settings=settings(),
        command=command,
        versions=installed_versions(),
    )
