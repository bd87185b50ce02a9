"""A plan on one axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnxai.data.wording import counted
from attnxai.report.plots.axes import new_axes

if TYPE_CHECKING:
    from attnxai.planning.plan import PowerPlan


def plot_power(plan: PowerPlan, *, ax: Any = None) -> Any:
    """Draw power against the number of sources, a line for each number of annotators.

    Bands are the powers' intervals; broken lines are at the lower end of the effect's interval.
    """
    ax = new_axes(ax)
    for k in plan.annotators:
        designs = plan.of_annotators(k)
        x = [d.n_sources for d in designs]
        (line,) = ax.plot(x, [d.power for d in designs], marker=".", label=counted(k, "annotator"))
        lows, highs = [d.power_low for d in designs], [d.power_high for d in designs]
        ax.fill_between(x, lows, highs, color=line.get_color(), alpha=0.2, lw=0)
        if plan.effect_low is not None:
            low = [d.power_at_low_effect for d in designs]
            ax.plot(x, low, color=line.get_color(), ls="--", lw=0.8)
    ax.axhline(plan.wanted, color="#666666", lw=0.8, ls=":")
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("power")
    _number_sources(plan, ax)
    return ax


def plot_precision(plan: PowerPlan, *, ax: Any = None) -> Any:
    """Draw the half-width of the interval against the number of sources.

    Full lines are about these annotators, broken ones about other annotators too.
    """
    ax = new_axes(ax)
    for k in plan.annotators:
        designs = plan.of_annotators(k)
        x = [d.n_sources for d in designs]
        (line,) = ax.plot(x, [d.half_width for d in designs], label=counted(k, "annotator"))
        others = [d.half_width_others for d in designs]
        ax.plot(x, others, color=line.get_color(), ls="--", lw=0.8)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("half-width of the 95 % interval")
    _number_sources(plan, ax)
    ax.legend(loc="upper right")
    return ax


def _number_sources(plan: PowerPlan, ax: Any) -> None:
    ax.set_xscale("log")
    numbers = [d.n_sources for d in plan.of_annotators(plan.annotators[0])]
    shown = numbers[:: -(-len(numbers) // 8)]
    ax.set_xticks(shown, [str(n) for n in shown])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("sources")
