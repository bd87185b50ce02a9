"""Small made-up inputs that tests of several rooms share."""

from __future__ import annotations

import numpy as np

from attnxai.annotations.annotation_set import Annotation, AnnotationSet
from attnxai.annotations.shapes import Label, Shape, ShapeKind
from attnxai.data.grid import GridTransform
from attnxai.data.images import SourceSet, from_array
from attnxai.data.simulation import CLASS_NAMES, Survey, simulate_source
from attnxai.explanations.stack import MapStack, Split


def circle(source, annotator, x, y, radius=3.0, *, label=Label.LOBE, weight=1.0, line=0):
    """One circle in pixels."""
    shape = Shape(kind=ShapeKind.CIRCLE, x=x, y=y, radius=radius)
    return Annotation(
        source=source, annotator=annotator, shape=shape, label=label, weight=weight, line=line
    )


def made_up(
    n_sources=12,
    *,
    seed=0,
    side=32,
    agreement=1.0,
    annotators=("ann", "bob"),
    splits=Split.HELD_OUT,
    classes=("FR I", "FR II"),
    clip=0.0,
):
    """Maps, annotations and images whose blobs lie where the annotators say, more or less.

    The map of each source is a blob at the marked place, mixed with a blob elsewhere: ``agreement`` is
    the share of the first. Images are 0 below the ``clip``.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]

    def blob(at_x, at_y, width):
        return np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * width**2))

    names, images, fine, coarse, annotations, class_of = [], [], [], [], [], {}
    for index in range(n_sources):
        name = f"source_{index:02d}"
        marked, elsewhere = rng.uniform(8, side - 8, 2), rng.uniform(8, side - 8, 2)
        smooth = agreement * blob(*marked, 3) + (1 - agreement) * blob(*elsewhere, 3)
        names.append(name)
        pixels = blob(*marked, 1.5) + 0.02 * rng.random((side, side))
        images.append(
            from_array(
                np.where(pixels >= clip, pixels, 0.0),
                source=name,
                pixel_scale_arcsec=1.8,
                class_name=classes[index % len(classes)] if classes else None,
                prepared=True,
            )
        )
        fine.append(smooth)
        coarse.append(smooth.reshape(side // 2, 2, side // 2, 2).mean(axis=(1, 3)))
        if classes:
            class_of[name] = classes[index % len(classes)]
        for annotator in annotators:
            at = marked + rng.normal(0, 0.7, 2)
            annotations.append(circle(name, annotator, *at, line=len(annotations) + 2))
    stack = MapStack(
        model_name="made-up",
        sources=tuple(names),
        layers={
            "gate1": np.array(coarse, dtype=np.float32),
            "gate2": np.array(fine, dtype=np.float32),
        },
        geometry={
            "gate1": GridTransform(step=2.0, origin_x=0.5, origin_y=0.5),
            "gate2": GridTransform(),
        },
        field=(GridTransform(),) * n_sources,
        brightness=np.stack([image.pixels for image in images]),
        valid=np.ones((n_sources, side, side), bool),
        field_scale_arcsec=1.8,
        splits=(splits,) * n_sources,
        scores=np.stack([rng.normal(size=n_sources), rng.normal(size=n_sources)], axis=1),
        class_names=("FR I", "FR II"),
        provenance={
            "file": "made-up.pt",
            "sha256": "0" * 64,
            "architecture": "none",
            "group": "C1",
            "n_parameters": 0,
            "validation_accuracy": None,
            "notes": [],
        },
    )
    marks = AnnotationSet(
        annotations=tuple(annotations),
        classes=class_of,
        path="made-up.csv",
        sha256="1" * 64,
        n_rows=len(annotations),
    )
    return stack, marks, SourceSet(images, origin="made up")


def simulated(n: int, *, side: int = 160, seed: int = 0) -> SourceSet:
    """Simulated galaxies of both classes."""
    rng = np.random.default_rng(seed)
    survey = Survey(side=side)
    return SourceSet(
        simulate_source(CLASS_NAMES[i % 2], source=f"s{i}", rng=rng, survey=survey).image
        for i in range(n)
    )
