"""Strategies that damage valid files: bytes, numbers, pieces of other files, words of the format."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

_BOUNDARIES = sorted(
    {
        sign * 2**power + step
        for power in (0, 7, 8, 15, 16, 31, 32, 63)
        for step in (-1, 0)
        for sign in (-1, 1)
    }
)
EXTREME_NUMBERS = (
    *(
        b"0",
        b"-0",
        b"-1",
        b"1e308",
        b"1e309",
        b"-1e309",
        b"1e-320",
        b"nan",
        b"inf",
        b"NaN",
        b"-Infinity",
    ),
    *(
        b"9" * 20,
        b"9" * 400,
        b"9" * 5000,
        b"0.1e",
        b"0x10",
        b"1_000",
        "−1".encode(),
        b"",
        b"true",
        b"null",
    ),
)
"""What stands in for a decimal number of a text file."""
_PATTERNS = {
    "number": re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"),
    "word": re.compile(rb"[^\s,;:=\"'\[\](){}]+"),
}


@dataclasses.dataclass(frozen=True)
class Edit:
    """One change; positions are fractions, so that an edit fits a file of any length."""

    kind: str
    start: float
    length: int = 0
    data: bytes = b""

    def apply(self, content: bytes) -> bytes:
        at = int(self.start * len(content))
        if self.kind == "truncate":
            return content[:at]
        if self.kind == "delete":
            return content[:at] + content[at + self.length :]
        if self.kind == "repeat":
            return content[: at + self.length] + content[at:]
        if self.kind == "insert":
            return content[:at] + self.data + content[at:]
        if self.kind == "flip":
            return (
                content[:at] + bytes([content[at] ^ self.length]) + content[at + 1 :]
                if content
                else b""
            )
        if self.kind in _PATTERNS:
            return self._in_place_of(_PATTERNS[self.kind], content)
        return content[:at] + self.data + content[at + len(self.data) :]  # overwrite

    def _in_place_of(self, pattern: re.Pattern[bytes], content: bytes) -> bytes:
        found = list(pattern.finditer(content))
        if not found:
            return content
        match = found[int(self.start * len(found))]
        return content[: match.start()] + self.data + content[match.end() :]


@dataclasses.dataclass(frozen=True, repr=False)
class Damaged:
    """A valid file and what is done to it; its repr is short enough to be read in a report."""

    name: str
    valid: bytes
    edits: tuple[Edit, ...]
    wrap: Callable[[bytes], bytes] | None = None

    @property
    def content(self) -> bytes:
        """The damaged file."""
        content = self.valid
        for edit in self.edits:
            content = edit.apply(content)
        return content if self.wrap is None else self.wrap(content)

    def __repr__(self) -> str:
        return f"Damaged({self.name}, {list(self.edits)})"


def fractions() -> st.SearchStrategy[float]:
    """Places from 0 to below 1; hypothesis alone prefers the beginning."""
    return st.integers(0, 2**32 - 1).map(lambda seed: random.Random(seed).random())  # noqa: S311


def damaged(
    valid: Sequence[bytes],
    *,
    words: Sequence[bytes] = (),
    wrap: Callable[[bytes], bytes] | None = None,
    text: bool = False,
) -> st.SearchStrategy[Damaged]:
    """Valid files with a few changes each.

    Parameters
    ----------
    valid : sequence of bytes
        Valid files, small ones preferred. Pieces of one are also put into another.
    words : sequence of bytes
        Words of the format, such as keywords or opcodes, that are put in and written over.
    wrap : callable, optional
        Packs the damaged content, for formats whose checksum or compression would otherwise hide the
        damage from the reader: give the content unpacked and, for example, ``gzip.compress``.
    text : bool
        Also replace decimal numbers by extreme ones, and what stands between separators by words.
    """
    where = fractions()
    integers = st.builds(
        lambda value, size, order: (value % 2 ** (8 * size)).to_bytes(size, order),
        st.sampled_from(_BOUNDARIES),
        st.sampled_from([1, 2, 4, 8]),
        st.sampled_from(["little", "big"]),
    )
    pieces = st.builds(
        lambda content, start, length: content[int(start * len(content)) :][:length],
        st.sampled_from(list(valid)),
        where,
        st.integers(1, 200),
    )
    data = [integers, pieces, st.binary(min_size=1, max_size=8)]
    if words:
        data.insert(0, st.sampled_from(list(words)))
    edits = [
        st.builds(Edit, st.sampled_from(["insert", "overwrite"]), where, data=st.one_of(data)),
        st.builds(Edit, st.just("flip"), where, st.integers(1, 255)),
        st.builds(Edit, st.sampled_from(["delete", "repeat"]), where, st.integers(1, 300)),
        st.builds(Edit, st.just("truncate"), where),
    ]
    if text:
        replaced = st.sampled_from([*EXTREME_NUMBERS, *words])
        edits = [
            st.builds(Edit, st.just("number"), where, data=st.sampled_from(EXTREME_NUMBERS)),
            st.builds(Edit, st.just("word"), where, data=replaced),
            *edits,
        ]
    return st.builds(
        lambda index, changes: Damaged(f"valid[{index}]", valid[index], tuple(changes), wrap),
        st.integers(0, len(valid) - 1),
        st.lists(st.one_of(edits), min_size=1, max_size=6),
    )
