"""Comparisons of several models with the same annotations, and with each other."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai import presenters
from attnxai.agreement.comparison import adjust_over_maps
from attnxai.agreement.comparison.block_jobs import Workers
from attnxai.agreement.comparison.comparing import check_order, compare_all
from attnxai.agreement.comparison.settings import ComparisonSettings
from attnxai.agreement.model_comparison.of_results import contrast_results
from attnxai.alignment.pairs import DEFAULT_FWHM_ARCSEC
from attnxai.data.short_repr import short_repr
from attnxai.errors import AssumptionWarning, OptionError

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.of_results import ResultContrasts
    from attnxai.agreement.results import AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceImage
    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.stack import MapStack


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Results of one or several models that were compared with the same annotations.

    Parameters
    ----------
    results : tuple of AgreementResult
        One per model, their p-values adjusted over the maps of all models.
    contrasts : tuple of ResultContrasts
        Differences between the models, one for each metric; empty for one model, and where the models have no
        sources in common.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:12])
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources])
    >>> maps = attnxai.maps_from_arrays(images, [one.pixels for one in images], model_name="pixels")
    >>> settings = attnxai.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    >>> found = attnxai.compare_models([maps], annotations, images, settings=settings)
    >>> [result.model_name for result in found.results], found.contrasts
    (['pixels'], ())
    """

    results: tuple[AgreementResult, ...]
    contrasts: tuple[ResultContrasts, ...] = ()

    __repr__ = short_repr
    _repr_html_ = presenters.repr_html

    write_report = presenters.write_report

    def summary(self) -> str:
        """The numbers of every model and their differences, as plain text."""
        return "\n\n".join(
            [*(r.summary() for r in self.results), *(c.summary() for c in self.contrasts)]
        )


def compare_models(
    stacks: Sequence[MapStack | MapChunks],
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    *,
    fwhm_arcsec: float = DEFAULT_FWHM_ARCSEC,
    use_source_weights: bool = False,
    settings: ComparisonSettings | None = None,
    rng: int = 0,
    n_workers: int = 1,
    scheduler: str | None = None,
    resume_folder: str | Path | None = None,
    on_step: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Agreement of the maps of several models with annotations, and the differences between the models.

    Parameters
    ----------
    stacks : sequence of MapStack or MapChunks
        The maps of each model, under names of their own.
    annotations, images, fwhm_arcsec, use_source_weights, settings
        As in :func:`attnxai.compare`.
    rng : int
        Seed: the same for every model, so that all are tested under the same draws.
    n_workers, scheduler, resume_folder
        As in :func:`attnxai.compare`.
    on_step : callable, optional
        Called with the name of the model and the number of its finished steps and of all.

    Returns
    -------
    Comparison

    Raises
    ------
    OptionError
        If two models have the same name.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> files = annotations.image_files()
    >>> images = attnxai.read_images([files[name] for name in annotations.sources[:12]])
    >>> annotations = annotations.select(images.sources)
    >>> stacks = [attnxai.attention_maps(attnxai.load_model(m), images) for m in ("c1.pt", "c2.pt")]
    >>> settings = attnxai.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    >>> found = attnxai.compare_models(stacks, annotations, images, settings=settings)
    >>> [result.model_name for result in found.results], len(found.contrasts)
    (['C1', 'C2'], 1)
    """
    check_order("compare_models takes a list of stacks of maps", stacks, annotations, images)
    settings = settings or ComparisonSettings()
    names = [maps.model_name for maps in stacks]
    for name in names:
        if names.count(name) > 1:
            raise OptionError(
                f"two stacks of maps have the model name {name!r}; give each a name of its own"
            )
    results = compare_all(
        stacks,
        annotations,
        images,
        fwhm_arcsec=fwhm_arcsec,
        use_source_weights=use_source_weights,
        settings=settings,
        rng=rng,
        workers=Workers(n_workers=n_workers, scheduler=scheduler, resume_folder=resume_folder),
        on_step=on_step,
    )
    if len(results) < 2:
        return Comparison(results=tuple(results))
    results = adjust_over_maps(results, settings.correction)
    try:
        contrasts = tuple(
            contrast_results(
                results,
                metric=name,
                n_draws=settings.n_permutations,
                n_bootstrap=settings.n_bootstrap,
                rng=rng,
            )
            for name in settings.metric_names
        )
    except OptionError as error:  # as when models were trained on different parts of the sources
        warnings.warn(
            f"the models are not compared with each other: {error}", AssumptionWarning, stacklevel=2
        )
        contrasts = ()
    return Comparison(results=tuple(results), contrasts=contrasts)
