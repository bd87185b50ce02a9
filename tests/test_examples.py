"""The scripts in examples/ run as they stand, and say something."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from matplotlib import pyplot as plt

EXAMPLES = Path(__file__).parents[1] / "examples"


EXPECTED = {
    "own_network.py": ["AgreementResult(my network: 40 sources, 1 map, 3 metrics)"],
    "three_lines.py": ["AgreementResult(D8: 40 sources, 4 maps, 1 metric)"],
    "several_annotators.py": ["simulated_3", "neither flipped"],
    "audit_a_model.py": ["Emission alone: accuracy 100 %"],
    "plan_a_study.py": ["half_width"],
    "maps_from_anywhere.py": [
        "brightness around",
        "adjusted",
        "map, brightness around minus contrast",
    ],
}


IN_A_PROCESS = "three_lines.py"


@pytest.mark.parametrize(
    ("name", "words"), [one for one in EXPECTED.items() if one[0] != IN_A_PROCESS]
)
def test_an_example_runs(name, words, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    with torch.random.fork_rng():
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    plt.close("all")
    said = capsys.readouterr().out
    for word in words:
        assert word in said
    assert not list(tmp_path.iterdir())


ALONE = [
    pytest.param(*one, marks=[] if one[0] == IN_A_PROCESS else pytest.mark.slow)
    for one in EXPECTED.items()
]


@pytest.mark.parametrize(("name", "words"), ALONE)
def test_an_example_runs_alone(name, words, tmp_path) -> None:
    """In a process of its own, which has imported nothing but what the example imports."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONWARNINGS": "error::UserWarning"},
    )
    assert done.returncode == 0, done.stderr
    for word in words:
        assert word in done.stdout
    assert not list(tmp_path.iterdir())


def test_every_example_is_run() -> None:
    shown = {path.name for path in EXAMPLES.glob("*.py")}
    # the sample is made anew, and the reliability of experts tested, by tests of their own
    of_their_own = {"simulate_sample.py", "expert_reliability.py"}
    assert shown == EXPECTED.keys() | of_their_own
