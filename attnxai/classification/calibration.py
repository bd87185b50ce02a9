"""Calibrate a model: its temperature, fitted to images that it was not trained on."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

from attnxai.classification.prediction import class_labels, class_scores
from attnxai.classification.temperature import fit_temperature
from attnxai.data.images import SourceSet
from attnxai.errors import AttnxaiWarning, DataSetError

if TYPE_CHECKING:
    import torch

    from attnxai.models.model import AttentionModel


def calibration_images(model: AttentionModel, images: SourceSet) -> tuple[SourceSet, bool]:
    """Images to fit a temperature to.

    Parameters
    ----------
    model : AttentionModel
        The model.
    images : SourceSet
        Labelled images, those that the model was trained on possibly among them.

    Returns
    -------
    chosen : SourceSet
        The model's own validation sources, by its training record. Without a record, or when none of
        them is here, all images that it is not known to have been trained on.
    own : bool
        Whether they are its validation sources.

    Raises
    ------
    DataSetError
        If no image is left.
    """
    record = model.training
    here = set(images.sources)
    own = [s for s in record.validation_sources if s in here] if record is not None else []
    if record is not None and own:
        missing = len(record.validation_sources) - len(own)
        if missing:
            warnings.warn(
                f"{missing} of the {len(record.validation_sources)} validation sources of the model "
                f"{model.name} are not among the images and are left out",
                AttnxaiWarning,
                stacklevel=2,
            )
        return images.select(own), True
    trained = set(record.train_sources) if record is not None else set()
    split = model.trained_on_split
    chosen = SourceSet(
        (
            image
            for image in images
            if image.source not in trained and (split is None or image.split != split)
        ),
        origin=images.origin,
    )
    if not chosen:
        raise DataSetError(
            f"none of the {len(images)} images can calibrate the model {model.name}, since it was "
            "trained on all of them; give images that it has not seen"
        )
    return chosen, False


def calibrated(
    model: AttentionModel,
    images: SourceSet,
    *,
    batch_size: int = 64,
    device: str | torch.device | None = None,
) -> AttentionModel:
    """The model with the temperature that its own validation images give.

    Parameters
    ----------
    model : AttentionModel
        A model with a training record.
    images : SourceSet
        Images with its validation sources among them.
    batch_size, device
        As in :func:`~attnxai.classification.prediction.class_scores`.

    Returns
    -------
    AttentionModel
        With temperature 1, and a warning, when its validation images fix none.

    Raises
    ------
    DataSetError
        If its validation sources are not among the images.
    """
    record = model.training
    if record is None or not set(record.validation_sources) & set(images.sources):
        raise DataSetError(
            f"the validation sources of the model {model.name} are not among the images; without them "
            "no temperature can be fitted"
        )
    chosen, _ = calibration_images(model, images)
    scores = class_scores(model, chosen, batch_size=batch_size, device=device)
    fit = fit_temperature(scores, class_labels(model, chosen))
    return dataclasses.replace(model, temperature=1.0 if fit.at_bound else fit.temperature)
