"""Random streams that depend on what they are for, not on the order or the process in which they are used."""

from __future__ import annotations

import hashlib

import numpy as np


def stream_of(seed: int, name: str, experiment: int) -> np.random.Generator:
    """The random stream of one experiment.

    Parameters
    ----------
    seed : int
        Of the whole validation.
    name : str
        Name of the design that the experiment belongs to.
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
