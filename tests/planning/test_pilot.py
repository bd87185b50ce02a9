"""What a pilot says: read from a report, inferred from the null's range, known from whole tables."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from attnxai.agreement.comparison import ComparisonSettings, compare
from attnxai.agreement.effect_components import components_of_tables, parts_of
from attnxai.errors import AssumptionWarning, OptionError
from attnxai.nulls import SourcePermutation, run_null_test
from attnxai.planning.pilot import (
    _FORMAT,
    _infer,
    read_pilot,
)
from attnxai.planning.rejections import count_rejections
from attnxai.report.summary import FORMAT
from tests.builders import made_up
from tests.planning.pilot_report import write_pilot


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pilot")
    return folder, write_pilot(folder)


def tables(
    n, k, rng, *, effect=0.5, source=0.6, pairing=0.8, residual=0.5, partners=1.0, habit=0.3
):
    """Values of all pairs, for every annotator; partners make all values of a row or column high."""
    values = (
        partners * rng.normal(size=(n, 1))
        + partners * rng.normal(size=n)
        + habit * rng.normal(size=(k, 1, 1))
        + residual * rng.normal(size=(k, n, n))
    )
    own = effect + source * rng.normal(size=n)
    between = pairing * rng.normal(size=(n, n))
    np.fill_diagonal(between, own)
    return values + between


def stored(values, classes, *, n_draws=4999, rng=0):
    """What a report keeps of a table of all pairs."""
    draws = SourcePermutation(within_strata=True).draw(
        classes, n_draws=n_draws, rng=np.random.default_rng(rng)
    )
    test = run_null_test(values.mean(axis=0), draws, null="within class")
    low, high = test.range()
    return _infer(
        np.diagonal(values, axis1=1, axis2=2),
        null_mean=test.mean,
        null_deviation=(high - low) / (2 * 1.96),
        permutes_within=classes,
    )


# --- reading ---------------------------------------------------------------------------------------


def test_a_report_is_read(report):
    folder, result = report
    pilot = read_pilot(folder)
    assert (pilot.model_name, pilot.map_name, pilot.metric) == ("made-up", "mean", "nss")
    assert (pilot.group, pilot.n_sources, pilot.n_annotators) == ("held-out", 24, 2)
    assert pilot.class_sizes == (12, 12)
    assert pilot.n_maps == len(result.explanations)
    assert not pilot.inferred
    components, effect = result.estimate("mean", "nss").spreads
    assert (pilot.effect.value, pilot.effect.low) == (effect.value, effect.low)
    for name in ("sd_source", "sd_residual", "sd_annotator", "sd_pairing", "sd_value"):
        assert getattr(pilot.components, name) == getattr(components, name)
    np.testing.assert_array_equal(pilot.components.deviations, components.deviations)
    assert pilot.effect.low < pilot.effect.value < pilot.effect.high
    json.dumps(pilot.to_record())


def test_what_a_report_does_not_hold_is_inferred(report, tmp_path):
    folder, result = report
    pilot = read_pilot(changed(folder, tmp_path, lambda r: r.update(spreads=None)))
    assert pilot.inferred
    test = result.estimate("mean", "nss").within_strata
    assert pilot.effect.value == pytest.approx((test.observed - test.mean) / (1 - 2 / 24))
    assert pilot.effect.low < pilot.effect.value < pilot.effect.high
    assert pilot.effect.value == pytest.approx(read_pilot(folder).effect.value, rel=0.05)
    means = result.source_means("mean", "nss")
    classes = np.array(result.classes)
    centred = means - np.array([means[classes == c].mean() for c in classes])
    np.testing.assert_allclose(pilot.components.deviations, centred, atol=1e-9)


def test_one_annotator_who_skipped_a_source_leaves_it_to_inference():
    maps, marks, images = made_up(n_sources=12)
    fewer = dataclasses.replace(marks, annotations=marks.annotations[1:])
    settings = ComparisonSettings(metrics=("nss",), n_permutations=19, n_bootstrap=100)
    assert compare(maps, fewer, images, settings=settings).estimate("mean", "nss").spreads is None
    whole = compare(maps, marks, images, settings=settings)
    assert whole.estimate("mean", "nss").spreads is not None
    assert whole.estimate("mean", "nss", class_name="FR I").spreads is None


def test_a_map_and_a_metric_can_be_chosen(report):
    folder, result = report
    pilot = read_pilot(folder, metric="Spearman", map_name="GATE1")
    assert (pilot.map_name, pilot.metric) == ("gate1", "spearman")
    _, effect = result.estimate("gate1", "spearman").spreads
    assert pilot.effect.value == effect.value
    with pytest.raises(OptionError, match="has no map 'gate9'; it has gate1, gate2, mean"):
        read_pilot(folder, map_name="gate9")
    with pytest.raises(OptionError, match="has no metric 'auc'; it has nss, spearman"):
        read_pilot(folder, metric="auc")


def test_without_classes_the_strata_that_stand_in_for_them_are_read(tmp_path):
    result = write_pilot(tmp_path, classes=(), annotators=("ann",))
    pilot = read_pilot(tmp_path)
    test = result.estimate("mean", "nss").within_strata
    n_strata = len(set(result.strata))
    assert sorted(pilot.class_sizes) == sorted(Counter(result.strata).values())
    expected = (test.observed - test.mean) / (1 - n_strata / 24)
    assert pilot.effect.value == pytest.approx(expected, rel=0.05)
    assert pilot.components.sd_residual == pilot.components.sd_annotator == 0.0


def test_a_pilot_whose_pooled_test_decides_nothing_is_refused(tmp_path, report):
    folder, _ = report
    shutil.copytree(folder, tmp_path / "pilot")
    path = tmp_path / "pilot" / "summary.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    for record in summary["models"][0]["results"]:
        record["not_tested"] = "the classes of the sources are not known"
    path.write_text(json.dumps(summary), encoding="utf-8")
    with pytest.raises(OptionError, match=r"did not test .* \(the classes of the sources"):
        read_pilot(tmp_path / "pilot")


def test_the_name_of_the_format_is_that_of_reports():
    assert _FORMAT == FORMAT


def test_what_is_no_pilot_is_named(report, tmp_path):
    folder, _ = report
    with pytest.raises(OptionError, match=r"holds no summary\.json; name a folder that attnxai"):
        read_pilot(tmp_path)
    path = tmp_path / "summary.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(OptionError, match=r"summary\.json is not valid JSON"):
        read_pilot(tmp_path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(OptionError, match="not a summary of attnxai compare"):
        read_pilot(tmp_path)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    path.write_text(json.dumps(summary), encoding="utf-8")
    with pytest.raises(OptionError, match=r"no per_source\.csv"):
        read_pilot(tmp_path)
    table = pd.read_csv(folder / "per_source.csv")
    table.drop(columns="mean:nss").to_csv(tmp_path / "per_source.csv", index=False)
    with pytest.raises(OptionError, match=r"damaged or of another version .*mean:nss"):
        read_pilot(tmp_path)
    table.astype({"mean:nss": str}).replace({"mean:nss": {"x": "y"}}).assign(
        **{"mean:nss": "high"}
    ).to_csv(tmp_path / "per_source.csv", index=False)
    with pytest.raises(OptionError, match="damaged"):
        read_pilot(tmp_path)
    table[table["source"] <= "source_03"].to_csv(tmp_path / "per_source.csv", index=False)
    with pytest.raises(OptionError, match=r"has 4 held-out sources .* needs 6 or more"):
        read_pilot(tmp_path)


def changed(folder, target, change):
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for record in summary["models"][0]["results"]:
        change(record)
    target.mkdir(exist_ok=True)
    (target / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (target / "per_source.csv").write_bytes((folder / "per_source.csv").read_bytes())
    return target


def test_a_pilot_without_a_test_or_a_spread_cannot_be_planned_from(report, tmp_path):
    folder, _ = report
    untested = changed(
        folder,
        tmp_path / "untested",
        lambda r: r.update(p_within_strata=None, p_pooled=None, not_tested="no pairs"),
    )
    with pytest.raises(OptionError, match=r"did not test mean \(no pairs\)"):
        read_pilot(untested)
    constant = changed(
        folder,
        tmp_path / "constant",
        lambda r: r.update(null_sd_within_strata=0.0, spreads=None),
    )
    with pytest.raises(OptionError, match="permuting annotations changes nothing"):
        read_pilot(constant)


def test_weights_are_mentioned(report, tmp_path):
    folder, _ = report
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    summary["settings"]["weighted"] = True
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (tmp_path / "per_source.csv").write_bytes((folder / "per_source.csv").read_bytes())
    with pytest.warns(AssumptionWarning, match="weighed its sources"):
        read_pilot(tmp_path)


# --- what is inferred ------------------------------------------------------------------------------

CLASSES = ["FR I", "FR II"] * 30


def mean_components(infer, **made):
    rng = np.random.default_rng(1)
    found = [infer(tables(60, 3, rng, **made), CLASSES) for _ in range(30)]
    parts = [components for components, _ in found]
    return {
        "effect": np.mean([c.effect for c in parts]),
        "source": np.sqrt(np.mean([c.sd_source**2 for c in parts])),
        "residual": np.sqrt(np.mean([c.sd_residual**2 for c in parts])),
        "annotator": np.sqrt(np.mean([c.sd_annotator**2 for c in parts])),
        "pairing": np.sqrt(np.mean([c.sd_pairing**2 for c in parts])),
        "value": np.sqrt(np.mean([c.sd_value**2 for c in parts])),
        "covered": np.mean([interval.low <= 0.5 <= interval.high for _, interval in found]),
    }


def test_whole_tables_give_back_what_they_were_made_of():
    found = mean_components(components_of_tables)
    assert found["effect"] == pytest.approx(0.5, abs=0.05)
    assert found["source"] == pytest.approx(0.6, rel=0.1)
    assert found["pairing"] == pytest.approx(0.8, rel=0.05)
    assert found["residual"] == pytest.approx(0.5, rel=0.05)
    assert found["annotator"] == pytest.approx(0.3, rel=0.3)
    assert found["value"] == pytest.approx(math.sqrt(2 + 0.36), rel=0.1)
    assert found["covered"] >= 0.85


def test_a_report_gives_effect_and_null_and_rather_too_much_spread_of_sources():
    found = mean_components(stored)
    assert found["effect"] == pytest.approx(0.5, abs=0.05)
    assert found["pairing"] == pytest.approx(0.8, rel=0.1)
    assert found["residual"] == pytest.approx(0.5, rel=0.1)
    assert found["source"] == pytest.approx(math.sqrt(2 + 0.36), rel=0.1)
    assert found["covered"] >= 0.9
    # partners that match nobody better: now the values spread as sources do
    alike = mean_components(stored, partners=0.0, source=1.0)
    assert alike["source"] == pytest.approx(1.0, rel=0.1)


def test_tables_with_few_or_missing_pairs_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(OptionError, match="class b has 2 sources"):
        components_of_tables(rng.normal(size=(1, 5, 5)), list("aaabb"))
    values = rng.normal(size=(1, 6, 6))
    values[0, 1, 2] = np.nan
    with pytest.raises(OptionError, match="finite values of all 6 by 6 pairs"):
        components_of_tables(values, list("aaabbb"))


def test_variance_components_without_gaps_are_those_of_the_analysis_of_variance():
    rng = np.random.default_rng(2)
    values = rng.normal(size=12) + rng.normal(size=(4, 1)) + rng.normal(size=(4, 12))
    source, annotator = values.mean(axis=0), values.mean(axis=1)
    left = values - source - annotator[:, None] + values.mean()
    residual = (left**2).sum() / (11 * 3)
    found = parts_of(values, n_lost=1)
    assert found.residual == pytest.approx(residual)
    assert found.source == pytest.approx(source.var(ddof=1) - residual / 4)
    assert found.annotator == pytest.approx(annotator.var(ddof=1) - residual / 12)
    alone = parts_of(values[:1], n_lost=1)
    assert alone.source == pytest.approx(values[0].var(ddof=1))
    assert alone.residual == alone.annotator == 0.0


def test_a_plan_from_a_pilot_foretells_the_power_of_planted_agreement():
    """Smooth maps that follow the marked place a little, with a shared centre; NSS; 40-source pilots.

    From whole tables the power is within 10 points on average; from a report it errs to the low side
    where power is high.
    """
    from scipy.ndimage import gaussian_filter

    from attnxai.metrics import nss

    rng = np.random.default_rng(6)
    n, side, k = 240, 32, 3
    y, x = np.mgrid[:side, :side]
    places = rng.normal(side / 2, 5, size=(n, 2))

    def blobs(at, width):
        return np.exp(-((x - at[:, :1, None]) ** 2 + (y - at[:, 1:, None]) ** 2) / (2 * width**2))

    noise = gaussian_filter(rng.normal(size=(n, side, side)), (0, 3, 3))
    maps = noise / noise.std() + 0.7 * blobs(places, 4) * rng.uniform(0, 2, size=(n, 1, 1))
    values = np.stack(
        [
            nss.evaluate(
                maps.reshape(n, -1), blobs(places + rng.normal(0, 1.5, (n, 2)), 2).reshape(n, -1)
            )
            for _ in range(k)
        ]
    )
    classes = np.array(CLASSES * 4)
    members = [np.flatnonzero(classes == name) for name in ("FR I", "FR II")]

    def sample(size):
        chosen = np.concatenate([rng.choice(m, size // 2, replace=False) for m in members])
        return values[:, chosen[:, None], chosen], [str(c) for c in classes[chosen]]

    means = values.mean(axis=0)
    effect = np.mean(
        [
            np.trace(means[np.ix_(m, m)]) / len(m)
            - (means[np.ix_(m, m)].sum() - np.trace(means[np.ix_(m, m)])) / (len(m) * (len(m) - 1))
            for m in members
        ]
    )
    pilots = [sample(40) for _ in range(12)]
    from_tables = [components_of_tables(*pilot)[0] for pilot in pilots]
    from_reports = [stored(*pilot)[0] for pilot in pilots]
    for size in (20, 40):
        rejected = 0
        for _ in range(300):
            table, names = sample(size)
            draws = SourcePermutation(within_strata=True).draw(names, n_draws=999, rng=rng)
            test = run_null_test(table.mean(axis=0), draws, null="within class")
            rejected += test.p_value <= 0.05
        actual = rejected / 300

        def foretold(found, size=size):
            return np.mean(
                [
                    count_rejections(
                        dataclasses.replace(c, effect=effect),
                        (size // 2, size // 2),
                        k,
                        level=0.05,
                        n_simulations=1000,
                        rng=rng,
                    )
                    / 1000
                    for c in found
                ]
            )

        assert 0.3 < actual < 0.99
        assert foretold(from_tables) == pytest.approx(actual, abs=0.1)
        assert actual - 0.25 < foretold(from_reports) < actual + 0.1
