"""A folder in which finished blocks of experiments are kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attnxai import __version__
from attnxai.errors import OptionError
from attnxai.jobs.files import named_faults, write_file
from attnxai.jobs.output_folder import OutputFolder, claimed_folder, output_folder
from attnxai.validation.suite import Counts

FORMAT = "attnxai-calibration-blocks"
FORMAT_VERSION = 1
"""Goes up whenever experiments change, so that counts of different ones never come together."""

BLOCKS_NAME = "blocks.jsonl"
RESULTS_NAME = "results"


class KeptBlocks:
    """Counts of finished blocks, a line each, in a file that grows.

    Parameters
    ----------
    root : Path
        The folder.
    seed : int
        Of the suite.
    """

    def __init__(self, root: Path, *, seed: int) -> None:
        self.root, self.seed = root, seed

    @property
    def file(self) -> Path:
        """File of the finished blocks."""
        return self.root / BLOCKS_NAME

    @property
    def _first_line(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "attnxai": __version__,
            "seed": self.seed,
        }

    @contextlib.contextmanager
    def opened(self) -> Iterator[OutputFolder]:
        """Make the folder, or see that it is one of this calibration, and keep other runs out of it.

        Yields
        ------
        OutputFolder
            Where the results are to be.

        Raises
        ------
        OptionError
            If it is a file, or holds something else.
        InUseError
            If another run works there.
        """

        def refuse(names: set[str]) -> None:
            if names and not self.file.is_file():
                raise OptionError(
                    f"--output {self.root} holds other files than a validation; name another folder"
                )

        results = self.root / RESULTS_NAME
        with (
            claimed_folder(self.root, refuse=refuse),
            output_folder(results, what="validation", overwrite=True) as output,
        ):
            self._check()
            yield output

    def _check(self) -> None:
        """Begin the file, or see that it was begun by a suite like this."""
        if not self.file.exists() or not self.file.stat().st_size:
            write_file(self.file, json.dumps(self._first_line) + "\n")
            return
        with self.file.open(encoding="utf-8", errors="replace") as lines:
            first = _parsed(lines.readline())
        if not first or first.get("format") != FORMAT:
            raise OptionError(f"{self.file} is no file of finished blocks; name another --output")
        if first.get("seed") != self.seed:
            raise OptionError(
                f"the experiments in {self.root} were made with --seed {first.get('seed')}, not "
                f"{self.seed}; give that seed, or another --output"
            )
        if first != self._first_line:
            raise OptionError(
                f"the experiments in {self.root} were made by attnxai {first.get('attnxai')}, and this "
                f"is {__version__}, whose experiments may be others; give another --output"
            )
        with self.file.open("rb+") as file:
            file.seek(-1, 2)
            if file.read(1) != b"\n":  # a line that an interruption has cut short
                file.write(b"\n")

    def read(self) -> dict[str, Counts]:
        """Counts of all finished blocks, by their keys; a line that was not finished is none."""
        found: dict[str, Counts] = {}
        with self.file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                content = _parsed(line)
                if content and "block" in content and "counts" in content:
                    found[content["block"]] = content["counts"]
        return found

    def append(self, key: str, counts: Counts) -> None:
        """Keep the counts of a block."""
        with named_faults(self.file), self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"block": key, "counts": counts}) + "\n")


def _parsed(line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
