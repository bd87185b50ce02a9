"""Time and peak memory of ``attnxai maps`` into Zarr over the number of images.

    python benchmarks/many_images.py                            # 1,000, 4,000 and 16,000 simulated images
    python benchmarks/many_images.py --n-images 1000 100000 --workers 1 2

Every run is a process of its own, whose peak resident memory is that of it or of its largest worker. Images are of 150 x 150 pixels
in one HDF5 file, a few simulated sources again and again with other noise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

SIDE, BLOCK = 150, 1000
_RUN = """
import resource, sys
from attnxai.cli.main import app
try:
    app(sys.argv[1:])
finally:
    own, workers = (resource.getrusage(one).ru_maxrss for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"peak {own} {workers}", flush=True)
"""


def write_images(file: Path, n_images: int) -> None:
    """Two blobs and noise in each image."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    sources = []
    for distance, angle in zip(rng.uniform(5, 30, 50), rng.uniform(0, np.pi, 50), strict=True):
        dy, dx = distance * np.sin(angle), distance * np.cos(angle)
        sources.append(sum(np.exp(-((y - s * dy) ** 2 + (x - s * dx) ** 2) / 18) for s in (-1, 1)))
    brightness = np.array(sources, np.float32)
    with h5py.File(file, "w") as opened:
        images = opened.create_dataset(
            "images", (n_images, SIDE, SIDE), np.float32, chunks=(64, SIDE, SIDE)
        )
        images.attrs["pixel_scale_arcsec"] = 1.8
        for start in range(0, n_images, BLOCK):
            n = min(BLOCK, n_images - start)
            noise = rng.normal(0, 0.02, (n, SIDE, SIDE)).astype(np.float32)
            images[start : start + n] = brightness[np.arange(start, start + n) % 50] + noise


def run(folder: Path, images: Path, model: str, n_workers: int) -> tuple[float, float]:
    """Seconds by the clock, and gigabytes at the peak of the larger process."""
    output = folder / "maps.zarr"
    command = [
        sys.executable, "-c", _RUN, "maps", "--model", model, "--images", str(images), "--output", str(output),
        "--overwrite", "--quiet", "--workers", str(n_workers),
    ]  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr)
    peaks = done.stdout.split("peak ")[1].split()
    return seconds, max(map(int, peaks)) / 1024**2


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-images", type=int, nargs="+", default=[1000, 4000, 16000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--model", default="d8.pt")
    options = parser.parse_args()
    print("| Images | Workers | Seconds | Images a second | GB |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        for n_images in options.n_images:
            file = Path(name) / "images.h5"
            write_images(file, n_images)
            for n_workers in options.workers:
                seconds, peak = run(Path(name), file, options.model, n_workers)
                print(
                    f"| {n_images:,} | {n_workers} | {seconds:.0f} | {n_images / seconds:.0f} | {peak:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
