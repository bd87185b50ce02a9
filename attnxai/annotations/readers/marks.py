"""Marks of a file on their way into an annotation set: whose they are, of which source, and with which label.

Formats of drawing tools seldom say all of it. What is left open is taken from the name of the file, the images and
what the user states, here and in the same way for all of them; what has to be assumed is noted, and a mark that
cannot be used is counted with the reason.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.file_names import name_without_extensions, names_without_extensions
from attnxai.annotations.naming import COLOUR, FILE, FOLDER, folded
from attnxai.annotations.readers.pictures import ids_of_picture
from attnxai.annotations.shape_conversion import upright
from attnxai.annotations.shapes import Frame, Label, Shape
from attnxai.annotations.sky_matching import images_at
from attnxai.data.csv_table import Faults
from attnxai.data.grid import RowZero
from attnxai.data.images import SourceImage
from attnxai.data.positions import mean_position
from attnxai.data.wording import counted, first_of
from attnxai.errors import AnnotationError, AssumptionWarning, NoMarksError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from attnxai.annotations.readers.registry import AnnotationFile

OUTSIDE = "outside all images"
NO_IMAGE = "its image is not among the images"
_SEPARATORS = "_. -"
# the largest radio galaxies are about as large; marks farther apart are of several sources
_LARGEST_SOURCE_DEG = 1.0
# shares of width to height that differ by less are those of one image
_SAME_SHAPE = 0.02


@dataclasses.dataclass(slots=True, eq=False)
class _Mark:
    shape: Shape
    line: int
    source: str
    annotator: str
    label: Label
    fields: dict[str, Any]


class MarkList:
    """Collects the marks of a file; :meth:`annotation_set` gives them with notes and counts.

    Parameters
    ----------
    file : AnnotationFile
        The file that is read.
    item : str
        What to call a numbered entry of the file in messages: ``line``, ``region``, ``shape``.
    no_annotators : collection of str
        Words that may stand beside a source in the name of a file and name nobody, such as ``mask``.
    rows_upwards : bool
        Whether pixels of every image count from the bottom, also of those whose first row is drawn at the top.
    """

    def __init__(
        self,
        file: AnnotationFile,
        item: str = "line",
        *,
        no_annotators: Collection[str] = (),
        rows_upwards: bool = False,
    ) -> None:
        self.file, self._item, self._no_annotators = file, item, no_annotators
        self._rows_upwards = rows_upwards
        self.faults = Faults(item)
        self._marks: list[_Mark] = []
        self._left_out: collections.Counter[str] = collections.Counter()
        self._left_out_items: set[int] = set()
        self._notes: collections.Counter[str] = collections.Counter()
        self._without_label: set[int] = set()
        self._unknown_words: collections.Counter[str] = collections.Counter()
        self._kinds_of_words: set[str] = set()
        self._sources: dict[str, str] = {}
        self._not_among_images: dict[str, None] = {}
        self._source_is_open = False

    def __len__(self) -> int:
        return len(self._marks)

    def add(
        self,
        shape: Shape | Mapping[str, Any],
        *,
        line: int,
        source: str = "",
        annotator: str = "",
        words: Mapping[str, Sequence[str]] | None = None,
        weight: float = 1.0,
        operation: str = "add",
        group: str = "",
        round: int = 1,  # as of an annotation
        other: Mapping[str, str] | None = None,
    ) -> None:
        """Add one mark, or a fault where its shape is none.

        Parameters
        ----------
        shape : Shape or mapping
            The shape, or the arguments of one.
        line : int
            Number of its entry in the file, from 1. Several shapes of one entry, such as an annulus, share it.
        source, annotator : str
            As the file states them; empty where it does not.
        words : mapping of str to sequence of str
            What the file says of the mark, by kind: ``text``, ``tag``, ``color``.
        weight, operation, group, round, other
            As of :class:`~attnxai.annotations.Annotation`.
        """
        try:
            drawn = shape if isinstance(shape, Shape) else Shape(**shape)
        except AnnotationError as error:
            self.faults.add_row(line, f": {error}")
            return
        words = {kind: [w for w in of if w.strip()] for kind, of in (words or {}).items()}
        self._kinds_of_words.update(kind for kind, of in words.items() if of)
        label, label_from = self.file.naming.label_and_kind(words)
        if label is None:
            self._without_label.add(line)
            spoken = [w for kind, of in words.items() if kind != COLOUR for w in of]
            spoken = spoken or list(words.get(COLOUR, ()))
            self._unknown_words.update(spoken[:1])
        kept = {kind: "; ".join(of) for kind, of in words.items() if of}
        fields = {
            "label_from": label_from,
            "weight": weight,
            "operation": operation,
            "group": group,
            "round": round,
            "other": {**kept, **(other or {})},
        }
        self._marks.append(
            _Mark(
                shape=drawn,
                line=line,
                source=self.source_of(source) if source else "",
                annotator=self.file.naming.annotator(words, annotator),
                label=label or Label.OTHER,
                fields=fields,
            )
        )

    def leave_out(self, line: int, reason: str) -> None:
        """Count an entry that cannot be a mark, by the reason."""
        if line not in self._left_out_items:
            self._left_out_items.add(line)
            self._left_out[reason] += 1

    def note(self, sentence: str) -> None:
        """Note something once, in a sentence that begins with a capital."""
        self._notes[sentence] += 1

    def annotation_set(self, *, kind: str = "shapes drawn by annotators") -> AnnotationSet:
        """What was collected.

        Raises
        ------
        AnnotationError
            Listing the faults; or if the source of marks remains open, or none can be used.
        """
        what = f"annotation file {self.file.path}"
        if self.faults:
            raise self.faults.error(
                AnnotationError,
                f"{counted(self.faults.n_rows, self._item)} of {what} cannot be used:",
            )
        if not self._marks:
            reasons = ", ".join(f"{reason} ({n})" for reason, n in self._left_out.items())
            raise NoMarksError(f"{what} holds no marks{reasons and f'; left out: {reasons}'}")
        self._check_annotator_from(what)
        marks = self._with_sources(what)
        named = self._name_annotators(marks)
        if self._rows_upwards:
            self._count_rows_from_the_top(marks)
        annotations = tuple(
            Annotation(
                source=mark.source,
                annotator=mark.annotator,
                shape=mark.shape,
                label=mark.label,
                file=Path(self.file.path).name,
                line=mark.line,
                **mark.fields,
            )
            for mark in marks
        )
        used = {mark.line for mark in marks}
        self._left_out_items -= used
        if self._not_among_images:
            self.note(f"Marks are left out: {self._names_without_image()}.")
        if not annotations:
            reasons = ", ".join(f"{reason} ({n})" for reason, n in self._left_out.items())
            if self._not_among_images:
                reasons += f"; {self._names_without_image()}"
            raise AnnotationError(f"none of the marks of {what} can be used: {reasons}")
        return AnnotationSet(
            annotations=annotations,
            kind=kind,
            n_rows=len(used) + sum(self._left_out.values()),
            left_out=dict(self._left_out),
            notices=(*self._notes, *named, *self._label_notes(used)),
        )

    def _count_rows_from_the_top(self, marks: Sequence[_Mark]) -> None:
        """Count rows from the top in images that have their first row there."""
        for mark in marks:
            drawn, mark.shape = mark.shape, upright(mark.shape, self._by_id.get(mark.source))
            if mark.shape is not drawn:
                self.note(
                    "Rows of images with row 0 at the top, as PNG has it, are counted from the bottom in this format."
                )

    def _label_notes(self, used: set[int]) -> list[str]:
        n = len(self._without_label & used)
        if not n:
            return []
        words = [repr(word[:40]) for word, _ in self._unknown_words.most_common(5)]
        said = f" (their words are {', '.join(words)})" if words else ""
        which = "Marks" if n == len(used) else "Some marks"
        return [
            f"{which} state no label and count as other{said}; --label-of (in Python Naming) changes that."
        ]

    # sources

    @functools.cached_property
    def _by_id(self) -> dict[str, SourceImage]:
        return {image.source: image for image in self.file.images or ()}

    def source_of(self, name: str) -> str:
        """Id of the source whose picture has a name: that of an image, also where the picture is of another kind."""
        if name not in self._sources:
            first, *others = ids_of_picture(name)
            known = next((found for found in (first, *others) if found in self._by_id), first)
            if known != first:
                self.note(
                    "Pictures are taken for images of the same name, apart from an ending or what a tool has added to it."
                )
            self._sources[name] = known
        return self._sources[name]

    def _names_without_image(self) -> str:
        named, known = (
            first_of([repr(name[:60]) for name in names], 3)
            for names in (self._not_among_images, self._by_id)
        )
        return f"the file names {named}, and the images are {known}"

    def _with_sources(self, what: str) -> list[_Mark]:
        """The marks that lie on an image, with its source."""
        open_ones = [mark for mark in self._marks if not mark.source]
        name, _ = self.source_and_rest
        default = self.file.source or name
        if not default and open_ones and self.file.images is None:
            default = self._without_word(name_without_extensions(self.file.path))
            on_sky = [mark.shape for mark in open_ones if mark.shape.frame is Frame.ICRS]
            # a file in pixels is of one image, one on the sky may be of many
            self._source_is_open = len(on_sky) == len(open_ones)
            advice = " With --images (in Python images), marks on the sky belong to the image that they lie on."
            self.note(
                f"The source of the marks is taken from the name of their file.{advice if on_sky else ''}"
            )
            if on_sky and (width := _extent_deg(on_sky)) > _LARGEST_SOURCE_DEG:
                warnings.warn(
                    f"marks of {what} lie {width:.2g} degrees apart and count as one source, {default!r}, after the name of the "
                    "file; with --images (in Python images) each belongs to the image that it lies on",
                    AssumptionWarning,
                    stacklevel=2,
                )
        for mark in open_ones:
            mark.source = default
        if open_ones and not default:
            self._place(open_ones, what)
        placed = [mark for mark in self._marks if mark.source]
        known = self._by_id
        if self.file.images is not None and known:
            for mark in placed:
                if mark.source not in known:
                    self.leave_out(mark.line, NO_IMAGE)
                    self._not_among_images[mark.source] = None
            placed = [mark for mark in placed if mark.source in known]
        lines = {mark.line for mark in placed}
        for mark in self._marks:
            if mark.line not in lines:
                self.leave_out(mark.line, OUTSIDE)
        return placed

    def _place(self, marks: Sequence[_Mark], what: str) -> None:
        """Give marks on the sky the image that they lie on."""
        in_pixels = [mark for mark in marks if mark.shape.frame is Frame.PIXEL]
        images = self.file.images or ()
        if in_pixels and len(images) == 1:
            for mark in in_pixels:
                mark.source = images[0].source
        elif in_pixels:
            raise AnnotationError(
                f"{what} states no source for {len(in_pixels)} of {counted(len(self._marks), 'mark')} in pixels, and its "
                "name is not that of an image; name the file after its image, such as "
                f"{images[0].source if images else 'g7'}{Path(self.file.path).suffix}, or give a pattern with {{source}}"
            )
        on_sky = [mark for mark in marks if mark.shape.frame is not Frame.PIXEL]
        if not on_sky:
            return
        centres = [_centre(mark.shape) for mark in on_sky]
        shown_by, n_shared = images_at(centres, images, path=self.file.path)
        if n_shared:
            self.note(
                "Marks that several images show are taken for those of the one with the nearest centre; where that is wrong, "
                "name files after their images or give a pattern with {source}."
            )
        for mark, image in zip(on_sky, shown_by, strict=True):
            if image is not None:
                mark.source = image.source
        # the parts of one entry stay together
        of_line = {mark.line: mark.source for mark in on_sky if mark.source}
        for mark in on_sky:
            mark.source = mark.source or of_line.get(mark.line, "")

    @functools.cached_property
    def source_and_rest(self) -> tuple[str, str]:
        """The source that the name of the file begins or ends with, and the rest of the name.

        Only sources among the images are recognised; both are empty where there is none.
        """
        source, rest = self._parts_of_name()
        return source, "" if folded(rest) in self._no_annotators else rest

    def _without_word(self, name: str) -> str:
        """A name without a word behind it that names nobody, such as ``mask``."""
        parts = re.fullmatch(rf"(.+?)[{_SEPARATORS}]+([^{_SEPARATORS}]+)", name)
        return parts[1] if parts and folded(parts[2]) in self._no_annotators else name

    def _parts_of_name(self) -> tuple[str, str]:
        stems = names_without_extensions(self.file.path)
        for name in stems:
            if name in self._by_id:
                return name, ""
        best = ("", "")
        for name in stems:
            for source in self._by_id:
                if len(source) <= len(best[0]) or len(source) >= len(name):
                    continue
                if name.startswith(source) and name[len(source)] in _SEPARATORS:
                    best = source, name[len(source) :].strip(_SEPARATORS)
                elif name.endswith(source) and name[-len(source) - 1] in _SEPARATORS:
                    best = source, name[: -len(source)].strip(_SEPARATORS)
        return best

    def image_for(
        self, source: str = "", position: tuple[float, float] | None = None
    ) -> SourceImage | None:
        """The image of a source, of the source that the file names, or at a position in ICRS degrees; None if open."""
        images = self.file.images or ()
        name = self.source_of(source) if source else self.file.source or self.source_and_rest[0]
        if name or not images:
            return self._by_id.get(name)
        if position is not None:
            (image,), _ = images_at([position], images, path=self.file.path)
            return image
        return images[0] if len(images) == 1 else None

    # annotators

    def _check_annotator_from(self, what: str) -> None:
        """Refuse a place of annotators that no mark has."""
        where = self.file.naming.annotator_from
        if where and where not in (FILE, FOLDER, *self._kinds_of_words):
            known = ", ".join((*sorted(self._kinds_of_words), FILE, FOLDER))
            raise AnnotationError(
                f"annotator_from is {where!r}, which no mark of {what} has; it can be {known}"
            )

    def _name_annotators(self, marks: Sequence[_Mark]) -> list[str]:
        """Name those that are not stated after the file or its folder; the notes say so."""
        unnamed = [mark for mark in marks if not mark.annotator]
        if not unnamed:
            return []
        name, where = self._default_annotator({mark.source for mark in marks})
        for mark in unnamed:
            mark.annotator = name
        if not where:
            return []
        # without numbers, so that the notes of many files become one
        which = "" if len(unnamed) == len(marks) else " of marks that state none"
        return [f"The annotator{which} is taken from {where}: {name}."]

    def _default_annotator(self, sources: set[str]) -> tuple[str, str]:
        path, naming = Path(self.file.path), self.file.naming
        if self.file.annotator:
            return naming.renamed(self.file.annotator), ""
        stem = name_without_extensions(path)
        rest = self.source_and_rest[1]
        of_source = self.source_and_rest[0] or (
            sources == {self._without_word(stem)} and not self._source_is_open
        )
        n_in_folder = self.file.n_in_folder
        in_own_folder = n_in_folder > 0 if self._source_is_open else n_in_folder == 1
        if naming.annotator_from == FOLDER or (
            naming.annotator_from != FILE and not rest and (of_source or in_own_folder)
        ):
            return naming.renamed(path.absolute().parent.name or stem), "the name of the folder"
        return naming.renamed(rest or stem), "the name of the file"

    # pictures

    def picture_to_pixels(
        self, source: str, x: ArrayLike, y: ArrayLike, *, width: float, height: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels of an image from positions on a picture of it.

        Parameters
        ----------
        source : str
            Id of the source, or the name of its file.
        x, y : array_like
            From the left and the top edge of the picture, in its own pixels; 0 is the edge, 0.5 the middle of the
            first pixel.
        width, height : float
            Of the whole picture, which shows the whole image.

        Returns
        -------
        x, y : ndarray
            0-based pixels of the image's array. Without images the picture is the image, with its first row at the
            top, and a note says so.
        """
        image = self._by_id.get(self.source_of(source) if source else self.source_and_rest[0])
        rows, columns, top = height, width, True
        if image is not None:
            # pixels of marks are those of the file
            rows, columns = image.grid.shape_of_file
            top = image.grid.row_zero is RowZero.TOP
            if abs(rows / height / (columns / width) - 1) > _SAME_SHAPE:
                raise AnnotationError(
                    f"annotation file {self.file.path} is of a picture of {width:g} x {height:g} pixels, but the image "
                    f"of {image.source!r} has {columns} x {rows}, which is another shape; name the image that it shows"
                )
        elif self.file.images is None:
            self.note(
                "Rows are counted from the top of the pictures; name the images (--images, in Python images) to have them "
                "counted as in FITS."
            )
        across = np.asarray(x, dtype=np.float64) * (columns / width)
        down = np.asarray(y, dtype=np.float64) * (rows / height)
        return across - 0.5, (down if top else rows - down) - 0.5


def _extent_deg(shapes: Sequence[Shape]) -> float:
    """Largest distance on the sky of a shape from the first."""
    ra, dec = np.radians([_centre(shape) for shape in shapes]).T
    towards = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    return float(
        np.degrees(2 * np.arcsin(np.linalg.norm(towards.T - towards[:, 0], axis=1).max() / 2))
    )


def _centre(shape: Shape) -> tuple[float, float]:
    """Middle of a shape on the sky."""
    if len(shape.points) == 1:  # exactly
        return shape.points[0]
    return mean_position(shape.points)
