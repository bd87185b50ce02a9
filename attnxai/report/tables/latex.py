r"""Tables for papers: LaTeX with booktabs rules and columns that siunitx reads.

A table needs ``\usepackage{booktabs}`` and ``\usepackage{siunitx}`` (version 2 or 3) and nothing else. Numbers
are written plainly, with a hyphen for minus, a point and no separators of thousands, in ``S`` columns or in
``\num``: how they look (decimal sign, minus, rounding) stays with the paper's ``\sisetup``. What is missing is
``{--}``. An interval is one cell, ``[\num{0.31}, \num{0.53}]``, beside its value, as papers print it.

Names come from files and are escaped. Captions and labels are the author's: they are LaTeX, and refused where
they would break the table.
"""

from __future__ import annotations

import dataclasses
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from attnxai.errors import OptionError
from attnxai.report.tables.table import Column, Kind, Limit, Table
from attnxai.statistics.formats import format_p, rounded
from attnxai.statistics.interval import Interval

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "`": r"\textasciigrave{}",
    "−": "$-$",
    "–": "{--}",
    "—": "{---}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "±": r"$\pm$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "°": r"$^{\circ}$",
    "∞": r"$\infty$",
    "…": r"\ldots{}",
    "’": "'",
    "‘": r"`{}",
    "“": "``",
    "”": "''",
    "′": r"$'$",
    "″": r"$''$",
    "≈": r"$\approx$",
    "≠": r"$\ne$",
    "→": r"$\to$",
    "⊙": r"$\odot$",
    "\N{NON-BREAKING HYPHEN}": "-",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
    "\N{THIN SPACE}": r"\,",
}
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "\N{MICRO SIGN}": "mu", "ν": "nu", "ξ": "xi", "π": "pi",
    "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "varphi", "χ": "chi", "ψ": "psi",
    "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi",
    "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
# two of these in a row would become a dash or a quotation mark
_LIGATURES = "-,'"
_NOT_PRINTED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_REFERENCE = re.compile(r"\\(?:[a-zA-Z]*ref|[cC]ite[a-zA-Z]*)\*?(?:\[[^\]]*\])*\{[^{}]*\}")
_MATHS = re.compile(r"\\\(.*?\\\)", re.DOTALL)


def escape(text: str) -> str:
    r"""A name as LaTeX that prints it.

    Greek letters and signs that LaTeX does not know without further packages become commands. Accented
    letters are left, as LaTeX reads UTF-8; letters of other scripts need LuaLaTeX or XeLaTeX and a font that
    has them. Line breaks, control and formatting characters become spaces.
    """
    plain = unicodedata.normalize("NFC", text)
    plain = "".join(" " if unicodedata.category(c) in _NOT_PRINTED else c for c in plain)
    plain = plain.strip()
    return "".join(
        ("{}" if c == before and c in _LIGATURES else "")
        + (rf"$\{_GREEK[c]}$" if c in _GREEK else _ESCAPES.get(c, c))
        for before, c in zip(" " + plain, plain, strict=False)
    )


def check_caption(caption: str) -> None:
    r"""Refuse a caption that would break its table."""
    bare = _MATHS.sub("", _REFERENCE.sub("", caption))
    bare = re.sub(r"\\.", "", bare, flags=re.DOTALL)
    depth = [bare[:end].count("{") - bare[:end].count("}") for end in range(1, len(bare) + 1)]
    faults = {
        "its braces do not match": bool(depth) and (min(depth) < 0 or depth[-1] != 0),
        "its dollar signs do not match": bare.count("$") % 2 == 1,
        r"% starts a comment, so write \%": "%" in bare,
        r"& ends a cell, so write \&": "&" in bare,
        r"_ and ^ belong between dollar signs, so write \_": bool(
            re.search(r"[_^]", "".join(bare.split("$")[::2]))
        ),
        "it holds an empty line": bool(re.search(r"\n\s*\n", caption)),
        "it ends in a backslash": bare.endswith("\\"),
    }
    _refuse("caption", caption, faults)


def check_label(label: str) -> None:
    """Refuse a label that would break its table."""
    wrong = re.fullmatch(r"[A-Za-z0-9:._/+-]+", label) is None
    _refuse("label", label, {"letters, digits and : . _ / + - are what it may hold": wrong})


def _refuse(what: str, text: str, faults: Mapping[str, bool]) -> None:
    found = [reason for reason, is_so in faults.items() if is_so]
    if found:
        raise OptionError(f"the {what} {text!r} would break the LaTeX table: {'; '.join(found)}")


MISSING = "{--}"

_NUMBER = re.compile(r"-?(\d+)(?:\.(\d+))?")


def render_latex(table: Table, *, caption: str | None = None, label: str | None = None) -> str:
    r"""Write a table as LaTeX."""
    columns = [written for column in table.columns for written in _written(column)]
    lines = [rf"\begin{{tabular}}{{{''.join(column.specification for column in columns)}}}"]
    lines += [r"  \toprule", _row([column.head for column in columns]), r"  \midrule"]
    for index in range(table.n_rows):
        if index in table.rules and index:
            lines.append(r"  \midrule")
        lines.append(_row([column.cells[index] for column in columns]))
    lines += [r"  \bottomrule", r"\end{tabular}"]
    if caption is not None:
        check_caption(caption)
        above = [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}"]
        if label is not None:
            check_label(label)
            above.append(rf"\label{{{label}}}")
        lines = [*above, *lines, r"\end{table}"]
    elif label is not None:
        raise OptionError(
            f"the label {label} needs a caption: without one there is no table number to refer to"
        )
    return "\n".join([r"% needs \usepackage{booktabs} and \usepackage{siunitx}", *lines]) + "\n"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A column in LaTeX; in an ``S`` column what is not a number stands in braces."""

    heading: str
    cells: tuple[str, ...]
    letter: str = "S"

    @property
    def head(self) -> str:
        return f"{{{self.heading}}}" if self.letter == "S" else self.heading

    @property
    def specification(self) -> str:
        """The column in the argument of ``tabular``; columns of numbers are as wide as they need."""
        if self.letter != "S":
            return self.letter
        found = [match for cell in self.cells if (match := _NUMBER.fullmatch(cell))]
        if not found:
            return "c"
        sign = "-" if any(number[0].startswith("-") for number in found) else ""
        whole = max(len(number[1]) for number in found)
        decimals = max(len(number[2] or "") for number in found)
        return f"S[table-format={sign}{whole}{f'.{decimals}' if decimals else ''}]"


def _written(column: Column) -> Iterator[_Written]:
    """The LaTeX columns that a column becomes: two for values with intervals."""
    heading = re.sub(r"^p\b", "$p$", escape(column.heading))
    match column.kind:
        case Kind.TEXT:
            cells = [cell if isinstance(cell, str) else ", ".join(cell) for cell in column.cells]
            yield _Written(heading=heading, cells=tuple(map(escape, cells)), letter="l")
        case Kind.COUNT:
            yield _Written(heading=heading, cells=tuple(map(_count, column.cells)))
        case Kind.P_VALUE:
            yield _Written(heading=heading, cells=tuple(map(_p_value, column.cells)))
        case Kind.NUMBER:
            pairs = list(zip(column.cells, column.decimals, strict=True))
            yield _Written(heading=heading, cells=tuple(_number(*pair) for pair in pairs))
        case Kind.INTERVAL:
            pairs = list(zip(column.cells, column.decimals, strict=True))
            values = tuple(_number(interval.value, places) for interval, places in pairs)
            yield _Written(heading=heading, cells=values)
            yield _Written(
                heading=escape(column.interval_heading),
                cells=tuple(_ends(*pair) for pair in pairs),
                letter="r",
            )


def _number(value: float | None, decimals: int) -> str:
    return MISSING if value is None or not math.isfinite(value) else rounded(value, decimals)


def _count(count: int | Limit | None) -> str:
    if isinstance(count, Limit):
        return rf"{{{escape(count.sign) if count.sign != '>' else '$>$'}\num{{{count.count}}}}}"
    return MISSING if count is None else str(count)


def _ends(interval: Interval, decimals: int) -> str:
    if not interval.known:
        return MISSING
    low, high = (rounded(end, decimals) for end in (interval.low, interval.high))
    return rf"[\num{{{low}}}, \num{{{high}}}]"


def _p_value(p_value: float | None) -> str:
    if p_value is None or not math.isfinite(p_value):
        return MISSING
    sign, _, number = format_p(p_value).rpartition(" ")
    return rf"{{${sign}\num{{{number}}}$}}" if sign else number


def _row(cells: Sequence[str]) -> str:
    row = " & ".join(cells)
    # after a row's end LaTeX takes these for a length and for a star
    return f"  {'{}' if row.startswith(('[', '*')) else ''}{row} \\\\"
