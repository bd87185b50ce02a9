"""A plan as a terminal shows it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from attnxai.report.tables.planning import plan_table
from attnxai.report.tables.text import render_terminal
from attnxai.statistics.formats import with_interval

if TYPE_CHECKING:
    from rich.console import Console

    from attnxai.planning.basis import PlanBasis
    from attnxai.planning.pilot import Pilot
    from attnxai.planning.plan import PowerPlan


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
            "Galaxies, annotators and maps are simulated and fitted to nothing: a first guess, which a "
            "pilot of ten sources or more should replace."
        )
    if pilot is not None and made.effect_low is not None:
        notes.append(
            "A pilot's effect is uncertain, and flatters if it was chosen for being large: here it is "
            f"{with_interval(pilot.effect)}. " + _at_low_effect(made)
        )
    if pilot is not None and pilot.inferred:
        notes.append(
            "What a report does not keep of permuted pairs is inferred, rather towards too many "
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
