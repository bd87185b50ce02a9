"""The formats of files of maps, and reading and writing in any of them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.foreign_content import describe_content
from attnxai.data.short_repr import short_repr
from attnxai.data.wording import counted, first_of
from attnxai.errors import AlignmentError, LeftOutWarning, MapFileError, OptionError
from attnxai.explanations.files import fits, npz, zarr_folder
from attnxai.explanations.files.loose import LooseMaps
from attnxai.explanations.files.map_chunks import MapChunks
from attnxai.explanations.files.placing import stack_of_loose
from attnxai.explanations.from_arrays import UNNAMED, checked_splits
from attnxai.explanations.stack import MapStack, Split
from attnxai.jobs.files import check_regular, output_file, replaced_file
from attnxai.jobs.output_folder import output_folder

if TYPE_CHECKING:
    from attnxai.data.images import SourceImage
    from attnxai.models.preprocessing import Preprocessing

_HEAD_BYTES = 64
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MapFormat:
    """A format of files of maps.

    ``recognises`` takes the path of a file, or of a folder where the format ``is_folder``. ``read`` gives the stack
    that ``write`` has written, whose maps may be read later, or the maps of another program.
    """

    name: str
    extensions: tuple[str, ...]
    recognises: Callable[[Path], bool]
    read: Callable[[Path], MapStack | MapChunks | LooseMaps]
    write: Callable[[Path, MapStack, Sequence[SourceImage] | None], None]
    is_folder: bool = False


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


FORMATS = (
    MapFormat(name="NPZ", extensions=(".npz",), recognises=_is_zip, read=npz.read, write=npz.write),
    MapFormat(
        name="FITS",
        extensions=fits.EXTENSIONS,
        recognises=fits.recognises,
        read=fits.read,
        write=fits.write,
    ),
    MapFormat(
        name="Zarr",
        extensions=(".zarr",),
        recognises=zarr_folder.is_group,
        read=zarr_folder.read,
        write=zarr_folder.write,
        is_folder=True,
    ),
    MapFormat(
        name="folder of FITS files",
        extensions=("",),
        recognises=Path.is_dir,
        read=fits.read_folder,
        write=fits.write_folder,
        is_folder=True,
    ),
)
"""All formats; the first that recognises a file reads it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapFile:
    """The content of a file of maps.

    Parameters
    ----------
    path : Path
        The file or folder.
    sha256 : str
        Hash of its bytes; of a folder, of names and bytes of all files.
    content : MapStack, MapChunks or LooseMaps
        What it holds; maps in a store are read when they are asked for.
    """

    path: Path
    sha256: str
    content: MapStack | MapChunks | LooseMaps

    __repr__ = short_repr

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the sources that it has maps of."""
        return self.content.sources

    @property
    def states_splits(self) -> bool:
        """Whether it says itself how its network used the sources, as files of attnxai do."""
        return isinstance(self.content, MapStack | MapChunks)

    @property
    def stated_model(self) -> str | None:
        """The file, or else the name, of the model whose maps it holds, where it states one."""
        if isinstance(self.content, LooseMaps):
            return None
        name = str(self.content.provenance.get("file") or self.content.model_name)
        return None if name == UNNAMED else name

    @property
    def provenance(self) -> dict[str, Any]:
        """What reports say about the file."""
        stated = {"maps_model": self.stated_model} if self.stated_model else {}
        return {"maps_file": self.path.name, "maps_sha256": self.sha256, **stated}

    def with_provenance(self, maps: MapStack | MapChunks) -> MapStack | MapChunks:
        """Maps of this file, which name it."""
        provenance = {**maps.provenance, **self.provenance}
        if isinstance(maps, MapStack):
            return dataclasses.replace(maps, provenance=provenance)
        return maps.restricted_to(maps.sources, provenance=provenance)

    def stack(
        self,
        images: Sequence[SourceImage] | None = None,
        *,
        preprocessing: Preprocessing | None = None,
        splits: str | Sequence[str] | Mapping[str, str] = Split.UNKNOWN,
        model_name: str | None = None,
    ) -> MapStack:
        """The stack of its maps, of the sources of some images; see :func:`read_maps`."""
        found = self.maps(images, preprocessing=preprocessing, splits=splits, model_name=model_name)
        return found.read(0, len(found)) if isinstance(found, MapChunks) else found

    def maps(
        self,
        images: Sequence[SourceImage] | None = None,
        *,
        preprocessing: Preprocessing | None = None,
        splits: str | Sequence[str] | Mapping[str, str] = Split.UNKNOWN,
        model_name: str | None = None,
    ) -> MapStack | MapChunks:
        """:meth:`stack`, of which maps in a store are read when they are asked for."""
        chosen = self._chosen(images)
        if isinstance(self.content, MapStack | MapChunks):
            if preprocessing is not None or splits != Split.UNKNOWN:
                raise OptionError(
                    f"{self.path} states itself what its network saw of the images and how it used the sources; leave "
                    "preprocessing and splits out"
                )
            found = self.content
            sources = found.sources if chosen is None else [image.source for image in chosen]
            name = model_name or found.model_name
            if isinstance(found, MapChunks):
                return found.restricted_to(sources, model_name=name)
            return dataclasses.replace(found.select(sources), model_name=name)
        if chosen is None:
            raise OptionError(
                f"{self.path} was not written by attnxai and does not say what its maps are of; give their images"
            )
        return stack_of_loose(
            self.content,
            chosen,
            preprocessing=preprocessing,
            splits=checked_splits(splits, tuple(image.source for image in chosen)),
            model_name=model_name or self.path.name,
            provenance=self.provenance,
        )

    def _chosen(self, images: Sequence[SourceImage] | None) -> list[SourceImage] | None:
        """The images of sources with maps; all have to have one."""
        if images is None:
            return None
        known = set(self.sources)
        missing = [image.source for image in images if image.source not in known]
        if missing or not images:
            raise AlignmentError(
                f"{self.path} has no maps of {len(missing)} of {counted(len(images), 'image')}: {first_of(missing, 5)}; it "
                f"has maps of {counted(len(known), 'source')}, such as {self.sources[0]!r}; add maps of the others, "
                "or leave their images (on the command line their annotations) out; ids are file names without folder and "
                "extension"
            )
        return list(images)


def open_maps(path: str | Path) -> MapFile:
    """Read a file of maps of any format, by its content.

    Raises
    ------
    MapFileError, ImageError
        If it is missing, damaged, or holds no maps.
    """
    path = Path(path)
    with _told_of(path):
        return MapFile(content=_content(path), path=path, sha256=_sha256(path))


def _content(path: Path) -> MapStack | MapChunks | LooseMaps:
    where = f"file of maps {path}"
    zarr_folder.check_finished(path, where)
    if not path.exists():
        raise MapFileError(f"{where} does not exist")
    is_folder = path.is_dir()
    if not is_folder:
        check_regular(path, where, MapFileError)
    found = next((f for f in FORMATS if f.is_folder == is_folder and f.recognises(path)), None)
    if found is None:
        with open(path, "rb") as file:
            kind = describe_content(file.read(_HEAD_BYTES))
        raise MapFileError(
            f"{where} is {kind}, which is not read; maps are NPZ, FITS or Zarr files, or a folder of FITS files"
        )
    return found.read(path)


@contextlib.contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Name the file where it cannot be read."""
    where = f"file of maps {path}"
    try:
        yield
    except MemoryError as error:
        raise MapFileError(f"{where} holds more than fits into memory") from error
    except OSError as error:
        if isinstance(error, MapFileError):
            raise
        raise MapFileError(f"{where} cannot be read: {error.strerror or error}") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.is_file() and not f.is_symlink())
    for file in files:
        if file != path:
            digest.update(
                f"{file.relative_to(path).as_posix()}\n".encode(errors="backslashreplace")
            )
        with open(file, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def read_maps(
    path: str | Path,
    images: Sequence[SourceImage] | None = None,
    *,
    preprocessing: Preprocessing | None = None,
    splits: str | Sequence[str] | Mapping[str, str] = Split.UNKNOWN,
    model_name: str | None = None,
) -> MapStack:
    """Read maps from a file that attnxai or another program has written.

    Parameters
    ----------
    path : path
        NPZ, a FITS file, a folder of FITS files, or a Zarr group. Files of attnxai give the stack that was written.
        Other NPZ files and Zarr groups hold an array (n_sources, height, width) for each layer and the ids of the
        sources (``sources``: an array of text, or an attribute), or one array (height, width) under the id of each
        source. Other FITS files hold one image for each map: EXTNAME is its layer, OBJECT or the file's name its source.
    images : sequence of SourceImage, optional
        The images that the maps are of; maps of other sources are left out. Files of other programs need them: their
        maps lie on the images by their coordinates on the sky or, without these, cover them.
    preprocessing, splits
        For files of other programs, see :func:`attnxai.maps_from_arrays`.
    model_name : str, optional
        What to call the network or the maps; as in the file, or the file's name, when left out.

    Returns
    -------
    MapStack

    Raises
    ------
    MapFileError, ImageError
        If the file is missing, damaged, or holds no maps.
    AlignmentError
        If an image has no map, or the maps do not lie on the images; the message says where they lie.
    OptionError
        If the file needs images, or states itself what an option says.

    Examples
    --------
    >>> import attnxai
    >>> annotations = attnxai.read_annotations("expert.csv")
    >>> images = attnxai.read_images(list(annotations.image_files().values())[:3])
    >>> maps = attnxai.attention_maps(attnxai.load_model("c1.pt"), images)
    >>> folder = getfixture("tmp_path")
    >>> maps.write(folder / "maps.fits", images)
    >>> attnxai.read_maps(folder / "maps.fits").sources == images.sources
    True
    """
    return open_maps(path).stack(
        images, preprocessing=preprocessing, splits=splits, model_name=model_name
    )


def read_map_chunks(path: str | Path) -> MapChunks:
    """Open maps that attnxai has written, to be read a chunk at a time.

    Maps in Zarr are read from the disk when they are asked for. Those in other formats, and in Zarr groups of earlier
    versions, are read at once.

    Parameters
    ----------
    path : path
        Zarr, NPZ, FITS, or a folder of FITS files.

    Returns
    -------
    MapChunks

    Raises
    ------
    MapFileError
        If it is missing, damaged, or holds no maps; also later, by a chunk that is damaged.
    OptionError
        If another program has written it, so that it does not say what its maps are of.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:1])
    >>> attnxai.attention_maps(attnxai.load_model("c1.pt"), images).write(getfixture("tmp_path") / "maps.zarr")
    >>> read_map_chunks(getfixture("tmp_path") / "maps.zarr").sources == images.sources
    True
    """
    path = Path(path)
    with _told_of(path), warnings.catch_warnings():
        # of images without maps, which the chunks list
        warnings.simplefilter("ignore", LeftOutWarning)
        content = _content(path)
    if isinstance(content, LooseMaps):
        raise OptionError(
            f"{path} was not written by attnxai and does not say what its maps are of; read it with read_maps and "
            "the images"
        )
    return content if isinstance(content, MapChunks) else MapChunks.of(content)


@contextlib.contextmanager
def map_output(
    path: str | Path, *, overwrite: bool = False, option: str = "--output"
) -> Iterator[Callable[[MapStack, Sequence[SourceImage] | None], None]]:
    """Claim a file for maps while the block runs; what is yielded writes a stack to it."""
    path = Path(path)
    found = next((f for f in FORMATS if path.suffix.lower() in f.extensions), None)
    if found is None:
        known = ", ".join(e for f in FORMATS for e in f.extensions[:1] if e)
        raise OptionError(
            f"{option} {str(path)!r} should end in one of {known}, or have no ending for a folder of FITS files"
        )
    form = found
    if form.is_folder:
        with output_folder(path, what="map folder", overwrite=overwrite, option=option) as folder:

            def write_into(stack: MapStack, images: Sequence[SourceImage] | None) -> None:
                with folder.writing() as partial:
                    form.write(partial, stack, images)

            yield write_into
        return
    with output_file(path, extensions=(path.suffix,), overwrite=overwrite, option=option):

        def write_file(stack: MapStack, images: Sequence[SourceImage] | None) -> None:
            with replaced_file(path) as temporary:
                form.write(temporary, stack, images)

        yield write_file


def write_maps(
    stack: MapStack,
    path: str | Path,
    images: Sequence[SourceImage] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a stack in the format that the ending of the path names; see :meth:`MapStack.write`."""
    with map_output(path, overwrite=overwrite, option="path") as write:
        write(stack, images)
