"""``attnxai data``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from attnxai.cli.console import console, details
from attnxai.cli.endings import add_command, command
from attnxai.cli.help import Group
from attnxai.cli.options import output_option

data_app = typer.Typer(
    help="Fetch data sets.", cls=Group, no_args_is_help=True, rich_markup_mode=None
)


class DataSet(enum.StrEnum):
    """Data sets that can be fetched."""

    MIRABEST = "mirabest"


@data_app.callback()
def _data() -> None:
    pass


@command("Fetch a data set and check its published checksum.")
def fetch(
    name: Annotated[
        DataSet, typer.Argument(metavar="NAME", help="Name of the data set: mirabest.")
    ],
    output: Annotated[
        Path | None, output_option("Folder to keep it in. [default: the user's cache]", "FOLDER")
    ] = None,
) -> None:
    """``attnxai data fetch``."""
    from attnxai.data.download import fetch_mirabest
    from attnxai.data.mirabest import CITATION

    path = fetch_mirabest(output)
    console.print(f"{name}: {path}", soft_wrap=True)
    details.print(f"Please cite: {CITATION}")


add_command(data_app, fetch)
