"""The results of a validation: false positive rates, coverage and power beside their nominal values."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attnxai import presenters
from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.presenters import PLOT, presenter_of
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL
from attnxai.validation.coverage import CoverageDesign, Distribution
from attnxai.validation.experiments import Counts
from attnxai.validation.plan import Part, ValidationPlan
from attnxai.validation.rates import (
    BAND,
    SOURCES,
    SOURCES_AND_ANNOTATORS,
    CoverageRate,
    FalsePositiveRate,
    PowerEstimate,
    Verdict,
    binomial_band,
)
from attnxai.validation.rejections import (
    METRIC_NAMES,
    SIGNIFICANCE_LEVELS,
    FalsePositiveDesign,
    NullKind,
    PowerDesign,
)
from attnxai.validation.simulated_data import Scenario

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ValidationResult:
    """All rates of a validation.

    Parameters
    ----------
    plan : ValidationPlan
        The experiments.
    false_positives : tuple of FalsePositiveRate
        By null, scenario, number of sources, metric and level.
    coverage : tuple of CoverageRate
        By distribution, size of the sample and method.
    power : tuple of PowerEstimate
        By null, number of sources, strength and metric.

    Examples
    --------
    >>> import attnxai
    >>> from attnxai.validation.plan import Part
    >>> from attnxai.validation.rejections import NullKind
    >>> plan = attnxai.validation.ValidationPlan(
    ...     n_experiments=10, parts=(Part.FALSE_POSITIVES,), nulls=(NullKind.POOLED,), quick=True
    ... )
    >>> result = attnxai.validation.ValidationResult.of(plan, attnxai.validation.run_validation(plan))
    >>> list(result.to_frame("false-positives").columns[:4])
    ['null', 'scenario', 'n_sources', 'metric']
    """

    plan: ValidationPlan
    false_positives: tuple[FalsePositiveRate, ...]
    coverage: tuple[CoverageRate, ...]
    power: tuple[PowerEstimate, ...]

    @classmethod
    def of(cls, plan: ValidationPlan, counts: Mapping[str, Counts]) -> ValidationResult:
        """Sum the counts of all blocks, as :func:`~.plan.run_validation` gives them."""
        return cls(
            plan=plan,
            false_positives=tuple(
                rate
                for design in plan.false_positive_designs
                for rate in _rates_of(design, plan.experiments(design), plan.total(design, counts))
            ),
            coverage=tuple(
                _coverage_rate(design, plan.experiments(design), plan.total(design, counts))
                for design in plan.coverage_designs
            ),
            power=tuple(
                rate
                for design in plan.power_designs
                for rate in _power_estimates(
                    design, plan.experiments(design), plan.total(design, counts)
                )
            ),
        )

    def rates_of(
        self, *, metric: str, null: NullKind, scenario: Scenario
    ) -> tuple[FalsePositiveRate, ...]:
        """False positive rates of one null in one scenario, by number of sources and level."""
        return tuple(
            rate
            for rate in self.false_positives
            if (rate.metric, rate.null, rate.scenario) == (metric, null, scenario)
        )

    def unexpected(self) -> tuple[FalsePositiveRate, ...]:
        """Rates that are too high although the null's assumptions are met."""
        return tuple(
            c for c in self.false_positives if c.assumptions_met and c.verdict is Verdict.TOO_OFTEN
        )

    def failures(self) -> dict[NullKind, dict[Scenario, tuple[float, float]]]:
        """Where nulls reject too often at 5 % (NSS): lowest and highest rate over the numbers of sources."""
        found: dict[NullKind, dict[Scenario, tuple[float, float]]] = {}
        for null in dict.fromkeys(rate.null for rate in self.false_positives):
            for scenario in null.scenarios:
                rates = [
                    c
                    for c in self.rates_of(metric=METRIC_NAMES[0], null=null, scenario=scenario)
                    if c.level == SIGNIFICANCE_LEVEL
                ]
                values = [c.rate for c in rates]
                misleads = any(c.verdict.misleads for c in rates)
                if misleads and not null.is_valid_for(scenario):
                    found.setdefault(null, {})[scenario] = (min(values), max(values))
        return found

    def summary(self) -> str:
        """The main results, a sentence a line."""
        return "\n".join(self.sentences())

    def sentences(self) -> tuple[str, ...]:
        """The main results, a sentence each."""
        return (*self._about_false_positives(), *self._about_coverage(), *self._about_power())

    def _about_false_positives(self) -> Iterable[str]:
        if not self.false_positives:
            return
        valid = [rate for rate in self.false_positives if rate.assumptions_met]
        often = len(self.unexpected())
        rarely = sum(rate.verdict is Verdict.TOO_RARELY for rate in valid)
        by_chance = len(valid) * (1 - BAND) / 2
        most = max(rate.n_experiments for rate in self.false_positives)
        low, high = (count / most for count in binomial_band(most, 0.05))
        yield (
            f"Where the assumptions of a null are met, {len(valid) - often - rarely} of {len(valid)} false "
            f"positive rates lie within their binomial bands; {often} {'is' if often == 1 else 'are'} too high "
            f"and {rarely} too low, where {by_chance:.1f} on each side are expected by chance. With {most} "
            f"experiments the band at 5 % is {_percent(low)} to {_percent(high)} %; smaller deviations are not "
            "detected."
        )
        for null, scenarios in self.failures().items():
            where = ", ".join(
                f"{scenario} ({_percent(low)} to {_percent(high)} %)"
                for scenario, (low, high) in scenarios.items()
            )
            yield (
                f"{null[0].upper()}{null[1:]}: rejects too often at 5 % (NSS) where its assumptions are not "
                f"met, as expected: {where}."
            )

    def _about_coverage(self) -> Iterable[str]:
        for distribution in dict.fromkeys(rate.distribution for rate in self.coverage):
            rates = [rate for rate in self.coverage if rate.distribution is distribution]
            crossed = [rate for rate in rates if rate.over != SOURCES]
            shown = crossed or rates
            ranges = [
                f"{method} {_range(rate.rate for rate in shown if rate.method == method)} %"
                for method in dict.fromkeys(rate.method for rate in shown)
            ]
            first, last = rates[0], rates[-1]
            sizes = f"{first.n_sources} to {last.n_sources} sources"
            alone = ""
            if crossed:
                sizes = (
                    f"{first.n_sources} × {first.n_annotators} to {last.n_sources} × "
                    f"{last.n_annotators} sources × annotators"
                )
                alone = (
                    "; intervals over sources alone "
                    f"{_range(rate.rate for rate in rates if rate.over == SOURCES)} %"
                )
            yield (
                f"Coverage of 95 % intervals, {distribution} ({sizes}): {', '.join(ranges)}{alone}."
            )

    def _about_power(self) -> Iterable[str]:
        for null in dict.fromkeys(rate.null for rate in self.power):
            enough = []
            for n in dict.fromkeys(rate.n_sources for rate in self.power):
                strengths = [
                    c.strength
                    for c in self.power
                    if (c.null, c.n_sources, c.metric) == (null, n, METRIC_NAMES[0])
                    and c.rate >= 0.8
                ]
                if strengths:
                    enough.append(f"{min(strengths):g} with {n} sources")
            if enough:
                yield f"80 % power at 5 % (NSS), {null}: from strength {', '.join(enough)}."

    write_report = presenters.write_report

    def plot(self, what: Scenario | Distribution | NullKind, ax: Any = None) -> Any:
        """Draw one panel of the figures.

        Parameters
        ----------
        what : Scenario, Distribution or NullKind
            False positive rates in a scenario, coverage for a distribution, or the power of a null.
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return presenter_of(self, PLOT)(self, what, ax=ax)

    def to_frame(self, part: Part | str = Part.FALSE_POSITIVES) -> pd.DataFrame:
        """One row per rate.

        Parameters
        ----------
        part : Part or str
            ``false-positives``, ``coverage`` or ``power``.
        """
        import pandas as pd

        return pd.DataFrame(self.rows(Part(part)))

    def rows(self, part: Part) -> list[dict[str, Any]]:
        """Plain values of every rate of a part, under their documented names."""
        if part is Part.FALSE_POSITIVES:
            return [
                _record(rate, "rate", "band", "assumptions_met", "verdict", "note")
                for rate in self.false_positives
            ]
        if part is Part.COVERAGE:
            return [_record(rate, "rate", "band", "verdict") for rate in self.coverage]
        return [_record(rate, "rate", "interval") for rate in self.power]

    def to_record(self) -> dict[str, Any]:
        """All rates as plain values under their documented names."""
        return {
            "seed": self.plan.seed,
            "n_experiments": self.plan.n_experiments,
            "quick": self.plan.quick,
            "parts": [str(part) for part in self.plan.parts],
            "nulls": [str(null) for null in self.plan.nulls],
            "sentences": list(self.sentences()),
            **{str(part): self.rows(part) for part in self.plan.parts},
        }


def _rates_of(design: FalsePositiveDesign, n: int, total: Counts) -> list[FalsePositiveRate]:
    return [
        FalsePositiveRate(
            null=design.null,
            scenario=design.scenario,
            n_sources=design.n_sources,
            metric=metric,
            level=level,
            n_experiments=n,
            rejections=round(total[metric][place]),
            smallest_p=total["smallest"][0] / n,
        )
        for metric in METRIC_NAMES
        for place, level in enumerate(SIGNIFICANCE_LEVELS)
    ]


def _coverage_rate(design: CoverageDesign, n: int, total: Counts) -> CoverageRate:
    crossed = isinstance(design.method, CrossedMethod)
    return CoverageRate(
        distribution=design.distribution,
        n_sources=design.n_sources,
        n_annotators=design.n_annotators,
        method=str(design.method),
        over=SOURCES_AND_ANNOTATORS if crossed else SOURCES,
        n_experiments=n,
        covered=round(total["covered"][0]),
        width=float(f"{total['width'][0] / n:.6g}"),
    )


def _power_estimates(design: PowerDesign, n: int, total: Counts) -> list[PowerEstimate]:
    return [
        PowerEstimate(
            null=design.null,
            n_sources=design.n_sources,
            strength=design.strength,
            metric=metric,
            n_experiments=n,
            rejections=round(total[metric][0]),
        )
        for metric in METRIC_NAMES
    ]


def _record(rate: Any, *properties: str) -> dict[str, Any]:
    """Fields and properties of a rate; pairs become ``_low`` and ``_high``."""
    record: dict[str, Any] = {}
    for field in dataclasses.fields(rate):
        value = getattr(rate, field.name)
        record[field.name] = str(value) if isinstance(value, enum.Enum) else value
    for name in properties:
        value = getattr(rate, name)
        if isinstance(value, tuple):
            record[f"{name}_low"], record[f"{name}_high"] = value
        else:
            record[name] = str(value) if isinstance(value, enum.Enum) else value
    if "smallest_p" in record:
        record["smallest_p"] = float(f"{record['smallest_p']:.6g}")
    return record


def _range(values: Iterable[float]) -> str:
    every = list(values)
    return f"{_percent(min(every))} to {_percent(max(every))}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.1 else f"{100 * share:.1f}"
