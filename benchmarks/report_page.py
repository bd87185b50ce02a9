"""Size of a report, and how fast its page is in Chromium.

    python benchmarks/report_page.py --n-sources 150 --n-maps 8 --n-annotators 5
    python benchmarks/report_page.py --n-sources 1000 --n-maps 4 --n-annotators 1

Galaxies are simulated, maps are their brightness smoothed by several widths, with noise, and every annotator marks each component.
One JSON line is printed: sizes in MB, seconds of the processor to write the report, and milliseconds of the browser's main thread
to load the page, open a source, step to the next, sort and filter.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

import attnxai
from attnxai.annotations import Annotation, AnnotationSet, Label, Shape, ShapeKind
from attnxai.data.images import SourceSet
from attnxai.data.simulation import CLASS_NAMES, Component, simulate_source

SCALE_ARCSEC = 1.8
SETTINGS = attnxai.ComparisonSettings(metrics=("nss", "auc"), n_permutations=199, n_bootstrap=200)
TABLE = "document.getElementById('sources-table')"
ACTS = {
    "open_ms": f"{TABLE}.tBodies[{TABLE}.tBodies.length >> 1].querySelector('button').click()",
    "next_ms": "document.querySelector('#sources-table .next').click()",
    "sort_ms": f"{TABLE}.tHead.querySelectorAll('button')[4].click()",
    "filter_ms": """{ const find = document.getElementById("find");
        find.value = "s1"; find.dispatchEvent(new Event("input")); }""",
}


def simulate(
    n_sources: int, n_maps: int, n_annotators: int
) -> tuple[Any, AnnotationSet, SourceSet]:
    """Maps, marks and images of simulated galaxies."""
    rng = np.random.default_rng(0)
    made = [
        simulate_source(CLASS_NAMES[i % 2], source=f"s{i:04d}", rng=rng) for i in range(n_sources)
    ]
    images = SourceSet([one.image for one in made], origin="simulated")
    marks = [
        Annotation(
            source=one.image.source,
            annotator=f"annotator {k + 1}",
            shape=ellipse(component, one.image.grid.shape, rng),
            label=Label(component.label),
            line=2,
        )
        for one in made
        for k in range(n_annotators)
        for component in one.components
    ]
    annotations = AnnotationSet(
        annotations=tuple(marks),
        classes={image.source: image.class_name or "" for image in images},
        n_rows=len(marks),
    )
    maps = {
        f"map {k + 1}": [noisy(image.pixels, 1.5 + k, rng) for image in images]
        for k in range(n_maps)
    }
    stack = attnxai.maps_from_arrays(images, maps, splits="held-out", model_name="simulated")
    return stack, annotations, images


def ellipse(component: Component, shape: tuple[int, int], rng: np.random.Generator) -> Shape:
    """The outline of a component as somebody would draw it."""
    at = np.array([component.x_arcsec, component.y_arcsec]) / SCALE_ARCSEC + rng.normal(0, 1, 2)
    x, y = at + (np.array(shape[::-1]) - 1) / 2
    return Shape(
        kind=ShapeKind.ELLIPSE,
        x=float(x),
        y=float(y),
        width=2 + component.major_arcsec / SCALE_ARCSEC,
        height=2 + component.minor_arcsec / SCALE_ARCSEC,
        angle=component.angle_deg % 180,
    )


def noisy(pixels: Any, sigma: float, rng: np.random.Generator) -> Any:
    """Smoothed brightness with smooth noise."""
    noise = gaussian_filter(rng.normal(size=pixels.shape), 3)
    return gaussian_filter(pixels, sigma) + rng.normal(0, 0.02) * noise


def megabytes(paths: Any) -> float:
    """Size of some files in all."""
    size: int = sum(path.stat().st_size for path in paths if path.is_file())
    return round(size / 1e6, 2)


def in_chromium(page: Path) -> dict[str, int]:
    """Milliseconds of the main thread of a headless Chromium; empty where there is none."""
    command = shutil.which("chromium") or shutil.which("google-chrome")
    if command is None:
        return {}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=command, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1200, "height": 900})
        session = shown.context.new_cdp_session(shown)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def busy() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

        def timed(act: Callable[[], object]) -> int:
            before = busy()
            act()
            shown.wait_for_timeout(2000)
            return round(1000 * (busy() - before))

        found = {"load_ms": timed(lambda: shown.goto(page.as_uri()))}
        shown.evaluate("document.getElementById('all').scrollIntoView()")
        for name, act in ACTS.items():
            found[name] = timed(functools.partial(shown.evaluate, act))
        browser.close()
    return found


def main() -> None:
    """Write one report and print what it takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("sources", "maps", "annotators"):
        parser.add_argument(f"--n-{name}", type=int, required=True)
    options = vars(parser.parse_args())
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stack, annotations, images = simulate(**options)
        result = attnxai.compare(stack, annotations, images, settings=SETTINGS)
        start = time.process_time()
        page = result.write_report(folder)
        seconds = time.process_time() - start
        found = {
            **options,
            "write_s": round(seconds, 1),
            "page_mb": megabytes([page]),
            "panels_mb": megabytes((Path(folder) / "panels").glob("*")),
            "report_mb": megabytes(Path(folder).rglob("*")),
            **in_chromium(page),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
