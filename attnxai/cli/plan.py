"""``attnxai plan``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnxai.cli.console import command, console, stderr

if TYPE_CHECKING:
    from attnxai.agreement.effect_components import Components
    from attnxai.planning.pilot import Pilot


@command
def plan(
    pilot: Annotated[
        Path | None, typer.Option(help="Report of a pilot: a folder that attnxai compare wrote.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model of a pilot that compared several; else its first.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric of the pilot or of the simulation; else the first.")
    ] = None,
    map_name: Annotated[
        str | None,
        typer.Option("--map", help="Map of the pilot; else the mean of its gates."),
    ] = None,
    agreement: Annotated[
        float | None,
        typer.Option(
            help="Without a pilot: simulate galaxies, annotators and maps that follow their own source "
            "in this share of their variance, above 0 to 1."
        ),
    ] = None,
    effect: Annotated[
        float | None,
        typer.Option(
            help="Agreement to see: mean with own less mean with exchanged annotations, in the "
            "metric's units; else the pilot's."
        ),
    ] = None,
    sd_source: Annotated[
        float | None,
        typer.Option(min=0.0, help="Without a pilot: spread of that difference between sources."),
    ] = None,
    sd_annotator: Annotated[
        float | None,
        typer.Option(min=0.0, help="Without a pilot: spread between annotators' means; else 0."),
    ] = None,
    sd_residual: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Without a pilot: spread of a source between annotators; else 0."
        ),
    ] = None,
    power: Annotated[float, typer.Option(help="Power wanted, as a share from 0.01 to 0.99.")] = 0.8,
    sources: Annotated[
        str, typer.Option(help="Numbers of sources to look at, separated by commas.")
    ] = "6,8,10,15,20,25,30,40,50,60,80,100,150,200,300,500",
    annotators: Annotated[
        str, typer.Option(help="Numbers of annotators to look at, separated by commas.")
    ] = "1,2,3,5,10",
    level: Annotated[
        float, typer.Option(min=1e-6, max=0.5, help="Level of the test, over all maps.")
    ] = 0.05,
    n_maps: Annotated[
        int | None, typer.Option(min=1, help="Maps that are tested; else the pilot's, or 1.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same numbers.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the table of all designs and the figure.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing plan.")
    ] = False,
) -> None:
    """Say how many sources and annotators it takes to see a given agreement.

    The test is the primary one: annotations exchanged between sources of one class. Effect and spreads come
    from a pilot comparison, from simulated galaxies, or are given.
    """
    with stderr.status("Starting…"):
        from attnxai.agreement.metrics import METRICS, PRIMARY_METRIC
        from attnxai.jobs.output_folder import output_folder
        from attnxai.planning.pilot import read_pilot
        from attnxai.planning.plan import plan_power
        from attnxai.planning.simulation import simulate_components
        from attnxai.report.plan_document import FILES, write_plan
        from attnxai.report.plan_terminal import print_plan

    with contextlib.ExitStack() as stack:
        folder = (
            stack.enter_context(output_folder(output, what="plan", overwrite=overwrite))
            if output is not None
            else None
        )
        _check_power(power)
        spreads = {
            "--sd-source": sd_source,
            "--sd-annotator": sd_annotator,
            "--sd-residual": sd_residual,
        }
        found: Pilot | None = None
        simulated = False
        what, title = "an agreement", "Given effect and spreads"
        if pilot is not None:
            _check_absent(spreads, "with a pilot the spreads are the pilot's; leave this out")
            _check_absent(
                {"--agreement": agreement}, "this simulates a pilot, and --pilot names one"
            )
            found = read_pilot(pilot, model=model, metric=metric, map_name=map_name)
            label = METRICS[found.metric].label if found.metric in METRICS else found.metric
            what = f"an agreement ({label})"
            title = (
                f"Pilot: {found.model_name}, {found.map_name}, {label}, {found.n_sources} {found.group} "
                f"sources, {found.n_annotators} annotator{'s' if found.n_annotators != 1 else ''}"
            )
            components = _with_effect(found, effect, pilot)
        elif agreement is not None:
            _check_absent(spreads, "with --agreement the spreads are those of the simulation")
            _check_absent(
                {"--effect": effect}, "with --agreement the effect is that of the simulation"
            )
            _check_absent(
                {"--model": model, "--map": map_name},
                "this chooses from a pilot, and --pilot names none",
            )
            name = (metric or PRIMARY_METRIC).lower()
            with stderr.status("Simulating galaxies…"):
                components, _ = simulate_components(agreement, metric=name, rng=seed)
            what = f"an agreement ({METRICS[name].label})"
            title = (
                f"Simulated galaxies, maps that follow their source in {100 * agreement:g} % of their "
                f"variance, {METRICS[name].label}"
            )
            simulated = True
        else:
            _check_absent(
                {"--model": model, "--metric": metric, "--map": map_name},
                "this chooses from a pilot, and --pilot names none",
            )
            components = _given_components(effect, spreads)
        with stderr.status("Simulating experiments…"):
            made = plan_power(
                components,
                n_sources=_parse_numbers("--sources", sources, 2),
                n_annotators=_parse_numbers("--annotators", annotators, 1),
                power=power,
                level=level,
                n_maps=n_maps or (found.n_maps if found else 1),
                class_shares=found.class_sizes if found else (1, 1),
                effect_low=found.effect.low if found and effect is None else None,
                rng=seed,
            )
        if folder is not None:
            write_plan(made, folder, pilot=found, seed=seed)
    print_plan(made, title, console, what=what, pilot=found, simulated=simulated)
    if folder is not None:
        table, record, pdf, png = (folder.path / name for name in FILES)
        console.print(
            f"\nPlan: {table} (every design), {record} (what was assumed)\nFigure: {png}, {pdf}",
            soft_wrap=True,
        )


def _check_absent(options: dict[str, Any], why: str) -> None:
    from attnxai.errors import OptionError

    given = [name for name, value in options.items() if value is not None]
    if given:
        raise OptionError(f"{', '.join(given)}: {why}")


def _with_effect(pilot: Pilot, effect: float | None, folder: Path) -> Components:
    """The pilot's components, with the effect that was asked for."""
    import dataclasses

    from attnxai.errors import OptionError

    if effect is None and pilot.effect.value <= 0:
        raise OptionError(
            "this agrees no better with its own annotations than with exchanged ones, so no number of "
            f"sources would show it: the effect of {pilot.map_name} is {pilot.effect.value:.3g} in "
            f"{pilot.metric}; {_pairs_above_zero(folder, pilot.model_name)}, or say with --effect what agreement would "
            "matter"
        )
    if effect is None:
        return pilot.components
    _check_effect(effect)
    return dataclasses.replace(pilot.components, effect=effect)


def _pairs_above_zero(folder: Path, model: str) -> str:
    from attnxai.planning.pilot import pilot_effects

    above = {pair: value for pair, value in pilot_effects(folder, model=model).items() if value > 0}
    if not above:
        return f"no map and metric of {folder} has one above 0; compare others"
    named = ", ".join(
        f"{map_name} in {metric} ({value:.3g})" for (map_name, metric), value in above.items()
    )
    return f"those above 0: {named}; choose with --map and --metric"


def _given_components(effect: float | None, spreads: dict[str, float | None]) -> Components:
    from attnxai.agreement.effect_components import Components
    from attnxai.errors import OptionError

    sd_source = spreads["--sd-source"]
    if effect is None or sd_source is None:
        raise OptionError(
            "a plan needs a pilot (--pilot, a folder that attnxai compare wrote), a simulated one "
            "(--agreement), or both --effect and --sd-source"
        )
    _check_effect(effect)
    return Components(
        effect=effect,
        sd_source=sd_source,
        sd_annotator=spreads["--sd-annotator"] or 0.0,
        sd_residual=spreads["--sd-residual"] or 0.0,
    )


def _check_effect(effect: float) -> None:
    from attnxai.errors import OptionError

    if not effect > 0:
        raise OptionError(f"--effect has to be above 0, got {effect:g}")


def _check_power(power: float) -> None:
    from attnxai.errors import OptionError

    if not 0.01 <= power <= 0.99:
        raise OptionError(
            f"--power has to lie between 0.01 and 0.99, a share, such as 0.8, got {power:g}"
        )


def _parse_numbers(option: str, text: str, least: int) -> list[int]:
    from attnxai.errors import OptionError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and least <= int(part) <= 100_000 for part in parts):
        raise OptionError(
            f"{option} {text!r} should be whole numbers from {least} on, separated by commas"
        )
    return [int(part) for part in parts]
