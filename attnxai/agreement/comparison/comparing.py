"""Compare maps with annotations: estimates, intervals, ceilings and tests."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from attnxai.agreement.comparison.block_jobs import Workers, gather_blocks
from attnxai.agreement.comparison.estimating import ScopeEstimates, scopes_of
from attnxai.agreement.comparison.families import adjust_over_maps
from attnxai.agreement.comparison.gathering import PairsInMemory, Request, gather
from attnxai.agreement.comparison.labels import label_agreement, label_request
from attnxai.agreement.comparison.once import Once
from attnxai.agreement.comparison.settings import ComparisonSettings
from attnxai.agreement.comparison.shown import shown_sources
from attnxai.agreement.comparison.streams import Streams
from attnxai.agreement.results import ALL, AgreementResult, ComparedData
from attnxai.alignment.copies import independent_sources
from attnxai.alignment.labels import labels_in_use, targets_of_label
from attnxai.alignment.on_demand import PairsOnDemand
from attnxai.alignment.own_emission import MIN_EMISSION_PIXELS, notes_within
from attnxai.alignment.pairs import DEFAULT_FWHM_ARCSEC, align_all
from attnxai.alignment.places import Places
from attnxai.alignment.usable import usable_annotations
from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.inputs import without_sources
from attnxai.errors import (
    AlignmentError,
    AssumptionWarning,
    FewSourcesWarning,
    OptionError,
    UndefinedValuesWarning,
)
from attnxai.explanations.files.map_chunks import MapChunks
from attnxai.explanations.stack import EMISSION, MapStack, Split
from attnxai.statistics.formats import format_p
from attnxai.statistics.interval import MIN_UNITS, SIGNIFICANCE_LEVEL, too_few

if TYPE_CHECKING:
    from attnxai.agreement.comparison.gathering import Found, Gathered, PairSource
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.shapes import Label
    from attnxai.data.grid import PixelGrid
    from attnxai.data.images import SourceImage


def compare(
    maps: MapStack | MapChunks,
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    *,
    fwhm_arcsec: float = DEFAULT_FWHM_ARCSEC,
    use_source_weights: bool = False,
    settings: ComparisonSettings | None = None,
    rng: np.random.Generator | int = 0,
    n_workers: int = 1,
    scheduler: str | None = None,
    resume_folder: str | Path | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> AgreementResult:
    """Agreement of a model's maps with annotations of the same sources.

    Parameters
    ----------
    maps : MapStack or MapChunks
        From :func:`attnxai.attention_maps`, or made of maps from anywhere; or from
        :func:`attnxai.explanations.read_map_chunks`, of which parts alone are read at a time where there are more than
        ``settings.most_together`` sources.
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
    n_workers : int
        Processes that compare more than ``settings.most_together`` sources, block by block.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``, whose workers do so instead.
    resume_folder : path, optional
        Folder in which values of finished blocks are kept, and every minute what they add up to, so that the same call goes
        on from there after whatever has ended it. The files are signed with a key of the user, and only those are read. With
        metrics, nulls or plug-ins of others nothing is kept. The caller removes the folder. Without it, values wait in a
        temporary file.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.

    Returns
    -------
    AgreementResult
        The same with any number of workers.

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
        workers=Workers(n_workers=n_workers, scheduler=scheduler, resume_folder=resume_folder),
        on_step=None if on_step is None else lambda _, n, n_steps: on_step(n, n_steps),
    )[0]


def compare_all(
    stacks: Sequence[MapStack | MapChunks],
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    *,
    fwhm_arcsec: float,
    use_source_weights: bool,
    settings: ComparisonSettings | None,
    rng: np.random.Generator | int,
    workers: Workers,
    on_step: Callable[[str, int, int], None] | None,
) -> list[AgreementResult]:
    """:func:`compare` for the maps of several models.

    What depends on the annotations alone is computed once: their drawing on the field, noise ceilings and the
    reliability of the annotators.
    """
    check_order("compare takes maps", stacks, annotations, images)
    settings = settings or ComparisonSettings()
    for maps in stacks:
        if isinstance(maps, MapChunks):
            annotations = without_sources(annotations, maps.reasons)
    places = Places()
    annotations = usable_annotations(annotations, images, fwhm_arcsec, places=places)
    annotations, images, stacks = independent_sources(annotations, images, stacks)
    # once sources are left out
    large = len(annotations.sources) > settings.most_together
    held = [] if large else [maps.select(maps.sources) for maps in stacks]
    options: _Aligning = {"fwhm_arcsec": fwhm_arcsec, "use_source_weights": use_source_weights}
    labels = labels_in_use(annotations)
    labels = labels if len(labels) > 1 else ()
    seed = rng if isinstance(rng, int) else None
    results = []
    once = Once()
    grids = {image.source: image.grid for image in images}
    every = [] if large else align_all(held, annotations, images, **options, places=places)
    for m, maps in enumerate(stacks):
        step = None if on_step is None else functools.partial(on_step, maps.model_name)
        source: PairSource
        of_labels: list[tuple[str, Callable[[], PairSource]]]
        if large:
            made = source = PairsOnDemand.of(maps, annotations, images, **options, places=places)
            of_labels = [(str(label), functools.partial(made.of_label, label)) for label in labels]
        else:
            pairs = every[m]
            source = PairsInMemory(pairs.in_order())
            of_labels = [
                (
                    str(label),
                    functools.partial(
                        _pairs_of_label, label, pairs, held[m], annotations, grids, once
                    ),
                )
                for label in labels
            ]
        result = _compare(source, settings, rng, workers, step, once, of_labels)
        whole = source.whole if large else every[m]
        shown = source.block(shown_sources(result)).pairs() if large else None
        data = ComparedData(
            maps=maps if large else held[m],
            annotations=annotations,
            images=images,
            pairs=whole,
            pairs_shown=shown,
            seed=seed,
        )
        results.append(dataclasses.replace(result, data=data))
    return results


class _Aligning(TypedDict):
    fwhm_arcsec: float
    use_source_weights: bool


def _pairs_of_label(
    label: Label,
    pairs: AlignedPairs,
    maps: MapStack,
    annotations: AnnotationSet,
    grids: Mapping[str, PixelGrid],
    once: Once,
) -> PairsInMemory:
    targets = once.of(
        ("label", str(label), pairs.sources, pairs.density),
        functools.partial(targets_of_label, label, pairs, maps, annotations, grids),
    )
    return PairsInMemory(targets.of(pairs.in_order()).in_order())


def check_order(beginning: str, stacks: Any, annotations: Any, images: Any) -> None:
    """Refuse arguments in another order, or of another kind."""
    each = stacks if isinstance(stacks, list | tuple) else (None,)
    if not all(isinstance(one, MapStack | MapChunks) for one in each) or not isinstance(
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
    return _compare(PairsInMemory(pairs.in_order()), settings, rng, Workers(), on_step, Once())


def _compare(
    source: PairSource,
    settings: ComparisonSettings | None,
    rng: np.random.Generator | int,
    workers: Workers,
    on_step: Callable[[int, int], None] | None,
    once: Once,
    labels: Sequence[tuple[str, Callable[[], PairSource]]] = (),
) -> AgreementResult:
    settings = settings or ComparisonSettings()
    streams = Streams(rng)
    whole = source.whole
    if not len(whole):
        raise AlignmentError("there are no sources to compare")
    verdict_group = group_of_verdict(whole.splits)
    request = Request(settings=settings, streams=streams, verdict_group=verdict_group)
    of_labels = [
        (label, make, dataclasses.replace(request, streams=streams.within("label", label)))
        for label, make in labels
    ]
    n_of_nulls = len(settings.chosen_nulls) * len(whole.explanations)
    # pairs on demand have no pixels but those of blocks
    large = len(whole) > settings.most_together or not isinstance(source, PairsInMemory)
    n_steps = [0 if large else 2 + n_of_nulls, len(list(scopes_of(whole))) + len(labels)]
    n_done = 0

    def done() -> None:
        nonlocal n_done
        n_done += 1
        if on_step is not None:
            on_step(n_done, sum(n_steps))

    def done_blocks(n: int, n_all: int) -> None:
        nonlocal n_done
        n_steps[0] = n_all
        n_done = n - 1
        done()

    gathered_labels: Iterator[Found]
    if large:
        named = [("all marks", source, request)]
        named += [(label, make(), label_request(own)) for label, make, own in of_labels]
        (join, totals), *rest = gather_blocks(named, workers, done_blocks)
        found = join()
        of_source = source.notes(n_outside=totals.n_outside, any_visible=totals.any_visible)
        gathered_labels = (join() for join, _ in rest)
    else:
        found = gather(source.block(np.arange(len(whole))).pairs(), request, once, on_step=done)
        of_source = whole.notes
        gathered_labels = (
            gather(make().whole, label_request(own), Once()) for _, make, own in of_labels
        )
    result = _estimated(found.everywhere, settings, streams, done)
    notes = (
        *of_source,
        *found.everywhere.inputs.stratified.notes,
        *_footprint_notes(found.everywhere),
    )
    result = dataclasses.replace(result, notes=notes)
    _warn(result)
    agreements = []
    for (label, _, own), gathered in zip(of_labels, gathered_labels, strict=True):
        agreements.append(
            label_agreement(label, gathered.everywhere, result, settings, own.streams)
        )
        done()
    result = dataclasses.replace(result, labels=tuple(agreements))
    if settings.within is not None:
        result = _with_emission(result, found, settings, streams)
    return adjust_over_maps([result], settings.correction)[0]


def _with_emission(
    result: AgreementResult, found: Found, settings: ComparisonSettings, streams: Streams
) -> AgreementResult:
    """Add the same comparison on each source's own emission."""
    if EMISSION not in result.baselines:
        reason = "no pixel of any image is 0, so emission cannot be told from sky"
        return _not_within(result, reason)
    if found.within is None:
        return _not_within(
            result,
            f"fewer than two sources have marks on {MIN_EMISSION_PIXELS} or more valid pixels of their emission",
        )
    own = _estimated(found.within, dataclasses.replace(settings, nulls=()), streams, lambda: None)
    notes = notes_within(found.left_out)
    return dataclasses.replace(result, within_emission=own, notes=(*result.notes, *notes))


def _not_within(result: AgreementResult, reason: str) -> AgreementResult:
    note = f"Agreement within emission is not known: {reason}."
    return dataclasses.replace(result, notes=(*result.notes, note))


def _estimated(
    gathered: Gathered, settings: ComparisonSettings, streams: Streams, done: Callable[[], None]
) -> AgreementResult:
    """The estimates of everything that was gathered."""
    inputs, values, looks = gathered.inputs, gathered.values, gathered.looks
    pairs = inputs.pairs
    verdict_group = group_of_verdict(pairs.splits)
    estimates, given, ceiling_estimates, consistencies = [], [], [], []
    for scope in scopes_of(pairs):
        made = ScopeEstimates(scope, inputs, values, settings, streams, gathered.tests[scope.names])
        own = {
            metric.name: made.ceiling(gathered.ceilings[metric.name], metric.bounds)
            for metric in inputs.metrics
            if metric.name in gathered.ceilings
        }
        main = scope.names == (verdict_group, ALL)
        estimates += made.estimates(gathered.nulls, own if main else {}, main=main)
        given += made.partial_correlations()
        consistencies += made.self_consistencies(looks)
        ceiling_estimates += [
            made.noise_ceiling(ceiling) for ceiling in own.values() if ceiling.n_annotators > 1
        ]
        done()
    annotators = gathered.annotators
    return AgreementResult(
        model_name=pairs.model_name,
        estimates=tuple(estimates),
        sources=pairs.sources,
        classes=pairs.classes,
        splits=tuple(str(split) for split in pairs.splits),
        annotators=pairs.annotators,
        explanations=tuple(pairs.explanations),
        baselines=tuple(pairs.baselines),
        metrics=settings.metric_names,
        values=values.own,
        undefined=gathered.undefined,
        verdict_group=verdict_group,
        settings={
            **settings.to_record(),
            "strata": list(inputs.stratified.keys),
            "fwhm_arcsec": pairs.fwhm_arcsec,
            "weighted": bool((pairs.source_weights != 1).any()),
            "n_blocks": gathered.n_blocks,
        },
        strata=inputs.stratified.of_sources,
        source_weights=pairs.source_weights,
        partial_correlations=tuple(given),
        partial_correlation_values=values.partial_correlations,
        noise_ceilings=tuple(ceiling_estimates),
        self_consistencies=tuple(consistencies),
        self_consistency_values=looks if settings.consensus is None else looks[:0],
        annotator_agreement=annotators.agreement(settings, streams) if annotators else None,
    )


def _footprint_notes(gathered: Gathered) -> list[str]:
    n_common, n_most = gathered.footprint
    if n_common == n_most:
        return []
    note = (
        f"Footprints differ between sources: annotations are permuted over the {n_common} "
        f"pixels that are valid for all, of up to {n_most}."
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
