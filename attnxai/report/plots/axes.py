"""Where a plot goes when nobody says where."""

from __future__ import annotations

from typing import Any


def new_axes(ax: Any) -> Any:
    """The axes that are given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots()[1]
