"""Annotations as an annotation table, which holds everything that is known of a mark."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.shapes import fields_of
from attnxai.annotations.table_columns import COLUMNS
from attnxai.annotations.writers import HELD, register_writer
from attnxai.data.csv_table import plain_cell, spreadsheet_cell
from attnxai.data.images import SourceImage

_ALWAYS = ("source", "annotator", "shape", "x", "y", "frame", "label")


@register_writer("annotation table (CSV)", extension=".csv", holds=HELD, by_ending=True)
def write_table(annotations: AnnotationSet, _: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One table of all annotations."""
    return {"annotations.csv": table_text(annotations).encode(errors="backslashreplace")}


def table_text(annotations: AnnotationSet) -> str:
    r"""The annotation table as text, with the columns that are used.

    Numbers are written so that they are read back as the same; text that a spreadsheet would evaluate gets an
    apostrophe in front, which the reader takes off.

    Examples
    --------
    >>> import attnxai
    >>> sample = attnxai.read_annotations("expert.csv")
    >>> table_text(sample).partition("\n")[0]
    'source,annotator,shape,x,y,width,height,radius,angle,vertices,frame,label,class,image'
    """
    rows = [_row(annotation, annotations) for annotation in annotations.annotations]
    extra = list(
        dict.fromkeys(name for annotation in annotations.annotations for name in annotation.other)
    )
    names = {name: _free_name(name) for name in extra}
    for row, annotation in zip(rows, annotations.annotations, strict=True):
        row.update({names[name]: _text(value) for name, value in annotation.other.items()})
    used = {name for row in rows for name, value in row.items() if value != ""}
    header = [name for name in COLUMNS if name in used or name in _ALWAYS]
    header += [name for name in dict.fromkeys(names.values()) if name in used]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_text(name) for name in header])
    writer.writerows([row.get(name, "") for name in header] for row in rows)
    return stream.getvalue()


def _row(annotation: Annotation, annotations: AnnotationSet) -> dict[str, Any]:
    shape, source = annotation.shape, annotation.source
    by_annotator = annotations.annotator_classes.get(annotation.annotator)
    classes = annotations.classes if by_annotator is None else by_annotator
    row: dict[str, Any] = {
        "source": _text(source),
        "annotator": _text(annotation.annotator),
        "shape": str(shape.kind),
        "frame": str(shape.frame),
        "label": str(annotation.label),
        "class": _text(classes.get(source, "")),
        "weight": "" if annotation.weight == 1 else repr(float(annotation.weight)),
        "image": _text(annotations.images.get(source, "")),
        "operation": "" if annotation.operation == "add" else str(annotation.operation),
        "group": _text(annotation.group),
        "round": "" if annotation.round == 1 else annotation.round,
    }
    for field in fields_of(shape.kind):
        if field == "vertices":
            row[field] = "; ".join(f"{float(x)!r} {float(y)!r}" for x, y in shape.vertices)
        elif field != "angle" or shape.angle:
            row[field] = repr(float(getattr(shape, field)))
    return row


def _text(value: str) -> str:
    """Text as the reader gives it back, though a spreadsheet does not evaluate it."""
    return str(spreadsheet_cell(f"'{value}" if plain_cell(value) != value else value))


def _free_name(name: str) -> str:
    """The name of a further column, which must not be that of another."""
    return f"{name} (further)" if name.strip().lower() in COLUMNS or not name.strip() else name
