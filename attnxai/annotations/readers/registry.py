"""The registry of readers of annotation files, and the functions that read a file with them."""

from __future__ import annotations

import collections
import csv
import dataclasses
import hashlib
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.file_names import name_without_extensions
from attnxai.annotations.files import find_annotation_files
from attnxai.annotations.merging import merge_annotations
from attnxai.annotations.naming import Naming
from attnxai.annotations.readers.compression import unpacked, unpacked_head
from attnxai.annotations.sample import is_shipped, says_what_ships
from attnxai.data.csv_dialects import decode_text
from attnxai.data.foreign_content import describe_content
from attnxai.data.images import SourceImage, source_id
from attnxai.data.registration import FileReader, ReaderRegistry, find_by_name
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted, first_of
from attnxai.errors import AnnotationError, LeftOutWarning, NoMarksError
from attnxai.jobs.files import parse_json, read_input

HEAD_BYTES = 65536
"""Bytes at the beginning of a file that a reader is recognised by."""

_COPIES = ("~", ".bak", ".orig")
_NEEDED = (
    "an annotation table needs the columns source, x and y, or source and vertices, in its header"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnotationFile:
    r"""A file as it is given to a reader, with what is needed to understand it.

    Parameters
    ----------
    path : str
        Path of the file.
    content : bytes
        Its content.
    images : sequence of SourceImage, optional
        Images that the marks may lie on, for readers that use them.
    annotator, source : str
        Whose marks of which source the file holds, where a pattern or the user says so.
    format_named : bool
        Whether the user named the format, so that other content beside it raises no question.
    part : str
        The sheet or table of the file that the user names; empty if none is named.
    n_in_folder : int
        Number of files in its folder, where folders seem to be annotators; 0 where they do not.
    naming : Naming
        What words in the file stand for.
    min_components, match_radius_arcsec
        Options of matching; see :func:`attnxai.annotations.read_annotations`.

    Examples
    --------
    >>> import attnxai
    >>> file = attnxai.annotations.AnnotationFile(path="marks.peaks", content=b"#peaks\ns1 Ann 3 4\n")
    >>> file.text().splitlines()
    ['#peaks', 's1 Ann 3 4']
    """

    path: str
    content: bytes
    images: Sequence[SourceImage] | None = None
    annotator: str = ""
    source: str = ""
    format_named: bool = False
    part: str = ""
    n_in_folder: int = 0
    naming: Naming = dataclasses.field(default_factory=Naming)
    min_components: int = 2
    match_radius_arcsec: float = 30.0

    __repr__ = short_repr

    def unpacked(self) -> bytes:
        """The content, unpacked where it is compressed by gzip or bzip2.

        Raises
        ------
        AnnotationError
            If that is damaged, or unpacks to far more than it is.
        """
        return unpacked(self.content, f"annotation file {self.path}")

    def text(self) -> str:
        """The content as text, unpacked where it is compressed.

        Raises
        ------
        AnnotationError
            If it is not UTF-8.
        """
        return decode_text(self.unpacked(), f"annotation file {self.path}", AnnotationError)

    def json(self) -> Any:
        """The content as JSON.

        Raises
        ------
        AnnotationError
            If it is not JSON in UTF-8.
        """
        try:
            return parse_json(self.text())
        except ValueError as error:
            text = " ".join(str(error).split())[:200]
            raise AnnotationError(
                f"annotation file {self.path} is not valid JSON: {text}"
            ) from error

    def sha256(self) -> str:
        """Hash of the content."""
        return hashlib.sha256(self.content).hexdigest()


_Read = Callable[[AnnotationFile], AnnotationSet]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationReader(FileReader):
    """A format of annotation files; see :func:`register_reader`."""

    read: _Read
    needs_images: bool = False
    uses_images: bool = False

    def __call__(self, file: AnnotationFile) -> AnnotationSet:
        """Read a file, with its path and hash in what is read."""
        if self.needs_images and file.images is None:
            raise AnnotationError(
                f"{file.path} ({self.name}) lists positions on the sky; name the images (--images, in Python images) to "
                "match it with, such as 'mirabest' or a folder"
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
    uses_images: bool = False,
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
        Takes the first 65,536 bytes of a file, unpacked where it is compressed by gzip or bzip2, and says whether it is of this format.
    needs_images : bool
        Whether its positions on the sky have to be matched with images.
    uses_images : bool
        Whether it can be read without images, but is understood better with them: which source a mark belongs to, or
        where row 0 of a picture lies.
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
                uses_images=needs_images or uses_images,
                asked_last=asked_last,
            )
        )
        return read

    return register


def find_reader(content: bytes, path: str | Path) -> AnnotationReader | None:
    """The reader that recognises the content of a file; None where there is none."""
    return READERS.recognising(unpacked_head(content)[:HEAD_BYTES], f"annotation file {path}")


def columns_of(head: bytes) -> tuple[str, ...]:
    """Names of the columns of a CSV file, from its beginning; empty where that is not a header."""
    line = head[:HEAD_BYTES].decode("utf-8-sig", errors="replace").partition("\n")[0]
    try:
        return tuple(name.strip() for name in next(csv.reader([line]), []))
    except csv.Error:  # a line that is not a table at all
        return ()


def open_annotations(
    names: str | Path | Iterable[str | Path], *, format_name: str | None = None
) -> list[tuple[AnnotationReader, AnnotationFile]]:
    """Annotation files, and for each the reader that recognises it or that ``format_name`` names.

    Of a folder only files that a reader recognises are taken, if there are any. Behind a colon, ``format_name`` names the
    sheet or table of a file that holds several.
    """
    format_name, _, part = (text.strip() for text in (format_name or "").partition(":"))
    wanted = find_by_name(READERS, "format", format_name) if format_name else None
    names = [names] if isinstance(names, str | Path) else list(names)
    opened, unknown = [], []
    named: dict[Path, int] = {}
    for position, name in enumerate(names):
        in_folder = bool(str(name)) and Path(name).is_dir()
        for found in find_annotation_files(name):
            path = found.path
            if (earlier := named.setdefault(path.resolve(), position)) != position:
                raise AnnotationError(
                    f"annotation file {path} is named twice, by {str(names[earlier])!r} and {str(name)!r}, and its marks would "
                    "count twice; name every file once"
                )
            content = read_input(path, f"annotation file {path}", AnnotationError)
            is_copy = in_folder and path.name.endswith(_COPIES)
            reader = wanted or (find_reader(content, path) if content.strip() else None)
            if is_copy:
                reader = None
            if reader is not None:
                file = AnnotationFile(
                    path=str(path),
                    content=content,
                    annotator=found.annotator,
                    source=source_id(found.source),
                    format_named=wanted is not None,
                    part=part,
                )
                opened.append((reader, file))
            elif in_folder:
                unknown.append(path)
            else:
                raise _not_recognised(path, content)
    if not opened:
        raise _not_recognised(unknown[0], unknown[0].read_bytes()[:HEAD_BYTES])
    if unknown:
        copies = any(path.name.endswith(_COPIES) for path in unknown)
        of_editors = ", or kept by an editor as a copy," * copies
        warnings.warn(
            f"{counted(len(unknown), 'file')} of no known format{of_editors} {'is' if len(unknown) == 1 else 'are'} left out: "
            f"{first_of([path.name for path in unknown], 5)}",
            LeftOutWarning,
            stacklevel=2,
        )
    return opened


def _not_recognised(path: Path, content: bytes) -> AnnotationError:
    if not content.strip():
        return AnnotationError(f"annotation file {path} is empty; {_NEEDED}")
    head = unpacked_head(content)
    kinds = [describe_content(of[:HEAD_BYTES]) for of in (head, content) if of]
    return AnnotationError(
        f"annotation file {path} is {', '.join(dict.fromkeys(kinds))}; no reader recognises it. "
        f"Known formats are {READERS.formats()}; {_NEEDED}"
    )


def read_annotations(
    path: str | Path | Iterable[str | Path],
    images: Sequence[SourceImage] | None = None,
    *,
    annotator: str = "",
    naming: Naming | None = None,
    format: str | None = None,  # as of pandas and astropy
    min_components: int = 2,
    match_radius_arcsec: float = 30.0,
) -> AnnotationSet:
    """Read annotation files, whose format is recognised by their content.

    Parameters
    ----------
    path : path or iterable of paths
        Files, folders or patterns such as ``"marks/{annotator}/{source}.reg"``, in any of the formats in
        :data:`attnxai.annotations.READERS`. The name of a table that ships (``expert.csv``) gives that table when
        there is no such file.
    images : sequence of SourceImage, optional
        Images that the marks lie on. A catalogue needs them, and formats of drawing tools use them to find the
        source of a mark on the sky, and where row 0 of a picture lies; a table needs none.
    annotator : str
        Annotator of the marks for which neither the files nor a pattern state one; else these are named after
        their file or folder.
    naming : Naming, optional
        What words, tags and colors of the files stand for.
    format : str, optional
        Name of the format, for a file that could be of several. A sheet or table of a file that holds several is named
        behind a colon, such as ``"Excel workbook:marks"``.
    min_components : int
        Sources of a catalogue with fewer components are left out: a single component at the centre says
        nothing about where a map should be high.
    match_radius_arcsec : float
        Largest distance of a position from the centre of an image, for a catalogue.

    Returns
    -------
    AnnotationSet
        Of all files together.

    Raises
    ------
    AnnotationError
        If a file is missing or of no known format, or listing its bad rows with line, column, value and
        what would be right.

    Examples
    --------
    >>> import attnxai
    >>> attnxai.read_annotations("expert.csv").annotators
    ('simulated_1', 'simulated_2', 'simulated_3')
    """
    names = [path] if isinstance(path, str | Path) else list(path)
    read = read_opened(
        open_annotations(names, format_name=format),
        images=images,
        annotator=annotator,
        naming=naming or Naming(),
        min_components=min_components,
        match_radius_arcsec=match_radius_arcsec,
    )
    shipped = tuple(f"{says_what_ships(name)}." for name in names if is_shipped(name))
    return dataclasses.replace(read, notices=(*shipped, *read.notices)) if shipped else read


def read_opened(
    opened: Iterable[tuple[AnnotationReader, AnnotationFile]],
    *,
    images: Sequence[SourceImage] | None,
    annotator: str,
    **options: Any,
) -> AnnotationSet:
    """Annotations of opened files, with the options of :func:`read_annotations`."""
    found: list[AnnotationSet] = []
    empty: list[str] = []
    opened = list(opened)
    in_folder = _in_folders_of_annotators([file.path for _, file in opened])
    for reader, file in opened:
        given = dataclasses.replace(
            file,
            images=images,
            annotator=file.annotator or annotator,
            n_in_folder=in_folder[Path(file.path).parent],
            **options,
        )
        try:
            found.append(reader(given))
        except NoMarksError as error:
            reason = error
            empty.append(Path(file.path).name)
    if not found:
        raise reason
    merged = merge_annotations(found)
    if not empty:
        return merged
    notice = f"{len(empty)} of {counted(len(opened), 'file')} hold no marks: {first_of(empty, 5)}."
    return dataclasses.replace(merged, notices=(*merged.notices, notice))


def _in_folders_of_annotators(paths: Sequence[str]) -> collections.Counter[Path]:
    """Numbers of files by folder, where folders seem to be annotators; empty where they do not.

    They do where there are several side by side, with more names of files than folders, as with a file for each source.
    """
    n_files = collections.Counter(Path(path).parent for path in paths)
    names = {name_without_extensions(path) for path in paths}
    nested = any(folder in other.parents for folder in n_files for other in n_files)
    return n_files if 1 < len(n_files) < len(names) and not nested else collections.Counter()
