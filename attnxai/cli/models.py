"""``attnxai models``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attnxai.cli.calibrate_model import calibrate
from attnxai.cli.console import command, console
from attnxai.cli.symmetry import symmetry

models_app = typer.Typer(help="Look at model files.", no_args_is_help=True)
models_app.command("calibrate")(calibrate)
models_app.command("symmetry")(symmetry)


@models_app.command("info")
@command
def info(
    file: Annotated[str, typer.Argument(help="Model file, or the name of a shipped model.")],
) -> None:
    """Print what a model file holds."""
    from rich.table import Table
    from rich.text import Text

    from attnxai.explanations.gates import model_provenance
    from attnxai.models.architectures import has_given_bases
    from attnxai.models.checkpoints import load_model

    model = load_model(file)
    table = Table(show_header=False, title=Text(model.name), title_justify="left")
    table.add_column("what", style="dim", no_wrap=True)
    table.add_column("value", overflow="fold")
    facts = model_provenance(model)
    rows = {
        "file": model.path,
        "sha256": model.sha256,
        "architecture": facts["architecture"],
        "parameters": f"{facts['n_parameters']:,}",
        "classes": ", ".join(model.class_names),
    }
    specification = model.spec.to_dict()
    del specification["architecture"]
    rows |= {name: _text(value) for name, value in specification.items()}
    rows |= {name: _text(value) for name, value in model.preprocessing.to_dict().items()}
    if has_given_bases(model.network):
        rows["filter bases"] = "taken from the file"
    if model.temperature != 1.0:
        rows["temperature"] = f"{model.temperature:.4g}"
    if model.training is None:
        rows["training"] = "not recorded in this file"
    else:
        record = model.training
        rows |= {
            "trained on": record.data,
            "licence of the data": record.data_licence,
            "sha256 of the data": record.data_sha256,
            "sources": f"{len(record.train_sources)} for training, "
            f"{len(record.validation_sources)} for validation",
            "command": record.command,
            "versions": ", ".join(f"{k} {v}" for k, v in record.versions.items()),
        }
        rows |= {name.replace("_", " "): f"{value:.4g}" for name, value in record.metrics.items()}
    if model.notes:
        rows["notes"] = " ".join(model.notes)
    for name, value in rows.items():
        table.add_row(name.replace("_", " "), Text(value))
    console.print(table)


@models_app.command("convert")
@command
def convert(
    source: Annotated[
        str, typer.Argument(help="Model file, published checkpoint, or name of a shipped model.")
    ],
    output: Annotated[Path, typer.Argument(help="Model file to write, such as d8.pt.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Write a model file of attnxai from any model that can be read."""
    from attnxai.models.conversion import convert_model

    done = convert_model(source, output, overwrite=overwrite)
    kept = len(done.kept_bases)
    console.print(
        f"Wrote {output} (sha256 {done.sha256[:12]}): {done.name}"
        + (f", with filter bases of {kept} layers that are not those of e2cnn" if kept else ""),
        markup=False,
    )


@models_app.command("list")
@command
def list_models() -> None:
    """List the models that ship."""
    from rich.table import Table

    from attnxai.models.checkpoints import load_model
    from attnxai.models.zoo import shipped_models

    table = Table("name", "group", "parameters", "validation accuracy", "size")
    for name, file in shipped_models().items():
        model = load_model(file)
        metrics = model.training.metrics if model.training is not None else {}
        table.add_row(
            f"{name}.pt",
            model.spec.group,
            f"{sum(p.numel() for p in model.network.parameters()):,}",
            f"{metrics['validation_accuracy']:.1%}" if "validation_accuracy" in metrics else "",
            f"{file.stat().st_size / 1e6:.2f} MB",
        )
    console.print(table)


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
