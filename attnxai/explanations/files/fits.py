"""Maps as FITS images with coordinates, for DS9, CARTA and TOPCAT: one file of all sources, or a folder with one each.

Each map is an image extension named after its layer, whose coordinates follow from those of the image of its source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.grid import FilePixels, GridTransform, RowZero
from attnxai.data.images import source_id
from attnxai.data.readers.fits import read_planes
from attnxai.data.readers.fits_coordinates import celestial_wcs
from attnxai.data.short_repr import shown_name
from attnxai.errors import MapFileError
from attnxai.explanations.files.damage import damaged
from attnxai.explanations.files.header import (
    BRIGHTNESS,
    LAYERS,
    VALID,
    array_names,
    arrays_of,
    checked_header,
    header_of,
    parse_header,
    stack_of,
)
from attnxai.explanations.files.loose import LooseMaps, Plane
from attnxai.jobs.files import read_input, write_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage
    from attnxai.data.readers.fits_cards import Cards
    from attnxai.explanations.stack import MapStack

EXTENSIONS = (".fits", ".fit", ".fts")
INDEX = "maps.json"
"""Header of a folder of files, and the name of the file of each source."""
_FILES = "files"
_HEADER = "ATTNXAI"
_ROW_ZERO = "ROWZERO"
_WHAT = "file of maps"


def write(path: Path, stack: MapStack, images: Sequence[SourceImage] | None) -> None:
    """Write one file of all sources; with the ``images``, maps are given their place on the sky."""
    from astropy.io import fits

    content = json.dumps(header_of(stack)).encode()
    primary = fits.PrimaryHDU()
    primary.header["ORIGIN"] = "attnxai"
    header = fits.ImageHDU(np.frombuffer(content, np.uint8)[None])
    header.header["EXTNAME"] = (_HEADER, "names and places of all maps, as JSON")
    by_source, arrays = _images_by_source(stack, images), arrays_of(stack)
    of_sources = [hdu for i in range(len(stack)) for hdu in _hdus(stack, arrays, i, by_source)]
    fits.HDUList([primary, *of_sources, _table(stack), header]).writeto(path, overwrite=True)


def write_folder(path: Path, stack: MapStack, images: Sequence[SourceImage] | None) -> None:
    """Write a file for each source into a folder, and an index."""
    from astropy.io import fits

    names = {s: f"{name}{EXTENSIONS[0]}" for s, name in array_names(stack.sources).items()}
    by_source, arrays = _images_by_source(stack, images), arrays_of(stack)
    for i, name in enumerate(names.values()):
        primary = fits.PrimaryHDU()
        primary.header["ORIGIN"] = "attnxai"
        fits.HDUList([primary, *_hdus(stack, arrays, i, by_source)]).writeto(path / name)
    index = header_of(stack) | {_FILES: list(names.values())}
    write_file(path / INDEX, json.dumps(index, indent=1) + "\n")


def _images_by_source(
    stack: MapStack, images: Sequence[SourceImage] | None
) -> dict[str, SourceImage]:
    wanted = set(stack.sources)
    return {image.source: image for image in images or () if image.source in wanted}


def _hdus(
    stack: MapStack,
    arrays: Mapping[str, NDArray[Any]],
    i: int,
    images: Mapping[str, SourceImage],
) -> list[Any]:
    """Image extensions of one source: its layers, its brightness, and which pixels are valid."""
    from astropy.io import fits

    from attnxai.data.sky import wcs_of_grid

    source = stack.sources[i]
    grid = images[source].grid if source in images else None
    names = array_names(stack.layers)
    planes = [
        (name, arrays[f"{LAYERS}/{names[name]}"][i], stack.geometry[name]) for name in stack.layers
    ]
    planes += [(BRIGHTNESS, arrays[BRIGHTNESS][i], GridTransform())]
    planes += [(VALID, arrays[VALID][i].astype(np.uint8), GridTransform())]
    is_turned = False
    headers = {place: fits.Header() for _, _, place in planes}
    facts = _facts(stack)
    if grid is not None and grid.wcs is not None:
        for place, header in headers.items():
            on_image = place.within(stack.field[i])
            header.update(wcs_of_grid(grid.wcs, on_image).to_header(relax=True))
            if grid.file_pixels is not None:
                header.update(_on_file_pixels(on_image, grid.file_pixels))
    elif grid is not None and grid.row_zero is RowZero.TOP:
        # as pictures are shown: the first row of a FITS image is the lowest
        is_turned = True
        for header in headers.values():
            header[_ROW_ZERO] = (str(RowZero.TOP), "the last row is row 0 of the picture")
    found = []
    for name, values, place in planes:
        header = headers[place]
        hdu = fits.ImageHDU(values[::-1] if is_turned else values, header)
        hdu.header["EXTNAME"] = _ascii(name)
        hdu.header["EXTVER"] = i + 1
        hdu.header["OBJECT"] = _ascii(source)
        if name in stack.layers:
            hdu.header.update(facts)
        found.append(hdu)
    return found


def _on_file_pixels(place: GridTransform, file: FilePixels) -> dict[str, Any]:
    """A second coordinate system: pixels of the image's file, counted from 1, which were resampled to square ones."""
    first, along_x, along_y = (
        np.add(file.from_grid(*place.to_outer(np.array(x), np.array(y))), 1.0)
        for x, y in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    )
    found: dict[str, Any] = {"WCSAXESA": 2, "WCSNAMEA": "FILE PIXELS"}
    for axis, name in ((1, "X"), (2, "Y")):
        found[f"CTYPE{axis}A"], found[f"CUNIT{axis}A"] = name, "pixel"
        found[f"CRPIX{axis}A"], found[f"CRVAL{axis}A"] = 1.0, float(first[axis - 1])
        for column, along in ((1, along_x), (2, along_y)):
            found[f"CD{axis}_{column}A"] = float(along[axis - 1] - first[axis - 1])
    return found


def _facts(stack: MapStack) -> dict[str, str]:
    """Cards that say what made the maps; the header of the file says more."""
    explained = stack.provenance.get("explanations", ())
    targets = [one["target"] for one in explained if "target" in one]
    stated = {
        "CREATOR": f"attnxai {metadata.version('attnxai')}",
        "MODEL": stack.model_name,
        "METHOD": ", ".join(str(one.get("name", "")) for one in explained),
        "TARGET": ", ".join(dict.fromkeys(map(_of_target, targets))),
    }
    return {key: _ascii(text) for key, text in stated.items() if text}


def _of_target(target: Any) -> str:
    return target if isinstance(target, str) else " minus ".join(map(str, target))


def _table(stack: MapStack) -> Any:
    """Sources by the version (EXTVER) of their images, for TOPCAT and other programs."""
    from astropy.io import fits

    columns = {
        "EXTVER": np.arange(1, len(stack) + 1, dtype=np.int32),
        "SOURCE": np.array([_ascii(source) for source in stack.sources]),
        "SPLIT": np.array(list(map(str, stack.splits))),
    }
    if stack.scores is not None:
        names = array_names(stack.class_names).values()
        columns |= {f"SCORE_{n}": stack.scores[:, i] for i, n in enumerate(names)}
    kinds = {"i": "J", "f": "D"}
    hdu = fits.BinTableHDU.from_columns(
        [
            fits.Column(
                name=name,
                format=kinds.get(values.dtype.kind) or f"{max(values.dtype.itemsize // 4, 1)}A",
                array=values,
            )
            for name, values in columns.items()
        ]
    )
    hdu.header["EXTNAME"] = "SOURCES"
    return hdu


def _ascii(text: str) -> str:
    """Text that a card can hold; the header has it as it is."""
    plain = text.encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in plain)[:1000]


def recognises(path: Path) -> bool:
    """Whether a file begins like FITS, plain or compressed."""
    with open(path, "rb") as file:
        return file.read(6).startswith((b"SIMPLE", b"\x1f\x8b"))


def read(path: Path) -> MapStack | LooseMaps:
    """Read a file that :func:`write` or another program has written."""
    where = f"{_WHAT} {path}"
    planes = list(_planes(path))
    if planes and planes[-1][0].text("EXTNAME") == _HEADER:
        _, content = planes.pop()
        header = checked_header(parse_header(content.astype(np.uint8).tobytes(), where), where)
        size = len(header.layers) + 2
        groups = [planes[at : at + size] for at in range(0, len(planes), size)]
        return stack_of(header, _arrays(groups, header.layers, len(header.sources), where), where)
    return _loose([(path, planes)], where)


def read_folder(path: Path) -> MapStack | LooseMaps:
    """Read a folder that :func:`write_folder` has written, or FITS files of other programs, one a source."""
    where = f"folder of maps {path}"
    if not (path / INDEX).is_file():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in EXTENSIONS and f.is_file())
        if not files:
            raise MapFileError(f"{where} holds no FITS files ({', '.join(EXTENSIONS)})")
        return _loose([(file, list(_planes(file))) for file in files], where)
    index = parse_header(read_input(path / INDEX, f"{_WHAT} {path / INDEX}", MapFileError), where)
    names = index.pop(_FILES, None)
    header = checked_header(index, where)
    if not isinstance(names, list) or len(names) != len(header.sources):
        raise damaged(where, f"{INDEX} names no file for each source")
    groups = []
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not (path / name).is_file():
            raise damaged(where, f"it lacks the file {shown_name(name)}")
        groups.append(list(_planes(path / name)))
    return stack_of(header, _arrays(groups, header.layers, len(names), where), where)


def _planes(path: Path) -> Iterator[tuple[Cards, NDArray[Any]]]:
    for cards, values in read_planes(path, _WHAT):
        is_turned = cards.text(_ROW_ZERO) == str(RowZero.TOP)
        yield cards, values[::-1] if is_turned else values


def _arrays(
    groups: Sequence[Sequence[tuple[Cards, NDArray[Any]]]],
    layers: Mapping[str, str],
    n_sources: int,
    where: str,
) -> Any:
    """The arrays of a stack by their names, of images in groups of one source each."""
    names = [*(f"{LAYERS}/{name}" for name in layers.values()), BRIGHTNESS, VALID]
    if len(groups) != n_sources or any(len(group) != len(names) for group in groups):
        n = sum(map(len, groups))
        raise damaged(where, f"it holds {n} images, and its header names {n_sources * len(names)}")

    def array(name: str) -> NDArray[Any]:
        planes = [group[names.index(name)][1] for group in groups]
        if other := next((one for one in planes if one.shape != planes[0].shape), None):
            raise damaged(
                where,
                f"images of {shown_name(name)} have shapes {planes[0].shape} and {other.shape}",
            )
        return np.stack(planes)

    return array


def _loose(
    files: Sequence[tuple[Path, Sequence[tuple[Cards, NDArray[Any]]]]], where: str
) -> LooseMaps:
    """Maps by EXTNAME and by OBJECT, or by the name of the file where its images are of one object."""

    def found() -> Iterator[tuple[str, str, Plane]]:
        for file, planes in files:
            objects = [cards.text("OBJECT") or "" for cards, _ in planes]
            several = len(set(objects)) > 1
            for (cards, values), named in zip(planes, objects, strict=True):
                if values.ndim != 2 or min(values.shape) < 1:
                    raise MapFileError(
                        f"{_WHAT} {file} holds an image of shape {values.shape}; each map is an image of two axes, in "
                        "an extension of its own, so that it can state its place on the sky"
                    )
                layer = cards.text("EXTNAME") or "map"
                source = named if several else source_id(file.name)
                rows, columns = values.shape
                wcs = celestial_wcs(cards, (rows, columns))
                yield layer, source, Plane(values=values, wcs=wcs)

    return LooseMaps.of(found(), where, states_places=True)
