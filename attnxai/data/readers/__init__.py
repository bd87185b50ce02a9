"""Readers of image files, one module a format; the content of a file decides which one reads it."""

from attnxai.data.readers import fits, npy, png
from attnxai.data.readers.registry import (
    ImageContent,
    ImageReader,
    image_readers,
    is_image_name,
    read_content,
    register_reader,
    without_ending,
)

__all__ = [
    "ImageContent",
    "ImageReader",
    "fits",
    "image_readers",
    "is_image_name",
    "npy",
    "png",
    "read_content",
    "register_reader",
    "without_ending",
]
