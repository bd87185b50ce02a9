"""Loops over pixels that numba compiles: what torch has no fast operation for.

They work on flat arrays and offsets, since views cost more than the loops. Indices are unsigned, so that no test for
negative ones keeps a loop from being vectorised. Products and sums may be fused, but are never reordered: a result
depends on the processor, and not on where in an array it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Offsets = NDArray[np.int64]

_compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
_U = np.uintp


@_compiled
def _weigh(
    out: Floats, at: Any, n: Any, values: Floats, first: int, last: int, offsets: Offsets, weights: Floats
) -> None:  # fmt: skip
    """``out[at : at + n]``, the weighted sum of runs of values that begin at the offsets first to last."""
    at, n = _U(at), _U(n)
    n_terms = last - first
    if n_terms == 0:
        for p in range(n):
            out[at + p] = np.float32(0)
        return
    j = first
    rest = n_terms % 4
    a, va = _U(offsets[j]), weights[j]
    if rest == 1:
        for p in range(n):
            out[at + p] = va * values[a + p]
    elif rest == 2:
        b, vb = _U(offsets[j + 1]), weights[j + 1]
        for p in range(n):
            out[at + p] = va * values[a + p] + vb * values[b + p]
    elif rest == 3:
        b, vb = _U(offsets[j + 1]), weights[j + 1]
        c, vc = _U(offsets[j + 2]), weights[j + 2]
        for p in range(n):
            out[at + p] = va * values[a + p] + vb * values[b + p] + vc * values[c + p]
    else:
        b, vb = _U(offsets[j + 1]), weights[j + 1]
        c, vc = _U(offsets[j + 2]), weights[j + 2]
        d, vd = _U(offsets[j + 3]), weights[j + 3]
        for p in range(n):
            out[at + p] = (
                va * values[a + p] + vb * values[b + p] + vc * values[c + p] + vd * values[d + p]
            )
        rest = 4
    j += rest
    while j < last:
        a, va = _U(offsets[j]), weights[j]
        b, vb = _U(offsets[j + 1]), weights[j + 1]
        c, vc = _U(offsets[j + 2]), weights[j + 2]
        d, vd = _U(offsets[j + 3]), weights[j + 3]
        for p in range(n):
            out[at + p] += (
                va * values[a + p] + vb * values[b + p] + vc * values[c + p] + vd * values[d + p]
            )
        j += 4


@_compiled
def _fold(out: Floats, sums: Any, differences: Any, n: Any, values: Floats, a: Any, b: Any) -> None:
    """Sums and differences of two runs of values."""
    sums, differences, n, a, b = _U(sums), _U(differences), _U(n), _U(a), _U(b)
    for p in range(n):
        one, other = values[a + p], values[b + p]
        out[sums + p] = one + other
        out[differences + p] = one - other


@_compiled
def _copy(out: Floats, at: Any, n: Any, values: Floats, start: Any) -> None:
    at, n, start = _U(at), _U(n), _U(start)
    for p in range(n):
        out[at + p] = values[start + p]


@_compiled
def convolve_with_harmonics(
    channels: Floats, channel_step: int, n_fields: int, start: int, n: int, row_step: int, radius: int,
    work: Floats, convolved: Floats, strip: int,
    harmonic_ends: Offsets, harmonic_offsets: Offsets, harmonic_weights: Floats,
    coupling_ends: Offsets, coupling_offsets: Offsets, coupling_weights: Floats,
    lines: Floats, planes: Floats, n_lines: int, n_planes: int, n_rows: int,
) -> None:  # fmt: skip
    """Convolve a strip of n pixels of Fourier coefficients with the harmonics, and couple them.

    ``channels`` (n_fields * |G|, channel_step) are flat padded images with rows of ``row_step`` pixels, of which the strip
    begins at ``start``. Written are ``lines`` (n_lines, n_fields * n_harmonics, strip) and ``planes`` (n_planes,
    n_fields * n_harmonics * 2, n_rows * strip). ``work`` and ``convolved`` are scratch.
    """
    size = n_lines + n_planes * 2 * n_rows
    n_harmonics = len(harmonic_ends) - 1
    side = 2 * radius + 1
    tall = strip + 2 * radius
    folded = side * tall
    for field in range(n_fields):
        for e in range(size):
            # along columns first, on the pixels beside the strip as well
            centre = (field * size + e) * channel_step + start - radius
            _copy(work, 0, n + 2 * radius, channels, centre)
            for j in range(1, radius + 1):
                _fold(
                    work, j * tall, (radius + j) * tall, n + 2 * radius,
                    channels, centre + j * row_step, centre - j * row_step,
                )  # fmt: skip
            # then along rows; the middle column is in place
            for r in range(side):
                for j in range(1, radius + 1):
                    to, middle = folded + r * side * strip, r * tall + radius
                    _fold(
                        work, to + j * strip, to + (radius + j) * strip, n, work, middle + j, middle - j
                    )  # fmt: skip
            for w in range(n_harmonics):
                _weigh(
                    convolved, (e * n_harmonics + w) * strip, n,
                    work, harmonic_ends[w], harmonic_ends[w + 1], harmonic_offsets, harmonic_weights,
                )  # fmt: skip
        for e in range(size):
            for w in range(n_harmonics):
                t = e * n_harmonics + w
                first, last = coupling_ends[t], coupling_ends[t + 1]
                if e < n_lines:
                    at = ((e * n_fields + field) * n_harmonics + w) * strip
                    _weigh(lines, at, n, convolved, first, last, coupling_offsets, coupling_weights)
                else:
                    plane, place = divmod(e - n_lines, 2 * n_rows)
                    row, column = divmod(place, 2)
                    at = ((plane * n_fields + field) * n_harmonics + w) * 2 + column
                    at = (at * n_rows + row) * strip
                    _weigh(
                        planes, at, n, convolved, first, last, coupling_offsets, coupling_weights
                    )


@_compiled
def rectify(
    out: Floats, values: Floats, n_images: int, channel_step: int, row_step: int, height: int, width: int,
    scale_before: Floats, shift_before: Floats, scale_after: Floats, shift_after: Floats, rectified: bool,
) -> None:  # fmt: skip
    """``out`` (n_images, channels, height, width), of flat images with longer rows: scaled, rectified, scaled by channel."""
    n_channels = len(scale_before)
    for i in range(n_images * n_channels):
        c = i % n_channels
        a, b, d, e = scale_before[c], shift_before[c], scale_after[c], shift_after[c]
        # rows that follow each other are one run
        rows, columns = (1, height * width) if row_step == width else (height, width)
        for y in range(rows):
            to, start = _U((i * rows + y) * columns), _U(i * channel_step + y * row_step)
            if rectified:
                for x in range(_U(columns)):
                    value = a * values[start + x] + b
                    out[to + x] = (np.float32(0) if value < 0 else value) * d + e
            else:
                for x in range(_U(columns)):
                    out[to + x] = a * values[start + x] + b


@_compiled
def halve(out: Floats, values: Floats, n_channels: int, height: int, width: int) -> None:
    """``out``, the maxima of squares of two by two pixels; an odd last row or column is left out."""
    rows, columns = height // 2, width // 2
    for c in range(n_channels):
        for y in range(rows):
            to, above = _U((c * rows + y) * columns), _U((c * height + 2 * y) * width)
            below = above + _U(width)
            for x in range(_U(columns)):
                pair = _U(2) * x
                first = max(values[above + pair], values[above + pair + _U(1)])
                second = max(values[below + pair], values[below + pair + _U(1)])
                out[to + x] = max(first, second)


@_compiled
def score_gates(
    out: Floats, features: Floats, coarse: Floats, theta: Floats, psi: Floats, bias: Floats,
    below: Offsets, above: Offsets, share: Floats, left: Offsets, right: Offsets, part: Floats,
) -> None:  # fmt: skip
    """``psi(relu(theta(features) + coarse))`` of images, with ``coarse`` interpolated between its pixels.

    ``out`` (n, height, width), ``features`` (n, channels, height, width), ``coarse`` (n, between, rows, columns), ``theta``
    (between, channels). A row y lies between the rows ``below[y]`` and ``above[y]``, of which it takes the ``share`` of the
    second; columns likewise.
    """
    n, n_channels, height, width = features.shape
    n_between, columns = coarse.shape[1], coarse.shape[3]
    row, values = np.empty(columns, np.float32), np.empty(width, np.float32)
    for i in range(n):
        for y in range(height):
            scores = out[i, y]
            scores[:] = bias[0]
            for c in range(n_between):
                low, high, v = coarse[i, c, below[y]], coarse[i, c, above[y]], share[y]
                for x in range(columns):
                    row[x] = low[x] + v * (high[x] - low[x])
                for x in range(width):
                    a = row[left[x]]
                    values[x] = a + part[x] * (row[right[x]] - a)
                for k in range(n_channels):
                    weight, line = theta[c, k], features[i, k, y]
                    for x in range(width):
                        values[x] += weight * line[x]
                weight = psi[c]
                for x in range(width):
                    value = values[x]
                    scores[x] += weight * (np.float32(0) if value < 0 else value)
