"""Where fewer sources are permuted than used, every part of a report gives their number."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from attnxai.report.figures.text import bar_phrase
from attnxai.report.methods import methods_text
from attnxai.report.page_tables import latex_caption, verdict_table
from attnxai.report.terminal import print_report
from tests.report.several import content_of, verdict_on


def parts_of_a_report(good, n_tested=16, **settings):
    """The texts of a report of sixteen sources of which some are permuted, by the part that they stand in."""

    def fewer(estimate):
        if estimate.within_strata is None:
            return estimate
        test = dataclasses.replace(
            estimate.within_strata, n_tested=n_tested, weight_tested=n_tested / 16
        )
        return dataclasses.replace(estimate, within_strata=test)

    content = content_of(good, contrasts=False)
    result = content.parts[0].result
    result = dataclasses.replace(
        result,
        estimates=tuple(map(fewer, result.estimates)),
        settings={**result.settings, **settings},
    )
    content = dataclasses.replace(
        content, parts=(dataclasses.replace(content.parts[0], result=result),)
    )
    verdict = verdict_on(content)
    console = Console(file=io.StringIO(), width=1000)
    print_report([result], verdict, console)
    return {
        "headline": verdict.headline,
        "cautions": " ".join(verdict.cautions),
        "table": verdict_table(content.parts, verdict).note,
        "caption": bar_phrase([result], "nss"),
        "methods": methods_text(content).plain,
        "LaTeX": latex_caption(result),
        "terminal": " ".join(console.file.getvalue().split("minus brightness: less")[0].split()),
    }


SAID = {
    "headline": "16 held-out sources, 5 of them permuted)",
    "cautions": "Only 5 of 16 sources are permuted, and p-values rest on these.",
    "table": "5 of 16 sources are permuted; the others keep their own annotation, so that",
    "caption": "of the same class (5 of 16; the others keep their own); a point",
    "methods": "Of 16 sources, 5 were permuted; the others kept their own annotation.",
    "LaTeX": "5 of 16 sources are permuted; the others keep their own annotation, so that",
    "terminal": "of the same class (5 of 16; the others keep their own); p",
}


@pytest.mark.parametrize("part", SAID)
def test_the_number_of_permuted_sources_is_given_where_it_is_not_that_of_all(good, part):
    assert SAID[part] in parts_of_a_report(good, 5)[part]
    assert "of 16" not in parts_of_a_report(good, 16)[part]
    assert "permuted)" not in parts_of_a_report(good, 16)["headline"]


def test_a_caution_warns_where_less_than_two_thirds_are_permuted(good):
    assert "Only 10 of 16 sources" in parts_of_a_report(good, 10)["cautions"]
    assert "Only" not in parts_of_a_report(good, 11)["cautions"]


BLOCKS = {
    "table": "Annotations are permuted within 6 random blocks of sources.",
    "methods": "dealt at random into 6 blocks, within which annotations were permuted.",
    "LaTeX": "Annotations are permuted within 6 random blocks of sources.",
    "terminal": "permuted: with the annotations of sources of the same class, within 6 random blocks; p",
}


@pytest.mark.parametrize("part", BLOCKS)
def test_permutations_within_blocks_are_said_where_there_are_several(good, part):
    assert BLOCKS[part] in parts_of_a_report(good, n_blocks=6)[part]
    assert "blocks" not in parts_of_a_report(good, n_blocks=1)[part]
