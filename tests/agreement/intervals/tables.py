"""Tables of made-up values of annotators and sources, and what tests compute of them by hand."""

from __future__ import annotations

import numpy as np

A, S, CELL = frozenset({0}), frozenset({1}), frozenset({0, 1})


def two_way(rng, n_annotators, n_sources, *, annotator=1.0, source=1.0, cell=1.0, skewed=False):
    def draw(shape):
        return rng.exponential(size=shape) - 1 if skewed else rng.normal(size=shape)

    return (
        np.sqrt(source) * draw((1, n_sources))
        + np.sqrt(annotator) * draw((n_annotators, 1))
        + np.sqrt(cell) * draw((n_annotators, n_sources))
    )


def mean_squares_by_hand(values):
    """Mean squares of sources, annotators and the rest, from the textbook's sums."""
    a, s = values.shape
    grand, rows, columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    of_sources = a * ((columns - grand) ** 2).sum() / (s - 1)
    of_annotators = s * ((rows - grand) ** 2).sum() / (a - 1)
    rest = ((values - rows[:, None] - columns + grand) ** 2).sum() / ((s - 1) * (a - 1))
    return of_sources, of_annotators, rest


def with_holes(values, rng, share=0.4):
    holes = values.copy()
    holes[rng.random(values.shape) < share] = np.nan
    holes[0, np.isnan(holes).all(axis=0)] = values[0, np.isnan(holes).all(axis=0)]
    return holes


def diligence(n_marked, rng, *, annotator=1.0):
    """Two annotators of 50 sources, of whom the second marked fewer."""
    values = two_way(rng, 2, 50, annotator=annotator)
    values[1, n_marked:] = np.nan
    return values


def coverage(make, n_experiments, interval):
    covered = 0
    for _ in range(n_experiments):
        found = interval(make())
        covered += found.low <= 0 <= found.high
    return covered
