"""Files that hold many images in one array (n, rows, columns): FITS cubes, NPY, HDF5 and Zarr.

They are opened, not read: a survey's array is larger than memory. Nothing in them is executed; of Zarr only codecs that
are known are used, and HDF5 files may not lead into other files.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.image_options import ImageOptions
from attnxai.data.readers.registry import PIXELS_OF_ANY_FILE, ImageContent
from attnxai.data.short_repr import shown_name
from attnxai.data.wording import first_of
from attnxai.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEPARATOR = "::"
"""Between a file and the name of an array in it."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_FITS, _NPY = b"SIMPLE  =", b"\x93NUMPY"
_ZARR = "zarr.json"
_CODECS = {"bytes", "gzip", "zstd", "blosc", "crc32c", "transpose", "sharding_indexed"}
_NAMES = ("source", "sources", "source_id", "id", "ids", "name", "names")
_SCALE = "pixel_scale_arcsec"
_MOST_BLOCK = 1 << 28


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageArray:
    """An opened array of images: ``values[i]`` is an image; ``sources`` are None where the file names none."""

    values: Any
    sources: Sequence[str] | None = None
    pixel_scale_arcsec: float | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.values.shape)
        if math.prod(shape[1:]) > PIXELS_OF_ANY_FILE:
            raise ImageError(
                f"it claims images of {shape[1]} x {shape[2]} pixels; give cutouts of sources"
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImagesInFile:
    """The images that a file has in an array."""

    path: str
    array: str
    sources: tuple[str, ...]


def images_in(text: str, options: ImageOptions) -> ImagesInFile | None:
    """The images in the array that is meant; None where no file of this kind, or a single image, is."""
    name, _, array = text.partition(SEPARATOR)
    path = Path(name)
    kind = _kind(path)
    if kind is None or (kind in (_FITS, _NPY) and (options.plane is not None or array)):
        if array:
            raise ImageError(
                f"images {text!r}: {path} is neither an HDF5 file nor a Zarr folder, so it has no array {array!r}"
            )
        return None
    if kind == _FITS and options.hdu is not None:
        array = str(options.hdu)
    with _opened(path, array, kind) as found:
        if found is None:
            return None
        n = found.values.shape[0]
        width = len(str(n - 1))
        stem = path.name.split(".", maxsplit=1)[0]
        own = found.sources or [f"{stem}_{i:0{width}d}" for i in range(n)]
    return ImagesInFile(path=str(path), array=array, sources=tuple(own))


def contents(path: str, array: str, indices: Sequence[int]) -> Iterator[ImageContent | ImageError]:
    """What there is at some indices of an array, or why it cannot be used; neighbours are read together."""
    where = f"images {path}"
    try:
        with _opened(Path(path), array, _kind(Path(path))) as found:
            if found is None:
                raise ImageError("it holds no array of images any more")
            scale = found.pixel_scale_arcsec
            for pixels in _images(found.values, list(indices)):
                yield (
                    pixels
                    if isinstance(pixels, ImageError)
                    else ImageContent(pixels=pixels, pixel_scale_arcsec=scale)
                )
    except ImageError as error:
        for _ in indices:
            yield ImageError(f"{where}: {error}")


def _images(values: Any, indices: list[int]) -> Iterator[NDArray[Any] | ImageError]:
    first, n = indices[0], len(indices)
    together = indices == list(range(first, first + n))
    if together and n * math.prod(values.shape[1:]) * values.dtype.itemsize <= _MOST_BLOCK:
        with contextlib.suppress(
            Exception
        ):  # then one of them is damaged: they are read one by one
            yield from np.asarray(values[first : first + n])
            return
    for index in indices:
        try:
            yield np.asarray(values[index])
        except Exception as error:  # noqa: BLE001 -- of codecs and libraries, which can raise anything
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            yield ImageError(f"image {index} cannot be read, it may be damaged: {reason}")


def _kind(path: Path) -> bytes | None:
    if path.is_dir():
        return _ZARR.encode() if (path / _ZARR).is_file() else None
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        head = file.read(16)
    return next((kind for kind in (_HDF5, _FITS, _NPY) if head.startswith(kind)), None)


@contextlib.contextmanager
def _opened(path: Path, array: str, kind: bytes | None) -> Iterator[ImageArray | None]:
    opener = {_HDF5: _hdf5, _FITS: _fits, _NPY: _npy, _ZARR.encode(): _zarr}.get(kind or b"")
    if opener is None:
        yield None
        return
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(opener(path, array))
        except (ImageError, MemoryError):
            raise
        except Exception as error:  # of the library, for a file that is damaged
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ImageError(
                f"images {path} cannot be read, the file may be damaged: {reason}"
            ) from error
        yield found


@contextlib.contextmanager
def _npy(path: Path, array: str) -> Iterator[ImageArray | None]:  # noqa: ARG001
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    yield ImageArray(values=values) if values.ndim == 3 and len(values) > 1 else None


@contextlib.contextmanager
def _fits(path: Path, array: str) -> Iterator[ImageArray | None]:
    """A cube of three axes; its planes have the scale of its pixels, and no place on the sky."""
    from astropy.io import fits
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    with fits.open(path, memmap=False) as hdus:  # sections are read where they lie
        if array:
            chosen = [hdus[int(array) if array.isdecimal() else array]]
        else:
            chosen = [hdu for hdu in hdus if len(hdu.shape) >= 2 and hdu.is_image]
        cubes = [hdu for hdu in chosen if len(hdu.shape) == 3 and hdu.shape[0] > 1]
        if len(chosen) != 1 or not cubes:
            yield None
            return
        (hdu,) = cubes
        scale = None
        celestial = WCS(hdu.header, naxis=2)
        if celestial.has_celestial:
            sides = proj_plane_pixel_scales(celestial) * 3600
            if abs(sides[0] / sides[1] - 1) < 1e-3:
                scale = float(sides[0])
        yield ImageArray(values=_Section(hdu), pixel_scale_arcsec=scale)


class _Section:
    """The planes of an image HDU, read one at a time with its scaling."""

    def __init__(self, hdu: Any) -> None:
        self._hdu, self.shape = hdu, hdu.shape
        self.dtype = np.dtype(np.float64)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, index: Any) -> Any:
        values = self._hdu.section[index]
        return values.astype(values.dtype.newbyteorder("="))


@contextlib.contextmanager
def _hdf5(path: Path, array: str) -> Iterator[ImageArray | None]:
    try:
        import h5py
    except ImportError as error:
        raise ImageError(
            f"images {path} are in HDF5, which needs the package h5py; install it by pip install h5py"
        ) from error
    with h5py.File(path, "r") as file:
        within: dict[str, Any] = {}

        def look(name: str, item: Any) -> None:  # which does not follow links to other files
            if isinstance(item, h5py.Dataset) and item.external is None and not item.is_virtual:
                within[name] = item

        file.visititems(look)
        values = _chosen(within, array.strip("/"), path)
        beside = values.parent
        names = next(
            (
                beside[name].asstr()[:]
                for name in _NAMES
                if isinstance(beside.get(name), h5py.Dataset)
                and beside[name].shape == values.shape[:1]
                and h5py.check_string_dtype(beside[name].dtype) is not None
            ),
            None,
        )
        scale = values.attrs.get(_SCALE, file.attrs.get(_SCALE))
        yield ImageArray(values=values, sources=_texts(names), pixel_scale_arcsec=_scale(scale))


@contextlib.contextmanager
def _zarr(path: Path, array: str) -> Iterator[ImageArray | None]:
    import zarr

    for file in path.rglob(_ZARR):
        _check_codecs(file)
    root = zarr.open(str(path), mode="r", zarr_format=3)
    if isinstance(root, zarr.Array):
        within, beside = {"": root}, {}
    else:
        beside = dict(root.arrays())
        within = beside
    values = _chosen(within, array.strip("/"), path)
    names = next(
        (
            beside[name][:]
            for name in _NAMES
            if name in beside
            and beside[name].shape == values.shape[:1]
            and beside[name].dtype.kind in "OTU"
        ),
        None,
    )
    scale = values.attrs.get(_SCALE, root.attrs.get(_SCALE))
    yield ImageArray(values=values, sources=_texts(names), pixel_scale_arcsec=_scale(scale))


def _check_codecs(file: Path) -> None:
    """Refuse codecs that are not known, some of which run what a file holds."""
    content = json.loads(file.read_text(encoding="utf-8"))
    pending = list(content.get("codecs", ()))
    while pending:
        codec = pending.pop()
        name = codec.get("name") if isinstance(codec, dict) else codec
        if name == "vlen-utf8" and content.get("data_type") == "string":
            continue
        if name not in _CODECS:
            raise ImageError(
                f"images {file.parent} have the codec {shown_name(str(name))}; known are {', '.join(sorted(_CODECS))}"
            )
        settings = codec.get("configuration") or {} if isinstance(codec, dict) else {}
        for inner in ("codecs", "index_codecs"):
            pending += list(settings.get(inner, ()))


def _chosen(within: dict[str, Any], array: str, path: Path) -> Any:
    """The array that is named, or the only one of three axes."""
    cubes = {
        name: values
        for name, values in within.items()
        if len(values.shape) == 3 and values.dtype.kind in "uifb" and 0 not in values.shape
    }
    if array in cubes:
        return cubes[array]
    shown = first_of([f"{name or 'itself'} {values.shape}" for name, values in cubes.items()], 5)
    if array:
        raise ImageError(
            f"images {path} has no array {array!r} of shape (n, rows, columns); it has {shown or 'none'}"
        )
    if len(cubes) != 1:
        raise ImageError(
            f"images {path} has {len(cubes)} arrays of shape (n, rows, columns)"
            + (f": {shown}; name one, as in {path}{SEPARATOR}{next(iter(cubes))}" if cubes else "")
        )
    return next(iter(cubes.values()))


def _texts(values: Any) -> list[str] | None:
    return None if values is None else [str(value) for value in values]


def _scale(given: Any) -> float | None:
    try:
        value = float(given)
    except (TypeError, ValueError):
        return None
    return value if 0 < value < math.inf else None
