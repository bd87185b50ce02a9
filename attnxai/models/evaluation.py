"""Networks in evaluation mode, for as long as it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch.backends import cudnn

from attnxai.models.prepared import prepared


@contextlib.contextmanager
def evaluating(network: torch.nn.Module, *, prepare: bool = True) -> Iterator[None]:
    """Evaluation mode without gradients within the block; those that it turns on are not with respect to weights.

    What layers make of their weights alone is made once, see :mod:`~attnxai.models.prepared`; not without ``prepare``, for
    those who follow every call of a torch function. A GPU computes in full single precision, and by the same algorithms in
    every run. Every module has its mode and every parameter its gradients back when the block ends, also
    when it ends with an error.
    """
    modes = {module: module.training for module in network.modules()}
    trained = [
        parameter
        for parameter in network.parameters()
        if parameter.requires_grad and not parameter.is_inference()
    ]
    if any(modes.values()):
        network.eval()
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        with (
            torch.no_grad(),
            prepared(network) if prepare else contextlib.nullcontext(),
            # which does nothing on the CPU; by default filters have 10 bits of precision on a GPU
            cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            yield
    finally:
        for module, training in modes.items():
            if module.training is not training:  # setting an attribute of a module takes long
                module.training = training
        for parameter in trained:
            parameter.requires_grad_(True)
