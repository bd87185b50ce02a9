"""What evidence and the first audit cost a comparison: from maps to the written report, with and without them.

    python benchmarks/audit_in_compare.py                  # d8.pt on the simulated sample that ships
    python benchmarks/audit_in_compare.py --rounds 5

All are measured in one process, in turn, so that a busy machine slows all alike. Times are medians of CPU time, ratios the
medians of those of each round.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import attnxai
from attnxai.audit.evidence_location import maps_and_sums
from attnxai.audit.evidence_location_result import EvidenceLocation
from attnxai.audit.evidence_location_statistics import locate_evidence
from attnxai.report.content import location_of
from attnxai.report.document import write_report

BOTH = ("gates", "evidence")


def main() -> None:
    """Print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="d8.pt")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    model = attnxai.load_model(options.model)
    annotations = attnxai.read_annotations("expert.csv")
    files = annotations.image_files()
    images = attnxai.read_images([files[name] for name in annotations.sources])
    classes = [annotations.classes.get(image.source) for image in images]

    def reported(maps: Any, locate: Callable[[Any], EvidenceLocation]) -> None:
        result = attnxai.compare(maps, annotations, images, rng=0)
        with tempfile.TemporaryDirectory() as folder:
            write_report(result, Path(folder) / "report", locations={model.name: locate(result)})

    def plain(methods: Any) -> None:
        reported(attnxai.explain(model, images, methods), lambda _result: ready)

    def audited(methods: Any) -> None:
        maps, sums = maps_and_sums(model, images, methods)
        reported(maps, lambda result: location_of(result, sums))

    maps, sums = maps_and_sums(model, images, BOTH)
    ready = locate_evidence(maps, classes, sums=sums)
    steps: dict[str, Callable[[], object]] = {
        "gates, without the audit": lambda: plain("gates"),
        "gates, with the audit": lambda: audited("gates"),
        "gates and evidence, with the audit": lambda: audited(BOTH),
        "of which maps": lambda: attnxai.explain(model, images, BOTH),
        "of which maps and sums": lambda: maps_and_sums(model, images, BOTH),
        "of which numbers of the audit": lambda: locate_evidence(maps, classes, sums=sums),
    }
    plain("gates")  # what is loaded with the first report counts for none of them
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, step in steps.items():
            started = time.process_time()
            step()
            seconds[name].append(time.process_time() - started)
    first = next(iter(seconds.values()))
    print(f"{model.name}, {len(images)} images, {options.rounds} rounds, CPU time")
    for name, found in seconds.items():
        ratio = statistics.median(one / other for one, other in zip(found, first, strict=True))
        print(f"{name:36s} {statistics.median(found):7.2f} s {ratio:6.3f} of the first")


if __name__ == "__main__":
    main()
