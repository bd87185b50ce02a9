"""The figures of audits on their page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from attnxai.report.class_means import plot_class_means
from attnxai.report.faithfulness import plot_faithfulness
from attnxai.report.figures.text import FigureText
from attnxai.report.map_agreement import plot_map_agreement, plot_noise_stability
from attnxai.report.randomisation import plot_randomisation
from attnxai.report.sentences.say import say
from attnxai.report.style import saved_figure

_FIGURES: Mapping[str, tuple[Callable[..., Any], float, float]] = {
    "Faithfulness": (plot_faithfulness, 24, 9),
    "RandomisationResult": (plot_randomisation, 90, 0),
    "NoiseStability": (plot_noise_stability, 24, 9),
    "MapAgreement": (plot_map_agreement, 50, 9),
    "ClassMeanMaps": (plot_class_means, 80, 0),
}
"""What draws a result, by its class, and the height in mm of its figure and of each map in it."""


def audit_drawers(results: Mapping[str, Any]) -> dict[str, Callable[[Path], FigureText]]:
    """What draws the figure of each audit that has one, by the name of the audit, which is also that of the figure.

    Parameters
    ----------
    results : mapping of str to AuditResult
        What each audit found, by its name.

    Returns
    -------
    dict of str to callable
        For :func:`attnxai.report.page.write_results`.
    """
    return {
        name: partial(_draw_result, name, found)
        for name, found in results.items()
        if type(found).__name__ in _FIGURES
    }


def _draw_result(name: str, found: Any, folder: Path) -> FigureText:
    kind = type(found).__name__
    draw, height, of_map = _FIGURES[kind]
    with saved_figure(folder, name, height + of_map * len(found.layers)) as figure:
        draw(found, ax=figure.subplots())
    return FigureText(
        name=name,
        caption=say(f"audit.figure.{kind}"),
        alternative=found.summary().replace("\n", " "),
    )
