"""Experiments of one kind, and random streams that depend neither on their order nor on the process."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
from collections.abc import Iterable
from typing import ClassVar

import numpy as np

Counts = dict[str, list[float]]


def stream_of(seed: int, name: str, experiment: int) -> np.random.Generator:
    """The random stream of one experiment of the design of this name."""
    digest = hashlib.sha256(name.encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    return np.random.default_rng([seed, *words, experiment])


@dataclasses.dataclass(frozen=True, slots=True)
class Design(abc.ABC):
    """Experiments of one kind that are counted together, in blocks of ``block``."""

    block: ClassVar[int] = 20

    @property
    @abc.abstractmethod
    def key(self) -> str:
        """Name of the design, which seeds its random streams."""

    @abc.abstractmethod
    def run(self, seed: int, experiment: int) -> Counts:
        """Count the results of one experiment."""

    def count(self, seed: int, start: int, stop: int) -> Counts:
        """Sum of the results of the experiments from ``start`` up to ``stop``, each with a stream of its own."""
        return added(self.run(seed, experiment) for experiment in range(start, stop))


def added(counts: Iterable[Counts]) -> Counts:
    """Sum of counts under the same names, in their order."""
    each = list(counts)
    return {
        name: [sum(values, 0.0) for values in zip(*(one[name] for one in each), strict=True)]
        for name in each[0]
    }
