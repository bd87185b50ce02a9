"""Time and memory of reading what a comparison of very many sources starts from, without the comparison itself.

    python benchmarks/large_store.py                                       # 1,000, 10,000 and 100,000 sources
    python benchmarks/large_store.py --sources 1000 --folder large --keep  # leaves images, marks and maps there
    python benchmarks/large_store.py --sources 1000 --one all              # with comparison and report
    python benchmarks/large_store.py --sources 10000 --compare 2           # attnxai compare itself, with two workers

Simulated FITS cutouts (150 x 150 pixels, 8 bit, a place on the sky each), nine marks of three annotators a source, and a store
of maps as ``attnxai maps`` writes it are made first, some sources again and again with other noise. Every number of sources
is a process of its own; of each step CPU milliseconds a source and the most memory until then are printed. With ``--compare``
it is the command line, from reading to the report: seconds by the clock and of processors, and the most memory that all of its
processes held at once.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

import attnxai
from attnxai.agreement.comparison import ComparisonSettings
from attnxai.alignment.copies import independent_sources
from attnxai.alignment.source_facts import check_inputs
from attnxai.alignment.usable import usable_annotations
from attnxai.annotations.checks import check_annotations
from attnxai.annotations.inputs import read_inputs
from attnxai.data.grid import GridTransform
from attnxai.explanations.files import map_store
from attnxai.explanations.files.formats import open_maps
from attnxai.explanations.stack import MapStack, Split
from attnxai.report.content import location_of
from attnxai.report.surveys import images_by_survey

SIDE, N_SHAPES = 150, 200
PIXEL_DEG = 0.0005
LAYERS = {"gate1": 15, "gate2": 30, "gate3": 50}
HEADER = (
    "source",
    "annotator",
    "class",
    "label",
    "shape",
    "frame",
    "x",
    "y",
    "width",
    "height",
    "angle",
)


def sources_of(n: int) -> Iterator[tuple[str, np.ndarray, tuple[float, float], float, float]]:
    """Id, pixels, position (degrees), distance of the lobes in pixels and their angle."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    shapes = []
    for reach, angle in zip(
        rng.uniform(6, 30, N_SHAPES), rng.uniform(0, np.pi, N_SHAPES), strict=True
    ):
        dx, dy = reach * np.cos(angle), reach * np.sin(angle)
        lobes = sum(np.exp(-((y - s * dy) ** 2 + (x - s * dx) ** 2) / 18) for s in (-1, 1))
        shapes.append((lobes + 0.7 * np.exp(-(y**2 + x**2) / 6), reach, angle))
    for i in range(n):
        brightness, reach, angle = shapes[i % N_SHAPES]
        noisy = brightness + rng.normal(0, 0.02, brightness.shape)
        pixels = np.clip(200 * np.where(noisy > 0.06, noisy, 0), 0, 255).astype(np.uint8)
        yield f"J{i:06d}", pixels, ((i % 7000) * 0.05, -40.0 + (i // 7000) * 0.05), reach, angle


def marks_of(
    place: tuple[float, float], reach: float, angle: float, rng: np.random.Generator
) -> Iterator[tuple[Any, ...]]:
    """Label, shape, RA, Dec, width, height and angle of a core and two lobes."""
    for label, shape, along in (
        ("core", "point", 0),
        ("lobe", "ellipse", 1),
        ("lobe", "ellipse", -1),
    ):
        x, y = along * reach * np.array([np.cos(angle), np.sin(angle)]) + rng.normal(0, 1, 2)
        ra = (place[0] - x * PIXEL_DEG / np.cos(np.radians(place[1]))) % 360
        size = (18.0, 14.0, f"{rng.uniform(0, 180):.1f}") if shape == "ellipse" else ("", "", "")
        yield label, shape, f"{ra:.6f}", f"{place[1] + y * PIXEL_DEG:.6f}", *size


def maps_of(names: list[str], pixels: np.ndarray) -> MapStack:
    """Block means with noise of what a network with a round field sees."""
    rng = np.random.default_rng(int(names[0][1:]))
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    n, valid = len(names), np.hypot(x, y) <= SIDE / 2 - 1
    seen = np.where(valid, pixels / np.float32(255), np.float32(0))
    layers = {}
    for name, size in LAYERS.items():
        block = SIDE // size
        means = seen.reshape(n, size, block, size, block).mean(axis=(2, 4))
        layers[name] = means + 0.05 * rng.random(means.shape, np.float32)
    return MapStack(
        model_name="simulated",
        sources=tuple(names),
        layers=layers,
        geometry={name: GridTransform.covering((s, s), (SIDE, SIDE)) for name, s in LAYERS.items()},
        field=(GridTransform(),) * n,
        brightness=seen,
        valid=np.broadcast_to(valid, seen.shape),
        field_scale_arcsec=3600 * PIXEL_DEG,
        splits=(Split.HELD_OUT,) * n,
        scores=rng.normal(size=(n, 2)) + [[0, 1] if i % 2 else [1, 0] for i in range(n)],
        class_names=("FR I", "FR II"),
    )


def write_inputs(folder: Path, n: int) -> None:
    """Images, marks and a store of maps."""
    images, store = folder / "images", folder / "maps.zarr"
    images.mkdir(parents=True)
    rng = np.random.default_rng(1)
    tables = map_store.StoreTables.blank([f"J{i:06d}" for i in range(n)], 2)
    part: list[tuple[str, np.ndarray]] = []
    layout: dict[str, Any] = {}

    def write_chunk(number: int) -> None:
        nonlocal layout
        stack = maps_of([name for name, _ in part], np.stack([pixels for _, pixels in part]))
        layout = layout or map_store.layout_of(stack)
        for name, content in map_store.encoded_chunk(stack, range(len(stack))).items():
            file = store / name / map_store.file_of_chunk(number)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        start = number * map_store.CHUNK
        tables.places[start : start + len(stack)] = map_store.place_of(stack.field[0])
        assert tables.scores is not None
        tables.scores[start : start + len(stack)] = stack.scores
        part.clear()

    with open(folder / "marks.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for i, (name, pixels, place, reach, angle) in enumerate(sources_of(n)):
            cards = {
                "CTYPE1": "RA---SIN",
                "CTYPE2": "DEC--SIN",
                "CRVAL1": place[0],
                "CRVAL2": place[1],
            }
            cards |= {"CRPIX1": (SIDE + 1) / 2, "CRPIX2": (SIDE + 1) / 2, "CDELT1": -PIXEL_DEG}
            header = fits.Header({**cards, "CDELT2": PIXEL_DEG, "BMAJ": 0.0015, "BMIN": 0.0015})
            fits.PrimaryHDU(pixels, header).writeto(images / f"{name}.fits")
            for annotator in ("Ann", "Bob", "Cy"):
                for label, shape, x, y, *size in marks_of(place, reach, angle, rng):
                    writer.writerow(
                        [
                            name,
                            annotator,
                            ("FR I", "FR II")[i % 2],
                            label,
                            shape,
                            "icrs",
                            x,
                            y,
                            *size,
                        ]
                    )
            part.append((name, pixels))
            if len(part) == map_store.CHUNK or i == n - 1:
                write_chunk(i // map_store.CHUNK)
    tables = map_store.StoreTables(
        sources=tables.sources,
        reasons=tables.reasons,
        splits=("held-out",) * n,
        places=tables.places,
        scores=tables.scores,
    )
    map_store.write_metadata(store, layout, tables)


def peak_gigabytes() -> float:
    """The most memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure(folder: Path, n: int, *, compare: bool) -> dict[str, tuple[float, float]]:
    """CPU milliseconds a source of each step, and the most memory until its end."""
    warnings.simplefilter("ignore")
    found: dict[str, tuple[float, float]] = {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        used = time.process_time()
        result = work()
        found[name] = 1e3 * (time.process_time() - used) / n, peak_gigabytes()
        print(f"{name}: {found[name][0]:.2f} ms, {found[name][1]:.2f} GB", file=sys.stderr)
        return result

    found["start"] = 0.0, peak_gigabytes()
    file = step("maps opened", lambda: open_maps(folder / "maps.zarr"))
    inputs = step(
        "marks and images", lambda: read_inputs(folder / "marks.csv", str(folder / "images"))
    )
    marks, images = inputs.annotations, inputs.images
    step("checked", lambda: check_inputs(marks, images, use_source_weights=False))
    marks = step("usable marks", lambda: usable_annotations(marks, images, 5.4))
    marks, images, (maps,) = step(
        "copies", lambda: independent_sources(marks, images, [file.maps(images)])
    )
    step("annotators", lambda: check_annotations(marks, images, rng=0))
    step("images by survey", lambda: images_by_survey([maps], images))
    step("hash of images", images.sha256)
    if compare:
        result = step(
            "comparison",
            lambda: attnxai.compare(maps, marks, images, settings=ComparisonSettings()),
        )
        step("evidence", lambda: location_of(result))
        step(
            "report",
            lambda: attnxai.write_report(result, folder / "report", figures="png", overwrite=True),
        )
    return found


def held_gigabytes(process: int | str) -> float:
    """Memory of a process and those that it has started, shared memory counted once (Linux)."""
    folder = Path("/proc") / str(process)
    try:
        lines = (folder / "smaps_rollup").read_text().splitlines()
        started = (folder / "task" / str(process) / "children").read_text().split()
    except OSError:  # which has ended
        return 0.0
    held = sum(float(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return held * 1024 / 1e9 + sum(map(held_gigabytes, started))


def run_command(folder: Path, workers: int) -> tuple[float, float, float]:
    """Seconds and CPU seconds of ``attnxai compare``, and gigabytes of all its processes."""
    command = [sys.executable, "-m", "attnxai", "compare", "--quiet", "--figures", "png"]
    command += ["--maps", str(folder / "maps.zarr"), "--annotations", str(folder / "marks.csv")]
    command += ["--images", str(folder / "images"), "--output", str(folder / "report")]
    command += ["--workers", str(workers)]

    def used() -> float:
        return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])

    start, before, most = time.perf_counter(), used(), 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, held_gigabytes(process.pid))
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"attnxai compare ended with {process.returncode}")
    return time.perf_counter() - start, used() - before, most


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument(
        "--folder", type=Path, help="where to make the inputs; a temporary folder when left out"
    )
    parser.add_argument("--keep", action="store_true", help="leave the inputs")
    parser.add_argument("--compare", type=int, metavar="WORKERS", help="run attnxai compare")
    parser.add_argument("--one", choices=("reading", "all"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measured = measure(options.folder, options.sources[0], compare=options.one == "all")
        print(json.dumps(measured))
        return
    rows: dict[str, list[str]] = {}
    if options.compare:
        print(
            "| Sources | Workers | Seconds | CPU seconds | GB |\n| ---: | ---: | ---: | ---: | ---: |"
        )
    for n in options.sources:
        root = Path(tempfile.mkdtemp(dir=options.folder, prefix=f"{n}_"))
        try:
            write_inputs(root / "inputs", n)
            if options.compare:
                seconds, used, gigabytes = run_command(root / "inputs", options.compare)
                numbers = f"{seconds:.0f} | {used:.0f} | {gigabytes:.2f}"
                print(f"| {n:,} | {options.compare} | {numbers} |", flush=True)
                continue
            command = [
                sys.executable,
                __file__,
                "--one",
                "reading",
                "--sources",
                str(n),
                "--folder",
            ]
            done = subprocess.run(
                [*command, str(root / "inputs")], stdout=subprocess.PIPE, check=True, text=True
            )
        finally:
            if not options.keep:
                shutil.rmtree(root)
        for name, (milliseconds, gigabytes) in json.loads(done.stdout.splitlines()[-1]).items():
            rows.setdefault(name, []).append(f"{milliseconds:.2f} | {gigabytes:.2f}")
    if not rows:
        return
    print("| Step |" + "".join(f" {n:,}: ms | GB |" for n in options.sources))
    print("| --- |" + " ---: | ---: |" * len(options.sources))
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
