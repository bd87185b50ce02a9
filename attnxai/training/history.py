"""What every epoch of a training run gave: as numbers, a table and curves."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.errors import DataSetError
from attnxai.jobs.files import write_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpochResult:
    """What one epoch of training gave.

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
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(_COLUMNS))
    writer.writeheader()
    writer.writerows(dataclasses.asdict(result) for result in history)
    write_file(path, text.getvalue())


def read_history(path: str | Path) -> list[EpochResult]:
    """Read what :func:`write_history` wrote."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            names = set(reader.fieldnames or ())
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise DataSetError(f"training history {path} does not exist") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataSetError(f"training history {path} is no CSV table in UTF-8: {error}") from error
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise DataSetError(f"training history {path} lacks the columns {', '.join(missing)}")
    history = []
    for line, row in rows:
        try:
            values: dict[str, Any] = {
                name: int(row[name]) if kind == "int" else float(row[name])
                for name, kind in _COLUMNS.items()
            }
        except (TypeError, ValueError) as error:
            raise DataSetError(
                f"line {line} of training history {path} holds something that is no number"
            ) from error
        history.append(EpochResult(**values))
    return history


def kept_epoch(history: Sequence[EpochResult]) -> EpochResult:
    """The epoch whose weights are kept: the first with the lowest validation loss."""
    return min(history, key=lambda result: result.validation_loss)


def plot_history(history: Sequence[EpochResult], *, title: str = "") -> Figure:
    """Draw loss and accuracy of every epoch, and mark the one that was kept; connected to no window."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    loss, accuracy = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    epochs = [result.epoch + 1 for result in history]
    kept = kept_epoch(history)
    loss.plot(
        epochs,
        [result.train_loss for result in history],
        color="#8a8a8a",
        linewidth=1.4,
        label="training (augmented, with dropout)",
    )
    loss.plot(
        epochs,
        [result.validation_loss for result in history],
        color="#0b5fa5",
        linewidth=1.8,
        label="validation",
    )
    loss.plot(
        kept.epoch + 1, kept.validation_loss, "o", color="#0b5fa5", markersize=7, label="kept"
    )
    loss.set_ylabel("cross entropy (nats)")
    loss.legend(frameon=False)
    accuracy.plot(
        epochs,
        [result.validation_accuracy for result in history],
        color="#0b5fa5",
        linewidth=1.8,
    )
    accuracy.plot(kept.epoch + 1, kept.validation_accuracy, "o", color="#0b5fa5", markersize=7)
    accuracy.set_ylabel("validation accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=0))
    accuracy.set_xlabel("epoch (one pass over the training images)")
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, accuracy):
        axes.spines[["top", "right"]].set_visible(False)
    if title:
        loss.set_title(title, loc="left")
    return figure
