"""Throughput and peak memory of ``attnxai maps --scheduler`` over numbers of workers and of images.

    python benchmarks/clusters.py                            # 1,000 and 10,000 simulated images, 1, 2 and 4 workers
    python benchmarks/clusters.py --n-images 100000 --workers 2

Every run has a new Dask cluster on this machine, with one process a worker. Its workers import torch and compile their loops
with their first images. Images are those of ``many_images.py``; of 100,000 they take 9 GB of the disk, and their maps 12 GB.
"""

from __future__ import annotations

import argparse
import operator
import re
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from many_images import write_images

_RUN = """
import sys
sys.path.append(sys.argv.pop(1))
from clusters import usage
from attnxai.cli.main import app
try:
    app(sys.argv[1:])
finally:
    print("used", *usage(), flush=True)
"""
_GB = 1024**2


def usage() -> tuple[float, int]:
    """Processor time of this process in seconds, and its peak of resident memory in KB.

    What ``getrusage`` says of memory begins with that of the process that has started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return time.process_time(), int(re.search(r"VmHWM:\s+(\d+)", status)[1])  # type: ignore[index]


def run(
    folder: Path, images: Path, model: str, n_workers: int
) -> tuple[float, float, float, float]:
    """Seconds by the clock, and of the processor in all; gigabytes at the peak of the program, and of the largest worker."""
    from distributed import Client, LocalCluster

    with LocalCluster(
        n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        command = [
            sys.executable, "-c", _RUN, str(Path(__file__).parent), "maps", "--model", model, "--images", str(images), "--quiet",
            "--output", str(folder / "maps.zarr"), "--overwrite", "--scheduler", cluster.scheduler_address,
        ]  # fmt: skip
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit(done.stderr)
        with Client(cluster) as client:
            workers = list(client.run(usage).values())
    own, peak = map(float, done.stdout.split("used ")[1].split())
    processor = own + sum(used for used, _ in workers)
    return seconds, processor, peak / _GB, max(peak for _, peak in workers) / _GB


def overhead(n_jobs: int) -> float:
    """Milliseconds of the processor that this process, as command and scheduler, spends on a job that does nothing."""
    from distributed import LocalCluster

    from attnxai.jobs.runner import run_jobs
    from attnxai.jobs.worker import Job

    jobs = [Job(name=str(i), function=operator.is_) for i in range(n_jobs)]
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        run_jobs(jobs[:10], scheduler=cluster.scheduler_address)
        start = time.process_time()
        run_jobs(jobs, scheduler=cluster.scheduler_address)
        return 1000 * (time.process_time() - start) / n_jobs


def names(n_images: int) -> float:
    """Megabytes that a list of so many images takes."""
    from attnxai.data.image_list import ImageList, ImageReference

    tracemalloc.start()
    references = [
        ImageReference(f"images_{i:07d}", "images.h5", i, "images") for i in range(n_images)
    ]
    images = ImageList(references, origin="images.h5")
    del references
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / 1e6 if len(images) else 0.0


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-images", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--model", default="d8.pt")
    parser.add_argument("--folder", help="where images and maps are written, and removed again")
    options = parser.parse_args()
    print(
        "| Images | Workers | Seconds | Images a second | Ratio | CPU ms an image | Program, GB | Worker, GB |"
    )
    print("| --- " * 8 + "|")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for n_images in options.n_images:
            file = Path(name) / "images.h5"
            write_images(file, n_images)
            first = None
            for n_workers in options.workers:
                seconds, processor, program, worker = run(
                    Path(name), file, options.model, n_workers
                )
                first = first or seconds
                print(
                    f"| {n_images:,} | {n_workers} | {seconds:.0f} | {n_images / seconds:.0f} | {first / seconds:.2f} "
                    f"| {1000 * processor / n_images:.1f} | {program:.2f} | {worker:.2f} |",
                    flush=True,
                )
    print(f"\nA chunk takes the command and the scheduler {overhead(1000):.1f} ms of a core.")
    print(f"The names of 1,000,000 images take {names(1_000_000):.0f} MB.")


if __name__ == "__main__":
    main()
