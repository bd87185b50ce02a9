"""How well the maps of different layers and methods agree with each other."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.alignment.resample import blocks_on_field
from attnxai.audit.source_means import interval_columns, position_of
from attnxai.data.short_repr import ArrayResult
from attnxai.data.wording import counted
from attnxai.errors import OptionError
from attnxai.explanations.files.map_chunks import in_chunks
from attnxai.metrics.partial import partial_correlations
from attnxai.metrics.pixels import PixelRows
from attnxai.metrics.ranking import mid_ranks
from attnxai.statistics.bootstrap import mean_interval
from attnxai.statistics.formats import value_range, with_interval
from attnxai.statistics.resamples import resamples_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from attnxai.explanations.files.map_chunks import ChunkedMaps
    from attnxai.explanations.stack import MapStack
    from attnxai.statistics.interval import Interval
    from attnxai.statistics.resamples import Counts

SPEARMAN, PARTIAL = "spearman", "partial_spearman"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MapAgreement(ArrayResult):
    """Rank correlations between all pairs of maps of the same sources.

    Parameters
    ----------
    model_name : str
        The model.
    sources : tuple of str
        Ids of the images.
    layers : tuple of str
        The maps.
    values : ndarray, shape (2, n_maps, n_maps, n_sources)
        Spearman's correlation over the pixels that the network sees, and the same controlling for brightness; NaN
        where a map is constant or, controlling for brightness, follows from it.
    counts : ndarray or Resamples, shape (n_bootstrap, n_sources)
        Resamples, the same for all intervals; those of many sources are drawn again whenever they are wanted.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:2])
    >>> maps = attnxai.attention_maps(attnxai.load_model("c1.pt"), images)
    >>> found = attnxai.audit.map_agreement(maps, n_bootstrap=100)
    >>> found.layers, found.values.shape
    (('gate1', 'gate2', 'gate3', 'mean'), (2, 4, 4, 2))
    """

    model_name: str
    sources: tuple[str, ...]
    layers: tuple[str, ...]
    values: NDArray[np.float64]
    counts: Counts

    plot = presenters.plot

    @property
    def passes(self) -> None:
        """None: maps that differ need not be wrong."""

    def interval(self, first: str, second: str, measure: str = SPEARMAN) -> Interval:
        """Mean correlation of two maps over sources."""
        row, column = (position_of("map", name, self.layers) for name in (first, second))
        own = self.values[position_of("measure", measure, (SPEARMAN, PARTIAL))]
        return mean_interval(own[row, column], self.counts)

    def matrix(self, measure: str = SPEARMAN) -> NDArray[np.float64]:
        """Mean correlations over sources, shape (n_maps, n_maps)."""
        return np.array(
            [[self.interval(a, b, measure).value for b in self.layers] for a in self.layers]
        )

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for index, first in enumerate(self.layers):
            for second in self.layers[index + 1 :]:
                yield first, second

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for every pair of maps: both correlations with the ends of their intervals."""
        import pandas as pd

        rows = []
        for first, second in self._pairs():
            row: dict[str, Any] = {"map": first, "other_map": second}
            for measure in (SPEARMAN, PARTIAL):
                row |= interval_columns(self.interval(first, second, measure), measure)
            rows.append(row)
        return pd.DataFrame(rows)

    def to_record(self) -> dict[str, Any]:
        """Plain values for JSON; None where there is no interval."""
        return {
            "model": self.model_name,
            "n_sources": len(self.sources),
            "pairs": [
                {
                    "maps": [first, second],
                    SPEARMAN: self.interval(first, second).to_record(),
                    PARTIAL: self.interval(first, second, PARTIAL).to_record(),
                }
                for first, second in self._pairs()
            ],
        }

    def summary(self) -> str:
        """Which maps agree most and least, in sentences."""
        head = f"Rank correlation of {counted(len(self.layers), 'map')} on {counted(len(self.sources), 'source')}."
        found = [(self.interval(*pair).value, pair) for pair in self._pairs()]
        known = sorted(one for one in found if np.isfinite(one[0]))
        if not known:
            return f"There are no two maps to compare, or all are constant.\n{head}"
        lines = [
            (
                "By their rank correlation, pairs of maps agree by "
                f"{value_range(value for value, _ in known)}; controlling for brightness, by "
                f"{value_range(self.interval(*pair, PARTIAL).value for pair in self._pairs())}."
            ),
            head,
        ]
        chosen = (
            {"most": known[-1][1], "least": known[0][1]} if len(known) > 1 else {"": known[0][1]}
        )
        for most, pair in chosen.items():
            lines.append(
                f"The maps {pair[0]} and {pair[1]} {f'agree {most}' if most else 'are compared'}: "
                f"{with_interval(self.interval(*pair))}, controlling for brightness "
                f"{with_interval(self.interval(*pair, PARTIAL))}."
            )
        return "\n".join(lines)


def map_agreement(
    maps: MapStack | ChunkedMaps, *, n_bootstrap: int = 2000, rng: np.random.Generator | int = 0
) -> MapAgreement:
    """Correlate all maps of a stack with each other, source by source, on the field.

    Parameters
    ----------
    maps : MapStack or MapChunks
        The maps; coarser ones are interpolated to the field. Those of chunks are read one after the other.
    n_bootstrap : int
        Resamples of the sources for intervals.
    rng : numpy.random.Generator or int
        Draws the resamples.

    Returns
    -------
    MapAgreement

    Raises
    ------
    OptionError
        If ``n_bootstrap`` is below 1.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> model = attnxai.load_model("d8.pt")
    >>> maps = attnxai.attention_maps(model, images)
    >>> found = map_agreement(maps, n_bootstrap=100)
    >>> found.values.shape[1:3] == (len(found.layers), len(found.layers))
    True
    """
    if n_bootstrap < 1:
        raise OptionError(f"n_bootstrap has to be 1 or more, got {n_bootstrap}")
    parts: list[NDArray[np.float64]] = []
    model_name, layers = "", tuple[str, ...]()
    for stack in in_chunks(maps).chunks():
        model_name = stack.model_name
        for positions, found in blocks_on_field(stack, range(len(stack))):
            layers = tuple(found)
            parts.append(_correlations(stack, positions, found))
    return MapAgreement(
        model_name=model_name,
        sources=maps.sources,
        layers=layers,
        values=np.concatenate(parts, axis=3),
        counts=resamples_of(len(maps), n_bootstrap, np.random.default_rng(rng)),
    )


def _correlations(
    stack: MapStack, positions: Sequence[int], found: dict[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Both correlations between the maps of the sources at some positions of a stack, as of :class:`MapAgreement`."""
    every = np.stack(list(found.values()))
    some = list(positions)
    valid = stack.valid[some]
    values = np.full((2, len(every), len(every), len(valid)), np.nan)
    brightness = np.asarray(stack.brightness[some], dtype=np.float64)
    controlled = {i: (len(every),) for i in range(len(every))}
    for position, where in enumerate(valid):
        if not where.any():
            continue
        rows = every[:, position, where]
        vary = np.ptp(rows, axis=1) > 0
        if vary.any():
            correlations = np.atleast_2d(np.corrcoef(mid_ranks(rows[vary])))
            values[0, :, :, position][np.ix_(vary, vary)] = correlations
        beside = PixelRows(np.concatenate([rows, brightness[None, position, where]]))
        values[1, :, :, position] = partial_correlations(beside, beside, controlled)[:, :-1]
    return values
