"""One long table of all runs, and from it means, differences from the baseline and trends.

The table has a row for every group, seed and quantity. Everything that a study says is computed from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.model_comparison.trend import TrendTest, page_trend, permutation_slope
from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError
from attnxai.models.specification import SymmetryGroup
from attnxai.statistics.interval import Interval
from attnxai.study.convergence import (
    PASSES_A_PUBLISHED_EPOCH,
    common_horizon,
    default_reference,
    time_to_reference,
)
from attnxai.study.measurement import StudyRun, common_sources, of_too_few_sources
from attnxai.study.quantities import Quantity, quantities
from attnxai.study.statistics import holm_where_tested, paired_p, seed_mean

if TYPE_CHECKING:
    import pandas as pd

    from attnxai.study.convergence import TimeToReference

SERIES = ("cyclic", "dihedral")
N_DRAWS = 20_000
"""Permutations of a trend; all of them where there are no more."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTrend:
    """One quantity over the order of the group, within cyclic or within dihedral groups.

    ``slope`` is the change per doubling of the order: the mean over seeds of straight lines, tested by the
    permutations of ``slope_test``. Conclusions rest on Page's test, ``page``, whose p-value is adjusted by
    Holm's method over the series. With fewer than three groups there are no tests.
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
    """The numbers of a study.

    Parameters
    ----------
    baseline : str
        Group that others are compared with.
    groups : tuple of str
        Cyclic groups by order, then dihedral ones.
    seeds : tuple of int
        In ascending order.
    quantities : tuple of Quantity
        In the order of the tables.
    runs : DataFrame
        The long table: ``group``, ``seed``, ``quantity``, ``value``, with times restricted to the horizon;
        NaN where there is no value.
    comparisons : DataFrame
        As :func:`compare_groups` gives it.
    trends : tuple of SeriesTrend
        One for every quantity and series with at least two groups.
    times : mapping of (str, int) to TimeToReference
        By group and seed; empty without a reference loss.
    reference : float
        The reference loss; NaN where the baseline does no better than guessing.
    reference_given : bool
        Whether it was given rather than derived from the baseline.
    horizon : int
        Last epoch up to which it is known of every run whether it has reached the reference loss.
    sources : mapping of str to tuple of str
        For each quantity of agreement, such as ``nss:mean``, the sources over which all runs are averaged.
    left_out : mapping of str to int
        How many annotated sources were left out, by reason.

    Examples
    --------
    >>> import attnxai
    >>> runs = [
    ...     attnxai.study.StudyRun.from_losses(
    ...         group, seed, [0.7, 0.5, 0.3], {"accuracy": 0.8 + 0.01 * seed}, n_train=800, n_images=198
    ...     )
    ...     for group in ("C1", "C4", "D4")
    ...     for seed in (0, 1, 2)
    ... ]
    >>> summary = attnxai.study.summarise(runs, class_names=("FR I", "FR II"))
    >>> round(summary.mean("C4", "accuracy").value, 2), round(summary.reference, 3)
    (0.81, 0.398)
    """

    baseline: str
    groups: tuple[str, ...]
    seeds: tuple[int, ...]
    quantities: tuple[Quantity, ...]
    runs: pd.DataFrame
    comparisons: pd.DataFrame
    trends: tuple[SeriesTrend, ...]
    times: Mapping[tuple[str, int], TimeToReference]
    reference: float
    reference_given: bool
    horizon: int
    sources: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, int]

    __repr__ = short_repr

    def quantity(self, name: str) -> Quantity | None:
        """One quantity by its name, or None where it was not measured."""
        return next((q for q in self.quantities if q.name == name), None)

    def values(self, quantity: str) -> pd.DataFrame:
        """Values of one quantity: a row for every seed, a column for every group."""
        return _by_seed(self.runs, quantity)

    def mean(self, group: str, quantity: str) -> Interval:
        """Mean of a group over seeds."""
        return self._interval(group, quantity, "")

    def difference(self, group: str, quantity: str) -> Interval:
        """Mean difference of a group from the baseline, paired by seed; NaN for the baseline."""
        return self._interval(group, quantity, "difference_")

    def _interval(self, group: str, quantity: str, prefix: str) -> Interval:
        row: Any = self.comparisons.loc[(group, quantity)]
        return Interval(
            value=float(row[prefix.removesuffix("_") or "value"]),
            low=float(row[f"{prefix}low"]),
            high=float(row[f"{prefix}high"]),
            n_units=int(row[f"{prefix}n"]),
            unit="seed",
            method="Student's t over seeds",
        )

    def p_adjusted(self, group: str, quantity: str) -> float:
        """P-value of the difference, adjusted over the groups; NaN where it was not tested."""
        return float(self.comparisons["p_adjusted"][group, quantity])

    def n_reached(self, group: str) -> int:
        """Runs of a group that reached the reference loss."""
        return sum(time.reached for (name, _), time in self.times.items() if name == group)

    def trends_of(self, quantity: str) -> tuple[SeriesTrend, ...]:
        """Trends of one quantity."""
        return tuple(trend for trend in self.trends if trend.quantity == quantity)


def group_key(name: str) -> tuple[bool, int]:
    """Sort key of a group in tables: cyclic groups by order, then dihedral ones."""
    group = SymmetryGroup.from_name(name)
    return group.reflections, group.order


def groups_by_series(groups: Sequence[str]) -> dict[str, list[str]]:
    """Groups of each series that has any, by their order."""
    found: dict[str, list[str]] = {}
    for name in sorted(groups, key=group_key):
        found.setdefault(SERIES[group_key(name)[0]], []).append(name)
    return found


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

    Examples
    --------
    >>> import attnxai
    >>> runs = [
    ...     attnxai.study.StudyRun.from_losses(
    ...         group, seed, [0.7, 0.5, 0.3], {"accuracy": 0.8 + 0.01 * seed}, n_train=800, n_images=198
    ...     )
    ...     for group in ("C1", "C4", "D4")
    ...     for seed in (0, 1, 2)
    ... ]
    >>> summary = attnxai.study.summarise(runs, class_names=("FR I", "FR II"))
    >>> summary.groups, summary.n_reached("C4")
    (('C1', 'C4', 'D4'), 3)
    """
    by_key = {(run.group, run.seed): run for run in runs}
    groups = tuple(sorted({run.group for run in runs}, key=group_key))
    seeds = tuple(sorted({run.seed for run in runs}))
    missing = [f"{g} with seed {s}" for g in groups for s in seeds if (g, s) not in by_key]
    if missing or len(by_key) != len(runs):
        raise OptionError(
            "every group needs one run of every seed; "
            + (f"missing is {', '.join(missing)}" if missing else "some are given twice")
        )
    if baseline not in groups:
        raise OptionError(f"the baseline {baseline} is not among the groups {', '.join(groups)}")
    reference = reference_loss
    if reference is None:
        lowest = [min(r.validation_loss for r in by_key[baseline, s].history) for s in seeds]
        reference = default_reference(lowest, len(class_names))
    times = {}
    if math.isfinite(reference):
        times = {key: time_to_reference(run.history, reference) for key, run in by_key.items()}
    horizon = common_horizon(list(times.values())) if times else 0
    measurements = [run.measurement for run in runs]
    measured = dict.fromkeys(name for run in measurements for name in run.agreement)
    sources = {name: common_sources(measurements, name) for name in measured}
    columns = quantities(class_names, measured if any(sources.values()) else ())
    ordered = [by_key[group, seed] for group in groups for seed in seeds]
    table = long_table(ordered, columns, times, horizon, sources)
    return StudySummary(
        baseline=baseline,
        groups=groups,
        seeds=seeds,
        quantities=columns,
        runs=table,
        comparisons=compare_groups(table, columns, baseline),
        trends=trends_over_order(table, columns, np.random.default_rng(rng)),
        times=times,
        reference=float(reference),
        reference_given=reference_loss is not None,
        horizon=horizon,
        sources=sources,
        left_out=dict(measurements[0].left_out),
    )


def long_table(
    runs: Sequence[StudyRun],
    columns: Sequence[Quantity],
    times: Mapping[tuple[str, int], TimeToReference],
    horizon: int,
    sources: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """A row for every run and quantity: ``group``, ``seed``, ``quantity``, ``value``."""
    import pandas as pd

    rows = []
    too_few = of_too_few_sources(sources)
    for run in runs:
        values = dict(run.measurement.values)
        values["validation_loss"] = min(result.validation_loss for result in run.history)
        values["seconds"] = run.history[-1].seconds
        if times:
            epochs = min(times[run.group, run.seed].epochs, horizon)
            end = run.history[epochs - 1]
            values |= {
                "epochs": epochs,
                "published_epochs": epochs / PASSES_A_PUBLISHED_EPOCH,
                "images_seen": end.images_seen,
                "steps": end.steps,
            }
        place = {source: index for index, source in enumerate(run.measurement.sources)}
        for name, per_source in run.measurement.agreement.items():
            own = [per_source[place[source]] for source in sources[name]]
            values[name] = float(np.mean(own)) if own and name not in too_few else math.nan
        rows += [
            (run.group, run.seed, column.name, float(values.get(column.name, math.nan)))
            for column in columns
        ]
    return pd.DataFrame(rows, columns=["group", "seed", "quantity", "value"])


def compare_groups(table: pd.DataFrame, columns: Sequence[Quantity], baseline: str) -> pd.DataFrame:
    """Means over seeds of every group, and their differences from the baseline.

    Indexed by ``group`` and ``quantity``. ``value``, ``low``, ``high``: the mean and its interval, cut at
    what the quantity can reach; ``n``: seeds with a value; ``difference``, ``difference_low``,
    ``difference_high``, ``difference_n``: mean difference from the baseline, paired by seed; ``p``: of the
    paired t-test; ``p_adjusted``: adjusted by Holm's method over the groups.
    """
    import pandas as pd

    rows = []
    for column in columns:
        values = _by_seed(table, column.name)
        own: list[dict[str, Any]] = []
        for group in _groups(table):
            mean = seed_mean(values[group])
            change = (
                values[group] - values[baseline] if group != baseline else values[group] * math.nan
            )
            difference = seed_mean(change)
            own.append(
                {
                    "group": group,
                    "quantity": column.name,
                    "value": mean.value,
                    # nothing that could be the true mean is cut off; NaN stays NaN
                    "low": float(np.clip(mean.low, column.lowest, column.highest)),
                    "high": float(np.clip(mean.high, column.lowest, column.highest)),
                    "n": mean.n_units,
                    "difference": difference.value,
                    "difference_low": difference.low,
                    "difference_high": difference.high,
                    "difference_n": difference.n_units,
                    "p": paired_p(change),
                }
            )
        adjusted = holm_where_tested([row["p"] for row in own])
        rows += [row | {"p_adjusted": p} for row, p in zip(own, adjusted.tolist(), strict=True)]
    return pd.DataFrame(rows).set_index(["group", "quantity"])


def trends_over_order(
    table: pd.DataFrame, columns: Sequence[Quantity], rng: np.random.Generator
) -> tuple[SeriesTrend, ...]:
    """Trends of every quantity within the cyclic and within the dihedral groups."""
    trends = []
    for column in columns:
        values = _by_seed(table, column.name)
        series = groups_by_series(_groups(table))
        found = []
        # one stream a series, so that neither depends on the other
        for name, stream in zip(SERIES, rng.spawn(len(SERIES)), strict=True):
            groups = series.get(name, [])
            if len(groups) < 2:
                continue
            rows = values[groups].to_numpy()
            doublings = np.log2([group_key(group)[1] for group in groups])
            centred = doublings - doublings.mean()
            found.append(
                SeriesTrend(
                    series=name,
                    quantity=column.name,
                    groups=tuple(groups),
                    slope=seed_mean(rows @ centred / (centred**2).sum()),
                    slope_test=permutation_slope(rows, doublings, n_draws=N_DRAWS, rng=stream),
                    page=page_trend(rows, n_draws=N_DRAWS, rng=stream),
                    p_adjusted=math.nan,
                )
            )
        p_values = [trend.page.p_value if trend.page else math.nan for trend in found]
        trends += [
            dataclasses.replace(trend, p_adjusted=float(p))
            for trend, p in zip(found, holm_where_tested(p_values), strict=True)
        ]
    return tuple(trends)


def _by_seed(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Values of one quantity: a row for every seed, a column for every group."""
    wide = table[table["quantity"] == quantity].pivot(index="seed", columns="group", values="value")
    return wide[_groups(table)]


def _groups(table: pd.DataFrame) -> list[str]:
    groups: list[str] = table["group"].unique().tolist()
    return sorted(groups, key=group_key)
