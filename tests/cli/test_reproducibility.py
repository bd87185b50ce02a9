"""Same command and seed, same numbers: whatever the order of files, rows and models, batch sizes and threads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnxai.annotations.sample import sample_folder
from attnxai.report.record import differences, numbers_of
from tests.cli.program import attnxai
from tests.cli.samples import read_table, write_table

# more than a batch of 16
NAMES = tuple(f"simulated_fr{c}_{i:02d}" for c in (1, 2) for i in range(1, 10))
MODELS = ("d8.pt", "c1.pt")
OPTIONS = (
    "--annotations", "mine.csv", "--images", "images", "--metric", "nss",
    "--null", "symmetries", "--strata", "class,size", "--correction", "max_t",
    "--n-permutations", "199", "--n-bootstrap", "200", "--seed", "3",
)  # fmt: skip


def command(models=MODELS):
    return ("compare", *(word for name in models for word in ("--model", name)), *OPTIONS)


def folder_of(parent: Path, *, shuffled: bool = False) -> Path:
    """Sources of the sample with the rows of their table, and their files, in one order or another."""
    source, folder = sample_folder(), parent / "sample"
    (folder / "images").mkdir(parents=True)
    rows = [row for row in read_table(source / "expert.csv") if row["source"] in NAMES]
    names = list(NAMES)
    if shuffled:
        rng = np.random.default_rng(1)
        rows = [rows[i] for i in rng.permutation(len(rows))]
        names = [names[i] for i in rng.permutation(len(names))]
    for name in names:
        shutil.copy(source / "images" / f"{name}.fits.gz", folder / "images")
    write_table(folder / "mine.csv", rows)
    return folder


def results_of(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Content of ``summary.json``, and the table of sources, in the report in a folder."""
    report = folder / "attnxai-report"
    summary = json.loads((report / "summary.json").read_text(encoding="utf-8"))
    return summary, (report / "per_source.csv").read_bytes()


def check_same(found, expected):
    """Every number and text is the same but the command and the hash of the table."""
    for summary in (found[0], expected[0]):
        summary["command"] = ""
        summary["annotations"]["sha256"] = ""
    assert differences(numbers_of(expected[0]), numbers_of(found[0])) == []
    assert found == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files in order, with the report of one run."""
    folder = folder_of(tmp_path_factory.mktemp("ordered"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attnxai.report.document._drawers", lambda *_: [])
        attnxai(*command(), cwd=folder, check=0)
    return folder


@pytest.fixture
def expected(folder):
    """What that run wrote."""
    return results_of(folder)


def test_the_order_of_files_and_rows_changes_nothing(expected, tmp_path, without_figures):
    shuffled = folder_of(tmp_path, shuffled=True)
    attnxai(*command(), cwd=shuffled, check=0)
    found = results_of(shuffled)
    assert found[0]["annotations"]["sha256"] != expected[0]["annotations"]["sha256"]
    check_same(found, expected)


@pytest.mark.parametrize(
    ("batch_size", "threads"), [(1, 1), (5, 2), pytest.param(32, 2, marks=pytest.mark.slow)]
)
def test_batches_and_threads_change_nothing(
    folder, expected, tmp_path, without_figures, monkeypatch, batch_size, threads
):
    """As on a GPU whose memory has room for fewer images, or on a processor of more cores."""
    asked = []
    monkeypatch.setattr(
        "attnxai.explanations.inputs.images_at_once", lambda n: asked.append(n) or batch_size
    )
    other = shutil.copytree(folder, tmp_path / "other")
    shutil.rmtree(other / "attnxai-report")
    attnxai(*command(), "--threads", threads, cwd=other, check=0)
    assert asked
    check_same(results_of(other), expected)


def test_the_order_of_models_only_changes_the_sign_of_differences(
    folder, expected, tmp_path, without_figures
):
    other = shutil.copytree(folder, tmp_path / "other")
    shutil.rmtree(other / "attnxai-report")
    attnxai(*command(MODELS[::-1]), cwd=other, check=0)
    found, _ = results_of(other)
    by_name = {model["name"]: model for model in found["models"]}
    for model in expected[0]["models"]:
        assert differences(numbers_of(model), numbers_of(by_name[model["name"]])) == []
    pairs = zip(expected[0]["contrasts"], found["contrasts"], strict=True)
    records = [
        p for one, two in pairs for p in zip(one["contrasts"], two["contrasts"], strict=True)
    ]
    assert len(records) >= 4
    for one, two in records:
        assert (one["first"], one["map"]) == (two["second"], two["map"])
        changed = {place for place, *_ in differences(numbers_of(one), numbers_of(two))}
        assert changed == {
            *("difference", "statistic", "ci_low", "ci_high", "ci_low_these", "ci_high_these")
        }
        assert one["difference"] == pytest.approx(-two["difference"], rel=1e-12)
        for low, high in (("ci_low", "ci_high"), ("ci_low_these", "ci_high_these")):
            assert one[low] == pytest.approx(-two[high], rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("threads", "shuffled"), [(1, False), (2, True), (4, False)])
def test_threads_of_the_process_change_nothing(expected, tmp_path, threads, shuffled):
    """As every library takes them from the environment, in a process of its own."""
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
    environment = {f"{name}_NUM_THREADS": str(threads) for name in libraries}
    folder = folder_of(tmp_path, shuffled=shuffled)
    done = subprocess.run(
        [sys.executable, "-m", "attnxai", *command(), "--figures", "png"],
        check=False, cwd=folder, capture_output=True, text=True, timeout=300,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    check_same(results_of(folder), expected)


def test_the_comparison_is_one_in_which_numbers_could_change(expected):
    """Sampled draws, several annotators, max-T, further nulls, shares of ceilings: nothing is left out."""
    summary, _ = expected
    records = [r for r in summary["models"][0]["results"] if not r["is_baseline"]]
    main = [r for r in records if r["class"] == "all"]
    assert any(r["exhaustive_pooled"] is False for r in main)
    assert all(r["p_adjusted"] is not None for r in main)
    assert {f["null"] for r in main for f in r["further"]} == {"symmetries"}
    assert any(f["rejections_pairing_broken"] is not None for r in main for f in r["further"])
    assert any(r["ci_low"] is not None for r in main)
    assert summary["models"][0]["noise_ceilings"]
    assert any("null_sd_pooled" in r for r in main)


def test_the_page_holds_the_same_numbers(expected, folder):
    """What a report says of its numbers does not depend on the run either, so that it can be repeated."""
    from attnxai.report.record import is_summary_of, read_record

    record, _ = read_record(folder / "attnxai-report")
    assert is_summary_of(record, expected[0])
    assert record.n_numbers == len(numbers_of(expected[0]))
