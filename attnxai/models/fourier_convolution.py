"""Convolutions between regular fields by a Fourier transform over the group, without their dense filters.

Arithmetic is what they save: see :mod:`~attnxai.models.group_fourier`. A strip of pixels is convolved with the harmonics, mixed and
written at a time, so that what stands between lies in the processor's cache, and images pass one by one, so that
features do not depend on which images share a batch. With several threads each takes images of its own.

The gradient with respect to features is a convolution between regular fields as well, the adjoint one, whose filters are
turned by 180 degrees, with inputs and outputs swapped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from attnxai.models.compiled_kernels import convolve_with_harmonics, rectify, rectify_in_place
from attnxai.models.group_fourier import Harmonics

# pixels convolved at a time, and coefficients held between convolution and product: 2 MB of single precision
_STRIP = 256
_MOST_COEFFICIENTS = 2**19

_T = TypeVar("_T")


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

    def __call__(self, features: torch.Tensor, epilogue: Epilogue | None = None) -> torch.Tensor:
        """Convolve (batch, fields_in * |G|, height, width) in single precision, with zeros that keep the size."""
        size = self.harmonics.fourier.size
        batch, _, height, width = features.shape
        epilogue = epilogue or Epilogue.none(self.fields_out * size)
        features = features.detach().contiguous()
        out = torch.empty(batch, self.fields_out * size, height, width)

        def convolve(i: int, scratch: _Scratch) -> None:
            mixed = scratch.mixed(self, features[i])
            self._finish(mixed, out[i], scratch, epilogue)

        for _ in self._of_images(convolve, features):
            pass
        return out

    def with_products(
        self, features: torch.Tensor, beside: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Convolve, and multiply what each basis filter makes of the features by the features ``beside``.

        Parameters
        ----------
        features : Tensor, shape (batch, fields_in * |G|, height, width)
            What is convolved.
        beside : Tensor, shape (batch, fields_out * |G|, height, width)
            Of the shape of the output.

        Returns
        -------
        convolved : Tensor, shape (batch, fields_out * |G|, height, width)
        products : Tensor, shape (fields_out, fields_in, n_basis)
            Sums over images and pixels: the gradient of ``(convolved * beside).sum()`` with respect to the weights.
        """
        size = self.harmonics.fourier.size
        epilogue = Epilogue.none(self.fields_out * size)
        features, beside = features.detach().contiguous(), beside.detach().contiguous()
        out = torch.empty_like(beside)

        def convolve(i: int, scratch: _Scratch) -> _Products:
            products = _Products(self, scratch, beside[i])
            mixed = scratch.mixed(self, features[i], products)
            self._finish(mixed, out[i], scratch, epilogue)
            return products

        # in the order of the images, whatever the number of threads
        found = self._of_images(convolve, features)
        total = next(found)
        for products in found:
            total.lines += products.lines
            total.planes += products.planes
        return out, total.of_weights(self)

    def _finish(
        self, mixed: torch.Tensor, out: torch.Tensor, scratch: _Scratch, epilogue: Epilogue
    ) -> None:
        """Transform back, and write one image."""
        back = torch.matmul(self.matrix.T, mixed).numpy()
        rectify(
            out.numpy().reshape(-1), back.reshape(-1), 1, back.shape[-1], scratch.row_step, scratch.height, scratch.width,
            *epilogue.arrays, epilogue.rectified,
        )  # fmt: skip

    def _of_images(
        self, work: Callable[[int, _Scratch], _T], features: torch.Tensor
    ) -> Iterator[_T]:
        """The results of work on the images of a batch, in their order; each has one thread."""
        n_images, _, height, width = features.shape
        n_threads = torch.get_num_threads()
        spare = [_Scratch(self, height, width) for _ in range(min(n_threads, n_images))]

        @torch.no_grad()  # which every thread has to say for itself
        def run(i: int) -> _T:
            scratch = spare.pop()
            try:
                return work(i, scratch)
            finally:
                spare.append(scratch)

        if len(spare) < 2:
            yield from map(run, range(n_images))
            return
        start: dict[str, Any] = {"initializer": torch.set_num_threads, "initargs": (1,)}
        with contextlib.ExitStack() as stack:
            # threads to come begin with the number that was set last, in whichever thread
            stack.callback(torch.set_num_threads, n_threads)
            pool = stack.enter_context(ThreadPoolExecutor(len(spare), **start))
            yield from pool.map(run, range(n_images))


class _Products:
    """Of an image, sums over pixels of what the matrices of a convolution multiply, times features of its output's shape.

    That is how much ``(convolution(image) * beside).sum()`` changes with each element of the matrices.
    """

    def __init__(
        self, convolution: FourierConvolution, scratch: _Scratch, beside: torch.Tensor
    ) -> None:
        self.lines, self.planes = (
            torch.zeros_like(matrices) for matrices in (convolution.lines, convolution.planes)
        )
        size, n_fields = convolution.harmonics.fourier.size, convolution.fields_out
        # zeros between the rows and after the last, where the convolved strips have other values
        n_pixels = -(-scratch.n_pixels // scratch.strip) * scratch.strip
        self._beside = torch.zeros(n_fields, size, n_pixels)
        shape = (n_fields, size, scratch.height, scratch.width)
        inner = self._beside.as_strided(shape, (size * n_pixels, n_pixels, scratch.row_step, 1))
        inner.copy_(
            torch.matmul(convolution.matrix, beside.reshape(n_fields, size, -1)).reshape(shape)
        )

    def add(
        self, begin: int, own: slice, lines: torch.Tensor, planes: torch.Tensor, n_rows: int
    ) -> None:
        """Those of a strip that begins at a pixel, and of some of the columns of matrices."""
        (n_lines, _, strip), n_planes = lines.shape, len(planes)
        here = self._beside[:, :, begin : begin + strip]
        self.lines[:, :, own] += torch.bmm(here[:, :n_lines].transpose(0, 1), lines.mT)
        if n_planes:
            n_fields = len(here)
            shaped = here[:, n_lines:].reshape(n_fields, n_planes, n_rows, 2, strip)
            shaped = shaped.permute(1, 0, 3, 2, 4).reshape(n_planes, 2 * n_fields, n_rows * strip)
            both = slice(2 * own.start, 2 * own.stop)
            self.planes[:, :, both] += torch.bmm(shaped, planes.mT)

    def of_weights(self, convolution: FourierConvolution) -> torch.Tensor:
        """The same for the weights (fields_out, fields_in, n_basis)."""
        harmonics, n_out, n_in = (
            convolution.harmonics, convolution.fields_out, convolution.fields_in
        )  # fmt: skip
        n = harmonics.n_harmonics
        lines = self.lines.double().reshape(-1, n_out, n_in, n)
        planes = self.planes.double().reshape(-1, n_out, 2, n_in, n, 2)
        found = torch.einsum("poiv,pnv->oin", lines, torch.from_numpy(harmonics.lines))
        if len(planes):
            found += torch.einsum("pobiva,pnbva->oin", planes, torch.from_numpy(harmonics.planes))
        return found.float()


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
        self.lines = torch.zeros(n_lines * at_once * n_harmonics * strip)
        self.planes = torch.zeros(n_planes * at_once * n_harmonics * 2 * n_rows * strip)
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

    def mixed(
        self,
        convolution: FourierConvolution,
        image: torch.Tensor,
        products: _Products | None = None,
    ) -> torch.Tensor:
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
                lines = self.lines[: n_lines * n_inputs * strip].view(n_lines, n_inputs, strip)
                planes = self.planes[: n_planes * n_inputs * 2 * n_rows * strip]
                planes = planes.view(n_planes, 2 * n_inputs, n_rows * strip)
                convolve_with_harmonics(
                    channels[first:last].reshape(-1), padded, last - first, self.start + begin, n,
                    self.row_step, self.radius, self._work, self._convolved, strip,
                    *self._folded, *self._coupling, lines.numpy().reshape(-1), planes.numpy().reshape(-1),
                    n_lines, n_planes, n_rows,
                )  # fmt: skip
                added = 0 if first == 0 else 1
                own = slice(first * n_harmonics, last * n_harmonics)
                torch.baddbmm(
                    self.mixed_lines,
                    convolution.lines[:, :, own],
                    lines,
                    beta=added,
                    out=self.mixed_lines,
                )
                if n_planes:
                    both = slice(2 * own.start, 2 * own.stop)
                    torch.baddbmm(
                        self.mixed_planes,
                        convolution.planes[:, :, both],
                        planes,
                        beta=added,
                        out=self.mixed_planes,
                    )
                if products is not None:
                    products.add(begin, own, lines, planes, n_rows)
            to = self._mixed[:, :, begin : begin + n]
            to[:, :n_lines] = self.mixed_lines[:, :, :n].transpose(0, 1)
            if n_planes:
                shaped = self.mixed_planes.view(n_planes, out, 2, n_rows, strip)[..., :n]
                to[:, n_lines:].view(out, n_planes, n_rows, 2, n).copy_(
                    shaped.permute(1, 0, 3, 2, 4)
                )
        return self._mixed
