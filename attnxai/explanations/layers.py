"""Layers of any network: by name, and where the cells of their feature maps lie on the input."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard
from weakref import WeakKeyDictionary

import torch
from torch.overrides import TorchFunctionMode

from attnxai.data.grid import GridTransform
from attnxai.errors import OptionError
from attnxai.models.architectures import input_kind
from attnxai.models.evaluation import evaluating

# Receptive fields may be larger than the image. Widths that differ by a multiple of 64 leave the same remainder
# after six halvings, so that padding and pooling treat the left border alike.
_WIDER_BY = (0, 64, 192, 448, 960)
_ROWS = 64
_TRAILING = (1, 2, 4, 8, 16)
_SAME_PLACE = 1e-6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """A call of a torch function in a forward pass, by its position among those that give a feature map.

    It names feature maps that are not the output of a module, such as those of a rectifier that is a function.
    """

    position: int


def layer_geometry_of(
    network: torch.nn.Module,
    layer: torch.nn.Module | FunctionCall,
    size: int,
    *,
    channels: int = 1,
) -> GridTransform:
    """How the cells of a layer's output lie on the input of a network, measured and not derived from its code.

    The place of a cell is the middle of its receptive field, whatever convolutions, poolings and paddings lie
    before it. The receptive field is found by putting NaN into parts of a blank image, which spreads through every
    operation: a cell is NaN exactly if one of its pixels is. It may be larger than the image, so that wider images
    are tried as well. Means over the whole image, as in squeeze-and-excitation and group normalisation, are left
    out of account, since they have no place.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (batch, channels, rows, columns). Its mode, gradients and hooks are the same afterwards.
    layer : torch.nn.Module or FunctionCall
        A module within it, whose output has the shape (batch, channels, rows, columns). Of several calls in one pass
        the last one counts.
    size : int
        Side of the network's input in pixels.
    channels : int
        Channels of the network's input.

    Returns
    -------
    GridTransform
        The place of the output's cells in pixel coordinates of the input.

    Raises
    ------
    OptionError
        If the layer's output is not a feature map, does not depend on the place in the image, or its cells do not lie
        on a regular grid of square cells.

    Examples
    --------
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, stride=2, padding=1), torch.nn.MaxPool2d(2))
    >>> layer_geometry_of(network, network[1], 48)
    GridTransform(step=4.0, origin_x=1.0, origin_y=1.0)
    """
    name = "of a function"
    if isinstance(layer, torch.nn.Module):
        name = next((known for known, module in network.named_modules() if module is layer), "")
        if not name and layer is not network:
            raise OptionError(f"layer {type(layer).__name__} is not a part of the network")
    known = _MEASURED.setdefault(network, {})
    # what is printed of a network tells strides and paddings that were changed since
    place = (layer if isinstance(layer, FunctionCall) else name, size, channels, repr(network))
    if place in known:
        return known[place]
    with evaluating(network, prepare=False), _plain_convolutions():
        device, dtype = input_kind(network)
        with outputs_of(layer) as found:
            network(torch.zeros(1, channels, size, size, device=device, dtype=dtype))
        if not found:
            raise OptionError(f"layer {name} plays no part in the forward pass of the network")
        probe = _Probe(
            network=network,
            layer=layer,
            name=name,
            size=size,
            channels=channels,
            n_calls=len(found),
        )
        return known.setdefault(place, probe.geometry())


_MEASURED: WeakKeyDictionary[torch.nn.Module, dict[tuple[object, ...], GridTransform]] = (
    WeakKeyDictionary()
)


def is_feature_map(output: object) -> TypeGuard[torch.Tensor]:
    """Whether this is a tensor (batch, channels, rows, columns)."""
    return isinstance(output, torch.Tensor) and output.ndim == 4


class CountedCalls(TorchFunctionMode):
    """Calls a function with the position and the output of each call of a torch function that gives a feature map."""

    def __init__(self, on_output: Callable[[int, torch.Tensor], None]) -> None:
        super().__init__()
        self._on_output, self.n_calls = on_output, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if is_feature_map(output):
            self._on_output(self.n_calls, output)
            self.n_calls += 1
        return output


@contextlib.contextmanager
def outputs_of(
    layer: torch.nn.Module | FunctionCall, *, stop_after: int | None = None
) -> Iterator[list[Any]]:
    """Outputs of a layer in one forward pass within the block, which ends after some of them if that is given."""
    found: list[Any] = []

    def keep(output: Any) -> Any:
        found.append(output)
        if len(found) == stop_after:
            raise _Reached
        # which what follows may change in place
        return output.clone() if isinstance(output, torch.Tensor) else None

    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(_Reached))
        if isinstance(layer, FunctionCall):

            def count(position: int, output: torch.Tensor) -> None:
                if position == layer.position:
                    keep(output)

            stack.enter_context(CountedCalls(count))
        else:
            handle = layer.register_forward_hook(lambda _module, _inputs, output: keep(output))
            stack.callback(handle.remove)
        yield found


@contextlib.contextmanager
def _plain_convolutions() -> Iterator[None]:
    """Convolutions by plain sums: fast algorithms work on tiles, over which they would spread NaN."""
    backends = torch.backends
    with (
        warnings.catch_warnings(action="ignore"),  # of hardware that is not there
        backends.mkldnn.flags(enabled=False),
        backends.nnpack.flags(enabled=False),
        backends.cudnn.flags(enabled=False),
    ):
        yield


class _Reached(Exception):
    """The layer has been computed; what follows is not needed."""


_STATISTICS: tuple[Callable[..., Any], ...] = (
    torch.mean,
    torch.Tensor.mean,
    torch.var,
    torch.Tensor.var,
    torch.std,
    torch.Tensor.std,
    torch.nn.functional.adaptive_max_pool2d,
    torch.nn.functional.adaptive_avg_pool2d,
)
_NORMALISATIONS = (
    torch.nn.functional.group_norm,
    torch.nn.functional.instance_norm,
    torch.nn.functional.layer_norm,
)


class _LocalOperations(TorchFunctionMode):
    """Means and normalisations over whole images do not spread NaN."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _NORMALISATIONS:
            return args[0]
        if func in _STATISTICS:
            args = (torch.nan_to_num(args[0]), *args[1:])
        return func(*args, **(kwargs or {}))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Probe:
    network: torch.nn.Module
    layer: torch.nn.Module | FunctionCall
    name: str
    size: int
    channels: int
    n_calls: int

    def reached(self, axis: int, width: int, spans: list[tuple[int, int]]) -> torch.Tensor:
        """Which cells along an axis depend on pixels low to high - 1 of it, shape (n_spans, n_cells)."""
        device, dtype = input_kind(self.network)
        across = self.size if width == self.size else min(self.size, _ROWS)
        shape = (width, across) if axis == -2 else (across, width)
        images = torch.zeros(len(spans), self.channels, *shape, device=device, dtype=dtype)
        for image, (low, high) in zip(images, spans, strict=True):
            image.narrow(axis, low, high - low).fill_(torch.nan)
        # the calls that are counted are the same whatever they are replaced by
        with _LocalOperations(), outputs_of(self.layer, stop_after=self.n_calls) as found:
            self.network(images)
        output = found[-1]
        if not is_feature_map(output):
            shape_of = (
                tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
            )
            raise OptionError(
                f"layer {self.name} gives {shape_of}; choose a layer whose output has the shape (batch, channels, "
                "rows, columns)"
            )
        others = (1, 2) if axis == -1 else (1, 3)
        return output.isnan().any(dim=others).cpu()

    def geometry(self) -> GridTransform:
        """The place of the cells, by the first and last pixels of two of them along each axis."""
        for more in _WIDER_BY:
            width = self.size + more
            try:
                ends = self._ends(width)
            except OptionError:
                raise
            except Exception:  # whatever a network raises for images that it does not take
                if not more:
                    raise
                break
            inside = _between(ends)
            if len(inside) > 1:
                cells = inside[[0, -1]]
                edges = self._edges(-1, width, cells)
                step, origin_x = self._axis(-1, edges, cells)
                if not self._are_edges(-2, width, cells, edges):
                    edges = self._edges(-2, width, cells)
                down, origin_y = self._axis(-2, edges, cells)
                if abs(step - down) > _SAME_PLACE:
                    raise OptionError(
                        f"layer {self.name} has a cell for every {step:g} columns and {down:g} rows of the image; "
                        "choose a layer with square cells"
                    )
                return GridTransform(step=step, origin_x=origin_x, origin_y=origin_y)
        raise OptionError(
            f"the cells of layer {self.name} have no measurable place in the image: each depends on the whole width "
            "of it, or none does; choose an earlier layer"
        )

    def _ends(self, width: int) -> torch.Tensor:
        """Cells that depend on the first pixel, and on the last ones that any depends on: strides may leave some out."""
        for trailing in _TRAILING:
            ends = self.reached(-1, width, [(0, 1), (width - trailing, width)])
            if bool(ends[1].any()):
                break
        return ends

    def _edges(self, axis: int, width: int, cells: torch.Tensor) -> torch.Tensor:
        """First pixels of two cells' receptive fields, then their last ones, by bisection."""
        low, high = torch.zeros(4, dtype=torch.long), torch.full((4,), width)
        while int((high - low).max()) > 1:
            middle = (low + high) // 2
            beyond = self._at_or_beyond(axis, width, cells, middle)
            low, high = torch.where(beyond, middle, low), torch.where(beyond, high, middle)
        return low

    def _at_or_beyond(
        self, axis: int, width: int, cells: torch.Tensor, pixels: torch.Tensor
    ) -> torch.Tensor:
        """Whether each of the four edges lies at a pixel or to the right of it."""
        before, after = pixels[:2].tolist(), pixels[2:].tolist()
        spans = [(0, end) for end in before] + [(begin, width) for begin in after]
        reached = self.reached(axis, width, spans)
        # rows may have fewer cells than columns
        touched = reached[torch.arange(4), cells.repeat(2).clamp(max=reached.shape[1] - 1)]
        return torch.cat([~touched[:2], touched[2:]])

    def _are_edges(self, axis: int, width: int, cells: torch.Tensor, edges: torch.Tensor) -> bool:
        here = self._at_or_beyond(axis, width, cells, edges)
        return bool((here & ~self._at_or_beyond(axis, width, cells, edges + 1)).all())

    def _axis(self, axis: int, edges: torch.Tensor, cells: torch.Tensor) -> tuple[float, float]:
        """Step and origin of a regular grid of cells."""
        first, last = cells.tolist()
        begin, begin_last, end, end_last = edges.double().tolist()
        step = (begin_last - begin) / (last - first)
        regular = step > 0 and abs((end_last - end) - (begin_last - begin)) < _SAME_PLACE
        begin, end = begin - step * first, end - step * first  # of cell 0
        if not regular or not self._lie_there(axis, step, begin, end):
            raise OptionError(
                f"the cells of layer {self.name} do not lie on a regular grid over the image; choose another layer"
            )
        return step, (begin + end) / 2

    def _lie_there(self, axis: int, step: float, begin: float, end: float) -> bool:
        """Whether the cells of an image of the network's own size lie where those of a wider one do."""
        middle = self.size // 2
        touched = self.reached(axis, self.size, [(0, middle)])[0]
        places = step * torch.arange(len(touched), dtype=torch.float64)
        # some cover only padding
        expected = (begin + places < middle - _SAME_PLACE) & (end + places > -_SAME_PLACE)
        return bool((touched == expected).all())


def _between(ends: torch.Tensor) -> torch.Tensor:
    """Cells beyond those that depend on the first pixel, and before those that depend on the last."""
    after, before = (torch.nonzero(reached)[:, 0].tolist() for reached in ends)
    cells = range(max(after, default=-1) + 1, min(before, default=ends.shape[1]))
    return torch.tensor(cells, dtype=torch.long)
