"""The same bytes in any batch, and the same function as the layer of torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from attnxai.models.row_linear import RowLinear


@pytest.mark.parametrize(("n_in", "n_out"), [(44, 2), (400, 120), (79, 2)])
def test_an_image_has_the_same_bytes_in_any_batch(n_in: int, n_out: int) -> None:
    generator = torch.Generator().manual_seed(0)
    layer, plain = RowLinear(n_in, n_out).eval(), nn.Linear(n_in, n_out)
    plain.load_state_dict(layer.state_dict())
    features = torch.randn(33, n_in, generator=generator, requires_grad=True)
    scores = layer(features)
    for size in (1, 3, 16, 32):
        assert torch.equal(torch.cat([layer(part) for part in features.split(size)]), scores)
    torch.testing.assert_close(scores, plain(features))
    gradients = [
        torch.autograd.grad(f(features).square().sum(), features)[0] for f in (layer, plain)
    ]
    torch.testing.assert_close(*gradients)
    assert layer(features[:0]).shape == (0, n_out)


def test_training_is_that_of_torch() -> None:
    layer, plain = RowLinear(8, 2).train(), nn.Linear(8, 2)
    plain.load_state_dict(layer.state_dict())
    features = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(layer(features), plain(features))
