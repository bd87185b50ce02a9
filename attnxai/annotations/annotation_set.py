"""Annotations of several sources by several annotators."""

from __future__ import annotations

import collections
import dataclasses
import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path

from attnxai import presenters
from attnxai.annotations.annotator_names import normalise_name
from attnxai.annotations.shapes import Label, Limits, Shape
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import unknown_name
from attnxai.errors import AnnotationError, OptionError

MADE_BY = "made_by"
"""Column that says whether a person or a rule made an annotation."""

RULE_KIND = "shapes made by a rule, not by a person"
"""What annotations are all of which a rule made."""

WEIGHT = Limits(0.0, 1.0, "a number")
"""Weights that an annotation may have."""


class Operation(enum.StrEnum):
    """Whether a shape marks its area, or takes it away from what others of its group mark."""

    ADD = "add"
    SUBTRACT = "subtract"


def expected_round(value: object) -> str:
    """What the round of an annotation has to be, if ``value`` is not that; empty if it is."""
    if type(value) is int and value >= 1:  # as nearly all are
        return ""
    number = float(value) if isinstance(value, Real) else 0.0
    return "" if number >= 1 and number.is_integer() else "a whole number from 1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotation:
    """One shape that one annotator drew on one source.

    Parameters
    ----------
    source : str
        Id of the source.
    annotator : str
        Name of the annotator.
    shape : Shape
        What was drawn.
    label : Label
        What it marks.
    label_from : str
        What of a file of a drawing tool gave the label, such as ``text``, ``tag`` or ``color``; else empty.
    weight : float
        From 0 to 1.
    operation : Operation
        Whether it marks its area, or subtracts it from its group.
    group : str
        Shapes of one group, annotator and source belong together. A subtracted shape without a group is taken
        from all shapes of that annotator on that source.
    round : int
        The annotator's first (1), second, ... look at the source.
    file : str
        Name of the file that it came from, empty when it came from none.
    line : int
        Line of the file on which its row begins, 0 when it came from none.
    other : mapping of str to str
        Further columns of the table, as they are.

    Raises
    ------
    AnnotationError
        If source or annotator is empty, the weight or round is out of range, or the operation is unknown
        or subtracts a point or a line.

    Examples
    --------
    >>> import attnxai
    >>> shape = attnxai.annotations.Shape(kind="circle", x=12.0, y=30.5, radius=4.0)
    >>> mark = attnxai.annotations.Annotation(source="s1", annotator="Ann", shape=shape, label="hotspot")
    >>> str(mark.label), mark.weight, mark.shape.radius
    ('hotspot', 1.0, 4.0)
    """

    source: str
    annotator: str
    shape: Shape
    label: Label = Label.SOURCE
    label_from: str = ""
    weight: float = 1.0
    operation: Operation = Operation.ADD
    group: str = ""
    round: int = 1
    file: str = ""
    line: int = 0
    other: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("source", "annotator"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                where = f" on line {self.line}" if self.line else ""
                raise AnnotationError(
                    f"the {name} of an annotation{where} has to be a name, got {value!r}"
                )
        if right := WEIGHT.expected(self.weight):
            raise AnnotationError(
                f"the weight of an annotation has to be {right}, got {self.weight!r}"
            )
        if right := expected_round(self.round):
            raise AnnotationError(
                f"the round of an annotation has to be {right}, got {self.round!r}"
            )
        if type(self.operation) is not Operation and self.operation not in list(Operation):
            raise AnnotationError(
                f"the operation of an annotation has to be one of {', '.join(Operation)}, "
                f"got {self.operation!r}"
            )
        if self.operation == Operation.SUBTRACT and not self.shape.has_area:
            raise AnnotationError(
                f"an annotation that subtracts has to be an area, got {self.shape.kind.with_article}"
            )
        object.__setattr__(self, "operation", Operation(self.operation))  # from its name, too
        object.__setattr__(self, "round", int(self.round))
        object.__setattr__(self, "annotator", normalise_name(self.annotator))
        for name in ("group", "file"):
            if not isinstance(value := getattr(self, name), str):
                raise AnnotationError(f"the {name} of an annotation has to be text, got {value!r}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnotationSet:
    """Annotations, with what is known about their origin.

    Parameters
    ----------
    annotations : tuple of Annotation
        At least one.
    classes : mapping of str to str
        Class of a source, where the annotations state it; that of most annotators where they differ.
    annotator_classes : mapping of str to mapping of str to str
        Classes of sources by each annotator who stated any.
    images : mapping of str to str
        Image file of a source, where the annotations state it.
    source_weights : mapping of str to float
        Reliability of each source's annotations, where stated.
    kind : str
        What the annotations are, for reports, such as "shapes drawn by annotators".
    path, sha256 : str
        The file and its hash; of several files their folder and a hash of all.
    files : mapping of str to str
        Hashes of several files by their paths; empty for one file.
    n_rows : int
        Rows read from the file.
    left_out : mapping of str to int
        Rows that are not used, counted by reason.
    notices : tuple of str
        Sentences about them for the report.
    simulated : bool
        Whether the annotators are simulated.
    copies : mapping of str to tuple of str
        For sources that several images show the image that stands for each, and those that were left out.
    repeats : tuple of Annotation
        Marks of second and further rounds, once :meth:`first_round` has set them apart.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> len(annotations), annotations.annotators
    (498, ('simulated_1', 'simulated_2', 'simulated_3'))
    >>> few = annotations.select(annotations.sources[:2])
    >>> len(few), few.classes[few.sources[0]]
    (17, 'FR I')
    """

    annotations: tuple[Annotation, ...]
    classes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotator_classes: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    images: Mapping[str, str] = dataclasses.field(default_factory=dict)
    source_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    kind: str = "shapes drawn by annotators"
    path: str = ""
    sha256: str = ""
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    n_rows: int = 0
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    notices: tuple[str, ...] = ()
    simulated: bool = False
    copies: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    repeats: tuple[Annotation, ...] = ()

    __repr__ = short_repr
    _repr_html_ = presenters.repr_html

    def __post_init__(self) -> None:
        if not self.annotations:
            raise AnnotationError(
                f"{self.path or 'the annotation set'} holds no annotations to use"
            )

    def __len__(self) -> int:
        return len(self.annotations)

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the annotated sources, in the order in which they first occur."""
        return tuple(dict.fromkeys(a.source for a in self.annotations))

    @property
    def annotators(self) -> tuple[str, ...]:
        """Annotators in alphabetical order."""
        return tuple(sorted({a.annotator for a in self.annotations}))

    @property
    def rule_annotators(self) -> tuple[str, ...]:
        """Annotators whose marks a rule made, as their column ``made_by`` says, in alphabetical order."""
        made = (a for a in self.annotations if a.other.get(MADE_BY, "").lower() == "rule")
        return tuple(sorted({a.annotator for a in made}))

    @property
    def n_rows_used(self) -> int:
        """Rows of files that the annotations come from; a row may have given several."""
        return len({(a.file, a.line) for a in self.annotations})

    def of(self, source: str, annotator: str) -> tuple[Annotation, ...]:
        """Annotations of one source by one annotator."""
        return tuple(a for a in self.annotations if a.source == source and a.annotator == annotator)

    def by_source(self) -> dict[str, list[Annotation]]:
        """Annotations of each source, in the order of :attr:`sources`."""
        found: dict[str, list[Annotation]] = {}
        for annotation in self.annotations:
            found.setdefault(annotation.source, []).append(annotation)
        return found

    def by_source_and_annotator(self) -> dict[tuple[str, str], list[Annotation]]:
        """Annotations by source and annotator, in the order of :attr:`sources` and of names."""
        found: dict[tuple[str, str], list[Annotation]] = {}
        for source, marks in self.by_source().items():
            for annotation in sorted(marks, key=lambda a: a.annotator):
                found.setdefault((source, annotation.annotator), []).append(annotation)
        return found

    def image_files(self) -> dict[str, Path]:
        """Image file of every source whose row names one; paths are relative to the table."""
        folder = Path(self.path).parent
        return {source: folder / name for source, name in self.images.items()}

    def select(self, sources: Iterable[str]) -> AnnotationSet:
        """Annotations of the named sources only."""
        wanted = set(sources)
        return dataclasses.replace(
            self,
            annotations=tuple(a for a in self.annotations if a.source in wanted),
            repeats=tuple(a for a in self.repeats if a.source in wanted),
        )

    def first_round(self) -> AnnotationSet:
        """First rounds, with further ones set apart as ``repeats`` and a notice of both; itself where all are first.

        Further rounds of an annotator without a first one of the same source are left out.

        Raises
        ------
        AnnotationError
            If there is no first round.
        """
        kept = tuple(a for a in self.annotations if a.round == 1)
        n_more = len(self) - len(kept)
        if not n_more:
            return self
        if not kept:
            raise AnnotationError(
                f"{self.path or 'the annotation set'} holds no first round; rounds count from 1"
            )
        notice = (
            f"{n_more} of {len(self)} marks are of a second or further look at a source: they are not compared with "
            "the maps, and give the self-consistency of their annotators."
        )
        first = {(a.source, a.annotator) for a in kept}
        further = [a for a in self.annotations if a.round > 1]
        repeats = [a for a in further if (a.source, a.annotator) in first]
        if alone := n_more - len(repeats):
            notice += (
                f" {alone} of these {'has' if alone == 1 else 'have'} no first look of the same annotator at the same "
                "source to be compared with."
            )
        found = dataclasses.replace(
            self,
            annotations=kept,
            repeats=(*self.repeats, *repeats),
            notices=(*self.notices, notice),
        )
        n_lost = self.n_rows_used - found.n_rows_used
        left_out = {"a further look at the source": n_lost} if n_lost else {}
        return dataclasses.replace(found, left_out={**self.left_out, **left_out})

    def origins_of_labels(self) -> dict[str, int]:
        """Number of marks by what of their files gave the label; those of which it is not known are not counted."""
        return dict(collections.Counter(a.label_from for a in self.annotations if a.label_from))

    def with_labels(self, labels: Collection[Label] | None) -> AnnotationSet:
        """Annotations with these labels only, the others counted as left out; all when None.

        Raises
        ------
        AnnotationError
            If no annotation has one of them.
        """
        if labels is None:
            return self
        kept = tuple(a for a in self.annotations if a.label in labels)
        names = ", ".join(sorted(set(labels)))
        if not kept:
            in_use = ", ".join(sorted({a.label for a in self.annotations}))
            raise AnnotationError(
                f"no annotation has one of the labels {names}; the labels in use are {in_use}"
            )
        notice = f"Only annotations labelled {names} are used: {len(kept)} of {len(self)}."
        repeats = tuple(a for a in self.repeats if a.label in labels)
        found = dataclasses.replace(
            self, annotations=kept, repeats=repeats, notices=(*self.notices, notice)
        )
        n_lost = self.n_rows_used - found.n_rows_used
        left_out = {"another label than those asked for": n_lost} if n_lost else {}
        return dataclasses.replace(found, left_out={**self.left_out, **left_out})


def parse_labels(names: Sequence[str] | None) -> tuple[Label, ...] | None:
    """Labels from their names; None stands for all. An OptionError names the labels that there are."""
    if not names:
        return None
    unknown = [name for name in names if name.lower() not in set(Label)]
    if unknown:
        raise OptionError(unknown_name("label", unknown, Label))
    return tuple(Label(name.lower()) for name in names)
