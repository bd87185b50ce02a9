"""Markdown out of text that anybody may have written, such as the names in a model file."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|#~$^]|&(?=[#\w])|!(?=\[)")
_MIN_FENCE = 3


def escaped(text: str) -> str:
    """Text that shows as it is in a line of Markdown or a cell of a table.

    Characters with a meaning become character references, which mean the same in every dialect of
    Markdown, inside tables too. White space of any kind becomes one blank.

    Examples
    --------
    >>> escaped("FR I | `rm`")
    'FR I &#124; &#96;rm&#96;'
    """
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))


def code_block(text: str, language: str = "sh") -> list[str]:
    """Lines of a block that shows a text to the letter, whatever it holds."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(_MIN_FENCE, longest + 1)
    return [f"{fence}{language}", *text.splitlines(), fence]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    r"""Lines of a table whose columns are padded to one width.

    Parameters
    ----------
    head : sequence of str
        Names of the columns, as Markdown.
    rows : sequence of sequence of str
        Cells, as Markdown in one line.

    Returns
    -------
    list of str

    Examples
    --------
    >>> print("\n".join(table(["", "d8"], [["group", "D8"]])))
    |       | d8  |
    | ----- | --- |
    | group | D8  |
    """
    columns = list(zip(head, *rows, strict=True))
    widths = [max(_MIN_FENCE, *(len(cell) for cell in column)) for column in columns]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    return [line(head), line(["-" * width for width in widths]), *map(line, rows)]
