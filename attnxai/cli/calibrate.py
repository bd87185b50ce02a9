"""``attnxai calibrate``."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnxai.cli.console import command, console, progress_bar, resumable, stderr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from attnxai.validation.rejections import NullKind
    from attnxai.validation.suite import Part, SuitePlan

PARTS = "levels,coverage,power"
NULLS = "pooled,within-class,symmetries,rotation,shift,phase,variogram,moran"
_PLAIN_STEPS = 20


@command
def calibrate(
    output: Annotated[
        Path, typer.Option(help="Folder of the calibration; the same folder goes on with it.")
    ],
    n_experiments: Annotated[
        int | None,
        typer.Option(min=10, help="Experiments of a case; else 1000, and 100 with --quick."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same numbers.")] = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that share the work; the numbers are the same.")
    ] = 1,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Up to 20 sources and 5 annotators, and fewer experiments."),
    ] = False,
    parts: Annotated[
        str, typer.Option(help="Parts of the suite to run, separated by commas.")
    ] = PARTS,
    nulls: Annotated[str, typer.Option(help="Nulls to look at, separated by commas.")] = NULLS,
) -> None:
    """Measure how often tests reject and intervals cover, on simulated data where the truth is known.

    Run it again after an interruption, or with more experiments or parts: finished experiments are used
    again.
    """
    with stderr.status("Starting…"):
        from attnxai.report.calibration_document import write_calibration
        from attnxai.validation.folder import validation_folder
        from attnxai.validation.results import CalibrationResult
        from attnxai.validation.suite import (
            N_EXPERIMENTS,
            N_EXPERIMENTS_QUICK,
            SuitePlan,
            run_suite,
        )

    n = n_experiments or (N_EXPERIMENTS_QUICK if quick else N_EXPERIMENTS)
    plan = SuitePlan(
        seed=seed,
        n_experiments=n,
        parts=_chosen_parts(parts),
        nulls=_chosen_nulls(nulls),
        quick=quick,
    )
    with (
        validation_folder(output, seed=seed) as (store, results),
        resumable(lambda: "finished experiments are kept"),
        progress_bar() as bar,
    ):
        counts = run_suite(plan, store, n_workers=workers, on_progress=_Board(bar).show)
        replaced = any(results.path.glob("*.html"))
        task = bar.add_task("Tables and figures", total=None)
        result = CalibrationResult.of(plan, counts)
        write_calibration(
            result,
            results,
            command=_command_of(plan),
            on_step=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for sentence in result.sentences():
        console.print(f"- {sentence}")
    if replaced:
        console.print(
            "- The results hold what this command asked for, in place of those of an earlier one; finished "
            "experiments of both are kept.",
        )
    console.print(f"\nResults: {results.path / 'index.html'}", soft_wrap=True)


def _chosen_parts(text: str) -> tuple[Part, ...]:
    from attnxai.validation.suite import Part

    names = _listed("--parts", text, [str(part) for part in Part])
    return tuple(part for part in Part if part in names)


def _chosen_nulls(text: str) -> tuple[NullKind, ...]:
    from attnxai.validation.rejections import NullKind

    names = _listed("--nulls", text, [null.option for null in NullKind])
    return tuple(null for null in NullKind if null.option in names)


def _listed(option: str, text: str, known: list[str]) -> set[str]:
    from attnxai.errors import OptionError

    names = {part.strip() for part in text.split(",")}
    unknown = sorted(names - set(known))
    if unknown:
        raise OptionError(
            f"{option} {text!r} names {', '.join(repr(name) for name in unknown)}; known are "
            f"{', '.join(known)}"
        )
    return names


def _command_of(plan: SuitePlan) -> str:
    """What makes the same results, whatever the folder and the number of workers."""
    words = ["attnxai", "calibrate", "--output", "DIR", "--n-experiments", str(plan.n_experiments)]
    words += ["--seed", str(plan.seed), *(["--quick"] if plan.quick else [])]
    parts = ",".join(plan.parts)
    nulls = ",".join(null.option for null in plan.nulls)
    words += ["--parts", parts] if parts != PARTS else []
    words += ["--nulls", nulls] if nulls != NULLS else []
    return shlex.join(words)


class _Board:
    """Shows how many blocks are finished: a bar, or lines where there is no terminal."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task: TaskID | None = None
        self._before = 0
        self._began = time.monotonic()

    def show(self, done: int, total: int) -> None:
        """Show the numbers of finished and of all blocks."""
        if self._task is None:
            self._task = self._bar.add_task("Blocks of experiments", total=total, completed=done)
            self._before = done
            if done:
                stderr.print(f"{done} of {total} blocks of experiments are finished already")
            return
        self._bar.update(self._task, completed=done)
        if (
            not stderr.is_terminal
            and done * _PLAIN_STEPS // total > (done - 1) * _PLAIN_STEPS // total
        ):
            seconds = time.monotonic() - self._began
            left = seconds / (done - self._before) * (total - done)
            stderr.print(
                f"{done} of {total} blocks ({100 * done // total} %), {seconds:.0f} s, about {left:.0f} s "
                "left",
            )
