"""Whether a comparison gives the same bytes every time, on a processor that is busy with other work.

    python benchmarks/repeatability.py                               # ten runs
    python benchmarks/repeatability.py --runs 50 --folder FOLDER     # goes on where FOLDER ends
    python benchmarks/repeatability.py --folder FOLDER --poison      # against the runs that FOLDER holds
    python benchmarks/repeatability.py --command                     # ``attnxai compare`` and its files

Every run is a new process with another hash seed and the models in another order. It compares three shipped
models with the shipped sample and hashes each stage: images, maps, aligned fields, values of single sources,
and the results as JSON. The first run of a folder is the reference; a run that differs is kept beside it, and
its numbers are listed. The exit code is 1 if any run differs.

Beside each run another process, beside every fourth two, repeats a few NumPy and SciPy operations on fixed
arrays at low priority (a mean over an axis, a Gaussian filter of a constant, a product of matrices, a sort,
exponentials, zeroed memory) and compares the bytes with its own first. It keeps the processor busy and watches
it: if it differs, the machine does, whatever attnxai does. The run does the same between its stages.

``--poison`` fills all memory that is allocated without being initialised, so that reading it before writing
changes the result: ``numpy.empty`` and its like give arrays full of a pattern that changes from run to run,
and the C library fills every block (``MALLOC_PERTURB_`` of glibc). ``--threads`` and ``--set NAME=VALUE`` change
the environment; other numbers of threads and other kernels of the linear algebra may add in another order, so
what they show is for information.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

MODELS = ("d8.pt", "d1.pt", "c1.pt")
PATTERNS = (0xFF, 0xA5, 0x7F, 0x01)  # bytes that become NaN, huge, tiny and negative numbers
RUNS, REFERENCE = "runs.jsonl", "reference.json"


def digest(content: bytes | np.ndarray) -> str:
    """Hash of the bytes, and for an array of its shape and type."""
    if isinstance(content, np.ndarray):
        content = (
            f"{content.shape}{content.dtype}".encode() + np.ascontiguousarray(content).tobytes()
        )
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def control_operations() -> dict[str, Callable[[], np.ndarray]]:
    """Operations on fixed arrays whose results do not depend on anything else."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    stack = rng.normal(size=(40, 300, 300))
    constant = np.full((300, 300), 0.1)
    left, right = rng.normal(size=(200, 4000)), rng.normal(size=(4000, 200))
    values = rng.normal(size=200_000)

    def zeroed() -> np.ndarray:
        fresh = np.zeros(
            5_000_000
        )  # too large to be anything but new pages of the operating system
        fresh[::512] = 1.0  # which it hands out when they are written to
        return np.flatnonzero(fresh)

    return {
        "zeroed memory": zeroed,
        "mean over an axis": lambda: stack.mean(axis=0),
        "mean over rows": lambda: stack.reshape(400, -1).mean(axis=1),
        "Gaussian filter": lambda: gaussian_filter(constant, 3.0),
        "product": lambda: left @ right,
        "sort": lambda: np.argsort(values),
        "exponential": lambda: np.exp(values),
    }


class Control:
    """Repeats the control operations and counts results that differ from the first."""

    def __init__(self) -> None:
        self._operations = control_operations()
        self.digests = {name: digest(run()) for name, run in self._operations.items()}
        self.n_rounds = 1
        self.different: dict[str, int] = {}

    def round(self) -> None:
        """Run each operation once."""
        self.n_rounds += 1
        for name, run in self._operations.items():
            if digest(run()) != self.digests[name]:
                self.different[name] = self.different.get(name, 0) + 1

    def record(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rounds": self.n_rounds,
            "different": self.different,
            "digests": self.digests,
        }


def control_loop() -> None:
    """Repeat until standard input ends, and print what was found."""
    import select

    os.nice(5)
    control = Control()
    while not select.select([sys.stdin], [], [], 0)[0]:
        control.round()
    print(json.dumps(control.record()))


def poison(pattern: int) -> None:
    """Let every way of asking NumPy for memory without values give a pattern of bytes."""
    import astropy.units  # noqa: F401  it knows the functions of NumPy by identity

    empty, empty_like = np.empty, np.empty_like

    def filled(array: np.ndarray) -> np.ndarray:
        if type(array) is not np.ndarray or array.dtype.hasobject:
            return array
        if array.flags.c_contiguous or array.flags.f_contiguous:
            array.reshape(-1, order="A").view(np.uint8)[...] = pattern
        return array

    np.empty = lambda *a, **k: filled(empty(*a, **k))  # type: ignore[misc, assignment]
    np.empty_like = lambda *a, **k: filled(empty_like(*a, **k))  # type: ignore[assignment]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One comparison: hashes of its stages, and its numbers."""
    import attnxai
    from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
    from attnxai.alignment.pairs import align
    from attnxai.metrics import METRICS
    from attnxai.nulls import NULLS

    settings = ComparisonSettings(n_permutations=options.n_draws, n_bootstrap=options.n_draws)
    if options.everything:
        nulls = tuple(name for name, null in NULLS.items() if not null().permutes_sources)
        settings = dataclasses.replace(settings, metrics=tuple(METRICS), nulls=nulls)
    control = Control()
    annotations = attnxai.read_annotations("expert.csv")
    files = annotations.image_files()
    names = annotations.sources[: options.n_sources]
    annotations = annotations.select(names)
    images = attnxai.read_images([files[name] for name in names])
    digests = {"images": digest(np.stack([image.pixels for image in images]))}
    results = {}
    turn = options.turn % len(MODELS)
    for name in MODELS[turn:] + MODELS[:turn]:
        control.round()
        maps = attnxai.attention_maps(attnxai.load_model(name), images)
        pairs = align(maps, annotations, images)
        result = compare_pairs(pairs, settings=settings, rng=0)
        results[name] = result
        stages = {
            "brightness": maps.brightness,
            "valid": maps.valid,
            "scores": np.asarray(maps.scores),
            **{f"map {layer}": values for layer, values in maps.layers.items()},
            "densities": pairs.density,
            "masks": pairs.mask,
            **{f"aligned {which}": values for which, values in pairs.explanations.items()},
            **{f"baseline {which}": values for which, values in pairs.baselines.items()},
            "values": result.values,
        }
        digests |= {f"{name}: {stage}": digest(values) for stage, values in stages.items()}
        table = result.per_source_frame().to_csv(index=False)
        digests[f"{name}: table of sources"] = digest(table.encode())
    control.round()
    compared = attnxai.contrast_results(
        [results[name] for name in MODELS],
        n_draws=options.n_draws,
        n_bootstrap=options.n_draws,
        rng=0,
    )
    numbers = {name: results[name].to_record() for name in MODELS}
    numbers["contrasts"] = compared.to_record()
    digests["results"] = digest(json.dumps(numbers, sort_keys=True).encode())
    return {"digests": digests, "numbers": numbers, "control": control.record()}


def command_files() -> dict[str, Any]:
    """Run ``attnxai compare`` as a user does: hashes of the files of its report, and its numbers."""
    arguments = [part for name in MODELS for part in ("--model", name)]
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            [sys.executable, "-m", "attnxai", "compare", *arguments, "--annotations", "expert.csv"],
            cwd=place,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        report = Path(place) / "attnxai-report"
        return {
            "digests": {
                str(file.relative_to(report)): digest(file.read_bytes())
                for file in sorted(report.rglob("*"))
                if file.is_file() and file.suffix in {".json", ".csv", ".tex", ".html"}
            },
            "numbers": json.loads((report / "summary.json").read_text(encoding="utf-8")),
            "control": {"rounds": 0, "different": {}, "digests": {}},
        }


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value within nested records, with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}/{index}")
    else:
        yield path, value


def differing_numbers(reference: Any, found: Any) -> list[tuple[str, Any, Any]]:
    """Places where two records differ, with both values."""
    before, after = dict(leaves(reference)), dict(leaves(found))
    return [
        (place, before.get(place), after.get(place))
        for place in sorted(before.keys() | after.keys())
        if before.get(place) != after.get(place)
    ]


def run_once(options: argparse.Namespace, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run in a process of its own, with controls beside it; its line in the log, and what it found."""
    pattern = PATTERNS[number % len(PATTERNS)] if options.poison else None
    changed = dict(setting.split("=", 1) for setting in options.set)
    threads = str(options.threads)
    changed |= {
        "PYTHONHASHSEED": str(number),
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }
    if pattern is not None:
        changed["MALLOC_PERTURB_"] = str(pattern)
    this = [sys.executable, str(Path(__file__).resolve())]
    run = [*this, "--once", "--turn", str(number), "--n-draws", str(options.n_draws)]
    run += ["--n-sources", str(options.n_sources)]
    run += ["--everything"] * options.everything + ["--command"] * options.command
    run += ["--pattern", str(pattern)] if pattern is not None else []
    beside = [
        subprocess.Popen(
            [*this, "--control"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        for _ in range(1 + (number % 4 == 3))
    ]
    start = time.perf_counter()
    try:
        made = subprocess.run(
            run, env={**os.environ, **changed}, capture_output=True, text=True, check=False
        )
    finally:
        controls = [json.loads(process.communicate()[0]) for process in beside]
    seconds = time.perf_counter() - start
    if made.returncode:
        sys.exit(f"run {number} ended with exit code {made.returncode}:\n{made.stderr[-3000:]}")
    found = json.loads(made.stdout)
    line = {
        "run": number,
        "date": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "seconds": round(seconds, 1),
        "environment": changed,
        "pattern": pattern,
        "digests": found["digests"],
        "controls": [found["control"], *controls],
    }
    return line, found


def different_controls(lines: list[dict[str, Any]]) -> tuple[int, dict[str, int]]:
    """Rounds of the control operations, and how often each operation gave other bytes.

    Within a process they are compared with its first round, and processes in one environment with each other.
    """
    n_rounds, different = 0, dict[str, int]()
    first: dict[tuple[str, str], str] = {}
    for line in lines:
        for position, control in enumerate(line["controls"]):
            n_rounds += control["rounds"]
            for name, count in control["different"].items():
                different[name] = different.get(name, 0) + count
            # the first is within the run, in whose environment sums may have another order
            environment = "" if position else f"{line['kind']['threads']} {line['kind']['set']}"
            for name, value in control["digests"].items():
                if value != first.setdefault((environment, name), value):
                    different[name] = different.get(name, 0) + 1
    return n_rounds, different


def report(line: dict[str, Any], found: dict[str, Any], reference: dict[str, Any]) -> bool:
    """Say whether a run gave the bytes of the reference; where not, which stages and numbers differ."""
    stages = [
        name
        for name in sorted(reference["digests"].keys() | line["digests"].keys())
        if reference["digests"].get(name) != line["digests"].get(name)
    ]
    print(
        f"run {line['run']:>3}: {line['seconds']:>6.1f} s, {len(line['controls'])} controls, "
        f"{'the same bytes' if not stages else 'DIFFERENT: ' + '; '.join(stages)}",
        flush=True,
    )
    if stages:
        numbers = differing_numbers(reference["numbers"], found["numbers"])
        for place, before, after in numbers[:20]:
            print(f"    {place}: {before!r} in the reference, {after!r} here")
        if len(numbers) > 20:
            print(f"    and {len(numbers) - 20} more numbers")
    return not stages


def repeat(options: argparse.Namespace, folder: Path) -> int:
    """All runs that are asked for; the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    log, reference_file = folder / RUNS, folder / REFERENCE
    lines = []
    if log.exists():
        lines = [json.loads(text) for text in log.read_text(encoding="utf-8").splitlines()]
    question = {
        "n_draws": options.n_draws,
        "n_sources": options.n_sources,
        "everything": options.everything,
        "command": options.command,
    }
    if reference_file.exists():
        reference = json.loads(reference_file.read_text(encoding="utf-8"))
        if reference["question"] != question:
            sys.exit(f"{folder} holds runs of another question, {reference['question']}")
    else:
        reference = None
    kind = {"poison": options.poison, "threads": options.threads, "set": options.set}
    n_done = sum(line["kind"] == kind for line in lines)
    for number in range(len(lines), len(lines) + options.runs - n_done):
        line, found = run_once(options, number)
        if reference is None:
            reference = {"question": question, **{k: found[k] for k in ("digests", "numbers")}}
            reference_file.write_text(json.dumps(reference), encoding="utf-8")
        line |= {"kind": kind, "same": report(line, found, reference)}
        if not line["same"]:
            kept = folder / f"run-{number}.json"
            kept.write_text(json.dumps(found["numbers"]), encoding="utf-8")
        lines.append(line)
        with open(log, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")
    n_rounds, different = different_controls(lines)
    n_different = sum(not line["same"] for line in lines)
    print(f"{n_different} of {len(lines)} runs differ from the first")
    told = ", ".join(f"{name} {count} times" for name, count in different.items()) or "none differs"
    print(f"{n_rounds} rounds of control operations: {told}")
    return 1 if n_different or different else 0


def main() -> None:
    """Parse, and run once, beside, or as often as asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10, help="runs of this kind in all")
    parser.add_argument("--folder", type=Path, help="log and reference; else forgotten afterwards")
    parser.add_argument("--n-draws", type=int, default=500, help="permutations and resamples")
    parser.add_argument("--n-sources", type=int, default=40, help="sources of the sample")
    parser.add_argument("--everything", action="store_true", help="every metric and every null")
    parser.add_argument("--command", action="store_true", help="the command, and files it writes")
    parser.add_argument("--poison", action="store_true", help="fill memory that is not initialised")
    parser.add_argument("--threads", type=int, default=1, help="threads of the linear algebra")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    for hidden in ("--once", "--control"):
        parser.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--turn", "--pattern"):
        parser.add_argument(hidden, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.control:
        control_loop()
    elif options.once:
        if options.pattern is not None:
            poison(options.pattern)
        found = command_files() if options.command else measure(options)
        print(json.dumps(found))
    elif options.folder is not None:
        sys.exit(repeat(options, options.folder))
    else:
        with tempfile.TemporaryDirectory() as folder:
            sys.exit(repeat(options, Path(folder)))


if __name__ == "__main__":
    main()
