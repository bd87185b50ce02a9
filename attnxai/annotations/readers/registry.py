"""The registry of readers of annotation files, and the functions that read a file with them."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.sample import resolve_annotations
from attnxai.data.csv_table import decode_csv
from attnxai.data.foreign_content import describe_content
from attnxai.data.images import SourceImage
from attnxai.data.registration import FileReader, ReaderRegistry
from attnxai.data.short_repr import short_repr
from attnxai.errors import AnnotationError
from attnxai.jobs.files import read_input

HEAD_BYTES = 65536
"""Bytes at the beginning of a file that a reader is recognised by."""

_NEEDED = "an annotation table needs the columns source, annotator, shape and label"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnotationFile:
    """A file as it is given to a reader, with what is needed to match it with images.

    Parameters
    ----------
    path : str
        Path of the file.
    content : bytes
        Its content.
    images : sequence of SourceImage, optional
        Images to match positions on the sky with, for readers that need them.
    min_components, match_radius_arcsec
        Options of matching; see :func:`attnxai.annotations.read_annotations`.
    """

    path: str
    content: bytes
    images: Sequence[SourceImage] | None = None
    min_components: int = 2
    match_radius_arcsec: float = 30.0

    __repr__ = short_repr

    def text(self) -> str:
        """The content as text.

        Raises
        ------
        AnnotationError
            If it is not UTF-8.
        """
        return decode_csv(self.content, f"annotation file {self.path}", AnnotationError)

    def sha256(self) -> str:
        """Hash of the content."""
        return hashlib.sha256(self.content).hexdigest()


_Read = Callable[[AnnotationFile], AnnotationSet]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationReader(FileReader):
    """A format of annotation files; see :func:`register_reader`."""

    read: _Read
    needs_images: bool = False

    def __call__(self, file: AnnotationFile) -> AnnotationSet:
        """Read a file, with its path and hash in what is read."""
        if self.needs_images and file.images is None:
            raise AnnotationError(
                f"{file.path} ({self.name}) lists positions on the sky; name the images to match it with, "
                "such as 'mirabest' or a folder"
            )
        with self.failures(f"annotation file {file.path}", AnnotationError):
            found = self.read(file)
            if not isinstance(found, AnnotationSet):
                raise TypeError(f"it returned {type(found).__name__}, not AnnotationSet")
        return dataclasses.replace(
            found, path=found.path or file.path, sha256=found.sha256 or file.sha256()
        )


READERS: ReaderRegistry[AnnotationReader] = ReaderRegistry("annotations", AnnotationError)
"""All readers by name, also those that :func:`register_reader` added; the last one is asked first."""


def register_reader(
    name: str,
    *,
    recognises: Callable[[bytes], bool],
    needs_images: bool = False,
    asked_last: bool = False,
) -> Callable[[_Read], _Read]:
    """Make a function the reader of a format of annotation files.

    The function takes an :class:`AnnotationFile` and gives an :class:`AnnotationSet`. It raises an
    AnnotationError that names the line where something cannot be used, and counts what it leaves out in
    ``left_out``; any other exception becomes an AnnotationError that names the format and the file. Readers
    that were registered later are tried first.

    Parameters
    ----------
    name : str
        What to call the format.
    recognises : callable
        Takes the first 65,536 bytes of a file and says whether it is of this format.
    needs_images : bool
        Whether its positions on the sky have to be matched with images.
    asked_last : bool
        Whether it is asked after all others, since it recognises content that may be of another format too.

    Raises
    ------
    OptionError
        If another module has registered a reader of this name.

    Examples
    --------
    >>> from attnxai.annotations import Annotation, Shape, ShapeKind
    >>> @register_reader("dots", recognises=lambda head: head.startswith(b"#dots"))
    ... def read_dots(file):
    ...     rows = [line.split() for line in file.text().splitlines()[1:]]
    ...     points = [
    ...         Annotation(
    ...             source=source,
    ...             annotator=who,
    ...             shape=Shape(kind=ShapeKind.POINT, x=float(x), y=float(y)),
    ...             line=line,
    ...         )
    ...         for line, (source, who, x, y) in enumerate(rows, start=2)
    ...     ]
    ...     return AnnotationSet(annotations=tuple(points), n_rows=len(points))
    >>> READERS.pop("dots").needs_images
    False
    """

    def register(read: _Read) -> _Read:
        READERS.add(
            AnnotationReader(
                name=name,
                recognises=recognises,
                read=read,
                needs_images=needs_images,
                asked_last=asked_last,
            )
        )
        return read

    return register


def find_reader(content: bytes, path: str | Path) -> AnnotationReader | None:
    """The reader that recognises the content of a file; None where there is none."""
    return READERS.recognising(content[:HEAD_BYTES], f"annotation file {path}")


def columns_of(head: bytes) -> tuple[str, ...]:
    """Names of the columns of a CSV file, from its beginning; empty where that is not a header."""
    line = head.decode("utf-8-sig", errors="replace").partition("\n")[0]
    try:
        return tuple(name.strip() for name in next(csv.reader([line]), []))
    except csv.Error:  # a line that is not a table at all
        return ()


def open_annotations(path: str | Path) -> tuple[AnnotationReader, AnnotationFile]:
    """An annotation file, or the sample that ships, and the reader that recognises it."""
    resolved = resolve_annotations(path)
    content = read_input(resolved, f"annotation file {resolved}", AnnotationError)
    if not content.strip():
        raise AnnotationError(f"annotation file {resolved} is empty; {_NEEDED}")
    reader = find_reader(content, resolved)
    if reader is None:
        raise AnnotationError(
            f"annotation file {resolved} is {describe_content(content[:HEAD_BYTES])}; no reader recognises it. "
            f"Known formats are {READERS.formats()}; {_NEEDED}"
        )
    return reader, AnnotationFile(path=str(resolved), content=content)


def read_annotations(
    path: str | Path,
    images: Sequence[SourceImage] | None = None,
    *,
    min_components: int = 2,
    match_radius_arcsec: float = 30.0,
) -> AnnotationSet:
    """Read an annotation file, whose format is recognised by its content.

    Parameters
    ----------
    path : path
        An annotation table (CSV), the ClaRAN catalogue, the expert sample of Radio Galaxy Zoo, or a file of a
        format that :func:`register_reader` has made known. The name of the sample that ships
        (``expert.csv``) gives that table when there is no such file.
    images : sequence of SourceImage, optional
        Images to match positions on the sky with, for a catalogue and the expert sample; a table needs none.
    min_components : int
        Sources of a catalogue with fewer components are left out: a single component at the centre says
        nothing about where a map should be high.
    match_radius_arcsec : float
        Largest distance of a position from the centre of an image.

    Returns
    -------
    AnnotationSet

    Raises
    ------
    AnnotationError
        If the file is missing or of no known format, or listing its bad rows with line, column, value and
        what would be right.

    Examples
    --------
    >>> import attnxai
    >>> attnxai.read_annotations("expert.csv").annotators
    ('simulated_1', 'simulated_2', 'simulated_3')
    """
    reader, file = open_annotations(path)
    return reader(
        dataclasses.replace(
            file,
            images=images,
            min_components=min_components,
            match_radius_arcsec=match_radius_arcsec,
        )
    )
