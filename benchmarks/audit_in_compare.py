"""What the first audit costs a comparison: explaining the sample with and without it, and the audit's own numbers.

Every quantity is the median of several rounds in one process, in turn, so that a busy machine slows all alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import attnxai
from attnxai.audit.evidence_location import zone_sums_of
from attnxai.audit.locating import locate_evidence


def main() -> None:
    """Print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="d8.pt")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    model = attnxai.load_model(options.model)
    annotations = attnxai.read_annotations("expert.csv")
    files = annotations.image_files()
    images = attnxai.read_images([files[name] for name in annotations.sources])
    classes = [annotations.classes.get(image.source) for image in images]
    settings = attnxai.ComparisonSettings()

    def audited(method: str | list[str]) -> Any:
        sums = zone_sums_of(model)
        readers = [] if sums is None else [sums]
        return attnxai.explain(model, images, method, readers=readers), sums

    def located() -> Any:
        maps, sums = audited("gates")
        return locate_evidence(maps, classes, sums=sums)

    both = ["gates", "evidence"]
    steps: dict[str, Callable[[], Any]] = {
        "gates": lambda: attnxai.explain(model, images, "gates"),
        "gates, read by the audit": lambda: audited("gates"),
        "gates and evidence": lambda: attnxai.explain(model, images, both),
        "gates and evidence, read by the audit": lambda: audited(both),
        "the audit by itself, with its pass": located,
        "comparison of the gates": lambda: attnxai.compare(
            attnxai.explain(model, images), annotations, images, settings=settings
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, step in steps.items():
            started = time.process_time()
            step()
            seconds[name].append(time.process_time() - started)
    reference = statistics.median(seconds["gates"])
    print(f"{model.name}, {len(images)} images, {options.rounds} rounds, CPU time")
    for name, found in seconds.items():
        median = statistics.median(found)
        print(f"{name:40s} {median:7.2f} s {median / reference:6.2f} of the pass for the gates")


if __name__ == "__main__":
    main()
