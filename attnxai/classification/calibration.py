"""The temperature of a model, fitted to images that it was not trained on."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

from attnxai.classification.metrics import ClassificationMetrics, classification_metrics
from attnxai.classification.prediction import class_labels, class_scores
from attnxai.classification.temperature import fit_temperature
from attnxai.data.images import SourceSet
from attnxai.data.short_repr import short_repr
from attnxai.errors import AttnxaiWarning, DataSetError, FewSourcesWarning

if TYPE_CHECKING:
    import numpy as np
    import torch

    from attnxai.classification.temperature import TemperatureFit
    from attnxai.models.model import AttentionModel


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recalibration:
    """A model with a new temperature, and metrics before and after on the images that it was fitted to."""

    model: AttentionModel
    before: ClassificationMetrics
    after: ClassificationMetrics
    fit: TemperatureFit

    __repr__ = short_repr


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

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:2])
    >>> chosen, own = attnxai.classification.calibration_images(attnxai.load_model("d8.pt"), images)
    >>> len(chosen), own
    (2, False)
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
        With temperature 1, and a warning, when its validation images fix none or are fewer than 15.

    Raises
    ------
    DataSetError
        If its validation sources are not among the images.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_mirabest("data/mirabest")  # doctest: +SKIP
    >>> model = attnxai.classification.calibrated(attnxai.load_model("d8.pt"), images)  # doctest: +SKIP
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
    return dataclasses.replace(model, temperature=1.0 if fit.obstacle else fit.temperature)


def recalibrated(
    model: AttentionModel,
    images: SourceSet,
    *,
    own: bool = True,
    data_name: str = "other data",
    device: str | torch.device | None = None,
    rng: np.random.Generator | int = 0,
) -> Recalibration:
    """Fit the temperature to what :func:`calibration_images` chose, and measure the model before and after.

    If these are not the model's own validation images (``own``), the model gets a note, which names the data. A
    DataSetError is raised where the images fix no temperature.
    """
    notes = model.notes
    if not own:
        note = (
            f"the temperature was fitted to {len(images)} images of {data_name} that are not the model's "
            "validation images, so that probabilities of these are not held out"
        )
        warnings.warn(
            f"{model.name} has no validation images among the images given: {note}",
            AttnxaiWarning,
            stacklevel=2,
        )
        notes = (*notes, note)
    scores = class_scores(model, images, device=device)
    positions = class_labels(model, images)
    with warnings.catch_warnings():
        # the same is an error here, since there is nothing to write
        warnings.simplefilter("ignore", FewSourcesWarning)
        fit = fit_temperature(scores, positions)
    if fit.obstacle:
        raise DataSetError(f"no temperature can be fitted to {model.name}: {fit.obstacle}")
    before, after = (
        classification_metrics(
            scores, positions, model.class_names, temperature=temperature, rng=rng
        )
        for temperature in (model.temperature, fit.temperature)
    )
    changed = dataclasses.replace(model, temperature=fit.temperature, notes=notes)
    return Recalibration(model=changed, before=before, after=after, fit=fit)
