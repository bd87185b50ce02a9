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
def rectify_in_place(
    values: Floats, n_images: int, n_pixels: int,
    scale_before: Floats, shift_before: Floats, scale_after: Floats, shift_after: Floats, rectified: bool,
) -> None:  # fmt: skip
    """The same of ``values`` (n_images, channels, n_pixels) in place; a loop over two arrays that may be one is not vectorised."""
    n_channels = len(scale_before)
    for i in range(n_images * n_channels):
        c = i % n_channels
        a, b, d, e = scale_before[c], shift_before[c], scale_after[c], shift_after[c]
        start = _U(i * n_pixels)
        if rectified:
            for x in range(_U(n_pixels)):
                value = a * values[start + x] + b
                values[start + x] = (np.float32(0) if value < 0 else value) * d + e
        else:
            for x in range(_U(n_pixels)):
                values[start + x] = a * values[start + x] + b


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
    out: Floats, features: Floats, coarse: Floats, theta: Floats, psi: Floats, bias: Floats, where: Floats,
    below: Offsets, above: Offsets, share: Floats, left: Offsets, right: Offsets, part: Floats,
) -> None:  # fmt: skip
    """``psi(relu(theta(features) + coarse))`` of images, with ``coarse`` interpolated between its pixels.

    ``out`` (n, height, width), ``features`` (n, channels, height, width), ``coarse`` (n, between, rows, columns), ``theta``
    (between * channels). A row y lies between the rows ``below[y]`` and ``above[y]``, of which it takes the ``share`` of the
    second; columns likewise. Pixels where ``where`` (n, height, width) is 0 get 0.
    """
    n, n_channels, height, width = features.shape
    n_between, rows, columns = coarse.shape[1:]
    n_pixels, n_coarse = height * width, rows * columns
    flat_features, flat_coarse, flat_where = (
        features.reshape(-1),
        coarse.reshape(-1),
        where.reshape(-1),
    )
    # of each pixel that is scored: its place, the four coarse pixels about it, and its place between them
    places, corners = np.empty(n_pixels, np.int64), np.empty((4, n_pixels), np.int64)
    across, down = np.empty(n_pixels, np.float32), np.empty(n_pixels, np.float32)
    values, scores = np.empty(n_pixels, np.float32), np.empty(n_pixels, np.float32)
    # its features, with the pixels of a channel beside each other
    lines = np.empty(n_channels * n_pixels, np.float32)
    offsets = np.arange(n_between * n_channels) % n_channels * n_pixels
    for i in range(n):
        n_scored = 0
        for y in range(height):
            for x in range(width):
                if flat_where[(i * height + y) * width + x] != 0:
                    places[n_scored] = y * width + x
                    low, high = below[y] * columns, above[y] * columns
                    corners[0, n_scored], corners[1, n_scored] = low + left[x], low + right[x]
                    corners[2, n_scored], corners[3, n_scored] = high + left[x], high + right[x]
                    across[n_scored], down[n_scored] = part[x], share[y]
                    n_scored += 1
        for k in range(n_channels):
            start, to = (i * n_channels + k) * n_pixels, k * n_pixels
            for p in range(n_scored):
                lines[to + p] = flat_features[start + places[p]]
        scores[:n_scored] = bias[0]
        for c in range(n_between):
            first, start, weight = c * n_channels, (i * n_between + c) * n_coarse, psi[c]
            _weigh(values, 0, n_scored, lines, first, first + n_channels, offsets, theta)
            for p in range(_U(n_scored)):
                a, b = flat_coarse[start + corners[0, p]], flat_coarse[start + corners[1, p]]
                d, e = flat_coarse[start + corners[2, p]], flat_coarse[start + corners[3, p]]
                upper, lower = a + across[p] * (b - a), d + across[p] * (e - d)
                value = values[p] + (upper + down[p] * (lower - upper))
                scores[p] += weight * (np.float32(0) if value < 0 else value)
        out[i] = np.float32(0)
        flat_out = out[i].reshape(-1)
        for p in range(n_scored):
            flat_out[places[p]] = scores[p]


@_compiled
def attend_to_emission(
    out: Floats, scores: Floats, where: Floats, n_images: int, n_pixels: int
) -> None:
    """``out`` (n_images, n_pixels), the softplus of the scores where ``where`` is not 0, divided by its sum; 0 elsewhere."""
    weights = np.zeros(n_pixels)
    for i in range(n_images):
        start, total = i * n_pixels, 0.0
        for p in range(n_pixels):
            weights[p] = 0.0
            if where[start + p] != 0:
                score = np.float64(scores[start + p])
                weights[p] = max(score, 0.0) + np.log1p(np.exp(-abs(score)))
                total += weights[p]
        for p in range(n_pixels):
            out[start + p] = weights[p] / total if total != 0 else 0.0


@_compiled
def _mark_cells(
    cells: Floats, pixels: Offsets, step: int, rows: int, columns: int, binning: int
) -> None:
    for p in pixels:
        row, column = (p // step - 1) // binning, (p % step - 1) // binning
        if row < rows and column < columns:
            cells[row * columns + column] = np.float32(1)


@_compiled
def find_emission(
    out: Floats, brightness: Floats, n_images: int, height: int, width: int,
    faintest: float, least_pixels: int, binning: int,
) -> None:  # fmt: skip
    """``out`` (n_images, height // binning, width // binning), 1 in cells that hold a pixel with emission, and 0 in others.

    Emission are islands of ``least_pixels`` or more brighter than ``faintest``, joined also at corners; in an image without
    such an island, all pixels that are.
    """
    rows, columns = height // binning, width // binning
    step = width + 2  # within a border, so that every pixel has neighbours
    is_bright = np.zeros((height + 2) * step, np.bool_)
    pixels = np.empty(height * width, np.int64)
    for i in range(n_images):
        cells = out[i * rows * columns : (i + 1) * rows * columns]
        cells[:] = np.float32(0)
        n_bright, any_large = 0, False
        for y in range(height):
            to, start = _U((y + 1) * step + 1), _U((i * height + y) * width)
            for x in range(_U(width)):
                is_bright[to + x] = brightness[start + x] > faintest
        for p in range(len(is_bright)):
            if not is_bright[p]:
                continue
            begin = done = n_bright
            is_bright[p] = False
            pixels[n_bright] = p
            n_bright += 1
            while done < n_bright:
                middle = pixels[done]
                done += 1
                for row in (middle - step, middle, middle + step):
                    for q in range(row - 1, row + 2):
                        if is_bright[q]:
                            is_bright[q] = False
                            pixels[n_bright] = q
                            n_bright += 1
            if n_bright - begin >= least_pixels:
                any_large = True
                _mark_cells(cells, pixels[begin:n_bright], step, rows, columns, binning)
        if not any_large:
            _mark_cells(cells, pixels[:n_bright], step, rows, columns, binning)
