"""Model cards that several tests need."""

from __future__ import annotations

import dataclasses
from typing import Any

from attnxai.models.cards import ModelCard, PartMetrics, measured


def make_part(*, accuracy: float = 0.85, n_images: int = 20) -> PartMetrics:
    """A part with two metrics, one of them without an interval."""
    half = n_images // 2
    return PartMetrics(
        n_images=n_images,
        n_by_class={"FR I": half, "FR II": n_images - half},
        values={
            "accuracy": measured(accuracy, accuracy - 0.1, accuracy + 0.1, n_images),
            "log loss": measured(0.4, n_images=n_images),
            "ROC AUC": measured(None, n_images=n_images),
        },
    )


def make_card(**changes: Any) -> ModelCard:
    """A card with everything in it."""
    card = ModelCard(
        name="d8",
        architecture="equivariant_attention",
        group="D8",
        fields=(2, 2, 3, 4),
        n_parameters=11_707,
        file_bytes=113_367,
        sha256="0123456789abcdef" * 4,
        size=150,
        binning=3,
        normalisation="emission",
        layer_order="conv_norm_relu",
        pixel_scale_arcsec=1.8,
        class_names=("FR I", "FR II"),
        data="Made up & published",
        data_licence="CC BY 4.0",
        data_sha256="f" * 64,
        n_train=80,
        n_validation=20,
        n_held_out=7,
        seed=3,
        settings={
            "epochs": 24,
            "learning_rate": 5e-3,
            "schedule": "cosine",
            "rotate": True,
            "reflect": False,
            "validation_share": 0.2,
            "seed": 3,
        },
        epoch=21,
        n_epochs=24,
        command="attnxai train --group D8 --seed 3 --output d8.pt",
        versions={"torch": "2.0", "numpy": "2.1"},
        temperature=1.25,
        notes=("copied from a paper",),
        measured_on="MiraBest",
        n_bootstrap=1000,
        level=0.95,
        parts={"validation": make_part(), "test": make_part(accuracy=0.8, n_images=10)},
    )
    return dataclasses.replace(card, **changes)
