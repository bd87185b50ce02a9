"""Annotators whose marks are turned over, shifted or counted from 1, and who agrees with whom.

Every annotator is compared with the others on the same sources, and with the brightness of the images. See
docs/explanation/annotators.md for what is found how often.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.annotator_names import Spelling, spellings_of
from attnxai.annotations.marked_sources import MarkedSources
from attnxai.annotations.orientation import Orientation
from attnxai.annotations.placement_evidence import PlacementEvidence
from attnxai.annotations.placement_tests import MIN_SOURCES, ShiftTest
from attnxai.annotations.placement_words import (
    clean_sentence,
    disputed_sentence,
    found_sentence,
    unknown_sentence,
)
from attnxai.annotations.shapes import Frame
from attnxai.data.short_repr import short_repr

if TYPE_CHECKING:
    import pandas as pd

    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceImage

WORST_SHIFT_PIXELS = 5.0
"""An annotator is called clean only where a shift of this size would have been found."""


class Placement(enum.StrEnum):
    """What is known about where an annotator's marks lie."""

    FOUND = "misplaced"
    CLEAN = "clean"
    UNKNOWN = "cannot tell"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorCheck:
    """What was found about one annotator.

    Parameters
    ----------
    annotator : str
        The name.
    placement : Placement
        ``misplaced`` (turned over or shifted), ``clean`` (no flip, and no shift of 5 pixels or more), or ``cannot tell``.
    others, brightness : PlacementEvidence or None
        Tests against the other annotators who are not misplaced, and against brightness; None where no source allows them.
    disputed_with : tuple of str
        Annotators from whom the marks differ in a way that is a fault of one side, where it cannot be told of which.
    on_sky : bool
        Whether all marks are on the sky, so that no way of counting pixels explains a shift.
    """

    annotator: str
    placement: Placement
    others: PlacementEvidence | None
    brightness: PlacementEvidence | None
    disputed_with: tuple[str, ...] = ()
    on_sky: bool = False

    @property
    def evidence(self) -> PlacementEvidence | None:
        """The evidence that decided, or that of most sources."""
        both = [e for e in (self.others, self.brightness) if e is not None]
        found = [e for e in both if e.found] if self.placement is not Placement.CLEAN else []
        return max(found or both, key=lambda e: e.n_sources, default=None)

    @property
    def smallest_shift_pixels(self) -> float | None:
        """The smallest shift that would have been found with a probability of 0.95."""
        return min((shift.smallest for shift in self._shifts()), default=None)

    @property
    def n_sources_for_one_pixel(self) -> int | None:
        """From how many sources like these a shift of one pixel is found with a probability of 0.95."""
        numbers = (shift.n_for(1.0) for shift in self._shifts())
        return min((n for n in numbers if n is not None), default=None)

    def _shifts(self) -> list[ShiftTest]:
        return [e.shift for e in (self.others, self.brightness) if e is not None and e.shift]

    def sentence(self) -> str:
        """The finding and its evidence."""
        tests = [e for e in (self.others, self.brightness) if e is not None]
        evidence, smallest = self.evidence, self.smallest_shift_pixels
        if evidence is not None and self.placement is Placement.FOUND:
            return found_sentence(self.annotator, evidence, on_sky=self.on_sky)
        if evidence is not None and self.disputed_with:
            return disputed_sentence(
                self.annotator, evidence, self.disputed_with, on_sky=self.on_sky
            )
        if smallest is not None and self.placement is Placement.CLEAN:
            return clean_sentence(self.annotator, tests, smallest, self.n_sources_for_one_pixel)
        return unknown_sentence(self.annotator, tests, self.n_sources_for_one_pixel)

    def to_record(self) -> dict[str, Any]:
        """Plain values; None where there is none."""
        evidence = self.evidence
        shift = evidence.shift if evidence else None
        test = evidence.test_of(evidence.turned[0]) if evidence and evidence.turned else None
        return {
            "annotator": self.annotator,
            "placement": str(self.placement),
            "turned": [str(way) for way in evidence.turned] if evidence else [],
            "n_turned": len(test.turned) if test else 0,
            "reference": str(evidence.reference) if evidence else None,
            "n_sources": evidence.n_sources if evidence else 0,
            "shift_x_pixels": shift.x if shift else None,
            "shift_y_pixels": shift.y if shift else None,
            "shift_x_error": shift.error_x if shift else None,
            "shift_y_error": shift.error_y if shift else None,
            "similarity": test.similarity if test else None,
            "similarity_turned_back": test.similarity_turned if test else None,
            "smallest_shift_pixels": self.smallest_shift_pixels,
            "n_sources_for_one_pixel": self.n_sources_for_one_pixel,
            "disputed_with": list(self.disputed_with),
            "sentence": self.sentence(),
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PairSimilarity:
    """Mean similarity of the smoothed marks of two annotators over the sources that both marked, from 0 to 1."""

    first: str
    second: str
    similarity: float
    n_sources: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnotationChecks:
    """What :func:`~attnxai.annotations.check_annotations` found.

    Parameters
    ----------
    annotators : tuple of AnnotatorCheck
        One for each annotator.
    pairs : tuple of PairSimilarity
        Annotators who share a source, those who are least alike first.
    spellings : tuple of Spelling
        Names that may be spellings of one.
    n_without_image : int
        Annotated sources without an image, which are not checked.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:6])
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources])
    >>> checks = attnxai.annotations.check_annotations(annotations, images)
    >>> checks.misplaced, len(checks.pairs)
    ((), 3)
    """

    annotators: tuple[AnnotatorCheck, ...]
    pairs: tuple[PairSimilarity, ...]
    spellings: tuple[Spelling, ...]
    n_without_image: int = 0

    __repr__ = short_repr

    @property
    def misplaced(self) -> tuple[AnnotatorCheck, ...]:
        """Annotators whose marks are turned over or shifted, and those who may be."""
        return tuple(
            check
            for check in self.annotators
            if check.placement is Placement.FOUND or check.disputed_with
        )

    def cautions(self) -> list[str]:
        """A sentence for every fault that was found; one between two sides is said once, of the side in pixels if one is."""
        found: list[str] = []
        said: set[str] = set()
        for check in sorted(self.misplaced, key=lambda check: check.on_sky):
            if not check.disputed_with or not said.issuperset(check.disputed_with):
                found.append(check.sentence())
                said.add(check.annotator)
        return list(dict.fromkeys([*found, *(spelling.sentence() for spelling in self.spellings)]))

    def sentences(self) -> list[str]:
        """A sentence for every annotator, and for spellings of names; they hold names as they are in the files."""
        found = [check.sentence() for check in self.annotators]
        found += [spelling.sentence() for spelling in self.spellings]
        if self.n_without_image:
            found.append(
                f"{self.n_without_image} annotated sources without an image are not checked."
            )
        return list(dict.fromkeys(found))

    def to_frame(self) -> pd.DataFrame:
        """One row for each annotator; the columns are documented in docs/explanation/annotators.md."""
        import pandas as pd

        rows = [check.to_record() for check in self.annotators]
        for row in rows:
            for name in ("turned", "disputed_with"):
                row[name] = "; ".join(row[name])
        return pd.DataFrame(rows)

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "annotators": [check.to_record() for check in self.annotators],
            "pairs": [dataclasses.asdict(pair) for pair in self.pairs],
            "spellings": [list(spelling.names) for spelling in self.spellings],
            "n_without_image": self.n_without_image,
        }


def check_annotations(
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    *,
    rng: np.random.Generator | int = 0,
) -> AnnotationChecks:
    """Look for annotators whose marks are turned over, shifted or counted from 1, and for spellings of one name.

    Parameters
    ----------
    annotations : AnnotationSet
        Marks of one or several annotators; first rounds alone are used.
    images : sequence of SourceImage
        Images of the sources, or of some of them.
    rng : numpy.random.Generator or int
        Chooses sources where an annotator marked more than 100.

    Returns
    -------
    AnnotationChecks
        A verdict about each annotator with its evidence (``.sentences()``, ``.to_frame()``, ``.to_record()``), ``.cautions()``
        of faults alone, the similarity of every two annotators and names that may be spellings of one.

    Raises
    ------
    AnnotationError
        If no annotated source has an image.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:8])
    >>> images = attnxai.read_images(list(annotations.image_files().values())[:8])
    >>> checks = check_annotations(annotations, images)
    >>> [str(check.placement) for check in checks.annotators]
    ['clean', 'clean', 'clean']
    """
    marks = MarkedSources(annotations, images, np.random.default_rng(rng))
    names = annotations.annotators
    brightness = {name: marks.against_brightness(name) for name in names}
    found = {name for name, evidence in brightness.items() if evidence and evidence.found}
    trusted, blamed = [name for name in names if name not in found], {}
    while True:
        others = {name: marks.against_others(name, trusted) for name in names}
        suspects = {name: e for name in trusted if (e := others[name]) and e.found}
        if not suspects:
            break
        # while a misplaced annotator is among the others, those who are not can seem to be
        worst = max(suspects, key=lambda name: suspects[name].severity)
        trusted.remove(worst)
        blamed[worst] = suspects[worst]
    others |= blamed
    disputed: dict[str, tuple[str, ...]] = {}
    for name, evidence in blamed.items():
        opposite = [other for other in trusted if marks.n_shared(name, other) >= MIN_SOURCES]
        if len(opposite) > len(blamed):
            found.add(name)
            continue
        side = _side_at_fault(evidence, brightness[name], [brightness[other] for other in opposite])
        if side is _Side.OWN:
            found.add(name)
            continue
        if side is _Side.OTHER:
            found.update(opposite)
        else:
            disputed |= {name: tuple(opposite)} | dict.fromkeys(opposite, (name,))
        others |= {other: marks.against_others(other, [name]) for other in opposite}
    in_pixels = {a.annotator for a in annotations.annotations if a.shape.frame is Frame.PIXEL}
    checks = [
        AnnotatorCheck(
            annotator=name,
            placement=_placement(name in found, name in disputed, [others[name], brightness[name]]),
            others=others[name],
            brightness=brightness[name],
            disputed_with=disputed.get(name, ()) if name not in found else (),
            on_sky=name not in in_pixels,
        )
        for name in names
    ]
    pairs = [
        PairSimilarity(first=first, second=second, similarity=similarity, n_sources=n)
        for (first, second), (similarity, n) in marks.similarities().items()
    ]
    return AnnotationChecks(
        annotators=tuple(checks),
        pairs=tuple(sorted(pairs, key=lambda pair: pair.similarity)),
        spellings=spellings_of(names),
        n_without_image=marks.n_without_image,
    )


class _Side(enum.Enum):
    """Which of two sides is at fault."""

    OWN = enum.auto()
    OTHER = enum.auto()
    UNKNOWN = enum.auto()


def _side_at_fault(
    evidence: PlacementEvidence,
    own: PlacementEvidence | None,
    opposite: Sequence[PlacementEvidence | None],
) -> _Side:
    """Whether brightness excludes the fault, or the opposite one, of either side."""
    mirrored = evidence.mirrored()
    own_is_right = own is not None and own.excludes(evidence)
    others_are_right = all(one is not None and one.excludes(mirrored) for one in opposite)
    if own_is_right == others_are_right:
        return _Side.UNKNOWN
    return _Side.OTHER if own_is_right else _Side.OWN


def _placement(
    is_found: bool, is_disputed: bool, evidence: Sequence[PlacementEvidence | None]
) -> Placement:
    if is_found:
        return Placement.FOUND
    tests = [e for e in evidence if e is not None]
    smallest = min((e.shift.smallest for e in tests if e.shift), default=math.inf)
    excluded = {t.orientation for e in tests for t in e.orientations if t.excluded}
    suspected = {t.orientation for e in tests for t in e.orientations if t.suspicious}
    flips = {Orientation.FLIP_X, Orientation.FLIP_Y}
    if is_disputed or smallest > WORST_SHIFT_PIXELS or not flips <= excluded - suspected:
        return Placement.UNKNOWN
    return Placement.CLEAN
