"""Tables for readers of text: Markdown, HTML and terminals."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from attnxai.report.tables.table import Column, Kind, Limit, Line, Piece, Table, Tone
from attnxai.statistics.formats import format_number, format_p

if TYPE_CHECKING:
    import rich.table
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from attnxai.statistics.interval import Interval

_BEFORE_INTERVAL = re.compile(r"(?<=\S) (?=\[[^][]+, [^][]+\]$)")
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|#~$^]|&(?=[#\w])|!(?=\[)")
_NARROWEST = 3
_EMPHASIS = {Tone.WARNING: "**", Tone.NOTE: "*"}


def cells_of(column: Column) -> list[tuple[str, ...]]:
    """Cells of a column as plain text, each of one or more lines."""
    return [
        tuple("".join(piece.text for piece in line) for line in cell) for cell in _pieces(column)
    ]


def _pieces(column: Column) -> list[tuple[tuple[Piece, ...], ...]]:
    """Cells of a column as lines of pieces."""
    cells: list[str] | list[tuple[Line, ...]] = []
    match column.kind:
        case Kind.TEXT:
            return [
                tuple(map(_line, (cell,) if isinstance(cell, str) else cell))
                for cell in column.cells
            ]
        case Kind.COUNT:
            cells = [_count(cell) for cell in column.cells]
        case Kind.P_VALUE:
            cells = [format_p(cell) for cell in column.cells]
        case Kind.NUMBER:
            pairs = zip(column.cells, column.decimals, strict=True)
            cells = [format_number(value, places) for value, places in pairs]
        case Kind.INTERVAL:
            pairs = zip(column.cells, column.decimals, strict=True)
            cells = [_with_interval(interval, places) for interval, places in pairs]
    return [((Piece(cell),),) for cell in cells]


def _line(line: Line) -> tuple[Piece, ...]:
    pieces = (line,) if isinstance(line, str) else line
    return tuple(Piece(piece) if isinstance(piece, str) else piece for piece in pieces)


def _count(count: int | Limit | None) -> str:
    if isinstance(count, Limit):
        return f"{count.sign} {format_number(count.count, 0)}"
    return format_number(count, 0)


def _with_interval(interval: Interval, decimals: int) -> str:
    value = format_number(interval.value, decimals)
    if not interval.known:
        return value
    low, high = (format_number(end, decimals) for end in (interval.low, interval.high))
    return f"{value} [{low}, {high}]"


def _rows(table: Table, written: Callable[[Piece], str]) -> Iterator[list[list[str]]]:
    """Every row: its cells, each as lines."""
    for row in zip(*map(_pieces, table.columns), strict=True):
        yield [["".join(map(written, line)) for line in cell] for cell in row]


def render_markdown(table: Table) -> str:
    r"""Write a table as Markdown, its columns padded to one width; the title is left to a heading."""
    rows = [[markdown_text(column.heading) for column in table.columns]]
    rows += [["<br>".join(cell) for cell in row] for row in _rows(table, _in_markdown)]
    return markdown_rows(rows)


def markdown_rows(rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already, the head first, its columns padded to one width."""
    widths = [max(_NARROWEST, *map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = (
        "| " + " | ".join(text.ljust(n) for text, n in zip(row, widths, strict=True)) + " |"
        for row in rows
    )
    return "\n".join([head, "| " + " | ".join("-" * n for n in widths) + " |", *body])


def _in_markdown(piece: Piece) -> str:
    mark = _EMPHASIS.get(piece.tone, "")
    return f"{mark}{markdown_text(piece.text, strip=bool(mark))}{mark}"


def markdown_text(text: str, *, strip: bool = True) -> str:
    """Text that shows as it is in a line of Markdown or a cell of a table.

    Characters with a meaning become character references, which mean the same in every dialect of
    Markdown, inside tables too. White space of any kind becomes one blank.
    """
    plain = re.sub(r"\s+", " ", text)
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", plain.strip() if strip else plain)


def render_html(table: Table) -> str:
    """Write a table as HTML, with its title above and its note below."""
    title = [f"<caption>{html.escape(table.title)}</caption>"] if table.title else []
    classes = [
        ' class="text"' if column.kind is Kind.TEXT and not column.to_the_right else ""
        for column in table.columns
    ]
    heads = "".join(
        f'<th scope="col"{style}>{html.escape(column.heading)}</th>'
        for column, style in zip(table.columns, classes, strict=True)
    )
    lines = ["<table>", *title, f"<thead><tr>{heads}</tr></thead>", "<tbody>"]
    for index, row in enumerate(_rows(table, _in_html)):
        if index in table.rules and index:
            lines += ["</tbody>", "<tbody>"]
        first, *others = (_cell_in_html(cell) for cell in row)
        cells = "".join(
            f"<td{style}>{cell}</td>" for cell, style in zip(others, classes[1:], strict=True)
        )
        lines.append(f'<tr><th scope="row"{classes[0]}>{first}</th>{cells}</tr>')
    note = [f"<p>{html.escape(table.note)}</p>"] if table.note else []
    return "\n".join([*lines, "</tbody>", "</table>", *note])


def _in_html(piece: Piece) -> str:
    text = html.escape(piece.text)
    return text if piece.tone is Tone.PLAIN else f'<span class="{piece.tone}">{text}</span>'


def _cell_in_html(lines: list[str]) -> str:
    first, *others = lines
    # where a table is too wide, intervals stand below their values
    first = _BEFORE_INTERVAL.sub('<span class="break"> </span>', first)
    return first + "".join(f"<br><small>{line}</small>" for line in others)


class TerminalTable:
    """A table for a terminal of any width, with its title above and its note below.

    Numbers are never cut. Where columns at full width do not fit, text and headings are wrapped; then intervals
    stand below their values; then every row becomes lines of heading and value.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        made = self._fitted(console, options)
        if made is None:
            yield from self._as_lines()
        else:
            yield made

    def fits(self, console: Console) -> bool:
        """Whether the columns stand side by side on a console."""
        return self._fitted(console, console.options) is not None

    def _fitted(self, console: Console, options: ConsoleOptions) -> rich.table.Table | None:
        for stacked in (False, True):
            cells = [_terminal_cells(column, stacked=stacked) for column in self._table.columns]
            ranges = [
                _widths(column, lines)
                for column, lines in zip(self._table.columns, cells, strict=True)
            ]
            widths = [low for low, _ in ranges]
            frame = console.measure(
                self._made(cells, widths), options=options.update(width=1 << 16)
            )
            slack = options.max_width - frame.maximum
            if slack < 0:
                continue
            while slack and (
                wanting := [i for i, (_, high) in enumerate(ranges) if widths[i] < high]
            ):
                # where least of what is wanted is there
                narrow = max(wanting, key=lambda i: ranges[i][1] - widths[i])
                widths[narrow] += 1
                slack -= 1
            return self._made(cells, widths)
        return None

    def _made(self, cells: list[list[tuple[str, ...]]], widths: list[int]) -> rich.table.Table:
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        table = self._table
        made = RichTable(
            title=Text(table.title) if table.title else None,
            title_justify="left",
            caption=Text(table.note) if table.note else None,
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for column, width in zip(table.columns, widths, strict=True):
            right = column.to_the_right or column.kind is not Kind.TEXT
            made.add_column(Text(column.heading), justify="right" if right else "left", width=width)
        for index, row in enumerate(zip(*cells, strict=True)):
            if index in table.rules and index:
                made.add_section()
            made.add_row(*(Text("\n".join(cell)) for cell in row))
        return made

    def _as_lines(self) -> Iterator[Text]:
        """Every row as lines of heading and value."""
        from rich.text import Text

        table = self._table
        if table.title:
            yield Text(table.title, style="italic")
        for row in zip(*map(cells_of, table.columns), strict=True):
            yield Text()
            for column, cell in zip(table.columns, row, strict=True):
                yield Text(f"{column.heading}: {'; '.join(cell)}".removeprefix(": "))
        yield Text()
        if table.note:
            yield Text(table.note, style="italic")


def _terminal_cells(column: Column, *, stacked: bool) -> list[tuple[str, ...]]:
    cells = cells_of(column)
    if not stacked or column.kind is not Kind.INTERVAL:
        return cells
    return [tuple(cell[0].replace(" [", "\n[", 1).split("\n")) for cell in cells]


def _widths(column: Column, cells: list[tuple[str, ...]]) -> tuple[int, int]:
    """Smallest and full width of a column: words are never divided, and lines of numbers stay whole."""
    from rich.cells import cell_len

    lines = [line for cell in cells for line in cell]
    words = column.heading.split()
    for line in lines:
        words += line.split() if column.kind is Kind.TEXT and not column.to_the_right else [line]
    return max(map(cell_len, words), default=1), max(map(cell_len, [column.heading, *lines]))


def render_terminal(table: Table) -> TerminalTable:
    """A table for a terminal, with its title above and its note below."""
    return TerminalTable(table)
