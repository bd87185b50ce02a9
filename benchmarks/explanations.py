"""Time and memory of every explanation method, beside a forward pass of the network.

    python benchmarks/explanations.py                   # d8.pt on images of the sample that ships
    python benchmarks/explanations.py --model my.pt     # another model

Every method runs in a process of its own with one thread, after one forward pass. Seconds are those of the processor for an
image, the smallest of ``--repeat`` runs; memory is by how much the peak of the process rises, divided by the images, or changed versions of them,
that pass the network at once.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
import warnings

import torch

import attnxai
from attnxai.explanations.explaining import EXPLANATIONS
from attnxai.explanations.inputs import NetworkInputs
from attnxai.models.evaluation import evaluating

_MANY_PASSES = (
    "integrated_gradients", "gradient_shap", "smoothgrad", "occlusion", "patch_ablation", "superpixel_ablation",
    "island_ablation",
)  # fmt: skip
FORWARD = "forward pass"


def measure(model_name: str, method: str, n_images: int, repeat: int) -> None:
    """Print seconds an image and megabytes for each at once."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    model = attnxai.load_model(model_name)
    annotations = attnxai.read_annotations("expert.csv")
    files = annotations.image_files()
    sources = annotations.sources[:n_images]
    images = attnxai.read_images([files[source] for source in sources])
    inputs = NetworkInputs.of(model, images)

    def forward() -> None:
        with evaluating(model.network):
            for batch in inputs.batches():
                model.network(batch)

    def run() -> None:
        if method == FORWARD:
            forward()
        else:
            attnxai.explain(model, images, method)

    with evaluating(model.network):
        model.network(next(inputs.batches(1)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(repeat):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    rise = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    options = EXPLANATIONS[method].function if method != FORWARD else None
    batch_size = getattr(options, "batch_size", 16)
    # smoothgrad takes each image once in a pass
    fills_batches = method in _MANY_PASSES and method != "smoothgrad"
    at_once = batch_size if fills_batches else min(batch_size, n_images)
    print(min(times) / n_images, rise / at_once)


def main() -> None:
    """Measure all methods and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="d8.pt")
    parser.add_argument("--method", help="measure this one alone, in this process")
    parser.add_argument("--n-images", type=int, default=16)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if options.method:
        measure(options.model, options.method, options.n_images, options.repeat)
        return
    print("| Method | Seconds an image | Forward passes | MB for each image at once |")
    print("| --- | --- | --- | --- |")
    forward = None
    for method in (FORWARD, *sorted(EXPLANATIONS)):
        many = method in _MANY_PASSES
        command = [
            sys.executable, __file__, "--model", options.model, "--method", method,
            "--n-images", str(2 if many else options.n_images), "--repeat", str(1 if many else options.repeat),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"| `{method}` | refused: {done.stderr.strip().splitlines()[-1]} | | |")
            continue
        seconds, memory = map(float, done.stdout.split())
        forward = forward or seconds
        print(
            f"| `{method}` | {seconds:.2g} | {seconds / forward:.3g} | {memory:.0f} |", flush=True
        )


if __name__ == "__main__":
    main()
