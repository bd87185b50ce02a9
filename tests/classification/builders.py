"""Small labelled images."""

from __future__ import annotations

import dataclasses

import numpy as np

from attnxai.data.images import SourceSet, from_array


def small_images(n, *, side=16, classes=("class 0", "class 1"), split=None, scale=1.8):
    rng = np.random.default_rng(9)
    return SourceSet(
        (
            dataclasses.replace(
                from_array(
                    rng.integers(0, 255, (side, side)).astype(np.uint8),
                    source=f"s{index:02d}",
                    pixel_scale_arcsec=scale,
                    class_name=classes[index % len(classes)],
                ),
                split=split,
            )
            for index in range(n)
        ),
        origin="made up",
    )


def recorded(model, *, train=(), validation=()):
    record = dataclasses.replace(
        model.training, train_sources=tuple(train), validation_sources=tuple(validation)
    )
    return dataclasses.replace(model, training=record)
