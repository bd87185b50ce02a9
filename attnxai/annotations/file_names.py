"""Names of annotation files without their extensions, after which sources and annotators are named."""

from __future__ import annotations

from pathlib import Path

from attnxai.data.images import source_id

PICTURE_EXTENSIONS = (".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".webp", ".bmp")
"""Extensions of pictures that are marked, but not read as images."""

EXTENSIONS = (
    *(".reg", ".rgn", ".crtf", ".ds9", ".casa", ".carta"),
    *(".csv", ".tsv", ".txt", ".dat", ".ecsv", ".vot", ".votable", ".xml", ".parquet", ".xlsx"),
    *(".json", *PICTURE_EXTENSIONS, ".gz", ".bz2"),
)
"""Extensions of annotation files, beside those of images: other dots, as of ``J100000.0+282346.reg``, are of the name."""


def names_without_extensions(path: str | Path) -> list[str]:
    """The name of a file without its last known extension, without the one before it too, and so on; as written if it has none.

    Letters are as in :func:`~attnxai.data.images.source_id`, so that the names are ids of images.

    Examples
    --------
    >>> names_without_extensions("ann/J100000.0+282346.reg"), names_without_extensions("g7.fits.reg.gz")
    (['J100000.0+282346'], ['g7.fits.reg', 'g7.fits', 'g7'])
    """
    found = [Path(path).name]
    while (shorter := _shorter(found[-1])) != found[-1]:
        found.append(shorter)
    return found[1:] or found


def name_without_extensions(path: str | Path) -> str:
    """The name of a file without all its known extensions.

    Examples
    --------
    >>> [name_without_extensions(name) for name in ("marks/dr.smith.reg", "g7.ds9.reg", "g7.fits.gz", "g7")]
    ['dr.smith', 'g7', 'g7', 'g7']
    """
    return names_without_extensions(path)[-1]


def _shorter(name: str) -> str:
    """A name without its last extension; the same if it has none, or is nothing else."""
    of_image = source_id(name)  # which also composes letters
    for extension in EXTENSIONS:
        if of_image.lower().endswith(extension) and len(of_image) > len(extension):
            return of_image[: -len(extension)]
    return of_image
