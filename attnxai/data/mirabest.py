"""The MiraBest batched data set of FIRST radio galaxies (Porter & Scaife, CC BY 4.0).

The data set is published as Python pickles. They are read by an unpickler that admits NumPy arrays
and built-in containers and nothing else, so that a file from a stranger cannot run code.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import os
import pickle
import re
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from attnxai.data.grid import PixelGrid
from attnxai.data.images import SourceImage, SourceSet, source_id
from attnxai.errors import AssumptionWarning, DataSetError

ARCHIVE_NAME = "MiraBest_full_batches.tar.gz"
ARCHIVE_MD5 = "965b5daa83b9d8622bb407d718eecb51"
ARCHIVE_URL = f"https://zenodo.org/records/4288837/files/{ARCHIVE_NAME}"
CITATION = (
    "Porter & Scaife (2020), MiraBest batched data set, doi:10.5281/zenodo.4288837, CC BY 4.0"
)
DATA_DIR_VARIABLE = "ATTNXAI_DATA"
WCS_TABLE_NAME = "mirabest_wcs.csv"
PIXEL_SCALE_ARCSEC = 1.8
SIDE = 150
BEAM_ARCSEC = (5.4, 5.4, 0.0)
BATCHES = (*(f"data_batch_{i}" for i in range(1, 8)), "test_batch")
CODES = (100, 102, 104, 110, 112, 200, 201, 210, 300, 310)
CLASS_NAMES = {1: "FR I", 2: "FR II", 3: "hybrid"}
_KEYWORDS = tuple(
    f"{name}{axis}" for name in ("ctype", "crval", "crpix", "cdelt") for axis in (1, 2)
)
_POSITION = re.compile(r"^\d{3}_(\d+\.\d+)([+-]\d+\.\d+)_")

# The pickles name NumPy's functions by the module they lived in before NumPy 2.
_ADMITTED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
}


class _ArraysOnlyUnpickler(pickle.Unpickler):
    """Unpickles arrays and built-in containers, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load_batch(content: bytes, *, name: str) -> dict[str, Any]:
    """Unpickle one batch and check that it is one.

    Parameters
    ----------
    content : bytes
        The pickle.
    name : str
        What to call it in errors.

    Returns
    -------
    dict
        With ``batch_label``, ``labels``, ``data`` and ``filenames``.
    """
    try:
        batch = _ArraysOnlyUnpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # a damaged pickle can raise anything
        raise DataSetError(f"MiraBest batch {name} was refused: {error}") from error
    if not isinstance(batch, dict) or not {"labels", "data", "filenames"} <= set(batch):
        raise DataSetError(f"MiraBest batch {name} lacks labels, data or filenames")
    columns = {key: batch[key] for key in ("labels", "data", "filenames")}
    if not all(isinstance(column, list | tuple | np.ndarray) for column in columns.values()):
        raise DataSetError(f"MiraBest batch {name} should hold lists of labels, data and filenames")
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise DataSetError(f"MiraBest batch {name} is inconsistent: {lengths}")
    return batch


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MirabestLocation:
    """Where the data set lies.

    Parameters
    ----------
    batches : Path
        The archive as published, or the folder of its batches.
    wcs_table : Path or None
        Table of celestial coordinate systems, when there is one.
    """

    batches: Path
    wcs_table: Path | None


def find_mirabest(data_dir: str | Path | None = None) -> MirabestLocation:
    """Find the data set.

    Parameters
    ----------
    data_dir : path, optional
        Folder to look in (also one level down, in ``mirabest``); else the folder that the environment
        variable ATTNXAI_DATA names; else the cache that ``attnxai data fetch mirabest`` fills.

    Returns
    -------
    MirabestLocation

    Raises
    ------
    DataSetError
        Naming every place where it was looked for.
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
        if root.is_file() and root.name.endswith((".tar.gz", ".tgz")):
            return MirabestLocation(batches=root, wcs_table=_wcs_table(root.parent))
        for folder in (root, root / "mirabest"):
            for candidate in (folder / "batches", folder, folder / ARCHIVE_NAME):
                if candidate.is_file() or any((candidate / name).is_file() for name in BATCHES):
                    return MirabestLocation(
                        batches=candidate, wcs_table=_wcs_table(folder, folder.parent)
                    )
    places = ", ".join(str(root) for root in roots)
    raise DataSetError(
        f"MiraBest was not found in {places}; point --data-dir or {DATA_DIR_VARIABLE} at the folder "
        f"of {ARCHIVE_NAME} (or of its unpacked batches), or fetch it with "
        "'attnxai data fetch mirabest'"
    )


def _wcs_table(*folders: Path) -> Path | None:
    for folder in folders:
        if (folder / WCS_TABLE_NAME).is_file():
            return folder / WCS_TABLE_NAME
    return None


def _batch_contents(location: Path) -> Iterator[tuple[str, bytes]]:
    if location.is_dir():
        missing = [name for name in BATCHES if not (location / name).is_file()]
        if missing:
            raise DataSetError(f"MiraBest folder {location} lacks {', '.join(missing)}")
        for name in BATCHES:
            yield name, (location / name).read_bytes()
        return
    content = location.read_bytes()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != ARCHIVE_MD5:
        raise DataSetError(
            f"{location} is not the published MiraBest archive: its md5 is {md5}, the published one "
            f"{ARCHIVE_MD5}; it may be truncated, so fetch it again"
        )
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        members = {Path(member.name).name: member for member in archive if member.isfile()}
        for name in BATCHES:
            reader = archive.extractfile(members[name]) if name in members else None
            if reader is None:
                raise DataSetError(f"MiraBest archive {location} lacks {name}")
            yield name, reader.read()


def read_mirabest(
    data_dir: str | Path | None = None,
    *,
    hybrids: bool = False,
) -> SourceSet:
    """Read the MiraBest images with classes, published split and celestial coordinates.

    Parameters
    ----------
    data_dir : path, optional
        Where to look; see :func:`find_mirabest`.
    hybrids : bool
        Also give the 34 sources of class ``hybrid``.

    Returns
    -------
    SourceSet
        150 x 150 images of 1.8 arcsec pixels whose row 0 is south and column 0 east.
    """
    location = find_mirabest(data_dir)
    wcs_rows = read_wcs_table(location.wcs_table) if location.wcs_table else None
    if wcs_rows is None:
        warnings.warn(
            f"no {WCS_TABLE_NAME} lies beside the MiraBest data, so positions come from the file "
            "names: most are right to 3 arcsec, eight are off by up to 90 arcsec",
            AssumptionWarning,
            stacklevel=2,
        )
    images = []
    for name, content in _batch_contents(location.batches):
        batch = load_batch(content, name=name)
        split = "test" if name == "test_batch" else "train"
        for label, data, filename in zip(
            batch["labels"], batch["data"], batch["filenames"], strict=True
        ):
            image = _image(label, data, str(filename), split, name, wcs_rows)
            if hybrids or image.class_name != CLASS_NAMES[3]:
                images.append(image)
    return SourceSet(images, origin=str(location.batches))


def _image(
    label: Any,
    data: Any,
    filename: str,
    split: str,
    batch: str,
    wcs_rows: dict[str, dict[str, str]] | None,
) -> SourceImage:
    if not isinstance(label, int | np.integer) or not 0 <= label < len(CODES):
        raise DataSetError(
            f"MiraBest batch {batch} has the unknown label {label!r}; labels are 0 to {len(CODES) - 1}"
        )
    pixels = np.asarray(data)
    if pixels.dtype.kind not in "ui" or pixels.size != SIDE * SIDE:
        raise DataSetError(
            f"MiraBest image {filename} in {batch} has {pixels.size} values of {pixels.dtype}"
        )
    source = source_id(filename)
    header: dict[str, str] | None = None
    if wcs_rows is not None:
        header = wcs_rows.get(source)
    elif match := _POSITION.match(source):
        header = _header_from_position(match[1], match[2])
    return SourceImage(
        source=source,
        pixels=pixels.reshape(SIDE, SIDE),
        grid=PixelGrid(
            shape=(SIDE, SIDE),
            pixel_scale_arcsec=PIXEL_SCALE_ARCSEC,
            wcs=_wcs(header) if header else None,
        ),
        prepared=True,
        class_name=CLASS_NAMES[CODES[label] // 100],
        split=split,
        path=f"{batch}/{source}",
        beam_arcsec=BEAM_ARCSEC,
    )


def _header_from_position(ra: str, dec: str) -> dict[str, str]:
    step = PIXEL_SCALE_ARCSEC / 3600.0
    return {
        "ctype1": "RA---TAN",
        "ctype2": "DEC--TAN",
        "crval1": ra,
        "crval2": dec,
        "crpix1": str((SIDE + 1) / 2),
        "crpix2": str((SIDE + 1) / 2),
        "cdelt1": str(-step),
        "cdelt2": str(step),
    }


def _wcs(header: dict[str, str]) -> Any:
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [header["ctype1"], header["ctype2"]]
    for name in ("crval", "crpix", "cdelt"):
        setattr(wcs.wcs, name, [float(header[f"{name}1"]), float(header[f"{name}2"])])
    # as the FITS headers of these cutouts say; 20 milliarcsec from ICRS, so that both read the same
    wcs.wcs.radesys = "FK5"
    wcs.wcs.equinox = 2000.0
    wcs.wcs.set()
    return wcs


def read_wcs_table(path: str | Path) -> dict[str, dict[str, str]]:
    """Read a table of FITS coordinate keywords, one row an image.

    Returns
    -------
    dict
        From source id to its row; images without a coordinate system are left out.

    Raises
    ------
    DataSetError
        If it is no such table, naming the first line that cannot be used.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataSetError(f"table {path} is no CSV table in UTF-8: {error}") from error
    if not rows or not {"image", *_KEYWORDS} <= set(rows[0][1]):
        raise DataSetError(f"table {path} lacks columns: it needs image, {', '.join(_KEYWORDS)}")
    headers = {}
    for line, row in rows:
        if not (row["crval1"] or "").strip():
            continue
        try:
            _wcs(row)
        except (TypeError, ValueError) as error:
            raise DataSetError(f"line {line} of table {path} is no coordinate system") from error
        headers[source_id(row["image"])] = row
    return headers
