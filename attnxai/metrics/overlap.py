"""Region metrics: how much of a map's mass, and of its highest pixels, is marked.

Relevance mass and rank accuracy are those of Arras et al. (2022). As many of the highest pixels are taken as
are marked, so there is no threshold to tune, and precision, recall and the Dice coefficient of that region are
one number. The top-k intersection (Ghorbani et al. 2019) compares with the highest pixels of a density
instead, the pointing game (Zhang et al. 2018) takes the highest pixel alone.

Pixels tied at the last value that is taken count with the share of them that fits, which is the
expectation over breaking ties at random.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.errors import OptionError
from attnxai.metrics.density import shares, sum_unless_constant
from attnxai.metrics.metric import register_metric
from attnxai.metrics.pixels import PixelRows, marked, marked_pixels, n_marked, take_pixels, totals
from attnxai.metrics.ranking import ordering
from attnxai.metrics.targets import TargetKind

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TOP_FRACTION = 0.05
"""Share of the pixels that top-k intersection takes."""


def share_marked(targets: PixelRows) -> NDArray[np.float64]:
    """Share of the pixels of masks that is marked; shape (m,)."""
    return np.asarray(n_marked(targets) / max(targets.n_pixels, 1))


def _mass_of_pair(map: NDArray[np.float64], target: NDArray[Any]) -> float:
    is_mask = target.dtype == bool
    pixels = (target if is_mask else target > 0).nonzero()[0]
    ordinary = 0 < pixels.size < map.size and (is_mask or target.min() >= 0)
    return float(map[pixels].sum() / sum_unless_constant(map)) if ordinary else math.nan


_OF_REGIONS: dict[str, Any] = {"target": TargetKind.MASK, "bounds": (0.0, 1.0)}
_OF_SHARES = _OF_REGIONS | {"chance_of": share_marked, "chance_formula": "k / n"}


@register_metric(
    label="Relevance mass",
    meaning="share of the map's sum that lies on marked pixels",
    formula="sum of m on marked pixels / sum of m",
    **_OF_SHARES,
    signed_maps=False,
    shows_avoidance=True,
    factors=lambda map, target: (shares(map), marked(target)),
    of_pair=_mass_of_pair,
)
def relevance_mass_accuracy(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Share of a map's sum that lies on marked pixels; signed maps have none.

    Examples
    --------
    >>> relevance_mass_accuracy([[1, 2], [3, 4]], [[False, True], [False, True]])
    0.6
    """
    pixels, masks = targets.once(_where_any_is_marked)
    return take_pixels(maps.values, pixels) @ masks.T / totals(maps)[:, None]


def _where_any_is_marked(targets: PixelRows) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Pixels that some target marks, and the masks on them: all others add nothing to a sum over marked pixels."""
    masks = marked(targets)
    pixels = np.flatnonzero(masks.any(axis=0))
    return pixels, take_pixels(masks, pixels)


def _shares_at_own_area(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Share of the k highest pixels of every map that every mask of k pixels marks; shape (n, m)."""
    n_pixels = maps.n_pixels
    found = ordering(maps)
    pixels = marked_pixels(targets)
    counts = np.array([p.size for p in pixels], dtype=np.intp)
    values = np.full((len(maps), len(targets)), np.nan)
    use = np.flatnonzero((counts > 0) & (counts < n_pixels))
    if not use.size:
        return values
    gathered = np.concatenate([pixels[j] for j in use])
    areas = counts[use]
    starts = np.concatenate([[0], np.cumsum(areas)[:-1]])
    for i in range(len(maps)):
        threshold = found.order[i, n_pixels - areas]
        lowest = found.below[i, threshold]
        size = found.tied[i, threshold]
        # of the pixels tied with the last one taken only some fit among the k
        fit = areas - (n_pixels - lowest - size)
        own = found.below[i, gathered]
        lowest = np.repeat(lowest, areas)
        taken = np.add.reduceat(own >= lowest, starts, dtype=np.float64)
        if (size > fit).any():
            taken -= np.add.reduceat(own == lowest, starts, dtype=np.intp) * (1 - fit / size)
        values[i, use] = taken / areas
    return values


def _own_area_factors(
    map: PixelRows, target: PixelRows
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    k = int(n_marked(target)[0])
    return _membership(map, k), marked(target) / k


@register_metric(
    label="Relevance rank",
    meaning="share of the highest pixels that are marked, taking as many as are marked",
    formula="share of the k highest pixels of m that are marked",
    **_OF_SHARES,
    factors=_own_area_factors,
)
def relevance_rank_accuracy(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Share of the k highest pixels of a map that are marked, k being the number of marked pixels.

    It is the Dice coefficient of both regions.

    Examples
    --------
    >>> relevance_rank_accuracy([[1, 2], [3, 4]], [[False, True], [False, True]])
    0.5
    """
    return maps.once(_shares_at_own_area, targets)


dice = register_metric(
    name="dice",
    label="Dice",
    meaning=(
        "Dice coefficient of the marked pixels and as many of the highest pixels of the map: the same number "
        "as relevance rank accuracy"
    ),
    formula="the same number as `relevance_rank_accuracy`",
    alias_of="relevance_rank_accuracy",
    **_OF_SHARES,
    factors=_own_area_factors,
)(relevance_rank_accuracy.pairwise)


def _iou_of_share(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return share / (2 - share)


def iou_by_chance(targets: PixelRows) -> NDArray[np.float64]:
    """Mean IoU of masks with as many pixels taken at random; shape (m,)."""
    areas, where = np.unique(n_marked(targets), return_inverse=True)
    expected = np.array([_iou_of_random_regions(int(k), targets.n_pixels) for k in areas])
    return np.asarray(expected[where])


def _iou_of_random_regions(k: int, n_pixels: int) -> float:
    """Mean IoU of two regions of k of n pixels, one of them at random."""
    if not k:
        return 0.0
    both = np.arange(max(0, 2 * k - n_pixels), k + 1, dtype=np.float64)
    # the hypergeometric distribution by the ratio of each probability to the one before, in logarithms:
    # its own constant drops out, and a distribution object for every area would cost more than all else
    ratios = (k - both[:-1]) ** 2 / (both[1:] * (n_pixels - 2 * k + both[1:]))
    logarithms = np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    chances = np.exp(logarithms - logarithms.max())
    return float((chances * both / (2 * k - both)).sum() / chances.sum())


@register_metric(
    label="IoU",
    meaning="intersection over union of the marked pixels and as many of the highest pixels of the map",
    formula="both / either, for the marked pixels and the k highest of m",
    chance_of=iou_by_chance,
    chance_formula="that of k pixels at random",
    **_OF_REGIONS,
    factors=_own_area_factors,
    of_product=_iou_of_share,
)
def iou(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Intersection over union of the mask and as many of the map's highest pixels.

    With d the Dice coefficient it is d / (2 - d). With ties it is the index of fuzzy sets, of which tied
    pixels are members to the share that fits.

    Examples
    --------
    >>> round(iou([[1, 2], [3, 4]], [[False, True], [False, True]]), 6)
    0.333333
    """
    return _iou_of_share(maps.once(_shares_at_own_area, targets))


def _n_top(n_pixels: int, fraction: float) -> int:
    return max(1, round(fraction * n_pixels))


def _membership(rows: PixelRows, k: int) -> NDArray[np.float64]:
    """How far every pixel is among the k highest of its row, from 0 to 1; shape (n, n_pixels)."""
    found = ordering(rows)
    above = rows.n_pixels - found.below - found.tied
    return np.clip((k - above) / found.tied, 0.0, 1.0)


def _top_factors(
    map: PixelRows, target: PixelRows
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    k = _n_top(map.n_pixels, TOP_FRACTION)
    return _membership(map, k), _membership(target, k) / k


def top_intersection_by_chance(targets: PixelRows) -> NDArray[np.float64]:
    """Mean top-k intersection of densities with pixels at random; shape (m,)."""
    n_pixels = targets.n_pixels
    return np.full(len(targets), _n_top(n_pixels, TOP_FRACTION) / max(n_pixels, 1))


@register_metric(
    label="Top 5 %",
    meaning=(
        "share of the highest 5 % of the map's pixels that are among the highest 5 % of the marked density"
    ),
    formula="share of the highest 5 % of the pixels of m that are among the highest 5 % of d",
    target=TargetKind.DENSITY,
    chance_of=top_intersection_by_chance,
    chance_formula="0.05",
    bounds=(0.0, 1.0),
    varying_targets=True,
    factors=_top_factors,
)
def top_intersection(
    maps: PixelRows, targets: PixelRows, *, fraction: float = TOP_FRACTION
) -> NDArray[np.float64]:
    """Share of the k highest pixels of a map that are among the k highest of a density.

    k is a fixed share of the valid pixels, stated beforehand. Where a density has fewer pixels above 0, the
    rest of the k lies anywhere else.

    Other Parameters
    ----------------
    fraction : float
        k as a share of the valid pixels, between 0 and 1; at least one pixel is taken.

    Examples
    --------
    >>> top_intersection([[1, 2], [3, 4]], [[0, 0.2], [0.1, 0.9]], fraction=0.5)
    0.5
    """
    if not 0 < fraction < 1:
        raise OptionError(f"fraction has to lie between 0 and 1, got {fraction}")
    k = _n_top(maps.n_pixels, fraction)
    return maps.once(_membership, k) @ targets.once(_membership, k).T / k


def _highest(maps: PixelRows) -> NDArray[np.float64]:
    """1 on the highest pixels of every map, nowhere in one that is not finite; shape (n, n_pixels)."""
    return np.asarray(maps.values == maps.values.max(axis=1, keepdims=True), dtype=np.float64)


@register_metric(
    label="Pointing game",
    meaning="whether the highest pixel of the map is marked",
    formula="1 if the highest pixel of m is marked, else 0; of several, the share that is",
    **_OF_SHARES,
    factors=lambda map, target: (_highest(map) / _highest(map).sum(), marked(target)),
)
def pointing_game(maps: PixelRows, targets: PixelRows) -> NDArray[np.float64]:
    """Whether the highest pixel of a map is marked; of several, the share of them that is.

    For a tolerance around the marks, widen the mask (:func:`widened_mask`).

    Examples
    --------
    >>> pointing_game([[1, 4], [3, 4]], [[False, True], [False, False]])
    0.5
    """
    highest = _highest(maps)
    return np.asarray(highest @ marked(targets).T / highest.sum(axis=1, keepdims=True))


def widened_mask(mask: ArrayLike, radius: float) -> NDArray[np.bool_]:
    """All pixels within a distance of a marked pixel.

    Parameters
    ----------
    mask : array_like of bool, shape (rows, columns)
        Marked pixels.
    radius : float
        Distance in pixels, from centre to centre.

    Returns
    -------
    ndarray of bool, shape (rows, columns)

    Raises
    ------
    OptionError
        If the radius is negative or the mask has other than two axes.

    Examples
    --------
    >>> mask = [[True, False, False]]
    >>> pointing_game([[1, 5, 2]], mask), pointing_game([[1, 5, 2]], widened_mask(mask, 1))
    (0.0, 1.0)
    """
    from scipy.ndimage import distance_transform_edt

    marks = np.asarray(mask) > 0
    if marks.ndim != 2 or not radius >= 0:
        raise OptionError(
            "a mask of rows and columns and a radius of 0 pixels or more are needed, got shape "
            f"{marks.shape} and radius {radius}"
        )
    if not marks.any():
        return marks
    return np.asarray(distance_transform_edt(~marks) <= radius)
