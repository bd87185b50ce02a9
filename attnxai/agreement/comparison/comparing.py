"""Compare maps with annotations: estimates, intervals, ceilings and tests."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.comparison.estimating import ScopeEstimates, scopes_of
from attnxai.agreement.comparison.families import adjust_over_maps
from attnxai.agreement.comparison.labels import label_agreement
from attnxai.agreement.comparison.null_tests import NullTables, null_tables
from attnxai.agreement.comparison.once import (
    Once,
    annotators_of,
    ceilings_of,
    self_consistencies_of,
)
from attnxai.agreement.comparison.settings import ComparisonSettings
from attnxai.agreement.comparison.streams import Streams
from attnxai.agreement.comparison.tables import Inputs, measure, undefined_values
from attnxai.agreement.results import ALL, AgreementResult, ComparedData
from attnxai.alignment.copies import independent_sources
from attnxai.alignment.labels import labels_in_use, targets_of_label
from attnxai.alignment.own_emission import MIN_EMISSION_PIXELS
from attnxai.alignment.pairs import DEFAULT_FWHM_ARCSEC, align_all
from attnxai.alignment.usable import usable_annotations
from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.errors import AssumptionWarning, FewSourcesWarning, OptionError, UndefinedValuesWarning
from attnxai.explanations.stack import EMISSION, MapStack, Split
from attnxai.statistics.formats import format_p
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL, too_few

if TYPE_CHECKING:
    from attnxai.agreement.noise_ceiling.ceiling import NoiseCeiling
    from attnxai.alignment.labels import LabelTargets
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.alignment.rasterise import Places
    from attnxai.data.images import SourceImage


def compare(
    maps: MapStack,
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    *,
    fwhm_arcsec: float = DEFAULT_FWHM_ARCSEC,
    use_source_weights: bool = False,
    settings: ComparisonSettings | None = None,
    rng: np.random.Generator | int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> AgreementResult:
    """Agreement of a model's maps with annotations of the same sources.

    Parameters
    ----------
    maps : MapStack
        From :func:`attnxai.attention_maps`, or made of maps from anywhere.
    annotations : AnnotationSet
        From :func:`attnxai.read_annotations`.
    images : sequence of SourceImage
        The images that the maps explain.
    fwhm_arcsec : float
        Width of points and lines.
    use_source_weights : bool
        Weight sources by the weights that the annotations state, such as a consensus level.
    settings : ComparisonSettings, optional
        Metrics, nulls, strata and numbers of draws.
    rng : numpy.random.Generator or int
        Source of randomness.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.

    Returns
    -------
    AgreementResult

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> files = annotations.image_files()
    >>> images = attnxai.read_images([files[name] for name in annotations.sources[:12]])
    >>> annotations = annotations.select(images.sources)
    >>> maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
    >>> result = attnxai.compare(maps, annotations, images)
    >>> result.metrics[0], len(result.sources)
    ('nss', 12)
    """
    return compare_all(
        [maps],
        annotations,
        images,
        fwhm_arcsec=fwhm_arcsec,
        use_source_weights=use_source_weights,
        settings=settings,
        rng=rng,
        on_step=None if on_step is None else lambda _, n, n_steps: on_step(n, n_steps),
    )[0]


def compare_all(
    stacks: Sequence[MapStack],
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    *,
    fwhm_arcsec: float,
    use_source_weights: bool,
    settings: ComparisonSettings | None,
    rng: np.random.Generator | int,
    on_step: Callable[[str, int, int], None] | None,
) -> list[AgreementResult]:
    """:func:`compare` for the maps of several models.

    What depends on the annotations alone is computed once: their drawing on the field, noise ceilings and the
    reliability of the annotators.
    """
    check_order("compare takes maps", stacks, annotations, images)
    places: Places = {}
    annotations = usable_annotations(annotations, images, fwhm_arcsec, places=places)
    annotations, images, stacks = independent_sources(annotations, images, stacks)
    every = align_all(
        stacks,
        annotations,
        images,
        fwhm_arcsec=fwhm_arcsec,
        use_source_weights=use_source_weights,
        places=places,
    )
    once = Once()
    by_id = {image.source: image for image in images}
    labels = labels_in_use(annotations)
    results = []
    for maps, pairs in zip(stacks, every, strict=True):
        step = None if on_step is None else functools.partial(on_step, maps.model_name)
        data = ComparedData(
            maps=maps,
            annotations=annotations,
            images=images,
            pairs=pairs,
            seed=rng if isinstance(rng, int) else None,
        )
        targets = [
            once.of(
                ("label", str(label), pairs.sources, pairs.density),
                functools.partial(targets_of_label, label, pairs, maps, annotations, by_id),
            )
            for label in (labels if len(labels) > 1 else ())
        ]
        result = _compare(pairs, settings, rng, step, once, targets)
        results.append(dataclasses.replace(result, data=data))
    return results


def check_order(beginning: str, stacks: Any, annotations: Any, images: Any) -> None:
    """Refuse arguments in another order, or of another kind."""
    each = stacks if isinstance(stacks, list | tuple) else (None,)
    if not all(isinstance(one, MapStack) for one in each) or not isinstance(
        annotations, AnnotationSet
    ):
        given = each[0] if len(each) == 1 and each[0] is not None else stacks
        raise OptionError(
            f"{beginning}, annotations and images, in this order, got "
            f"{type(given).__name__}, {type(annotations).__name__} and {type(images).__name__}"
        )


def compare_pairs(
    pairs: AlignedPairs,
    *,
    settings: ComparisonSettings | None = None,
    rng: np.random.Generator | int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> AgreementResult:
    """:func:`compare` of maps, annotations and baselines that are on one field already.

    Sources are put in the order of their ids first, so the same seed gives the same result whatever the order of the
    files; every split, class, null and metric has a random stream of its own, so none changes with what else is asked
    for.

    Raises
    ------
    OptionError
        If sources cannot be stratified as asked, or a null cannot work on these fields.

    Warns
    -----
    FewSourcesWarning
        When there are too few sources for an interval, or for a test to reach 0.05.
    UndefinedValuesWarning
        When a metric has no value for some source.
    """
    return _compare(pairs, settings, rng, on_step, Once())


def _compare(
    pairs: AlignedPairs,
    settings: ComparisonSettings | None,
    rng: np.random.Generator | int,
    on_step: Callable[[int, int], None] | None,
    once: Once,
    labels: Sequence[LabelTargets] = (),
) -> AgreementResult:
    settings = settings or ComparisonSettings()
    streams = Streams(rng)
    inputs = Inputs.of(pairs, settings)
    n_steps = 0

    def step(n: int, n_of_result: int) -> None:
        nonlocal n_steps
        n_steps = n_of_result + len(labels)
        if on_step is not None:
            on_step(n, n_steps)

    result = _result_of(inputs, settings, streams, step, once)
    _warn(result)
    of_labels = []
    for number, targets in enumerate(labels, start=1):
        of_labels.append(label_agreement(targets, inputs.individuals, result, settings, streams))
        if on_step is not None:
            on_step(n_steps - len(labels) + number, n_steps)
    result = dataclasses.replace(result, labels=tuple(of_labels))
    if settings.within is not None:
        result = _with_emission(result, inputs, settings, streams, once)
    return adjust_over_maps([result], settings.correction)[0]


def _with_emission(
    result: AgreementResult,
    inputs: Inputs,
    settings: ComparisonSettings,
    streams: Streams,
    once: Once,
) -> AgreementResult:
    """Add the same comparison on each source's own emission."""
    reason, within = "", inputs.within_emission()
    if EMISSION not in inputs.pairs.baselines:
        reason = "no pixel of any image is 0, so emission cannot be told from sky"
    elif within is None:
        reason = f"fewer than two sources have marks on {MIN_EMISSION_PIXELS} or more valid pixels of their emission"
    if reason or within is None:
        note = f"Agreement within emission is not known: {reason}."
        return dataclasses.replace(result, notes=(*result.notes, note))
    own = _result_of(within, dataclasses.replace(settings, nulls=()), streams, None, once)
    return dataclasses.replace(
        result, within_emission=own, notes=(*result.notes, *within.pairs.notes)
    )


def _result_of(
    inputs: Inputs,
    settings: ComparisonSettings,
    streams: Streams,
    on_step: Callable[[int, int], None] | None,
    once: Once,
) -> AgreementResult:
    pairs = inputs.pairs
    nulls = settings.chosen_nulls
    scopes = list(scopes_of(inputs))
    several = bool((inputs.individuals.present.sum(axis=0) > 1).any())
    n_steps = 2 + len(nulls) * inputs.n_explanations + 2 * several + len(scopes)
    n_done = 0

    def done() -> None:
        nonlocal n_done
        n_done += 1
        if on_step is not None:
            on_step(n_done, n_steps)

    values = measure(inputs, done)
    undefined = undefined_values(inputs, values)
    of_nulls: dict[str, list[NullTables]] = {}
    for null in nulls:
        for e, name in enumerate(inputs.names[: inputs.n_explanations]):
            of_nulls.setdefault(name, []).append(null_tables(inputs, null, e, streams))
            done()
    verdict_group = group_of_verdict(inputs.pairs.splits)
    ceilings: dict[str, NoiseCeiling] = {}
    annotators = None
    if several:
        # a score against a consensus is not one against single annotators, as the ceiling is
        if settings.consensus is None:
            ceilings = ceilings_of(inputs, settings, once)
        done()
        if inputs.within is None:
            annotators = annotators_of(inputs, settings, verdict_group, streams, once)
        done()
    looks = self_consistencies_of(inputs, once)
    estimates, given, ceiling_estimates, consistencies = [], [], [], []
    for scope in scopes:
        made = ScopeEstimates(scope, inputs, values, settings, streams)
        own = {
            metric.name: made.ceiling(ceilings[metric.name], metric.bounds)
            for metric in inputs.metrics
            if metric.name in ceilings
        }
        main = scope.names == (verdict_group, ALL)
        estimates += made.estimates(of_nulls, own if main else {}, main=main)
        given += made.partial_correlations()
        consistencies += made.self_consistencies(looks)
        ceiling_estimates += [
            made.noise_ceiling(ceiling) for ceiling in own.values() if ceiling.n_annotators > 1
        ]
        done()
    return AgreementResult(
        model_name=pairs.model_name,
        estimates=tuple(estimates),
        sources=inputs.pairs.sources,
        classes=inputs.pairs.classes,
        splits=tuple(str(split) for split in inputs.pairs.splits),
        annotators=pairs.annotators,
        explanations=tuple(pairs.explanations),
        baselines=tuple(pairs.baselines),
        metrics=settings.metric_names,
        values=values.own,
        undefined=tuple(undefined),
        verdict_group=verdict_group,
        settings={
            **settings.to_record(),
            "strata": list(inputs.stratified.keys),
            "fwhm_arcsec": pairs.fwhm_arcsec,
            "weighted": bool((pairs.source_weights != 1).any()),
        },
        strata=inputs.stratified.of_sources,
        source_weights=inputs.pairs.source_weights,
        partial_correlations=tuple(given),
        partial_correlation_values=values.partial_correlations,
        noise_ceilings=tuple(ceiling_estimates),
        self_consistencies=tuple(consistencies),
        self_consistency_values=looks if settings.consensus is None else looks[:0],
        annotator_agreement=annotators,
        notes=()
        if inputs.within
        else (*pairs.notes, *inputs.stratified.notes, *_footprint_notes(inputs)),
    )


def _footprint_notes(inputs: Inputs) -> list[str]:
    valid, common = inputs.pairs.valid, inputs.common
    if not (valid != common).any():
        return []
    note = (
        f"Footprints differ between sources: annotations are permuted over the {common.sum()} "
        f"pixels that are valid for all, of up to {valid.sum(axis=(1, 2)).max()}."
    )
    return [note]


def group_of_verdict(splits: Sequence[str]) -> str:
    """Held-out sources if there are any, else those of which nothing is known, else whatever is."""
    for group in (Split.HELD_OUT, Split.UNKNOWN, Split.VALIDATION):
        if group in splits:
            return str(group)
    return str(Split.TRAINING)


def _warn(result: AgreementResult) -> None:
    undefined, verdict_group = result.undefined, result.verdict_group
    if undefined:
        first = undefined[0]
        warnings.warn(
            f"{len(undefined)} values are undefined and left out, such as {first.metric} of "
            f"{first.explanation} on {first.source} ({first.reason}); all are listed in the report",
            UndefinedValuesWarning,
            stacklevel=4,
        )
    main = [
        e
        for e in result.estimates
        if (e.group, e.class_name, e.is_baseline) == (verdict_group, ALL, False)
    ]
    most = max((e.interval for e in main), key=lambda interval: interval.n_counted)
    n = most.n_units
    few = too_few(n, most.n_effective, unit=f"{verdict_group} source")
    if few:
        warnings.warn(
            f"{few} for a confidence interval, which needs {MIN_UNITS}: nothing can be concluded about how "
            "large the agreement is",
            FewSourcesWarning,
            stacklevel=4,
        )
    tests = [e.test for e in main if e.test is not None]
    smallest = min((test.smallest_p for test in tests), default=None)
    if smallest is None:
        warnings.warn(
            f"there is no test of whether maps agree with their own source's annotations over {n} {verdict_group} "
            f"{'source' if n == 1 else 'sources'}: {main[0].not_tested}",
            FewSourcesWarning if main[0].pooled is None else AssumptionWarning,
            stacklevel=4,
        )
    elif smallest > SIGNIFICANCE_LEVEL:
        warnings.warn(
            f"with {max(test.n_sources for test in tests)} {verdict_group} sources the smallest attainable "
            f"p-value is {format_p(smallest)}, which is above {SIGNIFICANCE_LEVEL}: this test cannot be significant",
            FewSourcesWarning,
            stacklevel=4,
        )
