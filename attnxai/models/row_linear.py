"""A linear layer whose output for an image does not depend on the batch that the image is in."""

from __future__ import annotations

import torch
from torch import nn


class RowLinear(nn.Linear):
    """``nn.Linear``, whose products of matrices round differently for other numbers of rows, row by row when not training."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Class scores or hidden units, of shape (batch, n_out), of features of shape (batch, n_in)."""
        if self.training or len(input) == 0:
            return super().forward(input)
        # a copy, since products also round differently where a row does not begin at a multiple of 64 bytes
        rows = torch.split(input, 1)
        return torch.cat([super(RowLinear, self).forward(row.clone()) for row in rows])
