"""Readers of image files, one module for each format, chosen by the content of a file."""

from attnxai.data.readers import fits, npy, png
from attnxai.data.readers.registry import (
    READERS,
    ImageContent,
    ImageReader,
    is_image_name,
    read_content,
    register_reader,
    without_ending,
)

__all__ = [
    "READERS",
    "ImageContent",
    "ImageReader",
    "fits",
    "is_image_name",
    "npy",
    "png",
    "read_content",
    "register_reader",
    "without_ending",
]
