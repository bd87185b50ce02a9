"""What has to be known to rebuild a network: its group, widths, gates and conventions."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from attnxai.data.emission import MIN_ISLAND_PIXELS
from attnxai.data.plain_values import checked_fields, to_plain
from attnxai.data.short_repr import short_value
from attnxai.data.wording import unknown_name
from attnxai.errors import SpecificationError

# Fields, gate channels, classes and convolutions beyond this are a damaged file, not a network.
_MOST = 4096
_MOST_CONVOLUTIONS = 8
MOST_BINNING = 16


class Architecture(enum.StrEnum):
    """The families of networks that this package builds."""

    EQUIVARIANT_ATTENTION = "equivariant_attention"
    ATTENTION_GATE_CNN = "attention_gate_cnn"
    LENET = "lenet"
    STEERABLE_LENET = "steerable_lenet"


class Normalisation(enum.StrEnum):
    """How the raw scores of a gate become an attention map.

    Functions of the scores alone are in ``NORMALISATIONS`` of ``attnxai/models/attention_gate.py``; those here are all
    published. ``EMISSION`` is not: it is a softplus of the scores where the image shows emission, divided by its sum, and
    0 on empty sky. Features are then relative to the network's response to an image of empty sky, and the head has no
    bias, so that such an image has the score 0 for every class.
    """

    SIGMOID = "sigmoid"
    RANGE_NORM = "range_norm"
    STD_MEAN_NORM = "std_mean_norm"
    TANH = "tanh"
    SOFTMAX = "softmax"
    EMISSION = "emission"


class Aggregation(enum.StrEnum):
    """How the gated features of several gates become class scores."""

    FINE_TUNED = "ft"
    CONCATENATED = "concat"
    MEAN = "mean"
    DEEP_SUPERVISION = "deep_sup"


class LayerOrder(enum.StrEnum):
    """The order of convolution, rectifier and batch norm within a layer."""

    CONV_RELU_NORM = "conv_relu_norm"
    CONV_NORM_RELU = "conv_norm_relu"


class Padding(enum.StrEnum):
    """Whether the input is padded so that every pooling step divides it evenly.

    ``SYMMETRIC`` adds zeros up to the next multiple of eight: the same number on every side of an even
    input, which keeps a rotation or reflection of it an exact rotation or reflection of every map; one
    more below and on the right of an odd one, so that nothing is dropped. ``NONE`` is the published
    form, in which pooling an odd size drops its last row and column.
    """

    SYMMETRIC = "symmetric"
    NONE = "none"


class FeatureSum(enum.StrEnum):
    """Whether gated features are summed over pixels, as published, or averaged.

    The two differ by a constant factor that the next layer can absorb; the average keeps the scores
    near one, so that a network trains at an ordinary learning rate.
    """

    SUM = "sum"
    MEAN = "mean"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SymmetryGroup:
    """A cyclic group C_N (rotations) or dihedral group D_N (rotations and reflections); N is its ``order``."""

    order: int
    reflections: bool

    def __post_init__(self) -> None:
        if not 1 <= self.order <= 64:
            raise SpecificationError(
                f"the group {self.name} is out of range: N has to lie between 1 and 64"
            )

    @classmethod
    def from_name(cls, name: str) -> SymmetryGroup:
        """Read a name such as ``C8`` or ``D4``."""
        match = re.fullmatch(r"([CcDd])(\d{1,2})", str(name).strip())
        if match is None or int(match[2]) < 1:
            raise SpecificationError(
                f"unknown group {short_value(name)}: give C or D and the number of rotations, such as C8 or D4"
            )
        return cls(order=int(match[2]), reflections=match[1].upper() == "D")

    @property
    def name(self) -> str:
        """``C8``, ``D4``, ..."""
        return f"{'D' if self.reflections else 'C'}{self.order}"

    @property
    def size(self) -> int:
        """Number of elements, ``|G|``."""
        return self.order * (2 if self.reflections else 1)


class NetworkSpec:
    """What the specifications of all networks have in common."""

    __slots__ = ()
    architectures: ClassVar[tuple[Architecture, ...]]
    architecture: Architecture
    group: str
    kernel_size: int
    n_classes: int
    dropout: float

    def _settle(self) -> SymmetryGroup:
        """Give names their types and check what every network has."""
        group = SymmetryGroup.from_name(self.group)
        object.__setattr__(self, "group", group.name)
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            if (kind := _CHOICES.get(field.name)) is not None:
                object.__setattr__(self, field.name, _choice(kind, getattr(self, field.name)))
        if self.architecture not in self.architectures:
            known = ", ".join(self.architectures)
            raise SpecificationError(
                f"a {type(self).__name__} describes the architectures {known}, not {self.architecture}"
            )
        if self.kernel_size not in (3, 5, 7, 9):
            raise SpecificationError(f"kernel_size has to be 3, 5, 7 or 9, got {self.kernel_size}")
        if not 2 <= self.n_classes <= _MOST or not 0 <= self.dropout < 1:
            raise SpecificationError(
                f"n_classes has to be 2 to {_MOST} (got {self.n_classes}) and dropout to lie in [0, 1) (got "
                f"{self.dropout})"
            )
        return group

    def _settle_numbers(self, name: str, n: int, most: int) -> None:
        values = tuple(int(v) for v in getattr(self, name))
        object.__setattr__(self, name, values)
        if len(values) != n or not 1 <= min(values) <= max(values) <= most:
            raise SpecificationError(
                f"{name} needs {n} numbers from 1 to {most}, got {short_value(values)}"
            )

    @property
    def symmetry(self) -> SymmetryGroup:
        """The group as an object."""
        return SymmetryGroup.from_name(self.group)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild a specification, refusing names and types that it does not know."""
        return cls(**checked_fields(cls, values, "the specification"))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec(NetworkSpec):
    """Everything needed to rebuild an attention network, except its weights.

    Parameters
    ----------
    architecture : Architecture
        The family of the network.
    group : str
        Name of its symmetry group, ``C1`` for an ordinary network.
    fields : tuple of 4 ints
        Feature fields in each block (channels are fields times ``|G|``).
    convolutions : tuple of 4 ints
        Convolutions in each block.
    kernel_size : int
        Odd side of the kernels, in pixels.
    gate_channels : int
        Intermediate channels of each gate.
    n_gates : int
        Gates, 1 to 3, counted from the coarsest. 0 for the attention-gated CNN whose scores come from
        the flattened last block; it has no attention maps.
    normalisation, aggregation, layer_order, padding, feature_sum
        Conventions; see the enumerations of this module.
    convolution_bias : bool
        Whether convolutions have a bias (the equivariant ones never do).
    disc : bool
        Whether the input is multiplied by a soft disc.
    n_classes : int
        Number of classes.
    dropout : float
        Probability with which summed features are dropped in training.
    extremes_over_batch : bool
        Whether ``range_norm`` and ``std_mean_norm`` take their extremes over the whole batch, as
        published, instead of over each image. A map then depends on the images that it is made with.
    binning : int
        The network sees means of this many by this many pixels.
    min_island_pixels : int
        With the normalisation ``emission``, gates do not attend to islands of fewer pixels, which are noise, unless an image
        has no larger one. With 1 they attend to all pixels above 0.

    Examples
    --------
    >>> import attnxai
    >>> spec = attnxai.models.compact_spec("D4")
    >>> spec.group, spec.gate_names, spec.zero_sky
    ('D4', ('gate1', 'gate2', 'gate3'), True)
    """

    architectures: ClassVar = (Architecture.EQUIVARIANT_ATTENTION, Architecture.ATTENTION_GATE_CNN)

    architecture: Architecture
    group: str = "C1"
    fields: tuple[int, ...] = (6, 16, 32, 64)
    convolutions: tuple[int, ...] = (3, 3, 3, 2)
    kernel_size: int = 5
    gate_channels: int = 64
    n_gates: int = 3
    normalisation: Normalisation = Normalisation.RANGE_NORM
    aggregation: Aggregation = Aggregation.FINE_TUNED
    layer_order: LayerOrder = LayerOrder.CONV_RELU_NORM
    padding: Padding = Padding.SYMMETRIC
    feature_sum: FeatureSum = FeatureSum.SUM
    convolution_bias: bool = False
    disc: bool = True
    n_classes: int = 2
    dropout: float = 0.5
    extremes_over_batch: bool = False
    binning: int = 1
    min_island_pixels: int = 1

    def __post_init__(self) -> None:
        group = self._settle()
        self._settle_numbers("fields", 4, _MOST)
        self._settle_numbers("convolutions", 4, _MOST_CONVOLUTIONS)
        if self.n_gates not in (0, 1, 2, 3):
            raise SpecificationError(f"n_gates has to be 0, 1, 2 or 3, got {self.n_gates}")
        if not 1 <= self.gate_channels <= _MOST:
            raise SpecificationError(
                f"gate_channels has to be 1 to {_MOST}, got {self.gate_channels}"
            )
        if not 1 <= self.binning <= MOST_BINNING:
            raise SpecificationError(f"binning has to be 1 to {MOST_BINNING}, got {self.binning}")
        if not 1 <= self.min_island_pixels <= _MOST:
            raise SpecificationError(
                f"min_island_pixels has to be 1 to {_MOST}, got {self.min_island_pixels}"
            )
        if self.min_island_pixels > 1 and not self.zero_sky:
            raise SpecificationError(
                f"min_island_pixels belongs to the normalisation emission, got {self.normalisation}"
            )
        if self.architecture is Architecture.EQUIVARIANT_ATTENTION and self.convolution_bias:
            raise SpecificationError("the convolutions of an equivariant network have no bias")
        if self.architecture is Architecture.ATTENTION_GATE_CNN and group.size != 1:
            raise SpecificationError(
                f"an attention-gated CNN has no symmetry group, got {self.group}; "
                "use the architecture equivariant_attention"
            )
        if self.normalisation is Normalisation.EMISSION and self.feature_sum is FeatureSum.MEAN:
            raise SpecificationError(
                "maps of the normalisation emission add up to 1, so features are weighted means already; "
                "use the feature_sum sum"
            )
        if self.n_gates == 0:
            self._check_without_gates()

    @property
    def zero_sky(self) -> bool:
        """Whether empty sky is 0 in the input of the network, in its features and in its scores."""
        return self.normalisation is Normalisation.EMISSION

    def _check_without_gates(self) -> None:
        if self.architecture is not Architecture.ATTENTION_GATE_CNN:
            raise SpecificationError(
                "only an attention_gate_cnn can do without gates: the equivariant network was never "
                "published in a form that runs without them"
            )
        if self.aggregation is not Aggregation.CONCATENATED or self.padding is not Padding.NONE:
            raise SpecificationError(
                "a network without gates has the aggregation concat and the padding none, got "
                f"{self.aggregation} and {self.padding}"
            )

    @property
    def gate_names(self) -> tuple[str, ...]:
        """Names of the gates, coarsest first."""
        return tuple(f"gate{i + 1}" for i in range(self.n_gates))

    def to_dict(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold."""
        values = to_plain(self)
        # written only where it says something, so that earlier versions and records of running
        # trainings know all that is written
        if not self.extremes_over_batch:
            del values["extremes_over_batch"]
        for name in ("binning", "min_island_pixels"):
            if values[name] == 1:
                del values[name]
        return values


_CHOICES: dict[str, type[enum.StrEnum]] = {
    "architecture": Architecture,
    "normalisation": Normalisation,
    "aggregation": Aggregation,
    "layer_order": LayerOrder,
    "padding": Padding,
    "feature_sum": FeatureSum,
}


def _choice(kind: type[enum.StrEnum], value: object) -> enum.StrEnum:
    try:
        return kind(str(value))
    except ValueError:
        name = next(name for name, known in _CHOICES.items() if known is kind)
        raise SpecificationError(unknown_name(name, str(value)[:60], kind, "values")) from None


def compact_spec(group: str, **changes: Any) -> ModelSpec:
    """The ``compact`` preset: a network that trains on a two-core CPU and attends to emission alone.

    It sees means of 3 x 3 pixels, and does not attend to islands of fewer than five pixels. Each layer has the order
    convolution, batch norm, rectifier. The first block has one convolution instead of three, gates have 16 channels, and
    fields are chosen so that the number of channels, ``|G|`` x fields, stays about the same for every group.

    Parameters
    ----------
    group : str
        Name of the symmetry group.
    **changes
        Fields of :class:`ModelSpec` to set otherwise.

    Returns
    -------
    ModelSpec

    Raises
    ------
    SpecificationError
        If the group or a value is none that a network can have.

    Examples
    --------
    >>> compact_spec("D4").fields
    (4, 4, 6, 8)
    >>> compact_spec("D4").normalisation.value
    'emission'
    """
    size = SymmetryGroup.from_name(group).size
    fields = tuple(max(1, round(channels / size)) for channels in _COMPACT_CHANNELS)
    normalisation = Normalisation(changes.get("normalisation", Normalisation.EMISSION))
    settings: dict[str, Any] = {
        "architecture": Architecture.EQUIVARIANT_ATTENTION,
        "group": group,
        "fields": fields,
        "convolutions": (1, 3, 3, 2),
        "gate_channels": 16,
        "normalisation": normalisation,
        "aggregation": Aggregation.CONCATENATED,
        "layer_order": LayerOrder.CONV_NORM_RELU,
        # maps on emission add up to 1; sums over all pixels are far from one
        "feature_sum": FeatureSum.SUM
        if normalisation is Normalisation.EMISSION
        else FeatureSum.MEAN,
        # the gates of a large group sum few features, of which a half would be too many to drop
        "dropout": 0.2,
        "binning": 3,
    }
    if normalisation is Normalisation.EMISSION:
        settings["min_island_pixels"] = MIN_ISLAND_PIXELS
    return ModelSpec(**(settings | changes))


# Chosen for speed: training takes time as the square of the width.
_COMPACT_CHANNELS = (32, 32, 48, 64)


def paper_spec(group: str, *, published_form: bool = False, **changes: Any) -> ModelSpec:
    """The ``paper`` preset: the widths and kernel of Bowles et al. (2021, arXiv 2111.04742).

    Only what breaks exact symmetry is put right: the input is padded, so that pooling drops nothing,
    and extremes are taken over each image, so that a map does not depend on its batch.

    Parameters
    ----------
    group : str
        Name of the symmetry group.
    published_form : bool
        Leave both as they were published.
    **changes
        Fields of :class:`ModelSpec` to set otherwise.

    Returns
    -------
    ModelSpec

    Raises
    ------
    SpecificationError
        If the group or a value is none that a network can have.

    Examples
    --------
    >>> paper_spec("D8").fields
    (6, 16, 32, 64)
    >>> paper_spec("D8", published_form=True).padding.value
    'none'
    """
    settings: dict[str, Any] = {"architecture": Architecture.EQUIVARIANT_ATTENTION, "group": group}
    if changes.get("normalisation") == Normalisation.EMISSION:
        settings["min_island_pixels"] = MIN_ISLAND_PIXELS
    if published_form:
        settings |= {"padding": Padding.NONE, "extremes_over_batch": True}
    return ModelSpec(**(settings | changes))


class Preset(enum.StrEnum):
    """Widths and depths of a network: :func:`compact_spec` or :func:`paper_spec`."""

    COMPACT = "compact"
    PAPER = "paper"

    def specification(self, group: str, **changes: Any) -> ModelSpec:
        """The preset's network for a group."""
        make = compact_spec if self is Preset.COMPACT else paper_spec
        return make(group, **changes)
