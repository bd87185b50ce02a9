"""Gradients of convolutions that go by a Fourier transform over the group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from attnxai.models.steerable import SteerableConv2d


class FourierConvolutionWithGradients(torch.autograd.Function):
    """A steerable convolution of features whose output and gradients both go by the transform.

    The gradient with respect to weights is computed together with that with respect to features, and only where weights
    require one. Gradients of gradients are those of the dense filter.
    """

    @staticmethod
    def forward(
        ctx: Any, features: torch.Tensor, weights: torch.Tensor, layer: SteerableConv2d
    ) -> torch.Tensor:
        """Convolve (batch, fields_in * |G|, height, width)."""
        ctx.layer = layer
        # the output is linear in either, so that only gradients with respect to weights need the features
        ctx.save_for_backward(weights, features if weights.requires_grad else None)
        return layer.by_fourier()(features)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients with respect to features and, where they are needed, weights."""
        layer: SteerableConv2d = ctx.layer
        # which raises an error if weights have changed since
        _, features = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (*_by_dense_filter(layer, features, gradient), None)
        adjoint = layer.by_fourier(adjoint=True)
        if features is None:
            return adjoint(gradient), None, None
        found, of_weights = adjoint.with_products(gradient, features)
        return found, of_weights.transpose(0, 1), None


def _by_dense_filter(
    layer: SteerableConv2d, features: torch.Tensor | None, gradient: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The gradients as functions of which autograd knows the gradients."""
    filters = layer.dense_filter()
    found = nn.functional.conv_transpose2d(gradient, filters, padding=layer.padding)
    if features is None:
        return found, None
    convolved = nn.functional.conv2d(features, filters, padding=layer.padding)
    (of_weights,) = torch.autograd.grad(convolved, layer.weights, gradient, create_graph=True)
    return found, of_weights
