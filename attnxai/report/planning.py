"""A plan of sources and annotators: its table and figure, the folder they lie in, and what a terminal shows."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.wording import counted
from attnxai.report.figures.fitting import add_legend
from attnxai.report.page import write_files
from attnxai.report.style import CLASS_MARKERS, GREY, MODEL_COLOURS, new_axes, saved_figure
from attnxai.report.tables.table import (
    Limit,
    Table,
    checked_digits,
    count_column,
    half_width_column,
    interval_column,
    number_column,
)
from attnxai.report.tables.text import render_terminal
from attnxai.statistics.formats import format_share, with_interval

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.jobs.output_folder import OutputFolder
    from attnxai.planning.basis import PlanBasis
    from attnxai.planning.pilot import Pilot
    from attnxai.planning.plan import PowerPlan

FILES = ("plan.csv", "plan.json", "plan.pdf", "plan.png")
_SIGNS = {
    "≤": "fewer were not simulated",
    ">": "none of the grid was enough, and this is its largest",
}


def plan_table(plan: PowerPlan, *, digits: int | None = None) -> Table:
    """A row for each number of annotators.

    A row has the smallest number of sources that reaches the wanted power, with ``≤`` where it is the smallest
    of the grid; or, with ``>``, the largest of the grid where none does.
    """
    digits = None if digits is None else checked_digits(digits)
    answers = plan.answers()
    designs = [design for design, _ in answers]
    powers = [plan.power_interval(design) for design in designs]
    sources = [Limit(sign=sign, count=d.n_sources) if sign else d.n_sources for d, sign in answers]
    columns = [
        count_column("Annotators", [design.n_annotators for design in designs]),
        count_column("Sources", sources),
        interval_column("Power", powers),
    ]
    if plan.effect_low is not None:
        low = [design.power_at_low_effect for design in designs]
        columns.append(number_column("Power at low effect", low, 2))
    columns.append(half_width_column("Half-width", [d.half_width for d in designs], digits=digits))
    others = [design.half_width_others for design in designs]
    if any(map(math.isfinite, others)):
        columns.append(half_width_column("Half-width, others", others, digits=digits))
    note = (
        f"power [95 % interval of {plan.n_simulations} simulated experiments]; half-widths are those of the "
        "expected 95 % interval of the mean, about these annotators and about others too"
    )
    signs = {sign for _, sign in answers}
    note += "".join(f"; {sign}: {text}" for sign, text in _SIGNS.items() if sign in signs)
    return Table(columns=tuple(columns), note=note)


def plot_power(plan: PowerPlan, *, ax: Any = None) -> Any:
    """Draw power against the number of sources, a line for each number of annotators.

    Bands are the powers' intervals; broken lines are at the lower end of the effect's interval.
    """
    ax = new_axes(ax)
    for k, look in _looks(plan):
        designs = plan.of_annotators(k)
        x = [d.n_sources for d in designs]
        (line,) = ax.plot(x, [d.power for d in designs], **look)
        lows, highs = [d.power_low for d in designs], [d.power_high for d in designs]
        ax.fill_between(x, lows, highs, color=line.get_color(), alpha=0.2, lw=0)
        if plan.effect_low is not None:
            low = [d.power_at_low_effect for d in designs]
            ax.plot(x, low, **_beside(line, "--"))
    if plan.effect_low is not None:
        ax.plot([], [], color=GREY, ls="--", lw=0.8, label="at the lower end of the effect")
    ax.axhline(plan.wanted, color="#666666", lw=0.8, ls=":")
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("power")
    _number_sources(plan, ax)
    return ax


def plot_precision(plan: PowerPlan, *, ax: Any = None) -> Any:
    """Draw the half-width of the interval against the number of sources.

    Full lines are about these annotators, dash-dotted ones about other annotators too.
    """
    ax = new_axes(ax)
    for k, look in _looks(plan):
        designs = plan.of_annotators(k)
        x = [d.n_sources for d in designs]
        (line,) = ax.plot(x, [d.half_width for d in designs], **look)
        others = [d.half_width_others for d in designs]
        ax.plot(x, others, **_beside(line, "-."))
    ax.plot([], [], color=GREY, ls="-.", lw=0.8, label="about other annotators too")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("half-width of the 95 % interval")
    _number_sources(plan, ax)
    ax.legend(loc="upper right")
    return ax


def _looks(plan: PowerPlan) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbers of annotators, each with the colour, the marker and the name of its line."""
    for k, colour, marker in zip(
        plan.annotators,
        itertools.cycle(MODEL_COLOURS),
        itertools.cycle(CLASS_MARKERS),
        strict=False,
    ):
        yield k, {"color": colour, "marker": marker, "ms": 3.5, "label": counted(k, "annotator")}


def _beside(line: Any, style: str) -> dict[str, Any]:
    """The look of a line that belongs to another, with its colour and its marker, open."""
    look = {"color": line.get_color(), "marker": line.get_marker(), "ms": 3.0}
    return look | {"mfc": "white", "mew": 0.6, "ls": style, "lw": 0.8}


def _number_sources(plan: PowerPlan, ax: Any) -> None:
    ax.set_xscale("log")
    numbers = [d.n_sources for d in plan.of_annotators(plan.annotators[0])]
    shown = numbers[:: -(-len(numbers) // 8)]
    ax.set_xticks(shown, [str(n) for n in shown])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("sources")


def write_plan(made: PowerPlan, folder: OutputFolder, *, pilot: Pilot | None, seed: int) -> None:
    """Write a plan, the pilot it rests on and the seed that it was made with into a folder."""
    content = {"format": "attnxai-plan", "format_version": 1, "seed": seed} | made.to_record()
    content["pilot"] = None if pilot is None else pilot.to_record()
    with folder.writing() as partial:
        write_files(partial, {"plan.csv": made.to_frame(), "plan.json": content})
        draw_plan(made, partial)


def draw_plan(made: PowerPlan, folder: Path) -> None:
    """Draw power and precision side by side into a folder."""
    with saved_figure(folder, "plan", 66) as figure:
        axes = figure.subplots(1, 2)
        plot_power(made, ax=axes[0])
        plot_precision(made, ax=axes[1])
        add_legend(figure, *axes)
        axes[1].get_legend().remove()


def print_plan(made: PowerPlan, basis: PlanBasis, console: Console) -> None:
    """Print the smallest designs, the sentence and what limits them."""
    from rich.text import Text

    console.print(render_terminal(dataclasses.replace(plan_table(made), title=basis.title)))
    console.print(Text(made.sentence(basis.what)))
    for note in _notes(made, basis.pilot, simulated=basis.simulated):
        console.print(Text(f"- {note}"))


def _notes(made: PowerPlan, pilot: Pilot | None, *, simulated: bool) -> list[str]:
    notes = []
    if simulated:
        notes.append(
            "Galaxies, annotators and maps are simulated and not fitted to data: this is a first guess, "
            "which a pilot of ten sources or more should replace."
        )
    if pilot is not None and made.effect_low is not None:
        notes.append(
            "The effect of a pilot is uncertain, and too large on average if it was selected for being large: here it is "
            f"{with_interval(pilot.effect)}. " + _at_low_effect(made)
        )
    if pilot is not None and pilot.inferred:
        notes.append(
            "What the report does not contain about permuted pairs is inferred, which errs towards too many "
            "sources."
        )
    notes.append(
        "With 3 annotators or fewer the result is about these annotators, whatever the power; more are needed to "
        "generalise to other astronomers."
    )
    return notes


def _at_low_effect(made: PowerPlan) -> str:
    if made.effect_low is None or made.effect_low <= 0:
        return "The pilot does not rule out that there is no effect."
    best = made.fewest_marks() or made.designs[-1]
    enough = made.smallest(best.n_annotators, at_low_effect=True)
    most = made.of_annotators(best.n_annotators)[-1].n_sources
    needed = str(enough.n_sources) if enough else f"more than {most}"
    return (
        f"At its lower end {best.n_sources} sources with {counted(best.n_annotators, 'annotator')} have a power of "
        f"{format_share(best.power_at_low_effect)}, and a power of {format_share(made.wanted)} needs {needed} "
        "sources."
    )
