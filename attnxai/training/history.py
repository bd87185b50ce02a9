"""The history of a training run as numbers and as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attnxai.data.csv_table import Faults, decimal, parse_csv, parse_rows, read_csv, write_frame
from attnxai.errors import DataSetError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpochResult:
    """Results of one epoch of training.

    Parameters
    ----------
    epoch : int
        Counted from 0; an epoch is one pass over the training images.
    images_seen, steps : int
        Augmented images shown and steps of the optimiser since the start.
    learning_rate : float
        Of the last step.
    train_loss : float
        Mean cross entropy (nats) of the batches while the weights changed.
    validation_loss, validation_accuracy : float
        Of the weights that would be kept, on the unchanged validation images.
    seconds : float
        Spent since the start, interruptions left out.

    Examples
    --------
    >>> import attnxai
    >>> result = attnxai.training.EpochResult(
    ...     epoch=0, images_seen=100, steps=10, learning_rate=0.01, train_loss=0.7, validation_loss=0.6,
    ...     validation_accuracy=0.5, seconds=1.5
    ... )
    >>> result.validation_loss
    0.6
    """

    epoch: int
    images_seen: int
    steps: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


_COLUMNS = {field.name: field.type for field in dataclasses.fields(EpochResult)}


def write_history(history: Sequence[EpochResult], path: str | Path) -> None:
    """Write one CSV row an epoch."""
    import pandas as pd

    write_frame(pd.DataFrame(map(dataclasses.asdict, history)), path)


def read_history(path: str | Path) -> list[EpochResult]:
    """Read what :func:`write_history` wrote."""
    what = f"training history {path}"
    header, rows = parse_csv(read_csv(path, what, DataSetError), what, DataSetError)
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise DataSetError(f"{what} lacks the columns {', '.join(missing)}")

    def parse(cells: dict[str, str], line: int, faults: Faults) -> EpochResult | None:
        values: dict[str, Any] = {}
        for name, kind in _COLUMNS.items():
            try:
                values[name] = int(cells[name]) if kind == "int" else decimal(cells[name])
            except ValueError:
                faults.add(line, name, cells[name], "a number")
        return EpochResult(**values) if len(values) == len(_COLUMNS) else None

    return parse_rows(header, rows, what, DataSetError, parse)


def kept_epoch(history: Sequence[EpochResult], *, last: bool = False) -> EpochResult:
    """The epoch whose weights are kept: the first with the lowest validation loss, or the ``last`` one."""
    if last:
        return history[-1]
    return min(history, key=lambda result: result.validation_loss)
