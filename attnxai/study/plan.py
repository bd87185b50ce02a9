"""What a study consists of: groups, seeds, what is equal, how models are trained and measured."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from attnxai.data.short_repr import short_repr
from attnxai.errors import OptionError
from attnxai.explanations.explaining import chosen_methods
from attnxai.models.specification import ModelSpec, Preset, SymmetryGroup
from attnxai.study.data import AnnotationRequest, DataRequest, HeldOutAnnotations, StudyData
from attnxai.study.matching import Equal, Match, matched_spec
from attnxai.study.measurement import MeasureOn
from attnxai.study.summary import group_key
from attnxai.training.settings import TrainingSettings

FORMAT = "attnxai-study"
FORMAT_VERSION = 1
GATES = "gates"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """How finished models are measured.

    Parameters
    ----------
    measure_on : MeasureOn
        Images for classification and consistency.
    n_angles : int
        Arbitrary rotations of every image.
    annotations : AnnotationRequest, optional
        What attention is compared with.
    explain : tuple of str
        Explanation methods whose maps are compared; the gates are always among them.
    seed : int
        Of the angles, the same for all models.

    Examples
    --------
    >>> import attnxai
    >>> attnxai.study.MeasureSettings(n_angles=4, explain=("gates", "gradcam")).explain
    ('gates', 'gradcam')
    """

    measure_on: MeasureOn = MeasureOn.VALIDATION
    n_angles: int = 8
    annotations: AnnotationRequest | None = None
    explain: tuple[str, ...] = (GATES,)
    seed: int = 0

    def __post_init__(self) -> None:
        chosen = chosen_methods(list(dict.fromkeys((GATES, *self.explain))))
        object.__setattr__(self, "explain", tuple(method.name for method in chosen))
        if self.n_angles < 1:
            raise OptionError(f"n_angles has to be 1 or more, got {self.n_angles}")

    def read_annotations(self, data: StudyData) -> HeldOutAnnotations | None:
        """The annotations that attention is compared with; None where it is not compared."""
        if self.annotations is None:
            return None
        return self.annotations.read(data, self.measure_on)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """One group and one seed."""

    group: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.group}-seed{self.seed}"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StudyPlan:
    """Everything that determines the numbers of a study.

    Parameters
    ----------
    groups : tuple of str
        Symmetry groups; kept in the order of tables.
    seeds : tuple of int
        Seeds of every group.
    specification : ModelSpec
        Network of the baseline, whose group others are compared with.
    preset : Preset
        Where the proportions of the other networks come from.
    equal : Equal
        What is equal between groups.
    settings : TrainingSettings
        How models are trained; its seed is replaced by each run's.
    measuring : MeasureSettings
        How they are measured.
    data : DataRequest
        The labelled images.
    reference_loss : float, optional
        Derived from the baseline when left out.
    size : int, optional
        Side of the field in pixels; see :func:`attnxai.training.field.field_of`.

    Raises
    ------
    OptionError
        If groups or seeds are given twice, or the baseline is not among the groups.

    Examples
    --------
    >>> import attnxai
    >>> plan = attnxai.study.StudyPlan(
    ...     groups=("D4", "C1"),
    ...     seeds=(0, 1),
    ...     specification=attnxai.models.compact_spec("C1"),
    ...     settings=attnxai.training.TrainingSettings(epochs=2),
    ...     measuring=attnxai.study.MeasureSettings(),
    ...     data=attnxai.study.DataRequest(images="cutouts", labels="labels.csv"),
    ... )
    >>> plan.groups, plan.baseline, len(plan.runs)
    (('C1', 'D4'), 'C1', 4)
    """

    groups: tuple[str, ...]
    seeds: tuple[int, ...]
    specification: ModelSpec
    preset: Preset = Preset.COMPACT
    equal: Equal = Equal.CHANNELS
    settings: TrainingSettings
    measuring: MeasureSettings
    data: DataRequest
    reference_loss: float | None = None
    size: int | None = None

    __repr__ = short_repr

    def __post_init__(self) -> None:
        names = [SymmetryGroup.from_name(name).name for name in self.groups]
        for what, values in (("group", names), ("seed", self.seeds)):
            twice = sorted({str(value) for value in values if list(values).count(value) > 1})
            if twice or not values:
                raise OptionError(
                    f"{what} {', '.join(twice)} is given twice; give each once"
                    if twice
                    else f"a study needs at least one {what}"
                )
        if self.baseline not in names:
            raise OptionError(
                f"groups are compared with {self.baseline}, which is not among {', '.join(names)}; add "
                "it to the groups or name another baseline"
            )
        if self.reference_loss is not None and not self.reference_loss > 0:
            raise OptionError(f"the reference loss has to be above 0, got {self.reference_loss}")
        object.__setattr__(self, "groups", tuple(sorted(names, key=group_key)))

    @property
    def baseline(self) -> str:
        """Group that others are compared with."""
        return self.specification.group

    @functools.cached_property
    def matches(self) -> dict[str, Match]:
        """Network of every group."""
        return {
            group: matched_spec(self.specification, group, self.equal, preset=self.preset)
            for group in self.groups
        }

    @property
    def runs(self) -> tuple[RunKey, ...]:
        """All runs, seed by seed, so that what is finished first is balanced."""
        return tuple(RunKey(group=group, seed=seed) for seed in self.seeds for group in self.groups)

    def settings_of(self, run: RunKey) -> TrainingSettings:
        """Options of the training of one run."""
        return dataclasses.replace(self.settings, seed=run.seed)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for ``plan.json`` and ``study.json``."""
        settings = self.settings.to_dict()
        settings.pop("seed")
        return {
            "groups": list(self.groups),
            "seeds": list(self.seeds),
            "baseline": self.baseline,
            "preset": str(self.preset),
            "equal": str(self.equal),
            "specifications": {name: match.spec.to_dict() for name, match in self.matches.items()},
            "training": settings,
            "measuring": dataclasses.asdict(self.measuring),
            "data": dataclasses.asdict(self.data),
            "reference_loss": self.reference_loss,
            "size": self.size,
        }
