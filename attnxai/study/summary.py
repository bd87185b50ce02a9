"""From runs to a table: means, differences from the baseline, and trends over the order of the group."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.model_comparison.trend import TrendTest, page_trend, permutation_slope
from attnxai.agreement.multiplicity import holm
from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError
from attnxai.models.specification import SymmetryGroup
from attnxai.statistics.interval import Interval
from attnxai.study.convergence import (
    common_horizon,
    default_reference,
    restricted_mean,
    time_to_reference,
)
from attnxai.study.measurement import StudyRun, common_sources
from attnxai.study.quantities import AGREEMENT_LABELS, EPOCHS, Quantity, quantities
from attnxai.study.statistics import Difference, paired_differences, seed_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.study.convergence import TimeToReference

    Values = Mapping[str, Mapping[str, NDArray[np.float64]]]

SERIES = ("cyclic", "dihedral")
N_DRAWS = 20_000
"""Permutations of a trend; all of them where there are no more."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupSummary:
    """All seeds of one group.

    Parameters
    ----------
    group : str
        Its name.
    n_runs : int
        Seeds.
    n_reached : int
        Runs that reached the reference loss.
    means : mapping of str to Interval
        By the name of the quantity.
    differences : mapping of str to Difference
        Group minus baseline, paired by seed; empty for the baseline.
    """

    group: str
    n_runs: int
    n_reached: int
    means: Mapping[str, Interval]
    differences: Mapping[str, Difference]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTrend:
    """One quantity over the order of the group, within cyclic or within dihedral groups.

    Parameters
    ----------
    series : str
        ``cyclic`` or ``dihedral``.
    quantity : str
        Name of the quantity.
    groups : tuple of str
        In their order.
    slope : Interval
        Change per doubling of the order: mean over seeds of straight lines.
    slope_test : TrendTest or None
        Permutation test of this slope; None with fewer than three groups.
    page : TrendTest or None
        Page's test, which conclusions rest on.
    p_adjusted : float
        Its p-value, adjusted by Holm's method over the series; NaN where there is none.
    """

    series: str
    quantity: str
    groups: tuple[str, ...]
    slope: Interval
    slope_test: TrendTest | None
    page: TrendTest | None
    p_adjusted: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudySummary:
    """Everything that a study says in numbers.

    Parameters
    ----------
    baseline : str
        Group that others are compared with.
    seeds : tuple of int
        In the order of the arrays of ``values``.
    class_names : tuple of str
        Classes of the models.
    quantities : tuple of Quantity
        Columns, in order.
    groups : tuple of GroupSummary
        Rows: cyclic groups by order, then dihedral ones.
    trends : tuple of SeriesTrend
        One for every quantity and series with groups enough.
    values : mapping of str to mapping of str to ndarray, shape (n_seeds,)
        Value of every run by quantity and group; times restricted to the horizon.
    times : mapping of (str, int) to TimeToReference
        By group and seed; empty without a reference loss.
    reference : float
        The reference loss; NaN where the baseline does no better than guessing.
    reference_given : bool
        Whether it was given rather than derived from the baseline.
    horizon : int
        Last epoch up to which it is known of every run whether it has reached the reference loss.
    sources : mapping of str to tuple of str
        For each metric of agreement, the sources over which all runs are averaged.
    left_out : mapping of str to int
        How many annotated sources were left out, by reason.
    n_images : tuple of int
        Smallest and largest number of images that runs were measured on.
    """

    baseline: str
    seeds: tuple[int, ...]
    class_names: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    groups: tuple[GroupSummary, ...]
    trends: tuple[SeriesTrend, ...]
    values: Values
    times: Mapping[tuple[str, int], TimeToReference]
    reference: float
    reference_given: bool
    horizon: int
    sources: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, int]
    n_images: tuple[int, int]

    __repr__ = short_repr

    def group(self, name: str) -> GroupSummary:
        """One row by its name."""
        return next(summary for summary in self.groups if summary.group == name)

    def quantity(self, name: str) -> Quantity | None:
        """One column by its name, or None where it was not measured."""
        return next((q for q in self.quantities if q.name == name), None)

    def trends_of(self, quantity: str) -> tuple[SeriesTrend, ...]:
        """Trends of one quantity."""
        return tuple(trend for trend in self.trends if trend.quantity == quantity)


def group_key(name: str) -> tuple[bool, int]:
    """Place of a group in tables: cyclic groups by order, then dihedral ones.

    Examples
    --------
    >>> sorted(["D4", "C16", "C8", "C1"], key=group_key)
    ['C1', 'C8', 'C16', 'D4']
    """
    group = SymmetryGroup.from_name(name)
    return group.reflections, group.order


def summarise(
    runs: Sequence[StudyRun],
    *,
    class_names: Sequence[str],
    baseline: str = "C1",
    reference_loss: float | None = None,
    rng: np.random.Generator | int = 0,
) -> StudySummary:
    """Summarise the runs of a study.

    Parameters
    ----------
    runs : sequence of StudyRun
        One for every group and seed, in any order.
    class_names : sequence of str
        Classes of the models.
    baseline : str
        Group that others are compared with.
    reference_loss : float, optional
        Derived from the baseline when left out; see :mod:`attnxai.study.convergence`.
    rng : numpy.random.Generator or int
        Source of randomness of permutations, where they are sampled.

    Returns
    -------
    StudySummary

    Raises
    ------
    OptionError
        If a group lacks a seed, or the baseline is missing.
    """
    table = {(run.group, run.seed): run for run in runs}
    groups = sorted({run.group for run in runs}, key=group_key)
    seeds = tuple(sorted({run.seed for run in runs}))
    missing = [f"{g} with seed {s}" for g in groups for s in seeds if (g, s) not in table]
    if missing or len(table) != len(runs):
        raise OptionError(
            "every group needs one run of every seed; "
            + (f"missing is {', '.join(missing)}" if missing else "some are given twice")
        )
    if baseline not in groups:
        raise OptionError(f"the baseline {baseline} is not among the groups {', '.join(groups)}")
    reference = reference_loss
    if reference is None:
        lowest = [min(r.validation_loss for r in table[baseline, s].history) for s in seeds]
        reference = default_reference(lowest, len(class_names))
    times = {}
    if math.isfinite(reference):
        times = {key: time_to_reference(run.history, reference) for key, run in table.items()}
    horizon = common_horizon(list(times.values())) if times else 0
    measurements = [run.measurement for run in runs]
    sources = {name: tuple(common_sources(measurements, name)) for name in AGREEMENT_LABELS}
    measured = dict.fromkeys(name for run in measurements for name in run.agreement)
    map_names = [name.removeprefix("nss:") for name in measured if name.startswith("nss:")]
    columns = quantities(class_names, map_names if any(sources.values()) else ())
    per_run = {
        key: _values_of(run, columns, times.get(key), horizon, sources)
        for key, run in table.items()
    }
    values = {
        column.name: {g: np.array([per_run[g, s][column.name] for s in seeds]) for g in groups}
        for column in columns
    }
    differences = {name: paired_differences(rows, baseline) for name, rows in values.items()}
    return StudySummary(
        baseline=baseline,
        seeds=seeds,
        class_names=tuple(class_names),
        quantities=columns,
        groups=tuple(
            GroupSummary(
                group=name,
                n_runs=len(seeds),
                n_reached=sum(times[name, s].reached for s in seeds) if times else 0,
                means={
                    column.name: _mean(column, name, values, times, seeds, horizon)
                    for column in columns
                },
                differences={c.name: differences[c.name][name] for c in columns}
                if name != baseline
                else {},
            )
            for name in groups
        ),
        trends=_trends(columns, groups, values, np.random.default_rng(rng)),
        values=values,
        times=times,
        reference=float(reference),
        reference_given=reference_loss is not None,
        horizon=horizon,
        sources=sources,
        left_out=dict(measurements[0].left_out),
        n_images=(min(m.n_images for m in measurements), max(m.n_images for m in measurements)),
    )


def _values_of(
    run: StudyRun,
    columns: Sequence[Quantity],
    time: TimeToReference | None,
    horizon: int,
    sources: Mapping[str, Sequence[str]],
) -> dict[str, float]:
    values = dict.fromkeys((column.name for column in columns), math.nan)
    values |= {k: v for k, v in run.measurement.values.items() if k in values}
    values["validation_loss"] = min(result.validation_loss for result in run.history)
    values["seconds"] = run.history[-1].seconds
    if time is not None:
        epochs = min(time.epochs, horizon)
        end = run.history[epochs - 1]
        restricted = dataclasses.replace(
            time, epochs=epochs, images_seen=end.images_seen, steps=end.steps
        )
        for name in ("epochs", "published_epochs", "images_seen", "steps"):
            values[name] = float(getattr(restricted, name))
    for metric, kept in sources.items():
        position = {source: i for i, source in enumerate(run.measurement.sources)}
        for name, per_source in run.measurement.agreement.items():
            if kept and name in values and name.startswith(f"{metric}:"):
                values[name] = float(np.mean([per_source[position[source]] for source in kept]))
    return values


def _mean(
    column: Quantity,
    group: str,
    values: Values,
    times: Mapping[tuple[str, int], TimeToReference],
    seeds: Sequence[int],
    horizon: int,
) -> Interval:
    mean = seed_mean(values[column.name][group])
    # a cut leaves out nothing that could be the true mean; NaN stays NaN
    low, high = np.clip([mean.low, mean.high], column.lowest, column.highest)
    mean = dataclasses.replace(mean, low=float(low), high=float(high))
    if column is EPOCHS and times:
        own = [times[group, seed] for seed in seeds]
        value = restricted_mean([t.epochs for t in own], [t.reached for t in own], horizon)
        mean = dataclasses.replace(mean, value=value)
    return mean


def _trends(
    columns: Sequence[Quantity],
    groups: Sequence[str],
    values: Values,
    rng: np.random.Generator,
) -> tuple[SeriesTrend, ...]:
    members = {
        series: [name for name in groups if group_key(name)[0] == (series == "dihedral")]
        for series in SERIES
    }
    trends = []
    for column in columns:
        found = []
        # one stream a series, so that neither depends on the other
        for (series, names), stream in zip(members.items(), rng.spawn(len(members)), strict=True):
            if len(names) < 2:
                continue
            rows = np.stack([values[column.name][name] for name in names], axis=1)
            doublings = np.log2([group_key(name)[1] for name in names])
            centred = doublings - doublings.mean()
            found.append(
                SeriesTrend(
                    series=series,
                    quantity=column.name,
                    groups=tuple(names),
                    slope=seed_mean(rows @ centred / (centred**2).sum()),
                    slope_test=permutation_slope(rows, doublings, n_draws=N_DRAWS, rng=stream),
                    page=page_trend(rows, n_draws=N_DRAWS, rng=stream),
                    p_adjusted=math.nan,
                )
            )
        tested = [trend for trend in found if trend.page is not None]
        adjusted = holm([trend.page.p_value for trend in tested if trend.page is not None])
        by_series = dict(zip((trend.series for trend in tested), adjusted, strict=True))
        trends += [
            dataclasses.replace(trend, p_adjusted=float(by_series.get(trend.series, math.nan)))
            for trend in found
        ]
    return tuple(trends)
