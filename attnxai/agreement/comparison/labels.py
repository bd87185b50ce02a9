"""Agreement with the marks of each label, beside that with all marks, on the sources that hold the label."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.comparison.estimating import Scope, ScopeEstimates
from attnxai.agreement.comparison.streams import Streams
from attnxai.agreement.comparison.tables import Inputs, measure
from attnxai.agreement.estimates import LabelAgreement
from attnxai.agreement.intervals.crossed import UNBOUNDED
from attnxai.agreement.results import ALL

if TYPE_CHECKING:
    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.results import AgreementResult
    from attnxai.alignment.labels import LabelTargets
    from attnxai.alignment.pairs import AlignedPairs


def label_agreement(
    targets: LabelTargets,
    pairs: AlignedPairs,
    result: AgreementResult,
    settings: ComparisonSettings,
    streams: Streams,
) -> LabelAgreement:
    """Agreement of all maps with the marks of one label, by the first metric.

    Sources are those that conclusions rest on and that hold the label; permutations are among these. ``result`` is that
    of all marks, and ``pairs`` are those with every annotator. P-values are not adjusted yet.
    """
    settings = dataclasses.replace(settings, metrics=settings.metrics[:1], nulls=(), within=None)
    inputs = Inputs.of(targets.of(pairs), settings)
    group, metric = result.verdict_group, inputs.metrics[0]
    members = np.array(
        [i for i, split in enumerate(inputs.pairs.splits) if split == group], dtype=np.intp
    )
    n_sources = int((inputs.pairs.source_weights[members] > 0).sum())
    if not n_sources:
        return LabelAgreement(label=str(targets.label), group=group, n_sources=0, estimates=())
    values = measure(inputs, partial=False)
    made = ScopeEstimates(
        Scope(group=group, class_name=ALL, members=members),
        inputs,
        values,
        settings,
        Streams(streams.of("label", targets.label)),
    )
    # a consensus is one row, named after the annotators of the label
    rows = (
        [result.annotators.index(name) for name in inputs.pairs.annotators]
        if settings.consensus is None
        else [0]
    )
    columns = [result.sources.index(inputs.pairs.sources[i]) for i in members]
    all_marks, minus_all_marks = {}, {}
    for e, name in enumerate(inputs.names):
        own, every = values.own[0, e][:, members], result.values[0, e][np.ix_(rows, columns)]
        both = np.isfinite(own) & np.isfinite(every)
        shared, purpose = np.where(both, every, np.nan), (metric.name, name, "all marks")
        all_marks[name] = made.interval(shared, metric.bounds, *purpose)
        minus_all_marks[name] = made.interval(own - shared, UNBOUNDED, *purpose, "difference")
    return LabelAgreement(
        label=str(targets.label),
        group=group,
        n_sources=n_sources,
        estimates=tuple(made.estimates({}, {}, main=False)),
        all_marks=all_marks,
        minus_all_marks=minus_all_marks,
    )
