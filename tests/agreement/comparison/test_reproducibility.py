"""Same seed, same result: whatever the number of threads and the order of files, by the command itself."""

from __future__ import annotations

import csv
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
from tests.agreement.comparison.alike import assert_alike

# whole commands in processes of their own
pytestmark = pytest.mark.slow

NAMES = tuple(f"simulated_fr{c}_{i:02d}" for c in (1, 2) for i in range(1, 5))
COMMAND = (
    "compare", "--model", "d8.pt", "--annotations", "mine.csv", "--metric", "nss", "--metric", "spearman",
    "--null", "symmetries", "--null", "shift", "--strata", "class", "--strata", "size",
    "--correction", "max_t", "--n-permutations", "199", "--n-bootstrap", "200", "--seed", "3",
)  # fmt: skip


def folder_of(parent: Path, *, shuffled: bool) -> Path:
    """Eight sources of the sample with the rows of their table, and their files, in one order or another."""
    source, folder = sample_folder(), parent / "sample"
    (folder / "images").mkdir(parents=True)
    with (source / "expert.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] in NAMES]
    names = list(NAMES)
    if shuffled:
        rng = np.random.default_rng(1)
        rows = [rows[i] for i in rng.permutation(len(rows))]
        names = [names[i] for i in rng.permutation(len(names))]
    for name in names:
        shutil.copy(source / "images" / f"{name}.fits.gz", folder / "images")
    with (folder / "mine.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def summary_of(folder: Path, *, threads: int) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Summary and table of sources that the command writes with so many threads."""
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
    environment = {f"{name}_NUM_THREADS": str(threads) for name in libraries}
    done = subprocess.run(
        [sys.executable, "-m", "attnxai", *COMMAND],
        check=False, cwd=folder, capture_output=True, text=True, timeout=300,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = folder / "attnxai-report"
    with (report / "per_source.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return json.loads((report / "summary.json").read_text(encoding="utf-8")), rows


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """One thread, files in order."""
    folder = folder_of(tmp_path_factory.mktemp("single"), shuffled=False)
    return summary_of(folder, threads=1)


@pytest.mark.parametrize(("threads", "shuffled"), [(2, True), (4, False)])
def test_neither_threads_nor_the_order_of_files_change_a_number(
    single, tmp_path, threads, shuffled
):
    summary, rows = summary_of(folder_of(tmp_path, shuffled=shuffled), threads=threads)
    expected, expected_rows = single
    if shuffled:
        # of the file as it is, and that differs
        assert summary["annotations"].pop("sha256") != expected["annotations"]["sha256"]
        expected = {
            **expected,
            "annotations": {k: v for k, v in expected["annotations"].items() if k != "sha256"},
        }
    assert_alike(expected, summary)
    assert len(rows) == len(expected_rows)
    for one, other in zip(expected_rows, rows, strict=True):
        for name, value in one.items():
            if ":" in name and value:
                assert float(other[name]) == pytest.approx(float(value), rel=1e-12, abs=1e-14)
            else:
                assert other[name] == value


def test_the_comparison_is_one_in_which_numbers_could_change(single):
    """Sampled draws, several annotators, max-T, further nulls, shares of ceilings: nothing is left out."""
    summary, _ = single
    records = [r for r in summary["models"][0]["results"] if not r["is_baseline"]]
    main = [r for r in records if r["class"] == "all"]
    assert any(r["exhaustive_pooled"] is False for r in main)
    assert all(r["p_adjusted"] is not None for r in main)
    assert {f["null"] for r in main for f in r["further"]} == {"symmetries", "shift"}
    assert any(f["rejections_pairing_broken"] is not None for r in main for f in r["further"])
    assert any(r["ci_low"] is not None for r in main)
    assert summary["models"][0]["noise_ceilings"]
    assert any("null_sd_pooled" in r for r in main)
