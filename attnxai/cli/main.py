"""The command ``attnxai``."""

from __future__ import annotations

from typing import Annotated

import typer

from attnxai import __version__
from attnxai.cli.calibrate import calibrate
from attnxai.cli.compare import compare
from attnxai.cli.data import data_app
from attnxai.cli.models import models_app
from attnxai.cli.plan import plan
from attnxai.cli.study import study
from attnxai.cli.train import train

app = typer.Typer(
    name="attnxai",
    help="Does a network attend to what astronomers mark? Maps, annotations and honest statistics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(compare)
app.command()(train)
app.command()(study)
app.command()(plan)
app.command()(calibrate)
app.add_typer(models_app, name="models")
app.add_typer(data_app, name="data")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"attnxai {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass
