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
from attnxai.audit.given_maps import ShownChunks, target_of
from attnxai.audit.rotations import RotationAudit, rotation_audit
from attnxai.data.images import SourceImage
from attnxai.errors import CheckpointError
from attnxai.explanations.explained_maps import ExplainedMaps
from attnxai.explanations.explaining import EXPLANATIONS, explain
from attnxai.explanations.files.map_chunks import ChunkedMaps, MapChunks
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


def located_methods(model: AttentionModel) -> tuple[str, ...]:
    """Those of them whose maps the first audit locates: gates alone, where a model has any."""
    return own_methods(model)[:1]


def of_methods(audit: Callable[..., Any]) -> Callable[..., Any]:
    """An audit that explains with the model's own methods, as a function of model, images, rng and on_step.

    Parameters
    ----------
    audit : callable
        ``audit(model, images, methods, *, rng, on_step)``; it gets :data:`MOST_IMAGES` images at most.
    """

    def run(model: AttentionModel, images: Images, *, rng: Rng, on_step: OnStep = None) -> Any:
        return audit(model, drawn(images, rng), own_methods(model), rng=rng, on_step=on_step)

    return run


def drawn(images: Images, rng: Rng) -> list[SourceImage]:
    """:data:`MOST_IMAGES` of the images, or all where they are fewer."""
    if len(images) <= MOST_IMAGES:
        return list(images)
    positions = np.sort(rng.choice(len(images), size=MOST_IMAGES, replace=False))
    return [images[position] for position in positions.tolist()]


def audited_maps(
    model: AttentionModel, images: Images, given: MapChunks | None, *, seed: int, on_step: OnStep
) -> ChunkedMaps:
    """The maps that are given of some images, or those of the model's own methods; a chunk of them is held at a time."""
    if given is not None:
        return ShownChunks(given.restricted_to(image.source for image in images), on_step)
    return ExplainedMaps(
        model=model, images=images, method=own_methods(model), rng=seed, on_batch=on_step
    )


def own_faithfulness(
    model: AttentionModel,
    images: Images,
    *,
    maps: MapChunks | None = None,
    rng: Rng,
    on_step: OnStep = None,
) -> Faithfulness:
    """Deletion, insertion and ROAD, for the class that given maps explain."""
    images = drawn(images, rng)
    seed = int(rng.integers(2**31))
    if maps is None:
        stack = explain(model, images, own_methods(model), rng=seed)
    else:
        stack = maps.select(image.source for image in images)
    return faithfulness_tests(
        model,
        _whole_maps(stack),
        target=None if maps is None else target_of(maps),
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
    model: AttentionModel,
    images: Images,
    *,
    maps: MapChunks | None = None,
    rng: Rng,
    on_step: OnStep = None,
) -> MapAgreement:
    """Correlations between the maps of all images."""
    seed = int(rng.integers(2**31))
    return map_agreement(audited_maps(model, images, maps, seed=seed, on_step=on_step), rng=rng)


def own_class_means(
    model: AttentionModel,
    images: Images,
    *,
    maps: MapChunks | None = None,
    rng: Rng,
    on_step: OnStep = None,
) -> ClassMeanMaps:
    """Class means; the predicted class stands for one that is not known."""
    seed = int(rng.integers(2**31))
    return class_mean_maps(
        audited_maps(model, images, maps, seed=seed, on_step=on_step),
        [image.class_name for image in images],
        use_predicted=True,
        group=model.spec.group,
        rng=rng,
    )


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
