"""Which class score, or difference of class scores, an explanation is of."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from attnxai.errors import OptionError


def check_target(
    target: str | Sequence[str] | None, class_names: Sequence[str], model: str
) -> None:
    """Refuse a target that is neither a class of a model nor several different ones."""
    if target is None:
        return
    known = f"its classes are {', '.join(class_names)}"
    named = tuple(target) if isinstance(target, list | tuple) else (target,)
    for name in named:
        if name not in class_names:
            raise OptionError(f"target {name!r} is not a class of the model {model}; {known}")
    if len(set(named)) < len(named) or not named:
        raise OptionError(
            "target has to be one class, or several different ones, the first of which is explained against the others, "
            f"got {named}; the classes of the model {model} are {', '.join(class_names)}"
        )


def against_the_others(name: str, class_names: Sequence[str]) -> tuple[str, ...]:
    """The target of a class against all others."""
    return (name, *(other for other in class_names if other != name))


def class_weights(
    target: str | Sequence[str] | None, scores: torch.Tensor, class_names: Sequence[str]
) -> torch.Tensor:
    """Weight of every class score in what is explained.

    Without a target the class of highest score is explained, against the others: what all class scores have in common
    changes no probability, and so nothing fixes it.

    Parameters
    ----------
    target : str, sequence of str or None
        A class, whose score has the weight 1; or several, of which the others share -1 equally. None for the class of
        highest score against all others.
    scores : Tensor, shape (n, n_classes)
        Class scores of the images.
    class_names : sequence of str
        Classes in the order of the scores.

    Returns
    -------
    Tensor, shape (n, n_classes)

    Examples
    --------
    >>> import torch
    >>> class_weights(None, torch.tensor([[0.1, 3.0, 0.2]]), ("FR I", "FR II", "hybrid"))
    tensor([[-0.5000,  1.0000, -0.5000]])
    """
    if target is None:
        weights = torch.full_like(scores, -1.0 / max(scores.shape[1] - 1, 1))
        return weights.scatter_(1, scores.argmax(dim=1, keepdim=True), 1.0)
    weights = torch.zeros_like(scores)
    named = (target,) if isinstance(target, str) else target
    for name in named[1:]:
        weights[:, class_names.index(name)] = -1.0 / (len(named) - 1)
    weights[:, class_names.index(named[0])] = 1.0
    return weights
