"""What a metric is: one protocol for all of them."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attnxai.errors import OptionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnxai.agreement.metrics.pixels import PixelRows

    Rows = NDArray[Any] | PixelRows
    Pairwise = Callable[..., NDArray[np.float64]]
    ChanceOf = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class TargetKind(enum.StrEnum):
    """Which form of an annotation a metric compares with."""

    DENSITY = "density"
    MASK = "mask"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A measure of agreement: the larger, the better the agreement.

    Tests, intervals above chance, ceilings and differences of models rest on this direction. What
    falls with agreement enters with its sign turned, and says so in its name.

    Parameters
    ----------
    name : str
        Its name in files.
    label : str
        Its name in text and figures.
    pairwise : callable
        From maps (n, n_pixels) and targets (m, n_pixels) to values (n, m); NaN where undefined. Either
        may be :class:`~attnxai.agreement.metrics.pixels.PixelRows`, which keeps ranks for the next metric. With
        ``needs_others`` it takes ``others`` (m, n_pixels) as well.
    target : TargetKind
        Whether targets are densities or masks.
    chance : float or None
        Value without agreement; None where it depends on the target.
    signed_maps : bool
        Whether maps with negative values are accepted.
    meaning : str
        One sentence for readers.
    chance_of : callable, optional
        From targets (m, n_pixels) to their values without agreement (m,), where ``chance`` is None.
    chance_formula : str
        That value in words or as a formula, for k of n pixels marked.
    needs_others : bool
        Whether the value depends on what is marked on the other sources.
    fast : bool
        Whether all pairs are products of matrices, or cost no more than these.
    default : bool
        Whether a comparison computes it unless told otherwise.
    bounds : (float, float)
        Smallest and largest value that it can have.
    shows_avoidance : bool
        Whether a mean below chance says that marks are avoided. Where chance lies next to the smallest value,
        as the share of marked pixels does for counts of hits, maps without any link come out below it in
        most samples.
    """

    name: str
    label: str
    pairwise: Pairwise
    target: TargetKind
    chance: float | None
    signed_maps: bool
    meaning: str
    chance_of: ChanceOf | None = None
    chance_formula: str = ""
    needs_others: bool = False
    fast: bool = True
    default: bool = False
    bounds: tuple[float, float] = (-math.inf, math.inf)
    shows_avoidance: bool = False

    def evaluate(
        self, maps: Rows, targets: Rows, others: Rows | None = None
    ) -> NDArray[np.float64]:
        """Values of every map with every target.

        Parameters
        ----------
        maps : ndarray or PixelRows, shape (n, n_pixels)
            Maps.
        targets : ndarray or PixelRows, shape (m, n_pixels)
            Densities or masks, as the metric compares with.
        others : ndarray or PixelRows, shape (m, n_pixels), optional
            What is marked on the other sources, from
            :func:`~attnxai.agreement.metrics.evaluation.leave_one_out_centre_bias`; metrics that do not need it leave it.

        Returns
        -------
        ndarray, shape (n, m)
            NaN where undefined.

        Raises
        ------
        OptionError
            If the metric needs ``others`` and has none.
        """
        if not self.needs_others:
            return self.pairwise(maps, targets)
        if others is None:
            raise OptionError(f"{self.label} needs others: what is marked on the other sources")
        return self.pairwise(maps, targets, others=others)
