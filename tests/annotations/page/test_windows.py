"""The annotation page in windows of any size, by touch, and its picture, in Chromium."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.annotations.page.test_browser import blob, numbers

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [360, 800, 1440])
def test_it_fits_any_window(annotate, width):
    name = "a_name_without_any_place_to_break_it_" * 3
    ann = annotate([blob(name)], context={"viewport": {"width": width, "height": 740}}).start()
    page = ann.page
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.evaluate("document.querySelectorAll('dialog').forEach((d) => d.close())")
        page.click("#open-help")
    box = page.locator("#help").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    unnamed = """[...document.querySelectorAll("button, input, select, textarea")].filter((e) =>
      e.checkVisibility() && !(e.innerText || e.ariaLabel || e.labels?.length)).map((e) => e.outerHTML)"""
    page.click("#help [data-close]")
    assert page.evaluate(unnamed) == []


def test_touch_draws_and_pinches(annotate):
    image = blob()
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    ann = annotate([image], context=phone).start()
    page = ann.page
    at = ann.frame(image)
    ann.page.tap("[data-tool=point]")
    page.touchscreen.tap(*at(25, 35))
    touch = page.context.new_cdp_session(page)

    def fingers(kind, *places):
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.tap("[data-tool=ellipse]")
    fingers("touchStart", at(30, 20))
    for k in (0.3, 0.7, 1):
        fingers("touchMove", at(30 + 20 * k, 20 + 10 * k))
    fingers("touchEnd")
    first = ann.annotations().annotations
    assert numbers(first[0].shape)[:2] == pytest.approx([25, 35], abs=0.3)
    assert numbers(first[1].shape) == pytest.approx([40, 25, 20, 10, 0, 0], abs=0.4)
    middle = at(40, 30)
    fingers("touchStart", (middle[0] - 20, middle[1]), (middle[0] + 20, middle[1]))
    for k in (25, 30, 40):
        fingers("touchMove", (middle[0] - k, middle[1]), (middle[0] + k, middle[1]))
    fingers("touchEnd")
    page.tap("[data-tool=point]")
    page.touchscreen.tap(*at(42, 34))  # two pixels and four from the middle, of half the size now
    last = ann.annotations().annotations[-1]
    assert len(ann.annotations()) == 3
    assert numbers(last.shape)[:2] == pytest.approx([41, 32], abs=0.3)


def test_stretch_colours_and_limits_change_the_picture(annotate, picture_of):
    ann = annotate([blob()]).start()
    seen = [picture_of(ann)]
    for select, value in (("#stretch", "log"), ("#colours", "inferno"), ("#colours", "viridis")):
        ann.page.select_option(select, value)
        seen.append(picture_of(ann))
    ann.page.fill("#high", "0.2")
    ann.press("Tab")
    seen.append(picture_of(ann))
    ann.page.click("#full")
    seen.append(picture_of(ann))
    ann.page.focus("#board")
    ann.press("s", "[")
    seen.append(picture_of(ann))
    assert all(np.abs(a - b).mean() > 0.5 for a, b in itertools.pairwise(seen))
