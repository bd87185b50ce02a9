"""The history of a training run as numbers, a table and curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.csv_table import Faults, decimal, parse_csv, parse_rows, read_csv, write_frame
from attnxai.errors import DataSetError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


def kept_epoch(history: Sequence[EpochResult]) -> EpochResult:
    """The epoch whose weights are kept: the first with the lowest validation loss."""
    return min(history, key=lambda result: result.validation_loss)


def plot_history(history: Sequence[EpochResult], *, title: str = "") -> Figure:
    """Draw loss and accuracy of every epoch, and mark the one that was kept."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    loss, accuracy = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    epochs = [result.epoch + 1 for result in history]
    kept = kept_epoch(history)
    training, validation = {"color": "#8a8a8a", "lw": 1.4}, {"color": "#0b5fa5", "lw": 1.8}
    mark = {"color": "#0b5fa5", "markersize": 7}
    loss.plot(
        epochs,
        [result.train_loss for result in history],
        label="training (augmented, with dropout)",
        **training,
    )
    loss.plot(epochs, [r.validation_loss for r in history], label="validation", **validation)
    loss.plot(kept.epoch + 1, kept.validation_loss, "o", label="kept", **mark)
    loss.set_ylabel("cross entropy (nats)")
    loss.legend(frameon=False)
    accuracy.plot(epochs, [result.validation_accuracy for result in history], **validation)
    accuracy.plot(kept.epoch + 1, kept.validation_accuracy, "o", **mark)
    accuracy.set_ylabel("validation accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=0))
    accuracy.set_xlabel("epoch (one pass over the training images)")
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, accuracy):
        axes.spines[["top", "right"]].set_visible(False)
    if title:
        loss.set_title(title, loc="left")
    return figure
