"""Images to turn: simulated ones, or some of those that are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from attnxai.data.images import SourceSet, read_images
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
    """Images for an audit of a model.

    Parameters
    ----------
    model : AttentionModel
        The model, whose pixel scale simulated images have.
    images : str, optional
        ``mirabest``, a folder of images, or one image; simulated galaxies when left out.
    side : int
        Side of the field in pixels, which simulated images cover.
    n_images : int
        Images, drawn at random where there are more.
    data_dir : path, optional
        Where MiraBest lies.
    pixel_scale_arcsec : float, optional
        Side of a pixel, for images that do not state it.
    rng : numpy.random.Generator or int
        Source of randomness.

    Returns
    -------
    SourceSet
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
