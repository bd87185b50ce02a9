"""Effect and variance components of a comparison: what a plan of a larger one is made of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.crossed import components_half_width
from attnxai.agreement.intervals.variance_components import VarianceComponents, estimate_components
from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import mean_over_annotators
from attnxai.statistics.exact import t_half_width, t_interval
from attnxai.statistics.interval import CONFIDENCE_LEVEL, MIN_UNITS, Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_ANNOTATOR, _SOURCE = frozenset({0}), frozenset({1})
_CELL = _ANNOTATOR | _SOURCE
STRATA = "sources within classes"
"""Over what the interval of an effect is, in words."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Components:
    """What a future comparison is expected to show, in the metric's units.

    Parameters
    ----------
    effect : float
        Mean value with a source's own annotations less the mean with permuted ones.
    sd_source : float
        Standard deviation of that difference between sources of a class.
    sd_residual : float
        Standard deviation of a source's value between annotators, beyond what annotators differ in throughout.
    sd_annotator : float
        Standard deviation between annotators of their mean over all sources.
    sd_pairing : float, optional
        Standard deviation of permuted pairs, beyond the means of their map and of their annotation over all partners and
        without the part of annotators; ``sd_source`` when left out.
    sd_value : float, optional
        Standard deviation of values between sources, classes together, which decides the width of intervals;
        ``sd_source`` when left out.
    deviations : ndarray, shape (n,), optional
        Values to draw sources from with replacement, scaled to mean 0 and the spread asked for; sources are
        normal when left out.

    Examples
    --------
    >>> import attnxai
    >>> found = attnxai.agreement.Components(effect=0.4, sd_source=1.0, sd_annotator=0.2)
    >>> found.effect, found.sd_residual
    (0.4, 0.0)
    """

    effect: float
    sd_source: float
    sd_residual: float = 0.0
    sd_annotator: float = 0.0
    sd_pairing: float | None = None
    sd_value: float | None = None
    deviations: NDArray[np.float64] | None = None

    __repr__ = short_repr

    def __post_init__(self) -> None:
        for name in ("sd_source", "sd_residual", "sd_annotator", "sd_pairing", "sd_value"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise OptionError(f"{name} has to be a number that is not negative, got {value}")
        if not math.isfinite(self.effect):
            raise OptionError(f"effect has to be a finite number, got {self.effect}")
        if self.deviations is not None and not np.ptp(self.deviations) > 0:
            raise OptionError(
                "deviations are all the same: without any spread there is nothing to draw"
            )
        if self.spread_permuted(1) == 0:
            raise OptionError(
                "sd_source and sd_residual are both 0: without any spread there is nothing to plan"
            )

    def spread_own(self, n_annotators: int) -> float:
        """Spread between sources of a class, averaged over annotators."""
        return math.sqrt(self.sd_source**2 + self.sd_residual**2 / n_annotators)

    def spread_permuted(self, n_annotators: int) -> float:
        """Spread of permuted pairs, averaged over annotators."""
        pairing = self.sd_source if self.sd_pairing is None else self.sd_pairing
        return math.sqrt(pairing**2 + self.sd_residual**2 / n_annotators)

    def half_widths(
        self, n_sources: int, n_annotators: int, *, level: float = CONFIDENCE_LEVEL
    ) -> tuple[float, float]:
        """Expected half-widths of an interval: about these annotators, and about others as well.

        The second takes sources and annotators as crossed factors, as
        :func:`~attnxai.agreement.intervals.crossed.crossed_interval` does; NaN for a single annotator, who
        says nothing about others. Both are NaN where sources are too few for an interval.
        """
        n, k = n_sources, n_annotators
        if n < MIN_UNITS:
            return math.nan, math.nan
        source = (self.sd_source if self.sd_value is None else self.sd_value) ** 2
        of_sources = (source + self.sd_residual**2 / k) / n
        these = t_half_width(math.sqrt(of_sources), n - 1, level=level)
        if k < 2:
            return these, math.nan
        variances = {_ANNOTATOR: self.sd_annotator**2, _SOURCE: source, _CELL: self.sd_residual**2}
        levels = {_ANNOTATOR: k, _SOURCE: n, _CELL: n * k}
        freedom = {_ANNOTATOR: k - 1.0, _SOURCE: n - 1.0, _CELL: (n - 1.0) * (k - 1.0)}
        parts = VarianceComponents(
            variances=variances,
            contributions={part: v / levels[part] for part, v in variances.items()},
            degrees_of_freedom=freedom,
        )
        return these, max(these, components_half_width(parts, level)[0])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectParts:
    """What :class:`Components` are made of, from values of all pairs of some sources; others can be added.

    ``values`` and ``beyond`` (n_annotators, n_sources) are the values of what belongs together, and what they are beyond
    those that map and annotation have with other partners of their class. ``squares`` are those of permuted pairs less the
    effects of their map and annotation, with their degrees of freedom.
    """

    classes: tuple[Hashable, ...]
    values: NDArray[np.float64]
    beyond: NDArray[np.float64]
    squares: float
    freedom: int

    @classmethod
    def of(cls, tables: ArrayLike, classes: Sequence[Hashable]) -> EffectParts:
        """Parts of tables as :func:`components_of_tables` takes them."""
        values = np.asarray(tables, dtype=np.float64)
        n_annotators, n = values.shape[0], len(classes)
        if values.shape != (n_annotators, n, n) or not np.isfinite(values).all():
            raise OptionError(
                f"tables need finite values of all {n} by {n} pairs, got {values.shape}"
            )
        own = np.empty(
            (n_annotators, n)
        )  # beyond what map and annotation score with other partners
        squares, freedom = 0.0, 0
        for name, members in _members(classes).items():
            m = len(members)
            if m < 3:
                raise OptionError(
                    f"class {name} has {m} sources; permuting them needs three or more"
                )
            own[:, members], residual = _beyond_partners(values[:, members[:, None], members])
            squares += float((residual.mean(axis=0) ** 2).sum())
            freedom += m * (m - 1) - (2 * m - 1)  # rows and columns have 2 m - 1 means
        return cls(
            classes=tuple(classes),
            values=np.diagonal(values, axis1=1, axis2=2).copy(),
            beyond=own,
            squares=squares,
            freedom=freedom,
        )

    def __add__(self, other: EffectParts) -> EffectParts:
        return EffectParts(
            classes=(*self.classes, *other.classes),
            values=np.hstack([self.values, other.values]),
            beyond=np.hstack([self.beyond, other.beyond]),
            squares=self.squares + other.squares,
            freedom=self.freedom + other.freedom,
        )

    def components(self) -> tuple[Components, Interval]:
        """The components, and the effect with its t interval over sources."""
        own, classes, n_annotators = self.beyond, self.classes, len(self.beyond)
        names, n = _members(classes), len(classes)
        effect = 0.0
        for members in names.values():
            effect += len(members) / n * float(own[:, members].mean())
        permuted = self.squares / self.freedom
        parts = parts_of(centred(own, classes), n_lost=len(names))
        value_parts = parts_of(self.values, n_lost=1)
        shared = min(parts.residual / n_annotators, permuted / 2)
        components = Components(
            effect=effect,
            sd_source=math.sqrt(parts.source),
            sd_residual=math.sqrt(shared * n_annotators),
            sd_annotator=math.sqrt(value_parts.annotator),
            sd_pairing=math.sqrt(permuted - shared),
            sd_value=math.sqrt(value_parts.source),
            deviations=centred(own, classes).mean(axis=0),
        )
        spread = components.spread_own(n_annotators)
        return components, t_interval(effect, spread / math.sqrt(n), n - len(names), n, over=STRATA)


def components_of_tables(
    tables: ArrayLike, classes: Sequence[Hashable]
) -> tuple[Components, Interval]:
    """Components, and the effect with its t interval over sources, from values of all pairs of sources.

    Tables (n_annotators, n_sources, n_sources) hold the value of the map of each source (rows) with each
    annotator's annotation of each source (columns), without gaps; each class has three sources or more.
    """
    return EffectParts.of(tables, classes).components()


def _members(classes: Sequence[Hashable]) -> dict[Hashable, NDArray[np.intp]]:
    """Positions of the sources of every class."""
    found: dict[Hashable, list[int]] = {}
    for i, name in enumerate(classes):
        found.setdefault(name, []).append(i)
    return {name: np.array(members) for name, members in found.items()}


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
    annotators and sources cannot be separated, all is attributed to the sources.
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
    for members in _members(classes).values():
        result[:, members] -= means[members].mean()
    return result
