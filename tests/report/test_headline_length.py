"""A headline has two sentences at most, and can be read in ten seconds, whatever was found."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from attnxai.agreement.results import ALL
from attnxai.report.headline import headline_of
from attnxai.report.joint_headline import joint_headline
from tests.report.several import EVIL
from tests.report.verdicts import planted

MOST_WORDS = 75
ANNOTATIONS = "the human component associations"
SIDES = {"above": (0.5, 1.5), "open": (-0.5, 1.5), "below": (-1.5, -0.5)}


def check(headline):
    sentences = re.split(r"(?<=[\w)])\. (?=[A-Z])", headline)
    assert len(sentences) <= 2, headline
    assert not headline[0].islower()
    assert headline.endswith(".")
    assert not re.search(r"\.\.|\s\s|\{|; \.|, \.", headline), headline
    n_words = len(headline.replace(EVIL, "bad.pt").split())
    assert n_words <= MOST_WORDS, (n_words, headline)


def drawn(result, rng, name="d8.pt"):
    """The same result with findings, sides of classes and comparisons with baselines drawn at random."""

    def change(estimate):
        if estimate.is_baseline:
            return estimate
        low, high = SIDES[rng.choice(list(SIDES))]
        above = dataclasses.replace(
            estimate.above_chance, value=(low + high) / 2, low=low, high=high
        )
        numbers = {"above_chance": above}
        if estimate.class_name == ALL:
            test = dataclasses.replace(
                estimate.within_strata, alternative=rng.choice(["greater", "less", "two-sided"])
            )
            differences = {}
            for baseline, difference in estimate.differences.items():
                low, high = SIDES[rng.choice(list(SIDES))]
                differences[baseline] = (
                    dataclasses.replace(
                        difference,
                        low=np.nan,
                        high=np.nan,
                        note="no interval: the values are the same",
                    )
                    if rng.random() < 0.1
                    else dataclasses.replace(difference, value=(low + high) / 2, low=low, high=high)
                )
            numbers |= {"within_strata": test, "differences": differences}
            numbers["p_adjusted"] = rng.choice([0.0004, 0.04, 0.6, None], p=[0.4, 0.2, 0.3, 0.1])
        return dataclasses.replace(estimate, **numbers)

    settings = dict(result.settings) | {"alternative": str(rng.choice(["greater", "less"]))}
    return dataclasses.replace(
        result,
        model_name=name,
        estimates=tuple(map(change, result.estimates)),
        settings=settings,
    )


def test_of_one_model():
    _, result = planted()
    headlines = {
        headline_of(drawn(result, np.random.default_rng(s)), ANNOTATIONS) for s in range(400)
    }
    assert len(headlines) > 100
    for headline in headlines:
        check(headline)


@pytest.fixture(scope="module")
def contrasts(two):
    """Differences between two models: all found, one found, none shown, and too few sources to show one."""
    made = two.contrasts[0]

    def with_contrasts(*changed):
        found = dataclasses.replace(made.contrasts, contrasts=changed)
        return dataclasses.replace(made, contrasts=found)

    first, *others = made.contrasts.contrasts
    assert all(one.found for one in (first, *others))
    none = [dataclasses.replace(one, p_adjusted=0.6, p_others_adjusted=0.6) for one in others]
    coarse = [dataclasses.replace(one, smallest_p=0.5) for one in made.contrasts.contrasts]
    kept = dataclasses.replace(first, p_adjusted=0.6, p_others_adjusted=0.7)
    over = "over the 16 held-out sources that both share"
    return {
        "all": (made, "Of 3 differences( between the two models)? 3 are significant"),
        "one": (
            with_contrasts(first, *none),
            "Of 3 differences( between the two models)? 1 is significant",
        ),
        "none": (
            with_contrasts(kept, *none),
            f"No difference between the two models is significant {over} \\(smallest adjusted p = 0.60\\)",
        ),
        "coarse": (
            with_contrasts(*coarse),
            f"No difference between the two models can be shown {over}, however large, as they are too few",
        ),
    }


@pytest.mark.parametrize("n_models", [2, 4, 12])
@pytest.mark.parametrize("kind", ["all", "one", "none", "coarse", None])
def test_of_several_models(contrasts, n_models, kind):
    _, result = planted()
    between, words = contrasts[kind] if kind else (None, "")
    for seed in range(120 // n_models):
        rng = np.random.default_rng(seed)
        results = [drawn(result, rng, f"model{i}.pt") for i in range(n_models)]
        headline = joint_headline(results, ANNOTATIONS, between)
        assert re.search(rf"\. {words}", headline) or not kind
        check(headline)
