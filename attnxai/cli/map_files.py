"""Files of maps that are compared beside the maps of models, or instead of them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.cli.options import check_workers
from attnxai.data.wording import counted
from attnxai.errors import AlignmentError, OptionError

if TYPE_CHECKING:
    from attnxai.data.images import SourceSet
    from attnxai.explanations.files.formats import MapFile
    from attnxai.explanations.files.map_chunks import MapChunks
    from attnxai.explanations.stack import MapStack
    from attnxai.models.preprocessing import Preprocessing


def check_given(
    models: Sequence[str] | None,
    maps: Sequence[Path] | None,
    *,
    split: Sequence[str] | None,
    field: int | None,
    explain: Sequence[str] | None,
    target: Sequence[str] | None,
    audit: Sequence[str] | None,
    workers: int,
    scheduler: str | None,
) -> None:
    """Refuse options that give nothing to compare, exclude each other, or are about models or maps where there are none."""
    check_workers(workers, scheduler)
    if not models and not maps:
        raise OptionError("there are no maps to compare; give --model or --maps")
    for name, given in (("--explain", explain), ("--target", target)):
        if given and not models:
            raise OptionError(f"{name} says how maps of a model are made; give --model as well")
    if audit and not models:
        raise OptionError("--audit needs a model, not its maps alone; give --model as well")
    for name, stated in (("--split", split), ("--field", field)):
        if stated and not maps:
            raise OptionError(
                f"{name} is about files of maps; give --maps as well, or leave it out"
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapFiles:
    """Files of maps by distinct names, the names of their maps in the report, and how their networks used the sources."""

    files: Mapping[str, MapFile]
    names: Mapping[str, str]
    splits: Mapping[str, str | Mapping[str, str]]
    field: int | None = None

    @classmethod
    def open(
        cls,
        paths: Sequence[Path] | None,
        models: Collection[str],
        split: Sequence[str] | None,
        field: int | None = None,
    ) -> MapFiles:
        """Read files, named by their file names with as many folders as make them, and models, distinct.

        Maps have the name of the model that their file states, unless another model or file has it too; ``split`` is
        that of all files that do not state it, or has one entry for each. ``field`` is the side, in pixels of the images,
        of what maps of other programs cover in the middle of them. Notes on images without maps come after errors about
        these options.
        """
        from attnxai.explanations.files.formats import open_maps
        from attnxai.models.zoo import distinct_names

        given = list(map(str, paths or ()))
        if twice := [name for name in given if given.count(name) > 1]:
            raise OptionError(f"maps {twice[0]} are given twice; name every file once")
        distinct = distinct_names([*models, *given])[len(models) :]
        with warnings.catch_warnings(record=True) as notes:
            files = {name: open_maps(path) for name, path in zip(distinct, given, strict=True)}
        splits = _splits(files, split or ())
        if field and all(file.states_splits for file in files.values()):
            raise OptionError(f"{next(iter(files))} states its field itself; leave --field out")
        for note in notes:
            warnings.warn(note.message, stacklevel=2)
        stated = {name: file.stated_model or name for name, file in files.items()}
        taken = list(map(_file_stem, (*models, *files, *stated.values())))
        names = {
            name: name if taken.count(_file_stem(model)) > 1 else model
            for name, model in stated.items()
        }
        return cls(files=files, names=names, splits=splits, field=field)

    @property
    def hashes(self) -> dict[str, str]:
        """Hash of the file of each map, by the name in the report."""
        return {self.names[name]: file.sha256 for name, file in self.files.items()}

    @property
    def unusable(self) -> dict[str, str]:
        """Sources whose images had no maps in one of the files, with the file and the reason."""
        from attnxai.explanations.files.map_chunks import MapChunks

        found: dict[str, str] = {}
        for name, file in self.files.items():
            if isinstance(file.content, MapChunks):
                found |= dataclasses.replace(file.content, model_name=name).reasons
        return found

    def stacks(self, sources: SourceSet) -> list[MapStack | MapChunks]:
        """The maps of the sources of some images; where they come from names the file and its hash."""
        stacks: list[MapStack | MapChunks] = []
        for name, file in self.files.items():
            splits = self.splits[name]
            if isinstance(splits, Mapping) and not splits.keys() & set(sources.sources):
                raise AlignmentError(
                    f"the table of splits for {name} names none of {counted(len(sources), 'source')}, such as "
                    f"{sources.sources[0]!r}; ids are file names without folder and extension"
                )
            preprocessing = None
            if self.field and not file.states_splits:
                preprocessing = _middle(sources, self.field)
            maps = file.maps(
                sources, splits=splits, model_name=self.names[name], preprocessing=preprocessing
            )
            stacks.append(file.with_provenance(maps))
        return stacks

    def notes(self, sources: SourceSet) -> list[str]:
        """How many maps are of other sources, and how many sources have no split in a table."""
        known = set(sources.sources)
        unstated = {
            name: len(known - splits.keys())
            for name, splits in self.splits.items()
            if isinstance(splits, Mapping)
        }
        without = {name: len(set(file.sources) - known) for name, file in self.files.items()}
        return [
            f"The table of splits for {name} lacks {counted(n, 'source')}; how its network used "
            f"{'it' if n == 1 else 'them'} is unknown."
            for name, n in unstated.items()
            if n
        ] + [
            f"{name} has maps of {counted(n, 'source')} without annotations; left out."
            for name, n in without.items()
            if n
        ]


def _file_stem(model: str) -> str:
    """What is the same in all ways to name a model, such as D8, d8.pt and runs/d8.pt."""
    return Path(model).name.lower().removesuffix(".pt")


def _middle(sources: SourceSet, field: int) -> Preprocessing:
    """What takes a field of a side in pixels from the middle of images."""
    from attnxai.models.preprocessing import Preprocessing

    scales = [image.grid.pixel_scale_arcsec for image in sources]
    return Preprocessing(size=field, pixel_scale_arcsec=next(filter(None, scales), 1.0))


def _splits(
    files: Mapping[str, MapFile], given: Sequence[str]
) -> dict[str, str | Mapping[str, str]]:
    """The splits of every file."""
    from attnxai.explanations.files.splits import stated_splits
    from attnxai.explanations.stack import Split

    found: list[str | Mapping[str, str]] = [stated_splits(one) for one in given]
    if len(found) not in (0, 1, len(files)):
        raise OptionError(
            f"--split is given {len(found)} times for {counted(len(files), 'file')} of --maps; give it once for all, or "
            "once for each in their order, and unknown for files of attnxai"
        )
    if len(found) == 1:
        if all(file.states_splits for file in files.values()):
            raise OptionError(
                f"{next(iter(files))} states itself how its network used the sources; leave --split out"
            )
        found = [Split.UNKNOWN if f.states_splits else found[0] for f in files.values()]
    return dict(zip(files, found or [Split.UNKNOWN] * len(files), strict=True))
