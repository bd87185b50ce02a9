"""Whether maps depend on what a network has learned: weights are drawn anew, layer by layer.

The model parameter randomisation test of Adebayo et al. (2018, arXiv 1810.03292). A map that stays the same when all
weights are random shows the image and the architecture, and not what was learned.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from attnxai.alignment.resample import maps_on_field
from attnxai.audit.images import prepared_images
from attnxai.audit.randomisation_result import FIELD_MEASURES, MEASURES, RandomisationResult
from attnxai.audit.same_classes import SameClasses, rank_correlation
from attnxai.data.emission import emission_mask
from attnxai.data.images import SourceImage
from attnxai.errors import CheckpointError, OptionError
from attnxai.explanations.explaining import chosen_methods, explain
from attnxai.explanations.inputs import NetworkInputs
from attnxai.explanations.targets import check_target
from attnxai.models.attention_gate import AttentionGate
from attnxai.models.evaluation import evaluating
from attnxai.models.model import AttentionModel
from attnxai.models.network import ConvolutionLayer
from attnxai.models.steerable import SteerableConv2d
from attnxai.statistics.bootstrap import bootstrap_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.explanations.method import ExplanationMethod
    from attnxai.explanations.stack import MapStack


class Randomisation(enum.StrEnum):
    """Which weights are random at once.

    ``CASCADING`` draws the last layer, then the last two, and so on to the first. ``INDEPENDENT`` draws one layer and
    keeps all others as they were trained.
    """

    CASCADING = "cascading"
    INDEPENDENT = "independent"


# normalisations belong to the layer that comes before them, and the layers within these to each other
_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)  # noqa: SLF001
_WHOLES = (ConvolutionLayer, AttentionGate)


def trained_layers(network: nn.Module, example: torch.Tensor) -> dict[str, tuple[str, ...]]:
    """Layers with weights, from the first to the last, and the modules that hold their weights.

    Parameters
    ----------
    network : Module
        The network.
    example : Tensor, shape (n, 1, rows, columns)
        Input for one forward pass, which shows the order of the layers.

    Returns
    -------
    dict of str to tuple of str
        A normalisation belongs to the layer before it; a convolution with its normalisation, and an attention gate,
        are one layer each. Modules that the forward pass does not use are left out.
    """
    modules = dict(network.named_modules())
    order: list[str] = []

    def note(name: str) -> Callable[..., None]:
        return lambda *_: None if name in order else order.append(name)

    handles = [module.register_forward_pre_hook(note(name)) for name, module in modules.items()]
    try:
        with evaluating(network):
            network(example)
    finally:
        for handle in handles:
            handle.remove()
    wholes = [name for name, module in modules.items() if isinstance(module, _WHOLES)]
    found: dict[str, list[str]] = {}
    for name, module in modules.items():
        if any(True for _ in module.parameters(recurse=False)):
            above = [one for one in (*wholes, *order) if _contains(one, name)]
            inside = [one for one in wholes if one in above]
            if inside or name in order or len(above) > 1:
                found.setdefault(inside[0] if inside else max(above, key=len), []).append(name)
    layers: dict[str, list[str]] = {}
    for name in sorted(found, key=order.index):
        if isinstance(modules[name], _NORMS) and layers:
            layers[list(layers)[-1]] += found[name]
        else:
            layers[name] = found[name]
    return {name or "network": tuple(own) for name, own in layers.items()}


def _contains(outer: str, inner: str) -> bool:
    return outer in ("", inner) or inner.startswith(f"{outer}.")


def randomise_(network: nn.Module, names: Sequence[str], generator: torch.Generator) -> None:
    """Draw the weights of some modules of a network anew, in place.

    Filters and matrices are normal with variance 2 / fan-in (He et al. 2015), steerable ones with the same variance
    from every basis filter, and their biases are 0: as in a network that is to be trained. Normalisations get the
    weights and the running statistics with which they are made. What belongs to no such module is permuted.
    """
    modules = dict(network.named_modules())
    with torch.no_grad():
        for name in names:
            module: Any = modules[name]
            if isinstance(module, SteerableConv2d):
                fields_out, fields_in, _ = module.weights.shape
                basis = copy.deepcopy(module.shared).cpu().float()
                drawn = SteerableConv2d(basis, fields_in, fields_out, generator=generator)
                module.weights.copy_(drawn.weights)
            elif isinstance(module, nn.modules.conv._ConvNd | nn.Linear):  # noqa: SLF001
                deviation = (2.0 / module.weight[0].numel()) ** 0.5
                module.weight.copy_(
                    torch.randn(module.weight.shape, generator=generator) * deviation
                )
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, _NORMS):
                module.reset_parameters()
            else:
                for weight in module.parameters(recurse=False):
                    order = torch.randperm(weight.numel(), generator=generator)
                    weight.copy_(weight.flatten()[order.to(weight.device)].reshape(weight.shape))


def weight_randomisation(
    model: AttentionModel,
    images: Sequence[SourceImage],
    method: str | ExplanationMethod | Sequence[str | ExplanationMethod] = "gates",
    *,
    target: str | Sequence[str] | None = None,
    mode: Randomisation | str = Randomisation.CASCADING,
    n_draws: int = 3,
    n_bootstrap: int = 2000,
    rng: np.random.Generator | int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> RandomisationResult:
    """Compare maps of a model with those of copies whose weights are random, layer by layer from the last.

    Parameters
    ----------
    model : AttentionModel
        The model; copies of its network are changed, never the network itself.
    images : sequence of SourceImage
        The images.
    method : str or ExplanationMethod, or sequence of them
        How to make maps, as of :func:`attnxai.explain`.
    target : str or sequence of str, optional
        What is explained; the class that the trained model predicts for each image when left out, also where a model
        with random weights would predict another.
    mode : Randomisation
        ``cascading`` or ``independent``.
    n_draws : int
        Draws of the random weights.
    n_bootstrap : int
        Resamples of the images for intervals.
    rng : numpy.random.Generator or int
        Draws weights, what the methods draw, and resamples.
    on_step : callable, optional
        Called with the number of finished and of all explanations.

    Returns
    -------
    RandomisationResult

    Raises
    ------
    OptionError
        If an option is out of its range.
    CheckpointError
        If the network has no weights.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> network = nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    >>> preprocessing = attnxai.models.Preprocessing(size=48)
    >>> model = attnxai.wrap(network, preprocessing=preprocessing, class_names=("FR I", "FR II"))
    >>> found = weight_randomisation(model, images, "saliency", n_draws=1, n_bootstrap=100)
    >>> found.layers, found.steps
    (('saliency',), ('module.4', 'module.0'))
    """
    mode = Randomisation(mode)
    if n_draws < 1 or n_bootstrap < 1:
        raise OptionError(
            "weight_randomisation needs n_draws of 1 or more and n_bootstrap of 1 or more"
        )
    check_target(target, model.class_names, model.name)
    rng = np.random.default_rng(rng)
    seed = int(rng.integers(2**31))
    images = prepared_images(model, images)
    original = explain(model, images, method, target=target, rng=seed)
    explained = SameClasses(
        methods=chosen_methods(method), target=target, seed=seed, original=original
    )
    example = next(NetworkInputs.of(model, images[:1]).batches())
    layers = trained_layers(model.network, example)
    if not layers:
        raise CheckpointError(f"the model {model.name} has no weights that could be random")
    maps = maps_on_field(original)
    names = tuple(reversed(layers))
    values = np.full((len(MEASURES), len(names), n_draws, len(maps), len(original)), np.nan)
    n_done = 0
    for draw in range(n_draws):
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        for step, network in enumerate(_networks(model, layers, mode, generator)):
            random_maps = explained.explain(dataclasses.replace(model, network=network), images)
            for index, (name, own) in enumerate(maps.items()):
                values[:, step, draw, index] = _similarities(own, random_maps[name], original)
            n_done += 1
            if on_step is not None:
                on_step(n_done, n_draws * len(names))
    return RandomisationResult(
        model_name=model.name,
        sources=original.sources,
        mode=str(mode),
        steps=names,
        layers=tuple(maps),
        values=values,
        counts=bootstrap_counts(len(original), n_bootstrap, rng),
    )


def label_randomisation(
    model: AttentionModel,
    controls: AttentionModel | Sequence[AttentionModel],
    images: Sequence[SourceImage],
    method: str | ExplanationMethod | Sequence[str | ExplanationMethod] = "gates",
    *,
    target: str | Sequence[str] | None = None,
    n_bootstrap: int = 2000,
    rng: np.random.Generator | int = 0,
) -> RandomisationResult:
    """Compare maps of a model with those of networks that were trained on random labels.

    The data randomisation test of Adebayo et al. (2018).

    Parameters
    ----------
    model : AttentionModel
        The model that was trained on the true labels.
    controls : AttentionModel or sequence of them
        Models from ``attnxai train --random-labels``, with the same input.
    images : sequence of SourceImage
        The images, none of which the controls should have been trained on.
    method, target, n_bootstrap, rng
        As of :func:`weight_randomisation`.

    Returns
    -------
    RandomisationResult
        With the mode ``labels``, one step, and a draw for each control.

    Raises
    ------
    OptionError
        If there is no control, one was not trained on random labels, or its field or maps are not those of the model.

    Examples
    --------
    >>> import dataclasses
    >>> import numpy as np
    >>> import attnxai
    >>> rng = np.random.default_rng(0)
    >>> images = attnxai.SourceSet(
    ...     dataclasses.replace(
    ...         attnxai.data.simulate_source(name, source=f"{name} {i}", rng=rng).image,
    ...         class_name=name,
    ...         split="validation" if i < 10 else "train",
    ...     )
    ...     for name in ("FR I", "FR II")
    ...     for i in range(20)
    ... )
    >>> settings = attnxai.training.TrainingSettings(epochs=1, random_labels=True)
    >>> control, _ = attnxai.train_model(
    ...     attnxai.models.compact_spec("C1"), images, class_names=("FR I", "FR II"), settings=settings, name="control"
    ... )
    >>> model = attnxai.load_model("c1.pt")
    >>> found = attnxai.audit.label_randomisation(model, control, images[:1], n_bootstrap=100)
    >>> found.mode, found.layers
    ('labels', ('gate1', 'gate2', 'gate3', 'mean'))
    """
    several = [controls] if isinstance(controls, AttentionModel) else list(controls)
    if not several or n_bootstrap < 1:
        raise OptionError("label_randomisation needs a control and n_bootstrap of 1 or more")
    for control in several:
        if control.training is None or control.training.settings.get("random_labels") is not True:
            raise OptionError(
                f"the model {control.name} was not trained on random labels by its training record; train a control with "
                "attnxai train --random-labels"
            )
        seen = [
            (one.size, one.pixel_scale_arcsec)
            for one in (control.preprocessing, model.preprocessing)
        ]
        if seen[0] != seen[1] or control.class_names != model.class_names:
            raise OptionError(
                f"the models {model.name} and {control.name} differ in their field or classes; train the control with the "
                "options of the model"
            )
    check_target(target, model.class_names, model.name)
    rng = np.random.default_rng(rng)
    seed = int(rng.integers(2**31))
    images = prepared_images(model, images)
    original = explain(model, images, method, target=target, rng=seed)
    explained = SameClasses(
        methods=chosen_methods(method), target=target, seed=seed, original=original
    )
    maps = maps_on_field(original)
    values = np.full((len(MEASURES), 1, len(several), len(maps), len(original)), np.nan)
    for draw, control in enumerate(several):
        others = explained.explain(control, images)
        if set(others) != set(maps):
            raise OptionError(
                f"the models {model.name} and {control.name} have different maps; train the control with the options of "
                "the model"
            )
        for index, (name, own) in enumerate(maps.items()):
            values[:, 0, draw, index] = _similarities(own, others[name], original)
    return RandomisationResult(
        model_name=model.name,
        sources=original.sources,
        mode="labels",
        steps=("random labels",),
        layers=tuple(maps),
        values=values,
        counts=bootstrap_counts(len(original), n_bootstrap, rng),
    )


def _networks(
    model: AttentionModel,
    layers: dict[str, tuple[str, ...]],
    mode: Randomisation,
    generator: torch.Generator,
) -> Iterator[Any]:
    """A copy of the network for every layer from the last to the first, with random weights."""
    network = copy.deepcopy(model.network)
    for name in reversed(layers):
        if mode is Randomisation.INDEPENDENT:
            network = copy.deepcopy(model.network)
        randomise_(network, layers[name], generator)
        yield network


def _similarities(
    first: NDArray[np.float64], second: NDArray[np.float64], original: MapStack
) -> NDArray[np.float64]:
    """All measures, shape (n_measures, n_sources), between the maps of each source."""
    from skimage.metrics import structural_similarity

    values = np.full((len(MEASURES), len(first)), np.nan)
    emission = emission_mask(original.brightness) & original.valid
    for position, (one, other) in enumerate(zip(first, second, strict=True)):
        valid = original.valid[position]
        on_field = one[valid], other[valid]
        found = [
            rank_correlation(*on_field),
            rank_correlation(*map(np.abs, on_field)),
            np.nan,
            rank_correlation(one[emission[position]], other[emission[position]]),
        ]
        if np.ptp(on_field[0]) > 0 and np.ptp(on_field[1]) > 0:
            scaled = [(values - values.min()) / np.ptp(values) for values in (one, other)]
            found[len(FIELD_MEASURES) - 1] = float(
                structural_similarity(*scaled, data_range=1.0)  # type: ignore[no-untyped-call]
            )
        values[:, position] = found
    return values
