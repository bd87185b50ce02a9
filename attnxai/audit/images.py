"""Images to turn: simulated ones, or some of those that are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage, SourceSet, assume_pixel_scale, read_images
from attnxai.data.mirabest import read_mirabest
from attnxai.data.simulation import CLASS_NAMES, Survey, simulate_source
from attnxai.models.model import AttentionModel


def audit_images(
    model: AttentionModel,
    images: str | None = None,
    *,
    side: int,
    n_images: int = 12,
    data_dir: str | Path | None = None,
    pixel_scale_arcsec: float | None = None,
    rng: np.random.Generator | int = 0,
) -> SourceSet:
    """Images for an audit of a model, drawn at random where there are more.

    ``images`` is ``mirabest``, a folder of images, or one image; without it they are simulated galaxies with the pixel scale
    of the model, which cover a field of ``side`` pixels.
    """
    rng = np.random.default_rng(rng)
    if images is None:
        survey = Survey(
            side=side + side % 2, pixel_scale_arcsec=model.preprocessing.pixel_scale_arcsec
        )
        return SourceSet(
            (
                simulate_source(
                    CLASS_NAMES[index % len(CLASS_NAMES)],
                    source=f"simulated_{index + 1:03d}",
                    rng=rng,
                    survey=survey,
                ).image
                for index in range(n_images)
            ),
            origin="simulated galaxies",
        )
    if images.lower() == "mirabest":
        found = read_mirabest(data_dir)
    else:
        found = read_images(images, pixel_scale_arcsec=pixel_scale_arcsec)
    if len(found) <= n_images:
        return found
    positions = np.sort(rng.choice(len(found), size=n_images, replace=False))
    return SourceSet((found[int(position)] for position in positions), origin=found.origin)


def prepared_images(model: AttentionModel, images: Sequence[SourceImage]) -> list[SourceImage]:
    """Images that hold what a model sees of others, so that these are prepared once and not for every explanation."""
    preprocessing = model.preprocessing
    views = [preprocessing.view(image) for image in images]
    n_assumed = sum(view.scale_assumed for view in views)
    assume_pixel_scale(n_assumed, len(images), preprocessing.pixel_scale_arcsec)
    return [
        SourceImage(
            source=image.source,
            pixels=view.brightness,
            grid=PixelGrid(
                shape=view.brightness.shape,
                pixel_scale_arcsec=preprocessing.pixel_scale_arcsec,
                row_zero=image.grid.row_zero,
            ),
            prepared=True,
            class_name=image.class_name,
            split=image.split,
            footprint=view.footprint,
        )
        for image, view in zip(images, views, strict=True)
    ]
