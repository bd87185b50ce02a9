"""Shares and AUCs of sources by class, each with its interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from attnxai.classification.scoring import left_out_roc_auc, resampled_roc_auc
from attnxai.data.classes import canonical_class, ordered_classes
from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import ALL_THE_SAME, statistic_interval, stratified_counts
from attnxai.statistics.exact import clopper_pearson_ends
from attnxai.statistics.interval import MIN_UNITS, Interval, no_interval, too_few
from attnxai.statistics.resamples import MOST_KEPT, Resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.statistics.resamples import StratifiedCounts

Statistic = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
GivenClasses = Mapping[str, str] | Sequence[str | None] | None
ALL = "all"
"""What numbers over the sources of all classes are called."""

_Value = TypeVar("_Value")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceClasses:
    """Classes of some sources, as far as they are known.

    ``names`` are those that occur, in the order in which a model scores them; ``labels`` (n_sources,) are positions
    among them, -1 where the class is unknown or not one of the model's.
    """

    sources: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        sources: Sequence[str],
        classes: GivenClasses,
        class_names: Sequence[str] = (),
    ) -> SourceClasses:
        """Find the classes that occur; ``class_names`` are those of the model, if it is known."""
        given = class_of_each(sources, classes)
        known = class_names or ordered_classes(name for name in given if name is not None)
        names = tuple(name for name in known if name in given)
        labels = [names.index(name) if name in names else -1 for name in given]
        return cls(sources=tuple(sources), names=names, labels=np.array(labels, np.int64))

    @property
    def given(self) -> tuple[str | None, ...]:
        """Class of every source, None where it is unknown."""
        return tuple(self.names[label] if label >= 0 else None for label in self.labels)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which sources have a class."""
        return np.asarray(self.labels >= 0)

    def resamples(self, n_bootstrap: int, rng: np.random.Generator) -> StratifiedCounts:
        """Counts of resamples within classes, which do not depend on the order of the sources.

        Many are drawn again whenever they are wanted.
        """
        order = np.argsort(np.array(self.sources))
        if n_bootstrap * len(order) > MOST_KEPT:
            seed = int(rng.integers(2**63))
            drawn = Resamples(n_bootstrap, len(order), seed, strata=self.labels[order])
            return drawn[:, np.argsort(order)]  # type: ignore[no-any-return]
        counts = np.empty((n_bootstrap, len(order)), np.int32)
        counts[:, order] = stratified_counts(self.labels[order], n_bootstrap, rng)
        return counts

    def each(self, measure: Callable[[NDArray[np.bool_]], _Value]) -> dict[str, _Value]:
        """A measure of all sources and of those of each class."""
        found = {ALL: measure(np.ones(len(self.sources), bool))}
        return found | {name: measure(self.labels == i) for i, name in enumerate(self.names)}

    def told(self) -> Iterator[tuple[int, str]]:
        """What is told from the rest: the second of two classes, or each of several; nothing for fewer."""
        if len(self.names) > 1:
            yield from list(enumerate(self.names))[len(self.names) == 2 :]


def class_of_each(sources: Sequence[str], classes: GivenClasses) -> list[str | None]:
    """Class of every source, None where it is unknown, from a class for each or a mapping from sources to classes."""
    if classes is None:
        return [None] * len(sources)
    found: list[str | None]
    if isinstance(classes, Mapping):
        if classes and not any(source in classes for source in sources):
            raise OptionError(
                f"classes names none of the {len(sources)} sources, which are {sources[0]}, ...; its first name is "
                f"{next(iter(classes))}"
            )
        found = [classes.get(source) for source in sources]
    elif len(classes) != len(sources):
        raise OptionError(
            f"classes has {len(classes)} entries for {len(sources)} sources; it needs one for each, None where the "
            "class is unknown, or a mapping from sources to classes"
        )
    else:
        found = list(classes)
    return [name if name is None else canonical_class(name) for name in found]


def share_interval(values: NDArray[np.float64]) -> Interval:
    """Share of the defined values that are above 0, with its exact binomial interval."""
    defined = values[np.isfinite(values)]
    n, n_above = len(defined), int((defined > 0).sum())
    if not n:
        return no_interval(float("nan"), 0, reason="no source has a value")
    low, high = clopper_pearson_ends(n_above, n)
    return Interval(
        value=n_above / n,
        low=low,
        high=high,
        n_units=n,
        method="Clopper-Pearson",
        reference=0.5,
    )


def group_auc(
    values: NDArray[np.float64],
    labels: NDArray[np.int64],
    label: int,
    counts: StratifiedCounts,
) -> Interval:
    """AUC with which a value (n_sources,) tells a class from the rest; sources without value or class are left out."""
    used = np.isfinite(values) & (labels >= 0)
    belongs = (labels[used] == label).astype(np.int64)
    return auc_interval(binary_auc(values[used], belongs), counts[:, used], belongs)


def binary_auc(values: NDArray[np.float64], belongs: NDArray[np.int64]) -> RocAuc:
    """AUC of a value in every resample."""
    return RocAuc(np.stack([np.zeros(len(values)), values], axis=1), belongs)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class RocAuc:
    """AUC of class scores (n_sources, n_classes) in every resample; see :func:`~attnxai.classification.roc_auc`."""

    scores: NDArray[np.float64]
    labels: NDArray[np.int64]

    def __call__(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Its value for each row of counts (n_bootstrap, n_sources)."""
        return resampled_roc_auc(self.scores, self.labels, counts)

    def left_out(self) -> NDArray[np.float64]:
        """The AUC without each source, without resamples."""
        return left_out_roc_auc(self.scores, self.labels)


def auc_interval(
    statistic: Statistic,
    counts: StratifiedCounts,
    strata: NDArray[np.int64],
    *,
    reference: float = 0.5,
) -> Interval:
    """BCa interval of an AUC, or of the difference of two, over resamples within classes; of many sources ABC.

    There are no ends where a class has fewer than :data:`~attnxai.statistics.interval.MIN_UNITS` sources. The interval of
    an AUC that rests on 3 of 40 sources excludes 0.5 in one of five cases without any difference.
    """
    value = float(statistic(np.ones((1, counts.shape[1])))[0])
    if np.isfinite(value) and (least := int(np.bincount(strata).min())) < MIN_UNITS:
        reason = f"{too_few(least)} for a class, {MIN_UNITS} are needed"
        found = no_interval(value, counts.shape[1], reason=reason)
    else:
        found = statistic_interval(statistic, counts, strata=strata, unit="source")
    return dataclasses.replace(found, reference=reference)


def decides(auc: Interval) -> bool:
    """Whether an AUC can tell the classes or be said not to: it has an interval, or is the same in all resamples."""
    return auc.known or auc.note.endswith(ALL_THE_SAME)


def distinguishes(auc: Interval) -> bool:
    """Whether classes can be told: the interval of an AUC excludes 0.5, or all sources are told from the others."""
    perfect = not auc.known and decides(auc) and min(auc.value, 1.0 - auc.value) < 1e-12
    return perfect or auc.excludes(0.5)


def told(auc: Interval) -> Interval:
    """An AUC in the direction in which it tells the classes: from 0.5 to 1."""
    if auc.value >= 0.5:
        return auc
    return dataclasses.replace(auc, value=1 - auc.value, low=1 - auc.high, high=1 - auc.low)
