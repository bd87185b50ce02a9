"""What words in annotation files stand for: labels and annotators, as far as a user states it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

from attnxai.annotations.shapes import Label
from attnxai.data.wording import unknown_name
from attnxai.errors import OptionError

COLOUR = "color"
FOLDER = "folder"
FILE = "file"
_LABELS = {str(label): label for label in Label}
_SYNONYMS = {
    "corejet": Label.CORE,
    "nucleus": Label.CORE,
    "agn": Label.CORE,
    "plume": Label.JET,
    "hs": Label.HOTSPOT,
    "galaxy": Label.SOURCE,
    "hostgalaxy": Label.HOST,
}


@functools.lru_cache(maxsize=4096)  # tables repeat the same few words on every row
def folded(word: str) -> str:
    """A word without case, spaces and punctuation, by which words are compared.

    Examples
    --------
    >>> folded("Hot-Spot "), folded("Dr. Ångström")
    ('hotspot', 'drångström')
    """
    return "".join(c for c in word.casefold() if c.isalnum())


@functools.lru_cache(maxsize=4096)
def label_of_word(word: str) -> Label | None:
    """The label that a word names: in any case, in the plural, with a number behind it; None for other words.

    Examples
    --------
    >>> [label_of_word(word) for word in ("Lobes", "hot spot 2", "NE lobe", "blob")]
    [<Label.LOBE: 'lobe'>, <Label.HOTSPOT: 'hotspot'>, <Label.LOBE: 'lobe'>, None]
    """
    whole = folded(word).rstrip("0123456789")
    parts = [folded(part).rstrip("0123456789") for part in word.replace("_", " ").split()]
    found = {label for part in (whole, *parts) if (label := _label(part)) is not None}
    return found.pop() if len(found) == 1 else None


def _label(word: str) -> Label | None:
    for name in (word, word.removesuffix("s")):
        if name in _LABELS:
            return _LABELS[name]
    return _SYNONYMS.get(word)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Naming:
    """What words in annotation files stand for.

    Formats such as DS9 regions state no label and no annotator, but texts, tags and colours.

    Parameters
    ----------
    labels : mapping of str to Label or str
        Labels by words, such as ``{"red": "lobe"}``; case and punctuation do not matter. A word that is a label
        stands for itself without being named here.
    annotators : mapping of str to str
        Annotators by words, such as ``{"green": "Ann", "ann_2": "Ann"}``.
    annotator_from : str
        Where the annotator of a mark is stated: one of the kinds of words of a format (such as ``text``, ``tag`` or
        ``color``), ``file`` (its name) or ``folder``. Left out, what ``annotators`` names counts, then what the
        format itself states, then the name of the file.

    Raises
    ------
    OptionError
        If a label is unknown.

    Examples
    --------
    >>> naming = Naming(labels={"red": "lobe"}, annotators={"green": "Ann"})
    >>> naming.label({"text": ["no. 3"], "color": ["Red"]})
    <Label.LOBE: 'lobe'>
    >>> naming.annotator({"color": ["green"]})
    'Ann'
    """

    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotators: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotator_from: str = ""

    def __post_init__(self) -> None:
        if unknown := [
            str(name) for name in self.labels.values() if str(name).lower() not in set(Label)
        ]:
            raise OptionError(unknown_name("label", unknown, Label))
        labels = {folded(word): Label(str(name).lower()) for word, name in self.labels.items()}
        object.__setattr__(self, "labels", labels)
        annotators = {folded(word): name for word, name in self.annotators.items()}
        object.__setattr__(self, "annotators", annotators)

    def label(self, words: Mapping[str, Sequence[str]]) -> Label | None:
        """Label of a mark with these words, by their kind; None where none of them stands for one.

        What the user states comes first, then words that are labels; a color is none by itself.
        """
        return self.label_and_kind(words)[0]

    def label_and_kind(self, words: Mapping[str, Sequence[str]]) -> tuple[Label | None, str]:
        """The label as ``label`` gives it, and the kind of the word that stands for it."""
        for kind, word in _all(words):
            if (found := self.labels.get(folded(word))) is not None:
                return Label(found), kind
        for kind, word in _all(words):
            if kind != COLOUR and (found := label_of_word(word)) is not None:
                return found, kind
        return None, ""

    def annotator(self, words: Mapping[str, Sequence[str]], stated: str = "") -> str:
        """Annotator of a mark with these words; ``stated`` is what its format calls one. Empty if there is none."""
        if self.annotator_from and self.annotator_from not in (FILE, FOLDER):
            found = next(iter(words.get(self.annotator_from, ())), "").strip()
            return self.renamed(found)
        for _, word in _all(words):
            if folded(word) in self.annotators:
                return self.annotators[folded(word)]
        return self.renamed(stated) if not self.annotator_from else ""

    def renamed(self, annotator: str) -> str:
        """An annotator's name as the user states it."""
        return self.annotators.get(folded(annotator), annotator)


def _all(words: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, str]]:
    return ((kind, word) for kind, of_kind in words.items() for word in of_kind)


def parse_mapping(pairs: Sequence[str], option: str) -> dict[str, str]:
    """A mapping from texts such as ``red=lobe``, the values of an option of the command line.

    Raises
    ------
    OptionError
        If a text has no ``=``, a side is empty, or a word is given twice.

    Examples
    --------
    >>> parse_mapping(["red=lobe", "blue=core"], "--label-of")
    {'red': 'lobe', 'blue': 'core'}
    """
    found: dict[str, str] = {}
    for pair in pairs:
        word, equals, name = (part.strip() for part in pair.partition("="))
        if not (equals and folded(word) and name):
            raise OptionError(f"{option} needs WORD=NAME, such as red=lobe, got {pair!r}")
        if folded(word) in {folded(other) for other in found}:
            raise OptionError(f"{option} names {word!r} twice; give it once")
        found[word] = name
    return found
