"""Audits of the maps that a model has by itself, on images: what :data:`~attnxai.audit.audits.AUDITS` lists."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from attnxai.audit.between_maps import MapAgreement, map_agreement
from attnxai.audit.class_means import ClassMeanMaps, class_mean_maps
from attnxai.audit.faithfulness import faithfulness_tests, log_fractions
from attnxai.audit.faithfulness_result import Faithfulness
from attnxai.audit.rotations import RotationAudit, rotation_audit
from attnxai.data.images import SourceImage
from attnxai.errors import CheckpointError
from attnxai.explanations.explaining import EXPLANATIONS, explain
from attnxai.explanations.stack import MapStack
from attnxai.models.model import AttentionModel
from attnxai.models.specification import ModelSpec

MOST_IMAGES = 32
"""Audits of many forward passes take this many images, drawn at random, where there are more."""

OnStep = Callable[[int, int], None] | None
Images = Sequence[SourceImage]
Methods = tuple[str, ...]
Rng = np.random.Generator


def own_methods(model: AttentionModel) -> tuple[str, ...]:
    """Explanation methods whose maps are audited: gates and evidence, or Grad-CAM where a model has no gates.

    Raises
    ------
    CheckpointError
        If none of them is there.
    """
    if isinstance(model.spec, ModelSpec) and model.spec.n_gates:
        return ("gates", "evidence_relative")
    for name in ("gradcam", "saliency", "cam"):
        if name in EXPLANATIONS:
            return (name,)
    raise CheckpointError(f"no explanation method makes maps of the model {model.name} by itself")


def of_own_maps(audit: Callable[..., Any], *, drawn: bool = True) -> Callable[..., Any]:
    """An audit of the model's own maps, as a function of model, images, rng and on_step.

    Parameters
    ----------
    audit : callable
        ``audit(model, images, methods, *, rng, on_step)``.
    drawn : bool
        Whether it takes :data:`MOST_IMAGES` images at most.
    """

    def run(model: AttentionModel, images: Images, *, rng: Rng, on_step: OnStep = None) -> Any:
        chosen = _drawn(images, rng) if drawn else images
        return audit(model, chosen, own_methods(model), rng=rng, on_step=on_step)

    return run


def own_faithfulness(
    model: AttentionModel, images: Images, methods: Methods, *, rng: Rng, on_step: OnStep
) -> Faithfulness:
    """Deletion, insertion and ROAD."""
    maps = explain(model, images, methods, rng=int(rng.integers(2**31)))
    return faithfulness_tests(
        model,
        _whole_maps(maps),
        fractions=log_fractions(per_decade=3),
        n_draws=2,
        rng=rng,
        on_image=on_step,
    )


def own_rotations(
    model: AttentionModel, images: Images, _methods: Methods, *, rng: Rng, on_step: OnStep
) -> RotationAudit:
    """Predictions and gates under rotation, whatever the methods."""
    return rotation_audit(model, images, rng=rng, on_step=on_step)


def own_map_agreement(
    model: AttentionModel, images: Images, methods: Methods, *, rng: Rng, on_step: OnStep
) -> MapAgreement:
    """Correlations between the maps of all images."""
    maps = explain(model, images, methods, rng=int(rng.integers(2**31)), on_batch=on_step)
    return map_agreement(maps, rng=rng)


def own_class_means(
    model: AttentionModel, images: Images, methods: Methods, *, rng: Rng, on_step: OnStep
) -> ClassMeanMaps:
    """Class means; the predicted class stands for one that is not known."""
    maps = explain(model, images, methods, rng=int(rng.integers(2**31)), on_batch=on_step)
    predicted = maps.predicted_classes() or [None] * len(maps)
    classes = [image.class_name or name for image, name in zip(images, predicted, strict=True)]
    found = class_mean_maps(maps, classes, group=model.spec.group, rng=rng)
    n_predicted = sum(image.class_name is None for image in images)
    return dataclasses.replace(found, n_predicted=n_predicted)


def _whole_maps(maps: MapStack) -> MapStack:
    """A stack without the layers that are parts of another, such as the evidence of each gate."""
    wholes = tuple(maps.layers)
    kept = [one for one in wholes if not any(one.startswith(f"{whole} ") for whole in wholes)]
    return dataclasses.replace(
        maps,
        layers={name: maps.layers[name] for name in kept},
        geometry={name: maps.geometry[name] for name in kept},
        means={name: of for name, of in maps.named_means.items() if set(of) <= set(kept)},
    )


def _drawn(images: Sequence[SourceImage], rng: np.random.Generator) -> list[SourceImage]:
    if len(images) <= MOST_IMAGES:
        return list(images)
    positions = np.sort(rng.choice(len(images), size=MOST_IMAGES, replace=False))
    return [images[position] for position in positions.tolist()]
