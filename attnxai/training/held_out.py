"""Sources that are held out of training because the model will be tested with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attnxai.annotations.readers import read_annotations
from attnxai.annotations.readers.registry import find_reader
from attnxai.data.csv_table import decode_csv
from attnxai.data.images import SourceImage, source_id
from attnxai.errors import AnnotationError
from attnxai.jobs.files import read_input


def read_held_out(path: str | Path, images: Sequence[SourceImage]) -> frozenset[str]:
    r"""Ids of the images that an annotation file, or a list of ids, names.

    Parameters
    ----------
    path : path
        An annotation file of any known format, or a text file with one source id per line.
    images : sequence of SourceImage
        The images that could be trained on.

    Returns
    -------
    frozenset of str

    Raises
    ------
    AnnotationError
        If the file names no image, so that nothing would be held out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import attnxai
    >>> images = [attnxai.data.from_array(np.eye(3), source=name) for name in ("s1", "s2")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "held_out.txt"
    ...     _ = path.write_text("s2\n")
    ...     held_out = attnxai.training.read_held_out(path, images)
    ...
    >>> sorted(held_out)
    ['s2']
    """
    path = Path(path)
    what = f"file {path} with the sources to hold out"
    if not path.exists():
        raise AnnotationError(f"{what} does not exist")
    content = read_input(path, what, AnnotationError)
    known = {image.source for image in images}
    if find_reader(content, path) is not None:
        named = set(read_annotations(path, images).sources)
    else:
        text = decode_csv(content, what, AnnotationError)
        named = {source_id(line.strip()) for line in text.splitlines() if line.strip()}
    if not named & known:
        raise AnnotationError(f"none of the {len(named)} sources in {path} is among the images")
    return frozenset(named & known)
