"""Images that are named now and read when they are needed, so that any number of them fits into memory."""

from __future__ import annotations

import dataclasses
import functools
import glob
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Unpack

from attnxai.data.csv_table import parse_csv, read_csv
from attnxai.data.image_arrays import ImagesInFile, contents, images_in
from attnxai.data.image_files import image_files, image_of, read_image
from attnxai.data.image_notes import collect_images
from attnxai.data.image_options import ImageKeywords, ImageOptions
from attnxai.data.images import SourceImage, SourceSet, assume, source_id
from attnxai.data.images_on_demand import Holding
from attnxai.data.readers.registry import known_endings
from attnxai.data.wording import counted
from attnxai.errors import ImageError
from attnxai.jobs.files import read_input

LISTS = (".txt", ".lst", ".list")
"""Endings of files with a path on each line."""
_IMAGE_COLUMNS = ("image", "file", "path", "filename")
_SOURCE_COLUMNS = ("source", "source_id", "id", "name")


@dataclasses.dataclass(frozen=True, slots=True)
class ImageReference:
    """Where the image of a source is: in a file, or at an index of the ``array`` of images in one."""

    source: str
    path: str
    index: int = -1
    array: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageBatch:
    """Some images to be read: plain values that can be sent to another process or machine.

    Parameters
    ----------
    images : tuple of ImageReference or SourceImage
        Where they are, or those that are in memory.
    reading : ImageOptions
        How they are read.
    """

    images: tuple[ImageReference | SourceImage, ...]
    reading: ImageOptions = dataclasses.field(default_factory=ImageOptions)

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the sources."""
        return tuple(image.source for image in self.images)

    def read(self) -> Iterator[SourceImage | ImageError]:
        """The images one by one, or why one cannot be used."""
        options: dict[str, Any] = {
            field.name: getattr(self.reading, field.name)
            for field in dataclasses.fields(self.reading)
        }
        for (path, array), group in itertools.groupby(self.images, key=_file_of):
            images = list(group)
            if array is not None:
                yield from self._of_array(path, array, images)
                continue
            for image in images:
                if isinstance(image, SourceImage):
                    yield image
                    continue
                try:
                    yield read_image(image.path, source=image.source, **options)
                except ImageError as error:
                    yield error

    def _of_array(
        self, path: str, array: str, images: Sequence[Any]
    ) -> Iterator[SourceImage | ImageError]:
        indices = [image.index for image in images]
        for image, found in zip(images, contents(path, array, indices), strict=True):
            if isinstance(found, ImageError):
                yield found
                continue
            try:
                yield image_of(
                    found, f"{path}[{image.index}]", source=image.source, options=self.reading
                )
            except ImageError as error:
                yield error


def _file_of(image: ImageReference | SourceImage) -> tuple[str, str | None]:
    """File and array of an image; no array for one that stands alone."""
    if isinstance(image, SourceImage) or image.index < 0:
        return "", None
    return image.path, image.array


def _read_one(image: ImageReference, reading: ImageOptions) -> SourceImage:
    (found,) = ImageBatch(images=(image,), reading=reading).read()
    if isinstance(found, ImageError):
        raise found
    return found


class ImageList:
    """Images of several sources in a fixed order, of which none has been read.

    Parameters
    ----------
    images : sequence of ImageReference or SourceImage
        Where they are; images that are in memory stay there.
    origin : str
        What to call them.
    reading : ImageOptions
        How they are read.

    Raises
    ------
    ImageError
        If two have the same id, or there is none.

    Examples
    --------
    >>> import attnxai
    >>> folder = next(iter(attnxai.read_annotations("expert.csv").image_files().values())).parent
    >>> images = attnxai.data.list_images(folder)
    >>> batch = images.batch(0, 2)
    >>> [image.source for image in batch.read()] == list(images.sources[:2])
    True
    """

    def __init__(
        self,
        images: Sequence[ImageReference | SourceImage],
        *,
        origin: str,
        reading: ImageOptions | None = None,
    ) -> None:
        self._images, self.origin = tuple(images), origin
        self._reading = reading or ImageOptions()
        if not self._images:
            raise ImageError(f"{origin} names no images")
        self._position: dict[str, int] = {}
        for i, image in enumerate(self._images):
            if self._position.setdefault(image.source, i) != i:
                other = self._images[self._position[image.source]]
                raise ImageError(
                    f"two images of {origin} have the source id {image.source!r}: {other.path} and {image.path}; ids are "
                    "file names without folder and extension, so rename one of them"
                )

    @classmethod
    def of(cls, images: SourceSet) -> ImageList:
        """Images that are in memory."""
        return cls(tuple(images), origin=images.origin or "the images")

    def __len__(self) -> int:
        return len(self._images)

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids in order."""
        return tuple(image.source for image in self._images)

    def batch(self, start: int, stop: int) -> ImageBatch:
        """The images from position ``start`` to before ``stop``."""
        return ImageBatch(images=self._images[start:stop], reading=self._reading)

    def read(self, sources: Iterable[str] | None = None) -> SourceSet:
        """All images, or those of some sources; as by :func:`attnxai.read_images`, pixels of very many are read again.

        Raises
        ------
        ImageError
            Naming every image that cannot be used.
        """
        chosen = self._images
        if sources is not None:
            chosen = tuple(self._images[self._position[source]] for source in sources)
        holding = Holding()

        def held(
            found: SourceImage | ImageError, image: ImageReference | SourceImage
        ) -> SourceImage:
            if isinstance(found, ImageError):
                raise found
            if isinstance(image, SourceImage):
                return image
            return holding.hold(found, functools.partial(_read_one, image, self._reading))

        batch = ImageBatch(images=chosen, reading=self._reading)
        readers = map(functools.partial, itertools.repeat(held), batch.read(), chosen)
        return SourceSet(collect_images(readers), origin=self.origin)

    def sha256(self) -> str:
        """Hash of what is known without reading the images: names, sizes of files, and how they are read.

        Of images in memory the pixels count, too.
        """
        digest = hashlib.sha256(repr(self._reading).encode())
        sizes: dict[str, int] = {}
        for image in self._images:
            if isinstance(image, SourceImage):
                digest.update(f"{image.source}\n{image.sha256()}\n".encode())
                continue
            if image.path not in sizes:
                file = Path(image.path)
                sizes = {image.path: file.stat().st_size if file.is_file() else -1}
            line = (
                f"{image.source}\n{image.path}\n{sizes[image.path]} {image.index} {image.array}\n"
            )
            digest.update(line.encode(errors="backslashreplace"))
        return digest.hexdigest()


def list_images(images: str | Path, **reading: Unpack[ImageKeywords]) -> ImageList:
    """Find images without reading them.

    Parameters
    ----------
    images : path
        A folder of images; a pattern such as ``cutouts/*.fits``; a text file (``.txt``, ``.lst``) with a path on each
        line; a CSV table with a column ``image``, and with one called ``source`` if ids are not those of the files; a FITS
        cube whose planes are the images; an array (n, rows, columns) in an HDF5 file or a Zarr folder, or
        ``FILE::NAME`` where it has several; or one image. Paths in files are relative to the folder of the file.
    **reading
        Fields of :class:`~attnxai.data.image_options.ImageOptions`, as in :func:`attnxai.read_images`.

    Returns
    -------
    ImageList

    Raises
    ------
    ImageError
        If there is none, two have the same id, or the list cannot be used.

    Examples
    --------
    >>> import attnxai
    >>> file = next(iter(attnxai.read_annotations("expert.csv").image_files().values()))
    >>> images = attnxai.data.list_images(file.parent / "*_01.fits*")
    >>> images.sources[0] == attnxai.read_images(file).sources[0]
    True
    """
    options = ImageOptions(**reading)
    text = str(images)
    path = Path(text)

    def found(files: Sequence[str | Path], names: Sequence[str] = ()) -> ImageList:
        ids = names or [source_id(file) for file in files]
        references = [ImageReference(ids[i], str(file)) for i, file in enumerate(files)]
        return ImageList(references, origin=text, reading=options)

    inside = images_in(text, options)
    if inside is not None:
        assume(
            f"{text} is taken for {counted(len(inside.sources), 'image')} of sources, one at each index of the first axis"
        )
        return ImageList(_references(inside), origin=text, reading=options)
    if path.is_dir():
        if not (files := image_files(path)):
            raise ImageError(
                f"folder {path} holds no images; known extensions are {known_endings()}"
            )
        return found(files)
    if not path.exists():
        # which also takes absolute patterns
        patterned = sorted(glob.glob(text, recursive=True)) if glob.has_magic(text) else []  # noqa: PTH207
        if not patterned:
            where = "" if path.is_absolute() else f" in {Path.cwd()}"
            raise ImageError(
                f"images {text!r} is neither a file, a folder nor a pattern that names files{where}"
            )
        return found(patterned)
    if path.suffix.lower() in LISTS:
        return found(_lines(path))
    if path.suffix.lower() == ".csv":
        return found(*_rows(path))
    return found([path])


def _references(inside: ImagesInFile) -> list[ImageReference]:
    return [
        ImageReference(source, inside.path, index, inside.array)
        for index, source in enumerate(inside.sources)
    ]


def _lines(path: Path) -> list[Path]:
    what = f"list of images {path}"
    text = read_input(path, what, ImageError)
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ImageError(
            f"{what} is not UTF-8 text (byte {error.start}); save it in UTF-8"
        ) from error
    return [
        path.parent / line.strip() for line in lines if line.strip() and not line.startswith("#")
    ]


def _rows(path: Path) -> tuple[list[Path], list[str]]:
    """Files and ids of a table; ids are those of the files where the table has none."""
    what = f"table of images {path}"
    header, rows = parse_csv(read_csv(path, what, ImageError), what, ImageError)
    image, source = (
        next((header.index(name) for name in names if name in header), None)
        for names in (_IMAGE_COLUMNS, _SOURCE_COLUMNS)
    )
    if image is None:
        raise ImageError(
            f"{what} has no column image with the paths of the images; its header is {', '.join(header)[:200]}"
        )
    files, names = [], []
    for line, cells in rows:
        if len(cells) != len(header):
            raise ImageError(
                f"line {line} of {what} has {counted(len(cells), 'cell')}, and its header {len(header)}"
            )
        if not cells[image]:
            raise ImageError(f"line {line} of {what} names no image")
        files.append(path.parent / cells[image])
        names.append(cells[source] if source is not None else source_id(cells[image]))
    return files, names
