"""One forward pass of a gated network, from which several methods and audits take what they need."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from attnxai.data.images import SourceImage
from attnxai.explanations.inputs import NetworkInputs, blank_input
from attnxai.explanations.stack import MapStack
from attnxai.models.architectures import input_kind
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork, LinearHead
from attnxai.models.preprocessing import Preprocessing
from attnxai.models.specification import FeatureSum, Normalisation
from attnxai.models.wrapped_network import weights_sha256

# scores of a gate that differ by less, relative to the largest, differ by rounding alone
_ROUNDING = 64.0

# what a network last answered to empty sky, and what the answer depends on
_BlankKey = tuple[str, torch.device, Preprocessing]
_BLANK: weakref.WeakKeyDictionary[AttentionNetwork, tuple[_BlankKey, list[torch.Tensor]]]
_BLANK = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchEvidence:
    """Evidence in some images, for every class.

    ``bias`` (batch, n_classes) plus the sums over pixels of all ``maps``, of shape (batch, n_classes, height, width) by
    gate, are the ``scores`` (batch, n_classes).
    """

    maps: Mapping[str, torch.Tensor]
    bias: torch.Tensor
    scores: torch.Tensor


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class _GateRecord:
    """What passes through a gate in the last forward pass, each of shape (batch, channels, height, width)."""

    attention: torch.Tensor
    gated: torch.Tensor


class GateBatch:
    """What the gates of a network made of a batch of images; evidence is computed when it is asked for.

    It is valid until the next batch passes. Evidence relative to empty sky needs the ``blank`` features of
    :func:`blank_features`.
    """

    def __init__(
        self,
        network: AttentionNetwork,
        records: Sequence[_GateRecord],
        scores: torch.Tensor,
        blank: Sequence[torch.Tensor] | None,
    ) -> None:
        self.network, self.scores = network, scores
        self._records, self._blank = records, blank

    @property
    def attention(self) -> dict[str, torch.Tensor]:
        """Maps by gate, (batch, height, width)."""
        names = self.network.spec.gate_names
        return {
            name: record.attention[:, 0] for name, record in zip(names, self._records, strict=True)
        }

    @property
    def gated(self) -> dict[str, torch.Tensor]:
        """Features times attention by gate, (batch, channels, height, width)."""
        names = self.network.spec.gate_names
        return {name: record.gated for name, record in zip(names, self._records, strict=True)}

    @functools.cached_property
    def evidence(self) -> BatchEvidence:
        """Contributions of pixels to the scores."""
        return self._evidence(None)

    @functools.cached_property
    def relative_evidence(self) -> BatchEvidence:
        """The same less the contributions of the same pixels in an image of empty sky, which the bias takes in."""
        if self._blank is None:
            raise LookupError("a reader of relative evidence has to say so")
        return self._evidence(self._blank) if self._blank else self.evidence

    @functools.cached_property
    def _head(self) -> LinearHead:
        return self.network.linear_head([self._pooled(values) for values in self.gated.values()])

    @property
    def _mean(self) -> bool:
        return self.network.spec.feature_sum is FeatureSum.MEAN

    def _pooled(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean(dim=(2, 3)) if self._mean else features.sum(dim=(2, 3))

    def _evidence(self, blank: Sequence[torch.Tensor] | None) -> BatchEvidence:
        maps, bias = {}, self._head.bias
        for index, (name, gated) in enumerate(self.gated.items()):
            values, weights = gated, self._head.weights[index]
            if blank is not None:
                empty = blank[index]
                bias = bias + (weights @ self._pooled(empty)[:, :, None])[:, :, 0]
                values = values - empty
            flat = weights @ values.flatten(2)
            n_pixels = flat.shape[2] if self._mean else 1
            maps[name] = (flat / n_pixels).reshape(*flat.shape[:2], *values.shape[2:])
        return BatchEvidence(maps=maps, bias=bias, scores=self.scores)


def gate_batches(
    network: AttentionNetwork,
    batches: Iterator[torch.Tensor],
    *,
    blank: Sequence[torch.Tensor] | None = None,
) -> Iterator[GateBatch]:
    """What the gates make of batches of input images, each from one forward pass.

    Hooks are removed when it ends, also with an error.
    """
    with _recorded(network) as records:
        for batch in batches:
            yield GateBatch(network, records, network(batch), blank)


@contextlib.contextmanager
def _recorded(network: AttentionNetwork) -> Iterator[list[_GateRecord]]:
    nothing = torch.empty(0)
    records = [_GateRecord(attention=nothing, gated=nothing) for _ in network.gates]
    handles = []

    def recorder(record: _GateRecord) -> Callable[..., None]:
        def keep(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
            record.gated = output

        return keep

    def attention_recorder(record: _GateRecord) -> Callable[..., None]:
        def keep(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
            record.attention = output

        return keep

    try:
        for gate, record in zip(network.gates, records, strict=True):
            handles.append(gate.register_forward_hook(recorder(record)))
            normalise = gate.normalise
            handles.append(normalise.register_forward_hook(attention_recorder(record)))  # type: ignore[union-attr]
        yield records
    finally:
        for handle in handles:
            handle.remove()


def blank_features(model: AttentionModel) -> list[torch.Tensor]:
    """Gated features of every gate, (1, channels, height, width), of the input of empty sky.

    Scores that are all equal have no map under ``range_norm``: 0 / 0, which counts as 0. Under ``emission`` all features
    are 0, and the list is empty. Otherwise it takes a forward pass, in evaluation mode, which is kept until the weights,
    the device or the preprocessing change.
    """
    _, network = model.require_gates()
    if network.spec.zero_sky:
        return []
    device, _ = input_kind(network)
    key = weights_sha256(network), device, model.preprocessing
    kept = _BLANK.get(network)
    if kept is None or kept[0] != key:
        kept = _BLANK[network] = key, _blank_pass(network, blank_input(model))
    return kept[1]


def _blank_pass(network: AttentionNetwork, blank: torch.Tensor) -> list[torch.Tensor]:
    constant: list[bool] = []
    handles = []

    def look(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        scores = inputs[0]
        limit = _ROUNDING * torch.finfo(scores.dtype).eps * scores.abs().max()
        constant.append(bool(scores.max() - scores.min() <= limit))

    try:
        for gate in network.gates:
            handles.append(gate.normalise.register_forward_pre_hook(look))  # type: ignore[union-attr]
        with _recorded(network) as records:
            network(blank)
    finally:
        for handle in handles:
            handle.remove()
    no_map = network.spec.normalisation is Normalisation.RANGE_NORM
    return [
        record.gated * 0.0 if no_map and same else record.gated
        for record, same in zip(records, constant, strict=True)
    ]


class GateReader(abc.ABC):
    """Takes from every batch of a forward pass what it needs.

    ``inputs`` are set before the first; ``relative`` says whether it reads relative evidence.
    """

    inputs: NetworkInputs
    relative: bool = False

    def begin(self, inputs: NetworkInputs) -> None:
        """Prepare for a pass of these inputs."""
        self.inputs = inputs

    @abc.abstractmethod
    def read(self, batch: GateBatch) -> None:
        """Take what is needed from a batch, which changes when the next passes."""


class MapReader(GateReader):
    """A reader that makes maps."""

    @abc.abstractmethod
    def stack(self) -> MapStack:
        """The maps of all images."""


def read_gates(
    model: AttentionModel,
    images: Sequence[SourceImage],
    readers: Sequence[GateReader],
    *,
    batch_size: int = 16,
    on_batch: Callable[[int, int], None] | None = None,
) -> None:
    """Let readers read one forward pass, in evaluation mode, of a model that has gates."""
    _, network = model.require_gates()
    inputs = NetworkInputs.of(model, images)
    for reader in readers:
        reader.begin(inputs)
    blank = None
    if any(reader.relative for reader in readers):
        blank = blank_features(model)
    n_passed = 0
    for batch in gate_batches(network, inputs.batches(batch_size), blank=blank):
        for reader in readers:
            reader.read(batch)
        n_passed += len(batch.scores)
        if on_batch is not None:
            on_batch(n_passed, len(images))
