"""Classification exports of the Zooniverse (Panoptes): a CSV table whose cells hold JSON, a row for each classification."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.merging import majority_classes
from attnxai.annotations.naming import folded
from attnxai.annotations.readers.marks import MarkList
from attnxai.annotations.readers.pictures import Picture, ShapeFault, number, pairs, text_of
from attnxai.annotations.readers.registry import AnnotationFile, columns_of, register_reader
from attnxai.data.csv_table import parse_csv
from attnxai.data.wording import counted
from attnxai.errors import AnnotationError
from attnxai.jobs.files import parse_json

_COLUMNS = {"user_name", "annotations", "subject_data"}
# what projects call the file or the name of a subject, without punctuation; the first counts
_SOURCE_KEYS = (
    "source",
    "sourceid",
    "filename",
    "file",
    "image",
    "image1",
    "imagename",
    "name",
    "id",
)
_CLASSES = {"fri": "FR I", "fr1": "FR I", "frii": "FR II", "fr2": "FR II", "hybrid": "hybrid"}
_OTHER_FRAME = "on another frame of its subject than the first"
_OTHER_TOOL = "drawn with a tool that is not read"


@register_reader(
    "Zooniverse export", recognises=lambda head: set(columns_of(head)) >= _COLUMNS, uses_images=True
)
def read_panoptes(file: AnnotationFile) -> AnnotationSet:
    """Read what was drawn, by tool; questions answered with FR I or FR II state a class, and a second look is round 2."""
    what = f"annotation file {file.path}"
    header, rows = parse_csv(file.text(), what, AnnotationError)
    marks = MarkList(file, "line")
    looks: collections.Counter[tuple[str, str, str]] = collections.Counter()
    classes: dict[str, dict[str, str]] = {}
    n_rows = n_empty = 0
    for line, cells in rows:
        row = dict(zip(header, cells, strict=False))
        n_rows += 1
        try:
            subject = _subject(row, line)
            user = file.naming.renamed(row.get("user_name", ""))
            if not user:
                raise ShapeFault("it names no user")
            # projects ask for different things in several workflows, which are one look
            look = user, subject.key, row.get("workflow_id", "")
            looks[look] += 1
            source = subject.source_among(marks)
            tasks = _json(row, "annotations", list)
            before = len(marks)
            picture = Picture(marks, source, subject.size)
            fields = {"source": source, "annotator": user, "round": looks[look]}
            for task in tasks:
                for mark in _drawn(task):
                    _add(marks, mark, picture, line, fields)
                if (stated := _class_of(task)) and fields["round"] == 1:
                    classes.setdefault(user, {})[marks.source_of(source)] = stated
            n_empty += len(marks) == before
        except ShapeFault as fault:
            marks.faults.add_row(line, f": {fault}")
    if n_empty:
        marks.note(f"{n_empty} of {counted(n_rows, 'classification')} hold no mark.")
    found = marks.annotation_set()
    # who answered and marked nothing has a vote on what others marked
    known = set(found.sources)
    stated_by = {
        user: kept
        for user, own in classes.items()
        if (kept := {source: name for source, name in own.items() if source in known})
    }
    majority, notices = majority_classes(stated_by)
    return dataclasses.replace(
        found,
        classes=majority,
        annotator_classes=stated_by,
        notices=(*found.notices, *notices),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What was shown: its id, names that may be that of a source, and the size of the picture."""

    key: str
    names: tuple[str, ...]
    size: tuple[float, float] | None

    def source_among(self, marks: MarkList) -> str:
        """The name that is that of an image, or else the first."""
        known = {image.source for image in marks.file.images or ()}
        fitting = [name for name in self.names if marks.source_of(name) in known]
        return marks.file.source or (fitting or list(self.names))[0]


def _subject(row: Mapping[str, str], line: int) -> _Subject:
    data = _json(row, "subject_data", dict)
    key = (row.get("subject_ids") or next(iter(data), "")).split(";")[0].strip()
    values = data.get(key, next(iter(data.values()), {}))
    if not isinstance(values, dict):
        raise ShapeFault("its subject_data do not hold the data of a subject")
    by_name: dict[str, str] = {}
    for name, value in values.items():
        if text := text_of(value):
            by_name.setdefault(folded(str(name)), text)
    names = tuple(by_name[name] for name in _SOURCE_KEYS if name in by_name)
    if not names:
        names = (key or f"subject on line {line}",)
    return _Subject(key=key, names=names, size=_size(row))


def _size(row: Mapping[str, str]) -> tuple[float, float] | None:
    """Size of the first frame; positions are in its own pixels, however large it was shown."""
    metadata = _json(row, "metadata", dict) if row.get("metadata") else {}
    frames = metadata.get("subject_dimensions")
    first = frames[0] if isinstance(frames, list) and frames else None
    if not isinstance(first, dict) or not first.get("naturalWidth"):
        return None
    size = (
        number(first["naturalWidth"], "naturalWidth"),
        number(first.get("naturalHeight"), "naturalHeight"),
    )
    if min(size) < 1:
        raise ShapeFault("the size of its subject is not above 0")
    return size


def _json(row: Mapping[str, str], column: str, kind: type) -> Any:
    try:
        found = parse_json(row.get(column) or "")
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise ShapeFault(f"its {column} are not the JSON of a Zooniverse export")
    return found


def _drawn(task: Any) -> Iterator[dict[str, Any]]:
    """Marks of a task, also within combined tasks."""
    value = task.get("value") if isinstance(task, dict) else None
    if not isinstance(value, list):
        return
    for entry in value:
        if not isinstance(entry, dict):
            continue
        if "value" in entry and "task" in entry:
            yield from _drawn(entry)
        elif "tool" in entry or "toolIndex" in entry or "toolType" in entry:
            yield entry


def _class_of(task: Any) -> str:
    """The class that an answer states; empty for other answers."""
    value = task.get("value") if isinstance(task, dict) else None
    if isinstance(value, list):
        found = [_class_of(entry) for entry in value if isinstance(entry, dict) and "task" in entry]
        return next(filter(None, found), "")
    word = folded(re.sub(r"!\[.*?\]\(.*?\)", "", value)) if isinstance(value, str) else ""
    return _CLASSES.get(word.removesuffix("galaxy").removeprefix("class"), "")


def _add(
    marks: MarkList, mark: Mapping[str, Any], picture: Picture, line: int, fields: Mapping[str, Any]
) -> None:
    if number(mark.get("frame") or 0, "frame"):
        marks.leave_out(line, _OTHER_FRAME)
        return
    if not _is_read(mark):
        marks.leave_out(line, _OTHER_TOOL)
        return
    tool = mark.get("tool", mark.get("toolIndex"))
    words = {
        "tool_label": [text_of(mark.get("tool_label"))],
        "details": [word for word in map(_detail, mark.get("details") or []) if word],
        "tool": [text_of(tool)],
    }
    words = {kind: of for kind, of in words.items() if any(of)}
    marks.add(_shape(mark, picture), line=line, words=words, **fields)


def _is_read(mark: Mapping[str, Any]) -> bool:
    """Whether a mark is one of the shapes here, and not a column, a line across the picture, a triangle or a fan."""
    if text_of(mark.get("toolType")).lower() in ("triangle", "fan") or "spread" in mark:
        return False
    has = {name for name, value in mark.items() if value is not None}
    return bool(
        has & {"points", "pathX"}
        or has >= {"x1", "y1"}
        or has >= {"x", "y"}
        or has >= {"x_center", "y_center"}
    )


def _detail(detail: Any) -> str:
    return text_of(detail.get("value")) if isinstance(detail, dict) else ""


def _shape(mark: Mapping[str, Any], picture: Picture) -> dict[str, Any]:
    """The shape of a tool, by what it has; both front ends of the Zooniverse are understood."""

    def of(*names: str) -> list[Any]:
        return [mark.get(name) for name in names]

    x, y = mark.get("x_center", mark.get("x")), mark.get("y_center", mark.get("y"))
    has = {name for name, value in mark.items() if value is not None}
    if has >= {"pathX", "pathY"}:
        return _path(pairs(*of("pathX", "pathY")), mark, picture)
    if isinstance(points := mark.get("points"), list):
        if not all(isinstance(point, dict) for point in points):
            raise ShapeFault("its points are not positions with x and y")
        return _path([(point.get("x"), point.get("y")) for point in points], mark, picture)
    if has >= {"x1", "y1", "x2", "y2"}:
        return picture.line([of("x1", "y1"), of("x2", "y2")])
    if has >= {"rx", "ry"}:
        # the newer front end turns ellipses clockwise on the screen, the older one anticlockwise
        turn = number(mark.get("angle") or 0, "angle") * (1 if "x_center" in has else -1)
        return picture.ellipse(x, y, mark["rx"], mark["ry"], turn)
    if has >= {"width", "height"}:
        wide, high = of("width", "height")
        if "x_center" in has:
            x = number(x, "x_center") - number(wide, "width") / 2
            y = number(y, "y_center") - number(high, "height") / 2
        return picture.box(x, y, wide, high, mark.get("angle") or 0)
    if "r" in has:
        return picture.circle(x, y, mark["r"])
    return picture.point(x, y)


def _path(
    points: list[tuple[Any, Any]], mark: Mapping[str, Any], picture: Picture
) -> dict[str, Any]:
    """A polygon; a line where it was not closed."""
    places = [(number(x, "x"), number(y, "y")) for x, y in points]
    if len(set(places)) == 1:
        return picture.point(*places[0])
    open_ended = mark.get("closed") is False or "line" in text_of(mark.get("toolType")).lower()
    if open_ended or len(set(places)) == 2:
        return picture.line(places)
    return picture.polygon(places)
