"""Maps that are read a part at a time, so that any number of them fits into memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attnxai.data.short_repr import short_repr
from attnxai.errors import AlignmentError, OptionError
from attnxai.explanations.files.formats import open_maps
from attnxai.explanations.files.map_store import CHUNK
from attnxai.explanations.files.zarr_folder import open_store
from attnxai.explanations.stack import MapStack


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapChunks:
    """Maps of many sources, of which one chunk is held at a time.

    Made by :func:`read_map_chunks` or :meth:`of`.

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

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:3])
    >>> stack = attnxai.attention_maps(attnxai.load_model("c1.pt"), images)
    >>> stack.write(getfixture("tmp_path") / "maps.zarr")
    >>> maps = read_map_chunks(getfixture("tmp_path") / "maps.zarr")
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

    __repr__ = short_repr

    @classmethod
    def of(cls, stack: MapStack) -> MapChunks:
        """The same for maps that are in memory."""
        return cls(
            sources=stack.sources,
            layers=tuple(stack.layers),
            unusable={},
            chunk_of=[i // CHUNK for i in range(len(stack))],
            take=stack.take,
        )

    def __len__(self) -> int:
        return len(self.sources)

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
        place = {source: i for i, source in enumerate(self.sources)}
        names = tuple(sources)
        for name in names:
            if name not in place:
                reason = self.unusable.get(name)
                raise AlignmentError(
                    f"there is no map of {name!r}" + (f": {reason}" if reason else "")
                )
        return self.take([place[name] for name in names])

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[MapStack]:
        """The maps from position ``start`` to before ``stop``, in stacks of neighbouring sources."""
        positions = range(*slice(start, stop).indices(len(self)))
        begin = positions.start
        for i in positions:
            if i + 1 == positions.stop or self.chunk_of[i + 1] != self.chunk_of[i]:
                yield self.take(range(begin, i + 1))
                begin = i + 1


def read_map_chunks(path: str | Path) -> MapChunks:
    """Open maps that attnxai has written, to be read a chunk at a time.

    Maps in Zarr are read from the disk when they are asked for. Those in other formats, and in Zarr groups of earlier
    versions, are read at once.

    Parameters
    ----------
    path : path
        Zarr, NPZ, FITS, or a folder of FITS files.

    Returns
    -------
    MapChunks

    Raises
    ------
    MapFileError
        If it is missing, damaged, or holds no maps; also later, by a chunk that is damaged.
    OptionError
        If another program has written it, so that it does not say what its maps are of.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:1])
    >>> attnxai.attention_maps(attnxai.load_model("c1.pt"), images).write(getfixture("tmp_path") / "maps.zarr")
    >>> read_map_chunks(getfixture("tmp_path") / "maps.zarr").sources == images.sources
    True
    """
    path = Path(path)
    store = open_store(path)
    if store is None:
        content = open_maps(path).content
        if not isinstance(content, MapStack):
            raise OptionError(
                f"{path} was not written by attnxai and does not say what its maps are of; read it with read_maps and "
                "the images"
            )
        return MapChunks.of(content)
    tables, rows = store.tables, store.usable
    return MapChunks(
        sources=tuple(tables.sources[i] for i in rows),
        layers=tuple(store.header.layers),
        unusable={s: r for s, r in zip(tables.sources, tables.reasons, strict=True) if r},
        chunk_of=(rows // CHUNK).tolist(),
        take=lambda positions: store.stack(rows[list(positions)]),
    )
