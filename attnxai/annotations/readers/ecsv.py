"""Enhanced CSV, the text tables of astropy: CSV under a commented header with types and units."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.readers.astropy_header import described_by, parse_header
from attnxai.annotations.readers.registry import AnnotationFile, register_reader
from attnxai.annotations.readers.table_writer import astropy_table
from attnxai.annotations.table import annotations_of_table
from attnxai.annotations.table_content import TableContent
from attnxai.annotations.writers import HELD, register_writer
from attnxai.data.csv_table import parse_csv
from attnxai.data.images import SourceImage
from attnxai.errors import AnnotationError

_START = re.compile(rb"(?:\xef\xbb\xbf)?# %ECSV \d")


@register_reader("ECSV", recognises=lambda head: _START.match(head) is not None)
def read_ecsv(file: AnnotationFile) -> AnnotationSet:
    """Read an annotation table; an AnnotationError lists line, column and value of every fault."""
    return annotations_of_table(ecsv_content(file), file)


def ecsv_content(file: AnnotationFile) -> TableContent:
    """The table of a file, with the units and the frame that its header states."""
    what = f"ECSV table {file.path}"
    text = file.text()
    lines = text.split("\n")
    n_header = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    described = parse_header([line[1:].removeprefix(" ") for line in lines[1:n_header]], what)
    delimiter = described.get("delimiter", " ")
    if delimiter not in (" ", ","):
        raise AnnotationError(
            f"{what} has the delimiter {str(delimiter)[:20]!r}, which is not one of ECSV"
        )
    header, rows = parse_csv(
        "\n".join(lines[n_header:]),
        what,
        AnnotationError,
        delimiter=str(delimiter),
        first_line=n_header + 1,
    )
    names = [str(column["name"]).strip() for column in described["datatype"]]
    if names != header:
        raise AnnotationError(
            f"{what} names other columns in its first row ({len(header)}) than in its header of YAML ({len(names)}); "
            "correct one of them"
        )
    return described_by(TableContent(header=header, rows=rows, what=what), described)


@register_writer("ECSV", extension=".ecsv", holds=HELD, by_ending=True)
def write_ecsv(annotations: AnnotationSet, _: Mapping[str, SourceImage]) -> dict[str, bytes]:
    """One table of all annotations, with units where all lie in one frame."""
    stream = io.StringIO()
    astropy_table(annotations).write(stream, format="ascii.ecsv", delimiter=",")
    return {"annotations.ecsv": stream.getvalue().encode(errors="backslashreplace")}
