"""Options of a comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from numbers import Integral
from typing import Any

from attnxai.agreement.comparison.blocks import MOST_TOGETHER
from attnxai.agreement.comparison.strata import CLASS
from attnxai.agreement.multiplicity import Correction
from attnxai.annotations.consensus import ConsensusRule
from attnxai.data.origin import origin_of, plugin_origins
from attnxai.data.wording import unknown_name
from attnxai.errors import OptionError
from attnxai.metrics import DEFAULT_METRICS, METRICS, Metric
from attnxai.nulls import NULLS, Alternative, NullModel
from attnxai.statistics.bootstrap import IntervalKind
from attnxai.statistics.interval import CONFIDENCE_LEVEL

WITHIN = ("emission",)
"""Pixels on which a comparison can be made in addition to the whole field."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """Options of a comparison.

    Parameters
    ----------
    metrics : tuple of str or Metric
        Which metrics, by name or as objects (:data:`attnxai.metrics.METRICS`). Conclusions rest on the first.
    nulls : tuple of str or NullModel
        Nulls beside the permutation across sources, by name or as objects with options of their own
        (:data:`attnxai.nulls.NULLS`). Conclusions rest on the permutation, whatever these are.
    strata : tuple of str
        What sources have to share to be permuted in the primary test: ``class``, ``size`` (thirds of
        the angular size of their emission), or columns of the annotation table such as ``survey``.
    consensus : ConsensusRule or str, optional
        ``union``, ``majority``, ``staple`` or ``mean``: compare with one target a source that combines its annotators
        (:func:`~attnxai.alignment.with_consensus`). Without, maps are compared with every annotator.
    within : str, optional
        ``emission``: compare on the pixels of each source's own emission as well
        (:func:`~attnxai.alignment.own_emission.own_emission`), which says whether a map agrees beyond lying on emission.
    alternative : Alternative
        Which deviations from a null count: more agreement than under it (the default), less, or either.
    correction : Correction
        How p-values are adjusted over the maps.
    n_permutations : int
        Draws of each null.
    n_bootstrap : int
        Resamples of each bootstrap.
    interval : IntervalKind
        Kind of interval where there is one annotator; with several, sources and annotators are crossed.
    level : float
        Confidence level.
    most_together : int
        Sources up to which every map is compared with the annotation of every source of the null. Of more sources, each is
        compared with those of a random block of about 100 (:mod:`attnxai.agreement.comparison.blocks`).

    Examples
    --------
    >>> import attnxai
    >>> settings = attnxai.ComparisonSettings(metrics=("auc", "nss"), nulls=("symmetries",))
    >>> settings.metric_names, str(settings.alternative)
    (('auc', 'nss'), 'greater')
    >>> settings.to_record()["n_permutations"]
    10000
    """

    metrics: tuple[str | Metric, ...] = DEFAULT_METRICS
    nulls: tuple[str | NullModel, ...] = ()
    strata: tuple[str, ...] = (CLASS,)
    consensus: ConsensusRule | str | None = None
    within: str | None = None
    alternative: Alternative = Alternative.GREATER
    correction: Correction = Correction.HOLM
    n_permutations: int = 10_000
    n_bootstrap: int = 10_000
    interval: IntervalKind = IntervalKind.STUDENTIZED
    level: float = CONFIDENCE_LEVEL
    most_together: int = MOST_TOGETHER

    def __post_init__(self) -> None:
        for name in ("metrics", "nulls", "strata"):
            given = getattr(self, name)
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise OptionError(
                    f"{name} has to be a sequence, such as ({given!r},), got {given!r} alone"
                )
        if self.consensus is not None:
            if self.consensus not in list(ConsensusRule):
                raise OptionError(
                    unknown_name("consensus", str(self.consensus), ConsensusRule, "rules")
                )
            object.__setattr__(self, "consensus", ConsensusRule(self.consensus))
        if self.within not in (None, *WITHIN):
            raise OptionError(unknown_name("within", self.within, WITHIN))
        for name, choice in (
            ("interval", IntervalKind),
            ("alternative", Alternative),
            ("correction", Correction),
        ):
            value = str(getattr(self, name))
            known = [str(member) for member in choice]
            if value not in known:
                raise OptionError(unknown_name(name, value, known))
            object.__setattr__(self, name, choice(value))
        _check_names("metric", self.metric_names, METRICS)
        for metric in self.metrics:
            if not isinstance(metric, str) and METRICS[metric.name] is not metric:
                raise OptionError(
                    f"another metric is registered as {metric.name}; give this one a name of its own with "
                    "attnxai.metrics.register_metric"
                )
        known = [name for name, null in NULLS.items() if not null().permutes_sources]
        _check_names("null", self.null_names, known)
        for null in self.nulls:
            if isinstance(null, type):
                raise OptionError(f"a null is an object or its name; give {null.__name__}()")
            if not isinstance(null, str) and type(null) is not NULLS[null.name]:
                raise OptionError(
                    f"another null is registered as {null.name}; give {type(null).__name__} a name of its own "
                    "with attnxai.nulls.register_null"
                )
        if len(self.null_names) != len(dict.fromkeys(self.nulls)):
            raise OptionError(
                "a null is given twice with different options; results go by its name"
            )
        if not self.metrics:
            raise OptionError(f"no metric is given; known metrics are {', '.join(sorted(METRICS))}")
        if not self.strata:
            raise OptionError("no strata are given; class is the usual choice")
        for name in ("metrics", "nulls", "strata"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))
        for name, least in (("n_permutations", 1), ("n_bootstrap", 100), ("most_together", 50)):
            count = getattr(self, name)
            if not isinstance(count, Integral) or count < least:
                raise OptionError(f"{name} has to be a whole number from {least} on, got {count}")
        if not 0.5 <= self.level < 1:
            raise OptionError(f"level has to lie between 0.5 and 1, got {self.level}")

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(dict.fromkeys(map(_name, self.metrics)))

    @property
    def null_names(self) -> tuple[str, ...]:
        """Names of the nulls."""
        return tuple(dict.fromkeys(map(_name, self.nulls)))

    @property
    def chosen_metrics(self) -> tuple[Metric, ...]:
        """The metrics as objects."""
        return tuple(METRICS[name] for name in self.metric_names)

    @property
    def chosen_nulls(self) -> tuple[NullModel, ...]:
        """The nulls as objects."""
        return tuple(NULLS[null]() if isinstance(null, str) else null for null in self.nulls)

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names."""
        return {
            "metrics": list(self.metric_names),
            "nulls": list(self.null_names),
            "null_options": {null.name: _options(null) for null in self.chosen_nulls},
            "plugins": [
                *plugin_origins(),
                *(
                    {"kind": kind, "name": one.name, **origin}
                    for kind, chosen in (
                        ("metric", self.chosen_metrics),
                        ("null", self.chosen_nulls),
                    )
                    for one in chosen
                    if (origin := origin_of(one))
                ),
            ],
            "strata": list(self.strata),
            "consensus": None if self.consensus is None else str(self.consensus),
            "within": self.within,
            "alternative": str(self.alternative),
            "correction": str(self.correction),
            "n_permutations": self.n_permutations,
            "n_bootstrap": self.n_bootstrap,
            "interval": str(self.interval),
            "level": self.level,
            "most_together": self.most_together,
        }


def _name(choice: object) -> str:
    return choice if isinstance(choice, str) else getattr(choice, "name", repr(choice))


def _options(null: object) -> dict[str, Any]:
    """Plain values of the fields of a null."""
    fields = dataclasses.fields(null) if dataclasses.is_dataclass(null) else ()
    values = {field.name: getattr(null, field.name) for field in fields}
    plain = (str, int, float, type(None))
    return {name: v if isinstance(v, plain) else repr(v) for name, v in values.items()}


def _check_names(what: str, names: tuple[str, ...], known: Iterable[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OptionError(unknown_name(what, unknown, sorted(known)))
