"""The page with a screen reader, by keyboard, in light and dark, on small screens, and on paper."""

from __future__ import annotations

import itertools
import re
from importlib import resources

import pytest

from attnxai.report.document import write_content

CONTROLS = {"button", "link", "searchbox", "textbox", "combobox", "DisclosureTriangle"}
SMALLEST_CONTRAST = 4.5  # WCAG 2.1, level AA
A4_WIDTH, LETTER_WIDTH = 718, 740  # CSS pixels between the margins of Chromium


def colours():
    """The variables of the style sheet in light, dark and print, those of each with what it inherits."""
    text = resources.files("attnxai.report").joinpath("templates/base.html").read_text("utf-8")
    found = [
        dict(re.findall(r"--(\w+): (#\w+);", block)) for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    ]  # fmt: skip
    light, dark, paper = found
    return {"light": light, "dark": light | dark, "print": light | paper}


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(w * value for w, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_can_be_told_from_its_background(scheme):
    found = colours()[scheme]
    for text, behind in itertools.product(
        ("ink", "soft", "accent", "yes", "no", "open"), ("paper", "card")
    ):
        low, high = sorted(luminance(found[name]) for name in (text, behind))
        assert (high + 0.05) / (low + 0.05) >= SMALLEST_CONTRAST, (scheme, text, behind)


@pytest.fixture(scope="module")
def report(two, tmp_path_factory):
    """Two models, without figures, which have alternative texts by another test."""
    folder = tmp_path_factory.mktemp("read") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attnxai.report.document._drawers", lambda *_: [])
        write_content(two, folder)
    return (folder / "index.html").as_uri()


@pytest.fixture
def page(report, browser):
    context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    shown = context.new_page()
    shown.goto(report)
    yield shown
    context.close()


def tree(page):
    """Role, name and level of everything that a screen reader hears of, in order."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    for node in nodes:
        if not node["ignored"]:
            level = [p["value"]["value"] for p in node["properties"] if p["name"] == "level"]
            name = node.get("name", {}).get("value", "")
            yield node["role"]["value"], name, *(level or [0])


@pytest.mark.browser
def test_a_screen_reader_hears_names_and_headings_in_order(page):
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.click("#sources-table button.open")
    heard = list(tree(page))
    unnamed = [
        (role, name)
        for role, name, _ in heard
        if role in CONTROLS | {"image", "img", "table", "region", "navigation", "svg"}
        and not name.strip()
    ]
    assert unnamed == []
    levels = [level for role, _, level in heard if role == "heading"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), levels
    roles = [role for role, _, _ in heard]
    assert (roles.count("main"), roles.count("navigation")) == (1, 1)
    assert roles.count("rowheader") >= 16
    assert {"image", "table", "heading", "button"} <= set(roles)
    assert page.locator("[aria-live], [role=status]").count() == 2


@pytest.mark.browser
def test_everything_can_be_reached_and_seen_by_keyboard(page):
    page.evaluate("document.getElementById('find').focus()")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    assert {tag for tag, _ in reached} >= {"SELECT", "BUTTON"}
    assert [tag for tag, outline in reached if outline == "none"] == []
    page.focus("#sources-table tbody:nth-of-type(2) button.open")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('tbody').id") == "source-source_02"


@pytest.mark.browser
def test_the_methods_text_can_be_switched_and_copied(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = page.locator(".texts details:not([hidden]) pre")
    assert "(Peters et al. 2005)" in shown.inner_text()
    page.click(".texts .form:text('LaTeX')")
    assert page.locator(".texts .form[aria-pressed=true]").inner_text() == "LaTeX"
    assert "\\citep{Peters2005}" in shown.inner_text()
    page.click(".texts .copy")
    page.wait_for_function("document.querySelector('.texts [role=status]').textContent")
    assert page.locator(".texts [role=status]").inner_text() == "Copied"
    assert page.evaluate("navigator.clipboard.readText()") == shown.inner_text()


@pytest.mark.browser
def test_all_forms_of_the_methods_text_are_there_without_scripts(report, browser):
    context = browser.new_context(java_script_enabled=False, offline=True)
    shown = context.new_page()
    shown.goto(report)
    assert shown.locator(".texts details:visible").count() == 3
    assert shown.locator(".texts details[open]").count() == 0
    assert not shown.locator(".texts .tools").is_visible()
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1185, 1200, 1920])  # 1185: 1200 with a scroll bar
def test_no_width_is_too_small(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.click("#sources-table button.open")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
@pytest.mark.parametrize("width", [A4_WIDTH, LETTER_WIDTH])
def test_a_print_keeps_everything(page, width):
    page.set_viewport_size({"width": width, "height": 1000})
    page.emulate_media(media="print")
    closed = page.locator("details:not([open]):visible > :not(summary)").all()
    assert len(closed) > 2
    # by the style sheet alone
    assert all((each.bounding_box() or {"height": 0})["height"] > 0 for each in closed)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    cut = page.evaluate(
        """width => Array.from(document.querySelectorAll("th, td, dd, li, pre, p"))
             .filter(each => each.checkVisibility() && (each.getBoundingClientRect().right > width + 1
               || each.getBoundingClientRect().left < -1)).map(each => each.textContent.slice(0, 40))""",
        width,
    )
    assert cut == []
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 2
    printed = page.pdf(format="A4" if width == A4_WIDTH else "Letter", print_background=False)
    n_pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 4 <= n_pages <= 16
