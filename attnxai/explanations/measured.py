"""What explanation methods measure of single images, such as errors: a provenance states the lowest and the highest value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attnxai.errors import AlignmentError, OptionError

MEASURED = "measured"
"""The entry of an explanation of which each image has values of its own."""
_ENDS = ("lowest", "highest")


def measured_ranges(values: Any, name: str = MEASURED) -> dict[str, Any]:
    """Lowest and highest of values.

    Parameters
    ----------
    values : sequence of float or mapping
        A value for each image, or a mapping of names to such sequences, which can hold mappings again.
    name : str
        What errors call them.

    Returns
    -------
    dict
        ``lowest`` and ``highest`` in place of every sequence; of finite values, and None without any.

    Raises
    ------
    OptionError
        If the values are neither.

    Examples
    --------
    >>> measured_ranges({"relative_errors": [0.01, 0.04, 0.02]})
    {'relative_errors': {'lowest': 0.01, 'highest': 0.04}}
    """
    if isinstance(values, Mapping):
        return {key: measured_ranges(one, f"{name}.{key}") for key, one in values.items()}
    try:
        found = np.asarray(values)
        finite = found[np.isfinite(found)]
    except (TypeError, ValueError):
        found = finite = np.zeros(())
    if found.ndim != 1:
        raise OptionError(
            f"{name} of an explanation has to be a number for each image, or a dictionary of such lists, got {values!r:.100}"
        )
    if not finite.size:
        return dict.fromkeys(_ENDS)
    return {"lowest": finite.min().item(), "highest": finite.max().item()}


def joined_facts(first: Any, other: Any, where: Sequence[str] = ()) -> Any:
    """Facts of two groups of images as those of all: ranges are widened, and all else has to be the same.

    Parameters
    ----------
    first, other : dict, list, str or number
        Such as two headers, with the ranges of :func:`measured_ranges` under ``measured``.
    where : sequence of str
        Names that lead to them, for errors.

    Returns
    -------
    dict, list, str or number

    Raises
    ------
    AlignmentError
        If something else differs.

    Examples
    --------
    >>> first = {"seed": 0, "measured": {"error": {"lowest": 0.1, "highest": 0.2}}}
    >>> other = {"seed": 0, "measured": {"error": {"lowest": 0.15, "highest": 0.4}}}
    >>> joined_facts(first, other)
    {'seed': 0, 'measured': {'error': {'lowest': 0.1, 'highest': 0.4}}}
    """
    if isinstance(first, dict) and isinstance(other, dict) and first.keys() == other.keys():
        return {
            key: _joined_ranges(one, other[key])
            if key == MEASURED
            else joined_facts(one, other[key], [*where, str(key)])
            for key, one in first.items()
        }
    if isinstance(first, list) and isinstance(other, list) and len(first) == len(other):
        pairs = zip(first, other, strict=True)
        return [joined_facts(one, two, [*where, str(i)]) for i, (one, two) in enumerate(pairs)]
    if first != other:
        raise AlignmentError(
            f"{'.'.join(where) or 'one'} is {first!r:.100} for some images and {other!r:.100} for others"
        )
    return first


def _joined_ranges(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    if set(first) == set(_ENDS) and not isinstance(first["lowest"], dict):
        joined: dict[str, Any] = {}
        for end, of_all in (("lowest", min), ("highest", max)):
            known = [one[end] for one in (first, other) if one[end] is not None]
            joined[end] = of_all(known, default=None)
        return joined
    joined = dict(first)
    for key, one in other.items():  # of which some images may have none
        joined[key] = _joined_ranges(first[key], one) if key in first else one
    return joined
