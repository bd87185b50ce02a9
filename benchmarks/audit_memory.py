"""Peak memory and processor time of the audits that take all images, over the number of images.

    python benchmarks/audit_memory.py                          # 1,000 and 4,000 simulated images
    python benchmarks/audit_memory.py --n-images 16000 --maps

Every run is a process of its own. Images are those of ``many_images.py``, with alternating classes; with ``--maps`` the
maps of a store are audited instead of those that the model makes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import attnxai
from attnxai.audit import run_audits
from attnxai.models.zoo import resolve_model

AUDITS = ("evidence_location", "map_agreement", "class_means")
METHODS = ("gates", "evidence_relative")


def gigabytes() -> float:
    """The most memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure(model_name: str, file: Path, store: Path | None) -> dict[str, tuple[float, float]]:
    """Peak so far and processor milliseconds an image, after the images were read and after each audit."""
    warnings.simplefilter("ignore")
    model = attnxai.load_model(model_name)
    used = time.process_time()
    read = attnxai.data.list_images(file).read()
    images = [image.with_facts(class_name=("FR I", "FR II")[i % 2]) for i, image in enumerate(read)]
    options: dict[str, Any] = {}
    if store is not None:
        options["maps"] = attnxai.explanations.read_map_chunks(store)
    found = {}

    def note(name: str) -> None:
        nonlocal used
        now = time.process_time()
        found[name] = gigabytes(), 1e3 * (now - used) / len(images)
        used = now

    note("images read")
    for name in AUDITS:
        run_audits(model, images, [name], **options)
        note(name)
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-images", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--model", default="d8.pt")
    parser.add_argument("--maps", action="store_true", help="audit maps of a store")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        store = options.one.with_name("maps.zarr") if options.maps else None
        print(json.dumps(measure(options.model, options.one, store)))
        return
    from many_images import write_images

    columns = ("images read", *AUDITS)
    print(f"| Images | {' | '.join(f'{name}: GB | ms an image' for name in columns)} |")
    print("| --- |" + " --- | --- |" * len(columns))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "images.h5"
        for n in options.n_images:
            write_images(file, n)
            if options.maps:
                attnxai.explanations.write_map_store(
                    file.with_name("maps.zarr"),
                    str(resolve_model(options.model).path),
                    attnxai.data.list_images(file),
                    METHODS,
                    overwrite=True,
                )
            command = [sys.executable, __file__, "--one", str(file), "--model", options.model]
            command += ["--maps"] if options.maps else []
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            cells = [f"{gb:.2f} | {ms:.1f}" for gb, ms in found.values()]
            print(f"| {n:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
