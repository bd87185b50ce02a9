"""From marked regions to reliability data: numbers for each source, and overlap of regions.

Reliability needs independent units, and these are sources. A source's mask becomes a few numbers (how many
parts, how large, how long, which way), for :func:`~.reliability.alpha_interval` and
:func:`~.intraclass.intraclass_correlations`; or the masks are compared as regions, against masks of other
sources.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import mean_interval
from attnxai.statistics.interval import CONFIDENCE_LEVEL, Interval
from attnxai.statistics.resamples import resamples_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUANTITIES = {
    "parts": "number of parts",
    "area": "area",
    "x": "centre, horizontal",
    "y": "centre, vertical",
    "length": "length",
    "along_x": "elongation, horizontal part",
    "diagonal": "elongation, diagonal part",
}
"""Numbers of :func:`mark_properties`, and their names for readers."""
_TIE = 1e-12
_BLOCK = 500


def mark_properties(
    mask: NDArray[np.bool_], present: NDArray[np.bool_], *, pixel_scale_arcsec: float = 1.0
) -> dict[str, NDArray[np.float64]]:
    """Numbers that describe what each annotator marked on each source.

    Parameters
    ----------
    mask : ndarray of bool, shape (n_annotators, n_sources, rows, columns)
        Marked pixels.
    present : ndarray of bool, shape (n_annotators, n_sources)
        Who marked which source.
    pixel_scale_arcsec : float
        Side of a pixel.

    Returns
    -------
    dict of str to ndarray, shape (n_annotators, n_sources)
        ``parts`` (connected, corners included), ``area`` (arcsec²), ``x`` and ``y`` (centre of the marked
        pixels from the centre of the field, arcsec), ``length`` (full, of the ellipse with the same
        second moments, arcsec), and the direction as ``along_x`` and ``diagonal``: elongation times the
        cosine and sine of twice the angle, because an angle that jumps from 180 to 0 degrees has no
        correlation. NaN where not marked, and for all but the first two where the mask is empty.

    Examples
    --------
    >>> mask = np.zeros((1, 1, 5, 9), bool)
    >>> mask[0, 0, 2, 2:7] = True
    >>> found = mark_properties(mask, np.ones((1, 1), bool))
    >>> [round(float(found[name][0, 0]), 2) for name in ("parts", "area", "length", "along_x")]
    [1.0, 5.0, 5.77, 0.92]
    """
    from scipy import ndimage

    masks, there = _checked(mask, present)
    found = {name: np.full(there.shape, np.nan) for name in QUANTITIES}
    rows, columns = masks.shape[2:]
    for a, s in np.argwhere(there):
        y, x = np.nonzero(masks[a, s])
        found["parts"][a, s] = ndimage.label(masks[a, s], structure=np.ones((3, 3)))[1]
        found["area"][a, s] = len(x) * pixel_scale_arcsec**2
        if not len(x):
            continue
        found["x"][a, s] = (x.mean() - (columns - 1) / 2) * pixel_scale_arcsec
        found["y"][a, s] = (y.mean() - (rows - 1) / 2) * pixel_scale_arcsec
        # a pixel is a square, whose own second moment is 1/12
        xx, yy = x.var() + 1 / 12, y.var() + 1 / 12
        xy = ((x - x.mean()) * (y - y.mean())).mean()
        # rounding is not a direction
        xy = xy if abs(xy) > _TIE * (xx + yy) else 0.0
        spread = np.hypot(xx - yy, 2 * xy)
        # equal shapes at other places have equal lengths, without rounding
        length = round(4.0 * np.sqrt((xx + yy + spread) / 2), 9)
        found["length"][a, s] = length * pixel_scale_arcsec
        found["along_x"][a, s] = (xx - yy) / (xx + yy)
        found["diagonal"][a, s] = 2 * xy / (xx + yy)
    return found


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RegionAgreement:
    """Overlap (``measure``: IoU or Dice) between annotators' regions, against regions of other sources.

    ``observed`` is the mean over sources of the mean over pairs of these annotators, with the bootstrap over
    sources. ``chance`` is the mean over pairs of masks of two annotators on different sources (of one stratum), each
    source counted once; NaN where no stratum has two sources. The p-value is that of ``n_draws`` permutations of
    every annotator's masks across sources. ``n_empty`` masks without a marked pixel are left out.
    """

    measure: str
    observed: Interval
    chance: float
    p_value: float
    smallest_p: float
    n_draws: int
    n_empty: int

    @property
    def beyond_chance(self) -> float:
        """Share of what lies between chance and full overlap."""
        return (self.observed.value - self.chance) / (1.0 - self.chance)


def region_agreement(
    mask: NDArray[np.bool_],
    present: NDArray[np.bool_],
    *,
    measure: str = "iou",
    strata: Sequence[Hashable] | None = None,
    n_permutations: int = 10_000,
    n_bootstrap: int = 10_000,
    level: float = CONFIDENCE_LEVEL,
    rng: np.random.Generator | int = 0,
) -> RegionAgreement:
    """How well annotators agree on regions, beyond what they mark in any source.

    Parameters
    ----------
    mask : ndarray of bool, shape (n_annotators, n_sources, rows, columns)
        Marked pixels on one field.
    present : ndarray of bool, shape (n_annotators, n_sources)
        Which annotator marked which source.
    measure : str
        ``iou`` (intersection over union) or ``dice``.
    strata : sequence, optional
        Class, survey or size group of each source; masks are permuted within them.
    n_permutations, n_bootstrap : int
        Draws of the test and of the bootstrap over sources.
    level : float
        Confidence level.
    rng : numpy.random.Generator or int
        Source of randomness.

    Returns
    -------
    RegionAgreement

    Raises
    ------
    OptionError
        When no two annotators marked the same source, or the measure is unknown.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.random((1, 20, 8, 8)) < 0.2
    >>> found = region_agreement(truth ^ (rng.random((3, 20, 8, 8)) < 0.02), np.ones((3, 20), bool))
    >>> found.observed.value > 4 * found.chance, found.p_value
    (True, 9.999000099990002e-05)
    """
    generator = np.random.default_rng(rng)
    permutation_rng, bootstrap_rng = generator.spawn(2)
    parts = OverlapParts.of(
        mask,
        present,
        measure=measure,
        strata=strata,
        n_permutations=n_permutations,
        rng=permutation_rng,
    )
    if parts is None:
        raise OptionError("no two annotators marked a region on the same source")
    return parts.agreement(
        n_empty=count_empty(mask, present), n_bootstrap=n_bootstrap, level=level, rng=bootstrap_rng
    )


def count_empty(mask: NDArray[np.bool_], present: NDArray[np.bool_]) -> int:
    """How many masks that are present have no marked pixel."""
    return int((np.asarray(present, bool) & ~np.asarray(mask, bool).any(axis=(2, 3))).sum())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OverlapParts:
    """What :class:`RegionAgreement` is made of, over some sources; those of other sources can be joined.

    ``per_source`` and ``chance`` (n_sources,) are mean overlaps with masks of the same and of other sources, NaN where
    there is none; ``drawn`` (n_permutations,) means over the sources with an overlap. ``log_arrangements`` is that of the
    number of different permutations of each annotator (n_annotators,).
    """

    measure: str
    per_source: NDArray[np.float64]
    chance: NDArray[np.float64]
    drawn: NDArray[np.float64]
    log_arrangements: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        mask: NDArray[np.bool_],
        present: NDArray[np.bool_],
        *,
        measure: str = "iou",
        strata: Sequence[Hashable] | None = None,
        n_permutations: int,
        rng: np.random.Generator,
    ) -> OverlapParts | None:
        """Parts of masks as :func:`region_agreement` takes them; None where no two annotators share a source."""
        masks, there = _checked(mask, present)
        if measure not in ("iou", "dice"):
            raise OptionError(f"measure has to be 'iou' or 'dice', got {measure!r}")
        flat = masks.reshape(*masks.shape[:2], -1).astype(np.float64)
        size = flat.sum(axis=2)
        used = there & (size > 0)
        pairs = [
            (a, b)
            for a, b in itertools.combinations(range(len(masks)), 2)
            if (used[a] & used[b]).any()
        ]
        if not pairs:
            return None
        n_sources = masks.shape[1]
        tables = {pair: _overlaps(flat, size, pair, measure) for pair in pairs}
        both = {(a, b): used[a] & used[b] for a, b in pairs}
        n_pairs = np.sum([both[pair] for pair in pairs], axis=0)
        counted = n_pairs > 0

        def of_sources(order: NDArray[np.intp]) -> NDArray[np.float64]:
            """Mean overlap in each draw (n_draws, n_annotators, n_sources), for every source with a pair."""
            total = np.zeros((len(order), n_sources))
            for a, b in pairs:
                total += np.where(both[a, b], tables[a, b][order[:, a], order[:, b]], 0.0)
            return np.asarray(total[:, counted] / n_pairs[counted])

        identity = np.broadcast_to(np.arange(n_sources), (1, len(masks), n_sources))
        per_source = np.full(n_sources, np.nan)
        per_source[counted] = of_sources(identity)[0]
        groups = np.unique(
            np.zeros(n_sources) if strata is None else np.array([str(s) for s in strata]),
            return_inverse=True,
        )[1]
        drawn = [
            of_sources(_orders(used, groups, min(_BLOCK, n_permutations - start), rng)).mean(axis=1)
            for start in range(0, n_permutations, _BLOCK)
        ]
        return cls(
            measure=measure,
            per_source=per_source,
            chance=_means_over_other_sources(tables, used, groups),
            drawn=np.concatenate(drawn),
            log_arrangements=_log_arrangements(used, groups),
        )

    def __add__(self, other: OverlapParts) -> OverlapParts:
        n, n_other = (int(np.isfinite(one.per_source).sum()) for one in (self, other))
        return OverlapParts(
            measure=self.measure,
            per_source=np.concatenate([self.per_source, other.per_source]),
            chance=np.concatenate([self.chance, other.chance]),
            drawn=(n * self.drawn + n_other * other.drawn) / (n + n_other),
            log_arrangements=self.log_arrangements + other.log_arrangements,
        )

    def agreement(
        self, *, n_empty: int, n_bootstrap: int, level: float, rng: np.random.Generator
    ) -> RegionAgreement:
        """The overlap of all sources with its interval and test; ``n_empty`` masks were left out of it."""
        observed = float(self.per_source[np.isfinite(self.per_source)].mean())
        extreme = int((self.drawn >= observed - _TIE * max(1.0, abs(observed))).sum())
        counts = resamples_of(len(self.per_source), n_bootstrap, rng)
        chance = self.chance[np.isfinite(self.chance)]
        n_draws = len(self.drawn)
        # a permutation that all annotators share changes nothing: the one with the most counts as fixed
        logs = self.log_arrangements
        n_arrangements = math.exp(min(logs.sum() - logs.max(), 700.0))
        return RegionAgreement(
            measure=self.measure,
            observed=mean_interval(self.per_source, counts, level=level),
            chance=float(chance.mean()) if chance.size else math.nan,
            p_value=(extreme + 1) / (n_draws + 1),
            smallest_p=max(1 / (n_draws + 1), 1 / n_arrangements),
            n_draws=n_draws,
            n_empty=n_empty,
        )


def _checked(
    mask: NDArray[np.bool_], present: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    masks, there = np.asarray(mask, dtype=bool), np.asarray(present, dtype=bool)
    if masks.ndim != 4 or there.shape != masks.shape[:2]:
        raise OptionError(
            "mask needs the shape (n_annotators, n_sources, rows, columns) and present its first two, got "
            f"{masks.shape} and {there.shape}"
        )
    return masks, there


def _overlaps(
    flat: NDArray[np.float64], size: NDArray[np.float64], pair: tuple[int, int], measure: str
) -> NDArray[np.float64]:
    """Overlap of one annotator's mask of each source with another's of each source."""
    a, b = pair
    shared = flat[a] @ flat[b].T
    total = size[a][:, None] + size[b]
    top, bottom = (shared, total - shared) if measure == "iou" else (2.0 * shared, total)
    return np.asarray(top / np.where(bottom > 0, bottom, 1.0))


def _means_over_other_sources(
    tables: Mapping[tuple[int, int], NDArray[np.float64]],
    used: NDArray[np.bool_],
    groups: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Mean overlap of each source with the other annotator's masks on other sources of the group; NaN without any."""
    other = (groups[:, None] == groups) & ~np.eye(groups.size, dtype=bool)
    total, n_means = np.zeros(groups.size), np.zeros(groups.size)
    for (a, b), table in tables.items():
        both = used[a] & used[b]
        for overlaps, theirs in ((table, used[b]), (table.T, used[a])):
            partners = other & theirs
            n_partners = partners.sum(axis=1)
            has = both & (n_partners > 0)
            total[has] += np.where(partners, overlaps, 0.0).sum(axis=1)[has] / n_partners[has]
            n_means += has
    return np.where(n_means > 0, total / np.maximum(n_means, 1), np.nan)


def _orders(
    used: NDArray[np.bool_],
    groups: NDArray[np.intp],
    n_draws: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Each annotator's masks permuted across the sources that they marked, within groups."""
    n_annotators, n_sources = used.shape
    orders = np.tile(np.arange(n_sources), (n_draws, n_annotators, 1))
    for annotator in range(n_annotators):
        for group in range(int(groups.max()) + 1):
            members = np.flatnonzero(used[annotator] & (groups == group))
            shuffled = rng.permuted(np.tile(members, (n_draws, 1)), axis=1)
            orders[:, annotator, members] = shuffled
    return orders


def _log_arrangements(used: NDArray[np.bool_], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    """Logarithm of the number of permutations of each annotator's masks within groups; shape (n_annotators,)."""
    return np.array(
        [
            sum(
                math.lgamma(1 + np.count_nonzero(marked & (groups == group)))
                for group in range(int(groups.max()) + 1)
            )
            for marked in used
        ]
    )
