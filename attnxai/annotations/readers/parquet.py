"""Annotation tables in Parquet, the column files of pandas, Spark and astropy."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.readers.astropy_header import described_by, parse_header
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.readers.table_writer import typed_columns
from attnxai.annotations.table import annotations_of_table
from attnxai.annotations.table_content import TableContent, check_size, text_of_cell
from attnxai.annotations.writers import HELD, register_writer
from attnxai.data.images import SourceImage
from attnxai.data.wording import first_of
from attnxai.errors import AnnotationError

_OF_ASTROPY = b"table_meta_yaml"
_BATCH_ROWS = 4096
# a page may claim any size before it is unpacked
_MOST_UNPACKED = 50


@register_reader("Parquet", recognises=lambda head: head.startswith(b"PAR1"))
def read_parquet(file: AnnotationFile) -> AnnotationSet:
    """Read an annotation table; an AnnotationError lists row, column and value of every fault."""
    return annotations_of_table(parquet_content(file), file)


def parquet_content(file: AnnotationFile) -> TableContent:
    """The table of a file, with the units that its columns or the header of astropy state.

    Raises
    ------
    AnnotationError
        If the file is damaged, holds columns within columns, or claims more than can be read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    what, content = f"Parquet table {file.path}", file.unpacked()
    try:
        opened = parquet.ParquetFile(io.BytesIO(content), pre_buffer=False)
        schema = opened.schema_arrow
        text = [field.name for field in schema if _is_text(field.type)]
        # a value that recurs is kept once
        opened = parquet.ParquetFile(io.BytesIO(content), pre_buffer=False, read_dictionary=text)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(what, error) from error
    metadata = opened.metadata
    check_size(what, metadata.num_rows, len(schema))
    nested = [field.name for field in schema if pa.types.is_nested(field.type)]
    if nested:
        raise AnnotationError(
            f"{what} holds columns within columns or lists ({first_of([name[:40] for name in nested], 5)}), but a cell of an "
            'annotation table is a number or text; write positions as "x y; x y; ..."'
        )
    unpacked = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if unpacked > _MOST_UNPACKED * len(content) + (1 << 26):
        raise AnnotationError(
            f"{what} claims {unpacked:,} bytes, far more than its {len(content):,}"
        )
    units = {
        field.name: (field.metadata or {}).get(b"unit", b"").decode(errors="replace")
        for field in schema
    }
    # what pandas keeps of the numbers of rows
    names = [field.name for field in schema if not field.name.startswith("__index_level_")]
    table = TableContent(
        header=names,
        rows=_rows(opened, names, what),
        what=what,
        item="row",
        units={name: unit for name, unit in units.items() if unit},
    )
    header = (schema.metadata or {}).get(_OF_ASTROPY)
    if header is None:
        return table
    described = parse_header(header.decode(errors="replace").splitlines(), what)
    return described_by(table, described)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)
    )


def _rows(opened: Any, names: list[str], what: str) -> Iterable[tuple[int, list[str]]]:
    """Rows with some content, a batch at a time."""
    import pyarrow as pa

    number = 0
    try:
        for batch in opened.iter_batches(batch_size=_BATCH_ROWS, columns=names):
            columns = [_texts(batch.column(name)) for name in names]
            for row in zip(*columns, strict=True):
                number += 1
                if any(row):
                    yield number, list(row)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise _damaged(what, error) from error


def _texts(column: Any) -> list[str]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        values = [text_of_cell(value) for value in column.dictionary.to_pylist()]
        return ["" if i is None else values[i] for i in column.indices.to_pylist()]
    return [text_of_cell(value) for value in column.to_pylist()]


def _damaged(what: str, error: Exception) -> AnnotationError:
    return AnnotationError(f"{what} is damaged: {' '.join(str(error).split())[:150]}")


@register_writer("Parquet", extension=".parquet", holds=HELD, by_ending=True)
def write_parquet(annotations: AnnotationSet, _: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One table of all annotations, with units at its columns where all lie in one frame."""
    import pyarrow as pa
    from pyarrow import parquet

    columns, units = typed_columns(annotations)
    arrays = [pa.array(values) for values in columns.values()]
    fields = [
        pa.field(name, array.type, metadata={"unit": units[name]} if name in units else None)
        for name, array in zip(columns, arrays, strict=True)
    ]
    stream = io.BytesIO()
    parquet.write_table(pa.table(arrays, schema=pa.schema(fields)), stream)
    return {"annotations.parquet": stream.getvalue()}
