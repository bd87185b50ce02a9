"""Compare the shipped model with the simulated sample, in Python."""

from __future__ import annotations

import attnxai

marks = attnxai.read_annotations("expert.csv")
images = attnxai.read_images(marks.image_files().values())
maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
result = attnxai.compare(maps, marks, images)
print(result.summary())
