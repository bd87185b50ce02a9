"""What is measured of one trained model."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any

from attnxai.data.short_repr import short_repr
from attnxai.training.history import EpochResult


class MeasureOn(enum.StrEnum):
    """Which labelled images finished models are measured on.

    The validation images chose the epoch that is kept, so numbers on them are a little too good, for every
    group alike. The test images chose nothing; they stay so only as long as nothing is decided by them.
    """

    VALIDATION = "validation"
    TEST = "test"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunMeasurement:
    """What was measured of one model.

    ``values`` go by the names of :mod:`attnxai.study.quantities`, NaN where undefined. ``agreement`` has for
    each metric and map, such as ``nss:mean``, the value of each of ``sources``, which the model was neither
    trained nor validated on; NaN where undefined. ``left_out`` says how many annotated sources were left
    out, by reason.
    """

    values: Mapping[str, float]
    n_images: int
    sources: tuple[str, ...] = ()
    agreement: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)

    __repr__ = short_repr

    def to_dict(self) -> dict[str, Any]:
        """Values that can be written to a file."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunMeasurement:
        """Rebuild from the values of a file."""
        return cls(
            values={str(name): float(value) for name, value in values["values"].items()},
            n_images=int(values["n_images"]),
            sources=tuple(map(str, values["sources"])),
            agreement={str(k): tuple(map(float, v)) for k, v in values["agreement"].items()},
            left_out={str(reason): int(n) for reason, n in values["left_out"].items()},
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudyRun:
    """One group trained with one seed, and measured.

    Parameters
    ----------
    group : str
        Its symmetry group.
    seed : int
        Its seed.
    history : tuple of EpochResult
        Every epoch of its training.
    measurement : RunMeasurement
        What was measured of it.
    model_sha256 : str
        Hash of its file.

    Examples
    --------
    >>> import attnxai
    >>> run = attnxai.study.StudyRun.from_losses(
    ...     "C4", 0, [0.7, 0.5, 0.3], {"accuracy": 0.8}, n_train=800, n_images=198
    ... )
    >>> len(run.history), run.measurement.values["accuracy"]
    (3, 0.8)
    """

    group: str
    seed: int
    history: tuple[EpochResult, ...]
    measurement: RunMeasurement
    model_sha256: str = ""

    __repr__ = short_repr

    @classmethod
    def from_losses(
        cls,
        group: str,
        seed: int,
        validation_losses: Sequence[float],
        values: Mapping[str, float],
        *,
        n_train: int,
        n_images: int,
        batch_size: int = 16,
    ) -> StudyRun:
        """A run of another program, of which the validation loss after every epoch is known.

        ``values`` go by the names of :mod:`attnxai.study.quantities`. ``n_train`` images make an epoch, and
        ``n_images`` were measured.
        """
        history = tuple(
            EpochResult(
                epoch=epoch,
                images_seen=(epoch + 1) * n_train,
                steps=(epoch + 1) * math.ceil(n_train / batch_size),
                learning_rate=math.nan,
                train_loss=math.nan,
                validation_loss=float(loss),
                validation_accuracy=math.nan,
                seconds=math.nan,
            )
            for epoch, loss in enumerate(validation_losses)
        )
        measurement = RunMeasurement(values=dict(values), n_images=n_images)
        return cls(group=group, seed=seed, history=history, measurement=measurement)


def common_sources(measurements: Sequence[RunMeasurement], quantity: str) -> tuple[str, ...]:
    """Sources on which one measure of agreement with one map, such as ``nss:mean``, is defined for every model."""
    defined = [
        {
            source
            for source, value in zip(one.sources, one.agreement.get(quantity, ()), strict=False)
            if math.isfinite(value)
        }
        for one in measurements
    ]
    return tuple(sorted(set.intersection(*defined))) if defined else ()


def of_too_few_sources(sources: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Quantities that are defined for less than half of the sources of the map with most, by the same measure."""
    most: dict[str, int] = {}
    for name, defined in sources.items():
        measure = name.partition(":")[0]
        most[measure] = max(most.get(measure, 0), len(defined))
    return frozenset(
        n for n, defined in sources.items() if len(defined) < most[n.partition(":")[0]] / 2
    )
