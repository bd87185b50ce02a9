"""``attnxai data``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from attnxai.cli.console import command, console

data_app = typer.Typer(help="Fetch data sets.", no_args_is_help=True)


class DataSet(enum.StrEnum):
    """Data sets that can be fetched."""

    MIRABEST = "mirabest"


@data_app.callback()
def _data() -> None:
    pass


@data_app.command("fetch")
@command
def fetch(
    name: Annotated[DataSet, typer.Argument(help="Which data set.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where to keep it; else the user's cache.")
    ] = None,
) -> None:
    """Fetch a data set and check its published checksum."""
    from attnxai.data.download import fetch_mirabest
    from attnxai.data.mirabest import CITATION

    path = fetch_mirabest(folder)
    console.print(f"{name}: {path}", soft_wrap=True)
    console.print(f"Please cite: {CITATION}")
