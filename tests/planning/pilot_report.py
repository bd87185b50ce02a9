"""The two files of a report that a plan is made from, without the page and the figures."""

from __future__ import annotations

import json
import warnings

import pandas as pd

from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.alignment.pairs import align
from attnxai.audit.evidence_location_statistics import locate_evidence
from attnxai.report.content import ModelPart, ReportContent
from attnxai.report.provenance import describe
from attnxai.report.summary import per_source_frames, summarise
from attnxai.report.verdict import reach_verdict
from tests.builders import made_up


def write_pilot(folder, *, n_permutations=999, metrics=("nss", "spearman"), **made):
    """Compare made-up maps with made-up marks; write numbers as ``attnxai compare`` does."""
    maps, marks, images = made_up(**({"n_sources": 24, "agreement": 0.4} | made))
    settings = ComparisonSettings(metrics=metrics, n_permutations=n_permutations, n_bootstrap=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = align(maps, marks, images)
        result = compare_pairs(pairs, settings=settings, rng=0)
    location = locate_evidence(maps, None, n_bootstrap=100)
    content = ReportContent(
        parts=(ModelPart(result=result, pairs=pairs, maps=maps, location=location),),
        annotations=marks,
        images=images,
        provenance=describe(
            [maps],
            marks,
            images,
            images_name="made up",
            seed=0,
            command="attnxai compare",
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    summary = summarise(content, reach_verdict([result], marks))
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    pd.concat(per_source_frames(content)).to_csv(folder / "per_source.csv", index=False)
    return result
