"""Images for audits: simulated ones, or those that are given, with their classes as far as they are known."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from attnxai.agreement.comparison.comparing import group_of_verdict
from attnxai.annotations.inputs import Inputs, list_all_images
from attnxai.audit.given_maps import sources_with_maps
from attnxai.data.batches import find_batches
from attnxai.data.grid import PixelGrid
from attnxai.data.image_files import read_images
from attnxai.data.image_options import ImageKeywords
from attnxai.data.images import SourceImage, SourceSet
from attnxai.data.independence import find_copies
from attnxai.data.label_table import LABELS_NAME, labels_within, with_classes
from attnxai.data.labelled import MIRABEST, check_unused, read_training_images
from attnxai.data.mirabest import read_mirabest
from attnxai.data.simulation import CLASS_NAMES, Survey, simulate_source
from attnxai.errors import LeftOutWarning
from attnxai.explanations.files.map_chunks import MapChunks
from attnxai.explanations.inputs import NetworkInputs, splits_of
from attnxai.explanations.stack import MapStack
from attnxai.models.model import AttentionModel


def audit_images(
    model: AttentionModel,
    images: str | None = None,
    *,
    side: int,
    n_images: int = 12,
    data_dir: str | Path | None = None,
    rng: np.random.Generator | int = 0,
    **reading: Unpack[ImageKeywords],
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
        found = read_images(images, **reading)
    if len(found) <= n_images:
        return found
    positions = np.sort(rng.choice(len(found), size=n_images, replace=False))
    return SourceSet((found[int(position)] for position in positions), origin=found.origin)


def prepared_images(model: AttentionModel, images: Sequence[SourceImage]) -> list[SourceImage]:
    """Images that hold what a model sees of others, so that these are prepared once and not for every explanation."""
    views = NetworkInputs.of(model, images).views
    return [
        SourceImage(
            source=image.source,
            pixels=view.brightness,
            grid=PixelGrid(
                shape=view.brightness.shape,
                pixel_scale_arcsec=model.preprocessing.pixel_scale_arcsec,
                row_zero=image.grid.row_zero,
            ),
            prepared=True,
            class_name=image.class_name,
            split=image.split,
            footprint=view.footprint,
        )
        for image, view in zip(images, views, strict=True)
    ]


def with_stated_classes(inputs: Inputs) -> SourceSet:
    """Images of annotated sources, with the classes of the annotations where they state none themselves."""
    stated = inputs.annotations.classes
    return SourceSet(
        (
            image if image.class_name else image.with_facts(class_name=stated.get(image.source))
            for image in inputs.images
        ),
        origin=inputs.data_name,
    )


def read_audit_images(
    images: str | None = None,
    *,
    labels: str | Path | None = None,
    data_dir: str | Path | None = None,
    maps: MapStack | MapChunks | None = None,
    **reading: Unpack[ImageKeywords],
) -> SourceSet:
    """Images to audit a model on, of any kind that ``attnxai maps`` takes, with the classes of labels or names.

    They are MiraBest where none are named, and with ``maps`` those that have maps.
    """
    name = images or MIRABEST
    if maps is not None:
        return _with_maps(name, maps, labels=labels, data_dir=data_dir, **reading)
    folder = Path(name)
    labelled = folder.is_dir() and (labels is not None or (folder / LABELS_NAME).is_file())
    if (
        name.lower() == MIRABEST
        or labelled
        or (folder.exists() and find_batches(folder) is not None)
    ):
        data = read_training_images(name, labels=labels, data_dir=data_dir, **reading)
        return SourceSet(data.images, origin=data.name)
    found = list_all_images(name, data_dir=data_dir, **reading).read()
    return with_classes(found, labels)


def _with_maps(
    name: str,
    maps: MapStack | MapChunks,
    *,
    labels: str | Path | None,
    data_dir: str | Path | None,
    **reading: Unpack[ImageKeywords],
) -> SourceSet:
    if name.lower() == MIRABEST:
        check_unused(MIRABEST, labels=labels)
    listed = list_all_images(name, data_dir=data_dir, **reading)
    found = listed.read(sources_with_maps(listed.sources, maps))
    beside = labels_within(Path(name)) if Path(name).is_dir() else None
    return with_classes(found, labels, beside)


def group_for_audit(
    model: AttentionModel, images: Sequence[SourceImage]
) -> tuple[str, list[SourceImage]]:
    """The images that conclusions about a model rest on, and how it used them: held-out ones if there are any.

    Images of a source that another image shows are left out with a LeftOutWarning.
    """
    copies = find_copies(images)
    for notice in copies.notices:
        warnings.warn(notice.rstrip("."), LeftOutWarning, stacklevel=3)
    again = copies.kept_for
    images = [image for image in images if image.source not in again]
    splits = splits_of(model, images)
    group = group_of_verdict(splits)
    return group, [image for image, split in zip(images, splits, strict=True) if split == group]
