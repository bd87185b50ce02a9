"""Does agreement rise with the order of the symmetry group: within cyclic and within dihedral groups.

What is exchanged is whole networks. A seed decides a network's first weights and the order of its images,
and what luck that brings is shared by its values on all sources: a C8 network that happens to be good is
good on a hundred sources. If the group made no difference, the networks of one seed could carry each
other's group names; so the seed is the block, and a network's value is its mean over sources. Exchanging
group names within each source instead would take that luck for evidence, the more so the more sources
there are: it asks about these networks and not about groups.

Cyclic and dihedral groups are tested apart, since C8 and D4 have eight elements each and differ in more
than their order; the two p-values are adjusted together. With k groups and one seed the smallest two-sided
p-value is 2 / k!, so three groups need two seeds before anything can be found at 5 %.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.intervals.over_sources import (
    Interval,
    bootstrap_counts,
    mean_interval,
)
from attnxai.agreement.latex import latex_table
from attnxai.agreement.model_comparison.presentation import group_trend_columns, plot_group_trends
from attnxai.agreement.model_comparison.trend import (
    MIN_CONDITIONS,
    Direction,
    TrendTest,
    page_trend,
    permutation_slope,
)
from attnxai.agreement.multiplicity import holm
from attnxai.agreement.results import mean_over_annotators
from attnxai.errors import OptionError, UndefinedValuesWarning
from attnxai.models.specification import SymmetryGroup

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

CYCLIC, DIHEDRAL = "cyclic", "dihedral"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupTrend:
    """Agreement over the order of the group, within cyclic or within dihedral groups.

    Parameters
    ----------
    series : str
        ``cyclic`` or ``dihedral``.
    groups : tuple of str
        In their order.
    seeds : tuple of int
        Seeds that every group has: the blocks.
    slope : Interval
        Change of agreement per doubling of the order, as the mean over sources of straight lines through
        the means over seeds. Its interval is over sources: about these networks, and no guide to the
        tests, which are about groups.
    page : TrendTest
        Page's test over seeds, which conclusions rest on.
    slope_test : TrendTest
        Permutation test of the slope over seeds.
    p_adjusted : float
        P-value of Page's test, adjusted by Holm's method over both series.
    n_sources, n_dropped : int
        Sources with a value of every network of the series, and those left out.
    n_seeds_dropped : int
        Seeds left out because some group lacks them.
    values : tuple of tuple of float
        What the tests rest on: for each seed, each group's mean over the sources.
    """

    series: str
    groups: tuple[str, ...]
    seeds: tuple[int, ...]
    slope: Interval
    page: TrendTest
    slope_test: TrendTest
    p_adjusted: float
    n_sources: int
    n_dropped: int
    n_seeds_dropped: int
    values: tuple[tuple[float, ...], ...]

    @property
    def orders(self) -> tuple[int, ...]:
        """Elements of every group."""
        return tuple(SymmetryGroup.from_name(name).order for name in self.groups)

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names; None where there is none."""
        numbers = {
            "slope": self.slope.value,
            "slope_ci_low": self.slope.low,
            "slope_ci_high": self.slope.high,
        }
        return {
            "series": self.series,
            "groups": list(self.groups),
            "seeds": list(self.seeds),
            **{name: float(v) if np.isfinite(v) else None for name, v in numbers.items()},
            "page_l": self.page.value,
            "page_expected": self.page.expected,
            "p_page": self.page.p_value,
            "p_page_adjusted": self.p_adjusted,
            "p_smallest_page": self.page.smallest_p,
            "p_slope": self.slope_test.p_value,
            "exhaustive_slope": self.slope_test.exhaustive,
            "n_sources": self.n_sources,
            "n_dropped": self.n_dropped,
            "n_seeds_dropped": self.n_seeds_dropped,
            "values": [list(row) for row in self.values],
        }

    def sentence(self) -> str:
        """The slope, its interval and the test in one line."""
        text = (
            f"{self.series} groups {', '.join(self.groups)}: {self.slope.value:+.3f} per doubling"
        )
        if self.slope.known:
            text += f" [{self.slope.low:.3f}, {self.slope.high:.3f}]"
        return (
            f"{text}; Page's L {self.page.value:g} ({self.page.expected:g} without a trend), "
            f"p = {self.page.p_value:.4f}, adjusted {self.p_adjusted:.4f} "
            f"({len(self.seeds)} {'seed' if len(self.seeds) == 1 else 'seeds'}, {self.n_sources} sources)"
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupTrends:
    """Trends of both series, as far as there are three groups of it.

    Parameters
    ----------
    trends : tuple of GroupTrend
        Cyclic first.
    not_tested : mapping of str to str
        Why a series is missing.
    """

    trends: tuple[GroupTrend, ...]
    not_tested: Mapping[str, str]

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "trends": [trend.to_record() for trend in self.trends],
            "not_tested": dict(self.not_tested),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a series."""
        import pandas as pd

        return pd.DataFrame([trend.to_record() for trend in self.trends])

    def summary(self) -> str:
        """One line a series, as plain text; for one that is not tested, why."""
        lines = [trend.sentence() for trend in self.trends]
        lines += [f"{series}: not tested, {why}" for series, why in self.not_tested.items()]
        return "\n".join(lines)

    def to_latex(
        self, *, digits: int | None = None, caption: str | None = None, label: str | None = None
    ) -> str:
        """Table with a row a series, for papers.

        Parameters
        ----------
        digits : int, optional
            Decimals of slopes; those that the intervals' widths call for when left out.
        caption, label : str, optional
            See :func:`~attnxai.agreement.latex.latex_table`.
        """
        columns = group_trend_columns(self.trends, digits=digits)
        return latex_table(columns, caption=caption, label=label)

    def plot(self, ax: Any = None) -> Any:
        """Agreement over the order of the group: a dot a network, a line through the means over seeds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot_group_trends(self.trends, ax=ax)


def group_trends(
    values: Mapping[tuple[str, int], ArrayLike],
    *,
    alternative: Direction = Direction.TWO_SIDED,
    n_draws: int = 100_000,
    n_resamples: int = 10_000,
    counts: NDArray[np.float64] | None = None,
    level: float = 0.95,
    rng: np.random.Generator | int = 0,
) -> GroupTrends:
    """Test whether agreement rises or falls with the order of the group.

    Parameters
    ----------
    values : mapping of (str, int) to array_like, shape (n_sources,) or (n_annotators, n_sources)
        For each network, by its group (``C8``) and seed, its value for the same sources in the same
        order; NaN where undefined.
    alternative : Direction
        Which trends count.
    n_draws : int
        Exchanges where they are sampled.
    n_resamples : int
        Bootstrap resamples of the sources.
    counts : ndarray, shape (n_resamples, n_sources), optional
        Resamples to share with other statistics; drawn when left out.
    level : float
        Confidence level of the slope's interval.
    rng : numpy.random.Generator or int
        Source of randomness.

    Returns
    -------
    GroupTrends

    Raises
    ------
    OptionError
        If there are no networks.
    SpecificationError
        If a name is no cyclic or dihedral group.
    ValueError
        If the networks' values differ in shape.

    Warns
    -----
    UndefinedValuesWarning
        When sources or seeds are left out.

    Examples
    --------
    >>> values = {
    ...     (group, seed): [0.1 * place + 0.01 * seed] * 8
    ...     for place, group in enumerate(["C1", "C4", "C8"])
    ...     for seed in range(3)
    ... }
    >>> (trend,) = group_trends(values).trends
    >>> trend.series, round(trend.slope.value, 3), round(trend.page.p_value, 4)
    ('cyclic', 0.064, 0.0093)
    """
    if not values:
        raise OptionError("a trend needs the values of at least one network, got none")
    tables = {
        (SymmetryGroup.from_name(group).name, seed): np.atleast_2d(np.asarray(given, np.float64))
        for (group, seed), given in values.items()
    }
    shapes = {table.shape for table in tables.values()}
    if len(shapes) > 1:
        raise ValueError(
            f"all networks need values for the same annotators and sources, got {sorted(shapes)}"
        )
    generator = np.random.default_rng(rng)
    streams = generator.spawn(3)
    if counts is None:
        counts = bootstrap_counts(shapes.pop()[1], n_resamples, streams[2])
    found, not_tested = [], {}
    for series, stream in zip((CYCLIC, DIHEDRAL), streams, strict=False):
        groups = _groups_of(series, tables)
        if len(groups) < MIN_CONDITIONS:
            not_tested[series] = f"{len(groups)} {series} groups are no series to see a trend in"
            continue
        table, seeds, n_seeds_dropped, n_cells = _complete_seeds(groups, tables)
        kept = np.isfinite(table).all(axis=(0, 1))
        rows = table[:, :, kept].mean(axis=2) if kept.any() else table[:0, :, 0]
        doublings = np.log2([SymmetryGroup.from_name(name).order for name in groups])
        page = page_trend(rows, alternative=alternative, n_draws=n_draws, rng=stream)
        slope_test = permutation_slope(
            rows, doublings, alternative=alternative, n_draws=n_draws, rng=stream
        )
        if page is None or slope_test is None:
            missing = "source with a value everywhere" if seeds else "seed that all groups have"
            not_tested[series] = f"there is no {missing} among the {series} groups"
            continue
        _warn_of_dropped(series, int((~kept).sum()), n_seeds_dropped, n_cells)
        centred = doublings - doublings.mean()
        slopes = centred @ table.mean(axis=0) / (centred**2).sum()
        found.append(
            GroupTrend(
                series=series,
                groups=groups,
                seeds=seeds,
                slope=mean_interval(np.where(kept, slopes, np.nan), counts, level=level),
                page=page,
                slope_test=slope_test,
                p_adjusted=float("nan"),
                n_sources=int(kept.sum()),
                n_dropped=int((~kept).sum()),
                n_seeds_dropped=n_seeds_dropped,
                values=tuple(tuple(map(float, row)) for row in rows),
            )
        )
    adjusted = holm([trend.page.p_value for trend in found])
    return GroupTrends(
        trends=tuple(
            dataclasses.replace(trend, p_adjusted=float(p))
            for trend, p in zip(found, adjusted, strict=True)
        ),
        not_tested=not_tested,
    )


def _groups_of(
    series: str, tables: Mapping[tuple[str, int], NDArray[np.float64]]
) -> tuple[str, ...]:
    groups = {SymmetryGroup.from_name(name) for name, _ in tables}
    members = [group for group in groups if group.reflections == (series == DIHEDRAL)]
    return tuple(group.name for group in sorted(members, key=lambda group: group.order))


def _complete_seeds(
    groups: tuple[str, ...], tables: Mapping[tuple[str, int], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], tuple[int, ...], int, int]:
    """Values of shape (seeds, groups, sources) for the seeds that every group has.

    A source's value is the mean over the annotators with whom every network has a value: networks that
    were compared with different people would differ by the people. The last number counts the values of
    single annotators that are left out for it.
    """
    all_seeds = sorted({seed for name, seed in tables if name in groups})
    seeds = tuple(s for s in all_seeds if all((name, s) in tables for name in groups))
    n_dropped = len(all_seeds) - len(seeds)
    n_sources = next(iter(tables.values())).shape[1]
    if not seeds:
        return np.empty((0, len(groups), n_sources)), seeds, n_dropped, 0
    stacked = np.array([[tables[name, seed] for name in groups] for seed in seeds])
    defined = np.isfinite(stacked)
    shared = defined.all(axis=(0, 1))
    n_cells = int((defined.any(axis=(0, 1)) & ~shared).sum())
    means = mean_over_annotators(np.moveaxis(np.where(shared, stacked, np.nan), 2, 0))
    return means, seeds, n_dropped, n_cells


def _warn_of_dropped(series: str, n_sources: int, n_seeds: int, n_cells: int) -> None:
    parts = [
        f"{n} {one if n == 1 else several}"
        for n, one, several in (
            (n_sources, "source", "sources"),
            (n_seeds, "seed", "seeds"),
            (n_cells, "value with an annotator", "values with single annotators"),
        )
        if n
    ]
    if parts:
        warnings.warn(
            f"the trend over {series} groups leaves out {' and '.join(parts)} that some network has "
            "no value for",
            UndefinedValuesWarning,
            stacklevel=3,
        )
