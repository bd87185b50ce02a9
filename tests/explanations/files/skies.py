"""Images with coordinates on the sky, and stacks of maps for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.wcs import WCS

from attnxai.data.grid import GridTransform, PixelGrid
from attnxai.data.images import SourceImage, SourceSet
from attnxai.explanations.stack import MapStack, Split

SHAPE = (40, 44)
SCALE = 1.8


def sky(i: int = 0, *, angle: float = 0.0, shape: tuple[int, int] = SHAPE, **cards: Any) -> WCS:
    """Tangential coordinates whose reference pixel is in the middle, turned by an angle (degrees)."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    values = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRPIX1": (shape[1] + 1) / 2,
        "CRPIX2": (shape[0] + 1) / 2,
        "CRVAL1": 150.0 + i,
        "CRVAL2": 40.0 + i,
        "CDELT1": -SCALE / 3600,
        "CDELT2": SCALE / 3600,
        "PC1_1": c,
        "PC1_2": -s,
        "PC2_1": s,
        "PC2_2": c,
        "RADESYS": "FK5",
        "EQUINOX": 2000.0,
    }
    return WCS(values | cards)


def images(n: int = 4, *, angle: float = 0.0, **more: Any) -> SourceSet:
    """Images with a blob away from all symmetries, on noise."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    found = []
    for i in range(n):
        blob = np.exp(-((x - 14 - i) ** 2 / 30 + (y - 12) ** 2 / 10))
        grid = PixelGrid(shape=SHAPE, wcs=sky(i, angle=angle))
        pixels = rng.normal(0, 0.01, SHAPE) + blob
        found.append(SourceImage(source=f"J{i}+4", pixels=pixels, grid=grid, **more))
    return SourceSet(found, origin="made up")


def stack(n: int = 4, **changes: Any) -> MapStack:
    """Two layers of different resolution on a field of 32 x 32 pixels in the middle of the images."""
    rng = np.random.default_rng(4)
    names = tuple(image.source for image in images(n))
    values: dict[str, Any] = {
        "model_name": "d4.pt",
        "sources": names,
        "layers": {
            "gate1": rng.normal(size=(n, 8, 8)).astype(np.float32),
            "grad cam 3.6″": rng.normal(size=(n, 34, 34)).astype(np.float32),
        },
        "geometry": {
            "gate1": GridTransform(step=4.0, origin_x=1.5, origin_y=1.5),
            "grad cam 3.6″": GridTransform(origin_x=-1.0, origin_y=-1.0),
        },
        "field": tuple(GridTransform(origin_x=6.0, origin_y=4.0 + i / 3) for i in range(n)),
        "brightness": rng.random((n, 32, 32)).astype(np.float32),
        "valid": rng.random((n, 32, 32)) > 0.1,
        "field_scale_arcsec": SCALE,
        "splits": (Split.TRAINING, Split.HELD_OUT, Split.UNKNOWN, Split.VALIDATION)[:n],
        "scores": rng.normal(size=(n, 2)),
        "class_names": ("FR I", "FR II"),
        "temperature": 1.25,
        "means": {"both": ("gate1", "grad cam 3.6″")},
        "provenance": {
            "file": "d4.pt",
            "sha256": "0" * 64,
            "architecture": "steerable",
            "group": "D4",
            "n_parameters": 1234,
            "validation_accuracy": 0.1 + 0.2,
            "notes": ["one"],
            "explanations": [{"name": "gates", "title": "attention maps"}],
        },
    }
    return MapStack(**values | changes)
