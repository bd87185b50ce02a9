"""
Several annotators
==================

What each of them marked, whether all marks lie where they should, and all marks as a picture.

The three annotators of the sample that ships are simulated: each draws other shapes in another frame.
"""

import tempfile
from pathlib import Path

from matplotlib import pyplot as plt

import attnxai

marks = attnxai.read_annotations("expert.csv")
images = attnxai.read_images(marks.image_files().values())
counts = attnxai.annotations.summarise_annotations(marks)
print(counts[["annotator", "n_marks", "labels"]].to_string(index=False))

# %%
# Marks that are flipped, shifted or counted from 1 would be named here.

for sentence in attnxai.annotations.check_annotations(marks, images).sentences():
    print(sentence)

# %%
# A contact sheet shows every source with the marks of all annotators. Here are the first ten.

few = marks.select(marks.sources[:10])
with tempfile.TemporaryDirectory() as folder:
    (sheet,) = attnxai.report.draw_contact_sheet(few, images, Path(folder) / "sheet.png")
    picture = plt.imread(sheet)
_, axes = plt.subplots(figsize=(7.2, 4), layout="constrained")
axes.imshow(picture)
axes.set_axis_off()
