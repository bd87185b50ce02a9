"""How commands end when they are interrupted."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from attnxai.cli import console as module


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("", "Interrupted; nothing that looks finished was left behind."),
        ("m.pt [x]", "Interrupted; run the same command again to go on: m.pt [x]."),
    ],
)
def test_one_sentence_says_what_is_kept(monkeypatch, kept, said):
    monkeypatch.setattr(module, "stderr", module.SafeConsole(width=200))

    def stopped():
        with module.resumable(lambda: kept):
            raise KeyboardInterrupt

    app = typer.Typer()
    app.command()(module.command(stopped))
    done = CliRunner().invoke(app)
    assert done.exit_code == module.INTERRUPTED
    assert done.output.splitlines() == [said]
