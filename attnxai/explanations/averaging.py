"""Means of the maps of changed versions of an image: SmoothGrad, and maps that are symmetrised over a group."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceImage
from attnxai.errors import OptionError
from attnxai.explanations.inputs import ChangedImages, NetworkInputs
from attnxai.explanations.measured import MEASURED
from attnxai.explanations.method import ExplanationMethod
from attnxai.explanations.stack import MapStack
from attnxai.explanations.targets import against_the_others
from attnxai.models.elements import (
    GroupElement,
    Interpolation,
    Outside,
    group_elements,
    middle_of,
    transform_images,
)
from attnxai.models.model import AttentionModel
from attnxai.models.specification import SymmetryGroup

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Layers = dict[str, NDArray[np.float64]]
    Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_INSIDE = 0.999
"""Share of a pixel's value that has to come from within the frame."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Averaging(abc.ABC):
    """Mean over changed versions of the images of the maps by another method; a ``function`` of an explanation method."""

    method: ExplanationMethod
    name: str

    @abc.abstractmethod
    def average(
        self,
        clean: MapStack,
        maps_of: Callable[[Change], Layers],
        model: AttentionModel,
        rng: np.random.Generator,
        on_share: Callable[[float], None],
    ) -> tuple[Layers, dict[str, Any]]:
        """Mean maps by layer, and what provenance states of them.

        ``maps_of`` a change of the brightness gives the maps by layer; the maps of the images as they are stand in
        ``clean``. ``on_share`` is called with the share that is done.
        """

    def __call__(
        self,
        model: AttentionModel,
        images: Sequence[SourceImage],
        *,
        target: str | Sequence[str] | None,
        rng: np.random.Generator,
        on_batch: Callable[[int, int], None] | None = None,
    ) -> MapStack:
        """Maps of some images; the class that is explained is that of the images as they are."""
        clean = self.method(model, images, target=target, rng=rng)
        by_target: dict[Any, NDArray[np.intp]] = {target: np.arange(len(images))}
        if target is None and self.method.uses_target:
            predicted = np.array(_predicted_classes(model, images))
            by_target = {
                against_the_others(name, model.class_names): np.flatnonzero(predicted == name)
                for name in dict.fromkeys(predicted.tolist())
            }

        def maps_of(change: Change) -> Layers:
            changed = change(clean.brightness)
            found = {name: np.empty(maps.shape) for name, maps in clean.layers.items()}
            for explained, rows in by_target.items():
                stack = self.method(
                    model,
                    ChangedImages([images[int(i)] for i in rows], _given(changed[rows])),
                    target=explained,
                    rng=rng,
                )
                for name, maps in stack.layers.items():
                    found[name][rows] = maps
            return found

        def on_share(share: float) -> None:
            if on_batch is not None:
                on_batch(round(share * len(images)), len(images))

        layers, explained = self.average(clean, maps_of, model, rng, on_share)
        names = {name: self._name_of(name, clean.layers) for name in layers}
        (of_method,) = clean.provenance["explanations"]
        return dataclasses.replace(
            clean,
            layers={names[name]: maps.astype(np.float32) for name, maps in layers.items()},
            geometry={names[name]: where for name, where in clean.geometry.items()},
            means={
                self._name_of(name, {}): tuple(names[one] for one in of)
                for name, of in clean.named_means.items()
            },
            provenance={
                **clean.provenance,
                "explanations": [{"method": of_method, **explained}],
            },
        )

    def _name_of(self, layer: str, layers: Mapping[str, Any]) -> str:
        return self.name if len(layers) == 1 else f"{self.name} {layer}"


def _given(brightness: NDArray[np.float32]) -> Change:
    return lambda _: brightness


def _predicted_classes(model: AttentionModel, images: Sequence[SourceImage]) -> list[str]:
    batches = NetworkInputs.of(model, images).batches()
    return [
        model.class_names[int(index)]
        for batch in batches
        for index in model.network(batch).argmax(1)
    ]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Smoothed(_Averaging):
    n: int
    noise: float

    def average(
        self,
        clean: MapStack,
        maps_of: Callable[[Change], Layers],
        model: AttentionModel,
        rng: np.random.Generator,
        on_share: Callable[[float], None],
    ) -> tuple[Layers, dict[str, Any]]:
        """Mean over noise."""
        totals = {name: np.zeros(maps.shape) for name, maps in clean.layers.items()}
        emission_alone = bool(getattr(model.spec, "zero_sky", False))
        peaks = clean.brightness.max(axis=(1, 2), keepdims=True)

        def noisy(brightness: NDArray[np.float32]) -> NDArray[np.float32]:
            drawn = rng.standard_normal(brightness.shape, dtype=np.float32) * (self.noise * peaks)
            if emission_alone:  # noise on blank sky would count as emission
                return np.where(brightness > 0, np.maximum(brightness + drawn, 1 / 255), 0).astype(
                    np.float32
                )
            return np.asarray(brightness + drawn)

        for index in range(self.n):
            for name, maps in maps_of(noisy).items():
                totals[name] += maps / self.n
            on_share((index + 1) / self.n)
        options = {"n": self.n, "noise": self.noise, "noise_on_emission_alone": emission_alone}
        return totals, {"options": options}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Symmetrised(_Averaging):
    group: str | None

    def average(
        self,
        clean: MapStack,
        maps_of: Callable[[Change], Layers],
        model: AttentionModel,
        rng: np.random.Generator,  # noqa: ARG002 -- nothing is drawn
        on_share: Callable[[float], None],
    ) -> tuple[Layers, dict[str, Any]]:
        """Mean over the elements of the group, where they keep a pixel within the frame."""
        stated = self.group or getattr(model.spec, "group", None)
        if stated is None:
            raise OptionError(
                f"the model {model.name} states no symmetry group; give one, such as symmetrised(method, group='D4')"
            )
        symmetry = SymmetryGroup.from_name(stated)
        elements = group_elements(symmetry)
        centres = {
            name: _centre(where, clean.field_shape) for name, where in clean.geometry.items()
        }
        totals = {name: np.zeros(maps.shape) for name, maps in clean.layers.items()}
        weights = {name: np.zeros(maps.shape[1:]) for name, maps in clean.layers.items()}
        errors: dict[str, NDArray[np.float64]] = {}
        for index, element in enumerate(elements):
            turned_maps = maps_of(functools.partial(_turned_images, element=element))
            for name, maps in turned_maps.items():
                centre = centres[name]
                frame = np.ones(maps.shape[1:], bool)
                inside = _covered(frame, element.inverse, centre)
                totals[name] += np.where(inside, _turned(maps, element.inverse, centre), 0.0)
                weights[name] += inside
                if not element.fits(maps.shape[1:], centre):
                    error = _there_and_back(clean.layers[name], element, centre)
                    errors[name] = np.maximum(errors.get(name, 0.0), error)
            on_share((index + 1) / len(elements))
        n_exact = sum(element.fits(clean.field_shape) for element in elements)
        facts: dict[str, Any] = {
            "group": symmetry.name,
            "n_elements": len(elements),
            "n_exact": n_exact,
        }
        explained: dict[str, Any] = {"options": facts}
        if errors:
            explained[MEASURED] = {"interpolation_error": errors}
        return {name: total / weights[name] for name, total in totals.items()}, explained


def _centre(where: GridTransform, shape: tuple[int, int]) -> tuple[float, float]:
    """Row and column of the middle of the field on the grid of a layer."""
    row, column = middle_of(shape)
    x, y = where.to_inner(np.array(column), np.array(row))
    return float(y), float(x)


def _turned(
    values: NDArray[Any], element: GroupElement, centre: tuple[float, float] | None = None
) -> NDArray[Any]:
    found = transform_images(
        torch.from_numpy(np.array(values)),
        element,
        centre=centre,
        outside=Outside.NEAREST,
    )
    return found.numpy()


def _turned_images(brightness: NDArray[np.float32], element: GroupElement) -> NDArray[np.float32]:
    """What a network sees of turned images: blank sky from beyond the frame, in 256 steps as by its preprocessing."""
    if element.fits((brightness.shape[1], brightness.shape[2])):
        return _turned(brightness, element)
    found = transform_images(torch.from_numpy(np.array(brightness)), element).numpy()
    return np.asarray(np.floor(255.0 * found.clip(0.0, 1.0)) / 255.0, dtype=np.float32)


def _covered(
    frame: NDArray[np.bool_], element: GroupElement, centre: tuple[float, float]
) -> NDArray[np.bool_]:
    """Pixels that an element fills from within a frame."""
    values = torch.from_numpy(frame.astype(np.float64))
    found = transform_images(values, element, centre=centre, interpolation=Interpolation.BILINEAR)
    return np.asarray(found.numpy() > _INSIDE)


def _there_and_back(
    maps: NDArray[np.float32], element: GroupElement, centre: tuple[float, float]
) -> NDArray[np.float64]:
    """Root mean square error of each map that is turned there and back, relative to its standard deviation."""
    back = _turned(_turned(maps, element, centre), element.inverse, centre)
    filled = _covered(np.ones(maps.shape[1:], bool), element, centre)
    inside = filled & _covered(filled, element.inverse, centre)
    before, after = (values[:, inside].astype(np.float64) for values in (maps, back))
    spread = before.std(axis=1)
    error = np.sqrt(((after - before) ** 2).mean(axis=1))
    return np.asarray(np.divide(error, spread, out=np.zeros(len(maps)), where=spread > 0))


def smoothed(
    method: ExplanationMethod, *, n: int = 25, noise: float = 0.1, name: str | None = None
) -> ExplanationMethod:
    """SmoothGrad around any method (Smilkov et al. 2017, arXiv 1706.03825): the mean of its maps of noisy images.

    Parameters
    ----------
    method : ExplanationMethod
        The method whose maps are averaged.
    n : int
        Noisy versions of each image.
    noise : float
        Standard deviation of the normal noise, relative to the peak brightness of each image. Networks that attend to
        emission get no noise on blank sky, where it would count as emission.
    name : str, optional
        Name of the method that is returned; ``smoothed_`` and that of the method when left out.

    Returns
    -------
    ExplanationMethod

    Raises
    ------
    OptionError
        If there are no versions, or the noise is not above 0.

    Examples
    --------
    >>> import attnxai
    >>> smoothed(attnxai.explanations.EXPLANATIONS["gradcam"], n=10).name
    'smoothed_gradcam'
    """
    if n < 1 or not 0 < noise < np.inf:
        raise OptionError(
            f"smoothing needs 1 or more versions and noise above 0, got {n} and {noise:g}"
        )
    name = name or f"smoothed_{method.name}"
    return ExplanationMethod(
        name=name,
        title=f"{method.title} smoothed over noise",
        function=_Smoothed(method=method, name=name, n=n, noise=noise),
        uses_target=method.uses_target,
        uses_rng=True,
        reports_progress=True,
        references=("Smilkov et al. 2017 (arXiv 1706.03825) for SmoothGrad", *method.references),
    )


def symmetrised(
    method: ExplanationMethod, *, group: str | None = None, name: str | None = None
) -> ExplanationMethod:
    """Maps by a method, symmetrised over a group: the mean over its elements g of g^-1 map(g image).

    They turn with the image, also for a network that does not. Elements that map the pixel grid onto itself are exact.
    Others are interpolated; provenance states how much that changes maps, measured by turning them there and back.
    Pixels that an element turns out of the frame have the mean over the other elements.

    Parameters
    ----------
    method : ExplanationMethod
        The method whose maps are averaged.
    group : str, optional
        Name of the group, such as ``D4``; that of the network when left out.
    name : str, optional
        Name of the method that is returned; ``symmetrised_`` and that of the method when left out.

    Returns
    -------
    ExplanationMethod

    Examples
    --------
    >>> import attnxai
    >>> symmetrised(attnxai.explanations.EXPLANATIONS["gates"], group="D4").name
    'symmetrised_gates'
    """
    if group is not None:
        group = SymmetryGroup.from_name(group).name
    name = name or f"symmetrised_{method.name}"
    return ExplanationMethod(
        name=name,
        title=f"{method.title} symmetrised over a group",
        function=_Symmetrised(method=method, name=name, group=group),
        uses_target=method.uses_target,
        uses_rng=method.uses_rng,
        reports_progress=True,
        references=method.references,
    )
