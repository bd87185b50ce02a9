"""What a calibration has found: rejections, coverage and power, each beside what it should be."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attnxai.agreement.intervals.crossed import CrossedMethod
from attnxai.presenters import PLOT, presenter_of
from attnxai.statistics.interval import SIGNIFICANCE_LEVEL
from attnxai.validation.cells import (
    BAND,
    SOURCES,
    SOURCES_AND_ANNOTATORS,
    CoverageCell,
    LevelCell,
    PowerCell,
    Verdict,
    binomial_band,
)
from attnxai.validation.coverage import CoverageCase, Values
from attnxai.validation.rejections import (
    LEVELS,
    METRIC_NAMES,
    LevelCase,
    NullKind,
    PowerCase,
)
from attnxai.validation.scenes import Scene
from attnxai.validation.suite import Counts, Part, SuitePlan

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationResult:
    """All cells of a calibration.

    Parameters
    ----------
    plan : SuitePlan
        What was made.
    levels : tuple of LevelCell
        By null, scene, number of sources, metric and level.
    coverage : tuple of CoverageCell
        By values, design and method.
    power : tuple of PowerCell
        By null, number of sources, strength and metric.
    """

    plan: SuitePlan
    levels: tuple[LevelCell, ...]
    coverage: tuple[CoverageCell, ...]
    power: tuple[PowerCell, ...]

    @classmethod
    def of(cls, plan: SuitePlan, counts: Mapping[str, Counts]) -> CalibrationResult:
        """Gather the counts of all blocks of a suite, as :func:`~.suite.run_suite` gives them."""
        return cls(
            plan=plan,
            levels=tuple(
                cell
                for case in plan.level_cases
                for cell in _level_cells(case, plan.experiments(case), plan.total(case, counts))
            ),
            coverage=tuple(
                _coverage_cell(case, plan.experiments(case), plan.total(case, counts))
                for case in plan.coverage_cases
            ),
            power=tuple(
                cell
                for case in plan.power_cases
                for cell in _power_cells(case, plan.experiments(case), plan.total(case, counts))
            ),
        )

    def level_cells(self, *, metric: str, null: NullKind, scene: Scene) -> tuple[LevelCell, ...]:
        """Cells of one null in one scene, by number of sources and level."""
        return tuple(
            cell
            for cell in self.levels
            if (cell.metric, cell.null, cell.scene) == (metric, null, scene)
        )

    def unexpected(self) -> tuple[LevelCell, ...]:
        """Cells that reject too often although the null's assumptions are met."""
        return tuple(c for c in self.levels if c.promised and c.verdict is Verdict.TOO_OFTEN)

    def failures(
        self, *, metric: str = METRIC_NAMES[0], level: float = SIGNIFICANCE_LEVEL
    ) -> dict[NullKind, dict[Scene, tuple[float, float]]]:
        """Where nulls reject too often: the lowest and highest share over the numbers of sources."""
        found: dict[NullKind, dict[Scene, tuple[float, float]]] = {}
        for null in dict.fromkeys(cell.null for cell in self.levels):
            for scene in null.scenes:
                cells = [
                    c
                    for c in self.level_cells(metric=metric, null=null, scene=scene)
                    if c.level == level
                ]
                shares = [c.share for c in cells]
                misleads = any(c.verdict.misleads for c in cells)
                if misleads and not null.holds_in(scene):
                    found.setdefault(null, {})[scene] = (min(shares), max(shares))
        return found

    def summary(self) -> str:
        """What came out, a line for each point."""
        return "\n".join(self.sentences())

    def sentences(self) -> tuple[str, ...]:
        """What came out, a sentence for each point."""
        return (*self._about_levels(), *self._about_coverage(), *self._about_power())

    def _about_levels(self) -> Iterable[str]:
        if not self.levels:
            return
        promised = [cell for cell in self.levels if cell.promised]
        often = len(self.unexpected())
        rarely = sum(cell.verdict is Verdict.TOO_RARELY for cell in promised)
        by_chance = len(promised) * (1 - BAND) / 2
        most = max(cell.n_experiments for cell in self.levels)
        low, high = (count / most for count in binomial_band(most, 0.05))
        yield (
            f"Where a null's assumptions are met, {len(promised) - often - rarely} of {len(promised)} "
            f"counts lie within their binomial bands; {often} reject{'s' if often == 1 else ''} too often and "
            f"{rarely} too rarely, where chance alone puts {by_chance:.1f} on each side. With {most} experiments "
            f"a cell the band at 5 % is {_percent(low)} to {_percent(high)} %: smaller faults are not seen."
        )
        for null, scenes in self.failures().items():
            where = ", ".join(
                f"{scene} ({_percent(low)} to {_percent(high)} %)"
                for scene, (low, high) in scenes.items()
            )
            yield (
                f"{null[0].upper()}{null[1:]}: rejects too often at 5 % (NSS) where its assumptions do not "
                f"hold, as is to be expected: where map and annotation share {where}."
            )

    def _about_coverage(self) -> Iterable[str]:
        for values in dict.fromkeys(cell.values for cell in self.coverage):
            cells = [cell for cell in self.coverage if cell.values is values]
            crossed = [cell for cell in cells if cell.over != SOURCES]
            shown = crossed or cells
            ranges = [
                f"{method} {_range(cell.share for cell in shown if cell.method == method)} %"
                for method in dict.fromkeys(cell.method for cell in shown)
            ]
            first, last = cells[0], cells[-1]
            designs = f"{first.n_sources} to {last.n_sources} sources"
            alone = ""
            if crossed:
                designs = (
                    f"{first.n_sources} × {first.n_annotators} to {last.n_sources} × "
                    f"{last.n_annotators} sources × annotators"
                )
                alone = (
                    "; intervals over sources alone "
                    f"{_range(cell.share for cell in cells if cell.over == SOURCES)} %"
                )
            yield (f"95 % intervals cover, {values} ({designs}): {', '.join(ranges)}{alone}.")

    def _about_power(self) -> Iterable[str]:
        for null in dict.fromkeys(cell.null for cell in self.power):
            enough = []
            for n in dict.fromkeys(cell.n_sources for cell in self.power):
                strengths = [
                    c.strength
                    for c in self.power
                    if (c.null, c.n_sources, c.metric) == (null, n, METRIC_NAMES[0])
                    and c.share >= 0.8
                ]
                if strengths:
                    enough.append(f"{min(strengths):g} with {n} sources")
            if enough:
                yield f"80 % power at 5 % (NSS), {null}: from strength {', '.join(enough)}."

    def plot(self, what: Scene | Values | NullKind, ax: Any = None) -> Any:
        """Draw one panel of the figures.

        Parameters
        ----------
        what : Scene, Values or NullKind
            A scene shows how often nulls reject in it, values show the coverage of their mean, and a null
            shows its power.
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return presenter_of(self, PLOT)(self, what, ax=ax)

    def to_frame(self, part: Part | str = Part.LEVELS) -> pd.DataFrame:
        """One row a cell of a part.

        Parameters
        ----------
        part : Part or str
            ``levels``, ``coverage`` or ``power``.
        """
        import pandas as pd

        return pd.DataFrame(self.rows(Part(part)))

    def rows(self, part: Part) -> list[dict[str, Any]]:
        """Plain values of every cell of a part, under their documented names."""
        if part is Part.LEVELS:
            return [
                _record(cell, "share", "band", "promised", "verdict", "note")
                for cell in self.levels
            ]
        if part is Part.COVERAGE:
            return [_record(cell, "share", "band", "verdict") for cell in self.coverage]
        return [_record(cell, "share", "interval") for cell in self.power]

    def to_record(self) -> dict[str, Any]:
        """All cells as plain values under their documented names."""
        return {
            "seed": self.plan.seed,
            "n_experiments": self.plan.n_experiments,
            "quick": self.plan.quick,
            "parts": [str(part) for part in self.plan.parts],
            "nulls": [str(null) for null in self.plan.nulls],
            "sentences": list(self.sentences()),
            **{str(part): self.rows(part) for part in self.plan.parts},
        }


def _level_cells(case: LevelCase, n: int, total: Counts) -> list[LevelCell]:
    return [
        LevelCell(
            null=case.null,
            scene=case.scene,
            n_sources=case.n_sources,
            metric=metric,
            level=level,
            n_experiments=n,
            rejections=round(total[metric][place]),
            smallest_p=total["smallest"][0] / n,
        )
        for metric in METRIC_NAMES
        for place, level in enumerate(LEVELS)
    ]


def _coverage_cell(case: CoverageCase, n: int, total: Counts) -> CoverageCell:
    crossed = isinstance(case.method, CrossedMethod)
    return CoverageCell(
        values=case.values,
        n_sources=case.n_sources,
        n_annotators=case.n_annotators,
        method=str(case.method),
        over=SOURCES_AND_ANNOTATORS if crossed else SOURCES,
        n_experiments=n,
        covered=round(total["covered"][0]),
        width=float(f"{total['width'][0] / n:.6g}"),
    )


def _power_cells(case: PowerCase, n: int, total: Counts) -> list[PowerCell]:
    return [
        PowerCell(
            null=case.null,
            n_sources=case.n_sources,
            strength=case.strength,
            metric=metric,
            n_experiments=n,
            rejections=round(total[metric][0]),
        )
        for metric in METRIC_NAMES
    ]


def _record(cell: Any, *properties: str) -> dict[str, Any]:
    """Fields and properties of a cell; pairs become ``_low`` and ``_high``."""
    record: dict[str, Any] = {}
    for field in dataclasses.fields(cell):
        value = getattr(cell, field.name)
        record[field.name] = str(value) if isinstance(value, enum.Enum) else value
    for name in properties:
        value = getattr(cell, name)
        if isinstance(value, tuple):
            record[f"{name}_low"], record[f"{name}_high"] = value
        else:
            record[name] = str(value) if isinstance(value, enum.Enum) else value
    if "smallest_p" in record:
        record["smallest_p"] = float(f"{record['smallest_p']:.6g}")
    return record


def _range(shares: Iterable[float]) -> str:
    every = list(shares)
    return f"{_percent(min(every))} to {_percent(max(every))}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.1 else f"{100 * share:.1f}"
