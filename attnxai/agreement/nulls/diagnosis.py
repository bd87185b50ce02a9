"""Whether a null would reject maps and annotations that have nothing to do with each other.

A null that breaks more than the link between a map and its own annotation takes what all sources share,
such as lying at the centre, for agreement. Data show it: pair each map with the annotation of another
source, where there is no link, and look at how often the null calls that significant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnxai.agreement.nulls.base import p_values_of
from attnxai.errors import OptionError
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL

if TYPE_CHECKING:
    from attnxai.agreement.nulls.base import NullTest


def rejections_with_pairing_broken(
    test: NullTest, exchanged: NullTest, *, level: float = SIGNIFICANCE_LEVEL
) -> float:
    """Share of exchanges of sources that a null rejects.

    Where the null suits the data this is near the level, and where it is far above, a small p-value says
    nothing. It is an estimate: exchanges are made of the same maps and annotations, so that with 30 sources
    it scatters between about 0.03 and 0.25 where it should be 0.05. Exchanges within strata show what their
    sources share as well, pooled ones only what all share.

    Parameters
    ----------
    test : NullTest
        The null in question, for one map and metric.
    exchanged : NullTest
        A source permutation of the same map and metric over the same sources and the same pixels: for
        shifts and random phases those of the rectangle. Where every source has a footprint of its own,
        there is no such exchange.
    level : float
        Level of the test.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    OptionError
        If the level is not between 0 and 1.

    Examples
    --------
    Maps and annotations share their place, here the first of two, but nothing beyond:

    >>> import numpy as np
    >>> from attnxai.agreement.nulls import SourcePermutation, draw_choices, run_null_test
    >>> rng = np.random.default_rng(0)
    >>> moved = np.array([[1.0, 0.0]] * 9) + 0.1 * rng.random((9, 2))
    >>> matrix = 1.0 + 0.1 * rng.random((9, 9))
    >>> exchange = SourcePermutation(within_strata=False).draw(range(9), n_draws=99, rng=rng)
    >>> exchanged = run_null_test(matrix, exchange, null="pooled")
    >>> shift = draw_choices(9, 2, n_draws=999, rng=rng)
    >>> rejections_with_pairing_broken(run_null_test(moved, shift, null="shift"), exchanged)
    1.0
    """
    if not 0 < level < 1:
        raise OptionError(f"level has to lie between 0 and 1, got {level}")
    p_values = p_values_of(exchanged.values, test.values, test.exhaustive, test.alternative)
    return float((p_values <= level).mean())
