"""Images of sources, where they lie on the sky, and readers of image files."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnxai.data.readers import ImageContent as ImageContent
    from attnxai.data.readers import image_readers as image_readers
    from attnxai.data.readers import register_reader as register_reader

__all__ = ["ImageContent", "image_readers", "register_reader"]


def __getattr__(name: str) -> Any:
    # imported when used, so that the command line starts without NumPy
    if name not in __all__:
        raise AttributeError(f"module 'attnxai.data' has no attribute {name!r}")
    return getattr(importlib.import_module("attnxai.data.readers"), name)
