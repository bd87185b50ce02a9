"""How often nulls reject: without agreement, where it has to be the level, and with planted agreement."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.nulls import (
    GridSymmetries,
    MoranSurrogates,
    NullModel,
    PhaseSurrogates,
    Rotation,
    SourcePermutation,
    ToroidalShift,
    VariogramSurrogates,
    run_null_test,
)
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL
from attnxai.validation.scenes import Ground, Scene, simulate_sources
from attnxai.validation.streams import stream_of

if TYPE_CHECKING:
    from attnxai.agreement.nulls import NullTest
    from attnxai.validation.scenes import SimulatedSources

LEVELS = (0.01, 0.05, 0.10)
METRIC_NAMES = ("nss", "spearman")
# with so many, or all that there are where they are fewer, every level above is an attainable p-value
N_DRAWS_LEVELS = 199
N_DRAWS_POWER = 499
POWER_SCENE = Scene.CENTRE
"""Agreement is planted where all nulls whose power is measured keep their level."""


class NullKind(enum.StrEnum):
    """The nulls whose level is measured, with few columns each: many cost time and change no level."""

    POOLED = "exchange, pooled"
    WITHIN_CLASS = "exchange within class"
    SYMMETRIES = "right angles and reflections"
    ROTATION = "any angle"
    SHIFT = "toroidal shift"
    PHASE = "random phases"
    VARIOGRAM = "matched variogram"
    MORAN = "Moran spectral"

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return self.name.lower().replace("_", "-")

    @property
    def model(self) -> NullModel:
        """The null itself."""
        return _MODELS[self]

    @property
    def ground(self) -> Ground:
        """The pixels that it is made for."""
        return _GROUNDS.get(self, Ground.OPEN)

    @property
    def is_costly(self) -> bool:
        """Whether it takes a Fourier transform or more for every rearranged map."""
        return self in _GROUNDS

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Scenes that it is measured in.

        Nulls that move maps about fail as soon as there is anything at the centre, so a size or a
        direction would show nothing new of them.
        """
        if self.is_costly:
            return (Scene.NOTHING, Scene.CENTRE, Scene.CLASS, Scene.CENTRE_AND_CLASS)
        return tuple(Scene)

    def holds_in(self, scene: Scene) -> bool:
        """Whether what the null assumes is so in a scene, and its level therefore promised."""
        return scene in _HOLDS[self]


_MODELS: dict[NullKind, NullModel] = {
    NullKind.POOLED: SourcePermutation(within_strata=False),
    NullKind.WITHIN_CLASS: SourcePermutation(within_strata=True),
    NullKind.SYMMETRIES: GridSymmetries(),
    NullKind.ROTATION: Rotation(n_angles=8),
    NullKind.SHIFT: ToroidalShift(n_shifts=19),
    NullKind.PHASE: PhaseSurrogates(n_surrogates=9),
    NullKind.VARIOGRAM: VariogramSurrogates(n_surrogates=9),
    NullKind.MORAN: MoranSurrogates(n_surrogates=19),
}
_GROUNDS = {
    NullKind.SHIFT: Ground.CLOSED,
    NullKind.PHASE: Ground.CLOSED,
    NullKind.VARIOGRAM: Ground.FOOTPRINTS,
    NullKind.MORAN: Ground.FOOTPRINTS,
}
_ROUND = {Scene.NOTHING, Scene.CENTRE, Scene.CLASS, Scene.CENTRE_AND_CLASS, Scene.SIZE}
_HOLDS = {
    NullKind.POOLED: {Scene.NOTHING, Scene.CENTRE, Scene.DIRECTION},
    NullKind.WITHIN_CLASS: set(Scene) - {Scene.SIZE},
    NullKind.SYMMETRIES: _ROUND,
    NullKind.ROTATION: _ROUND,
    NullKind.SHIFT: {Scene.NOTHING},
    NullKind.PHASE: {Scene.NOTHING},
    NullKind.VARIOGRAM: {Scene.NOTHING},
    NullKind.MORAN: {Scene.NOTHING},
}

POWER_NULLS = (NullKind.WITHIN_CLASS, NullKind.SYMMETRIES, NullKind.ROTATION)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LevelCase:
    """Experiments without agreement: one null, one scene, one number of sources.

    Parameters
    ----------
    null : NullKind
        The null.
    scene : Scene
        What maps and annotations share.
    n_sources : int
        Sources of an experiment.
    """

    null: NullKind
    scene: Scene
    n_sources: int

    block = 20

    @property
    def key(self) -> str:
        """Name of the case, which also decides over its random numbers."""
        return f"levels/{self.null}/{self.scene}/{self.n_sources}"

    def count(self, seed: int, start: int, stop: int) -> dict[str, list[float]]:
        """Rejections at each of the levels by each metric, over some experiments.

        Parameters
        ----------
        seed : int
            Of the whole suite.
        start, stop : int
            First experiment, and the one after the last. Each has a stream of its own.

        Returns
        -------
        dict of str to list of float
            For each metric the rejections at each of :data:`LEVELS`, and under ``smallest`` the sum of the
            smallest attainable p-values.

        Examples
        --------
        >>> case = LevelCase(null=NullKind.WITHIN_CLASS, scene=Scene.NOTHING, n_sources=4)
        >>> case.count(0, 0, 50)["smallest"]
        [12.5]
        """
        counts = {name: [0.0] * len(LEVELS) for name in METRIC_NAMES} | {"smallest": [0.0]}
        ground = self.null.ground
        for experiment in range(start, stop):
            # all nulls of a ground meet the same maps
            data = stream_of(seed, f"levels/{ground}/{self.scene}/{self.n_sources}", experiment)
            made = simulate_sources(self.scene, self.n_sources, ground=ground, rng=data)
            tests = run_tests(
                self.null, made, N_DRAWS_LEVELS, stream_of(seed, self.key, experiment)
            )
            for name, test in tests.items():
                for place, level in enumerate(LEVELS):
                    counts[name][place] += test.p_value <= level
            counts["smallest"][0] += tests[METRIC_NAMES[0]].smallest_p
        return counts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PowerCase:
    """Experiments with planted agreement: one null, one number of sources, one strength.

    Parameters
    ----------
    null : NullKind
        The null.
    n_sources : int
        Sources of an experiment.
    strength : float
        As in :func:`~.scenes.simulate_sources`.
    """

    null: NullKind
    n_sources: int
    strength: float

    block = 20

    @property
    def key(self) -> str:
        """Name of the case."""
        return f"power/{self.null}/{self.n_sources}/{self.strength:g}"

    def count(self, seed: int, start: int, stop: int) -> dict[str, list[float]]:
        """Rejections at 5 % by each metric, over some experiments; see :meth:`LevelCase.count`."""
        counts = {name: [0.0] for name in METRIC_NAMES}
        for experiment in range(start, stop):
            # the same fields and draws at every strength, so that curves are smooth
            data = stream_of(seed, f"power/{self.n_sources}", experiment)
            draws = stream_of(seed, f"power/{self.null}/{self.n_sources}", experiment)
            made = simulate_sources(POWER_SCENE, self.n_sources, strength=self.strength, rng=data)
            for name, test in run_tests(self.null, made, N_DRAWS_POWER, draws).items():
                counts[name][0] += test.p_value <= SIGNIFICANCE_LEVEL
        return counts


def run_tests(
    null: NullKind, made: SimulatedSources, n_draws: int, rng: np.random.Generator
) -> dict[str, NullTest]:
    """Test simulated sources against a null with every metric, on the same tables and draws."""
    model = null.model
    metrics = [METRICS[name] for name in METRIC_NAMES]
    tables = model.tables(metrics, made.maps, made.targets, made.valid, rng=rng)
    draws = model.draw(made.classes, n_columns=tables.shape[-1], n_draws=n_draws, rng=rng)
    return {
        name: run_null_test(table.mean(axis=0), draws, null=model.label)
        for name, table in zip(METRIC_NAMES, tables, strict=True)
    }
