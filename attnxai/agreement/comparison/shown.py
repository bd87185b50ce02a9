"""Which sources are kept with their pixels, to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.results import AgreementResult

N_SHOWN = 150
"""Sources of a large comparison of which a report has pictures, about."""


def shown_sources(result: AgreementResult) -> NDArray[np.intp]:
    """Positions of the best, the median and the worst source of every map, and of others evenly spread over all.

    Of the sources that conclusions rest on, by the first metric; the others in steps of equal length over the ids.
    """
    chosen: set[int] = set(np.linspace(0, len(result.sources) - 1, N_SHOWN).astype(int).tolist())
    members = np.array([group == result.verdict_group for group in result.splits])
    for name in result.explanations:
        values = result.source_means(name, result.metrics[0])
        defined = np.flatnonzero(np.isfinite(values) & members)
        if defined.size:
            ordered = defined[np.argsort(-values[defined], kind="stable")]
            chosen |= {int(ordered[i]) for i in (0, len(ordered) // 2, -1)}
    return np.array(sorted(chosen), dtype=np.intp)
