"""What is wrong with the text of a figure at the size at which it is printed."""

from __future__ import annotations

import itertools
import math

import numpy as np
from matplotlib.text import Text

from attnxai.report.style import SMALLEST_TEXT

SLACK_POINTS = 0.75
"""By how much boxes may overlap, which have room for accents and descenders."""


def faults_of(figure):
    """Texts that are too small, lie over another, or are cut off, in words; and axes of numbers without a name."""
    figure.set_dpi(300)
    drawn = texts_of(figure)
    slack = SLACK_POINTS * figure.dpi / 72
    faults = [
        f"{text.get_text()!r} has {text.get_fontsize():.1f} points"
        for text in drawn
        if text.get_fontsize() < SMALLEST_TEXT - 1e-9
    ]
    shapes = [(text, corners_of(text, slack)) for text in drawn]
    faults += [
        f"{one.get_text()!r} lies over {other.get_text()!r}"
        for (one, first), (other, second) in itertools.combinations(shapes, 2)
        if overlap(first, second)
    ]
    low, high = np.array(figure.bbox.min), np.array(figure.bbox.max)
    faults += [
        f"{text.get_text()!r} is cut off"
        for text, corners in shapes
        if (corners < low - 1).any() or (corners > high + 1).any()
    ]
    return faults + [f"an axis with {name!r} has no name" for name in nameless_axes(figure)]


def texts_of(figure):
    """All texts that a drawing shows, each once."""
    drawn, draw = {}, Text.draw

    def record(self, renderer, *args, **options):
        if self.get_visible() and self.get_text().strip():
            drawn[id(self)] = self
        draw(self, renderer, *args, **options)

    Text.draw = record
    try:
        figure.draw_without_rendering()
    finally:
        Text.draw = draw
    return list(drawn.values())


def corners_of(text, slack):
    """Corners of the box of a text, turned as it is, less ``slack`` on every side."""
    # without the arrow of an annotation
    extent = Text.get_window_extent(text)
    centre = np.array([extent.x0 + extent.x1, extent.y0 + extent.y1]) / 2
    angle = text.get_rotation()
    text.set_rotation(0)
    flat = Text.get_window_extent(text)
    text.set_rotation(angle)
    half = np.maximum([flat.width / 2 - slack, flat.height / 2 - slack], 0.5)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return centre + (signs * half) @ turn.T


def overlap(first, second):
    """Whether two rectangles have a point in common: no side of either separates them."""
    for corners in (first, second):
        for side in (corners[1] - corners[0], corners[3] - corners[0]):
            a, b = first @ side, second @ side
            if a.max() <= b.min() or b.max() <= a.min():
                return False
    return True


def nameless_axes(figure):
    """The first number of every axis of numbers that neither has a name nor stands beside one that has."""
    named = {
        axis: bool(name.strip())
        for axis, name in (("x", figure.get_supxlabel()), ("y", figure.get_supylabel()))
    }
    visible = [ax for ax in figure.axes if ax.get_visible() and ax.axison]
    for ax, kind in itertools.product(visible, "xy"):
        axis = getattr(ax, f"{kind}axis")
        numbers = [t.get_text() for t in axis.get_ticklabels() if t.get_text().strip()]
        # the title of a panel may say what its vertical axis is
        titled = kind == "y" and ax.get_title("left").strip()
        if named[kind] or titled or not numbers or not all(map(_is_number, numbers)):
            continue
        # panels above each other have the same horizontal axis, and those side by side the same vertical one
        start, end = ("x0", "x1") if kind == "x" else ("y0", "y1")
        place = ax.get_position()
        beside = [
            other
            for other in visible
            if abs(getattr(other.get_position(), start) - getattr(place, start)) < 0.03
            and abs(getattr(other.get_position(), end) - getattr(place, end)) < 0.03
        ]
        if not any(getattr(other, f"{kind}axis").label.get_text().strip() for other in beside):
            yield numbers[0]


def _is_number(text):
    try:
        float(text.replace("\N{MINUS SIGN}", "-").removesuffix(" %"))
    except ValueError:
        return False
    return True
