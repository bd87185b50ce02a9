"""Results of several models against each other: every pair of models, map by map.

Maps are matched by name: gate 1 of one model with gate 1 of the other. All pairs of models times all maps are one family:
their signs are flipped together and their p-values adjusted over all of them, so that looking at more maps costs what
it should.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.agreement.model_comparison.common_ground import (
    common_metric,
    common_sources,
    common_weights,
    model_names,
    names_in_common,
    note_settings,
)
from attnxai.agreement.model_comparison.models import paired_differences
from attnxai.agreement.multiplicity import Correction
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted
from attnxai.errors import OptionError
from attnxai.nulls.p_values import Alternative
from attnxai.statistics.interval import CONFIDENCE_LEVEL

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from attnxai.agreement.model_comparison.contrast import Contrast, ModelContrasts
    from attnxai.agreement.results import AgreementResult


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResultContrasts:
    """Models against each other by one metric, map by map.

    Parameters
    ----------
    metric : str
        What is compared.
    group : str
        Group that the sources are in for every model; ``all`` where that was asked for.
    sources, annotators : tuple of str
        Over which and with whom all models are compared.
    maps : tuple of str
        Maps that all models have.
    models : tuple of str
        In the order that was given.
    contrasts : ModelContrasts
        Every pair of models for every map, map after map, as one family. Their names are those of
        :func:`name_of`.
    notes : tuple of str
        What was left out or assumed.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:12])
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources])
    >>> stacks = [
    ...     attnxai.maps_from_arrays(images, [one.pixels**power for one in images], model_name=name)
    ...     for name, power in (("pixels", 1), ("squares", 2))
    ... ]
    >>> settings = attnxai.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    >>> (found,) = attnxai.compare_models(stacks, annotations, images, settings=settings).contrasts
    >>> found.metric, found.models
    ('nss', ('pixels', 'squares'))
    >>> list(found.to_frame().columns[:5])
    ['map', 'first', 'second', 'difference', 'ci_low']
    """

    metric: str
    group: str
    sources: tuple[str, ...]
    annotators: tuple[str, ...]
    maps: tuple[str, ...]
    models: tuple[str, ...]
    contrasts: ModelContrasts
    notes: tuple[str, ...] = ()

    __repr__ = short_repr

    @property
    def keys(self) -> tuple[tuple[str, str, str], ...]:
        """Map, first and second model of every contrast, in their order."""
        pairs = list(itertools.combinations(self.models, 2))
        return tuple((name, *pair) for name in self.maps for pair in pairs)

    def contrast(self, first_model: str, second_model: str, map: str) -> Contrast:
        """One model minus another, in the order in which they were given, for one map; a KeyError names what there is."""
        key = (map, first_model, second_model)
        if key not in self.keys:
            raise KeyError(
                f"no contrast {first_model} minus {second_model} of the map {map}; models are, in this "
                f"order, {', '.join(self.models)}, and maps {', '.join(self.maps)}"
            )
        return self.contrasts.contrasts[self.keys.index(key)]

    def summary(self) -> str:
        """What was compared, one line per contrast, and the notes, as plain text."""
        numbers = sorted({contrast.n_sources for contrast in self.contrasts.contrasts})
        over = f"{numbers[0]}{f' to {numbers[-1]}' if len(numbers) > 1 else ''} sources"
        what = f"{self.metric}, {over} ({self.group}), {counted(len(self.annotators), 'annotator')}"
        lines = [
            f"{name}, {dataclasses.replace(contrast, first=first, second=second).sentence()}"
            for (name, first, second), contrast in zip(
                self.keys, self.contrasts.contrasts, strict=True
            )
        ]
        return "\n".join([what, *lines, *self.notes])

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names; None where there is none."""
        return {
            "metric": self.metric,
            "group": self.group,
            "models": list(self.models),
            "maps": list(self.maps),
            "annotators": list(self.annotators),
            "sources": list(self.sources),
            "notes": list(self.notes),
            **self.contrasts.to_record(),
            "contrasts": self._records(),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per contrast."""
        import pandas as pd

        return pd.DataFrame(self._records())

    to_latex = presenters.to_latex
    _repr_html_ = presenters.repr_html
    plot = presenters.plot

    def _records(self) -> list[dict[str, Any]]:
        return [
            {"map": name, **contrast.to_record(), "first": first, "second": second}
            for contrast, (name, first, second) in zip(
                self.contrasts.contrasts, self.keys, strict=True
            )
        ]


def name_of(model: str, map: str) -> str:
    """What a map of a model is called among the contrasts."""
    return f"{model}: {map}"


def contrast_results(
    results: Sequence[AgreementResult],
    *,
    metric: str | None = None,
    group: str | None = None,
    weights: Mapping[str, float] | None = None,
    correction: Correction = Correction.MAX_T,
    alternative: Alternative = Alternative.TWO_SIDED,
    n_draws: int = 10_000,
    n_bootstrap: int = 10_000,
    level: float = CONFIDENCE_LEVEL,
    rng: np.random.Generator | int = 0,
) -> ResultContrasts:
    """Compare several models' results with each other, over what they have in common.

    Parameters
    ----------
    results : sequence of AgreementResult
        Two or more, of models with different names.
    metric : str, optional
        Which metric; the first that all results have when left out.
    group : str, optional
        Split of the sources for all models, such as ``held-out``; ``all`` takes every source that all
        results have. When left out, held-out sources if any are so for all models, else those of which
        nothing is known for all, else validation and last training sources; a note says so.
    weights : mapping of str to float, optional
        Weight of each source; that of the results when left out.
    correction : Correction
        How p-values are adjusted over all pairs of models and all maps.
    alternative : Alternative
        Which differences count, the model that comes first minus the other.
    n_draws : int
        Sign flips; all of them where these are no more.
    n_bootstrap : int
        Bootstrap resamples.
    level : float
        Confidence level of the intervals.
    rng : numpy.random.Generator or int
        Source of randomness.

    Returns
    -------
    ResultContrasts

    Raises
    ------
    OptionError
        If there are fewer than two results, names of models collide, or the results have no metric, group,
        source, annotator or map in common; or if they weigh a source differently.

    Warns
    -----
    UndefinedValuesWarning
        When sources are left out of a pair.
    FewSourcesWarning
        When the smallest attainable p-value is above 0.05.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:12])
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources])
    >>> settings = attnxai.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    >>> results = [
    ...     attnxai.compare(
    ...         attnxai.maps_from_arrays(images, [one.pixels**power for one in images], model_name=name),
    ...         annotations,
    ...         images,
    ...         settings=settings,
    ...     )
    ...     for name, power in (("pixels", 1), ("squares", 2))
    ... ]
    >>> found = attnxai.contrast_results(results, n_draws=99, n_bootstrap=100)
    >>> found.models, found.maps, len(found.sources)
    (('pixels', 'squares'), ('map',), 12)
    """
    models = model_names(results)
    metric = common_metric(results, metric)
    notes: list[str] = []
    sources, group = common_sources(results, group, notes)
    annotators = names_in_common(
        results,
        lambda result: result.annotators,
        "annotators",
        notes,
        hint="compare them with the same",
    )
    maps = names_in_common(
        results,
        lambda result: result.explanations,
        "maps",
        notes,
        hint="maps are matched by their names",
    )
    note_settings(results, notes)
    values = {
        name_of(result.model_name, name): _values(result, metric, name, annotators, sources)
        for result in results
        for name in maps
    }
    if len(values) < len(models) * len(maps):
        raise OptionError(
            f"names of models and maps are ambiguous together: {', '.join(models)} and {', '.join(maps)}; "
            "give the models names without colons"
        )
    contrasts = paired_differences(
        values,
        pairs=[
            (name_of(first, name), name_of(second, name))
            for name in maps
            for first, second in itertools.combinations(models, 2)
        ],
        weights=common_weights(results, sources, weights),
        alternative=alternative,
        correction=correction,
        n_draws=n_draws,
        n_bootstrap=n_bootstrap,
        level=level,
        rng=rng,
    )
    return ResultContrasts(
        metric=metric,
        group=group,
        sources=sources,
        annotators=annotators,
        maps=maps,
        models=models,
        contrasts=contrasts,
        notes=tuple(notes),
    )


def _values(
    result: AgreementResult,
    metric: str,
    name: str,
    annotators: Sequence[str],
    sources: Sequence[str],
) -> NDArray[np.float64]:
    table = result.values[result.metrics.index(metric), result.explanations.index(name)]
    rows = [result.annotators.index(annotator) for annotator in annotators]
    places = {source: index for index, source in enumerate(result.sources)}
    return np.asarray(table[np.ix_(rows, [places[source] for source in sources])])
