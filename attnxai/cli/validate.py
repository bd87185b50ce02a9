"""``attnxai validate``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

from attnxai.cli import options
from attnxai.cli.console import (
    console,
    details,
    progress,
    stage,
)
from attnxai.cli.endings import command, resumable
from attnxai.cli.help import STATISTICS
from attnxai.cli.options import flag, option

if TYPE_CHECKING:
    from attnxai.validation.plan import ValidationPlan

PARTS = ("false-positives", "coverage", "power")
NULLS = ("pooled", "within-class", "symmetries", "rotation", "shift", "phase", "variogram", "moran")


@command(
    """Validate the statistics on simulated truth: false positive rate, coverage and power.

    Tests and intervals are applied to simulated data whose truth is known. Run it again after an
    interruption, or with more experiments or parts: finished experiments are reused."""
)
def validate(
    output: options.OutputFolderOption,
    part: Annotated[
        list[str] | None,
        option(
            f"What to measure: {', '.join(PARTS)}; repeat for several. [default: all]",
            STATISTICS,
            "NAME",
            choices=lambda: PARTS,
        ),
    ] = None,
    null: Annotated[
        list[str] | None,
        option(
            f"Null to validate: {', '.join(NULLS)}; repeat for several. [default: all]",
            STATISTICS,
            "NAME",
            choices=lambda: NULLS,
        ),
    ] = None,
    n_experiments: Annotated[
        int | None,
        option(
            "Number of experiments per design. [default: 1000, with --quick 100]",
            STATISTICS,
            min=10,
            max=1_000_000,
        ),
    ] = None,
    quick: Annotated[
        bool,
        flag("--quick", "Up to 20 sources and 5 annotators, and fewer experiments.", STATISTICS),
    ] = False,
    seed: options.SeedOption = 0,
    workers: options.WorkersOption = 1,
) -> None:
    """``attnxai validate``."""
    with stage("Starting"):
        from attnxai.report.validation_document import write_validation
        from attnxai.validation.folder import validation_folder
        from attnxai.validation.plan import (
            N_EXPERIMENTS,
            N_EXPERIMENTS_QUICK,
            Part,
            ValidationPlan,
            run_validation,
        )
        from attnxai.validation.rejections import NullKind
        from attnxai.validation.results import ValidationResult

    kinds = {kind.option: kind for kind in NullKind}
    n = n_experiments or (N_EXPERIMENTS_QUICK if quick else N_EXPERIMENTS)
    plan = ValidationPlan(
        seed=seed,
        n_experiments=n,
        parts=tuple(map(Part, options.listed_names("--part", part or PARTS, PARTS))),
        nulls=tuple(kinds[name] for name in options.listed_names("--null", null or NULLS, NULLS)),
        quick=quick,
    )
    with (
        validation_folder(output, seed=seed) as (store, results),
        resumable(lambda: "finished experiments are kept"),
        progress() as begin,
    ):
        show = begin.resumed("Experiments", "block")
        counts = run_validation(plan, store, n_workers=workers, on_progress=show)
        replaced = any(results.path.glob("*.html"))
        result = ValidationResult.of(plan, counts)
        write_validation(
            result, results, command=_command_of(plan), on_step=begin("Tables and figures")
        )
    for sentence in result.sentences():
        details.print(f"- {sentence}")
    if replaced:
        details.print(
            "- The results hold what this command asked for, in place of those of an earlier one; finished "
            "experiments of both are kept."
        )
    details.print()
    console.print(f"Results: {results.path / 'index.html'}", soft_wrap=True)


def _command_of(plan: ValidationPlan) -> str:
    """The command that gives the same results, whatever the folder and the number of workers."""
    words = ["attnxai", "validate", "--output", "FOLDER"]
    words += ["--n-experiments", str(plan.n_experiments), "--seed", str(plan.seed)]
    words += ["--quick"] if plan.quick else []
    for name, chosen, every in (
        ("--part", [str(part) for part in plan.parts], PARTS),
        ("--null", [null.option for null in plan.nulls], NULLS),
    ):
        if tuple(chosen) != every:
            words += [word for one in chosen for word in (name, one)]
    return shlex.join(words)
