"""FITS files of one image, as tests write them."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

from astropy.io import fits

SHAPE = (12, 17)


def write_fits(path: Path, pixels: Any, header: Any = None) -> Path:
    buffer = io.BytesIO()
    fits.PrimaryHDU(pixels, header).writeto(buffer)
    content = buffer.getvalue()
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return path
