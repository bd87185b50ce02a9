"""Compare your own maps with annotations, and with each other.

Maps can be arrays from any method and any model. The two maps of each source made here are the brightness around each
pixel, and its difference from the surroundings. Layers that are compared with each other need the same name, here
"map".
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

import attnxai
from attnxai.agreement.comparison import adjust_over_maps
from attnxai.data.grid import GridTransform
from attnxai.explanations.stack import Split

marks = attnxai.read_annotations("expert.csv")
images = attnxai.read_images(marks.image_files().values())
pixels = np.stack([image.pixels for image in images])
near, wide = (gaussian_filter(pixels, (0, width, width)) for width in (2, 8))


def stack(name: str, maps: np.ndarray) -> attnxai.MapStack:
    """Maps that lie pixel by pixel on the images themselves."""
    return attnxai.MapStack(
        model_name=name,
        sources=images.sources,
        layers={"map": maps.astype(np.float32)},
        geometry={"map": GridTransform()},
        field=(GridTransform(),) * len(images),
        brightness=pixels,
        valid=np.ones(pixels.shape, dtype=bool),
        field_scale_arcsec=1.8,
        splits=(Split.HELD_OUT,) * len(images),  # nothing here was trained on them
    )


settings = attnxai.ComparisonSettings(metrics=("nss", "spearman"), nulls=("symmetries",))
results = [
    attnxai.compare(stack(name, maps), marks, images, settings=settings)
    for name, maps in (("brightness around", near), ("contrast", near - wide))
]
results = adjust_over_maps(results, settings.correction)  # one family of both
for result in results:
    print(result.summary())
print(attnxai.contrast_results(results).summary())
