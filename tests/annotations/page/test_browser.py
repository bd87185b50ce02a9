"""The annotation page as annotators use it, in Chromium: by mouse, keyboard and touch."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

import attnxai
from attnxai.annotations.readers.table import parse_table
from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage
from attnxai.data.sky import pixel_to_sky
from tests.annotations.page.test_parts import header_of
from tests.data.skies import make_wcs

pytestmark = pytest.mark.browser


def blob(source="galaxy", shape=(60, 80), wcs=None, seed=0):
    rows, columns = np.indices(shape)
    pixels = np.exp(-((rows - 30) ** 2 + (columns - 40) ** 2) / 50)
    pixels += np.random.default_rng(seed).normal(0, 0.01, shape)
    return SourceImage(source=source, pixels=pixels, grid=PixelGrid(shape=shape, wcs=wcs))


def bright_pixel(path, x, y, shape=(90, 120)):
    """A file with one bright pixel, as a telescope or a painter would write it."""
    pixels = np.zeros(shape, np.uint8)
    pixels[y, x] = 255
    if path.suffix == ".png":
        Image.fromarray(pixels).save(path)
    elif path.suffix == ".npy":
        np.save(path, pixels)
    else:
        header = header_of("SIN", 25, 0.0005, (200, -30))
        fits.PrimaryHDU(pixels.astype("f4"), header).writeto(path)
    return attnxai.read_images([path])


def numbers(shape):
    fields = ("x", "y", "width", "height", "radius", "angle")
    return [getattr(shape, name) for name in fields] + [c for v in shape.vertices for c in v]


# --- geometry --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".fits", ".png", ".npy"])
def test_a_click_on_a_bright_pixel_gives_that_pixel(annotate, picture_of, tmp_path, ending):
    x, y = 85, 22
    images = bright_pixel(tmp_path / f"one{ending}", x, y)
    ann = annotate(images).start()
    colours = picture_of(ann)
    middle = colours[100:-100, 100:-100]  # without what lies over the corners
    places = np.argwhere(middle.min(axis=2) > 250)
    top, left = places.mean(axis=0) + 100.5
    box = ann.page.locator("#board").bounding_box()
    ann.press("p")
    ann.page.mouse.click(box["x"] + left, box["y"] + top)
    (mark,) = ann.annotations().annotations
    if ending == ".fits":
        assert mark.shape.frame == "icrs"
        (region,) = mark.shape.on_pixels(images[0].grid).to_regions()
        found = region.center.x, region.center.y
        ra, dec = pixel_to_sky(images[0].grid.wcs, x, y)
        off = np.hypot((mark.shape.x - ra) * np.cos(np.radians(dec)), mark.shape.y - dec)
        assert off * 3600 < 0.25 * images[0].grid.pixel_scale_arcsec
    else:
        assert mark.shape.frame == "pixel"
        found = mark.shape.x, mark.shape.y
    assert found == pytest.approx((x, y), abs=0.25)


def test_every_shape_is_drawn_changed_undone_kept_and_downloaded(annotate):
    image = blob()
    ann = annotate([image]).start("Ann Ä")
    at = ann.frame(image)
    ann.press("b", "1")
    ann.drag(at(10, 10), at(20, 16))
    ann.press("e", "2")
    ann.drag(at(30, 30), at(50, 38))
    ann.press("c", "3")
    ann.drag(at(60, 20), at(66, 28))
    ann.press("g", "4")
    for place in ((60, 40), (70, 40), (70, 50), (62, 52)):
        ann.page.mouse.click(*at(*place))
    ann.page.mouse.click(*at(60, 40))  # on the first vertex: closes it
    ann.press("l", "5")
    for place in ((10, 40), (20, 45)):
        ann.page.mouse.click(*at(*place))
    ann.page.mouse.dblclick(*at(25, 55))
    ann.drag(at(5, 30), at(12, 32))  # a stroke is a line of two vertices
    ann.press("p", "6")
    ann.page.mouse.click(*at(40, 30))
    ann.press("v", "Escape")
    marks = ann.annotations().annotations
    assert [m.shape.kind for m in marks] == [
        *("box", "ellipse", "circle", "polygon", "line", "line", "point")
    ]
    assert [m.label for m in marks] == [
        *("core", "jet", "lobe", "hotspot", "host", "host", "source")
    ]
    assert {m.annotator for m in marks} == {"Ann Ä"}
    expected = [
        [15, 13, 10, 6, 0, 0],
        [40, 34, 20, 8, 0, 0],
        [60, 20, 0, 0, 10, 0],
        [np.nan, np.nan, 0, 0, 0, 0, 60, 40, 70, 40, 70, 50, 62, 52],
        [np.nan, np.nan, 0, 0, 0, 0, 10, 40, 20, 45, 25, 55],
        [np.nan, np.nan, 0, 0, 0, 0, 5, 30, 12, 32],
        [40, 30, 0, 0, 0, 0],
    ]
    for mark, right in zip(marks, expected, strict=True):
        assert numbers(mark.shape) == pytest.approx(right, abs=0.15, nan_ok=True), mark.shape

    # moved, resized, turned and bent with the mouse
    ann.drag(at(15, 13), at(18, 20))
    ann.drag(at(23, 23), at(25, 25))  # its upper right corner
    ann.page.mouse.click(*at(40, 34))
    handle = at(40, 38)  # the handle that turns stands 26 pixels of the screen above the box
    ann.drag((handle[0], handle[1] - 26), at(60, 54))  # clockwise by 45 degrees
    ann.page.mouse.click(*at(70, 45))
    ann.drag(at(70, 50), at(75, 55))
    ann.drag(at(65, 40), at(65, 36))  # the middle between two vertices becomes one
    changed = ann.annotations().annotations
    assert numbers(changed[0].shape) == pytest.approx([19, 21, 12, 8, 0, 0], abs=0.2)
    assert numbers(changed[1].shape) == pytest.approx([40, 34, 20, 8, 0, 135], abs=1.0)
    right = [60, 40, 65, 36, 70, 40, 75, 55, 62, 52]
    assert numbers(changed[3].shape)[6:] == pytest.approx(right, abs=0.15)

    for _ in range(5):
        ann.press("Control+z")
    assert [numbers(m.shape) for m in ann.annotations().annotations[:4]] == [
        numbers(m.shape) for m in marks[:4]
    ]
    for _ in range(5):
        ann.press("Control+y")
    before = ann.table()
    assert [numbers(m.shape) for m in parse_table(before).annotations] == [
        numbers(m.shape) for m in changed
    ]
    ann.reopen()
    assert ann.shown("#annotator-name") == "Ann Ä"
    assert ann.table() == before


@pytest.mark.parametrize("turn", [0, 30])
def test_sky_positions_are_exact_and_come_back(annotate, turn):
    """Numbers typed in pixels are those that the package finds from the table, and the import as well."""
    images = [blob(wcs=make_wcs((60, 80), turn_deg=turn, east_right=bool(turn)))]
    ann = annotate(images).start()
    at = ann.frame(images[0])
    ann.press("e")
    ann.drag(at(20, 20), at(30, 26))
    typed = {"x": 33.25, "y": 21.5, "width": 17.3, "height": 5.2, "angle": 25.0}
    for name, value in typed.items():
        ann.page.fill(f"#details [name={name}]", str(value))
        ann.press("Tab")
    ann.press("g")
    ann.page.locator("#board").focus()
    for place in ((60, 40), (70, 40), (70, 50)):
        ann.page.mouse.click(*at(*place))
    ann.press("Control+Enter")
    ann.page.fill("#details [name=vertices]", "60.5 40; 70 41.25; 69 52; 55 50")
    ann.press("Tab")
    ann.page.check("#details [name=subtract]")
    ann.page.fill("#details [name=group]", "north")
    ann.press("Tab")
    ann.press("c")
    at = ann.frame(images[0])
    ann.drag(at(10, 40), at(14, 40))
    text = ann.table()
    ellipse, polygon, circle = parse_table(text).annotations
    assert {m.shape.frame for m in (ellipse, polygon, circle)} == {"icrs"}
    assert (polygon.operation, polygon.group) == ("subtract", "north")
    (region,) = ellipse.shape.on_pixels(images[0].grid).to_regions()
    found = [region.center.x, region.center.y, region.width, region.height]
    assert found == pytest.approx([33.25, 21.5, 17.3, 5.2], abs=0.01)
    assert region.angle.to_value("deg") % 180 == pytest.approx(25.0, abs=0.05)
    (region,) = polygon.shape.on_pixels(images[0].grid).to_regions()
    assert region.vertices.x == pytest.approx([60.5, 70, 69, 55], abs=0.01)
    assert region.vertices.y == pytest.approx([40, 41.25, 52, 50], abs=0.01)
    (region,) = circle.shape.on_pixels(images[0].grid).to_regions()
    assert (region.center.x, region.center.y, region.radius) == pytest.approx((10, 40, 4), abs=0.15)

    other = annotate(images)
    assert "3 rows for 1 image" in other.sends(text)
    assert other.shown("#annotator-name") == "Ann"
    again = parse_table(other.table()).annotations
    for one, two in zip(parse_table(text).annotations, again, strict=True):
        close = pytest.approx(numbers(one.shape), abs=2e-4, nan_ok=True)
        assert numbers(two.shape) == close
        for field in ("label", "operation", "group", "round"):
            assert getattr(one, field) == getattr(two, field)
    other.page.click("#marks li:first-child button")
    for name, value in typed.items():
        shown = float(other.page.input_value(f"#details [name={name}]"))
        assert shown == pytest.approx(value, abs=0.005)


def test_a_click_means_the_same_place_after_zooming_and_panning(annotate):
    image = blob()
    ann = annotate([image]).start()
    at = ann.frame(image)
    ann.page.mouse.move(*at(20, 15))
    ann.page.mouse.wheel(0, -900)
    ann.press("p")
    ann.page.mouse.click(*at(20, 15))  # which stayed under the pointer
    ann.press("h")
    ann.drag(at(20, 15), at(35, 25))
    ann.press("p")
    ann.page.mouse.click(*at(35, 25))
    ann.press("0", "p")
    ann.page.mouse.click(*at(20, 15))
    marks = ann.annotations().annotations
    assert [(m.shape.x, m.shape.y) for m in marks] == [pytest.approx((20, 15), abs=0.15)] * 3


# --- answers ---------------------------------------------------------------------------------------


def test_the_whole_work_can_be_done_with_the_keyboard(annotate):
    image = blob()
    ann = annotate([image, blob("second", seed=1), blob("third", seed=2)])
    page = ann.page
    page.keyboard.type("Ann")
    ann.press("Enter")
    steps = {"Right": (1, 0), "Left": (-1, 0), "Up": (0, 1), "Down": (0, -1)}

    def go(dx, dy, prefix=""):
        for (name, (sx, sy)), n in itertools.product(steps.items(), [max(abs(dx), abs(dy))]):
            for _ in range(n):
                if sx * dx > 0 or sy * dy > 0:
                    ann.press(f"{prefix}Arrow{name}")

    ann.press("p", "Enter")  # at the cursor, which begins in the middle
    ann.press("Escape", "b", "1", "Enter")
    ann.press(*["Shift+ArrowRight"] * 2, *["ArrowDown"] * 6, "Enter")
    ann.press("ArrowLeft", "Alt+ArrowUp", "Control+ArrowRight", "Shift+.", ".")
    ann.press(
        "Escape", "l", "Enter", *["ArrowUp"] * 4, "Enter", *["ArrowLeft"] * 3, "Enter", "Enter"
    )
    ann.press("o", "ArrowDown", "i", "Escape")
    ann.press("c", "Enter", *["ArrowRight"] * 5, "Enter", "Delete", "Control+z")
    ann.press("Escape", "n", "Shift+2", "a")
    assert page.evaluate("document.activeElement.id") == "board"
    ann.press("PageDown", "x", "PageDown", "Shift+4")
    with page.expect_download() as caught:
        ann.press("Control+s")
    ann.press("Escape")
    caught.value.save_as(ann.folder / "a.csv")
    rows = (ann.folder / "a.csv").read_text().splitlines()
    assert [row.split(",")[2] for row in rows[1:]] == [
        *("point", "box", "line", "circle", "none", "none")
    ]
    assert [row.split(",")[12] for row in rows[1:]] == [*["FR II"] * 4, "", ""]
    assert [row.split(",")[16] for row in rows[1:]] == [*["high"] * 4, "", "unsure"]
    point, box, line, circle = parse_table("\n".join(rows[:5])).annotations
    assert (point.shape.x, point.shape.y) == pytest.approx((40, 30), abs=0.51)
    x, y = point.shape.x, point.shape.y
    assert numbers(box.shape) == pytest.approx([x + 9, y - 2.9, 21, 6, 0, 164], abs=0.01)
    assert box.label == "core"
    bend = [x + 20, y - 6 - 1, x + 20, y - 4.5, x + 20, y - 2, x + 17, y - 2]
    assert numbers(line.shape)[6:] == pytest.approx(bend, abs=0.01)
    assert circle.shape.radius == pytest.approx(5)


def test_blinding_repeats_and_rounds(annotate):
    images = [blob(f"J12{i:02d}+34", wcs=make_wcs((60, 80)), seed=i) for i in range(8)]
    ann = annotate(images, blind=True, shuffle=True, repeats=2, rng=5).start()
    page = ann.page
    at = ann.frame(images[0])
    shown, marks = [], []
    for number in range(10):
        shown.append(ann.shown("#source-name"))
        x = 20 + 3 * number
        ann.press("p")
        page.mouse.click(*at(x, 10))
        marks.append(x)
        visible = page.evaluate("document.body.innerText") + page.title()
        assert "J12" not in visible
        assert "RA " not in visible
        ann.press("j")
    assert len(set(shown)) == 10
    assert ann.shown("#progress-text") == "10 of 10 done"
    found = ann.annotations()
    assert sorted({a.source for a in found.annotations}) == sorted(i.source for i in images)
    second = {a.source for a in found.annotations if a.round == 2}
    assert len(second) == 2
    assert sum(a.round == 1 for a in found.annotations) == 8
    study = json.loads(page.locator("#study").text_content())
    order = [study["images"][e["image"]]["source"] for e in study["entries"]]
    for annotation in found.annotations:
        (region,) = annotation.shape.on_pixels(images[0].grid).to_regions()
        at_entry = marks.index(round(region.center.x))
        assert (order[at_entry], study["entries"][at_entry]["round"]) == (
            annotation.source,
            annotation.round,
        )


def test_class_confidence_comment_and_nothing(annotate):
    image = blob()
    ann = annotate([image, blob("second", seed=1)], classes=["FR I", "tailed"]).start()
    page = ann.page
    page.click("#classes .chip:has-text('tailed')")
    page.click("#confidences .chip:has-text('medium')")
    page.fill("#comment", 'wide, "bent"\nand odd')
    page.click("#nothing")
    assert ann.shown("#progress-text") == "1 of 2 done"
    row = next(iter(re.findall(r"(?s)galaxy,.*", ann.table())))
    assert row.startswith("galaxy,Ann,none,,,,,,,,,source,tailed,add,,1,medium,")
    assert row.endswith('"wide, ""bent""\nand odd"\r\n')
    ann.press("Escape")
    ann.page.click("[data-tool=point]")
    ann.page.mouse.click(*ann.frame(image)(40, 30))
    assert page.get_attribute("#nothing", "aria-pressed") == "false"
    (mark,) = ann.annotations().annotations
    assert mark.other["comment"] == 'wide, "bent"\nand odd'
    assert mark.other["class_confidence"] == "medium"
    page.click("#marks >> text=Delete")
    assert page.locator("#marks li").count() == 0


def test_another_annotator_in_the_same_browser(annotate):
    image = blob()
    ann = annotate([image]).start("Ann")
    ann.press("p")
    ann.page.mouse.click(*ann.frame(image)(40, 30))
    ann.page.click("#open-start")
    ann.page.fill("#annotator", "Bob")
    ann.press("Enter")
    assert ann.page.locator("#marks li").count() == 0
    ann.page.click("#open-start")
    ann.page.fill("#annotator", "Ann")
    ann.press("Enter")
    assert ann.page.locator("#marks li").count() == 1


NO_STORAGE = (
    "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
)


def test_it_is_said_where_nothing_can_be_kept(annotate):
    image = blob()
    ann = annotate([image], script=NO_STORAGE).start()
    assert "does not keep the answers" in ann.shown("#warning")
    ann.press("p")
    ann.page.mouse.click(*ann.frame(image)(40, 30))
    assert len(ann.annotations()) == 1
