"""How many sources and annotators it takes to see a given agreement."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.agreement.effect_components import Components
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted
from attnxai.errors import OptionError
from attnxai.planning.rejections import class_sizes, count_rejections
from attnxai.statistics.exact import clopper_pearson_ends
from attnxai.statistics.formats import decimals_of_half, format_number, format_share, with_interval
from attnxai.statistics.interval import Interval

if TYPE_CHECKING:
    import pandas as pd

SOURCES = (6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500)
ANNOTATORS = (1, 2, 3, 5, 10)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DesignPower:
    """What one number of sources and annotators would give.

    The interval of the power is that of Clopper & Pearson (1934) at 95 %; half-widths are those expected of an
    interval about these annotators, and about other annotators too. NaN where there is none.
    """

    n_sources: int
    n_annotators: int
    power: float
    power_low: float
    power_high: float
    power_at_low_effect: float
    half_width: float
    half_width_others: float

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names; None where there is none."""
        record = dataclasses.asdict(self)
        return {name: None if math.isnan(value) else value for name, value in record.items()}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowerPlan:
    """Power of every design of a grid.

    Parameters
    ----------
    designs : tuple of DesignPower
        By number of annotators, then of sources.
    components : Components
        What was assumed.
    wanted : float
        The required power.
    level : float
        Level of the test over all maps.
    n_maps : int
        Maps that are tested; each at ``level / n_maps``, the worst case of Holm's method.
    effect_low : float or None
        Lower end of the effect's interval.
    n_simulations : int
        Experiments for each power.

    Examples
    --------
    >>> import attnxai
    >>> components = attnxai.agreement.Components(effect=0.5, sd_source=1.0)
    >>> plan = attnxai.planning.plan_power(components, n_sources=(20, 30), n_annotators=(1,))
    >>> plan.smallest(1).n_sources
    30
    >>> plan.to_frame()[["n_sources", "n_annotators"]].values.tolist()
    [[20, 1], [30, 1]]
    """

    designs: tuple[DesignPower, ...]
    components: Components
    wanted: float
    level: float
    n_maps: int
    effect_low: float | None
    n_simulations: int

    __repr__ = short_repr

    @property
    def annotators(self) -> tuple[int, ...]:
        """Numbers of annotators, from few to many."""
        return tuple(dict.fromkeys(design.n_annotators for design in self.designs))

    def of_annotators(self, n_annotators: int) -> tuple[DesignPower, ...]:
        """Designs with so many annotators, from few sources to many."""
        return tuple(d for d in self.designs if d.n_annotators == n_annotators)

    def smallest(self, n_annotators: int, *, at_low_effect: bool = False) -> DesignPower | None:
        """Smallest number of sources in the grid that reaches the wanted power, as all larger ones do, or None."""
        found = None
        for design in reversed(self.of_annotators(n_annotators)):
            power = design.power_at_low_effect if at_low_effect else design.power
            if not power >= self.wanted:
                break
            found = design
        return found

    def fewest_marks(self) -> DesignPower | None:
        """Design that reaches the wanted power with the fewest sources times annotators."""
        found = [design for k in self.annotators if (design := self.smallest(k)) is not None]
        return min(
            found, key=lambda d: (d.n_sources * d.n_annotators, d.n_annotators), default=None
        )

    def sentence(self, what: str = "an agreement") -> str:
        """The answer in one plain sentence; ``what`` names what is measured."""
        goal = (
            f"{what} {self._effect()} above that with permuted annotations, at level "
            f"{self.level:g}" + (f" / {self.n_maps}" if self.n_maps > 1 else "")
        )
        share = format_share(self.wanted)
        if self.fewest_marks() is None:
            most = max(self.designs, key=lambda design: design.power)
            return (
                f"No design in the grid has {share} power to detect {goal}: the largest power is "
                f"{format_share(most.power)}, with {most.n_sources} sources and "
                f"{counted(most.n_annotators, 'annotator')}."
            )
        words = {">": "more than {} sources", "≤": "{} sources or fewer", "": "{} sources"}
        parts: dict[str, list[int]] = {}
        for design, sign in self.answers():
            parts.setdefault(words[sign].format(design.n_sources), []).append(design.n_annotators)
        texts = [f"{count} with {_listed(numbers)}" for count, numbers in parts.items()]
        return f"For {share} power to detect {goal}, {'; '.join(texts)} are needed."

    def summary(self) -> str:
        """The answer, and the power and precision of the smallest design that reaches it, as plain text."""
        lines = [self.sentence()]
        for design, sign in self.answers():
            line = (
                f"{counted(design.n_annotators, 'annotator')}, {sign}{design.n_sources} sources: power "
                f"{with_interval(self.power_interval(design))}, interval ± {_half(design.half_width)}"
            )
            if not math.isnan(design.half_width_others):
                line += f", about other annotators too ± {_half(design.half_width_others)}"
            lines.append(line)
        return "\n".join(lines)

    def power_interval(self, design: DesignPower) -> Interval:
        """Power of a design with its interval over the simulated experiments."""
        return Interval(
            value=design.power,
            low=design.power_low,
            high=design.power_high,
            n_units=self.n_simulations,
            unit="experiment",
        )

    def _effect(self) -> str:
        """The effect as it was given, or with the decimals that the lower end of its interval calls for."""
        effect = self.components.effect
        if self.effect_low is None:
            return f"{effect:.3g}"
        return format_number(effect, decimals_of_half(effect - self.effect_low))

    def answers(self) -> list[tuple[DesignPower, str]]:
        """For each number of annotators the smallest design that will do, or the largest and ``>``."""
        found = []
        for k in self.annotators:
            design, grid = self.smallest(k), self.of_annotators(k)
            fewest = len(grid) > 1 and design is grid[0]
            found.append((grid[-1], ">") if design is None else (design, "≤" if fewest else ""))
        return found

    to_latex = presenters.to_latex
    _repr_html_ = presenters.repr_html
    plot = presenters.plot

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        components = dataclasses.asdict(self.components)
        if components["deviations"] is not None:
            components["deviations"] = components["deviations"].tolist()
        names = ("wanted", "level", "n_maps", "effect_low", "n_simulations")
        return {
            "components": components,
            **{name: getattr(self, name) for name in names},
            "designs": [design.to_record() for design in self.designs],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per design."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(design) for design in self.designs])


def plan_power(
    components: Components,
    *,
    n_sources: Sequence[int] = SOURCES,
    n_annotators: Sequence[int] = ANNOTATORS,
    power: float = 0.8,
    level: float = 0.05,
    n_maps: int = 1,
    class_shares: Sequence[float] = (0.5, 0.5),
    effect_low: float | None = None,
    n_simulations: int = 4000,
    rng: np.random.Generator | int = 0,
) -> PowerPlan:
    """Power of the within-class source permutation for a grid of designs.

    Parameters
    ----------
    components : Components
        What the comparison is expected to show.
    n_sources, n_annotators : sequence of int
        The grid.
    power : float
        The required power.
    level : float
        Level of the test over all maps.
    n_maps : int
        Maps that are tested.
    class_shares : sequence of float
        Shares of the classes among the sources.
    effect_low : float, optional
        Lower end of the effect's interval, at which power is given as well.
    n_simulations : int
        Experiments for each power.
    rng : numpy.random.Generator or int
        Source of randomness; each design has a stream of its own, so its power does not depend on the
        rest of the grid.

    Returns
    -------
    PowerPlan

    Raises
    ------
    OptionError
        If the grid, a share or a number is out of range.

    Examples
    --------
    >>> plan = plan_power(
    ...     Components(effect=0.5, sd_source=1.0), n_sources=(20, 30, 40), n_annotators=(1,)
    ... )
    >>> plan.smallest(1).n_sources
    30
    """
    sources, annotators = sorted(set(n_sources)), sorted(set(n_annotators))
    if not sources or not annotators or sources[0] < 2 or annotators[0] < 1:
        raise OptionError(
            "a plan needs numbers of sources from 2 on and of annotators from 1 on, got "
            f"{list(n_sources)} and {list(n_annotators)}"
        )
    if not 0 < power < 1 or not 0 < level < 1:
        raise OptionError(
            f"power and level have to lie between 0 and 1, got {power:g} and {level:g}"
        )
    if n_maps < 1 or n_simulations < 100:
        raise OptionError(
            f"n_maps has to be 1 or more (got {n_maps}) and n_simulations 100 or more "
            f"(got {n_simulations})"
        )
    seed = int(np.random.default_rng(rng).integers(2**63))
    designs = []
    for k in annotators:
        for n in sources:
            counts = [
                count_rejections(
                    dataclasses.replace(components, effect=effect),
                    class_sizes(n, class_shares),
                    k,
                    level=level / n_maps,
                    n_simulations=n_simulations,
                    rng=np.random.default_rng([seed, n, k, stream]),
                )
                for stream, effect in enumerate((components.effect, effect_low))
                if effect is not None
            ]
            low, high = clopper_pearson_ends(counts[0], n_simulations)
            half_width, half_width_others = components.half_widths(n, k)
            designs.append(
                DesignPower(
                    n_sources=n,
                    n_annotators=k,
                    power=counts[0] / n_simulations,
                    power_low=low,
                    power_high=high,
                    power_at_low_effect=math.nan
                    if effect_low is None
                    else counts[1] / n_simulations,
                    half_width=half_width,
                    half_width_others=half_width_others,
                )
            )
    return PowerPlan(
        designs=tuple(designs),
        components=components,
        wanted=power,
        level=level,
        n_maps=n_maps,
        effect_low=effect_low,
        n_simulations=n_simulations,
    )


def _half(width: float) -> str:
    return format_number(width, decimals_of_half(width))


def _listed(numbers: Sequence[int]) -> str:
    *others, last = numbers
    return (f"{', '.join(map(str, others))} or " if others else "") + counted(last, "annotator")
