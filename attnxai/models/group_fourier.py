"""Fourier transform over a symmetry group, and the few filters of which its steerable filters are made.

A filter between regular fields of a group G is ``k[o, i](h^-1 g, h^-1 x)`` for input element g and output element h.
Its values for the unit element lie in the span of a few circular harmonics phi_w, sampled on the pixel grid, which
rotations and reflections about the centre map onto each other. A convolution with it is therefore

1. a convolution of each channel with the harmonics,
2. a Fourier transform over the group, which turns what is left, a correlation over the group, into one matrix product
   for each irreducible representation.

For D8 and a kernel of 5 pixels there are 11 harmonics, and the products need a twentieth of the multiplications of the
dense filter. See Weiler & Cesa (2019) for steerable filters, and Cohen & Welling (2016) for group convolutions.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from attnxai.models.specification import SymmetryGroup

if TYPE_CHECKING:
    from numpy.typing import NDArray

# relative to the largest value of a basis: what is larger is not due to single precision
_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupFourier:
    """Real irreducible representations of a group, and the transform that they make.

    Elements are ordered as in e2cnn: rotations by 0, 360 / N, ... degrees, then the same after the reflection.
    A function on the group has |G| coefficients: one for each of the ``n_lines`` representations of dimension one, then
    for each of the ``n_planes`` of dimension two ``n_rows`` rows of two. Planes of C_N are of complex type, whose second
    row follows from the first.

    Parameters
    ----------
    lines : ndarray, shape (n_lines, |G|)
        Values of the representations of dimension one.
    planes : ndarray, shape (n_planes, |G|, 2, 2)
        Matrices of the representations of dimension two.
    n_rows : int
        1 for C_N, 2 for D_N.
    matrix : ndarray, shape (|G|, |G|)
        The transform, an orthogonal matrix of coefficients by elements.
    products : ndarray of int, shape (|G|, |G|)
        The element that two elements make, the second applied first.
    """

    lines: NDArray[np.float64]
    planes: NDArray[np.float64]
    n_rows: int
    matrix: NDArray[np.float64]
    products: NDArray[np.intp]

    @property
    def size(self) -> int:
        """Number of elements."""
        return len(self.matrix)

    @property
    def n_lines(self) -> int:
        """Number of representations of dimension one."""
        return len(self.lines)

    @property
    def n_planes(self) -> int:
        """Number of representations of dimension two."""
        return len(self.planes)


@functools.lru_cache(maxsize=64)
def group_fourier(group: SymmetryGroup) -> GroupFourier:
    """The Fourier transform of a group."""
    n, size = group.order, group.size
    turns = np.tile(np.arange(n), size // n)
    reflected = np.repeat([False, True][: size // n], n)
    sign = np.where(reflected, -1.0, 1.0)
    angle = 2 * math.pi * turns / n
    lines = [
        rotation * reflection
        for rotation in ([np.ones(size), (-1.0) ** turns] if n % 2 == 0 else [np.ones(size)])
        for reflection in ([np.ones(size), sign] if group.reflections else [np.ones(size)])
    ]
    planes = np.zeros(((n - 1) // 2, size, 2, 2))
    for frequency, plane in enumerate(planes, 1):
        cosine, sine = np.cos(frequency * angle), np.sin(frequency * angle)
        plane[:] = np.array([[cosine, -sine * sign], [sine, cosine * sign]]).transpose(2, 0, 1)
    n_rows = 2 if group.reflections else 1
    coefficients = [line / math.sqrt(size) for line in lines]
    coefficients += [
        plane[:, row, column] * math.sqrt(2 / size)
        for plane in planes
        for row in range(n_rows)
        for column in range(2)
    ]
    steps = np.where(reflected[:, None], -turns, turns)
    products = (turns[:, None] + steps) % n + n * (reflected[:, None] ^ reflected)
    return GroupFourier(
        lines=np.array(lines),
        planes=planes,
        n_rows=n_rows,
        matrix=np.array(coefficients),
        products=products.astype(np.intp),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Harmonics:
    """The filters of which all steerable filters of a basis are made, and how they are made of them.

    Parameters
    ----------
    fourier : GroupFourier
        The group.
    kernel_size : int
        Side of the filters in pixels.
    folded : ndarray, shape (n_harmonics, kernel_size**2)
        The filters, each even or odd along either axis, as weights of sums and differences of the pixels that a
        reflection maps onto each other: rows by columns, with k // 2 + 1 sums first and then k // 2 differences along either.
    filters : ndarray, shape (n_harmonics, kernel_size**2)
        The same as weights of pixels.
    turned : ndarray, shape (|G|, n_harmonics, n_harmonics)
        How elements of the group turn coefficients of the filters.
    coupling : ndarray, shape (|G| * n_harmonics, |G| * n_harmonics)
        What makes of the Fourier coefficients of channels, each convolved with the harmonics, those that the matrix
        products take.
    lines : ndarray, shape (n_lines, n_basis, n_harmonics)
        Fourier coefficients of the basis filters in representations of dimension one.
    planes : ndarray, shape (n_planes, n_basis, 2, n_harmonics, 2)
        The same in those of dimension two: output, harmonic, input.
    """

    fourier: GroupFourier
    kernel_size: int
    folded: NDArray[np.float64]
    filters: NDArray[np.float64]
    turned: NDArray[np.float64]
    coupling: NDArray[np.float64]
    lines: NDArray[np.float64]
    planes: NDArray[np.float64]

    @property
    def n_harmonics(self) -> int:
        """Number of filters."""
        return len(self.folded)


def find_harmonics(basis: NDArray[np.float32], group: SymmetryGroup) -> Harmonics | None:
    """The harmonics of a basis of filters between regular fields.

    Parameters
    ----------
    basis : ndarray, shape (n_basis, |G|, |G|, k, k)
        The basis filters: output element, input element, row, column.
    group : SymmetryGroup
        The group.

    Returns
    -------
    Harmonics or None
        None if the filters are not steerable, such as those of a damaged file, or not in this way.
    """
    fourier = group_fourier(group)
    n_basis, size, _, side, _ = basis.shape
    filters = np.asarray(basis, np.float64).reshape(n_basis, size, size, side * side)
    scale = np.abs(filters).max()
    if not scale > 0:
        return None
    unit = filters[:, 0].reshape(-1, side * side)
    _, strengths, directions = np.linalg.svd(unit, full_matrices=False)
    spanned = directions[: int((strengths > 1e-4 * strengths[0]).sum())]
    # of elements of the group, as matrices on the coefficients of filters
    known = unit @ spanned.T
    actions, residual = [], np.abs(unit - known @ spanned).max()
    inverse_of_known = np.linalg.pinv(known)
    for element in range(size):
        moved = filters[:, element][:, fourier.products[element]].reshape(-1, side * side)
        coefficients = moved @ spanned.T
        action = (inverse_of_known @ coefficients).T
        residual = max(
            residual,
            np.abs(moved - coefficients @ spanned).max(),
            np.abs(known @ action.T - coefficients).max(),
        )
        actions.append(action)
    if residual > _TOLERANCE * scale:
        return None
    adapted = _adapted(np.array(actions), spanned, side, group)
    if adapted is None:
        return None
    harmonics, turned = adapted
    matrix = fourier.matrix
    coupling = np.einsum("eg,fg,gvw->ewfv", matrix, matrix, turned, optimize=True)
    coupling[np.abs(coupling) < _TOLERANCE] = 0
    of_unit = np.einsum(
        "nsx,xw->nsw", filters[:, 0], np.linalg.pinv(harmonics), optimize=True
    )  # by element and harmonic
    of_unit = np.einsum("swv,nsw->nsv", turned, of_unit, optimize=True)
    n_values = size * len(harmonics)
    return Harmonics(
        fourier=fourier,
        kernel_size=side,
        folded=_folded(harmonics, side),
        filters=harmonics,
        turned=turned,
        coupling=coupling.reshape(n_values, n_values),
        lines=np.einsum("ps,nsv->pnv", fourier.lines, of_unit, optimize=True),
        planes=np.einsum("psba,nsv->pnbva", fourier.planes, of_unit, optimize=True),
    )


def _adapted(
    actions: NDArray[np.float64], spanned: NDArray[np.float64], side: int, group: SymmetryGroup
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Filters with a parity along either axis and a frequency each, (n, k * k), and how elements turn them, (|G|, n, n).

    Filters of one frequency come in pairs that rotations mix, so that the coupling is sparse.
    """
    # coordinates in which elements are orthogonal matrices, which on the pixel grid they nearly are
    values, vectors = np.linalg.eigh(np.mean([action.T @ action for action in actions], axis=0))
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    back = np.linalg.inv(root)
    turned = root @ actions @ back
    filters = back.T @ spanned
    images = filters.reshape(-1, side, side)
    inverse = np.linalg.pinv(filters)
    flips = []
    for flipped in (images[:, :, ::-1], images[:, ::-1]):
        flip = (flipped.reshape(len(filters), -1) @ inverse).T
        if np.abs(flip.T @ filters - flipped.reshape(len(filters), -1)).max() > _TOLERANCE:
            return None
        flips.append(flip)
    step = turned[1 % group.order]
    # commuting, with eigenvalues that differ between parities and frequencies
    observed = flips[0] + 10 * flips[1] + 100 * (step + step.T)
    values, vectors = np.linalg.eigh((observed + observed.T) / 2)
    edges = np.flatnonzero(np.diff(values) > 1e-3) + 1
    spaces = np.split(vectors, edges, axis=1)
    taken = [False] * len(spaces)
    found = []
    for i, space in enumerate(spaces):
        if taken[i]:
            continue
        found.append(space)
        image = step @ space
        partner = image - space @ (space.T @ image)
        if np.abs(partner).max() > 1e-3:
            found.append(partner / np.linalg.norm(partner, axis=0))
            for j, other in enumerate(spaces):
                taken[j] = taken[j] or (j != i and np.abs(other.T @ partner).max() > 1e-3)
    change = np.concatenate(found, axis=1)
    if change.shape[0] != change.shape[1]:
        return None
    return change.T @ filters, change.T @ turned @ change


def _folded(filters: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Filters (n, k * k) as weights of sums and differences of reflected pixels."""
    radius = side // 2
    sums, differences = np.zeros((radius + 1, side)), np.zeros((radius, side))
    for j in range(radius + 1):
        sums[j, [radius - j, radius + j]] = 1
    for j in range(1, radius + 1):
        differences[j - 1, [radius + j, radius - j]] = 1, -1
    axis = np.concatenate([sums, differences])
    weights = filters @ np.linalg.inv(np.kron(axis, axis))
    weights[np.abs(weights) < _TOLERANCE * np.abs(weights).max()] = 0
    return weights
