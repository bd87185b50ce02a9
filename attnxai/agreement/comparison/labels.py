"""Agreement with the marks of each label, beside that with all marks, on the sources that hold the label."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.comparison.estimating import Scope, ScopeEstimates
from attnxai.agreement.estimates import LabelAgreement
from attnxai.agreement.intervals.crossed import UNBOUNDED
from attnxai.agreement.results import ALL

if TYPE_CHECKING:
    from attnxai.agreement.comparison.gathering import Gathered, Request
    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.comparison.streams import Streams
    from attnxai.agreement.results import AgreementResult
    from attnxai.statistics.interval import Interval


def label_request(request: Request) -> Request:
    """What is gathered for a label: neither further nulls nor values within emission."""
    settings = dataclasses.replace(request.settings, nulls=(), within=None)
    return dataclasses.replace(request, settings=settings, of_label=True)


def label_agreement(
    label: str,
    found: Gathered,
    result: AgreementResult,
    settings: ComparisonSettings,
    streams: Streams,
) -> LabelAgreement:
    """Agreement of all maps with the marks of one label, by every metric.

    Sources are those that conclusions rest on and that hold the label; permutations are among these. ``found`` is of the
    marks of the label, of every annotator, and ``result`` is that of all marks. P-values are not adjusted yet.
    """
    group = result.verdict_group
    inputs, values = found.inputs, found.values
    members = np.array(
        [i for i, split in enumerate(inputs.pairs.splits) if split == group], dtype=np.intp
    )
    n_sources = int((inputs.pairs.source_weights[members] > 0).sum())
    if not n_sources:
        return LabelAgreement(label=label, group=group, n_sources=0, estimates=())
    scope = Scope(group=group, class_name=ALL, members=members)
    made = ScopeEstimates(
        scope,
        inputs,
        values,
        dataclasses.replace(settings, nulls=(), within=None),
        streams,
        found.tests[scope.names],
    )
    # a consensus is one row, named after the annotators of the label
    rows = (
        [result.annotators.index(name) for name in inputs.pairs.annotators]
        if settings.consensus is None
        else [0]
    )
    place = {name: i for i, name in enumerate(result.sources)}
    columns = [place[inputs.pairs.sources[i]] for i in members]
    all_marks: dict[tuple[str, str], Interval] = {}
    minus_all_marks: dict[tuple[str, str], Interval] = {}
    for (m, metric), (e, name) in itertools.product(
        enumerate(inputs.metrics), enumerate(inputs.names)
    ):
        own, every = values.own[m, e][:, members], result.values[m, e][np.ix_(rows, columns)]
        both = np.isfinite(own) & np.isfinite(every)
        shared, purpose = np.where(both, every, np.nan), (metric.name, name, "all marks")
        all_marks[name, metric.name] = made.interval(shared, metric.bounds, *purpose)
        # where all marks have the label, sums in another order leave a difference of rounding errors
        apart = np.where(np.isclose(own, shared, rtol=1e-12, atol=0.0), 0.0, own - shared)
        difference = made.interval(apart, UNBOUNDED, *purpose, "difference")
        minus_all_marks[name, metric.name] = difference
    return LabelAgreement(
        label=label,
        group=group,
        n_sources=n_sources,
        estimates=tuple(made.estimates({}, {}, main=False)),
        all_marks=all_marks,
        minus_all_marks=minus_all_marks,
    )
