"""A strict reader of LaTeX tables: what it takes, LaTeX takes with booktabs and siunitx alone."""

from __future__ import annotations

import dataclasses
import re
import unicodedata

COMMANDS = {
    *(
        "begin",
        "end",
        "centering",
        "caption",
        "label",
        "toprule",
        "midrule",
        "bottomrule",
        "num",
        "ref",
    ),
    *("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar"),
    *("symbol", "textasciigrave", "times", "cdot", "pm", "le", "ge", "circ", "infty", "ldots"),
    *("approx", "ne", "to", "odot", "rho", "alpha", "mu", "kappa", "Delta", "tau"),
}
SIGNS = set("\\&%$#_{},")
_COLUMN = re.compile(r"l|r|c|S\[table-format=(-?)(\d+)(?:\.(\d+))?\]")
_PART = re.compile(r"\\[a-zA-Z]+|\\.|.", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadTable:
    """A table as it was read: cells are LaTeX, ``rules`` the rows before which a rule is drawn."""

    columns: list[str]
    header: list[str]
    rows: list[list[str]]
    rules: list[int]
    caption: str | None
    label: str | None


def match_of(pattern: str, text: str) -> re.Match[str]:
    found = re.fullmatch(pattern, text)
    assert found is not None, f"{text} is not {pattern}"
    return found


def read_table(text: str) -> ReadTable:
    lines = text.splitlines()
    assert text.endswith("\n")
    assert lines[0] == r"% needs \usepackage{booktabs} and \usepackage{siunitx}"
    body = lines[1:]
    for line in body:
        check_text(line)
    caption = label = None
    if body[0] == r"\begin{table}":
        assert (body[1], body.pop()) == (r"\centering", r"\end{table}")
        caption = match_of(r"\\caption\{(.*)\}", body[2])[1]
        rest = 3
        if body[3].startswith(r"\label"):
            label = match_of(r"\\label\{(.*)\}", body[3])[1]
            rest = 4
        body = body[rest:]
    specification = match_of(r"\\begin\{tabular\}\{(.*)\}", body[0])[1]
    columns = [found[0] for found in _COLUMN.finditer(specification)]
    assert "".join(columns) == specification
    inner = [line.removeprefix("  ") for line in body[1:-1]]
    assert body[-1] == r"\end{tabular}"
    assert (inner[0], inner[2], inner[-1]) == (r"\toprule", r"\midrule", r"\bottomrule")
    rows: list[list[str]] = []
    rules = []
    for line in inner[3:-1]:
        if line == r"\midrule":
            rules.append(len(rows))
        else:
            rows.append(cells_of(line, columns))
    return ReadTable(
        columns=columns,
        header=cells_of(inner[1], columns),
        rows=rows,
        rules=rules,
        caption=caption,
        label=label,
    )


def check_text(line: str) -> None:
    """Braces and dollar signs match, every command is known, no special character stands bare."""
    depth, maths = 0, False
    for part in _PART.findall(line):
        if part.startswith("\\") and len(part) > 1:
            name = part[1:]
            assert name in COMMANDS or name in SIGNS, f"{part} in {line}"
        elif part == "$":
            maths = not maths
        elif part in "{}":
            depth += 1 if part == "{" else -1
            assert depth >= 0, line
        elif part in "^_":
            assert maths, f"{part} in {line}"
        else:
            assert part not in "%#", line
            # LaTeX knows the signs of Latin-1 and accented letters
            known = ord(part) < 0x100 or "LATIN" in unicodedata.name(part)
            assert known, f"{part} in {line}"
    assert depth == 0, line
    assert not maths, line


def cells_of(line: str, columns: list[str]) -> list[str]:
    assert line.endswith(r" \\")
    assert not line.startswith(("[", "*")), "taken for an argument of the line before"
    cells, depth, cell = [], 0, ""
    for part in _PART.findall(line.removesuffix(r"\\")):
        depth += {"{": 1, "}": -1}.get(part, 0)
        if part == "&" and not depth:
            cells.append(cell.strip())
            cell = ""
        else:
            cell += part
    cells.append(cell.strip())
    assert len(cells) == len(columns), line
    for cell, column in zip(cells, columns, strict=True):
        if column.startswith("S"):
            check_number(cell, column)
    return cells


def check_number(cell: str, column: str) -> None:
    """It is all in braces, or a number for which the column has space."""
    if re.fullmatch(r"\{([^{}]|\{[^{}]*\})*\}", cell):
        return
    sign, whole, decimals = match_of(_COLUMN.pattern, column).groups()
    found = match_of(r"(-?)(\d+)(?:\.(\d+))?", cell)
    assert not found[1] or sign
    assert len(found[2]) <= int(whole)
    assert len(found[3] or "") <= int(decimals or 0)


def numbers_in(cell: str) -> list[float]:
    r"""Numbers in ``\num``."""
    return [float(number) for number in re.findall(r"\\num\{([^}]*)\}", cell)]
