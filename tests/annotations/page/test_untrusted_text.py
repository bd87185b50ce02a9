"""Strings of strangers on the annotation page, in Chromium: in names, imported tables and storage."""

from __future__ import annotations

import re

import pytest

from attnxai.annotations.readers.table import parse_table
from tests.annotations.page.test_browser import blob

pytestmark = pytest.mark.browser

MARKUP = "<img src=x onerror=alert(1)>"


def test_hostile_strings_are_text(annotate):
    names = [f"=cmd|{MARKUP}", f"'@{MARKUP}", '"quoted", too']
    images = [blob(name, seed=i) for i, name in enumerate(names)]
    ann = annotate(images, title=MARKUP, classes=[MARKUP]).start(f"+{MARKUP}")
    page = ann.page
    assert page.title() == MARKUP
    for name in names:
        assert ann.shown("#source-name") == name
        page.click("#classes .chip >> nth=0")
        page.fill("#comment", f"-{MARKUP}")
        ann.page.click("[data-tool=point]")
        page.mouse.click(*ann.frame(images[0])(40, 30))
        ann.press("j")
    text = ann.table()
    cells = [cell for row in text.splitlines()[1:] for cell in row.split(",")]
    assert not [cell for cell in cells if re.match(r'"?[=+@]', cell)]
    found = parse_table(text)
    assert [a.source for a in found.annotations] == names
    assert {a.annotator for a in found.annotations} == {f"+{MARKUP}"}
    assert {a.other["comment"] for a in found.annotations} == {f"-{MARKUP}"}

    other = annotate(images)
    rows = [
        "source,annotator,shape,x,y,label,class,comment,frame",
        f"{names[0]},{MARKUP},point,1,2,core,{MARKUP},{MARKUP},",
        f"{names[0]},{MARKUP},{MARKUP},1,2,core,,,",
        f"{names[0]},{MARKUP},point,1e9,2,core,,,",
        f"{MARKUP},{MARKUP},point,1,2,core,,,",
        f"{names[0]},{MARKUP},point,1,2,{MARKUP},,,",
        f"{names[0]},{MARKUP},point,1,2,core,,,icrs",
    ]
    report = other.sends("\n".join(rows))
    assert "1 row for 1 image" in report
    assert "5 rows left out" in report
    assert "line 4: its position or size is missing or out of range" in report
    (mark,) = other.annotations().annotations
    assert (mark.annotator, mark.other["comment"]) == (MARKUP, MARKUP)
    for one in (page, other.page):
        assert one.locator("img").count() == 0


def test_a_file_that_is_no_table_is_refused(annotate):
    ann = annotate([blob()]).start()
    for text, words in (
        ("a,b\n1,2\n", "lacks the columns source, annotator, shape, label"),
        ('source,"annotator\n', "quotation mark of the row that begins on line 1 is not closed"),
        ("source,annotator,shape,label\ngalaxy,Bob,none,source\n", "its annotators are Bob"),
    ):
        assert words in ann.sends(text)


def test_what_storage_holds_is_not_trusted(annotate):
    ann = annotate([blob()]).start()
    good = {"kind": "point", "x": 3, "y": 4, "label": "core"}
    bad = [{**good, "x": "3"}, {**good, "kind": "sql"}, {**good, "label": MARKUP}, None, 7]
    ann.page.evaluate(
        """(marks) => {
          const key = Object.keys(localStorage).find((k) => k.endsWith(":Ann"));
          const answers = [{ marks, nothing: "yes", class: 5, comment: "kept" }];
          localStorage.setItem(key, JSON.stringify({ version: 1, position: 99, answers }));
        }""",
        [*bad, good],
    )
    ann.reopen()
    assert ann.page.locator("#marks li").count() == 1
    assert ann.page.input_value("#comment") == "kept"
