"""Curves of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.training.history import kept_epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from attnxai.training.history import EpochResult


def plot_history(
    history: Sequence[EpochResult], *, title: str = "", last_kept: bool = False
) -> Figure:
    """Draw loss and accuracy of every epoch, and mark the one that was kept: the best, or the last."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    loss, accuracy = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    epochs = [result.epoch + 1 for result in history]
    kept = kept_epoch(history, last=last_kept)
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
