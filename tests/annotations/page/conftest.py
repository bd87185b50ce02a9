"""The annotation page in a browser."""

from __future__ import annotations

import dataclasses
import io
import itertools
from pathlib import Path

import pytest

from attnxai.annotations.page.document import write_annotation_page
from attnxai.annotations.readers.table import parse_table


@dataclasses.dataclass
class Annotator:
    """An annotator at a page; pixels are those of the file's array."""

    page: object
    file: Path
    folder: Path

    def start(self, name="Ann"):
        self.page.fill("#annotator", name)
        self.page.click("#start button[type=submit]")
        return self

    def reopen(self):
        self.page.goto(self.file.as_uri())
        return self

    def frame(self, image):
        """From a pixel to the screen: the whole image, as large as it fits, in the middle of the drawing area."""
        self.page.evaluate("scrollTo(0, 0)")
        box = self.page.locator("#board").bounding_box()
        rows, columns = image.shape
        zoom = min(box["width"] / columns, box["height"] / rows)
        left = box["x"] + (box["width"] - columns * zoom) / 2
        top = box["y"] + (box["height"] - rows * zoom) / 2
        upwards = image.grid.row_zero == "bottom"
        return lambda x, y: (
            left + (x + 0.5) * zoom,
            top + ((rows - 0.5 - y) if upwards else (y + 0.5)) * zoom,
        )

    def drag(self, *places):
        mouse = self.page.mouse
        mouse.move(*places[0])
        mouse.down()
        for before, after in itertools.pairwise(places):
            mouse.move((before[0] + after[0]) / 2, (before[1] + after[1]) / 2)
            mouse.move(*after)
        mouse.up()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def table(self):
        """Text of the table that is downloaded."""
        with self.page.expect_download() as caught:
            self.page.click("#download")
        path = self.folder / caught.value.suggested_filename
        caught.value.save_as(path)
        self.page.click("#report [data-close]")
        return path.read_bytes().decode()

    def sends(self, text):
        """What is said after the import of a table."""
        path = self.folder / "sent.csv"
        path.write_bytes(text.encode())
        self.page.set_input_files("#import-file", path)
        self.page.wait_for_selector("#report[open]")
        report = self.shown("#report-lines")
        self.page.click("#report [data-close]")
        return report

    def annotations(self):
        return parse_table(self.table())

    def shown(self, selector):
        return self.page.locator(selector).inner_text()


@pytest.fixture
def annotate(browser, tmp_path):
    """Write a page of images and open it; nothing may be fetched, fail or ask."""
    contexts, faults = [], []

    def watch(page, file):
        page.on("request", lambda r: r.url == file.as_uri() or faults.append(f"fetched {r.url}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda d: (faults.append(f"asked {d.message}"), d.dismiss()))
        page.on("console", lambda m: m.type in ("error", "warning") and faults.append(m.text))

    def begin(images, *, script="", context=None, **options):
        file = tmp_path / f"annotate-{len(contexts)}.html"
        write_annotation_page(images, file, **options)
        size = {"viewport": {"width": 1100, "height": 800}, "offline": True}
        contexts.append(browser.new_context(**size | (context or {})))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)  # a machine may be busy
        watch(page, file)
        if script:
            page.add_init_script(script)
        return Annotator(page, file, tmp_path).reopen()

    yield begin
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def picture_of():
    """The drawing area as an array of colours, shape (rows, columns, 3)."""

    def take(annotator):
        import numpy as np
        from PIL import Image

        png = annotator.page.locator("#board").screenshot()
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)

    return take
