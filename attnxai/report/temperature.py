"""A new temperature as a terminal and a figure show it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.report.style import MM, TWO_COLUMNS, new_figure, paper_style, write_figure
from attnxai.report.tables.classification import temperatures_table
from attnxai.report.tables.text import render_terminal

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.classification.calibration import Recalibration

FIGURE_ENDINGS = (".png", ".pdf", ".svg")


def print_temperature(found: Recalibration, console: Console) -> None:
    """Print how well a model is calibrated before and after, and the temperature."""
    from rich.text import Text

    fit = found.fit
    console.print(render_terminal(temperatures_table((found.before, found.after))))
    high = f"{fit.high:.2f}" if fit.high < float("inf") else "infinity"
    needed = (
        " These images do not show that scaling is needed: 1 lies in the interval."
        if fit.low <= 1.0 <= fit.high
        else ""
    )
    sentence = (
        f"Temperature {fit.temperature:.3f}, {fit.level:.0%} interval {fit.low:.2f} to {high}.{needed} Log "
        f"loss with each image's temperature fitted to all others: {fit.log_loss_cross_validated:.4f}, "
        f"against {fit.log_loss_before:.4f} with temperature 1 (gain {fit.gain:.4f}, standard error "
        f"{fit.gain_error:.4f}). What the table says of after is measured on the images that the "
        "temperature was fitted to."
    )
    console.print(Text(sentence))


def draw_temperature(found: Recalibration, path: Path) -> None:
    """Draw reliability diagrams before and after into a file."""
    with paper_style():
        figure = new_figure(TWO_COLUMNS, 84 * MM)
        for ax, metrics in zip(figure.subplots(1, 2), (found.before, found.after), strict=True):
            metrics.plot(ax=ax)
            ax.set_title(f"T = {metrics.temperature:.2f}\n{ax.get_title(loc='left')}", loc="left")
        write_figure(figure, path)
