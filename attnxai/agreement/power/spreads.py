"""Effect and spreads that a plan is made of, from the values of all pairs of maps and annotations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.over_sources import Interval
from attnxai.agreement.intervals.variance_components import estimate_components
from attnxai.agreement.power.rejections import Components
from attnxai.agreement.results import mean_over_annotators
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def components_of_tables(
    tables: ArrayLike, classes: Sequence[Hashable]
) -> tuple[Components, Interval]:
    """Components and effect from the values of all pairs, exchanged ones included.

    Parameters
    ----------
    tables : array_like, shape (n_annotators, n_sources, n_sources)
        Value of the map of each source (rows) with each annotator's annotation of each source (columns),
        without gaps.
    classes : sequence of hashable
        Class of every source, each of three sources or more.

    Returns
    -------
    Components
        To plan with.
    Interval
        The effect with its Student t interval over sources.

    Raises
    ------
    OptionError
        If a class has fewer than three sources, or values are missing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> tables = rng.normal(size=(1, 40, 40)) + 0.5 * np.eye(40)
    >>> components, effect = components_of_tables(tables, ["FR I", "FR II"] * 20)
    >>> effect.low < 0.5 < effect.high, round(components.spread_exchanged(1), 1)
    (True, 1.0)
    """
    values = np.asarray(tables, dtype=np.float64)
    n_annotators, n = values.shape[0], len(classes)
    if values.shape != (n_annotators, n, n) or not np.isfinite(values).all():
        raise OptionError(f"tables need finite values of all {n} by {n} pairs, got {values.shape}")
    own = np.empty((n_annotators, n))  # beyond what map and annotation score with other partners
    squares, freedom, effect = 0.0, 0, 0.0
    names = list(dict.fromkeys(classes))
    for name in names:
        members = np.array([i for i, c in enumerate(classes) if c == name])
        m = len(members)
        if m < 3:
            raise OptionError(f"class {name} has {m} sources; exchanging them takes three or more")
        part = values[:, members[:, None], members]
        beyond, residual = _beyond_partners(part)
        own[:, members] = beyond
        effect += m / n * float(beyond.mean())
        squares += float((residual.mean(axis=0) ** 2).sum())
        freedom += m * (m - 1) - (2 * m - 1)  # rows and columns have 2 m - 1 means
    exchanged = squares / freedom
    parts = parts_of(centred(own, classes), n_lost=len(names))
    value_parts = parts_of(np.diagonal(values, axis1=1, axis2=2), n_lost=1)
    shared = min(parts.residual / n_annotators, exchanged / 2)
    components = Components(
        effect=effect,
        sd_source=math.sqrt(parts.source),
        sd_residual=math.sqrt(shared * n_annotators),
        sd_annotator=math.sqrt(value_parts.annotator),
        sd_pairing=math.sqrt(exchanged - shared),
        sd_value=math.sqrt(value_parts.source),
        deviations=centred(own, classes).mean(axis=0),
    )
    spread = components.spread_own(n_annotators)
    return components, t_interval(effect, spread / math.sqrt(n), n - len(names), n)


def _beyond_partners(
    part: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Own values beyond row and column effects of the other pairs, and residuals of these pairs.

    Row and column effects are fitted to the pairs off the diagonal by least squares, for each annotator.
    """
    m = part.shape[1]
    off = part * (1 - np.eye(m))
    rows, columns = off.sum(axis=2), off.sum(axis=1)
    grand = rows.sum(axis=1) / (m * (m - 1))
    # the normal equations of rows and columns without a diagonal, solved
    row_effects = ((m - 1) * rows + columns) / (m * (m - 2))
    column_effects = ((m - 1) * columns + rows) / (m * (m - 2))
    row_effects -= row_effects.mean(axis=1, keepdims=True)
    column_effects -= column_effects.mean(axis=1, keepdims=True)
    fitted = grand[:, None, None] + row_effects[:, :, None] + column_effects[:, None, :]
    residual = (part - fitted) * (1 - np.eye(m))
    own = np.diagonal(part - fitted, axis1=1, axis2=2)
    return own, residual


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Variances between sources, between annotators, and of what is left; never below 0."""

    source: float
    annotator: float
    residual: float


def parts_of(values: NDArray[np.float64], *, n_lost: int) -> Parts:
    """Variance components of values (annotators, sources), with gaps.

    ``n_lost`` degrees of freedom of the sources went into means of their classes, or into one mean. Where
    annotators and sources cannot be told apart, all is taken to be the sources'.
    """
    defined = np.isfinite(values)
    n = values.shape[1]
    coefficients = defined / (n * defined.sum(axis=0))
    found = estimate_components(values, coefficients) if len(values) > 1 else None
    annotator = residual = 0.0
    if found is not None:
        annotator = max(found.variances[frozenset({0})], 0.0)
        residual = max(found.variances[frozenset({0, 1})], 0.0)
    means = mean_over_annotators(values)
    between = float(((means - means.mean()) ** 2).sum()) / max(n - n_lost, 1)
    shared = residual * float((1 / defined.sum(axis=0)).mean())
    return Parts(source=max(between - shared, 0.0), annotator=annotator, residual=residual)


def centred(values: NDArray[np.float64], classes: Sequence[Hashable]) -> NDArray[np.float64]:
    """Values less the mean of their class's source means."""
    means = mean_over_annotators(values)
    result = values.copy()
    for name in dict.fromkeys(classes):
        members = np.array([i for i, c in enumerate(classes) if c == name])
        result[:, members] -= means[members].mean()
    return result


def t_interval(
    value: float, error: float, freedom: int, n_sources: int, level: float = 0.95
) -> Interval:
    """Interval of a mean over sources by Student's t."""
    from scipy.special import stdtrit

    half = float(stdtrit(freedom, 0.5 + level / 2)) * error
    return Interval(
        value=value,
        low=value - half,
        high=value + half,
        n_sources=n_sources,
        level=level,
        method="Student's t over sources within classes",
        degrees_of_freedom=freedom,
    )
