"""Where the evidence of a network comes from: emission, the ring about it, or empty sky."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from attnxai.audit.class_shares import GivenClasses
from attnxai.audit.evidence_location_result import EvidenceLocation
from attnxai.audit.evidence_location_statistics import locate_evidence
from attnxai.audit.own_maps import own_methods
from attnxai.audit.pooled_sums import PooledSums, pooled_sums
from attnxai.audit.zone_sums import ZoneSums
from attnxai.data.emission import MIN_ISLAND_PIXELS, RING_PIXELS
from attnxai.data.images import SourceImage
from attnxai.errors import OptionError
from attnxai.explanations.explaining import explain
from attnxai.explanations.method import ExplanationMethod
from attnxai.explanations.stack import MapStack
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork


def evidence_location(
    model: AttentionModel,
    images: Sequence[SourceImage],
    *,
    classes: GivenClasses = None,
    method: str | Sequence[str] | None = None,
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
        method = own_methods(model) if zone_sums_of(model) is None else "gates"
    maps, sums = maps_and_sums(
        model,
        images,
        method,
        rng=rng,
        min_island_pixels=min_island_pixels,
        ring_pixels=ring_pixels,
        on_batch=on_step,
    )
    if classes is None:
        classes = [image.class_name for image in images]
    return locate_evidence(
        maps,
        classes,
        sums=sums,
        rng=rng,
        min_island_pixels=min_island_pixels,
        ring_pixels=ring_pixels,
        n_bootstrap=n_bootstrap,
    )


def maps_and_sums(
    model: AttentionModel,
    images: Sequence[SourceImage],
    method: str | ExplanationMethod | Sequence[str | ExplanationMethod],
    *,
    target: str | Sequence[str] | None = None,
    rng: np.random.Generator | int = 0,
    min_island_pixels: int = MIN_ISLAND_PIXELS,
    ring_pixels: float = RING_PIXELS,
    on_batch: Callable[[int, int], None] | None = None,
) -> tuple[MapStack, ZoneSums | PooledSums | None]:
    """Maps as of :func:`attnxai.explain`, and the sums of :func:`locate_evidence` for a model that allows them."""
    sums = zone_sums_of(model, min_island_pixels=min_island_pixels, ring_pixels=ring_pixels)
    readers = [] if sums is None else [sums]
    maps = explain(
        model, images, method, target=target, rng=rng, readers=readers, on_batch=on_batch
    )
    if sums is None:
        return maps, pooled_sums(
            model, images, min_island_pixels=min_island_pixels, ring_pixels=ring_pixels
        )
    return maps, sums


def zone_sums_of(
    model: AttentionModel,
    *,
    min_island_pixels: int = MIN_ISLAND_PIXELS,
    ring_pixels: float = RING_PIXELS,
) -> ZoneSums | None:
    """What reads the sums of :func:`locate_evidence` from a forward pass; None for a model without gates."""
    if min_island_pixels < 1 or not ring_pixels > 0:
        raise OptionError(
            f"min_island_pixels has to be 1 or more and ring_pixels above 0, got {min_island_pixels} and {ring_pixels}"
        )
    if not isinstance(model.network, AttentionNetwork) or not model.network.gates:
        return None
    return ZoneSums(min_island_pixels=min_island_pixels, ring_pixels=ring_pixels)
