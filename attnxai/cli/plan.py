"""``attnxai plan``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnxai.cli.console import command, console, stderr

if TYPE_CHECKING:
    from rich.table import Table

    from attnxai.agreement.effect_components import Components
    from attnxai.planning.pilot import Pilot
    from attnxai.planning.plan import PowerPlan

FILES = ("plan.csv", "plan.json", "plan.pdf", "plan.png")
_SIGNS = {
    "≤": "fewer were not looked at",
    ">": "none of the grid was enough, and this is its largest",
}


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
        from attnxai.planning.pilot import read_pilot
        from attnxai.planning.plan import plan_power
        from attnxai.planning.simulation import simulate_components

    _check_output(output, overwrite=overwrite)
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
        _check_absent({"--agreement": agreement}, "this simulates a pilot, and --pilot names one")
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
        _check_absent({"--effect": effect}, "with --agreement the effect is that of the simulation")
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
    console.print(_table(made, title))
    console.print(made.sentence(what), markup=False)
    for note in _notes(made, found, simulated=simulated):
        console.print(f"- {note}", markup=False)
    if output is not None:
        _write(output, made, found, seed=seed)
        table, record, pdf, png = (output / name for name in FILES)
        console.print(
            f"\nPlan: {table} (every design), {record} (what was assumed)\nFigure: {png}, {pdf}",
            soft_wrap=True,
            markup=False,
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


def _check_output(output: Path | None, *, overwrite: bool) -> None:
    from attnxai.errors import OptionError

    if output is None or not output.exists():
        return
    if not output.is_dir():
        raise OptionError(f"--output {output} is a file; name a folder")
    names = {path.name for path in output.iterdir()}
    if not names <= set(FILES):
        raise OptionError(f"--output {output} holds other files than a plan; name another folder")
    if names and not overwrite:
        raise OptionError(
            f"--output {output} holds a plan already; name another folder or add --overwrite"
        )


def _table(made: PowerPlan, title: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    signs = set()
    table.add_column("annotators", justify="right")
    table.add_column("sources", justify="right", no_wrap=True)
    table.add_column("power", no_wrap=True)
    if made.effect_low is not None:
        table.add_column(f"if effect {made.effect_low:.3g}", justify="right")
    table.add_column("±", justify="right")
    table.add_column("± others", justify="right")
    for k in made.annotators:
        grid = made.of_annotators(k)
        design = made.smallest(k)
        sign = ""
        if design is None:
            design, sign = grid[-1], ">"
        elif design is grid[0] and len(grid) > 1:
            sign = "≤"
        signs.add(sign)
        low = [f"{design.power_at_low_effect:.2f}"] if made.effect_low is not None else []
        table.add_row(
            str(k),
            f"{sign}{design.n_sources}",
            Text(f"{design.power:.2f} [{design.power_low:.2f}, {design.power_high:.2f}]"),
            *low,
            _half_width(design.half_width),
            _half_width(design.half_width_others),
        )
    caption = (
        f"power [95 % interval of {made.n_simulations} simulated experiments]; ± is half the expected "
        "95 % interval of the mean value, about these annotators and about others too"
    )
    caption += "".join(f"; {sign}: {text}" for sign, text in _SIGNS.items() if sign in signs)
    table.caption = Text(caption)
    return table


def _half_width(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "–"


def _notes(made: PowerPlan, pilot: Pilot | None, *, simulated: bool) -> list[str]:
    notes = []
    if simulated:
        notes.append(
            "Galaxies, annotators and maps are simulated and fitted to nothing: a first guess, which a "
            "pilot of ten sources or more should replace."
        )
    if pilot is not None and made.effect_low is not None:
        notes.append(
            "A pilot's effect is uncertain, and flatters if it was chosen for being large: here it is "
            f"{pilot.effect.value:.3g} [{pilot.effect.low:.3g}, {pilot.effect.high:.3g}]. "
            + _at_low_effect(made)
        )
    if pilot is not None and pilot.inferred:
        notes.append(
            "What a report does not keep of exchanged pairs is inferred, rather towards too many "
            "sources."
        )
    notes.append(
        "With 3 annotators or fewer a result is about these people; more of them are needed to speak of "
        "astronomers, whatever the power."
    )
    return notes


def _at_low_effect(made: PowerPlan) -> str:
    if made.effect_low is None or made.effect_low <= 0:
        return "It does not rule out that there is none to see, whatever the number of sources."
    best = made.fewest_marks() or made.designs[-1]
    people = f"{best.n_annotators} annotator{'s' if best.n_annotators != 1 else ''}"
    enough = made.smallest(best.n_annotators, at_low_effect=True)
    most = made.of_annotators(best.n_annotators)[-1].n_sources
    needed = str(enough.n_sources) if enough else f"more than {most}"
    return (
        f"At its lower end {best.n_sources} sources with {people} have a power of "
        f"{best.power_at_low_effect:.0%}, and {made.wanted:.0%} takes {needed}."
    )


def _write(folder: Path, made: PowerPlan, pilot: Pilot | None, *, seed: int) -> None:
    import json

    from attnxai.data.csv_table import write_frame
    from attnxai.report.output_folder import whole_or_nothing
    from attnxai.report.style import (
        ANNOTATOR_COLOURS,
        TWO_COLUMNS,
        new_figure,
        paper_style,
        save_figure,
    )

    content = {"format": "attnxai-plan", "format_version": 1, "seed": seed} | made.to_record()
    content["pilot"] = None if pilot is None else pilot.to_record()
    with whole_or_nothing(folder) as partial:
        write_frame(made.to_frame(), partial / "plan.csv")
        (partial / "plan.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        with paper_style():
            figure = new_figure(TWO_COLUMNS, TWO_COLUMNS * 0.42)
            left, right = figure.subplots(1, 2)
            for ax in (left, right):
                ax.set_prop_cycle(color=ANNOTATOR_COLOURS)
            made.plot(left)
            made.plot_precision(right)
            save_figure(figure, partial, "plan")
