"""The annotation table, version 1, as text: one row per shape, in the usual dialects of CSV."""

from __future__ import annotations

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.table import annotations_of_table
from attnxai.annotations.table_columns import n_known_columns
from attnxai.annotations.table_content import TableContent
from attnxai.data.csv_dialects import header_score, read_table_of_text
from attnxai.errors import AnnotationError


@register_reader(
    "annotation table (CSV)",
    recognises=lambda head: header_score(head, n_known_columns) > 0,
    asked_last=True,
)
def read_table(file: AnnotationFile) -> AnnotationSet:
    """Read an annotation table; an AnnotationError lists line, column and value of every fault."""
    what = f"annotation table {file.path}"
    table = read_table_of_text(file.text(), what, AnnotationError, n_known=n_known_columns)
    return annotations_of_table(
        TableContent(
            header=table.header,
            rows=table.rows,
            what=what,
            delimiter=table.delimiter,
            notes=table.notes,
        ),
        file,
    )


def parse_table(text: str, *, path: str = "") -> AnnotationSet:
    """Parse the text of an annotation table; see :func:`read_table`."""
    return read_table(AnnotationFile(path=path, content=text.encode()))
