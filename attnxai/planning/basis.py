"""What a plan rests on: a pilot comparison, simulated galaxies, or numbers that are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.agreement.effect_components import Components
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted
from attnxai.errors import OptionError
from attnxai.metrics import METRICS, PRIMARY_METRIC
from attnxai.planning.pilot import Pilot, pilot_effects, read_pilot
from attnxai.planning.simulation import simulate_components
from attnxai.statistics.formats import with_interval

if TYPE_CHECKING:
    import numpy as np

_NO_PILOT = "this option needs --pilot"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanBasis:
    """Effect and spreads of a plan, and where they come from.

    ``what`` is to be seen, such as ``an agreement (NSS)``; ``effect_low`` is the lower end of the interval of a
    pilot's own effect.
    """

    components: Components
    what: str = "an agreement"
    title: str = "Given effect and standard deviations"
    pilot: Pilot | None = None
    effect_low: float | None = None
    simulated: bool = False

    __repr__ = short_repr


def plan_basis(
    *,
    pilot: str | Path | None = None,
    model: str | None = None,
    metric: str | None = None,
    map_name: str | None = None,
    agreement: float | None = None,
    effect: float | None = None,
    sd_source: float | None = None,
    sd_annotator: float | None = None,
    sd_residual: float | None = None,
    rng: np.random.Generator | int = 0,
) -> PlanBasis:
    """What a plan rests on, from one of three: a pilot, an agreement to simulate, or effect and spreads.

    The agreement is the share of the maps' variance that follows their own source, of simulated galaxies; an
    effect takes the place of the pilot's. Raises an OptionError where options contradict each other or do not
    suffice.
    """
    spreads = {
        "--sd-source": sd_source,
        "--sd-annotator": sd_annotator,
        "--sd-residual": sd_residual,
    }
    if pilot is not None:
        _refuse(spreads, "with --pilot the standard deviations are those of the pilot")
        _refuse({"--agreement": agreement}, "this simulates a pilot; leave out one of the two")
        return _of_pilot(Path(pilot), effect, model=model, metric=metric, map_name=map_name)
    _refuse({"--model": model, "--map": map_name}, _NO_PILOT)
    if agreement is not None:
        _refuse(spreads, "with --agreement the standard deviations are those of the simulation")
        _refuse({"--effect": effect}, "with --agreement the effect is that of the simulation")
        name = (metric or PRIMARY_METRIC).lower()
        components, _ = simulate_components(agreement, metric=name, rng=rng)
        label = METRICS[name].label
        return PlanBasis(
            components=components,
            what=f"an agreement ({label})",
            title=f"Simulated galaxies, maps that follow their source in {100 * agreement:g} % of their "
            f"variance, {label}",
            simulated=True,
        )
    _refuse({"--metric": metric}, "this option needs --pilot or --agreement")
    if effect is None or sd_source is None:
        raise OptionError(
            "a plan needs a pilot (--pilot, a folder that attnxai compare wrote), a simulated one "
            "(--agreement), or both --effect and --sd-source"
        )
    return PlanBasis(
        components=Components(
            effect=_above_zero(effect),
            sd_source=sd_source,
            sd_annotator=sd_annotator or 0.0,
            sd_residual=sd_residual or 0.0,
        )
    )


def _of_pilot(folder: Path, effect: float | None, **chosen: str | None) -> PlanBasis:
    pilot = read_pilot(folder, **chosen)
    if effect is None and pilot.effect.value <= 0:
        raise OptionError(
            "this agrees no better with its own annotations than with permuted ones, so no number of "
            f"sources would show it: the effect of {pilot.map_name} is {with_interval(pilot.effect)} in "
            f"{pilot.metric}; {_pairs_above_zero(folder, pilot.model_name)}, or say with --effect what "
            "agreement would matter"
        )
    components = pilot.components
    if effect is not None:
        components = dataclasses.replace(components, effect=_above_zero(effect))
    label = METRICS[pilot.metric].label if pilot.metric in METRICS else pilot.metric
    return PlanBasis(
        components=components,
        what=f"an agreement ({label})",
        title=f"Pilot: {pilot.model_name}, {pilot.map_name}, {label}, {pilot.n_sources} {pilot.group} "
        f"sources, {counted(pilot.n_annotators, 'annotator')}",
        pilot=pilot,
        effect_low=pilot.effect.low if effect is None else None,
    )


def _pairs_above_zero(folder: Path, model: str) -> str:
    effects = pilot_effects(folder, model=model)
    above = {pair: effect for pair, effect in effects.items() if effect.value > 0}
    if not above:
        return f"no map and metric of {folder} has one above 0; compare others"
    named = ", ".join(
        f"{map_name} in {metric} ({with_interval(effect)})"
        for (map_name, metric), effect in above.items()
    )
    return f"those above 0: {named}; choose with --map and --metric"


def _refuse(options: Mapping[str, object], why: str) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise OptionError(f"{', '.join(given)}: {why}")


def _above_zero(effect: float) -> float:
    if not effect > 0:
        raise OptionError(f"--effect has to be above 0, got {effect:g}")
    return effect
