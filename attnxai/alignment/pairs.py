"""Maps, annotations and baselines of the same sources on one common field."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from attnxai.alignment.baselines import image_baselines
from attnxai.alignment.copies import independent_sources
from attnxai.alignment.looks import Look, draw_looks
from attnxai.alignment.placement import check_placement
from attnxai.alignment.places import Places
from attnxai.alignment.rasterise import DrawnAnnotations, draw_annotations
from attnxai.alignment.resample import maps_on_field
from attnxai.alignment.source_facts import check_sources, class_of, columns_of, weights_of
from attnxai.alignment.usable import usable_annotations
from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted, first_of
from attnxai.errors import AlignmentError
from attnxai.explanations.stack import BRIGHTNESS, CENTRE_BIAS, MapStack, Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.data.images import SourceImage

DEFAULT_FWHM_ARCSEC = 5.4
_Value = TypeVar("_Value")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignedPairs:
    """Arrays from which agreement is computed.

    Parameters
    ----------
    model_name : str
        The model whose maps these are.
    sources : tuple of str
        Ids, in the order of the source axes.
    classes : tuple of (str or None)
        Class of every source.
    splits : tuple of Split
        How the model used every source.
    explanations : mapping of str to ndarray, shape (n_sources, rows, columns)
        The model's maps, layer by layer and their mean.
    baselines : mapping of str to ndarray, shape (n_sources, rows, columns)
        Baselines, by name.
    annotators : tuple of str
        Their names.
    density : ndarray, shape (n_annotators, n_sources, rows, columns)
        How strongly each pixel is marked, float32.
    mask : ndarray of bool, same shape
        Which pixels are marked.
    present : ndarray of bool, shape (n_annotators, n_sources)
        Whether each annotator marked each source.
    valid : ndarray of bool, shape (n_sources, rows, columns)
        Pixels that count.
    brightness : ndarray, shape (n_sources, rows, columns)
        What the network saw.
    source_weights : ndarray, shape (n_sources,)
        How much each source counts; ones unless asked for.
    pixel_scale_arcsec : float
        Side of a field pixel.
    fwhm_arcsec : float
        Width that points and lines were given.
    scores : ndarray, shape (n_sources, n_classes), optional
        Class scores (logits) of every source.
    class_names : tuple of str
        What the scores stand for.
    columns : mapping of str to tuple of (str or None)
        Further columns of the annotation table that have one value for each source, such as its survey;
        None where it is empty.
    resolutions : mapping of str to tuple of str
        For every explanation the brightness baselines that show as much detail as it can.
    looks : tuple of Look
        What annotators marked when they looked at sources again, one for each further round.
    notes : tuple of str
        What was left out or assumed.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:2])
    >>> images = attnxai.read_images([annotations.image_files()[name] for name in annotations.sources])
    >>> maps = attnxai.maps_from_arrays(images, [one.pixels for one in images], model_name="pixels")
    >>> pairs = attnxai.align(maps, annotations, images)
    >>> pairs.annotators, pairs.density.shape  # annotators, sources, rows, columns
    (('simulated_1', 'simulated_2', 'simulated_3'), (3, 2, 160, 160))
    >>> list(pairs.explanations), sorted(pairs.baselines)
    (['map'], ['brightness', 'centre bias', 'emission'])
    """

    model_name: str
    sources: tuple[str, ...]
    classes: tuple[str | None, ...]
    splits: tuple[Split, ...]
    explanations: Mapping[str, NDArray[np.float64]]
    baselines: Mapping[str, NDArray[np.float64]]
    annotators: tuple[str, ...]
    density: NDArray[np.float32]
    mask: NDArray[np.bool_]
    present: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    brightness: NDArray[np.float32]
    source_weights: NDArray[np.float64]
    pixel_scale_arcsec: float
    fwhm_arcsec: float = DEFAULT_FWHM_ARCSEC
    scores: NDArray[np.float64] | None = None
    class_names: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str | None, ...]] = dataclasses.field(default_factory=dict)
    resolutions: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    looks: tuple[Look, ...] = ()
    notes: tuple[str, ...] = ()

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def predicted(self) -> tuple[str, ...] | None:
        """Class with the highest score of every source; None without scores."""
        if self.scores is None:
            return None
        return tuple(self.class_names[i] for i in self.scores.argmax(axis=1))

    def in_order(self) -> AlignedPairs:
        """The same with the sources in the order of their ids."""
        order = np.argsort(np.array(self.sources))
        return self if (order == np.arange(len(order))).all() else self.select(order)

    def select(self, positions: NDArray[np.intp]) -> AlignedPairs:
        """The same with some sources only, in the order of their positions.

        Baselines stay as they are: the centre bias is that of all sources.
        """
        order = positions

        def ordered(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
            return tuple(values[i] for i in order)

        return dataclasses.replace(
            self,
            sources=ordered(self.sources),
            classes=ordered(self.classes),
            splits=ordered(self.splits),
            explanations={name: maps[order] for name, maps in self.explanations.items()},
            baselines={name: maps[order] for name, maps in self.baselines.items()},
            density=self.density[:, order],
            mask=self.mask[:, order],
            present=self.present[:, order],
            valid=self.valid[order],
            brightness=self.brightness[order],
            source_weights=self.source_weights[order],
            scores=None if self.scores is None else self.scores[order],
            columns={name: ordered(values) for name, values in self.columns.items()},
            looks=tuple(look.select(order) for look in self.looks),
        )

    def without_pixels(self) -> AlignedPairs:
        """The same with fields of no pixels."""
        n, n_annotators = len(self), len(self.annotators)
        fields = np.zeros((n, 0, 0))
        marks = np.zeros((n_annotators, n, 0, 0), np.float32)
        return dataclasses.replace(
            self,
            explanations=dict.fromkeys(self.explanations, fields),
            baselines=dict.fromkeys(self.baselines, fields),
            density=marks,
            mask=marks > 0,
            valid=fields > 0,
            brightness=fields.astype(np.float32),
            looks=(),
        )

    def join(self, others: Sequence[AlignedPairs]) -> AlignedPairs:
        """These sources and others of the same annotators and maps, all of them without pixels."""
        every = (self, *others)
        scores = [one.scores for one in every if one.scores is not None]
        joined = dataclasses.replace(
            self,
            sources=tuple(s for one in every for s in one.sources),
            classes=tuple(c for one in every for c in one.classes),
            splits=tuple(s for one in every for s in one.splits),
            present=np.hstack([one.present for one in every]),
            source_weights=np.concatenate([one.source_weights for one in every]),
            scores=np.concatenate(scores) if scores else None,
            columns={
                name: tuple(v for one in every for v in one.columns[name]) for name in self.columns
            },
            density=np.hstack([one.density for one in every]),
        )
        return joined.without_pixels()

    def brightness_of(self, explanation: str) -> tuple[str, ...]:
        """Baselines that hold brightness fixed for a map: at pixel scale and at the map's resolution.

        All of them for a map made of several resolutions, such as the mean, or of unknown resolution.
        """
        every = tuple(name for name in self.baselines if name.startswith(BRIGHTNESS))
        return self.resolutions.get(explanation, every)


def align(
    maps: MapStack,
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    *,
    fwhm_arcsec: float = DEFAULT_FWHM_ARCSEC,
    use_source_weights: bool = False,
) -> AlignedPairs:
    """Bring maps, annotations and baselines of the same sources to the field of the maps.

    Parameters
    ----------
    maps : MapStack
        Maps of some sources.
    annotations : AnnotationSet
        What annotators marked; sources without a map are an error.
    images : sequence of SourceImage
        The images of the sources, which place sky positions and give classes.
    fwhm_arcsec : float
        Width of points and lines.
    use_source_weights : bool
        Weight sources by the weights that the annotations state, such as a consensus level.

    Returns
    -------
    AlignedPairs
        Sources in the order of their ids; those that nobody marked are left out and noted, and images of one source
        count once with a LeftOutWarning. Marks of weight 0 and
        marks outside their image are left out with a LeftOutWarning.

    Raises
    ------
    AlignmentError
        If nothing overlaps, a sky position cannot be placed, or the brightness of the maps does not agree with
        the images where the maps' field is said to lie.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> annotations = annotations.select(annotations.sources[:2])
    >>> images = attnxai.read_images(list(annotations.image_files().values()))
    >>> maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
    >>> pairs = attnxai.align(maps, annotations, images)
    >>> pairs.sources == annotations.sources
    True
    """
    places = Places()
    annotations = usable_annotations(annotations, images, fwhm_arcsec, places=places)
    annotations, images, stacks = independent_sources(annotations, images, [maps])
    return align_all(
        stacks,
        annotations,
        images,
        fwhm_arcsec=fwhm_arcsec,
        use_source_weights=use_source_weights,
        places=places,
    )[0]


def align_all(
    stacks: Sequence[MapStack],
    annotations: AnnotationSet,
    images: Sequence[SourceImage],
    *,
    fwhm_arcsec: float,
    use_source_weights: bool,
    places: Places | None = None,
) -> list[AlignedPairs]:
    """:func:`align` of the maps of several models.

    Annotations are those of :func:`usable_annotations`, and ``places`` what it found. They are drawn once for all models
    that see the same field; their pairs share the arrays.
    """
    by_id = {image.source: image for image in images}
    grids = {source: image.grid for source, image in by_id.items()}
    drawn: dict[Hashable, tuple[DrawnAnnotations, tuple[Look, ...]]] = {}
    placed: list[tuple[Hashable, MapStack, list[str]]] = []
    found = []
    for maps in stacks:
        check_sources(maps.sources, annotations, by_id)
        marked = set(annotations.sources)
        # in the order of their ids, so that sums do not depend on the order of files
        positions = sorted(
            (i for i, source in enumerate(maps.sources) if source in marked),
            key=lambda i: maps.sources[i],
        )
        field = (maps.sources, maps.field, maps.field_shape, maps.field_scale_arcsec)
        notes = next(
            (made for key, seen, made in placed if key == field and _look_alike(seen, maps)), None
        )
        if notes is None:
            notes = check_placement(maps, positions, by_id)
            placed.append((field, maps, notes))
        if field not in drawn:
            given = (maps, positions, annotations, grids, fwhm_arcsec)
            drawn[field] = draw_annotations(*given, known=places), draw_looks(*given)
        found.append(
            _pairs(
                maps,
                positions,
                annotations,
                by_id,
                *drawn[field],
                notes,
                fwhm_arcsec=fwhm_arcsec,
                use_source_weights=use_source_weights,
            )
        )
    return found


def _look_alike(first: MapStack, second: MapStack) -> bool:
    return np.array_equal(first.brightness, second.brightness) and np.array_equal(
        first.valid, second.valid
    )


def _pairs(
    maps: MapStack,
    positions: Sequence[int],
    annotations: AnnotationSet,
    by_id: Mapping[str, SourceImage],
    drawn: DrawnAnnotations,
    looks: tuple[Look, ...],
    notes: Sequence[str],
    *,
    fwhm_arcsec: float,
    use_source_weights: bool,
) -> AlignedPairs:
    chosen = maps.select(maps.sources[i] for i in positions)
    facts = facts_of(
        MapFacts.of(chosen),
        annotations,
        by_id,
        fwhm_arcsec=fwhm_arcsec,
        use_source_weights=use_source_weights,
    )
    notes = notes_of(
        facts,
        len(maps.sources),
        len(annotations),
        maps.field_shape,
        n_outside=drawn.n_outside,
        any_visible=bool((drawn.mask & chosen.valid).any()),
        notes=notes,
    )
    return dataclasses.replace(with_fields(facts, chosen, drawn, looks), notes=tuple(notes))


class MapFacts(NamedTuple):
    """What maps say about their sources, beside the maps."""

    model_name: str
    sources: tuple[str, ...]
    splits: tuple[Split, ...]
    scores: NDArray[np.float64] | None
    class_names: tuple[str, ...]
    field_scale_arcsec: float

    @classmethod
    def of(cls, maps: MapStack) -> MapFacts:
        """Those of a stack."""
        return cls(*(getattr(maps, name) for name in cls._fields))

    def join(self, others: Sequence[MapFacts]) -> MapFacts:
        """These sources and others of the same maps."""
        every = (self, *others)
        scores = [one.scores for one in every if one.scores is not None]
        return self._replace(
            sources=tuple(source for one in every for source in one.sources),
            splits=tuple(split for one in every for split in one.splits),
            scores=np.concatenate(scores) if len(scores) == len(every) else None,
        )


def facts_of(
    maps: MapFacts,
    annotations: AnnotationSet,
    by_id: Mapping[str, SourceImage],
    *,
    fwhm_arcsec: float,
    use_source_weights: bool,
) -> AlignedPairs:
    """Pairs without pixels and notes."""
    sources = maps.sources
    n, names = len(sources), annotations.annotators
    fields = np.zeros((n, 0, 0))
    marks = np.zeros((len(names), n, 0, 0), np.float32)
    marked = {(a.annotator, a.source) for a in annotations.annotations}
    return AlignedPairs(
        model_name=maps.model_name,
        sources=sources,
        classes=tuple(class_of(s, annotations, by_id) for s in sources),
        splits=maps.splits,
        explanations={},
        baselines={},
        annotators=names,
        density=marks,
        mask=marks > 0,
        present=np.array([[(name, s) in marked for s in sources] for name in names]),
        valid=fields > 0,
        brightness=fields.astype(np.float32),
        source_weights=weights_of(sources, annotations) if use_source_weights else np.ones(n),
        pixel_scale_arcsec=maps.field_scale_arcsec,
        fwhm_arcsec=fwhm_arcsec,
        scores=maps.scores,
        class_names=maps.class_names,
        columns=columns_of(sources, annotations.annotations),
    )


def with_fields(
    facts: AlignedPairs,
    maps: MapStack,
    drawn: DrawnAnnotations,
    looks: tuple[Look, ...],
    *,
    with_emission: bool | None = None,
) -> AlignedPairs:
    """Facts with the fields of their sources; ``with_emission`` says whether emission is a baseline."""
    baselines, resolutions = image_baselines(maps, maps.brightness, with_emission=with_emission)
    return dataclasses.replace(
        facts,
        explanations=maps_on_field(maps),
        baselines={**baselines, CENTRE_BIAS: drawn.centre_bias},
        density=drawn.density,
        mask=drawn.mask,
        present=drawn.present,
        valid=maps.valid,
        brightness=maps.brightness,
        resolutions=resolutions,
        looks=looks,
    )


def notes_of(
    facts: AlignedPairs,
    n_maps: int,
    n_marks: int,
    field_shape: tuple[int, int],
    *,
    n_outside: int,
    any_visible: bool,
    notes: Sequence[str],
) -> list[str]:
    """What was left out or assumed, after the notes on where the fields lie; an AlignmentError if no mark is seen."""
    notes = list(notes)
    n_without = n_maps - len(facts)
    if n_without:
        notes.append(
            f"{counted(n_without, 'source has', 'sources have')} a map but no annotation to use; left out."
        )
    if not any_visible:
        raise AlignmentError(
            f"none of the {n_marks} marks lies on the pixels that the network sees, a field of "
            f"{field_shape[0]} x {field_shape[1]} pixels of {facts.pixel_scale_arcsec:g} arcsec "
            "at the centre of each image; check their coordinates and frame"
        )
    if n_outside:
        notes.append(
            f"The centres of {n_outside} of {n_marks} marks lie outside the field that the network "
            "sees; only what reaches into it counts."
        )
    weights = facts.source_weights
    weightless = [s for s, weight in zip(facts.sources, weights, strict=True) if weight == 0]
    if weightless:
        notes.append(
            f"{counted(len(weightless), 'source has', 'sources have')} weight 0 and "
            f"{'does' if len(weightless) == 1 else 'do'} not count: {first_of(weightless)}."
        )
    return notes
