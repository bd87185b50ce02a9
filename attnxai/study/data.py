"""The images and annotations of a study, read in the same way by every one of its processes."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.readers import read_annotations
from attnxai.data.classes import Confidence
from attnxai.data.image_files import read_image
from attnxai.data.image_notes import collect_images
from attnxai.data.images import SourceImage, SourceSet
from attnxai.data.labelled import LabelledData, read_training_images
from attnxai.data.short_repr import short_repr
from attnxai.errors import AnnotationError, OptionError
from attnxai.study.measurement import MeasureOn
from attnxai.training.held_out import read_held_out

SEEN = "a model was trained or validated on the source"
TEST = "the source belongs to the test images, which are not measured on"
NO_IMAGE = "the source has no image"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """Labelled images to read, as given to ``attnxai train`` or ``attnxai study``.

    Parameters
    ----------
    images, data_dir, labels, confidence, hybrids, citation, licence
        See :func:`attnxai.data.read_training_images`.
    pixel_scale_arcsec, fill_blank, prepared, hdu, plane, pad, match_beam
        See :func:`attnxai.data.read_image`.
    hold_out : str, optional
        File with sources that are neither trained nor validated on.

    Examples
    --------
    >>> import attnxai
    >>> request = attnxai.study.DataRequest(images="cutouts", labels="labels.csv")
    >>> request.images, request.hybrids
    ('cutouts', False)
    """

    images: str = "mirabest"
    data_dir: str | None = None
    labels: str | None = None
    confidence: Confidence = Confidence.ALL
    hybrids: bool = False
    pixel_scale_arcsec: float | None = None
    fill_blank: bool = False
    prepared: bool | None = None
    hdu: str | None = None
    plane: str | None = None
    pad: bool = False
    match_beam: bool = False
    citation: str = ""
    licence: str = ""
    hold_out: str | None = None

    def read(self) -> StudyData:
        """Read the images and split them by use."""
        options = dataclasses.asdict(self)
        del options["hold_out"]
        everything = read_training_images(**options)
        usable = [image for image in everything.images if image.split != "test"]
        reserved: frozenset[str] = frozenset()
        if self.hold_out is not None:
            reserved = read_held_out(self.hold_out, usable)

        def part(images: Iterable[SourceImage]) -> SourceSet:
            return SourceSet(images, origin=everything.images.origin)

        return StudyData(
            labelled=everything,
            trained_on=part(image for image in usable if image.source not in reserved),
            test=part(image for image in everything.images if image.split == "test"),
            n_held_out=len(reserved),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyData:
    """Labelled images by what they are used for; ``labelled`` holds all of them."""

    labelled: LabelledData
    trained_on: SourceSet
    test: SourceSet
    n_held_out: int

    __repr__ = short_repr

    def identity(self) -> dict[str, str]:
        """Hashes of images, ids, classes and splits, by what they are used for."""
        return {
            "trained_on_sha256": labelled_sha256(self.trained_on),
            "test_sha256": labelled_sha256(self.test),
        }

    def measured(self, measure_on: MeasureOn, validation_sources: tuple[str, ...]) -> SourceSet:
        """The images that a model with these validation images is measured on."""
        if measure_on is MeasureOn.VALIDATION:
            return self.trained_on.select(validation_sources)
        if not len(self.test):
            raise OptionError(
                f"{self.labelled.name} has no test images to measure on; use measure_on validation, "
                "or mark some in the labels with the split 'test'"
            )
        return self.test


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationRequest:
    """Annotations to compare attention with.

    Parameters
    ----------
    path : str or tuple of str
        Files, folders or patterns, as :func:`attnxai.annotations.read_annotations` takes them.
    fwhm_arcsec : float
        Width of points and lines.
    min_components, match_radius_arcsec
        For a catalogue; see :func:`attnxai.annotations.read_annotations`.

    Examples
    --------
    >>> import attnxai
    >>> request = attnxai.study.AnnotationRequest(path="expert.csv")
    >>> request.fwhm_arcsec
    5.4
    """

    path: str | tuple[str, ...]
    fwhm_arcsec: float = 5.4
    min_components: int = 2
    match_radius_arcsec: float = 30.0

    def read(self, data: StudyData, measure_on: MeasureOn) -> HeldOutAnnotations:
        """Read the annotations of sources that no model of the study sees in training.

        All models of a study are trained and validated on the same images, so what one of them has not
        seen none has. Test images count only where models are measured on them.

        Raises
        ------
        AnnotationError
            If no annotated source is left.
        """
        marked = read_annotations(
            self.path,
            data.labelled.images,
            min_components=self.min_components,
            match_radius_arcsec=self.match_radius_arcsec,
        )
        labelled, files = data.labelled.images, marked.image_files()
        known = set(labelled.sources)
        reasons = dict.fromkeys(set(marked.sources) - known - set(files), NO_IMAGE)
        if measure_on is MeasureOn.VALIDATION:
            reasons |= dict.fromkeys(data.test.sources, TEST)
        reasons |= dict.fromkeys(data.trained_on.sources, SEEN)
        found = [reasons.get(source) for source in marked.sources]
        left_out = {reason: found.count(reason) for reason in (SEEN, TEST, NO_IMAGE)}
        kept = sorted(source for source in marked.sources if source not in reasons)
        if not kept:
            why = "; ".join(f"{n}: {reason}" for reason, n in left_out.items() if n)
            raise AnnotationError(
                f"none of the {len(marked.sources)} annotated sources of {marked.path} can be used "
                f"({why}); hold them out of training with hold_out"
            )

        def image(source: str) -> SourceImage:
            return labelled[source] if source in known else read_image(files[source], source=source)

        readers = [functools.partial(image, source) for source in kept]
        images = SourceSet(collect_images(readers), origin=marked.path)
        return HeldOutAnnotations(
            annotations=marked.select(kept), images=images, left_out=left_out, request=self
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOutAnnotations:
    """Annotated sources that no model of the study has seen, with their images, and how they were requested.

    ``left_out`` says how many annotated sources were left out, by reason.
    """

    annotations: AnnotationSet
    images: SourceSet
    left_out: Mapping[str, int]
    request: AnnotationRequest

    __repr__ = short_repr

    def identity(self) -> dict[str, Any]:
        """What has to be the same for a measurement of agreement to be used again."""
        return {
            "sha256": self.annotations.sha256,
            "images_sha256": self.images.sha256(),
            "fwhm_arcsec": self.request.fwhm_arcsec,
            "min_components": self.request.min_components,
            "match_radius_arcsec": self.request.match_radius_arcsec,
        }


def labelled_sha256(images: SourceSet) -> str:
    """Hash of all ids, pixels, classes and splits, independent of their order."""
    labels = sorted(f"{image.source}\t{image.class_name}\t{image.split}\n" for image in images)
    return hashlib.sha256("".join([images.sha256(), *labels]).encode()).hexdigest()
