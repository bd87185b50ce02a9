"""Maps of files that other programs have written, each of one source, before it is known how they lie on images."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.short_repr import short_repr, shown_name
from attnxai.data.wording import counted, is_text
from attnxai.errors import MapFileError

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """A map, shape (height, width), and its place on the sky where that is known."""

    values: NDArray[Any]
    wcs: WCS | None = None

    __repr__ = short_repr


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LooseMaps:
    """Maps by layer and source, every layer with the same sources; ``states_places`` if the format has a WCS."""

    layers: Mapping[str, Mapping[str, Plane]]
    states_places: bool = False

    __repr__ = short_repr

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the sources."""
        return tuple(next(iter(self.layers.values())))

    @classmethod
    def of(
        cls,
        planes: Iterable[tuple[str, str, Plane]],
        where: str,
        *,
        states_places: bool = False,
    ) -> LooseMaps:
        """Gather planes with the names of their layers and sources; ``where`` begins errors."""
        layers: dict[str, dict[str, Plane]] = {}
        for layer, source, plane in planes:
            for name in (layer, source):
                if not name.strip() or not is_text(name):
                    raise MapFileError(f"{where} holds a map under the name {name!a}")
            by_source = layers.setdefault(layer, {})
            if source in by_source:
                raise MapFileError(
                    f"{where} holds two maps {shown_name(layer)!r} of the source {shown_name(source)!r}; give each "
                    "layer a name of its own"
                )
            by_source[source] = plane
        if not layers:
            raise MapFileError(f"{where} holds no maps")
        first, *others = layers
        for other in others:
            if odd := sorted(set(layers[first]) ^ set(layers[other])):
                raise MapFileError(
                    f"{where} has maps {shown_name(first)!r} of {counted(len(layers[first]), 'source')} and "
                    f"{shown_name(other)!r} of {len(layers[other])}, and not both of {shown_name(odd[0])!r}; every layer "
                    "needs a map of every source"
                )
        return cls(layers=layers, states_places=states_places)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], sources: Any, where: str) -> LooseMaps:
        """Gather named arrays: maps of all ``sources`` under the name of a layer, or single maps under that of a source.

        ``sources`` is what the file says about them, None where it says nothing.
        """
        stacked = {name: values for name, values in arrays.items() if values.ndim == 3}
        single = {name: values for name, values in arrays.items() if values.ndim == 2}
        if other := next((n for n in arrays if n not in stacked and n not in single), None):
            raise MapFileError(
                f"{where} holds the array {shown_name(other)!r} of shape {arrays[other].shape}; maps are arrays of "
                "shape (n_sources, height, width) under the name of their layer, or (height, width) under the id of "
                "their source"
            )
        if stacked and single:
            raise MapFileError(
                f"{where} holds arrays with two axes, such as {shown_name(next(iter(single)))!r}, and with three, such "
                f"as {shown_name(next(iter(stacked)))!r}; maps of several layers need three axes each"
            )
        if single and sources is not None:
            raise MapFileError(
                f"{where} holds 'sources' and the array {shown_name(next(iter(single)))!r} of shape "
                f"{next(iter(single.values())).shape}; beside 'sources', maps need the shape (n_sources, height, width)"
            )
        if single:
            return cls.of(
                (("map", name, Plane(values=values)) for name, values in single.items()), where
            )
        if stacked and sources is None:
            raise MapFileError(
                f"{where} does not say which map is of which source: add an array (in Zarr, an attribute) 'sources' "
                "with the id of each, or give single maps under the ids of their sources"
            )
        ids = np.asarray(sources).tolist() if sources is not None else []
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise MapFileError(f"{where} has 'sources' that are not a list of names")
        for one, n in Counter(ids).most_common(1):
            if n == 1:
                break
            raise MapFileError(
                f"{where} repeats the id {shown_name(one)!r} in 'sources'; give each source one map in each array"
            )
        for name, values in stacked.items():
            if len(values) != len(ids):
                raise MapFileError(
                    f"{where} has {counted(len(values), 'map')} {shown_name(name)!r} and {counted(len(ids), 'source')}"
                )
        return cls.of(
            (
                (layer, source, Plane(values=values))
                for layer, maps in stacked.items()
                for source, values in zip(ids, maps, strict=True)
            ),
            where,
        )
