"""Compare maps with annotations: estimates, intervals and source permutations."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.intervals.over_sources import (
    MIN_SOURCES,
    Interval,
    IntervalKind,
    bootstrap_counts,
    mean_interval,
)
from attnxai.agreement.metrics import (
    DEFAULT_METRICS,
    METRICS,
    TargetKind,
    agreement_tables,
    chance_values,
    marks_of_others,
    own_tables,
    reason_undefined,
)
from attnxai.agreement.nulls import (
    NullDraws,
    NullTest,
    SourcePermutation,
    run_null_test,
    usable_sources,
)
from attnxai.agreement.results import (
    ALL,
    AgreementResult,
    Estimate,
    UndefinedValue,
    mean_over_annotators,
)
from attnxai.alignment.pairs import CENTRE_BIAS, DEFAULT_FWHM_ARCSEC, AlignedPairs, align
from attnxai.errors import FewSourcesWarning, OptionError, UndefinedValuesWarning
from attnxai.explanations.stack import Exposure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.metrics import Metric
    from attnxai.agreement.metrics.evaluation import Targets
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceImage
    from attnxai.explanations.stack import MapStack

POOLED = SourcePermutation(within_strata=False)
WITHIN_CLASS = SourcePermutation(within_strata=True)
LEVEL = 0.05


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """Options of a comparison.

    Parameters
    ----------
    metrics : tuple of str
        Which metrics, the first being the one that conclusions rest on.
    n_permutations : int
        Draws of each null.
    n_resamples : int
        Resamples of each bootstrap.
    interval : IntervalKind
        Kind of interval.
    level : float
        Confidence level.
    """

    metrics: tuple[str, ...] = DEFAULT_METRICS
    n_permutations: int = 10_000
    n_resamples: int = 10_000
    interval: IntervalKind = IntervalKind.BCA
    level: float = 0.95

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", IntervalKind(self.interval))
        unknown = [name for name in self.metrics if name not in METRICS]
        if unknown or not self.metrics:
            raise OptionError(
                f"unknown metric{'s' if len(unknown) != 1 else ''} "
                f"{', '.join(unknown) or '(none given)'}; known are "
                f"{', '.join(METRICS)}"
            )
        if self.n_permutations < 1 or self.n_resamples < 100:
            raise OptionError(
                f"n_permutations has to be 1 or more (got {self.n_permutations}) and n_resamples 100 "
                f"or more (got {self.n_resamples})"
            )
        if not 0.5 <= self.level < 1:
            raise OptionError(f"level has to lie between 0.5 and 1, got {self.level}")


def compare(
    maps: MapStack,
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    *,
    fwhm_arcsec: float = DEFAULT_FWHM_ARCSEC,
    settings: ComparisonSettings | None = None,
    rng: np.random.Generator | int = 0,
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
    settings : ComparisonSettings, optional
        Metrics and numbers of draws.
    rng : numpy.random.Generator or int
        Source of randomness.

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
    pairs = align(maps, annotations, images, fwhm_arcsec=fwhm_arcsec)
    return compare_pairs(pairs, settings=settings, rng=rng)


def compare_pairs(
    pairs: AlignedPairs,
    *,
    settings: ComparisonSettings | None = None,
    rng: np.random.Generator | int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> AgreementResult:
    """Agreement of every map and baseline with the annotations.

    Parameters
    ----------
    pairs : AlignedPairs
        Maps, annotations and baselines on one field.
    settings : ComparisonSettings, optional
        Options.
    rng : numpy.random.Generator or int
        Source of randomness. Sources are put in the order of their ids first, so the same seed gives
        the same result whatever the order of the files.
    on_step : callable, optional
        Called with the number of finished steps and of all steps.

    Returns
    -------
    AgreementResult

    Warns
    -----
    FewSourcesWarning
        When there are too few sources for an interval or for the level of a test.
    UndefinedValuesWarning
        When a metric has no value for some source.
    """
    settings = settings or ComparisonSettings()
    order = np.argsort(np.array(pairs.sources))
    names = (*pairs.explanations, *pairs.baselines)
    maps = np.stack([_of(pairs, name)[order] for name in names])
    valid = pairs.valid[order]
    present = pairs.present[:, order]
    common = np.asarray(valid.all(axis=0))
    metrics = [METRICS[name] for name in settings.metrics]
    targets: Targets = {
        TargetKind.DENSITY: pairs.density[:, order],
        TargetKind.MASK: pairs.mask[:, order],
    }
    matrices = agreement_tables(metrics, maps, targets, common)
    # what an annotator did not mark is missing, not an empty annotation
    matrices[:, :, ~present[:, None, :].repeat(present.shape[1], axis=1)] = np.nan
    if on_step is not None:
        on_step(1, 2)
    if (valid == common).all():
        all_values = np.diagonal(matrices, axis1=3, axis2=4).copy()
    else:
        all_values = own_tables(metrics, maps, targets, valid)
        all_values[:, :, ~present] = np.nan
    chance = [chance_values(metric, targets[metric.target], valid) for metric in metrics]
    if on_step is not None:
        on_step(2, 2)
    undefined = _undefined_values(
        pairs, order, names, metrics, all_values, maps, targets, valid, present
    )
    exposure = tuple(str(pairs.exposure[i]) for i in order)
    classes = tuple(pairs.classes[i] for i in order)
    result = _Comparison(
        settings=settings,
        names=names,
        n_maps=len(pairs.explanations),
        matrices=[mean_over_annotators(m.transpose(1, 0, 2, 3)) for m in matrices],
        own=[mean_over_annotators(values.transpose(1, 0, 2)) for values in all_values],
        above=[
            mean_over_annotators((values - level).transpose(1, 0, 2))
            for values, level in zip(all_values, chance, strict=True)
        ],
        exposure=exposure,
        classes=classes,
        weights=pairs.source_weights[order],
        rng=np.random.default_rng(rng),
    ).run()
    verdict_group = _verdict_group(exposure)
    _warn(result, undefined, verdict_group)
    return AgreementResult(
        model_name=pairs.model_name,
        estimates=tuple(result),
        sources=tuple(pairs.sources[i] for i in order),
        classes=classes,
        exposure=exposure,
        annotators=pairs.annotators,
        explanations=tuple(pairs.explanations),
        baselines=tuple(pairs.baselines),
        metrics=settings.metrics,
        values=all_values,
        undefined=tuple(undefined),
        verdict_group=verdict_group,
        settings={
            **dataclasses.asdict(settings),
            "metrics": list(settings.metrics),
            "interval": str(settings.interval),
            "fwhm_arcsec": pairs.fwhm_arcsec,
            "weighted": bool((pairs.source_weights != 1).any()),
        },
        notes=(*pairs.notes, *_footprint_notes(valid, common)),
    )


def _footprint_notes(valid: NDArray[np.bool_], common: NDArray[np.bool_]) -> list[str]:
    n_own = int((valid != common).any(axis=(1, 2)).sum())
    if not n_own:
        return []
    note = (
        f"Footprints differ between sources: exchanged sources are compared over the {common.sum()} "
        f"pixels that are valid for all, of up to {valid.sum(axis=(1, 2)).max()}."
    )
    return [note]


def _of(pairs: AlignedPairs, name: str) -> NDArray[np.float64]:
    return pairs.explanations[name] if name in pairs.explanations else pairs.baselines[name]


def _verdict_group(exposure: Sequence[str]) -> str:
    """Held-out sources if there are any, else those of which nothing is known, else whatever is."""
    for group in (Exposure.HELD_OUT, Exposure.UNKNOWN, Exposure.VALIDATION):
        if group in exposure:
            return str(group)
    return str(Exposure.TRAINING)


def _undefined_values(
    pairs: AlignedPairs,
    order: NDArray[np.intp],
    names: Sequence[str],
    metrics: Sequence[Metric],
    own: NDArray[np.float64],
    maps: NDArray[np.float64],
    targets: Targets,
    valid: NDArray[np.bool_],
    present: NDArray[np.bool_],
) -> list[UndefinedValue]:
    missing = ~np.isfinite(own) & present[None, None]
    elsewhere = {
        kind: marks_of_others(kind, targets[kind])
        for kind in {
            metric.target for metric, gaps in zip(metrics, missing, strict=True) if gaps.any()
        }
    }
    found = []
    for m, e, a, s in np.argwhere(missing):
        kind, where = metrics[m].target, valid[s]
        reason = reason_undefined(
            metrics[m], maps[e, s][where], targets[kind][a, s][where], elsewhere[kind][a, s][where]
        )
        found.append(
            UndefinedValue(
                source=pairs.sources[order[s]],
                annotator=pairs.annotators[a],
                explanation=names[e],
                metric=metrics[m].name,
                reason=reason,
            )
        )
    return found


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class _Comparison:
    """Matrices of all sources, and the walk over groups, classes, metrics and maps."""

    settings: ComparisonSettings
    names: Sequence[str]
    n_maps: int
    matrices: list[NDArray[np.float64]]
    own: list[NDArray[np.float64]]
    above: list[NDArray[np.float64]]
    exposure: Sequence[str]
    classes: Sequence[str | None]
    weights: NDArray[np.float64]
    rng: np.random.Generator

    def run(self) -> list[Estimate]:
        groups = list(dict.fromkeys(sorted(self.exposure)))
        if len(groups) > 1:
            groups.append(ALL)
        known = sorted({name for name in self.classes if name is not None})
        class_names = [ALL, *known]
        # one stream for every group, class and purpose, so that none depends on the others
        streams = iter(self.rng.spawn(2 * len(groups) * len(class_names)))
        estimates = []
        for group in groups:
            for class_name in class_names:
                permutation_rng, bootstrap_rng = next(streams), next(streams)
                members = np.array(
                    [
                        i
                        for i in range(len(self.exposure))
                        if group in (ALL, self.exposure[i]) and class_name in (ALL, self.classes[i])
                    ],
                    dtype=np.intp,
                )
                if members.size:
                    estimates += self._estimates(
                        members, group, class_name, permutation_rng, bootstrap_rng
                    )
        return estimates

    def _estimates(
        self,
        members: NDArray[np.intp],
        group: str,
        class_name: str,
        permutation_rng: np.random.Generator,
        bootstrap_rng: np.random.Generator,
    ) -> list[Estimate]:
        settings = self.settings
        counts = bootstrap_counts(members.size, settings.n_resamples, bootstrap_rng)
        weights = self.weights[members]
        tests = _Tests(self.classes, self.weights, settings.n_permutations, permutation_rng)
        known_classes = {self.classes[i] for i in members}
        estimates = []
        for m, metric in enumerate(settings.metrics):
            own = {name: self.own[m][e][members] for e, name in enumerate(self.names)}

            def interval(
                values: NDArray[np.float64],
                counts: NDArray[np.float64] = counts,
                weights: NDArray[np.float64] = weights,
            ) -> Interval:
                return mean_interval(
                    values, counts, weights=weights, kind=settings.interval, level=settings.level
                )

            baselines = self.names[self.n_maps :]
            for e, name in enumerate(self.names):
                is_baseline = e >= self.n_maps
                counted = members[self.weights[members] > 0]
                usable = usable_sources(self.matrices[m][e], counted, exchanges_sources=True)
                reason = _why_not_tested(name, usable)
                pooled = within = None
                if not reason:
                    pooled = tests.run(POOLED, self.matrices[m][e], usable)
                    if class_name == ALL and known_classes != {None}:
                        within = tests.run(WITHIN_CLASS, self.matrices[m][e], usable)
                estimates.append(
                    Estimate(
                        explanation=name,
                        is_baseline=is_baseline,
                        metric=metric,
                        group=group,
                        class_name=class_name,
                        interval=interval(own[name]),
                        above_chance=interval(self.above[m][e][members]),
                        n_undefined=int((~np.isfinite(own[name])).sum()),
                        pooled=pooled,
                        within_class=within,
                        differences={}
                        if is_baseline
                        else {b: interval(own[name] - own[b]) for b in baselines},
                        not_tested=reason,
                    )
                )
        return estimates


def _why_not_tested(name: str, usable: NDArray[np.intp]) -> str:
    if name == CENTRE_BIAS:
        return (
            "the centre bias of a source is made of the other sources' annotations, so exchanging "
            "these is no test of it"
        )
    if usable.size < 2:
        return (
            "fewer than two sources have a defined value with every partner, over the pixels that are "
            "valid for all"
        )
    return ""


class _Tests:
    """Draws shared by all maps and metrics that use the same sources."""

    def __init__(
        self,
        classes: Sequence[str | None],
        weights: NDArray[np.float64],
        n_draws: int,
        rng: np.random.Generator,
    ) -> None:
        self.classes, self.weights, self.n_draws = classes, weights, n_draws
        self._seeds = rng.integers(2**63, size=2)
        self._draws: dict[tuple[str, bytes], NullDraws] = {}

    def run(
        self, null: SourcePermutation, matrix: NDArray[np.float64], usable: NDArray[np.intp]
    ) -> NullTest:
        key = (null.name, usable.tobytes())
        if key not in self._draws:
            seed = int(self._seeds[int(null.within_strata)])
            self._draws[key] = null.draw(
                [self.classes[i] for i in usable],
                n_draws=self.n_draws,
                rng=np.random.default_rng(seed),
            )
        return run_null_test(
            matrix[np.ix_(usable, usable)],
            self._draws[key],
            null=null.name,
            weights=self.weights[usable],
        )


def _warn(
    estimates: Sequence[Estimate], undefined: Sequence[UndefinedValue], verdict_group: str
) -> None:
    if undefined:
        first = undefined[0]
        warnings.warn(
            f"{len(undefined)} values are undefined and left out, such as {first.metric} of "
            f"{first.explanation} on {first.source} ({first.reason}); all are listed in the report",
            UndefinedValuesWarning,
            stacklevel=3,
        )
    main = [e for e in estimates if e.group == verdict_group and e.class_name == ALL]
    n = max(e.interval.n_sources for e in main)
    if n < MIN_SOURCES:
        warnings.warn(
            f"{n} {verdict_group} {'source is' if n == 1 else 'sources are'} too few for a confidence "
            "interval, which needs "
            f"{MIN_SOURCES}: nothing can be concluded about how large the agreement is",
            FewSourcesWarning,
            stacklevel=3,
        )
    tests = [e.within_class or e.pooled for e in main if e.within_class or e.pooled]
    smallest = min((test.smallest_p for test in tests if test), default=None)
    if smallest is None:
        warnings.warn(
            f"nothing can be concluded about agreement in the source at hand over {n} {verdict_group} "
            f"sources: {main[0].not_tested}",
            FewSourcesWarning,
            stacklevel=3,
        )
    elif smallest > LEVEL:
        warnings.warn(
            f"with {n} {verdict_group} sources the smallest p-value that could come out is "
            f"{smallest:.3g}, which is above {LEVEL}: this test cannot find agreement, however large",
            FewSourcesWarning,
            stacklevel=3,
        )
