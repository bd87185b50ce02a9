"""What limits a verdict."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.comparison.null_tests import N_PERMUTATION_PAIRINGS
from attnxai.agreement.comparison.strata import PREDICTED_CLASS, SIZE
from attnxai.agreement.intervals.crossed import FEW_ANNOTATORS
from attnxai.data.wording import first_of, listed
from attnxai.explanations.stack import Split
from attnxai.metrics import METRICS
from attnxai.report.findings import MISCALIBRATED, class_effects, classes_of, smallest_adjusted
from attnxai.report.sentences.say import say
from attnxai.report.wording import map_in_sentence, strata_words
from attnxai.statistics.formats import format_number, format_p, format_share
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL, effective_number, too_few

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet

MOST_DRAWS = 1_000_000
"""More permutations than these are not asked for: a p-value that needs them is at the level."""
MOST_TESTS = 6
"""Tests at the edge of the level that the caution names; of more it gives the number."""

FEW_PERMUTED = 2 / 3
"""Where less than this share of the sources is permuted, a caution says so."""


_PLAIN = re.compile(r"Further columns are kept|The annotator\b[^.]* is taken from ")


def is_plain(notice: str) -> bool:
    """Whether a notice on annotations says how their files were read, which limits nothing."""
    return _PLAIN.search(notice) is not None


def find_cautions(
    results: Sequence[AgreementResult],
    annotations: AnnotationSet,
    notes: Sequence[str],
    *,
    copies_recognised: Sequence[bool],
) -> list[str]:
    """What limits a verdict, each sentence only where it applies."""
    cautions = [say("caution.simulated")] if annotations.simulated else []
    if rules := annotations.rule_annotators:
        cautions.append(say("caution.rule", annotators=listed(rules)))
    cautions += _for_every_model(
        results,
        [
            _about_sources(result, recognised)
            for result, recognised in zip(results, copies_recognised, strict=True)
        ],
    )
    about = [_about_annotators(result) for result in results]
    if len(results) > 1:
        about = [
            [text.replace("this trained model", "each of these trained models") for text in own]
            for own in about
        ]
    cautions += _for_every_model(results, about)
    cautions += _for_every_model(results, [_about_draws(result) for result in results])
    cautions += [notice for notice in annotations.notices if not is_plain(notice)]
    cautions += list(notes)
    return list(dict.fromkeys(cautions))


def _for_every_model(
    results: Sequence[AgreementResult], sentences: Sequence[list[str]]
) -> list[str]:
    """Sentences once where all models have them, else with the name of the model."""
    found = []
    for result, own in zip(results, sentences, strict=True):
        for sentence in own:
            shared = all(sentence in others for others in sentences)
            found.append(sentence if shared else f"{result.model_name}: {sentence}")
    return list(dict.fromkeys(found))


def _about_sources(result: AgreementResult, copies_recognised: bool) -> list[str]:
    group = result.verdict_group
    counted = result.verdict_sources()
    # where nothing has a value, cautions are about all that were asked for
    n = int(counted.sum()) or result.splits.count(group)
    if group == Split.HELD_OUT:
        cautions = [] if copies_recognised else [say("caution.copies")]
        n_others = len(result.splits) - result.splits.count(group)
        if n_others:
            cautions.append(say("caution.others", n=n, n_others=n_others))
    else:
        cautions = [say(f"caution.group.{group}", n=n)]
    n_effective = effective_number(result.source_weights[counted])
    if n_effective is not None:
        effective = format_number(n_effective, 1)
        cautions.append(say("caution.weighted", n=n, effective=effective))
    few = too_few(n, n_effective)
    if few:
        cautions.append(say("caution.few_sources", few=few, needed=MIN_UNITS))
    cautions += _about_strata(result) + _about_size(result)
    classes = {
        name for name, own in zip(result.classes, result.splits, strict=True) if own == group
    }
    if len(classes - {None}) > 1 and "class" not in result.settings["strata"]:
        cautions.append(say("caution.class_free"))
    return cautions


def _about_strata(result: AgreementResult) -> list[str]:
    """Sources across which no annotation can be permuted."""
    strata = [
        stratum
        for stratum, counts in zip(result.strata, result.verdict_sources(), strict=True)
        if counts
    ]
    tests = [estimate.test for estimate in _tested(result) if estimate.test is not None]
    fewest = min(tests, key=lambda test: test.n_tested / test.n_sources, default=None)
    if fewest is not None and 0 < fewest.n_tested < FEW_PERMUTED * fewest.n_sources:
        return [say("caution.few_permuted", n_tested=fewest.n_tested, n=fewest.n_sources)]
    if any(PREDICTED_CLASS in key for key in result.settings["strata"]):
        return []  # a note says which sources keep their annotation
    alone = sum(n == 1 for n in Counter(strata).values())
    if not alone or set(strata) == {None} or len(strata) == 1:
        return []
    return [say("caution.alone", n=alone, strata=strata_words(result.settings["strata"]))]


def _about_draws(result: AgreementResult) -> list[str]:
    """Tests, of maps and within classes, whose decision depends on which permutations were drawn."""
    found: list[tuple[str, float, tuple[float, float], int]] = []
    for name in result.explanations:
        estimate, words = result.estimate(name, result.metrics[0]), map_in_sentence(name)
        tests = [(words, estimate.p_adjusted, estimate.p_adjusted_monte_carlo, estimate)]
        of_class = {e.class_name: e for e in classes_of(result, estimate)}
        tests += [
            (f"{words} within {e.class_name}", e.p_adjusted, e.monte_carlo, of_class[e.class_name])
            for e in class_effects(result, estimate)
        ]
        for called, p_value, ends, tested in tests:
            if p_value is None or ends is None or tested.test is None:
                continue
            # where no p-value could be small enough, that is said elsewhere
            could = smallest_adjusted(tested) <= SIGNIFICANCE_LEVEL
            if could and ends[0] <= SIGNIFICANCE_LEVEL < ends[1]:
                found.append((called, p_value, ends, tested.test.n_draws))
    if not found:
        return []
    maps = [
        say(
            "caution.monte_carlo.map", map=words, p=p, low=format_p(ends[0]), high=format_p(ends[1])
        )
        for words, p, ends, _ in found
    ]
    n_draws = max(n for *_, n in found)
    needed = max(draws_to_decide(p, ends, n) for _, p, ends, n in found)
    remedy = say(
        "caution.monte_carlo.more" if needed <= MOST_DRAWS else "caution.monte_carlo.borderline",
        n_draws=n_draws,
        needed=min(needed, MOST_DRAWS),
        option=str(needed),
    )
    named = first_of(maps, MOST_TESTS) if len(maps) > MOST_TESTS else listed(maps)
    return [say("caution.monte_carlo", n=len(maps), maps=named, remedy=remedy)]


def draws_to_decide(p_value: float, ends: tuple[float, float], n_draws: int) -> int:
    """About how many draws bring the Monte Carlo interval to one side of the level, to one or two digits.

    Its half-width falls with the root of their number. The p-value is taken to stay where it is.
    """
    below = p_value <= SIGNIFICANCE_LEVEL
    reach = ends[1] - p_value if below else p_value - ends[0]
    distance = max(abs(p_value - SIGNIFICANCE_LEVEL), 1e-6)
    # a quarter more, since exact intervals are skewed and narrow a little more slowly
    draws = n_draws * max(2.0, 1.25 * (reach / distance) ** 2)
    unit: int = 10 ** max(math.floor(math.log10(draws)), 0)
    return math.ceil(draws / unit) * unit


def _about_size(result: AgreementResult) -> list[str]:
    """What sources of different size can do to the tests, where no stratum controls for size."""
    strata = result.settings["strata"]
    tested = _tested(result)
    if not tested or any(SIZE in key for key in strata):
        return []
    rates = _rates_by_size(result)
    measured = ""
    if rates:
        measured = say(
            "caution.size.measured",
            strata=_same(strata),
            metric=METRICS[result.metrics[0]].label,
            shares=_share_range(rates),
            n=N_PERMUTATION_PAIRINGS,
        )
    return [say("caution.size", measured=measured, options=_size_options(strata))]


def size_warning(results: Sequence[AgreementResult]) -> str:
    """The line under the headline where size alone makes a test significant far too often; empty elsewhere."""
    misled = []
    for result in results:
        if any(SIZE in key for key in result.settings["strata"]):
            continue
        significant = [e for e in _tested(result) if (e.p_adjusted or 0.0) <= SIGNIFICANCE_LEVEL]
        if significant and max(_rates_by_size(result), default=0.0) >= MISCALIBRATED:
            misled.append(result)
    if not misled:
        return ""
    strata = misled[0].settings["strata"]
    named = say("caution.line.models", models=listed([result.model_name for result in misled]))
    return say(
        "caution.line",
        models=named if len(misled) < len(results) else "",
        strata=_same(strata),
        shares=_share_range([rate for result in misled for rate in _rates_by_size(result)]),
        n=N_PERMUTATION_PAIRINGS,
        size=_within_size(results),
        options=_size_options(strata),
    )


def _within_size(results: Sequence[AgreementResult]) -> str:
    """What is left of the maps that agree when annotations are permuted within halves of size as well."""
    agree = [
        estimate
        for result in results
        for estimate in _tested(result)
        if (estimate.p_adjusted or 0.0) <= SIGNIFICANCE_LEVEL
    ]
    adjusted = [e.p_within_size_adjusted for e in agree if e.p_within_size_adjusted is not None]
    if not agree or len(adjusted) < len(agree):
        return ""
    n, left = len(adjusted), sum(p <= SIGNIFICANCE_LEVEL for p in adjusted)
    if not left:
        return say("caution.line.none")
    if left < n:
        return say("caution.line.some", n=n, left=left)
    at_most = say("caution.line.at_most") if min(adjusted) < max(adjusted) else ""
    return say("caution.line.all", n=n, p=max(adjusted), at_most=at_most)


def _tested(result: AgreementResult) -> list[Estimate]:
    """The tests of the maps that the verdict rests on."""
    estimates = [result.estimate(name, result.metrics[0]) for name in result.explanations]
    return [estimate for estimate in estimates if estimate.test is not None]


def _rates_by_size(result: AgreementResult) -> list[float]:
    """How often each test is significant with the pairing broken among sources of similar size, if measured."""
    rates = [estimate.within_rejections_pairing_broken for estimate in _tested(result)]
    return [rate for rate in rates if rate is not None]


def _share_range(rates: Sequence[float]) -> str:
    return " to ".join(dict.fromkeys(map(format_share, (min(rates), max(rates)))))


def _same(strata: Sequence[str]) -> str:
    return say("caution.size.strata", strata=strata_words(strata)) if strata else ""


def _size_options(strata: Sequence[str]) -> str:
    return " ".join(f"--strata {key}" for key in (*strata, SIZE))


def _about_annotators(result: AgreementResult) -> list[str]:
    generalises = result.generalises_to
    if result.settings["consensus"]:
        return [say("caution.consensus", name=result.annotators[0]), generalises]
    if len(result.annotators) == 1:
        return [say("caution.one_annotator"), generalises]
    few = len(result.annotators) <= FEW_ANNOTATORS
    sentences = [
        generalises,
        say("caution.these_annotators.few" if few else "caution.these_annotators"),
    ]
    marked = np.isfinite(result.values[..., result.verdict_sources()]).any(axis=(0, 1))
    if len(np.unique(marked, axis=1).T) > 1 and ("annotators" not in result.settings["strata"]):
        sentences.append(say("caution.not_all_marked"))
    return sentences
