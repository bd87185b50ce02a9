"""Maps that are read a part at a time, so that any number of them fits into memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attnxai.data.short_repr import short_repr
from attnxai.errors import AlignmentError
from attnxai.explanations.files.header import grids_of, splits_of
from attnxai.explanations.files.map_store import CHUNK
from attnxai.explanations.stack import MapStack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnxai.data.grid import GridTransform
    from attnxai.explanations.files.map_store import MapStore
    from attnxai.explanations.stack import Split


class ChunkedMaps(Protocol):
    """Maps that are gone through a chunk of sources at a time, as often as is wanted."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of all sources."""

    def __len__(self) -> int: ...

    def chunks(self) -> Iterator[MapStack]:
        """The maps of all sources, in stacks of neighbouring ones."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapChunks:
    """Maps of many sources, of which one chunk is held at a time.

    Made by :func:`~attnxai.explanations.read_map_chunks` or :meth:`of`. What is one value a source is there for all of them, as in a
    :class:`MapStack`.

    Parameters
    ----------
    sources : tuple of str
        Sources that have maps, in their order.
    layers : tuple of str
        Names of the layers.
    unusable : mapping of str to str
        Sources whose images had no maps, with the reason.
    chunk_of : sequence of int
        The chunk in which the maps of each source lie; those of a chunk are neighbours.
    take : callable
        Gives the stack of some positions among the sources.
    model_name, field, field_shape, field_scale_arcsec, splits, scores, class_names, provenance
        As in :class:`MapStack`.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:3])
    >>> stack = attnxai.attention_maps(attnxai.load_model("c1.pt"), images)
    >>> stack.write(getfixture("tmp_path") / "maps.zarr")
    >>> maps = attnxai.explanations.read_map_chunks(getfixture("tmp_path") / "maps.zarr")
    >>> len(maps), maps.layers
    (3, ('gate1', 'gate2', 'gate3'))
    >>> [len(chunk) for chunk in maps.chunks()]
    [3]
    >>> maps.read(1, 3).sources == images.sources[1:]
    True
    """

    sources: tuple[str, ...]
    layers: tuple[str, ...]
    unusable: Mapping[str, str]
    chunk_of: Sequence[int]
    take: Callable[[Sequence[int]], MapStack]
    model_name: str
    field: tuple[GridTransform, ...]
    field_shape: tuple[int, int]
    field_scale_arcsec: float
    splits: tuple[Split, ...]
    scores: NDArray[np.float64] | None
    class_names: tuple[str, ...]
    provenance: Mapping[str, Any]
    _position: dict[str, int] = dataclasses.field(init=False, repr=False)

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "_position", {s: i for i, s in enumerate(self.sources)})

    @classmethod
    def of(cls, stack: MapStack) -> MapChunks:
        """The same for maps that are in memory."""
        return cls(
            sources=stack.sources,
            layers=tuple(stack.layers),
            unusable={},
            chunk_of=[i // CHUNK for i in range(len(stack))],
            take=stack.take,
            **{name: getattr(stack, name) for name in _OF_STACK},
        )

    @classmethod
    def of_store(cls, store: MapStore) -> MapChunks:
        """Those of a store, which are read from the disk when they are asked for."""
        header, tables, rows = store.header, store.tables, store.usable
        return cls(
            sources=tuple(tables.sources[i] for i in rows),
            layers=tuple(header.layers),
            unusable={s: r for s, r in zip(tables.sources, tables.reasons, strict=True) if r},
            chunk_of=(rows // CHUNK).tolist(),
            take=lambda positions: store.stack(rows[list(positions)]),
            model_name=header.model_name,
            field=grids_of(tables.places[rows].tolist(), store.where),
            field_shape=store.field_shape,
            field_scale_arcsec=header.field_scale_arcsec,
            splits=splits_of([tables.splits[i] for i in rows], store.where),
            scores=None if tables.scores is None else tables.scores[rows],
            class_names=header.class_names,
            provenance=header.provenance,
        )

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each source without maps has none, as it stands after the name of the source."""
        return {s: f"{self.model_name} has no map of it ({r})" for s, r in self.unusable.items()}

    def read(self, start: int, stop: int) -> MapStack:
        """The maps of the sources from position ``start`` to before ``stop``."""
        return self.take(range(*slice(start, stop).indices(len(self))))

    def select(self, sources: Iterable[str]) -> MapStack:
        """The maps of the named sources, in the order of the names.

        Raises
        ------
        AlignmentError
            If a source has no map.
        """
        return self.take(self._positions(sources))

    def _positions(self, sources: Iterable[str]) -> list[int]:
        found = []
        for name in sources:
            if name not in self._position:
                reason = self.unusable.get(name)
                why = f": {reason}" if reason else f" in the maps of {self.model_name}"
                raise AlignmentError(f"there is no map of {name!r}{why}")
            found.append(self._position[name])
        return found

    def restricted_to(
        self,
        sources: Iterable[str],
        *,
        splits: Sequence[Split] | None = None,
        **facts: Any,
    ) -> MapChunks:
        """The maps of the named sources, in the order of the names, which are still read when they are asked for.

        ``splits`` are those of these sources; ``facts`` are others of ``model_name`` and ``provenance``.

        Raises
        ------
        AlignmentError
            If a source has no map.
        """
        index = self._positions(sources)
        own = tuple(self.splits[i] for i in index) if splits is None else tuple(splits)
        take = self.take

        def taken(positions: Sequence[int]) -> MapStack:
            stack = take([index[i] for i in positions])
            return dataclasses.replace(stack, splits=tuple(own[i] for i in positions), **facts)

        return dataclasses.replace(
            self,
            sources=tuple(self.sources[i] for i in index),
            chunk_of=[self.chunk_of[i] for i in index],
            take=taken,
            field=tuple(self.field[i] for i in index),
            splits=own,
            scores=None if self.scores is None else self.scores[index],
            **facts,
        )

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[MapStack]:
        """The maps from position ``start`` to before ``stop``, in stacks of neighbouring sources."""
        positions = range(*slice(start, stop).indices(len(self)))
        begin = positions.start
        for i in positions:
            if i + 1 == positions.stop or self.chunk_of[i + 1] != self.chunk_of[i]:
                yield self.take(range(begin, i + 1))
                begin = i + 1


def in_chunks(maps: MapStack | ChunkedMaps) -> ChunkedMaps:
    """Maps to go through a chunk at a time."""
    return MapChunks.of(maps) if isinstance(maps, MapStack) else maps


_OF_STACK = (
    "model_name",
    "field",
    "field_shape",
    "field_scale_arcsec",
    "splits",
    "scores",
    "class_names",
    "provenance",
)
