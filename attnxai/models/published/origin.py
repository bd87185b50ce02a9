"""What a published file, its name and that of its folder say about how the network was trained."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_UNSTATED = "The model's file does not say what it was trained on"
_AS_PUBLISHED = (
    f"{_UNSTATED}; for images of MiraBest the training part of the published split is assumed, as in the "
    "paper."
)
# data sets and surveys of other images than those of MiraBest; FRDEEP comes in two surveys, F and N
_OTHER_DATA = {
    name: re.compile(rf"(?<![a-z])({pattern})(?![a-z])")
    for name, pattern in {
        "FRDEEP": r"fr[-_ .]?deep[-_]?[fn]?",
        "LoTSS": r"lotss|lofar",
        "NVSS": "nvss",
        "VLASS": "vlass",
        "RACS": "racs",
        "Radio Galaxy Zoo": r"rgz|radio[-_ ]?galaxy[-_ ]?zoo",
        "CRUMB": "crumb",
        "MeerKAT": "meerkat|mightee",
        "ASKAP": "askap",
    }.items()
}
_MIRABEST = re.compile("mira[-_ ]?best")
_SIDES = (50, 150)
_STATING_KEYS = ("data", "norm")
_DEEPEST = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """A file that holds a published network.

    ``stated`` is what the checkpoint of a training says beside the weights about data and normalisation.
    """

    path: str
    sha256: str
    stated: str = ""

    @property
    def texts(self) -> tuple[str, str, str]:
        """Where a model may be described, the most specific first; in lower case."""
        place = Path(self.path).absolute()
        return place.name.lower(), self.stated.lower(), place.parent.name.lower()

    @property
    def other_data(self) -> str | None:
        """The data set that the network was trained on, where that is not MiraBest alone."""
        for text in self.texts:
            for name, pattern in _OTHER_DATA.items():
                if pattern.search(text):
                    return name
            if _MIRABEST.search(text):
                return None
        return None

    def training(self, *, n_classes: int, side: int) -> tuple[str | None, str]:
        """The part of MiraBest's published split that it was trained on, None if unknown, and a note on it."""
        unknown = "so the split of every source is unknown."
        if (data := self.other_data) is not None:
            return None, f"{_UNSTATED}; its name or folder, or the file, mentions {data}, {unknown}"
        if n_classes != 2:
            return (
                None,
                f"{_UNSTATED}; published networks have 2 classes, not {n_classes}, {unknown}",
            )
        if side not in _SIDES:
            sizes = " or ".join(map(str, _SIDES))
            return None, (
                f"{_UNSTATED}; published networks take images of {sizes} pixels, not {side}, {unknown}"
            )
        return "train", _AS_PUBLISHED


def stated_beside(content: Any, *, depth: int = 0) -> str:
    """What the checkpoint of a training states about data and normalisation, as ``key=value`` words."""
    if not isinstance(content, Mapping) or depth == _DEEPEST:
        return ""
    found = [
        f"{key}={value}"
        for key, value in content.items()
        if isinstance(key, str)
        and isinstance(value, str)
        and any(word in key.lower() for word in _STATING_KEYS)
    ]
    found += [stated_beside(value, depth=depth + 1) for value in content.values()]
    return " ".join(filter(None, found))
