"""Random numbers that depend on what they are for, and on nothing that runs before or beside it."""

from __future__ import annotations

import hashlib

import numpy as np


def stream_of(seed: int, name: str, experiment: int) -> np.random.Generator:
    """The random numbers of one experiment.

    Parameters
    ----------
    seed : int
        Of everything.
    name : str
        What the experiment belongs to.
    experiment : int
        Its number.

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> first = stream_of(0, "levels", 7).random()
    >>> first == stream_of(0, "levels", 7).random(), first == stream_of(0, "power", 7).random()
    (True, False)
    """
    digest = hashlib.sha256(name.encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    return np.random.default_rng([seed, *words, experiment])
