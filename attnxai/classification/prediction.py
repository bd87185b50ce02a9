"""Class scores of a model, and the classes of labelled images."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.data.images import SourceImage
from attnxai.errors import DataSetError, OptionError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from attnxai.models.model import AttentionModel
    from attnxai.models.preprocessing import Assumed


def class_scores(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    batch_size: int = 64,
    device: str | torch.device | None = None,
) -> NDArray[np.float64]:
    """Class scores of a model for some images, before any temperature.

    Parameters
    ----------
    model : AttentionModel
        The model; its mode and device are the same afterwards.
    images : sequence of SourceImage
        The images; each passes through the model's own preprocessing.
    batch_size : int
        Images in one forward pass; the scores do not depend on it. A network that takes extremes over
        the whole batch sees one image at a time.
    device : str or torch.device, optional
        Where to compute; where the network is when left out.

    Returns
    -------
    ndarray, shape (n_images, n_classes)
        Scores in the order of ``model.class_names``.

    Raises
    ------
    DataSetError
        If there are no images.
    ImageError
        If an image does not fit the model.

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> model = attnxai.load_model("d8.pt")
    >>> class_scores(model, images).shape
    (2, 2)
    """
    import torch

    from attnxai.models.architectures import input_kind
    from attnxai.models.evaluation import evaluating
    from attnxai.models.preprocessing import warn_of_assumed

    if not images:
        raise DataSetError("there are no images to classify")
    if batch_size < 1:
        raise OptionError(f"batch_size has to be 1 or more, got {batch_size}")
    if getattr(model.spec, "extremes_over_batch", False):
        batch_size = 1
    network = model.network if device is None else copy.deepcopy(model.network).to(device)
    device, dtype = input_kind(network)
    assumed: list[Assumed] = []
    scores = []
    with evaluating(network):
        for start in range(0, len(images), batch_size):
            views = [model.preprocessing.view(i) for i in images[start : start + batch_size]]
            assumed += [view.assumed for view in views]
            inputs = model.preprocessing.standardise(np.stack([v.brightness for v in views]))
            batch = torch.from_numpy(inputs)[:, None].to(device=device, dtype=dtype)
            scores.append(network(batch).cpu().double().numpy())
    warn_of_assumed(model.preprocessing, images, assumed)
    return np.concatenate(scores)


def class_labels(model: AttentionModel, images: Sequence[SourceImage]) -> NDArray[np.int64]:
    """Positions of the images' classes among those of the model.

    Parameters
    ----------
    model : AttentionModel
        The model.
    images : sequence of SourceImage
        Images with their classes.

    Returns
    -------
    ndarray of int, shape (n_images,)
        Positions in ``model.class_names``.

    Raises
    ------
    DataSetError
        If an image has no class, or a class that the model does not have.

    Examples
    --------
    >>> import attnxai
    >>> image = attnxai.data.from_array(np.eye(3), source="s1", class_name="FR II")
    >>> class_labels(attnxai.load_model("d8.pt"), [image])
    array([1])
    """
    for image in images:
        if image.class_name not in model.class_names:
            raise DataSetError(
                f"image {image.source} has class {image.class_name!r}; the classes of the model "
                f"{model.name} are {', '.join(model.class_names)}"
            )
    return np.array([model.class_names.index(str(image.class_name)) for image in images], int)
