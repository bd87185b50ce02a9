"""Where marks lie on their images, found once for everything that draws them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnxai.annotations.pixel_shapes import PixelShape
from attnxai.annotations.shapes import ShapeKind

if TYPE_CHECKING:
    from attnxai.annotations.annotation_set import Annotation


KnownPlaces = Mapping[str, Mapping["Annotation", PixelShape | None]]
"""For each source its marks in pixels of its image; None where its projection cannot show one."""


class _Packed(NamedTuple):
    """Shapes of one source: their kinds and numbers of points, which many sources share, and all numbers in one array."""

    marks: tuple[Annotation, ...]
    kinds: tuple[tuple[ShapeKind, int] | None, ...]
    numbers: bytes


class Places(KnownPlaces):
    """The places of the marks of very many sources: their numbers are kept, in a third of the memory of the shapes.

    These are made again when they are asked for.

    Examples
    --------
    >>> import attnxai
    >>> shape = attnxai.annotations.Shape(kind="circle", x=12.0, y=30.5, radius=4.0)
    >>> mark = attnxai.annotations.Annotation(source="s1", annotator="Ann", shape=shape)
    >>> places = Places()
    >>> places.add("s1", {mark: shape.on_pixels(attnxai.data.PixelGrid(shape=(40, 40)))})
    >>> places["s1"][mark].width
    8.0
    """

    def __init__(self) -> None:
        self._sources: dict[str, _Packed] = {}
        self._kinds: dict[tuple[object, ...], tuple[tuple[ShapeKind, int] | None, ...]] = {}

    def add(self, source: str, placed: Mapping[Annotation, PixelShape | None]) -> None:
        """Set those of a source."""
        kinds = tuple(
            None if shape is None else (shape.kind, len(shape.points)) for shape in placed.values()
        )
        numbers = [
            number
            for shape in placed.values()
            if shape is not None
            for number in (shape.width, shape.height, shape.angle_deg, *shape.points.flat)
        ]
        self._sources[source] = _Packed(
            tuple(placed), self._kinds.setdefault(kinds, kinds), np.array(numbers).tobytes()
        )

    def __getitem__(self, source: str) -> dict[Annotation, PixelShape | None]:
        packed = self._sources[source]
        numbers = np.frombuffer(packed.numbers)
        found: dict[Annotation, PixelShape | None] = {}
        for mark, kind in zip(packed.marks, packed.kinds, strict=True):
            found[mark] = None
            if kind is not None:
                own, numbers = np.split(numbers, [3 + 2 * kind[1]])
                width, height, angle = own[:3].tolist()
                found[mark] = PixelShape(
                    kind=kind[0],
                    points=own[3:].reshape(-1, 2),
                    width=width,
                    height=height,
                    angle_deg=angle,
                )
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)
