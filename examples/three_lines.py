"""
A model and annotations
=======================

Compare the shipped model with the simulated sample.

Every map is compared with the annotations of its own source, and with brightness, uniform emission and the centre bias
in its place. The figure shows the mean over all sources with its interval; grey is the range of the mean when
annotations are permuted across sources of the same class.
"""

import attnxai

marks = attnxai.read_annotations("expert.csv")
images = attnxai.read_images(marks.image_files().values())
maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
settings = attnxai.ComparisonSettings(metrics=("nss",))
result = attnxai.compare(maps, marks, images, settings=settings)
result.plot()

# %%
# The numbers as text. ``result.to_frame()`` gives them unrounded, and ``result.write_report("report")`` writes the report.

print(result.summary())
