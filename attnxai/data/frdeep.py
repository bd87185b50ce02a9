"""FR-DEEP, and data sets in the same form: 8-bit images of radio galaxies in CIFAR-style batches.

FR-DEEP (Tang, Scaife & Leahy 2019, arXiv:1903.11921) holds the same 600 galaxies as FIRST and NVSS
images of 150 x 150 pixels, with labels 0 for FR I and 1 for FR II, in 11 training batches and a test
batch of 50; version 2 holds 658 in one training and one test batch. Images are flattened, file names are
optional, and ``batches.meta`` may name the classes (``label_names``). Names, checksums and pixel scales
are those of https://github.com/HongmingTang060313/FR-DEEP (FRDEEP.py, README.md),
https://github.com/HongmingTang060313/FRDEEP_v2.0 and https://github.com/mb010/AstroAttention
(PYTHON/FRDEEP.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from attnxai.data.archives import ARCHIVE_EXTENSIONS
from attnxai.data.batches import (
    META,
    TEST_BATCH,
    BatchFiles,
    check_label,
    find_batches,
    image_values,
    load_batch,
    read_pickle,
    source_of,
)
from attnxai.data.classes import canonical_class
from attnxai.data.grid import PixelGrid, check_scale
from attnxai.data.images import SourceImage, SourceSet
from attnxai.data.mirabest import CODES, is_mirabest_source
from attnxai.data.short_repr import short_value
from attnxai.data.wording import first_of
from attnxai.errors import AttnxaiWarning, DataSetError, ImageError

CITATION = (
    "Tang, Scaife & Leahy (2019), Transfer learning for radio galaxy classification, "
    "doi:10.1093/mnras/stz1883"
)
CLASS_NAMES = ("FR I", "FR II")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One published form of FR-DEEP: its name in reports, its pixel scale and beam, and checksums of its batches."""

    name: str
    pixel_scale_arcsec: float
    md5s: frozenset[str]
    beam_arcsec: float | None = None


RELEASES = tuple(
    Release(name=name, pixel_scale_arcsec=scale, beam_arcsec=beam, md5s=frozenset(md5s.split()))
    for name, scale, beam, md5s in (
        (
            "FR-DEEP (FIRST)",
            1.8,
            5.4,
            """f34da44757c7fa3f6e6cd3d0839a4634 f56cda0d9a99305fee2bad7de0560f95
             93265dd849331af4e1b092f74b06450b 0de8f4c18b775251f4e553e2990cd446
             c6aa87400a1be6007da7cfcefd2c3e5c cebd3fdea93abbc048a3a4d5e58528e0
             49497445e9380f157e78cf8d74fca1eb 88e298eed2d87bbdddad83fef1482723
             8c40117dbf4d456e63a8a665b245aa63 f24d110cc5811ba4651630b9ee9b2989
             b843dc3b7f48606235029f135d41c85e 4e06889b1e7713deb46e62887eb37727""",
        ),
        (
            "FR-DEEP (NVSS)",
            15.0,
            45.0,
            """3a2a15d88756ba61c796378fc8574540 6a04e3985397e1f67f0ad42153dca64e
             d852c8200f3bbb63beacf31f3e954f9a a5739996ca44a1a1841f2d0e6b844dd6
             8e2fdb3f60bf7541ca135fc8e2407f7a 9e5a82500bd9742f8fefe412ada95336
             f66af7795265fbe24376f669200412c4 75982afc09bf480ecc521acdb39cbe46
             72aee306fef9acee21a0e5537bb681e4 7a039ce8062a533b23b401a612c5f9b7
             c0013314098c96ca4c7c20c0f17abcd3 39fd167b9a7df12cee1ef9a804f9fa86""",
        ),
        (
            "FR-DEEP 2 (FIRST)",
            1.8,
            5.4,
            "234b66460e95834c78cee7c7a73ed916 acb0277e9feb983ff8fa79c31c4b395a",
        ),
        (
            "FR-DEEP 2 (NVSS)",
            15.0,
            45.0,
            "a7bd9f5f3f27f395f51e424a89e48db9 9a46e93a9932f986efc94fddc7de0164",
        ),
    )
)


def read_frdeep(
    path: str | Path,
    *,
    pixel_scale_arcsec: float | None = None,
) -> SourceSet:
    """Read FR-DEEP, or a data set in the same form, with classes and published split.

    Parameters
    ----------
    path : path
        Folder of ``data_batch_1``, ``data_batch_2``, ... and ``test_batch`` (any number of them, also
        ``train_batch``), a folder with one such folder in it, or a ``.tar.gz`` archive of one, which is
        not unpacked.
    pixel_scale_arcsec : float, optional
        Side of a pixel. The published batches are known by their checksums and have their own, 1.8
        (FIRST) or 15 (NVSS) arcsec; of others it is unknown when left out.

    Returns
    -------
    SourceSet
        Prepared images whose row 0 is drawn at the bottom; their ids come from the file names, and
        where a batch has none from batch and position, as in ``data_batch_1_0007``. Images of one value
        throughout are left out with a warning.

    Raises
    ------
    DataSetError
        If there are no batches, one was refused (see :mod:`attnxai.data.batches`), or they do not fit
        together.
    OptionError
        If the pixel scale is not a length.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.data.read_frdeep("FRDEEP_FIRST")  # doctest: +SKIP
    >>> len(images), images[0].split  # doctest: +SKIP
    """
    files = find_batches(path)
    if files is None:
        where = Path(path)
        if not where.exists():
            raise DataSetError(f"{where} does not exist")
        raise DataSetError(
            f"{where} holds no batches: give a folder of data_batch_1, data_batch_2, ... and "
            f"test_batch, or an archive of one ({' or '.join(ARCHIVE_EXTENSIONS)})"
        )
    return images_of_batches(files, pixel_scale_arcsec=pixel_scale_arcsec)


def published_release(files: BatchFiles) -> Release | None:
    """The release that all batches belong to, by their checksums; None for any other data set."""
    md5s = {
        hashlib.md5(content, usedforsecurity=False).hexdigest()
        for content in files.batches.values()
    }
    return next((release for release in RELEASES if md5s <= release.md5s), None)


def images_of_batches(files: BatchFiles, *, pixel_scale_arcsec: float | None = None) -> SourceSet:
    """Images of batches that have been found; see :func:`read_frdeep`."""
    check_scale(pixel_scale_arcsec)
    release = published_release(files)
    beam_arcsec, survey = None, ""
    if release is not None:
        pixel_scale_arcsec, survey = release.pixel_scale_arcsec, release.name
        if release.beam_arcsec is not None:
            beam_arcsec = (release.beam_arcsec, release.beam_arcsec, 0.0)
    if files.lacking:
        warnings.warn(
            f"{files.origin} has batches with higher numbers, but not those with the numbers "
            + first_of(list(map(str, files.lacking))),
            AttnxaiWarning,
            stacklevel=3,
        )
    class_names: tuple[str, ...] = CLASS_NAMES
    hint = (
        f" ({', '.join(CLASS_NAMES)}), or as {META} names them; to read MiraBest, "
        "whose labels go up to 9, give 'mirabest' (--images mirabest)"
    )
    if files.meta is not None:
        class_names, hint = _class_names(files), f" ({META} of {files.origin})"
    images: list[SourceImage] = []
    blank: list[str] = []
    first: dict[str, str] = {}
    for name, content in files.batches.items():
        where = f"batch {name} of {files.origin}"
        batch = load_batch(content, name=where, needs=("labels", "data"))
        sources = _sources(batch, name, where)
        if sources and all(is_mirabest_source(source) for source in sources):
            raise _mirabest_error(files)
        for label, data, source in zip(batch["labels"], batch["data"], sources, strict=True):
            if source in first:
                raise DataSetError(
                    f"{files.origin} holds an image {source} in {first[source]} and in {name}; copies "
                    "of a source would be trained and tested on, so give each source once"
                )
            first[source] = name
            number = check_label(label, len(class_names), name=where, hint=hint)
            pixels = _pixels(data, source, where)
            try:
                image = SourceImage(
                    source=source,
                    pixels=pixels,
                    grid=PixelGrid(shape=pixels.shape, pixel_scale_arcsec=pixel_scale_arcsec),
                    prepared=True,
                    class_name=class_names[number],
                    split="test" if name == TEST_BATCH else "train",
                    path=f"{name}/{source}",
                    beam_arcsec=beam_arcsec,
                    survey=survey,
                )
            except ImageError:  # of 8-bit values: all are the same
                blank.append(source)
            else:
                images.append(image)
    if blank:
        warnings.warn(
            f"{len(blank)} of {len(first)} images of {files.origin} are constant and are "
            f"left out: {first_of(blank)}",
            AttnxaiWarning,
            stacklevel=3,
        )
    if not images:
        raise DataSetError(f"the batches of {files.origin} hold no image that can be used")
    return SourceSet(images, origin=str(files.origin))


def _class_names(files: BatchFiles) -> tuple[str, ...]:
    where = f"{META} of {files.origin}"
    meta = read_pickle(files.meta or b"", name=where)
    names = meta.get("label_names") if isinstance(meta, dict) else None
    if isinstance(names, np.ndarray):
        names = names.tolist()
    if not isinstance(names, list | tuple) or not all(
        isinstance(name, str) and name.strip() for name in names
    ):
        raise DataSetError(f"{where} should hold label_names, a list with the name of every class")
    if set(names) == {str(code) for code in CODES}:
        raise _mirabest_error(files)
    classes = tuple(canonical_class(name) for name in names)
    if len(set(classes)) < max(2, len(classes)):
        raise DataSetError(
            f"{where} should name two or more different classes, it has {short_value(names)}"
        )
    return classes


def _mirabest_error(files: BatchFiles) -> DataSetError:
    return DataSetError(
        f"{files.origin} holds the batches of MiraBest; use 'mirabest' as images and this folder as "
        "data_dir"
    )


def _sources(batch: dict[str, Any], name: str, where: str) -> list[str]:
    if "filenames" not in batch:
        return [f"{name}_{position:04d}" for position in range(len(batch["labels"]))]
    return [source_of(filename, name=where) for filename in batch["filenames"]]


def _pixels(data: Any, source: str, where: str) -> np.ndarray[Any, Any]:
    """An image in two axes: as it was stored, or a square that was flattened."""
    array = image_values(data)
    what = f"image {source} in {where}"
    if array is None:
        raise DataSetError(f"{what} is {short_value(data)}, not an array of whole numbers")
    values = np.squeeze(array)
    if values.ndim == 1 and math.isqrt(values.size) ** 2 == values.size:
        values = values.reshape(math.isqrt(values.size), -1)
    if values.dtype.kind not in "ui" or values.ndim != 2 or not values.size:
        raise DataSetError(
            f"{what} has {values.dtype} values of shape {values.shape}; an image is a square (or "
            "flattened square) of 8-bit numbers with one channel"
        )
    low, high = values.min(), values.max()
    if low < 0 or high > 255:
        raise DataSetError(
            f"{what} has values from {low} to {high}; 8-bit numbers run from 0 to 255"
        )
    return values
