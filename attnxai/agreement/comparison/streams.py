"""Streams of randomness by name, so that none depends on what else is asked for."""

from __future__ import annotations

import hashlib

import numpy as np


class Streams:
    """Independent generators, one for each name."""

    def __init__(self, rng: np.random.Generator | int) -> None:
        self._base = [int(v) for v in np.random.default_rng(rng).integers(2**63, size=2)]

    def of(self, *names: str) -> np.random.Generator:
        """Return the generator of a name, the same whenever it is asked for."""
        digest = hashlib.sha256("\0".join(names).encode()).digest()
        words = [int.from_bytes(digest[i : i + 8], "little") for i in (0, 8)]
        return np.random.default_rng([*self._base, *words])

    def within(self, *names: str) -> Streams:
        """Streams of their own under a name."""
        return Streams(self.of(*names))
