"""What depends on annotations and not on a model, computed once for several models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from attnxai.agreement.noise_ceiling.annotators import AnnotatorParts, streams_of
from attnxai.agreement.noise_ceiling.ceiling import noise_ceilings
from attnxai.agreement.noise_ceiling.pairwise import PairwiseParts
from attnxai.agreement.noise_ceiling.self_consistency import self_consistencies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.comparison.settings import ComparisonSettings
    from attnxai.agreement.comparison.streams import Streams
    from attnxai.agreement.comparison.tables import Inputs
    from attnxai.agreement.noise_ceiling.annotators import AnnotatorAgreement
    from attnxai.agreement.noise_ceiling.ceiling import NoiseCeiling

_Made = TypeVar("_Made")


class Once:
    """What several models share, computed for the first of them."""

    def __init__(self) -> None:
        self._made: list[tuple[tuple[Any, ...], Any]] = []

    def of(self, made_from: tuple[Any, ...], make: Callable[[], _Made]) -> _Made:
        """What is made from these values and arrays."""
        for other, found in self._made:
            if all(map(_equal, other, made_from)):
                return found  # type: ignore[no-any-return]
        found = make()
        self._made.append((made_from, found))
        return found


def _equal(first: Any, second: Any) -> bool:
    # models that see one field share the arrays of the annotations
    return first is second or np.array_equal(first, second)


def ceilings_of(
    inputs: Inputs, settings: ComparisonSettings, once: Once
) -> dict[str, NoiseCeiling]:
    """Inter-annotator agreement, for every metric over all sources."""
    return once.of(
        ("ceilings", inputs.pairs.density, inputs.pairs.valid, inputs.pairs.source_weights),
        lambda: noise_ceilings(
            inputs.metrics,
            inputs.pairs.density,
            inputs.pairs.mask,
            inputs.pairs.present,
            inputs.pairs.valid,
            weights=inputs.pairs.source_weights,
            level=settings.level,
            elsewhere=inputs.elsewhere,
        ),
    )


def self_consistencies_of(inputs: Inputs, once: Once) -> NDArray[np.float64]:
    """Agreement of later looks with first ones, for every metric, annotator and source; empty without any."""
    pairs = inputs.individuals
    if not pairs.looks or inputs.on_emission:
        return np.empty((len(inputs.metrics), *pairs.present.shape))[:0]
    return once.of(
        ("looks", pairs.density, pairs.valid, *(look.density for look in pairs.looks)),
        lambda: self_consistencies(
            inputs.metrics,
            pairs.density,
            pairs.mask,
            pairs.present,
            pairs.valid,
            pairs.looks,
        ),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnotatorsOfVerdict:
    """What annotators marked on the sources that conclusions rest on, of all sources or of a block, which can be joined."""

    annotators: tuple[str, ...]
    parts: AnnotatorParts
    pairwise: PairwiseParts

    def __add__(self, other: AnnotatorsOfVerdict) -> AnnotatorsOfVerdict:
        return dataclasses.replace(
            self, parts=self.parts + other.parts, pairwise=self.pairwise + other.pairwise
        )

    def agreement(
        self, settings: ComparisonSettings, streams: Streams
    ) -> AnnotatorAgreement | None:
        """The reliability of these marks."""
        found = self.parts.agreement(
            n_bootstrap=settings.n_bootstrap,
            level=settings.level,
            streams=streams_of(streams.of("annotators"))[1],
        )
        if found is None:
            return None
        return dataclasses.replace(found, pairwise=self.pairwise.agreement(self.annotators))


def annotators_of(
    inputs: Inputs, settings: ComparisonSettings, group: str, streams: Streams, once: Once
) -> AnnotatorsOfVerdict:
    """What the reliability of the annotators of these sources is made of."""
    members = [
        i
        for i, split in enumerate(inputs.individuals.splits)
        if split == group and inputs.individuals.source_weights[i] > 0
    ]
    strata = [str(inputs.stratified.of_sources[i]) for i in members]

    def parts() -> AnnotatorsOfVerdict:
        of_verdict = inputs.individuals.select(np.array(members, dtype=np.intp))
        return AnnotatorsOfVerdict(
            annotators=of_verdict.annotators,
            parts=AnnotatorParts.of(
                of_verdict.mask,
                of_verdict.present,
                pixel_scale_arcsec=inputs.individuals.pixel_scale_arcsec,
                strata=[inputs.stratified.of_sources[i] for i in members],
                n_permutations=settings.n_permutations,
                rng=streams_of(streams.of("annotators"))[0],
            ),
            pairwise=PairwiseParts.of(
                of_verdict.density, of_verdict.mask, of_verdict.present, of_verdict.looks
            ),
        )

    return once.of(("annotators", inputs.individuals.mask, members, strata), parts)
