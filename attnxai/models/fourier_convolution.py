"""Convolutions between regular fields by a Fourier transform over the group, without their dense filters.

Arithmetic is what they save: see :mod:`~attnxai.models.group_fourier`. A strip of pixels is convolved with the harmonics, mixed and
written at a time, so that what stands between lies in the processor's cache, and images pass one by one, so that
features do not depend on which images share a batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from attnxai.models.compiled_kernels import convolve_with_harmonics, rectify, rectify_in_place
from attnxai.models.group_fourier import Harmonics

# pixels convolved at a time, and coefficients held between convolution and product: 2 MB of single precision
_STRIP = 256
_MOST_COEFFICIENTS = 2**19


class Epilogue(NamedTuple):
    """What follows a convolution: by channel, ``rectify(scale_before * y + shift_before) * scale_after + shift_after``.

    Each of shape (channels,) in single precision. Without ``rectified`` the last two are not applied.
    """

    scale_before: torch.Tensor
    shift_before: torch.Tensor
    scale_after: torch.Tensor
    shift_after: torch.Tensor
    rectified: bool

    def apply_(self, features: torch.Tensor) -> torch.Tensor:
        """Change features (batch, channels, height, width), contiguous and in single precision, in place."""
        batch, _, height, width = features.shape
        flat = features.numpy().reshape(-1)
        rectify_in_place(flat, batch, height * width, *self.arrays, self.rectified)
        return features

    @property
    def arrays(self) -> tuple[Any, Any, Any, Any]:
        """What is multiplied and added, as arrays."""
        before, after = (self.scale_before, self.shift_before), (self.scale_after, self.shift_after)
        return before[0].numpy(), before[1].numpy(), after[0].numpy(), after[1].numpy()

    @classmethod
    def none(cls, channels: int) -> Epilogue:
        """Nothing follows."""
        one, zero = torch.ones(channels), torch.zeros(channels)
        return cls(one, zero, one, zero, rectified=False)


class _Terms(NamedTuple):
    """Weighted sums, each of the terms from one end to the next."""

    ends: np.ndarray
    places: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray) -> _Terms:
        rows, places = np.nonzero(matrix)
        ends = np.searchsorted(rows, np.arange(len(matrix) + 1))
        weights = matrix[rows, places].astype(np.float32)
        return cls(ends.astype(np.int64), places.astype(np.int64), weights)


class FourierConvolution:
    """A convolution between regular fields that is prepared for images.

    Parameters
    ----------
    harmonics : Harmonics
        The harmonics of the basis of its filters.
    weights : Tensor, shape (fields_out, fields_in, n_basis)
        Weights of the basis filters.
    """

    def __init__(self, harmonics: Harmonics, weights: torch.Tensor) -> None:
        self.harmonics = harmonics
        fourier = harmonics.fourier
        self.fields_out, self.fields_in, _ = weights.shape
        values = weights.detach().double().cpu()
        lines, planes = torch.from_numpy(harmonics.lines), torch.from_numpy(harmonics.planes)
        # as matrices (output, input) of each representation, with harmonics and columns as inputs
        self.lines = torch.einsum("oin,pnv->poiv", values, lines).flatten(2).float().contiguous()
        self.planes = (
            torch.einsum("oin,pnbva->pobiva", values, planes)
            .reshape(
                fourier.n_planes,
                2 * self.fields_out,
                2 * self.fields_in * harmonics.n_harmonics,
            )
            .float()
            .contiguous()
        )
        self.matrix = torch.from_numpy(fourier.matrix).float()
        self.folded = _Terms.of(harmonics.folded)
        self.coupling = _Terms.of(harmonics.coupling)

    @torch.no_grad()
    def __call__(self, features: torch.Tensor, epilogue: Epilogue | None = None) -> torch.Tensor:
        """Convolve (batch, fields_in * |G|, height, width) in single precision, with zeros that keep the size."""
        size = self.harmonics.fourier.size
        batch, _, height, width = features.shape
        epilogue = epilogue or Epilogue.none(self.fields_out * size)
        out = torch.empty(batch, self.fields_out * size, height, width)
        scratch = _Scratch(self, height, width)
        for image, to in zip(features.contiguous(), out, strict=True):
            mixed = scratch.mixed(self, image)
            back = torch.matmul(self.matrix.T, mixed).numpy()
            rectify(
                to.numpy().reshape(-1), back.reshape(-1), 1, back.shape[-1], scratch.row_step, height, width,
                *epilogue.arrays, epilogue.rectified,
            )  # fmt: skip
        return out


class _Scratch:
    """Memory for images of one size, and the steps that use it."""

    def __init__(self, convolution: FourierConvolution, height: int, width: int) -> None:
        harmonics = convolution.harmonics
        fourier, n_harmonics = harmonics.fourier, harmonics.n_harmonics
        radius = harmonics.kernel_size // 2
        size, n_fields = fourier.size, convolution.fields_in
        self.height, self.width, self.radius = height, width, radius
        # zeros at the end of a row pad the next one as well
        self.row_step = width + radius
        self.n_pixels = height * self.row_step
        self.start = radius * self.row_step + radius
        strip = self.strip = min(_STRIP, -(-self.n_pixels // 16) * 16)
        at_once = max(1, _MOST_COEFFICIENTS // (size * n_harmonics * strip))
        self.n_chunks = -(-n_fields // at_once)
        at_once = -(-n_fields // self.n_chunks)
        self.fields = [
            (first, min(first + at_once, n_fields)) for first in range(0, n_fields, at_once)
        ]
        padded = (height + 2 * radius) * self.row_step + 2 * radius
        self.channels = torch.zeros(n_fields, size, padded)
        side = harmonics.kernel_size
        self._work = np.empty(side * (strip + 2 * radius) + side**2 * strip, np.float32)
        self._convolved = np.empty(size * n_harmonics * strip, np.float32)
        n_lines, n_planes, n_rows = fourier.n_lines, fourier.n_planes, fourier.n_rows
        self.lines = torch.empty(n_lines * at_once * n_harmonics * strip)
        self.planes = torch.empty(n_planes * at_once * n_harmonics * 2 * n_rows * strip)
        out = convolution.fields_out
        self.mixed_lines = torch.empty(n_lines, out, strip)
        self.mixed_planes = torch.empty(n_planes, 2 * out, n_rows * strip)
        self._mixed = torch.empty(out, size, self.n_pixels)
        row, column = np.divmod(convolution.folded.places, side)
        tall = strip + 2 * radius
        beside = side * tall + convolution.folded.places * strip
        self._folded = convolution.folded._replace(
            places=np.where(column == 0, row * tall + radius, beside)
        )
        self._coupling = convolution.coupling._replace(places=convolution.coupling.places * strip)

    def mixed(self, convolution: FourierConvolution, image: torch.Tensor) -> torch.Tensor:
        """Fourier coefficients of the output (fields_out, |G|, pixels), in rows of ``row_step`` pixels."""
        fourier, n_harmonics = convolution.harmonics.fourier, convolution.harmonics.n_harmonics
        n_lines, n_planes, n_rows = fourier.n_lines, fourier.n_planes, fourier.n_rows
        size, strip, out = fourier.size, self.strip, convolution.fields_out
        shape = (convolution.fields_in, size, self.height, self.width)
        padded = self.channels.shape[-1]
        transformed = torch.matmul(convolution.matrix, image.reshape(*shape[:2], -1))
        inner = self.channels.as_strided(
            shape, (size * padded, padded, self.row_step, 1), self.start
        )
        inner.copy_(transformed.reshape(shape))
        channels = self.channels.numpy()
        for begin in range(0, self.n_pixels, strip):
            n = min(strip, self.n_pixels - begin)
            for first, last in self.fields:
                n_inputs = (last - first) * n_harmonics
                lines = self.lines[: n_lines * n_inputs * strip]
                planes = self.planes[: n_planes * n_inputs * 2 * n_rows * strip]
                convolve_with_harmonics(
                    channels[first:last].reshape(-1), padded, last - first, self.start + begin, n,
                    self.row_step, self.radius, self._work, self._convolved, strip,
                    *self._folded, *self._coupling, lines.numpy(), planes.numpy(), n_lines, n_planes, n_rows,
                )  # fmt: skip
                added = 0 if first == 0 else 1
                own = slice(first * n_harmonics, last * n_harmonics)
                torch.baddbmm(
                    self.mixed_lines,
                    convolution.lines[:, :, own],
                    lines.view(n_lines, n_inputs, strip),
                    beta=added,
                    out=self.mixed_lines,
                )
                if n_planes:
                    own = slice(2 * first * n_harmonics, 2 * last * n_harmonics)
                    torch.baddbmm(
                        self.mixed_planes,
                        convolution.planes[:, :, own],
                        planes.view(n_planes, 2 * n_inputs, n_rows * strip),
                        beta=added,
                        out=self.mixed_planes,
                    )
            to = self._mixed[:, :, begin : begin + n]
            to[:, :n_lines] = self.mixed_lines[:, :, :n].transpose(0, 1)
            if n_planes:
                shaped = self.mixed_planes.view(n_planes, out, 2, n_rows, strip)[..., :n]
                to[:, n_lines:].view(out, n_planes, n_rows, 2, n).copy_(
                    shaped.permute(1, 0, 3, 2, 4)
                )
        return self._mixed
