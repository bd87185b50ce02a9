"""``attnxai plan``: from a pilot, from given spreads, what it writes, and what can be wrong."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from attnxai.agreement.effect_components import Components
from attnxai.planning.pilot import pilot_effects, read_pilot
from attnxai.planning.plan import ANNOTATORS, plan_power
from attnxai.report.planning import FILES
from attnxai.statistics.formats import all_with_intervals, format_value, with_interval
from tests.cli.program import attnxai
from tests.planning.pilot_report import write_pilot


@pytest.fixture(scope="module")
def pilot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pilot")
    write_pilot(folder, annotators=("ann", "bob", "cleo"))
    return folder


def run(*arguments, code=0, width=160):
    return attnxai("plan", *arguments, check=code, width=width).words


GIVEN = ("--effect", 0.4, "--sd-source", 0.6, "--sd-residual", 1.0)


def test_given_spreads_are_planned_with() -> None:
    shown = run(*GIVEN, "--sd-annotator", 0.2, "--n-sources", "20, 40,60", "--n-annotators", "1,3")
    expected = plan_power(
        Components(effect=0.4, sd_source=0.6, sd_residual=1.0, sd_annotator=0.2),
        n_sources=(20, 40, 60),
        n_annotators=(1, 3),
        rng=0,
    )
    assert expected.sentence() in shown
    found, with_three = expected.smallest(1), expected.smallest(3)
    assert found is not None
    assert with_three is not None
    powers = all_with_intervals([expected.power_interval(one) for one in (found, with_three)])
    row = f"1 {found.n_sources} {powers[0]}"
    assert row in shown
    assert f"{with_three.half_width:.2f} {with_three.half_width_others:.2f}" in shown
    assert "With 3 annotators or fewer" in shown
    assert "pilot" not in shown.lower()


def test_a_pilot_is_planned_from(pilot) -> None:
    shown = run("--pilot", pilot, "--n-sources", "10,20,30,40", "--seed", 3)
    found = read_pilot(pilot)
    expected = plan_power(
        found.components,
        n_sources=(10, 20, 30, 40),
        n_maps=found.n_maps,
        class_shares=found.class_sizes,
        effect_low=found.effect.low,
        rng=3,
    )
    assert "Pilot: made-up, mean, NSS, 24 held-out sources, 3 annotators" in shown
    assert expected.sentence("an agreement (NSS)") in shown
    assert "at level 0.05 / 3" in shown
    assert f"here it is {with_interval(found.effect)}." in shown
    assert f"an agreement (NSS) {format_value(found.effect)} above" in shown
    assert "selected for being large" in shown
    best = expected.fewest_marks()
    assert best is not None
    enough = expected.smallest(best.n_annotators, at_low_effect=True)
    needed = "more than 40" if enough is None else str(enough.n_sources)
    assert (
        f"have a power of {100 * best.power_at_low_effect:.0f} %, and a power of 80 % needs {needed} sources."
        in shown
    )


def test_map_metric_effect_and_number_of_maps_can_be_chosen(pilot) -> None:
    shown = run(
        *("--pilot", pilot, "--metric", "spearman", "--map", "gate1", "--effect", 0.05),
        *("--n-maps", 1, "--level", 0.01, "--power", 0.9, "--n-sources", "20,200"),
    )
    assert "gate1, Spearman ρ, 24" in shown
    assert "For 90 % power to detect an agreement (Spearman ρ) 0.05 above" in shown
    assert "at level 0.01, " in shown
    # the pilot's own effect no longer matters, nor how uncertain it is
    assert "if effect" not in shown
    assert "selected for being large" not in shown


def test_the_same_seed_gives_the_same_plan(tmp_path) -> None:
    short = (*GIVEN, "--n-sources", "6,20,40", "--n-annotators", "1,2")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(*short, "--seed", seed, "--output", tmp_path / name)
    tables = [(tmp_path / name / "plan.csv").read_bytes() for name in "abc"]
    assert tables[0] == tables[1] != tables[2]


def test_what_is_written(pilot, tmp_path) -> None:
    folder = tmp_path / "plan"
    shown = run(
        "--pilot", pilot, "--n-sources", "20,40", "--n-annotators", "1,3", "--output", folder
    )
    assert all(str(folder / name) in shown for name in FILES)
    assert sorted(path.name for path in folder.iterdir()) == sorted((*FILES, "manifest.json"))
    table = pd.read_csv(folder / "plan.csv")
    assert list(table["n_sources"]) == [20, 40, 20, 40]
    content = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert content["format"] == "attnxai-plan"
    assert content["pilot"]["map_name"] == "mean"
    np.testing.assert_allclose([d["power"] for d in content["designs"]], table["power"])
    assert (folder / "plan.png").read_bytes()[:4] == b"\x89PNG"
    again = run("--pilot", pilot, "--n-sources", "20", "--output", folder, code=2)
    assert "holds a plan already" in again
    run("--pilot", pilot, "--n-sources", "20", "--output", folder, "--overwrite")
    assert len(pd.read_csv(folder / "plan.csv")) == len(ANNOTATORS)


def test_nothing_else_is_ever_replaced(tmp_path) -> None:
    (tmp_path / "thesis.tex").write_text("x", encoding="utf-8")
    shown = run(*GIVEN, "--output", tmp_path, "--overwrite", code=2)
    assert "other files than a plan" in shown
    assert "is a file" in run(*GIVEN, "--output", tmp_path / "thesis.tex", code=2)
    assert (tmp_path / "thesis.tex").read_text(encoding="utf-8") == "x"


def test_a_pilot_that_shows_nothing_needs_an_effect(pilot, tmp_path) -> None:
    (tmp_path / "per_source.csv").write_bytes((pilot / "per_source.csv").read_bytes())

    def with_effect(effect):
        summary = json.loads((pilot / "summary.json").read_text(encoding="utf-8"))
        for record in summary["models"][0]["results"]:
            if record["spreads"] is not None:
                record["spreads"] |= {
                    "effect": effect,
                    "effect_ci_low": effect - 0.2,
                    "effect_ci_high": effect + 0.2,
                }
        (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")

    arguments = ("--pilot", tmp_path, "--n-sources", "20,40", "--n-annotators", "1")
    with_effect(0.01)
    assert "The pilot does not rule out that there is no effect" in run(*arguments)
    with_effect(-0.01)
    shown = run(*arguments, code=2)
    assert "agrees no better with its own annotations" in shown
    assert "the effect of mean is −0.01 [−0.21, 0.19] in nss; no map and metric of" in shown
    assert "say with --effect" in shown
    assert "0.5 above" in run(*arguments, "--effect", 0.5)


def test_pairs_that_do_have_an_effect_are_named(pilot, tmp_path) -> None:
    (tmp_path / "per_source.csv").write_bytes((pilot / "per_source.csv").read_bytes())
    summary = json.loads((pilot / "summary.json").read_text(encoding="utf-8"))
    for record in summary["models"][0]["results"]:
        if record["spreads"] is not None:
            shown = (record["explanation"], record["metric"]) == ("gate2", "spearman")
            record["spreads"]["effect"] = 0.12 if shown else -0.24
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    arguments = ("--pilot", tmp_path, "--n-sources", "20,40", "--n-annotators", "1")
    assert pilot_effects(tmp_path)["gate2", "spearman"].value == pytest.approx(0.12)
    error = run(*arguments, code=2)
    assert re.search(
        r"the effect of mean is −0\.240? \[.*\] in nss; those above 0: gate2 in spearman \(0\.120 \[0\.088, 0\.161\]\); cho",
        error,
    )
    assert "0.120 above" in run(*arguments, "--map", "gate2", "--metric", "spearman")


def test_signs_are_explained_where_they_occur() -> None:
    few, enough = "fewer were not simulated", "none of the grid was enough, and this is its largest"
    arguments = ("--effect", 0.5, "--sd-source", 1, "--n-annotators", "1", "--n-sources")
    for sources, shown in (("20,40,60", ()), ("60,80", (few,)), ("6,8", (enough,))):
        text = run(*arguments, sources)
        assert [words for words in (few, enough) if words in text] == list(shown)
    text = run(*arguments, "60,80", width=80)
    assert re.search(r"≤ 60 0\.98\d+ \[0\.98", text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a plan needs a pilot (--pilot"),
        (("--effect", 1), "both --effect and --sd-source"),
        (("--effect", -1, "--sd-source", 1), "--effect has to be above 0, got -1"),
        (("--effect", 1, "--sd-source", 0), "without any spread"),
        ((*GIVEN, "--metric", "nss"), "--metric: this option needs --pilot or --agreement"),
        (
            (*GIVEN, "--power", 80),
            "--power has to lie between 0.01 and 0.99, ",
        ),
        ((*GIVEN, "--map", "mean"), "--map: this option needs --pilot"),
        (
            (*GIVEN, "--n-sources", "20,many"),
            "--n-sources 'many' should be a whole number from 2 to 100,000",
        ),
        (
            (*GIVEN, "--n-annotators", "0"),
            "--n-annotators '0' should be a whole number from 1 to 100,000",
        ),
        (("--pilot", "nowhere"), "holds no summary.json"),
        (
            ("--pilot", "nowhere", "--sd-source", 1),
            "--sd-source: with --pilot the standard deviations are those of the pilot",
        ),
    ],
)
def test_what_cannot_be_planned(arguments, words) -> None:
    assert words in run(*arguments, code=2)


def test_simulated_galaxies_stand_in_for_a_pilot() -> None:
    shown = run("--agreement", 0.1, "--n-sources", "10,20", "--n-annotators", "1,3")
    assert "maps that follow their source in 10 % of their variance" in shown
    assert "a first guess, which a pilot" in shown
    other = run(
        "--agreement", 0.1, "--metric", "AUC", "--n-sources", "10,20", "--n-annotators", "1"
    )
    assert "an agreement (AUC)" in other
    assert "--effect: with --agreement" in run("--agreement", 0.1, "--effect", 0.5, code=2)
    assert "--sd-source: with --agreement" in run("--agreement", 0.1, "--sd-source", 0.5, code=2)
    assert "above 0 and at most 1" in run("--agreement", 0, code=2)
    assert "unknown metric 'ssim'" in run("--agreement", 0.1, "--metric", "ssim", code=2)


def test_a_pilot_is_not_simulated_as_well(pilot) -> None:
    assert "this simulates a pilot" in run("--pilot", pilot, "--agreement", 0.1, code=2)
