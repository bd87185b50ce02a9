"""How far a network and its maps are from exact symmetry."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.audit.source_means import largest_defined, mean_defined
from attnxai.data.short_repr import ArrayResult
from attnxai.data.wording import listed
from attnxai.models.elements import IDENTITY, GroupElement
from attnxai.statistics.formats import format_number, short_number

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class Symmetry(enum.StrEnum):
    """How far a network is built to follow an element."""

    EXACT = "exact"
    APPROXIMATE = "approximate"
    ABSENT = "not built in"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SymmetryErrors(ArrayResult):
    """Errors of every element g: differences of f(gx) from f(x), and of A(gx) from gA(x).

    Class scores are compared by the root mean square change over images and classes. It is given as a
    share of their size (root mean square), and of how far they spread about their mean over the images.
    The second is the stricter: untrained networks of large groups give all images similar scores. It is
    0 for an invariant network, and the square root of 2 where turning an image changes its scores as
    much as replacing it by another.

    Maps are compared by their largest difference over pixels, as a share of the map's range (largest
    minus smallest value), and by Pearson's correlation. An element that maps the pixels of both field
    and layer onto pixels is evaluated on the whole map. For any other, images are interpolated bicubically
    and maps bilinearly, and only the largest disc within field and map counts, since corners leave the
    frame.

    What interpolation does by itself is measured by turning images by g and back by its inverse: how the
    images change, and the network's answers to them. That interpolates twice, g alone once.

    Parameters
    ----------
    group : str
        The group of the network.
    shape : (int, int)
        Rows and columns of the field.
    elements : tuple of GroupElement
        The elements.
    expected : tuple of Symmetry
        How far the network is built to follow each.
    layers : tuple of str
        Gates, coarsest first.
    n_images : int
        Images that were transformed.
    score_size : float
        Root mean square of the class scores.
    score_spread : float
        Root mean square of the class scores about their mean over the images.
    score_changes : ndarray, shape (n_elements,)
        Root mean square change of the class scores.
    map_errors : ndarray, shape (n_elements, n_layers, n_images)
        Largest difference of each map; NaN where a map is constant.
    map_correlations : ndarray, shape (n_elements, n_layers, n_images)
        Pearson's correlation; NaN where a map is constant.
    back_image_errors : ndarray, shape (n_elements,)
        Root mean square change of the images by turning them there and back, as a share of their
        spread about their mean, within the inscribed disc; 0 where nothing is interpolated.
    back_score_changes, back_map_errors, back_map_correlations
        The same as above, for the images that were turned there and back.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:1])
    >>> found = attnxai.audit.symmetry_errors(attnxai.load_model("c4.pt"), images)
    >>> [one.rotation_deg for one in found.elements], found.map_errors.shape
    ([0.0, 90.0, 180.0, 270.0], (4, 3, 1))
    """

    group: str
    shape: tuple[int, int]
    elements: tuple[GroupElement, ...]
    expected: tuple[Symmetry, ...]
    layers: tuple[str, ...]
    n_images: int
    score_size: float
    score_spread: float
    score_changes: NDArray[np.float64]
    map_errors: NDArray[np.float64]
    map_correlations: NDArray[np.float64]
    back_image_errors: NDArray[np.float64]
    back_score_changes: NDArray[np.float64]
    back_map_errors: NDArray[np.float64]
    back_map_correlations: NDArray[np.float64]

    to_latex = presenters.to_latex
    _repr_html_ = presenters.repr_html

    @property
    def score_errors(self) -> NDArray[np.float64]:
        """Changes of the class scores as a share of their size; NaN where they are all 0."""
        return _share(self.score_changes, self.score_size)

    @property
    def spread_errors(self) -> NDArray[np.float64]:
        """Changes of the class scores as a share of their spread; NaN where that is rounding."""
        return _share(self.score_changes, self._spread)

    @property
    def back_score_errors(self) -> NDArray[np.float64]:
        """As ``score_errors``, for the images that were turned there and back."""
        return _share(self.back_score_changes, self.score_size)

    @property
    def back_spread_errors(self) -> NDArray[np.float64]:
        """As ``spread_errors``, for the images that were turned there and back."""
        return _share(self.back_score_changes, self._spread)

    @property
    def _spread(self) -> float:
        return self.score_spread if self.score_spread > _ROUNDING * self.score_size else 0.0

    def positions(self, expected: Symmetry) -> NDArray[np.intp]:
        """Positions of the elements of a kind, without the identity."""
        pairs = zip(self.elements, self.expected, strict=True)
        chosen = [i for i, (g, kind) in enumerate(pairs) if kind is expected and g != IDENTITY]
        return np.array(chosen, dtype=np.intp)

    def to_frame(self) -> pd.DataFrame:
        """A table with a row an element.

        The error of a gate is the largest over images, its correlation the mean over them.
        """
        import pandas as pd

        columns: dict[str, Any] = {
            "group": self.group,
            "rows": self.shape[0],
            "columns": self.shape[1],
            "n_images": self.n_images,
            "element": [element.name for element in self.elements],
            "rotation_deg": [element.rotation_deg for element in self.elements],
            "reflected": [element.reflected for element in self.elements],
            "expected": [str(kind) for kind in self.expected],
        }
        columns["score_error"], columns["spread_error"] = self.score_errors, self.spread_errors
        columns |= self._by_layer("", self.map_errors, self.map_correlations)
        columns["back_image_error"] = self.back_image_errors
        columns["back_score_error"] = self.back_score_errors
        columns["back_spread_error"] = self.back_spread_errors
        columns |= self._by_layer("back_", self.back_map_errors, self.back_map_correlations)
        return pd.DataFrame(columns)

    def _by_layer(
        self, prefix: str, errors: NDArray[np.float64], correlations: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        columns = {}
        for index, name in enumerate(self.layers):
            columns[f"{prefix}{name}_error"] = largest_defined(errors[:, index])
            columns[f"{prefix}{name}_correlation"] = mean_defined(correlations[:, index])
        return columns

    def summary(self) -> str:
        """One sentence on what is exact and how far off the rest is."""
        exact, rough, absent = (self.positions(kind) for kind in Symmetry)
        parts = []
        if len(exact):
            parts.append(
                f"{len(exact)} of its elements {_hold(exact)} exactly (class scores change by at most "
                f"{short_number(_largest(self.score_errors[exact]))} of their size"
                + self._map_errors_of(exact)
            )
        else:
            parts.append("none of its elements but the identity holds exactly")
        if len(rough):
            parts.append(
                f"{len(rough)} {_hold(rough)} approximately (class scores change by up to "
                f"{short_number(_largest(self.spread_errors[rough]))} of their spread over images, "
                f"{short_number(_largest(self.back_spread_errors[rough]))} by interpolation alone"
                + self._correlations_of(rough)
            )
        if len(absent):
            names = [self.elements[index].name for index in absent]
            parts.append(
                f"{listed(names) if len(names) <= 5 else f'{len(names)} others'} "
                f"{'is' if len(names) == 1 else 'are'} not built in (class scores change by up to "
                f"{short_number(_largest(self.spread_errors[absent]))} of their spread"
                + self._correlations_of(absent)
            )
        rows, columns = self.shape
        return f"{self.group} on {rows} x {columns} pixels: " + "; ".join(parts)

    def _map_errors_of(self, positions: NDArray[np.intp]) -> str:
        if not self.layers:
            return ")"
        return f", maps by {short_number(_largest(self.map_errors[positions]))} of their range)"

    def _correlations_of(self, positions: NDArray[np.intp]) -> str:
        if not self.layers:
            return ")"
        means = mean_defined(self.map_correlations[positions])
        if np.isnan(means).all():
            return ")"
        return (
            f"; maps correlate by {format_number(float(np.nanmin(means)), 2)} or more on average)"
        )


# Class scores that spread by less than this part of their size differ by rounding alone.
_ROUNDING = 1e-6


def _largest(values: NDArray[np.float64]) -> float:
    return float(largest_defined(values.reshape(-1)))


def _share(values: NDArray[np.float64], of: float) -> NDArray[np.float64]:
    return np.asarray(values / of if of > 0 else np.full(values.shape, np.nan))


def _hold(positions: NDArray[np.intp]) -> str:
    return "holds" if len(positions) == 1 else "hold"
