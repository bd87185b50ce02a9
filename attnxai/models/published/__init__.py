"""The networks of the published papers, for loading their checkpoints.

Sources: Scaife & Porter 2021 (arXiv 2102.08252, LeNets) and Bowles et al. 2021 (arXiv 2012.01248,
attention-gated CNN; arXiv 2111.04742, its equivariant form). Their files hold a state dict and nothing
else, so what the network was has to follow from names, shapes and signs of the weights, and from the
name of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from attnxai.models.published.attention import load_attention, looks_like_attention
from attnxai.models.published.lenets import load_lenet, looks_like_lenet
from attnxai.models.published.origin import PublishedFile, stated_beside
from attnxai.models.published.state_dicts import faults_of

if TYPE_CHECKING:
    from attnxai.models.model import AttentionModel

__all__ = ["PublishedFile", "load_published", "looks_published", "stated_beside"]


def looks_published(content: Any) -> bool:
    """Whether the content of a file is a state dict of one of the published networks."""
    return (
        isinstance(content, Mapping)
        and all(
            isinstance(name, str) and isinstance(value, torch.Tensor)
            for name, value in content.items()
        )
        and (looks_like_attention(content) or looks_like_lenet(content))
    )


def load_published(content: Mapping[str, torch.Tensor], file: PublishedFile) -> AttentionModel:
    """Rebuild a published network from its state dict and load its weights.

    Where the file holds the filter bases, e2cnn is neither needed nor imported.
    """
    attention = looks_like_attention(content)
    load = load_attention if attention else load_lenet
    kind = "a published attention network" if attention else "a published LeNet"
    with faults_of(file.path, kind):
        return load(content, file)
