"""Numbers of the audit of where evidence comes from, of maps and sums that are there: numpy alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.comparison.comparing import group_of_verdict
from attnxai.audit.class_shares import (
    GivenClasses,
    RocAuc,
    SourceClasses,
    auc_interval,
    binary_auc,
    class_of_each,
    distinguishes,
    share_interval,
)
from attnxai.audit.evidence_location_result import EvidenceLocation, ZoneEvidence
from attnxai.audit.map_location import MeasuredMaps, locate_maps, measure_maps
from attnxai.audit.source_means import mean_defined
from attnxai.data.classes import ordered_classes
from attnxai.data.emission import MIN_ISLAND_PIXELS, RING_PIXELS, Zone
from attnxai.explanations.files.map_chunks import MapChunks, in_chunks
from attnxai.statistics.bootstrap import statistic_interval
from attnxai.statistics.formats import format_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.audit.pooled_sums import PooledSums
    from attnxai.audit.zone_sums import ZoneScores, ZoneSums
    from attnxai.explanations.stack import MapStack
    from attnxai.statistics.interval import Interval
    from attnxai.statistics.resamples import StratifiedCounts

NO_SUMS = "the class scores of this network are not sums over pixels of a feature map, which could be split into zones"
"""Why a network is not split."""
_ROUNDING = 16 * float(np.finfo(np.float32).eps)  # of sums that networks take in single precision


def locate_evidence(
    maps: MapStack | MapChunks,
    classes: GivenClasses,
    *,
    sums: ZoneSums | PooledSums | str = "",
    rng: np.random.Generator | int = 0,
    min_island_pixels: int = MIN_ISLAND_PIXELS,
    ring_pixels: float = RING_PIXELS,
    n_bootstrap: int = 10_000,
) -> EvidenceLocation:
    """:func:`evidence_location` of maps that are there.

    ``sums`` are those that were read from the same forward pass, or say why the network has none; left out, only maps
    are there.
    """
    given = class_of_each(maps.sources, classes)
    group = group_of_verdict(maps.splits)
    chosen = np.array([split == group for split in maps.splits])
    members = [source for source, keep in zip(maps.sources, chosen, strict=True) if keep]
    own = maps.restricted_to(members) if isinstance(maps, MapChunks) else maps.select(members)
    measured = measure_maps(
        in_chunks(own).chunks(), min_island_pixels=min_island_pixels, ring_pixels=ring_pixels
    )
    return _located(measured, chosen, given, sums=sums, rng=rng, n_bootstrap=n_bootstrap)


def locate_measured(
    measured: MeasuredMaps,
    classes: GivenClasses,
    *,
    sums: ZoneSums | PooledSums | str,
    rng: np.random.Generator | int,
    n_bootstrap: int,
) -> EvidenceLocation:
    """:func:`locate_evidence` of maps that have been measured, all of them."""
    group = group_of_verdict(measured.splits)
    chosen = np.array([split == group for split in measured.splits])
    given = class_of_each(measured.sources, classes)
    own = measured.select(chosen)
    return _located(own, chosen, given, sums=sums, rng=rng, n_bootstrap=n_bootstrap)


def _located(
    maps: MeasuredMaps,
    chosen: NDArray[np.bool_],
    given: Sequence[str | None],
    *,
    sums: ZoneSums | PooledSums | str,
    rng: np.random.Generator | int,
    n_bootstrap: int,
) -> EvidenceLocation:
    """What was measured of the ``chosen`` sources, of all that have sums and a class, as far as it is known."""
    known = SourceClasses.of(
        maps.sources,
        [name for name, keep in zip(given, chosen, strict=True) if keep],
        maps.class_names,
    )
    seed = np.random.default_rng(rng).integers(2**63)
    counts = known.resamples(n_bootstrap, np.random.default_rng(seed))
    accuracy = auc = None
    if maps.scores is not None:
        accuracy, auc = _performance_of(maps.scores, known, counts, maps.class_names)
    if not sums:
        sums = _measured_by(maps)
    return EvidenceLocation(
        model_name=maps.model_name,
        group=str(maps.splits[0]),
        n_sources=len(maps.sources),
        classes={name: int((known.labels == i).sum()) for i, name in enumerate(known.names)},
        accuracy=accuracy,
        auc=auc,
        zones=() if isinstance(sums, str) else _zones(sums, chosen, known, counts),
        maps=locate_maps(maps, known, counts),
        not_split=sums if isinstance(sums, str) else "",
        min_island_pixels=maps.min_island_pixels,
        ring_pixels=maps.ring_pixels,
        n_bootstrap=n_bootstrap,
        notes=tuple(
            _about_classes(maps.class_names, ordered_classes(filter(None, given)), accuracy, auc)
        ),
    )


def _measured_by(maps: MeasuredMaps) -> str:
    """How to measure of a network what its maps alone do not tell."""
    methods = [str(one["name"]) for one in maps.provenance.get("explanations", ())]
    reason = "that takes the network and not its maps alone"
    if model := maps.provenance.get("maps_model"):
        file = maps.provenance["maps_file"]
        is_file = str(model).endswith(".pt")
        which = "" if is_file else f", where MODEL is the file of {model}"
        return f"{reason}; attnxai audit --model {model if is_file else 'MODEL'} --maps {file} measures it{which}"
    if not methods:
        return reason
    return (
        f"{reason}; in Python, give the report locations={{{maps.model_name!r}: "
        f"attnxai.audit.evidence_location(model, images, method={methods}, classes=annotations.classes)}}"
    )


def _about_classes(
    class_names: Sequence[str],
    of_sources: Sequence[str],
    accuracy: Interval | None,
    auc: Interval | None,
) -> Iterator[str]:
    """What speaks against the names or the order of a model's classes."""
    if class_names and of_sources and not set(of_sources) & set(class_names):
        yield (
            f"The classes of the model ({', '.join(class_names)}) are not those of the sources "
            f"({', '.join(of_sources)}), so neither its accuracy nor what depends on the class is known; "
            "name them alike."
        )
    if accuracy is None or auc is None or auc.value >= 0.5 or not distinguishes(auc):
        return
    if accuracy.high < 1 / len(class_names):
        yield (
            f"The accuracy of the model is below chance ({format_share(accuracy.value)} of "
            f"{accuracy.n_units} sources): its class scores are probably in another order than {', '.join(class_names)}."
        )


def _zones(
    sums: ZoneSums | PooledSums,
    chosen: NDArray[np.bool_],
    known: SourceClasses,
    counts: StratifiedCounts,
) -> tuple[ZoneEvidence, ...]:
    relative, absolute = sums.relative[chosen], sums.absolute[chosen]
    areas = sums.areas[chosen]
    found = []
    for zone in Zone:
        of_zone = sums.scores_from(zone, chosen)
        scores = _without_rounding(of_zone.scores)
        accuracy, auc = _performance_of(scores, known, counts, sums.model.class_names)
        if not np.ptp(scores, axis=0).any():  # one class for all sources, as the threshold lies
            accuracy = None
        elif accuracy is not None:
            accuracy = accuracy_from(of_zone, known, counts, sums.model.class_names)
        area_auc = beyond = None
        if auc is not None:
            used = known.known
            labels, resamples = known.labels[used], counts[:, used]
            own = _Told([_score_auc(scores, known, sums.model.class_names)])
            share = areas[used, zone]
            area = _Told(
                [binary_auc(share, (labels == i).astype(np.int64)) for i, _ in known.told()]
            )
            area_auc = auc_interval(area, resamples, labels)
            beyond = auc_interval(_Difference(own, area), resamples, labels, reference=0.0)
        found.append(
            ZoneEvidence(
                zone=zone.words,
                accuracy=accuracy,
                auc=auc,
                area=float(areas[:, zone].mean()),
                area_auc=area_auc,
                beyond_area=beyond,
                evidence=_mean_share(relative.sum(axis=1), zone, known, counts),
                absolute_evidence=_mean_share(absolute.sum(axis=1), zone, known, counts),
                evidence_by_gate={
                    gate: float(mean_defined(_shares(relative[:, index], zone)))
                    for index, gate in enumerate(sums.geometry)
                },
            )
        )
    return tuple(found)


def _without_rounding(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Class scores of the sources (n_sources, n_classes); their means where all are the same to within rounding."""
    differ = np.ptp(scores, axis=0)
    if (differ > _ROUNDING * np.maximum(np.abs(scores).max(axis=0), 1.0)).any():
        return scores
    return np.broadcast_to(scores.mean(axis=0), scores.shape)


def _performance_of(
    scores: NDArray[np.float64],
    known: SourceClasses,
    counts: StratifiedCounts,
    class_names: Sequence[str],
) -> tuple[Interval | None, Interval | None]:
    """Accuracy and AUC of class scores, None where no two classes are known."""
    if len(known.names) < 2:
        return None, None
    given = _positions(known, class_names)
    correct = np.where(known.known, scores.argmax(axis=1) == given, np.nan)
    used = known.known
    auc = auc_interval(_score_auc(scores, known, class_names), counts[:, used], known.labels[used])
    return share_interval(correct), auc


def _positions(known: SourceClasses, class_names: Sequence[str]) -> NDArray[np.int64]:
    """Position of every source's class among those of the model, -1 where it is unknown."""
    return np.array([*map(class_names.index, known.names), -1])[known.labels]


def accuracy_from(
    of_zone: ZoneScores,
    known: SourceClasses,
    counts: StratifiedCounts,
    class_names: Sequence[str],
) -> Interval:
    """Accuracy from a zone alone; resamples draw the mean of the other zones, and so the threshold, as well."""
    given = _positions(known, class_names)

    def accuracy(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        correct, changing, in_rows = of_zone.resampled_correct(rows, given)
        correct[changing] = False
        used = known.known.astype(np.float64)
        n_correct = rows @ (used * correct)
        n_correct += (rows[:, changing] * used[changing] * in_rows).sum(axis=1)
        return np.asarray(n_correct / (rows @ used))

    return statistic_interval(accuracy, counts, strata=known.labels, unit="source")


def _score_auc(
    scores: NDArray[np.float64], known: SourceClasses, class_names: Sequence[str]
) -> RocAuc:
    """AUC of the sources whose class is known, in every resample of them; see :func:`roc_auc`."""
    columns = [class_names.index(name) for name in known.names]
    values, labels = scores[known.known][:, columns], known.labels[known.known]
    return RocAuc(values, labels)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """Mean of AUCs, each in the direction in which it tells the sources at hand."""

    aucs: Sequence[RocAuc]

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._mean([auc(rows) for auc in self.aucs])

    def left_out(self) -> NDArray[np.float64]:
        return self._mean([auc.left_out() for auc in self.aucs])

    def _mean(self, found: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        whole = (auc(np.ones((1, len(auc.labels))))[0] for auc in self.aucs)
        told = [one if value >= 0.5 else 1.0 - one for one, value in zip(found, whole, strict=True)]
        return np.asarray(np.mean(told, axis=0))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Difference:
    """Difference of two such means."""

    first: _Told
    second: _Told

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.first(rows) - self.second(rows)

    def left_out(self) -> NDArray[np.float64]:
        return self.first.left_out() - self.second.left_out()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Mean:
    """Mean of values (n_sources,)."""

    values: NDArray[np.float64]

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(rows @ self.values / rows.sum(axis=1))

    def left_out(self) -> NDArray[np.float64]:
        return np.asarray((self.values.sum() - self.values) / (len(self.values) - 1))


def _shares(magnitudes: NDArray[np.float64], zone: Zone) -> NDArray[np.float64]:
    """Share of a zone of the magnitudes (n_sources, 3); NaN where there is no evidence at all."""
    total = magnitudes.sum(axis=1)
    return np.asarray(magnitudes[:, zone] / np.where(total > 0, total, np.nan))


def _mean_share(
    magnitudes: NDArray[np.float64],
    zone: Zone,
    known: SourceClasses,
    counts: StratifiedCounts,
) -> Interval:
    """Mean over sources of the share of a zone."""
    shares = _shares(magnitudes, zone)
    defined = np.isfinite(shares)
    return statistic_interval(
        _Mean(shares[defined]),
        counts[:, defined],
        strata=known.labels[defined],
        unit="source",
    )
