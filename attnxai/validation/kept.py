"""A folder in which finished blocks of experiments are kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attnxai import __version__
from attnxai.errors import OptionError
from attnxai.validation.suite import Counts

FORMAT = "attnxai-calibration-blocks"
FORMAT_VERSION = 1
"""Goes up whenever experiments change, so that counts of different ones never come together."""

BLOCKS_NAME = "blocks.jsonl"
LOCK_NAME = ".lock"
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
    def results(self) -> Path:
        """Folder of tables, figures and page."""
        return self.root / RESULTS_NAME

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
    def opened(self) -> Iterator[None]:
        """Make the folder, or see that it is one of this calibration, and keep a second one out.

        The lock goes with the process, however that ends. Where the file system has no locks, nothing is
        kept out.

        Raises
        ------
        OptionError
            If it is a file, holds something else, or another calibration works there.
        """
        root = self.root
        if root.exists() and not root.is_dir():
            raise OptionError(f"--output {root} is a file; name a folder")
        ancestor = next(parent for parent in root.absolute().parents if parent.exists())
        if not ancestor.is_dir():
            raise OptionError(f"--output {root} cannot be made: {ancestor} is no folder")
        own = {BLOCKS_NAME, LOCK_NAME, RESULTS_NAME}
        if root.exists() and any(path.name not in own for path in root.iterdir()):
            raise OptionError(
                f"--output {root} holds other files than a calibration; name another folder"
            )
        if (root / RESULTS_NAME).exists() and not self.file.exists():
            raise OptionError(
                f"--output {root} holds results of something else than a calibration; name another "
                "folder"
            )
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root):
            self._check()
            yield

    def _check(self) -> None:
        """Begin the file, or see that it was begun by a suite like this."""
        if not self.file.exists() or not self.file.stat().st_size:
            self.file.write_text(json.dumps(self._first_line) + "\n", encoding="utf-8")
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
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"block": key, "counts": counts}) + "\n")


def _parsed(line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # no POSIX system
        yield
        return
    with (root / LOCK_NAME).open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OptionError(
                f"another calibration is at work in {root}; wait for it, stop it, or name another "
                "--output"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
