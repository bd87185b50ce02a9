"""What a comparison found for one map, metric and group of sources: frozen, and ready to be written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnxai.data.short_repr import short_repr
from attnxai.statistics.interval import finite_or_none

if TYPE_CHECKING:
    from attnxai.agreement.effect_components import Components
    from attnxai.agreement.multiplicity import Correction
    from attnxai.agreement.noise_ceiling.share import NoiseCeilingShare
    from attnxai.nulls.p_values import NullTest
    from attnxai.statistics.interval import Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FurtherTest:
    """A test against a null other than the permutation across sources.

    Parameters
    ----------
    null : str
        Name of the null (:data:`attnxai.nulls.NULLS`).
    label : str
        Its name in text.
    test : NullTest or None
        The test; None where it cannot be made.
    reason : str
        Why not, or empty.
    rejections_pairing_broken : float or None
        Share of pairings of maps with the annotations of *other* sources that this null calls significant at
        5 %. Far above 0.05, the null takes what sources share for agreement. Of the first metric only.
    within_strata : bool
        Whether those are other sources of the same stratum, or any where strata are too small.
    """

    null: str
    label: str
    test: NullTest | None
    reason: str = ""
    rejections_pairing_broken: float | None = None
    within_strata: bool = False

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "null": self.null,
            **_record_of(self.test),
            "rejections_pairing_broken": self.rejections_pairing_broken,
            "paired_within_strata": self.within_strata,
            "not_tested": self.reason,
        }


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
        Mean over sources (and annotators) with its interval: over sources with one annotator, over sources
        and annotators, crossed, with several.
    above_chance : Interval
        The same mean above the value without agreement.
    n_undefined : int
        Sources left out because the metric has no value for them.
    pooled, within_strata : NullTest or None
        Permutation of annotations across sources, any or within strata; None where a test makes no sense.
    pooled_rejections_pairing_broken : float or None
        Share of pairings of maps with the annotations of other sources of their stratum that the pooled test
        would call significant at 5 %. Far above 0.05, maps and annotations share what their class (or other
        stratum) brings with it. None where strata are too small to tell.
    within_rejections_pairing_broken : float or None
        The same of the test within strata, for pairings with other sources of their stratum and of like angular
        size (smaller or larger than the median).
    p_adjusted : float or None
        P-value of :attr:`test`, adjusted over the maps; None for baselines, and where there is no test.
    n_family : int
        Tests that it is adjusted over.
    correction : Correction or None
        How it is adjusted.
    further : tuple of FurtherTest
        Tests against other nulls, as far as asked for.
    differences : mapping of str to Interval
        This map minus each baseline, over the same sources; empty for baselines.
    share_of_noise_ceiling : NoiseCeilingShare or None
        This map's agreement as a share of the noise ceiling; None for single annotators, for baselines, and
        for groups other than the one that conclusions rest on.
    spreads : (Components, Interval) or None
        What a plan of a larger comparison needs (:mod:`attnxai.planning`), and the effect with its
        interval; of maps over all classes of the group that conclusions rest on, where every annotator marked
        every source and strata have three sources or more.
    left_test : tuple of str
        Sources that are not permuted because the metric is undefined with some partner.
    not_tested : str
        Why there is no test that can decide, or empty. The pooled one may be there all the same.
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
    within_strata: NullTest | None = None
    pooled_rejections_pairing_broken: float | None = None
    within_rejections_pairing_broken: float | None = None
    p_adjusted: float | None = None
    n_family: int = 0
    correction: Correction | None = None
    further: tuple[FurtherTest, ...] = ()
    differences: Mapping[str, Interval] = dataclasses.field(default_factory=dict)
    share_of_noise_ceiling: NoiseCeilingShare | None = None
    spreads: tuple[Components, Interval] | None = None
    left_test: tuple[str, ...] = ()
    not_tested: str = ""

    __repr__ = short_repr

    @property
    def test(self) -> NullTest | None:
        """The primary test: within strata, or pooled for the sources of a single stratum; None where none can decide."""
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
            "above_chance": finite_or_none(self.above_chance.value),
            "above_chance_ci_low": finite_or_none(self.above_chance.low),
            "above_chance_ci_high": finite_or_none(self.above_chance.high),
        }
        for name, test in (("pooled", self.pooled), ("within_strata", self.within_strata)):
            record |= {f"{key}_{name}": value for key, value in _record_of(test).items()}
        record |= {
            "pooled_rejections_pairing_broken": self.pooled_rejections_pairing_broken,
            "within_strata_rejections_pairing_broken": self.within_rejections_pairing_broken,
            "p_adjusted": self.p_adjusted,
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
            interval = getattr(share, f"of_{name}") if share is not None else None
            record |= {
                f"share_of_{name}_ceiling": finite_or_none(interval.value) if interval else None,
                f"share_of_{name}_ceiling_ci_low": finite_or_none(interval.low)
                if interval
                else None,
                f"share_of_{name}_ceiling_ci_high": finite_or_none(interval.high)
                if interval
                else None,
            }
        record["spreads"] = None if self.spreads is None else _record_of_spreads(*self.spreads)
        record["further"] = [test.to_record() for test in self.further]
        record["difference"] = {
            name: _interval_record(difference) for name, difference in self.differences.items()
        }
        return record


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartialCorrelation:
    """Rank correlation of a map with the annotations that brightness does not account for.

    An estimate with its interval, without a test: permuting across sources would break the link between annotation
    and brightness as well.

    Parameters
    ----------
    explanation : str
        The map.
    group, class_name : str
        Which sources.
    controlling_for : tuple of str
        Baselines held fixed: brightness at pixel scale and at the resolution of the map.
    interval : Interval
        Mean partial Spearman correlation over sources (and annotators).
    """

    explanation: str
    group: str
    class_name: str
    controlling_for: tuple[str, ...]
    interval: Interval

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "explanation": self.explanation,
            "group": self.group,
            "class": self.class_name,
            "controlling_for": list(self.controlling_for),
            **_interval_record(self.interval),
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoiseCeilingEstimate:
    """How well annotators agree with each other, by one metric over one group of sources.

    Parameters
    ----------
    metric, group, class_name : str
        Of what.
    lower, upper : Interval
        Mean score of each annotator against the consensus of the others, and of the consensus of all, which
        contains them, against each; see :mod:`attnxai.agreement.noise_ceiling.ceiling`.
    upper_is_bound : bool
        Whether no map can have a higher mean score with these annotators.
    n_annotators : int
        Annotators who share a source with another.
    note : str
        What a reader should know.
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


def _interval_record(interval: Interval) -> dict[str, Any]:
    return {
        "n_sources": interval.n_units,
        "n_effective": interval.n_effective,
        **interval.to_record(),
    }


def _record_of(test: NullTest | None) -> dict[str, Any]:
    low, high = test.range() if test is not None else (None, None)
    return {
        "p": test.p_value if test else None,
        "p_smallest": test.smallest_p if test else None,
        "n_tested": test.n_sources if test else None,
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
    return {
        "effect": effect.value,
        "effect_ci_low": effect.low,
        "effect_ci_high": effect.high,
        "sd_source": components.sd_source,
        "sd_residual": components.sd_residual,
        "sd_annotator": components.sd_annotator,
        "sd_pairing": components.sd_pairing,
        "sd_value": components.sd_value,
        "deviations": []
        if components.deviations is None
        else [float(value) for value in components.deviations],
    }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UndefinedValue:
    """A metric that has no value for a source."""

    source: str
    annotator: str
    explanation: str
    metric: str
    reason: str
