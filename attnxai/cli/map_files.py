"""Files of maps that are compared beside the maps of models, or instead of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnxai.errors import OptionError

if TYPE_CHECKING:
    from attnxai.data.images import SourceSet
    from attnxai.explanations.files.formats import MapFile
    from attnxai.explanations.stack import MapStack


def check_given(
    models: Sequence[str] | None,
    maps: Sequence[Path] | None,
    *,
    explain: Sequence[str] | None,
    target: Sequence[str] | None,
) -> None:
    """Refuse options that give nothing to compare, or explanation methods without a model."""
    if not models and not maps:
        raise OptionError("there are no maps to compare; give --model or --maps")
    for name, given in (("--explain", explain), ("--target", target)):
        if given and not models:
            raise OptionError(f"{name} says how maps of a model are made; give --model as well")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapFiles:
    """Files of maps by the names under which they are compared."""

    files: Mapping[str, MapFile]

    @classmethod
    def open(cls, paths: Sequence[Path] | None, models: Collection[str]) -> MapFiles:
        """Read files, named by their file names with as many folders as make them, and models, distinct."""
        from attnxai.explanations.files.formats import open_maps
        from attnxai.models.zoo import distinct_names

        given = list(map(str, paths or ()))
        if twice := [name for name in given if given.count(name) > 1]:
            raise OptionError(f"maps {twice[0]} are given twice; name every file once")
        names = distinct_names([*models, *given])[len(models) :]
        return cls(files={name: open_maps(path) for name, path in zip(names, given, strict=True)})

    def stacks(self, sources: SourceSet) -> list[MapStack]:
        """The maps of the sources of some images; where they come from names the file and its hash."""
        stacks = []
        for name, file in self.files.items():
            stack = file.stack(sources, model_name=name)
            provenance = {**stack.provenance, **file.provenance}
            stacks.append(dataclasses.replace(stack, provenance=provenance))
        return stacks

    def notes(self, sources: SourceSet) -> list[str]:
        """How many maps are of other sources."""
        from attnxai.data.wording import counted

        known = set(sources.sources)
        without = {name: len(set(file.sources) - known) for name, file in self.files.items()}
        return [
            f"{name} has maps of {counted(n, 'source')} without annotations; left out."
            for name, n in without.items()
            if n
        ]
