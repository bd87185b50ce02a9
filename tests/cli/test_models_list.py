"""``attnxai models list``: what ships, from the cards alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from attnxai.models import zoo
from attnxai.models.card_file import write_card
from attnxai.report.model_card import percent
from tests.cli.program import attnxai, refused
from tests.models.card_builders import make_card, make_part


def listed(columns=200):
    return attnxai("models", "list", width=columns)


def rows_of(*, columns=200):
    lines = listed(columns).stdout.splitlines()
    head = next(index for index, line in enumerate(lines) if "─" in line)
    rows = [re.split(r"  +", line.strip()) for line in lines[head + 1 : -1] if line.strip()]
    return rows, lines[-1]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    folder = tmp_path / "models" / "shipped"
    folder.mkdir(parents=True)
    monkeypatch.setattr(zoo.resources, "files", lambda package: tmp_path)
    return folder


def test_every_model_that_ships_is_listed():
    rows, last = rows_of(columns=80)
    cards, files = zoo.shipped_cards(), zoo.shipped_models()
    assert [row[0] for row in rows] == [file.name for file in files.values()]
    for row, (name, file) in zip(rows, files.items(), strict=True):
        card = cards[name]
        assert row[1:4] == [
            card.group,
            f"{card.n_parameters:,}",
            percent(card.measured("validation", "accuracy")),
        ]
        assert row[5] == f"{file.stat().st_size / 1e3:,.0f}"
    total = sum(file.stat().st_size for file in files.values()) / 1e6
    assert last.startswith(f"{len(files)} models, {total:.2f} MB")


@pytest.mark.parametrize("columns", [20, 30, 45, 60])
def test_a_narrow_terminal_wraps_and_cuts_nothing(columns):
    shown = listed(columns).stdout
    assert "…" not in shown
    words = set(shown.split())
    cards = zoo.shipped_cards()
    for name, file in zoo.shipped_models().items():
        assert {file.name, f"{cards[name].n_parameters:,}"} <= words
        assert set(percent(cards[name].measured("test", "accuracy")).split()) <= words


def test_models_with_and_without_test_numbers_and_cards(shipped):
    for name, size in (("c1", 2_000), ("d8", 12_345), ("d16", 500_000)):
        (shipped / f"{name}.pt").write_bytes(b"\0" * size)
    write_card(
        make_card(name="c1", group="C1", parts={"validation": make_part()}),
        shipped / "c1.card.json",
    )
    write_card(make_card(), shipped / "d8.card.json")
    rows, last = rows_of()
    assert rows == [
        ["c1.pt", "C1", "11,707", "85 [75, 95]", "2"],
        ["d8.pt", "D8", "11,707", "85 [75, 95]", "80 [70, 90]", "12"],
        ["d16.pt", "no card", "–", "500"],
    ]
    assert last == "3 models, 0.51 MB; in brackets 95 % intervals over images"


def test_a_build_without_models(shipped):
    assert rows_of() == ([], "0 models, 0.00 MB")


def test_a_damaged_card_is_named(shipped):
    (shipped / "d8.pt").write_bytes(b"")
    (shipped / "d8.card.json").write_text("{}")
    refused(listed(), "is not a model card of attnxai")


def test_no_model_is_loaded():
    code = (
        "import sys\n"
        "from attnxai.cli.main import app\n"
        "try:\n"
        "    app(['models', 'list'])\n"
        "finally:\n"
        "    heavy = ('torch', 'e2cnn', 'matplotlib', 'pandas', 'astropy', 'scipy')\n"
        "    print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert "d8.pt" in done.stdout
    assert done.stderr.strip() == "[]"


def test_models_info_and_list(tmp_path):
    text = attnxai("models", "info", "--model", "d8.pt", cwd=tmp_path, check=0).stdout
    for expected in ("D8", "equivariant attention", "CC BY 4.0", "sha256", "validation accuracy"):
        assert expected in text
    listed = attnxai("models", "list", cwd=tmp_path, check=0).stdout
    assert {"d8.pt", "c1.pt"} <= set(listed.split())
    refused(attnxai("models", "info", "--model", "no.pt", cwd=tmp_path), "neither a file nor")


def test_shipped_models_say_what_a_referee_asks():
    from attnxai.models.checkpoints import read_checkpoint_file
    from attnxai.models.model import TrainingRecord

    for name, path in zoo.shipped_models().items():
        record = TrainingRecord.from_dict(read_checkpoint_file(path)[0]["training"])
        assert record.data_licence == "CC BY 4.0"
        assert len(record.data_sha256) == 64
        assert not set(record.train_sources) & set(record.validation_sources)
        assert record.metrics["validation_accuracy"] >= 0.8, name
        assert record.command.startswith("attnxai train ")
        assert path.stat().st_size < 3e6
