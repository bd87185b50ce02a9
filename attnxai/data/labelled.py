"""Images with classes to train on: MiraBest, batches like those of FR-DEEP, or a folder with labels."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from pathlib import Path
from typing import Unpack

from attnxai.data import frdeep, mirabest
from attnxai.data.batches import BatchFiles, find_batches, is_batch
from attnxai.data.classes import Confidence, ordered_classes
from attnxai.data.image_files import image_files, read_image, read_images
from attnxai.data.image_options import ImageKeywords, ImageOptions
from attnxai.data.images import SourceSet, source_id
from attnxai.data.images_on_demand import read_set
from attnxai.data.label_table import LABELS_NAME, check_classes, read_label_table
from attnxai.data.mirabest import read_mirabest
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import first_of
from attnxai.errors import AttnxaiWarning, DataSetError, OptionError

MIRABEST = "mirabest"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledData:
    """Images of which every one has a class, and what has to be said about them.

    Parameters
    ----------
    images : SourceSet
        The images, including those of the split ``test``.
    class_names : tuple of str
        Classes in the order in which a network scores them.
    citation : str
        What to cite; empty when unknown.
    licence : str
        Terms of the data; empty when unknown.
    name : str
        What to call them.

    Examples
    --------
    >>> import numpy as np
    >>> import attnxai
    >>> images = attnxai.SourceSet(
    ...     attnxai.data.from_array(np.eye(3), source=source, class_name=name)
    ...     for source, name in (("s1", "FR I"), ("s2", "FR II"))
    ... )
    >>> data = attnxai.data.LabelledData(
    ...     images=images, class_names=("FR I", "FR II"), citation="", licence="CC BY 4.0", name="mine"
    ... )
    >>> len(data.images), data.licence
    (2, 'CC BY 4.0')
    """

    images: SourceSet
    class_names: tuple[str, ...]
    citation: str
    licence: str
    name: str

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if len(self.class_names) < 2 or len(set(self.class_names)) < len(self.class_names):
            raise DataSetError(
                f"{self.name} has the classes {', '.join(self.class_names) or 'none'}; a "
                "classifier needs two or more"
            )
        for image in self.images:
            if image.class_name not in self.class_names:
                raise DataSetError(
                    f"image {image.source} of {self.name} has class {image.class_name!r}; its classes "
                    f"are {', '.join(self.class_names)}"
                )


def read_training_images(
    images: str | Path,
    *,
    data_dir: str | Path | None = None,
    labels: str | Path | None = None,
    confidence: Confidence = Confidence.ALL,
    hybrids: bool = False,
    citation: str = "",
    licence: str = "",
    **reading: Unpack[ImageKeywords],
) -> LabelledData:
    r"""Read labelled images of any of the three kinds.

    Parameters
    ----------
    images : str or path
        ``mirabest``; a folder or archive of batches (see :func:`attnxai.data.frdeep.read_frdeep`); or a
        folder of images with a table of labels.
    data_dir : path, optional
        Where MiraBest lies.
    labels : path, optional
        The table of labels of a folder of images; ``labels.csv`` within it when left out.
    confidence : Confidence
        Which MiraBest sources.
    hybrids : bool
        Whether MiraBest's hybrids are a third class; else they are left out.
    citation, licence : str
        What to cite and the terms of the data; left out, those of MiraBest and the citation of FR-DEEP
        are known.
    **reading
        For a folder of images, as in :func:`attnxai.data.read_image`; ``pixel_scale_arcsec`` also for batches.

    Returns
    -------
    LabelledData

    Raises
    ------
    DataSetError, ImageError
        Saying what is missing or cannot be used.
    OptionError
        If an option does not belong to this kind of data.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import attnxai
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("s1", "s2"):
    ...         np.save(Path(folder) / f"{name}.npy", np.eye(16))
    ...     _ = (Path(folder) / "labels.csv").write_text("source,class\ns1,FR I\ns2,FR II\n")
    ...     data = attnxai.data.read_training_images(folder)
    ...
    >>> data.class_names, data.images.sources
    (('FR I', 'FR II'), ('s1', 's2'))
    """
    options = ImageOptions(**reading)
    root = Path(images)
    name = root.resolve().name
    if str(images).lower() == MIRABEST:
        check_unused(MIRABEST, labels=labels, **options.given())
        selection = [str(confidence)] if confidence != Confidence.ALL else []
        selection += ["with hybrids"] if hybrids else []
        found = read_mirabest(data_dir, hybrids=hybrids, confidence=confidence)
        name = "MiraBest" + (f" ({', '.join(selection)})" if selection else "")
        citation, licence = citation or mirabest.CITATION, licence or mirabest.LICENCE
    else:
        check_unused(
            str(images),
            data_dir=data_dir,
            confidence=confidence if confidence != Confidence.ALL else None,
            hybrids=hybrids or None,
        )
        if labels is None and (root / LABELS_NAME).is_file():
            labels = root / LABELS_NAME
        if labels is not None:
            found = read_labelled_folder(root, labels, **reading)
        else:
            files = _batches(root)
            check_unused(str(images), **options.given() | {"pixel_scale_arcsec": None})
            scale = options.pixel_scale_arcsec
            found = frdeep.images_of_batches(files, pixel_scale_arcsec=scale)
            if (release := frdeep.published_release(files)) is not None:
                name, citation = release.name, citation or frdeep.CITATION
    class_names = ordered_classes(str(image.class_name) for image in found)
    return LabelledData(
        images=found, class_names=class_names, citation=citation, licence=licence, name=name
    )


def _batches(root: Path) -> BatchFiles:
    files = recognised_batches(root)
    if files is None:
        raise DataSetError(
            f"{str(root)!r} {'holds no labelled images' if root.exists() else 'does not exist'}; images "
            "to train on are 'mirabest', a folder or .tar.gz archive of batches (data_batch_1, ...), or a "
            f"folder of images with a table of labels (--labels, or {LABELS_NAME} within it)"
        )
    return files


def recognised_batches(images: str | Path) -> BatchFiles | None:
    """The batches that are meant where images are named, to train on or to compare.

    What lies in a folder itself goes before what lies in a folder within it, and a table of labels before
    batches. None where a folder of images or one image is meant, or nothing is there.
    """
    root = Path(images)
    if (root / LABELS_NAME).is_file():
        return None
    if root.is_dir():
        own = any(is_batch(file.name) and file.is_file() for file in root.iterdir())
        if not own and image_files(root):
            return None
    return find_batches(root)


def read_labelled_folder(
    folder: str | Path, labels: str | Path, **reading: Unpack[ImageKeywords]
) -> SourceSet:
    r"""Read the images of a folder that a table of labels names.

    Parameters
    ----------
    folder : path
        Folder of image files.
    labels : path
        The table, see :func:`attnxai.data.label_table.read_label_table`.
    **reading
        As in :func:`attnxai.data.read_image`.

    Returns
    -------
    SourceSet
        Images with class and split, in the order of their ids. Images without a row are left out with
        a warning.

    Raises
    ------
    DataSetError
        If the table cannot be used, names images that are not there, or one class only.
    ImageError
        Naming every image that cannot be used.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import attnxai
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("s1", "s2"):
    ...         np.save(Path(folder) / f"{name}.npy", np.eye(16))
    ...     table = Path(folder) / "labels.csv"
    ...     _ = table.write_text("source,class\ns1,FR I\ns2,FR II\n")
    ...     images = attnxai.data.read_labelled_folder(folder, table)
    ...
    >>> [(image.source, image.class_name) for image in images]
    [('s1', 'FR I'), ('s2', 'FR II')]
    """
    ImageOptions(**reading)  # whose values are checked
    root = Path(folder)
    if not root.is_dir():
        raise DataSetError(
            f"{root} is not a folder; a table of labels goes with a folder of images"
        )
    rows = read_label_table(labels)
    check_classes(rows, labels)
    files: dict[str, Path] = {}
    unlabelled: list[str] = []
    for file in image_files(root):
        ident = source_id(file)
        if ident not in rows:
            unlabelled.append(file.name)
            continue
        if ident in files:
            raise DataSetError(
                f"line {rows[ident].line} of label table {labels} may mean {files[ident].name} or "
                f"{file.name} in {root}; ids are file names without extension, so rename one of them"
            )
        files[ident] = file
    if not files and not unlabelled:
        read_images(root)  # which says that the folder holds none
    missing = [f"line {row.line}: {ident}" for ident, row in rows.items() if ident not in files]
    if missing:
        raise DataSetError(
            f"{len(missing)} of {len(rows)} sources of label table {labels} have no image in {root}; "
            "ids are file names without folder and extension:\n  "
            + first_of(missing, separator="\n  ")
        )
    if unlabelled:
        warnings.warn(
            f"{len(unlabelled)} of {len(files) + len(unlabelled)} images in {root} have no row in label "
            f"table {labels} and are left out: {first_of(unlabelled, 5)}",
            AttnxaiWarning,
            stacklevel=2,
        )
    return read_set(
        (
            functools.partial(
                read_image,
                files[ident],
                class_name=rows[ident].class_name,
                split=rows[ident].split,
                **reading,
            )
            for ident in sorted(rows)
        ),
        origin=str(root),
    )


def check_unused(kind: str, **options: object) -> None:
    """Refuse options that would change nothing."""
    for name, value in options.items():
        if value is not None:
            raise OptionError(f"{name} does not belong to the images {kind!r}; leave it out")
