"""Annotations of several files as one set, and the class of a source by most annotators."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.data.wording import counted, first_of
from attnxai.errors import AnnotationError

FROM_FILE = "The annotator is taken from the name of the file: "
"""How the notice begins about an annotator whom nothing else names."""

_IF_FOLDERS = "If folders are the annotators, give --annotator-from folder (in Python Naming)."


def merge_annotations(sets: Sequence[AnnotationSet]) -> AnnotationSet:
    """One set of the annotations of several files.

    Parameters
    ----------
    sets : sequence of AnnotationSet
        At least one; an annotator may occur in several.

    Returns
    -------
    AnnotationSet
        Its ``path`` is the folder of the files, and ``files`` has the hash of each. Counts are added up.

    Raises
    ------
    AnnotationError
        If two files of the same annotator and source have the same content, or simulated annotators are mixed with others.

    Examples
    --------
    >>> import attnxai
    >>> sample = attnxai.read_annotations("expert.csv")
    >>> merge_annotations([sample]) is sample
    True
    """
    if len(sets) == 1:
        return sets[0]
    copies = _refuse_copies(sets)
    if len({one.simulated for one in sets}) > 1:
        raise AnnotationError("annotations of simulated sources cannot be merged with others")
    left_out: collections.Counter[str] = collections.Counter()
    weights: dict[str, float] = {}
    images: dict[str, str] = {}
    by_annotator: dict[str, dict[str, str]] = {}
    for one in sets:
        left_out.update(one.left_out)
        weights.update(one.source_weights)
        images.update({source: str(path.absolute()) for source, path in one.image_files().items()})
        stated = one.annotator_classes or {one.path: one.classes}
        for annotator, classes in stated.items():
            if classes:
                by_annotator.setdefault(annotator, {}).update(classes)
    classes, notices = majority_classes(by_annotator)
    digest = hashlib.sha256("\n".join(sorted(one.sha256 for one in sets)).encode())
    folders = {str(Path(one.path).absolute().parent) for one in sets}
    return AnnotationSet(
        annotations=tuple(_with_file(sets)),
        classes=classes,
        annotator_classes=by_annotator,
        images=images,
        source_weights=weights,
        kind=" and ".join(dict.fromkeys(one.kind for one in sets)),
        path=os.path.relpath(os.path.commonpath(folders))
        if len(folders) > 1
        else str(Path(sets[0].path).parent),
        sha256=digest.hexdigest(),
        files={one.path: one.sha256 for one in sets},
        n_rows=sum(one.n_rows for one in sets),
        left_out=dict(left_out),
        notices=(*_notices(sets), *notices, *copies),
        simulated=sets[0].simulated,
    )


def _refuse_copies(sets: Sequence[AnnotationSet]) -> list[str]:
    """Refuse files of the same content that are of the same annotator and source; note those of different annotators."""
    seen: dict[tuple[str, str, str], str] = {}
    notes: list[str] = []
    by_content: dict[str, AnnotationSet] = {}
    for one in sets:
        first_set = by_content.setdefault(one.sha256, one) if one.sha256 else one
        if first_set.annotators != one.annotators:
            notes.append(
                f"{Path(first_set.path).name} and {Path(one.path).name} have the same content, but count as different "
                f"annotators: {first_of(first_set.annotators, 3)} and {first_of(one.annotators, 3)}."
            )
        for pair in {(a.source, a.annotator) for a in one.annotations} if one.sha256 else ():
            if (first := seen.setdefault((one.sha256, *pair), one.path)) != one.path:
                raise AnnotationError(
                    f"annotation files {first} and {one.path} have the same content, which would count twice; "
                    "name one of them, or where they are of different sources name the images (--images, in Python images) or give "
                    "a pattern with {source}"
                )
    return notes


def _with_file(sets: Iterable[AnnotationSet]) -> Iterable[Annotation]:
    """Annotations that say which file they are from."""
    for one in sets:
        name = Path(one.path).name
        for annotation in one.annotations:
            yield annotation if annotation.file else dataclasses.replace(annotation, file=name)


def _notices(sets: Sequence[AnnotationSet]) -> list[str]:
    """Notices of several files, each once, with the files that it is about where these are not all."""
    about: dict[str, list[str]] = {}
    after_files: dict[str, None] = {}
    for one in sets:
        for notice in one.notices:
            about.setdefault(notice, []).append(Path(one.path).name)
            if notice.startswith(FROM_FILE):
                after_files[notice.removeprefix(FROM_FILE).rstrip(".")] = None
    joined = []
    if len(after_files) > 1:
        about = {
            notice: names for notice, names in about.items() if not notice.startswith(FROM_FILE)
        }
        named = first_of(list(after_files), 5)
        joined = [
            f"{len(after_files)} annotators are named after their files: {named}. {_IF_FOLDERS}"
        ]
    return joined + [
        notice if len(names) == len(sets) else f"{first_of(names, 3)}: {notice}"
        for notice, names in about.items()
    ]


def majority_classes(
    by_annotator: Mapping[str, Mapping[str, str]],
) -> tuple[dict[str, str], list[str]]:
    """Class of every source by most annotators, none where these are tied, and notices about differences.

    Parameters
    ----------
    by_annotator : mapping of str to mapping of str to str
        Classes of sources by annotator.

    Examples
    --------
    >>> majority_classes({"ann": {"s1": "FR I"}, "bob": {"s1": "FR I"}, "eve": {"s1": "FR II"}})[0]
    {'s1': 'FR I'}
    """
    votes: dict[str, collections.Counter[str]] = {}
    for classes in by_annotator.values():
        for source, name in classes.items():
            votes.setdefault(source, collections.Counter())[name] += 1
    found, differing, tied = {}, [], []
    for source, counts in votes.items():
        (name, most), *others = counts.most_common()
        if others:
            differing.append(source)
        if others and others[0][1] == most:
            tied.append(source)
        else:
            found[source] = name
    if not differing:
        return found, []
    notice = (
        f"Annotators state different classes for {len(differing)} of {counted(len(votes), 'source')}; the class of "
        f"most of them counts: {first_of(differing, 5)}."
    )
    if tied:
        notice += f" {counted(len(tied), 'source has', 'sources have')} as many for two classes, and none: {first_of(tied, 5)}."
    return found, [notice]
