"""Whether maps lie on the source, whether that depends on its class, and whether empty sky tells the class.

Numpy alone, for maps from anywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attnxai.alignment.resample import resample_to_field
from attnxai.audit.class_shares import (
    ALL,
    GivenClasses,
    SourceClasses,
    decides,
    distinguishes,
    group_auc,
    share_interval,
)
from attnxai.audit.source_means import mean_defined
from attnxai.data.emission import (
    MIN_ISLAND_PIXELS,
    RING_PIXELS,
    Zone,
    emission_mask,
    zones_on_grid,
)
from attnxai.data.grid import GridTransform
from attnxai.errors import OptionError
from attnxai.explanations.files.map_chunks import in_chunks
from attnxai.statistics.interval import finite_or_none

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.stack import MapStack, Split
    from attnxai.statistics.interval import Interval
    from attnxai.statistics.resamples import StratifiedCounts

# levels closer than this part of the range of the maps differ by rounding alone
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MapLocation:
    """Where the maps of one layer lie.

    A map lies *on the source* if its mean on emission is above its mean elsewhere. Its *level on empty sky* is its
    median over the cells of its grid that are empty sky.

    Parameters
    ----------
    name : str
        The layer, or the mean of several.
    on_source : mapping of str to Interval
        Share of the sources whose map lies on the source, for ``all`` and by class.
    level : mapping of str to float
        Mean over sources of the level on empty sky, for ``all`` and by class.
    level_auc : mapping of str to Interval
        For two classes, of the second: the AUC with which the level tells it from the first. For more, of each
        against the rest.
    n_undefined : int
        Sources for which one of the two is undefined: a map that is the same on emission and elsewhere, or an image
        without empty sky.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources[:4]])
    >>> maps = attnxai.maps_from_arrays(images, [one.pixels for one in images], model_name="pixels")
    >>> (found,) = attnxai.audit.map_location(maps, rng=0)
    >>> found.name, found.on_source["all"].value
    ('map', 1.0)
    """

    name: str
    on_source: Mapping[str, Interval]
    level: Mapping[str, float]
    level_auc: Mapping[str, Interval]
    n_undefined: int

    @property
    def above(self) -> tuple[str, ...]:
        """Classes for which most maps lie on the source: the interval of the share lies above one half."""
        return tuple(name for name, share in self._by_class() if share.low > 0.5)

    @property
    def below(self) -> tuple[str, ...]:
        """Classes for which most maps lie off the source: the interval of the share lies below one half."""
        return tuple(name for name, share in self._by_class() if share.high < 0.5)

    def _by_class(self) -> Iterator[tuple[str, Interval]]:
        return ((name, share) for name, share in self.on_source.items() if name != ALL)

    @property
    def sign_depends_on_class(self) -> bool:
        """Whether most maps lie on the source for some class, and off it for another."""
        return bool(self.above and self.below)

    @property
    def level_tells_class(self) -> bool:
        """Whether the interval of an AUC of the level on empty sky excludes 0.5."""
        return any(distinguishes(auc) for auc in self.level_auc.values())

    @property
    def passes(self) -> bool | None:
        """Whether neither depends on the class; None where that takes more classes or sources."""
        if self.sign_depends_on_class or self.level_tells_class:
            return False
        enough = self.level_auc and all(map(decides, self.level_auc.values()))
        return True if enough else None

    def to_record(self) -> dict[str, Any]:
        """Plain values under documented names; None where a number is undefined."""
        return {
            "map": self.name,
            "passes": self.passes,
            "sign_depends_on_class": self.sign_depends_on_class,
            "level_tells_class": self.level_tells_class,
            "on_source": {name: share.to_record() for name, share in self.on_source.items()},
            "level_on_empty_sky": {name: finite_or_none(one) for name, one in self.level.items()},
            "level_auc": {name: auc.to_record() for name, auc in self.level_auc.items()},
            "n_undefined": self.n_undefined,
        }


def map_location(
    maps: MapStack | MapChunks,
    classes: GivenClasses = None,
    *,
    rng: np.random.Generator | int,
    min_island_pixels: int = MIN_ISLAND_PIXELS,
    ring_pixels: float = RING_PIXELS,
    n_bootstrap: int = 10_000,
) -> tuple[MapLocation, ...]:
    """Whether maps lie on the source, and whether their sign or their level on empty sky tells its class.

    Maps are taken on their own grids, means of several on the field. Shares have exact binomial intervals
    (Clopper & Pearson 1934), AUCs BCa bootstrap intervals over sources within each class (ABC for
    thousands, without resamples); none is adjusted for the number of maps.

    Parameters
    ----------
    maps : MapStack or MapChunks
        The maps; those of chunks are read one after the other.
    classes : mapping of str to str, or sequence of (str or None), optional
        Class of sources by their names, or of every source, None where it is unknown. Without them what depends on classes is left out.
    rng : numpy.random.Generator or int
        Source of randomness of the bootstrap.
    min_island_pixels : int
        Smaller islands above the clip of the preprocessing count as noise.
    ring_pixels : float
        Cells up to this many pixels of the images from emission do not count as empty sky.
    n_bootstrap : int
        Resamples.

    Returns
    -------
    tuple of MapLocation
        One for every layer and mean.

    Raises
    ------
    OptionError
        If there is not one class for each source.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> files = annotations.image_files()
    >>> images = attnxai.read_images([files[name] for name in annotations.sources[:8]])
    >>> maps = attnxai.explain(attnxai.load_model("d8.pt"), images)
    >>> [one.name for one in attnxai.audit.map_location(maps, rng=0)]
    ['gate1', 'gate2', 'gate3', 'mean']
    """
    known = SourceClasses.of(maps.sources, classes, maps.class_names)
    counts = known.resamples(n_bootstrap, np.random.default_rng(rng))
    measured = measure_maps(
        in_chunks(maps).chunks(), min_island_pixels=min_island_pixels, ring_pixels=ring_pixels
    )
    return locate_maps(measured, known, counts)


class MapMeasures(NamedTuple):
    """Of every source how far its map on emission is above its mean elsewhere, its median on empty sky, and its ends."""

    contrast: NDArray[np.float64]
    level: NDArray[np.float64]
    low: NDArray[np.floating[Any]]
    high: NDArray[np.floating[Any]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredMaps:
    """Where the maps of some sources lie, source by source, and what else was one value a source.

    ``measures`` are by layer and mean, with the settings of :func:`map_location`; the other fields are those of
    :class:`~attnxai.explanations.MapStack`.
    """

    measures: Mapping[str, MapMeasures]
    min_island_pixels: int
    ring_pixels: float
    model_name: str
    sources: tuple[str, ...]
    splits: tuple[Split, ...]
    scores: NDArray[np.float64] | None
    class_names: tuple[str, ...]
    provenance: Mapping[str, Any]

    def select(self, chosen: NDArray[np.bool_]) -> MeasuredMaps:
        """The same of some sources."""
        if chosen.all():
            return self
        positions = np.flatnonzero(chosen).tolist()
        return dataclasses.replace(
            self,
            measures={
                name: MapMeasures._make(values[chosen] for values in one)
                for name, one in self.measures.items()
            },
            sources=tuple(self.sources[i] for i in positions),
            splits=tuple(self.splits[i] for i in positions),
            scores=None if self.scores is None else self.scores[chosen],
        )


def measure_maps(
    chunks: Iterable[MapStack], *, min_island_pixels: int, ring_pixels: float
) -> MeasuredMaps:
    """Measure where the maps of one or more chunks lie, of which one is held at a time."""
    measures: dict[str, list[MapMeasures]] = {}
    sources: list[str] = []
    splits: list[Split] = []
    scores = []
    about: dict[str, Any] = {}
    for stack in chunks:
        for name, one in _measured(stack, min_island_pixels, ring_pixels):
            measures.setdefault(name, []).append(one)
        sources += stack.sources
        splits += stack.splits
        if stack.scores is not None:
            scores.append(stack.scores)
        about = about or {
            name: getattr(stack, name) for name in ("model_name", "class_names", "provenance")
        }
    if not about:
        raise OptionError("there are no maps to locate")
    return MeasuredMaps(
        measures={
            name: MapMeasures._make(map(np.concatenate, zip(*parts, strict=True)))
            for name, parts in measures.items()
        },
        min_island_pixels=min_island_pixels,
        ring_pixels=ring_pixels,
        sources=tuple(sources),
        splits=tuple(splits),
        scores=np.concatenate(scores) if scores else None,
        **about,
    )


def locate_maps(
    measured: MeasuredMaps, known: SourceClasses, counts: StratifiedCounts
) -> tuple[MapLocation, ...]:
    """:func:`map_location` of what was measured, over resamples of the sources that are drawn already."""
    return tuple(_locate(name, one, known, counts) for name, one in measured.measures.items())


def _measured(
    maps: MapStack, min_island_pixels: int, ring_pixels: float
) -> Iterator[tuple[str, MapMeasures]]:
    emission = emission_mask(maps.brightness, min_island_pixels=min_island_pixels)
    zones: dict[tuple[GridTransform, tuple[int, ...]], NDArray[np.int8]] = {}

    def zones_on(geometry: GridTransform, shape: tuple[int, int]) -> NDArray[np.int8]:
        key = (geometry, shape)
        if key not in zones:
            zones[key] = zones_on_grid(
                emission, geometry, shape, places=maps.field, ring_pixels=ring_pixels
            )
        return zones[key]

    for name, values, geometry in _layers_and_means(maps, GridTransform()):
        on_grid = zones_on(geometry, (values.shape[1], values.shape[2]))
        contrast, level = np.full((2, len(values)), np.nan)
        for position, (one, zone) in enumerate(
            zip(values.astype(np.float64), on_grid, strict=True)
        ):
            on = zone == Zone.EMISSION
            if on.any() and not on.all():
                contrast[position] = one[on].mean() - one[~on].mean()
            empty = one[zone == Zone.EMPTY_SKY]
            if empty.size:
                level[position] = np.median(empty)
        ends = values.min(axis=(1, 2)), values.max(axis=(1, 2))
        yield name, MapMeasures(contrast, level, *ends)


def _layers_and_means(
    maps: MapStack, field: GridTransform
) -> Iterator[tuple[str, NDArray[np.float32], GridTransform]]:
    for name, values in maps.layers.items():
        yield name, values, maps.geometry[name]
    for name, of in maps.named_means.items():
        mean = np.zeros((len(maps), *maps.field_shape), np.float32)
        for layer in of:
            mean += resample_to_field(maps.layers[layer], maps.geometry[layer], maps.field_shape)
        yield name, mean / np.float32(len(of)), field


def _locate(
    name: str, measures: MapMeasures, known: SourceClasses, counts: StratifiedCounts
) -> MapLocation:
    contrast, level, low, high = measures
    grain = _ROUNDING * max(float(high.max() - low.min()), 1e-30)
    contrast = np.where(np.abs(contrast) > grain, contrast, np.nan)
    # so that rounding does not order levels that are the same
    level = np.rint(level / grain) * grain
    return MapLocation(
        name=name,
        on_source=known.each(lambda members: share_interval(contrast[members])),
        level=known.each(lambda members: float(mean_defined(level[members]))),
        level_auc={
            one: group_auc(level, known.labels, label, counts) for label, one in known.told()
        },
        n_undefined=int((np.isnan(contrast) | np.isnan(level)).sum()),
    )
