"""
Maps from anywhere
==================

Compare your own maps with annotations, and with each other.

Maps can be arrays from any method and any program. The two maps of each source made here are the brightness around
each pixel, and its difference from the surroundings.
"""

from scipy.ndimage import gaussian_filter

import attnxai
from attnxai.agreement.comparison import adjust_over_maps

marks = attnxai.read_annotations("expert.csv")
images = attnxai.read_images(marks.image_files().values())
near = [gaussian_filter(image.pixels, 2) for image in images]
wide = [gaussian_filter(image.pixels, 8) for image in images]
contrast = [a - b for a, b in zip(near, wide, strict=True)]

# %%
# Nothing here was trained on these images, so all of them are held out. The two maps are one family for the correction
# of p-values.

settings = attnxai.ComparisonSettings(metrics=("nss", "spearman"), nulls=("symmetries",))
results = []
for name, arrays in (("brightness around", near), ("contrast", contrast)):
    maps = attnxai.maps_from_arrays(images, arrays, splits="held-out", model_name=name)
    results.append(attnxai.compare(maps, marks, images, settings=settings))
results = adjust_over_maps(results, settings.correction)
for result in results:
    print(result.summary())

# %%
# Which of the two agrees better, source by source:

differences = attnxai.contrast_results(results)
print(differences.summary())
differences.plot()
