"""A plan as a terminal shows it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from attnxai.planning.pilot import Pilot
    from attnxai.planning.plan import PowerPlan

_SIGNS = {
    "≤": "fewer were not looked at",
    ">": "none of the grid was enough, and this is its largest",
}


def print_plan(
    made: PowerPlan,
    title: str,
    console: Console,
    *,
    what: str,
    pilot: Pilot | None = None,
    simulated: bool = False,
) -> None:
    """Print the smallest designs, the sentence and what limits them.

    Parameters
    ----------
    made : PowerPlan
        The plan.
    title : str
        What it rests on.
    console : rich.console.Console
        Where to print.
    what : str
        What is to be seen, such as ``an agreement (NSS)``.
    pilot : Pilot, optional
        The pilot it rests on.
    simulated : bool
        Whether it rests on simulated galaxies.
    """
    from rich.text import Text

    console.print(_table(made, title))
    console.print(Text(made.sentence(what)))
    for note in _notes(made, pilot, simulated=simulated):
        console.print(Text(f"- {note}"))


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
