"""The images and annotations of a study, read in the same way by every one of its processes."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from collections.abc import Mapping
from typing import Any

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.readers import read_annotations
from attnxai.data.images import SourceImage, SourceSet, collect_images, read_image
from attnxai.data.labelled import LabelledData, read_training_images
from attnxai.data.mirabest import Confidence
from attnxai.data.short_repr import short_repr
from attnxai.errors import AnnotationError, OptionError
from attnxai.study.measurement import MeasureOn
from attnxai.training.held_out import read_held_out

SEEN = "a model was trained or validated on the source"
TEST = "the source belongs to the test images, which are not measured on"
NO_IMAGE = "the source has no image"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """Which labelled images to read, as given to ``attnxai train`` or ``attnxai study``.

    Parameters
    ----------
    images, data_dir, labels, confidence, hybrids, pixel_scale_arcsec, citation, licence
        See :func:`attnxai.data.labelled.read_training_images`.
    hold_out : str, optional
        File with sources that are neither trained nor validated on.
    """

    images: str = "mirabest"
    data_dir: str | None = None
    labels: str | None = None
    confidence: Confidence = Confidence.ALL
    hybrids: bool = False
    pixel_scale_arcsec: float | None = None
    citation: str = ""
    licence: str = ""
    hold_out: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values that a file can hold."""
        return plain(self)

    def read(self) -> StudyData:
        """Read the images and take apart what is trained on and what is not."""
        everything = read_training_images(
            self.images,
            data_dir=self.data_dir,
            labels=self.labels,
            confidence=self.confidence,
            hybrids=self.hybrids,
            pixel_scale_arcsec=self.pixel_scale_arcsec,
            citation=self.citation,
            licence=self.licence,
        )
        origin = everything.images.origin
        usable = [image for image in everything.images if image.split != "test"]
        reserved: frozenset[str] = frozenset()
        if self.hold_out is not None:
            reserved = read_held_out(self.hold_out, usable)
        return StudyData(
            labelled=everything,
            trained_on=SourceSet(
                (image for image in usable if image.source not in reserved), origin=origin
            ),
            test=SourceSet(
                (image for image in everything.images if image.split == "test"), origin=origin
            ),
            n_held_out=len(reserved),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyData:
    """Labelled images by what they are used for.

    Parameters
    ----------
    labelled : LabelledData
        All of them, with class names and citation.
    trained_on : SourceSet
        Images that are trained or validated on.
    test : SourceSet
        Images of the published test part; empty where there is none.
    n_held_out : int
        Images that were asked to be held out.
    """

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
        """The images that a model is measured on.

        Parameters
        ----------
        measure_on : MeasureOn
            Which.
        validation_sources : tuple of str
            The model's own validation images.

        Raises
        ------
        OptionError
            If there are no test images.
        """
        if measure_on is MeasureOn.VALIDATION:
            return self.trained_on.select(validation_sources)
        if not len(self.test):
            raise OptionError(
                f"{self.labelled.name} has no test images to measure on; use --measure-on validation, "
                "or mark some in the labels with the split 'test'"
            )
        return self.test


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationRequest:
    """Which annotations to compare attention with.

    Parameters
    ----------
    path : str
        Annotation table or catalogue.
    fwhm_arcsec : float
        Width of points and lines.
    min_components, match_radius_arcsec
        For a catalogue; see :func:`attnxai.annotations.read_annotations`.
    """

    path: str
    fwhm_arcsec: float = 5.4
    min_components: int = 2
    match_radius_arcsec: float = 30.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values that a file can hold."""
        return plain(self)

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
        files = marked.image_files()
        labelled, seen = data.labelled.images, set(data.trained_on.sources)
        known = set(labelled.sources)
        test = set(data.test.sources) if measure_on is MeasureOn.VALIDATION else set()
        left_out = {SEEN: 0, TEST: 0, NO_IMAGE: 0}
        kept: list[str] = []
        for source in sorted(marked.sources):
            if source in seen:
                left_out[SEEN] += 1
            elif source in test:
                left_out[TEST] += 1
            elif source not in known and source not in files:
                left_out[NO_IMAGE] += 1
            else:
                kept.append(source)
        if not kept:
            reasons = "; ".join(f"{n}: {reason}" for reason, n in left_out.items() if n)
            raise AnnotationError(
                f"none of the {len(marked.sources)} annotated sources of {self.path} can be used "
                f"({reasons}); hold them out of training with --hold-out {self.path}"
            )

        def image(source: str) -> SourceImage:
            if source in known:
                found: SourceImage = labelled[source]
                return found
            return read_image(files[source], source=source)

        readers = [lambda source=source: image(source) for source in kept]
        images = SourceSet(collect_images(readers), origin=self.path)
        return HeldOutAnnotations(
            annotations=marked.select(kept), images=images, left_out=left_out, request=self
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOutAnnotations:
    """Annotated sources that no model of the study has seen.

    Parameters
    ----------
    annotations : AnnotationSet
        What was marked.
    images : SourceSet
        Images of the sources, in the order of their ids.
    left_out : mapping of str to int
        How many annotated sources were left out, by reason.
    request : AnnotationRequest
        How they were asked for.
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


def plain(values: Any) -> dict[str, Any]:
    """A flat dataclass as plain values that JSON can hold."""
    return {
        field.name: str(value) if isinstance(value, enum.Enum) else value
        for field in dataclasses.fields(values)
        for value in (getattr(values, field.name),)
    }
