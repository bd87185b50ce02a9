"""Outcomes of the three hypotheses of a study, by fixed rules.

The hypotheses are that equivariance (a) lowers the number of epochs needed to fit, (b) raises performance
and (c) increases the agreement of attention with astronomers' annotations. Each rests on one quantity:
epochs until the reference loss, accuracy, and NSS of the mean of the gates over held-out sources. For each

1. every other group is compared with the baseline by the paired t-test over seeds, its p-value adjusted by
   Holm's method over the groups. The hypothesis is *supported* if every group is better at 0.05, *partly
   supported* if some are and none is worse, *contradicted* if some are worse and none is better, *mixed* if
   some are better and some worse, and *inconclusive* if none differs. It is *not testable* with fewer than
   three seeds, or where the quantity does not exist;
2. the trend over the order of the group, within cyclic and within dihedral groups, is tested by Page's test,
   adjusted over the two series: it *increases*, *decreases* or is *inconclusive*, and *not testable* where
   even the smallest attainable p-value is above 0.05.

"Inconclusive" does not mean that there is no effect: the intervals say how large a difference may be.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attnxai.data.wording import counted, listed
from attnxai.statistics.formats import decimals_together, format_p, p_equals, with_interval
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL
from attnxai.study.quantities import ACCURACY, EPOCHS, PRIMARY_MAP, Better, Quantity, agreement_of
from attnxai.study.statistics import MIN_SEEDS

if TYPE_CHECKING:
    from attnxai.study.summary import SeriesTrend, StudySummary


class Outcome(enum.StrEnum):
    """Outcome of a hypothesis."""

    SUPPORTED = "supported"
    PARTLY_SUPPORTED = "partly supported"
    INCONCLUSIVE = "inconclusive"
    MIXED = "mixed"
    CONTRADICTED = "contradicted"
    NOT_TESTABLE = "not testable"


class TrendOutcome(enum.StrEnum):
    """Outcome of a trend over the order of the group."""

    INCREASES = "increases"
    DECREASES = "decreases"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTABLE = "not testable"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One hypothesis and its outcome.

    Parameters
    ----------
    letter : str
        ``a``, ``b`` or ``c``.
    statement : str
        The hypothesis, in words.
    quantity : str
        Name of the quantity that it rests on.
    outcome : Outcome
        What the numbers say.
    lead : str
        The sentence to print in bold.
    details : str
        The numbers that it rests on, if any.
    trends : mapping of str to TrendOutcome
        By series; empty where there are too few groups.
    trend_text : str
        The trends in words, or empty.

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
    >>> hypotheses = attnxai.study.evaluate_hypotheses(summary)
    >>> hypotheses[0].letter, str(hypotheses[0].outcome)
    ('a', 'inconclusive')
    """

    letter: str
    statement: str
    quantity: str
    outcome: Outcome
    lead: str
    details: str = ""
    trends: Mapping[str, TrendOutcome] = dataclasses.field(default_factory=dict)
    trend_text: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """Wording of one hypothesis."""

    letter: str
    statement: str
    quantity: Quantity
    measured: str
    better: str
    worse: str
    missing: str
    plural: bool = False
    beside: Quantity | None = None


_HYPOTHESES = (
    _Words(
        letter="a",
        statement="Equivariance lowers the number of epochs needed to fit.",
        quantity=EPOCHS,
        measured="epochs until the reference loss",
        better="fewer epochs until the reference loss",
        worse="more epochs until the reference loss",
        missing="there is no reference loss, since the baseline does no better than guessing; give one "
        "with --reference-loss",
        plural=True,
    ),
    _Words(
        letter="b",
        statement="Equivariance raises performance.",
        quantity=ACCURACY,
        measured="accuracy",
        better="a higher accuracy",
        worse="a lower accuracy",
        missing="the accuracy was not measured",
    ),
    _Words(
        letter="c",
        statement="Equivariance increases the agreement of attention with astronomers' annotations.",
        quantity=agreement_of("nss", PRIMARY_MAP),
        measured="NSS of the mean of the gates",
        better="a higher NSS of the mean of the gates",
        worse="a lower NSS of the mean of the gates",
        missing="agreement was not measured; it needs annotated sources that no model was trained on "
        "(--annotations, --hold-out)",
        beside=agreement_of("nss_within", PRIMARY_MAP),
    ),
)


def evaluate_hypotheses(summary: StudySummary) -> tuple[Hypothesis, ...]:
    """Evaluate each hypothesis.

    Parameters
    ----------
    summary : StudySummary
        The numbers.

    Returns
    -------
    tuple of Hypothesis
        In the order of their letters.

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
    >>> [one.letter for one in attnxai.study.evaluate_hypotheses(summary)]
    ['a', 'b', 'c']
    """
    return tuple(_evaluate(words, summary) for words in _HYPOTHESES)


def _evaluate(words: _Words, summary: StudySummary) -> Hypothesis:
    name = words.quantity.name
    others = [group for group in summary.groups if group != summary.baseline]
    made = functools.partial(
        Hypothesis, letter=words.letter, statement=words.statement, quantity=name
    )
    measured = summary.quantity(name) is not None
    if not measured or not any(math.isfinite(summary.difference(g, name).value) for g in others):
        reason = words.missing if others else "there is no group to compare with the baseline"
        return made(outcome=Outcome.NOT_TESTABLE, lead=f"Not testable: {reason}.")
    verdicts = {
        group: verdict_of(
            summary.difference(group, name).value,
            summary.p_adjusted(group, name),
            words.quantity.better,
        )
        for group in others
    }
    outcome = _outcome(list(verdicts.values()))
    trends = summary.trends_of(name)
    return made(
        outcome=outcome,
        lead=_lead(words, outcome, verdicts, summary),
        details=_details(words, others, summary),
        trends={trend.series: trend_outcome(trend) for trend in trends},
        trend_text=" ".join(_trend_sentence(words, trend) for trend in trends),
    )


def verdict_of(difference: float, p_adjusted: float, better: Better) -> Better | None:
    """Whether a difference is for the better, for the worse, or not significant; None if untested."""
    if not math.isfinite(p_adjusted):
        return None
    if p_adjusted > SIGNIFICANCE_LEVEL:
        return Better.NEITHER
    return Better.HIGHER if (difference > 0) == (better is Better.HIGHER) else Better.LOWER


def _outcome(verdicts: Sequence[Better | None]) -> Outcome:
    if not any(verdict is not None for verdict in verdicts):
        return Outcome.NOT_TESTABLE
    n_better, n_worse = verdicts.count(Better.HIGHER), verdicts.count(Better.LOWER)
    if n_better and n_worse:
        return Outcome.MIXED
    if n_worse:
        return Outcome.CONTRADICTED
    if not n_better:
        return Outcome.INCONCLUSIVE
    return Outcome.SUPPORTED if n_better == len(verdicts) else Outcome.PARTLY_SUPPORTED


def _lead(
    words: _Words, outcome: Outcome, verdicts: Mapping[str, Better | None], summary: StudySummary
) -> str:
    better = [name for name, verdict in verdicts.items() if verdict is Better.HIGHER]
    worse = [name for name, verdict in verdicts.items() if verdict is Better.LOWER]
    n, n_rest, baseline = len(verdicts), len(verdicts) - len(better), summary.baseline
    everyone = f"all {n} groups have" if n > 1 else f"{next(iter(verdicts))} has"
    rest = "the other group does" if n_rest == 1 else f"the other {n_rest} groups do"
    found = {
        Outcome.SUPPORTED: f"{everyone} {words.better} than {baseline}",
        Outcome.PARTLY_SUPPORTED: (
            f"{listed(better)} {_have(better)} {words.better} than {baseline}; {rest} not differ "
            "significantly from it"
        ),
        Outcome.INCONCLUSIVE: f"no group differs significantly from {baseline} in {words.measured}",
        Outcome.MIXED: (
            f"{listed(better)} {_have(better)} {words.better} than {baseline}, but {listed(worse)} "
            f"{_have(worse)} {words.worse}"
        ),
        Outcome.CONTRADICTED: (
            f"{listed(worse)} {_have(worse)} {words.worse} than {baseline}, and no group is "
            "significantly better"
        ),
        Outcome.NOT_TESTABLE: _why_untested(words.quantity.name, list(verdicts), summary),
    }
    seeds = counted(len(summary.seeds), "seed")
    return f"{str(outcome).capitalize()}: {found[outcome]} ({seeds} per group)."


def _why_untested(quantity: str, groups: Sequence[str], summary: StudySummary) -> str:
    if max(summary.difference(group, quantity).n_units for group in groups) < MIN_SEEDS:
        return f"a test needs {MIN_SEEDS} seeds"
    return "the difference is the same for every seed, so its spread is unknown"


def _details(words: _Words, others: Sequence[str], summary: StudySummary) -> str:
    text = _differences(words.quantity, others, summary)
    if words.quantity is EPOCHS:
        return f"{text} {_reached(summary)}"
    if words.beside is None or summary.quantity(words.beside.name) is None:
        return text
    return f"{text} {words.beside.label}: {_differences(words.beside, others, summary)}"


def _differences(quantity: Quantity, others: Sequence[str], summary: StudySummary) -> str:
    name, digits = quantity.name, quantity.digits
    rows, n_tested = [], 0
    differences = [summary.difference(group, name) for group in others]
    together = decimals_together(differences, digits)
    for group, difference, decimals in zip(others, differences, together, strict=True):
        text = f"{group} {with_interval(difference, decimals=decimals, signed=True)}"
        p_adjusted = summary.p_adjusted(group, name)
        if math.isfinite(p_adjusted):
            text += f" ({p_equals(p_adjusted)})"
            n_tested += 1
        rows.append(text)
    own = with_interval(summary.mean(summary.baseline, name), digits)
    adjusted = f", p adjusted for {n_tested} groups" if n_tested > 1 else ""
    return (
        f"{summary.baseline} has {own}; differences from it, paired by seed{adjusted}: "
        f"{'; '.join(rows)}."
    )


def _reached(summary: StudySummary) -> str:
    per_group = len(summary.seeds)
    n_missing = {group: per_group - summary.n_reached(group) for group in summary.groups}
    n = sum(n_missing.values())
    if not n:
        return f"Every run reached the reference loss of {summary.reference:.3f}."
    short = [f"{k} of {per_group} of {group}" for group, k in n_missing.items() if k]
    return (
        f"{n} of {per_group * len(summary.groups)} runs did not reach the reference loss of "
        f"{summary.reference:.3f} ({', '.join(short)}); times beyond epoch {summary.horizon} count as "
        f"{summary.horizon}."
    )


def trend_outcome(trend: SeriesTrend) -> TrendOutcome:
    """Outcome of Page's test of a trend."""
    if (
        trend.page is None
        or trend.page.smallest_p > SIGNIFICANCE_LEVEL
        or not math.isfinite(trend.p_adjusted)
    ):
        return TrendOutcome.NOT_TESTABLE
    if trend.p_adjusted > SIGNIFICANCE_LEVEL:
        return TrendOutcome.INCONCLUSIVE
    rises = trend.page.value > trend.page.expected
    return TrendOutcome.INCREASES if rises else TrendOutcome.DECREASES


def _trend_sentence(words: _Words, trend: SeriesTrend) -> str:
    outcome, over = trend_outcome(trend), f"Over {listed(trend.groups)}"
    if outcome is TrendOutcome.NOT_TESTABLE:
        if trend.page is None:
            return f"{over} no trend can be tested: three groups of one series are needed."
        smallest = format_p(trend.page.smallest_p)
        return f"{over} no trend can be tested: the smallest attainable p-value is {smallest}."
    slope = with_interval(trend.slope, words.quantity.digits + 1, signed=True)
    numbers = f"{slope} per doubling of the order, Page's test {p_equals(trend.p_adjusted)}"
    if outcome is TrendOutcome.INCONCLUSIVE:
        return f"{over} there is no significant trend of {words.measured} ({numbers})."
    verb = str(outcome).removesuffix("s") if words.plural else str(outcome)
    return f"{over} {words.measured} {verb} ({numbers})."


def _have(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
