"""What one reference says about the placement of an annotator's marks."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from attnxai.annotations.orientation import Orientation
from attnxai.annotations.placement_tests import (
    OrientationTest,
    ShiftTest,
    measure_orientation,
    measure_shift,
    similarity_surface,
    slope_bounds,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.annotations.orientation import Turning

ALPHA = 0.01
"""Probability with which anything is found of an annotator whose marks are as they should be, at most."""
ALPHA_OF_KIND = ALPHA / 4
"""The same of one reference and of orientation or shift alone."""
_ALPHA_OF_NAME = 0.01


class Reference(enum.StrEnum):
    """What marks are compared with."""

    OTHERS = "those of the other annotators"
    BRIGHTNESS = "the brightness of the images"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """An annotator's density on a source, that of the reference, and what undoes each orientation."""

    source: str
    own: NDArray[np.float32]
    reference: NDArray[np.float32]
    turnings: Mapping[Orientation, Turning]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlacementEvidence:
    """Tests of one annotator against one reference.

    Parameters
    ----------
    reference : Reference
        What the marks were compared with.
    n_sources : int
        Over how many sources.
    orientations : tuple of OrientationTest
        One for each way in which marks can be turned over.
    turned : tuple of Orientation
        Those of them that were found and cannot be distinguished, the likeliest first.
    shift : ShiftTest or None
        Shift of the marks; once they are turned back, where they are turned over in one way.
    """

    reference: Reference
    n_sources: int
    orientations: tuple[OrientationTest, ...]
    turned: tuple[Orientation, ...]
    shift: ShiftTest | None

    @property
    def found(self) -> bool:
        """Whether anything was found."""
        return bool(self.turned) or (self.shift is not None and self.shift.found)

    def test_of(self, orientation: Orientation) -> OrientationTest | None:
        """The test of an orientation, if it was tested."""
        return next((t for t in self.orientations if t.orientation is orientation), None)

    def excludes(self, other: PlacementEvidence) -> bool:
        """Whether this reference excludes what another one found."""
        if other.turned:
            tests = [self.test_of(orientation) for orientation in other.turned]
            return all(test is not None and test.excluded for test in tests)
        if self.turned or self.shift is None or other.shift is None:
            return False
        return not self.shift.contains(other.shift.x, other.shift.y)

    def mirrored(self) -> PlacementEvidence:
        """The same fault as the reference's: turned over in the same way, or shifted the other way.

        A quarter turn of the one is the opposite quarter turn of the other.
        """
        opposite = {
            Orientation.QUARTER: Orientation.THREE_QUARTERS,
            Orientation.THREE_QUARTERS: Orientation.QUARTER,
        }
        shift = self.shift
        return dataclasses.replace(
            self,
            turned=tuple(opposite.get(way, way) for way in self.turned),
            shift=shift and dataclasses.replace(shift, x=-shift.x, y=-shift.y),
        )

    @property
    def severity(self) -> tuple[float, float]:
        """How much similarity is lost where something is turned over, else how far marks are shifted."""
        lost = [t.similarity_turned - t.similarity for t in self.orientations if t.found]
        return (max(lost, default=0.0), self.shift.length if self.shift else 0.0)


class _Similarities:
    """Similarities of every source, as they are and under every orientation."""

    def __init__(self, compared: Iterable[Compared]) -> None:
        self.sources: list[str] = []
        self.surfaces: list[NDArray[np.float32]] = []
        self.similarity: list[float] = []
        self.turned: list[dict[Orientation, float]] = []
        self.asymmetry: list[dict[Orientation, float]] = []
        self.between: list[dict[tuple[Orientation, Orientation], float]] = []
        for one in compared:
            reference = one.reference.ravel()
            own = {k: np.ravel(turn(one.own)) for k, turn in one.turnings.items()}
            of_reference = {k: np.ravel(turn(one.reference)) for k, turn in one.turnings.items()}
            first = one.own.ravel()
            self.sources.append(one.source)
            self.surfaces.append(similarity_surface(one.own, one.reference))
            self.similarity.append(float(first @ reference))
            self.turned.append({k: float(values @ reference) for k, values in own.items()})
            # no more can be seen than the less asymmetric of the two shows
            self.asymmetry.append(
                {
                    k: _asymmetry(float(first @ own[k]), float(reference @ of_reference[k]))
                    for k in own
                }
            )
            names = list(own)
            gram = np.stack(list(own.values())) @ np.stack(list(own.values())).T
            self.between.append(
                {
                    (a, b): max(1 - float(gram[i, j]), 0.0)
                    for i, a in enumerate(names)
                    for j, b in enumerate(names)
                }
            )

    def test(self, orientation: Orientation, alpha: float) -> OrientationTest:
        used = [i for i, turned in enumerate(self.turned) if orientation in turned]
        return measure_orientation(
            orientation,
            tuple(self.sources[i] for i in used),
            np.array([self.similarity[i] for i in used]),
            np.array([self.turned[i][orientation] for i in used]),
            np.array([self.asymmetry[i][orientation] for i in used]),
            alpha,
        )

    def rules_out(self, best: OrientationTest, other: OrientationTest) -> bool:
        """Whether marks, where they are turned over, are so in the one way rather than the other."""
        a, b = best.orientation, other.orientation
        among = set(self.sources if best.low > 0 else (*best.turned, *other.turned))
        used = [
            i
            for i, turned in enumerate(self.turned)
            if a in turned and b in turned and self.sources[i] in among
        ]
        gain = np.array([self.turned[i][a] - self.turned[i][b] for i in used])
        asymmetry = np.array([self.between[i][a, b] for i in used])
        return slope_bounds(gain, asymmetry, _ALPHA_OF_NAME)[1] > 0


def _asymmetry(of_own: float, of_reference: float) -> float:
    return float(np.sqrt(max(1 - of_own, 0.0) * max(1 - of_reference, 0.0)))


def weigh_placement(
    reference: Reference, compared: Callable[[], Iterable[Compared]], cell_pixels: float
) -> PlacementEvidence:
    """Test the placement of an annotator's marks against a reference.

    Parameters
    ----------
    reference : Reference
        What it is.
    compared : callable
        Gives the densities, source by source; called again where marks are turned over.
    cell_pixels : float
        Side of their cells in pixels.

    Returns
    -------
    PlacementEvidence
    """
    similarities = _Similarities(compared())
    names = list(dict.fromkeys(name for turned in similarities.turned for name in turned))
    alpha = ALPHA_OF_KIND / max(len(names), 1)
    tests = tuple(similarities.test(name, alpha) for name in names)
    found = sorted((t for t in tests if t.found), key=lambda t: t.similarity_turned, reverse=True)
    turned = [
        test for test in found if test is found[0] or not similarities.rules_out(found[0], test)
    ]
    surfaces = similarities.surfaces
    if len(turned) == 1 and turned[0].low > 0:
        back = turned[0].orientation
        surfaces = [
            similarity_surface(one.turnings[back](one.own), one.reference)
            for one in compared()
            if back in one.turnings
        ]
    elif turned:
        surfaces = []
    return PlacementEvidence(
        reference=reference,
        n_sources=len(similarities.sources),
        orientations=tests,
        turned=tuple(test.orientation for test in turned),
        shift=measure_shift(np.stack(surfaces), cell_pixels, ALPHA_OF_KIND) if surfaces else None,
    )
