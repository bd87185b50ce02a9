"""
Where the evidence comes from
=============================

Before maps are compared with annotations: does the class follow from the source, or from empty sky?

The images are divided into emission, the ring around it and sky. The figure shows how well each of them alone
distinguishes the classes.
"""

import attnxai

marks = attnxai.read_annotations("expert.csv")
images = attnxai.read_images(marks.image_files().values())
model = attnxai.load_model("d8.pt")
located = attnxai.audit.evidence_location(model, images, classes=marks.classes, rng=0)
located.plot()

# %%
# The first line is the answer.

print(located.summary())
