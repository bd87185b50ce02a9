"""Results of a comparison: frozen, and able to summarise, plot and export themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from attnxai import presenters
from attnxai.agreement.intervals.crossed import generalises_to
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted
from attnxai.presenters import PLOT, TABLE, latex_of, presenter_of, repr_html
from attnxai.statistics.bootstrap import mean_over_annotators, weighted_mean
from attnxai.statistics.formats import (
    decimals_together,
    format_effective,
    format_p,
    p_equals,
    with_interval,
)
from attnxai.statistics.interval import effective_number

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from attnxai.agreement.estimates import (
        Estimate,
        LabelAgreement,
        NoiseCeilingEstimate,
        PartialCorrelation,
        SelfConsistency,
        UndefinedValue,
    )
    from attnxai.agreement.noise_ceiling.annotators import AnnotatorAgreement
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceSet
    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.stack import MapStack

ALL = "all"
_EVERY = slice(None)
_Part = TypeVar("_Part")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedData:
    """What a result was computed from; the seed is None where a generator was given.

    Of thousands of sources ``pairs`` have no pixels, and ``pairs_shown`` are some of them with pixels.
    """

    maps: MapStack | MapChunks
    annotations: AnnotationSet
    images: SourceSet
    pairs: AlignedPairs
    seed: int | None
    pairs_shown: AlignedPairs | None = None

    __repr__ = short_repr

    @property
    def shown(self) -> AlignedPairs:
        """The sources that can be shown, with their pixels."""
        return self.pairs if self.pairs_shown is None else self.pairs_shown


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgreementResult:
    """Agreement of the maps of a model with annotations, with its uncertainty.

    Parameters
    ----------
    model_name : str
        The model.
    estimates : tuple of Estimate
        One for every map or baseline, metric, group and class.
    sources, classes, splits : tuple of str
        Of every source, sorted by id.
    annotators : tuple of str
        Their names.
    explanations, baselines, metrics : tuple of str
        Names.
    values : ndarray, shape (n_metrics, n_explanations + n_baselines, n_annotators, n_sources)
        Metric of each source's map with its own annotation; NaN where undefined or not marked.
    undefined : tuple of UndefinedValue
        Every value that is missing, and why.
    verdict_group : str
        Group on which conclusions rest.
    settings : mapping
        Options, as plain values.
    strata : tuple
        What each source shares with those that it is permuted with.
    source_weights : ndarray, shape (n_sources,)
        How much each source counts.
    partial_correlations : tuple of PartialCorrelation
        Rank correlation of every map with the annotations, controlling for brightness.
    partial_correlation_values : ndarray, shape (n_explanations, n_annotators, n_sources)
        The same, source by source.
    noise_ceilings : tuple of NoiseCeilingEstimate
        How well the annotators agree with each other; empty for one annotator.
    self_consistencies : tuple of SelfConsistency
        How well the annotators' later looks agree with their own first ones; empty without any.
    self_consistency_values : ndarray, shape (n_metrics, n_annotators, n_sources)
        The same, source by source; NaN where nobody looked again, and of length 0 where nobody did anywhere.
    annotator_agreement : AnnotatorAgreement or None
        Reliability of what the annotators marked on the sources that conclusions rest on; None for one
        annotator.
    labels : tuple of LabelAgreement
        Agreement with the marks of each label, by the first metric; empty where fewer than two labels are in use.
    within_emission : AgreementResult, optional
        The same on the pixels of each source's own emission, where that was asked for.
    notes : tuple of str
        What was left out or assumed.
    data : ComparedData, optional
        Maps, annotations, images and aligned pairs that it was computed from, which its report shows.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:12])
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources])
    >>> maps = attnxai.maps_from_arrays(images, [one.pixels for one in images], model_name="pixels")
    >>> settings = attnxai.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    >>> result = attnxai.compare(maps, annotations, images, settings=settings)
    >>> result.explanations, result.baselines
    (('map',), ('brightness', 'emission', 'centre bias'))
    >>> result.values.shape  # metrics, maps and baselines, annotators, sources
    (1, 4, 3, 12)
    >>> list(result.to_frame().columns[:6])
    ['explanation', 'is_baseline', 'metric', 'group', 'class', 'n_undefined']
    """

    model_name: str
    estimates: tuple[Estimate, ...]
    sources: tuple[str, ...]
    classes: tuple[str | None, ...]
    splits: tuple[str, ...]
    annotators: tuple[str, ...]
    explanations: tuple[str, ...]
    baselines: tuple[str, ...]
    metrics: tuple[str, ...]
    values: NDArray[np.float64]
    undefined: tuple[UndefinedValue, ...]
    verdict_group: str
    settings: Mapping[str, Any]
    strata: tuple[Hashable, ...]
    source_weights: NDArray[np.float64]
    partial_correlations: tuple[PartialCorrelation, ...]
    partial_correlation_values: NDArray[np.float64]
    noise_ceilings: tuple[NoiseCeilingEstimate, ...] = ()
    self_consistencies: tuple[SelfConsistency, ...] = ()
    self_consistency_values: NDArray[np.float64] = dataclasses.field(
        default_factory=lambda: np.empty((0, 0, 0))
    )
    annotator_agreement: AnnotatorAgreement | None = None
    labels: tuple[LabelAgreement, ...] = ()
    within_emission: AgreementResult | None = None
    notes: tuple[str, ...] = ()
    data: ComparedData | None = None

    write_report = presenters.write_report

    def __repr__(self) -> str:
        return (
            f"AgreementResult({self.model_name}: {counted(len(self.sources), 'source')}, "
            f"{counted(len(self.explanations), 'map')}, {counted(len(self.metrics), 'metric')})"
        )

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of sources, in the order of the estimates."""
        return tuple(dict.fromkeys(e.group for e in self.estimates))

    @property
    def class_names(self) -> tuple[str, ...]:
        """``all`` and the classes of the sources."""
        return tuple(dict.fromkeys(e.class_name for e in self.estimates))

    def estimate(
        self,
        explanation: str,
        metric: str,
        *,
        group: str | None = None,
        class_name: str = ALL,
    ) -> Estimate:
        """One estimate by its names.

        Raises
        ------
        KeyError
            Naming what there is.
        """
        found = self._find(
            self.estimates, group, class_name, explanation=explanation, metric=metric
        )
        if found is None:
            raise KeyError(
                f"no estimate for {(explanation, metric, group or self.verdict_group, class_name)}; "
                f"explanations are {self.explanations + self.baselines}, metrics {self.metrics}, groups "
                f"{self.groups}, classes {self.class_names}"
            )
        return found

    def _find(
        self, candidates: Sequence[_Part], group: str | None, class_name: str, **names: str | None
    ) -> _Part | None:
        """The one of these names, group (of which conclusions rest on when left out) and class."""
        names |= {"group": group or self.verdict_group, "class_name": class_name}
        for candidate in candidates:
            if all(getattr(candidate, key) == name for key, name in names.items()):
                return candidate
        return None

    def partial_correlation(
        self, explanation: str, *, group: str | None = None, class_name: str = ALL
    ) -> PartialCorrelation:
        """A map's rank correlation with the annotations, controlling for brightness.

        Raises
        ------
        KeyError
            Naming what there is.
        """
        found = self._find(self.partial_correlations, group, class_name, explanation=explanation)
        if found is None:
            raise KeyError(
                f"no partial correlation for {explanation!r}; explanations are {self.explanations}, groups "
                f"{self.groups}, classes {self.class_names}"
            )
        return found

    def noise_ceiling(
        self, metric: str, *, group: str | None = None, class_name: str = ALL
    ) -> NoiseCeilingEstimate | None:
        """Noise ceiling of a metric; None for a single annotator."""
        return self._find(self.noise_ceilings, group, class_name, metric=metric)

    def self_consistency(
        self,
        metric: str,
        annotator: str | None = None,
        *,
        group: str | None = None,
        class_name: str = ALL,
    ) -> SelfConsistency | None:
        """Self-consistency of an annotator, or of all, by a metric; None where nobody looked again."""
        return self._find(
            self.self_consistencies, group, class_name, metric=metric, annotator=annotator
        )

    @property
    def generalises_to(self) -> str:
        """What the result is about, in a sentence that changes with the number of annotators."""
        counted = self.verdict_sources()
        marked = np.isfinite(self.values[0, : len(self.explanations)][..., counted]).any(
            axis=(0, 2)
        )
        # where nothing has a value, it is about the annotators and sources that were asked for
        return generalises_to(
            int(marked.sum()) or len(self.annotators),
            int(counted.sum()) or self.splits.count(self.verdict_group),
            n_effective=effective_number(self.source_weights[counted]),
            consensus=self.annotators[0] if self.settings.get("consensus") else "",
        )

    def verdict_sources(self) -> NDArray[np.bool_]:
        """Whether conclusions rest on each source, shape (n_sources,).

        They rest on sources of the verdict group that have a weight above 0 and a value of the first metric for
        some map.
        """
        defined = np.isfinite(self.values[0, : len(self.explanations)]).any(axis=(0, 1))
        in_group = np.array(self.splits) == self.verdict_group
        return np.asarray(in_group & defined & (self.source_weights > 0))

    def compared_means(
        self,
        explanation: str,
        baseline: str,
        metric: str,
        *,
        group: str | None = None,
        class_name: str = ALL,
    ) -> tuple[float, float]:
        """Means of a map and a baseline over the sources and annotators for which both are defined.

        Parameters
        ----------
        explanation, baseline, metric : str
            Names.
        group, class_name : str, optional
            Which sources; those that conclusions rest on when left out.

        Returns
        -------
        of_map, of_baseline : float
            Their difference is that of the :meth:`estimate`.
        """
        names = self.explanations + self.baselines
        table = self.values[self.metrics.index(metric)]
        first, second = table[names.index(explanation)], table[names.index(baseline)]
        group = group or self.verdict_group
        members = np.array(
            [
                group in (ALL, split) and class_name in (ALL, own)
                for split, own in zip(self.splits, self.classes, strict=True)
            ]
        )
        both = np.isfinite(first) & np.isfinite(second) & members
        of_first, of_second = (
            weighted_mean(mean_over_annotators(np.where(both, x, np.nan)), self.source_weights)
            for x in (first, second)
        )
        return of_first, of_second

    def source_means(self, explanation: str, metric: str) -> NDArray[np.float64]:
        """Value of every source, averaged over its annotators."""
        names = self.explanations + self.baselines
        values = self.values[self.metrics.index(metric), names.index(explanation)]
        return mean_over_annotators(values)

    def to_frame(self) -> pd.DataFrame:
        """One row per estimate, differences in columns of their own."""
        import pandas as pd

        rows = []
        for estimate in self.estimates:
            record = estimate.to_record()
            for name, difference in record.pop("difference").items():
                for key, value in difference.items():
                    record[f"minus {name} {key}"] = value
            for test in record.pop("further"):
                name = test.pop("null")
                for key, value in test.items():
                    record[f"{name} {key}"] = value
            record["left_test"] = " ".join(record["left_test"])
            rows.append(record)
        return pd.DataFrame(rows)

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names, ready for JSON; missing numbers are None."""
        return {
            "model": self.model_name,
            "group": self.verdict_group,
            "generalises_to": self.generalises_to,
            "annotators": list(self.annotators),
            "settings": dict(self.settings),
            "results": [estimate.to_record() for estimate in self.estimates],
            "partial_correlations": [given.to_record() for given in self.partial_correlations],
            "noise_ceilings": [ceiling.to_record() for ceiling in self.noise_ceilings],
            "self_consistencies": [one.to_record() for one in self.self_consistencies],
            "annotator_agreement": self.annotator_agreement.to_record()
            if self.annotator_agreement
            else None,
            "labels": [one.to_record() for one in self.labels],
            "within_emission": self.within_emission.to_record() if self.within_emission else None,
            "undefined": [dataclasses.asdict(value) for value in self.undefined],
            "notes": list(self.notes),
        }

    def to_latex(
        self,
        metric: str | None = None,
        *,
        group: str | None = None,
        class_name: str = ALL,
        digits: int | None = None,
        caption: str | None = None,
        label: str | None = None,
    ) -> str:
        r"""One metric's table for papers, with booktabs rules and columns of siunitx.

        A row is a map or a baseline. Its columns are the mean over sources and its interval; the mean under
        the null and the p-value, within strata where there is such a test and pooled otherwise; the p-value
        adjusted over the maps; the number of sources.

        Parameters
        ----------
        metric : str, optional
            Which metric; the first when left out.
        group, class_name : str, optional
            Which sources; those that conclusions rest on when left out.
        digits : int, optional
            Decimals of values; those that their intervals call for when left out.
        caption : str, optional
            LaTeX. With a caption the ``tabular`` stands in a floating ``table``.
        label : str, optional
            For ``\ref``; needs a caption.

        Raises
        ------
        KeyError
            If the result has no such metric, group or class.
        OptionError
            If digits, caption or label cannot be used.
        """
        table = presenter_of(self, TABLE)(
            self, metric, group=group, class_name=class_name, digits=digits
        )
        return latex_of(table, caption=caption, label=label)

    _repr_html_ = repr_html

    def per_source_frame(self, sources: slice = _EVERY) -> pd.DataFrame:
        """One row for every source and annotator, one column for every map and metric.

        Parameters
        ----------
        sources : slice
            Which sources, by their position; all of them when left out.
        """
        import pandas as pd

        of_sources = {
            "source": self.sources[sources],
            "class": self.classes[sources],
            "split": self.splits[sources],
            "stratum": [_stratum_text(stratum) for stratum in self.strata[sources]],
        }
        columns: dict[str, Any] = {
            name: np.repeat(np.array(values, object), len(self.annotators))
            for name, values in of_sources.items()
        }
        names = np.array(self.annotators, object)
        columns["annotator"] = np.tile(names, len(of_sources["source"]))
        for e, explanation in enumerate(self.explanations + self.baselines):
            for m, metric in enumerate(self.metrics):
                columns[f"{explanation}:{metric}"] = self.values[m, e, :, sources].T.ravel()
        for metric, values in zip(self.metrics, self.self_consistency_values, strict=False):
            columns[f"self-consistency:{metric}"] = values[:, sources].T.ravel()
        return pd.DataFrame(columns)

    def summary(self) -> str:
        """The main numbers of the group that conclusions rest on, as plain text."""
        lines = [repr(self), f"Group: {self.verdict_group}"]
        effective = format_effective(effective_number(self.source_weights[self.verdict_sources()]))
        if effective:
            lines.append(
                f"Weighted means over {self.verdict_sources().sum()} sources ({effective})"
            )
        shown = [e for e in self.estimates if (e.group, e.class_name) == (self.verdict_group, ALL)]
        decimals: dict[str, Iterator[int]] = {}
        for metric in self.metrics:
            of_metric = [e.interval for e in shown if e.metric == metric]
            decimals[metric] = iter(decimals_together(of_metric))
        for estimate in shown:
            value = with_interval(estimate.interval, decimals=next(decimals[estimate.metric]))
            text = f"{estimate.explanation:>24} {estimate.metric:<24} {value}"
            if estimate.test is not None:
                text += f"  {estimate.test.null} {p_equals(estimate.test.p_value)}"
            if estimate.p_adjusted is not None:
                text += f", adjusted {format_p(estimate.p_adjusted)}"
            for other in estimate.further:
                p_value = (
                    p_equals(other.test.p_value) if other.test else f"not tested ({other.reason})"
                )
                text += f"; {other.null} {p_value}"
            lines.append(text)
        if self.annotator_agreement is not None:
            lines += ["Inter-annotator agreement:", self.annotator_agreement.summary()]
        return "\n".join([*lines, self.generalises_to])

    def plot(self, metric: str | None = None, ax: Any = None) -> Any:
        """Agreement of every map with its interval and the null's range, beside baselines.

        Of brightness and of emission the resolution that agrees best is drawn.

        Parameters
        ----------
        metric : str, optional
            Which metric; the first when left out.
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return presenter_of(self, PLOT)(self, metric or self.metrics[0], ax=ax)


def _stratum_text(stratum: Hashable) -> str | None:
    if stratum is None:
        return None
    parts = stratum if isinstance(stratum, tuple) else (stratum,)
    return " / ".join("unknown" if part is None else str(part) for part in parts)
