"""Which class score, or difference of two, an explanation is of."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from attnxai.errors import OptionError


def check_target(
    target: str | Sequence[str] | None, class_names: Sequence[str], model: str
) -> None:
    """Refuse a target that is neither a class of a model nor two different ones."""
    if target is None:
        return
    known = f"its classes are {', '.join(class_names)}"
    named = tuple(target) if isinstance(target, list | tuple) else (target,)
    for name in named:
        if name not in class_names:
            raise OptionError(f"target {name!r} is not a class of the model {model}; {known}")
    if len(named) > 2 or len(set(named)) < len(named) or not named:
        raise OptionError(
            f"target has to be one class, or two different ones whose scores are subtracted, got {named}; "
            f"the classes of the model {model} are {', '.join(class_names)}"
        )


def class_weights(
    target: str | Sequence[str] | None, scores: torch.Tensor, class_names: Sequence[str]
) -> torch.Tensor:
    """Weight of every class score in what is explained, shape (n, n_classes), for ``scores`` of that shape.

    1 for the target, or for the class of highest score if there is none; with two classes, -1 for the second.
    """
    weights = torch.zeros_like(scores)
    if target is None:
        return weights.scatter_(1, scores.argmax(dim=1, keepdim=True), 1.0)
    named = (target,) if isinstance(target, str) else target
    for name, sign in zip(named, (1.0, -1.0), strict=False):
        weights[:, class_names.index(name)] = sign
    return weights
