"""The registry of writers of annotation files, the function that writes annotations, and what writers share."""

from __future__ import annotations

import collections
import dataclasses
import os
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from attnxai.annotations.annotation_set import Annotation, AnnotationSet, Operation
from attnxai.annotations.shape_conversion import as_polygon, in_frame
from attnxai.annotations.shapes import Frame, Shape, ShapeKind
from attnxai.data.images import SourceImage
from attnxai.data.registration import check_unclaimed, find_by_name
from attnxai.data.wording import counted, listed, printable, unknown_name
from attnxai.errors import AnnotationError, LeftOutWarning, OptionError
from attnxai.jobs.files import check_output_file, write_file

HELD = ("weight", "operation", "group", "round", "class", "other")
"""What a format may or may not hold beside sources, annotators, labels and shapes."""
_MOST_CHARACTERS = 120

_Write = Callable[[AnnotationSet, Mapping[str, SourceImage]], dict[str, bytes]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationWriter:
    """A format that annotations can be written in; see :func:`register_writer`."""

    name: str
    write: _Write
    extension: str
    frames: tuple[Frame, ...]
    shapes: tuple[ShapeKind, ...]
    holds: tuple[str, ...]
    needs_images: bool
    by_ending: bool

    def has_shape(self, shape: Shape) -> bool:
        """Whether it can hold a shape, as it is or as a polygon."""
        return shape.kind in self.shapes or (shape.has_area and ShapeKind.POLYGON in self.shapes)

    def can_hold(self, annotation: Annotation) -> bool:
        """Whether it has a place for a mark."""
        adds = annotation.operation is Operation.ADD
        return self.has_shape(annotation.shape) and (adds or "operation" in self.holds)


WRITERS: dict[str, AnnotationWriter] = {}
"""All writers by the names of their formats, also those that :func:`register_writer` added."""


def register_writer(
    name: str,
    *,
    extension: str,
    frames: Collection[Frame] = tuple(Frame),
    shapes: Collection[ShapeKind] = tuple(ShapeKind),
    holds: Collection[str] = (),
    needs_images: bool = False,
    by_ending: bool = False,
) -> Callable[[_Write], _Write]:
    r"""Make a function the writer of a format of annotation files.

    The function takes an :class:`AnnotationSet` and the images of its sources by id, and gives the content of files by
    their names, which may contain folders. It gets what the format can hold: shapes in other frames have been
    converted, other areas have become polygons, and :func:`write_annotations` has said what is left out.

    Parameters
    ----------
    name : str
        What to call the format; that of its reader.
    extension : str
        How its files end, with the dot.
    frames : collection of Frame
        Frames that it can hold.
    shapes : collection of ShapeKind
        Shapes that it can hold. Without polygons, other areas are left out.
    holds : collection of str
        Which of weight, operation, group, round, class and other (further columns) it can hold.
    needs_images : bool
        Whether it states the size of the images.
    by_ending : bool
        Whether a path with its ending names it even if other formats have the same one.

    Raises
    ------
    OptionError
        If another module has registered a writer of this name.

    Examples
    --------
    >>> import attnxai
    >>> @register_writer("dots", extension=".dots", shapes=[ShapeKind.POINT])
    ... def write_dots(annotations, images):
    ...     rows = [f"{a.source} {a.annotator} {a.shape.x} {a.shape.y}" for a in annotations.annotations]
    ...     return {"marks.dots": "\n".join(["#dots", *rows, ""]).encode()}
    >>> WRITERS.pop("dots").extension
    '.dots'
    """
    if unknown := [what for what in holds if what not in HELD]:
        raise OptionError(unknown_name("kind of content", unknown, HELD, "kinds of content"))

    def register(write: _Write) -> _Write:
        registered = {known: writer.write for known, writer in WRITERS.items()}
        check_unclaimed("writer of annotations", name, write.__module__, registered)
        WRITERS[name] = AnnotationWriter(
            name=name,
            write=write,
            extension=extension,
            frames=tuple(frames),
            shapes=tuple(shapes),
            holds=tuple(holds),
            needs_images=needs_images,
            by_ending=by_ending,
        )
        return write

    return register


def find_writer(path: str | Path, format_name: str | None = None) -> AnnotationWriter:
    """The writer of a format, by the beginning of its name in any case or by the ending of a path.

    Raises
    ------
    OptionError
        If there is none, or several formats have the ending and none of them is the usual one.
    """
    if format_name:
        return find_by_name(WRITERS, "format", format_name)
    name = Path(path).name.lower()
    found = [writer for writer in WRITERS.values() if name.endswith(writer.extension)]
    chosen = [writer for writer in found if writer.by_ending] or found
    if len(chosen) == 1:
        return chosen[0]
    names = [writer.name for writer in found or WRITERS.values()]
    why = "several formats have its ending" if found else "no format has its ending"
    raise OptionError(f"{path} names no format, since {why}; name one of {', '.join(names)}")


def write_annotations(
    annotations: AnnotationSet,
    path: str | Path,
    format: str | None = None,  # as of pandas and astropy
    *,
    images: Iterable[SourceImage] = (),
    overwrite: bool = False,
) -> list[Path]:
    """Write annotations in a format of other programs, or as an annotation table.

    Parameters
    ----------
    annotations : AnnotationSet
        From :func:`attnxai.annotations.read_annotations`.
    path : path
        The file, or a folder for formats that take several.
    format : str, optional
        Name of the format, one of :data:`attnxai.annotations.WRITERS`; left out, the ending of the path says it.
    images : iterable of SourceImage
        Images of the sources, where the format needs them.
    overwrite : bool
        Whether files may be replaced.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OptionError
        If the format remains open, or files exist.
    AnnotationError
        If the format can hold nothing of the annotations, or an image is missing.

    Warns
    -----
    LeftOutWarning
        If the format has no place for some of what the annotations say; with counts.

    Examples
    --------
    >>> import attnxai, tempfile
    >>> sample = attnxai.read_annotations("expert.csv")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = write_annotations(sample, f"{folder}/marks.csv")
    ...     len(attnxai.read_annotations(path)) == len(sample)
    True
    """
    path, writer = Path(path), find_writer(path, format)
    by_id = {image.source: image for image in images}
    fitting = _fitting(_relative_to(annotations, _folder_of(path, writer)), writer, by_id)
    files = writer.write(fitting, by_id)
    is_file = path.name.lower().endswith(writer.extension) and not path.is_dir()
    if is_file and len(files) > 1:
        raise OptionError(
            f"{path} is one file, and these annotations make {len(files)} files of {writer.name}; name a folder"
        )
    targets = [path] if is_file else [path / name for name in files]
    for target in targets:
        check_output_file(target, extensions=[target.suffix], overwrite=overwrite, option="path")
    for target, content in zip(targets, files.values(), strict=True):
        write_file(target, content)
    return targets


def _folder_of(path: Path, writer: AnnotationWriter) -> Path:
    is_file = path.name.lower().endswith(writer.extension) and not path.is_dir()
    return path.parent if is_file else path


def _relative_to(annotations: AnnotationSet, folder: Path) -> AnnotationSet:
    """Annotations that name their images as seen from a folder."""
    files = annotations.image_files()
    if not files:
        return annotations
    start = folder.absolute()
    names = {source: os.path.relpath(file.absolute(), start) for source, file in files.items()}
    return dataclasses.replace(annotations, images=names, path=str(start / "table"))


def _fitting(
    annotations: AnnotationSet, writer: AnnotationWriter, images: Mapping[str, SourceImage]
) -> AnnotationSet:
    """What of the annotations the format can hold; the rest is counted in a warning."""
    if writer.needs_images and (
        missing := [source for source in annotations.sources if source not in images]
    ):
        raise AnnotationError(
            f"{writer.name} states the size of every image, and {len(missing)} of "
            f"{counted(len(annotations.sources), 'source')} have none, such as {missing[0][:60]!r}; give the images "
            "(--images, in Python images)"
        )
    marks = annotations.annotations
    without = collections.Counter(a.shape.kind for a in marks if not writer.has_shape(a.shape))
    lost = [
        counted(n, str(kind), "boxes" if kind is ShapeKind.BOX else None)
        for kind, n in without.items()
    ] + _lost(annotations, writer)
    kept = [_converted(mark, writer, images) for mark in marks if writer.can_hold(mark)]
    if not kept:
        raise AnnotationError(
            f"{writer.name} can hold none of the annotations; it has no place for {listed(lost)}"
        )
    if lost:
        warnings.warn(
            f"{writer.name} has no place for {listed(lost)}; left out", LeftOutWarning, stacklevel=4
        )
    return dataclasses.replace(annotations, annotations=tuple(kept))


def _converted(
    annotation: Annotation, writer: AnnotationWriter, images: Mapping[str, SourceImage]
) -> Annotation:
    """The mark as the format can hold it."""
    frame = annotation.shape.frame
    if annotation.shape.kind not in writer.shapes:
        # before its frame is changed: an outline is exact in the frame in which the shape was drawn
        annotation = dataclasses.replace(annotation, shape=as_polygon(annotation.shape))
    found = in_frame(annotation, frame if frame in writer.frames else writer.frames[0], images)
    if found.shape.kind not in writer.shapes:  # as of a circle in pixels that are not square
        found = dataclasses.replace(found, shape=as_polygon(found.shape))
    return found


def _lost(annotations: AnnotationSet, writer: AnnotationWriter) -> list[str]:
    marks = annotations.annotations

    def of(what: str, does: Callable[[Annotation], bool]) -> str:
        n = sum(map(does, marks))
        return f"{what} of {counted(n, 'mark')}" if n else ""

    n_classes = len({*annotations.classes, *chain(*annotations.annotator_classes.values())})
    n_weighed = sum(weight != 1 for weight in annotations.source_weights.values())
    lost = {
        "weight": of("the weights", lambda a: a.weight != 1),
        "operation": of("the subtraction", lambda a: a.operation is Operation.SUBTRACT),
        "group": of("the groups", lambda a: bool(a.group)),
        "round": of("the rounds", lambda a: a.round != 1),
        "class": f"the classes of {counted(n_classes, 'source')}" if n_classes else "",
        "other": of("further columns", lambda a: bool(a.other)),
        "": f"weights of {counted(n_weighed, 'source')}" if n_weighed else "",
    }
    return [text for what, text in lost.items() if text and what not in writer.holds]


class FileNames:
    """Names of files from names of sources and annotators: without separators of paths, and all different."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}
        self._taken: set[str] = set()

    def __call__(self, name: str) -> str:
        """The name of the file of a source or annotator; the same for the same one."""
        if name not in self._of:
            plain = re.sub(r"[^\w.+-]", "_", name)[:_MOST_CHARACTERS].strip(".") or "unnamed"
            free, number = plain, 1
            while free.casefold() in self._taken:
                number += 1
                free = f"{plain}_{number}"
            self._taken.add(free.casefold())
            self._of[name] = free
        return self._of[name]


def region_files(
    annotations: AnnotationSet,
    extension: str,
    lines_of: Callable[[Sequence[Annotation]], list[str]],
) -> dict[str, bytes]:
    """Content of text files by their names: one where all marks are on the sky, else one for each source."""
    names = FileNames()
    files: dict[str, Sequence[Annotation]] = {"annotations": annotations.annotations}
    if any(a.shape.frame is Frame.PIXEL for a in annotations.annotations):
        files = {names(source): own for source, own in annotations.by_source().items()}
    return {
        f"{name}{extension}": "\n".join([*lines_of(own), ""]).encode(errors="backslashreplace")
        for name, own in files.items()
    }


def fields_to_state(annotation: Annotation) -> dict[str, Any]:
    """Annotator of a mark, and its group, round and weight where they are not what a mark has by default."""
    found: dict[str, Any] = {"annotator": annotation.annotator}
    if annotation.group:
        found["group"] = annotation.group
    if annotation.round != 1:
        found["round"] = annotation.round
    if annotation.weight != 1:
        found["weight"] = float(annotation.weight)
    return found


def quoted(text: str, *first: str) -> str:
    r"""Text on one line between signs that it does not hold: those named, then quotation marks.

    Where it holds them all, some are replaced.

    Examples
    --------
    >>> quoted("Ann"), quoted('a "b"'), quoted("Ann", "{}")
    ('"Ann"', '\'a "b"\'', '{Ann}')
    """
    plain = printable(text).replace("\n", " ").replace("\t", " ")
    signs = (*first, '""', "''")
    for sign in signs:
        if sign[0] not in plain and sign[1] not in plain:
            return f"{sign[0]}{plain}{sign[1]}"
    start, end = signs[0][0], signs[0][1]
    return start + plain.replace(start, "(").replace(end, ")" if start != end else "'") + end
