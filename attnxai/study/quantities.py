"""What a study measures of every run, with its name in files, its words, and what is better."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Sequence


class Kind(enum.StrEnum):
    """What a quantity says something about."""

    FIT = "fit"
    PERFORMANCE = "performance"
    CONSISTENCY = "consistency"
    AGREEMENT = "agreement"
    COST = "cost"


class Better(enum.IntEnum):
    """Which values are better."""

    LOWER = -1
    NEITHER = 0
    HIGHER = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One column.

    Parameters
    ----------
    name : str
        Its name in files.
    label : str
        Its heading.
    kind : Kind
        What it says something about.
    better : Better
        Which values are better.
    meaning : str
        One sentence for readers.
    digits : int
        Decimals to print.
    lowest, highest : float
        What no value can be below or above. Intervals of means end there.
    """

    name: str
    label: str
    kind: Kind
    better: Better
    meaning: str
    digits: int = 3
    lowest: float = -math.inf
    highest: float = math.inf


EPOCHS = Quantity(
    name="epochs",
    label="Epochs until reference loss",
    kind=Kind.FIT,
    better=Better.LOWER,
    meaning="passes over the training images until the validation loss is at or below the reference "
    "loss, restricted to the horizon",
    digits=1,
    lowest=0.0,
)
ACCURACY = Quantity(
    name="accuracy",
    label="Accuracy",
    kind=Kind.PERFORMANCE,
    better=Better.HIGHER,
    meaning="share of the images whose class has the highest score",
    lowest=0.0,
    highest=1.0,
)
ECE = Quantity(
    name="ece",
    label="Calibration error",
    kind=Kind.PERFORMANCE,
    better=Better.LOWER,
    meaning="expected calibration error: mean distance between probability and share of right answers, "
    "over bins of probability",
    lowest=0.0,
    highest=1.0,
)
SCALED_ECE = Quantity(
    name="ece_scaled",
    label="Calibration error, scaled",
    kind=Kind.PERFORMANCE,
    better=Better.LOWER,
    meaning="the same after dividing the class scores by the model's temperature, which was fitted to its "
    "validation images",
    lowest=0.0,
    highest=1.0,
)
AUC = Quantity(
    name="auc",
    label="AUC",
    kind=Kind.PERFORMANCE,
    better=Better.HIGHER,
    meaning="area under the ROC curve of the class probabilities; with more than two classes the mean of "
    "each class against the rest",
    lowest=0.0,
    highest=1.0,
)
PREDICTION_CONSISTENCY = Quantity(
    name="prediction_consistency",
    label="Prediction under rotation",
    kind=Kind.CONSISTENCY,
    better=Better.HIGHER,
    meaning="share of arbitrary rotations of an image that leave its predicted class as it is",
    lowest=0.0,
    highest=1.0,
)
ATTENTION_CONSISTENCY = Quantity(
    name="attention_consistency",
    label="Attention under rotation",
    kind=Kind.CONSISTENCY,
    better=Better.HIGHER,
    meaning="correlation (Pearson) of the attention map of a rotated image with the rotated map of the "
    "image, mean of gates",
    lowest=-1.0,
    highest=1.0,
)

FIT = (
    EPOCHS,
    Quantity(
        name="published_epochs",
        label="Published epochs",
        kind=Kind.FIT,
        better=Better.LOWER,
        meaning="the same in published epochs of sixteen augmented passes",
        digits=2,
        lowest=0.0,
    ),
    Quantity(
        name="images_seen",
        label="Images seen",
        kind=Kind.FIT,
        better=Better.LOWER,
        meaning="the same in augmented images shown",
        digits=0,
        lowest=0.0,
    ),
    Quantity(
        name="steps",
        label="Optimiser steps",
        kind=Kind.FIT,
        better=Better.LOWER,
        meaning="the same in steps of the optimiser",
        digits=0,
        lowest=0.0,
    ),
    Quantity(
        name="validation_loss",
        label="Lowest validation loss",
        kind=Kind.FIT,
        better=Better.LOWER,
        meaning="cross entropy (nats) on the validation images of the epoch that is kept",
        lowest=0.0,
    ),
)
SECONDS = Quantity(
    name="seconds",
    label="Training seconds",
    kind=Kind.COST,
    better=Better.LOWER,
    meaning="time spent on training, interruptions left out; jobs that run side by side slow each other",
    digits=0,
    lowest=0.0,
)
CONSISTENCY = (PREDICTION_CONSISTENCY, ATTENTION_CONSISTENCY)

AGREEMENT_LABELS = {"nss": "NSS", "spearman": "Spearman ρ"}
"""Metrics of agreement, the first being the one that conclusions rest on."""

PRIMARY_MAP = "mean"
"""Map that conclusions about agreement rest on: the mean of the gates, as the papers show it."""


def f1_of(class_name: str) -> Quantity:
    """F1 of one class."""
    return Quantity(
        name=f"f1:{class_name}",
        label=f"F1 {class_name}",
        kind=Kind.PERFORMANCE,
        better=Better.HIGHER,
        meaning=f"harmonic mean of precision and recall of {class_name}",
        lowest=0.0,
        highest=1.0,
    )


def agreement_of(metric: str, map_name: str) -> Quantity:
    """Agreement of one map with the annotations.

    Examples
    --------
    >>> agreement_of("nss", "mean").name
    'nss:mean'
    """
    shown = map_phrase(map_name)
    words = {
        "nss": "mean of the standardised map where people marked, over held-out sources",
        "spearman": "rank correlation of the map with what people marked, over held-out sources",
    }
    return Quantity(
        name=f"{metric}:{map_name}",
        label=f"{AGREEMENT_LABELS[metric]}, {shown}",
        kind=Kind.AGREEMENT,
        better=Better.HIGHER,
        meaning=f"{words[metric]} ({shown})",
        digits=2,
        lowest=-1.0 if metric == "spearman" else -math.inf,
        highest=1.0 if metric == "spearman" else math.inf,
    )


def map_phrase(map_name: str) -> str:
    """Words for a map.

    Examples
    --------
    >>> map_phrase("gate2"), map_phrase("mean")
    ('gate 2', 'mean of gates')
    """
    if map_name == PRIMARY_MAP:
        return "mean of gates"
    return map_name.replace("gate", "gate ")


def quantities(class_names: Sequence[str], map_names: Sequence[str] = ()) -> tuple[Quantity, ...]:
    """All columns of a study, in order.

    Parameters
    ----------
    class_names : sequence of str
        Classes of the models.
    map_names : sequence of str
        Maps whose agreement was measured; empty without annotations.
    """
    names = sorted(map_names, key=lambda name: name != PRIMARY_MAP)
    return (
        *FIT,
        ACCURACY,
        *(f1_of(name) for name in class_names),
        AUC,
        ECE,
        SCALED_ECE,
        *CONSISTENCY,
        *(agreement_of(metric, name) for metric in AGREEMENT_LABELS for name in names),
        SECONDS,
    )
