"""A tiny MiraBest: eight batches of made-up images in the published format."""

from __future__ import annotations

import io
import pickle
import pickletools
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from attnxai.data.mirabest import BATCHES, SIDE

COLUMNS = "image,batch,index,ctype1,ctype2,crval1,crval2,crpix1,crpix2,cdelt1,cdelt2,bmaj,bmin,bpa"


def published_pickle(content: Any, *, protocol: int = 3) -> bytes:
    """Pickle as NumPy 1 did, which named its functions by numpy.core."""
    text = pickle.dumps(content, protocol=protocol)
    # protocol 3 names a function by its bare lines, without a length
    return text.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")


def python_2_pickle(content: Any) -> bytes:
    """Pickle as Python 2 did, whose text was bytes."""
    text = bytearray(published_pickle(content))
    as_python_2 = {"BINBYTES": "T", "SHORT_BINBYTES": "U"}
    for operation, _, position in list(pickletools.genops(bytes(text))):
        if operation.name == "PROTO":
            assert position is not None
            text[position + 1] = 2
        elif letter := as_python_2.get(operation.name):
            assert position is not None
            text[position] = ord(letter)
    return bytes(text)


def pixels_of(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Image of the source with a running number: all different, mostly 0, not symmetric."""
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[70 + number % 9, 60 + number] = 255
    pixels[75, 75:80] = 100 + number
    return pixels


def filename_of(label: int, number: int) -> str:
    """Name as published, with position, redshift and size."""
    code = (100, 102, 104, 110, 112, 200, 201, 210, 300, 310)[label]
    return f"{code}_{150 + number / 10:.3f}+{30 + number / 10:06.3f}_0.1000_0050.00.png"


def labels_of(batch: int) -> list[int]:
    """Three sources a batch: an FR I, an FR II and, in every other batch, a hybrid."""
    return [batch % 5, 5 + batch % 3, 8 + batch % 2 if batch % 2 else 0]


def write_batches(folder: Path) -> list[str]:
    """Write eight batches and give their file names in order."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for batch, name in enumerate(BATCHES):
        labels = labels_of(batch)
        numbers = [3 * batch + i for i in range(3)]
        files = [filename_of(label, n) for label, n in zip(labels, numbers, strict=True)]
        names += files
        content = {
            "batch_label": "testing batch 1 of 1" if name == "test_batch" else f"training {name}",
            "labels": labels,
            "data": [pixels_of(n) for n in numbers],
            "filenames": [f"./MiraBest_data/{file}" for file in files],
        }
        (folder / name).write_bytes(published_pickle(content))
    return names


def write_archive(path: Path, batches: Path, *, leave_out: str = "") -> None:
    """Pack batches as the published archive does."""
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(batches.iterdir()):
            if file.name != leave_out:
                content = file.read_bytes()
                member = tarfile.TarInfo(f"batches/{file.name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def write_wcs_table(path: Path, names: list[str], *, without: str = "") -> None:
    """Positions 0.01 degrees north of those in the names; none for one image."""
    lines = [COLUMNS]
    for number, name in enumerate(names):
        ra, dec = 150 + number / 10, 30 + number / 10 + 0.01
        place = f"RA---TAN,DEC--TAN,{ra},{dec},75.5,75.5,-0.0005,0.0005,,,"
        lines.append(f"{name},x,{number},{place if name != without else ',,,,,,,,,,'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def batch_with(**values: Any) -> bytes:
    """A batch of one image, with other columns or values."""
    content = {
        "batch_label": "x",
        "labels": [0],
        "data": [pixels_of(0)],
        "filenames": [f"./MiraBest_data/{filename_of(0, 0)}"],
    }
    return published_pickle({**content, **values})
