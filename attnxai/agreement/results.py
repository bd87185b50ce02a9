"""Results of a comparison: frozen, and able to summarise, plot and export themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.intervals.over_sources import Interval
from attnxai.agreement.nulls.base import NullTest

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ALL = "all"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """Agreement of one map (or baseline) with the annotations of one group of sources.

    Parameters
    ----------
    explanation : str
        Name of the map or baseline.
    is_baseline : bool
        Whether it is a baseline rather than a map of the model.
    metric : str
        Name of the metric.
    group : str
        ``held-out``, ``training``, ... or ``all``: what the model knew of these sources.
    class_name : str
        Class of these sources, or ``all``.
    interval : Interval
        Mean over sources with its interval.
    above_chance : Interval
        The same mean above the value without agreement.
    n_undefined : int
        Sources left out because the metric has no value for them.
    pooled, within_class : NullTest or None
        Source permutations; None where a test makes no sense, with the reason in ``not_tested``.
    differences : mapping of str to Interval
        This map minus each baseline, over the same sources and resamples; empty for baselines.
    not_tested : str
        Why a test is missing, or empty.
    """

    explanation: str
    is_baseline: bool
    metric: str
    group: str
    class_name: str
    interval: Interval
    above_chance: Interval
    n_undefined: int
    pooled: NullTest | None = None
    within_class: NullTest | None = None
    differences: Mapping[str, Interval] = dataclasses.field(default_factory=dict)
    not_tested: str = ""

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        record: dict[str, Any] = {
            "explanation": self.explanation,
            "is_baseline": self.is_baseline,
            "metric": self.metric,
            "group": self.group,
            "class": self.class_name,
            "n_sources": self.interval.n_sources,
            "n_undefined": self.n_undefined,
            "value": _or_none(self.interval.value),
            "ci_low": _or_none(self.interval.low),
            "ci_high": _or_none(self.interval.high),
            "above_chance": _or_none(self.above_chance.value),
            "above_chance_ci_low": _or_none(self.above_chance.low),
            "above_chance_ci_high": _or_none(self.above_chance.high),
        }
        for name, test in (("pooled", self.pooled), ("within_class", self.within_class)):
            low, high = test.range() if test is not None else (None, None)
            record |= {
                f"p_{name}": test.p_value if test else None,
                f"p_smallest_{name}": test.smallest_p if test else None,
                f"n_permutations_{name}": test.n_draws if test else None,
                f"exhaustive_{name}": test.exhaustive if test else None,
                f"null_mean_{name}": test.mean if test else None,
                f"null_low_{name}": low,
                f"null_high_{name}": high,
            }
        record["not_tested"] = self.not_tested
        record["difference"] = {
            name: {
                "value": _or_none(difference.value),
                "ci_low": _or_none(difference.low),
                "ci_high": _or_none(difference.high),
                "n_sources": difference.n_sources,
            }
            for name, difference in self.differences.items()
        }
        return record


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UndefinedValue:
    """A metric that has no value for a source."""

    source: str
    annotator: str
    explanation: str
    metric: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgreementResult:
    """How well the maps of a model agree with annotations, and how sure that is.

    Parameters
    ----------
    model_name : str
        The model.
    estimates : tuple of Estimate
        One for every map or baseline, metric, group and class.
    sources, classes, exposure : tuple of str
        Of every source, sorted by id.
    annotators : tuple of str
        Who marked.
    explanations, baselines, metrics : tuple of str
        Names.
    values : ndarray, shape (n_metrics, n_explanations + n_baselines, n_annotators, n_sources)
        Metric of each source's map with its own annotation; NaN where undefined or not marked.
    undefined : tuple of UndefinedValue
        Every value that is missing, and why.
    verdict_group : str
        Group on which conclusions rest.
    settings : mapping
        Options, as plain values.
    notes : tuple of str
        What was left out or assumed.
    """

    model_name: str
    estimates: tuple[Estimate, ...]
    sources: tuple[str, ...]
    classes: tuple[str | None, ...]
    exposure: tuple[str, ...]
    annotators: tuple[str, ...]
    explanations: tuple[str, ...]
    baselines: tuple[str, ...]
    metrics: tuple[str, ...]
    values: NDArray[np.float64]
    undefined: tuple[UndefinedValue, ...]
    verdict_group: str
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"AgreementResult({self.model_name}: {len(self.sources)} sources, "
            f"{len(self.explanations)} maps, {len(self.metrics)} metrics)"
        )

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of sources, in the order of the estimates."""
        return tuple(dict.fromkeys(e.group for e in self.estimates))

    @property
    def class_names(self) -> tuple[str, ...]:
        """``all`` and the classes of the sources."""
        return tuple(dict.fromkeys(e.class_name for e in self.estimates))

    def estimate(
        self,
        explanation: str,
        metric: str,
        *,
        group: str | None = None,
        class_name: str = ALL,
    ) -> Estimate:
        """One estimate by its names.

        Raises
        ------
        KeyError
            Naming what there is.
        """
        wanted = (explanation, metric, group or self.verdict_group, class_name)
        for candidate in self.estimates:
            key = (
                candidate.explanation,
                candidate.metric,
                candidate.group,
                candidate.class_name,
            )
            if key == wanted:
                return candidate
        raise KeyError(
            f"no estimate for {wanted}; explanations are {self.explanations + self.baselines}, "
            f"metrics {self.metrics}, groups {self.groups}, classes {self.class_names}"
        )

    def confidence_interval(
        self, explanation: str, metric: str, *, group: str | None = None
    ) -> tuple[float, float]:
        """Ends of an estimate's interval; NaN with too few sources."""
        interval = self.estimate(explanation, metric, group=group).interval
        return interval.low, interval.high

    def source_means(self, explanation: str, metric: str) -> NDArray[np.float64]:
        """Value of every source, averaged over the annotators who marked it."""
        names = self.explanations + self.baselines
        values = self.values[self.metrics.index(metric), names.index(explanation)]
        return mean_over_annotators(values)

    def to_frame(self) -> pd.DataFrame:
        """One row an estimate, differences in columns of their own."""
        import pandas as pd

        rows = []
        for estimate in self.estimates:
            record = estimate.to_record()
            for name, difference in record.pop("difference").items():
                for key, value in difference.items():
                    record[f"minus {name} {key}"] = value
            rows.append(record)
        return pd.DataFrame(rows)

    def per_source_frame(self) -> pd.DataFrame:
        """One row for every source and annotator, one column for every map and metric."""
        import pandas as pd

        names = self.explanations + self.baselines
        rows = []
        for column, source in enumerate(self.sources):
            for row, annotator in enumerate(self.annotators):
                record: dict[str, Any] = {
                    "source": source,
                    "class": self.classes[column],
                    "exposure": self.exposure[column],
                    "annotator": annotator,
                }
                for e, explanation in enumerate(names):
                    for m, metric in enumerate(self.metrics):
                        record[f"{explanation}:{metric}"] = self.values[m, e, row, column]
                rows.append(record)
        return pd.DataFrame(rows)

    def summary(self) -> str:
        """The main numbers of the group that conclusions rest on, as plain text."""
        lines = [repr(self), f"Group: {self.verdict_group}"]
        for estimate in self.estimates:
            if estimate.group != self.verdict_group or estimate.class_name != ALL:
                continue
            interval = estimate.interval
            text = f"{estimate.explanation:>24} {estimate.metric:<24} {interval.value:7.3f}"
            if interval.known:
                text += f" [{interval.low:.3f}, {interval.high:.3f}]"
            if estimate.within_class is not None:
                text += f"  p within class {estimate.within_class.p_value:.4f}"
            elif estimate.pooled is not None:
                text += f"  p pooled {estimate.pooled.p_value:.4f}"
            lines.append(text)
        return "\n".join(lines)

    def plot(self, metric: str | None = None, ax: Any = None) -> Any:
        """Agreement of every map and baseline with its interval and the null's range.

        Parameters
        ----------
        metric : str, optional
            Which metric; the first when left out.
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from attnxai.agreement.plots import plot_agreement

        return plot_agreement(self, metric or self.metrics[0], ax=ax)


def mean_over_annotators(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the first axis of what is defined; NaN where nothing is."""
    defined = np.isfinite(values)
    counts = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)
