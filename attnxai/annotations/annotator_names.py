"""Names of annotators: one form of Unicode, and names that may be spellings of one."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from attnxai.data.wording import listed, unknown_name
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from attnxai.annotations.annotation_set import AnnotationSet


def normalise_name(name: str) -> str:
    r"""A name in Unicode's composed form (NFC), in which equal letters are equal.

    Examples
    --------
    >>> normalise_name("Zoe\u0301") == "Zo\u00e9"
    True
    """
    return unicodedata.normalize("NFC", name)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """Two or more ``names`` that differ in case, spaces, accents or punctuation alone."""

    names: tuple[str, ...]

    def sentence(self) -> str:
        """What to do about it."""
        names = listed([f"“{name}”" for name in self.names])
        return (
            f"The annotators {names} count as {len(self.names)} and may be one, as they differ in case, spaces, accents or "
            "punctuation alone; --merge-spellings makes one of them."
        )


def spellings_of(names: Iterable[str]) -> tuple[Spelling, ...]:
    """Names that may be spellings of one: they differ in case, spaces, accents or punctuation alone.

    Examples
    --------
    >>> [spelling.names for spelling in spellings_of(["Ann B", "ann  b", "bob"])]
    [('Ann B', 'ann  b')]
    """
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        alike.setdefault(_key(name), []).append(name)
    return tuple(Spelling(names=tuple(members)) for members in alike.values() if len(members) > 1)


def _key(name: str) -> str:
    """What spellings of a name have in common; the name itself where nothing else is left of it."""
    letters = [
        c
        for c in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
        if c.isalnum()
    ]
    return "".join(letters) or name


def merge_annotators(annotations: AnnotationSet, names: Mapping[str, str]) -> AnnotationSet:
    """The same with annotators renamed, so that those who get one name are one annotator.

    Parameters
    ----------
    annotations : AnnotationSet
        Marks of several annotators.
    names : mapping of str to str
        New names by those that they replace.

    Raises
    ------
    OptionError
        If a name is not that of an annotator.

    Examples
    --------
    >>> import attnxai
    >>> sample = attnxai.read_annotations("expert.csv")
    >>> merge_annotators(sample, {"simulated_2": "simulated_1"}).annotators
    ('simulated_1', 'simulated_3')
    """
    names = {normalise_name(old): normalise_name(new) for old, new in names.items()}
    if unknown := [name for name in names if name not in annotations.annotators]:
        raise OptionError(unknown_name("annotator", unknown, annotations.annotators))
    marks, repeats = (
        tuple(
            dataclasses.replace(mark, annotator=names.get(mark.annotator, mark.annotator))
            for mark in some
        )
        for some in (annotations.annotations, annotations.repeats)
    )
    classes: dict[str, dict[str, str]] = {}
    for annotator, own in annotations.annotator_classes.items():
        classes.setdefault(names.get(annotator, annotator), {}).update(own)
    merged: dict[str, list[str]] = {}
    for old, new in names.items():
        if old != new:
            merged.setdefault(new, []).append(old)
    notices = [
        f"The marks of {listed([f'“{name}”' for name in old])} count as those of “{new}”."
        for new, old in merged.items()
    ]
    return dataclasses.replace(
        annotations,
        annotations=marks,
        repeats=repeats,
        annotator_classes=classes,
        notices=(*annotations.notices, *notices),
    )


def merge_spellings(annotations: AnnotationSet) -> AnnotationSet:
    """The same with spellings of one name (:func:`~attnxai.annotations.annotator_names.spellings_of`) merged under that with most marks.

    Examples
    --------
    >>> import attnxai
    >>> sample = attnxai.read_annotations("expert.csv")
    >>> merge_spellings(sample) is sample
    True
    """
    counts = Counter(mark.annotator for mark in annotations.annotations)
    names = {
        name: max(spelling.names, key=lambda name: counts[name])
        for spelling in spellings_of(annotations.annotators)
        for name in spelling.names
    }
    return merge_annotators(annotations, names) if names else annotations
