"""The figures of a report, each as PNG and PDF."""

from attnxai.report.figures.agreement import draw_agreement, draw_all_metrics
from attnxai.report.figures.classes import draw_classes
from attnxai.report.figures.contrasts import draw_contrasts
from attnxai.report.figures.fitting import fit_titles
from attnxai.report.figures.nulls import draw_nulls
from attnxai.report.figures.selection import extreme_sources, listed_maps, shown_explanation
from attnxai.report.figures.sources import draw_sources
from attnxai.report.figures.text import FigureText

__all__ = [
    "FigureText",
    "draw_agreement",
    "draw_all_metrics",
    "draw_classes",
    "draw_contrasts",
    "draw_nulls",
    "draw_sources",
    "extreme_sources",
    "fit_titles",
    "listed_maps",
    "shown_explanation",
]
