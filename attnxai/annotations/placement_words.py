"""Sentences about the placement of an annotator's marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.annotations.orientation import Orientation
from attnxai.annotations.placement_evidence import PlacementEvidence
from attnxai.annotations.placement_tests import MIN_SOURCES, SHARE_MISPLACED, ShiftTest
from attnxai.data.wording import counted, first_of, listed
from attnxai.statistics.exact import t_half_width
from attnxai.statistics.formats import decimals_of_half, format_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnxai.annotations.placement_tests import OrientationTest

CONVENTIONS = {
    (1.0, 1.0): "where pixels are counted from 1",
    (0.5, 0.5): "where positions are counted from the corner of the first pixel",
    (-1.0, -1.0): "where 1 was subtracted from positions that are counted from 0",
}
"""What makes shifts of these numbers of pixels."""


def found_sentence(annotator: str, evidence: PlacementEvidence, *, on_sky: bool = False) -> str:
    """What is wrong with an annotator's marks, and the evidence; marks on the sky follow no convention of pixels."""
    if not evidence.turned and evidence.shift is not None:
        return f"The marks of {annotator} are {_shifted(evidence.shift, evidence, on_sky=on_sky)}."
    tests = [test for way in evidence.turned if (test := evidence.test_of(way))]
    return f"The marks of {annotator} {_turned(tests, evidence, on_sky=on_sky)}"


def disputed_sentence(
    annotator: str, evidence: PlacementEvidence, opposite: Sequence[str], *, on_sky: bool = False
) -> str:
    """A fault of one of two sides, where it is not known of which."""
    others = listed(list(opposite))
    tests = [test for way in evidence.turned if (test := evidence.test_of(way))]
    ways = _either([str(test.orientation) for test in tests]) if tests else "shifted"
    ways += f" (over {counted(evidence.n_sources, 'source')})"
    if not tests and evidence.shift is not None:
        ways = _shifted(evidence.shift, evidence, on_sky=on_sky)
    return (
        f"The marks of {annotator} and of {others} do not fit each other: as if those of {annotator} were {ways}, or "
        f"those of {others} the other way. The brightness of the images does not show which."
    )


def clean_sentence(
    annotator: str,
    evidence: Sequence[PlacementEvidence],
    smallest_pixels: float,
    n_for_one_pixel: int | None,
) -> str:
    """What is excluded, and what could have been found."""
    excluded, open_ways = _decided(evidence)
    what = f"not {_either(excluded)}," if open_ways else "neither flipped, swapped or turned"
    text = (
        f"The marks of {annotator} are {what} nor shifted by {smallest_pixels:.1f} pixels or more"
    )
    text += f" ({_references(evidence)})."
    if open_ways:
        text += f" It cannot be told whether they are {_either(open_ways)}."
    return text + _one_pixel(n_for_one_pixel, smallest_pixels)


def unknown_sentence(
    annotator: str, evidence: Sequence[PlacementEvidence], n_for_one_pixel: int | None
) -> str:
    """That nothing can be said, and why."""
    text = f"It cannot be told whether the marks of {annotator} are flipped or shifted: "
    n_most = max((e.n_sources for e in evidence), default=0)
    if n_most == 0:
        return text + "no source has another annotator's marks or shows emission."
    if n_most < MIN_SOURCES:
        return (
            f"{text}{counted(n_most, 'source')} can be used, and {MIN_SOURCES} are needed at least."
        )
    tests = [test for e in evidence for test in e.orientations if test.suspicious]
    if tests:
        worst = min(tests, key=lambda test: test.p_turned)
        return (
            f"{text}{len(worst.turned)} of {counted(worst.n_informative, 'source')} that can show it would fit better if "
            f"they were {worst.orientation} ({first_of(worst.turned)})."
        )
    return f"{text}the sources are too few or too symmetric ({_references(evidence)}).{_one_pixel(n_for_one_pixel)}"


def _turned(tests: Sequence[OrientationTest], evidence: PlacementEvidence, *, on_sky: bool) -> str:
    first, reference = tests[0], evidence.reference
    ways = _either([str(test.orientation) for test in tests])
    n_turned, n = len(first.turned), first.n_informative
    can = f"{n_turned} of {counted(n, 'source')} that can show it"
    if not first.low > 0:
        return (
            f"are {ways} on some sources: {can} {_fit(n_turned)} {reference} better turned back, where "
            f"{100 * SHARE_MISPLACED:.0f} % would by chance: {first_of(first.turned)}."
        )
    text = (
        f"are {ways}: {can} {_fit(n_turned)} {reference} better turned back. The mean similarity over "
        f"{counted(first.n_sources, 'source')} is {first.similarity:.2f} as they are and {first.similarity_turned:.2f} "
        "turned back."
    )
    if len(tests) > 1:
        text += " These sources do not show which of these it is."
    elif evidence.shift is not None and evidence.shift.found:
        text += f" Turned back, they are {_shifted(evidence.shift, evidence, on_sky=on_sky)}."
    return text


def _fit(n: int) -> str:
    return "fits" if n == 1 else "fit"


def _shifted(shift: ShiftTest, evidence: PlacementEvidence, *, on_sky: bool) -> str:
    along = []
    for axis, value, error in (("x", shift.x, shift.error_x), ("y", shift.y, shift.error_y)):
        half = t_half_width(error, shift.n_sources - 2)
        decimals = decimals_of_half(half)
        moved = format_number(value, decimals, signed=True)
        along.append(f"{moved} ± {format_number(half, decimals)} pixels in {axis}")
    text = f"shifted by {listed(along)} from {evidence.reference} (95 % intervals over {counted(shift.n_sources, 'source')})"
    conventions = [
        words for place, words in CONVENTIONS.items() if shift.contains(*place) and not on_sky
    ]
    return f"{text}, as {' or '.join(conventions)}" if conventions else text


def _decided(evidence: Sequence[PlacementEvidence]) -> tuple[list[str], list[str]]:
    """Orientations that some reference excludes, and others that were tested."""
    tests = [test for e in evidence for test in e.orientations]
    suspected = {test.orientation for test in tests if test.suspicious}
    excluded = {test.orientation for test in tests if test.excluded} - suspected
    tested = [way for way in Orientation if any(test.orientation is way for test in tests)]
    return (
        [str(way) for way in tested if way in excluded],
        [str(way) for way in tested if way not in excluded],
    )


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _references(evidence: Sequence[PlacementEvidence]) -> str:
    return "compared with " + listed(
        [f"{e.reference} on {counted(e.n_sources, 'source')}" for e in evidence]
    )


def _one_pixel(n_sources: int | None, smallest_pixels: float = float("inf")) -> str:
    if n_sources is None or smallest_pixels <= 1:
        return ""
    return f" A shift of one pixel would be found from about {n_sources} sources like these."
