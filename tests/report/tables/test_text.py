"""Tables as Markdown, HTML and for a terminal: what is written, and that names from files break nothing."""

from __future__ import annotations

import html as html_module
import html.parser
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from attnxai.report.tables.table import (
    Limit,
    Piece,
    Table,
    Tone,
    count_column,
    half_width_column,
    interval_column,
    number_column,
    p_value_column,
    text_column,
)
from attnxai.report.tables.text import (
    cells_of,
    markdown_text,
    render_html,
    render_markdown,
    render_terminal,
)
from attnxai.statistics.interval import Interval


def _rendered(markdown):
    return MarkdownIt("commonmark").enable("table").render(markdown)


EVIL = "<script>x</script> | a_b [link](x) & $5"


def made():
    intervals = [
        Interval(value=-0.4237, low=-0.5461, high=-0.3012, n_units=40),
        Interval(value=1234.5, low=1111.0, high=1358.0, n_units=40),
        Interval(value=0.5, n_units=3),
    ]
    return Table(
        columns=(
            text_column(
                "Map", [EVIL, "gate 2", ("mean", "of 3", ("so ", Piece("bad", Tone.WARNING)))]
            ),
            interval_column("Value", intervals),
            p_value_column("p", [0.00002, 0.5, None]),
            count_column("n", [Limit(sign=">", count=4000), 1234, None]),
            number_column("x", [None, -0.5, 12345.678], [1, 1, 2]),
            half_width_column("±", [0.123, float("nan"), 12.0]),
        ),
        title="A title & more",
        note="A note",
        rules=(2,),
    )


def test_every_kind_of_cell():
    columns = [cells_of(column) for column in made().columns]
    assert columns[0][2] == ("mean", "of 3", "so bad")
    assert columns[1] == [
        ("\u22120.42 [\u22120.55, \u22120.30]",),
        ("1,234.5 [1,111.0, 1,358.0]",),
        # without a width it has the fewest decimals of its column
        ("0.5",),
    ]
    assert columns[2] == [("< 0.0001",), ("0.50",), ("–",)]
    assert columns[3] == [("> 4,000",), ("1,234",), ("–",)]
    assert columns[4] == [("–",), ("\u22120.5",), ("12,345.68",)]
    assert columns[5] == [("0.12",), ("–",), ("12",)]


def test_markdown_keeps_its_columns():
    lines = render_markdown(made()).splitlines()
    assert len(lines) == 5
    assert {line.count("|") for line in lines} == {7}
    assert len({len(line) for line in lines}) == 1
    assert "<script" not in lines[2]
    assert "mean<br>of 3<br>so **bad**" in lines[4]


class Reader(html.parser.HTMLParser):
    """Tags that are open, texts of cells, and classes."""

    def __init__(self):
        super().__init__()
        self.open, self.cells, self.tags, self.classes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.classes += [value for name, value in attrs if name == "class"]
        if tag != "br":
            self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def test_html_is_well_formed_and_escaped():
    text = render_html(made())
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert reader.tags.count("tr") == 4
    assert reader.tags.count("tbody") == 2
    assert reader.cells[6] == EVIL
    assert "script" not in reader.tags
    assert "warning" in reader.classes
    assert "<caption>A title &amp; more</caption>" in text
    assert text.endswith("<p>A note</p>")
    # of a wide table intervals may stand below their values, and nothing else is broken
    assert '1,234.5<span class="break"> </span>[1,111.0, 1,358.0]' in text
    assert text.count('class="break"') == 2


def test_a_terminal_shows_title_cells_and_note():
    file = io.StringIO()
    Console(file=file, width=200).print(render_terminal(made()))
    text = file.getvalue()
    for words in ("A title & more", EVIL, "1,234.5 [1,111.0, 1,358.0]", "< 0.0001", "A note"):
        assert words in text
    # brackets are no markup
    assert "[link]" in text


@pytest.mark.parametrize("width", [18, 24, 30, 40, 60, 80, 120])
def test_no_terminal_is_too_narrow_for_a_number(width):
    """Columns become narrower by wrapping, then rows become lines; numbers stay whole."""
    table = made()
    file = io.StringIO()
    Console(file=file, width=width).print(render_terminal(table))
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    assert "…" not in file.getvalue()
    shown = " ".join(lines).split()
    for column in table.columns[1:]:
        for cell in cells_of(column):
            for number in cell[0].split():
                assert number in shown


@given(st.lists(st.text(max_size=15), min_size=1, max_size=4))
def test_no_name_breaks_markdown_or_html(names):
    table = Table(columns=(text_column("Name", names), count_column("n", range(len(names)))))
    lines = render_markdown(table).split("\n")
    assert len(lines) == 2 + len(names)
    assert {line.count("|") for line in lines} == {3}
    reader = Reader()
    reader.feed(render_html(table))
    assert reader.open == []
    assert len(reader.cells) == 2 + 2 * len(names)


def test_columns_have_one_length():
    with pytest.raises(ValueError, match="one length"):
        Table(columns=(text_column("A", ["x"]), text_column("B", ["x", "y"])))
    with pytest.raises(ValueError, match="one length"):
        Table(columns=())


@given(st.text())
def test_escaped_text_shows_as_it_is(text):
    shown = _rendered(f"x{markdown_text(text)}x")
    plain = " ".join(text.replace("\0", "\ufffd").split())
    inside = shown.removeprefix("<p>").removesuffix("</p>\n")
    assert html_module.unescape(inside) == f"x{plain}x"
    assert len(re.findall(r"<\w+", shown)) == 1


def test_text_in_markdown():
    assert markdown_text("a\n b\t|c") == "a b &#124;c"
    assert markdown_text(" a ", strip=False) == " a "
