"""Verdicts on made-up comparisons, and on results whose numbers are changed."""

from __future__ import annotations

import dataclasses
import functools
import warnings

import numpy as np

from attnxai.agreement.comparison import ComparisonSettings, compare
from attnxai.agreement.results import ALL
from attnxai.report.verdict import reach_verdict
from tests.builders import made_up

QUICK = ComparisonSettings(n_permutations=999, n_bootstrap=500)


def verdict_of(*, settings=QUICK, splits=None, marks_change=None, **options):
    maps, marks, images = made_up(**options)
    if splits is not None:
        maps = dataclasses.replace(maps, splits=splits)
    if marks_change is not None:
        marks = dataclasses.replace(marks, **marks_change)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(maps, marks, images, settings=settings)
    return reach_verdict([result], marks), result


@functools.cache
def planted():
    """The verdict on sixteen sources whose maps agree with their annotations, and the result."""
    return verdict_of(n_sources=16)


def verdict_with(result, change):
    """The verdict on the same results, of which ``change`` gives some estimates other numbers."""
    _, marks, _ = made_up(n_sources=len(result.sources))
    estimates = tuple(change(estimate) for estimate in result.estimates)
    return reach_verdict([dataclasses.replace(result, estimates=estimates)], marks)


def is_of(estimate, explanation, class_name=ALL):
    found = (estimate.explanation, estimate.metric, estimate.group, estimate.class_name)
    return found == (explanation, "nss", "held-out", class_name)


def at(estimate, low, high):
    above = dataclasses.replace(estimate.above_chance, value=(low + high) / 2, low=low, high=high)
    return dataclasses.replace(estimate, above_chance=above)


def of_gate1(**numbers):
    """A change of the estimate of the first gate over all classes."""
    return lambda e: dataclasses.replace(e, **numbers) if is_of(e, "gate1") else e


def brightest(result):
    """The brightness baseline with the largest mean over sources and annotators, from the values."""
    names = result.explanations + result.baselines
    values = result.values[result.metrics.index("nss")]
    means = {name: np.nanmean(values[e]) for e, name in enumerate(names) if "brightness" in name}
    assert len(means) == 2
    return max(means, key=lambda name: means[name])
