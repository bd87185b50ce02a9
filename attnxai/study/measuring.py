"""Measure one trained model: classes, rotations, and agreement with annotations."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch

from attnxai.alignment.own_emission import within_own_emission
from attnxai.alignment.pairs import align
from attnxai.audit.consistency import rotation_consistency
from attnxai.classification.prediction import class_labels, class_scores
from attnxai.classification.reliability import expected_calibration_error
from attnxai.classification.scoring import accuracy, class_probabilities, f1_scores, roc_auc
from attnxai.errors import OptionError
from attnxai.explanations.explaining import explain
from attnxai.explanations.inputs import splits_of
from attnxai.explanations.stack import Split
from attnxai.metrics import METRICS, TargetKind, own_tables
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork
from attnxai.models.specification import paper_spec
from attnxai.statistics.bootstrap import mean_over_annotators
from attnxai.study.measurement import RunMeasurement
from attnxai.study.quantities import AGREEMENT_LABELS, PRIMARY_MAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.data.images import SourceSet
    from attnxai.metrics.targets import Targets
    from attnxai.models.preprocessing import Preprocessing
    from attnxai.study.data import HeldOutAnnotations, StudyData
    from attnxai.study.plan import MeasureSettings


def measure_model(
    model: AttentionModel,
    data: StudyData,
    settings: MeasureSettings,
    annotated: HeldOutAnnotations | None = None,
    *,
    device: str = "cpu",
) -> RunMeasurement:
    """Measure a trained model, which is on the CPU again afterwards."""
    if model.training is None:
        raise OptionError(f"{model.name} has no record of its training")
    images = data.measured(settings.measure_on, model.training.validation_sources)
    model.network.to(device)
    try:
        values = _classification(model, images) | _consistency(model, images, settings)
        agreement: dict[str, tuple[float, ...]] = {}
        sources: tuple[str, ...] = ()
        if annotated is not None:
            _check_unseen(model, annotated)
            pairs = _pairs(model, annotated, settings.explain)
            agreement, sources = agreement_values(pairs), pairs.sources
    finally:
        model.network.to("cpu")
    return RunMeasurement(
        values=values,
        n_images=len(images),
        sources=sources,
        agreement=agreement,
        left_out=dict(annotated.left_out) if annotated is not None else {},
    )


def _classification(model: AttentionModel, images: SourceSet) -> dict[str, float]:
    scores = class_scores(model, images)
    labels = class_labels(model, images)
    scaled = scores / model.temperature
    f1 = zip(model.class_names, f1_scores(scores, labels), strict=True)
    return {
        "accuracy": accuracy(scores, labels),
        **{f"f1:{name}": float(value) for name, value in f1},
        # with more than two classes the temperature can change the order of log odds
        "auc": roc_auc(scaled, labels),
        "ece": expected_calibration_error(class_probabilities(scores), labels),
        "ece_scaled": expected_calibration_error(class_probabilities(scaled), labels),
    }


def _consistency(
    model: AttentionModel, images: SourceSet, settings: MeasureSettings
) -> dict[str, float]:
    # the same angles for every model
    consistency = rotation_consistency(
        model, images, n_angles=settings.n_angles, rng=np.random.default_rng(settings.seed)
    )
    maps = consistency.map_consistency
    # with a single gate there is no mean of several
    attention = maps[PRIMARY_MAP] if PRIMARY_MAP in maps else next(iter(maps.values()))
    defined = attention[np.isfinite(attention)]
    return {
        "prediction_consistency": float(consistency.class_consistency.mean()),
        "attention_consistency": float(defined.mean()) if defined.size else float("nan"),
    }


def _check_unseen(model: AttentionModel, annotated: HeldOutAnnotations) -> None:
    splits = zip(annotated.images, splits_of(model, annotated.images), strict=True)
    seen = [image.source for image, split in splits if split is not Split.HELD_OUT]
    if seen:
        raise OptionError(
            f"{model.name} was trained or validated on {len(seen)} of the annotated sources, such as "
            f"{seen[0]}; its maps of them cannot be used"
        )


def _pairs(
    model: AttentionModel, annotated: HeldOutAnnotations, methods: Sequence[str]
) -> AlignedPairs:
    """The maps of the methods, in each source's predicted class, on the grid of the annotations.

    Of a method that also has maps layer by layer, such as the evidence of every gate, the whole is kept.
    """
    maps = explain(model, annotated.images, methods)
    pairs = align(
        maps, annotated.annotations, annotated.images, fwhm_arcsec=annotated.request.fwhm_arcsec
    )
    known = set(pairs.explanations)
    kept = {
        name: values
        for name, values in pairs.explanations.items()
        if name.rpartition(" ")[0] not in known
    }
    return dataclasses.replace(pairs, explanations=kept)


def rehearse_agreement(
    annotated: HeldOutAnnotations,
    field: Preprocessing,
    class_names: Sequence[str],
    methods: Sequence[str],
) -> None:
    """Try the measurement of agreement with a tiny untrained network.

    Annotations that cannot be placed on their images should be found before a long training.
    """
    spec = paper_spec(
        "C1",
        fields=(1, 1, 1, 1),
        convolutions=(1, 1, 1, 1),
        kernel_size=3,
        gate_channels=1,
        n_classes=len(class_names),
    )
    network = AttentionNetwork(spec, generator=torch.Generator().manual_seed(0)).eval()
    model = AttentionModel(
        name="rehearsal",
        spec=spec,
        network=network,
        preprocessing=field,
        class_names=tuple(class_names),
    )
    _pairs(model, annotated, methods)


def agreement_values(pairs: AlignedPairs) -> dict[str, tuple[float, ...]]:
    """For each measure and map, such as ``nss:mean``, the agreement with the annotations of each source.

    It is averaged over the annotators of the source; NaN where undefined. The mean of the gates is always
    there: with one gate it is that gate. Measures that end in ``_within`` are over the source's own emission.
    """
    explanations = dict(pairs.explanations)
    explanations.setdefault(PRIMARY_MAP, next(iter(explanations.values())))
    pairs = dataclasses.replace(pairs, explanations=explanations)
    within = within_own_emission(pairs)
    place = [] if within is None else [pairs.sources.index(source) for source in within.sources]
    found = {}
    for measure in AGREEMENT_LABELS:
        metric, _, region = measure.partition("_")
        values = np.full((len(explanations), len(pairs.sources)), np.nan)
        if not region:
            values[:] = _values(pairs, metric)
        elif within is not None:
            values[:, place] = _values(within, metric)
        for name, row in zip(explanations, values, strict=True):
            found[f"{measure}:{name}"] = tuple(map(float, row))
    return found


def _values(pairs: AlignedPairs, metric: str) -> NDArray[np.float64]:
    """One metric, (maps, sources), averaged over the annotators of each source."""
    maps = np.stack(list(pairs.explanations.values()))
    targets: Targets = {TargetKind.DENSITY: pairs.density, TargetKind.MASK: pairs.mask}
    values = own_tables([METRICS[metric]], maps, targets, pairs.valid)[0]
    values[:, ~pairs.present] = np.nan
    return mean_over_annotators(values.transpose(1, 0, 2))
