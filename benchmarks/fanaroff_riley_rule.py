"""Apply the Fanaroff-Riley rule to MiraBest: the table that ships, and the results of docs/explanation/fanaroff_riley_rule.md.

    python benchmarks/fanaroff_riley_rule.py DIR reference_annotations docs [REPORT]

DIR is the folder of MiraBest. REPORT is what ``attnxai compare --model d8.pt --images mirabest --annotations
fanaroff_riley_rule.csv`` wrote; without it the results of this comparison stay as they are.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from attnxai.annotations import FRDecision, Undecided, fr_annotations, fr_class, write_annotations
from attnxai.annotations.rules import BOUNDARY, FIRST_BEAM_ARCSEC, RADIUS_ARCSEC
from attnxai.annotations.sample import RULE_TABLE_NAME
from attnxai.data.images import SourceImage
from attnxai.data.mirabest import read_mirabest
from attnxai.report.documentation import with_part
from attnxai.report.style import new_figure, paper_style, write_figure
from attnxai.report.tables.text import markdown_rows
from attnxai.statistics.exact import share_interval, wilson_ends
from attnxai.statistics.formats import format_number, shares_with_intervals

CLASSES = ("FR I", "FR II")
RADII_ARCSEC = (30.0, 45.0, 60.0, 75.0, 90.0)
MARGINS = (-math.inf, 0.0, 0.1, 0.2, math.inf)
SAME_SIZE = 1.25
ENDS = ("value", "ci_low", "ci_high")

Pairs = Sequence[tuple[SourceImage, FRDecision]]
_ClassOf = Callable[[FRDecision], str | None]


def is_confident(image: SourceImage) -> bool:
    """Whether Miraghaei & Best are confident in the class, which the second digit of the code states."""
    return image.source[1] == "0"


def stated(found: FRDecision) -> str | None:
    """The class that the rule states."""
    return found.class_name


def about_the_centre(found: FRDecision) -> str | None:
    """The same, and without a core the class by the ratio about the centre of the image."""
    if found.reason is Undecided.NO_CORE and not math.isnan(found.ratio):
        return CLASSES[found.ratio > BOUNDARY]
    return found.class_name


def share(n: int, n_all: int) -> str:
    """A count as a share with Wilson's interval, and of how many."""
    if not n_all:
        return ""
    return f"{shares_with_intervals([share_interval(n, n_all)])[0]} of {n_all}"


def right_of(pairs: Pairs, class_of: _ClassOf = stated) -> str:
    """How many of those with a class have that of the label."""
    said = [(image.class_name, class_of(found)) for image, found in pairs]
    said = [(label, name) for label, name in said if name and label in CLASSES]
    return share(sum(label == name for label, name in said), len(said))


def confusion(pairs: Pairs) -> str:
    """Labels against what the rule says."""
    reasons = [reason for reason in Undecided if any(f.reason == reason for _, f in pairs)]
    head = ["MiraBest", "Sources", *CLASSES, *(f"none: {reason}" for reason in reasons)]
    rows = []
    for label in (*CLASSES, "hybrid"):
        for confident, word in ((True, "confident"), (False, "uncertain")):
            said = collections.Counter(
                found.class_name or found.reason
                for image, found in pairs
                if image.class_name == label and is_confident(image) == confident
            )
            counts = [said[name] for name in (*CLASSES, *reasons)]
            rows.append([f"{label}, {word}", *map(str, (said.total(), *counts))])
    return markdown_rows([head, *rows])


def accuracies(pairs: Pairs) -> str:
    """How often the rule states the class of the label, also where it is seen from the centre, and by margin."""
    head = ["Sources with a class by the rule", "All", "Confident", "Uncertain"]
    parts: list[tuple[str, Pairs, _ClassOf]] = [("All", pairs, stated)]
    for low, high in itertools.pairwise(MARGINS):
        ends = {-math.inf: "below 0", 0.2: "0.2 or more"}
        name = ends.get(low, f"{low:g} to {high:g}")
        within = [(image, found) for image, found in pairs if low <= found.margin < high]
        parts.append((f"Margin {name}", within, stated))
    parts.append(("All, and without a core about the centre", pairs, about_the_centre))
    rows = [
        [
            name,
            right_of(some, class_of),
            *(
                right_of([(i, f) for i, f in some if is_confident(i) == confident], class_of)
                for confident in (True, False)
            ),
        ]
        for name, some, class_of in parts
    ]
    return markdown_rows([head, *rows])


def radii(images: Sequence[SourceImage], by_radius: Mapping[float, Pairs]) -> str:
    """Extents against the sizes in the catalogue, and classes against labels, by the radius of the source."""
    head = [
        "`radius_arcsec`",
        f"Extent within a factor of {SAME_SIZE} of the size",
        "Class as the label",
    ]
    sizes = [float(image.source.split("_")[3]) + FIRST_BEAM_ARCSEC for image in images]
    rows = []
    for radius, pairs in by_radius.items():
        quotients = [f.extent_arcsec / size for (_, f), size in zip(pairs, sizes, strict=True)]
        same = sum(1 / SAME_SIZE <= quotient <= SAME_SIZE for quotient in quotients)
        rows.append([f"{radius:g}", share(same, len(sizes)), right_of(pairs)])
    return markdown_rows([head, *rows])


def draw(pairs: Pairs, path: Path) -> None:
    """Ratios by label, and accuracy against the margin."""
    colours = {"FR I": "#0072b2", "FR II": "#d55e00"}
    with paper_style():
        figure = new_figure(8.0, 3.4, layout="constrained")
        left, right = figure.subplots(1, 2)
        bins = np.linspace(0, 1, 21)
        for label in CLASSES:
            for confident, word in ((True, "confident"), (False, "uncertain")):
                ratios = [
                    f.ratio
                    for i, f in pairs
                    if f.class_name and i.class_name == label and is_confident(i) == confident
                ]
                left.hist(
                    ratios,
                    bins,
                    histtype="step",
                    color=colours[label],
                    linestyle="-" if confident else ":",
                    label=f"{label}, {word} ({len(ratios)})",
                )
        left.axvline(BOUNDARY, color="0.4", linewidth=0.8)
        left.set(xlabel="Ratio", ylabel="Sources", xlim=(0, 1))
        left.legend(loc="upper left", title="Label in MiraBest")
        edges = np.array([-0.3, 0.0, 0.1, 0.2, 0.3, 0.5])
        for confident, marker, word in ((True, "o", "confident"), (False, "s", "uncertain")):
            said = [
                (f.margin, i.class_name == f.class_name)
                for i, f in pairs
                if f.class_name and i.class_name in CLASSES and is_confident(i) == confident
            ]
            margin, correct = np.array(said, float).T
            where = np.digitize(margin, edges) - 1
            for k in range(len(edges) - 1):
                if not (n := int((where == k).sum())):
                    continue
                hits = int(correct[where == k].sum())
                low, high = map(float, wilson_ends(hits, n))
                at = float(margin[where == k].mean()) + (-0.004 if confident else 0.004)
                right.errorbar(
                    at,
                    hits / n,
                    [[hits / n - low], [high - hits / n]],
                    fmt=marker,
                    color="0.15" if confident else "0.55",
                    label=None if k else word,
                )
        right.axhline(0.5, color="0.4", linewidth=0.8)
        right.set(xlabel="Margin", ylabel="Share with the class of the label", ylim=(0, 1))
        right.legend(loc="lower right", title="Label in MiraBest")
        write_figure(figure, path, dpi=150)


def comparison(report: Path) -> str:
    """NSS of the maps of a report and of brightness, over all sources and by class."""
    summary = json.loads((report / "summary.json").read_text(encoding="utf-8"))
    (model,) = summary["models"]
    group = model["verdict"]["group"]
    records: dict[str, dict[str, str]] = {}
    for record in model["results"]:
        if record["metric"] == "nss" and record["group"] == group:
            value, low, high = (format_number(record[key], 2) for key in ENDS)
            said = f"{value} [{low}, {high}], {record['n_sources']}"
            records.setdefault(record["explanation"], {})[record["class"]] = said
    classes = ("all", *CLASSES)
    rows = [
        [name, *(of_class.get(key, "") for key in classes)]
        for name, of_class in records.items()
        if " at " not in name
    ]
    table = markdown_rows([["Map", *(f"{key}: NSS, sources" for key in classes)], *rows])
    of_size = [text for text in summary["verdict"]["cautions"] if "angular size" in text]
    return "\n\n".join([model["verdict"]["headline"], table, *of_size])


def write_table(images: Sequence[SourceImage], folder: Path) -> None:
    """The table that ships, and its line in the checksums."""
    path = folder / RULE_TABLE_NAME
    write_annotations(fr_annotations(images), path, overwrite=True)
    sums = folder / "SHA256SUMS"
    lines = [
        line
        for line in sums.read_text(encoding="utf-8").splitlines()
        if not line.endswith(f"  {path.name}")
    ]
    lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
    in_order = sorted(lines, key=lambda line: ("/" in line, line.split("  ", 1)[1]))
    sums.write_text("\n".join(in_order) + "\n", encoding="utf-8")


def main() -> None:
    """Write table, results and figure."""
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    data, folder, docs, *report = map(Path, sys.argv[1:])
    images = read_mirabest(data, hybrids=True)
    write_table(images, folder)
    by_radius = {
        radius: [(image, fr_class(image, radius_arcsec=radius)) for image in images]
        for radius in RADII_ARCSEC
    }
    pairs = by_radius[RADIUS_ARCSEC]
    draw(pairs, docs / "images" / "fanaroff_riley_rule.png")
    page = docs / "explanation" / "fanaroff_riley_rule.md"
    text = page.read_text(encoding="utf-8")
    parts = {
        "classes": confusion(pairs),
        "accuracies": accuracies(pairs),
        "radii": radii(images, by_radius),
    }
    if report:
        parts["comparison"] = comparison(report[0])
    for name, part in parts.items():
        text = with_part(text, name, part)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
