"""Where the evidence of a network comes from: emission, the ring about it, or empty sky."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.comparison.comparing import group_of_verdict
from attnxai.audit.class_shares import (
    ALL,
    SourceClasses,
    Statistic,
    auc_interval,
    binary_auc,
    distinguishes,
    share_interval,
    told,
)
from attnxai.audit.map_location import MapLocation, map_location, mean_or_nan
from attnxai.audit.zone_sums import ZoneSums
from attnxai.classification.scoring import resampled_roc_auc
from attnxai.data.emission import RING_PIXELS, Zone
from attnxai.data.images import SourceImage
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted, listed
from attnxai.errors import OptionError
from attnxai.explanations.explaining import explain
from attnxai.explanations.stack import MapStack
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork
from attnxai.statistics.bootstrap import statistic_interval
from attnxai.statistics.formats import format_number, format_share, with_interval
from attnxai.statistics.interval import Interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ZONE_NAMES: Mapping[Zone, str] = {
    Zone.EMISSION: "emission",
    Zone.RING: "ring",
    Zone.EMPTY_SKY: "empty sky",
}
NO_GATES = (
    "the class scores of this network are not sums over pixels of gated features, and empty sky of its input is blank "
    "already, so that replacing it by blank sky changes nothing"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ZoneEvidence:
    """What a network knows from one zone of the sky alone.

    Parameters
    ----------
    zone : str
        ``emission``, ``ring`` or ``empty sky``.
    accuracy, auc : Interval or None
        From this zone alone; None where the sources have no two classes.
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
        """Whether the zone alone tells the class, better than its area does; None where there are no classes."""
        if self.auc is None or self.beyond_area is None:
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
            "evidence_by_gate": dict(self.evidence_by_gate),
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
    min_pixels : int
        Smaller islands above the clip of the preprocessing count as noise.
    ring_pixels : float
        Width of the ring, in pixels of the field.
    n_bootstrap : int
        Resamples.
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
    min_pixels: int
    ring_pixels: float
    n_bootstrap: int

    __repr__ = short_repr

    @property
    def empty_sky(self) -> ZoneEvidence | None:
        """What the network knows from empty sky alone."""
        return next((one for one in self.zones if one.zone == ZONE_NAMES[Zone.EMPTY_SKY]), None)

    @property
    def passes(self) -> bool | None:
        """Whether nothing failed: empty sky alone does not tell the class, and every map passes.

        None where there are no two classes to tell.
        """
        found = [one.passes for one in self.maps]
        if self.empty_sky is not None and self.empty_sky.tells_class is not None:
            found.append(not self.empty_sky.tells_class)
        return None if None in found or not found else all(found)

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
            "min_pixels": self.min_pixels,
            "ring_pixels": self.ring_pixels,
            "n_bootstrap": self.n_bootstrap,
            "accuracy": self.accuracy and self.accuracy.to_record(),
            "auc": self.auc and self.auc.to_record(),
            "zones": [one.to_record() for one in self.zones],
            "not_split": self.not_split,
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
        lines = [
            f"{self.model_name}, {counted(self.n_sources, f'{self.group} source')}"
            + (f" ({by_class})" if by_class else "; their classes are not known")
        ]
        if self.accuracy is not None and self.auc is not None:
            lines.append(f"Whole network: {_performance(self.accuracy, self.auc)}.")
        for zone in reversed(self.zones):
            lines.append(_of_zone(zone))
        if self.not_split:
            lines.append(f"From which zone the class is told was not measured: {self.not_split}.")
        lines += [_of_map(one, tuple(self.classes)) for one in self.maps]
        return "\n".join(lines)


def _performance(accuracy: Interval, auc: Interval) -> str:
    share = format_share(accuracy.value)
    ends = f"{format_share(accuracy.low)} to {format_share(accuracy.high)}"
    return f"accuracy {share} ({ends}), AUC {with_interval(auc, 3)}"


def _of_zone(zone: ZoneEvidence) -> str:
    share = f"{format_share(zone.evidence.value)} of the evidence lies on it"
    name = "The ring" if zone.zone == ZONE_NAMES[Zone.RING] else zone.zone.capitalize()
    if zone.accuracy is None or zone.auc is None or zone.area_auc is None:
        return f"{name}: {share}."
    start = ""
    if zone.zone == ZONE_NAMES[Zone.EMPTY_SKY]:
        start = "Empty sky reveals the class. " if zone.tells_class else ""
    return (
        f"{start}{name} alone: {_performance(zone.accuracy, zone.auc)}; its area alone: AUC "
        f"{with_interval(zone.area_auc, 3)}; {share}."
    )


def _of_map(found: MapLocation, classes: Sequence[str]) -> str:
    if not classes:
        return (
            f"{found.name}: on the source in {format_share(found.on_source[ALL].value)} of the images; mean level "
            f"on empty sky {format_number(found.level[ALL], 2)}."
        )
    shares = listed([f"{format_share(found.on_source[name].value)} of {name}" for name in classes])
    levels = listed([f"{format_number(found.level[name], 2)} for {name}" for name in classes])
    sign = "; its sign depends on the class" if found.sign_depends_on_class else ""
    tells = "which tells the class" if found.level_tells_class else "which does not tell the class"
    aucs = []
    for name, auc in found.level_auc.items():
        against = "" if len(found.level_auc) > 1 else f" than for {classes[0]}"
        higher = "higher" if auc.value >= 0.5 else "lower"
        aucs.append(f"AUC {with_interval(told(auc), 2)}, {higher} for {name}{against}")
    level = f"mean level on empty sky {levels}" + (f", {tells} ({listed(aucs)})" if aucs else "")
    return f"{found.name}: on the source in {shares}{sign}; {level}."


def evidence_location(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    classes: Sequence[str | None] | None = None,
    method: str | Sequence[str] = "gates",
    rng: np.random.Generator | int = 0,
    min_pixels: int = 1,
    ring_pixels: float = RING_PIXELS,
    n_bootstrap: int = 10_000,
    on_step: Callable[[int, int], None] | None = None,
) -> EvidenceLocation:
    """Find from which zone of the sky a network tells the class, and where its maps lie.

    *Emission* are 8-connected islands of at least ``min_pixels`` pixels above the clip of the preprocessing, the
    *ring* is what lies within ``ring_pixels`` of them, *empty sky* the rest. *From a zone alone* means that the gated
    sums of the other zones are replaced by their mean over the evaluated sources; nothing is fitted again, and the
    threshold is that of the training.

    Numbers rest on held-out sources if there are any, else on those of which nothing is known, on validation or on
    training sources, in this order.

    Parameters
    ----------
    model : AttentionModel
        The model.
    images : sequence of SourceImage
        The images.
    classes : sequence of (str or None), optional
        Class of every source; those of the images when left out.
    method : str or sequence of str
        Explanation methods whose maps are located.
    rng : numpy.random.Generator or int
        Source of randomness.
    min_pixels, ring_pixels
        See above.
    n_bootstrap : int
        Resamples of the intervals.
    on_step : callable, optional
        Called with the number of finished images and of all.

    Returns
    -------
    EvidenceLocation

    Raises
    ------
    OptionError
        If there are no images, or an option is out of its range.
    ImageError
        If an image does not fit the model.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> files = annotations.image_files()
    >>> images = attnxai.read_images([files[name] for name in annotations.sources[:8]])
    >>> model = attnxai.load_model("d8.pt")
    >>> found = attnxai.audit.evidence_location(model, images, rng=0)
    >>> [zone.zone for zone in found.zones]
    ['emission', 'ring', 'empty sky']
    """
    sums = zone_sums_of(model, min_pixels=min_pixels, ring_pixels=ring_pixels)
    readers = [] if sums is None else [sums]
    maps = explain(model, images, method, rng=rng, readers=readers, on_batch=on_step)
    if classes is None:
        classes = [image.class_name for image in images]
    return locate_evidence(
        maps,
        classes,
        sums=sums,
        rng=rng,
        min_pixels=min_pixels,
        ring_pixels=ring_pixels,
        n_bootstrap=n_bootstrap,
    )


def zone_sums_of(
    model: AttentionModel, *, min_pixels: int = 1, ring_pixels: float = RING_PIXELS
) -> ZoneSums | None:
    """What reads the sums of :func:`locate_evidence` from a forward pass; None for a model without gates."""
    if min_pixels < 1 or not ring_pixels > 0:
        raise OptionError(
            f"min_pixels has to be 1 or more and ring_pixels above 0, got {min_pixels} and {ring_pixels}"
        )
    if not isinstance(model.network, AttentionNetwork) or not model.network.gates:
        return None
    return ZoneSums(min_pixels=min_pixels, ring_pixels=ring_pixels)


def locate_evidence(
    maps: MapStack,
    classes: Sequence[str | None] | None,
    *,
    sums: ZoneSums | None = None,
    rng: np.random.Generator | int = 0,
    min_pixels: int = 1,
    ring_pixels: float = RING_PIXELS,
    n_bootstrap: int = 10_000,
) -> EvidenceLocation:
    """:func:`evidence_location` of maps that are there, with the sums that were read from the same forward pass."""
    group = group_of_verdict(maps.splits)
    chosen = np.array([split == group for split in maps.splits])
    given: Sequence[str | None] = [None] * len(maps) if classes is None else classes
    maps = maps.select(source for source, keep in zip(maps.sources, chosen, strict=True) if keep)
    known = SourceClasses.of(
        maps.sources,
        [name for name, keep in zip(given, chosen, strict=True) if keep],
        maps.class_names,
    )
    # the same resamples of sources for zones and maps
    seed = np.random.default_rng(rng).integers(2**63)
    counts = known.resamples(n_bootstrap, np.random.default_rng(seed))
    accuracy = auc = None
    if maps.scores is not None:
        accuracy, auc = _performance_of(maps.scores, known, counts, maps.class_names)
    return EvidenceLocation(
        model_name=maps.model_name,
        group=group,
        n_sources=len(maps),
        classes={name: int((known.labels == i).sum()) for i, name in enumerate(known.names)},
        accuracy=accuracy,
        auc=auc,
        zones=() if sums is None else _zones(sums, chosen, known, counts),
        maps=map_location(
            maps,
            known.given,
            rng=np.random.default_rng(seed),
            min_pixels=min_pixels,
            ring_pixels=ring_pixels,
            n_bootstrap=n_bootstrap,
        ),
        not_split=NO_GATES if sums is None else "",
        min_pixels=min_pixels,
        ring_pixels=ring_pixels,
        n_bootstrap=n_bootstrap,
    )


def _zones(
    sums: ZoneSums,
    chosen: NDArray[np.bool_],
    known: SourceClasses,
    counts: NDArray[np.int32],
) -> tuple[ZoneEvidence, ...]:
    relative, absolute = (sums.magnitudes(relative=relative)[chosen] for relative in (True, False))
    areas = sums.areas[chosen]
    found = []
    for zone, name in ZONE_NAMES.items():
        scores = sums.scores_from(zone, chosen)
        accuracy, auc = _performance_of(scores, known, counts, sums.model.class_names)
        area_auc = beyond = None
        if auc is not None:
            used = known.known
            labels, resamples = known.labels[used], counts[:, used]
            own = _told([_score_auc(scores, known, sums.model.class_names)])
            share = areas[used, zone]
            area = _told(
                [binary_auc(share, (labels == i).astype(np.int64)) for i, _ in known.told()]
            )
            area_auc = auc_interval(area, resamples, labels)
            beyond = statistic_interval(
                _difference(own, area), resamples, strata=labels, unit="source"
            )
        found.append(
            ZoneEvidence(
                zone=name,
                accuracy=accuracy,
                auc=auc,
                area=float(areas[:, zone].mean()),
                area_auc=area_auc,
                beyond_area=beyond,
                evidence=_mean_share(relative.sum(axis=1), zone, known, counts),
                absolute_evidence=_mean_share(absolute.sum(axis=1), zone, known, counts),
                evidence_by_gate={
                    gate: float(mean_or_nan(_shares(relative[:, index], zone)))
                    for index, gate in enumerate(sums.geometry)
                },
            )
        )
    return tuple(found)


def _performance_of(
    scores: NDArray[np.float64],
    known: SourceClasses,
    counts: NDArray[np.int32],
    class_names: Sequence[str],
) -> tuple[Interval | None, Interval | None]:
    """Accuracy and AUC of class scores, None where no two classes are known."""
    if len(known.names) < 2:
        return None, None
    given = np.array([*map(class_names.index, known.names), -1])[known.labels]
    correct = np.where(known.known, scores.argmax(axis=1) == given, np.nan)
    used = known.known
    auc = auc_interval(_score_auc(scores, known, class_names), counts[:, used], known.labels[used])
    return share_interval(correct), auc


def _score_auc(
    scores: NDArray[np.float64], known: SourceClasses, class_names: Sequence[str]
) -> Statistic:
    """AUC of the sources whose class is known, in every resample of them; see :func:`roc_auc`."""
    columns = [class_names.index(name) for name in known.names]
    values, labels = scores[known.known][:, columns], known.labels[known.known]
    return lambda rows: resampled_roc_auc(values, labels, rows)


def _told(aucs: Sequence[Statistic]) -> Statistic:
    """Mean of AUCs, each in the direction in which it tells the sources at hand."""

    def told(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = np.ones((1, rows.shape[1]))
        found = [auc(rows) if auc(whole)[0] >= 0.5 else 1.0 - auc(rows) for auc in aucs]
        return np.asarray(np.mean(found, axis=0))

    return told


def _difference(first: Statistic, second: Statistic) -> Statistic:
    return lambda rows: first(rows) - second(rows)


def _shares(magnitudes: NDArray[np.float64], zone: Zone) -> NDArray[np.float64]:
    """Share of a zone of the magnitudes (n_sources, 3); NaN where there is no evidence at all."""
    total = magnitudes.sum(axis=1)
    return np.asarray(magnitudes[:, zone] / np.where(total > 0, total, np.nan))


def _mean_share(
    magnitudes: NDArray[np.float64],
    zone: Zone,
    known: SourceClasses,
    counts: NDArray[np.int32],
) -> Interval:
    """Mean over sources of the share of a zone."""
    shares = _shares(magnitudes, zone)
    defined = np.isfinite(shares)
    values = shares[defined]
    return statistic_interval(
        lambda rows: np.asarray(rows @ values / rows.sum(axis=1)),
        counts[:, defined],
        strata=known.labels[defined],
        unit="source",
    )
