"""How often misplaced annotators are found, and how often clean ones are taken for misplaced.

    python benchmarks/annotator_checks.py clean --n-sources 10 --n-experiments 334
    python benchmarks/annotator_checks.py fault --n-sources 5 10 20 40 --n-experiments 100

Sources and annotators are those of the shipped sample (examples/simulate_sample.py), drawn anew in every experiment. One JSON
line is printed for every number of sources and every fault.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import json
import math
import runpy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attnxai.annotations import Annotation, AnnotationSet, Shape, ShapeKind
from attnxai.annotations.checks import AnnotatorCheck, Placement, check_annotations
from attnxai.annotations.orientation import Orientation
from attnxai.annotations.readers.table import parse_table
from attnxai.annotations.table_columns import COLUMNS
from attnxai.data.images import SourceImage, SourceSet
from attnxai.data.simulation import CLASS_NAMES, simulate_source
from attnxai.statistics.exact import clopper_pearson_ends

SAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "simulate_sample.py"))
# name, tremor of the hand in arcsec and share of components missed, as in the sample
ANNOTATORS = (("simulated_1", 0.8, 0.05), ("simulated_2", 1.4, 0.15), ("simulated_3", 1.0, 0.10))
FLIP_X, FLIP_Y = np.diag([-1.0, 1.0]), np.diag([1.0, -1.0])
FAULTS: dict[str, tuple[Any, tuple[float, float]]] = {
    "flip in x": (FLIP_X, (0, 0)),
    "flip in y": (FLIP_Y, (0, 0)),
    "180 degrees": (-np.eye(2), (0, 0)),
    "x and y swapped": (np.array([[0.0, 1.0], [1.0, 0.0]]), (0, 0)),
    "rows counted from the top and from 1": (FLIP_Y, (1, 1)),
    "shift of 5 pixels": (np.eye(2), (5, 0)),
    "counted from 1": (np.eye(2), (1, 1)),
    "shift of 1 pixel": (np.eye(2), (0, 1)),
    "half of the sources flipped in y": (FLIP_Y, (0, 0)),
}
EXPECTED = {
    "flip in x": Orientation.FLIP_X,
    "flip in y": Orientation.FLIP_Y,
    "180 degrees": Orientation.HALF_TURN,
    "x and y swapped": Orientation.SWAPPED,
    "rows counted from the top and from 1": Orientation.FLIP_Y,
    "half of the sources flipped in y": Orientation.FLIP_Y,
}


def simulate(n_sources: int, rng: np.random.Generator) -> tuple[AnnotationSet, SourceSet]:
    """Sources and three clean annotators, as in the shipped sample."""
    streams = rng.spawn(n_sources + len(ANNOTATORS))
    annotators = [
        SAMPLE["Annotator"](name, stream, shake=shake, miss=miss)
        for (name, shake, miss), stream in zip(ANNOTATORS, streams, strict=False)
    ]
    rows, images = [], []
    for index, stream in enumerate(streams[len(ANNOTATORS) :]):
        source = simulate_source(CLASS_NAMES[index % 2], source=f"s{index}", rng=stream)
        images.append(source.image)
        for annotator in annotators:
            rows += annotator.mark(source)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return parse_table(text.getvalue(), path="simulated.csv"), SourceSet(images)


def misplaced(
    annotations: AnnotationSet,
    images: SourceSet,
    annotator: str,
    matrix: np.ndarray,
    shift: Sequence[float],
    sources: Sequence[str],
) -> AnnotationSet:
    """The same with an annotator's marks turned over about the middle of the image, and then shifted."""
    made: list[Annotation] = []
    for mark in annotations.annotations:
        if mark.annotator != annotator or mark.source not in sources:
            made.append(mark)
            continue
        for shape in _in_pixels(mark.shape, images[mark.source], matrix, np.array(shift)):
            made.append(dataclasses.replace(mark, shape=shape))
    return dataclasses.replace(annotations, annotations=tuple(made))


def _in_pixels(
    shape: Shape, image: SourceImage, matrix: np.ndarray, shift: np.ndarray
) -> list[Shape]:
    middle = np.array(image.shape[::-1]) / 2 - 0.5

    def moved(x: Any, y: Any) -> tuple[float, float]:
        new = matrix @ (np.array([float(x), float(y)]) - middle) + middle + shift
        return float(new[0]), float(new[1])

    found = []
    for region in shape.on_pixels(image.grid, source=image.source).to_regions():
        if shape.kind is ShapeKind.LINE:
            ends = tuple(moved(p.x, p.y) for p in (region.start, region.end))
            found.append(Shape(kind=shape.kind, vertices=ends))
        elif shape.kind is ShapeKind.POLYGON:
            corners = zip(region.vertices.x, region.vertices.y, strict=True)
            found.append(Shape(kind=shape.kind, vertices=tuple(moved(*c) for c in corners)))
        else:
            x, y = moved(region.center.x, region.center.y)
            own: dict[str, Any] = {}
            if shape.kind is ShapeKind.CIRCLE:
                own = {"radius": float(region.radius)}
            elif shape.kind is not ShapeKind.POINT:
                turn = region.angle.to_value("rad")
                along = matrix @ np.array([math.cos(turn), math.sin(turn)])
                own = {
                    "width": float(region.width),
                    "height": float(region.height),
                    "angle": math.degrees(math.atan2(along[1], along[0])),
                }
            found.append(Shape(kind=shape.kind, x=x, y=y, **own))
    return found


def recognised(check: AnnotatorCheck, fault: str) -> bool:
    """Whether the fault was found and called by its name, which may be among several."""
    evidence = check.evidence
    if check.placement is not Placement.FOUND or evidence is None:
        return False
    if fault in EXPECTED:
        return EXPECTED[fault] in evidence.turned
    shift = evidence.shift
    return not evidence.turned and shift is not None and shift.contains(*FAULTS[fault][1])


def share(n_found: int, n: int) -> dict[str, Any]:
    """A share and its 95 % interval (Clopper & Pearson)."""
    low, high = clopper_pearson_ends(n_found, n)
    return {"n": n, "share": n_found / n, "low": low, "high": high}


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("clean", "fault"))
    parser.add_argument("--n-sources", type=int, nargs="+", default=[10])
    parser.add_argument("--n-experiments", type=int, default=334)
    parser.add_argument("--fault", nargs="+", default=list(FAULTS))
    parser.add_argument("--lone", action="store_true", help="one annotator, and brightness alone")
    parser.add_argument("--seed", type=int, default=12)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for n_sources in options.n_sources:
        experiments = np.random.default_rng([options.seed, n_sources]).spawn(options.n_experiments)
        counts: dict[str, dict[str, int]] = {}
        for number, rng in enumerate(experiments):
            annotations, images = simulate(n_sources, rng)
            name = ANNOTATORS[number % 3][0]
            if options.lone:
                own = tuple(a for a in annotations.annotations if a.annotator == name)
                annotations = dataclasses.replace(annotations, annotations=own)
            faults = ["clean"] if options.part == "clean" else options.fault
            for fault in faults:
                data = annotations
                if fault != "clean":
                    chosen = images.sources[:: 2 if fault.startswith("half") else 1]
                    data = misplaced(annotations, images, name, *FAULTS[fault], chosen)
                count = counts.setdefault(fault, {})
                for check in check_annotations(data, images).annotators:
                    role = "own" if check.annotator == name and fault != "clean" else "others"
                    for key, is_so in (
                        ("n", True),
                        ("found", check.placement is Placement.FOUND),
                        ("clean", check.placement is Placement.CLEAN),
                        ("named", fault != "clean" and recognised(check, fault)),
                    ):
                        count[f"{role} {key}"] = count.get(f"{role} {key}", 0) + is_so
        for fault, count in counts.items():
            line: dict[str, Any] = {"fault": fault, "n_sources": n_sources, "lone": options.lone}
            for role in ("own", "others"):
                if n := count.get(f"{role} n"):
                    line[role] = {
                        k: share(count[f"{role} {k}"], n) for k in ("found", "named", "clean")
                    }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
