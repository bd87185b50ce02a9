"""Inter-annotator agreement about each source, whatever the metric: reliability of sizes, places and regions.

What each annotator marked on a source becomes a few numbers (:func:`~.marks.mark_properties`). For each of
them Krippendorff's alpha and the intraclass correlation ICC2 say how much of the differences is between
sources rather than between annotators; the regions themselves are compared by their overlap.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.agreement.noise_ceiling.intraclass import IntraclassForm, intraclass_correlations
from attnxai.agreement.noise_ceiling.marks import (
    QUANTITIES,
    OverlapParts,
    RegionAgreement,
    count_empty,
    mark_properties,
)
from attnxai.agreement.noise_ceiling.reliability import Measurement, alpha_interval
from attnxai.data.short_repr import short_repr
from attnxai.metrics import METRICS
from attnxai.statistics.exact import ends_record, monte_carlo_ends
from attnxai.statistics.formats import format_compared, p_equals, with_interval
from attnxai.statistics.interval import CONFIDENCE_LEVEL, Interval, no_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.noise_ceiling.pairwise import PairwiseAgreement


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How well annotators agree about one number of each source, one of :data:`QUANTITIES`.

    Krippendorff's alpha is for ratio data (number of parts) or interval data (all others). ICC2 (Shrout &
    Fleiss 1979), absolute agreement of single annotators, is over the sources that all of them marked;
    without a value where these are fewer than two.
    """

    quantity: str
    alpha: Interval
    icc: Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorAgreement:
    """Inter-annotator agreement about the sources that conclusions rest on.

    Parameters
    ----------
    reliabilities : tuple of Reliability
        One for each of the numbers.
    overlap : RegionAgreement
        Overlap of the regions, beside that with regions of other sources.
    n_annotators : int
        Annotators who share a source with another.
    pairwise : PairwiseAgreement, optional
        Who disagrees with whom, where the names of the annotators are known.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.random((1, 20, 8, 8)) < rng.random((1, 20, 1, 1))
    >>> marks = truth ^ (rng.random((3, 20, 8, 8)) < 0.02)
    >>> found = attnxai.agreement.noise_ceiling.annotator_agreement(marks, np.ones((3, 20), bool))
    >>> found.n_annotators, [one.quantity for one in found.reliabilities]
    (3, ['parts', 'area', 'x', 'y', 'length', 'along_x', 'diagonal'])
    """

    reliabilities: tuple[Reliability, ...]
    overlap: RegionAgreement
    n_annotators: int
    pairwise: PairwiseAgreement | None = None

    __repr__ = short_repr
    to_latex = presenters.to_latex
    _repr_html_ = presenters.repr_html

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names; None where there is none."""
        return {
            "n_annotators": self.n_annotators,
            "reliability": [
                {
                    "quantity": entry.quantity,
                    **{f"alpha_{k}": v for k, v in entry.alpha.to_record().items()},
                    "alpha_n_sources": entry.alpha.n_units,
                    **{f"icc2_{k}": v for k, v in entry.icc.to_record().items()},
                    "icc2_n_sources": entry.icc.n_units,
                }
                for entry in self.reliabilities
            ],
            "overlap": {
                "measure": self.overlap.measure,
                **self.overlap.observed.to_record(),
                "n_sources": self.overlap.observed.n_units,
                "chance": self.overlap.chance if math.isfinite(self.overlap.chance) else None,
                "p": self.overlap.p_value,
                **ends_record(
                    "p_monte_carlo", monte_carlo_ends(self.overlap.p_value, self.overlap.n_draws)
                ),
                "p_smallest": self.overlap.smallest_p,
                "n_permutations": self.overlap.n_draws,
                "n_empty": self.overlap.n_empty,
            },
            "pairs": self.pairwise.to_record() if self.pairwise else [],
        }

    def summary(self) -> str:
        """One line for each number, as plain text."""
        lines = [
            f"{QUANTITIES[entry.quantity]:>28} alpha {with_interval(entry.alpha)}, ICC2 "
            f"{with_interval(entry.icc)}"
            for entry in self.reliabilities
        ]
        overlap = self.overlap
        lines.append(
            f"{f'mean {METRICS[overlap.measure].label}':>28} {with_interval(overlap.observed)}, "
            f"{format_compared(overlap.chance, overlap.observed)} between sources, {p_equals(overlap.p_value)}"
        )
        return "\n".join([*lines, self.pairwise.summary()] if self.pairwise else lines)


def annotator_agreement(
    mask: NDArray[np.bool_],
    present: NDArray[np.bool_],
    *,
    pixel_scale_arcsec: float = 1.0,
    strata: Sequence[Hashable] | None = None,
    n_permutations: int = 10_000,
    n_bootstrap: int = 10_000,
    level: float = CONFIDENCE_LEVEL,
    rng: np.random.Generator | int = 0,
) -> AnnotatorAgreement | None:
    """Reliability of what annotators marked, and overlap of their regions.

    Parameters
    ----------
    mask, present, strata, n_permutations, n_bootstrap, level, rng
        As in :func:`~.marks.region_agreement`.
    pixel_scale_arcsec : float
        Side of a pixel.

    Returns
    -------
    AnnotatorAgreement or None
        None where no two annotators marked a region on the same source.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.random((1, 20, 8, 8)) < rng.random((1, 20, 1, 1))
    >>> found = annotator_agreement(truth ^ (rng.random((3, 20, 8, 8)) < 0.02), np.ones((3, 20), bool))
    >>> found.reliabilities[1].quantity, found.reliabilities[1].alpha.value > 0.9
    ('area', True)
    """
    permuting, streams = streams_of(rng)
    parts = AnnotatorParts.of(
        mask,
        present,
        pixel_scale_arcsec=pixel_scale_arcsec,
        strata=strata,
        n_permutations=n_permutations,
        rng=permuting,
    )
    return parts.agreement(n_bootstrap=n_bootstrap, level=level, streams=streams)


def streams_of(
    rng: np.random.Generator | int,
) -> tuple[np.random.Generator, list[np.random.Generator]]:
    """Randomness of the permutations of masks, and that of the resamples of overlap and of each number."""
    overlap, *numbers = np.random.default_rng(rng).spawn(1 + len(QUANTITIES))
    permuting, resampling = overlap.spawn(2)
    return permuting, [resampling, *numbers]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnotatorParts:
    """What :class:`AnnotatorAgreement` is made of, over some sources; those of other sources can be joined.

    ``numbers`` are those of :func:`~.marks.mark_properties`; ``overlap`` is None where no two annotators marked a region on
    the same source, and ``shares`` (n_annotators,) says who did; ``n_empty`` masks have no marked pixel.
    """

    numbers: Mapping[str, NDArray[np.float64]]
    overlap: OverlapParts | None
    shares: NDArray[np.bool_]
    n_empty: int

    @classmethod
    def of(
        cls,
        mask: NDArray[np.bool_],
        present: NDArray[np.bool_],
        *,
        pixel_scale_arcsec: float,
        strata: Sequence[Hashable] | None,
        n_permutations: int,
        rng: np.random.Generator,
    ) -> AnnotatorParts:
        """Parts of masks as :func:`annotator_agreement` takes them."""
        there = np.asarray(present, dtype=bool) & np.asarray(mask, dtype=bool).any(axis=(2, 3))
        shared = there & (there.sum(axis=0) > 1)
        overlap = None
        if shared.any():
            overlap = OverlapParts.of(
                mask, present, strata=strata, n_permutations=n_permutations, rng=rng
            )
        return cls(
            # an empty mask has an area and a number of parts, and neither place nor shape
            numbers=mark_properties(mask, present, pixel_scale_arcsec=pixel_scale_arcsec),
            overlap=overlap,
            shares=shared.any(axis=1),
            n_empty=count_empty(mask, present),
        )

    def __add__(self, other: AnnotatorParts) -> AnnotatorParts:
        both = self.overlap is not None and other.overlap is not None
        return AnnotatorParts(
            numbers={name: np.hstack([v, other.numbers[name]]) for name, v in self.numbers.items()},
            overlap=self.overlap + other.overlap if both else self.overlap or other.overlap,  # type: ignore[operator]
            shares=self.shares | other.shares,
            n_empty=self.n_empty + other.n_empty,
        )

    def agreement(
        self, *, n_bootstrap: int, level: float, streams: Sequence[np.random.Generator]
    ) -> AnnotatorAgreement | None:
        """Reliability and overlap over all of these sources; None where no two annotators share one."""
        if self.overlap is None:
            return None
        return AnnotatorAgreement(
            reliabilities=tuple(
                Reliability(
                    quantity=name,
                    alpha=alpha_interval(
                        self.numbers[name],
                        Measurement.RATIO if name == "parts" else Measurement.INTERVAL,
                        n_bootstrap=n_bootstrap,
                        level=level,
                        rng=stream,
                    ),
                    icc=_icc(self.numbers[name], level),
                )
                for name, stream in zip(QUANTITIES, streams[1:], strict=True)
            ),
            overlap=self.overlap.agreement(
                n_empty=self.n_empty, n_bootstrap=n_bootstrap, level=level, rng=streams[0]
            ),
            n_annotators=int(self.shares.sum()),
        )


def _icc(numbers: NDArray[np.float64], level: float) -> Interval:
    """ICC2 of the annotators with any number, over the sources that all of them marked."""
    kept = numbers[np.isfinite(numbers).any(axis=1)]
    complete = np.isfinite(kept).all(axis=0)
    n = int(complete.sum())
    if len(kept) < 2 or n < 2:
        reason = "fewer than two sources were marked by every annotator"
        return no_interval(float("nan"), n, level=level, reason=reason)
    return intraclass_correlations(kept, level=level)[IntraclassForm.ICC2].interval
