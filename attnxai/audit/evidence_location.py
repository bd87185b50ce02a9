"""Where the evidence of a network comes from: emission, the ring about it, or empty sky."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.audit.evidence_location_statistics import locate_measured
from attnxai.audit.given_maps import check_scores, maps_of_model
from attnxai.audit.map_location import MeasuredMaps, measure_maps
from attnxai.audit.own_maps import located_methods
from attnxai.audit.sums_of_chunks import SumsOfChunks
from attnxai.data.emission import MIN_ISLAND_PIXELS, RING_PIXELS
from attnxai.explanations.explained_maps import ExplainedMaps
from attnxai.explanations.explaining import explain
from attnxai.models.device_memory import in_memory

if TYPE_CHECKING:
    from attnxai.audit.class_shares import GivenClasses
    from attnxai.audit.evidence_location_result import EvidenceLocation
    from attnxai.audit.pooled_sums import PooledSums
    from attnxai.audit.zone_sums import ZoneSums
    from attnxai.data.images import SourceImage
    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.method import ExplanationMethod
    from attnxai.explanations.stack import MapStack
    from attnxai.models.model import AttentionModel


def evidence_location(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    classes: GivenClasses = None,
    method: str | Sequence[str] | None = None,
    maps: MapStack | MapChunks | None = None,
    rng: np.random.Generator | int = 0,
    min_island_pixels: int = MIN_ISLAND_PIXELS,
    ring_pixels: float = RING_PIXELS,
    n_bootstrap: int = 10_000,
    on_step: Callable[[int, int], None] | None = None,
) -> EvidenceLocation:
    """Find from which zone of the sky a network tells the class, and where its maps lie.

    *Emission* are 8-connected islands of at least ``min_island_pixels`` pixels above the clip of the preprocessing, the
    *ring* is what lies within ``ring_pixels`` of them, *empty sky* the rest. *From a zone alone* means that the gated
    sums of the other zones are replaced by their mean over the evaluated sources; nothing is fitted again, and the
    threshold is that of the training. Networks without gates whose scores are a linear layer of averages over a feature
    map are split by these averages.

    Numbers rest on held-out sources if there are any, else on those of which nothing is known, on validation or on
    training sources, in this order.

    Parameters
    ----------
    model : AttentionModel
        The model.
    images : sequence of SourceImage
        The images.
    classes : mapping of str to str, or sequence of (str or None), optional
        Class of sources by their names, or of every source, None where it is unknown; those of the images when left out.
    method : str or sequence of str, optional
        Explanation methods whose maps are located. Left out, ``gates``, or a method that the model allows if it has none.
    maps : MapStack or MapChunks, optional
        Maps of these images by this model, which are located instead; those of chunks are read one after the other.
    rng : numpy.random.Generator or int
        Source of randomness.
    min_island_pixels, ring_pixels
        See above.
    n_bootstrap : int
        Resamples of the intervals.
    on_step : callable, optional
        Called with the number of finished images and of all.

    Returns
    -------
    EvidenceLocation

    Raises
    ------
    OptionError
        If there are no images, or an option is out of its range.
    ImageError
        If an image does not fit the model.
    AlignmentError
        If ``maps`` are of another model or field or of other images, or lack an image.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> files = annotations.image_files()
    >>> images = attnxai.read_images([files[name] for name in annotations.sources[:8]])
    >>> model = attnxai.load_model("d8.pt")
    >>> found = attnxai.audit.evidence_location(model, images, rng=0)
    >>> [zone.zone for zone in found.zones]
    ['emission', 'ring', 'empty sky']
    """
    if method is None:
        method = located_methods(model)
    options: dict[str, Any] = {"min_island_pixels": min_island_pixels, "ring_pixels": ring_pixels}
    given = None if maps is None else maps_of_model(model, maps)
    state = dict(rng.bit_generator.state) if isinstance(rng, np.random.Generator) else {}

    def run() -> tuple[MeasuredMaps, ZoneSums | PooledSums | str]:
        if isinstance(rng, np.random.Generator):
            rng.bit_generator.state = state  # as before an attempt that had too little memory
        sums = SumsOfChunks(model, **options)
        if given is not None:
            own = given.restricted_to(image.source for image in images)
            measured = measure_maps(own.chunks(), **options)
            sums.read(images, on_step)
            return measured, sums.found()
        explained = ExplainedMaps(
            model=model,
            images=images,
            method=method,
            rng=rng,
            readers=sums.readers,
            on_batch=on_step,
        )
        return measure_maps(sums.beside(explained), **options), sums.found()

    measured, sums = in_memory(model.network, run)
    scores = None if isinstance(sums, str) else sums.scores
    if not measured.class_names:  # maps of other programs do not state what the model says
        measured = dataclasses.replace(measured, class_names=model.class_names, scores=scores)
    elif given is not None and scores is not None:
        check_scores(measured.sources, measured.scores, scores, model)
    if classes is None:
        classes = [image.class_name for image in images]
    return locate_measured(measured, classes, sums=sums, rng=rng, n_bootstrap=n_bootstrap)


def maps_and_sums(
    model: AttentionModel,
    images: Sequence[SourceImage],
    method: str | ExplanationMethod | Sequence[str | ExplanationMethod],
    *,
    target: str | Sequence[str] | None = None,
    rng: np.random.Generator | int = 0,
    on_batch: Callable[[int, int], None] | None = None,
) -> tuple[MapStack, ZoneSums | PooledSums | str]:
    """Maps as of :func:`attnxai.explain`, and the sums of :func:`locate_evidence`, or why the model has none."""
    sums = SumsOfChunks(model)
    maps = explain(
        model, images, method, target=target, rng=rng, readers=sums.readers(), on_batch=on_batch
    )
    sums.add(images)
    return maps, sums.found()
