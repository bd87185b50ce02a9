"""Distribution over sources, class by class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.results import ALL
from attnxai.metrics import METRICS
from attnxai.report.figures.fitting import add_legend, fit_rows
from attnxai.report.figures.text import FigureText, method_phrase
from attnxai.report.sentences.say import say
from attnxai.report.shown_maps import listed_maps
from attnxai.report.style import (
    CHANCE_COLOUR,
    CLASS_COLOURS,
    CLASS_MARKERS,
    colours_of,
    saved_widths,
)
from attnxai.report.wording import capitalised, group_phrase, in_sentence, label_of_map, mean_word
from attnxai.statistics.formats import format_effective, format_value
from attnxai.statistics.interval import effective_number

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult

_ROW_MM = 9.0
_MANY = 200  # sources of a class


def draw_classes(result: AgreementResult, folder: Path, *, suffix: str = "") -> FigureText | None:
    """Draw the distribution over sources for every class; nothing without classes."""
    names = [name for name in result.class_names if name != ALL]
    if not names:
        return None
    metric = result.metrics[0]
    members = [i for i, group in enumerate(result.splits) if group == result.verdict_group]
    shown = listed_maps(result)
    values = {name: result.source_means(name, metric) for name in shown}
    of_class = {name: [i for i in members if result.classes[i] == name] for name in names}
    if not any(np.isfinite(values[name][own]).any() for name in shown for own in of_class.values()):
        return None
    estimates = _estimates(result, metric, shown, names)
    labels = [label_of_map(name) for name in shown]
    height = 11 + max(_ROW_MM, 3.5 * len(names)) * len(shown)
    for figure in saved_widths(folder, f"classes{suffix}", height):
        ax = figure.add_subplot()
        _draw_sources(ax, [[values[n][of_class[c]] for c in names] for n in shown], names)
        for row, explanation in enumerate(shown):
            for place, name in enumerate(names):
                estimate = estimates.get((explanation, name))
                if estimate is not None:
                    _draw_mean(ax, estimate, _at(row, place, len(names)), _look(place))
        for place, name in enumerate(names):
            ax.plot([], [], ls="", label=name, **_look(place))
        for row in range(1, len(shown)):
            ax.axhline(row - 0.5, color="#DDDDDD", lw=0.5, zorder=0)
        chance = METRICS[metric].chance
        if chance is not None:
            ax.axvline(
                chance, color=CHANCE_COLOUR, lw=0.6, zorder=0, label="marks at random places"
            )
        ax.set_ylim(len(shown) - 0.5, -0.5)
        ax.set_yticks(range(len(shown)), labels)
        ax.set_xlabel(METRICS[metric].label)
        add_legend(figure, ax)
        fit_rows(figure, [ax])
    counts = ", ".join(_count(result, members, name) for name in names)
    mean = mean_word(e.interval for e in estimates.values())
    return FigureText(
        name=f"classes{suffix}",
        caption=say(
            "caption.classes",
            metric=METRICS[metric].label,
            counts=counts,
            group=group_phrase(result.verdict_group, len(members)),
            model=result.model_name,
            mean=mean,
            intervals=_intervals(list(estimates.values())),
        ),
        alternative=_in_words(metric, estimates, mean),
    )


def _at(row: int, place: int, n_classes: int) -> float:
    """Where the sources of a class lie within the row of a map."""
    return row + 0.8 * ((place + 0.5) / n_classes - 0.5)


def _draw_sources(ax: Any, values: list[list[np.ndarray]], names: list[str]) -> None:
    """Draw the values of the sources, by map and class, as points."""
    import pandas as pd
    import seaborn as sns

    frames = [
        pd.DataFrame(
            {
                "value": own,
                "place": _at(row, place, len(names)) + 0.56 / len(names) * _spread(len(own)),
                "class": name,
            }
        )
        for row, of_map in enumerate(values)
        for place, (name, own) in enumerate(zip(names, of_map, strict=True))
    ]
    many = max(len(frame) for frame in frames) > _MANY
    sns.scatterplot(
        pd.concat(frames).dropna(),
        x="value",
        y="place",
        hue="class",
        style="class",
        hue_order=names,
        style_order=names,
        palette=colours_of(names, CLASS_COLOURS),
        markers=colours_of(names, CLASS_MARKERS),
        s=4 if many else 9,
        linewidth=0,
        alpha=0.25 if many else 0.55,
        rasterized=many,
        legend=False,
        ax=ax,
    )
    ax.set_ylabel("")


def _look(place: int) -> dict[str, Any]:
    """How the mean of a class is drawn."""
    return {
        "color": CLASS_COLOURS[place % len(CLASS_COLOURS)],
        "marker": CLASS_MARKERS[place % len(CLASS_MARKERS)],
        "markersize": 5,
        "markeredgecolor": "black",
        "markeredgewidth": 0.8,
    }


def _draw_mean(ax: Any, estimate: Estimate, at: float, look: dict[str, Any]) -> None:
    """Draw the mean of a class and its interval."""
    interval = estimate.interval
    if interval.known:
        ax.plot([interval.low, interval.high], [at, at], color="black", lw=1.2, zorder=4)
    ax.plot([interval.value], [at], ls="", zorder=5, **look)


def _count(result: AgreementResult, members: list[int], name: str) -> str:
    own = [i for i in members if result.classes[i] == name]
    weights = result.source_weights[own]
    effective = format_effective(effective_number(weights[weights > 0]))
    return f"{len(own)} {name}{f' ({effective})' if effective else ''}"


def _estimates(
    result: AgreementResult, metric: str, shown: list[str], names: list[str]
) -> dict[tuple[str, str], Estimate]:
    known = {(e.group, e.class_name) for e in result.estimates}
    return {
        (explanation, name): result.estimate(explanation, metric, class_name=name)
        for explanation in shown
        for name in names
        if (result.verdict_group, name) in known
    }


def _intervals(estimates: list[Estimate]) -> str:
    known = [e.interval for e in estimates if e.interval.known]
    if not known:
        return say("caption.classes.no_intervals")
    return say("caption.classes.intervals", level=known[0].level, methods=method_phrase(known))


def _in_words(metric: str, estimates: dict[tuple[str, str], Estimate], mean: str) -> str:
    means: dict[str, list[str]] = {}
    for (explanation, name), estimate in estimates.items():
        value = format_value(estimate.interval)
        means.setdefault(explanation, []).append(f"{name} {value}")
    parts = [f"{name}: {', '.join(values)}" for name, values in means.items()]
    return say(
        "caption.classes.alternative",
        metric=in_sentence(METRICS[metric].label),
        mean=capitalised(mean),
        means="; ".join(parts),
    )


def _spread(n: int) -> np.ndarray:
    """Places from -0.5 to 0.5 that fill evenly: points side by side without chance."""
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    return np.asarray((np.arange(n) * golden) % 1.0 - 0.5)
