"""The field and pixels that a network trained on given images will see."""

from __future__ import annotations

import statistics

from attnxai.data.images import SourceSet, assume
from attnxai.errors import OptionError
from attnxai.models.preprocessing import Preprocessing

# Scales closer than this are the same: resampling would only blur.
_SAME_SCALE = 0.01


def field_of(images: SourceSet, *, size: int | None = None) -> Preprocessing:
    """The largest field that every image covers, in pixels of the images' median scale.

    Without ``size`` (pixels) its side is the published 150, or the largest even number that all images
    cover. Where no pixel scale is stated, it is 1.8 arcsec, that of FIRST.
    """
    default = Preprocessing()
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
    if size is None:
        covered = min(
            int(min(image.shape) * (image.grid.pixel_scale_arcsec or scale) / scale + 0.01)
            for image in images
        )
        size = min(default.size, covered - covered % 2)
    if size < 16:
        raise OptionError(
            f"the network would see a field of {size} x {size} pixels; it needs 16 x 16 or more for "
            "its three poolings, so give larger cutouts"
        )
    return Preprocessing(size=size, pixel_scale_arcsec=scale)
