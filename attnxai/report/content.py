"""What a report is made of: one part a model, and what all models share."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnxai.data.positions import positions_of
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import listed
from attnxai.errors import OptionError
from attnxai.explanations.stack import Split
from attnxai.report.provenance import describe
from attnxai.report.sentences.say import say
from attnxai.report.surveys import images_by_survey

if TYPE_CHECKING:
    from attnxai.agreement.model_comparison.comparison import Comparison
    from attnxai.agreement.model_comparison.of_results import ResultContrasts
    from attnxai.agreement.results import AgreementResult
    from attnxai.alignment.pairs import AlignedPairs
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.audit.evidence_location_result import EvidenceLocation
    from attnxai.audit.pooled_sums import PooledSums
    from attnxai.audit.zone_sums import ZoneSums
    from attnxai.data.images import SourceSet
    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.stack import MapStack
    from attnxai.report.provenance import Provenance
    from attnxai.report.surveys import ImagesBySurvey


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelPart:
    """One model of a report.

    Parameters
    ----------
    result : AgreementResult
        The numbers.
    pairs : AlignedPairs
        What they were computed from; without pixels where sources are thousands.
    maps : MapStack or MapChunks
        Where the maps lie.
    location : EvidenceLocation
        Where the evidence of the model comes from, as far as it was measured.
    audits : mapping of str to mapping
        What further audits of the model found, as plain values, by name.
    pairs_shown : AlignedPairs, optional
        Those of the sources that can be shown, where they are not all.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:12])
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources])
    >>> maps = attnxai.maps_from_arrays(images, [one.pixels for one in images], model_name="pixels")
    >>> settings = attnxai.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    >>> result = attnxai.compare(maps, annotations, images, settings=settings)
    >>> (part,) = attnxai.report.ReportContent.of(result).parts
    >>> part.name, part.maps is maps
    ('pixels', True)
    """

    result: AgreementResult
    pairs: AlignedPairs
    maps: MapStack | MapChunks
    location: EvidenceLocation
    audits: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    pairs_shown: AlignedPairs | None = None

    __repr__ = short_repr

    @property
    def shown(self) -> AlignedPairs:
        """The sources that can be shown, with their pixels."""
        return self.pairs if self.pairs_shown is None else self.pairs_shown

    @property
    def name(self) -> str:
        """The model's name."""
        return self.result.model_name

    def accuracy(self) -> dict[str, dict[str, int]]:
        """How many sources of each group the model puts into their class."""
        result, pairs = self.result, self.pairs
        if pairs.predicted is None:
            return {}
        predicted = dict(zip(pairs.sources, pairs.predicted, strict=True))
        counts: dict[str, dict[str, int]] = {}
        for source, name, split in zip(result.sources, result.classes, result.splits, strict=True):
            if name in pairs.class_names:
                entry = counts.setdefault(split, {"n_correct": 0, "n": 0})
                entry["n"] += 1
                entry["n_correct"] += predicted[source] == name
        return counts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportContent:
    """Everything that a report is made of.

    Parameters
    ----------
    parts : tuple of ModelPart
        One per model, at least one.
    annotations : AnnotationSet
        The annotations.
    images : SourceSet
        The images.
    provenance : Provenance
        How to repeat it.
    contrasts : tuple of ResultContrasts
        Models against each other, one for each metric; empty for a single model.
    notes : tuple of str
        What was left out or assumed on the way.
    surveys : tuple of ImagesBySurvey
        What networks see of the images, once for those that see the same.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:12])
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources])
    >>> maps = attnxai.maps_from_arrays(images, [one.pixels for one in images], model_name="pixels")
    >>> settings = attnxai.ComparisonSettings(metrics=("nss",), n_permutations=99, n_bootstrap=100)
    >>> result = attnxai.compare(maps, annotations, images, settings=settings)
    >>> content = attnxai.report.ReportContent.of(result)
    >>> [part.name for part in content.parts], len(content.images)
    (['pixels'], 12)
    """

    parts: tuple[ModelPart, ...]
    annotations: AnnotationSet
    images: SourceSet
    provenance: Provenance
    contrasts: tuple[ResultContrasts, ...] = ()
    notes: tuple[str, ...] = ()
    surveys: tuple[ImagesBySurvey, ...] = ()

    __repr__ = short_repr

    @classmethod
    def of(
        cls,
        compared: AgreementResult | Sequence[AgreementResult] | Comparison,
        *,
        images_name: str | None = None,
        notes: Sequence[str] = (),
        command: str = "",
        locations: Mapping[str, EvidenceLocation] | None = None,
        audits: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
    ) -> ReportContent:
        """Gather what results were computed from.

        Parameters
        ----------
        compared : AgreementResult, sequence of AgreementResult, or Comparison
            Results of :func:`attnxai.compare` or :func:`attnxai.compare_models`.
        images_name : str, optional
            What to call the images; where they come from when left out.
        notes : sequence of str
            What was left out or assumed on the way.
        command : str
            The command that made it, if one did.
        locations : mapping of str to EvidenceLocation, optional
            Where the evidence of each model comes from; left out, where its maps lie is found here.
        audits : mapping of str to mapping, optional
            Records of further audits, by the name of the model and that of the audit.

        Raises
        ------
        OptionError
            If a result does not carry its data, or two are of different annotations.
        """
        contrasts: tuple[ResultContrasts, ...] = getattr(compared, "contrasts", ())
        results = getattr(compared, "results", compared)
        results = tuple(results) if isinstance(results, Sequence) else (results,)
        if not results:
            raise OptionError("there is no result to report")
        parts = []
        for result in results:
            if result.data is None:
                raise OptionError(
                    f"the result of {result.model_name} does not carry its maps and images, which the report "
                    "shows; make it by attnxai.compare(maps, annotations, images)"
                )
            name = result.model_name
            parts.append(
                ModelPart(
                    result=result,
                    pairs=result.data.pairs,
                    pairs_shown=result.data.pairs_shown,
                    maps=result.data.maps,
                    location=(locations or {}).get(name) or location_of(result),
                    audits=(audits or {}).get(name, {}),
                )
            )
        data = results[0].data
        if any(r.data.annotations.sha256 != data.annotations.sha256 for r in results):
            raise OptionError("results of different annotations cannot share a report")
        return cls(
            parts=tuple(parts),
            annotations=data.annotations,
            images=data.images,
            provenance=describe(
                [part.maps for part in parts],
                data.annotations,
                data.images,
                images_name=data.images.origin if images_name is None else images_name,
                seed=data.seed,
                command=command,
            ),
            contrasts=contrasts,
            notes=tuple(notes),
            surveys=images_by_survey([part.maps for part in parts], data.images),
        )

    @property
    def results(self) -> tuple[AgreementResult, ...]:
        """The numbers of every model."""
        return tuple(part.result for part in self.parts)

    @property
    def locations(self) -> tuple[EvidenceLocation, ...]:
        """Where the evidence of every model comes from."""
        return tuple(part.location for part in self.parts)

    def limits(self) -> list[str]:
        """What was left out, assumed or has to be known about the models' files."""
        found: list[str] = []
        several = len(self.parts) > 1
        for part, model in zip(self.parts, self.provenance.models, strict=True):
            without = "maps_file" in model or not model.get("architecture")
            missing = [say("caution.without_network")] if without else []
            own = [
                *model.get("notes", ()),
                *missing,
                *self._split_notes(part.result),
                *self._position_notes(part.result, model),
                *part.result.notes,
                *part.location.notes,
            ]
            found += [f"{part.name}: {text}" if several else text for text in own]
        for seen in self.surveys:
            of_all = len(seen.models) == len(self.parts)
            name = "" if of_all else f"{listed(seen.models)}: "
            found += [f"{name}{text}" for text in seen.cautions()]
        return [*found, *self.notes]

    def _split_notes(self, result: AgreementResult) -> list[str]:
        """How the sources lie in their data set's published split, and whether the model heeded it."""
        counts: Mapping[str, int] = self.provenance.images["published_split"]
        if not counts:
            return []
        n = len(result.sources)
        seen = sum(group in (Split.TRAINING, Split.VALIDATION) for group in result.splits)
        n_train, n_test = counts.get("train", 0), counts.get("test", 0)
        return [say("caution.split", n_train=n_train, n=n, n_test=n_test, n_seen=seen)]

    def _position_notes(self, result: AgreementResult, model: Mapping[str, Any]) -> list[str]:
        """Whether a training source in another image would have been recognised among held-out sources."""
        n_seen, n_known = model.get("n_seen", 0), model.get("n_seen_positions", 0)
        if result.verdict_group != Split.HELD_OUT or not n_seen or self.annotations.simulated:
            return []
        used = zip(result.sources, result.splits, strict=True)
        held_out = [self.images[source] for source, split in used if split == Split.HELD_OUT]
        n = len(held_out)
        if not n_known:
            # where copies are not recognised either, a caution says that ids are all that is known
            recognised = model.get("copies_recognised")
            return [say("caution.positions.none", n=n)] if recognised else []
        n_without = sum(position is None for position in positions_of(held_out))
        notes = [say("caution.positions.images", m=n_without, n=n)] if n_without else []
        if n_known < n_seen:
            notes.append(say("caution.positions.sources", m=n_seen - n_known, n=n_seen))
        return notes


def location_of(
    result: AgreementResult, sums: ZoneSums | PooledSums | str = ""
) -> EvidenceLocation:
    """Where the maps of a result lie, with the classes that it knows; with sums, also where scores come from."""
    from attnxai.audit.evidence_location_statistics import locate_evidence

    if result.data is None:
        raise OptionError(f"the result of {result.model_name} does not carry its maps")
    maps, seed = result.data.maps, result.data.seed
    classes = dict(zip(result.sources, result.classes, strict=True))
    return locate_evidence(
        maps,
        [classes.get(source) for source in maps.sources],
        sums=sums,
        rng=0 if seed is None else seed,
        n_bootstrap=result.settings["n_bootstrap"],
    )


def counts_of(values: Iterable[object]) -> dict[str, int]:
    """How often each value occurs, in the order of their names."""
    return dict(sorted(Counter(map(str, values)).items()))
