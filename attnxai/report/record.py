"""What a report was made from, which its page holds, so that ``attnxai repeat`` can repeat and compare it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnxai.data.sky import stated_numbers
from attnxai.data.wording import printable
from attnxai.errors import OptionError
from attnxai.jobs.files import check_regular, parse_json
from attnxai.report.page import json_text

if TYPE_CHECKING:
    from attnxai.annotations.annotation_set import AnnotationSet
    from attnxai.data.images import SourceImage, SourceSet
    from attnxai.report.content import ReportContent

FORMAT = "attnxai-record"
PAGE_NAME, SUMMARY_NAME = "index.html", "summary.json"
_IN_PAGE = re.compile(rb'<script type="application/json" id="record">(?P<record>[^<]*)</script>')
# the record stands in the head of the page, whose other parts are fixed
_HEAD_BYTES = 1 << 20
_MOST_BYTES = 1 << 16
# the first digits of the hash of each part tell which part has changed, and more would make a large page
_DIGITS, _MOST_PARTS = 6, 256
_HEADERS = "coordinates, pixel scale, beam, survey or footprint"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InputHash:
    """Hash of an input, and of its parts, in the order of their names, where they are not too many.

    Parameters
    ----------
    sha256 : str
        Of the whole.
    n_parts : int
        Number of its files or images.
    parts : str
        The first six hexadecimal digits of the hash of each; empty for more than 256 parts.
    """

    sha256: str
    n_parts: int = 1
    parts: str = ""

    @classmethod
    def of(cls, sha256: str, parts: Iterable[str] = ()) -> InputHash:
        """Of the hash of the whole, and the hashes of the parts in the order of their names."""
        hashes = list(parts)
        known = hashes if len(hashes) <= _MOST_PARTS else ()
        return cls(
            sha256=sha256,
            n_parts=max(1, len(hashes)),
            parts="".join(one[:_DIGITS] for one in known),
        )

    def changed(self, now: InputHash) -> list[int] | None:
        """Numbers of the parts that are others now; None if that cannot be said."""
        if self.n_parts != now.n_parts or not self.parts or len(self.parts) != len(now.parts):
            return None
        places = range(0, len(self.parts), _DIGITS)
        pairs = ((self.parts[at : at + _DIGITS], now.parts[at : at + _DIGITS]) for at in places)
        return [number for number, (old, new) in enumerate(pairs) if old != new]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What repeats a report.

    Parameters
    ----------
    arguments : tuple of str
        What was typed after ``attnxai``; empty for a report made from Python.
    seed : int or None
        Of the random numbers.
    versions : mapping of str to str
        Of Python and packages.
    inputs : mapping of str to InputHash
        ``annotations``, ``images``, the classes and splits of images as ``labels``, what else is known of images as
        ``headers``, and ``model NAME`` of every model or file of maps.
    plugins : mapping of str to str
        Hashes of the files of plug-ins that were used, by what they registered.
    n_numbers, numbers_sha256
        Number and hash of the numbers of ``summary.json``.
    """

    arguments: tuple[str, ...]
    seed: int | None
    versions: Mapping[str, str]
    inputs: Mapping[str, InputHash]
    plugins: Mapping[str, str]
    n_numbers: int
    numbers_sha256: str

    @classmethod
    def of(
        cls,
        content: ReportContent,
        summary: Mapping[str, Any],
        plugins: Iterable[Mapping[str, Any]] = (),
    ) -> Record:
        """Of what a report shows, and its summary."""
        facts = content.provenance
        try:
            words = shlex.split(facts.command)
        except ValueError:  # a program may give any text
            words = []
        numbers = numbers_of(parse_json(json_text(summary)))
        return cls(
            arguments=tuple(words[1:]) if words[:2] == ["attnxai", "compare"] else (),
            seed=facts.seed,
            versions=dict(facts.versions),
            inputs=hashes_of_inputs(
                content.annotations,
                content.images,
                {one["name"]: one.get("maps_sha256") or one.get("sha256") for one in facts.models},
            ),
            plugins={f"{one['kind']} {one['name']}": one.get("sha256") or "" for one in plugins},
            n_numbers=len(numbers),
            numbers_sha256=_sha256_of(sorted(numbers.items())),
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values, for the page."""
        return {"format": FORMAT, **dataclasses.asdict(self)}


def hashes_of_inputs(
    annotations: AnnotationSet, images: SourceSet, models: Mapping[str, str | None]
) -> dict[str, InputHash]:
    """Hashes of annotations, images, and models or files of maps by their names."""
    files = [annotations.files[path] for path in sorted(annotations.files)]
    ordered = sorted(images, key=lambda image: image.source)
    few = ordered if len(ordered) <= _MOST_PARTS else ()
    seen = InputHash.of(images.sha256(), [image.sha256() for image in few])
    stated = [_sha256_of([image.source, image.class_name, image.split]) for image in ordered]
    headers = [_sha256_of(_facts_of(image)) for image in ordered]
    return {
        "annotations": InputHash.of(annotations.sha256, files),
        "images": dataclasses.replace(seen, n_parts=len(ordered)),
        "labels": InputHash.of(_sha256_of(stated), stated),
        "headers": InputHash.of(_sha256_of(headers), headers),
        # names of files may hold bytes that are not UTF-8
        **{
            f"model {name.encode(errors='backslashreplace').decode()}": InputHash.of(sha256 or "")
            for name, sha256 in models.items()
        },
    }


def _facts_of(image: SourceImage) -> list[Any]:
    """What numbers depend on besides pixels and options: where an image lies on the sky, its beam, and what was observed."""
    grid = image.grid
    return [
        image.source,
        image.shape,
        image.prepared,
        image.survey,
        grid.row_zero,
        _digits((grid.pixel_scale_arcsec,)),
        _digits(image.beam_arcsec or ()),
        None if grid.wcs is None else stated_numbers(grid.wcs),
        image.footprint_sha256(),
    ]


def _digits(numbers: Iterable[float | None]) -> list[str | None]:
    return [None if number is None else f"{number:.9g}" for number in numbers]


def check_inputs_unchanged(
    recorded: Mapping[str, InputHash],
    annotations: AnnotationSet,
    images: SourceSet,
    models: Mapping[str, str | None],
    *,
    remedy: str,
) -> None:
    """Refuse inputs that are not those of a record; the OptionError names the first, and ends with the remedy."""
    current = hashes_of_inputs(annotations, images, models)
    seen = [f"{source} of {images.origin}" for source in sorted(images.sources)]
    names = {
        "annotations": sorted(annotations.files) or [annotations.path],
        "images": seen,
        "labels": seen,
        "headers": seen,
    }
    for which, there in recorded.items():
        here = current.get(which)
        if here is None:
            raise OptionError(
                f"the command does not use {which[:60]}, which the report was made from"
            )
        if here == there:
            continue
        named = names.get(which, [which.removeprefix("model ")])
        places = there.changed(here)
        if there.n_parts != here.n_parts:
            what = f"there are {here.n_parts:,} {_kinds(which)}, and there were {there.n_parts:,} when the report was made"
        elif places and len(named) == there.n_parts:
            others = f" and {len(places) - 1:,} more" if len(places) > 1 else ""
            what = f"{_kind(which)} {named[places[0]]}{others} changed since the report was made"
        elif len(named) == 1:
            what = f"{_kind(which)} {named[0]} changed since the report was made"
        else:
            of = f" of {images.origin}" if named is seen else ""
            what = f"{_several(which)} of {len(named):,} {_kinds(which)}{of} changed since the report was made"
        raise OptionError(
            f"{what} (SHA-256 {here.sha256[:12]}, in the report {there.sha256[:12]}); {remedy}"
        )


def _kinds(which: str) -> str:
    kinds = {"annotations": "files of annotations", "labels": "images", "headers": "images"}
    return kinds.get(which, which[:60])


def _several(which: str) -> str:
    kinds = {"labels": "classes or splits", "headers": _HEADERS}
    return f"{kinds[which]} of one or more" if which in kinds else "one or more"


def _kind(which: str) -> str:
    kinds = {
        "annotations": "annotations",
        "images": "image",
        "labels": "class or split of",
        "headers": f"{_HEADERS} of",
    }
    return kinds.get(which, "model or maps")


def read_record(report: Path) -> tuple[Record, Path]:
    """The record in the page of a report, and the folder of the page.

    Parameters
    ----------
    report : Path
        The page, or its folder.

    Raises
    ------
    OptionError
        If it is neither, or its record is damaged.
    """
    page = report / PAGE_NAME if report.is_dir() else report
    if not page.exists():
        raise OptionError(f"{page} does not exist; name the page of a report, or its folder")
    check_regular(page, str(page), OptionError)
    try:
        with open(page, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise OptionError(f"{page} cannot be read: {error.strerror or error}") from error
    found = _IN_PAGE.search(head)
    if found is None:
        raise OptionError(
            f"{page} holds no record of a comparison; of pages of attnxai audit, study and validate, run the command "
            "that they show"
        )
    text = found["record"]
    if len(text) > _MOST_BYTES:
        raise OptionError(
            f"the record in {page} has {len(text):,} bytes; no report that attnxai writes has more than "
            f"{_MOST_BYTES:,}"
        )
    try:
        return _parsed(parse_json(text.decode())), page.parent
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OptionError(
            f"the record in {page} is damaged, or holds control characters, and cannot be used; run the command "
            "that the page shows"
        ) from error


def _parsed(content: Any) -> Record:
    """A record of plain values; anything else than strings and numbers where they belong is a TypeError."""
    if content["format"] != FORMAT:
        raise ValueError("another format")
    inputs = {
        _text(name): InputHash(
            sha256=_text(one["sha256"]), n_parts=_number(one["n_parts"]), parts=_text(one["parts"])
        )
        for name, one in content["inputs"].items()
    }
    return Record(
        arguments=tuple(map(_text, content["arguments"])),
        seed=None if content["seed"] is None else _number(content["seed"]),
        versions={_text(name): _text(one) for name, one in content["versions"].items()},
        inputs=inputs,
        plugins={_text(name): _text(one) for name, one in content["plugins"].items()},
        n_numbers=_number(content["n_numbers"]),
        numbers_sha256=_text(content["numbers_sha256"]),
    )


def _text(value: Any) -> str:
    """Text that is shown as it is: what is run, and what is said of a report, cannot hide anything."""
    if not isinstance(value, str):
        raise TypeError("not text")
    if printable(value) != value or not {"\n", "\t"}.isdisjoint(value):
        raise ValueError("it holds control characters")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def read_summary(folder: Path) -> Mapping[str, Any] | None:
    """Content of ``summary.json`` in a folder; None where it is missing or damaged."""
    try:
        content = parse_json((folder / SUMMARY_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def numbers_of(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """All numbers of a summary by their places in it, such as ``models[0].results[3].value``.

    Truth values and null, for what is undefined, count as numbers; texts do not.

    Examples
    --------
    >>> numbers_of({"seed": 0, "models": [{"name": "d8", "value": 0.5}]})
    {'seed': 0, 'models[0].value': 0.5}
    """
    return {place: value for place, value in _leaves(summary) if not isinstance(value, str)}


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _leaves(entry, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _leaves(entry, f"{place}[{index}]")
    else:
        yield place, value


def _sha256_of(values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def is_summary_of(record: Record, summary: Mapping[str, Any]) -> bool:
    """Whether the numbers of a summary are those of a record."""
    return _sha256_of(sorted(numbers_of(summary).items())) == record.numbers_sha256


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Places at which two mappings differ, with both values; None where one lacks the place."""
    return [
        (place, there.get(place), here.get(place))
        for place in dict.fromkeys((*there, *here))
        if there.get(place) != here.get(place) or (place in there) != (place in here)
    ]
