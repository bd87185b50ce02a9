"""How long commands take before they work: their help and an import, beside a Python that does nothing.

    python benchmarks/starting.py

Every case is a new process; the table has the smallest of ``--repeat`` processor times, taken in turns, and their ratios
to importing the libraries that the help is made with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from agreement import heading, row

CASES = {
    "`python -c pass`": ("-c", "pass"),
    "typer, rich and numpy imported": (
        "-c",
        "import typer, rich.console, rich.progress, rich.table, numpy",
    ),
    "`import attnxai`": ("-c", "import attnxai"),
    "`attnxai --help`": ("-m", "attnxai", "--help"),
    "`attnxai compare --help`": ("-m", "attnxai", "compare", "--help"),
    "`attnxai models list`": ("-m", "attnxai", "models", "list"),
    "torch imported": ("-c", "import torch"),
}


def seconds(arguments: tuple[str, ...]) -> float:
    """Processor time of a new Python."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])  # of children that ended


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    turns = [{name: seconds(case) for name, case in CASES.items()} for _ in range(options.repeat)]
    least = {name: min(turn[name] for turn in turns) for name in CASES}
    libraries = least["typer, rich and numpy imported"]
    heading("New process", "Seconds", "Beside typer, rich and numpy")
    for name, taken in least.items():
        row(name, round(taken, 2), round(taken / libraries, 1))


if __name__ == "__main__":
    main()
