"""Images of which more are known than fit into memory: their pixels are read again when they are wanted."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attnxai.data.grids_on_demand import GridOnDemand
from attnxai.data.image_notes import collect_images
from attnxai.data.images import SourceImage, SourceSet
from attnxai.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_HELD = 1 << 28
"""Bytes of pixels up to which the images of a set stay in memory; further ones are read again."""
_MOST_READ = 8
_PIXELS = ("pixels", "footprint")


class ImageOnDemand(SourceImage):
    """A SourceImage whose pixels and footprint are read from its file whenever they are asked for.

    Everything else is kept from the first time, with a hash of the pixels, so that an image that has changed since is
    refused. The last few images that were read are kept. Made by :meth:`of`; :func:`dataclasses.replace` makes a
    SourceImage in memory of it.

    Raises
    ------
    ImageError
        By ``pixels`` and ``footprint``, if the file has gone or holds other pixels than before.
    """

    __slots__ = ("_footprint_sha256", "_key", "_sha256", "reader")
    reader: Callable[[], SourceImage]
    _sha256: str
    _key: tuple[object, ...]
    _footprint_sha256: str

    def __new__(cls, **fields: Any) -> Any:
        """An image in memory with these fields."""
        return SourceImage(**fields)

    @classmethod
    def of(cls, image: SourceImage, read: Callable[[], SourceImage]) -> ImageOnDemand:
        """An image that has been read, without its pixels; ``read`` reads it again."""
        kept = {name: getattr(image, name) for name in _kept_fields()}
        return _made(
            kept | {"grid": GridOnDemand.of(image.grid)},
            reader=read,
            _sha256=image.sha256(),
            _key=image.pixel_key(),
            _footprint_sha256=image.footprint_sha256(),
        )

    def with_facts(self, **facts: Any) -> ImageOnDemand:
        """The same image, with other values of some fields, which may not be those of pixels."""
        kept = {name: getattr(self, name) for name in _kept_fields()}
        own = {name: getattr(self, name) for name in ImageOnDemand.__slots__}
        return _made(kept | facts, **own)

    def __reduce__(self) -> Any:
        kept = {name: getattr(self, name) for name in _kept_fields()}
        own = {name: getattr(self, name) for name in ImageOnDemand.__slots__}
        return functools.partial(_made, **own), (kept,)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return (
            f"ImageOnDemand(source={self.source!r}, {rows} x {columns} pixels, path={self.path!r})"
        )

    @property
    def pixels(self) -> NDArray[np.float32]:
        """Brightness."""
        return _read_again(self).pixels

    @property
    def footprint(self) -> NDArray[np.bool_] | None:
        """Pixels that were observed; None where all were."""
        return _read_again(self).footprint if self._footprint_sha256 else None

    def sha256(self) -> str:
        """Hash of the pixel values and their shape."""
        return self._sha256

    def footprint_sha256(self) -> str:
        """Hash of the footprint; empty where everything was observed."""
        return self._footprint_sha256

    def pixel_key(self) -> tuple[object, ...]:
        """What is the same for these pixels in any order."""
        return self._key


def _kept_fields() -> list[str]:
    return [field.name for field in dataclasses.fields(SourceImage) if field.name not in _PIXELS]


def _made(fields: Mapping[str, Any], **own: Any) -> ImageOnDemand:
    made: ImageOnDemand = object.__new__(ImageOnDemand)
    for name, value in {**fields, **own}.items():
        object.__setattr__(made, name, value)
    return made


@functools.lru_cache(maxsize=_MOST_READ)
def _read_again(image: ImageOnDemand) -> SourceImage:
    with warnings.catch_warnings():  # which were given when it was first read
        warnings.simplefilter("ignore")
        found = image.reader()
    if found.sha256() != image.sha256():
        raise ImageError(
            f"image {image.path or image.source} has other pixels than when it was first read; leave images as they are "
            "while they are used, and begin anew"
        )
    return found


class Holding:
    """Images that are read one after the other, of which the first :data:`MOST_HELD` bytes of pixels stay in memory."""

    def __init__(self) -> None:
        self._n_bytes = 0

    def hold(self, image: SourceImage, read: Callable[[], SourceImage]) -> SourceImage:
        """The next image, or what reads it again."""
        self._n_bytes += image.pixels.nbytes
        return image if self._n_bytes <= MOST_HELD else ImageOnDemand.of(image, read)


def read_set(readers: Iterable[Callable[[], SourceImage]], *, origin: str) -> SourceSet:
    """Call every reader; those of images that are too many to hold are called again when pixels are wanted.

    Raises
    ------
    ImageError
        Naming every image that cannot be used.
    """
    holding = Holding()
    held = (lambda reader=reader: holding.hold(reader(), reader) for reader in readers)
    return SourceSet(collect_images(held), origin=origin)
