"""``attnxai plan``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

from attnxai.cli import completion, options
from attnxai.cli.console import console, details, stage
from attnxai.cli.endings import command
from attnxai.cli.help import STATISTICS
from attnxai.cli.options import option, output_option
from attnxai.errors import OptionError

BASIS = "Basis: a pilot, a simulated pilot, or effect and standard deviations"


@command(
    """Plan how many sources and annotators are needed to detect a given agreement.

    The test is the primary one, permutation across sources of the same class. Effect and standard deviations come from a
    pilot comparison or from simulated galaxies, or are given as options."""
)
def plan(
    pilot: Annotated[
        Path | None,
        option("Report of a pilot: a folder that attnxai compare wrote.", BASIS, "FOLDER"),
    ] = None,
    model: Annotated[
        str | None,
        option("Model of a pilot that compared several. [default: the first]", BASIS, "NAME"),
    ] = None,
    metric: Annotated[
        str | None,
        option(
            "Metric of the pilot or of the simulation. [default: the first]",
            BASIS,
            "NAME",
            choices=completion.metric_names,
        ),
    ] = None,
    map_name: Annotated[
        str | None,
        option(
            "Map of the pilot. [default: the mean of the gates, else the first]",
            BASIS,
            "NAME",
            "--map",
        ),
    ] = None,
    agreement: Annotated[
        float | None,
        option(
            "Without a pilot: simulate galaxies, annotators and maps that follow their own source in this "
            "share of their variance, above 0 to 1.",
            BASIS,
        ),
    ] = None,
    effect: Annotated[
        float | None,
        option(
            "Effect to detect: mean with own minus mean with permuted annotations, in the metric's units. "
            "[default: the pilot's]",
            BASIS,
        ),
    ] = None,
    sd_source: Annotated[
        float | None,
        option(
            "Without a pilot: standard deviation of that difference between sources.",
            BASIS,
            min=0.0,
        ),
    ] = None,
    sd_annotator: Annotated[
        float | None,
        option(
            "Without a pilot: standard deviation between annotators' means. [default: 0]",
            BASIS,
            min=0.0,
        ),
    ] = None,
    sd_residual: Annotated[
        float | None,
        option(
            "Without a pilot: standard deviation of a source between annotators. [default: 0]",
            BASIS,
            min=0.0,
        ),
    ] = None,
    power: Annotated[float, option("Required power, from 0.01 to 0.99.", STATISTICS)] = 0.8,
    n_sources: Annotated[
        list[str] | None,
        option(
            "Number of sources, 2 or more; repeat for several. [default: 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, "
            "200, 300, 500]",
            STATISTICS,
            "N",
        ),
    ] = None,
    n_annotators: Annotated[
        list[str] | None,
        option(
            "Number of annotators; repeat for several. [default: 1, 2, 3, 5, 10]",
            STATISTICS,
            "N",
        ),
    ] = None,
    level: Annotated[
        float,
        option("Significance level of the test, over all maps.", STATISTICS, min=1e-6, max=0.5),
    ] = 0.05,
    n_maps: Annotated[
        int | None,
        option("Number of maps that are tested. [default: the pilot's, or 1]", STATISTICS, min=1),
    ] = None,
    seed: options.SeedOption = 0,
    output: Annotated[
        Path | None, output_option("Folder for the table of all designs and the figure.", "FOLDER")
    ] = None,
    overwrite: options.OverwriteOption = False,
) -> None:
    """``attnxai plan``."""
    with stage("Starting"):
        from attnxai.jobs.output_folder import output_folder
        from attnxai.planning.basis import plan_basis
        from attnxai.planning.plan import ANNOTATORS, SOURCES, plan_power
        from attnxai.report.planning import FILES, print_plan, write_plan

    if not 0.01 <= power <= 0.99:
        raise OptionError(f"--power has to lie between 0.01 and 0.99, got {power:g}")
    sources = options.listed_numbers("--n-sources", n_sources or (), least=2) or SOURCES
    annotators = options.listed_numbers("--n-annotators", n_annotators or (), least=1)
    with contextlib.ExitStack() as stack:
        folder = None
        if output is not None:
            claimed = output_folder(output, what="plan", overwrite=overwrite)
            folder = stack.enter_context(claimed)
        with stage("Simulating experiments"):
            basis = plan_basis(
                pilot=pilot,
                model=model,
                metric=metric,
                map_name=map_name,
                agreement=agreement,
                effect=effect,
                sd_source=sd_source,
                sd_annotator=sd_annotator,
                sd_residual=sd_residual,
                rng=seed,
            )
            found = basis.pilot
            made = plan_power(
                basis.components,
                n_sources=sources,
                n_annotators=annotators or ANNOTATORS,
                power=power,
                level=level,
                n_maps=n_maps or (found.n_maps if found else 1),
                class_shares=found.class_sizes if found else (1, 1),
                effect_low=basis.effect_low,
                rng=seed,
            )
        if folder is not None:
            write_plan(made, folder, pilot=found, seed=seed)
    print_plan(made, basis, console if folder is None else details)
    if folder is not None:
        table, record, pdf, png = (folder.path / name for name in FILES)
        details.print()
        console.print(
            f"Plan: {table} (every design), {record} (what was assumed)\nFigure: {png}, {pdf}",
            soft_wrap=True,
        )
