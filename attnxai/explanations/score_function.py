"""The scores that attribution methods explain, as a function of an image's difference from blank sky."""

from __future__ import annotations

import copy

import torch
from torch import nn

from attnxai.explanations.inputs import blank_input
from attnxai.models.attention_gate import GateNormalisation
from attnxai.models.model import AttentionModel
from attnxai.models.specification import ModelSpec


class ScoreFunction(nn.Module):
    """Weighted sum of a model's class scores, as a function of the difference of images from blank sky.

    Differences of 0 are blank sky, so that the baseline and replacement of every method are blank sky.

    Parameters
    ----------
    model : AttentionModel
        The model; its network stays as it is.

    Examples
    --------
    >>> import attnxai
    >>> function = ScoreFunction(attnxai.load_model("c1.pt"))
    >>> function(torch.zeros(1, 1, 144, 144), weights=torch.tensor([[1.0, -1.0]])).shape
    torch.Size([1])
    """

    blank: torch.Tensor

    def __init__(self, model: AttentionModel) -> None:
        super().__init__()
        self.network: nn.Module = model.network
        self.model_name = model.name
        if isinstance(model.spec, ModelSpec) and model.spec.extremes_over_batch:
            # shown one image at a time, such a network takes the extremes of that image; the copy does so in a batch
            self.network = copy.deepcopy(model.network)
            for module in self.network.modules():
                if isinstance(module, GateNormalisation):
                    module.over_batch = False
        self.masks_emission = isinstance(model.spec, ModelSpec) and model.spec.zero_sky
        self.register_buffer("blank", blank_input(model))

    def forward(
        self,
        differences: torch.Tensor,
        weights: torch.Tensor,
        emission_of: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Weighted sum of the class scores of each image.

        Parameters
        ----------
        differences : Tensor, shape (n, channels, rows, columns)
            Input of the network less blank sky.
        weights : Tensor, shape (n, n_classes)
            Weight of every class score, from :func:`attnxai.explanations.targets.class_weights`.
        emission_of : Tensor, shape (channels, rows, columns), optional
            An image, as its difference from blank sky. Networks that attend to emission attend to that of this image.

        Returns
        -------
        Tensor, shape (n,)
        """
        images = self.blank + differences
        if emission_of is not None and self.masks_emission:
            scores = self.network(images, self.blank + emission_of)
        else:
            scores = self.network(images)
        return (weights * scores).sum(dim=1)  # type: ignore[no-any-return]
