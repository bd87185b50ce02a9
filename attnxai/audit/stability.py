"""Whether maps and predictions stay the same when an image is observed with more noise of its own kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from attnxai import presenters
from attnxai.alignment.resample import maps_on_field
from attnxai.audit.images import prepared_images
from attnxai.audit.noise import FIRST_BEAM_ARCSEC, clip_noise, draw_noise, noise_level
from attnxai.audit.readout import field_scores
from attnxai.audit.same_classes import SameClasses, rank_correlation
from attnxai.audit.source_means import interval_columns, mean_over_draws, position_of
from attnxai.data.emission import emission_mask
from attnxai.data.images import SourceImage
from attnxai.data.short_repr import ArrayResult
from attnxai.data.sigma_clipping import sigma_clipped_deviation
from attnxai.data.wording import counted
from attnxai.errors import ImageError, OptionError
from attnxai.explanations.explaining import chosen_methods, explain
from attnxai.explanations.targets import check_target
from attnxai.statistics.bootstrap import bootstrap_counts
from attnxai.statistics.formats import format_share, value_range, with_interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from attnxai.explanations.method import ExplanationMethod
    from attnxai.models.model import AttentionModel
    from attnxai.models.preprocessing import Preprocessing
    from attnxai.statistics.interval import Interval

CORRELATIONS = ("pearson", "spearman", "spearman_on_emission")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NoiseStability(ArrayResult):
    """Correlations of maps, and changes of predictions, over draws of noise.

    Parameters
    ----------
    model_name : str
        The model.
    sources : tuple of str
        Ids of the images.
    layers : tuple of str
        The maps.
    levels : ndarray, shape (n_sources,)
        Standard deviation of the noise of each image, as a share of its peak within the field.
    correlations : ndarray, shape (3, n_maps, n_draws, n_sources)
        Pearson's and Spearman's correlation over the field, and Spearman's on emission, of the map with and without
        noise; NaN where a map is constant, or the noisy image shows nothing.
    probability_changes : ndarray, shape (n_draws, n_sources)
        Absolute change of the probability of the class that is predicted without noise; NaN as above.
    same_class : ndarray, shape (n_draws, n_sources)
        1 where the predicted class stays the same, 0 where not; NaN as above.
    counts : ndarray, shape (n_bootstrap, n_sources)
        Resamples, the same for all intervals.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:1])
    >>> model = attnxai.load_model("c1.pt")
    >>> found = attnxai.audit.noise_stability(model, images, n_draws=2, rng=0)
    >>> found.layers, found.correlations.shape
    (('gate1', 'gate2', 'gate3', 'mean'), (3, 4, 2, 1))
    """

    model_name: str
    sources: tuple[str, ...]
    layers: tuple[str, ...]
    levels: NDArray[np.float64]
    correlations: NDArray[np.float64]
    probability_changes: NDArray[np.float64]
    same_class: NDArray[np.float64]
    counts: NDArray[np.float64]

    plot = presenters.plot

    @property
    def passes(self) -> None:
        """None: how stable a map should be depends on what it is used for."""

    def correlation(self, layer: str, measure: str = "spearman") -> Interval:
        """Mean correlation over images, averaged over draws."""
        index = position_of("map", layer, self.layers)
        values = self.correlations[position_of("measure", measure, CORRELATIONS), index]
        return mean_over_draws(values, self.counts)

    @property
    def probability_change(self) -> Interval:
        """Mean absolute change of the class probability over images, averaged over draws."""
        return mean_over_draws(self.probability_changes, self.counts)

    @property
    def class_consistency(self) -> Interval:
        """Share of the draws in which an image keeps its class, averaged over images."""
        return mean_over_draws(self.same_class, self.counts)

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for every map and correlation, and for both changes of predictions."""
        import pandas as pd

        found: list[tuple[str, str, Interval]] = [
            (layer, measure, self.correlation(layer, measure))
            for layer in self.layers
            for measure in CORRELATIONS
        ]
        found.append(("", "probability_change", self.probability_change))
        found.append(("", "class_consistency", self.class_consistency))
        return pd.DataFrame(
            {"map": layer, "quantity": quantity, **interval_columns(interval)}
            for layer, quantity, interval in found
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values for JSON; None where there is no interval."""
        return {
            "model": self.model_name,
            "n_sources": len(self.sources),
            "n_draws": len(self.probability_changes),
            "median_noise": float(np.median(self.levels)),
            "n_undefined": int(np.isnan(self.same_class).sum()),
            "probability_change": self.probability_change.to_record(),
            "class_consistency": self.class_consistency.to_record(),
            "maps": {
                layer: {
                    measure: self.correlation(layer, measure).to_record()
                    for measure in CORRELATIONS
                }
                for layer in self.layers
            },
        }

    def summary(self) -> str:
        """What noise changes, in sentences."""
        n_blank = int(np.isnan(self.same_class).sum())
        on_field, on_emission = (
            value_range(self.correlation(layer, measure).value for layer in self.layers)
            for measure in ("spearman", "spearman_on_emission")
        )
        lines = [
            (
                f"The class stays the same in {format_share(self.class_consistency.value)} of the draws; maps with and without "
                f"noise have a rank correlation of {on_field} over the field and {on_emission} on emission."
            ),
            (
                f"Noise at the level of each image (median {np.median(self.levels):.2g} of the peak), "
                f"{counted(len(self.probability_changes), 'draw')}, on {counted(len(self.sources), 'source')}: the class "
                f"stays the same in a share of {with_interval(self.class_consistency)} of the draws, and its probability "
                f"changes by {with_interval(self.probability_change)}."
            ),
        ]
        lines += [
            f"The map {layer} has a rank correlation of {with_interval(self.correlation(layer))} over the field and of "
            f"{with_interval(self.correlation(layer, 'spearman_on_emission'))} on emission with that of the image "
            "without added noise."
            for layer in self.layers
        ]
        if n_blank:
            lines.append(f"{counted(n_blank, 'noisy image')} without emission left out.")
        return "\n".join(lines)


def noise_stability(
    model: AttentionModel,
    images: Sequence[SourceImage],
    method: str | ExplanationMethod | Sequence[str | ExplanationMethod] = "gates",
    *,
    target: str | Sequence[str] | None = None,
    n_draws: int = 5,
    factor: float = 1.0,
    beam_arcsec: float = FIRST_BEAM_ARCSEC,
    n_bootstrap: int = 2000,
    rng: np.random.Generator | int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> NoiseStability:
    """Explain images with added noise, and compare maps and predictions with those without.

    The level is that of the image's own noise. In survey brightness it is the sigma-clipped standard deviation of the
    image, by which the preprocessing clips as well; the noisy image passes through the whole preprocessing, whose clip
    then lies higher by the square root of two. In prepared images, from which noise was clipped away, it follows from
    the clip: see :func:`~attnxai.audit.noise.noise_level`. There, noise is added to the field that the network sees,
    what lies below the clip becomes 0 and what lies above 1 becomes 1.

    Parameters
    ----------
    model : AttentionModel
        The model; it is not changed.
    images : sequence of SourceImage
        The images.
    method : str or ExplanationMethod, or sequence of them
        How to make maps, as of :func:`attnxai.explain`.
    target : str or sequence of str, optional
        What is explained; the class that is predicted without noise when left out.
    n_draws : int
        Draws of noise per image.
    factor : float
        The level of the noise that is added, in units of the image's own.
    beam_arcsec : float
        Full width at half maximum over which noise is correlated, where an image does not state its beam; 0 for
        noise that is independent in every pixel.
    n_bootstrap : int
        Resamples of the images for intervals.
    rng : numpy.random.Generator or int
        Draws noise, what the methods draw, and resamples.
    on_step : callable, optional
        Called with the number of finished draws and of all.

    Returns
    -------
    NoiseStability

    Raises
    ------
    OptionError
        If an option is out of its range.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> model = attnxai.load_model("c1.pt")
    >>> found = noise_stability(model, images, n_draws=1, n_bootstrap=100)
    >>> found.layers
    ('gate1', 'gate2', 'gate3', 'mean')
    """
    if n_draws < 1 or n_bootstrap < 1 or not 0 < factor < np.inf or not 0 <= beam_arcsec < np.inf:
        raise OptionError(
            "noise_stability needs n_draws and n_bootstrap of 1 or more, a finite factor above 0 and a finite "
            "beam_arcsec of 0 or more"
        )
    check_target(target, model.class_names, model.name)
    rng = np.random.default_rng(rng)
    seed = int(rng.integers(2**31))
    prepared = prepared_images(model, images)
    original = explain(model, prepared, method, target=target, rng=seed)
    same = SameClasses(methods=chosen_methods(method), target=target, seed=seed, original=original)
    maps = maps_on_field(original)
    before = _probabilities(model, original.brightness)
    predicted = before.argmax(axis=1)
    rows = np.arange(len(prepared))
    correlations = np.full((len(CORRELATIONS), len(maps), n_draws, len(prepared)), np.nan)
    changes = np.full((n_draws, len(prepared)), np.nan)
    kept = np.full_like(changes, np.nan)
    emission = emission_mask(original.brightness) & original.valid
    levels = np.zeros(len(prepared))
    for draw in range(n_draws):
        noisy = []
        for position, (image, own) in enumerate(zip(images, prepared, strict=True)):
            levels[position], brightness = _with_noise(
                image, own, model.preprocessing, factor, beam_arcsec, rng
            )
            noisy.append(brightness)
        seen = np.array([one is not None for one in noisy])
        fields = [
            own if one is None else dataclasses.replace(own, pixels=one)
            for own, one in zip(prepared, noisy, strict=True)
        ]
        after = _probabilities(model, np.stack([one.pixels for one in fields]))
        changes[draw] = np.abs(after - before)[rows, predicted]
        kept[draw] = after.argmax(axis=1) == predicted
        for index, (name, found) in enumerate(same.explain(model, fields).items()):
            for position in np.flatnonzero(seen).tolist():
                one, other = maps[name][position], found[position]
                valid, on = original.valid[position], emission[position]
                correlations[:, index, draw, position] = (
                    _pearson(one[valid], other[valid]),
                    rank_correlation(one[valid], other[valid]),
                    rank_correlation(one[on], other[on]),
                )
        changes[draw, ~seen] = kept[draw, ~seen] = np.nan
        if on_step is not None:
            on_step(draw + 1, n_draws)
    return NoiseStability(
        model_name=model.name,
        sources=original.sources,
        layers=tuple(maps),
        levels=levels,
        correlations=correlations,
        probability_changes=changes,
        same_class=kept,
        counts=bootstrap_counts(len(prepared), n_bootstrap, rng),
    )


def _probabilities(model: AttentionModel, brightness: NDArray[np.float32]) -> NDArray[np.float64]:
    scores = field_scores(model, torch.tensor(brightness))
    return np.asarray(torch.softmax(scores / model.temperature, dim=1).numpy())


def _with_noise(
    image: SourceImage,
    prepared: SourceImage,
    preprocessing: Preprocessing,
    factor: float,
    beam_arcsec: float,
    rng: np.random.Generator,
) -> tuple[float, NDArray[np.float32] | None]:
    """Level of the image's own noise, and brightness with more of it; None where nothing is left above the clip."""
    if image.beam_arcsec is not None:
        beam_arcsec = float(np.sqrt(image.beam_arcsec[0] * image.beam_arcsec[1]))
    field = np.asarray(prepared.pixels, dtype=np.float64)
    if image.prepared:
        level = noise_level(field, preprocessing)
        width = beam_arcsec / preprocessing.pixel_scale_arcsec
        noise = draw_noise(field.shape, fwhm_pixels=width, rng=rng)
        noisy = clip_noise(field + factor * level * noise, level, preprocessing)
        # in 256 steps, as prepared images are
        noisy = np.floor(255 * noisy + 1e-6) / 255
        return level, noisy.astype(np.float32) if noisy.any() else None
    pixels = np.asarray(image.pixels, dtype=np.float64)
    observed = pixels if image.footprint is None else pixels[image.footprint]
    level = sigma_clipped_deviation(observed)
    scale = image.grid.pixel_scale_arcsec or preprocessing.pixel_scale_arcsec
    noise = draw_noise(pixels.shape, fwhm_pixels=beam_arcsec / scale, rng=rng)
    share = level / float(pixels.max())
    try:
        observed_again = (pixels + factor * level * noise).astype(np.float32)
        return share, preprocessing.view(
            dataclasses.replace(image, pixels=observed_again)
        ).brightness
    except ImageError:
        return share, None


def _pearson(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
