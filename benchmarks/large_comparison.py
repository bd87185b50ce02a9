"""How time and memory of a comparison grow with thousands of sources.

    python benchmarks/large_comparison.py                          # 1,000 to 10,000 sources x 3 annotators
    python benchmarks/large_comparison.py --sources 200 400 --most-together 100

Sources and annotators are those of the shipped sample (examples/simulate_sample.py), drawn anew; maps are the brightness
at three resolutions with noise. Every number is from a new process. CPU seconds are those of
:func:`attnxai.compare_models`, without simulation and report. Memory is the most that the process held, and what it held
before: images, maps and marks, which grow with the sources. The last column is what a further source took.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
from annotator_checks import simulate

from attnxai.agreement.comparison import ComparisonSettings
from attnxai.agreement.model_comparison.comparison import compare_models
from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceSet
from attnxai.explanations.stack import MapStack, Split

SIDE, MARGIN = 150, 5
LAYERS = {"gate1": 15, "gate2": 30, "gate3": 50}
CLIP = 0.09


def maps_of(images: SourceSet) -> MapStack:
    """Maps at three resolutions of the middle of images, and what a network with a round field would see."""
    rng = np.random.default_rng(1)
    n = len(images)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    valid = np.broadcast_to(np.hypot(x, y) <= SIDE / 2 - 1, (n, SIDE, SIDE))
    inside = slice(MARGIN, MARGIN + SIDE)
    seen = np.empty((n, SIDE, SIDE), np.float32)
    for own, image in zip(seen, images, strict=True):
        own[:] = np.clip(image.pixels[inside, inside] / 5, 0, 1)
    seen[(seen < CLIP) | ~valid] = 0
    layers, geometry = {}, {}
    for name, size in LAYERS.items():
        block = SIDE // size
        means = seen.reshape(n, size, block, size, block).mean(axis=(2, 4))
        means /= means.max(axis=(1, 2), keepdims=True)
        layers[name] = (means + 0.3 * rng.random(means.shape)).astype(np.float32)
        geometry[name] = GridTransform.covering((size, size), (SIDE, SIDE))
    return MapStack(
        model_name="simulated",
        sources=images.sources,
        layers=layers,
        geometry=geometry,
        field=(GridTransform(origin_x=MARGIN, origin_y=MARGIN),) * n,
        brightness=seen,
        valid=valid,
        field_scale_arcsec=1.8,
        splits=(Split.HELD_OUT,) * n,
    )


def peak_gigabytes() -> float:
    """The most memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure(n_sources: int, most_together: int) -> dict[str, float]:
    """Seconds and memory of one comparison."""
    warnings.simplefilter("ignore")
    annotations, images = simulate(n_sources, np.random.default_rng(0))
    maps = maps_of(images)
    before = peak_gigabytes()
    settings = ComparisonSettings(most_together=most_together)
    start, used = time.perf_counter(), time.process_time()
    found = compare_models([maps], annotations, images, settings=settings)
    return {
        "n_blocks": found.results[0].settings["n_blocks"],
        "cpu": time.process_time() - used,
        "seconds": time.perf_counter() - start,
        "before": before,
        "peak": peak_gigabytes(),
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, nargs="+", default=[1_000, 2_000, 5_000, 10_000])
    parser.add_argument("--most-together", type=int, default=500)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.sources[0], options.most_together)))
        return
    print("| Sources | Blocks | CPU s | s | GB before | GB | CPU ms a further source | kB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    last: tuple[int, dict[str, float]] | None = None
    for n in options.sources:
        command = [sys.executable, __file__, "--one", "--sources", str(n)]
        command += ["--most-together", str(options.most_together)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        one = json.loads(done.stdout.splitlines()[-1])
        further = "| |"
        if last is not None:
            more = n - last[0]
            milliseconds = 1e3 * (one["cpu"] - last[1]["cpu"]) / more
            kilobytes = 1e6 * (one["peak"] - last[1]["peak"]) / more
            further = f"{milliseconds:.0f} | {kilobytes:.0f} |"
        print(
            f"| {n:,} | {one['n_blocks']} | {one['cpu']:.0f} | {one['seconds']:.0f} | {one['before']:.2f} | "
            f"{one['peak']:.2f} | {further}",
            flush=True,
        )
        last = n, one


if __name__ == "__main__":
    main()
