"""Aligned pairs on the pixels of each source's own emission alone.

A map that lies on emission agrees with marks for a trivial reason: marks lie on emission as well. On the pixels of the
source's own emission this reason is gone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.emission import emission_mask
from attnxai.data.wording import counted, first_of
from attnxai.explanations.stack import EMISSION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.alignment.pairs import AlignedPairs

MIN_EMISSION_PIXELS = 16
"""Sources with fewer valid pixels of their own emission are left out."""
_NO_MARK = "as no mark lies on emission"
_TOO_SMALL = f"as their own emission has fewer than {MIN_EMISSION_PIXELS} valid pixels"


def own_emission(pairs: AlignedPairs) -> NDArray[np.bool_]:
    """Valid pixels of the emission of every source, as far from the middle of its marks as the outermost mark.

    So it leaves out neighbouring sources and noise in the outskirts of the image.

    Parameters
    ----------
    pairs : AlignedPairs
        Maps and annotations on one field.

    Returns
    -------
    ndarray of bool, shape (n_sources, rows, columns)
        Empty where nobody marked a pixel.
    """
    found = emission_mask(pairs.brightness) & pairs.valid
    rows, columns = np.indices(found.shape[1:])
    union = np.any(pairs.mask & pairs.present[..., None, None], axis=0)
    for source, marked in enumerate(union):
        if not marked.any():
            found[source] = False
            continue
        y, x = np.nonzero(marked)
        distance = np.hypot(rows - y.mean(), columns - x.mean())
        found[source] &= distance <= distance[marked].max()
    return found


def within_own_emission(pairs: AlignedPairs, *, fewest: int = 2) -> AlignedPairs | None:
    """The same with each source's own emission as the pixels that count.

    Annotations of which no pixel lies on it count as missing. Sources without any annotation left, or with fewer than
    :data:`MIN_EMISSION_PIXELS` pixels, are left out and noted.

    Parameters
    ----------
    pairs : AlignedPairs
        Maps and annotations on one field.
    fewest : int
        Sources that have to be left.

    Returns
    -------
    AlignedPairs or None
        None where fewer are left. Uniform emission is left out of the baselines, since it is constant there.
    """
    valid, present = _on_emission(pairs)
    left_out = _left_out(pairs, valid, present)
    gone_sources = {source for _, source in left_out}
    keep = np.array([i for i, s in enumerate(pairs.sources) if s not in gone_sources], np.intp)
    if keep.size < fewest:
        return None
    gone = (pairs.present & ~present)[:, keep]
    kept = pairs.select(keep)
    density, mask = kept.density.copy(), kept.mask.copy()
    density[gone], mask[gone] = 0.0, False
    return dataclasses.replace(
        kept,
        density=density,
        mask=mask,
        present=present[:, keep],
        valid=valid[keep],
        baselines={name: maps for name, maps in kept.baselines.items() if name != EMISSION},
        notes=tuple(notes_within(left_out)),
    )


def left_out_within(pairs: AlignedPairs) -> list[tuple[str, str]]:
    """Why each source is left out by :func:`within_own_emission`, and its id."""
    return _left_out(pairs, *_on_emission(pairs))


def _on_emission(pairs: AlignedPairs) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Own emission of every source, and which annotations have a pixel on it."""
    valid = own_emission(pairs)
    return valid, pairs.present & (pairs.mask & valid).any(axis=(2, 3))


def _left_out(
    pairs: AlignedPairs, valid: NDArray[np.bool_], present: NDArray[np.bool_]
) -> list[tuple[str, str]]:
    large, marked = valid.sum(axis=(1, 2)) >= MIN_EMISSION_PIXELS, present.any(axis=0)
    return [
        (why, pairs.sources[i])
        for which, why in ((~marked, _NO_MARK), (marked & ~large, _TOO_SMALL))
        for i in np.flatnonzero(which)
    ]


def notes_within(left_out: Sequence[tuple[str, str]]) -> list[str]:
    """What to say about sources that are left out, given with the reason of each."""
    return [
        f"Within emission {counted(len(left), 'source is', 'sources are')} left out, {why}: {first_of(left)}."
        for why in (_NO_MARK, _TOO_SMALL)
        if (left := [source for reason, source in left_out if reason == why])
    ]
