"""The report: a folder with a page, tables, a summary and figures, whole or not at all."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.agreement.results import ALL
from attnxai.annotations.readers import claran
from attnxai.metrics import METRICS
from attnxai.report.annotators import (
    consensus_words,
    consistency_table,
    consistency_words,
    pairwise_table,
    pairwise_words,
)
from attnxai.report.audit import locations_table, words_on_zones, zones_table
from attnxai.report.beyond_emission import emission_introduction
from attnxai.report.cautions import is_plain
from attnxai.report.content import ModelPart, ReportContent, counts_of
from attnxai.report.figures.agreement import draw_agreement, draw_all_metrics
from attnxai.report.figures.classes import draw_classes
from attnxai.report.figures.contrasts import draw_contrasts
from attnxai.report.figures.nulls import draw_nulls
from attnxai.report.figures.sources import draw_sources
from attnxai.report.figures.text import FigureText, caption_files
from attnxai.report.headline import has_opposite_classes
from attnxai.report.labels import labels_latex_table, labels_table, labels_words
from attnxai.report.methods import methods_text
from attnxai.report.page import write_results
from attnxai.report.page_tables import (
    contrasts_table,
    estimates_table,
    fewer_somewhere,
    latex_caption,
    most_in_words,
    partial_correlations_table,
    undefined_counts,
    verdict_table,
)
from attnxai.report.panels import Panels, arrange_panels
from attnxai.report.record import Record
from attnxai.report.sentences.say import say
from attnxai.report.source_svg import colour_ramps
from attnxai.report.source_table import (
    legend_of_marks,
    panel_maps,
    source_headings,
    source_rows,
)
from attnxai.report.style import CONTOUR_COLOUR, figures_as
from attnxai.report.summary import per_source_frames, summarise
from attnxai.report.tables.agreement import annotators_table
from attnxai.report.tables.latex import escape, render_latex
from attnxai.report.verdict import Verdict, reach_verdict
from attnxai.report.wording import (
    capitalised,
    group_name,
    group_phrase,
    mean_word,
    method_of_map,
    n_words,
    strata_words,
)

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.comparison import Comparison
    from attnxai.agreement.results import AgreementResult
    from attnxai.audit.evidence_location_result import EvidenceLocation
    from attnxai.jobs.output_folder import OutputFolder

__all__ = ["ModelPart", "ReportContent", "write_content", "write_report"]


def write_report(
    compared: AgreementResult | Sequence[AgreementResult] | Comparison,
    folder: str | Path | OutputFolder,
    *,
    images_name: str | None = None,
    notes: Sequence[str] = (),
    command: str = "",
    locations: Mapping[str, EvidenceLocation] | None = None,
    audits: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
    figures: str = "pdf",
    overwrite: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Write the report of a comparison.

    Parameters
    ----------
    compared : AgreementResult, sequence of AgreementResult, or Comparison
        From :func:`attnxai.compare` or :func:`attnxai.compare_models`.
    folder : path or OutputFolder
        Where; its files appear when the report is complete.
    images_name : str, optional
        What to call the images; where they come from when left out.
    notes : sequence of str
        What was left out or assumed on the way, for the cautions.
    command : str
        The command that made it, if one did.
    locations : mapping of str to EvidenceLocation, optional
        Where the evidence of each model comes from (:func:`attnxai.audit.evidence_location`), by its name. Left out, the
        report says where its maps lie.
    audits : mapping of str to mapping, optional
        Records of further audits (:meth:`attnxai.audit.ModelAudit.to_record`), by the name of the model and that of
        the audit.
    figures : {"pdf", "png"}
        Figures as PDF and PNG, or as PNG alone, which takes half the time.
    overwrite : bool
        Replace the files of a report that lies there; other files stay.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.

    Returns
    -------
    Verdict
        The words that the page begins with.

    Raises
    ------
    OptionError
        If the folder holds other files than a report, or a report that should not be replaced, a result
        does not carry what the page shows, or ``figures`` is neither.
    OutputError
        If the report cannot be written, as when a disk is full.

    Examples
    --------
    >>> import attnxai
    >>> result = attnxai.compare(maps, annotations, images)  # doctest: +SKIP
    >>> verdict = attnxai.write_report(result, "report")  # doctest: +SKIP
    >>> print(verdict.headline)  # doctest: +SKIP
    """
    content = ReportContent.of(
        compared,
        images_name=images_name,
        notes=notes,
        command=command,
        locations=locations,
        audits=audits,
    )
    return write_content(content, folder, figures=figures, overwrite=overwrite, on_step=on_step)


def write_content(
    content: ReportContent,
    folder: str | Path | OutputFolder,
    *,
    figures: str = "pdf",
    overwrite: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Write a report of content that was gathered before; see :func:`write_report`."""
    verdict = reach_verdict(
        content.results,
        content.annotations,
        contrasts=content.contrasts[0] if content.contrasts else None,
        copies_recognised=[
            bool(model.get("copies_recognised") or model.get("n_seen_positions"))
            for model in content.provenance.models
        ],
        notes=content.limits(),
        locations=content.locations,
    )
    # made once, for the page and for files beside it
    panels = functools.cache(lambda: _panels(content))
    summary = functools.cache(lambda: summarise(content, verdict))
    with figures_as(figures):
        write_results(
            folder,
            what="report",
            template="report.html",
            drawers=_drawers(content),
            files=lambda figures: {
                "per_source.csv": per_source_frames(content),
                "summary.json": summary(),
                "agreement.tex": _latex(content),
                **methods_text(content).files(),
                **caption_files(figures.values()),
                **panels().files,
            },
            values=lambda: page_values(content, verdict, panels(), summary()),
            overwrite=overwrite,
            on_step=on_step,
        )
    return verdict


def _drawers(content: ReportContent) -> list[Callable[[Path], FigureText | None]]:
    drawers: list[Callable[[Path], FigureText | None]] = [
        functools.partial(draw_agreement, content.results),
        functools.partial(draw_all_metrics, content.results),
    ]
    if content.contrasts:
        drawers.append(functools.partial(draw_contrasts, content.contrasts[0]))
    for part, suffix in zip(content.parts, _suffixes(content), strict=True):
        inputs = (part.shown, part.maps, content.annotations, content.images)
        drawers += [
            functools.partial(draw_classes, part.result, suffix=suffix),
            functools.partial(draw_sources, part.result, *inputs, suffix=suffix),
            functools.partial(draw_nulls, part.result, suffix=suffix),
        ]
    return drawers


def _suffixes(content: ReportContent) -> list[str]:
    """What the names of a model's figures end with: nothing for a single model, else its number."""
    n = len(content.parts)
    return [""] if n == 1 else [f"-{number}" for number in range(1, n + 1)]


def _latex(content: ReportContent) -> str:
    """The main table of every model, that of its labels, and the differences between models."""
    tables = []
    for part in content.parts:
        caption = escape(latex_caption(part.result))
        tables.append(f"% {escape(part.name)}\n% caption: {caption}\n{part.result.to_latex()}")
        labels = labels_latex_table(part.result)
        if labels is not None:
            name = escape(part.name)
            tables.append(f"% {name}, the marks of each label\n{render_latex(labels)}")
    tables += [f"% differences\n{contrasts.to_latex()}" for contrasts in content.contrasts[:1]]
    return "\n".join(tables)


def _panels(content: ReportContent) -> Panels:
    return arrange_panels(source_rows(content), name_models=len(content.parts) > 1)


def page_values(
    content: ReportContent,
    verdict: Verdict,
    panels: Panels | None = None,
    summary: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Values for the template of the page; panels of sources and summary are made where they are not given."""
    first, plugins = content.parts[0].result, _plugins(content)
    record = Record.of(content, summary or summarise(content, verdict), plugins)
    return {
        "first": first,
        "parts": [
            _part_values(part, facts, suffix)
            for part, facts, suffix in zip(
                content.parts, content.provenance.models, _suffixes(content), strict=True
            )
        ],
        "verdict": verdict,
        "verdict_table": verdict_table(content.parts, verdict),
        "audit_tables": [zones_table(content.locations), locations_table(content.locations)],
        "provenance": content.provenance,
        "surveys": [seen.table(name_models=len(content.surveys) > 1) for seen in content.surveys],
        "plugins": plugins,
        "record": record.to_record(),
        "annotations": content.annotations,
        "read_as": [text for text in content.annotations.notices if is_plain(text)],
        "consensus": consensus_words(first),
        "group_phrase": group_phrase,
        "group_name": group_name,
        "metrics": METRICS,
        "words": _introductions(content),
        "compared": _compared(
            content.results[0],
            by_rule=not content.annotations.simulated
            and content.annotations.rule_annotators == content.annotations.annotators,
        ),
        "made_on": dt.datetime.now(tz=dt.UTC).strftime("%-d %B %Y"),
        "partial_correlations": partial_correlations_table(content.parts),
        "contrasts": contrasts_table(content),
        "pairwise": pairwise_table(content),
        "consistency": consistency_table(content.parts[0].result),
        "panel_maps": panel_maps(content),
        "legend": legend_of_marks(content),
        "colour_ramps": colour_ramps(),
        "contour_colour": CONTOUR_COLOUR,
        "headings": source_headings(content),
        "source_rows": (panels or _panels(content)).rows,
        "methods": methods_text(content),
        "undefined": undefined_counts(content.parts),
    }


def _compared(result: AgreementResult, *, by_rule: bool = False) -> str:
    """How many sources of which classes the verdict rests on, and how many annotators, or the name of a consensus.

    ``by_rule``: no person annotated, so that there is nobody to count.
    """
    counted = result.verdict_sources()
    classes = Counter(
        name or say("page.class_unknown")
        for name, own in zip(result.classes, counted, strict=True)
        if own
    )
    of_classes = ", ".join(f"{n:,} {name}" for name, n in classes.items())
    if result.settings["consensus"] or result.annotators == (claran.ANNOTATOR,):
        annotators = result.annotators[0]
    else:
        annotators = "" if by_rule else say("page.compared.annotators", n=len(result.annotators))
    return say(
        "page.compared",
        n=int(counted.sum()),
        classes=f" ({of_classes})" if set(classes) - {say("page.class_unknown")} else "",
        annotators=f" · {annotators}" if annotators else "",
    )


def _plugins(content: ReportContent) -> list[Mapping[str, Any]]:
    """Models, metrics, nulls and explanation methods that are not of this package, each once."""
    found = list(content.parts[0].result.settings["plugins"])
    for part, facts in zip(content.parts, content.provenance.models, strict=True):
        if code := facts.get("code"):
            found.append({"kind": "model", "name": part.name, **code})
        for explained in part.maps.provenance.get("explanations", ()):
            method = {"kind": "explanation method", **explained}
            if "module" in method and method not in found:
                found.append(method)
    return found


def _introductions(content: ReportContent) -> dict[str, Any]:
    """What stands before the tables of the page."""
    first = content.parts[0].result
    level = first.settings["level"]
    stratified = any(e.within_strata is not None for e in first.estimates)
    strata = strata_words(first.settings["strata"])
    words: dict[str, Any] = {
        "maps": say("page.maps"),
        "verdict": _what_maps_are(content),
        "cells": say(
            "page.cells",
            mean=mean_word(e.interval for e in first.estimates),
            annotators=say("methods.and_annotators") if len(first.annotators) > 1 else "",
            level=level,
            sources=say("caption.permuted.strata", strata=strata)
            if stratified
            else say("caption.permuted.any"),
            n=say("page.cells.n") if fewer_somewhere(first) else "",
            nulls=say("page.cells.nulls") if first.settings["nulls"] else "",
            ceiling=say("page.cells.ceiling") if first.noise_ceilings else "",
            consistency=say("page.cells.consistency")
            if first.self_consistencies and not first.settings["consensus"]
            else "",
        ),
        "partial": say("page.partial"),
        "audit": words_on_zones(content.locations),
        "annotators": say(
            "page.annotators",
            weights=say("page.annotators.weights") if first.settings["weighted"] else "",
        ),
    }
    words |= {"pairwise": pairwise_words(content), "consistency": consistency_words(first)}
    n_shown, n_all = len(content.parts[0].shown), len(first.sources)
    words["shown"] = (
        say("page.shown", n=n_shown, n_all=n_all, most=first.settings["most_together"])
        if n_shown < n_all
        else ""
    )
    if content.contrasts:
        contrasts = content.contrasts[0]
        words["models"] = say(
            "page.models",
            mean=capitalised(mean_word(c.interval for c in contrasts.contrasts.contrasts)),
            n=n_words(c.interval for c in contrasts.contrasts.contrasts),
            group=group_phrase(contrasts.group),
            level=contrasts.contrasts.level,
            others=say("page.models.others") if first.noise_ceilings else "",
        )
    return words


def _what_maps_are(content: ReportContent) -> list[str]:
    """What gates are, and why signs may differ by class, each where it is seen in this report."""
    methods = {method_of_map(name) for part in content.parts for name in part.result.explanations}
    by_class = any(
        one.sign_depends_on_class for part in content.parts for one in part.location.maps
    )
    opposite = any(has_opposite_classes(part.result) for part in content.parts)
    return [
        *([say("page.gates")] if "gates" in methods else []),
        *([say("page.signs")] if by_class or opposite else []),
    ]


_OF_FILES = (
    "architecture",
    "group",
    "n_parameters",
    "file",
    "sha256",
    "maps_file",
    "maps_model",
    "maps_sha256",
)


def _recorded_accuracy(facts: Mapping[str, Any]) -> list[str]:
    """The accuracies that a model's file and card record, and what else the validation images decided."""
    accuracies = []
    validation, test = facts.get("validation_accuracy"), facts.get("test_accuracy")
    if validation is not None:
        fitted = facts.get("temperature", 1.0) != 1.0
        chose = say(f"accuracy.validation.{'temperature' if fitted else 'epoch'}")
        accuracies.append(
            say("accuracy.validation", accuracy=f"{100 * validation:.1f} %", chose=chose)
        )
    if test is not None:
        accuracies.append(say("accuracy.test", accuracy=f"{100 * test:.1f} %"))
    return accuracies


def _missing_for_accuracy(part: ModelPart) -> str:
    """What is not known where no source counts for the accuracy."""
    if part.pairs.predicted is None:
        return "scores"
    return "others" if any(part.result.classes) else "classes"


def _part_values(part: ModelPart, facts: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    result = part.result
    classes = {
        name: estimates_table(result, class_name=name) for name in result.class_names if name != ALL
    }
    return {
        "result": result,
        # maps from elsewhere may have neither network nor file
        "facts": dict.fromkeys(_OF_FILES) | dict(facts),
        "recorded_accuracy": _recorded_accuracy(facts),
        "suffix": suffix,
        "audits": part.audits,
        "accuracy": part.accuracy(),
        "no_accuracy": say(f"accuracy.none.{_missing_for_accuracy(part)}"),
        "counts": counts_of(result.splits),
        "most": most_in_words(result),
        "class_counts": counts_of(name or "unknown" for name in result.classes),
        "main": estimates_table(result),
        "labels": labels_table(result),
        "words_of_labels": labels_words(result),
        "within": emission_introduction(result),
        "within_table": estimates_table(result.within_emission) if result.within_emission else None,
        "groups": {
            group: estimates_table(result, group=group)
            for group in result.groups
            if group != result.verdict_group
        },
        "classes": {name: table for name, table in classes.items() if table is not None},
        "annotators": annotators_table(result.annotator_agreement)
        if result.annotator_agreement
        else None,
    }
