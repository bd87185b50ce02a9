"""What is measured of one trained model, kept in a file beside it."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.short_repr import short_repr
from attnxai.jobs.files import read_json, write_file

if TYPE_CHECKING:
    from attnxai.training.history import EpochResult

FORMAT = "attnxai-measurement"
FORMAT_VERSION = 1


class MeasureOn(enum.StrEnum):
    """Which labelled images finished models are measured on.

    The validation images chose the epoch that is kept, so numbers on them are a little too good, for every
    group alike. The test images chose nothing; they stay so only as long as nothing is decided by them.
    """

    VALIDATION = "validation"
    TEST = "test"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunMeasurement:
    """Numbers of one model.

    Parameters
    ----------
    values : mapping of str to float
        By the names of :mod:`attnxai.study.quantities`; NaN where undefined.
    n_images : int
        Images that the classification was measured on.
    sources : tuple of str
        Annotated sources, none of which the model was trained or validated on.
    agreement : mapping of str to mapping of str to tuple of float
        For each metric and map the value of each source, in the order of ``sources``.
    left_out : mapping of str to int
        How many annotated sources were left out, by reason.
    """

    values: Mapping[str, float]
    n_images: int
    sources: tuple[str, ...] = ()
    agreement: Mapping[str, Mapping[str, tuple[float, ...]]] = dataclasses.field(
        default_factory=dict
    )
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)

    __repr__ = short_repr


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
    """

    group: str
    seed: int
    history: tuple[EpochResult, ...]
    measurement: RunMeasurement
    model_sha256: str = ""

    __repr__ = short_repr


def write_measurement(
    measurement: RunMeasurement, path: str | Path, identity: Mapping[str, Any]
) -> None:
    """Write a measurement with what it was made from, whole or not at all.

    Parameters
    ----------
    measurement : RunMeasurement
        The numbers.
    path : path
        File to write.
    identity : mapping
        Plain values that have to be the same for the measurement to be used again.
    """
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "identity": dict(identity),
        "values": _numbers(measurement.values),
        "n_images": measurement.n_images,
        "sources": list(measurement.sources),
        "agreement": {
            metric: {name: [_number(v) for v in values] for name, values in maps.items()}
            for metric, maps in measurement.agreement.items()
        },
        "left_out": dict(measurement.left_out),
    }
    write_file(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_measurement(path: str | Path, identity: Mapping[str, Any]) -> RunMeasurement | None:
    """Read a measurement that was made from the same model and inputs.

    Returns
    -------
    RunMeasurement or None
        None where there is none, or one of another model or other inputs, or a damaged one: then it has
        to be made again.
    """
    try:
        content = read_json(Path(path))
        if (content["format"], content["format_version"]) != (FORMAT, FORMAT_VERSION):
            return None
        if content["identity"] != json.loads(json.dumps(dict(identity))):
            return None
        return RunMeasurement(
            values={str(k): _float(v) for k, v in content["values"].items()},
            n_images=int(content["n_images"]),
            sources=tuple(str(source) for source in content["sources"]),
            agreement={
                str(metric): {str(k): tuple(_float(v) for v in vs) for k, vs in maps.items()}
                for metric, maps in content["agreement"].items()
            },
            left_out={str(k): int(v) for k, v in content["left_out"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def common_sources(measurements: Sequence[RunMeasurement], metric: str) -> list[str]:
    """Sources on which a metric is defined for every map of every model.

    Examples
    --------
    >>> one = RunMeasurement(
    ...     values={}, n_images=1, sources=("a", "b"), agreement={"nss": {"mean": (1.0, math.nan)}}
    ... )
    >>> common_sources([one, one], "nss")
    ['a']
    """
    kept: list[str] | None = None
    for measurement in measurements:
        maps = measurement.agreement.get(metric, {})
        defined = {
            source
            for index, source in enumerate(measurement.sources)
            if maps and all(math.isfinite(values[index]) for values in maps.values())
        }
        kept = sorted(defined) if kept is None else [s for s in kept if s in defined]
    return kept or []


def _numbers(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)
