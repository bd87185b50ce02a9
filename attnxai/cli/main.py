"""The command ``attnxai``."""

from __future__ import annotations

import typer

from attnxai.cli.train import train

app = typer.Typer(
    name="attnxai",
    help="Does a network attend what astronomers mark? Maps, annotations and honest statistics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(train)


@app.callback()
def _main() -> None:
    pass
