r"""Text in LaTeX: names that are escaped, captions and labels that are looked at."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from attnxai.errors import OptionError

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
