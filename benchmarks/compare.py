"""How long ``attnxai compare`` takes, as a user runs it: a new process, from the command to the report.

    python benchmarks/compare.py                       # the simulated sample that ships
    python benchmarks/compare.py --data-dir FOLDER     # also the 88 MiraBest images with components

FOLDER holds ``mirabest/`` and ``rgz/claran_full_catalogue.csv``. Every case is run ``--repeat`` times with
two threads; the table gives the median, the worst, and the limit that we hold ourselves to.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(arguments: list[str]) -> float:
    """Wall-clock time of one run in an empty folder."""
    threads = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "attnxai", "compare", *arguments],
            cwd=folder,
            env={**os.environ, **threads},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - start


def main() -> None:
    """Run all cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    cases = {"sample, 40 sources x 3 annotators": (["--annotations", "expert.csv"], 30.0)}
    if options.data_dir is not None:
        root = options.data_dir.resolve()
        cases["MiraBest, 88 sources x 1 annotator"] = (
            [
                "--annotations",
                str(root / "rgz" / "claran_full_catalogue.csv"),
                "--images",
                "mirabest",
                "--data-dir",
                str(root),
            ],
            60.0,
        )
    print("10,000 permutations and 10,000 resamples; d8.pt; two threads")
    print(f"{'case':<40}{'median':>9}{'worst':>9}{'limit':>9}")
    for name, (arguments, limit) in cases.items():
        times = [seconds(["--model", "d8.pt", *arguments]) for _ in range(options.repeat)]
        print(f"{name:<40}{statistics.median(times):>8.1f}s{max(times):>8.1f}s{limit:>8.0f}s")


if __name__ == "__main__":
    main()
