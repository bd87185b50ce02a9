"""What a comparison starts from: annotations, and the images that they are of."""

from __future__ import annotations

import dataclasses
import functools
import glob
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from attnxai.annotations.annotation_set import AnnotationSet
from attnxai.annotations.naming import Naming
from attnxai.annotations.readers.registry import open_annotations, read_opened
from attnxai.annotations.shapes import Label
from attnxai.data import frdeep, mirabest
from attnxai.data.archives import ARCHIVE_EXTENSIONS
from attnxai.data.image_arrays import images_in
from attnxai.data.image_files import image_files, read_image, read_images
from attnxai.data.image_list import LISTS, ImageList, list_images
from attnxai.data.image_notes import grouped_notes, noted_beam
from attnxai.data.image_options import ImageKeywords, ImageOptions
from attnxai.data.images import SourceSet, source_id
from attnxai.data.images_on_demand import read_set
from attnxai.data.label_table import labels_within, with_classes
from attnxai.data.labelled import MIRABEST, check_unused, recognised_batches
from attnxai.data.readers.registry import is_image_name
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted, first_of
from attnxai.errors import AnnotationError, ImageError, LeftOutWarning


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """Annotations with the images of the annotated sources, in the order of their ids.

    ``data_name`` is what to call the images in reports, and ``notes`` say what was left out.
    """

    annotations: AnnotationSet
    images: SourceSet
    data_name: str
    notes: tuple[str, ...] = ()

    __repr__ = short_repr


def read_inputs(
    annotations: str | Path | Sequence[str | Path],
    images: str | Path | None = None,
    *,
    class_table: str | Path | None = None,
    data_dir: str | Path | None = None,
    labels: Collection[Label] | None = None,
    annotator: str = "",
    naming: Naming | None = None,
    format_name: str | None = None,
    min_components: int = 2,
    match_radius_arcsec: float = 30.0,
    needs_images: bool = True,
    without: Mapping[str, str] | None = None,
    **reading: Unpack[ImageKeywords],
) -> Inputs:
    """Read annotations and the images of the annotated sources.

    ``images`` is ``mirabest`` (in ``data_dir``), a folder of images, one image, or a folder or archive of
    batches, recognised as in training; left out, the table's ``image`` column names them. Their classes are those of
    ``class_table``, of ``labels.csv`` in a folder, or of the data set. Only marks with one of ``labels`` are used, if
    given. ``min_components`` and ``match_radius_arcsec`` are for a catalogue, see
    :func:`attnxai.annotations.read_annotations`; for ``reading`` see
    :func:`attnxai.data.read_image`; of it batches take the pixel scale, and with MiraBest ``pad`` and ``match_beam``.
    Without ``needs_images``, images that only the table names are not read. Sources in ``without`` are left out, as by
    :func:`without_sources`.
    """
    # first of all: a wrong name should not wait for a million images
    opened = open_annotations(annotations, format_name=format_name)
    options: dict[str, Any] = {
        "annotator": annotator,
        "naming": naming or Naming(),
        "min_components": min_components,
        "match_radius_arcsec": match_radius_arcsec,
    }
    ImageOptions(**reading)  # whose values are checked

    def read(available: SourceSet | None = None) -> AnnotationSet:
        found = read_opened(opened, images=available, **options).with_labels(labels)
        return without_sources(found, without or {})

    if any(reader.uses_images for reader, _ in opened) and images is not None:
        available, name = _read_available(images, data_dir, None, reading, class_table)
        marked = read(available)
    else:
        marked = read()
        if images is None and not needs_images:
            return Inputs(annotations=marked, images=SourceSet(()), data_name="")
        if images is None:
            named = _images_of_table(marked, reading)
            available, name = with_classes(named, class_table), Path(marked.path).name
        else:
            available, name = _read_available(images, data_dir, marked, reading, class_table)
    notes: list[str] = []
    if str(images).lower() == MIRABEST:
        marked, notes = _without_hybrids(marked, available)
    wanted = set(marked.sources)
    _check_any_overlap(marked, available.sources, str(images))
    used = available.select(sorted(s for s in available.sources if s in wanted))
    if marked.simulated:
        name = "simulated FR I and FR II radio galaxies"
    return Inputs(annotations=marked, images=used, data_name=name, notes=tuple(notes))


def without_sources(annotations: AnnotationSet, reasons: Mapping[str, str]) -> AnnotationSet:
    """Annotations without some sources, for which there is a reason each; itself where none of them is annotated.

    Raises
    ------
    AnnotationError
        If no other source is annotated.

    Warns
    -----
    LeftOutWarning
        With their number and the reasons of the first.
    """
    sources = annotations.sources
    lost = [source for source in sources if source in reasons]
    if not lost:
        return annotations
    named = first_of([f"{source}, {reasons[source]}" for source in lost], separator="; ")
    if len(lost) == len(sources):
        raise AnnotationError(
            f"none of {counted(len(sources), 'annotated source')} can be used: {named}"
        )
    are = "annotated source is" if len(lost) == 1 else f"of {len(sources)} annotated sources are"
    notice = f"{len(lost)} {are} left out: {named}."
    warnings.warn(notice.rstrip("."), LeftOutWarning, stacklevel=3)
    kept = annotations.select(source for source in sources if source not in reasons)
    n_rows = annotations.n_rows_used - kept.n_rows_used
    left_out = {**annotations.left_out, "the source has no maps": n_rows}
    return dataclasses.replace(kept, left_out=left_out, notices=(*kept.notices, notice))


def read_all_images(
    images: str | Path,
    *,
    data_dir: str | Path | None = None,
    **reading: Unpack[ImageKeywords],
) -> SourceSet:
    """Read all images where :func:`read_inputs` reads those of annotated sources, with the same options."""
    return _read_available(images, data_dir, None, reading)[0]


def list_all_images(
    images: str | Path,
    *,
    data_dir: str | Path | None = None,
    **reading: Unpack[ImageKeywords],
) -> ImageList:
    """Find all images that :func:`read_all_images` reads, or more kinds of them, without reading them.

    Data sets, whose files hold many images in one, are read; for everything else see
    :func:`attnxai.data.list_images`.
    """
    root = Path(images)
    is_archive = root.is_file() and root.name.endswith(ARCHIVE_EXTENSIONS)
    is_plain_folder = root.is_dir() and not (root / "zarr.json").is_file()
    if str(images).lower() == MIRABEST or (
        (is_archive or is_plain_folder) and recognised_batches(root) is not None
    ):
        return ImageList.of(read_all_images(images, data_dir=data_dir, **reading))
    return list_images(images, **reading)


def _images_of_table(marked: AnnotationSet, reading: ImageKeywords) -> SourceSet:
    """The images that the annotations name."""
    files = marked.image_files()
    missing = [source for source in marked.sources if source not in files]
    if missing:
        raise AnnotationError(
            f"{len(missing)} of {len(marked.sources)} sources of {marked.path} name no image, such as "
            f"{missing[0]!r}; fill the column image, or give the images by --images"
        )
    gone = [files[source] for source in marked.sources if not os.path.exists(files[source])]  # noqa: PTH110 -- names too long
    if gone:
        raise ImageError(
            f"{len(gone)} of {counted(len(files), 'image')} that the column image of {marked.path} names "
            f"{'does' if len(gone) == 1 else 'do'} not exist: {first_of(list(map(str, gone)), 5)}; correct the "
            "column, whose paths are relative to the folder of the table, or name the folder of the "
            "images"
        )
    return read_set(
        (
            functools.partial(read_image, files[source], source=source, **reading)
            for source in marked.sources
        ),
        origin=str(Path(marked.path).parent),
    )


def _read_available(
    images: str | Path,
    data_dir: str | Path | None,
    marked: AnnotationSet | None,
    reading: ImageKeywords,
    class_table: str | Path | None = None,
) -> tuple[SourceSet, str]:
    """All images that could be needed, and what to call them."""
    if str(images).lower() == MIRABEST:
        check_unused(MIRABEST, labels=class_table, **_of_files(reading))
        return _seen_as_asked(
            mirabest.read_mirabest(data_dir, hybrids=True), reading
        ), mirabest.CITATION
    root = Path(images)
    if marked is not None and (many := _listed(str(images), reading, marked)) is not None:
        _check_any_overlap(marked, many.sources, str(images))
        wanted = set(marked.sources)
        found = many.read([source for source in many.sources if source in wanted])
        return with_classes(found, class_table), str(images)
    if not root.exists():
        where = "" if root.is_absolute() else f" in {Path.cwd()}"
        raise ImageError(
            f"images {str(images)!r} is neither a file nor a folder{where}, nor 'mirabest'"
        )
    name = str(images)
    batches = recognised_batches(root)
    if batches is not None:
        release = frdeep.published_release(batches)
        if release is not None:
            name = f"{release.name}; {frdeep.CITATION}"
        check_unused(str(images), labels=class_table, **_of_files(reading))
        scale = reading.get("pixel_scale_arcsec")
        return _seen_as_asked(
            frdeep.images_of_batches(batches, pixel_scale_arcsec=scale), reading
        ), name
    if marked is None or not root.is_dir():
        return read_images(root, labels=class_table, **reading), name
    # of a folder only what is annotated: a survey's folder may hold a million others
    within = image_files(root)
    if not within:
        return read_images(root), name  # which says that the folder holds none
    _check_any_overlap(marked, [source_id(file) for file in within], str(root))
    wanted = set(marked.sources)
    files = [file for file in within if source_id(file) in wanted]
    read = SourceSet(read_images(files, **reading), origin=str(root))
    return with_classes(read, class_table, labels_within(root)), name


def _listed(images: str, reading: ImageKeywords, marked: AnnotationSet) -> ImageList | None:
    """Images of a pattern, a list, or an array of a file, as maps are made of; None of anything else.

    A cube is one of sources where annotations name some of its planes.
    """
    path = Path(images)
    is_list = path.is_file() and path.suffix.lower() in (*LISTS, ".csv")
    is_pattern = glob.has_magic(images) and not path.exists()
    if not is_list and not is_pattern:
        inside = images_in(images, ImageOptions(**reading))
        if inside is None:
            return None
        if is_image_name(path.name) and set(inside.sources).isdisjoint(marked.sources):
            return None
    return list_images(images, **reading)


def _of_files(reading: ImageKeywords) -> dict[str, object]:
    """Options that choose among the contents of files."""
    return {
        "hdu": reading.get("hdu"),
        "plane": reading.get("plane"),
        "prepared": reading.get("prepared"),
    }


def _seen_as_asked(found: SourceSet, reading: ImageKeywords) -> SourceSet:
    """Images of a data set, to be padded and smoothed where that is asked for."""
    pad, match_beam = reading.get("pad", False), reading.get("match_beam", False)
    if not (pad or match_beam):
        return found
    images = (image.with_facts(pad=pad, match_beam=match_beam) for image in found)
    with grouped_notes():
        return SourceSet(map(noted_beam, images), origin=found.origin)


def _check_any_overlap(marked: AnnotationSet, available: Sequence[str], where: str) -> None:
    """Refuse annotations and images that have no source in common."""
    if set(marked.sources).isdisjoint(available):
        raise AnnotationError(
            f"none of the {len(marked.sources)} sources in {marked.path} (such as "
            f"{marked.sources[0]!r}) is among the {len(available)} images of {where} (such as "
            f"{available[0]!r}); ids are file names without folder and extension"
        )


def _without_hybrids(
    marked: AnnotationSet, available: SourceSet
) -> tuple[AnnotationSet, list[str]]:
    known = set(available.sources)
    hybrids = [
        source
        for source in marked.sources
        if source in known and available[source].class_name == mirabest.CLASS_NAMES[3]
    ]
    if not hybrids:
        return marked, []
    kept = [source for source in marked.sources if source not in set(hybrids)]
    if not kept:
        raise AnnotationError("all annotated sources are hybrids, neither FR I nor FR II")
    n_hybrids = counted(
        len(hybrids), "annotated source is a hybrid", "annotated sources are hybrids"
    )
    n_rows = marked.select(hybrids).n_rows_used
    left_out = {**marked.left_out, "the source is a hybrid, neither FR I nor FR II": n_rows}
    return (
        dataclasses.replace(marked.select(kept), left_out=left_out),
        [f"{n_hybrids}, neither FR I nor FR II; left out."],
    )
