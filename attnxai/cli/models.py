"""``attnxai models``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attnxai.cli import options
from attnxai.cli.card import card
from attnxai.cli.console import console
from attnxai.cli.endings import add_command, command
from attnxai.cli.help import INPUTS, Group
from attnxai.cli.options import option, output_option
from attnxai.cli.symmetry import symmetry
from attnxai.cli.temperature import temperature

models_app = typer.Typer(
    help="Inspect, measure and convert model files.",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@command("List the models that ship with attnxai.")
def list_models() -> None:
    """``attnxai models list``."""
    from attnxai.report.model_card import print_shipped

    print_shipped(console)


@command("Print the contents of a model file.")
def info(model: options.ModelOption) -> None:
    """``attnxai models info``."""
    from attnxai.models.checkpoints import load_model
    from attnxai.report.model_card import print_model

    print_model(load_model(model), console)


@command("Convert any model that can be read to a model file of attnxai.")
def convert(
    model: options.ModelOption,
    output: Annotated[Path, output_option("Model file to write, such as d8.pt.", "FILE")],
    images: Annotated[
        str | None,
        option(
            "Images of the training, to add the positions of its sources: 'mirabest', or a folder or archive.",
            INPUTS,
            "PATH",
        ),
    ] = None,
    data_dir: options.DataDirOption = None,
    overwrite: options.OverwriteOption = False,
) -> None:
    """``attnxai models convert``."""
    from attnxai.annotations.inputs import read_all_images
    from attnxai.jobs.files import check_output_file
    from attnxai.models.conversion import convert_model

    # in the words of the command line, before the function says it in those of Python
    check_output_file(output, extensions=(".pt",), overwrite=overwrite)

    trained_on = None if images is None else read_all_images(images, data_dir=data_dir)
    done = convert_model(model, output, images=trained_on, overwrite=overwrite)
    kept = len(done.kept_bases)
    console.print(
        f"Wrote {done.path} (sha256 {done.sha256[:12]}): {done.name}"
        + (f", with filter bases of {kept} layers that are not those of e2cnn" if kept else "")
        + (f", with positions of {done.n_positions} of {done.n_seen} sources" if images else "")
    )


add_command(models_app, list_models, "list")
add_command(models_app, info)
add_command(models_app, convert)
add_command(models_app, symmetry)
add_command(models_app, temperature)
add_command(models_app, card)
