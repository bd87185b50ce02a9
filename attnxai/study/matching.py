"""What is held equal between networks of different groups.

A network of a larger group shares its weights between more rotated filters, so not everything can be equal
at once: with the same channels a larger group has fewer parameters, with the same parameters it has more
channels and costs more. What is equal is a choice, and every table of a study states the others.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import math
from collections.abc import Callable, Iterator

from attnxai.models.specification import ModelSpec, Padding, Preset

# Side of the images that operations are counted for: that of the networks' usual input.
_SIDE = 150
# Widths are scaled from a fiftieth to fifty times those of the preset.
_LARGEST_SCALE = 50.0


class Equal(enum.StrEnum):
    """What is (nearly) equal between groups.

    ``CHANNELS``: channels of every block, |G| times fields. ``PARAMETERS``: trainable numbers.
    ``OPERATIONS``: multiply-adds of the convolutions in one forward pass. ``FIELDS``: feature fields of
    every block, as published, so that channels grow with the group.
    """

    CHANNELS = "channels"
    PARAMETERS = "parameters"
    OPERATIONS = "operations"
    FIELDS = "fields"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Size of a network.

    ``channels`` and ``fields`` are sums over the four blocks, ``parameters`` the trainable numbers and
    ``operations`` the multiply-adds of the convolutions in one forward pass of a 150 x 150 image.
    """

    channels: int
    parameters: int
    operations: int
    fields: int

    def of(self, equal: Equal) -> int:
        """The number that a choice holds equal."""
        return int(getattr(self, str(equal)))


def size_of(spec: ModelSpec) -> Size:
    """Measure a network by its specification."""
    return Size(
        channels=spec.symmetry.size * sum(spec.fields),
        parameters=count_parameters(spec),
        operations=count_operations(spec),
        fields=sum(spec.fields),
    )


@functools.lru_cache(maxsize=1024)
def count_parameters(spec: ModelSpec) -> int:
    """Trainable numbers of the network, counted in the built network."""
    from attnxai.models.network import AttentionNetwork

    return sum(p.numel() for p in AttentionNetwork(spec).parameters() if p.requires_grad)


def count_operations(spec: ModelSpec, side: int = _SIDE) -> int:
    """Multiply-adds of all convolutions in one forward pass of one image of some side.

    Steerable convolutions run as ordinary ones with |G| times fields channels and are counted as such.
    """
    from attnxai.models.network import padding_for

    if spec.padding is Padding.SYMMETRIC:
        side += sum(padding_for(side, spec.binning))
    side //= spec.binning
    kernel = spec.kernel_size**2
    total, channels_in, sides = 0, 1, []
    for fields, n_convolutions in zip(spec.fields, spec.convolutions, strict=True):
        channels = fields * spec.symmetry.size
        sides.append(side)
        pairs = channels_in * channels + (n_convolutions - 1) * channels**2
        total += kernel * pairs * side**2
        channels_in, side = channels, side // 2
    # the last block is not followed by a pooling
    last, sides[3] = spec.fields[3], sides[2] // 2
    for block in (2, 1, 0)[: spec.n_gates]:
        # theta and psi on the gated map, phi on the signal
        total += (spec.fields[block] + 1) * spec.gate_channels * sides[block] ** 2
        total += last * spec.gate_channels * sides[3] ** 2
    return total


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A network of one group, made comparable to that of the baseline.

    ``ratio`` is what was to be equal, divided by that of the baseline.
    """

    spec: ModelSpec
    size: Size
    ratio: float


def matched_spec(
    baseline: ModelSpec, group: str, equal: Equal, *, preset: Preset = Preset.COMPACT
) -> Match:
    """The network of a group that is to be compared with a baseline network.

    Everything but the fields is as in the baseline. Their proportions are those of the preset's network of
    the group; for parameters and operations they are scaled together, each rounded up or down, until the
    count is as near to the baseline's as whole fields allow.
    """
    own = dataclasses.replace(baseline, group=group, fields=preset.specification(group).fields)
    if own.group == baseline.group or equal is Equal.FIELDS:
        fields = baseline.fields
    elif equal is Equal.CHANNELS and preset is Preset.COMPACT:
        fields = own.fields
    elif equal is Equal.CHANNELS:
        factor = baseline.symmetry.size / own.symmetry.size
        fields = tuple(max(1, round(n * factor)) for n in baseline.fields)
    else:
        fields = _nearest_fields(baseline, own, equal)
    spec = dataclasses.replace(own, fields=fields)
    size = size_of(spec)
    return Match(spec=spec, size=size, ratio=size.of(equal) / size_of(baseline).of(equal))


def _nearest_fields(baseline: ModelSpec, own: ModelSpec, equal: Equal) -> tuple[int, ...]:
    count: Callable[[ModelSpec], int]
    count = count_parameters if equal is Equal.PARAMETERS else count_operations
    wanted = count(baseline)

    def distance(fields: tuple[int, ...]) -> float:
        return abs(math.log(count(dataclasses.replace(own, fields=fields)) / wanted))

    def proportional(scale: float) -> tuple[int, ...]:
        return tuple(max(1, round(n * scale)) for n in own.fields)

    # the count grows with the scale, so where it passes the wanted one is found by halving
    low, high = 1 / _LARGEST_SCALE, _LARGEST_SCALE
    while high / low > 1.005:
        middle = math.sqrt(low * high)
        if count(dataclasses.replace(own, fields=proportional(middle))) < wanted:
            low = middle
        else:
            high = middle
    candidates = {
        fields for scale in (0.97 * low, low, high, 1.03 * high) for fields in _rounded(own, scale)
    }
    return min(sorted(candidates), key=distance)


def _rounded(own: ModelSpec, scale: float) -> Iterator[tuple[int, ...]]:
    """Every way of rounding scaled fields up or down that keeps their order."""
    choices = [
        sorted({max(1, math.floor(n * scale)), max(1, math.ceil(n * scale))}) for n in own.fields
    ]
    for fields in itertools.product(*choices):
        if all(
            (a <= b) == (c <= d)
            for (a, b), (c, d) in zip(
                itertools.pairwise(own.fields), itertools.pairwise(fields), strict=True
            )
        ):
            yield fields


def stated(equal: Equal) -> str:
    """What is equal, in words for a table."""
    return {
        Equal.CHANNELS: "channels of every block (fields times the size of the group)",
        Equal.PARAMETERS: "number of trainable parameters",
        Equal.OPERATIONS: "multiply-adds of the convolutions in one forward pass",
        Equal.FIELDS: "feature fields of every block, as published; channels grow with the group",
    }[equal]
