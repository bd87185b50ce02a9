"""The folder of a plan: every design as a table, what was assumed, and the figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.data.csv_table import write_frame
from attnxai.jobs.output_folder import OutputFolder, output_folder
from attnxai.report.plots.planning import plot_power, plot_precision
from attnxai.report.style import (
    ANNOTATOR_COLOURS,
    TWO_COLUMNS,
    new_figure,
    paper_style,
    save_figure,
)

if TYPE_CHECKING:
    from attnxai.planning.pilot import Pilot
    from attnxai.planning.plan import PowerPlan

FILES = ("plan.csv", "plan.json", "plan.pdf", "plan.png")


def write_plan(
    made: PowerPlan,
    folder: str | Path | OutputFolder,
    *,
    pilot: Pilot | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Write a plan."""
    content = {"format": "attnxai-plan", "format_version": 1, "seed": seed} | made.to_record()
    content["pilot"] = None if pilot is None else pilot.to_record()
    with (
        output_folder(folder, what="plan", overwrite=overwrite) as output,
        output.writing() as partial,
    ):
        write_frame(made.to_frame(), partial / "plan.csv")
        (partial / "plan.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        with paper_style():
            figure = new_figure(TWO_COLUMNS, TWO_COLUMNS * 0.42)
            left, right = figure.subplots(1, 2)
            for ax in (left, right):
                ax.set_prop_cycle(color=ANNOTATOR_COLOURS)
            plot_power(made, ax=left)
            plot_precision(made, ax=right)
            save_figure(figure, partial, "plan")
