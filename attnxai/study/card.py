"""Measure a model for its card."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnxai.classification.metrics import classification_metrics
from attnxai.classification.prediction import class_scores
from attnxai.data.images import SourceSet
from attnxai.data.mirabest import is_mirabest_source
from attnxai.errors import FewSourcesWarning, OptionError
from attnxai.models.cards import Measured, ModelCard, PartMetrics

if TYPE_CHECKING:
    from attnxai.classification.resampling import MetricInterval
    from attnxai.models.model import AttentionModel

N_RESAMPLES = 10_000


def parts_of(model: AttentionModel, images: SourceSet) -> dict[str, SourceSet]:
    """The parts of a data set that a card of a model speaks of.

    Parameters
    ----------
    model : AttentionModel
        With its training record.
    images : SourceSet
        Labelled images, those of the test split among them.

    Returns
    -------
    dict of str to SourceSet
        ``validation`` and ``test``, and of MiraBest ``test, confident``: the test images of whose class
        Miraghaei & Best (2017) were sure. Parts without images are left out.

    Raises
    ------
    OptionError
        If the model does not say what it was validated on, or these images are missing.
    """
    if model.training is None:
        raise OptionError(f"{model.name} has no record of its training, so no card can be made")
    present = set(images.sources)
    missing = [s for s in model.training.validation_sources if s not in present]
    if missing:
        raise OptionError(
            f"{len(missing)} of the images that {model.name} was validated on are missing, such as "
            f"{missing[0]}; give the images that it was trained with"
        )
    test = [image for image in images if image.split == "test"]
    confident = [i for i in test if is_mirabest_source(i.source) and i.source[1] == "0"]
    parts = {
        "validation": images.select(model.training.validation_sources),
        "test": SourceSet(test),
        "test, confident": SourceSet(confident),
    }
    return {name: part for name, part in parts.items() if len(part)}


def measure_card(
    model: AttentionModel,
    parts: Mapping[str, SourceSet],
    *,
    name: str,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> ModelCard:
    """Measure a model on parts of its data and put down everything that its file says.

    Parameters
    ----------
    model : AttentionModel
        Loaded from a file, with its training record.
    parts : mapping of str to SourceSet
        Labelled images, such as :func:`parts_of` gives them.
    name : str
        Name of the model in the card.
    rng : numpy.random.Generator
        For the bootstrap.
    n_resamples : int
        Resamples of the images.

    Returns
    -------
    ModelCard
    """
    record = model.training
    if record is None or not model.path:
        raise OptionError(f"{model.name} has no file with a record of its training")
    return ModelCard(
        name=name,
        group=model.spec.group,
        fields=tuple(model.spec.fields),
        n_parameters=sum(p.numel() for p in model.network.parameters()),
        file_bytes=Path(model.path).stat().st_size,
        sha256=model.sha256,
        class_names=model.class_names,
        data=record.data,
        data_licence=record.data_licence,
        data_sha256=record.data_sha256,
        n_train=len(record.train_sources),
        n_validation=len(record.validation_sources),
        seed=int(record.settings.get("seed", 0)),
        command=record.command,
        versions=dict(record.versions),
        temperature=model.temperature,
        parts={part: _measure(model, images, rng, n_resamples) for part, images in parts.items()},
    )


def _measure(
    model: AttentionModel, images: SourceSet, rng: np.random.Generator, n_resamples: int
) -> PartMetrics:
    labels = np.array([model.class_names.index(str(image.class_name)) for image in images])
    with warnings.catch_warnings():
        # a card shows that there is no interval
        warnings.simplefilter("ignore", FewSourcesWarning)
        metrics = classification_metrics(
            class_scores(model, images),
            labels,
            model.class_names,
            temperature=model.temperature,
            n_resamples=n_resamples,
            rng=rng,
        )
    values = {"accuracy": _measured(metrics.accuracy)}
    values |= {f"F1 {name}": _measured(metrics.f1[name]) for name in model.class_names}
    values |= {
        "ROC AUC": _measured(metrics.roc_auc),
        "log loss": _measured(metrics.log_loss),
        "Brier score": _measured(metrics.brier_score),
        "expected calibration error": _measured(metrics.expected_calibration_error),
        "the same, if calibrated": Measured(value=metrics.calibrated.mean),
    }
    return PartMetrics(n_images=len(images), values=values)


def _measured(interval: MetricInterval) -> Measured:
    def known(number: float) -> float | None:
        return float(number) if math.isfinite(number) else None

    return Measured(value=known(interval.value), low=known(interval.low), high=known(interval.high))
