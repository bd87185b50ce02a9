"""How a network used the sources of a file of maps, where the file does not say so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attnxai.data.csv_table import Faults, parse_csv, parse_rows, read_csv
from attnxai.data.images import source_id
from attnxai.errors import MapFileError
from attnxai.explanations.stack import Split

_SOURCE_COLUMNS, _SPLIT_COLUMN = ("source", "image"), "split"
# tables of labels, by which networks are trained, call them train and test
_SPLITS = {
    **{str(split): split for split in Split},
    "train": Split.TRAINING,
    "test": Split.HELD_OUT,
}


def stated_splits(given: str) -> Split | Mapping[str, Split]:
    """A split by its name, or those of single sources from a CSV table.

    The table has the columns ``source`` (or ``image``) and ``split``, whose values are ``training`` (or ``train``),
    ``validation``, ``held-out`` (or ``test``) and ``unknown``; other columns do not matter. A source may have several
    rows, so that tables of labels and of annotations serve as well.

    Raises
    ------
    MapFileError
        If it is neither, or the table cannot be used; the message lists its faults by line.
    """
    if given.lower() in _SPLITS:
        return _SPLITS[given.lower()]
    if not Path(given).is_file():
        raise MapFileError(
            f"the split {given!r} is neither {', '.join(map(str, Split))} nor a CSV table that exists"
        )
    what = f"table of splits {given}"
    header, rows = parse_csv(read_csv(given, what, MapFileError), what, MapFileError)
    header = [name.lower() for name in header]
    column = next((name for name in _SOURCE_COLUMNS if name in header), None)
    if column is None or header.count(_SPLIT_COLUMN) != 1:
        raise MapFileError(
            f"{what} needs the columns source and split, once each; its header is {', '.join(header)[:300]}"
        )
    found: dict[str, Split] = {}

    def parse(cells: dict[str, str], line: int, faults: Faults) -> None:
        source, split = source_id(cells[column]), _SPLITS.get(cells[_SPLIT_COLUMN].lower())
        if not source:
            faults.add(line, column, "", "a source id or the name of an image file")
        if split is None:
            faults.add(
                line, _SPLIT_COLUMN, cells[_SPLIT_COLUMN], f"one of {', '.join(map(str, Split))}"
            )
        elif source and found.setdefault(source, split) != split:
            faults.add_row(line, f": {source[:60]} is {split} here and {found[source]} above")

    parse_rows(header, rows, what, MapFileError, parse)
    return found
