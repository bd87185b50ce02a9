"""The field and pixels that a network trained on given images will see."""

from __future__ import annotations

import math
import statistics

from attnxai.data.images import SourceSet, assume
from attnxai.errors import OptionError
from attnxai.models.network import N_POOLINGS
from attnxai.models.preprocessing import Preprocessing

# Scales closer than this are the same: resampling would only blur.
_SAME_SCALE = 0.01
# Side of the smallest field, so that the last block has more than one pixel.
_SMALLEST = 16


def field_of(images: SourceSet, *, size: int | None = None, binning: int = 1) -> Preprocessing:
    """The largest field that every image covers, in pixels of the images' median scale.

    Without ``size`` (pixels) its side is the published 150, or the largest even number that all images cover. For a
    network that sees means of ``binning`` x ``binning`` pixels it is 144 for a binning of 2 or 3, and in general the
    largest side up to 150 that binning and three poolings divide evenly, or less for smaller images. Where no pixel scale
    is stated, it is 1.8 arcsec, that of FIRST. The beam is the median of those that images state, if most do.

    Raises
    ------
    OptionError
        If the side is below 16, or below 8 times the binning.
    """
    default, cell = Preprocessing(), binning * 2**N_POOLINGS
    stated = [s for image in images if (s := image.grid.pixel_scale_arcsec) is not None]
    scale = default.pixel_scale_arcsec
    if stated:
        scale = statistics.median(stated)
        if max(stated) / min(stated) > 1 + _SAME_SCALE:
            assume(
                f"the images have pixels of {min(stated):.3g} to {max(stated):.3g} arcsec; all are "
                f"resampled to their median, {scale:.3g} arcsec"
            )
    elif len(images):
        assume(
            f"the images do not state their pixel scale; {scale:g} arcsec, that of FIRST, is assumed "
            "and stored with the model (state another with pixel_scale_arcsec)"
        )
    sides = [
        int(min(image.shape) * (image.grid.pixel_scale_arcsec or scale) / scale + 0.01)
        for image in images
    ]
    if size is None:
        covered = min(sides)
        largest = default.size - (default.size % cell if binning > 1 else 0)
        size = min(largest, covered - covered % 2)
    smallest = max(_SMALLEST, cell)
    if size < smallest:
        binned = f"its binning of {binning} x {binning} pixels and " if binning > 1 else ""
        less = " or a smaller binning" if binning > 1 else ""
        raise OptionError(
            f"the network would see a field of {size} x {size} pixels; it needs {smallest} x {smallest} or more for "
            f"{binned}its three poolings, so give larger cutouts{less}"
        )
    beams = [math.sqrt(beam[0] * beam[1]) for image in images if (beam := image.beam_arcsec)]
    # prepared images were scaled to the maximum of all of their pixels
    scaled = {side for image, side in zip(images, sides, strict=True) if image.prepared}
    scaling_size = scaled.pop() if len(scaled) == 1 else size
    return Preprocessing(
        size=size,
        pixel_scale_arcsec=scale,
        scaling_size=scaling_size if scaling_size > size else None,
        beam_arcsec=statistics.median(beams) if 2 * len(beams) > len(images) else None,
    )
