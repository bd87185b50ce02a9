"""Annotations as an annotation table, which holds everything that is known of a mark."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.shapes import Frame, fields_of
from attnxai.annotations.table_columns import COLUMNS, GEOMETRY, LENGTHS
from attnxai.annotations.writers import HELD, register_writer
from attnxai.data.csv_table import plain_cell, spreadsheet_cell
from attnxai.data.images import SourceImage

if TYPE_CHECKING:
    from astropy.table import Table

_NUMBERS = {*GEOMETRY, "weight", "round"} - {"vertices"}
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
    header, rows = table_rows(annotations)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([row.get(name, "") for name in header] for row in rows)
    return stream.getvalue()


def table_rows(annotations: AnnotationSet) -> tuple[list[str], list[dict[str, str]]]:
    """Names of the columns that are used, and the cells of every row by these names, as text."""
    rows = [_row(annotation, annotations) for annotation in annotations.annotations]
    extra = list(
        dict.fromkeys(name for annotation in annotations.annotations for name in annotation.other)
    )
    names = {name: _text(_free_name(name)) for name in extra}
    for row, annotation in zip(rows, annotations.annotations, strict=True):
        row.update({names[name]: _text(value) for name, value in annotation.other.items()})
    used = {name for row in rows for name, value in row.items() if value != ""}
    header = [name for name in COLUMNS if name in used or name in _ALWAYS]
    header += [name for name in dict.fromkeys(names.values()) if name in used]
    return header, rows


def typed_columns(annotations: AnnotationSet) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Columns of the table by their names, and units: for formats that have types.

    Numbers are numbers, and None where a shape has none; what is missing of a text is empty. Units are stated where all
    shapes lie in one frame.
    """
    header, rows = table_rows(annotations)
    columns: dict[str, list[Any]] = {}
    for name in header:
        kind = int if name == "round" else float if name in _NUMBERS else None
        cells = [row.get(name, "") for row in rows]
        columns[name] = cells if kind is None else [kind(c) if c else None for c in cells]
    frames = {annotation.shape.frame for annotation in annotations.annotations}
    if len(frames) > 1:
        return columns, {}
    place, length = ("pix", "pix") if Frame.PIXEL in frames else ("deg", "arcsec")
    units = dict.fromkeys(("x", "y"), place) | dict.fromkeys(LENGTHS, length) | {"angle": "deg"}
    return columns, {name: unit for name, unit in units.items() if name in columns}


def astropy_table(annotations: AnnotationSet) -> Table:
    """The annotation table as astropy's, with masked numbers where a shape has none."""
    import numpy as np
    from astropy.table import MaskedColumn, Table

    columns, units = typed_columns(annotations)
    table = Table()
    for name, values in columns.items():
        if name in _NUMBERS:
            missing = [value is None for value in values]
            filled = np.array([0 if value is None else value for value in values])
            mask = missing if any(missing) else False
            table[name] = MaskedColumn(filled, mask=mask, unit=units.get(name))
        else:
            table[name] = np.array(values, dtype=str)
    return table


def _row(annotation: Annotation, annotations: AnnotationSet) -> dict[str, str]:
    shape, source = annotation.shape, annotation.source
    by_annotator = annotations.annotator_classes.get(annotation.annotator)
    classes = annotations.classes if by_annotator is None else by_annotator
    row: dict[str, str] = {
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
        "round": "" if annotation.round == 1 else str(annotation.round),
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
