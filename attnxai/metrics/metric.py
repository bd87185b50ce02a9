"""What a metric is, and the decorator that registers one."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import math
import re
import sys
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.registration import check_label, check_option_name
from attnxai.errors import OptionError
from attnxai.metrics.pixels import (
    PixelRows,
    checked_pixels,
    extremes,
    is_constant,
    marks_of,
    n_marked,
    numbers_of,
    rows_of,
    totals,
)
from attnxai.metrics.targets import TargetKind, leave_one_out_centre_bias

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]
    Pairwise = Callable[..., Array]


NO_REASON = "the values are undefined"
"""Reason for an undefined value where no other is known."""


class Consensus(enum.StrEnum):
    """How the densities of several annotators become one prediction, for the noise ceiling."""

    MEAN = "mean"
    EQUAL_SUMS = "equal-sums"
    STANDARDISED = "standardised"
    RANKS = "ranks"


METRICS: dict[str, Metric] = {}
"""All metrics by name, also those that :func:`register_metric` added from elsewhere."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Metric:
    """A measure of agreement between maps and annotations: the larger, the better they agree.

    A quantity that falls with agreement enters with its sign turned, and its name says so.

    Parameters
    ----------
    name : str
        Its name in files and on the command line.
    label : str
        Its name in text and figures.
    meaning : str
        What it measures, for readers of a report; a phrase without a full stop.
    pairwise : callable
        From maps and targets, :class:`PixelRows` of n and of m rows, to the values of all pairs, an ndarray of
        shape (n, m). With ``needs_others`` it takes PixelRows ``others`` of m rows as well. It need not care for
        pairs without a value: :meth:`evaluate` sets these to NaN.
    target : TargetKind
        Whether targets are densities or masks.
    chance : float, optional
        Value without agreement; None where it depends on the target.
    chance_of : callable, optional
        From targets, PixelRows of m rows, to their values without agreement, an ndarray of shape (m,), where
        ``chance`` is None.
    chance_formula : str
        That value in words or as a formula, for k of n pixels marked.
    bounds : (float, float)
        Smallest and largest value that it can have.
    formula : str
        How it is computed, for the documentation: of a map m and a target d with k of n pixels marked.
    unit : str
        Unit of its values, if they have one.
    signed_maps : bool
        Whether maps with negative values are accepted.
    varying_targets : bool
        Whether a target that is constant but not empty is refused.
    needs_others : bool
        Whether the value depends on the leave-one-out centre bias.
    shows_avoidance : bool
        Whether a mean below chance says that marks are avoided. It does not where chance is next to the
        smallest value, as for shares of few pixels: most unrelated maps are below it.
    factors : callable, optional
        From a map and a target, PixelRows of one row each, to two ndarrays of shape (1, n_pixels), the first of
        which moves with the map and the second with the target. The sum over pixels of their product is the
        value, but for a constant. The toroidal shift then takes Fourier transforms instead of an evaluation for
        every shift.
    of_product : callable, optional
        From that sum to the value, where the value is a function of it.
    of_pair : callable, optional
        From one map and its target, ndarrays of shape (n_pixels,), to the value, where that takes less time than
        ``pairwise``; NaN where it is for ``pairwise`` to decide, as for a map that may be constant.
    consensus : Consensus
        How annotators are averaged for the noise ceiling.
    consensus_is_bound : bool
        Whether no map can have a higher mean score with the annotators than this consensus.
    alias_of : str
        Name of the metric with the same values, if this is only a second name for it.

    Examples
    --------
    >>> import attnxai
    >>> attnxai.metrics.auc([[1, 2], [3, 4]], [[False, True], [False, True]])
    0.75
    """

    name: str
    label: str
    meaning: str
    pairwise: Pairwise
    target: TargetKind
    chance: float | None = None
    chance_of: Callable[[PixelRows], Array] | None = None
    chance_formula: str = ""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    formula: str = ""
    unit: str = ""
    signed_maps: bool = True
    varying_targets: bool = False
    needs_others: bool = False
    shows_avoidance: bool = False
    factors: Callable[[PixelRows, PixelRows], tuple[Array, Array]] | None = None
    of_product: Callable[[Array], Array] | None = None
    of_pair: Callable[[Array, Array], float] | None = None
    consensus: Consensus = Consensus.MEAN
    consensus_is_bound: bool = False
    alias_of: str = ""

    def __post_init__(self) -> None:
        if (self.chance is None) == (self.chance_of is None):
            raise OptionError(
                f"metric {self.name} needs its value without agreement: either chance, a number, or chance_of, "
                "a function of the targets"
            )
        if self.chance is None and not self.chance_formula:
            raise OptionError(f"metric {self.name} needs chance_formula: its chance_of in words")
        self._check_bounds()
        # as functools.wraps would have it
        about = {
            "__name__": self.name,
            "__qualname__": self.name,
            "__module__": self.pairwise.__module__,
            "__wrapped__": self.pairwise,
            "__signature__": inspect.signature(self.__call__),
            "__doc__": _documentation(self),
        }
        for attribute, value in about.items():
            object.__setattr__(self, attribute, value)

    def _check_bounds(self) -> None:
        try:
            low, high = map(float, self.bounds)
            chance = low if self.chance is None else float(self.chance)
        except (TypeError, ValueError):
            low = high = chance = math.nan
        if not (low < high and low <= chance <= high):
            raise OptionError(
                f"bounds of metric {self.name} have to be two numbers, the lower one first, with chance from one "
                f"to the other, got bounds {self.bounds!r} and chance {self.chance!r}"
            )

    def __repr__(self) -> str:
        return f"<metric {self.name}>"

    def __reduce__(self) -> str:
        return self.name  # copied and pickled by name, as functions are

    def __call__(
        self,
        map: ArrayLike,
        target: ArrayLike,
        valid: ArrayLike | None = None,
        *,
        others: ArrayLike | None = None,
        **options: Any,
    ) -> float | Array:
        """Value of a map with its annotation, or of each of a stack of maps with its own; NaN where undefined.

        Every metric documents these parameters. One axis will do for a single map,
        and one field of valid pixels for a stack. ``options`` are those of the metric.
        """
        maps, targets = numbers_of("map", map), marks_of("target", target)
        if maps.ndim in (1, 2) and maps.shape == targets.shape and valid is None and others is None:
            # what follows takes as long as some metrics of a small map
            return self._of_pair(maps.ravel(), targets.ravel(), options=options)
        is_stack = maps.ndim == 3
        if self.needs_others and others is None and is_stack and maps.shape == targets.shape:
            others = leave_one_out_centre_bias(self.target, targets[None])[0]
        use = maps if valid is None else numbers_of("valid", valid)
        if is_stack and use.shape == maps.shape[1:]:
            use = np.broadcast_to(use, maps.shape)
        rest = targets if others is None else numbers_of("others", others)
        shapes = (maps.shape, targets.shape, use.shape, rest.shape)
        if maps.ndim not in (1, 2, 3) or len(set(shapes)) != 1:
            raise OptionError(
                f"{self.name} needs map, target, valid and others of one shape, (rows, columns) or (n, rows, "
                f"columns), got {', '.join(str(shape) for shape in shapes)}"
            )
        if not is_stack:
            maps, targets, use, rest = maps[None], targets[None], use[None], rest[None]
        values = np.empty(len(maps))
        for i, (map_row, own) in enumerate(zip(maps, targets, strict=True)):
            arrays = [map_row.ravel(), own.ravel()]
            if others is not None:
                arrays.append(rest[i].ravel())
            if valid is not None:
                pixels = use[i].ravel().nonzero()[0]
                arrays = [array[pixels] for array in arrays]
            values[i] = self._of_pair(*arrays, options=options)
        return values if is_stack else float(values[0])

    def _of_pair(
        self, map: Array, target: Array, other: Array | None = None, *, options: Any
    ) -> float:
        if self.of_pair and not options and map.size:
            with np.errstate(all="ignore"):  # pairwise has a warning where one is due
                value = self.of_pair(map, target)
            if not math.isnan(value):
                return value
        rows, own = checked_pixels("map", map, signed=True), checked_pixels("target", target)
        rest = None if other is None else checked_pixels("others", other)
        return float(self.evaluate(rows, own, rest, **options)[0, 0])

    def evaluate(
        self,
        maps: NDArray[Any] | PixelRows,
        targets: NDArray[Any] | PixelRows,
        others: NDArray[Any] | PixelRows | None = None,
        **options: Any,
    ) -> Array:
        """Values of every map with every target.

        Parameters
        ----------
        maps : ndarray or PixelRows, shape (n, n_pixels)
            Maps. PixelRows keep what is derived of them, such as ranks, for the next metric.
        targets : ndarray or PixelRows, shape (m, n_pixels)
            Densities or masks, as the metric compares with.
        others : ndarray or PixelRows, shape (m, n_pixels), optional
            From :func:`leave_one_out_centre_bias`; not used by metrics that do not need it.
        **options
            Options of the metric.

        Returns
        -------
        ndarray, shape (n, m)
            NaN where undefined.

        Raises
        ------
        OptionError
            If the metric needs ``others`` and has none, or its function returns another shape.
        """
        maps, targets = rows_of(maps), rows_of(targets)
        undefined_maps = is_constant(maps)
        if not self.signed_maps:
            undefined_maps = undefined_maps | (extremes(maps)[0] < 0)
        undefined = ~np.isfinite(np.stack(extremes(targets))).all(axis=0)
        if self.target is TargetKind.MASK:
            undefined |= (n_marked(targets) == 0) | (n_marked(targets) == targets.n_pixels)
        else:
            undefined |= np.isnan(totals(targets))
            if self.varying_targets:
                undefined |= is_constant(targets)
        arguments = [maps, targets]
        if self.needs_others:
            if others is None:
                raise OptionError(
                    f"{self.name} needs others: the leave-one-out centre bias of the targets, which "
                    "attnxai.metrics.leave_one_out_centre_bias gives, and own_tables and agreement_tables pass on"
                )
            arguments.append(rows_of(others))
            undefined = undefined | np.isnan(totals(arguments[2]))
        shape = len(maps), len(targets)
        if maps.n_pixels == 0:
            return np.full(shape, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.array(self.pairwise(*arguments, **options), np.float64)
        if values.shape != shape:
            raise OptionError(
                f"the function of metric {self.name} returned an array of shape {values.shape} for "
                f"{shape[0]} maps and {shape[1]} targets; it should be {shape}"
            )
        values[undefined_maps] = np.nan
        values[:, undefined] = np.nan
        return values

    def reason_undefined(
        self,
        map: NDArray[np.floating],
        target: NDArray[Any],
        others: NDArray[np.float64] | None = None,
    ) -> str:
        """Why there is no value for a map and a target, all over valid pixels only, shape (n_pixels,)."""
        if map.size == 0:
            return "no valid pixels"
        if not np.isfinite(map).all():
            return "the map has values that are not finite"
        if not target.any():
            return "the annotation lies outside the pixels that the network sees"
        if self.target is TargetKind.MASK and target.all():
            return "the annotation covers every pixel"
        if is_constant(PixelRows(map[None]))[0]:
            return "the map is constant"
        if not self.signed_maps and map.min() < 0:
            return "the map has negative values, which this metric does not accept"
        if self.needs_others and (others is None or not others.any()):
            return "no other source is annotated"
        if self.varying_targets and is_constant(PixelRows(target[None]))[0]:
            return "the annotation is constant"
        return NO_REASON


def register_metric(*, name: str = "", **facts: Any) -> Callable[[Pairwise], Metric]:
    """Register a function as a metric, so that comparisons and the command line know it.

    Parameters
    ----------
    name : str
        Name of the metric; that of the function if not given.
    **facts
        The fields of :class:`Metric`, of which ``label``, ``meaning``, ``target`` and one of ``chance`` and
        ``chance_of`` are needed.

    Returns
    -------
    callable
        A decorator for the function ``pairwise`` of :class:`Metric`. Its docstring becomes that of the metric,
        with the parameters and the returned value filled in.

    Raises
    ------
    OptionError
        If a fact is missing or unknown, the function has no docstring, the name cannot be given on the command
        line or is taken by another module, the label is that of another metric, or values depend on the order
        of pixels.

    Examples
    --------
    >>> @register_metric(label="Mean on marks", meaning="mean of the map on marked pixels", target="mask",
    ...                  chance_of=lambda targets: np.zeros(len(targets)), chance_formula="0")
    ... def mean_on_marks(maps, targets):
    ...     '''Mean of the map on marked pixels.'''
    ...     return maps.values @ targets.values.T / targets.values.sum(axis=1)
    >>> mean_on_marks([[1, 2], [3, 4]], [[0, 1], [0, 1]])
    3.0
    >>> METRICS.pop("mean_on_marks")
    <metric mean_on_marks>
    """
    unknown = set(facts) - {field.name for field in dataclasses.fields(Metric)}
    missing = {"label", "meaning", "target"} - set(facts)
    if unknown or missing:
        raise OptionError(
            "a metric is registered with the fields of attnxai.metrics.Metric; unknown: "
            f"{', '.join(sorted(unknown)) or 'none'}; missing: {', '.join(sorted(missing)) or 'none'}"
        )
    if facts["target"] not in list(TargetKind):
        raise OptionError(
            f"target of a metric has to be one of {', '.join(TargetKind)}, got {facts['target']!r}"
        )
    facts["target"] = TargetKind(facts["target"])

    def decorate(pairwise: Pairwise) -> Metric:
        documented = inspect.getdoc(pairwise) or sys.flags.optimize > 1  # python -OO leaves none
        if not (inspect.isroutine(pairwise) and documented):
            raise OptionError(
                "register_metric takes a function with a docstring, which becomes that of the metric, got "
                f"{pairwise!r}"
            )
        metric = Metric(name=name or pairwise.__name__, pairwise=pairwise, **facts)
        check_option_name("metric", metric.name, metric.__module__, METRICS)
        check_label("metric", metric.name, METRICS, metric.label)
        if not metric.__module__.startswith("attnxai."):  # whose tests check it
            _check_order(metric)
        METRICS[metric.name] = metric
        return metric

    return decorate


def _check_order(metric: Metric) -> None:
    """Refuse a metric that gives other values for the same pixels in another order, as ties broken by it do."""
    pixels = np.arange(120)
    map, marks, others = pixels % 4 + 1.0, (pixels % 3 == 0) * (pixels % 2 + 1.0), pixels % 5 + 1.0
    if metric.target is TargetKind.MASK:
        marks = marks > 0
    rows = [map[None], marks[None], *([others[None]] if metric.needs_others else [])]
    value = metric.evaluate(*rows)[0, 0]
    for order in (pixels[::-1], np.roll(pixels, 7), (pixels * 7) % 120):
        moved = metric.evaluate(*(row[:, order] for row in rows))[0, 0]
        if not np.isclose(moved, value, rtol=1e-6, atol=1e-9, equal_nan=True):
            raise OptionError(
                f"metric {metric.name} depends on the order of pixels: {value:g} becomes {moved:g}; treat "
                "pixels of equal value alike, by shared ranks or their mean, and use no positions, which pixels come without"
            )


_SECTIONS = """{head}

Parameters
----------
map : array_like, shape (rows, columns) or (n, rows, columns)
    One map, or a stack.
target : array_like{of}, same shape
    {target}
valid : array_like of bool, optional
    Pixels that count; all if not given.
{others}
Returns
-------
float or ndarray, shape (n,)
{returned}"""
_OTHERS = """others : array_like, same shape, optional
    Leave-one-out centre bias; of a stack, that of its targets if not given.
"""


def _documentation(metric: Metric) -> str:
    """The docstring of a metric's function, with the sections that follow from its facts filled in."""
    text = inspect.getdoc(metric.pairwise) or metric.meaning
    head, *rest = re.split(r"\n\n(?=[A-Z][\w ]+\n-{3,}\n)", text, maxsplit=1)
    if metric.alias_of:
        head = f"A second name of :obj:`~attnxai.metrics.{metric.alias_of}`."
        rest = [section.replace(f">>> {metric.alias_of}", f">>> {metric.name}") for section in rest]
    is_mask = metric.target is TargetKind.MASK
    low, high = metric.bounds
    span = f"From {low:g} to {high:g}" if metric.bounds != (-math.inf, math.inf) else "Any number"
    chance = f"{metric.chance_formula or f'{metric.chance:g}'} without agreement"
    undefined = ["the map is constant"]
    undefined += [] if metric.signed_maps else ["the map is negative somewhere"]
    undefined += ["the mask is empty or full"] if is_mask else ["the density is empty"]
    undefined += ["the density is constant"] if metric.varying_targets else []
    undefined += ["no other source is marked"] if metric.needs_others else []
    returned = f"{span}{f', in {metric.unit}' if metric.unit else ''}; {chance}. NaN where "
    returned += f"{', '.join(undefined[:-1])}, or {undefined[-1]}."
    sections = _SECTIONS.format(
        head=head,
        of=" of bool" if is_mask else "",
        target="Marked pixels."
        if is_mask
        else "How strongly each pixel is marked; nowhere negative.",
        others=_OTHERS if metric.needs_others else "",
        returned=textwrap.fill(returned, 100, initial_indent="    ", subsequent_indent="    "),
    )
    return "\n\n".join([sections, *rest])
