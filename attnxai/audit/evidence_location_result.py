"""What the audit of where evidence comes from finds: numbers, the rules that judge them, and plain words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnxai import presenters
from attnxai.audit.class_shares import ALL, decides, distinguishes, told
from attnxai.audit.map_location import MapLocation
from attnxai.data.emission import Zone
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted, listed
from attnxai.statistics.formats import (
    MOST_DECIMALS,
    format_number,
    format_share,
    shares_with_intervals,
    with_interval,
)
from attnxai.statistics.interval import Interval, finite_or_none

if TYPE_CHECKING:
    import pandas as pd

_NO_DIRECTION = 0.005
"""An AUC this close to 0.5 is printed as 0.50, and favours no class."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ZoneEvidence:
    """What a network knows from one zone of the sky alone.

    Parameters
    ----------
    zone : str
        ``emission``, ``ring`` or ``empty sky``.
    accuracy, auc : Interval or None
        From this zone alone; None where the sources have no two classes. There is no accuracy where the zone gives all
        sources the same scores: it would be the share of the class on whose side the threshold lies.
    area : float
        Mean share of the zone of the cells of the finest gate.
    area_auc : Interval or None
        AUC of that share alone, in the direction in which it tells the classes.
    beyond_area : Interval or None
        Difference of the two AUCs, both in the direction in which they tell the classes.
    evidence, absolute_evidence : Interval
        Mean over sources of the share of the magnitude of evidence that lies on the zone, relative to empty sky and
        as it is.
    evidence_by_gate : mapping of str to float
        The mean share relative to empty sky, gate by gate.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources[:4]])
    >>> found = attnxai.audit.evidence_location(attnxai.load_model("c1.pt"), images, rng=0)
    >>> emission, ring, empty_sky = found.zones
    >>> emission.zone, 0 < emission.area < 1
    ('emission', True)
    """

    zone: str
    accuracy: Interval | None
    auc: Interval | None
    area: float
    area_auc: Interval | None
    beyond_area: Interval | None
    evidence: Interval
    absolute_evidence: Interval
    evidence_by_gate: Mapping[str, float]

    @property
    def tells_class(self) -> bool | None:
        """Whether the zone alone tells the class, better than its area does; None where it takes more classes or sources."""
        if self.auc is None or self.beyond_area is None or not decides(self.auc):
            return None
        return (
            distinguishes(self.auc) and self.beyond_area.value > 0 and not self.beyond_area.low <= 0
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values under documented names; None where a number is undefined."""
        intervals = ("accuracy", "auc", "area_auc", "beyond_area", "evidence", "absolute_evidence")
        found = {name: getattr(self, name) for name in intervals}
        return {
            "zone": self.zone,
            "tells_class": self.tells_class,
            "area": self.area,
            **{name: one and one.to_record() for name, one in found.items()},
            "evidence_by_gate": {
                name: finite_or_none(one) for name, one in self.evidence_by_gate.items()
            },
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvidenceLocation:
    """Where the evidence of a network and its maps lie, and whether empty sky reveals the class.

    Parameters
    ----------
    model_name : str
        The model.
    group : str
        How the model used the sources: ``held-out``, ``unknown``, ``validation`` or ``training``.
    n_sources : int
        Sources that the numbers rest on.
    classes : mapping of str to int
        Sources of each class.
    accuracy, auc : Interval or None
        Of the whole network.
    zones : tuple of ZoneEvidence
        Emission, ring and empty sky; empty where ``not_split`` says why.
    maps : tuple of MapLocation
        Every map.
    not_split : str
        Why the scores could not be split into zones.
    min_island_pixels : int
        Smaller islands above the clip of the preprocessing count as noise.
    ring_pixels : float
        Width of the ring, in pixels of the images.
    n_bootstrap : int
        Resamples.
    notes : tuple of str
        What is wrong with the classes: none of the model is that of a source, or the accuracy is below chance.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources[:4]])
    >>> found = attnxai.audit.evidence_location(attnxai.load_model("c1.pt"), images, rng=0)
    >>> found.n_sources, found.min_island_pixels, [one.name for one in found.maps]
    (4, 5, ['gate1', 'gate2', 'gate3', 'mean'])
    >>> list(found.to_frame().columns)
    ['of', 'class', 'quantity', 'value', 'ci_low', 'ci_high', 'n_sources']
    """

    model_name: str
    group: str
    n_sources: int
    classes: Mapping[str, int]
    accuracy: Interval | None
    auc: Interval | None
    zones: tuple[ZoneEvidence, ...]
    maps: tuple[MapLocation, ...]
    not_split: str
    min_island_pixels: int
    ring_pixels: float
    n_bootstrap: int
    notes: tuple[str, ...] = ()

    __repr__ = short_repr
    plot = presenters.plot

    @property
    def empty_sky(self) -> ZoneEvidence | None:
        """What the network knows from empty sky alone."""
        return next((one for one in self.zones if one.zone == Zone.EMPTY_SKY.words), None)

    @property
    def passes(self) -> bool | None:
        """Whether nothing failed: empty sky alone does not tell the class, and every map passes.

        None where nothing failed and something could not be told, for which it takes sources of two classes, 8 or more
        of each.
        """
        found = [one.passes for one in self.maps]
        if self.empty_sky is not None:
            tells = self.empty_sky.tells_class
            found.append(None if tells is None else not tells)
        return False if False in found else None if None in found else True

    def of_map(self, name: str) -> MapLocation | None:
        """Where the maps of this name lie."""
        return next((one for one in self.maps if one.name == name), None)

    def to_record(self) -> dict[str, Any]:
        """Plain values under documented names; None where a number is undefined."""
        return {
            "model": self.model_name,
            "passes": self.passes,
            "group": self.group,
            "n_sources": self.n_sources,
            "classes": dict(self.classes),
            "min_island_pixels": self.min_island_pixels,
            "ring_pixels": self.ring_pixels,
            "n_bootstrap": self.n_bootstrap,
            "accuracy": self.accuracy and self.accuracy.to_record(),
            "auc": self.auc and self.auc.to_record(),
            "zones": [one.to_record() for one in self.zones],
            "not_split": self.not_split,
            "notes": list(self.notes),
            "maps": [one.to_record() for one in self.maps],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per number, with its interval."""
        import pandas as pd

        rows = [
            ("whole network", ALL, name, one)
            for name, one in (("accuracy", self.accuracy), ("auc", self.auc))
        ]
        for zone in self.zones:
            for name in ("accuracy", "auc", "area_auc", "beyond_area", "evidence"):
                rows.append((zone.zone, ALL, name, getattr(zone, name)))
        for found in self.maps:
            rows += [(found.name, c, "on_source", one) for c, one in found.on_source.items()]
            rows += [(found.name, c, "level_auc", one) for c, one in found.level_auc.items()]
        return pd.DataFrame(
            [
                {
                    "of": of,
                    "class": class_name,
                    "quantity": name,
                    "value": one.value,
                    "ci_low": one.low,
                    "ci_high": one.high,
                    "n_sources": one.n_units,
                }
                for of, class_name, name, one in rows
                if one is not None
            ]
        )

    def summary(self) -> str:
        """What was found, in plain words with the numbers."""
        by_class = listed([f"{n} {name}" for name, n in self.classes.items()])
        if self.group == "unknown":
            sources = f"{counted(self.n_sources, 'source')} whose split is unknown"
        else:
            sources = counted(self.n_sources, f"{self.group} source")
        lines = [
            f"{self.model_name}, {sources}"
            + (
                f" ({by_class})"
                if by_class
                else ""
                if self.notes
                else "; their classes are not known"
            ),
            *self.notes,
        ]
        if self.accuracy is not None and self.auc is not None:
            lines.append(f"Whole network: {_performance(self.accuracy, self.auc)}.")
        for zone in reversed(self.zones):
            lines.append(_of_zone(zone))
        if self.not_split:
            lines.append(f"From which zone the class is told was not measured: {self.not_split}.")
        lines += [_of_map(one, tuple(self.classes)) for one in self.maps]
        return "\n".join(lines)


def format_level(level: float | None) -> str:
    """A level with two decimals, or two significant digits if it is small."""
    decimals = (
        2 if not level or not math.isfinite(level) else 1 - math.floor(math.log10(abs(level)))
    )
    return format_number(level, min(max(decimals, 2), MOST_DECIMALS))


def _performance(accuracy: Interval | None, auc: Interval) -> str:
    of_classes = (
        "the same scores for all sources"
        if accuracy is None
        else f"accuracy {shares_with_intervals([accuracy])[0]}"
    )
    return f"{of_classes}, AUC {with_interval(auc, 3)}"


def _of_zone(zone: ZoneEvidence) -> str:
    share = f"{format_share(zone.evidence.value)} of the evidence lies on it"
    name = "The ring" if zone.zone == Zone.RING.words else zone.zone.capitalize()
    if zone.auc is None or zone.area_auc is None:
        return f"{name}: {share}."
    start = ""
    if zone.zone == Zone.EMPTY_SKY.words:
        start = "Empty sky reveals the class. " if zone.tells_class else ""
    return (
        f"{start}{name} alone: {_performance(zone.accuracy, zone.auc)}; its area alone: AUC "
        f"{with_interval(zone.area_auc, 3)}; {share}."
    )


def _of_map(found: MapLocation, classes: Sequence[str]) -> str:
    if not classes:
        return (
            f"{found.name}: on the source in {format_share(found.on_source[ALL].value)} of the images; mean level "
            f"on empty sky {format_level(found.level[ALL])}."
        )
    shares = listed([f"{format_share(found.on_source[name].value)} of {name}" for name in classes])
    levels = listed([f"{format_level(found.level[name])} for {name}" for name in classes])
    sign = "; its sign depends on the class" if found.sign_depends_on_class else ""
    tells = "which tells the class" if found.level_tells_class else "which does not tell the class"
    aucs = []
    for name, auc in found.level_auc.items():
        text = f"AUC {with_interval(told(auc), 2)}"
        if abs(auc.value - 0.5) >= _NO_DIRECTION:
            against = "" if len(found.level_auc) > 1 else f" than for {classes[0]}"
            text += f", {'higher' if auc.value > 0.5 else 'lower'} for {name}{against}"
        aucs.append(text)
    level = f"mean level on empty sky {levels}" + (f", {tells} ({listed(aucs)})" if aucs else "")
    return f"{found.name}: on the source in {shares}{sign}; {level}."
