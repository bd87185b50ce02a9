"""Measure a model for its card."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.audit.equivariance import symmetry_errors
from attnxai.audit.equivariance_result import Symmetry
from attnxai.audit.evidence_location import evidence_location
from attnxai.classification.metrics import classification_metrics
from attnxai.classification.prediction import class_labels, class_scores
from attnxai.data.images import SourceSet
from attnxai.data.mirabest import is_mirabest_source
from attnxai.errors import AttnxaiWarning, FewSourcesWarning, OptionError, UndefinedValuesWarning
from attnxai.explanations.inputs import split_of
from attnxai.explanations.stack import Split
from attnxai.models.cards import (
    ACCURACY,
    P_IF_CALIBRATED,
    SYMMETRY_ERRORS,
    TEST,
    VALIDATION,
    ModelCard,
    PartMetrics,
    measured,
)
from attnxai.models.elements import IDENTITY
from attnxai.models.network import AttentionNetwork
from attnxai.statistics.interval import CONFIDENCE_LEVEL, Interval

if TYPE_CHECKING:
    import torch

    from attnxai.models.model import AttentionModel, TrainingRecord

N_BOOTSTRAP = 10_000
CONFIDENT = f"{TEST}, confident"
SYMMETRY_IMAGES = 16
"""Images on which a card measures how exact symmetries are."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CardImages:
    """Images that a model card is measured on.

    ``parts`` are ``validation`` and, on request, ``test`` and, of MiraBest, ``test, confident``: the test
    images of whose class Miraghaei & Best (2017) were sure. ``n_held_out`` counts the images outside the test
    split that the model was neither trained nor validated on; it is None where not all images of the training
    are there.
    """

    parts: Mapping[str, SourceSet]
    n_held_out: int | None


def card_images(model: AttentionModel, images: SourceSet, *, test: bool = False) -> CardImages:
    """Choose the images to measure a model on, of the labelled images that it was trained with.

    The published test split should be looked at once, when every choice has been made.
    """
    record = _record(model)
    if not record.validation_sources:
        raise OptionError(
            f"the record of {model.name} names no images that it was validated on, so no card can be made"
        )
    present = set(images.sources)
    missing = [s for s in record.validation_sources if s not in present]
    if missing:
        raise OptionError(
            f"{len(missing)} of the {len(record.validation_sources)} images that {model.name} was "
            f"validated on are missing, such as {missing[0]}; give the images that it was trained with"
        )
    used = {*record.train_sources, *record.validation_sources}
    known = used <= present
    if not known:
        warnings.warn(
            f"{len(used - present)} of the {len(record.train_sources)} images that {model.name} was "
            "trained on are missing, so it is not known whether these are the same images and how many "
            "were held out",
            AttnxaiWarning,
            stacklevel=2,
        )
    elif images.select(sorted(used)).sha256() != record.data_sha256:
        raise OptionError(
            f"the images have the ids but not the pixels of those that {model.name} was trained with "
            f"(sha256 {record.data_sha256[:12]}); give the same images, prepared in the same way"
        )
    parts = {VALIDATION: images.select(record.validation_sources)}
    if test:
        parts |= _test_parts(model, images)
    others = [i for i in images if i.source not in used and i.split != TEST]
    return CardImages(parts=parts, n_held_out=len(others) if known else None)


def _test_parts(model: AttentionModel, images: SourceSet) -> dict[str, SourceSet]:
    tests = [image for image in images if image.split == TEST]
    if not tests:
        raise OptionError(
            f"none of the {len(images)} images belongs to a test split; do not ask for a test"
        )
    seen = [i.source for i in tests if split_of(model, i) is not Split.HELD_OUT]
    if seen:
        raise OptionError(
            f"{model.name} was trained or validated on {len(seen)} of the {len(tests)} test images or on "
            f"copies of them, such as {seen[0]}; they do not test it, so do not ask for a test"
        )
    confident = [i for i in tests if is_mirabest_source(i.source) and i.source[1] == "0"]
    parts = {TEST: SourceSet(tests, origin=images.origin)}
    if confident and len(confident) < len(tests):
        parts[CONFIDENT] = SourceSet(confident, origin=images.origin)
    return parts


def measure_card(
    model: AttentionModel,
    images: CardImages,
    *,
    name: str,
    measured_on: str,
    rng: np.random.Generator,
    n_bootstrap: int = N_BOOTSTRAP,
    device: str | torch.device | None = None,
    on_part: Callable[[str], object] | None = None,
) -> ModelCard:
    """Measure a model on parts of its data, and add everything that its file says.

    Numbers that are undefined, and ends of intervals that do not exist, are None. ``on_part`` is called with
    the name of each part before it is measured.
    """
    record = _record(model)
    if not model.path:
        raise OptionError(f"{model.name} was not loaded from a file, so no card can be made")
    parts = {}
    for part, chosen in images.parts.items():
        if on_part is not None:
            on_part(part)
        parts[part] = _measure(model, chosen, rng, n_bootstrap, device)
    epoch, trained = record.metrics.get("epoch"), record.metrics.get("epochs_trained")
    if trained is None:
        trained = record.settings.get("epochs")
    seed = record.settings.get("seed")
    return ModelCard(
        name=name,
        architecture=str(model.spec.architecture),
        group=model.spec.group,
        fields=tuple(getattr(model.spec, "fields", ())),
        n_parameters=sum(p.numel() for p in model.network.parameters()),
        file_bytes=Path(model.path).stat().st_size,
        sha256=model.sha256,
        size=model.preprocessing.size,
        pixel_scale_arcsec=model.preprocessing.pixel_scale_arcsec,
        binning=getattr(model.spec, "binning", 1),
        normalisation=str(getattr(model.spec, "normalisation", "")),
        layer_order=str(getattr(model.spec, "layer_order", "")),
        class_names=model.class_names,
        data=record.data,
        data_licence=record.data_licence,
        data_sha256=record.data_sha256,
        n_train=len(record.train_sources),
        n_validation=len(record.validation_sources),
        n_held_out=images.n_held_out,
        seed=int(seed) if seed is not None else None,
        settings={str(key): _plain(value) for key, value in record.settings.items()},
        epoch=int(epoch) + 1 if epoch is not None else None,
        n_epochs=int(trained) if trained is not None else None,
        command=record.command,
        versions={str(key): str(value) for key, value in record.versions.items()},
        temperature=model.temperature,
        notes=model.notes,
        measured_on=measured_on,
        n_bootstrap=n_bootstrap,
        level=CONFIDENCE_LEVEL,
        parts=parts,
    )


def _record(model: AttentionModel) -> TrainingRecord:
    if model.training is None:
        raise OptionError(f"{model.name} has no record of its training, so no card can be made")
    return model.training


def _plain(value: Any) -> float | str | bool:
    finite = isinstance(value, int | float) and math.isfinite(value)
    return value if finite or isinstance(value, bool) else str(value)


def _measure(
    model: AttentionModel,
    images: SourceSet,
    rng: np.random.Generator,
    n_bootstrap: int,
    device: str | torch.device | None,
) -> PartMetrics:
    labels = class_labels(model, images)
    with warnings.catch_warnings():
        # a card shows that there is no interval
        warnings.simplefilter("ignore", FewSourcesWarning)
        metrics = classification_metrics(
            class_scores(model, images, device=device),
            labels,
            model.class_names,
            temperature=model.temperature,
            n_bootstrap=n_bootstrap,
            level=CONFIDENCE_LEVEL,
            rng=rng,
        )
    reference = metrics.calibrated
    found = {ACCURACY: metrics.accuracy}
    found |= {f"F1 {name}": metrics.f1[name] for name in model.class_names}
    found |= {
        "ROC AUC": metrics.roc_auc,
        "log loss": metrics.log_loss,
        "Brier score": metrics.brier_score,
        "expected calibration error": metrics.expected_calibration_error,
    }
    n = len(images)
    values = {
        name: measured(entry.value, entry.low, entry.high, n) for name, entry in found.items()
    }
    values |= {
        "the same of a calibrated model": measured(reference.mean, n_images=n),
        f"{100 * reference.level:g} % of calibrated models are below": measured(
            reference.high, n_images=n
        ),
        P_IF_CALIBRATED: measured(reference.p_value, n_images=n),
    }
    values |= _audit(model, images, rng, n_bootstrap)
    counts = np.bincount(labels, minlength=len(model.class_names))
    return PartMetrics(
        n_images=n,
        n_by_class={n: int(k) for n, k in zip(model.class_names, counts, strict=True)},
        values=values,
    )


def _audit(
    model: AttentionModel, images: SourceSet, rng: np.random.Generator, n_bootstrap: int
) -> dict[str, Interval]:
    """What each zone of the sky alone tells, and how exactly scores and maps follow the network's symmetries."""
    some = images[:SYMMETRY_IMAGES]
    symmetry = None
    with warnings.catch_warnings():
        # few images have no interval, and maps that are constant no error
        warnings.simplefilter("ignore", FewSourcesWarning)
        warnings.simplefilter("ignore", UndefinedValuesWarning)
        location = evidence_location(model, images, rng=rng, n_bootstrap=n_bootstrap)
        if isinstance(model.network, AttentionNetwork):
            symmetry = symmetry_errors(model, some)
    n, found = len(images), dict[str, Interval]()
    for zone in location.zones:
        # all parts of a card have the same metrics, defined or not
        nothing = measured(None, n_images=n)
        for name, one in ((ACCURACY, zone.accuracy), ("ROC AUC", zone.auc)):
            own = nothing if one is None else measured(one.value, one.low, one.high, n)
            found[f"{name} from {zone.zone} alone"] = own
        area = zone.area_auc
        of_area = nothing if area is None else measured(area.value, n_images=n)
        found[f"ROC AUC of the area of {zone.zone}"] = of_area
    if symmetry is not None:
        exact = [
            position
            for position, (element, expected) in enumerate(
                zip(symmetry.elements, symmetry.expected, strict=True)
            )
            if expected is Symmetry.EXACT and element != IDENTITY
        ]
        if exact:
            scores = symmetry.score_changes[exact].max() / symmetry.score_spread
            maps = np.nanmax(symmetry.map_errors[exact])
            for name, error in zip(SYMMETRY_ERRORS, (scores, maps), strict=True):
                found[name] = measured(error, n_images=len(some))
    return found
