"""Epochs until a reference loss, and runs that do not reach it.

"Epochs until" is defined here and nowhere else; tables, pages and docs print :data:`DEFINITION`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from attnxai.training.history import EpochResult

PASSES_A_PUBLISHED_EPOCH = 16
"""Augmented passes over the training images that Bowles et al. (2021) count as one epoch."""

# How far the default reference loss lies on the way from guessing to the baseline.
_SHARE = 0.75

DEFINITION = (
    "Epochs until the reference loss: the number of the first epoch after which the loss on the "
    "validation images is at or below the reference loss. An epoch is one pass over the training "
    "images, each shown once and changed at random; a published epoch (Bowles et al. 2021) is "
    f"{PASSES_A_PUBLISHED_EPOCH} such passes; images seen and optimiser steps are counted to the end "
    "of that epoch."
)

DEFINITION_OF_REFERENCE = (
    "The reference loss is one number for the whole study. Unless it is given, it lies three quarters "
    "of the way from the loss of guessing, ln K for K classes, down to the mean over seeds of the "
    "lowest validation loss of the baseline group."
)

DEFINITION_OF_CENSORING = (
    "A run that ends without reaching it is censored: all that is known is that it takes longer. Means "
    "are therefore restricted (Kaplan-Meier): a run counts with its epochs until the reference loss, "
    "or with the horizon where that is less. The horizon is the last epoch up to which every run "
    "either has reached the loss or was still followed."
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TimeToReference:
    """When a run reached the reference loss, or how long it was followed without reaching it.

    Parameters
    ----------
    reached : bool
        Whether it did.
    epochs : int
        Passes over the training images until then, or in all.

    Examples
    --------
    >>> import attnxai
    >>> attnxai.study.TimeToReference(reached=False, epochs=48)
    TimeToReference(reached=False, epochs=48)
    """

    reached: bool
    epochs: int


def time_to_reference(history: Sequence[EpochResult], reference: float) -> TimeToReference:
    """First epoch whose validation loss is at or below the reference loss.

    Parameters
    ----------
    history : sequence of EpochResult
        All epochs of the run, at least one.
    reference : float
        The reference loss.

    Examples
    --------
    >>> import attnxai
    >>> run = attnxai.study.StudyRun.from_losses(
    ...     "C4", 0, [0.7, 0.5, 0.3], {"accuracy": 0.8}, n_train=800, n_images=198
    ... )
    >>> time = attnxai.study.time_to_reference(run.history, 0.5)
    >>> time.reached, time.epochs
    (True, 2)
    """
    first = next((result for result in history if result.validation_loss <= reference), None)
    return TimeToReference(reached=first is not None, epochs=(first or history[-1]).epoch + 1)


def default_reference(baseline_losses: Sequence[float], n_classes: int) -> float:
    """Reference loss from what the baseline reaches: ln K - 0.75 (ln K - L), for K classes.

    L is the mean over the baseline's runs of their lowest validation losses. NaN if the baseline does no
    better than guessing, so that there is no such loss.
    """
    guessing = math.log(n_classes)
    reached = float(np.mean(baseline_losses)) if len(baseline_losses) else math.nan
    if not reached < guessing:
        return math.nan
    return guessing - _SHARE * (guessing - reached)


def common_horizon(times: Sequence[TimeToReference]) -> int:
    """Last epoch up to which it is known of every run whether it has reached the reference loss.

    The shortest run that never reached it ends the horizon; without one, the longest time does. As no run
    is censored before it, the restricted mean of the Kaplan-Meier curve up to the horizon is the mean of
    the times, each at most the horizon.
    """
    censored = [time.epochs for time in times if not time.reached]
    return min(censored) if censored else max(time.epochs for time in times)
