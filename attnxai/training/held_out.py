"""Sources that a model must not see in training because it is to be tested with them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from attnxai.annotations.radio_galaxy_zoo import is_claran_header
from attnxai.annotations.table import REQUIRED, read_annotations
from attnxai.data.images import SourceImage, source_id
from attnxai.errors import AnnotationError


def read_held_out(path: str | Path, images: Sequence[SourceImage]) -> frozenset[str]:
    """Ids of the images that an annotation file, or a list of ids, speaks of.

    Parameters
    ----------
    path : path
        An annotation table, the ClaRAN catalogue, or a text file with one source id a line.
    images : sequence of SourceImage
        The images that could be trained on.

    Returns
    -------
    frozenset of str

    Raises
    ------
    AnnotationError
        If no image is named by the file, which would hold nothing out.
    """
    path = Path(path)
    if not path.is_file():
        raise AnnotationError(f"file {path} with the sources to hold out does not exist")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f"file {path} with the sources to hold out is no text file"
        ) from error
    header = next(csv.reader(text.splitlines()[:1]), [])
    known = {image.source for image in images}
    if is_claran_header(header) or set(REQUIRED) <= {name.strip() for name in header}:
        named = set(read_annotations(path, images).sources)
    else:
        named = {source_id(line.strip()) for line in text.splitlines() if line.strip()}
    if not named & known:
        raise AnnotationError(f"none of the {len(named)} sources in {path} is among the images")
    return frozenset(named & known)
