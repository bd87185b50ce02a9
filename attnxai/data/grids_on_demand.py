"""Pixel grids of very many images, whose coordinate systems are made when they are wanted."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.grid import PixelGrid
from attnxai.data.sky import frame_key

if TYPE_CHECKING:
    from astropy.wcs import WCS

_STATED = ("radesys", "equinox", "mjdobs", "dateobs", "dateref")
_MOST_MADE = 128
_MOST_EXAMPLES = 1000
_examples: dict[tuple[object, ...], WCS] = {}


class GridOnDemand(PixelGrid):
    """A PixelGrid that keeps the numbers of its coordinate system alone, and makes the system of them when it is asked for.

    A WCS takes 6 kB. Those of one survey differ in ten numbers or so; everything else is in one example of them. The last
    systems that were made are kept, and changes of one are lost. A WCS is pickled as the text of a header, which has twelve
    digits; this has all of them in every process. Made by :meth:`of`; :func:`dataclasses.replace` makes a PixelGrid of it.
    """

    __slots__ = ("_example", "_numbers")
    _example: WCS
    _numbers: bytes

    def __new__(cls, **fields: Any) -> Any:
        """A grid in memory with these fields."""
        return PixelGrid(**fields)

    @classmethod
    def of(cls, grid: PixelGrid) -> PixelGrid:
        """The same grid; itself where it has no coordinate system, or one that its numbers do not make again exactly."""
        wcs = grid.wcs
        if wcs is None or isinstance(grid, cls):
            return grid
        key = _key(wcs)
        if key not in _examples and len(_examples) < _MOST_EXAMPLES:
            _examples[key] = wcs
        example = _examples.get(key)
        if example is None or not _is_plain(wcs) or not _is_plain(example):
            return grid
        made: GridOnDemand = object.__new__(cls)
        for name in (field.name for field in dataclasses.fields(PixelGrid) if field.name != "wcs"):
            object.__setattr__(made, name, getattr(grid, name))
        numbers = np.concatenate([np.ravel(getattr(wcs.wcs, name)) for name in _varying(wcs)])
        object.__setattr__(made, "_example", example)
        object.__setattr__(made, "_numbers", numbers.tobytes())
        return made if made.wcs.wcs.compare(wcs.wcs) else grid

    def __reduce__(self) -> Any:
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(PixelGrid)}
        wcs = fields.pop("wcs")
        stated = _stated(wcs)
        if _stating(**stated).wcs.compare(wcs.wcs):
            return _unpickled, (stated, fields)
        return functools.partial(PixelGrid, wcs=wcs, **fields), ()

    @property
    def wcs(self) -> WCS:
        """Celestial coordinate system."""
        return _with_numbers(self._example, self._numbers)


def _unpickled(stated: Mapping[str, Any], fields: Mapping[str, Any]) -> PixelGrid:
    return GridOnDemand.of(PixelGrid(wcs=_stating(**stated), **fields))


def _stated(wcs: WCS) -> dict[str, Any]:
    """What a coordinate system states, as plain values."""
    w = wcs.wcs
    values = {name: getattr(w, name) for name in (*_STATED, *_varying(wcs))}
    plain = {
        name: np.asarray(value).tolist()
        for name, value in values.items()
        if not isinstance(value, float) or np.isfinite(value)
    }
    return {**plain, "ctype": list(w.ctype), "cunit": list(map(str, w.cunit)), "pv": w.get_pv()}


def _stating(*, pv: list[tuple[int, int, float]], **stated: Any) -> WCS:
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    for name, value in stated.items():
        setattr(wcs.wcs, name, value)
    if pv:
        wcs.wcs.set_pv(pv)
    wcs.wcs.set()
    return wcs


@functools.lru_cache(maxsize=_MOST_MADE)
def _with_numbers(example: WCS, numbers: bytes) -> WCS:
    """The system that has these numbers, and everything else of an example."""
    wcs = example.deepcopy()
    values = np.frombuffer(numbers)
    for name in _varying(example):
        size = np.size(getattr(wcs.wcs, name))
        setattr(wcs.wcs, name, values[:size].reshape(np.shape(getattr(wcs.wcs, name))))
        values = values[size:]
    wcs.wcs.set()
    return wcs


def _varying(wcs: WCS) -> tuple[str, ...]:
    """Numbers that a coordinate system states, and those of its pole, which follow from its place where they are not stated."""
    w = wcs.wcs
    turned = ("cd",) if w.has_cd() else ("cdelt", "crota" if w.has_crota() else "pc")
    return "crval", "crpix", "lonpole", "latpole", *turned


def _is_plain(wcs: WCS) -> bool:
    """Whether nothing but the numbers of wcslib belongs to a coordinate system."""
    distortions = wcs.sip, wcs.cpdis1, wcs.cpdis2, wcs.det2im1, wcs.det2im2
    return all(one is None for one in (*distortions, wcs.pixel_shape, wcs.pixel_bounds))


def _key(wcs: WCS) -> tuple[object, ...]:
    """What coordinate systems with one example have in common; that nothing was forgotten is checked for each."""
    w = wcs.wcs
    return wcs.naxis, *w.ctype, *map(str, w.cunit), *frame_key(wcs), *_varying(wcs)
