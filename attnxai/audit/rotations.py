"""Predictions and maps of rotated images, with what interpolation does by itself beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.audit.consistency import RotationConsistency, rotation_consistency
from attnxai.audit.equivariance import symmetry_errors
from attnxai.audit.equivariance_result import Symmetry, SymmetryErrors
from attnxai.audit.source_means import interval_columns, largest_defined
from attnxai.data.images import SourceImage
from attnxai.data.short_repr import ArrayResult
from attnxai.data.wording import counted
from attnxai.errors import OptionError
from attnxai.models.elements import IDENTITY, GroupElement, group_elements
from attnxai.statistics.bootstrap import bootstrap_counts, mean_interval
from attnxai.statistics.formats import format_number, format_share, value_range, with_interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from attnxai.models.model import AttentionModel
    from attnxai.statistics.interval import Interval

LARGEST_ERROR = 0.01
"""Largest error of class scores (of their size) and maps (of their range) under an element that is built in exactly."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RotationAudit(ArrayResult):
    """How predictions and maps follow rotations by arbitrary angles, and the elements of the network's own group.

    Parameters
    ----------
    consistency : RotationConsistency
        Of images rotated by random angles.
    errors : SymmetryErrors
        Of the elements of the group, and of a few rotations by other angles, with the errors of images that were turned there
        and back.
    angles : int
        How many of the elements of ``errors``, the last ones, are rotations by other angles.
    counts : ndarray, shape (n_bootstrap, n_sources)
        Resamples, the same for all intervals.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:2])
    >>> found = attnxai.audit.rotation_audit(attnxai.load_model("c1.pt"), images, rng=0)
    >>> found.consistency.layers, found.errors.group
    (('gate1', 'gate2', 'gate3', 'mean'), 'C1')
    """

    consistency: RotationConsistency
    errors: SymmetryErrors
    angles: int
    counts: NDArray[np.float64]

    plot = presenters.plot

    @property
    def passes(self) -> bool | None:
        """Whether the elements that are built in exactly hold to :data:`LARGEST_ERROR`; None without any."""
        exact = self.errors.positions(Symmetry.EXACT)
        if not len(exact):
            return None
        found = np.concatenate(
            [self.errors.score_errors[exact], self.errors.map_errors[exact].ravel()]
        )
        largest = largest_defined(found)
        return None if np.isnan(largest) else bool(largest <= LARGEST_ERROR)

    def correlation(self, layer: str) -> Interval:
        """Pearson's correlation of rotated maps with maps of rotated images, averaged over angles and images."""
        return mean_interval(self.consistency.map_consistency[layer], self.counts)

    @property
    def class_consistency(self) -> Interval:
        """Share of the angles at which an image keeps its class, averaged over images."""
        return mean_interval(self.consistency.class_consistency, self.counts)

    @property
    def probability_change(self) -> Interval:
        """Absolute change of the probability of the predicted class, averaged over angles and images."""
        return mean_interval(self.consistency.probability_change, self.counts)

    def floor(self, layer: str) -> float:
        """Mean correlation of a map with that of the image turned there and back: interpolation alone, done twice."""
        index = self.errors.layers.index(layer)
        values = self.errors.back_map_correlations[-self.angles :, index]
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for each map, and for both changes of predictions."""
        import pandas as pd

        layers = self.consistency.layers
        found = {
            ("", "class_consistency"): self.class_consistency,
            ("", "probability_change"): self.probability_change,
        } | {(layer, "pearson"): self.correlation(layer) for layer in layers}
        return pd.DataFrame(
            {
                "map": layer,
                "quantity": quantity,
                **interval_columns(interval),
                "by_interpolation": self.floor(layer) if layer in self.errors.layers else np.nan,
            }
            for (layer, quantity), interval in found.items()
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values for JSON; None where there is no interval."""
        floors = {layer: self.floor(layer) for layer in self.errors.layers}
        return {
            "group": self.errors.group,
            "n_sources": len(self.consistency.sources),
            "n_angles": int(self.consistency.angles_deg.shape[1]),
            "class_consistency": self.class_consistency.to_record(),
            "probability_change": self.probability_change.to_record(),
            "maps": {
                layer: self.correlation(layer).to_record() for layer in self.consistency.layers
            },
            "by_interpolation": {k: v if np.isfinite(v) else None for k, v in floors.items()},
        }

    def summary(self) -> str:
        """What rotations change, in sentences."""
        maps = value_range(self.correlation(layer).value for layer in self.consistency.layers)
        exact = {
            True: "The rotations and reflections of the network's own group change nothing",
            False: "The rotations and reflections of the network's own group change answers or maps, though they should not",
            None: "No rotation is built into the network exactly",
        }[self.passes]
        lines = [
            (
                f"{exact}. At other angles the class stays the same in {format_share(self.class_consistency.value)} of the "
                f"cases{f', and maps follow by a correlation of {maps}' if maps else ''}."
            ),
            (
                f"Rotated by {counted(self.consistency.angles_deg.shape[1], 'random angle')} each, "
                f"{counted(len(self.consistency.sources), 'source')} keep their class in a share of "
                f"{with_interval(self.class_consistency)}, and its probability changes by "
                f"{with_interval(self.probability_change)}."
            ),
        ]
        for layer in self.consistency.layers:
            text = f"The map {layer} of a rotated image and the rotated map correlate by {with_interval(self.correlation(layer))}"
            if layer in self.errors.layers:
                text += f"; by interpolation alone, turned there and back, {format_number(self.floor(layer), 2)}"
            lines.append(f"{text}.")
        lines.append(f"Group {self.errors.summary()}.")
        return "\n".join(lines)


def rotation_audit(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    n_angles: int = 8,
    n_bootstrap: int = 2000,
    rng: np.random.Generator | int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> RotationAudit:
    """Rotate images by arbitrary angles and by the group of the network.

    Parameters
    ----------
    model : AttentionModel
        The model; its mode, device and hooks are the same afterwards.
    images : sequence of SourceImage
        The images.
    n_angles : int
        Random angles per image; a quarter of them, at least 2, also measure what interpolation does.
    n_bootstrap : int
        Resamples of the images for intervals.
    rng : numpy.random.Generator or int
        Draws angles and resamples.
    on_step : callable, optional
        Called with the number of finished steps and of all.

    Returns
    -------
    RotationAudit

    Raises
    ------
    OptionError
        If an option is out of its range.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> model = attnxai.load_model("c4.pt")
    >>> found = rotation_audit(model, images[:1], n_angles=2, n_bootstrap=100)
    >>> found.passes
    True
    """
    if n_bootstrap < 1:
        raise OptionError(f"n_bootstrap has to be 1 or more, got {n_bootstrap}")
    rng = np.random.default_rng(rng)
    n_others = max(n_angles // 4, 2)
    # off the grid, where images are interpolated as they are for random angles
    others = [
        GroupElement(rotation_deg=float(90 * rng.integers(4) + rng.uniform(10, 80)))
        for _ in range(n_others)
    ]
    own = [element for element in group_elements(model.spec.symmetry) if element != IDENTITY]
    n_steps = len(images) + len(own) + n_others

    def after(n_before: int) -> Callable[[int, int], None] | None:
        return on_step and (lambda n_done, _: on_step(n_before + n_done, n_steps))

    return RotationAudit(
        consistency=rotation_consistency(
            model, images, n_angles=n_angles, rng=rng, on_image=after(0)
        ),
        errors=symmetry_errors(
            model, images, elements=(*own, *others), on_element=after(len(images))
        ),
        angles=n_others,
        counts=bootstrap_counts(len(images), n_bootstrap, rng),
    )
