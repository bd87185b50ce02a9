"""The folder of a validation: finished blocks of experiments, and the results."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from attnxai import __version__
from attnxai.errors import OptionError
from attnxai.jobs.output_folder import OutputFolder, claimed_folder, output_folder
from attnxai.jobs.store import ResultStore

EXPERIMENTS_VERSION = 1
"""Goes up whenever experiments change, so that counts of different ones never come together."""

BLOCKS_NAME = "blocks.jsonl"
RESULTS_NAME = "results"


@contextlib.contextmanager
def validation_folder(root: Path, *, seed: int) -> Iterator[tuple[ResultStore, OutputFolder]]:
    """Make or reopen the folder of a validation, and lock it.

    Yields the counts of finished blocks by their keys, and the folder for tables, figures and page.
    """

    def refuse(names: set[str]) -> None:
        if names - {RESULTS_NAME} and BLOCKS_NAME not in names:
            raise OptionError(
                f"the output {root} holds other files than a validation; name another folder"
            )

    identity = {"seed": seed, "attnxai": __version__, "experiments_version": EXPERIMENTS_VERSION}
    with (
        claimed_folder(root, refuse=refuse),
        output_folder(root / RESULTS_NAME, what="validation", overwrite=True) as results,
    ):
        yield ResultStore(root / BLOCKS_NAME, identity=identity), results
