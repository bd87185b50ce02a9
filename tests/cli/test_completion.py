"""What the Tab key completes."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from attnxai.audit import AUDITS
from attnxai.cli.completion import AUDIT_NAMES
from attnxai.cli.main import app
from attnxai.explanations.explaining import EXPLANATIONS
from attnxai.explanations.labels import LABELS
from attnxai.metrics import METRICS


def completed(words, folder="."):
    """What a Bash shell is offered for the last word."""
    environment = {
        "_ATTNXAI_COMPLETE": "complete_bash",
        "COMP_WORDS": f"attnxai {words}",
        "COMP_CWORD": str(len(words.split(" "))),
    }
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, [], prog_name="attnxai", env=environment)
    return done.output.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("comp", ["compare"]),
        ("compare --metr", ["--metric"]),
        ("compare --metric relevance_r", ["relevance_rank_accuracy"]),
        ("compare --metric nss,au", ["nss,auc"]),
        ("compare --null shi", ["shift"]),
        ("compare --null shift,symm", ["shift,symmetries"]),
        ("compare --correction m", ["max_t"]),
        ("compare --alternative t", ["two-sided"]),
        ("compare --strata a", ["annotators"]),
        ("compare --label ho", ["hotspot", "host"]),
        ("compare --explain gates_c", ["gates_centred"]),
        ("compare --device c", ["cpu", "cuda"]),
        ("compare --model d1", ["d1.pt", "d16.pt"]),
        ("compare --annotations e", ["expert.csv"]),
        ("models info --model c16", ["c16.pt"]),
        ("plan --metric spear", ["spearman"]),
        ("validate --part c", ["coverage"]),
        ("validate --null w", ["within-class"]),
        ("train --group C", ["C1", "C2", "C4", "C8", "C16"]),
        ("train --preset p", ["paper"]),
        ("study --baseline D1", ["D1", "D16"]),
    ],
)
def test_names_are_completed(words, found, tmp_path):
    assert completed(words, tmp_path) == found


def test_files_are_completed_beside_names(tmp_path):
    (tmp_path / "data.pt").touch()
    (tmp_path / "data.txt").touch()
    (tmp_path / "d [1]").mkdir()
    assert completed("compare --model da", tmp_path) == ["data.pt"]
    assert " ".join(completed("compare --model d", tmp_path)).endswith("d16.pt d [1]/ data.pt")


def test_every_metric_and_explanation_is_offered(tmp_path):
    built_in = {name for name, metric in METRICS.items() if metric.__module__.startswith("attnxai")}
    assert set(completed("compare --metric ", tmp_path)) >= built_in
    own = [n for n, m in EXPLANATIONS.items() if m.function.__module__.startswith("attnxai.")]
    assert tuple(AUDITS) == AUDIT_NAMES, "AUDIT_NAMES in attnxai/cli/completion.py"
    assert sorted(own) == sorted(LABELS), "LABELS in attnxai/explanations/labels.py"


def test_nobody_waits_for_pytorch():
    code = (
        "import sys; from attnxai.cli import completion as c\n"
        "for names in (c.metric_names, c.null_names, c.alternative_names, c.correction_names,\n"
        "              c.label_names, c.model_names, c.group_names, c.explanation_names): list(names())\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
