"""What the numbers of a map say, decided by rule; the words are in :mod:`~attnxai.report.sentences`."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.multiplicity import Correction
from attnxai.agreement.results import ALL
from attnxai.explanations.stack import BRIGHTNESS, CENTRE_BIAS, EMISSION
from attnxai.metrics import METRICS
from attnxai.nulls import Alternative
from attnxai.nulls.p_values import RELATIVE_TIE, p_values_of
from attnxai.report.sentences.say import say
from attnxai.statistics.exact import monte_carlo_ends
from attnxai.statistics.formats import value_range
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate, FurtherTest
    from attnxai.agreement.results import AgreementResult
    from attnxai.nulls import NullTest
    from attnxai.statistics.interval import Interval

MISCALIBRATED = 0.2
"""A null that rejects at least this share of data sets whose pairing is broken is miscalibrated."""


class Finding(enum.StrEnum):
    """What the primary test of a map says."""

    AGREES = "agrees"
    SOURCE_SPECIFIC = "source-specific"
    ANTI_CORRELATED = "anti-correlated"
    LESS = "less than others"
    NOT_SHOWN = "not shown"
    INCONCLUSIVE = "inconclusive"


class Side(enum.StrEnum):
    """Where a mean lies by its interval, seen from chance."""

    ABOVE = "above"
    BELOW = "below"
    OPEN = "open"
    UNKNOWN = "unknown"


class Order(enum.StrEnum):
    """How a map compares with baselines, by the intervals of the differences."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"
    UNKNOWN = "unknown"


def finding_of(estimate: Estimate) -> Finding:
    """What the primary test of a map says, with the place of its mean."""
    test = estimate.test
    if test is None or estimate.p_adjusted is None:
        return Finding.INCONCLUSIVE
    if estimate.p_adjusted > SIGNIFICANCE_LEVEL:
        open_to_it = smallest_adjusted(estimate) <= SIGNIFICANCE_LEVEL
        return Finding.NOT_SHOWN if open_to_it else Finding.INCONCLUSIVE
    side = side_of_chance(estimate)
    if not speaks_for_agreement(test):
        return Finding.ANTI_CORRELATED if side is Side.BELOW else Finding.LESS
    return Finding.AGREES if side is Side.ABOVE else Finding.SOURCE_SPECIFIC


def smallest_adjusted(estimate: Estimate) -> float:
    """The smallest adjusted p-value that could have come out; under Holm that of the smallest of all."""
    test = estimate.test
    if test is None:
        return 1.0
    factor = estimate.n_family if estimate.correction is Correction.HOLM else 1
    return min(test.smallest_p * factor, 1.0)


def smallest_words(p_value: float, smallest: float) -> str:
    """That a p-value is the smallest attainable one, to follow it; empty where it is not."""
    return say("p.smallest") if p_value <= smallest * (1 + RELATIVE_TIE) else ""


def draws_words(tested: Sequence[Estimate]) -> str:
    """With how many random permutations the smallest p-value is attained; empty where all were made."""
    drawn = [e.test.n_draws for e in tested if e.test and not e.test.exhaustive]
    return say("page.smallest.draws", n=max(drawn)) if drawn else ""


def permuted_words(estimates: Iterable[Estimate], where: str) -> str:
    """How many of their sources the tests permute, for a ``table``, ``caption`` or ``methods``; empty for all."""
    tests = [estimate.test for estimate in estimates if estimate.test is not None]
    if all(test.n_tested == test.n_sources for test in tests):
        return ""
    return say(
        f"permuted.{where}",
        n_tested=value_range([test.n_tested for test in tests], 0),
        n=value_range([test.n_sources for test in tests], 0),
    )


def blocks_words(result: AgreementResult, form: str) -> str:
    """That annotations are permuted within blocks, as a ``clause`` or ``sentence``; empty where all are together."""
    n = result.settings.get("n_blocks", 1)
    return say(f"permuted.blocks.{form}", n=n) if n > 1 else ""


def speaks_for_agreement(test: NullTest) -> bool:
    """Whether what was observed lies on the side of more agreement than under the null."""
    if test.alternative is Alternative.TWO_SIDED:
        return test.observed > test.mean
    return test.alternative is Alternative.GREATER


def one_sided_p(test: NullTest, side: Alternative) -> float:
    """P-value of what was observed on one side of its null distribution, ties counting as extreme."""
    observed = np.array([test.observed])
    return float(p_values_of(observed, test.values, test.exhaustive, side)[0])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClassEffect:
    """The permutation across the sources of one class, on the side where the mean lies."""

    class_name: str
    side: Alternative  # greater or less
    tested: bool  # whether that side was the alternative, or a part of it
    p_value: float
    p_adjusted: float
    n_family: int
    correction: Correction | None
    monte_carlo: (
        tuple[float, float] | None
    )  # of the adjusted p-value; None where all permutations were made

    @property
    def shown(self) -> bool:
        """Whether the adjusted p-value is small enough."""
        return self.p_adjusted <= SIGNIFICANCE_LEVEL


def class_effects(result: AgreementResult, estimate: Estimate) -> list[ClassEffect]:
    """On which side of its null each class lies, with p-values of that side.

    A side that was not the alternative is adjusted by Bonferroni's method over the maps.
    """
    effects = []
    for of_class in classes_of(result, estimate):
        test = of_class.test
        if test is None or of_class.p_adjusted is None:
            continue
        side = Alternative.GREATER if test.observed > test.mean else Alternative.LESS
        tested = test.alternative in (side, Alternative.TWO_SIDED)
        p_value = test.p_value if tested else one_sided_p(test, side)
        factor = 1 if of_class.correction is Correction.NONE else max(of_class.n_family, 1)
        ends = of_class.p_adjusted_monte_carlo
        if not tested and not test.exhaustive:
            low, high = monte_carlo_ends(p_value, test.n_draws)
            ends = min(low * factor, 1.0), min(high * factor, 1.0)
        effects.append(
            ClassEffect(
                class_name=of_class.class_name,
                side=side,
                tested=tested,
                p_value=p_value,
                p_adjusted=of_class.p_adjusted if tested else min(p_value * factor, 1.0),
                n_family=of_class.n_family,
                correction=of_class.correction,
                monte_carlo=ends if tested or not test.exhaustive else None,
            )
        )
    return effects


def classes_differ(result: AgreementResult, estimate: Estimate) -> bool:
    """Whether one class is shown to lie above its null, and another below its own."""
    shown = {effect.side for effect in class_effects(result, estimate) if effect.shown}
    return len(shown) == 2


def is_miscalibrated(further: FurtherTest) -> bool:
    """Whether a further null calls too many maps significant when the pairing is broken."""
    return (further.rejections_pairing_broken or 0.0) >= MISCALIBRATED


def why_no_interval(interval: Interval) -> str:
    """Why a value has no interval, or one without width, in words that continue a sentence."""
    return interval.note.removeprefix("no interval: ") or "no interval"


def side_of_chance(estimate: Estimate) -> Side:
    """Where the mean lies, seen from chance: by its interval, or by its sign where all values are the same.

    Values that are the same for every source have no interval, but where they are enough for one, all lying on
    one side of chance is a sign test with a p-value below 0.01. Below chance it is only where that means that
    annotations are avoided (:attr:`~attnxai.metrics.Metric.shows_avoidance`).
    """
    above = estimate.above_chance
    if above.known and above.high > above.low:
        low, high = above.low, above.high
    elif is_same_for_all(above):
        low = high = above.value
    else:
        return Side.UNKNOWN
    if low > 0:
        return Side.ABOVE
    return Side.BELOW if high < 0 and METRICS[estimate.metric].shows_avoidance else Side.OPEN


def is_same_for_all(interval: Interval) -> bool:
    """Whether there is no interval because all values, of enough sources for one, are the same."""
    return (
        bool(np.isfinite(interval.value))
        and not interval.known
        and interval.n_counted >= MIN_UNITS
        and "are the same" in interval.note
    )


def classes_of(result: AgreementResult, estimate: Estimate) -> list[Estimate]:
    """The estimates of single classes that belong to an estimate over all."""
    key = (estimate.explanation, estimate.metric, estimate.group)
    return [
        e
        for e in result.estimates
        if e.class_name != ALL and (e.explanation, e.metric, e.group) == key
    ]


def classes_on(result: AgreementResult, estimate: Estimate, side: Side) -> list[Estimate]:
    """The estimates of the classes whose mean lies on one side of chance."""
    return [e for e in classes_of(result, estimate) if side_of_chance(e) is side]


def brightness_names(result: AgreementResult) -> list[str]:
    """Names of the brightness baselines of all resolutions."""
    return [name for name in result.baselines if name.startswith(BRIGHTNESS)]


def emission_names(result: AgreementResult) -> list[str]:
    """Names of the emission baselines of all resolutions; none where emission cannot be told from sky."""
    return [name for name in result.baselines if name.startswith(EMISSION)]


def best_brightness(result: AgreementResult, metric: str) -> str:
    """The brightness baseline, of all resolutions, that agrees best."""
    return best_of(result, metric, brightness_names(result))


def best_emission(result: AgreementResult, metric: str) -> str | None:
    """The emission baseline, of all resolutions, that agrees best; None where there is none."""
    names = emission_names(result)
    return best_of(result, metric, names) if names else None


def best_of(result: AgreementResult, metric: str, names: Sequence[str]) -> str:
    """The baseline, of those named, that agrees best."""
    values = [result.estimate(name, metric).interval.value for name in names]
    return names[int(np.nanargmax(values))] if np.isfinite(values).any() else names[0]


def is_comparable(difference: Interval) -> bool:
    """Whether a difference has an interval of some width."""
    return difference.known and difference.high > difference.low


def deciding_baseline(estimate: Estimate, names: Sequence[str]) -> str:
    """Which of the baselines of a kind a map is compared with: the one that agrees best, whose difference is lowest.

    Where the interval of that difference is above 0, but that of another resolution is not, it is this other one: a
    map is better than a kind of baseline only if it is better at every resolution. One without an interval comes first.
    """

    def lowest(some: Sequence[str]) -> str:
        return min(
            some, key=lambda name: np.nan_to_num(estimate.differences[name].value, nan=np.inf)
        )

    unknown = [name for name in names if not is_comparable(estimate.differences[name])]
    if unknown:
        return lowest(unknown)
    best = lowest(names)
    open_to_it = [name for name in names if not estimate.differences[name].low > 0]
    return lowest(open_to_it) if open_to_it and estimate.differences[best].low > 0 else best


def compared_with(estimate: Estimate, names: Sequence[str]) -> Order:
    """Better, worse, neither, or not known, by the difference from the :func:`deciding_baseline`."""
    difference = estimate.differences[deciding_baseline(estimate, names)]
    if not is_comparable(difference):
        return Order.UNKNOWN
    if difference.high < 0:
        return Order.WORSE
    return Order.BETTER if difference.low > 0 else Order.OPEN


def baselines_of_kind(result: AgreementResult) -> dict[str, list[str]]:
    """Names of the baselines by their kind."""
    return {
        "brightness": brightness_names(result),
        "emission": emission_names(result),
        "centre": [CENTRE_BIAS],
    }


def better_baselines(result: AgreementResult, estimates: Sequence[Estimate]) -> list[str]:
    """Which of ``brightness``, ``emission`` and ``centre`` agree better than all of some maps."""
    return [
        kind
        for kind, names in baselines_of_kind(result).items()
        if names and all(compared_with(estimate, names) is Order.WORSE for estimate in estimates)
    ]
