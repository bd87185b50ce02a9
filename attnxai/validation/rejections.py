"""How often nulls reject: unrelated maps, where it is the false positive rate, and related ones, for power."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from attnxai.metrics import METRICS
from attnxai.nulls import (
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
from attnxai.validation.experiments import Counts, Design, stream_of
from attnxai.validation.simulated_data import Domain, Scenario, simulate_sources

if TYPE_CHECKING:
    from attnxai.nulls import NullTest
    from attnxai.validation.simulated_data import SimulatedSources

SIGNIFICANCE_LEVELS = (0.01, 0.05, 0.10)
METRIC_NAMES = ("nss", "spearman")
# with so many draws, or all permutations where these are fewer, every level above is an attainable p-value
N_DRAWS = 199
N_DRAWS_POWER = 499
POWER_SCENARIO = Scenario.CENTRE
"""Power is measured where the assumptions of all nulls concerned are met."""


class NullKind(enum.StrEnum):
    """The nulls that are validated, with few columns each: many take time and do not change the rates."""

    POOLED = "permutation, pooled"
    WITHIN_CLASS = "permutation within class"
    SYMMETRIES = "grid symmetries"
    ROTATION = "rotation"
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
        return _FACTS[self].model

    @property
    def domain(self) -> Domain:
        """The pixels that it is tested on."""
        return _FACTS[self].domain

    @property
    def seed_word(self) -> str:
        """Its part of the names that seed random streams: it stays as it is, or all numbers change."""
        return _FACTS[self].seed_word or str(self)

    @property
    def is_costly(self) -> bool:
        """Whether it takes a Fourier transform or more for every surrogate map."""
        return self.domain is not Domain.SQUARE

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Scenarios that it is measured in.

        Nulls that move or resample single maps are invalid as soon as there is any structure at the
        centre, so a size or a direction would show nothing new.
        """
        if self.is_costly:
            return (Scenario.NOTHING, Scenario.CENTRE, Scenario.CLASS, Scenario.CENTRE_AND_CLASS)
        return tuple(Scenario)

    def is_valid_for(self, scenario: Scenario) -> bool:
        """Whether the assumptions of the null are met in a scenario, so that the level is nominal."""
        return scenario in _FACTS[self].valid_for


@dataclasses.dataclass(frozen=True, slots=True)
class _Facts:
    model: NullModel
    valid_for: frozenset[Scenario]
    domain: Domain = Domain.SQUARE
    seed_word: str = ""


_UNRELATED = frozenset({Scenario.NOTHING})
_ROUND = frozenset(Scenario) - {Scenario.DIRECTION}
_FACTS = {
    NullKind.POOLED: _Facts(
        SourcePermutation(within_strata=False),
        frozenset({Scenario.NOTHING, Scenario.CENTRE, Scenario.DIRECTION}),
        seed_word="exchange, pooled",
    ),
    NullKind.WITHIN_CLASS: _Facts(
        SourcePermutation(within_strata=True),
        frozenset(Scenario) - {Scenario.SIZE},
        seed_word="exchange within class",
    ),
    NullKind.SYMMETRIES: _Facts(GridSymmetries(), _ROUND, seed_word="right angles and reflections"),
    NullKind.ROTATION: _Facts(Rotation(n_angles=8), _ROUND, seed_word="any angle"),
    NullKind.SHIFT: _Facts(ToroidalShift(n_shifts=19), _UNRELATED, Domain.PERIODIC),
    NullKind.PHASE: _Facts(PhaseSurrogates(n_surrogates=9), _UNRELATED, Domain.PERIODIC),
    NullKind.VARIOGRAM: _Facts(VariogramSurrogates(n_surrogates=9), _UNRELATED, Domain.FOOTPRINTS),
    NullKind.MORAN: _Facts(MoranSurrogates(n_surrogates=19), _UNRELATED, Domain.FOOTPRINTS),
}

POWER_NULLS = (NullKind.WITHIN_CLASS, NullKind.SYMMETRIES, NullKind.ROTATION)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FalsePositiveDesign(Design):
    """Experiments on the false positive rate: one null, one scenario, one number of sources."""

    null: NullKind
    scenario: Scenario
    n_sources: int

    @property
    def key(self) -> str:
        """Name of the design, which seeds its random streams."""
        return f"levels/{self.null.seed_word}/{self.scenario}/{self.n_sources}"

    def run(self, seed: int, experiment: int) -> Counts:
        """Rejections at each of :data:`SIGNIFICANCE_LEVELS` by metric, and the smallest attainable p-value."""
        # the same maps for all nulls of a domain
        domain = self.null.domain
        data = stream_of(seed, f"levels/{domain}/{self.scenario}/{self.n_sources}", experiment)
        made = simulate_sources(self.scenario, self.n_sources, domain=domain, rng=data)
        tests = run_tests(self.null, made, N_DRAWS, stream_of(seed, self.key, experiment))
        counts: Counts = {
            name: [test.p_value <= level for level in SIGNIFICANCE_LEVELS]
            for name, test in tests.items()
        }
        return counts | {"smallest": [tests[METRIC_NAMES[0]].smallest_p]}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PowerDesign(Design):
    """Experiments on the power: one null, one number of sources, one strength (see :func:`simulate_sources`)."""

    null: NullKind
    n_sources: int
    strength: float

    @property
    def key(self) -> str:
        """Name of the design, which seeds its random streams."""
        return f"power/{self.null.seed_word}/{self.n_sources}/{self.strength:g}"

    def run(self, seed: int, experiment: int) -> Counts:
        """Rejections at 5 % by metric."""
        # the same fields and draws for every strength, so that curves are smooth
        data = stream_of(seed, f"power/{self.n_sources}", experiment)
        draws = stream_of(seed, f"power/{self.null.seed_word}/{self.n_sources}", experiment)
        made = simulate_sources(POWER_SCENARIO, self.n_sources, strength=self.strength, rng=data)
        tests = run_tests(self.null, made, N_DRAWS_POWER, draws)
        return {name: [test.p_value <= SIGNIFICANCE_LEVEL] for name, test in tests.items()}


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
