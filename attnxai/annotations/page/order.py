"""In which order a page asks about images, and which of them twice."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from attnxai.errors import OptionError

_APART = 5
_ID_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ2346789"  # without those that are taken for others


class Entry(NamedTuple):
    """One look at an image: its number among the images, the round, and the name that is shown."""

    image: int
    round: int
    name: str


def parse_repeats(text: str, n_images: int) -> int:
    """Number of images to show twice, from a number or a share such as ``10%``.

    Raises
    ------
    OptionError
        If it is neither, or more than there are images.

    Examples
    --------
    >>> parse_repeats("3", 40), parse_repeats("10%", 40)
    (3, 4)
    """
    found = re.fullmatch(r"(\d{1,9})(\.\d+)?\s*(%?)", text.strip())
    if found is None or (found[2] and not found[3]):
        raise OptionError(f"repeats {text!r} should be a number of images, or a share such as 10%")
    number = float(found[1] + (found[2] or ""))
    wanted = int(np.ceil(n_images * number / 100 - 1e-9)) if found[3] else int(number)
    if wanted > n_images:
        raise OptionError(
            f"repeats {text!r} is more than there are: {n_images} images can be repeated once each"
        )
    return wanted


def ask_order(
    names: list[str], *, shuffle: bool, blind: bool, n_repeats: int, rng: np.random.Generator
) -> list[Entry]:
    """The order in which images are shown; a second look at one comes after five others where it can.

    Repeats are drawn at random, and blind names are new for each look.
    """
    n = len(names)
    order = rng.permutation(n).tolist() if shuffle else list(range(n))
    looks = [(image, 1) for image in order]
    early = order[: max(n_repeats, n - _APART)]
    for image in sorted(rng.choice(early, size=n_repeats, replace=False).tolist()):
        first = looks.index((image, 1))
        looks.insert(
            int(rng.integers(min(first + 1 + _APART, len(looks)), len(looks) + 1)), (image, 2)
        )
    shown = _blind_names(len(looks), rng) if blind else [names[image] for image, _ in looks]
    return [Entry(image, round_, name) for (image, round_), name in zip(looks, shown, strict=True)]


def _blind_names(n: int, rng: np.random.Generator) -> list[str]:
    """Different random names of four letters and digits."""
    found: dict[str, None] = {}
    while len(found) < n:
        found["".join(rng.choice(list(_ID_LETTERS), size=4 if n < 10_000 else 6))] = None
    return list(found)
