"""The numbers of a report as plain values and tables, under documented names."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attnxai.metrics import METRICS
from attnxai.report.content import counts_of

if TYPE_CHECKING:
    import pandas as pd

    from attnxai.report.content import ModelPart, ReportContent
    from attnxai.report.verdict import ModelVerdict, Verdict

FORMAT = "attnxai-report"
FORMAT_VERSION = 2
_SOURCES_AT_A_TIME = 1000


def summarise(content: ReportContent, verdict: Verdict) -> dict[str, Any]:
    """All numbers of the report under documented keys; see docs/reference/report.md."""
    provenance, first = content.provenance, content.parts[0].result
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "verdict": {
            "headline": verdict.headline,
            "audit": verdict.audit,
            "warning": verdict.warning,
            "baselines": verdict.baselines,
            "contrasts": list(verdict.contrasts),
            "cautions": list(verdict.cautions),
        },
        "command": provenance.command,
        "seed": provenance.seed,
        "versions": dict(provenance.versions),
        "annotations": dict(provenance.annotations),
        "images": {
            **provenance.images,
            "by_survey": [seen.to_record() for seen in content.surveys],
        },
        "settings": dict(first.settings),
        "metrics": {
            name: {"label": METRICS[name].label, "meaning": METRICS[name].meaning}
            for name in first.metrics
        },
        "models": [
            _of_model(part, facts, words)
            for part, facts, words in zip(
                content.parts, provenance.models, verdict.models, strict=True
            )
        ],
        "contrasts": [contrasts.to_record() for contrasts in content.contrasts],
    }


def _of_model(part: ModelPart, facts: Any, verdict: ModelVerdict) -> dict[str, Any]:
    result = part.result
    record = result.to_record()
    return {
        **facts,
        "accuracy": part.accuracy(),
        "verdict": {
            "headline": verdict.headline,
            "group": result.verdict_group,
            "generalises_to": record["generalises_to"],
            "statements": [
                {**dataclasses.asdict(statement), "finding": str(statement.finding)}
                for statement in verdict.statements
            ],
        },
        "audits": {"evidence_location": part.location.to_record(), **part.audits},
        "sources": {
            "n": len(result.sources),
            "by_group": counts_of(result.splits),
            "by_class": counts_of(name or "unknown" for name in result.classes),
        },
        **{
            key: record[key]
            for key in (
                "results",
                "partial_correlations",
                "noise_ceilings",
                "self_consistencies",
                "annotator_agreement",
                "labels",
                "within_emission",
                "undefined",
            )
        },
    }


def per_source_frames(content: ReportContent) -> Iterator[pd.DataFrame]:
    """One row for every model, source and annotator, those of some sources at a time, all with the same columns."""

    def frame_of(part: ModelPart, sources: slice) -> pd.DataFrame:
        frame = part.result.per_source_frame(sources)
        frame.insert(0, "model", part.name)
        return frame

    of_models = (frame_of(part, slice(0)).columns for part in content.parts)
    columns = list(dict.fromkeys(itertools.chain.from_iterable(of_models)))
    for part in content.parts:
        for start in range(0, len(part.result.sources), _SOURCES_AT_A_TIME):
            frame = frame_of(part, slice(start, start + _SOURCES_AT_A_TIME))
            yield frame.reindex(columns=columns)
