"""Values that a shell completes with the Tab key: names that options know, and files.

Names are looked up when they are asked for, so that no command waits for it; none needs PyTorch.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable

Names = Callable[[], Iterable[str]]
AUDIT_NAMES = (
    "evidence_location",
    "faithfulness",
    "weight_randomisation",
    "noise_stability",
    "rotations",
    "map_agreement",
    "class_means",
)


def completer(names: Names, *, extensions: tuple[str, ...] = ()) -> Callable[[str], list[str]]:
    """What completes a value: one of the names, the last of several between commas, or a file with an extension."""

    def complete(incomplete: str) -> list[str]:
        if extensions:
            found = [name for name in names() if name.startswith(incomplete)]
            return found + _files(incomplete, extensions)
        before, comma, last = incomplete.rpartition(",")
        given = before.split(",")
        return [
            f"{before}{comma}{name}"
            for name in names()
            if name.startswith(last) and name not in given
        ]

    return complete


def _files(incomplete: str, extensions: tuple[str, ...]) -> list[str]:
    """Files with one of the extensions, and folders, whose paths begin like this, as it was typed."""
    found = []
    for path in sorted(glob.glob(f"{glob.escape(incomplete)}*")):  # noqa: PTH207
        if os.path.isdir(path):  # noqa: PTH112
            found.append(f"{path}/")
        elif path.endswith(extensions):
            found.append(path)
    return found


def listed(function: str) -> str:
    """The names that a function of this module gives, for the help, which imports them only when shown."""
    names: Names = globals()[function]
    return ", ".join(names())


def metric_names() -> Iterable[str]:
    """Metrics."""
    from attnxai.metrics import METRICS

    return sorted(METRICS)


def null_names() -> Iterable[str]:
    """Nulls beside the permutation across sources."""
    from attnxai.nulls import NULLS

    return sorted(name for name, null in NULLS.items() if not null().permutes_sources)


def explanation_names() -> Iterable[str]:
    """Explanation methods."""
    from attnxai.explanations.labels import LABELS

    return LABELS


def audit_names() -> Iterable[str]:
    """Audits."""
    return AUDIT_NAMES


def alternative_names() -> Iterable[str]:
    """Alternative hypotheses."""
    from attnxai.nulls import Alternative

    return map(str, Alternative)


def correction_names() -> Iterable[str]:
    """Corrections of p-values."""
    from attnxai.agreement.multiplicity import Correction

    return map(str, Correction)


def label_names() -> Iterable[str]:
    """Labels of annotations."""
    from attnxai.annotations.shapes import Label

    return map(str, Label)


def reader_names() -> Iterable[str]:
    """Formats that annotations are read from."""
    from attnxai.annotations.readers import READERS

    return READERS


def writer_names() -> Iterable[str]:
    """Formats that annotations are written in."""
    from attnxai.annotations.readers import WRITERS

    return WRITERS


def image_names() -> Iterable[str]:
    """Formats of images."""
    from attnxai.data import READERS

    return [reader.extensions[0].lstrip(".").upper() for reader in READERS.values()]


def map_format_names() -> Iterable[str]:
    """Formats that maps are read from."""
    from attnxai.explanations.files.formats import FORMATS

    return [one.name for one in FORMATS if any(one.extensions)]


def map_ending_names() -> Iterable[str]:
    """Endings of files of maps."""
    from attnxai.explanations.files.formats import FORMATS

    return [ending for one in FORMATS for ending in one.extensions[:1] if ending]


def model_names() -> Iterable[str]:
    """Models that ship."""
    from attnxai.models.zoo import shipped_models

    return [f"{name}.pt" for name in shipped_models()]


def group_names() -> Iterable[str]:
    """Symmetry groups that models ship for."""
    from attnxai.models.zoo import shipped_models

    return [name.upper() for name in shipped_models()]
