"""Readers of annotation files, one module for each format, chosen by the content of a file."""

from attnxai.annotations.readers import (
    claran,
    components,
    crtf,
    ds9,
    ecsv,
    fits_regions,
    fits_table,
    masks,
    parquet,
    rgz_experts,
    table,
    table_writer,
    votable,
    workbook,
)
from attnxai.annotations.readers.registry import (
    READERS,
    AnnotationFile,
    AnnotationReader,
    open_annotations,
    read_annotations,
    register_reader,
)
from attnxai.annotations.writers import WRITERS, register_writer, write_annotations

__all__ = [
    "READERS",
    "WRITERS",
    "AnnotationFile",
    "AnnotationReader",
    "claran",
    "components",
    "crtf",
    "ds9",
    "ecsv",
    "fits_regions",
    "fits_table",
    "masks",
    "open_annotations",
    "parquet",
    "read_annotations",
    "register_reader",
    "register_writer",
    "rgz_experts",
    "table",
    "table_writer",
    "votable",
    "workbook",
    "write_annotations",
]
