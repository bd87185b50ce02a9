"""The command ``attnxai``."""

from __future__ import annotations

from typing import Annotated

import typer

from attnxai import __version__
from attnxai.cli.annotate import annotate
from attnxai.cli.annotations import annotations_app
from attnxai.cli.audit import audit
from attnxai.cli.compare import compare
from attnxai.cli.data import data_app
from attnxai.cli.endings import Application, add_command
from attnxai.cli.help import Group
from attnxai.cli.maps import maps
from attnxai.cli.models import models_app
from attnxai.cli.plan import plan
from attnxai.cli.repeat import repeat
from attnxai.cli.study import study
from attnxai.cli.train import train
from attnxai.cli.validate import validate

app = Application(
    name="attnxai",
    help="Explain classifiers of radio galaxies, and test whether the maps agree with annotations of astronomers.",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for function in (compare, repeat, audit, maps, train, study, plan, validate, annotate):
    add_command(app, function)
app.add_typer(annotations_app, name="annotations")
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
