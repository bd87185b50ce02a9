"""Readers of annotation files, one module for each format, chosen by the content of a file."""

from attnxai.annotations.readers import claran, rgz_experts, table
from attnxai.annotations.readers.registry import (
    READERS,
    AnnotationFile,
    AnnotationReader,
    open_annotations,
    read_annotations,
    register_reader,
)

__all__ = [
    "READERS",
    "AnnotationFile",
    "AnnotationReader",
    "claran",
    "open_annotations",
    "read_annotations",
    "register_reader",
    "rgz_experts",
    "table",
]
