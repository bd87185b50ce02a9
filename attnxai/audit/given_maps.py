"""Maps that are given to an audit instead of being explained for it."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.data.wording import counted, first_of, listed
from attnxai.errors import AlignmentError, LeftOutWarning
from attnxai.explanations.files.map_chunks import MapChunks
from attnxai.explanations.inputs import model_provenance
from attnxai.explanations.stack import MapStack

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from attnxai.models.model import AttentionModel

_SAME_SCORES = 1e-3


def maps_of_model(model: AttentionModel, maps: MapStack | MapChunks) -> MapChunks:
    """Maps to be read a chunk at a time, after a check that they are of this model.

    Raises
    ------
    AlignmentError
        If they state the SHA-256 of another model, or lie on another field than the model sees.
    """
    stated, own = maps.provenance.get("sha256"), model_provenance(model)["sha256"]
    if stated and stated != own:
        raise AlignmentError(
            f"the maps{_of_file(maps)} are of the model {maps.provenance.get('file') or maps.model_name} with sha256 "
            f"{str(stated)[:12]}, and the model that is audited, {model.name}, has {own[:12]}; give the model that made "
            "the maps, or maps of this model"
        )
    side = model.preprocessing.size
    if maps.field_shape != (side, side):
        rows, columns = maps.field_shape
        raise AlignmentError(
            f"the maps{_of_file(maps)} lie on a field of {rows} x {columns} pixels, and the model {model.name} sees "
            f"{side} x {side}; give maps of the field that it sees"
        )
    return maps if isinstance(maps, MapChunks) else MapChunks.of(maps)


def _of_file(maps: MapStack | MapChunks) -> str:
    name = maps.provenance.get("maps_file")
    return f" in {name}" if name else ""


def sources_with_maps(sources: Sequence[str], maps: MapStack | MapChunks) -> list[str]:
    """The sources that have maps, in the order of the maps.

    Raises
    ------
    AlignmentError
        If none has, or one has not and the maps do not say why.

    Warns
    -----
    LeftOutWarning
        With the number of those that had no maps for a reason, and the reasons of the first.
    """
    known, wanted = set(maps.sources), set(sources)
    unusable = maps.unusable if isinstance(maps, MapChunks) else {}
    lost = [source for source in sources if source not in known]
    missing = [source for source in lost if source not in unusable]
    if missing or len(lost) == len(sources):
        shown = missing or lost
        raise AlignmentError(
            f"the maps{_of_file(maps)} lack {len(shown)} of {counted(len(sources), 'image')}: {first_of(shown, 5)}; they "
            f"are of {counted(len(known), 'source')}, such as {maps.sources[0]!r}; add maps of the others, or leave their "
            "images out; ids are file names without folder and extension"
        )
    if lost:
        named = first_of([f"{source} ({unusable[source]})" for source in lost], 3, separator="; ")
        are = "has no maps and is" if len(lost) == 1 else "have no maps and are"
        warnings.warn(
            f"{len(lost)} of {counted(len(sources), 'image')} {are} left out: {named}",
            LeftOutWarning,
            stacklevel=3,
        )
    return [source for source in maps.sources if source in wanted]


def check_scores(
    sources: Sequence[str],
    stated: NDArray[np.float64] | None,
    scores: NDArray[np.float64],
    model: AttentionModel,
) -> None:
    """Refuse maps whose class scores are not those of the images with the same names, which are others or read otherwise."""
    if stated is None:
        return
    size = max(float(np.abs(scores).max()), 1e-12)
    differ = np.flatnonzero((np.abs(stated - scores) > _SAME_SCORES * size).any(axis=1))
    if differ.size:
        raise AlignmentError(
            f"the class scores that came with the maps are not those that the model {model.name} gives to "
            f"{differ.size} of {counted(len(sources), 'image')}, such as {sources[differ[0]]!r}; give the images that the maps "
            "were made of, and read them with the same options"
        )


def target_of(maps: MapChunks) -> str | list[str] | None:
    """The class that the maps explain, or several; None for the predicted class of each image."""
    for one in maps.provenance.get("explanations", ()):
        stated = one.get("target")
        if stated and stated != "predicted class":
            return stated if isinstance(stated, str) else list(stated)
    return None


class ShownChunks:
    """Maps that show how many of them have been read."""

    def __init__(self, maps: MapChunks, on_step: Callable[[int, int], None] | None) -> None:
        self.maps, self.on_step, self.sources = maps, on_step, maps.sources

    def __len__(self) -> int:
        return len(self.maps)

    def chunks(self) -> Iterator[MapStack]:
        """The maps, chunk by chunk."""
        n_done = 0
        for stack in self.maps.chunks():
            yield stack
            n_done += len(stack)
            if self.on_step is not None:
                self.on_step(n_done, len(self))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MapOrigin:
    """Where the maps of an audit come from.

    Parameters
    ----------
    is_given : bool
        Whether they were given; else the model explained the images for the audit.
    explanations : mapping of str to str
        Names of the explanation methods with what their maps are called; empty if maps of another program do not say.
    layers : tuple of str
        Layers of the given maps.
    file, sha256 : str or None
        The file that they were read from, and its hash.
    n_without_maps : int
        Images that have no maps, as the file says.
    n_not_audited : int
        Sources that have maps and are not audited.
    """

    is_given: bool = False
    explanations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    layers: tuple[str, ...] = ()
    file: str | None = None
    sha256: str | None = None
    n_without_maps: int = 0
    n_not_audited: int = 0

    @classmethod
    def of(cls, maps: MapStack | MapChunks, n_audited: int) -> MapOrigin:
        """Of maps that were given, of which some are audited."""
        facts = maps.provenance
        return cls(
            is_given=True,
            explanations={
                str(one["name"]): str(one.get("title") or one["name"])
                for one in facts.get("explanations", ())
            },
            layers=tuple(maps.layers),
            file=facts.get("maps_file"),
            sha256=facts.get("maps_sha256"),
            n_without_maps=len(maps.unusable) if isinstance(maps, MapChunks) else 0,
            n_not_audited=len(maps.sources) - n_audited,
        )

    def sentence(self) -> str:
        """The same in words, to stand after a colon."""
        what = listed(list(self.explanations.values()) or ["maps"])
        if not self.is_given:
            return f"{what}, which the model made of the images for this audit."
        where = f"from the file {self.file}" if self.file else "that were given"
        words = [f"{what} ({listed(self.layers)}) {where}."]
        if n := self.n_without_maps:
            words.append(f"{counted(n, 'image has', 'images have')} no maps.")
        if n := self.n_not_audited:
            words.append(f"Maps of {counted(n, 'other source')} are not audited.")
        return " ".join(words)

    def to_record(self) -> dict[str, Any]:
        """Plain values under documented names."""
        if not self.is_given:
            return {"given": False, "explanations": list(self.explanations)}
        return {
            "given": True,
            "explanations": list(self.explanations),
            "layers": list(self.layers),
            "file": self.file,
            "sha256": self.sha256,
            "n_without_maps": self.n_without_maps,
            "n_not_audited": self.n_not_audited,
        }
