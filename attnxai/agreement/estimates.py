"""Results of a comparison for one map, metric and group of sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnxai.data.short_repr import short_repr
from attnxai.statistics.exact import ends_record
from attnxai.statistics.interval import finite_or_none

if TYPE_CHECKING:
    from attnxai.agreement.effect_components import Components
    from attnxai.agreement.multiplicity import Correction
    from attnxai.agreement.noise_ceiling.share import NoiseCeilingShare
    from attnxai.nulls.p_values import NullTest
    from attnxai.statistics.interval import Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FurtherTest:
    """A test against a null other than the permutation across sources; None, with a reason, where there is none.

    ``rejections_pairing_broken`` is the share of pairings of maps with the annotations of *other* sources that this
    null calls significant at 5 %, of the first metric only: far above 0.05 the null is miscalibrated for these
    data. These are other sources of the same stratum if ``within_strata``, or any where strata are too small.
    """

    null: str
    label: str
    test: NullTest | None
    reason: str = ""
    rejections_pairing_broken: float | None = None
    n_pairings: int = 0  # that the share rests on
    within_strata: bool = False

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "null": self.null,
            **_record_of(self.test),
            "rejections_pairing_broken": self.rejections_pairing_broken,
            "n_pairings": self.n_pairings,
            "paired_within_strata": self.within_strata,
            "not_tested": self.reason,
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """Agreement of one map (or baseline) with the annotations of one group of sources.

    Groups are splits or ``all``, and so are classes. The interval is over sources with one annotator, over sources and
    annotators, crossed, with several. Permutation tests are None where a test makes no sense; their rejections are
    the share of pairings, with other sources of the stratum (pooled) and of like angular size as well (within), that
    they call significant at 5 %: far above 0.05 they are miscalibrated for these data.
    """

    explanation: str
    is_baseline: bool
    metric: str
    group: str
    class_name: str
    interval: Interval
    above_chance: Interval
    n_undefined: int  # sources left out because the metric has no value for them
    pooled: NullTest | None = None
    within_strata: NullTest | None = None
    pooled_rejections_pairing_broken: float | None = None
    within_rejections_pairing_broken: float | None = None
    p_within_size: float | None = (
        None  # permuted within halves of angular size of each stratum; not adjusted
    )
    p_within_size_adjusted: float | None = (
        None  # over the maps; max-T without its draws is Holm's method
    )
    p_adjusted: float | None = None  # of `test`, over the maps; None for baselines
    # exact 95 % interval for what all permutations would give; None where all were made
    p_adjusted_monte_carlo: tuple[float, float] | None = None
    n_family: int = 0
    correction: Correction | None = None
    further: tuple[FurtherTest, ...] = ()
    # this map minus each baseline, over the same sources; empty for baselines
    differences: Mapping[str, Interval] = dataclasses.field(default_factory=dict)
    # None for single annotators, for baselines, and for groups other than that of the conclusions
    share_of_noise_ceiling: NoiseCeilingShare | None = None
    # for a plan (attnxai.planning): of maps over all classes of the group of the conclusions, where every annotator
    # marked every source and strata have three sources or more
    spreads: tuple[Components, Interval] | None = None
    left_test: tuple[str, ...] = ()  # not permuted, as the metric is undefined with some partner
    not_tested: str = ""  # why no test can decide; the pooled one may be there all the same

    __repr__ = short_repr

    @property
    def test(self) -> NullTest | None:
        """The primary test: within strata, or pooled for a single stratum; None where none can decide."""
        return None if self.not_tested else self.within_strata or self.pooled

    def further_test(self, null: str) -> FurtherTest:
        """The test against one of the further nulls.

        Raises
        ------
        KeyError
            Naming what there is.
        """
        for candidate in self.further:
            if candidate.null == null:
                return candidate
        known = ", ".join(candidate.null for candidate in self.further) or "none"
        raise KeyError(f"no test against {null!r}; there are {known}")

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        record: dict[str, Any] = {
            "explanation": self.explanation,
            "is_baseline": self.is_baseline,
            "metric": self.metric,
            "group": self.group,
            "class": self.class_name,
            "n_undefined": self.n_undefined,
            **_interval_record(self.interval),
            "interval_method": self.interval.method,
            **_ends("above_chance", self.above_chance),
        }
        for name, test in (("pooled", self.pooled), ("within_strata", self.within_strata)):
            record |= {f"{key}_{name}": value for key, value in _record_of(test).items()}
        record |= {
            "pooled_rejections_pairing_broken": self.pooled_rejections_pairing_broken,
            "within_strata_rejections_pairing_broken": self.within_rejections_pairing_broken,
            "p_within_size": self.p_within_size,
            "p_within_size_adjusted": self.p_within_size_adjusted,
            "p_adjusted": self.p_adjusted,
            **ends_record("p_adjusted_monte_carlo", self.p_adjusted_monte_carlo),
            "n_family": self.n_family,
            "correction": None if self.correction is None else str(self.correction),
            "left_test": list(self.left_test),
            "not_tested": self.not_tested,
        }
        share = self.share_of_noise_ceiling
        record |= {
            "share_of_noise_ceiling_value": finite_or_none(share.raw.value) if share else None,
            "share_of_noise_ceiling_n_sources": share.raw.n_units if share else None,
        }
        for name in ("lower", "upper"):
            record |= _ends(f"share_of_{name}_ceiling", getattr(share, f"of_{name}", None))
        record["spreads"] = None if self.spreads is None else _record_of_spreads(*self.spreads)
        record["further"] = [test.to_record() for test in self.further]
        record["difference"] = {
            name: _interval_record(difference) for name, difference in self.differences.items()
        }
        return record


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartialCorrelation:
    """Rank correlation of a map with the annotations, controlling for brightness.

    An estimate without a test: permuting across sources would break the dependence of annotations on brightness as
    well. It is controlled for the brightness at pixel scale and at the resolution of the map.
    """

    explanation: str
    group: str
    class_name: str
    controlling_for: tuple[str, ...]
    interval: Interval
    n_undefined: int  # sources left out, such as those whose brightness is constant

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "explanation": self.explanation,
            "group": self.group,
            "class": self.class_name,
            "controlling_for": list(self.controlling_for),
            **_interval_record(self.interval),
            "n_undefined": self.n_undefined,
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoiseCeilingEstimate:
    """How well annotators agree with each other, by one metric over one group of sources.

    See :mod:`attnxai.agreement.noise_ceiling.ceiling` for the meaning of the numbers.
    """

    metric: str
    group: str
    class_name: str
    lower: Interval
    upper: Interval
    upper_is_bound: bool
    n_annotators: int
    note: str = ""

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "metric": self.metric,
            "group": self.group,
            "class": self.class_name,
            "lower": _interval_record(self.lower),
            "upper": _interval_record(self.upper),
            "upper_is_bound": self.upper_is_bound,
            "n_annotators": self.n_annotators,
            "note": self.note,
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SelfConsistency:
    """How well an annotator's later looks agree with the own first ones, by one metric over one group of sources.

    The annotator is None for the mean over all who looked at a source again (``n_annotators``). The interval is the
    bootstrap over sources, so it is about these annotators.
    """

    metric: str
    group: str
    class_name: str
    annotator: str | None
    interval: Interval
    n_annotators: int

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "metric": self.metric,
            "group": self.group,
            "class": self.class_name,
            "annotator": self.annotator,
            "n_annotators": self.n_annotators,
            **_interval_record(self.interval),
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelAgreement:
    """Agreement of all maps with the marks of one label, by every metric, over the sources that hold the label.

    Parameters
    ----------
    label : str
        The label.
    group : str
        Split of the sources: that on which conclusions rest.
    n_sources : int
        Sources of it that hold the label.
    estimates : tuple of Estimate
        One for every metric, and map or baseline; empty without a source. Maps are tested, and p-values are adjusted over
        all labels and maps, for each metric by itself.
    all_marks, minus_all_marks : mapping of (str, str) to Interval
        By the names of a map or baseline and of a metric: its agreement with all marks together over the same sources and
        annotators, and the difference of the two.
    """

    label: str
    group: str
    n_sources: int
    estimates: tuple[Estimate, ...]
    all_marks: Mapping[tuple[str, str], Interval] = dataclasses.field(default_factory=dict)
    minus_all_marks: Mapping[tuple[str, str], Interval] = dataclasses.field(default_factory=dict)

    __repr__ = short_repr

    def estimate(self, explanation: str, metric: str | None = None) -> Estimate:
        """The estimate of a map or baseline, by the first metric unless another is named.

        Raises
        ------
        KeyError
            Naming what there is.
        """
        for candidate in self.estimates:
            if candidate.explanation == explanation and metric in (None, candidate.metric):
                return candidate
        known = ", ".join(f"{e.explanation} ({e.metric})" for e in self.estimates) or "none"
        by = f" by {metric}" if metric else ""
        raise KeyError(
            f"no estimate of {explanation!r}{by} for the label {self.label}; there are {known}"
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "label": self.label,
            "group": self.group,
            "n_sources": self.n_sources,
            "results": [
                {
                    **estimate.to_record(),
                    "all_marks": _interval_record(
                        self.all_marks[estimate.explanation, estimate.metric]
                    ),
                    "minus_all_marks": _interval_record(
                        self.minus_all_marks[estimate.explanation, estimate.metric]
                    ),
                }
                for estimate in self.estimates
            ],
        }


def _interval_record(interval: Interval) -> dict[str, Any]:
    return {
        "n_sources": interval.n_units,
        "n_effective": interval.n_effective,
        **interval.to_record(),
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    """A value and its ends, or None for each, with ``name`` before the names of the ends."""
    found = {} if interval is None else interval.to_record()
    return {
        name: found.get("value"),
        f"{name}_ci_low": found.get("ci_low"),
        f"{name}_ci_high": found.get("ci_high"),
    }


def _record_of(test: NullTest | None) -> dict[str, Any]:
    low, high = test.range() if test is not None else (None, None)
    return {
        "p": test.p_value if test else None,
        **ends_record("p_monte_carlo", test.monte_carlo_interval if test else None),
        "p_smallest": test.smallest_p if test else None,
        "n_tested": test.n_tested if test else None,
        "observed": test.observed if test else None,
        "n_permutations": test.n_draws if test else None,
        "exhaustive": test.exhaustive if test else None,
        "null_mean": test.mean if test else None,
        "null_sd": float(test.values.std()) if test else None,
        "null_low": low,
        "null_high": high,
    }


def _record_of_spreads(components: Components, effect: Interval) -> dict[str, Any]:
    """What a plan needs, as plain values."""
    names = ("sd_source", "sd_residual", "sd_annotator", "sd_pairing", "sd_value")
    deviations = components.deviations
    return {
        "effect": effect.value,
        "effect_ci_low": effect.low,
        "effect_ci_high": effect.high,
        **{name: getattr(components, name) for name in names},
        "deviations": [] if deviations is None else [float(value) for value in deviations],
    }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UndefinedValue:
    """A metric that has no value for a source."""

    source: str
    annotator: str
    explanation: str
    metric: str
    reason: str
