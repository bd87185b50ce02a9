r"""What a text cites, and the text as Markdown, LaTeX and plain text.

Sentences cite by ``[@KEY]`` or ``[@KEY; @KEY]``, with keys of ``references.bib`` beside this module.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources

from attnxai.report.tables.latex import escape

_ENTRY = re.compile(r"^@\w+\{(\w+),\n(.*?)\n\}$", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (\w+) = \{(.*?)\},?$", re.MULTILINE)
# a line that waits for a value of release/project.toml
_WAITING = re.compile(r"^ *#.*\n", re.MULTILINE)
_CITATION = re.compile(r" \[(@\w+(?:; @\w+)*)\]")
_ARXIV = re.compile(r"\b\d{4}\.\d{4,5}\b")
_ACCENTS = {
    r"{\"a}": "ä", r"{\"o}": "ö", r"{\"u}": "ü", r"{\'e}": "é", r"{\H o}": "ő",
}  # fmt: skip
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|~^$@&]|(?<=-)-")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A publication to cite: its key, its entry for BibTeX, and what a page shows of it."""

    key: str
    entry: str
    authors: tuple[str, ...]
    title: str
    year: str = ""
    doi: str = ""
    arxiv: str = ""
    url: str = ""
    letter: str = ""  # behind the year, where others have the same authors and year

    @property
    def label(self) -> str:
        """Authors and year as they stand in a text, such as ``Peters et al. 2005``."""
        first, *others = self.authors
        names = f"{first} et al." if len(others) > 1 else " & ".join([first, *others])
        return f"{names} {self.year}{self.letter}".strip()

    @property
    def address(self) -> str:
        """Where to find it, empty where nothing is known: the address of its DOI, or another."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url


@functools.cache
def all_references() -> Mapping[str, Reference]:
    """Every publication that a report may cite, by its key."""
    text = resources.files("attnxai.report").joinpath("references.bib").read_text(encoding="utf-8")
    found = {}
    for match in _ENTRY.finditer(_WAITING.sub("", text)):
        fields = dict(_FIELD.findall(match[2]))
        found[match[1]] = Reference(
            key=match[1],
            entry=match[0],
            authors=tuple(_plain(name.split(", ")[0]) for name in fields["author"].split(" and ")),
            title=_plain(fields["title"]),
            year=fields.get("year", ""),
            doi=fields.get("doi", ""),
            arxiv=fields.get("eprint", ""),
            url=fields.get("url", ""),
        )
    n_same = Counter(reference.label for reference in found.values())
    letters: dict[str, Iterator[str]] = {}
    for key, reference in found.items():
        if n_same[label := reference.label] > 1:
            letter = next(letters.setdefault(label, iter("abcdef")))
            found[key] = dataclasses.replace(reference, letter=letter)
    return found


def _plain(text: str) -> str:
    for accent, letter in _ACCENTS.items():
        text = text.replace(accent, letter)
    return re.sub(r"[{}]", "", text).replace("--", "–")


def find_reference(words: str) -> Reference | None:
    """The known publication that an explanation method names, such as ``Zhou et al. 2016 (arXiv 1512.04150) for ...``."""
    number = _ARXIV.search(words)
    for reference in all_references().values():
        if number[0] == reference.arxiv if number else words.startswith(f"{reference.label} "):
            return reference
    return None


def cite(*keys: str) -> str:
    """A citation to stand behind a word, with a blank before it; nothing without a key."""
    return f" [{'; '.join(f'@{key}' for key in keys)}]" if keys else ""


def cited_by(text: str) -> list[Reference]:
    """What a text cites, each once, in the order of the text."""
    keys = [key for match in _CITATION.finditer(text) for key in _keys(match)]
    return [all_references()[key] for key in dict.fromkeys(keys) if key in all_references()]


def _keys(citation: re.Match[str]) -> list[str]:
    return citation[1].removeprefix("@").split("; @")


def as_plain(text: str) -> str:
    """The text with authors and years in brackets."""

    def written(references: list[Reference], inside: bool) -> str:
        labels = ", ".join(one.label for one in references)
        return f", {labels}" if inside else f" ({labels})"

    return _with_citations(text, written, str)


def as_markdown(text: str) -> str:
    """The text with citations as pandoc reads them; what has a meaning in Markdown is escaped."""
    return _with_citations(
        text,
        lambda references, _: cite(*(one.key for one in references)),
        lambda part: _MARKDOWN.sub(r"\\\g<0>", part),
    )


def as_latex(text: str) -> str:
    r"""The text with citations by ``\citep`` of natbib, ``\citealp`` inside brackets; everything else is escaped."""

    def written(references: list[Reference], inside: bool) -> str:
        keys = ",".join(one.key for one in references)
        return rf", \citealp{{{keys}}}" if inside else rf"~\citep{{{keys}}}"

    def escaped(part: str) -> str:
        # a number and its per cent sign stay on one line; escape strips the blank behind a citation
        plain = re.sub(r"(?<=\d) %", "\N{NARROW NO-BREAK SPACE}%", part)
        return (" " if part.startswith(" ") else "") + escape(plain)

    return _with_citations(text, written, escaped)


def _with_citations(
    text: str, written: Callable[[list[Reference], bool], str], escaped: Callable[[str], str]
) -> str:
    """A text whose citations and other parts are written by two functions.

    The first also gets whether the citation stands inside brackets. Keys that are not known are text.
    """
    text = " ".join(text.split())
    parts, end = [], 0
    for match in _CITATION.finditer(text):
        known = [all_references().get(key) for key in _keys(match)]
        references = [one for one in known if one is not None]
        if len(references) < len(known):
            continue
        before = text[: match.start()]
        inside = before.count("(") > before.count(")")
        parts += [escaped(text[end : match.start()]), written(references, inside)]
        end = match.end()
    return "".join([*parts, escaped(text[end:])])


def bibliography(references: Iterable[Reference], *, version: str) -> str:
    """Entries for BibTeX, sorted by key; that of attnxai states the version."""
    entries = []
    for reference in sorted(references, key=lambda one: one.key.lower()):
        entry = reference.entry
        if reference.key == "attnxai":
            entry = entry.removesuffix("\n}") + f",\n  note = {{version {escape(version)}}}\n}}"
        entries.append(f"{entry}\n")
    return "\n".join(entries)
