"""What sources have to share for their annotations to be permuted.

Maps and annotations of sources of the same class look alike, so a permutation across classes takes what a class shares for
agreement with the own source. So annotations are permuted within classes. Where it is not known, the class that the model
predicts stands in for it, together with the angular size of the annotations. A prediction can be wrong, so only the
half of the sources whose class the model is surest of is permuted, in strata of about :data:`STRATUM_SIZE` sources; the
others keep their own annotation. Without class and class scores nothing stands in for the class, and no test decides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.wording import counted, unknown_name
from attnxai.errors import OptionError
from attnxai.nulls import combine_strata, emission_footprint, quantile_strata

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.pairs import AlignedPairs

CLASS = "class"
SIZE = "size"
ANNOTATORS = "annotators"
N_SIZE_BINS = 3
PREDICTED_CLASS = "predicted class"
ANNOTATED_SIZE = "annotated size"
STRATUM_SIZE = 5
"""Sources in a stratum of predicted class and annotated size, on average."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """The stratum of every source (None for all where nothing is known), and what sources of one stratum share.

    ``missing`` says why no test can decide, or is empty; ``notes`` say what was assumed.
    """

    keys: tuple[str, ...]
    of_sources: tuple[Hashable, ...]
    missing: str = ""
    notes: tuple[str, ...] = ()

    def missing_of(self, members: Sequence[int]) -> str:
        """Why no test of some of the sources can decide, or empty."""
        if not self.missing and {self.of_sources[i] for i in members} == {None}:
            return _unknown(self.keys, "these sources")
        return self.missing


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownOfSources:
    """What blocks have to know of all sources.

    How many there are, for how many the class is not known, their splits and classes, and which columns have a value for any.
    """

    n_sources: int
    n_without_class: int
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    columns: Mapping[str, bool]

    @classmethod
    def of(cls, pairs: AlignedPairs) -> KnownOfSources:
        """What is known of these sources."""
        return cls(
            n_sources=len(pairs),
            n_without_class=pairs.classes.count(None),
            splits=tuple(sorted({str(split) for split in pairs.splits})),
            classes=tuple(sorted({name for name in pairs.classes if name is not None})),
            columns={
                name: any(value is not None for value in values)
                for name, values in pairs.columns.items()
            },
        )


def strata_of(
    pairs: AlignedPairs, keys: Sequence[str], *, known_of_all: KnownOfSources | None = None
) -> Strata:
    """Stratum of every source, from the keys that are known for some source.

    A key is ``class``, ``size``, ``annotators`` (those of the source) or a column of the annotation table; an
    :class:`~attnxai.errors.OptionError` names any other. Strata of a block are as if it were alone, with the keys and notes
    of all sources.
    """
    every = known_of_all or KnownOfSources.of(pairs)
    check_keys(keys, every.columns)
    found: dict[str, Sequence[Hashable]] = {}
    notes: list[str] = []
    for key in keys:
        if key == CLASS:
            classes, note = _classes(pairs, every)
            if not classes:
                return Strata(keys=tuple(keys), of_sources=(None,) * len(pairs), missing=note)
            found |= classes
            notes += [note] if note else []
        elif key == SIZE:
            sizes = angular_sizes(pairs.brightness, pairs.valid, pairs.pixel_scale_arcsec)
            bins = quantile_strata(sizes.tolist(), n_bins=N_SIZE_BINS)
            found[key] = [None if value < 0 else value for value in bins]
        elif key == ANNOTATORS:
            names = np.array(pairs.annotators)
            found[key] = [" + ".join(names[marked]) for marked in pairs.present.T]
        else:
            found[key] = pairs.columns[key]
    known = {
        key: values
        for key, values in found.items()
        if (
            any(value is not None for value in values)
            if known_of_all is None
            else known_of_all.columns.get(key, True)
        )
    }
    if not known:
        missing = f"{' and '.join(keys)} is known for none of the sources, so there is nothing to permute within"
        return Strata(keys=tuple(keys), of_sources=(None,) * len(pairs), missing=missing)
    if CLASS not in keys and every.n_without_class == every.n_sources:
        notes.append(
            "The classes of the sources are not known: the test assumes that sources of the same "
            f"{' and '.join(known)} have nothing else in common that depends on their class."
        )
    strata = (
        None if all(value is None for value in stratum) else stratum
        for stratum in combine_strata(known)
    )
    return Strata(keys=tuple(known), of_sources=tuple(strata), notes=tuple(notes))


def check_keys(keys: Sequence[str], columns: Iterable[str]) -> None:
    """Refuse keys that are neither known by themselves nor columns with one value for each source."""
    known = [CLASS, SIZE, ANNOTATORS, *columns]
    if unknown := [key for key in keys if key not in known]:
        raise OptionError(
            f"{unknown_name('strata', unknown, known, 'strata')}; beside {CLASS}, {SIZE} and {ANNOTATORS} they are "
            "columns of the annotation table that have one value for each source"
        )


def _unknown(keys: Sequence[str], sources: str) -> str:
    return f"{' and '.join(keys)} is known for none of {sources}, so there is nothing to permute within"


def _classes(
    pairs: AlignedPairs, every: KnownOfSources
) -> tuple[dict[str, Sequence[Hashable]], str]:
    """What stands for the class, by its name, and a note; where nothing does, the note says why."""
    classes = pairs.classes
    unknown = np.array([name is None for name in classes])
    n_unknown, n_all, scores = every.n_without_class, every.n_sources, pairs.scores
    if not n_unknown:
        return {CLASS: classes}, ""
    which = f"The class of {counted(n_unknown, 'source')} is not known"
    if scores is None or scores.shape[1] < 2:
        if n_unknown == n_all:
            return {}, (
                "the classes of the sources are not known and the maps come without class scores, so what "
                "maps and annotations of a class have in common cannot be controlled for; add a class column to the "
                "annotation table, give classes with --labels (in Python labels of read_images), or name another column as strata"
            )
        alone = [
            name or f"not permuted ({source})"
            for name, source in zip(classes, pairs.sources, strict=True)
        ]
        return {CLASS: alone}, (
            f"{which} and the maps come without class scores: "
            f"{'its annotation is' if n_unknown == 1 else 'their annotations are'} not permuted. If the classes are "
            "known, complete the class column of the annotation table or the table of --labels (in Python labels of read_images)."
        )
    positions = np.flatnonzero(unknown)
    sizes = annotated_sizes(pairs.density, pairs.valid, pairs.pixel_scale_arcsec)[positions]
    bins = size_bins(scores[positions], sizes, [pairs.splits[i] for i in positions])
    predicted = [pairs.class_names[i] for i in scores[positions].argmax(axis=1)]
    kept = [
        f"not permuted ({pairs.sources[i]})" if b is None else b
        for b, i in zip(bins, positions, strict=True)
    ]
    note = (
        f"{which}, and if you know it, state it by a class column of the annotation table or by --labels (in Python labels "
        f"of read_images): {'among them ' if n_unknown < n_all else ''}annotations are permuted between sources "
        f"of the same {PREDICTED_CLASS} and similar {ANNOTATED_SIZE}, for the half with the largest margin "
        "between class scores; the others keep their own annotation."
    )
    if n_unknown == n_all:
        return {PREDICTED_CLASS: predicted, ANNOTATED_SIZE: kept}, note
    inferred = iter(f"{name}, {size}" for name, size in zip(predicted, kept, strict=True))
    known = f"{CLASS} ({PREDICTED_CLASS} and {ANNOTATED_SIZE} where it is not known)"
    return {known: [next(inferred) if name is None else name for name in classes]}, note


def size_bins(
    scores: NDArray[np.float64], sizes: NDArray[np.float64], splits: Sequence[str]
) -> list[str | None]:
    """Bins of annotated size for the sources whose predicted class stands in for their class.

    Each split is divided by itself, so that a test over one of them has strata that suit its number of sources. None for
    the sources that keep their own annotation: those with a smaller margin between their two highest scores
    (n_sources, n_classes) than half of their split.
    """
    ordered = np.sort(scores, axis=1)
    margins, predicted = ordered[:, -1] - ordered[:, -2], scores.argmax(axis=1)
    found: list[str | None] = [None] * len(scores)
    for split in dict.fromkeys(splits):
        members = np.flatnonzero([other == split for other in splits])
        sure = margins[members] >= np.median(margins[members])
        n_classes = len(np.unique(predicted[members[sure]]))
        n_bins = max(1, int(sure.sum()) // (STRATUM_SIZE * n_classes))
        bins = quantile_strata(sizes[members].tolist(), n_bins=n_bins)
        for i, is_sure, number in zip(members, sure, bins, strict=True):
            if is_sure and number >= 0:
                found[i] = f"{split} {number + 1}/{n_bins}"
    return found


def annotated_sizes(
    density: NDArray[np.floating], valid: NDArray[np.bool_], pixel_scale_arcsec: float
) -> NDArray[np.float64]:
    """Angular size of the annotations of every source, in arcsec; NaN where nothing is marked.

    Root mean square distance of the density (n_annotators, n_sources, rows, columns), summed over annotators, from its
    centroid, over the pixels that are valid for all sources.
    """
    y, x = np.nonzero(valid.all(axis=0))
    sizes = np.full(density.shape[1], np.nan)
    for source in range(len(sizes)):
        marked = density[:, source].sum(axis=0, dtype=np.float64)[y, x]
        if marked.any():
            marked /= marked.sum()
            spread = sum(marked @ (axis - marked @ axis) ** 2 for axis in (x, y))
            sizes[source] = np.sqrt(spread) * pixel_scale_arcsec
    return sizes


def angular_sizes(
    brightness: NDArray[np.floating], valid: NDArray[np.bool_], pixel_scale_arcsec: float
) -> NDArray[np.float64]:
    """Angular size of every source's emission in arcsec; NaN where none is found.

    Four times the standard deviation of the brightness (n_sources, rows, columns) along the axis on which it is longest,
    over the pixels of :func:`~attnxai.nulls.emission_footprint`: the length of a uniform ellipse with the same moments.
    Neighbours in the field count.
    """
    sizes = np.full(len(brightness), np.nan)
    for source, where in enumerate(emission_footprint(brightness, valid)):
        if not where.any():
            continue
        y, x = np.nonzero(where)
        background = float(np.median(brightness[source][valid[source]]))
        light = np.maximum(brightness[source][where].astype(np.float64) - background, 0.0)
        light /= light.sum()
        dx, dy = x - (light * x).sum(), y - (light * y).sum()
        xx = (light * dx**2).sum() + 1 / 12
        yy = (light * dy**2).sum() + 1 / 12
        spread = np.hypot(xx - yy, 2 * (light * dx * dy).sum())
        sizes[source] = 4.0 * np.sqrt((xx + yy + spread) / 2) * pixel_scale_arcsec
    return sizes
