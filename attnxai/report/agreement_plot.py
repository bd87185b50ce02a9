"""The figure that carries a result: agreement with intervals, baselines, nulls and the noise ceiling."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.results import ALL, AgreementResult
from attnxai.metrics import METRICS
from attnxai.report.findings import baselines_of_kind, best_of
from attnxai.report.style import (
    BASELINE_COLOUR,
    CEILING_COLOUR,
    CEILING_EDGE,
    CHANCE_COLOUR,
    FURTHER_COLOUR,
    MODEL_COLOURS,
    NULL_COLOUR,
    SMALLEST_TEXT,
    draw_mean,
)
from attnxai.report.wording import label_of_map, method_of_map
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate

FURTHER_LINES: tuple[Any, ...] = ("-", (0, (1, 1)), (0, (4, 1.5)), (0, (4, 1, 1, 1)), "--", "-.")
BAR_HEIGHT = 0.4
# bars are thinner where many lines stand beneath them
CROWDED, CROWDED_BAR_HEIGHT = 4, 0.28
_FURTHER_GAP, _FURTHER_TO, _FURTHER_STEP = 0.09, 0.7, 0.12


MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BASELINE_MARKER = "d"


def plot_agreement(
    results: AgreementResult | Sequence[AgreementResult],
    metric: str,
    *,
    ax: Any = None,
    show_names: bool = True,
    show_further: bool = True,
    every_baseline: bool = False,
    legend: bool | None = None,
    marker_size: float = 5.0,
) -> Any:
    """Draw every map on one axis, with the baselines of :func:`agreement_rows`.

    Points are means over sources, lines their confidence intervals, grey bars the central 95 % of the
    means under permutation across sources (within strata where these are known). Thin lines beneath a bar are
    the central 95 % under the further nulls. The band is the noise ceiling, between its lower and upper figure,
    where several annotated. Colour marks the model, shape the map.
    """
    models = [results] if isinstance(results, AgreementResult) else list(results)
    rows = agreement_rows(models, metric, every_baseline=every_baseline)
    further = _further_labels(rows) if show_further else []
    if legend is None:
        legend = ax is None
    if ax is None:
        import matplotlib.pyplot as plt

        height = 1.4 + (0.24 + 0.04 * len(further)) * len(rows)
        _, ax = plt.subplots(figsize=(7.0, height), layout="constrained")
    # lines between groups keep clear of those beneath the bars
    lowered = 0.0 if not further else 0.15 if len(further) < CROWDED else 0.28
    edges = [noise_ceiling_range(of, metric) for of in models]
    for (low, high), (top, bottom) in _bands(edges, rows, lowered):
        _draw_box(ax, low, high, top, bottom, CEILING_COLOUR, CEILING_EDGE, "noise ceiling")
    for place, row in enumerate(rows):
        if row.estimate is None:
            _draw_heading(ax, place, row, line_at=place - 0.5 + lowered, show_names=show_names)
        else:
            _draw_nulls(ax, place, row.estimate, further)
            draw_mean(
                ax,
                row.estimate.interval,
                place,
                colour=row.colour,
                marker=row.marker,
                size=marker_size,
                filled=not row.estimate.is_baseline,
                outlined=True,
            )
    if len(models) == 1:
        at = len(models[0].explanations) - 0.5 + lowered
        ax.axhline(at, color=CHANCE_COLOUR, lw=0.5, ls=":")
    for place, (upper, lower) in enumerate(itertools.pairwise(rows), start=1):
        of_maps = [r.estimate is not None and not r.estimate.is_baseline for r in (upper, lower)]
        if all(of_maps) and method_of_map(upper.text) != method_of_map(lower.text):
            ax.axhline(place - 0.5 + lowered, color="#DDDDDD", lw=0.5, zorder=0.7)
    chance = METRICS[metric].chance
    if chance is not None:
        ax.axvline(chance, color=CHANCE_COLOUR, lw=0.6, zorder=0.8, label="marks at random places")
    ax.set_ylim(len(rows) - 0.4 + lowered, -0.6)
    places = [place for place, row in enumerate(rows) if row.estimate is not None]
    ax.set_yticks(places, [rows[place].label if show_names else "" for place in places])
    ax.set_xlabel(METRICS[metric].label)
    ax.autoscale_view(scaley=False)
    _label_once(ax)
    if legend:
        below = (0.5, -0.5 * ax.figure.dpi / ax.figure.bbox.height)
        look = {"ncols": 2, "frameon": False}
        ax.legend(loc="upper center", bbox_to_anchor=below, **look)
    return ax


def _label_once(ax: Any) -> None:
    """Leave every label to one artist, so that a legend has one entry for it."""
    seen: set[str] = set()
    for artist in (*ax.patches, *ax.lines):
        label = artist.get_label()
        artist.set_label("_" if label in seen else label)
        seen.add(label)


def _further_labels(rows: Sequence[AgreementRow]) -> list[str]:
    tests = [further for row in rows if row.estimate for further in row.estimate.further]
    return list(dict.fromkeys(further.label for further in tests if further.test is not None))


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
            fontsize=SMALLEST_TEXT,
            zorder=5,
            path_effects=[withStroke(linewidth=2.0, foreground="white")],
            # a long name neither squeezes the axis nor runs over its neighbour
            in_layout=False,
            clip_on=True,
        )


def _draw_nulls(ax: Any, place: int, estimate: Estimate, further: Sequence[str]) -> None:
    """Draw where the central 95 % of the means lie: of permuted annotations as a bar, of others as lines."""
    bar_height = BAR_HEIGHT if len(further) < CROWDED else CROWDED_BAR_HEIGHT
    # a bar of few permutations would look like a test that there is not
    if estimate.test is not None and estimate.test.smallest_p <= SIGNIFICANCE_LEVEL:
        low, high = estimate.test.range()
        within = f" {estimate.test.null}" if estimate.within_strata is not None else ""
        top, label = place - bar_height / 2, f"annotations permuted{within}, central 95 %"
        # an edge, so that a null of one value is seen
        _draw_box(ax, low, high, top, top + bar_height, NULL_COLOUR, NULL_COLOUR, label)
    first = bar_height / 2 + _FURTHER_GAP
    step = min(_FURTHER_STEP, (_FURTHER_TO - first) / max(len(further) - 1, 1))
    for null in estimate.further:
        if null.test is None or null.label not in further:
            continue
        index = further.index(null.label)
        ax.plot(
            null.test.range(),
            [place + first + index * step] * 2,
            color=FURTHER_COLOUR,
            lw=0.9,
            ls=FURTHER_LINES[index % len(FURTHER_LINES)],
            solid_capstyle="butt",
            dash_capstyle="butt",
            marker="|",
            ms=3,
            mew=0.7,
            zorder=2,
            label=f"{null.label}, central 95 %",
        )


def _draw_box(
    ax: Any, low: float, high: float, top: float, bottom: float, face: str, edge: str, label: str
) -> None:
    from matplotlib.patches import Rectangle

    box = Rectangle((low, top), high - low, bottom - top, label=label, facecolor=face)
    null = face == NULL_COLOUR
    box.set(edgecolor=edge, linewidth=0.5 if null else 0.7, zorder=1 if null else 0.5)
    ax.add_patch(box)


def _bands(
    edges: Sequence[tuple[float, float] | None], rows: Sequence[AgreementRow], lowered: float
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """Edges of every band, and where it begins and ends: beyond the axis where it is of all rows."""
    first = edges[0]
    if first and all(edge is not None and np.allclose(edge, first) for edge in edges):
        yield first, (-2.0, len(rows) + 1.0)
        return
    for index, edge in enumerate(edges):
        if edge is not None:
            own = [place for place, row in enumerate(rows) if row.model == index]
            yield edge, (own[0] - 0.5 + lowered, own[-1] + 0.5 + lowered)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgreementRow:
    """One row of the figure."""

    text: str
    colour: str
    marker: str = ""
    estimate: Estimate | None = None
    model: int | None = None

    @property
    def label(self) -> str:
        """Its name beside the axis: in plain words for maps."""
        is_map = self.estimate is not None and not self.estimate.is_baseline
        return label_of_map(self.text) if is_map else self.text


def agreement_rows(
    results: Sequence[AgreementResult], metric: str, *, every_baseline: bool = False
) -> list[AgreementRow]:
    """Rows of the figure, from top to bottom.

    Of brightness and of emission the resolution that agrees best is shown, or all with ``every_baseline``. One model has no heading. Several have one each, and baselines stand once, at the end, where they are the
    same for all; see :func:`_share_baselines`.
    """
    # a shape for each map of a method, again from the first for the next method
    of_methods: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for result in results for name in result.explanations):
        of_methods.setdefault(method_of_map(name), []).append(name)
    orders = list(of_methods.values())
    if all(len(names) == 1 for names in orders):
        orders = [[name for (name,) in orders]]
    markers = {name: MARKERS[i % len(MARKERS)] for names in orders for i, name in enumerate(names)}
    several = len(results) > 1
    shared = _share_baselines(results, metric)

    def row(result: AgreementResult, name: str, colour: str, model: int | None) -> AgreementRow:
        estimate = result.estimate(name, metric)
        return AgreementRow(
            text=name,
            colour=BASELINE_COLOUR if estimate.is_baseline else colour,
            marker=markers.get(name, BASELINE_MARKER),
            estimate=estimate,
            model=model,
        )

    def baselines(result: AgreementResult) -> tuple[str, ...]:
        if every_baseline:
            return result.baselines
        best = {best_of(result, metric, of) for of in baselines_of_kind(result).values() if of}
        return tuple(name for name in result.baselines if name in best)

    rows = []
    for index, result in enumerate(results):
        colour = MODEL_COLOURS[index % len(MODEL_COLOURS)]
        if several:
            rows.append(AgreementRow(text=result.model_name, colour=colour, model=index))
        names = result.explanations if shared else result.explanations + baselines(result)
        rows += [row(result, name, colour, index) for name in names]
    if shared and results[0].baselines:
        if several:
            rows.append(AgreementRow(text="baselines", colour=BASELINE_COLOUR))
        rows += [row(results[0], name, BASELINE_COLOUR, None) for name in baselines(results[0])]
    return rows


def _share_baselines(results: Sequence[AgreementResult], metric: str) -> bool:
    """Whether all models have the same baselines, of the same values on the same sources."""

    def of(result: AgreementResult) -> tuple[object, np.ndarray]:
        members = [result.verdict_group in (ALL, split) for split in result.splits]
        values = result.values[result.metrics.index(metric), len(result.explanations) :]
        sources = tuple(itertools.compress(result.sources, members))
        return (result.baselines, result.annotators, sources), values[:, :, members]

    names, values = of(results[0])
    return all(
        other_names == names and np.allclose(other, values, equal_nan=True)
        for other_names, other in map(of, results[1:])
    )


def noise_ceiling_range(result: AgreementResult, metric: str) -> tuple[float, float] | None:
    """Lower and upper figure of the noise ceiling; None where these are not known."""
    ceiling = result.noise_ceiling(metric)
    if ceiling is None:
        return None
    low, high = sorted((ceiling.lower.value, ceiling.upper.value))
    return (low, high) if np.isfinite([low, high]).all() else None
