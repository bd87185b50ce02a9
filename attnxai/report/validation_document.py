"""The folder of a validation's results: tables, figures, numbers and one self-contained page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.report.page import write_results
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
    from attnxai.jobs.output_folder import OutputFolder
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
    """Write the results of a validation, in place of earlier ones; ``command`` gives the same results."""
    parts = [part for part in result.plan.parts if result.rows(part)]
    write_results(
        folder,
        what="validation",
        template="validation.html",
        drawers=[
            partial(draw, result) for draw in (draw_false_positives, draw_coverage, draw_power)
        ],
        files=lambda: {
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
