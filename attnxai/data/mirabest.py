"""The MiraBest batched data set of FIRST radio galaxies (Porter & Scaife, CC BY 4.0).

The data set is published as Python pickles, which are read as :mod:`attnxai.data.batches` says.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attnxai.data.archives import ARCHIVE_EXTENSIONS
from attnxai.data.batches import (
    TEST_BATCH,
    check_label,
    find_batches,
    image_values,
    load_batch,
    source_of,
)
from attnxai.data.classes import Confidence
from attnxai.data.csv_table import Faults, decimal, parse_csv, parse_rows, read_csv
from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage, SourceSet, source_id
from attnxai.data.short_repr import short_value
from attnxai.data.wording import unknown_name
from attnxai.errors import AssumptionWarning, DataSetError, OptionError

ARCHIVE_NAME = "MiraBest_full_batches.tar.gz"
ARCHIVE_MD5 = "965b5daa83b9d8622bb407d718eecb51"
ARCHIVE_URL = f"https://zenodo.org/records/4288837/files/{ARCHIVE_NAME}"
LICENCE = "CC BY 4.0"
CITATION = (
    "Porter & Scaife (2020), MiraBest batched data set, doi:10.5281/zenodo.4288837, CC BY 4.0"
)
DATA_DIR_VARIABLE = "ATTNXAI_DATA"
WCS_TABLE_NAME = "mirabest_wcs.csv"
_SMALLEST_STEP = 1e-12  # degrees
PIXEL_SCALE_ARCSEC = 1.8
SIDE = 150
BEAM_ARCSEC = (5.4, 5.4, 0.0)
SURVEY = "FIRST"
BATCHES = (*(f"data_batch_{i}" for i in range(1, 8)), TEST_BATCH)
# first digit: FR I, FR II or hybrid; second: confident or uncertain; third: the form in detail
CODES = (100, 102, 104, 110, 112, 200, 201, 210, 300, 310)
CLASS_NAMES = {1: "FR I", 2: "FR II", 3: "hybrid"}
_KEYWORDS = ("ctype", "crval", "crpix", "cdelt")
_POSITION = re.compile(r"^\d{3}_(\d{1,3}\.\d{1,9})([+-]0?[0-8]\d\.\d{1,9})_")

_AXIS_TYPE = re.compile(r"[A-Z0-9-]{1,8}")


def find_mirabest(data_dir: str | Path | None = None) -> tuple[Path, Path | None]:
    """The archive or the folder of batches, and the table of coordinates, if there is one.

    They are in ``data_dir``, or one level down in ``mirabest``.
    Without it the folder that the environment variable ATTNXAI_DATA names is searched, then the cache that
    ``attnxai data fetch mirabest`` fills. A DataSetError names every place that was searched.
    """
    from attnxai.data.download import cache_folder

    roots: list[Path] = []
    if data_dir is not None:
        roots = [Path(data_dir)]
        if not roots[0].exists():
            raise DataSetError(f"data folder {data_dir} does not exist")
    else:
        if os.environ.get(DATA_DIR_VARIABLE):
            roots.append(Path(os.environ[DATA_DIR_VARIABLE]))
        roots.append(cache_folder())
    for root in roots:
        if root.is_file() and root.name.endswith(ARCHIVE_EXTENSIONS):
            return root, _wcs_table(root.parent)
        for folder in (root, root / "mirabest"):
            for candidate in (folder / "batches", folder, folder / ARCHIVE_NAME):
                if candidate.is_file() or any((candidate / name).is_file() for name in BATCHES):
                    return candidate, _wcs_table(folder, folder.parent)
    places = ", ".join(str(root) for root in roots)
    raise DataSetError(
        f"MiraBest was not found in {places}; point data_dir or {DATA_DIR_VARIABLE} at the folder "
        f"of {ARCHIVE_NAME} (or of its unpacked batches), or fetch it with "
        "'attnxai data fetch mirabest'"
    )


def is_mirabest_source(source: str) -> bool:
    """Whether an id has the form of MiraBest's: code, position, redshift and size."""
    return _POSITION.match(source) is not None and int(source[:3]) in CODES


def _wcs_table(*folders: Path) -> Path | None:
    tables = (folder / WCS_TABLE_NAME for folder in folders)
    return next((table for table in tables if table.is_file()), None)


def _batch_contents(location: Path) -> dict[str, bytes]:
    if location.is_file():
        with open(location, "rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if md5 != ARCHIVE_MD5:
            raise DataSetError(
                f"{location} is not the published MiraBest archive: its md5 is {md5}, the published one "
                f"{ARCHIVE_MD5}; it may be truncated, so fetch it again"
            )
    files = find_batches(location)
    found = files.batches if files is not None else {}
    if missing := [name for name in BATCHES if name not in found]:
        raise DataSetError(f"{location} lacks {', '.join(missing)} of MiraBest")
    return {name: found[name] for name in BATCHES}


def read_mirabest(
    data_dir: str | Path | None = None,
    *,
    hybrids: bool = False,
    confidence: Confidence = Confidence.ALL,
) -> SourceSet:
    """Read the MiraBest images with classes, published split and celestial coordinates.

    Parameters
    ----------
    data_dir : path, optional
        Where to look; see :func:`find_mirabest`.
    hybrids : bool
        Also give the 34 sources of class ``hybrid``.
    confidence : Confidence
        Give all sources, or only those whose class is confident (833 and 19 hybrids) or uncertain (389
        and 15 hybrids).

    Returns
    -------
    SourceSet
        150 x 150 images of 1.8 arcsec pixels whose row 0 is south and column 0 east.

    Raises
    ------
    DataSetError
        If the data set is missing, incomplete or not what was published.
    OptionError
        If ``confidence`` is none of its choices.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_mirabest("data/mirabest")  # doctest: +SKIP
    >>> len(images), images[0].shape, images[0].class_name  # doctest: +SKIP
    """
    if confidence not in tuple(Confidence):
        raise OptionError(unknown_name("confidence", str(confidence), Confidence, "values"))
    location, wcs_table = find_mirabest(data_dir)
    table = read_wcs_table(wcs_table) if wcs_table else None
    if table is None:
        warnings.warn(
            f"no {WCS_TABLE_NAME} lies beside the MiraBest data, so positions come from the file "
            "names: most are right to 3 arcsec, eight are off by up to 90 arcsec",
            AssumptionWarning,
            stacklevel=2,
        )
    images = []
    for name, content in _batch_contents(location).items():
        where = f"MiraBest batch {name}"
        batch = load_batch(content, name=where)
        split = "test" if name == TEST_BATCH else "train"
        for label, data, filename in zip(
            batch["labels"], batch["data"], batch["filenames"], strict=True
        ):
            code = CODES[check_label(label, len(CODES), name=where)]
            if code // 100 == 3 and not hybrids:
                continue
            if confidence not in (Confidence.ALL, _confidence_of(code)):
                continue
            source = source_of(filename, name=where)
            images.append(_image(code, data, source, split, name, table))
    return SourceSet(images, origin=str(location))


def _confidence_of(code: int) -> Confidence:
    return Confidence.UNCERTAIN if code // 10 % 10 else Confidence.CONFIDENT


def _image(
    code: int,
    data: Any,
    source: str,
    split: str,
    batch: str,
    table: Mapping[str, Any] | None,
) -> SourceImage:
    pixels = image_values(data)
    if pixels is None or pixels.dtype.kind not in "ui" or pixels.size != SIDE * SIDE:
        raise DataSetError(
            f"MiraBest image {source} in {batch} is {short_value(data)}; an image is {SIDE} x {SIDE} "
            "whole numbers"
        )
    wcs = None
    if table is not None:
        wcs = table.get(source)
    elif match := _POSITION.match(source):
        step = PIXEL_SCALE_ARCSEC / 3600.0
        place, middle = (float(match[1]), float(match[2])), ((SIDE + 1) / 2,) * 2
        wcs = _wcs(("RA---TAN", "DEC--TAN"), place, middle, (-step, step))
    return SourceImage(
        source=source,
        pixels=pixels.reshape(SIDE, SIDE),
        grid=PixelGrid(shape=(SIDE, SIDE), pixel_scale_arcsec=PIXEL_SCALE_ARCSEC, wcs=wcs),
        prepared=True,
        class_name=CLASS_NAMES[code // 100],
        split=split,
        path=f"{batch}/{source}",
        beam_arcsec=BEAM_ARCSEC,
        survey=SURVEY,
    )


def _wcs(
    ctype: Sequence[str], crval: Sequence[float], crpix: Sequence[float], cdelt: Sequence[float]
) -> Any:
    """The coordinate system of FITS keywords; a ValueError where they state none."""
    from astropy.wcs import WCS

    if (
        not all(map(_AXIS_TYPE.fullmatch, ctype))
        or not all(map(math.isfinite, (*crval, *crpix)))
        or not all(_SMALLEST_STEP <= abs(step) <= 1.0 for step in cdelt)
    ):
        raise ValueError("type, place or size of a pixel is out of range")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = list(ctype)
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = crval, crpix, cdelt
    # as the FITS headers of these cutouts say; 20 milliarcsec from ICRS, so that both read the same
    wcs.wcs.radesys = "FK5"
    wcs.wcs.equinox = 2000.0
    wcs.wcs.set()
    if not wcs.has_celestial:
        raise ValueError("the axes are not a position on the sky")
    return wcs


def read_wcs_table(path: str | Path) -> dict[str, Any]:
    """Coordinate systems by source id, from a table of FITS keywords with one row per image.

    Images without a coordinate system are left out.
    """
    what = f"table of coordinates {path}"
    header, rows = parse_csv(read_csv(path, what, DataSetError), what, DataSetError)
    needed = ["image", *(f"{name}{axis}" for name in _KEYWORDS for axis in (1, 2))]
    if not set(needed) <= set(header):
        raise DataSetError(f"{what} lacks columns: it needs {', '.join(needed)}")

    def parse(row: dict[str, str], line: int, faults: Faults) -> None:
        if row["crval1"]:
            try:
                types, *numbers = ([row[f"{name}{axis}"] for axis in (1, 2)] for name in _KEYWORDS)
                values = (list(map(decimal, pair)) for pair in numbers)
                systems[source_id(row["image"])] = _wcs(types, *values)
            except ValueError:
                faults.add_row(line, ": its FITS keywords state no coordinate system")

    systems: dict[str, Any] = {}
    parse_rows(header, rows, what, DataSetError, parse)
    return systems
