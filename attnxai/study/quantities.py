"""What a study measures of every run: names in files, headings, meanings, and what is better."""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
from collections.abc import Iterable, Sequence

from attnxai.explanations.labels import LABELS


class Kind(enum.StrEnum):
    """Kind of a quantity."""

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


@dataclasses.dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity: its name in files, its heading, and what it means.

    Intervals of means end at ``lowest`` and ``highest``, which no value can pass.
    """

    name: str
    label: str
    meaning: str
    kind: Kind
    better: Better
    digits: int = 3
    lowest: float = -math.inf
    highest: float = math.inf


_share = functools.partial(
    Quantity, kind=Kind.PERFORMANCE, better=Better.HIGHER, lowest=0.0, highest=1.0
)
_count = functools.partial(Quantity, kind=Kind.FIT, better=Better.LOWER, digits=0, lowest=0.0)

EPOCHS = _count(
    "epochs",
    "Epochs until reference loss",
    "passes over the training images until the validation loss is at or below the reference loss, "
    "restricted to the horizon",
    digits=1,
)
EPOCH_EQUIVALENTS = (
    _count(
        "published_epochs",
        "Published epochs",
        "the same in published epochs of sixteen augmented passes",
        digits=2,
    ),
    _count("images_seen", "Images seen", "the same in augmented images shown"),
    _count("steps", "Optimiser steps", "the same in steps of the optimiser"),
)
"""Epochs in other units, whose tests would only repeat those of the epochs."""

FIT = (
    EPOCHS,
    *EPOCH_EQUIVALENTS,
    _count(
        "validation_loss",
        "Lowest validation loss",
        "cross entropy (nats) on the validation images of the epoch that is kept",
        digits=3,
    ),
)
ACCURACY = _share("accuracy", "Accuracy", "share of the images whose class has the highest score")
CALIBRATION = (
    _share(
        "auc",
        "AUC",
        "area under the ROC curve of the class probabilities; with more than two classes the mean of each "
        "class against the rest",
    ),
    _share(
        "ece",
        "Calibration error",
        "expected calibration error: mean distance between probability and accuracy, over bins of "
        "probability",
        better=Better.LOWER,
    ),
    _share(
        "ece_scaled",
        "Calibration error, scaled",
        "the same after dividing the class scores by the model's temperature, which was fitted to its "
        "validation images",
        better=Better.LOWER,
    ),
)
ATTENTION_CONSISTENCY = _share(
    "attention_consistency",
    "Attention under rotation",
    "correlation (Pearson) of the attention map of a rotated image with the rotated map of the image, mean "
    "of gates",
    kind=Kind.CONSISTENCY,
    lowest=-1.0,
)
CONSISTENCY = (
    _share(
        "prediction_consistency",
        "Prediction under rotation",
        "share of arbitrary rotations of an image that leave its predicted class as it is",
        kind=Kind.CONSISTENCY,
    ),
    ATTENTION_CONSISTENCY,
)
SECONDS = _count(
    "seconds",
    "Training seconds",
    "time spent on training, interruptions left out; jobs that run side by side slow each other",
    kind=Kind.COST,
)

AGREEMENT_LABELS = {
    "nss": "NSS",
    "spearman": "Spearman ρ",
    "nss_within": "NSS within emission",
    "spearman_within": "Spearman ρ within emission",
}
"""Measures of agreement, the first being the one that conclusions rest on."""

PRIMARY_MAP = "mean"
"""Map that conclusions about agreement rest on: the mean of the gates, as the papers show it."""

_AGREEMENT_MEANINGS = {
    "nss": "mean of the standardised map at the annotated pixels",
    "spearman": "rank correlation of the map with the annotations",
}


def agreement_of(measure: str, map_name: str) -> Quantity:
    """Agreement of one map with the annotations; its name is such as ``nss:mean``."""
    shown = "mean of gates" if map_name == PRIMARY_MAP else _shown(map_name)
    metric, _, within = measure.partition("_")
    limit = 1.0 if metric == "spearman" else math.inf
    over = ", over the pixels of the source's own emission," if within else ""
    return Quantity(
        f"{measure}:{map_name}",
        f"{AGREEMENT_LABELS[measure]}, {shown}",
        f"{_AGREEMENT_MEANINGS[metric]}{over} over held-out sources ({shown})",
        Kind.AGREEMENT,
        Better.HIGHER,
        digits=2,
        lowest=-limit,
        highest=limit,
    )


def _shown(map_name: str) -> str:
    if map_name.startswith("gate"):
        return map_name.replace("gate", "gate ")
    return LABELS.get(map_name, map_name.replace("_", " "))


def quantities(class_names: Sequence[str], agreement: Iterable[str] = ()) -> tuple[Quantity, ...]:
    """All quantities of a study, in the order of its tables; ``agreement`` names those of agreement."""
    measures = list(AGREEMENT_LABELS)
    parts = sorted(
        (name.split(":", maxsplit=1) for name in agreement),
        key=lambda part: (measures.index(part[0]), part[1] != PRIMARY_MAP),
    )
    return (
        *FIT,
        ACCURACY,
        *(
            _share(f"f1:{name}", f"F1 {name}", f"harmonic mean of precision and recall of {name}")
            for name in class_names
        ),
        *CALIBRATION,
        *CONSISTENCY,
        *(agreement_of(measure, name) for measure, name in parts),
        SECONDS,
    )
