"""A network that someone else wrote: facts about it, and the module behind one interface."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import torch
from torch import nn

from attnxai.data.plain_values import to_plain
from attnxai.errors import SpecificationError
from attnxai.models.specification import SymmetryGroup


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrappedSpec:
    """Facts about a module of the user, which is not rebuilt from them.

    Parameters
    ----------
    module : str
        Name of its class.
    n_classes : int
        Number of classes.
    channels : int
        Channels of its input, in each of which it sees the image.
    one_score : bool
        Whether it has one score for two classes.
    layer : str
        Name of the layer whose feature map Grad-CAM explains; the last feature map before pooling if empty.
    """

    module: str
    n_classes: int
    channels: int = 1
    one_score: bool = False
    layer: str = ""

    @property
    def architecture(self) -> str:
        """Name of the module's class."""
        return self.module

    @property
    def group(self) -> str:
        """``C1``: no symmetry is known."""
        return self.symmetry.name

    @property
    def symmetry(self) -> SymmetryGroup:
        """The group as an object."""
        return SymmetryGroup(order=1, reflections=False)

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Attention gates; none are known."""
        return ()

    @property
    def disc(self) -> bool:
        """Whether the image is multiplied by a disc."""
        return False

    def to_dict(self) -> dict[str, Any]:
        """Plain values for results."""
        values = to_plain(self)
        return {"architecture": values.pop("module"), **values}


class WrappedNetwork(nn.Module):
    """Class scores (batch, n_classes) by a ``module``, of images (batch, 1, height, width).

    The module sees the image in each of its channels. One score s for two classes becomes -s / 2 and s / 2, whose
    softmax is the sigmoid of s.
    """

    def __init__(self, module: nn.Module, spec: WrappedSpec) -> None:
        super().__init__()
        # not those of a new module, which is in training mode
        self.training = module.training
        self.module, self.spec = module, spec

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores of shape (batch, n_classes)."""
        output = self.module(images.expand(-1, self.spec.channels, -1, -1))
        return self.class_scores(output, len(images))

    def class_scores(self, output: Any, n_images: int) -> torch.Tensor:
        """Class scores (n_images, n_classes) of what the module returned.

        Raises
        ------
        SpecificationError
            If it is something else than the scores that the specification states.
        """
        spec = self.spec
        if not isinstance(output, torch.Tensor):
            raise SpecificationError(
                f"the module {spec.module} returns {_described(output)}; wrap a module that returns the class "
                "scores alone, as a tensor"
            )
        if spec.one_score and output.numel() == n_images:
            score = output.reshape(n_images, 1)
            return torch.cat([-score / 2, score / 2], dim=1)
        if output.shape != (n_images, spec.n_classes):
            one = f", or {(n_images, 1)}, one score for both" if spec.n_classes == 2 else ""
            raise SpecificationError(
                f"the module {spec.module} returns the shape {tuple(output.shape)} for {n_images} images and "
                f"{spec.n_classes} class names; the shape has to be {(n_images, spec.n_classes)}, a score for each "
                f"class{one}"
            )
        return output


def _described(output: object) -> str:
    if isinstance(output, tuple | list) and output:
        return f"a {type(output).__name__} of {len(output)}"
    if isinstance(output, dict):
        return f"a dictionary of {', '.join(map(str, output))}"
    return f"a {type(output).__name__}"


def weights_sha256(network: nn.Module) -> str:
    """SHA-256 of a network's weights and statistics with their names, by which results name a network without a file."""
    digest = hashlib.sha256()
    for name, values in network.state_dict().items():
        if isinstance(values, torch.Tensor):
            digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
            content = values.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(content.numpy().tobytes())
    return digest.hexdigest()
