"""Options of a training run."""

from __future__ import annotations

import dataclasses
import enum
import math

from attnxai.data.plain_values import to_plain
from attnxai.errors import OptionError


class Schedule(enum.StrEnum):
    """Learning rate after the warm-up over the first twentieth of the steps.

    ``COSINE`` falls to zero along half a cosine; ``CONSTANT`` stays at the peak.
    """

    COSINE = "cosine"
    CONSTANT = "constant"


class Precision(enum.StrEnum):
    """Number format of the convolutions in training.

    ``MIXED`` computes them with 16-bit floats (bfloat16) and keeps weights, batch statistics of the
    optimiser and the loss in 32 bits. Models are stored and used in 32 bits either way.
    """

    FLOAT32 = "float32"
    MIXED = "mixed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Options of a training run.

    Parameters
    ----------
    epochs : int
        Passes over the training images; each pass shows every image once, randomly transformed.
    batch_size : int
        Images per step.
    learning_rate : float
        Peak of the schedule.
    schedule : Schedule
        Learning rate after the peak.
    weight_decay : float
        Decoupled weight decay (AdamW; Loshchilov & Hutter 2019).
    weight_average : float
        Share of the past in the running average of the weights that is validated and kept (Polyak &
        Juditsky 1992); 0 keeps the weights themselves.
    patience : int
        Stop after this many epochs without a lower validation loss; 0 never stops early.
    validation_share : float
        Share of each class that is held back to choose the epoch by.
    rotate, reflect : bool
        Whether training images are rotated by any angle and reflected at random.
    scale : float
        Training images are magnified by up to this factor or its inverse.
    shift : float
        Training images are shifted by up to this many pixels along each axis.
    precision : Precision
        Number format of the convolutions.
    random_labels : bool
        Train on labels that are permuted at random among the training images, and keep the last epoch: a control, whose
        maps cannot show what distinguishes the classes (Adebayo et al. 2018, arXiv 1810.03292).
    seed : int
        Random seed; the same seed, device and number of threads give the same weights.

    Raises
    ------
    OptionError
        Naming the option that is out of its range.

    Examples
    --------
    >>> TrainingSettings(epochs=0)
    Traceback (most recent call last):
    ...
    attnxai.errors.OptionError: epochs has to be a whole number of 1 or more, got 0
    """

    epochs: int = 48
    batch_size: int = 16
    learning_rate: float = 5e-3
    schedule: Schedule = Schedule.COSINE
    weight_decay: float = 1e-4
    weight_average: float = 0.99
    patience: int = 0
    validation_share: float = 0.2
    rotate: bool = True
    reflect: bool = True
    scale: float = 1.1
    shift: float = 3.0
    precision: Precision = Precision.FLOAT32
    random_labels: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, lowest in (("epochs", 1), ("batch_size", 2), ("patience", 0), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
                raise OptionError(
                    f"{name} has to be a whole number of {lowest} or more, got {value}"
                )
        ranges = {
            "learning_rate": (0.0, math.inf, "positive", False),
            "weight_decay": (0.0, math.inf, "0 or more", True),
            "weight_average": (0.0, 1.0, "at least 0 and below 1", True),
            "validation_share": (0.0, 1.0, "between 0 and 1", False),
            "scale": (1.0, 10.0, "at least 1 and below 10", True),
            "shift": (0.0, math.inf, "0 or more", True),
        }
        for name, (low, high, words, low_included) in ranges.items():
            value = getattr(self, name)
            if not (low <= value < high) or (value == low and not low_included):
                raise OptionError(f"{name} has to be {words}, got {value}")
        if self.random_labels and self.patience:
            raise OptionError(
                f"patience has to be 0 with random_labels, got {self.patience}: the validation loss of such a "
                "training does not fall"
            )
        object.__setattr__(self, "schedule", Schedule(self.schedule))
        object.__setattr__(self, "precision", Precision(self.precision))

    def rate(self, step: int, n_steps: int) -> float:
        """Learning rate of a step, counted from 0.

        Examples
        --------
        >>> settings = TrainingSettings(learning_rate=1.0)
        >>> [round(settings.rate(step, 100), 3) for step in (0, 4, 52, 99)]
        [0.2, 1.0, 0.508, 0.0]
        """
        rise = max(1, n_steps // 20)
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        if self.schedule is Schedule.CONSTANT:
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / (n_steps - rise)))

    def to_dict(self) -> dict[str, int | float | str | bool]:
        """Values that can be written to a file."""
        return to_plain(self)


def mixed_precision_pays(device: str) -> bool:
    """Whether a device computes with 16-bit floats natively, so that ``mixed`` is faster.

    True for CUDA devices and CPUs with bfloat16 instructions.
    """
    import torch

    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public name for these
    supported = (torch.cpu._is_avx512_bf16_supported, torch.cpu._is_amx_tile_supported)  # noqa: SLF001
    return any(bool(ask()) for ask in supported)
