"""How much of a map is left when weights or labels are random, and what follows from it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.audit.source_means import interval_columns, mean_defined, mean_over_draws, position_of
from attnxai.data.short_repr import ArrayResult
from attnxai.data.wording import answered, counted
from attnxai.statistics.formats import with_interval
from attnxai.statistics.interval import MIN_UNITS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from attnxai.statistics.interval import Interval

FIELD_MEASURES = ("spearman", "spearman_of_magnitudes", "ssim")
MEASURES = (*FIELD_MEASURES, "spearman_on_emission")
"""Rank correlations of the maps, of their absolute values, and on emission alone; SSIM of maps scaled to [0, 1]."""
_RANDOM = {"cascading": "all weights", "labels": "labels"}
SURVIVES = 0.5
"""Rank correlation with the original above which a map counts as unchanged by random weights."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RandomisationResult(ArrayResult):
    """Similarity of maps to those of the same network with random weights.

    A map **does not depend on what was learned** if, with the weights of all layers random, the mean over images of
    its absolute rank correlation with the original, averaged over draws, has a 95 % interval above 0.5. It depends on what
    was learned if the interval lies below 0.5; otherwise this is undecided. The absolute value is taken since a map
    and its negative show the same. The interval is over images, for the random weights that were drawn; the
    means of each draw (:meth:`by_draw`) show how much they differ.

    The same rule is applied on emission alone. A map that is confined to emission survives on the field whatever
    the weights are: where it lies does not depend on what was learned, but its values on emission may.

    Parameters
    ----------
    model_name : str
        The model.
    sources : tuple of str
        Ids of the images.
    mode : str
        ``cascading`` or ``independent``; ``labels`` for networks that were trained on random labels, whose maps are
        the only step and stand in place of those of random weights.
    steps : tuple of str
        Layers in the order in which they became random, the last one first.
    layers : tuple of str
        The maps.
    values : ndarray, shape (4, n_steps, n_draws, n_maps, n_sources)
        The measures of :data:`MEASURES`; NaN where a map is constant.
    counts : ndarray, shape (n_bootstrap, n_sources)
        Resamples, the same for all intervals.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:1])
    >>> model = attnxai.load_model("c1.pt")
    >>> found = attnxai.audit.weight_randomisation(model, images, n_draws=1, rng=0)
    >>> found.layers, len(found.steps)
    (('gate1', 'gate2', 'gate3', 'mean'), 13)
    """

    model_name: str
    sources: tuple[str, ...]
    mode: str
    steps: tuple[str, ...]
    layers: tuple[str, ...]
    values: NDArray[np.float64]
    counts: NDArray[np.float64]

    plot = presenters.plot

    def interval(
        self, layer: str, measure: str = "spearman", *, step: int = -1, absolute: bool = False
    ) -> Interval:
        """Mean of a measure over images at a step, averaged over draws; at the last step if none is named."""
        values = self._of(layer, measure)[step]
        return mean_over_draws(np.abs(values) if absolute else values, self.counts)

    def by_draw(
        self, layer: str, measure: str = "spearman", *, step: int = -1
    ) -> NDArray[np.float64]:
        """Mean of a measure over images for every draw, shape (n_draws,)."""
        return mean_defined(self._of(layer, measure)[step])

    def survives(self, layer: str, measure: str = "spearman") -> bool | None:
        """Whether a map survives that all weights are random; None if undecided, or not all were at once."""
        if self.mode == "independent":
            return None
        interval = self.interval(layer, measure, absolute=True)
        low, high = interval.low, interval.high
        if not interval.known and interval.n_units >= MIN_UNITS:
            low = high = interval.value  # all values are the same
        if low > SURVIVES:
            return True
        return False if high < SURVIVES else None

    @property
    def passes(self) -> bool | None:
        """False if a map does not depend on what was learned, not even on emission; True if all do; else None."""
        found = [self._is_independent(layer) for layer in self.layers]
        if True in found:
            return False
        return None if None in found else True

    def _is_independent(self, layer: str) -> bool | None:
        """Whether a map does not depend on what was learned, not even on emission."""
        on_field = self.survives(layer)
        return self.survives(layer, "spearman_on_emission") if on_field else on_field

    def _of(self, layer: str, measure: str) -> NDArray[np.float64]:
        index = position_of("map", layer, self.layers)
        return np.asarray(self.values[position_of("measure", measure, MEASURES), :, :, index])

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for every map and step: means of all measures with the ends of their intervals."""
        import pandas as pd

        rows = []
        for layer in self.layers:
            for step, name in enumerate(self.steps):
                row: dict[str, Any] = {"map": layer, "step": step + 1, "layer": name}
                for measure in MEASURES:
                    row |= interval_columns(self.interval(layer, measure, step=step), measure)
                rows.append(row)
        return pd.DataFrame(rows)

    def to_record(self) -> dict[str, Any]:
        """Plain values for JSON; None where there is no interval."""
        return {
            "model": self.model_name,
            "n_sources": len(self.sources),
            "mode": self.mode,
            "n_draws": self.values.shape[2],
            "layers": list(self.steps),
            "maps": {
                layer: {
                    "survives": self.survives(layer),
                    "survives_on_emission": self.survives(layer, "spearman_on_emission"),
                    "n_undefined": int(np.isnan(self._of(layer, "spearman")).sum()),
                    **{
                        measure: [
                            self.interval(layer, measure, step=step).to_record()
                            for step in range(len(self.steps))
                        ]
                        for measure in MEASURES
                    },
                }
                for layer in self.layers
            },
        }

    def summary(self) -> str:
        """What is left of every map, in sentences."""
        if self.mode == "labels":
            head = (
                f"{counted(self.values.shape[2], 'network')} trained on random labels, on "
                f"{counted(len(self.sources), 'source')}."
            )
            return "\n".join([self._answer(), head, *map(self._cascading, self.layers)])
        head = (
            f"Weights of {counted(len(self.steps), 'layer')} drawn at random, {self.mode}, "
            f"{counted(self.values.shape[2], 'time')}, on {counted(len(self.sources), 'source')}."
        )
        if self.mode == "independent":
            return "\n".join([head, *map(self._independent, self.layers)])
        return "\n".join([self._answer(), head, *map(self._cascading, self.layers)])

    def _answer(self) -> str:
        answers: dict[str, list[str]] = {
            "yes for {}": [],
            "only by their values on emission for {}": [],
            "not shown for {}": [],
            "no for {}": [],
        }
        yes, on_emission, not_shown, no = answers.values()
        for layer in self.layers:
            chosen = {True: no, None: not_shown}.get(
                self._is_independent(layer), on_emission if self.survives(layer) else yes
            )
            chosen.append(layer)
        return answered(answers, len(self.layers))

    def _cascading(self, layer: str) -> str:
        found = {
            measure: self.interval(layer, measure, absolute=True)
            for measure in ("spearman", "spearman_on_emission")
        }
        verdict = {
            True: "does not depend on what was learned",
            False: "depends on what was learned",
            None: "may or may not depend on what was learned",
        }[self._is_independent(layer)]
        if self.survives(layer) and self._is_independent(layer) is False:
            verdict += " only by its values on emission"
        text = (
            f"The map {layer} {verdict}: with {_RANDOM[self.mode]} random its absolute rank correlation with the "
            f"original is {with_interval(found['spearman'])} over the field and "
            f"{with_interval(found['spearman_on_emission'])} on emission"
        )
        n_undefined = int(np.isnan(self._of(layer, "spearman")[-1]).sum())
        if n_undefined:
            text += f"; {counted(n_undefined, 'constant map')} left out"
        return f"{text}."

    def _independent(self, layer: str) -> str:
        means = [self.interval(layer, step=step).value for step in range(len(self.steps))]
        if not np.isfinite(means).any():
            return f"The map {layer} is constant whichever layer is random."
        least, most = int(np.nanargmin(means)), int(np.nanargmax(means))
        return (
            f"The map {layer} changes most when {self.steps[least]} is random (rank correlation "
            f"{with_interval(self.interval(layer, step=least))}) and least when {self.steps[most]} is "
            f"({with_interval(self.interval(layer, step=most))})."
        )
