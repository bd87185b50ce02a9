"""Where results find what shows them: the one place that looks from a result to the report.

Imports point one way, and a result stands left of :mod:`attnxai.report`. Its methods ``plot``, ``to_latex``,
``write_report`` and ``_repr_html_`` are thin: they look up a function of the report here, by the name of the result's class,
and import it when it is called. So numbers can be computed without matplotlib, and a result knows nothing of
how it is shown.

A new kind of result needs a row in :data:`PRESENTERS`, and the methods that it has::

    class MyResult:
        plot = presenters.plot
        to_latex = presenters.to_latex
        _repr_html_ = presenters.repr_html
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

PLOT, TABLE, PAGE, MARKDOWN, HTML = "plot", "table", "page", "markdown", "html"

PRESENTERS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "AgreementResult": {
            PLOT: "agreement_plot:plot_agreement",
            TABLE: "tables.agreement:agreement_table",
            PAGE: "document:write_report",
        },
        "AnnotationSet": {HTML: "notebook:annotations_html"},
        "AnnotatorAgreement": {TABLE: "tables.agreement:annotators_table"},
        "ClassificationMetrics": {
            PLOT: "classification:plot_reliability",
            TABLE: "classification:metrics_table",
        },
        "ClassMeanMaps": {PLOT: "class_means:plot_class_means"},
        "Comparison": {HTML: "notebook:comparison_html", PAGE: "document:write_report"},
        "EvidenceLocation": {PLOT: "audit_figures:plot_zones"},
        "Faithfulness": {PLOT: "audit_figures:plot_faithfulness"},
        "MapAgreement": {PLOT: "audit_figures:plot_map_agreement"},
        "MapStack": {HTML: "notebook:maps_html"},
        "ModelAudit": {HTML: "notebook:audit_html", PAGE: "audit_document:write_audit"},
        "ModelCard": {MARKDOWN: "model_card:card_markdown"},
        "ModelContrasts": {
            PLOT: "contrasts:plot_model_contrasts",
            TABLE: "contrasts:model_contrasts_table",
        },
        "NoiseStability": {PLOT: "audit_figures:plot_noise_stability"},
        "PowerPlan": {PLOT: "planning:plot_power", TABLE: "planning:plan_table"},
        "ResultContrasts": {
            PLOT: "contrasts:plot_result_contrasts",
            TABLE: "contrasts:result_contrasts_table",
        },
        "SourceImage": {HTML: "notebook:image_html"},
        "SourceSet": {HTML: "notebook:images_html"},
        "StudyResult": {HTML: "notebook:study_html", PAGE: "study_document:write_study"},
        "SymmetryErrors": {TABLE: "symmetry:symmetry_table"},
        "TrendTest": {PLOT: "trends:plot_trend_test", TABLE: "trends:trend_table"},
        "RandomisationResult": {PLOT: "audit_figures:plot_randomisation"},
        "RotationAudit": {PLOT: "audit_figures:plot_rotations"},
        "ValidationResult": {
            PLOT: "validation_figures:plot_validation",
            PAGE: "validation_document:write_validation",
        },
    }
)
"""Functions of :mod:`attnxai.report` by class of the result and by what they make, as ``module:function``."""


def presenter_of(result: object, what: str) -> Callable[..., Any]:
    """The function of the report that shows a result, which it takes first.

    ``what`` is ``plot``, ``table``, ``page``, ``markdown`` or ``html``. The result is of a class that :data:`PRESENTERS`
    names, or of one derived from it; any other is a mistake in its class, and a LookupError.
    """
    for cls in type(result).__mro__:
        place = PRESENTERS.get(cls.__name__, {}).get(what)
        if place is not None:
            return _of_report(place)
    raise LookupError(f"no {what} is registered for {type(result).__name__} in attnxai.presenters")


def _of_report(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f"attnxai.report.{module}"), name)
    return found


def plot(self: object, ax: Any = None) -> Any:
    """Draw the result.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    return presenter_of(self, PLOT)(self, ax=ax)


def to_latex(
    self: object,
    *,
    digits: int | None = None,
    caption: str | None = None,
    label: str | None = None,
) -> str:
    r"""The result as a LaTeX table, with booktabs rules and columns of siunitx.

    Parameters
    ----------
    digits : int, optional
        Decimals of values; those that their intervals call for when left out.
    caption : str, optional
        LaTeX. With a caption the ``tabular`` stands in a floating ``table``.
    label : str, optional
        For ``\ref``; needs a caption.
    """
    return latex_of(presenter_of(self, TABLE)(self, digits=digits), caption=caption, label=label)


def latex_of(table: object, *, caption: str | None = None, label: str | None = None) -> str:
    """A table of the report as LaTeX, see :func:`attnxai.report.tables.latex.render_latex`."""
    text: str = _of_report("tables.latex:render_latex")(table, caption=caption, label=label)
    return text


def repr_html(self: object) -> str:
    """What notebooks show at the end of a cell: small pictures and tables, or the result's table."""
    if any(HTML in PRESENTERS.get(cls.__name__, {}) for cls in type(self).__mro__):
        text: str = presenter_of(self, HTML)(self)
        return text
    return str(_of_report("tables.text:render_html")(presenter_of(self, TABLE)(self)))


def write_report(self: object, folder: str | Path, **options: Any) -> Path:
    """Write the result's report, with tables, figures and one page, into a folder.

    Parameters
    ----------
    folder : path
        Where; it appears when it is complete.
    **options
        What the report of this kind of result takes.

    Returns
    -------
    Path
        The page, ``index.html``.
    """
    folder = Path(folder)
    presenter_of(self, PAGE)(self, folder, **options)
    return folder / "index.html"
