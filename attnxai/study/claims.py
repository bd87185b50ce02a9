"""What a study says of three claims, in words chosen by rule from its numbers.

The claims are that equivariance (a) lowers the number of epochs needed to fit, (b) raises performance and
(c) brings attention nearer to what astronomers mark. Each rests on one quantity: epochs until the reference
loss, accuracy, and NSS of the mean of the gates over held-out sources. For each

1. every other group is compared with the baseline by the paired t-test over seeds, its p-value adjusted by
   Holm's method over the groups. The claim *holds* if every group is better at 0.05, *holds in part* if some
   are and none is worse, *the opposite is seen* if some are worse and none is better, *differs between
   groups* if some are better and some worse, and *is not shown* if none differs. It *cannot be told* with
   fewer than three seeds, or where the quantity does not exist;
2. the trend over the order of the group, within cyclic and within dihedral groups, is told by Page's test,
   adjusted over the two series: it *rises*, *falls* or *is not shown*, and *cannot be told* where even the
   smallest p-value that could come out is above 0.05.

"Not shown" is not "shown not to": the intervals say how large a difference may be.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attnxai.statistics.formats import format_p, p_equals, with_interval
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL
from attnxai.study.quantities import ACCURACY, EPOCHS, PRIMARY_MAP, Better, agreement_of
from attnxai.study.statistics import MIN_SEEDS

if TYPE_CHECKING:
    from attnxai.study.quantities import Quantity
    from attnxai.study.statistics import Difference
    from attnxai.study.summary import SeriesTrend, StudySummary


class Outcome(enum.StrEnum):
    """What the numbers say of a claim."""

    HOLDS = "holds"
    IN_PART = "holds in part"
    NOT_SHOWN = "is not shown"
    DIFFERS = "differs between groups"
    OPPOSITE = "the opposite is seen"
    CANNOT_TELL = "cannot be told"


class TrendOutcome(enum.StrEnum):
    """What the numbers say of a trend over the order of the group."""

    RISES = "rises"
    FALLS = "falls"
    NOT_SHOWN = "is not shown"
    CANNOT_TELL = "cannot be told"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim and what the study says of it.

    Parameters
    ----------
    letter : str
        ``a``, ``b`` or ``c``.
    claim : str
        The claim, in words.
    quantity : str
        Name of the quantity that it rests on.
    outcome : Outcome
        What the numbers say.
    lead : str
        The sentence to print in bold.
    details : str
        Numbers behind it.
    trends : mapping of str to TrendOutcome
        By series; empty where there are not groups enough.
    trend_text : str
        The trends in words, or empty.
    """

    letter: str
    claim: str
    quantity: str
    outcome: Outcome
    lead: str
    details: str
    trends: Mapping[str, TrendOutcome]
    trend_text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """How one claim is talked about."""

    letter: str
    claim: str
    quantity: Quantity
    measured: str
    better: str
    worse: str
    missing: str


_CLAIMS = (
    _Words(
        letter="a",
        claim="Equivariance lowers the number of epochs needed to fit.",
        quantity=EPOCHS,
        measured="epochs until the reference loss",
        better="fewer epochs until the reference loss",
        worse="more epochs until the reference loss",
        missing="there is no reference loss, since the baseline does no better than guessing; give one "
        "with --reference-loss",
    ),
    _Words(
        letter="b",
        claim="Equivariance raises performance.",
        quantity=ACCURACY,
        measured="accuracy",
        better="a higher accuracy",
        worse="a lower accuracy",
        missing="the accuracy was not measured",
    ),
    _Words(
        letter="c",
        claim="Equivariance brings attention nearer to what astronomers mark.",
        quantity=agreement_of("nss", PRIMARY_MAP),
        measured="NSS of the mean of the gates",
        better="a higher NSS of the mean of the gates",
        worse="a lower NSS of the mean of the gates",
        missing="agreement was not measured; it needs annotated sources that no model has seen "
        "(--annotations, --hold-out)",
    ),
)


def judge_claims(summary: StudySummary) -> tuple[Claim, ...]:
    """Say of each claim what the numbers say.

    Parameters
    ----------
    summary : StudySummary
        The numbers.

    Returns
    -------
    tuple of Claim
        In the order of their letters.
    """
    return tuple(_judge(words, summary) for words in _CLAIMS)


def _judge(words: _Words, summary: StudySummary) -> Claim:
    others = [group for group in summary.groups if group.group != summary.baseline]
    n_seeds = len(summary.seeds)
    differences = {
        group.group: group.differences[words.quantity.name]
        for group in others
        if words.quantity.name in group.differences
    }
    outcome = _outcome(differences, words.quantity.better)
    about = f"{n_seeds} seed{'s' if n_seeds != 1 else ''} a group"
    if not any(math.isfinite(d.mean.value) for d in differences.values()):
        reason = words.missing if others else "there is no group to compare with the baseline"
        return _claim(words, Outcome.CANNOT_TELL, f"This cannot be told: {reason}.", "", {}, "")
    trends = summary.trends_of(words.quantity.name)
    outcomes = {trend.series: trend_outcome(trend) for trend in trends}
    return _claim(
        words,
        outcome,
        _lead(words, outcome, differences, summary.baseline, about),
        _details(words, differences, summary),
        outcomes,
        " ".join(_trend_sentence(words, trend, outcomes[trend.series]) for trend in trends),
    )


def _claim(
    words: _Words,
    outcome: Outcome,
    lead: str,
    details: str,
    trends: Mapping[str, TrendOutcome],
    trend_text: str,
) -> Claim:
    return Claim(
        letter=words.letter,
        claim=words.claim,
        quantity=words.quantity.name,
        outcome=outcome,
        lead=lead,
        details=details,
        trends=trends,
        trend_text=trend_text,
    )


def verdict_of(difference: Difference, better: Better) -> Better | None:
    """Whether a difference is for the better, the worse, or neither at :data:`~attnxai.statistics.interval.SIGNIFICANCE_LEVEL`; None untested."""
    if not math.isfinite(difference.p_adjusted):
        return None
    if difference.p_adjusted > SIGNIFICANCE_LEVEL:
        return Better.NEITHER
    up = difference.mean.value > 0
    return Better.HIGHER if up == (better is Better.HIGHER) else Better.LOWER


def _outcome(differences: Mapping[str, Difference], better: Better) -> Outcome:
    verdicts = [verdict_of(difference, better) for difference in differences.values()]
    tested = [verdict for verdict in verdicts if verdict is not None]
    if not tested:
        return Outcome.CANNOT_TELL
    n_better, n_worse = tested.count(Better.HIGHER), tested.count(Better.LOWER)
    if n_better and n_worse:
        return Outcome.DIFFERS
    if n_worse:
        return Outcome.OPPOSITE
    if not n_better:
        return Outcome.NOT_SHOWN
    return Outcome.HOLDS if n_better == len(verdicts) else Outcome.IN_PART


def _lead(
    words: _Words,
    outcome: Outcome,
    differences: Mapping[str, Difference],
    baseline: str,
    about: str,
) -> str:
    verdicts = {name: verdict_of(d, words.quantity.better) for name, d in differences.items()}
    better = [name for name, verdict in verdicts.items() if verdict is Better.HIGHER]
    worse = [name for name, verdict in verdicts.items() if verdict is Better.LOWER]
    n = len(differences)
    n_open = n - len(better)
    rest = "the other group" if n_open == 1 else f"the {n_open} other groups"
    everyone = f"all {n} groups have" if n > 1 else f"{next(iter(differences))} has"
    sentences = {
        Outcome.HOLDS: f"This holds: {everyone} {words.better} than {baseline}, with {about}.",
        Outcome.IN_PART: (
            f"This holds in part: {_listed(better)} {_have(better)} {words.better} than {baseline}; of "
            f"{rest} it is not shown, with {about}."
        ),
        Outcome.NOT_SHOWN: (
            f"This is not shown: no group is shown to differ from {baseline} in {words.measured}, with "
            f"{about}."
        ),
        Outcome.DIFFERS: (
            f"This differs between groups: {_listed(better)} {_have(better)} {words.better} than "
            f"{baseline}, but {_listed(worse)} {_have(worse)} {words.worse}, with {about}."
        ),
        Outcome.OPPOSITE: (
            f"The opposite is seen: {_listed(worse)} {_have(worse)} {words.worse} than {baseline}, and "
            f"no group is shown to have {words.better}, with {about}."
        ),
        Outcome.CANNOT_TELL: _why_untested(differences, about),
    }
    return sentences[outcome]


def _why_untested(differences: Mapping[str, Difference], about: str) -> str:
    if max(difference.mean.n_units for difference in differences.values()) < MIN_SEEDS:
        return f"This cannot be told with {about}: a test needs {MIN_SEEDS}."
    return (
        f"This cannot be told with {about}: every seed gives the same difference, so nothing is known "
        "of its spread."
    )


def _details(words: _Words, differences: Mapping[str, Difference], summary: StudySummary) -> str:
    digits = words.quantity.digits
    rows = []
    for name, difference in differences.items():
        text = f"{name} {with_interval(difference.mean, digits, signed=True)}"
        if math.isfinite(difference.p_adjusted):
            text += f" ({p_equals(difference.p_adjusted)})"
        rows.append(text)
    own = summary.group(summary.baseline).means[words.quantity.name]
    n_tested = sum(math.isfinite(difference.p_adjusted) for difference in differences.values())
    adjusted = f", p adjusted for {n_tested} groups" if n_tested > 1 else ""
    sentences = [
        (
            f"{summary.baseline} has {with_interval(own, digits)}; differences from it, paired by "
            f"seed{adjusted}: {'; '.join(rows)}."
        )
    ]
    if words.quantity is EPOCHS:
        sentences.append(_reached(summary))
    return " ".join(sentences)


def _reached(summary: StudySummary) -> str:
    n_runs = sum(group.n_runs for group in summary.groups)
    n_reached = sum(group.n_reached for group in summary.groups)
    if n_reached == n_runs:
        return f"Every run reached the reference loss of {summary.reference:.3f}."
    short = [
        f"{group.n_runs - group.n_reached} of {group.n_runs} of {group.group}"
        for group in summary.groups
        if group.n_reached < group.n_runs
    ]
    return (
        f"{n_runs - n_reached} of {n_runs} runs did not reach the reference loss of "
        f"{summary.reference:.3f} ({', '.join(short)}); times beyond epoch {summary.horizon} count as "
        f"{summary.horizon}."
    )


def trend_outcome(trend: SeriesTrend) -> TrendOutcome:
    """What Page's test says of a trend."""
    if (
        trend.page is None
        or trend.page.smallest_p > SIGNIFICANCE_LEVEL
        or not math.isfinite(trend.p_adjusted)
    ):
        return TrendOutcome.CANNOT_TELL
    if trend.p_adjusted > SIGNIFICANCE_LEVEL:
        return TrendOutcome.NOT_SHOWN
    return TrendOutcome.RISES if trend.page.value > trend.page.expected else TrendOutcome.FALLS


def _trend_sentence(words: _Words, trend: SeriesTrend, outcome: TrendOutcome) -> str:
    over = f"Over {_listed(trend.groups)}"
    if outcome is TrendOutcome.CANNOT_TELL:
        if trend.page is None:
            return f"{over} a trend cannot be told: it takes three groups of one series."
        smallest = f"the smallest p-value that could come out is {format_p(trend.page.smallest_p)}"
        return f"{over} a trend cannot be told: {smallest}."
    slope = with_interval(trend.slope, words.quantity.digits + 1, signed=True)
    numbers = f"{slope} per doubling of the order, Page's test {p_equals(trend.p_adjusted)}"
    if outcome is TrendOutcome.NOT_SHOWN:
        return f"{over} no trend of {words.measured} is shown ({numbers})."
    # a plural noun for epochs, a singular for the others
    verb = str(outcome).removesuffix("s") if words.quantity is EPOCHS else str(outcome)
    return f"{over} {words.measured} {verb} ({numbers})."


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _have(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
