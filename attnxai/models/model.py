"""A network together with everything needed to use and to evaluate it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from attnxai.data.plain_values import checked_fields, to_plain
from attnxai.data.short_repr import short_repr, short_value
from attnxai.errors import CheckpointError
from attnxai.models.architectures import Network, Specification
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import ModelSpec
from attnxai.models.wrapped_network import WrappedSpec

# beyond these scores divided by it overflow, or all are the same
_TEMPERATURES = (1e-6, 1e6)
_OPTIONAL = (
    "train_fingerprints", "validation_fingerprints", "train_positions", "validation_positions"
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """How a model was trained, as far as its file states it.

    Parameters
    ----------
    data : str
        Data set, with its source.
    data_licence : str
        Its licence.
    data_sha256 : str
        Hash of the images and ids that were trained and validated on.
    train_sources, validation_sources : tuple of str
        Ids of the sources; they are no evidence about the model's attention to others.
    settings : mapping
        Options of the training, as plain values.
    metrics : mapping
        Numbers measured at the end of training.
    versions : mapping
        Versions of the libraries that trained it.
    command : str
        The command that repeats the training.
    train_fingerprints, validation_fingerprints : tuple of str
        Short hash of what the network saw of each of these sources, in their order, by which copies under
        other names are known; see :meth:`attnxai.models.preprocessing.NetworkView.fingerprint`. Empty in
        files that do not hold them.
    train_positions, validation_positions : tuple of (float, float) or None
        Right ascension and declination (ICRS degrees) of the centre of the field that the network saw of each of these
        sources, in their order, by which a source is known in any image of it; None where an image states no position.
        Empty in files that do not hold them.

    Raises
    ------
    CheckpointError
        If there are fingerprints or positions, but not one for each source, or a position is none.

    Examples
    --------
    >>> import attnxai
    >>> record = attnxai.load_model("d8.pt").training
    >>> record.data_licence, len(record.validation_sources), record.settings["epochs"]
    ('CC BY 4.0', 199, 48)
    """

    data: str
    data_licence: str
    data_sha256: str
    train_sources: tuple[str, ...]
    validation_sources: tuple[str, ...]
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    versions: Mapping[str, str]
    command: str
    train_fingerprints: tuple[str, ...] = ()
    validation_fingerprints: tuple[str, ...] = ()
    train_positions: tuple[tuple[float, float] | None, ...] = ()
    validation_positions: tuple[tuple[float, float] | None, ...] = ()

    __repr__ = short_repr

    def __post_init__(self) -> None:
        for what in ("fingerprints", "positions"):
            given = {part: getattr(self, f"{part}_{what}") for part in ("train", "validation")}
            for part, values in given.items():
                n = len(getattr(self, f"{part}_sources"))
                if any(given.values()) and len(values) != n:
                    raise CheckpointError(
                        f"the training record has {len(values)} {part}_{what} for {n} sources; it needs one for each"
                    )
        for part in ("train", "validation"):
            positions = getattr(self, f"{part}_positions")
            for source, position in zip(getattr(self, f"{part}_sources"), positions, strict=False):
                if position is not None and not _is_on_sky(*position):
                    raise CheckpointError(
                        f"the position of {short_value(source)} in {part}_positions of the training record is "
                        f"{short_value(tuple(position))}; it should be a right ascension from 0 to 360 and a "
                        "declination from -90 to 90 degrees"
                    )
            pairs = tuple(None if position is None else tuple(position) for position in positions)
            object.__setattr__(self, f"{part}_positions", pairs)

    @property
    def n_sources(self) -> int:
        """How many sources were trained and validated on."""
        return len(self.train_sources) + len(self.validation_sources)

    @property
    def n_positions(self) -> int:
        """How many of the sources that were trained and validated on have a known position."""
        return sum(p is not None for p in (*self.train_positions, *self.validation_positions))

    def to_dict(self) -> dict[str, Any]:
        """Plain values that a checkpoint can hold; fingerprints and positions only where there are any."""
        return {
            name: value for name, value in to_plain(self).items() if name not in _OPTIONAL or value
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingRecord:
        """Rebuild from plain values, refusing what is missing or of another kind."""
        return cls(**checked_fields(cls, values, "the training record", ignore_unknown=True))


def _is_on_sky(ra_deg: float, dec_deg: float) -> bool:
    return 0.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionModel:
    """A network with its preprocessing, class names, training record and provenance.

    Parameters
    ----------
    name : str
        What to call it in tables and figures.
    spec : ModelSpec, LeNetSpec or WrappedSpec
        Its specification.
    network : AttentionNetwork, LeNet or WrappedNetwork
        The network.
    preprocessing : Preprocessing
        How images become its input.
    class_names : tuple of str
        One name per class score.
    training : TrainingRecord or None
        None where the file does not state it.
    trained_on_split : str or None
        For published files without ids: the published split that they were trained on.
    path, sha256 : str
        The file and its hash; empty for a model made in memory.
    notes : tuple of str
        What a reader of results should know about this file.
    temperature : float
        Class scores are divided by it before they become probabilities (Guo et al. 2017,
        arXiv 1706.04599); the class of highest score stays the same.

    Raises
    ------
    CheckpointError
        If the class names do not fit the scores, or the temperature is out of range.

    Examples
    --------
    >>> import attnxai
    >>> model = attnxai.load_model("d8.pt")
    >>> model.name, model.class_names, model.preprocessing.size
    ('D8', ('FR I', 'FR II'), 144)
    >>> model.training.n_sources
    997
    """

    name: str
    spec: Specification
    network: Network
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    training: TrainingRecord | None = None
    trained_on_split: str | None = None
    path: str = ""
    sha256: str = ""
    notes: tuple[str, ...] = ()
    temperature: float = 1.0

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if len(self.class_names) != self.spec.n_classes:
            raise CheckpointError(
                f"{len(self.class_names)} class names for {self.spec.n_classes} classes"
            )
        if len(set(self.class_names)) < len(self.class_names):
            raise CheckpointError(
                f"two of its classes have one name: {', '.join(map(short_value, self.class_names))}"
            )
        low, high = _TEMPERATURES
        if not low <= self.temperature <= high:
            raise CheckpointError(
                f"the temperature has to lie between {low:g} and {high:g}, got {self.temperature}"
            )

    @property
    def architecture(self) -> str:
        """Its family of networks in words, or the class of a module that was wrapped."""
        if isinstance(self.spec, WrappedSpec):
            return self.spec.module
        return str(self.spec.architecture).replace("_", " ")

    def require_gates(self) -> tuple[ModelSpec, AttentionNetwork]:
        """Specification and network, for what needs attention gates.

        Raises
        ------
        CheckpointError
            If the network has none.
        """
        spec, network = self.spec, self.network
        if isinstance(spec, ModelSpec) and isinstance(network, AttentionNetwork) and spec.n_gates:
            return spec, network
        raise CheckpointError(
            f"the model {self.name} ({self.architecture}) has no attention gates, and so no attention maps or evidence of "
            'gates; choose a method for any network, as with --explain gradcam (in Python, method="gradcam")'
        )
