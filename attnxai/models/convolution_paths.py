"""Which convolutions are faster by a Fourier transform over the group than by their dense filters."""

from __future__ import annotations

import functools
import json
from importlib import resources

from attnxai.models.specification import SymmetryGroup

TABLE = "convolution_paths.json"
# a convolution that gains less than this is left as it is, since processors differ
_LEAST_GAIN = 1.2


@functools.cache
def _gains() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    file = resources.files("attnxai.models").joinpath(TABLE)
    return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@functools.cache
def fourier_is_faster(
    group: SymmetryGroup, kernel_size: int, fields_in: int, fields_out: int, n_pixels: int
) -> bool:
    """Whether the table that ships says so, which ``benchmarks/convolution_paths.py`` measured.

    By a table and not by the clock of a run, so that the same command has the same result. It holds gains by group, kernel,
    side of the image and number of fields. The gain grows with the last two, so that the next smaller numbers that were
    measured count, and of the numbers of fields the smaller. What was not measured keeps its dense filter.
    """
    sides = _gains().get(group.name, {}).get(str(kernel_size), {})
    side = max((int(side) for side in sides if int(side) ** 2 <= n_pixels), default=None)
    gains = sides.get(str(side), {})
    fields = max((int(n) for n in gains if int(n) <= min(fields_in, fields_out)), default=None)
    return gains.get(str(fields), 0.0) >= _LEAST_GAIN
