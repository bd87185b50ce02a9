"""The figure that carries a result: agreement with intervals, baselines, nulls and the noise ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.results import ALL, AgreementResult
from attnxai.metrics import METRICS
from attnxai.report.plots.agreement_rows import (
    AgreementRow,
    agreement_rows,
    noise_ceiling_range,
)
from attnxai.report.style import (
    CEILING_COLOUR,
    CEILING_EDGE,
    CHANCE_COLOUR,
    FURTHER_COLOUR,
    NULL_COLOUR,
)

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate

FURTHER_LINES: tuple[Any, ...] = ("-", (0, (1, 1)), (0, (4, 1.5)), (0, (4, 1, 1, 1)), "--", "-.")
BAR_HEIGHT = 0.4
# bars are thinner where many lines stand beneath them
CROWDED, CROWDED_BAR_HEIGHT = 4, 0.28
_FURTHER_GAP, _FURTHER_TO, _FURTHER_STEP = 0.09, 0.7, 0.12
_CHANCE_LABEL = "no agreement"


def plot_agreement(
    results: AgreementResult | Sequence[AgreementResult],
    metric: str,
    *,
    group: str | None = None,
    class_name: str = ALL,
    ax: Any = None,
    show_names: bool = True,
    show_further: bool = True,
    legend: bool | None = None,
    marker_size: float = 5.0,
) -> Any:
    """Draw every map and baseline on one axis.

    Points are means over sources, lines their confidence intervals, grey bars the central 95 % of the
    means under permutation across sources (within strata where these are known). Thin lines beneath a bar are
    the central 95 % under the further nulls. The band is the noise ceiling, between its lower and upper figure,
    where several annotated. Colour marks the model, shape the map.
    """
    models = [results] if isinstance(results, AgreementResult) else list(results)
    rows = agreement_rows(models, metric, group=group, class_name=class_name)
    further = _further_labels(rows) if show_further else []
    if legend is None:
        legend = ax is None
    if ax is None:
        import matplotlib.pyplot as plt

        height = 1.4 + (0.24 + 0.04 * len(further)) * len(rows)
        _, ax = plt.subplots(figsize=(7.0, height), layout="constrained")
    # lines between groups keep clear of those beneath the bars
    lowered = 0.0 if not further else 0.15 if len(further) < CROWDED else 0.28
    labels = _Labels()
    _draw_noise_ceiling(ax, models, rows, metric, group, class_name, labels, lowered)
    for place, row in enumerate(rows):
        if row.estimate is None:
            _draw_heading(ax, place, row, line_at=place - 0.5 + lowered, show_names=show_names)
        else:
            _draw_estimate(ax, place, row, row.estimate, further, labels, marker_size)
    if len(models) == 1:
        at = len(models[0].explanations) - 0.5 + lowered
        ax.axhline(at, color=CHANCE_COLOUR, lw=0.5, ls=":")
    chance = METRICS[metric].chance
    if chance is not None:
        ax.axvline(chance, color=CHANCE_COLOUR, lw=0.6, zorder=0.8, label=_CHANCE_LABEL)
    ax.set_ylim(len(rows) - 0.4 + lowered, -0.6)
    places = [place for place, row in enumerate(rows) if row.estimate is not None]
    ax.set_yticks(places, [rows[place].text if show_names else "" for place in places])
    ax.set_xlabel(METRICS[metric].label)
    ax.autoscale_view(scaley=False)
    if legend:
        handles, texts = ax.get_legend_handles_labels()
        ax.legend(
            handles,
            texts,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.5 * ax.figure.dpi / ax.figure.bbox.height),
            ncols=2,
            fontsize="small",
            frameon=False,
        )
    return ax


class _Labels:
    """Gives every label once, so that a legend has one entry for it."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def once(self, text: str) -> str | None:
        if text in self._given:
            return None
        self._given.add(text)
        return text


def _further_labels(rows: Sequence[AgreementRow]) -> list[str]:
    return list(
        dict.fromkeys(
            further.label
            for row in rows
            if row.estimate is not None
            for further in row.estimate.further
            if further.test is not None
        )
    )


def _draw_heading(
    ax: Any, place: int, row: AgreementRow, *, line_at: float, show_names: bool
) -> None:
    from matplotlib.patheffects import withStroke

    if place:
        ax.axhline(line_at, color="#DDDDDD", lw=0.5, zorder=0.7)
    if show_names:
        ax.annotate(
            row.text,
            (0, place),
            xycoords=ax.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=row.colour,
            fontweight="bold",
            fontsize="small",
            zorder=5,
            path_effects=[withStroke(linewidth=2.0, foreground="white")],
            # a long name neither squeezes the axis nor runs over its neighbour
            in_layout=False,
            clip_on=True,
        )


def _draw_estimate(
    ax: Any,
    place: int,
    row: AgreementRow,
    estimate: Estimate,
    further: Sequence[str],
    labels: _Labels,
    marker_size: float,
) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    bar_height = BAR_HEIGHT if len(further) < CROWDED else CROWDED_BAR_HEIGHT
    if estimate.test is not None:
        low, high = estimate.test.range()
        within = f" {estimate.test.null}" if estimate.within_strata is not None else ""
        bar = Rectangle(
            (low, place - bar_height / 2),
            high - low,
            bar_height,
            facecolor=NULL_COLOUR,
            # an edge, so that a null of one value is seen
            edgecolor=NULL_COLOUR,
            lw=0.5,
            zorder=1,
            label=labels.once(f"annotations permuted{within}, central 95 %"),
        )
        ax.add_patch(bar)
    first = bar_height / 2 + _FURTHER_GAP
    step = min(_FURTHER_STEP, (_FURTHER_TO - first) / max(len(further) - 1, 1))
    for null in estimate.further:
        if null.test is None or null.label not in further:
            continue
        index = further.index(null.label)
        at = place + first + index * step
        ax.plot(
            null.test.range(),
            [at, at],
            color=FURTHER_COLOUR,
            lw=0.9,
            ls=FURTHER_LINES[index % len(FURTHER_LINES)],
            solid_capstyle="butt",
            dash_capstyle="butt",
            marker="|",
            ms=3,
            mew=0.7,
            zorder=2,
            label=labels.once(f"{null.label}, central 95 %"),
        )
    interval = estimate.interval
    if interval.known:
        ax.plot(
            [interval.low, interval.high],
            [place, place],
            color=row.colour,
            lw=1.3,
            zorder=3,
            path_effects=[withStroke(linewidth=2.3, foreground="white")],
        )
    ax.plot(
        [interval.value],
        [place],
        marker=row.marker,
        color=row.colour,
        markerfacecolor="white" if estimate.is_baseline else row.colour,
        ms=marker_size,
        ls="",
        zorder=4,
        path_effects=[withStroke(linewidth=2.0, foreground="white")],
    )


def _draw_noise_ceiling(
    ax: Any,
    models: Sequence[AgreementResult],
    rows: Sequence[AgreementRow],
    metric: str,
    group: str | None,
    class_name: str,
    labels: _Labels,
    lowered: float,
) -> None:
    from matplotlib.patches import Rectangle

    for (low, high), (top, bottom) in _bands(models, rows, metric, group, class_name, lowered):
        ax.add_patch(
            Rectangle(
                (low, top),
                high - low,
                bottom - top,
                facecolor=CEILING_COLOUR,
                edgecolor=CEILING_EDGE,
                lw=0.7,
                zorder=0.5,
                label=labels.once("noise ceiling"),
            )
        )


def _bands(
    models: Sequence[AgreementResult],
    rows: Sequence[AgreementRow],
    metric: str,
    group: str | None,
    class_name: str,
    lowered: float,
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """Edges of every band, and where it begins and ends: beyond the axis where it is of all rows."""
    edges = [
        noise_ceiling_range(result, metric, group=group, class_name=class_name) for result in models
    ]
    first = edges[0]
    if first is not None and all(
        edge is not None and np.allclose(edge, first) for edge in edges[1:]
    ):
        yield first, (-2.0, len(rows) + 1.0)
        return
    for index, edge in enumerate(edges):
        if edge is not None:
            own = [place for place, row in enumerate(rows) if row.model == index]
            yield edge, (own[0] - 0.5 + lowered, own[-1] + 0.5 + lowered)
