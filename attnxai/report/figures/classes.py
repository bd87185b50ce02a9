"""Distribution over sources, class by class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.results import ALL
from attnxai.metrics import METRICS
from attnxai.report.figures.text import FigureText, method_phrase
from attnxai.report.sentences.say import say
from attnxai.report.shown_maps import listed_maps
from attnxai.report.style import (
    CHANCE_COLOUR,
    CLASS_COLOURS,
    CLASS_MARKERS,
    colours_of,
    saved_figure,
)
from attnxai.report.wording import capitalised, group_phrase, in_sentence, label_of_map, mean_word
from attnxai.statistics.formats import format_effective, format_value
from attnxai.statistics.interval import effective_number

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult


def draw_classes(result: AgreementResult, folder: Path, *, suffix: str = "") -> FigureText | None:
    """Draw the distribution over sources for every class; nothing without classes."""
    names = [name for name in result.class_names if name != ALL]
    if not names:
        return None
    import pandas as pd
    import seaborn as sns

    metric = result.metrics[0]
    members = [i for i, group in enumerate(result.splits) if group == result.verdict_group]
    shown = listed_maps(result)
    values = {name: result.source_means(name, metric) for name in shown}
    frame = pd.DataFrame(
        [
            (explanation, result.classes[i], values[explanation][i])
            for explanation in shown
            for i in members
            if result.classes[i] is not None
        ],
        columns=["explanation", "class", "value"],
    ).dropna()
    if frame.empty:
        return None
    palette, markers = colours_of(names, CLASS_COLOURS), colours_of(names, CLASS_MARKERS)
    estimates = _estimates(result, metric, shown, names)
    width = 0.8 / len(names)

    def place(explanation: str, name: str, aside: float = 0.0) -> float:
        return shown.index(explanation) - 0.4 + width * (names.index(name) + 0.5 + aside)

    aside = 0.5 * _spread(len(frame))
    frame["position"] = list(map(place, frame["explanation"], frame["class"], aside))
    with saved_figure(folder, f"classes{suffix}", 72) as figure:
        ax = figure.add_subplot()
        look: dict[str, Any] = {"s": 9, "alpha": 0.55, "linewidth": 0, "legend": False}
        look |= {"hue": "class", "palette": palette, "style": "class", "markers": markers}
        sns.scatterplot(
            frame, x="position", y="value", hue_order=names, style_order=names, ax=ax, **look
        )
        for (explanation, name), estimate in estimates.items():
            position, interval = place(explanation, name), estimate.interval
            if interval.known:
                ax.plot([position] * 2, [interval.low, interval.high], color="black", lw=1.2)
            (mean,) = ax.plot([position], [interval.value], ls="", ms=5, color=palette[name])
            mean.set(marker=markers[name], markeredgecolor="black", markeredgewidth=0.8, zorder=5)
            if explanation == shown[0]:
                mean.set_label(name)
        chance = METRICS[metric].chance
        if chance is not None:
            ax.axhline(chance, color=CHANCE_COLOUR, lw=0.6, zorder=0)
        labels = [label_of_map(name) if name in result.explanations else name for name in shown]
        ax.set_xticks(range(len(shown)), labels)
        if len("".join(labels)) > 100:
            ax.tick_params(axis="x", rotation=20)
        ax.set_xlabel("")
        ax.set_ylabel(METRICS[metric].label)
        figure.legend(ncols=len(names), loc="outside upper center")
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
