"""Comparisons of made-up models whose maps agree, disagree, or are inverted."""

from __future__ import annotations

import dataclasses
import warnings

from attnxai.agreement.comparison import ComparisonSettings, adjust_over_maps, compare_pairs
from attnxai.agreement.model_comparison.of_results import contrast_results
from attnxai.alignment.pairs import align
from attnxai.annotations.inputs import Inputs
from attnxai.audit.evidence_location_statistics import locate_evidence
from attnxai.explanations.stack import Split
from attnxai.report.content import ModelPart, ReportContent
from attnxai.report.provenance import describe
from attnxai.report.verdict import reach_verdict
from tests.builders import made_up

QUICK = ComparisonSettings(metrics=("nss", "auc"), n_permutations=499, n_bootstrap=200)
EVIL = '<img src=x onerror="alert(1)">&.pt'
HELD_OUT = (Split.HELD_OUT,) * 16


def inverted(layers):
    """Maps that are lowest where their source is marked."""
    return {name: 1.2 - 1.2 * array for name, array in layers.items()}


def random_maps(layers):
    other = made_up(n_sources=16, agreement=0.0, seed=9)[0]
    return {name: other.layers[name] for name in layers}


def unchanged(layers):
    return layers


def part_of(name, change=unchanged, *, settings=QUICK, splits=HELD_OUT):
    maps, marks, images = made_up(n_sources=16)
    maps = dataclasses.replace(maps, model_name=name, layers=change(maps.layers), splits=splits)
    pairs = align(maps, marks, images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare_pairs(pairs, settings=settings, rng=1)
    location = locate_evidence(maps, pairs.classes, n_bootstrap=100)
    return ModelPart(result=result, pairs=pairs, maps=maps, location=location)


def content_of(*parts, contrasts=True, command="attnxai compare", notes=()):
    _, marks, images = made_up(n_sources=16)
    results = adjust_over_maps([part.result for part in parts], "holm")
    made = ()
    if contrasts:
        made = tuple(
            contrast_results(results, metric=name, n_draws=499, n_bootstrap=200)
            for name in results[0].metrics
        )
    inputs = Inputs(annotations=marks, images=images, data_name="made up")
    return ReportContent(
        parts=tuple(
            dataclasses.replace(part, result=result)
            for part, result in zip(parts, results, strict=True)
        ),
        annotations=marks,
        images=images,
        provenance=describe(
            [part.maps for part in parts],
            inputs.annotations,
            inputs.images,
            images_name=inputs.data_name,
            seed=1,
            command=command,
        ),
        contrasts=made,
        notes=notes,
    )


def verdict_on(content):
    return reach_verdict(
        content.results,
        content.annotations,
        contrasts=content.contrasts[0] if content.contrasts else None,
        notes=content.limits(),
        copies_recognised=[True] * len(content.parts),
    )
